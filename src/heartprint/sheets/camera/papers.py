"""The whole paper that an ECG stands on: the bare sheet, a grid that runs on, or a page with texts about the ECG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from heartprint.foundation.arrays import Image
from heartprint.sheets.camera import furniture
from heartprint.sheets.camera.furniture import stamp
from heartprint.sheets.camera.viewpoint import Box
from heartprint.sheets.layout import Layout
from heartprint.sheets.style import Style

Kind = Literal["bare", "runs_on", "page"]

A4, LETTER = (210.0, 297.0), (215.9, 279.4)
"""Shorter and longer side, mm."""


@dataclass(frozen=True)
class Paper:
    """A paper and where the sheet lies on it.

    Attributes:
        kind: ``bare``: it ends where the sheet ends, give or take a margin; ``runs_on``: so, but the grid goes to its
            edges; ``page``: a page of a printer with the sheet somewhere on it.
        box: The paper, mm of the sheet.
        shrunk: By how much everything on a page was made smaller when it was printed, so that the ECG's mm are less
            than mm: 1 = not.
    """

    kind: Kind
    box: Box
    shrunk: float = 1.0


def draw_paper(rng: np.random.Generator, layout: Layout, style: Style, kind: Kind) -> Paper:
    """Draw how large the paper is and where on it the sheet lies."""
    wide, high = layout.width_mm, layout.height_mm
    u = rng.random(8)
    if kind != "page":
        most = 45.0 if kind == "runs_on" else 6.0
        left, top, right, bottom = (most * v**2 for v in u[:4].tolist())
        return Paper(kind, (-left, -top, wide + right, high + bottom))
    short, long = A4 if u[0] < 0.7 else LETTER
    landscape = u[1] < 0.5
    page = (long, short) if landscape else (short, long)
    # At its true scale where it fits, smaller else, and sometimes for no reason.
    fits = min((page[0] - 8) / wide, (page[1] - 8) / high, 1.0)
    scale = fits * (1.0 if u[2] < 0.6 else 0.6 + 0.4 * u[3])
    page = (page[0] / scale, page[1] / scale)
    spare_x, spare_y = page[0] - wide, page[1] - high
    x = spare_x * (0.5 if u[4] < 0.5 else u[5])
    # Below a header, mostly.
    y = spare_y * (u[6] if u[7] < 0.4 else 0.25 + 0.35 * u[6] if landscape else 0.1 + 0.5 * u[6])
    return Paper("page", (-x, -y, page[0] - x, page[1] - y), scale)


def furnish(canvas: Image, rng: np.random.Generator, sheet: tuple[int, int, int, int], px_per_mm: float) -> None:
    """Print texts, tables, codes, stamps where the page is free, in place.

    Args:
        canvas: ``(h, w)`` or ``(h, w, 3)``.
        rng: Source of randomness.
        sheet: Left, top, right, bottom of the sheet, px: nothing is printed there but stamps and signatures.
        px_per_mm: Px per mm of the page as printed.
    """
    height, width = canvas.shape[:2]
    left, top, right, bottom = sheet
    edge = round((4 + 10 * rng.random()) * px_per_mm)
    busy = rng.random()
    for x0, y0, x1, y1 in (
        (edge, edge, width - edge, top),
        (edge, bottom, width - edge, height - edge),
        (edge, top, left, bottom),
        (right, top, width - edge, bottom),
    ):
        if busy > 0.12:
            _fill(canvas, rng, (x0, y0, x1, y1), px_per_mm, 0.25 + 0.75 * busy)
    if rng.random() < 0.3:
        index = furniture.TEXTS + furniture.TABLES + furniture.CODES + int(rng.integers(furniture.MARKS))
        mark = furniture.scaled(index, px_per_mm)
        y, x = int(rng.random() * height) - mark.shape[0] // 2, int(rng.random() * width) - mark.shape[1] // 2
        colour = ((0.15, 0.2, 0.6), (0.5, 0.1, 0.15), (0.1, 0.1, 0.1))[int(rng.integers(3))]
        stamp(canvas, mark, x, y, colour)


def _fill(
    canvas: Image, rng: np.random.Generator, room: tuple[int, int, int, int], px_per_mm: float, busy: float
) -> None:
    """Print pieces row after row into a free rectangle."""
    x0, y0, x1, y1 = room
    gap = max(round(3 * px_per_mm), 2)
    y = y0 + int(rng.random() * gap * 2)
    while y < y1 - gap * 2:
        x, tallest = x0, 0
        for _ in range(6):
            index = int(rng.random() * (furniture.TEXTS + (furniture.TABLES + furniture.CODES if busy > 0.5 else 0)))
            skip, ink = rng.random(), 0.05 + 0.25 * rng.random()
            one = furniture.scaled(index, px_per_mm)
            if y + one.shape[0] > y1 or x + one.shape[1] > x1:
                continue
            if skip < busy:
                stamp(canvas, one, x, y, (ink, ink, ink))
                tallest = max(tallest, one.shape[0])
            x += one.shape[1] + gap + int(rng.random() * 8 * gap)
        y += max(tallest, gap) + int(rng.random() * 2 * gap)


def redact(
    canvas: Image, rng: np.random.Generator, room: tuple[int, int, int, int], px_per_mm: float, count: int
) -> None:
    """Cover places in a rectangle with boxes or broad strokes, white, grey or black, in place."""
    x0, y0, x1, y1 = room
    if x1 - x0 < 8 or y1 - y0 < 4:
        return
    black = rng.random()
    level = 0 if black < 0.45 else 255 if black < 0.8 else 180 + int(60 * rng.random())
    round_ends = rng.random() < 0.5
    colour = (level,) * (1 if canvas.ndim == 2 else 3)
    for _ in range(count):
        u = rng.random(5)
        high, wide = (2.5 + 4 * u[0]) * px_per_mm, (8 + 50 * u[1] ** 2) * px_per_mm
        x, y = x0 + u[2] * max(x1 - x0 - wide, 1), y0 + u[3] * max(y1 - y0 - high, 1)
        if round_ends:
            half = max(round(high), 2)
            ends = [(round(x + half / 2), round(y + high / 2)), (round(x + wide), round(y + high / 2 + u[4] * 2))]
            cv2.line(canvas, ends[0], ends[1], colour, half, cv2.LINE_AA)
        else:
            cv2.rectangle(canvas, (round(x), round(y)), (round(x + wide), round(y + high)), colour, cv2.FILLED)


def show_on_screen(canvas: Image, rng: np.random.Generator) -> tuple[Image, int, int]:
    """Put a page into the window of a program.

    Returns:
        A larger canvas, and where the page's left and upper edge lie on it, px.
    """
    u = rng.random(10)
    height, width = canvas.shape[:2]
    longer = max(height, width)
    left, right = (round(longer * 0.25 * v**2) for v in u[:2])
    top, bottom = (round(longer * (0.02 + 0.14 * v**1.5)) for v in u[2:4])
    ground = (35 + 40 * u[4], 200 + 40 * u[4], 255.0)[int(u[5] * 3)] + 8 * (u[6:9] - 0.5)
    tints = ground if canvas.ndim == 3 else ground[:1]
    out = np.empty((height + top + bottom, width + left + right, *canvas.shape[2:]), dtype=np.uint8)
    out[:] = np.clip(tints, 0, 255).astype(np.uint8)
    bars = np.clip(tints + (60 if ground[0] < 128 else -40) * rng.random(), 0, 255)
    out[: top // 2] = bars.astype(np.uint8)
    out[out.shape[0] - bottom // 3 :] = (bars * 0.8).astype(np.uint8)
    if left > 20:
        out[:, : left // 2] = (bars * 0.9).astype(np.uint8)
    px_per_mm = longer / 300
    for _ in range(int(8 * u[9])):
        index = int(rng.random() * furniture.TEXTS)
        y, x = (top // 4 if rng.random() < 0.5 else int(rng.random() * out.shape[0])), int(rng.random() * out.shape[1])
        dark = ground[0] > 128
        stamp(out, furniture.scaled(index, round(px_per_mm * 0.8, 1)), x, y, (0.2,) * 3 if dark else (0.8,) * 3)
    out[top : top + height, left : left + width] = canvas
    return out, left, top
