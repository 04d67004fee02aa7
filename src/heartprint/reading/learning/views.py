"""The pictures from which the network learns that looks at rectified sheets.

They are as an earlier step leaves them: nearly upright or turned in one of eight ways, at a scale that is nearly right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.foundation.randomness import generator
from heartprint.reading.layouts import Box
from heartprint.reading.learning.examples import (
    Example,
    Examples,
    bucket,
    draw_severity,
    filled,
    unasked_outside,
)
from heartprint.reading.learning.truth import IGNORED, Seen, cell_truth, ecg_box, nothing
from heartprint.reading.network import CELL, PAGES
from heartprint.reading.plane import homography, mapped
from heartprint.reading.rectified import view_of_box
from heartprint.reading.turns import turned
from heartprint.reading.warp import warped
from heartprint.sheets.camera.snapshot import Snapshot

VIEWS = 4
"""Views of one picture: drawing it takes longer than looking at it."""
_SIDES = (560, 720, 960)
_UPRIGHT = 0.5


@dataclass(frozen=True)
class Views(Examples):
    """Rectified views, `VIEWS` of each picture; a pure function of the seed and the number."""

    def __getitem__(self, index: int) -> list[Example]:
        rng = generator(self.seed, "reader view", index)
        kind, side = self._kind(rng), _SIDES[int(rng.integers(len(_SIDES)))]
        if kind == "photograph":
            kind = "other"
        if kind == "ecg":
            taken = self._photograph(rng, draw_severity(rng), side)
            assert taken.layout is not None and taken.style is not None
            box = ecg_box(taken.layout, taken.style)
        else:
            taken = self._lookalike(rng, kind, side)
            box = taken.page_mm
        return [self._view(rng, taken, box, PAGES.index(kind)) for _ in range(VIEWS)]

    def _view(self, rng: np.random.Generator, taken: Snapshot, box: Box, page: int) -> Example:
        left, top, right, bottom = seen_box(taken, box)
        room = np.array([right - left, bottom - top, right - left, bottom - top]) * rng.uniform(-0.04, 0.14, 4)
        around = (left - room[0], top - room[1], right + room[2], bottom + room[3])
        to_mm = rectified_as_found(rng, taken, box)
        native = native_px_per_mm(to_mm, taken.picture.shape)
        to_view, size = view_of_box(to_mm, around, native, self.longest_side)
        turn = 0 if rng.random() < _UPRIGHT else int(rng.integers(8))
        spin, size = turned(turn, size)
        to_view = spin @ to_view
        picture = warped(taken.picture, to_view, size)
        whole = bucket(size)
        if taken.layout is None or taken.style is None:
            return Example(filled(picture, whole), nothing(whole[0] // CELL, whole[1] // CELL), page, IGNORED)
        truth = cell_truth(Seen(taken.mapping, to_view, size), taken.layout, taken.style, taken.page_mm, whole)
        unasked_outside(truth, taken.picture.shape, to_view)
        return Example(filled(picture, whole), truth, page, turn)


def seen_box(taken: Snapshot, box: Box) -> Box:
    """The part of a box on the sheet that is in the picture: what an earlier step can find."""
    x, y = np.meshgrid(np.linspace(box[0], box[2], 25), np.linspace(box[1], box[3], 25))
    at = taken.mapping.picture_from_sheet(np.stack([x, y], axis=-1))
    height, width = taken.picture.shape
    seen = ((at >= 0) & (at <= (width, height))).all(-1)
    if not seen.any():
        return box
    return float(x[seen].min()), float(y[seen].min()), float(x[seen].max()), float(y[seen].max())


def rectified_as_found(rng: np.random.Generator, taken: Snapshot, box: Box) -> Float64Array:
    """``(3, 3)`` from px of a picture to mm of the sheet as an earlier step finds it: not quite right."""
    corners = np.array([(box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])])
    return _shaken(rng, corners) @ homography(taken.mapping.picture_from_sheet(corners), corners)


def _shaken(rng: np.random.Generator, corners: Float64Array) -> Float64Array:
    """``(3, 3)`` a homography of mm that an earlier step may be off by: often little, sometimes much."""
    much = rng.random() < 0.4
    scale = np.exp(rng.normal(0, 0.1 if much else 0.008) + rng.normal(0, 0.03 if much else 0.004, 2))
    angle = math.radians(rng.normal(0, 2.5 if much else 0.4))
    middle = corners.mean(axis=0)
    linear = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * scale[:, None]
    linear[0, 1] += rng.normal(0, 0.02 if much else 0.003)
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[2, :2] = rng.normal(0, 0.06 if much else 0.006, 2) / np.ptp(corners, axis=0).max()
    to_middle, back = np.eye(3), np.eye(3)
    to_middle[:2, 2], back[:2, 2] = -middle, middle
    return back @ matrix @ to_middle


def native_px_per_mm(to_mm: Float64Array, size: tuple[int, ...]) -> float:
    """Px of the picture per mm, at its middle."""
    middle = np.array([(size[1] / 2, size[0] / 2), (size[1] / 2 + 1, size[0] / 2)])
    a, b = mapped(to_mm, middle)
    return 1.0 / max(float(np.hypot(*(b - a))), 1e-6)


def turned_image(image: Image, turn: int) -> Image:
    """An image turned in one of the eight ways, exactly: for tests."""
    from heartprint.reading.network import TURNS

    quarters, mirrored = TURNS[turn]
    return np.ascontiguousarray(np.rot90(image[:, ::-1] if mirrored else image, -quarters))
