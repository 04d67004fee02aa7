"""Pages of text.

Training: headings and paragraphs in one or two columns. Test: letters, receipts, newspapers and listings in other
fonts.
"""

from __future__ import annotations

import numpy as np

from heartprint.foundation.fonts import Face
from heartprint.lookalikes.canvas import Box, Canvas
from heartprint.lookalikes.choices import (
    between,
    chance,
    dark,
    light,
    one_of,
    vivid,
    whole,
    words,
)
from heartprint.lookalikes.papers import scrawl
from heartprint.sheets.style import BLACK, Colour


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
        canvas.write(
            outer[0], outer[1] + 3, words(rng, whole(rng, 2, 5)).title(), 1.7 * size, ink, bold=True, face=face
        )
    for k in range(columns):
        x, y = outer[0] + k * (wide + gap), outer[1] + 2.5 * size
        while y < outer[3] - size:
            if chance(rng, 0.3):
                canvas.write(x, y + size, words(rng, 3).title(), 1.2 * size, ink, bold=True, face=face)
                y += 1.6 * size
            box = (x, y, x + wide, outer[3])
            y = paragraph(canvas, rng, box, size, ink, face=face, lines=whole(rng, 2, 9)) + 0.8 * size
    if chance(rng, 0.6):
        canvas.write(
            canvas.width_mm / 2, canvas.height_mm - 3, str(whole(rng, 1, 400)), size, ink, anchor="ms", face=face
        )


def text_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """A letter, a receipt, a newspaper or a listing."""
    canvas.fill(light(rng, 0.85))
    one_of(rng, (_letter, _receipt, _newspaper, _listing))(canvas, rng)


def _letter(canvas: Canvas, rng: np.random.Generator) -> None:
    size, ink = between(rng, 2.8, 3.8), dark(rng, 0.3)
    face: Face = one_of(rng, ("mono", "times"))
    x, wide = 18.0, canvas.width_mm
    canvas.write(wide - 15, 16, words(rng, 2, "test").upper(), 5.5, vivid(rng), bold=True, anchor="rs", face=face)
    y = paragraph(canvas, rng, (x, 22, wide / 2, 60), size, ink, face=face, variant="test", lines=4)
    canvas.write(
        wide - 15,
        y,
        f"{whole(rng, 1, 28)} {words(rng, 1, 'test')} 20{whole(rng, 10, 26)}",
        size,
        ink,
        anchor="rs",
        face=face,
    )
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
            y = (
                paragraph(canvas, rng, box, size, face="times", variant="test", lines=whole(rng, 4, 25), ragged=False)
                + 1
            )


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
