"""A piece of paper to draw on in millimetres, finer than wanted and area-averaged at the end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.foundation.fonts import Face, font
from heartprint.sheets.background import line_coverage
from heartprint.sheets.style import BLACK, Colour

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, mm."""

FINEST_PX_PER_MM = 7.5
"""Canvases are drawn at this resolution at least, and at twice that of the picture."""

_SHIFT = 4


class Canvas:
    """Paper in colour.

    Args:
        width_mm: Width.
        height_mm: Height.
        px_per_mm: Px per mm of the finished picture.
        face: Of the fonts, where nothing else is said.
        fineness: Px drawn for each px of the picture; None = as many as thin lines need.
    """

    def __init__(
        self,
        width_mm: float,
        height_mm: float,
        px_per_mm: float,
        *,
        face: Face = "sans",
        fineness: int | None = None,
    ) -> None:
        self.width_mm, self.height_mm = width_mm, height_mm
        self.size = (round(height_mm * px_per_mm), round(width_mm * px_per_mm))
        self.face = face
        self.fineness = max(2, math.ceil(FINEST_PX_PER_MM / px_per_mm)) if fineness is None else fineness
        self.scale = px_per_mm * self.fineness
        height, width = self.size
        self.pixels: Image = np.full((height * self.fineness, width * self.fineness, 3), 255, dtype=np.uint8)

    @property
    def box(self) -> Box:
        """The whole paper."""
        return 0.0, 0.0, self.width_mm, self.height_mm

    def finished(self) -> Image:
        """``(h, w, 3)`` uint8, red, green and blue."""
        height, width = self.size
        return np.asarray(cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def inner(self, margin_mm: float, *, top: float = 0.0, bottom: float = 0.0) -> Box:
        """The paper without a margin, and without more above and below."""
        return margin_mm, margin_mm + top, self.width_mm - margin_mm, self.height_mm - margin_mm - bottom

    # --- areas ----------------------------------------------------------------------------------------------------

    def fill(self, colour: Colour, box: Box | None = None) -> None:
        """Paint a box, or all."""
        x0, y0, x1, y1 = self._px(self.box if box is None else box)
        self.pixels[y0:y1, x0:x1] = _bytes(colour)

    def texture(self, picture: npt.NDArray[np.floating] | Image, box: Box | None = None) -> None:
        """Put a picture of levels 0-255, ``(h, w)`` or ``(h, w, 3)``, into a box or over all, each pixel a block."""
        x0, y0, x1, y1 = self._px(self.box if box is None else box)
        if y1 <= y0 or x1 <= x0:
            return
        levels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        levels = np.asarray(cv2.resize(levels, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
        self.pixels[y0:y1, x0:x1] = levels if levels.ndim == 3 else levels[:, :, None]

    def put(self, picture: Image) -> None:
        """Put a finished picture of the canvas's size, ``(h, w, 3)``, over all."""
        self.pixels[:] = np.repeat(np.repeat(picture, self.fineness, axis=0), self.fineness, axis=1)

    def frame(self, box: Box, colour: Colour = BLACK, pen_mm: float = 0.2) -> None:
        """Draw the outline of a box."""
        x0, y0, x1, y1 = box
        self.curve([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, pen_mm, closed=True)

    def polygon(self, points_mm: Sequence[tuple[float, float]] | Float64Array, colour: Colour) -> None:
        """Fill a polygon."""
        points = np.rint(np.asarray(points_mm, dtype=np.float64) * self.scale * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(self.pixels, [points], _bytes(colour), cv2.LINE_AA, _SHIFT)

    def disc(self, x_mm: float, y_mm: float, radius_mm: float, colour: Colour, pen_mm: float | None = None) -> None:
        """Draw a disc, or a circle if a pen is given."""
        unit = self.scale * 2**_SHIFT
        centre, radius = (round(x_mm * unit), round(y_mm * unit)), max(round(radius_mm * unit), 1)
        thickness = -1 if pen_mm is None else self._pen(pen_mm)
        cv2.circle(self.pixels, centre, radius, _bytes(colour), thickness, cv2.LINE_AA, _SHIFT)

    # --- lines ----------------------------------------------------------------------------------------------------

    def curve(
        self,
        points_mm: Sequence[tuple[float, float]] | npt.NDArray[np.floating],
        colour: Colour = BLACK,
        pen_mm: float = 0.2,
        *,
        closed: bool = False,
    ) -> None:
        """Draw a line through points; NaN is a gap."""
        points = np.asarray(points_mm, dtype=np.float64)
        there = np.isfinite(points).all(axis=1)
        if not there.all():
            cuts = np.flatnonzero(np.diff(there.astype(int))) + 1
            for piece, known in zip(np.split(points, cuts), np.split(there, cuts), strict=True):
                if known[0] and len(piece) > 1:
                    self.curve(piece, colour, pen_mm)
            return
        whole = np.rint(points * self.scale * 2**_SHIFT).astype(np.int32)
        cv2.polylines(self.pixels, [whole], closed, _bytes(colour), self._pen(pen_mm), cv2.LINE_AA, _SHIFT)

    def trace(
        self, box: Box, heights_mm: Float64Array, colour: Colour = BLACK, pen_mm: float = 0.2, *, cut: bool = True
    ) -> None:
        """Draw a recording along a box: heights above its middle, mm; cut at its upper and lower edge or not."""
        x0, y0, x1, y1 = box
        y = (y0 + y1) / 2 - np.asarray(heights_mm, dtype=np.float64)
        x = np.linspace(x0, x1, len(y))
        self.curve(np.column_stack([x, np.clip(y, y0, y1) if cut else y]), colour, pen_mm)

    def lines(
        self,
        box: Box,
        colour: Colour,
        pen_mm: float,
        *,
        x_mm: Iterable[float] = (),
        y_mm: Iterable[float] = (),
    ) -> None:
        """Rule a box with upright lines at ``x_mm`` and level ones at ``y_mm``, of exact width."""
        x0, y0, x1, y1 = self._px(box)
        if x1 <= x0 or y1 <= y0:
            return
        across = line_coverage(np.array(list(x_mm)), pen_mm, self.scale, self.pixels.shape[1])[x0:x1]
        down = line_coverage(np.array(list(y_mm)), pen_mm, self.scale, self.pixels.shape[0])[y0:y1]
        part, level = self.pixels[y0:y1, x0:x1], np.array(_bytes(colour), dtype=np.float32)
        for index, share in ((np.flatnonzero(across), across), (np.flatnonzero(down), down)):
            if not len(index):
                continue
            where = (slice(None), index) if share is across else (index, slice(None))
            weight = share[index][None, :, None] if share is across else share[index][:, None, None]
            old = part[where].astype(np.float32)
            part[where] = np.rint(old + weight * (level - old)).astype(np.uint8)

    def grid(
        self, box: Box, colour: Colour, pen_mm: float, pitch_mm: float, *, pitch_y_mm: float | None = None
    ) -> None:
        """Rule a box in both directions from its upper left corner, its edges included."""
        x0, y0, x1, y1 = box
        down = pitch_mm if pitch_y_mm is None else pitch_y_mm
        self.lines(box, colour, pen_mm, x_mm=np.arange(x0, x1 + 0.01, pitch_mm), y_mm=np.arange(y0, y1 + 0.01, down))

    # --- letters --------------------------------------------------------------------------------------------------

    def write(
        self,
        x_mm: float,
        y_mm: float,
        text: str,
        size_mm: float = 3.0,
        colour: Colour = BLACK,
        *,
        bold: bool = False,
        face: Face | None = None,
        anchor: str = "ls",
        upwards: bool = False,
    ) -> float:
        """Write a line.

        Args:
            x_mm: Where it begins, has its middle or ends.
            y_mm: Where its letters stand, or have their middle.
            text: The line.
            size_mm: Size of the font.
            colour: Of the letters.
            bold: Whether to take the bold cut.
            face: Of fonts; None = the canvas's.
            anchor: l, m or r along it, s (on the line) or m (middle) across, as in Pillow.
            upwards: Whether it runs from below to above.

        Returns:
            Its length, mm.
        """
        mask, left, top, length = _letters(text, max(round(size_mm * self.scale), 4), bold, face or self.face, anchor)
        x, y = round(x_mm * self.scale), round(y_mm * self.scale)
        if upwards:
            mask, left, top = np.ascontiguousarray(np.rot90(mask)), top, -left - mask.shape[1]
        self._stamp(mask, x + left, y + top, colour)
        return length / self.scale

    def plot_text(
        self, x_mm: float, y_mm: float, text: str, size_mm: float = 3.0, colour: Colour = BLACK, pen_mm: float = 0.2
    ) -> None:
        """Write a line in single strokes, as a plotter does (Hershey's letters)."""
        face = cv2.FONT_HERSHEY_SIMPLEX
        size = size_mm * self.scale / 30.0  # Hershey's capitals are 21 px high and stand for a font of 30
        at = (round(x_mm * self.scale), round(y_mm * self.scale))
        cv2.putText(self.pixels, text, at, face, size, _bytes(colour), self._pen(pen_mm), cv2.LINE_AA)

    def _stamp(self, mask: Image, x: int, y: int, colour: Colour) -> None:
        height, width = self.pixels.shape[:2]
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + mask.shape[1], width), min(y + mask.shape[0], height)
        if x0 >= x1 or y0 >= y1:
            return
        weight = mask[y0 - y : y1 - y, x0 - x : x1 - x, None].astype(np.float32) / 255
        part = self.pixels[y0:y1, x0:x1]
        old = part.astype(np.float32)
        part[:] = np.rint(old + weight * (np.array(_bytes(colour), dtype=np.float32) - old)).astype(np.uint8)

    def _pen(self, pen_mm: float) -> int:
        return max(1, round(pen_mm * self.scale))

    def _px(self, box: Box) -> tuple[int, int, int, int]:
        height, width = self.pixels.shape[:2]
        x0, y0, x1, y1 = (round(v * self.scale) for v in box)
        return min(max(x0, 0), width), min(max(y0, 0), height), min(max(x1, 0), width), min(max(y1, 0), height)


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * min(max(c, 0.0), 1.0)) for c in colour)
    return red, green, blue


@lru_cache(maxsize=1024)
def _letters(text: str, pixels: int, bold: bool, face: Face, anchor: str) -> tuple[Image, int, int, float]:
    """Coverage of a line (0-255), where its left and upper edge lie from its anchor, and its length, px."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    cut = font(pixels, bold=bold, face=face)
    left, top, right, bottom = (int(v) for v in cut.getbbox(text, anchor=anchor))
    picture = Pictures.new("L", (max(right - left, 1) + 2, max(bottom - top, 1) + 2), 0)
    ImageDraw.Draw(picture).text((1 - left, 1 - top), text, fill=255, font=cut, anchor=anchor)
    mask = np.asarray(picture, dtype=np.uint8)
    mask.setflags(write=False)
    return mask, left - 1, top - 1, float(cut.getlength(text))
