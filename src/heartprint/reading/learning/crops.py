"""The crops from which the network learns that looks closely: parts of rectified views, at its scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heartprint.foundation.arrays import Float32Array
from heartprint.foundation.randomness import generator
from heartprint.reading.learning.examples import Examples, bucket, draw_severity, filled
from heartprint.reading.learning.strip_truth import StripTruth, strip_truth
from heartprint.reading.learning.truth import Seen, ecg_box
from heartprint.reading.learning.views import native_px_per_mm, rectified_as_found, seen_box
from heartprint.reading.network import CELL
from heartprint.reading.rectified import view_of_box
from heartprint.reading.strip_network import PX_PER_MM, TURNS_SHOWN
from heartprint.reading.turns import turned
from heartprint.reading.warp import outside_share_map, warped
from heartprint.sheets.camera.snapshot import Snapshot

_SIDES = (640, 800, 1000, 1200, 1500)
"""Longest sides of the pictures, px."""
_MOST_PX = 1408
"""Longest side of a view."""
VIEWS, CROPS = 4, 10
"""Views of a picture, and crops of a view."""
_AT_NAMES = 0.6
"""Share of the crops that show a name, if one can be read."""


@dataclass(frozen=True)
class CropExample:
    """A crop to learn from.

    Attributes:
        picture: ``(side, side)`` float32: part of a standardised view.
        truth: What is true of its cells.
        turn: Index into `TURNS`.
    """

    picture: Float32Array
    truth: StripTruth
    turn: int


@dataclass(frozen=True)
class Crops(Examples):
    """`VIEWS` x `CROPS` crops of each picture; ``longest_side`` is the side of a crop, px."""

    def __getitem__(self, index: int) -> list[CropExample]:  # type: ignore[override]  # crops stand for examples
        rng = generator(self.seed, "reader crop", index)
        taken = self._photograph(rng, draw_severity(rng), _SIDES[int(rng.integers(len(_SIDES)))])
        return [crop for _ in range(VIEWS) for crop in self._crops(rng, taken)]

    def _crops(self, rng: np.random.Generator, taken: Snapshot) -> list[CropExample]:
        assert taken.layout is not None and taken.style is not None
        box = ecg_box(taken.layout, taken.style)
        left, top, right, bottom = seen_box(taken, box)
        room = np.array([right - left, bottom - top, right - left, bottom - top]) * rng.uniform(0.0, 0.14, 4)
        around = (left - room[0], top - room[1], right + room[2], bottom + room[3])
        to_mm = rectified_as_found(rng, taken, box)
        to_view, size = view_of_box(to_mm, around, PX_PER_MM, _MOST_PX, finest=PX_PER_MM)
        turn = int(rng.choice(len(TURNS_SHOWN), p=TURNS_SHOWN))
        spin, size = turned(turn, size)
        to_view = spin @ to_view
        whole = bucket(size)
        whole = max(whole[0], self.longest_side), max(whole[1], self.longest_side)
        picture = filled(warped(taken.picture, to_view, size), whole)
        native = native_px_per_mm(to_mm, taken.picture.shape)
        truth = strip_truth(Seen(taken.mapping, to_view, size), taken.layout, taken.style, whole, native)
        back = np.linalg.inv(to_view) @ np.diag([CELL, CELL, 1.0])
        beyond = outside_share_map(taken.picture.shape, back, truth.name.shape)
        rows, columns = np.indices(truth.name.shape)
        truth.without(beyond | (rows * CELL + CELL / 2 > size[0]) | (columns * CELL + CELL / 2 > size[1]))
        side = self.longest_side // CELL
        named, most = np.argwhere(truth.name > 0), np.array(truth.name.shape) - side
        crops = []
        for _ in range(CROPS):
            corner = rng.integers(0, most + 1)
            if len(named) and rng.random() < _AT_NAMES:
                corner = named[int(rng.integers(len(named)))] - rng.integers(1, side - 1, 2)
            y, x = np.clip(corner, 0, most)
            part = picture[y * CELL : (y + side) * CELL, x * CELL : (x + side) * CELL]
            crops.append(CropExample(part.copy(), truth.cut(int(y), int(x), side), turn))
        return crops
