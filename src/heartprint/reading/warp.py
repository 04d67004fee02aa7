"""Bringing a part of a picture upright: every pixel averages over the area that it shows, and is computed once."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.reading.plane import jacobian
from heartprint.sheets.camera.scene import one_thread

_MOST_FINER = 4
_PAPER_PERCENTILE = 75.0


def warped(picture: Image, to_view: Float64Array, size: tuple[int, int], *, fill: int | None = None) -> Image:
    """See a picture through a homography.

    Args:
        picture: ``(H, W)`` uint8.
        to_view: ``(3, 3)`` from px of the picture to px of the view, (0, 0) at the upper left corner of the upper left
            pixel of each.
        size: Height and width of the view, px.
        fill: Grey of what lies outside the picture; None = that of the paper, an upper quartile of the view.

    Returns:
        ``size`` uint8.
    """
    import cv2

    height, width = size
    back = np.linalg.inv(to_view)
    finer = min(max(math.ceil(_density(back, size) - 0.25), 1), _MOST_FINER)
    # OpenCV counts from the middles of pixels.
    half = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    fine = np.diag([finer, finer, 1.0]) @ to_view
    matrix = np.linalg.inv(half) @ fine @ half
    with one_thread():
        view = cv2.warpPerspective(
            picture,
            matrix,
            (width * finer, height * finer),
            flags=cv2.INTER_LINEAR if finer > 1 else cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        view = np.asarray(cv2.resize(view, (width, height), interpolation=cv2.INTER_AREA) if finer > 1 else view)
    outside = outside_share_map(picture.shape, back, size)
    if outside.any():
        seen = view[~outside]
        level = fill if fill is not None else int(np.percentile(seen, _PAPER_PERCENTILE)) if seen.size else 255
        view = view.copy()
        view[outside] = level
    return np.asarray(view, dtype=np.uint8)


def outside_share_map(
    picture_size: tuple[int, ...], back: npt.NDArray[np.floating], size: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """``size`` bool: where a view shows what lies outside the picture; ``back`` leads from the view to the picture."""
    height, width = size
    # A picture is convex, and so is what a homography makes of a view in front of the camera: corners tell for all.
    corners = np.array([(x, y, 1.0) for x in (0.5, width - 0.5) for y in (0.5, height - 0.5)]) @ back.T
    if (corners[:, 2] > 0).all():
        at = corners[:, :2] / corners[:, 2:]
        if ((at >= 0) & (at <= (picture_size[1], picture_size[0]))).all():
            return np.zeros(size, dtype=bool)
    x, y = np.arange(width) + 0.5, (np.arange(height) + 0.5)[:, None]
    w = back[2, 0] * x + back[2, 1] * y + back[2, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / w
        v = (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / w
        inside = (u >= 0) & (v >= 0) & (u <= picture_size[1]) & (v <= picture_size[0])
    return np.asarray(~(inside & (w > 0)))


def _density(back: npt.NDArray[np.floating], size: tuple[int, int]) -> float:
    """How many px of the picture a px of the view covers along its denser side, at the middle of the view."""
    height, width = size
    at = np.array([(fx * width, fy * height) for fx in (0.2, 0.5, 0.8) for fy in (0.2, 0.5, 0.8)])
    derivative = jacobian(back, at)
    return float(np.median(np.linalg.svd(derivative, compute_uv=False)[:, 0]))


def shrunk(picture: Image, longest_side: int) -> tuple[Image, float]:
    """A smaller copy, averaged over areas, and px of it per px of the picture; a small picture stays as it is."""
    import cv2

    height, width = picture.shape
    scale = longest_side / max(height, width)
    if scale >= 1:
        return picture, 1.0
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    with one_thread():
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), scale
