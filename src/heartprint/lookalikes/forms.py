"""Calendars and forms.

Training: months, and forms with boxes to fill in. Test: planners of weeks, crosswords, questionnaires and invoices.
"""

from __future__ import annotations

import numpy as np

from heartprint.lookalikes.canvas import Box, Canvas
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
from heartprint.lookalikes.papers import scrawl
from heartprint.lookalikes.texts import paragraph
from heartprint.sheets.style import BLACK, WHITE, Colour


def form_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Months, or forms with boxes to fill in."""
    canvas.fill(light(rng, 0.93))
    if chance(rng, 0.5):
        months = one_of(rng, ((1, 1), (2, 2), (3, 4), (4, 3)))
        px, py = canvas.width_mm / months[0], canvas.height_mm / months[1]
        colour = vivid(rng)
        for k in range(months[0] * months[1]):
            box = (
                k % months[0] * px + 3,
                k // months[0] * py + 3,
                (k % months[0] + 1) * px - 3,
                (k // months[0] + 1) * py - 3,
            )
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
        canvas.write(
            box[0] + (column + 0.5) * px,
            box[1] + (2.7 + row) * py,
            str(d + 1),
            size,
            colour if column == 6 else BLACK,
            anchor="ms",
        )
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
            canvas.write(
                (box[0] + box[2]) / 2, 10, words(rng, 1, "test")[:5].upper(), 3.4, colour, anchor="ms", face="times"
            )
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
                canvas.write(
                    5 + (k + 0.5) * cell,
                    5 + (i + 0.6) * cell,
                    chr(65 + whole(rng, 0, 25)),
                    0.6 * cell,
                    (0.2, 0.2, 0.5),
                    anchor="mm",
                )
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
