"""Charts.

Training: lines, bars, points and areas about axes with ticks, a legend and a title.
Test: candles, boxes, heat maps, histograms, cakes, radar, sound waves and panels of small charts, in other fonts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from heartprint.lookalikes.canvas import Box, Canvas
from heartprint.lookalikes.choices import (
    between,
    chance,
    light,
    mixed,
    one_of,
    vivid,
    whole,
    words,
)
from heartprint.lookalikes.waves import coloured_noise, envelope, walk
from heartprint.sheets.style import BLACK, WHITE, Colour

Chart = Callable[[Canvas, np.random.Generator, Box], None]


def chart_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """One or two charts about axes."""
    canvas.fill(light(rng, 0.93))
    outer, count = canvas.inner(6.0), one_of(rng, (1, 1, 1, 2))
    wide = (outer[2] - outer[0]) / count
    for k in range(count):
        box = (outer[0] + k * wide + 14, outer[1] + 9, outer[0] + (k + 1) * wide - 4, outer[3] - 10)
        _axes(canvas, rng, box)
        one_of(rng, (_lines, _lines, _bars, _points, _area))(canvas, rng, box)


def _axes(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    nx, ny = whole(rng, 3, 11), whole(rng, 3, 9)
    if chance(rng, 0.2):
        canvas.fill((0.92, 0.92, 0.95), box)
    if chance(rng, 0.6):
        pale: Colour = (0.82, 0.82, 0.82) if chance(rng, 0.7) else (0.95, 0.8, 0.8)
        canvas.lines(
            box, pale, 0.15, x_mm=np.linspace(box[0], box[2], nx + 1), y_mm=np.linspace(box[1], box[3], ny + 1)
        )
    if chance(rng, 0.5):
        canvas.frame(box, BLACK, 0.25)
    else:
        canvas.curve([(box[0], box[1]), (box[0], box[3]), (box[2], box[3])], BLACK, 0.25)
    step = 10.0 ** whole(rng, -2, 3) * one_of(rng, (1, 2, 5))
    for k in range(nx + 1):
        x = box[0] + k * (box[2] - box[0]) / nx
        canvas.curve([(x, box[3]), (x, box[3] + 1.2)], BLACK, 0.2)
        canvas.write(x, box[3] + 4.5, f"{k * step:g}", 2.6, anchor="ms")
    for k in range(ny + 1):
        y = box[3] - k * (box[3] - box[1]) / ny
        canvas.curve([(box[0], y), (box[0] - 1.2, y)], BLACK, 0.2)
        canvas.write(box[0] - 2, y, f"{k * step / 4:g}", 2.6, anchor="rm")
    canvas.write((box[0] + box[2]) / 2, box[1] - 3, words(rng, 3).title(), 3.8, anchor="ms", bold=chance(rng, 0.5))
    canvas.write((box[0] + box[2]) / 2, box[3] + 8.5, words(rng, 2), 3.0, anchor="ms")


def _lines(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    high, count = box[3] - box[1], whole(rng, 1, 6)
    for k in range(count):
        n = whole(rng, 8, 400)
        y = (
            np.cumsum(rng.standard_normal(n))
            if chance(rng, 0.6)
            else np.sin(np.linspace(0, between(rng, 2, 40), n)) + 0.3 * rng.standard_normal(n)
        )
        y = (y - y.min()) / np.ptp(y)
        y = box[3] - high * (between(rng, 0.02, 0.4) + between(rng, 0.2, 0.55) * y)
        points, colour = np.column_stack([np.linspace(box[0], box[2], n), y]), vivid(rng)
        canvas.curve(points, colour, between(rng, 0.25, 0.7))
        if n < 40 and chance(rng, 0.6):
            for x, v in points.tolist():
                canvas.disc(x, v, 0.8, colour)
        canvas.curve([(box[2] - 30, box[1] + 4 + 4 * k), (box[2] - 24, box[1] + 4 + 4 * k)], colour, 0.5)
        canvas.write(box[2] - 22, box[1] + 5 + 4 * k, words(rng, 1)[:10], 2.6)


def _bars(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    n, groups, high = whole(rng, 3, 24), one_of(rng, (1, 1, 2, 3)), box[3] - box[1]
    colours, each = [vivid(rng) for _ in range(groups)], (box[2] - box[0]) / n
    for k in range(n):
        for g in range(groups):
            x = box[0] + (k + 0.1 + 0.8 * g / groups) * each
            top = box[3] - between(rng, 0.05, 0.95) * high
            canvas.fill(colours[g], (x, top, x + 0.8 * each / groups, box[3]))
            if groups == 1 and chance(rng, 0.5):
                canvas.curve([(x + 0.4 * each, top - 3), (x + 0.4 * each, top + 3)], BLACK, 0.25)


def _points(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    for _ in range(whole(rng, 1, 4)):
        n, colour, lean = whole(rng, 15, 250), vivid(rng), between(rng, -0.8, 0.8)
        u = np.clip(between(rng, 0.3, 0.7) + 0.16 * rng.standard_normal((n, 2)), 0.01, 0.99)
        v = np.clip(u[:, 1] + lean * (u[:, 0] - 0.5), 0.01, 0.99)
        for x, y in zip(box[0] + u[:, 0] * (box[2] - box[0]), box[3] - v * (box[3] - box[1]), strict=True):
            canvas.disc(float(x), float(y), 0.9, colour)


def _area(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    n, layers = 60, whole(rng, 2, 5)
    x, parts = np.linspace(box[0], box[2], n), np.abs(np.stack([walk(rng, n, 20) + 1.5 for _ in range(layers)]))
    tops = np.cumsum(parts, axis=0) / parts.sum(axis=0).max()
    for k in range(layers - 1, -1, -1):
        y = box[3] - 0.95 * tops[k] * (box[3] - box[1])
        canvas.polygon(np.column_stack([np.r_[x, x[::-1]], np.r_[y, np.full(n, box[3])]]), vivid(rng))


def chart_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """One chart or panels of them."""
    night = chance(rng, 0.15)
    canvas.fill((0.08, 0.09, 0.12) if night else light(rng, 0.88))
    kinds: tuple[Chart, ...] = (_candles, _boxes, _heat, _histogram, _cake, _radar, _sound, _contours)
    rows, columns = one_of(rng, ((1, 1), (1, 1), (2, 2), (3, 2), (4, 1)))
    outer = canvas.inner(5.0, top=6)
    wide, high = (outer[2] - outer[0]) / columns, (outer[3] - outer[1]) / rows
    same = one_of(rng, kinds) if chance(rng, 0.5) else None
    text: Colour = WHITE if night else BLACK
    for i in range(rows):
        for k in range(columns):
            box = (
                outer[0] + k * wide + 8,
                outer[1] + i * high + 5,
                outer[0] + (k + 1) * wide - 3,
                outer[1] + (i + 1) * high - 6,
            )
            if box[3] - box[1] < 8:
                continue
            (same or one_of(rng, kinds))(canvas, rng, box)
            canvas.write(
                box[0],
                box[1] - 1.2,
                f"({chr(97 + i * columns + k)}) {words(rng, 2, 'test')}",
                3.0,
                text,
                face="times",
            )
            for share in (0.0, 0.5, 1.0):
                canvas.write(
                    box[0] + share * (box[2] - box[0]),
                    box[3] + 4,
                    f"{share * whole(rng, 1, 9):.1f}",
                    2.4,
                    text,
                    face="times",
                    anchor="ms",
                )
                canvas.write(
                    box[0] - 1,
                    box[3] - share * (box[3] - box[1]),
                    f"{share:.1f}",
                    2.4,
                    text,
                    face="times",
                    anchor="rm",
                )


def _candles(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    n = whole(rng, 30, 110)
    close = np.cumsum(rng.standard_normal(n + 1))
    low, span = close.min() - 1, np.ptp(close) + 2
    each, up, down = (box[2] - box[0]) / n, vivid(rng), vivid(rng)

    def y(value: float) -> float:
        return float(box[3] - (value - low) / span * (box[3] - box[1]))

    canvas.lines(box, (0.75, 0.75, 0.78), 0.12, y_mm=np.linspace(box[1], box[3], 8))
    for k in range(n):
        a, b, x = float(close[k]), float(close[k + 1]), box[0] + (k + 0.5) * each
        colour = up if b > a else down
        canvas.curve([(x, y(max(a, b) + between(rng, 0, 1))), (x, y(min(a, b) - between(rng, 0, 1)))], colour, 0.2)
        canvas.fill(colour, (x - 0.35 * each, y(max(a, b)), x + 0.35 * each, y(min(a, b)) + 0.2))


def _boxes(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    n = whole(rng, 3, 16)
    each, high = (box[2] - box[0]) / n, box[3] - box[1]
    canvas.curve([(box[0], box[1]), (box[0], box[3]), (box[2], box[3])], (0.4, 0.4, 0.4), 0.3)
    for k in range(n):
        q = box[3] - high * np.sort(rng.uniform(0.05, 0.95, 5))
        x, w = box[0] + (k + 0.5) * each, 0.3 * each
        canvas.curve([(x, q[0]), (x, q[4])], BLACK, 0.2)
        canvas.fill(mixed(vivid(rng), WHITE, 0.4), (x - w, q[3], x + w, q[1]))
        canvas.frame((x - w, q[3], x + w, q[1]), BLACK, 0.2)
        canvas.curve([(x - w, q[2]), (x + w, q[2])], (0.8, 0.1, 0.1), 0.4)


def _heat(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    rows, columns = whole(rng, 4, 30), whole(rng, 4, 40)
    u = np.clip(0.5 + 0.35 * rng.standard_normal((rows, columns)) + np.linspace(-0.3, 0.3, columns), 0, 1)[:, :, None]
    a, b, c = (np.array(vivid(rng)) * 255 for _ in range(3))
    canvas.texture(np.where(u < 0.5, a + (b - a) * 2 * u, b + (c - b) * (2 * u - 1)), box)


def _histogram(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    n = whole(rng, 10, 70)
    u = np.linspace(-3, 3, n)
    bell = np.exp(-((u - between(rng, -1, 1)) ** 2)) + between(rng, 0, 0.8) * np.exp(-((u - 1.5) ** 2) * 4)
    y = box[3] - (box[3] - box[1]) * 0.9 * bell / bell.max()
    colour, x = vivid(rng), np.linspace(box[0], box[2], n + 1)
    for k in range(n):
        canvas.fill(colour, (x[k], y[k] + between(rng, 0, 3), x[k + 1], box[3]))
        canvas.curve([(x[k], box[3]), (x[k], y[k])], WHITE, 0.15)
    canvas.curve(np.column_stack([(x[1:] + x[:-1]) / 2, y]), BLACK, 0.35)


def _cake(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    x, y, r = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 0.45 * min(box[2] - box[0], box[3] - box[1])
    edges = np.cumsum(rng.dirichlet(np.full(whole(rng, 3, 9), 2.0))) * 2 * np.pi
    last = 0.0
    for edge in edges.tolist():
        a = np.linspace(last, edge, 30)
        canvas.polygon(np.column_stack([np.r_[x, x + r * np.cos(a)], np.r_[y, y + r * np.sin(a)]]), vivid(rng))
        last = edge
    if chance(rng, 0.4):
        canvas.disc(x, y, 0.5 * r, WHITE)


def _radar(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    x, y, r = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 0.45 * min(box[2] - box[0], box[3] - box[1])
    n = whole(rng, 5, 11)
    a = 2 * np.pi * np.arange(n) / n
    corners = np.column_stack([np.cos(a), np.sin(a)])
    for share in (0.25, 0.5, 0.75, 1.0):
        canvas.curve([x, y] + share * r * corners, (0.7, 0.7, 0.7), 0.15, closed=True)
    for corner in corners:
        canvas.curve(np.stack([np.array([x, y]), [x, y] + r * corner]), (0.7, 0.7, 0.7), 0.15)
    for _ in range(whole(rng, 1, 3)):
        canvas.curve([x, y] + r * rng.uniform(0.2, 1, (n, 1)) * corners, vivid(rng), 0.5, closed=True)


def _sound(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    n, colour = 2500, vivid(rng)
    wave = coloured_noise(rng, n, 1000, between(rng, 0, 1), 5) * (0.05 + envelope(rng, n, 1000, 4, 0.3))
    canvas.trace(box, 0.22 * (box[3] - box[1]) * wave / wave.std(), colour, 0.15)


def _contours(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    x, y = np.meshgrid(np.linspace(-2, 2, 90), np.linspace(-2, 2, 70))
    z = sum(
        between(rng, -1, 1) * np.exp(-((x - between(rng, -2, 2)) ** 2) - (y - between(rng, -2, 2)) ** 2)
        for _ in range(6)
    )
    u = np.floor((np.asarray(z) - np.min(z)) / np.ptp(z) * whole(rng, 5, 12))
    u = (u / u.max())[:, :, None]
    canvas.texture(255 * (np.array(vivid(rng)) * u + (1 - u) * np.array(mixed(vivid(rng), WHITE, 0.5))), box)
