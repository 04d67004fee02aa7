"""Sheets of music.

Training: single staves with clef, bars and notes. Test: tablature, grand staves with beams, and piano rolls.
"""

from __future__ import annotations

import numpy as np

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
)
from heartprint.sheets.style import WHITE, Colour


def music_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Single staves with clef, bars and notes."""
    canvas.fill(light(rng, 0.92))
    space, ink = between(rng, 1.3, 2.4), dark(rng, 0.2)
    for y in np.arange(between(rng, 10, 25), canvas.height_mm - 6 * space, between(rng, 9, 14) * space):
        box = (8.0, float(y), canvas.width_mm - 8, float(y) + 4 * space)
        canvas.lines((box[0], y - 1, box[2], box[3] + 1), ink, 0.18, y_mm=y + space * np.arange(5))
        a = np.linspace(-0.5 * np.pi, 2.6 * np.pi, 60)
        r = np.linspace(0.4, 1.6, 60) * space
        canvas.curve(np.column_stack([13 + r * np.cos(a), y + 2.5 * space + r * np.sin(a) * 1.4]), ink, 0.4)
        x = 20.0
        while x < box[2] - 3:
            if chance(rng, 0.15):
                canvas.curve([(x, box[1]), (x, box[3])], ink, 0.25)
            else:
                _note(canvas, rng, x, y + space * whole(rng, -1, 9) / 2, space, ink)
            x += between(rng, 3.5, 9)


def _note(canvas: Canvas, rng: np.random.Generator, x: float, y: float, space: float, ink: Colour) -> None:
    a = np.linspace(0, 2 * np.pi, 24)
    head = np.column_stack([x + 0.62 * space * np.cos(a) + 0.15 * space * np.sin(a), y + 0.42 * space * np.sin(a)])
    if chance(rng, 0.75):
        canvas.polygon(head, ink)
    else:
        canvas.curve(head, ink, 0.3, closed=True)
    up = -3.3 if chance(rng, 0.6) else 3.3
    side = 0.6 * space * (1 if up < 0 else -1)
    canvas.curve([(x + side, y), (x + side, y + up * space)], ink, 0.2)
    if chance(rng, 0.3):
        canvas.curve(
            [(x + side, y + up * space), (x + side + space, y + (up + 1.2 * (1 if up < 0 else -1)) * space)], ink, 0.4
        )


def music_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """Tablature, grand staves with beams, or a piano roll."""
    canvas.fill(light(rng, 0.86))
    look, ink = one_of(rng, ("tab", "grand", "roll")), dark(rng, 0.3)
    wide, high = canvas.width_mm, canvas.height_mm
    if look == "tab":
        space = between(rng, 2.2, 3.4)
        for y in np.arange(14, high - 6 * space, 11 * space):
            canvas.lines((8, y - 1, wide - 8, y + 5 * space + 1), (0.5, 0.5, 0.5), 0.15, y_mm=y + space * np.arange(6))
            for x in np.arange(16, wide - 10, between(rng, 5, 9)):
                for row in rng.choice(6, whole(rng, 0, 3), replace=False).tolist():
                    at = float(y) + row * space
                    canvas.fill(WHITE, (x - 1, at - 0.9, x + 1, at + 0.9))
                    canvas.write(float(x), at, str(whole(rng, 0, 12)), 0.9 * space, ink, anchor="mm", face="mono")
    elif look == "grand":
        space = between(rng, 1.4, 2.0)
        for y in np.arange(14, high - 16 * space, 20 * space):
            for shift in (0, 9 * space):
                canvas.lines(
                    (12, y + shift - 1, wide - 6, y + shift + 4 * space + 1),
                    ink,
                    0.2,
                    y_mm=y + shift + space * np.arange(5),
                )
                x = 22.0
                while x < wide - 12:
                    n, step, level = whole(rng, 2, 4), between(rng, 3, 5), y + shift - 2.5 * space
                    xs = x + step * np.arange(n)
                    for nx in xs.tolist():
                        ny = y + shift + space * whole(rng, 0, 8) / 2
                        canvas.disc(nx, ny, 0.48 * space, ink)
                        canvas.curve([(nx + 0.4 * space, ny), (nx + 0.4 * space, level)], ink, 0.2)
                    canvas.curve([(xs[0] + 0.4 * space, level), (xs[-1] + 0.4 * space, level)], ink, 0.9)
                    x = float(xs[-1]) + between(rng, 4, 9)
            canvas.lines((12, y, wide - 6, y + 13 * space), ink, 0.25, x_mm=np.linspace(12, wide - 6, whole(rng, 3, 6)))
    else:
        pitch = between(rng, 2.0, 4.0)
        canvas.grid(canvas.box, (0.8, 0.8, 0.84), 0.12, between(rng, 6, 14), pitch_y_mm=pitch)
        colour = vivid(rng)
        for _ in range(whole(rng, 40, 200)):
            x, row = between(rng, 6, wide), whole(rng, 0, int(high / pitch))
            canvas.fill(
                mixed(colour, WHITE, between(rng, 0, 0.5)),
                (x, row * pitch, x + between(rng, 2, 20), (row + 0.9) * pitch),
            )
