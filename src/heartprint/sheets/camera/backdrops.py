"""What a paper lies on: desks of many kinds and colours, photographs, other papers.

A backdrop is `tiles.TILE` px square; a picture shows it from its upper left corner, its longer side as long as the
picture's.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import cv2
import numpy as np

from heartprint.foundation.arrays import Float32Array, Image
from heartprint.foundation.randomness import generator
from heartprint.sheets.camera import furniture, tiles
from heartprint.sheets.camera.scene import grey_of
from heartprint.sheets.look import LUMA

KINDS = ("desk", "wood", "cloth", "tiles", "keyboard", "marble", "plain", "clutter")


def draw_backdrop(rng: np.random.Generator, photographs: Sequence[Image] | None, colour: bool) -> Image:
    """Draw what a paper lies on.

    Args:
        rng: Source of randomness.
        photographs: Grey or RGB, of any size, to be cropped, scaled and blurred; None or empty = drawn textures only.
        colour: Whether the backdrop has colours.

    Returns:
        ``(512, 512)`` or ``(512, 512, 3)`` uint8.
    """
    if photographs and rng.random() < 0.6:
        made = _of_photograph(rng, photographs[int(rng.integers(len(photographs)))], colour)
    else:
        made = _textured(rng, colour)
    soft = rng.random()
    if soft < 0.6:
        made = np.asarray(cv2.GaussianBlur(made, (0, 0), 0.6 + 5 * soft**2), dtype=np.uint8)
    return made


def _of_photograph(rng: np.random.Generator, photograph: Image, colour: bool) -> Image:
    u = rng.random(6)
    height, width = photograph.shape[:2]
    side = max(int(min(height, width) * (0.3 + 0.7 * u[0])), 1)
    y, x = int((height - side) * u[1]), int((width - side) * u[2])
    patch = photograph[y : y + side, x : x + side]
    way = cv2.INTER_AREA if side > tiles.TILE else cv2.INTER_LINEAR
    made = cv2.resize(np.ascontiguousarray(patch), (tiles.TILE, tiles.TILE), interpolation=way)
    made = np.rot90(made, int(u[3] * 4))
    if u[4] < 0.5:
        made = made[:, ::-1]
    if made.ndim == 3 and not colour:
        made = grey_of(np.ascontiguousarray(made))
    elif made.ndim == 2 and colour:
        made = np.repeat(made[..., None], 3, axis=2)
    return np.ascontiguousarray(np.asarray(made, dtype=np.uint8))


def _textured(rng: np.random.Generator, colour: bool) -> Image:
    """A pattern, turned and scaled, between two colours."""
    u = rng.random(8)
    kind = KINDS[int(u[0] * len(KINDS))]
    pattern = patterns()[KINDS.index(kind)]
    scale, angle = 0.5 * 5.0 ** u[1], 2 * math.pi * u[2]
    c, s = math.cos(angle) / scale, math.sin(angle) / scale
    lean = 0.5 * (u[3] - 0.5)
    # A pattern is repeated once each way, and looked at about its middle.
    middle = tiles.TILE * (1 + 0.5 * (u[4:6] - 0.5))
    half = tiles.TILE / 2
    turn = np.array([[c, -s + lean, 0.0], [s, c, 0.0]])
    turn[:, 2] = middle - turn[:, :2] @ (half, half)
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    field = cv2.warpAffine(pattern, turn, (tiles.TILE, tiles.TILE), flags=way, borderMode=cv2.BORDER_REFLECT)
    low, high = _colours(rng, kind)
    if not colour:
        table = np.interp(np.arange(256), [0, 255], [np.dot(LUMA, low), np.dot(LUMA, high)])
        return np.asarray(cv2.LUT(field, np.clip(table, 0, 255).astype(np.uint8)), dtype=np.uint8)
    planes = [cv2.LUT(field, np.interp(np.arange(256), [0, 255], [low[k], high[k]]).astype(np.uint8)) for k in range(3)]
    return np.ascontiguousarray(np.stack(planes, axis=-1))


def _colours(rng: np.random.Generator, kind: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Darkest and lightest colour, 0-255."""
    u = rng.random(6)
    if kind in ("desk", "wood"):
        base = np.array([120 + 90 * u[0], 80 + 70 * u[0], 45 + 55 * u[0]]) * (0.35 + 0.75 * u[1])
    elif kind in ("clutter", "marble"):
        base = np.array([200.0, 200.0, 198.0]) * (0.5 + 0.5 * u[1])
    else:
        level = 15 + 225 * u[0]
        base = level + (u[1] ** 2) * 60 * (np.array([u[2], u[3], u[4]]) - 0.5)
    swing = (70 + 110 * u[5]) * (0.25 + base.mean() / 255) if kind in ("keyboard", "clutter") else 18 + 60 * u[5]
    low, high = (np.clip(base + sign * swing / 2, 0, 255) for sign in (-1, 1))
    return tuple(low.tolist()), tuple(high.tolist())


@functools.cache
def patterns() -> Image:
    """``(8, 1024, 1024)`` uint8, one pattern per kind of `KINDS`, twice along each axis; ``clutter`` has seams."""
    side = tiles.TILE
    at = np.arange(side)
    desks = tiles.desks_grey().astype(np.float32)
    noise = _noise("marble", 30, 30) + 0.5 * _noise("marble", 9, 9)
    wood = _noise("wood", 120, 1.6) + 0.7 * np.sin(7 * _noise("wood", 60, 14)) + 0.2 * _noise("wood", 0.6, 0.6)
    weave = np.sin(at * np.pi / 4)[:, None] * np.sin(at * np.pi / 4)[None, :] + 0.5 * _noise("cloth", 1, 1)
    joints = ((at % 128 < 4)[:, None] | (at % 128 < 4)[None, :]).astype(np.float32)
    flags = 0.3 * _noise("flags", 12, 12) - 4 * joints
    keys = np.zeros((side, side), dtype=np.float32)
    for row in range(8):
        for column in range(8):
            x, y = column * 64 + (row % 4) * 16, row * 64
            for shift in (0, -side):
                cv2.rectangle(keys, (x + 6 + shift, y + 6), (x + 58 + shift, y + 58), (1.0,), cv2.FILLED)
                cv2.line(keys, (x + 18 + shift, y + 20), (x + 28 + shift, y + 20 + 3 * (column % 3)), (0.2,), 3)
    marble = np.abs(noise) + 0.05 * _noise("marble", 1, 1)
    made = (desks[0] + 0.0, wood, weave, flags, keys, marble, 0.3 * _noise("plain", 1, 1) + _noise("plain", 80, 80))
    once = np.stack([*(_bytes(np.asarray(field, dtype=np.float32)) for field in made), _clutter()])
    return np.ascontiguousarray(np.tile(once, (1, 2, 2)))


def _clutter() -> Image:
    """Papers over each other, with texts."""
    rng = generator(0, "camera-clutter")
    canvas = np.full((tiles.TILE, tiles.TILE), 90, dtype=np.uint8)
    for _ in range(9):
        x, y, turn = *(rng.random(2) * tiles.TILE), float(rng.uniform(-0.6, 0.6))
        wide, high = rng.uniform(120, 260, 2)
        corners = np.array([[-wide, -high], [wide, -high], [wide, high], [-wide, high]]) / 2
        spin = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        outline = np.rint(corners @ spin + (x, y)).astype(np.int32)
        shadow = canvas.copy()
        cv2.fillPoly(shadow, [outline + 4], (40,))
        canvas = np.asarray(cv2.GaussianBlur(shadow, (0, 0), 1.5), dtype=np.uint8)
        cv2.fillPoly(canvas, [outline], (int(rng.uniform(200, 255)),))
        text = furniture.scaled(int(rng.integers(furniture.TEXTS)), 2.5)
        place = cv2.getRotationMatrix2D((0, 0), -math.degrees(turn), 1.0)
        place[:, 2] = (x - wide / 3, y - high / 3)
        ink = cv2.warpAffine(text, place, (tiles.TILE, tiles.TILE))
        canvas = np.asarray(canvas * (1 - ink / 255.0 * 0.8), dtype=np.uint8)
    return canvas


def _noise(name: str, sigma_x: float, sigma_y: float) -> Float32Array:
    return tiles.smooth(f"backdrop-{name}", round(10 * sigma_x), sigma_x, sigma_y)


def _bytes(field: Float32Array) -> Image:
    low, high = np.percentile(field, [0.5, 99.5])
    return np.asarray(np.clip((field - low) / (high - low) * 255, 0, 255), dtype=np.uint8)
