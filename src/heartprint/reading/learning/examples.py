"""The pictures from which the reader's networks learn: of ECGs, of what is nearly one, and of what is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from torch.utils.data import Dataset

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.arrays import Float32Array, Float64Array, Image
from heartprint.foundation.randomness import generator
from heartprint.lookalikes import LOOKALIKES, NEARLY, Variant, draw_lookalike, draw_nearly
from heartprint.reading.learning.layouts import HELD_OUT, random_layout
from heartprint.reading.learning.truth import IGNORED, CellTruth, Seen, cell_truth, nothing
from heartprint.reading.network import CELL, PAGES
from heartprint.reading.warp import outside_share_map, warped
from heartprint.sheets.camera.snapshot import Snapshot, snapshot, snapshot_of_image
from heartprint.sheets.layout import Layout
from heartprint.sheets.registry import LAYOUTS

BUCKET_PX = 64
"""Pictures are filled up to multiples of it, so that few shapes occur."""

Kind = Literal["ecg", "nearly", "other", "photograph"]
_KINDS: tuple[Kind, ...] = ("ecg", "nearly", "other", "photograph")
_SHARES = (0.60, 0.14, 0.16, 0.10)
"""Of the pictures; an ECG's is seen more than once."""
SEEN_AGAIN = 2
"""How often a picture of an ECG is seen again, turned and brought nearer: drawing it takes longer."""
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
            first = Example(filled(taken.picture, size), truth, PAGES.index("ecg"))
            return [first, *(self._again(rng, taken) for _ in range(SEEN_AGAIN))]
        if kind == "photograph":
            sources = (*self.backgrounds, *self.charts)
            picture = _part(sources[int(rng.integers(len(sources)))], self.longest_side, rng)
        else:
            picture = self._lookalike(rng, kind, self.longest_side).picture
        size = bucket(picture.shape)
        page = PAGES.index("nearly" if kind == "nearly" else "other")
        return [Example(filled(picture, size), nothing(size[0] // CELL, size[1] // CELL), page)]

    def _again(self, rng: np.random.Generator, taken: Snapshot) -> Example:
        """The same picture turned by any angle, mirrored or not, and brought nearer; what is beyond it is not asked."""
        assert taken.layout is not None and taken.style is not None
        height, width = taken.picture.shape
        angle, near = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.9, 1.4))
        c, s = near * np.cos(angle), near * np.sin(angle)
        spin = np.array([[c, -s], [s, c]]) @ np.diag([1.0 if rng.random() < 0.5 else -1.0, 1.0])
        target = (height, width) if rng.random() < 0.5 else (width, height)
        at = np.array([width, height]) * rng.uniform(0.35, 0.65, 2)
        to_view = np.eye(3)
        to_view[:2, :2] = spin
        to_view[:2, 2] = np.array(target[::-1]) / 2 - spin @ at
        picture = warped(taken.picture, to_view, target)
        size = bucket(target)
        truth = cell_truth(Seen(taken.mapping, to_view, target), taken.layout, taken.style, taken.page_mm, size)
        unasked_outside(truth, taken.picture.shape, to_view)
        return Example(filled(picture, size), truth, PAGES.index("ecg"))

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


def unasked_outside(truth: CellTruth, picture_size: tuple[int, ...], to_view: Float64Array) -> None:
    """Ask nothing of cells that show what lies outside the picture that a view was made from."""
    back = np.linalg.inv(to_view) @ np.diag([CELL, CELL, 1.0])
    beyond = outside_share_map(picture_size, back, truth.surface.shape)
    truth.surface[beyond] = IGNORED
    truth.name[beyond] = IGNORED
    truth.lies[beyond] = 0


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
