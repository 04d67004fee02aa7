"""What happens to paper in a hospital: hands, pens, cups, time."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Image
from heartprint.sheets.camera import tiles
from heartprint.sheets.camera.effects.registry import effect
from heartprint.sheets.camera.kernels import soak
from heartprint.sheets.camera.scene import Colour, Mark, Scene
from heartprint.sheets.camera.scene import level as shade_of

PENS: tuple[Colour, ...] = ((28, 38, 130), (30, 30, 34), (20, 20, 20), (180, 30, 40))
HIGHLIGHTERS: tuple[Colour, ...] = ((1.0, 0.96, 0.35), (0.65, 0.96, 0.5), (1.0, 0.66, 0.8), (1.0, 0.78, 0.4))
COFFEE: Colour = (0.55, 0.75, 1.0)
"""How much of red, green and blue a stain swallows, as shares of its strength."""


def _texture(scene: Scene, kind: int, strength: float, row: float, column: float) -> None:
    scene.textures.append((kind, strength, int(row * tiles.TILE), int(column * tiles.TILE)))


@effect("paper_texture", "fibres and clouds of the paper", (0.006, 0.012, 0.02, 0.032, 0.048), "of the light")
def _paper_texture(scene: Scene, level: float, rng: np.random.Generator) -> None:
    _texture(scene, tiles.PAPER, level, *rng.random(2))


@effect("crumple", "the paper was crumpled and smoothed again", (0.012, 0.025, 0.042, 0.065, 0.095), "of the light")
def _crumple(scene: Scene, level: float, rng: np.random.Generator) -> None:
    _texture(scene, tiles.CRUMPLE, level, *rng.random(2))


@effect("ageing", "the paper has gone yellow, its edges first", (0.05, 0.1, 0.17, 0.25, 0.35), "of the blue light lost")
def _ageing(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random(5)
    scene.tinted((1 - 0.15 * level, 1 - 0.35 * level, 1 - level))
    _texture(scene, tiles.PAPER, 0.04 * level, r[0], r[1])
    scene.slopes.append((r[2] - 0.5, r[3] - 0.5, 0.25 * level, 1.6, 9.0, 7.0, 2 * math.pi * r[4]))


@effect("stain", "coffee and whatever else is on a ward", (0.12, 0.22, 0.34, 0.47, 0.6), "of the light")
def _stain(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random((3, 5))
    for k in range(1 + int(3 * r[0, 4])):
        scene.marks.append((1, _one_stain(scene.aspect, level, *r[k, :4])))


def _one_stain(aspect: float, level: float, kind: float, x: float, y: float, size: float) -> Mark:
    stain = tiles.stains()[int(kind * len(tiles.stains()))]
    radius = 0.1 + 0.22 * size if kind < 0.5 else 0.03 + 0.16 * size**2

    def mark(image: Image, channel: int | None) -> None:
        height, width = image.shape
        strength = level * shade_of(COFFEE, channel)
        soak(image, stain, x * width, y * height, radius * width / aspect, radius * height, strength)

    return mark


@effect("handwriting", "notes by hand, arrows, marked beats", (1, 3, 5, 8, 12), "words or marks")
def _handwriting(scene: Scene, level: float, rng: np.random.Generator) -> None:
    pen = PENS[int(rng.random() * len(PENS))]
    seeds = rng.random((12, 8))
    for s in seeds[: round(level)]:
        scene.marks.append((1, _scribble(scene.aspect, pen, s)))


def _scribble(aspect: float, pen: Colour, s: npt.NDArray[np.float64]) -> Mark:
    """One word, arrow, circle or underline; ``s`` holds eight numbers in 0-1 that decide."""
    tall = 0.03 + 0.035 * s[3]
    if s[0] < 0.62:
        # Letters: loops on a moving hand, with every few of them taller.
        n = 3 + int(6 * s[4])
        t = np.linspace(0, n * 2 * np.pi, 14 * n)
        height = 0.45 + 0.3 * np.sin(0.37 * t + 9 * s[5]) + 0.25 * np.sin(0.83 * t + 7 * s[6])
        x = t * 0.1 + 0.42 * np.sin(t + 0.9 * np.sin(0.21 * t + 6 * s[7]))
        y = height * np.cos(t * (1 + 0.05 * np.sin(0.5 * t + 5 * s[4])))
        strokes = [np.stack([x + 0.3 * y, -y], axis=1) * tall * 0.7]
    elif s[0] < 0.78:
        a = np.linspace(0.3, 2 * np.pi + 0.7, 40)
        wide = 1 + 0.08 * np.sin(2 * a + 6 * s[5])
        strokes = [np.stack([1.1 * wide * np.cos(a), 1.6 * wide * np.sin(a)], axis=1) * tall]
    elif s[0] < 0.9:
        bend = np.linspace(0, 1, 12)
        shaft = np.stack([3 * bend, 0.5 * bend**2], axis=1)
        head = np.array([[2.5, 0.1], [3.0, 0.5], [2.35, 0.75]])
        strokes = [shaft * tall, head * tall]
    else:
        bend = np.linspace(0, 1, 20)
        strokes = [np.stack([(3 + 5 * s[4]) * bend, 0.12 * np.sin(5 * bend + 6 * s[5])], axis=1) * tall]
    turn = 0.25 * (s[6] - 0.5)
    spin = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    lines = [stroke @ spin for stroke in strokes]

    def mark(image: Image, channel: int | None) -> None:
        height, width = image.shape
        scale = np.array([width / aspect, height])
        # OpenCV takes points in sixteenths of a pixel.
        where = np.array([(0.03 + 0.85 * s[1]) * width, (0.06 + 0.88 * s[2]) * height])
        points = [np.rint((where + line * scale) * 16).astype(np.int32) for line in lines]
        thick = max(round(height / 300 * (0.5 + 0.5 * s[7])), 1)
        cv2.polylines(image, points, False, (shade_of(pen, channel),), thick, cv2.LINE_AA, 4)

    return mark


@effect("highlighter", "text or beats marked with a fluorescent pen", (1, 2, 3, 5, 8), "bands")
def _highlighter(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random((8, 5))
    colour = HIGHLIGHTERS[int(r[0, 4] * len(HIGHLIGHTERS))]
    for band in r[: round(level)]:
        scene.marks.append((1, _band(colour, *band[:4])))


def _band(colour: Colour, x: float, y: float, long: float, tilt: float) -> Mark:
    def mark(image: Image, channel: int | None) -> None:
        height, width = image.shape
        left, right = 0.8 * x * width, (0.8 * x + 0.08 + 0.25 * long) * width
        middle, half, lean = (0.05 + 0.9 * y) * height, 0.022 * height, 0.03 * (tilt - 0.5) * height
        corners = [(left, middle - half), (right, middle - half + lean), (right, middle + half + lean)]
        outline = np.rint([*corners, (left, middle + half)]).astype(np.int32)
        top, bottom = max(outline[:, 1].min(), 0), min(outline[:, 1].max() + 1, height)
        patch = image[top:bottom, max(outline[0, 0], 0) : min(outline[1, 0] + 1, width)]
        if patch.size:
            inside = np.zeros(patch.shape, dtype=np.uint8)
            cv2.fillPoly(inside, [outline - np.array([max(outline[0, 0], 0), top], dtype=np.int32)], (1,))
            darker = (np.arange(256) * shade_of(colour, channel) + 0.5).astype(np.uint8)
            np.copyto(patch, darker[patch], where=inside.astype(bool))

    return mark
