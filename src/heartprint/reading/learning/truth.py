"""What is true of a simulated picture, cell by cell: what the network is asked for."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float32Array, Float64Array
from heartprint.reading.frames import described
from heartprint.reading.layouts import Box, traced_box
from heartprint.reading.network import CELL, NAMES, SURFACES
from heartprint.reading.plane import mapped
from heartprint.sheets.background import name_pictures
from heartprint.sheets.camera.geometry import Mapping
from heartprint.sheets.layout import Layout
from heartprint.sheets.style import Style

Ints = npt.NDArray[np.int64]


class Placed(Protocol):
    """Where the points of a sheet lie in a picture: `Mapping`, or one seen through a homography."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture, px."""
        ...

    def sheet_from_picture(self, points: npt.ArrayLike) -> Float64Array:
        """``(..., 2)`` px to mm."""
        ...

    def picture_from_sheet(self, points_mm: npt.ArrayLike) -> Float64Array:
        """``(..., 2)`` mm to px."""
        ...


@dataclass(frozen=True)
class Seen:
    """A mapping seen through a homography: what `cell_truth` needs of one.

    Attributes:
        mapping: Where the sheet lies in the picture.
        to_view: ``(3, 3)`` from px of the picture to px of the view.
        size: Height and width of the view, px.
    """

    mapping: Mapping
    to_view: Float64Array
    size: tuple[int, int]

    def sheet_from_picture(self, points: npt.ArrayLike) -> Float64Array:
        """``(..., 2)`` px of the view to mm of the sheet."""
        return self.mapping.sheet_from_picture(
            mapped(np.linalg.inv(self.to_view), np.asarray(points, dtype=np.float64))
        )

    def picture_from_sheet(self, points_mm: npt.ArrayLike) -> Float64Array:
        """``(..., 2)`` mm of the sheet to px of the view."""
        return mapped(self.to_view, self.mapping.picture_from_sheet(np.asarray(points_mm)))


IGNORED = -1
"""Stands where nothing is asked."""
LEAST_NAME_PX = 2.2
"""A name whose letters are lower than this cannot be read."""
NEAR_MM = 6.0
"""How far beyond the sheet cells are still asked how the paper lies."""


@dataclass(frozen=True)
class CellTruth:
    """What is true of a picture of ``h`` x ``w`` cells.

    Attributes:
        surface: ``(h, w)`` int64 index into `SURFACES`, or `IGNORED`.
        scale: ``(3, h, w)`` float32: see `heartprint.reading.frames`, as is ``quarter``.
        quarter: ``(2, h, w)`` float32.
        edges: ``(4, h, w)``: left, upper, right and lower edge of the sheet, in 100 mm.
        lies: ``(h, w)`` float32: 1 where the frame and the edges are asked.
        name: ``(h, w)`` int64 index into `NAMES`, or `IGNORED`.
        name_at: ``(2, h, w)`` float32: middle of the name from the cell's middle, in cells.
    """

    surface: Ints
    scale: Float32Array
    quarter: Float32Array
    edges: Float32Array
    lies: Float32Array
    name: Ints
    name_at: Float32Array


def nothing(h: int, w: int) -> CellTruth:
    """Of a picture without a sheet nothing is asked but what it is."""
    blank = np.zeros((4, h, w), dtype=np.float32)
    ignored = np.full((h, w), IGNORED, dtype=np.int64)
    return CellTruth(ignored, blank[:3], blank[:2], blank, blank[0], ignored.copy(), blank[:2])


def ecg_box(layout: Layout, style: Style) -> Box:
    """The part that rows, with their calibration pulses, fill of a layout that a style has placed, mm.

    Room for pulses that a style leaves out is no part of it: it cannot be seen.
    """
    _, top, _, bottom = traced_box(layout)
    left = min([*(strip.left_mm for strip in layout.strips), *(pulse.left_mm for pulse in layout.pulses)])
    right = max(strip.right_mm for strip in layout.strips)
    if any(pulse.left_mm >= right - 1.0 for pulse in layout.pulses):
        right = layout.width_mm - style.margin_mm[2]
    return left, top, right, bottom


def cell_truth(mapping: Placed, layout: Layout, style: Style, page_mm: Box, size: tuple[int, int]) -> CellTruth:
    """Tell what every cell of a picture shows.

    Args:
        mapping: Where the sheet lies in the picture.
        layout: As placed by the style.
        style: The style.
        page_mm: Left, top, right, bottom of the whole paper, mm of the sheet.
        size: Height and width of the padded picture, px, multiples of `CELL`.
    """
    h, w = size[0] // CELL, size[1] // CELL
    rows, columns = np.meshgrid((np.arange(h) + 0.5) * CELL, (np.arange(w) + 0.5) * CELL, indexing="ij")
    at = np.stack([columns, rows], axis=-1)
    mm = mapping.sheet_from_picture(at)
    step = 0.5
    along_x, along_y = (
        (mapping.sheet_from_picture(at + shift) - mapping.sheet_from_picture(at - shift)) / (2 * step)
        for shift in (np.array([step, 0.0]), np.array([0.0, step]))
    )
    inverse = np.stack([along_x, along_y], axis=-1)  # mm per px: rows are x and y on the sheet
    scale, quarter = described(inverse)

    left, top, right, bottom = ecg_box(layout, style)
    x, y = mm[..., 0], mm[..., 1]
    in_sheet = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    on_paper = (x >= page_mm[0]) & (x <= page_mm[2]) & (y >= page_mm[1]) & (y <= page_mm[3])
    surface = np.where(on_paper, SURFACES.index("paper"), SURFACES.index("desk"))
    surface[in_sheet] = SURFACES.index("sheet")
    surface[in_sheet & _strips(layout, x, y)] = SURFACES.index("strip")
    near = (x >= left - NEAR_MM) & (x <= right + NEAR_MM) & (y >= top - NEAR_MM) & (y <= bottom + NEAR_MM)
    height, width = mapping.size
    seen = (at[..., 0] < width) & (at[..., 1] < height)
    surface[~seen] = IGNORED
    name, name_at = name_cells(mapping, layout, (h, w), np.exp(scale[..., 0]))
    name[~seen] = IGNORED
    return CellTruth(
        surface.astype(np.int64),
        np.moveaxis(scale, -1, 0).astype(np.float32),
        np.moveaxis(quarter, -1, 0).astype(np.float32),
        (np.stack([x - left, y - top, right - x, bottom - y]) / 100).astype(np.float32),
        (near & seen).astype(np.float32),
        name,
        name_at,
    )


def _strips(layout: Layout, x: Float64Array, y: Float64Array) -> npt.NDArray[np.bool_]:
    """Where a strip of a lead is: within its time, and within a third of the way to the next rows."""
    rows = sorted({strip.baseline_mm for strip in layout.strips})
    gap = min((b - a for a, b in itertools.pairwise(rows)), default=30.0)
    reach = max(gap / 2, 6.0)
    found = np.zeros(x.shape, dtype=bool)
    for strip in layout.strips:
        found |= (x >= strip.left_mm) & (x <= strip.right_mm) & (np.abs(y - strip.baseline_mm) <= reach)
    return found


def name_places(layout: Layout) -> list[tuple[str, float, float, float]]:
    """Every printed name: the lead's label, the middle of its letters and their height, mm of the sheet."""
    found = []
    for number, picture in name_pictures(layout):
        rows, columns = (np.flatnonzero(picture.coverage.any(axis=axis)) / picture.fineness for axis in (1, 0))
        if len(rows) and len(columns):
            x = picture.left_mm + (columns[0] + columns[-1]) / 2
            y = picture.top_mm + (rows[0] + rows[-1]) / 2
            found.append((layout.strips[number].label, float(x), float(y), float(rows[-1] - rows[0])))
    return found


def name_cells(
    mapping: Placed, layout: Layout, cells: tuple[int, int], px_per_mm: Float64Array
) -> tuple[Ints, Float32Array]:
    """The name whose middle lies nearest to each cell, within a cell of it."""
    h, w = cells
    name = np.zeros(cells, dtype=np.int64)
    name_at = np.zeros((2, h, w), dtype=np.float32)
    places = name_places(layout)
    if not places:
        return name, name_at
    middles = mapping.picture_from_sheet([(x, y) for _, x, y, _ in places]) / CELL
    nearest = np.full(cells, np.inf)
    for (label, _, _, tall_mm), (px, py) in zip(places, middles, strict=True):
        column, row = int(np.floor(px)), int(np.floor(py))
        for r in range(max(row - 1, 0), min(row + 2, h)):
            for c in range(max(column - 1, 0), min(column + 2, w)):
                dx, dy = px - (c + 0.5), py - (r + 0.5)
                away = max(abs(dx), abs(dy))
                if away > 1.0 or away >= nearest[r, c]:
                    continue
                nearest[r, c] = away
                legible = tall_mm * px_per_mm[r, c] >= LEAST_NAME_PX
                name[r, c] = NAMES.index(label.removeprefix("-")) if legible else IGNORED
                name_at[:, r, c] = dx, dy
    return name, name_at
