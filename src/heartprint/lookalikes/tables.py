"""Tables.

Training: tables with all their lines and a shaded head. Test: spreadsheets with letters and numbers on their rims,
reports of laboratories with shaded rows, and timetables.
"""

from __future__ import annotations

import numpy as np

from heartprint.foundation.fonts import Face
from heartprint.lookalikes.canvas import Canvas
from heartprint.lookalikes.choices import (
    between,
    chance,
    dark,
    light,
    mixed,
    one_of,
    vivid,
    whole,
    words,
)
from heartprint.sheets.style import BLACK, WHITE


def table_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Tables with all lines, a shaded head, numbers and words."""
    canvas.fill(light(rng, 0.94))
    outer = canvas.inner(between(rng, 4, 16))
    face: Face = one_of(rng, ("sans", "serif"))
    y = outer[1]
    while y < outer[3] - 20:
        if chance(rng, 0.5):
            canvas.write(outer[0], y + 4, words(rng, 3).title(), 3.6, bold=True, face=face)
            y += 7
        rows, columns, pitch = whole(rng, 4, 30), whole(rng, 2, 12), between(rng, 4.5, 9)
        rows = max(2, min(rows, int((outer[3] - y) / pitch)))
        edges = np.concatenate([[0], np.cumsum(rng.uniform(0.6, 1.6, columns))])
        edges = outer[0] + edges / edges[-1] * (outer[2] - outer[0])
        rule, head = dark(rng, 0.6), mixed(vivid(rng), WHITE, between(rng, 0.2, 0.8))
        canvas.fill(head, (outer[0], y, outer[2], y + pitch))
        box = (outer[0], y, outer[2], y + rows * pitch)
        _cells(canvas, rng, edges.tolist(), y, rows, pitch, face, "training")
        canvas.lines(box, rule, between(rng, 0.12, 0.35), x_mm=edges, y_mm=y + pitch * np.arange(rows + 1))
        canvas.frame(box, rule, 0.35)
        y = box[3] + between(rng, 5, 15)


def _cells(
    canvas: Canvas,
    rng: np.random.Generator,
    edges: list[float],
    y: float,
    rows: int,
    pitch: float,
    face: Face,
    variant: str,
) -> None:
    size = min(0.55 * pitch, 3.6)
    kinds = [one_of(rng, ("number", "number", "word", "date", "percent")) for _ in edges[1:]]
    for i in range(rows):
        for left, right, kind in zip(edges, edges[1:], kinds, strict=False):
            room = max(int((right - left - 1) / (0.62 * size)), 1)
            text = {
                "number": f"{between(rng, 0, 10 ** whole(rng, 1, 5)):.{whole(rng, 0, 2)}f}",
                "word": words(rng, 2, variant),
                "date": f"{whole(rng, 1, 28):02d}.{whole(rng, 1, 12):02d}.{whole(rng, 1990, 2026)}",
                "percent": f"{between(rng, 0, 100):.1f} %",
            }[kind if i else "word"][:room]
            if i and kind == "number":
                canvas.write(right - 0.8, y + (i + 0.7) * pitch, text, size, anchor="rs", face=face)
            else:
                canvas.write(left + 0.8, y + (i + 0.7) * pitch, text, size, bold=i == 0, face=face)


def table_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """A spreadsheet with letters and numbers on its rims, a laboratory's report, or a timetable."""
    canvas.fill(light(rng, 0.88))
    look = one_of(rng, ("sheet", "report", "timetable"))
    wide, high = canvas.width_mm, canvas.height_mm
    if look == "sheet":
        pitch, each, top = between(rng, 4.2, 6.5), between(rng, 14, 30), between(rng, 0, 22)
        canvas.fill((0.2, 0.45, 0.3) if chance(rng, 0.5) else (0.9, 0.9, 0.92), (0, 0, wide, top))
        canvas.fill((0.9, 0.9, 0.9), (0, top, wide, top + pitch))
        canvas.fill((0.9, 0.9, 0.9), (0, top, 9, high))
        rows, columns = int((high - top) / pitch) + 1, int((wide - 9) / each) + 1
        canvas.lines(
            (0, top, wide, high),
            (0.8, 0.8, 0.8),
            0.15,
            x_mm=9 + each * np.arange(columns),
            y_mm=top + pitch * np.arange(rows),
        )
        for i in range(1, rows):
            canvas.write(4.5, top + (i + 0.7) * pitch, str(i), 2.4, (0.4, 0.4, 0.4), anchor="ms")
        for k in range(columns):
            canvas.write(9 + (k + 0.5) * each, top + 0.7 * pitch, chr(65 + k % 26), 2.4, (0.4, 0.4, 0.4), anchor="ms")
            for i in range(1, whole(rng, 1, rows)):
                if chance(rng, 0.15):
                    canvas.fill(
                        mixed(vivid(rng), WHITE, 0.6),
                        (9.1 + k * each, top + i * pitch + 0.1, 9 + (k + 1) * each, top + (i + 1) * pitch),
                    )
                if chance(rng, 0.75):
                    text = f"{rng.normal(0, 1000):,.1f}" if k else words(rng, 1, "test")[:10]
                    canvas.write(9 + (k + 1) * each - 0.8, top + (i + 0.7) * pitch, text, 2.5, anchor="rs", face="mono")
    elif look == "report":
        pitch, y = between(rng, 4.5, 7.5), 14.0
        canvas.write(10, 9, words(rng, 3, "test").upper(), 4, bold=True, face="mono")
        ink = vivid(rng)
        for i in range(int((high - 20) / pitch)):
            if i % 2:
                canvas.fill(mixed(ink, WHITE, 0.85), (6, y, wide - 6, y + pitch))
            value = between(rng, 0, 200)
            for x, text in (
                (8, words(rng, 2, "test")[:18]),
                (0.42 * wide, f"{value:.1f}"),
                (0.55 * wide, "mmol/L"),
                (0.72 * wide, f"{value * 0.6:.0f} - {value * 1.3:.0f}"),
            ):
                canvas.write(
                    x, y + 0.7 * pitch, text, 0.5 * pitch, BLACK if chance(rng, 0.9) else (0.8, 0, 0), face="mono"
                )
            y += pitch
    else:
        rows, columns = whole(rng, 8, 24), whole(rng, 5, 7)
        px, py = (wide - 24) / columns, (high - 16) / rows
        for k in range(columns):
            i = 0
            while i < rows:
                span = whole(rng, 1, 4)
                if chance(rng, 0.6):
                    box = (20 + k * px + 0.3, 12 + i * py, 20 + (k + 1) * px - 0.3, 12 + min(i + span, rows) * py - 0.3)
                    canvas.fill(mixed(vivid(rng), WHITE, 0.55), box)
                    canvas.write(box[0] + 1, box[1] + 3, words(rng, 1, "test")[: int(px / 2)], 2.4)
                i += span
            canvas.write(20 + (k + 0.5) * px, 9, words(rng, 1, "test")[:6].title(), 3.2, anchor="ms", bold=True)
        for i in range(rows):
            canvas.write(18, 12 + i * py + 2, f"{7 + i // 2}:{(i % 2) * 30:02d}", 2.4, anchor="rs", face="mono")
