"""What printers, copiers and fax machines do."""

from __future__ import annotations

import cv2
import numpy as np

from heartprint.foundation.arrays import Float32Array, Image
from heartprint.sheets.camera.effects.registry import effect
from heartprint.sheets.camera.kernels import shine_through
from heartprint.sheets.camera.scene import REFERENCE_PX, Scene


@effect("faint_print", "toner or ribbon runs out, thermal paper fades", (0.15, 0.3, 0.45, 0.58, 0.7), "of the ink lost")
def _faint_print(scene: Scene, level: float, rng: np.random.Generator) -> None:
    scene.ink *= 1 - level * (0.95 + 0.05 * rng.random())


@effect("streaks", "dead elements of the print head, uneven feed", (0.15, 0.3, 0.45, 0.62, 0.8), "of the ink lost")
def _streaks(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random((8, 2))
    count = 3 + int(r[0, 0] * 5)
    lines, bands = r[:count], r[5:]

    def rows(height: int) -> Float32Array:
        """Dead elements: narrow lines along the feed."""
        at = (np.arange(height) + 0.5) / height
        share = np.ones(height)
        for where, size in lines:
            share *= 1 - level * np.clip(1.5 - np.abs(at - where) / (0.0015 + 0.005 * size), 0, 1)
        return np.asarray(share, dtype=np.float32)

    def columns(width: int) -> Float32Array:
        """Uneven feed: soft bands across it."""
        at = (np.arange(width) + 0.5) / width
        waves = sum(np.sin(2 * np.pi * ((3 + 14 * a) * at + b)) for a, b in bands) / len(bands)
        return np.asarray(1 - 0.6 * level * np.clip(waves + 0.2, 0, 1), dtype=np.float32)

    scene.ink_y.append(rows)
    scene.ink_x.append(columns)


@effect("specks", "dust on the glass of a scanner or copier", (25, 60, 130, 260, 480), "specks")
def _specks(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random((480, 4))[: round(level)]

    def mark(image: Image, channel: int | None) -> None:
        height, width = image.shape
        y, x = (r[:, 0] * (height - 1)).astype(int), (r[:, 1] * (width - 1)).astype(int)
        grey = 40 + 130 * r[:, 2]
        # A speck is one to four pixels of a sheet of 600 px, more on a larger one.
        size = max(round(height / 600 * 2), 1)
        for dy in range(size):
            for dx in range(size):
                there = r[:, 3] >= 0.5 * (dy + dx) / size
                rows, columns = np.minimum(y[there] + dy, height - 1), np.minimum(x[there] + dx, width - 1)
                image[rows, columns] = np.minimum(image[rows, columns], grey[there]).astype(np.uint8)

    scene.marks.append((1, mark))


@effect(
    "bleed_through",
    "the back of the sheet shines through",
    (0.05, 0.1, 0.16, 0.23, 0.32),
    "of its ink",
)
def _bleed_through(scene: Scene, level: float, rng: np.random.Generator) -> None:
    strength = level * (0.95 + 0.05 * rng.random())
    scene.marks.append((0, lambda image, channel: shine_through(image, strength)))


FAX_INK = 0.14
"""Share of the sheet that a fax machine prints black, as far as there is that much to print."""

SCREEN = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], dtype=np.int16) * 4 - 30
"""Bayer's matrix, grey levels: light greys become dots."""


@effect("fax", "black or white, coarse, with lines lost on the way", (0.5, 0.8, 1.2, 1.7, 2.4), "px at 300 px")
def _fax(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random((10, 2))
    lost = r[: round(4 * level)]

    def mark(image: Image, channel: int | None) -> None:
        height, width = image.shape
        coarse = max(level * height / REFERENCE_PX, 1.0)
        small = cv2.resize(
            image, (max(round(width / coarse), 8), max(round(height / coarse), 8)), interpolation=cv2.INTER_AREA
        )
        some = small[::3, ::3]  # enough to know how much ink there is
        counts = np.cumsum(np.bincount(some.ravel(), minlength=256))
        # A bad line is set to print darker, until the grid's fine lines come out as dots too.
        threshold = int(np.clip(np.searchsorted(counts, FAX_INK * some.size), 140, 195) + 12 * level)
        dots = np.tile((SCREEN + threshold).astype(np.uint8), (-(-small.shape[0] // 4), -(-small.shape[1] // 4)))
        black = cv2.compare(small, dots[: small.shape[0], : small.shape[1]], cv2.CMP_GT)
        for where, many in lost:
            # A line that is lost is printed as the line before it.
            first = 1 + int(where * (len(black) - 4))
            black[first : first + 1 + int(2 * many)] = black[first - 1]
        image[:] = cv2.resize(black, (width, height), interpolation=cv2.INTER_NEAREST)

    scene.marks.append((3, mark))
    scene.grey = True


@effect("photocopy", "greys become black or white", (1.3, 1.7, 2.3, 3.2, 4.5), "times the contrast")
def _photocopy(scene: Scene, level: float, rng: np.random.Generator) -> None:
    middle = 150 + 40 * rng.random()
    # About a light grey, so that the grid mostly goes and the trace stays.
    scene.tones.append(
        lambda tone: np.clip((tone - np.float32(middle)) * np.float32(level) + np.float32(middle), 0, 255)
    )
    scene.grey = True
