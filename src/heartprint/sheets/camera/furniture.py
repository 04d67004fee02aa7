"""What is printed on pages beside an ECG: invented texts, tables, bar codes, stamps, signatures.

Pieces are made once per process from a fixed stream, at `FINENESS` px per mm, and scaled to where they are printed.
None says anything about the ECG on the page.
"""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np

from heartprint.foundation.arrays import Image
from heartprint.foundation.fonts import FILES, Face, font
from heartprint.foundation.randomness import generator
from heartprint.sheets.look import luma
from heartprint.sheets.style import Colour
from heartprint.sheets.texts import invented_patient

FINENESS = 6.0
"""Px per mm at which pieces are kept."""

TEXTS, TABLES, CODES, MARKS = 40, 10, 6, 12
"""How many of each kind there are."""

_WORDS = (
    "patient ward unit clinic hospital department report page order account referred confirmed technician room "
    "location time date name number device filter speed gain comment signature print copy request visit bed team "
    "requested received reviewed printed by of on at for in the and no see note form section part"
)


@functools.lru_cache(maxsize=TEXTS + TABLES + CODES + MARKS)
def piece(index: int) -> Image:
    """``(h, w)`` uint8: coverage of one piece by ink, 255 = all; `TEXTS` texts first, then tables, codes, marks."""
    rng = generator(0, "page furniture", index)
    if index < TEXTS:
        made = _columns(rng) if index % 3 == 0 else _paragraph(rng)
    elif index < TEXTS + TABLES:
        made = _table(rng)
    elif index < TEXTS + TABLES + CODES:
        made = _bar_code(rng)
    else:
        made = _signature(rng) if index % 2 else _stamp(rng)
    made.setflags(write=False)
    return made


@functools.lru_cache(maxsize=512)
def scaled(index: int, px_per_mm: float) -> Image:
    """`piece` at another number of px per mm."""
    fine = piece(index)
    height, width = (max(round(n * px_per_mm / FINENESS), 2) for n in fine.shape)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _canvas(width_mm: float, height_mm: float) -> Image:
    return np.zeros((math.ceil(height_mm * FINENESS), math.ceil(width_mm * FINENESS)), dtype=np.uint8)


def _write(
    canvas: Image, text: str, x_mm: float, y_mm: float, size_mm: float, bold: bool = False, face: Face = "sans"
) -> float:
    """Write one line, its letters standing at ``y_mm``.

    Returns:
        Where it ends, mm.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    cut = font(max(round(size_mm * FINENESS), 6), bold=bold, face=face)
    picture = Pillow.fromarray(canvas)
    ImageDraw.Draw(picture).text((x_mm * FINENESS, y_mm * FINENESS), text, fill=255, font=cut, anchor="ls")
    canvas[:] = np.asarray(picture)
    return x_mm + float(cut.getlength(text)) / FINENESS


def _phrase(rng: np.random.Generator, words: int) -> str:
    known = _WORDS.split()
    chosen = [known[int(rng.integers(len(known)))] for _ in range(words)]
    if rng.random() < 0.5:
        chosen.append(str(int(rng.integers(1, 10 ** int(rng.integers(1, 8))))))
    return " ".join(chosen).capitalize() + ("." if rng.random() < 0.3 else ":" if rng.random() < 0.4 else "")


def _any_face(rng: np.random.Generator) -> Face:
    return tuple(FILES)[int(rng.integers(len(FILES)))]


def _paragraph(rng: np.random.Generator) -> Image:
    size = 2.0 + 2.0 * float(rng.random()) ** 1.5
    face = _any_face(rng)
    lines, longest = int(rng.integers(1, 9)), int(rng.integers(2, 12))
    canvas = _canvas(longest * 4.2 * size, lines * size * 1.5 + size)
    for line in range(lines):
        words = int(rng.integers(1, longest + 1))
        _write(canvas, _phrase(rng, words), 0.3, (line + 1) * size * 1.5, size, rng.random() < 0.15, face)
    return _trimmed(canvas)


def _columns(rng: np.random.Generator) -> Image:
    size = 2.2 + 1.2 * float(rng.random())
    face = _any_face(rng)
    groups = invented_patient(int(rng.integers(1000)))
    canvas = _canvas(150.0, 6 * size * 1.5)
    x = 0.3
    for group in groups[: int(rng.integers(1, 4))]:
        ends = [_write(canvas, text, x, (k + 1) * size * 1.5, size, k == 0, face) for k, text in enumerate(group)]
        x = max(ends) + 4 + 14 * float(rng.random())
    return _trimmed(canvas)


def _table(rng: np.random.Generator) -> Image:
    rows, columns = int(rng.integers(2, 9)), int(rng.integers(2, 7))
    row_mm, size = 4.5 + 3 * float(rng.random()), 2.2 + float(rng.random())
    widths = 12 + 22 * rng.random(columns)
    canvas = _canvas(float(widths.sum()) + 1, rows * row_mm + 1)
    thick = max(round((0.15 + 0.3 * float(rng.random())) * FINENESS), 1)
    ruled, face = rng.random() < 0.75, _any_face(rng)
    lefts = np.concatenate([[0.0], np.cumsum(widths)])
    for row in range(rows):
        for k in range(columns):
            if rng.random() < 0.85:
                text = _phrase(rng, 1) if row == 0 or k == 0 else f"{rng.integers(1, 999)}"
                _write(
                    canvas,
                    text[: int(widths[k] / size * 1.5)],
                    lefts[k] + 1,
                    (row + 0.75) * row_mm,
                    size,
                    row == 0,
                    face,
                )
    height, width = canvas.shape
    for row in range(rows + 1):
        y = min(round(row * row_mm * FINENESS), height - thick)
        canvas[y : y + thick] = 255
    if ruled:
        for left in lefts:
            x = min(round(left * FINENESS), width - thick)
            canvas[:, x : x + thick] = 255
    return canvas


def _bar_code(rng: np.random.Generator) -> Image:
    if rng.random() < 0.3:  # a square code
        cells = int(rng.integers(16, 26))
        dots = (rng.random((cells, cells)) < 0.5).astype(np.uint8) * 255
        for y, x in ((0, 0), (0, cells - 7), (cells - 7, 0)):
            dots[y : y + 7, x : x + 7] = 255
            dots[y + 1 : y + 6, x + 1 : x + 6] = 0
            dots[y + 2 : y + 5, x + 2 : x + 5] = 255
        side = round((12 + 10 * rng.random()) * FINENESS)
        return np.asarray(cv2.resize(dots, (side, side), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    bars = np.repeat(np.arange(80) % 2, rng.integers(1, 4, 80)).astype(np.uint8) * 255
    width, height = round((28 + 22 * rng.random()) * FINENESS), round((6 + 7 * rng.random()) * FINENESS)
    code = np.asarray(cv2.resize(bars[None, :], (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    canvas = np.zeros((height + round(4 * FINENESS), width), dtype=np.uint8)
    canvas[:height] = code
    _write(canvas, str(rng.integers(10**7, 10**9)), 4, height / FINENESS + 3.2, 3)
    return canvas


def _stamp(rng: np.random.Generator) -> Image:
    canvas = _canvas(34, 34)
    middle = (canvas.shape[1] // 2, canvas.shape[0] // 2)
    thick = round((0.3 + 0.6 * rng.random()) * FINENESS)
    if rng.random() < 0.5:
        for radius in (15.0, 11.0):
            cv2.circle(canvas, middle, round(radius * FINENESS), (255,), thick, cv2.LINE_AA)
    else:
        high = round((4 + 5 * rng.random()) * FINENESS)
        left, right = (round(mm * FINENESS) for mm in (1.0, 33.0))
        cv2.rectangle(canvas, (left, middle[1] - high), (right, middle[1] + high), (255,), thick)
    for k in range(3):
        _write(canvas, _phrase(rng, 1)[:9].upper(), 8.5, 14.5 + 4 * k, 3, bold=True)
    turn = cv2.getRotationMatrix2D(middle, float(rng.uniform(-25, 25)), 1.0)
    turned = cv2.warpAffine(canvas, turn, canvas.shape[::-1], flags=cv2.INTER_LINEAR)
    worn = rng.random(canvas.shape).astype(np.float32)
    worn = 0.55 + 0.4 * np.clip(cv2.GaussianBlur(worn, (0, 0), 5) * 6 - 2.5, 0, 1)
    return np.asarray(turned * worn, dtype=np.uint8)


def _signature(rng: np.random.Generator) -> Image:
    n = int(rng.integers(5, 14))
    t = np.linspace(0, 2 * np.pi * n, 30 * n)
    a = rng.random(6) * 2 * np.pi
    x = t * 0.55 + 2.2 * np.sin(t + a[0]) + 1.5 * np.sin(0.31 * t + a[1])
    y = np.cos(t + a[2]) * (2.2 + 1.8 * np.sin(0.23 * t + a[3]) + np.sin(0.71 * t + a[4]))
    points = np.stack([x - x.min() + 1, y - y.min() + 1], axis=1)
    canvas = _canvas(float(points[:, 0].max()) + 1, float(points[:, 1].max()) + 1)
    thick = max(round((0.3 + 0.4 * rng.random()) * FINENESS), 1)
    cv2.polylines(canvas, [np.rint(points * FINENESS * 16).astype(np.int32)], False, (255,), thick, cv2.LINE_AA, 4)
    return canvas


def _trimmed(canvas: Image) -> Image:
    rows, columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
    if not len(rows):
        return canvas
    return np.ascontiguousarray(canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def stamp(canvas: Image, coverage: Image, x: int, y: int, colour: Colour) -> None:
    """Print a piece with its upper left corner at a place, in place; what lies outside is cut off."""
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + coverage.shape[1], width), min(y + coverage.shape[0], height)
    if x0 >= x1 or y0 >= y1:
        return
    ink = coverage[y0 - y : y1 - y, x0 - x : x1 - x]
    patch = canvas[y0:y1, x0:x1]
    if patch.ndim == 2:
        patch[:] = _covered(patch, ink, luma(colour))
    else:
        for c in range(3):
            patch[..., c] = _covered(patch[..., c], ink, 255 * colour[c])


def _covered(patch: Image, ink: Image, level: float) -> Image:
    share = ink.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(patch + (np.float32(level) - patch) * share + np.float32(0.5), dtype=np.uint8)
