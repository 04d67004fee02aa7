"""The pictures from which the reader's network learns: of ECGs, of what is nearly one, and of what is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch.utils.data import Dataset

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.arrays import Float32Array, Image
from heartprint.foundation.randomness import generator
from heartprint.reading.learning.layouts import HELD_OUT, random_layout
from heartprint.reading.learning.truth import CellTruth, cell_truth, nothing
from heartprint.reading.network import CELL, PAGES
from heartprint.sheets.camera.snapshot import snapshot, snapshot_of_image
from heartprint.sheets.layout import Layout
from heartprint.sheets.lookalikes import LOOKALIKES, NEARLY, Variant, draw_lookalike, draw_nearly
from heartprint.sheets.registry import LAYOUTS

BUCKET_PX = 64
"""Pictures are filled up to multiples of it, so that few shapes occur."""

_KINDS = ("ecg", "nearly", "other", "photograph")
_SHARES = (0.80, 0.07, 0.08, 0.05)
_NAMED = 0.3
"""Share of the sheets in a layout that has a name."""
_SEVERITIES = np.array([0.26, 0.26, 0.24, 0.16, 0.08])


@dataclass(frozen=True)
class Example:
    """A picture to learn from.

    Attributes:
        picture: ``(H, W)`` float32: standardised, filled up with zeros.
        truth: What is true of its cells.
        page: Index into `PAGES`.
    """

    picture: Float32Array
    truth: CellTruth
    page: int


@dataclass(frozen=True)
class Examples(Dataset[Example]):
    """Pictures, each a pure function of the seed and its number.

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
    lookalikes: bool = True

    def sized(self, longest_side: int) -> Examples:
        """The same pictures in another size."""
        return replace(self, longest_side=longest_side)

    def __getitem__(self, index: int) -> Example:
        rng = generator(self.seed, "reader example", index)
        kind = _KINDS[int(rng.choice(len(_KINDS), p=_SHARES))]
        kind = kind if self.lookalikes else "ecg"
        severity = float(1 + rng.choice(5, p=_SEVERITIES) - rng.uniform(0, 1)) if kind == "ecg" else rng.uniform(1, 4)
        severity = max(1.0, severity)
        if kind == "ecg":
            return self._ecg(rng, severity)
        if kind == "nearly":
            name = tuple(NEARLY)[int(rng.integers(len(NEARLY)))]
            leads, rate = self._leads(rng)
            page = draw_nearly(name, [leads], rate, rng, float(rng.uniform(2.0, 3.5)), colour=False)
        elif kind == "photograph" and (self.backgrounds or self.charts):
            sources = (*self.backgrounds, *self.charts)
            return self._no_sheet(_part(sources[int(rng.integers(len(sources)))], self.longest_side, rng), "other")
        else:
            name = tuple(LOOKALIKES)[int(rng.integers(len(LOOKALIKES)))]
            page = draw_lookalike(name, rng, float(rng.uniform(2.0, 3.5)), variant=self.variant, colour=False)
        taken = snapshot_of_image(
            page.image,
            page.px_per_mm,
            severity=severity,
            rng=rng,
            longest_side=self.longest_side,
            backgrounds=self.backgrounds or None,
        )
        return self._no_sheet(taken.picture, "nearly" if kind == "nearly" else "other")

    def _ecg(self, rng: np.random.Generator, severity: float) -> Example:
        leads, rate = self._leads(rng)
        layout: str | Layout = random_layout(rng) if rng.random() > _NAMED else _one(_TRAINED, rng)
        taken = snapshot(
            leads,
            rate,
            layout,
            severity=severity,
            rng=rng,
            longest_side=self.longest_side,
            backgrounds=self.backgrounds or None,
        )
        height, width = taken.picture.shape
        size = (height + -height % BUCKET_PX, width + -width % BUCKET_PX)
        truth = cell_truth(taken.mapping, taken.layout, taken.style, taken.page_mm, size)
        return Example(_filled(taken.picture, size), truth, PAGES.index("ecg"))

    def _no_sheet(self, picture: Image, what: str) -> Example:
        height, width = picture.shape
        size = (height + -height % BUCKET_PX, width + -width % BUCKET_PX)
        return Example(_filled(picture, size), nothing(size[0] // CELL, size[1] // CELL), PAGES.index(what))

    def _leads(self, rng: np.random.Generator) -> tuple[Float32Array, float]:
        row = int(rng.integers(len(self.cohort)))
        return self.cohort.signal(row), self.cohort.sampling_rate(row)


_TRAINED = tuple(name for name in LAYOUTS if name not in HELD_OUT)


def _filled(picture: Image, size: tuple[int, int]) -> Float32Array:
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
