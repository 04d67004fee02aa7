"""Line drawings, sheets of music, and codes.

Training: street maps and contour lines; single staves with notes; QR-like codes and bar codes on labels.
Test: floor plans, circuits, flow charts and parts with dimensions, also white on blue; tablature, grand staves and
piano rolls; stacked and dotted codes, concentric ones, and labels of parcels.
"""

from __future__ import annotations

import numpy as np

from heartprint.foundation.arrays import Float64Array
from heartprint.sheets.lookalikes.canvas import Box, Canvas, between, chance, dark, light, mixed, one_of, vivid, whole, words
from heartprint.sheets.lookalikes.textures import clouds
from heartprint.sheets.style import BLACK, WHITE, Colour


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
        at, size = rng.random(2) * (canvas.width_mm, canvas.height_mm), between(rng, 8, 40)
        a = np.sort(rng.uniform(0, 2 * np.pi, 7))
        canvas.polygon(at + size * np.column_stack([np.cos(a), np.sin(a)]), one_of(rng, ((0.75, 0.9, 0.7), (0.7, 0.85, 0.95))))
    angle, streets = between(rng, 0, np.pi), []
    for base in (angle, angle + np.pi / 2):
        for offset in np.cumsum(rng.uniform(8, 30, 24)) - reach / 2:
            a = base + 0.12 * rng.standard_normal()
            along, out = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
            t = np.linspace(-reach, reach, 60)[:, None]
            bend = between(rng, -6, 6) * np.sin(t / between(rng, 20, 60))
            streets.append((middle + offset * out + t * along + bend * out, one_of(rng, (1.2, 1.2, 2.0, 3.2))))
    for points, pen in streets:
        canvas.curve(points, outline, pen + 0.5)
    for points, pen in streets:
        canvas.curve(points, (1.0, 0.9, 0.6) if pen > 3 else WHITE, pen)
    for _ in range(whole(rng, 5, 25)):
        canvas.write(*(rng.random(2) * (canvas.width_mm, canvas.height_mm)).tolist(), words(rng, 1).title(), between(rng, 2.2, 3.6), (0.25, 0.25, 0.3))


def _hills(canvas: Canvas, rng: np.random.Generator) -> None:
    height, width = 120, round(120 * canvas.width_mm / canvas.height_mm)
    field = clouds(rng, height, width)
    import cv2

    field = np.asarray(cv2.GaussianBlur(field, (0, 0), 5.0))
    field = 255 * (field - field.min()) / np.ptp(field)
    ink, step = one_of(rng, ((0.7, 0.45, 0.25), (0.35, 0.35, 0.35), (0.3, 0.5, 0.3))), between(rng, 7, 25)
    for k, level in enumerate(np.arange(step, 255, step)):
        found, _ = cv2.findContours((field > level).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        for contour in found:
            points = contour[:, 0, :].astype(np.float64)
            if len(points) > 12:
                soft = np.stack([np.convolve(np.pad(points[:, c], 4, mode="wrap"), np.ones(9) / 9, mode="valid") for c in (0, 1)], axis=1)
                canvas.curve((soft + 0.5) * canvas.height_mm / height, ink, 0.4 if k % 5 == 0 else 0.18, closed=True)
    for _ in range(whole(rng, 3, 15)):
        canvas.write(*(rng.random(2) * (canvas.width_mm, canvas.height_mm)).tolist(), str(whole(rng, 120, 3000)), 2.4, ink)


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
                    bar = [(x + s * pitch, y - 2.5), (x + s * pitch, y + 2.5)] if across else [(x - 2.5, y + s * pitch), (x + 2.5, y + s * pitch)]
                    canvas.curve(bar, ink, 0.4)
            if kind != "none":
                canvas.curve(np.column_stack([x + u, y + v] if across else [x + v, y + u]), ink, 0.3)
            if kind == "chip":
                canvas.frame((x + 3, y - 4, x + pitch - 3, y + 4), ink, 0.4)
            if chance(rng, 0.4):
                canvas.disc(float(x), float(y), 0.7, ink)
            if kind in ("resistor", "capacitor", "coil"):
                canvas.plot_text(float(x) + 0.35 * pitch, float(y) - 3, f"{kind[0].upper()}{whole(rng, 1, 99)}", 2.4, ink)


def _flow(canvas: Canvas, rng: np.random.Generator, ink: Colour) -> None:
    last: tuple[float, float] | None = None
    for y in np.arange(18, canvas.height_mm - 15, between(rng, 22, 32)):
        for x in np.arange(25, canvas.width_mm - 20, between(rng, 40, 70)):
            w, h, kind = between(rng, 12, 18), between(rng, 5, 8), one_of(rng, ("box", "rhomb", "round"))
            if last:
                canvas.curve([last, (last[0], y) if chance(rng, 0.5) else (x, last[1]), (x, y)], ink, 0.3)
            fill = mixed(vivid(rng), WHITE, 0.7)
            corners: Float64Array = np.array([(-w, -h), (w, -h), (w, h), (-w, h)] if kind == "box" else [(-w, 0), (0, -1.4 * h), (w, 0), (0, 1.4 * h)], dtype=np.float64)
            if kind == "round":
                a = np.linspace(0, 2 * np.pi, 40)
                corners = np.column_stack([w * np.cos(a), h * np.sin(a)])
            canvas.polygon(corners + (x, y), fill)
            canvas.curve(corners + (x, y), ink, 0.35, closed=True)
            canvas.write(float(x), float(y), words(rng, 1, "test")[:9], 2.8, anchor="mm", face="mono")
            last = (float(x), float(y))


def _part(canvas: Canvas, rng: np.random.Generator, ink: Colour) -> None:
    for _ in range(whole(rng, 2, 5)):
        x, y, w, h = between(rng, 25, canvas.width_mm - 60), between(rng, 25, canvas.height_mm - 50), between(rng, 25, 60), between(rng, 15, 40)
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


# --- music ----------------------------------------------------------------------------------------------------------


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
        canvas.curve([(x + side, y + up * space), (x + side + space, y + (up + 1.2 * (1 if up < 0 else -1)) * space)], ink, 0.4)


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
                canvas.lines((12, y + shift - 1, wide - 6, y + shift + 4 * space + 1), ink, 0.2, y_mm=y + shift + space * np.arange(5))
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
            canvas.fill(mixed(colour, WHITE, between(rng, 0, 0.5)), (x, row * pitch, x + between(rng, 2, 20), (row + 0.9) * pitch))


# --- codes ----------------------------------------------------------------------------------------------------------


def code_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """QR-like squares and bars with digits below."""
    canvas.fill(light(rng, 0.88))
    for _ in range(whole(rng, 1, 5)):
        size = between(rng, 0.25, 0.8) * min(canvas.height_mm, canvas.width_mm)
        x, y = between(rng, 2, canvas.width_mm - size), between(rng, 2, canvas.height_mm - size)
        canvas.fill(WHITE, (x - 2, y - 2, x + size + 2, y + size + 2))
        if chance(rng, 0.5):
            n = one_of(rng, (21, 25, 29, 33, 41))
            bits = rng.random((n, n)) < 0.5
            eye = np.ones((7, 7), dtype=bool)
            eye[1:6, 1:6] = False
            eye[2:5, 2:5] = True
            for rows, columns in ((slice(0, 7), slice(0, 7)), (slice(0, 7), slice(n - 7, n)), (slice(n - 7, n), slice(0, 7))):
                bits[rows, columns] = eye
            canvas.texture(np.where(bits, 0.0, 255.0), (x, y, x + size, y + size))
        else:
            _bars(canvas, rng, (x, y, x + size, y + 0.45 * size))
            digits = " ".join(str(whole(rng, 0, 9)) for _ in range(12))
            canvas.write(x + size / 2, y + 0.45 * size + 4, digits, min(4.0, size / 14), anchor="ms")


def _bars(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    x, unit = box[0], between(rng, 0.3, 0.8)
    while x < box[2] - unit:
        width = unit * whole(rng, 1, 4)
        canvas.fill(BLACK, (x, box[1], min(x + width, box[2]), box[3]))
        x += width + unit * whole(rng, 1, 4)


def code_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """Stacked, dotted and concentric codes, and a parcel's label."""
    canvas.fill(light(rng, 0.8))
    wide, high = canvas.width_mm, canvas.height_mm
    look = one_of(rng, ("stacked", "dots", "rings", "parcel"))
    if look == "parcel":
        canvas.frame(canvas.inner(4), BLACK, 0.8)
        canvas.lines(canvas.inner(4), BLACK, 0.6, y_mm=[0.25 * high, 0.6 * high])
        canvas.write(10, 0.2 * high, words(rng, 1, "test").upper()[:8], 0.12 * high, bold=True, face="mono")
        for k in range(4):
            canvas.write(10, 0.32 * high + 7 * k, words(rng, 3, "test").title(), 4.5, face="mono")
        _bars(canvas, rng, (12, 0.65 * high, wide - 12, 0.9 * high))
        return
    ink = BLACK if chance(rng, 0.7) else dark(rng, 0.5)
    for _ in range(whole(rng, 1, 6)):
        size = between(rng, 0.3, 0.8) * min(high, wide)
        x, y = between(rng, 2, wide - size), between(rng, 2, high - size)
        n = whole(rng, 12, 40)
        if look == "stacked":
            bits = rng.random((whole(rng, 6, 25), 4 * n)) < 0.5
            bits[:, :6] = bits[:, -6:] = np.array([1, 1, 1, 0, 1, 0], dtype=bool)
            canvas.texture(np.where(bits, 0.0, 255.0), (x, y, x + size, y + 0.4 * size))
        elif look == "dots":
            cell = size / n
            for i, k in np.argwhere(rng.random((n, n)) < 0.45).tolist():
                canvas.disc(x + (k + 0.5) * cell, y + (i + 0.5) * cell, 0.42 * cell, ink)
        else:
            for r in np.arange(size / 2, 2, -between(rng, 2, 5)):
                canvas.disc(x + size / 2, y + size / 2, float(r), ink, 0.8)
                a = between(rng, 0, 6)
                canvas.polygon([(x + size / 2, y + size / 2), (x + size / 2 + r * np.cos(a), y + size / 2 + r * np.sin(a)), (x + size / 2 + r * np.cos(a + 0.5), y + size / 2 + r * np.sin(a + 0.5))], ink)
