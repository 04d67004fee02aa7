"""What a machine prints about an ECG, more varied than styles are: faces and sizes of names, thick separators.

A sheet for a photograph is drawn by `render` without names and texts, and these are printed on it afterwards, to the
nearest px of what is drawn: each is then made once per scale, wherever on whatever sheet it stands.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import cv2
import numpy as np

from heartprint.foundation.arrays import Image
from heartprint.foundation.fonts import Face
from heartprint.sheets.camera.furniture import stamp
from heartprint.sheets.layout import Layout, Names
from heartprint.sheets.look import letters, luma
from heartprint.sheets.registry import ABOVE, CLOSE
from heartprint.sheets.style import Style, draw_style
from heartprint.sheets.texts import SIZE_MM, footer_line, header_lines

_TEXT_FINENESS = 12

_NAMES: tuple[tuple[float, bool, Face], ...] = (
    (2.4, False, "sans"),
    (3.0, True, "times"),
    (3.6, False, "times"),
    (3.2, True, "serif"),
    (2.8, False, "mono"),
    (3.6, True, "sans"),
    (4.2, False, "sans"),
    (4.6, True, "times"),
    (5.5, False, "sans"),
)
"""Size in mm, bold or not, face."""

_PLACES = ((ABOVE.x_mm, ABOVE.y_mm), (CLOSE.x_mm, CLOSE.y_mm), (1.0, 6.0), (-3.0, -6.0), (-7.0, 4.0), (2.0, -11.0))
"""Where names stand, mm from where their strips begin."""

_PAPERS = ((0.99, 0.9, 0.9), (0.98, 0.86, 0.9), (1.0, 0.93, 0.86), (0.9, 0.93, 0.97), (0.9, 0.9, 0.88))
"""Papers of machines, whose ground is tinted like their grid."""


def draw_look(rng: np.random.Generator) -> Style:
    """Draw a style at random: as `draw_style` does, half of them with other names, some with other papers."""
    style = draw_style(rng)
    u = rng.random(7)
    if u[0] < 0.55 and (style.names is None or style.names.form != "none"):
        size, bold, face = _NAMES[int(u[1] * len(_NAMES))]
        x, y = _PLACES[int(u[2] * len(_PLACES))]
        names = Names(x, y, size, bold, "AVR" if u[3] < 0.2 else "aVR", face)
        style = dataclasses.replace(style, names=names)
    if u[4] < 0.25:
        style = dataclasses.replace(style, paper=_PAPERS[int(u[5] * len(_PAPERS))])
    if u[6] < 0.15 and style.major is not None:
        # Only the lines 5 mm apart came through.
        style = dataclasses.replace(style, minor=None, dots=False)
    return style


def without_letters(style: Style) -> Style:
    """The style without what `print_letters` prints."""
    return dataclasses.replace(style, names=Names(form="none"), patient=None, footer=False)


def print_letters(drawn: Image, layout: Layout, style: Style, kx: float, ky: float) -> None:
    """Print names and texts on a sheet that was drawn without, in place.

    Args:
        drawn: ``(h, w)`` or ``(h, w, 3)``.
        layout: As placed by the style.
        style: The style.
        kx: Px per mm along x.
        ky: Px per mm along y.
    """
    colour = style.text

    def put(text: str, x_mm: float, y_mm: float, size_mm: float, bold: bool, face: Face) -> None:
        ink, left, top = _letters(text, size_mm, bold, face, round(math.sqrt(kx * ky), 2))
        stamp(drawn, ink, round((x_mm + left) * kx), round((y_mm + top) * ky), colour)

    names = layout.names
    if names.form != "none":
        for strip in layout.strips:
            if strip.named:
                text = strip.label.upper() if names.form == "AVR" else strip.label
                x_mm, y_mm = strip.left_mm + names.x_mm, strip.baseline_mm + names.y_mm
                put(text, x_mm, y_mm, names.size_mm, names.bold, names.face)
    lines = list(header_lines(layout.width_mm, style.margin_mm, style.patient)) if style.patient is not None else []
    if style.footer:
        lines.append(footer_line(layout, style.margin_mm))
    for line in lines:
        put(line.text, line.x_mm, line.y_mm, SIZE_MM, line.bold, names.face)


@functools.lru_cache(maxsize=4096)
def _letters(text: str, size_mm: float, bold: bool, face: Face, px_per_mm: float) -> tuple[Image, float, float]:
    """Coverage 0-255 of a text, and where its left and upper edge lie from where it begins, mm."""
    coverage, left, top = letters(text, size_mm, bold, _TEXT_FINENESS, face)
    height, width = (max(round(n * px_per_mm / _TEXT_FINENESS), 2) for n in coverage.shape)
    small = cv2.resize(coverage, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small * 255 + 0.5, dtype=np.uint8), left, top


def separate(drawn: Image, rng: np.random.Generator, layout: Layout, style: Style, kx: float, ky: float) -> None:
    """Draw thick or long separators between columns over those that the layout has, in place.

    Args:
        drawn: The sheet.
        rng: Source of randomness.
        layout: As placed by the style.
        style: The style, for its ink.
        kx: Px per mm along x.
        ky: Px per mm along y.
    """
    u = rng.random(3)
    thick_mm, half_mm = 0.15 + 1.1 * u[0] ** 2, 3 + 16 * u[1] ** 1.5
    shift = (u[2] - 0.6) * half_mm
    level: tuple[float, ...] = (luma(style.ink),) if drawn.ndim == 2 else tuple(255 * c for c in style.ink)
    for strip in layout.strips:
        if strip.divided:
            left, right = ((strip.left_mm + side * thick_mm / 2) * kx for side in (-1, 1))
            top, bottom = ((strip.baseline_mm + shift + side * half_mm) * ky for side in (-1, 1))
            _bar(drawn, left, top, right, bottom, np.array(level))


def _bar(drawn: Image, left: float, top: float, right: float, bottom: float, level: np.ndarray) -> None:
    """A dark upright bar; its sides may lie within pixels, its ends are rounded to them."""
    height, width = drawn.shape[:2]
    rows = slice(max(round(top), 0), min(round(bottom), height))
    for x in range(max(math.floor(left), 0), min(math.ceil(right), width)):
        share = min(right, x + 1) - max(left, x)
        column = drawn[rows, x]
        column[:] = np.minimum(column, column + (level - column) * share).astype(np.uint8)
