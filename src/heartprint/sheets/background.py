"""Everything on a sheet that does not depend on the ECG: grid, frame and lead names, for one layout and size.

The grid is separable: along each axis a position is blank, on a thin line, on a thick line, on the frame or outside.
Averaged over a pixel, the darkness of the sheet (0 = white, 255 = black) is a sum of three products of a function of x
and a function of y,

    D(x, y) = frame(x) inside(y) + free(x) lines(y) + grid(x) open(y),

because lines along x cover lines along y, and the frame covers all. The six functions are tabulated finely, which
serves upright sheets (read at pixel centres: exact) and turned ones (where a pixel's average over x is that of a
trapezoid; within 3 % of the box at 10 degrees).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from heartprint.sheets import look
from heartprint.sheets.layout import Layout

FloatArray = npt.NDArray[np.float32]

TABLE_STEPS = 32
"""Table entries per pixel."""

TABLE_MARGIN = 2
"""Pixels outside the sheet that the tables still cover."""

LETTER_STEPS = 4
"""Points per pixel and axis that stand for a name on a turned sheet."""


@dataclass(frozen=True)
class Background:
    """What is drawn before the ECG.

    Attributes:
        page: ``(h, w)`` uint8, the upright sheet.
        x_table: ``(3, m)`` float32: frame, free, grid along x; entry i is at ``i / TABLE_STEPS - TABLE_MARGIN`` px.
        y_table: ``(3, m)`` float32: inside, lines, open along y.
        letters: ``(k, 3)`` float32: points that stand for the names: x and y in px, covered area in px.
        edge_px: Pixels from the border within which frame or white fill matter.
    """

    page: npt.NDArray[np.uint8]
    x_table: FloatArray
    y_table: FloatArray
    letters: FloatArray
    edge_px: float


@lru_cache(maxsize=64)
def background(layout: Layout, height: int, width: int) -> Background:
    """Draw a layout's background once.

    Args:
        layout: The layout.
        height: Height in px.
        width: Width in px.
    """
    x_table = _axis_tables(layout.width_mm, width, across=False)
    y_table = _axis_tables(layout.height_mm, height, across=True)
    columns = (np.arange(width) * TABLE_STEPS + TABLE_STEPS // 2) + TABLE_MARGIN * TABLE_STEPS
    rows = (np.arange(height) * TABLE_STEPS + TABLE_STEPS // 2) + TABLE_MARGIN * TABLE_STEPS
    darkness = np.einsum("kr,kc->rc", y_table[:, rows], x_table[:, columns])
    grey = look.WHITE - darkness
    kx, ky = width / layout.width_mm, height / layout.height_mm
    points: list[FloatArray] = []
    for strip in layout.strips:
        if not strip.named:
            continue
        coverage, left, top = look.letters(strip.lead)
        x_mm, y_mm = strip.left_mm + look.NAME_X_MM + left, strip.baseline_mm + look.NAME_Y_MM + top
        patch, r, c = _area_average(coverage, x_mm * kx, y_mm * ky, kx, ky, height, width)
        grey[r : r + patch.shape[0], c : c + patch.shape[1]] *= 1.0 - patch
        n = LETTER_STEPS
        fine, r, c = _area_average(coverage, x_mm * kx * n, y_mm * ky * n, kx * n, ky * n, height * n, width * n)
        at = np.nonzero(fine > 1e-3)
        points.append(np.column_stack([(at[1] + c + 0.5) / n, (at[0] + r + 0.5) / n, fine[at] / n**2]))
    names = np.concatenate(points) if points else np.empty((0, 3))
    page = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    page.setflags(write=False)
    frame_px = (look.FRAME_MM / 2 + look.FRAME_SHIFT_MM) * max(kx, ky)
    return Background(page, x_table, y_table, np.ascontiguousarray(names, dtype=np.float32), frame_px + 1.5)


def _axis_tables(length_mm: float, pixels: int, *, across: bool) -> FloatArray:
    """Tabulate the three functions of one axis, averaged over a box of one pixel."""
    scale = pixels / length_mm
    steps = np.arange((pixels + 2 * TABLE_MARGIN) * TABLE_STEPS + 1)
    at = steps / TABLE_STEPS - TABLE_MARGIN

    def covered(starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Share of the box around each position that lies in the (disjoint, sorted) intervals, given in mm."""
        knots = np.column_stack([starts, ends]).ravel() * scale
        area = np.concatenate([[0.0], np.cumsum(np.where(np.arange(knots.size - 1) % 2 == 0, np.diff(knots), 0.0))])
        return np.asarray(np.interp(at + 0.5, knots, area) - np.interp(at - 0.5, knots, area))

    half = look.FRAME_MM / 2
    low, high = half + look.FRAME_SHIFT_MM, length_mm - half + look.FRAME_SHIFT_MM
    inside = covered(np.array([0.0]), np.array([length_mm]))
    frame = covered(np.array([0.0, high]), np.array([low, length_mm]))
    lines = np.arange(1, int(np.ceil(length_mm)))
    pen = look.PEN_MM / 2
    # Thick lines are counted from the lower edge, as the reference counts millivolts.
    thick = (round(length_mm) - lines if across else lines) % 5 == 0
    major = covered(lines[thick] - pen, lines[thick] + pen)
    minor = covered(lines[~thick] - pen, lines[~thick] + pen)
    grid = (look.WHITE - look.MAJOR_GREY) * major + (look.WHITE - look.MINOR_GREY) * minor
    if across:
        table = [inside, look.WHITE * frame + grid, inside - frame - major - minor]
    else:
        table = [look.WHITE * frame, inside - frame, grid]
    return np.ascontiguousarray(table, dtype=np.float32)


def _area_average(
    image: FloatArray, x: float, y: float, kx: float, ky: float, height: int, width: int
) -> tuple[npt.NDArray[np.float64], int, int]:
    """Area-average a fine picture whose corner lies at (x, y) px; kx and ky are px per mm.

    Returns:
        The patch of the target that it touches (clipped to the target), its first row and its first column.
    """

    def overlap(start: float, k: float, n: int, limit: int) -> tuple[npt.NDArray[np.float64], int]:
        edges = start + np.arange(n + 1) * (k / look.LETTER_FINENESS)
        first, last = max(int(np.floor(edges[0])), 0), min(int(np.ceil(edges[-1])), limit)
        cells = np.arange(first, max(last, first))[:, None]
        shared = np.minimum(edges[None, 1:], cells + 1) - np.maximum(edges[None, :-1], cells)
        return np.maximum(shared, 0.0), first

    across, row = overlap(y, ky, image.shape[0], height)
    along, column = overlap(x, kx, image.shape[1], width)
    return across @ image @ along.T, row, column


def line_coverage(centres_mm: npt.NDArray[np.floating], pen_mm: float, scale: float, pixels: int) -> FloatArray:
    """Share of each pixel along an axis that lines across it cover.

    Args:
        centres_mm: Where the lines are, mm.
        pen_mm: Their width, mm.
        scale: Px per mm.
        pixels: Length of the axis, px.

    Returns:
        ``(pixels,)`` float32 in 0-1.
    """
    edges = np.arange(pixels + 1, dtype=np.float64)
    covered = np.zeros(pixels)
    for centre in np.asarray(centres_mm, dtype=np.float64):
        covered += np.diff(np.clip(edges, (centre - pen_mm / 2) * scale, (centre + pen_mm / 2) * scale))
    return np.minimum(covered, 1).astype(np.float32)
