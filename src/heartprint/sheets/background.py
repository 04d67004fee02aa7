"""Everything on a sheet that does not depend on the ECG: grid, frame, names, pulses and texts, for a layout and size.

The grid is separable: along each axis a position is blank, on a thin line, on a thick line, on the frame or outside.
Averaged over a pixel, the darkness of the sheet (0 = white, 255 = black) is a sum of three products of a function of x
and a function of y,

    D(x, y) = frame(x) inside(y) + free(x) lines(y) + grid(x) open(y),

because lines along x cover lines along y, and the frame covers all. The six functions are tabulated finely, which
serves upright sheets (read at pixel centres: exact) and turned ones (where a pixel's average over x is that of a
trapezoid; within 3 % of the box at 10 degrees). The paper's own colour is part of grid(x). Dots, which stand where
thin lines would cross, are a product too and take the frame's place.

What is printed over the grid is rendered finely and area-averaged. The parts are kept apart, so that sheets whose
styles are drawn at random find most of theirs ready.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float32Array, Float64Array, Image
from heartprint.sheets import look
from heartprint.sheets.layout import PULSE_LEAD_MM, Layout
from heartprint.sheets.style import ECG_PLOT, Colour, Margin, Style
from heartprint.sheets.texts import SIZE_MM, Line, footer_line, header_lines
from heartprint.sheets.twins import compiled_or_numpy

Weights = tuple[float, float, float]

TABLE_STEPS = 32
"""Table entries per pixel."""

TABLE_MARGIN = 2
"""Pixels outside the sheet that the tables still cover."""

LETTER_STEPS = 4
"""Points per pixel and axis that stand for a name on a turned sheet."""

TICK_MM, LINE_MM = look.MARK_MM, 11.0
"""Half the height of separators that do not follow a trace."""

TEXT_FINENESS, TEXT_STEPS = 12, 2
"""What `look.LETTER_FINENESS` and `LETTER_STEPS` are to names, for the texts about the ECG, of which there are many."""


@dataclass(frozen=True)
class Picture:
    """Something to print: coverage in 0-1, px per mm, and where its left and upper edge lie on the sheet, mm."""

    coverage: Float32Array
    fineness: int
    left_mm: float
    top_mm: float


Pixels = tuple[npt.NDArray[np.int32], Float64Array]
"""Numbers of pixels, row after row, and the share of each that is covered."""


@dataclass(frozen=True)
class Background:
    """What is drawn before the ECG; each array is made when it is first asked for.

    Attributes:
        layout: The layout, as `heartprint.sheets.style.placed` by the style.
        height: Height in px.
        width: Width in px.
        style: The style.
        weights: What red, green and blue weigh in the levels.
    """

    layout: Layout
    height: int
    width: int
    style: Style
    weights: Weights

    @functools.cached_property
    def image(self) -> Image:
        """``(h, w)`` uint8, the upright sheet."""
        x_table, y_table = self._tables(fine=False)
        kernel = compiled_or_numpy()
        image = np.empty((self.height, self.width), dtype=np.uint8)
        kernel.draw_paper(image, x_table, y_table)
        for (places, covered), darkness in self._printed():
            kernel.print_on(image, x_table, y_table, places, covered, darkness)
        image.setflags(write=False)
        return image

    @property
    def x_table(self) -> Float32Array:
        """``(3, m)`` float32: frame, free, grid along x; entry i is at ``i / TABLE_STEPS - TABLE_MARGIN`` px."""
        return self._fine_tables[0]

    @property
    def y_table(self) -> Float32Array:
        """``(3, m)`` float32: inside, lines, open along y."""
        return self._fine_tables[1]

    @functools.cached_property
    def letters(self) -> Float32Array:
        """``(k, 3)`` float32: points that stand for what is printed: x and y in px, darkness in px of black."""
        size, style = (self.height, self.width), self.style
        text, ink = self._darkness(style.text), self._darkness(style.ink)
        parts = [
            _darkened(_name_points(self.layout, *size), text),
            _darkened(_ink_points(self.layout, style.trace_mm, *size), ink),
        ]
        if style.patient is not None:
            paper = (self.layout.width_mm, self.layout.height_mm)
            parts.append(_darkened(_header_points(*paper, style.margin_mm, style.patient, *size), text))
        if style.footer:
            parts.append(_darkened(_footer_points(self.layout, style.margin_mm, *size), text))
        return np.concatenate(parts)

    @functools.cached_property
    def edge_px(self) -> float:
        """Pixels from the border within which more than the grid matters."""
        style = self.style
        # At half the sheet there is no pixel left for which the grid alone matters.
        most = 0.5 * min(self.height, self.width)
        if style.dots:
            return most
        kx, ky = self.width / self.layout.width_mm, self.height / self.layout.height_mm
        left, top, right, bottom = (0.0,) * 4 if style.grid_everywhere else style.margin_mm
        margin_px = max(left * kx, right * kx, top * ky, bottom * ky)
        return min(margin_px + (style.frame_mm / 2 + look.FRAME_SHIFT_MM) * max(kx, ky) + 1.5, most)

    @functools.cached_property
    def trace_grey(self) -> float:
        """Level of full ink."""
        return _level(self.style.ink, self.weights)

    def _darkness(self, colour: Colour) -> float:
        return 1.0 - _level(colour, self.weights) / 255.0

    def _printed(self) -> list[tuple[Pixels, float]]:
        """What is printed, and how dark it is."""
        size, style = (self.height, self.width), self.style
        text = self._darkness(style.text)
        parts = [
            (_name_pixels(self.layout, *size), text),
            (_ink_pixels(self.layout, style.trace_mm, *size), self._darkness(style.ink)),
        ]
        if style.patient is not None:
            paper = (self.layout.width_mm, self.layout.height_mm)
            parts.append((_header_pixels(*paper, style.margin_mm, style.patient, *size), text))
        if style.footer:
            parts.append((_footer_pixels(self.layout, style.margin_mm, *size), text))
        return parts

    @functools.cached_property
    def _fine_tables(self) -> tuple[Float32Array, Float32Array]:
        return self._tables(fine=True)

    def _tables(self, *, fine: bool) -> tuple[Float32Array, Float32Array]:
        """The three functions along x and those along y, at pixel centres or finely."""
        style, layout = self.style, self.layout
        left, top, right, bottom = (0.0,) * 4 if style.grid_everywhere else style.margin_mm
        pens = (style.major_mm, style.minor_mm, 0.0 if style.frame is None else style.frame_mm)
        x = _axis(fine, False, layout.width_mm, left, layout.width_mm - right, self.width, *pens)
        y = _axis(fine, True, layout.height_mm, top, layout.height_mm - bottom, self.height, *pens)

        colours = (style.paper, style.major, style.minor, style.frame)
        along, down = _weights_of_lines(colours, style.dots, self.weights)
        return along @ x, down @ y


@lru_cache(maxsize=1024)
def _weights_of_lines(
    colours: tuple[Colour, Colour | None, Colour | None, Colour | None], dots: bool, weights: Weights
) -> tuple[Float32Array, Float32Array]:
    """``(3, 4)`` along x and along y: what inside, frame, thick and thin lines weigh in each of the three functions.

    Args:
        colours: Of paper, thick lines, thin lines and frame.
        dots: Whether thin lines are dots where they cross.
        weights: What red, green and blue weigh in the levels.
    """
    paper = look.WHITE - _level(colours[0], weights)
    # A line that is not drawn is as dark as the paper.
    major, minor, frame = (paper if c is None else look.WHITE - _level(c, weights) for c in colours[1:])
    if dots:
        along = ((0.0, 0.0, 0.0, minor - paper), (1.0, 0.0, 0.0, 0.0), (paper, 0.0, major - paper, 0.0))
        down = ((0.0, 0.0, 0.0, 1.0), (0.0, 0.0, major, 0.0), (1.0, 0.0, -1.0, 0.0))
    else:
        along = ((0.0, frame, 0.0, 0.0), (1.0, -1.0, 0.0, 0.0), (paper, -paper, major - paper, minor - paper))
        down = ((1.0, 0.0, 0.0, 0.0), (0.0, frame, major, minor), (1.0, -1.0, -1.0, -1.0))
    return np.array(along, dtype=np.float32), np.array(down, dtype=np.float32)


@lru_cache(maxsize=64)
def background(
    layout: Layout, height: int, width: int, style: Style = ECG_PLOT, weights: Weights = look.LUMA
) -> Background:
    """A layout's background, of which the last ones are remembered.

    Args:
        layout: The layout, as `heartprint.sheets.style.placed` by the style.
        height: Height in px.
        width: Width in px.
        style: The style.
        weights: What red, green and blue weigh in the levels.
    """
    return Background(layout, height, width, style, weights)


def _level(colour: Colour, weights: Weights) -> float:
    """Level (0-255) of a colour."""
    return 255.0 * sum(w * c for w, c in zip(weights, colour, strict=True))


# --- grid ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _axis(
    fine: bool,
    across: bool,
    length_mm: float,
    low_mm: float,
    high_mm: float,
    pixels: int,
    major_mm: float,
    minor_mm: float,
    frame_mm: float,
) -> Float32Array:
    """Measure an axis at the centres of its pixels, or finely: at `TABLE_STEPS` positions a pixel.

    The grid reaches from ``low_mm`` to ``high_mm``.

    Returns:
        ``(4, m)``: share of a box of one pixel about each position that lies inside, on the frame, on thick and on
        thin lines.
    """
    if fine:
        at = np.arange((pixels + 2 * TABLE_MARGIN) * TABLE_STEPS + 1) / TABLE_STEPS - TABLE_MARGIN
    else:
        at = np.arange(pixels, dtype=np.float64) + 0.5
    scale = pixels / length_mm

    def covered(starts: Float64Array, ends: Float64Array) -> Float64Array:
        """Share of the box around each position that lies in the (disjoint, sorted) intervals, given in mm."""
        if not len(starts):
            return np.zeros_like(at)
        knots = np.column_stack([starts, ends]).ravel() * scale
        area = np.concatenate([[0.0], np.cumsum(np.where(np.arange(knots.size - 1) % 2 == 0, np.diff(knots), 0.0))])
        return np.asarray(np.interp(at + 0.5, knots, area) - np.interp(at - 0.5, knots, area))

    inside = covered(np.array([low_mm]), np.array([high_mm]))
    frame = np.zeros_like(at)
    if frame_mm:
        half, shift = frame_mm / 2, look.FRAME_SHIFT_MM
        frame = covered(np.array([low_mm, high_mm - half + shift]), np.array([low_mm + (half + shift), high_mm]))
    reach_mm = high_mm - low_mm
    lines = np.arange(1, int(np.ceil(reach_mm)))
    # Thick lines are counted from the lower edge, as the reference counts millivolts.
    thick = (round(reach_mm) - lines if across else lines) % 5 == 0
    major, minor = (
        covered(low_mm + lines[which] - pen_mm / 2, low_mm + lines[which] + pen_mm / 2)
        for which, pen_mm in ((thick, major_mm), (~thick, minor_mm))
    )
    return np.stack([inside, frame, major, minor]).astype(np.float32)


# --- what is printed over the grid --------------------------------------------------------------------------------


def name_pictures(layout: Layout) -> list[tuple[int, Picture]]:
    """The leads' names: which strip each belongs to, and its picture."""
    names = layout.names
    found = []
    for number, strip in enumerate(layout.strips):
        if strip.named and names.form != "none":
            text = strip.label.upper() if names.form == "AVR" else strip.label
            coverage, left, top = look.letters(text, names.size_mm, names.bold, face=names.face)
            place = (strip.left_mm + names.x_mm + left, strip.baseline_mm + names.y_mm + top)
            found.append((number, Picture(coverage, look.LETTER_FINENESS, *place)))
    return found


def _ink_pictures(layout: Layout, pen_mm: float) -> list[Picture]:
    """Pulses, and separators that do not follow a trace."""
    found = []
    for pulse in layout.pulses:
        picture = _pulse(pulse.plateau_mm, pulse.gains_mm_per_mv, pen_mm)
        top_mm = pulse.baseline_mm - max(pulse.gains_mm_per_mv) - pen_mm / 2
        found.append(Picture(picture, look.LETTER_FINENESS, pulse.left_mm, top_mm))
    if layout.separator in ("tick", "line"):
        half = TICK_MM if layout.separator == "tick" else LINE_MM
        bar = _filled([(0.0, 0.0, pen_mm, 2 * half)])
        found += [
            Picture(bar, look.LETTER_FINENESS, strip.left_mm - pen_mm / 2, strip.baseline_mm - half)
            for strip in layout.strips
            if strip.divided
        ]
    return found


@lru_cache(maxsize=64)
def _pulse(plateau_mm: float, gains_mm: tuple[float, ...], pen_mm: float) -> Float32Array:
    """A pulse as a picture whose upper left corner is that of its room, at the top of its line."""
    top = max(gains_mm)
    heights = [0.0, *gains_mm, 0.0]
    turns = [PULSE_LEAD_MM + i * plateau_mm / len(gains_mm) for i in range(len(gains_mm) + 1)]
    ends = [PULSE_LEAD_MM / 2, *turns, turns[-1] + PULSE_LEAD_MM]
    boxes = [(a, top - h, b, top - h + pen_mm) for a, b, h in zip(ends, ends[1:], heights, strict=False)]
    for x, before, after in zip(turns, heights, heights[1:], strict=False):
        high, low = max(before, after), min(before, after)
        boxes.append((x - pen_mm / 2, top - high, x + pen_mm / 2, top - low + pen_mm))
    return _filled(boxes)


def _filled(boxes: list[tuple[float, float, float, float]]) -> Float32Array:
    """A picture of boxes (left, top, right, bottom in mm), each pixel of which is covered by at most one of them."""
    fine = look.LETTER_FINENESS
    width, height = (int(np.ceil(max(box[i] for box in boxes) * fine)) for i in (2, 3))
    picture = np.zeros((height, width), dtype=np.float32)
    for left, top, right, bottom in boxes:
        across = np.diff(np.clip(np.arange(height + 1), top * fine, bottom * fine))
        along = np.diff(np.clip(np.arange(width + 1), left * fine, right * fine))
        np.maximum(picture, np.outer(across, along), out=picture)
    return picture


def _line_picture(line: Line) -> Picture:
    coverage, left, top = look.letters(line.text, SIZE_MM, line.bold, TEXT_FINENESS)
    return Picture(coverage, TEXT_FINENESS, line.x_mm + left, line.y_mm + top)


def _pixels(pictures: list[Picture], page_mm: tuple[float, float], height: int, width: int) -> Pixels:
    """Area-average pictures to a sheet; where they meet, each covers what the others leave free."""
    kx, ky = width / page_mm[0], height / page_mm[1]
    found = [(np.empty(0, dtype=np.int32), np.empty(0))]
    for picture in pictures:
        patch, r, c = _area_average(picture, kx, ky, height, width)
        at = np.nonzero(patch)
        found.append((((at[0] + r) * width + at[1] + c).astype(np.int32), patch[at]))
    places, which = np.unique(np.concatenate([place for place, _ in found]), return_inverse=True)
    free = np.ones(len(places))
    np.multiply.at(free, which, 1.0 - np.concatenate([share for _, share in found]))
    return places, 1.0 - free


def _darkened(points: Float32Array, darkness: float) -> Float32Array:
    return points if darkness == 1.0 else points * np.array([1.0, 1.0, darkness], dtype=np.float32)


def _points(
    pictures: list[Picture], page_mm: tuple[float, float], height: int, width: int, n: int = LETTER_STEPS
) -> Float32Array:
    kx, ky = n * width / page_mm[0], n * height / page_mm[1]
    found: list[Float64Array] = [np.empty((0, 3))]
    for picture in pictures:
        fine, r, c = _area_average(picture, kx, ky, height * n, width * n)
        at = np.nonzero(fine > 1e-3)
        found.append(np.column_stack([(at[1] + c + 0.5) / n, (at[0] + r + 0.5) / n, fine[at] / n**2]))
    return np.concatenate(found).astype(np.float32)


@lru_cache(maxsize=1024)
def _name_pixels(layout: Layout, height: int, width: int) -> Pixels:
    pictures = [picture for _, picture in name_pictures(layout)]
    return _pixels(pictures, (layout.width_mm, layout.height_mm), height, width)


@lru_cache(maxsize=512)
def _name_points(layout: Layout, height: int, width: int) -> Float32Array:
    pictures = [picture for _, picture in name_pictures(layout)]
    return _points(pictures, (layout.width_mm, layout.height_mm), height, width)


@lru_cache(maxsize=4096)
def _ink_pixels(layout: Layout, pen_mm: float, height: int, width: int) -> Pixels:
    pictures = _ink_pictures(layout, pen_mm)
    return _pixels(pictures, (layout.width_mm, layout.height_mm), height, width)


@lru_cache(maxsize=4096)
def _ink_points(layout: Layout, pen_mm: float, height: int, width: int) -> Float32Array:
    return _points(_ink_pictures(layout, pen_mm), (layout.width_mm, layout.height_mm), height, width)


@lru_cache(maxsize=1024)
def _header_pixels(width_mm: float, height_mm: float, margin: Margin, patient: int, height: int, width: int) -> Pixels:
    pictures = [_line_picture(line) for line in header_lines(width_mm, margin, patient)]
    return _pixels(pictures, (width_mm, height_mm), height, width)


@lru_cache(maxsize=1024)
def _header_points(
    width_mm: float, height_mm: float, margin: Margin, patient: int, height: int, width: int
) -> Float32Array:
    pictures = [_line_picture(line) for line in header_lines(width_mm, margin, patient)]
    return _points(pictures, (width_mm, height_mm), height, width, TEXT_STEPS)


@lru_cache(maxsize=512)
def _footer_pixels(layout: Layout, margin: Margin, height: int, width: int) -> Pixels:
    picture = _line_picture(footer_line(layout, margin))
    return _pixels([picture], (layout.width_mm, layout.height_mm), height, width)


@lru_cache(maxsize=512)
def _footer_points(layout: Layout, margin: Margin, height: int, width: int) -> Float32Array:
    picture = _line_picture(footer_line(layout, margin))
    return _points([picture], (layout.width_mm, layout.height_mm), height, width, TEXT_STEPS)


def pulse_coverage(layout: Layout, pen_mm: float, height: int, width: int) -> Float32Array:
    """``(height, width)``: share of each pixel that pulses and separators cover which do not follow a trace."""
    places, covered = _ink_pixels(layout, pen_mm, height, width)
    out = np.zeros(height * width, dtype=np.float32)
    out[places] = covered
    return out.reshape(height, width)


def _area_average(picture: Picture, kx: float, ky: float, height: int, width: int) -> tuple[Float64Array, int, int]:
    """Area-average a fine picture; kx and ky are px per mm.

    Returns:
        The patch of the target that it touches (clipped to the target), its first row and its first column.
    """
    rows, row = _along_first(picture.coverage, picture.top_mm * ky, ky / picture.fineness, height)
    columns, column = _along_first(np.ascontiguousarray(rows.T), picture.left_mm * kx, kx / picture.fineness, width)
    return columns.T, row, column


def _along_first(
    image: Float32Array | Float64Array, start: float, scale: float, limit: int
) -> tuple[Float64Array, int]:
    """Area-average along the first axis.

    Args:
        image: ``(n, m)``, whose rows are ``scale`` px high and begin at ``start`` px.
        start: See there.
        scale: See there.
        limit: Px of the target.

    Returns:
        ``(k, m)`` and the first pixel.
    """
    n = len(image)
    first, last = max(int(np.floor(start)), 0), min(int(np.ceil(start + n * scale)), limit)
    # What lies above each edge of a pixel, in rows: differences of it are what lies in between.
    edges = np.clip((np.arange(first, max(last, first) + 1) - start) / scale, 0, n)
    whole = np.minimum(edges.astype(np.int64), n - 1)
    above = np.concatenate([np.zeros_like(image[:1], dtype=np.float64), np.cumsum(image, axis=0, dtype=np.float64)])
    at_edges = above[whole] + (edges - whole)[:, None] * image[whole]
    return np.diff(at_edges, axis=0) * scale, first


def line_coverage(centres_mm: npt.NDArray[np.floating], pen_mm: float, scale: float, pixels: int) -> Float32Array:
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
