"""Pages of text, tables, and forms.

Training: text with headings in one or two columns, tables with all their lines, calendars of months and boxed forms.
Test: letters, receipts, newspapers and listings in other fonts; spreadsheets with shaded rows and reports of laboratories;
planners of weeks, crosswords, questionnaires and invoices.
"""

from __future__ import annotations

import numpy as np

from heartprint.foundation.fonts import Face
from heartprint.sheets.lookalikes.canvas import Box, Canvas, between, chance, dark, light, mixed, one_of, vivid, whole, words
from heartprint.sheets.lookalikes.papers import scrawl
from heartprint.sheets.style import BLACK, WHITE, Colour


def paragraph(
    canvas: Canvas,
    rng: np.random.Generator,
    box: Box,
    size_mm: float,
    ink: Colour = BLACK,
    *,
    face: Face | None = None,
    variant: str = "training",
    lines: int | None = None,
    ragged: bool = True,
    pitch: float = 1.35,
) -> float:
    """Fill a box with lines of text; returns where the next line would stand, mm."""
    per_line = max(int((box[2] - box[0]) / (0.58 * size_mm)), 3)
    y, count = box[1] + size_mm, 0
    while y < box[3] and (lines is None or count < lines):
        text = words(rng, per_line // 5 + 2, variant)[:per_line]
        last = lines is not None and count == lines - 1
        if last or (ragged and chance(rng, 0.3)):
            text = text[: max(3, int(per_line * between(rng, 0.4, 1)))]
        canvas.write(box[0], y, text.capitalize() if count == 0 else text, size_mm, ink, face=face)
        y, count = y + pitch * size_mm, count + 1
    return y


def text_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Headings and paragraphs in one or two columns."""
    canvas.fill(light(rng, 0.93))
    face: Face = one_of(rng, ("sans", "serif"))
    ink, size = dark(rng, 0.25), between(rng, 2.6, 4.4)
    outer = canvas.inner(between(rng, 6, 22))
    columns = one_of(rng, (1, 1, 2))
    gap = 6.0
    wide = (outer[2] - outer[0] - gap * (columns - 1)) / columns
    if chance(rng, 0.7):
        canvas.write(outer[0], outer[1] + 3, words(rng, whole(rng, 2, 5)).title(), 1.7 * size, ink, bold=True, face=face)
    for k in range(columns):
        x, y = outer[0] + k * (wide + gap), outer[1] + 2.5 * size
        while y < outer[3] - size:
            if chance(rng, 0.3):
                canvas.write(x, y + size, words(rng, 3).title(), 1.2 * size, ink, bold=True, face=face)
                y += 1.6 * size
            box = (x, y, x + wide, outer[3])
            y = paragraph(canvas, rng, box, size, ink, face=face, lines=whole(rng, 2, 9)) + 0.8 * size
    if chance(rng, 0.6):
        canvas.write(canvas.width_mm / 2, canvas.height_mm - 3, str(whole(rng, 1, 400)), size, ink, anchor="ms", face=face)


def text_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """A letter, a receipt, a newspaper or a listing."""
    canvas.fill(light(rng, 0.85))
    one_of(rng, (_letter, _receipt, _newspaper, _listing))(canvas, rng)


def _letter(canvas: Canvas, rng: np.random.Generator) -> None:
    size, ink, face = between(rng, 2.8, 3.8), dark(rng, 0.3), one_of(rng, ("mono", "times"))
    x, wide = 18.0, canvas.width_mm
    canvas.write(wide - 15, 16, words(rng, 2, "test").upper(), 5.5, vivid(rng), bold=True, anchor="rs", face=face)
    y = paragraph(canvas, rng, (x, 22, wide / 2, 60), size, ink, face=face, variant="test", lines=4)
    canvas.write(wide - 15, y, f"{whole(rng, 1, 28)} {words(rng, 1, 'test')} 20{whole(rng, 10, 26)}", size, ink, anchor="rs", face=face)
    y += 10
    while y < canvas.height_mm - 40:
        box = (x, y, wide - 15, canvas.height_mm - 35)
        y = paragraph(canvas, rng, box, size, ink, face=face, variant="test", lines=whole(rng, 1, 6), pitch=1.6) + 4
    scrawl(canvas, rng, x, min(y + 14, canvas.height_mm - 12), x + 30, 6.0, (0.1, 0.1, 0.5))


def _receipt(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.fill((0.55, 0.5, 0.45))
    wide = min(between(rng, 60, 90), canvas.width_mm - 6)
    x0 = (canvas.width_mm - wide) / 2
    canvas.fill((0.98, 0.98, 0.96), (x0, 0, x0 + wide, canvas.height_mm))
    y, size = 10.0, between(rng, 2.6, 3.4)
    canvas.write(x0 + wide / 2, y, words(rng, 2, "test").upper(), 1.6 * size, anchor="ms", face="mono", bold=True)
    while y < canvas.height_mm - 15:
        y += 1.4 * size
        if chance(rng, 0.1):
            canvas.write(x0 + 4, y, "-" * int((wide - 8) / (0.6 * size)), size, face="mono")
            continue
        canvas.write(x0 + 4, y, f"{whole(rng, 1, 9)} x {words(rng, 1, 'test')[:14]}", size, face="mono")
        canvas.write(x0 + wide - 4, y, f"{between(rng, 0.5, 99):.2f}", size, face="mono", anchor="rs")


def _newspaper(canvas: Canvas, rng: np.random.Generator) -> None:
    wide, columns, size = canvas.width_mm, whole(rng, 3, 6), between(rng, 2.0, 2.7)
    canvas.write(wide / 2, 16, words(rng, 2, "test").upper(), 11, anchor="ms", face="times", bold=True)
    canvas.lines(canvas.inner(6), BLACK, 0.3, y_mm=[19, 23])
    each = (wide - 12) / columns
    for k in range(columns):
        x, y = 6 + k * each, 26.0
        while y < canvas.height_mm - 10:
            if chance(rng, 0.3):
                high = between(rng, 15, 35)
                shade = np.clip(110 + 60 * np.cumsum(rng.standard_normal((12, 16)), axis=0) / 3, 20, 235)
                canvas.texture(shade, (x, y, x + each - 3, min(y + high, canvas.height_mm - 6)))
                y += high + 2
            elif chance(rng, 0.5):
                canvas.write(x, y + 4, words(rng, 2, "test").capitalize()[:16], 4.5, bold=True, face="times")
                y += 6
            box = (x, y, x + each - 3, canvas.height_mm - 6)
            y = paragraph(canvas, rng, box, size, face="times", variant="test", lines=whole(rng, 4, 25), ragged=False) + 1


def _listing(canvas: Canvas, rng: np.random.Generator) -> None:
    night = chance(rng, 0.4)
    if night:
        canvas.fill((0.1, 0.11, 0.14))
    plain: Colour = (0.85, 0.85, 0.85) if night else BLACK
    size, depth, y = between(rng, 2.4, 3.6), 0, 8.0
    for number in range(1, 400):
        if y > canvas.height_mm - 4:
            break
        canvas.write(8, y, str(number), size, (0.5, 0.5, 0.5), face="mono", anchor="rs")
        depth = max(0, min(6, depth + whole(rng, -1, 1)))
        if not chance(rng, 0.12):
            head = one_of(rng, ("if", "for", "return", "def", "let", "end", "while", "#"))
            x = 11 + 1.8 * depth * size
            used = canvas.write(x, y, head, size, vivid(rng), face="mono", bold=True)
            body = f"{words(rng, 1, 'test')}({words(rng, 1, 'test')}, {whole(rng, 0, 99)})"
            canvas.write(x + used + size, y, body, size, plain, face="mono")
        y += 1.35 * size


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
    canvas: Canvas, rng: np.random.Generator, edges: list[float], y: float, rows: int, pitch: float, face: Face, variant: str
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
        canvas.lines((0, top, wide, high), (0.8, 0.8, 0.8), 0.15, x_mm=9 + each * np.arange(columns), y_mm=top + pitch * np.arange(rows))
        for i in range(1, rows):
            canvas.write(4.5, top + (i + 0.7) * pitch, str(i), 2.4, (0.4, 0.4, 0.4), anchor="ms")
        for k in range(columns):
            canvas.write(9 + (k + 0.5) * each, top + 0.7 * pitch, chr(65 + k % 26), 2.4, (0.4, 0.4, 0.4), anchor="ms")
            for i in range(1, whole(rng, 1, rows)):
                if chance(rng, 0.15):
                    canvas.fill(mixed(vivid(rng), WHITE, 0.6), (9.1 + k * each, top + i * pitch + 0.1, 9 + (k + 1) * each, top + (i + 1) * pitch))
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
            for x, text in ((8, words(rng, 2, "test")[:18]), (0.42 * wide, f"{value:.1f}"), (0.55 * wide, "mmol/L"), (0.72 * wide, f"{value * 0.6:.0f} - {value * 1.3:.0f}")):
                canvas.write(x, y + 0.7 * pitch, text, 0.5 * pitch, BLACK if chance(rng, 0.9) else (0.8, 0, 0), face="mono")
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


def form_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Months, or forms with boxes to fill in."""
    canvas.fill(light(rng, 0.93))
    if chance(rng, 0.5):
        months = one_of(rng, ((1, 1), (2, 2), (3, 4), (4, 3)))
        px, py = canvas.width_mm / months[0], canvas.height_mm / months[1]
        colour = vivid(rng)
        for k in range(months[0] * months[1]):
            box = (k % months[0] * px + 3, k // months[0] * py + 3, (k % months[0] + 1) * px - 3, (k // months[0] + 1) * py - 3)
            _month(canvas, rng, box, colour)
        return
    ink, y = dark(rng, 0.6), 10.0
    canvas.write(10, y, words(rng, 3).title(), 5, ink, bold=True)
    while y < canvas.height_mm - 20:
        y += between(rng, 9, 14)
        fields = whole(rng, 1, 4)
        each = (canvas.width_mm - 20) / fields
        for k in range(fields):
            box = (10 + k * each, y, 10 + (k + 1) * each - 2, y + 7)
            canvas.frame(box, ink, 0.2)
            canvas.write(box[0] + 0.5, y - 0.6, words(rng, 1).capitalize()[:16], 2.2, ink)
            if chance(rng, 0.5):
                scrawl(canvas, rng, box[0] + 2, y + 5.5, box[0] + 0.6 * each, 3.0, (0.1, 0.1, 0.5))
            elif chance(rng, 0.3):
                canvas.lines(box, ink, 0.15, x_mm=np.arange(box[0], box[2], 5.0))


def _month(canvas: Canvas, rng: np.random.Generator, box: Box, colour: Colour) -> None:
    px, py = (box[2] - box[0]) / 7, (box[3] - box[1]) / 8
    size, first, boxed = min(0.4 * py, 0.35 * px, 9), whole(rng, 0, 6), chance(rng, 0.6)
    canvas.write(box[0], box[1] + 0.8 * py, words(rng, 1).title()[:9], 1.4 * size, colour, bold=True)
    for k, day in enumerate("MTWTFSS"):
        canvas.write(box[0] + (k + 0.5) * px, box[1] + 1.7 * py, day, size, colour, anchor="ms")
    for d in range(31):
        column, row = (first + d) % 7, (first + d) // 7
        canvas.write(box[0] + (column + 0.5) * px, box[1] + (2.7 + row) * py, str(d + 1), size, colour if column == 6 else BLACK, anchor="ms")
    if boxed:
        canvas.grid((box[0], box[1] + 2 * py, box[2], box[3]), (0.6, 0.6, 0.6), 0.2, px, pitch_y_mm=py)


def form_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """A week's planner, a crossword, a questionnaire or an invoice."""
    canvas.fill(light(rng, 0.86))
    wide, high = canvas.width_mm, canvas.height_mm
    look = one_of(rng, ("week", "crossword", "questions", "invoice"))
    if look == "week":
        each, colour = (wide - 10) / 7, vivid(rng)
        for k in range(7):
            box = (5 + k * each, 12.0, 5 + (k + 1) * each - 1.5, high - 6)
            canvas.fill(mixed(colour, WHITE, 0.75 if k % 2 else 0.9), box)
            canvas.lines(box, mixed(colour, WHITE, 0.4), 0.2, y_mm=np.arange(20, high - 6, between(rng, 6, 9)))
            canvas.write((box[0] + box[2]) / 2, 10, words(rng, 1, "test")[:5].upper(), 3.4, colour, anchor="ms", face="times")
    elif look == "crossword":
        cell = between(rng, 6, 11)
        rows, columns = int((high - 10) / cell), int((wide - 10) / cell)
        filled = rng.random((rows, columns)) < between(rng, 0.15, 0.4)
        for i, k in np.argwhere(filled).tolist():
            canvas.fill((0.1, 0.1, 0.1), (5 + k * cell, 5 + i * cell, 5 + (k + 1) * cell, 5 + (i + 1) * cell))
        for i, k in np.argwhere(~filled).tolist():
            if chance(rng, 0.3):
                canvas.write(5.6 + k * cell, 7.2 + i * cell, str(whole(rng, 1, 99)), 2.0, face="times")
            if chance(rng, 0.4):
                canvas.write(5 + (k + 0.5) * cell, 5 + (i + 0.6) * cell, chr(65 + whole(rng, 0, 25)), 0.6 * cell, (0.2, 0.2, 0.5), anchor="mm")
        canvas.grid((5, 5, 5 + columns * cell, 5 + rows * cell), BLACK, 0.3, cell)
    elif look == "questions":
        y, options = 14.0, whole(rng, 2, 7)
        while y < high - 10:
            canvas.write(8, y, words(rng, 5, "test").capitalize()[:38] + "?", 3.0, face="times")
            for k in range(options):
                x, ticked = 0.6 * wide + k * (0.36 * wide / options), chance(rng, 0.2)
                canvas.frame((x, y - 3, x + 3.5, y + 0.5), BLACK, 0.25)
                if ticked:
                    canvas.curve([(x + 0.5, y - 1), (x + 1.5, y), (x + 4, y - 4)], (0.1, 0.1, 0.6), 0.5)
            y += between(rng, 7, 9)
    else:
        canvas.write(wide - 10, 16, words(rng, 1, "test").upper(), 8, vivid(rng), anchor="rs", bold=True, face="times")
        paragraph(canvas, rng, (10, 14, 80, 40), 2.8, face="times", variant="test", lines=5)
        y = 50.0
        while y < high - 25:
            canvas.write(10, y, words(rng, 3, "test")[:30], 3, face="times")
            canvas.write(wide - 10, y, f"{between(rng, 10, 9999):,.2f}", 3, anchor="rs", face="times")
            canvas.lines((10, 0, wide - 10, high), (0.7, 0.7, 0.7), 0.15, y_mm=[y + 2])
            y += 7
        canvas.frame((wide - 70, y, wide - 8, y + 10), BLACK, 0.4)
