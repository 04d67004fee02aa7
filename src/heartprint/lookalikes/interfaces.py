"""Pictures of screens.

Training: windows of a desktop with title, menus, side bar, buttons and text.
Test: telephones with chats and lists, terminals, tiles of numbers, pages of the web, a dialogue, a video.
"""

from __future__ import annotations

import numpy as np

from heartprint.lookalikes.canvas import Box, Canvas
from heartprint.lookalikes.choices import (
    between,
    chance,
    mixed,
    one_of,
    vivid,
    whole,
    words,
)
from heartprint.lookalikes.texts import paragraph
from heartprint.lookalikes.textures import clouds
from heartprint.lookalikes.waves import walk
from heartprint.sheets.style import BLACK, WHITE, Colour


def interface_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """One to four windows on a desktop."""
    a, b = np.array(vivid(rng)), np.array(vivid(rng))
    canvas.texture(255 * (a + (b - a) * np.linspace(0, 1, 60)[:, None, None] * np.ones((1, 2, 1))))
    wide, high = canvas.width_mm, canvas.height_mm
    for k in range(whole(rng, 1, 4)):
        w, h = (between(rng, 0.5, 1.0) * v for v in (wide, high))
        x, y = between(rng, 0, wide - w), between(rng, 0, high - h)
        _window(canvas, rng, (x, y, x + w, y + h) if k or chance(rng, 0.6) else canvas.box)
    if chance(rng, 0.7):
        canvas.fill((0.15, 0.16, 0.2), (0, high - 8, wide, high))
        for k in range(whole(rng, 3, 12)):
            canvas.fill(vivid(rng), (4 + 8 * k, high - 7, 10 + 8 * k, high - 1))


def _window(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    night = chance(rng, 0.2)
    back: Colour = (0.16, 0.17, 0.2) if night else (between(rng, 0.92, 1),) * 3
    ink: Colour = (0.85, 0.86, 0.88) if night else (0.1, 0.1, 0.1)
    bar = vivid(rng) if chance(rng, 0.4) else mixed(back, BLACK, 0.12)
    x0, y0, x1, y1 = box
    canvas.fill(mixed(back, BLACK, 0.5), (x0 - 0.6, y0 - 0.6, x1 + 1.2, y1 + 1.2))
    canvas.fill(back, box)
    canvas.fill(bar, (x0, y0, x1, y0 + 8))
    canvas.write(x0 + 12, y0 + 5.5, words(rng, 2).title(), 3.2, ink)
    for k, colour in enumerate(((0.9, 0.3, 0.3), (0.9, 0.75, 0.2), (0.3, 0.75, 0.3))):
        canvas.disc(x0 + 3 + 3 * k, y0 + 4, 1.0, colour)
    for k in range(whole(rng, 3, 8)):
        canvas.write(x0 + 3 + 14 * k, y0 + 12.5, words(rng, 1)[:6].title(), 2.8, ink)
    side = between(rng, 20, 45) if chance(rng, 0.7) and x1 - x0 > 90 else 0.0
    canvas.fill(mixed(back, BLACK, 0.07), (x0, y0 + 15, x0 + side, y1))
    if side:
        for y in np.arange(y0 + 21, y1 - 3, between(rng, 5, 8)):
            canvas.fill(mixed(vivid(rng), back, 0.4), (x0 + 2, y - 2.5, x0 + 5, y + 0.5))
            canvas.write(x0 + 6.5, float(y), words(rng, 1)[: int(side / 2.5)], 2.7, ink)
    body = (x0 + side + 4, y0 + 18, x1 - 4, y1 - 4)
    y = body[1]
    while y < body[3] - 6:
        kind = one_of(rng, ("text", "buttons", "field", "panel", "list"))
        if kind == "text":
            y = paragraph(canvas, rng, (body[0], y, body[2], body[3]), 2.8, ink, lines=whole(rng, 1, 5)) + 2
        elif kind == "buttons":
            for k in range(whole(rng, 1, max(1, int((body[2] - body[0]) / 28)))):
                part = (body[0] + 26 * k, y, body[0] + 26 * k + 22, y + 6)
                canvas.fill(vivid(rng) if k == 0 else mixed(back, BLACK, 0.15), part)
                canvas.write(
                    part[0] + 11, y + 4.2, words(rng, 1)[:8].title(), 2.7, WHITE if k == 0 else ink, anchor="ms"
                )
            y += 9
        elif kind == "field":
            canvas.write(body[0], y + 4, words(rng, 1)[:10], 2.8, ink)
            canvas.frame((body[0] + 28, y, body[2] - 5, y + 6), mixed(back, BLACK, 0.4), 0.25)
            y += 8
        elif kind == "panel":
            high = min(between(rng, 15, 50), body[3] - y)
            part = (body[0], y, body[0] + between(rng, 0.3, 1) * (body[2] - body[0]), y + high)
            canvas.texture(clouds(rng, 30, 40)[:, :, None] * (0.4 + 0.6 * np.array(vivid(rng))), part)
            y += high + 3
        else:
            for _ in range(whole(rng, 2, 10)):
                if y < body[3] - 5:
                    canvas.write(body[0], y + 4, words(rng, 2)[:24], 2.7, ink)
                    canvas.write(body[2], y + 4, str(whole(rng, 1, 99999)), 2.7, ink, anchor="rs")
                    canvas.lines(body, mixed(back, BLACK, 0.12), 0.15, y_mm=[y + 5.5])
                    y += 6


def interface_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """A telephone, a terminal, tiles, a page of the web, or a video."""
    one_of(rng, (_chat, _terminal, _tiles, _web, _video))(canvas, rng)


def _chat(canvas: Canvas, rng: np.random.Generator) -> None:
    night = chance(rng, 0.4)
    canvas.fill((0.07, 0.09, 0.11) if night else (0.92, 0.9, 0.86))
    wide, y, head = canvas.width_mm, 22.0, vivid(rng)
    canvas.fill(head, (0, 0, wide, 16))
    canvas.write(4, 4, f"{whole(rng, 0, 23)}:{whole(rng, 10, 59)}", 2.6, WHITE)
    canvas.disc(12, 10.5, 4, mixed(head, WHITE, 0.6))
    canvas.write(20, 12, words(rng, 2, "test").title(), 4, WHITE)
    while y < canvas.height_mm - 20:
        w, lines, mine = between(rng, 0.3, 0.75) * wide, whole(rng, 1, 5), chance(rng, 0.5)
        x, high = (wide - w - 4 if mine else 4.0), 4 + 5 * lines
        canvas.fill((0.75, 0.92, 0.7) if mine else (0.2, 0.22, 0.25) if night else WHITE, (x, y, x + w, y + high))
        ink = BLACK if mine or not night else WHITE
        paragraph(canvas, rng, (x + 2, y + 1, x + w - 2, y + high), 3.2, ink, variant="test", lines=lines, pitch=1.5)
        y += high + 3
    canvas.fill(WHITE, (3, canvas.height_mm - 12, wide - 3, canvas.height_mm - 3))


def _terminal(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.fill(one_of(rng, ((0, 0, 0), (0.0, 0.17, 0.21), (0.18, 0.04, 0.14))))
    ink: Colour = one_of(rng, ((0.2, 0.9, 0.3), (0.85, 0.85, 0.85), (0.95, 0.75, 0.3)))
    size = between(rng, 2.6, 4.5)
    for y in np.arange(6, canvas.height_mm - 2, 1.4 * size):
        if chance(rng, 0.25):
            canvas.write(
                3,
                float(y),
                f"user@{words(rng, 1, 'test')[:6]}:~$ {words(rng, 2, 'test')}",
                size,
                (0.4, 0.7, 1),
                face="mono",
            )
        elif chance(rng, 0.85):
            text = f"{whole(rng, 0, 99999):>6} {words(rng, whole(rng, 1, 6), 'test')} {between(rng, 0, 1):.4f}"
            canvas.write(3, float(y), text, size, ink, face="mono")


def _tiles(canvas: Canvas, rng: np.random.Generator) -> None:
    night = chance(rng, 0.5)
    canvas.fill((0.09, 0.1, 0.15) if night else (0.93, 0.94, 0.96))
    rows, columns = whole(rng, 2, 4), whole(rng, 2, 4)
    wide, high = canvas.width_mm / columns, (canvas.height_mm - 12) / rows
    ink: Colour = WHITE if night else (0.15, 0.15, 0.2)
    canvas.write(4, 8.5, words(rng, 2, "test").title(), 5, ink, bold=True)
    for i in range(rows * columns):
        x, y = i % columns * wide, 12 + i // columns * high
        box = (x + 2, y + 2, x + wide - 2, y + high - 2)
        canvas.fill((0.15, 0.17, 0.24) if night else WHITE, box)
        canvas.write(box[0] + 2, box[1] + 5, words(rng, 1, "test")[:12].title(), 3, ink)
        colour = vivid(rng)
        if chance(rng, 0.4):
            canvas.write(
                (box[0] + box[2]) / 2,
                (box[1] + box[3]) / 2 + 2,
                f"{between(rng, 0, 100):.1f}%",
                min(12, 0.3 * high),
                colour,
                anchor="mm",
                bold=True,
            )
        else:
            wave = walk(rng, 80, 15)
            canvas.trace((box[0] + 2, box[1] + 7, box[2] - 2, box[3] - 2), 0.15 * (high - 12) * wave, colour, 0.5)


def _web(canvas: Canvas, rng: np.random.Generator) -> None:
    wide, high = canvas.width_mm, canvas.height_mm
    accent = vivid(rng)
    canvas.fill((0.87, 0.88, 0.9), (0, 0, wide, 9))
    canvas.fill(WHITE, (20, 2, wide - 20, 7.5))
    canvas.write(24, 5.8, f"https://www.{words(rng, 1, 'test')}.example/{words(rng, 1, 'test')}", 2.8, (0.3, 0.3, 0.3))
    canvas.texture(clouds(rng, 40, 60)[:, :, None] * np.array(mixed(accent, WHITE, 0.3)), (0, 9, wide, 9 + 0.25 * high))
    canvas.write(wide / 2, 9 + 0.14 * high, words(rng, 3, "test").title(), 7, WHITE, anchor="ms", bold=True)
    y, columns = 14 + 0.25 * high, whole(rng, 1, 4)
    each = (wide - 12) / columns
    while y < high - 12:
        for k in range(columns):
            x, picture = 6 + k * each, between(rng, 12, 30)
            canvas.texture(
                clouds(rng, 20, 30)[:, :, None] * np.array(mixed(vivid(rng), WHITE, 0.4)),
                (x, y, x + each - 4, y + picture),
            )
            canvas.write(x, y + picture + 5, words(rng, 2, "test").title()[: int(each / 2.4)], 3.6, accent, bold=True)
            paragraph(
                canvas, rng, (x, y + picture + 6, x + each - 4, high), 2.7, (0.3, 0.3, 0.3), variant="test", lines=4
            )
        y += 62


def _video(canvas: Canvas, rng: np.random.Generator) -> None:
    wide, high = canvas.width_mm, canvas.height_mm
    field = clouds(rng, whole(rng, 40, 200), whole(rng, 60, 300))
    canvas.texture(field[:, :, None] * np.array(vivid(rng)) * 0.9)
    canvas.fill((0.1, 0.1, 0.1), (0, high - 12, wide, high))
    canvas.fill((0.9, 0.1, 0.1), (5, high - 10, 5 + between(rng, 0.1, 0.9) * (wide - 10), high - 9))
    canvas.polygon([(6, high - 7), (6, high - 2), (10, high - 4.5)], WHITE)
    canvas.write(14, high - 3, f"{whole(rng, 0, 9)}:{whole(rng, 10, 59)} / {whole(rng, 10, 59)}:00", 3, WHITE)
    canvas.write(wide / 2, high - 16, words(rng, 5, "test").capitalize(), 5, WHITE, anchor="ms")
