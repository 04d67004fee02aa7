"""The view of a sheet at which the reading network looks: rectified, at one scale, with some paper about it."""

from __future__ import annotations

import numpy as np

from heartprint.foundation.arrays import Float64Array

LONGEST_PX = 512
"""Longest side of what the networks look at."""
FINEST_PX_PER_MM = 2.0
"""Views are no finer than this: lead names are legible, and strips of small sheets are not blown up."""
_FINER = 1.25
"""Nor finer than so many px per px of the picture."""


def view_of_box(
    to_mm: Float64Array,
    box: tuple[float, float, float, float],
    native_px_per_mm: float,
    longest: int = LONGEST_PX,
    *,
    finest: float = FINEST_PX_PER_MM,
) -> tuple[Float64Array, tuple[int, int]]:
    """Lay a view over a part of the paper.

    Args:
        to_mm: ``(3, 3)`` from px of the picture to mm.
        box: Left, top, right, bottom of the part, mm.
        native_px_per_mm: Of the picture.
        longest: Longest side of the view, px.
        finest: Px per mm beyond which it is not blown up.

    Returns:
        ``(3, 3)`` from px of the picture to px of the view, and the view's height and width, px.
    """
    left, top, right, bottom = box
    k = min(longest / max(right - left, bottom - top), finest, _FINER * native_px_per_mm)
    view = np.array([[k, 0.0, -k * left], [0.0, k, -k * top], [0.0, 0.0, 1.0]])
    return view @ to_mm, (max(round(k * (bottom - top)), 32), max(round(k * (right - left)), 32))
