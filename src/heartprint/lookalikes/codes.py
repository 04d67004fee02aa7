"""Codes that machines read.

Training: QR-like squares and bars. Test: stacked, dotted and concentric codes, and labels of parcels.
"""

from __future__ import annotations

import numpy as np

from heartprint.lookalikes.canvas import Box, Canvas
from heartprint.lookalikes.choices import (
    between,
    chance,
    dark,
    light,
    one_of,
    whole,
    words,
)
from heartprint.sheets.style import BLACK, WHITE


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
            for rows, columns in (
                (slice(0, 7), slice(0, 7)),
                (slice(0, 7), slice(n - 7, n)),
                (slice(n - 7, n), slice(0, 7)),
            ):
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
                canvas.polygon(
                    [
                        (x + size / 2, y + size / 2),
                        (x + size / 2 + r * np.cos(a), y + size / 2 + r * np.sin(a)),
                        (x + size / 2 + r * np.cos(a + 0.5), y + size / 2 + r * np.sin(a + 0.5)),
                    ],
                    ink,
                )
