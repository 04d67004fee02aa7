"""A picture as its lattice is looked at: what was given is checked, contrast evened, size brought to what is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.foundation.errors import HeartprintError
from heartprint.reading.lattice_fit import applied, predicted_waves
from heartprint.reading.lattice_tiles import PX_PER_PITCH, even_contrast

LARGEST_MM = 700.0
"""A region may be so large; a larger one is no sheet, or was mapped wrongly."""


@dataclass(frozen=True)
class View:
    """The picture as it is looked at.

    Attributes:
        even: Of even contrast, shrunk to some 5 px per mm where it has more.
        mask: Where paper is, of the same size.
        shrink: ``(3, 3)`` from px of the picture to px of these.
        points: ``(n, 2)`` px of the picture all over the region.
        px_per_mm: Of the picture, in the middle of the region.
    """

    even: Image
    mask: npt.NDArray[np.uint8]
    shrink: Float64Array
    points: Float64Array
    px_per_mm: float

    @classmethod
    def of(
        cls, picture: Image, given: Float64Array, mask: npt.NDArray[np.uint8]
    ) -> View | Literal["too-small", "bad-homography"]:
        """Look at a picture, or tell why there is nothing to look at."""
        every = max(1, round(max(picture.shape) / 150))
        rows, columns = np.nonzero(mask[every // 2 :: every, every // 2 :: every])
        if len(rows) < 16:
            return "too-small"
        at = np.stack([columns, rows], axis=1).astype(np.float64) * every + every // 2 + 0.5
        nearness = np.column_stack([at, np.ones(len(at))]) @ given[2]
        if nearness.min() * nearness.max() <= 0 or np.abs(nearness).min() < 0.1 * np.abs(nearness).max():
            return "bad-homography"
        placed = applied(given, at)
        if np.ptp(placed, axis=0).max() > LARGEST_MM:
            return "bad-homography"
        px_per_mm = float(px_per_mm_at(given, placed.mean(axis=0)[None])[0])
        view = cls(picture, mask, np.eye(3), at, px_per_mm)
        # Somewhat more px than the flat picture has are enough; more would have to be averaged when it is warped.
        view = view._shrunk(1.2 * PX_PER_PITCH / px_per_mm)
        return replace(view, even=even_contrast(view.even, min(px_per_mm, 1.2 * PX_PER_PITCH)))

    def bounds_mm(self, homography: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Least and greatest x and y of the region as a homography to mm places it."""
        placed = applied(homography, self.points)
        return placed.min(axis=0), placed.max(axis=0)

    def for_pitch(self, pitch_mm: float) -> View:
        """Shrunk to what is needed for lines so far apart: traces were cut down before they are averaged with paper."""
        return self._shrunk(1.2 * PX_PER_PITCH / (self.px_per_mm * self.shrink[0, 0] * pitch_mm))

    def _shrunk(self, factor: float) -> View:
        if factor > 0.8:
            return self
        height, width = self.even.shape
        size = max(1, round(width * factor)), max(1, round(height * factor))
        shrink = np.diag([size[0] / width, size[1] / height, 1.0]) @ self.shrink
        even = np.asarray(cv2.resize(self.even, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        mask = np.asarray(cv2.resize(self.mask, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
        return replace(self, even=even, mask=mask, shrink=shrink)


def px_per_mm_at(mm_from_picture: Float64Array, at_mm: Float64Array) -> Float64Array:
    """``(n,)`` px per mm at places of the sheet, along the direction in which there are fewest."""
    derivative = predicted_waves(np.asarray(np.linalg.inv(mm_from_picture)), at_mm)
    return np.asarray(np.linalg.svd(derivative, compute_uv=False)[:, -1])


def checked_homography(picture: Image, mm_from_picture: npt.ArrayLike) -> Float64Array:
    """The homography as float64.

    Raises:
        HeartprintError: ``not-a-page`` or ``bad-homography``.
    """
    if picture.dtype != np.uint8 or picture.ndim != 2 or min(picture.shape) < 1:
        raise HeartprintError(
            "not-a-page",
            f"A lattice is looked for in a grey picture of shape (h, w) and type uint8, not {picture.dtype} "
            f"{picture.shape}. Make it grey, white = 255.",
        )
    given = np.asarray(mm_from_picture, dtype=np.float64)
    if given.shape != (3, 3) or not np.isfinite(given).all() or abs(np.linalg.det(given)) < 1e-12:
        raise HeartprintError(
            "bad-homography", "The homography is not an invertible 3x3 matrix of finite numbers. Give mm from px."
        )
    return given


def region_mask(picture: Image, region: npt.ArrayLike | None) -> npt.NDArray[np.uint8]:
    """``(H, W)`` uint8: 1 where the paper is.

    Raises:
        HeartprintError: ``bad-region``.
    """
    if region is None:
        return np.ones(picture.shape, dtype=np.uint8)
    given = np.asarray(region)
    if given.shape == picture.shape:
        return np.ascontiguousarray(given != 0).astype(np.uint8)
    if given.ndim != 2 or given.shape[1] != 2 or len(given) < 3 or not np.isfinite(given).all():
        raise HeartprintError(
            "bad-region",
            f"The region has shape {given.shape}. Give at least three corners (n, 2) in px, or a mask of shape "
            f"{picture.shape}.",
        )
    mask = np.zeros(picture.shape, dtype=np.uint8)
    # Corners may lie far outside; fillPoly takes 32-bit numbers with 3 bits for fractions.
    corners = np.clip(np.round((given - 0.5) * 8), -(2**26), 2**26).astype(np.int32)
    cv2.fillPoly(mask, [corners], (1,), shift=3)
    return mask
