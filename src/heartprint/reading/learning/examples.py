"""The pictures from which the reader's networks learn: of ECGs, of what is nearly one, and of what is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from torch.utils.data import Dataset

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.arrays import Float32Array, Image
from heartprint.foundation.randomness import generator
from heartprint.lookalikes import LOOKALIKES, NEARLY, Variant, draw_lookalike, draw_nearly
from heartprint.reading.learning.layouts import HELD_OUT, random_layout
from heartprint.reading.learning.truth import IGNORED, CellTruth, cell_truth, nothing
from heartprint.reading.network import CELL, PAGES
from heartprint.sheets.camera.snapshot import Snapshot, snapshot, snapshot_of_image
from heartprint.sheets.layout import Layout
from heartprint.sheets.registry import LAYOUTS

BUCKET_PX = 64
"""Pictures are filled up to multiples of it, so that few shapes occur."""

Kind = Literal["ecg", "nearly", "other", "photograph"]
_KINDS: tuple[Kind, ...] = ("ecg", "nearly", "other", "photograph")
_SHARES = (0.80, 0.07, 0.08, 0.05)
_NAMED = 0.3
"""Share of the sheets in a layout that has a name."""
_SEVERITIES = (0.26, 0.26, 0.24, 0.16, 0.08)
"""How often pictures are of severity 1 (or less than it), 1 to 2, and so on."""


@dataclass(frozen=True)
class Example:
    """A picture to learn from.

    Attributes:
        picture: ``(H, W)`` float32: standardised, filled up with zeros.
        truth: What is true of its cells.
        page: Index into `PAGES`.
        turn: Index into `TURNS`, or `IGNORED`.
    """

    picture: Float32Array
    truth: CellTruth
    page: int
    turn: int = IGNORED


@dataclass(frozen=True)
class Examples(Dataset[list[Example]]):
    """Whole pictures, each a pure function of the seed and its number.

    Attributes:
        cohort: Simulated ECGs.
        backgrounds: Photographs on which pages lie, and which are no ECG themselves; none = textures alone.
        charts: Pictures that are no ECG: charts, documents.
        seed: Decides everything.
        longest_side: Of the pictures, px.
        variant: Of lookalikes: ``training`` or ``test``.
    """

    cohort: Cohort
    backgrounds: tuple[Image, ...] = ()
    charts: tuple[Image, ...] = ()
    seed: int = 0
    longest_side: int = 512
    variant: Variant = "training"

    def sized(self, longest_side: int) -> Examples:
        """The same pictures in another size."""
        return replace(self, longest_side=longest_side)

    def __getitem__(self, index: int) -> list[Example]:
        rng = generator(self.seed, "reader example", index)
        kind = self._kind(rng)
        if kind == "ecg":
            taken = self._photograph(rng, draw_severity(rng), self.longest_side)
            assert taken.layout is not None and taken.style is not None
            size = bucket(taken.picture.shape)
            truth = cell_truth(taken.mapping, taken.layout, taken.style, taken.page_mm, size)
            return [Example(filled(taken.picture, size), truth, PAGES.index("ecg"))]
        if kind == "photograph":
            sources = (*self.backgrounds, *self.charts)
            picture = _part(sources[int(rng.integers(len(sources)))], self.longest_side, rng)
        else:
            picture = self._lookalike(rng, kind, self.longest_side).picture
        size = bucket(picture.shape)
        page = PAGES.index("nearly" if kind == "nearly" else "other")
        return [Example(filled(picture, size), nothing(size[0] // CELL, size[1] // CELL), page)]

    def _kind(self, rng: np.random.Generator) -> Kind:
        kind = _KINDS[int(rng.choice(len(_KINDS), p=_SHARES))]
        return "other" if kind == "photograph" and not (self.backgrounds or self.charts) else kind

    def _photograph(self, rng: np.random.Generator, severity: float, longest_side: int) -> Snapshot:
        leads, rate = self._leads(rng)
        layout: str | Layout = random_layout(rng) if rng.random() > _NAMED else _one(_TRAINED, rng)
        return snapshot(
            leads,
            rate,
            layout,
            severity=severity,
            rng=rng,
            longest_side=longest_side,
            backgrounds=self.backgrounds or None,
        )

    def _lookalike(self, rng: np.random.Generator, kind: Kind, longest_side: int) -> Snapshot:
        px_per_mm = float(rng.uniform(2.0, 3.5))
        if kind == "nearly":
            leads, rate = self._leads(rng)
            page = draw_nearly(_one(tuple(NEARLY), rng), [leads], rate, rng, px_per_mm, colour=False)
        else:
            name = _one(tuple(LOOKALIKES), rng)
            page = draw_lookalike(name, rng, px_per_mm, variant=self.variant, colour=False)
        return snapshot_of_image(
            page.image,
            page.px_per_mm,
            severity=float(rng.uniform(1, 4)),
            rng=rng,
            longest_side=longest_side,
            backgrounds=self.backgrounds or None,
        )

    def _leads(self, rng: np.random.Generator) -> tuple[Float32Array, float]:
        row = int(rng.integers(len(self.cohort)))
        return self.cohort.signal(row), self.cohort.sampling_rate(row)


_TRAINED = tuple(name for name in LAYOUTS if name not in HELD_OUT)


def draw_severity(rng: np.random.Generator) -> float:
    """How badly a picture is taken, 1-5."""
    return max(1.0, float(1 + rng.choice(5, p=_SEVERITIES) - rng.uniform(0, 1)))


def bucket(size: tuple[int, ...]) -> tuple[int, int]:
    """A size filled up to multiples of `BUCKET_PX`."""
    return size[0] + -size[0] % BUCKET_PX, size[1] + -size[1] % BUCKET_PX


def filled(picture: Image, size: tuple[int, int]) -> Float32Array:
    """Standardised as `heartprint.reading.network.standardised` does, in the upper left corner of zeros."""
    values = picture.astype(np.float32)
    out = np.zeros(size, dtype=np.float32)
    out[: picture.shape[0], : picture.shape[1]] = (values - values.mean()) / max(float(values.std(ddof=1)), 4.0)
    return out


def _part(picture: Image, longest_side: int, rng: np.random.Generator) -> Image:
    """Some part of a picture, at least two fifths of each side, brought to size."""
    import cv2

    if picture.ndim == 3:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    height, width = picture.shape
    h, w = (max(int(side * rng.uniform(0.4, 1.0)), 32) for side in (height, width))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    scale = longest_side / max(h, w)
    size = (max(round(w * scale), 32), max(round(h * scale), 32))
    return np.asarray(cv2.resize(picture[top : top + h, left : left + w], size, interpolation=cv2.INTER_AREA))


def _one(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
