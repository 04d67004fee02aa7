"""What is true of a close view of a sheet, cell by cell."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float32Array, Float64Array
from heartprint.reading.learning.truth import IGNORED, Ints, Placed, ecg_box, name_cells
from heartprint.reading.network import CELL
from heartprint.reading.strip_network import BORDERS
from heartprint.sheets.layout import Layout
from heartprint.sheets.style import Style

FARTHEST_MM = 21.0
"""Baselines farther away than this are not asked for: a close look does not reach them."""
_SAME_MM = 1.0
_WITHIN = 1.0
"""A border is asked for in cells whose middle is at most so many cells away from it."""


@dataclass(frozen=True)
class StripTruth:
    """What is true of a view of ``h`` x ``w`` cells; see `heartprint.reading.strip_network.StripAnswer`.

    Attributes:
        name: ``(h, w)`` int64 index into `NAMES`, or `IGNORED`.
        name_at: ``(2, h, w)`` float32.
        strip: ``(h, w)`` int64: 1 where a strip is, or `IGNORED`.
        row: ``(1, h, w)`` float32.
        border: ``(h, w)`` int64 index into `BORDERS`, or `IGNORED`.
        border_at: ``(1, h, w)`` float32.
    """

    name: Ints
    name_at: Float32Array
    strip: Ints
    row: Float32Array
    border: Ints
    border_at: Float32Array

    def without(self, beyond: npt.NDArray[np.bool_]) -> None:
        """Ask nothing of some cells."""
        for one in (self.name, self.strip, self.border):
            one[beyond] = IGNORED

    def cut(self, top: int, left: int, side: int) -> StripTruth:
        """The part of ``side`` cells each way that begins at a cell."""
        there = (..., slice(top, top + side), slice(left, left + side))
        return StripTruth(*(getattr(self, name)[there] for name in self.__dataclass_fields__))


def strip_truth(
    mapping: Placed, layout: Layout, style: Style, size: tuple[int, int], native_px_per_mm: float
) -> StripTruth:
    """Tell what every cell of a view shows.

    Args:
        mapping: Where the sheet lies in the view, whichever way it is turned.
        layout: As placed by the style.
        style: The style.
        size: Height and width of the view, px, multiples of `CELL`.
        native_px_per_mm: Of the picture: a view may be finer, but no name in it more legible.
    """
    h, w = size[0] // CELL, size[1] // CELL
    rows, columns = np.meshgrid((np.arange(h) + 0.5) * CELL, (np.arange(w) + 0.5) * CELL, indexing="ij")
    at = np.stack([columns, rows], axis=-1)
    mm = mapping.sheet_from_picture(at)
    x, y = mm[..., 0], mm[..., 1]
    across, down = (
        np.linalg.norm(mapping.sheet_from_picture(at + step) - mapping.sheet_from_picture(at - step), axis=-1) / 2
        for step in (np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    )
    px_per_mm = 1 / np.maximum(np.sqrt(across * down), 1e-6)
    strip, row = _rows(layout, x, y)
    border, border_at = _borders(layout, style, x, y, CELL / px_per_mm)
    name, name_at = name_cells(mapping, layout, (h, w), np.minimum(px_per_mm, native_px_per_mm))
    return StripTruth(
        name, name_at, strip, (row[None] / 10).astype(np.float32), border, border_at[None].astype(np.float32)
    )


def _rows(layout: Layout, x: Float64Array, y: Float64Array) -> tuple[Ints, Float64Array]:
    """Where strips are, and how far below each of their points the baseline lies, mm."""
    reach = _reach(layout)
    strip = np.zeros(x.shape, dtype=np.int64)
    row = np.zeros(x.shape)
    for one in layout.strips:
        there = (x >= one.left_mm) & (x <= one.right_mm) & (np.abs(y - one.baseline_mm) <= reach)
        strip[there] = 1
        row[there] = one.baseline_mm - y[there]
    return strip, row


def _reach(layout: Layout) -> float:
    baselines = sorted({strip.baseline_mm for strip in layout.strips})
    gap = min((b - a for a, b in itertools.pairwise(baselines)), default=30.0)
    return min(gap / 2, FARTHEST_MM)


def _borders(
    layout: Layout, style: Style, x: Float64Array, y: Float64Array, cell_mm: Float64Array
) -> tuple[Ints, Float64Array]:
    """The border at each point, and how far to its right it lies, in cells."""
    left, _, right, _ = ecg_box(layout, style)
    reach = _reach(layout)
    border = np.zeros(x.shape, dtype=np.int64)
    away = np.zeros(x.shape)
    for one in layout.strips:
        in_row = np.abs(y - one.baseline_mm) <= reach
        lines = [("column", one.left_mm)] if one.left_mm > left + _SAME_MM else []
        lines += [("left", left), ("right", right)]
        for kind, line in lines:
            distance = (line - x) / cell_mm
            near = in_row & (np.abs(distance) <= _WITHIN)
            border[near] = BORDERS.index(kind)
            away[near] = distance[near]
    return border, away
