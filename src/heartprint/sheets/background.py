"""The paper before the ECG: grid, lead names, frame. Drawn once for each layout and size.

The look is that of the Python package ecg_plot 0.2.8 at 600 dpi, which the paper's laboratory used: lines of half a
point, red every 0.2 s and 0.5 mV, pink every 0.04 s and 0.1 mV, names in DejaVu Sans of 9 points, a black frame.
Colours become grey by ITU-R BT.601.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from heartprint.sheets.layout import GAIN_MM_PER_MV, PAPER_SPEED_MM_PER_S, Layout

Floats = npt.NDArray[np.float32]

MM_PER_INCH = 25.0
"""ecg_plot prints a second, which is 25 mm of ECG paper, on an inch."""
DPI = 600
DOTS_PER_MM = DPI / MM_PER_INCH
LINE_MM = 0.5 / 72 * MM_PER_INCH
FRAME_MM = 0.8 / 72 * MM_PER_INCH
FONT_DOTS = round(9 / 72 * DPI)
NAME_RIGHT_MM = 0.07 * PAPER_SPEED_MM_PER_S
NAME_BELOW_MM = 0.5 * GAIN_MM_PER_MV
WHITE = 255.0
RED = 0.299 * 255
PINK = (0.299 + 0.7 * 0.587 + 0.7 * 0.114) * 255
TRACE = 0.7 * 0.114 * 255
SUPERSAMPLING = 3


@dataclass(frozen=True)
class Background:
    """What a trace is drawn on.

    Attributes:
        paper: ``(H, W)`` float32 grey level where no ink is.
        trace: ``(H, W)`` float32 what full ink adds to it; names and frame lie over the trace.
    """

    paper: Floats
    trace: Floats


@functools.lru_cache(maxsize=64)
def background(layout: Layout, height: int, width: int) -> Background:
    """Grid, names and frame of a layout at a size in px."""
    over = _names(layout, height, width) * _outer(
        1 - _frame(layout.height_mm, height), 1 - _frame(layout.width_mm, width)
    )
    across = _lines(layout.width_mm, width, major_mm=0.2 * PAPER_SPEED_MM_PER_S)
    down = _lines(layout.height_mm, height, major_mm=0.5 * GAIN_MM_PER_MV)
    # Horizontal lines lie over vertical ones, as they are printed later.
    vertical = WHITE + across[0] * (RED - WHITE) + across[1] * (PINK - WHITE)
    grid = _outer(1 - down[0] - down[1], vertical) + (down[0] * RED + down[1] * PINK)[:, None]
    return Background(_frozen(grid * over), _frozen((TRACE - grid) * over))


@functools.lru_cache(maxsize=32)
def fine_paper(layout: Layout, height: int, width: int) -> npt.NDArray[np.uint8]:
    """``(3H, 3W)`` uint8 paper, each pixel already averaged over the area of a pixel of an ``(H, W)`` page."""
    fine = background(layout, SUPERSAMPLING * height, SUPERSAMPLING * width).paper
    soft = cv2.blur(fine, (SUPERSAMPLING, SUPERSAMPLING), borderType=cv2.BORDER_REPLICATE)
    out = np.rint(soft).astype(np.uint8)
    out.setflags(write=False)
    return out


def _outer(rows: Floats, columns: Floats) -> Floats:
    return rows[:, None] * columns[None, :]


def _frozen(array: npt.NDArray[np.floating]) -> Floats:
    out = np.ascontiguousarray(array, dtype=np.float32)
    out.setflags(write=False)
    return out


def _coverage(centres_mm: Floats, line_mm: float, length_mm: float, pixels: int) -> Floats:
    """Share of each pixel that lines across the axis cover; the lines snap to dots as matplotlib's do."""
    dots = np.floor(centres_mm * DOTS_PER_MM + 0.5)
    line_dots = line_mm * DOTS_PER_MM
    if round(line_dots) % 2:
        dots = dots + 0.5
    per_dot = pixels / (length_mm * DOTS_PER_MM)
    edges = np.arange(pixels + 1, dtype=np.float64)
    covered = np.zeros(pixels, dtype=np.float64)
    for centre in dots:
        low, high = (centre - line_dots / 2) * per_dot, (centre + line_dots / 2) * per_dot
        covered += np.diff(np.clip(edges, low, high))
    return np.minimum(covered, 1).astype(np.float32)


def _lines(length_mm: float, pixels: int, *, major_mm: float) -> tuple[Floats, Floats]:
    n = round(length_mm / major_mm * 5)
    every = np.arange(n + 1)
    centres = (every * major_mm / 5).astype(np.float32)
    major = (every % 5 == 0) & (every < n)
    return (
        _coverage(centres[major], LINE_MM, length_mm, pixels),
        _coverage(centres[~major & (every < n)], LINE_MM, length_mm, pixels),
    )


def _frame(length_mm: float, pixels: int) -> Floats:
    return _coverage(np.array([0.0, length_mm], dtype=np.float32), FRAME_MM, length_mm, pixels)


def _names(layout: Layout, height: int, width: int) -> Floats:
    """``(H, W)`` share of each pixel that no letter covers."""
    dots = Image.new("L", (round(layout.width_mm * DOTS_PER_MM), round(layout.height_mm * DOTS_PER_MM)), 0)
    draw, font = ImageDraw.Draw(dots), ImageFont.truetype(str(font_file()), FONT_DOTS)
    for strip in layout.strips:
        if strip.named:
            at = (strip.left_mm + NAME_RIGHT_MM) * DOTS_PER_MM, (strip.baseline_mm + NAME_BELOW_MM) * DOTS_PER_MM
            draw.text(at, strip.lead, fill=255, font=font, anchor="ls")
    covered = cv2.resize(np.asarray(dots, dtype=np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(1 - covered / 255, dtype=np.float32)


def font_file() -> Path:
    """DejaVu Sans, which matplotlib brings along; matplotlib itself is not imported."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
