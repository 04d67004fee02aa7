"""Where each point of the sheet lies in the picture: one mapping for rotation, tilt, curl, folds, crop and margins.

Three planes are passed through. *Sheet*: what was drawn, each side from 0 to 1. *Paper*: the same points where the
curled or folded paper puts them, in sheet heights from the sheet's centre, x to the right, y down. *Picture*: px, pixel
edges at whole numbers (the centre of the first pixel is at 0.5).

Pixels are fetched, so the way from picture to sheet is a formula and the way back is solved for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array

WAVE_FIELDS = 5
"""Amplitude in x and y (sheet heights), angular frequency along x and y (per sheet height), phase."""

RIDGE_FIELDS = 7
"""Normal x and y, distance from the centre, half-width, shift in x and y (sheet heights), shading of its two sides."""

_ROUNDS = 60
_SETTLED = 1e-13
"""A displacement that a round moves by less (sheet heights) is found."""


@dataclass(frozen=True)
class Mapping:
    """Where the points of a sheet lie in a picture.

    Attributes:
        to_paper: ``(3, 3)`` homography from the picture's frame (sheet heights from the centre) to the paper.
        waves: ``(k, 5)`` smooth displacements of the paper, see `WAVE_FIELDS`.
        ridges: ``(k, 7)`` folds, see `RIDGE_FIELDS`.
        aspect: Width over height of the sheet in mm.
        size: Height and width of the picture, px.
        sheet_mm: Width and height of the sheet, mm; (aspect, 1) where it is not known.
    """

    to_paper: Float64Array
    waves: Float64Array
    ridges: Float64Array
    aspect: float
    size: tuple[int, int]
    sheet_mm: tuple[float, float]

    def sheet_from_picture(self, points: npt.ArrayLike) -> Float64Array:
        """Find which points of the sheet are seen where.

        Args:
            points: ``(..., 2)`` x and y in the picture, px.

        Returns:
            ``(..., 2)`` x and y on the sheet, mm.
        """
        at = np.asarray(points, dtype=np.float64)
        height, width = self.size
        frame = np.stack([(at[..., 0] / width - 0.5) * self.aspect, at[..., 1] / height - 0.5, np.ones(at.shape[:-1])])
        x, y, w = np.tensordot(self.to_paper, frame, axes=1)
        flat = np.stack([x / w, y / w], axis=-1)
        return self._mm(flat + self._displacement(flat))

    def picture_from_sheet(self, points_mm: npt.ArrayLike) -> Float64Array:
        """Find where points of the sheet lie in the picture.

        Args:
            points_mm: ``(..., 2)`` x and y from the sheet's upper left corner, mm.

        Returns:
            ``(..., 2)`` x and y in the picture, px; what was cropped away lies outside it.
        """
        wanted = np.asarray(points_mm, dtype=np.float64) / self.sheet_mm
        goal = np.stack([(wanted[..., 0] - 0.5) * self.aspect, wanted[..., 1] - 0.5], axis=-1)
        flat = goal
        for _ in range(_ROUNDS):  # each round shrinks the error, because paper bends less than it is long
            before, flat = flat, goal - self._displacement(flat)
            if np.abs(flat - before).max(initial=0.0) < _SETTLED:
                break
        ones = np.ones(flat.shape[:-1])
        x, y, w = np.tensordot(np.linalg.inv(self.to_paper), np.stack([flat[..., 0], flat[..., 1], ones]), axes=1)
        height, width = self.size
        return np.stack([(x / w / self.aspect + 0.5) * width, (y / w + 0.5) * height], axis=-1)

    def _mm(self, paper: Float64Array) -> Float64Array:
        return np.asarray(
            np.stack([paper[..., 0] / self.aspect + 0.5, paper[..., 1] + 0.5], axis=-1) * np.array(self.sheet_mm)
        )

    def _displacement(self, flat: Float64Array) -> Float64Array:
        """How far from its place on the paper each point of the sheet is seen, sheet heights."""
        out = np.zeros_like(flat)
        for ax, ay, kx, ky, phase in self.waves:
            swing = np.sin(kx * flat[..., 0] + ky * flat[..., 1] + phase)
            out += np.stack([ax * swing, ay * swing], axis=-1)
        for nx, ny, distance, width, bx, by, _ in self.ridges:
            tent = np.maximum(0.0, 1.0 - np.abs(nx * flat[..., 0] + ny * flat[..., 1] - distance) / width)
            out += np.stack([bx * tent, by * tent], axis=-1)
        return out


def frame_to_paper(
    aspect: float, rotation_deg: float, keystone: tuple[float, float], zoom: float, shift: tuple[float, float]
) -> Float64Array:
    """Compose how the paper's plane is seen into one homography.

    Args:
        aspect: Width over height of the sheet.
        rotation_deg: Counter-clockwise turn of the camera's view of the sheet.
        keystone: How much nearer the right and the lower edge are than the centre; the sheet's four corners are then
            brought back to the frame.
        zoom: Above 1, the camera is nearer.
        shift: How far the view moves over the sheet, in widths and heights of the frame.

    Returns:
        ``(3, 3)``, from frame to paper.
    """
    # Each step is undone in turn; written out, because small matrices cost more than what they hold.
    gx, gy = keystone
    xs, ys = [], []
    for x, y in ((-aspect / 2, -0.5), (aspect / 2, -0.5), (-aspect / 2, 0.5), (aspect / 2, 0.5)):
        nearness = 1 + gx * x + gy * y
        xs.append(x / nearness)
        ys.append(y / nearness)
    wide, high = (max(xs) - min(xs)) / aspect, max(ys) - min(ys)
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    c, s = math.cos(math.radians(rotation_deg)) / zoom, math.sin(math.radians(rotation_deg)) / zoom
    ahead_x, ahead_y = shift[0] * aspect * zoom, shift[1] * zoom
    # Frame -> unzoomed and turned back -> before the corners were fitted: x and y of the tilted paper.
    tilted = (
        (wide * c, -wide * s, wide * (c * ahead_x - s * ahead_y) + middle_x),
        (high * s, high * c, high * (s * ahead_x + c * ahead_y) + middle_y),
    )
    nearness_row = [-gx * a - gy * b for a, b in zip(*tilted, strict=True)]
    nearness_row[2] += 1.0
    return np.array([tilted[0], tilted[1], nearness_row])
