"""Line drawings.

Training: street maps and contour lines. Test: floor plans, circuits, flow charts and parts with dimensions, also white
on blue, with a plotter's letters.
"""

from __future__ import annotations

import cv2
import numpy as np

from heartprint.foundation.arrays import Float64Array
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
from heartprint.lookalikes.textures import clouds
from heartprint.sheets.style import WHITE, Colour


def drawing_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Streets, or hills."""
    canvas.fill(light(rng, 0.88))
    if chance(rng, 0.5):
        _streets(canvas, rng)
    else:
        _hills(canvas, rng)


def _streets(canvas: Canvas, rng: np.random.Generator) -> None:
    reach, outline = canvas.width_mm + canvas.height_mm, (0.6, 0.6, 0.6)
    middle = np.array([canvas.width_mm / 2, canvas.height_mm / 2])
    for _ in range(whole(rng, 2, 8)):
        at, radius = rng.random(2) * (canvas.width_mm, canvas.height_mm), between(rng, 8, 40)
        a = np.sort(rng.uniform(0, 2 * np.pi, 7))
        canvas.polygon(
            at + radius * np.column_stack([np.cos(a), np.sin(a)]), one_of(rng, ((0.75, 0.9, 0.7), (0.7, 0.85, 0.95)))
        )
    angle, streets = between(rng, 0, np.pi), []
    for base in (angle, angle + np.pi / 2):
        for offset in np.cumsum(rng.uniform(8, 30, 24)) - reach / 2:
            lean = base + 0.12 * rng.standard_normal()
            along, out = np.array([np.cos(lean), np.sin(lean)]), np.array([-np.sin(lean), np.cos(lean)])
            t = np.linspace(-reach, reach, 60)[:, None]
            bend = between(rng, -6, 6) * np.sin(t / between(rng, 20, 60))
            streets.append((middle + offset * out + t * along + bend * out, one_of(rng, (1.2, 1.2, 2.0, 3.2))))
    for points, pen in streets:
        canvas.curve(points, outline, pen + 0.5)
    for points, pen in streets:
        canvas.curve(points, (1.0, 0.9, 0.6) if pen > 3 else WHITE, pen)
    for x, y in rng.random((whole(rng, 5, 25), 2)) * (canvas.width_mm, canvas.height_mm):
        canvas.write(x, y, words(rng, 1).title(), between(rng, 2.2, 3.6), (0.25, 0.25, 0.3))


def _hills(canvas: Canvas, rng: np.random.Generator) -> None:
    height, width = 120, round(120 * canvas.width_mm / canvas.height_mm)
    field = clouds(rng, height, width)
    field = np.asarray(cv2.GaussianBlur(field, (0, 0), 5.0))
    field = 255 * (field - field.min()) / np.ptp(field)
    ink, step = one_of(rng, ((0.7, 0.45, 0.25), (0.35, 0.35, 0.35), (0.3, 0.5, 0.3))), between(rng, 7, 25)
    for k, level in enumerate(np.arange(step, 255, step)):
        found, _ = cv2.findContours((field > level).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        for contour in found:
            points = contour[:, 0, :].astype(np.float64)
            if len(points) > 12:
                soft = np.stack(
                    [np.convolve(np.pad(points[:, c], 4, mode="wrap"), np.ones(9) / 9, mode="valid") for c in (0, 1)],
                    axis=1,
                )
                canvas.curve((soft + 0.5) * canvas.height_mm / height, ink, 0.4 if k % 5 == 0 else 0.18, closed=True)
    for x, y in rng.random((whole(rng, 3, 15), 2)) * (canvas.width_mm, canvas.height_mm):
        canvas.write(x, y, str(whole(rng, 120, 3000)), 2.4, ink)


def drawing_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """A floor plan, a circuit, a flow chart or a part with its dimensions, black on white or white on blue."""
    blue = chance(rng, 0.4)
    canvas.fill((0.1, 0.25, 0.55) if blue else light(rng, 0.86))
    ink: Colour = (0.9, 0.95, 1.0) if blue else dark(rng, 0.4)
    if chance(rng, 0.3):
        canvas.grid(canvas.box, mixed(ink, (0.1, 0.25, 0.55) if blue else WHITE, 0.75), 0.12, between(rng, 5, 12))
    one_of(rng, (_plan, _circuit, _flow, _part))(canvas, rng, ink)
    if chance(rng, 0.6):
        box = (canvas.width_mm - 62, canvas.height_mm - 24, canvas.width_mm - 6, canvas.height_mm - 6)
        canvas.frame(canvas.inner(6), ink, 0.5)
        canvas.frame(box, ink, 0.3)
        canvas.lines(box, ink, 0.2, y_mm=[box[1] + 6, box[1] + 12])
        canvas.plot_text(box[0] + 2, box[1] + 4.5, f"{words(rng, 1, 'test').upper()}  1:{whole(rng, 1, 200)}", 3, ink)


def _plan(canvas: Canvas, rng: np.random.Generator, ink: Colour) -> None:
    def split(box: Box, depth: int) -> None:
        x0, y0, x1, y1 = box
        if depth == 0 or min(x1 - x0, y1 - y0) < 25:
            canvas.plot_text(x0 + 4, (y0 + y1) / 2, f"{between(rng, 4, 60):.1f} m2", 3, ink)
            return
        u = between(rng, 0.35, 0.65)
        if x1 - x0 > y1 - y0:
            x, y = x0 + u * (x1 - x0), between(rng, y0 + 3, y1 - 14)
            canvas.curve([(x, y0), (x, y)], ink, 1.0)
            canvas.curve([(x, y + 9), (x, y1)], ink, 1.0)
            a = np.linspace(0, np.pi / 2, 20)
            canvas.curve(np.column_stack([x + 9 * np.sin(a), y + 9 * (1 - np.cos(a))]), ink, 0.2)
            split((x0, y0, x, y1), depth - 1)
            split((x, y0, x1, y1), depth - 1)
        else:
            y = y0 + u * (y1 - y0)
            canvas.curve([(x0 + 9, y), (x1, y)], ink, 1.0)
            split((x0, y0, x1, y), depth - 1)
            split((x0, y, x1, y1), depth - 1)

    box = canvas.inner(between(rng, 15, 30))
    canvas.frame(box, ink, 1.4)
    split(box, whole(rng, 2, 4))


def _circuit(canvas: Canvas, rng: np.random.Generator, ink: Colour) -> None:
    pitch = between(rng, 15, 28)
    xs, ys = np.arange(15, canvas.width_mm - 10, pitch), np.arange(15, canvas.height_mm - 10, pitch)
    for x in xs:
        for y in ys:
            across = chance(rng, 0.5)
            kind = one_of(rng, ("wire", "resistor", "capacitor", "coil", "none", "chip"))
            u = np.linspace(0, pitch, 121)
            v = np.zeros_like(u)
            inner = (u > 0.3 * pitch) & (u < 0.7 * pitch)
            if kind == "resistor":
                v[inner] = 1.5 * (2 * np.abs((u[inner] / pitch * 15) % 2 - 1) - 1)
            elif kind == "coil":
                v[inner] = 1.8 * np.abs(np.sin(u[inner] / pitch * 10 * np.pi))
            elif kind == "capacitor":
                v[(u > 0.47 * pitch) & (u < 0.53 * pitch)] = np.nan
                for s in (0.47, 0.53):
                    bar = (
                        [(x + s * pitch, y - 2.5), (x + s * pitch, y + 2.5)]
                        if across
                        else [(x - 2.5, y + s * pitch), (x + 2.5, y + s * pitch)]
                    )
                    canvas.curve(bar, ink, 0.4)
            if kind != "none":
                canvas.curve(np.column_stack([x + u, y + v] if across else [x + v, y + u]), ink, 0.3)
            if kind == "chip":
                canvas.frame((x + 3, y - 4, x + pitch - 3, y + 4), ink, 0.4)
            if chance(rng, 0.4):
                canvas.disc(float(x), float(y), 0.7, ink)
            if kind in ("resistor", "capacitor", "coil"):
                canvas.plot_text(
                    float(x) + 0.35 * pitch, float(y) - 3, f"{kind[0].upper()}{whole(rng, 1, 99)}", 2.4, ink
                )


def _flow(canvas: Canvas, rng: np.random.Generator, ink: Colour) -> None:
    last: tuple[float, float] | None = None
    for y in np.arange(18, canvas.height_mm - 15, between(rng, 22, 32)):
        for x in np.arange(25, canvas.width_mm - 20, between(rng, 40, 70)):
            w, h, kind = between(rng, 12, 18), between(rng, 5, 8), one_of(rng, ("box", "rhomb", "round"))
            if last:
                canvas.curve([last, (last[0], y) if chance(rng, 0.5) else (x, last[1]), (x, y)], ink, 0.3)
            fill = mixed(vivid(rng), WHITE, 0.7)
            corners: Float64Array = np.array(
                [(-w, -h), (w, -h), (w, h), (-w, h)]
                if kind == "box"
                else [(-w, 0), (0, -1.4 * h), (w, 0), (0, 1.4 * h)],
                dtype=np.float64,
            )
            if kind == "round":
                a = np.linspace(0, 2 * np.pi, 40)
                corners = np.column_stack([w * np.cos(a), h * np.sin(a)])
            corners += np.array([x, y])
            canvas.polygon(corners, fill)
            canvas.curve(corners, ink, 0.35, closed=True)
            canvas.write(float(x), float(y), words(rng, 1, "test")[:9], 2.8, anchor="mm", face="mono")
            last = (float(x), float(y))


def _part(canvas: Canvas, rng: np.random.Generator, ink: Colour) -> None:
    for _ in range(whole(rng, 2, 5)):
        x, y, w, h = (
            between(rng, 25, canvas.width_mm - 60),
            between(rng, 25, canvas.height_mm - 50),
            between(rng, 25, 60),
            between(rng, 15, 40),
        )
        canvas.frame((x, y, x + w, y + h), ink, 0.6)
        for _ in range(whole(rng, 1, 4)):
            cx, cy, r = between(rng, x + 6, x + w - 6), between(rng, y + 6, y + h - 6), between(rng, 1.5, 6)
            canvas.disc(cx, cy, r, ink, 0.5)
            canvas.curve([(cx - r - 2, cy), (cx + r + 2, cy)], ink, 0.15)
            canvas.curve([(cx, cy - r - 2), (cx, cy + r + 2)], ink, 0.15)
        canvas.curve([(x, y - 8), (x + w, y - 8)], ink, 0.2)
        for end, way in ((x, 1), (x + w, -1)):
            canvas.curve([(end, y - 1), (end, y - 10)], ink, 0.15)
            canvas.polygon([(end, y - 8), (end + way * 2.5, y - 8.7), (end + way * 2.5, y - 7.3)], ink)
        canvas.plot_text(x + w / 2 - 4, y - 9, f"{w:.1f}", 3, ink)
