"""How the sheet lies before the camera. These effects share one mapping; the sheet is sampled once."""

from __future__ import annotations

import math

import numpy as np

from heartprint.foundation.arrays import Image
from heartprint.sheets.camera import tiles
from heartprint.sheets.camera.effects.registry import effect
from heartprint.sheets.camera.kernels import crease
from heartprint.sheets.camera.scene import Mark, Scene


@effect("rotation", "the sheet is turned; it keeps its size, corners are cut off", (1, 3, 6, 10, 15), "degrees")
def _rotation(scene: Scene, level: float, rng: np.random.Generator) -> None:
    scene.rotation_deg += level if rng.random() < 0.5 else -level


@effect(
    "perspective",
    "the camera looks at the sheet from the side",
    (0.04, 0.10, 0.18, 0.27, 0.38),
    "how much nearer the nearest edge is than the centre",
)
def _perspective(scene: Scene, level: float, rng: np.random.Generator) -> None:
    angle = rng.random() * 2 * math.pi
    x, y = scene.keystone
    scene.keystone = (x + level * math.cos(angle) / (scene.aspect / 2), y + level * math.sin(angle) / 0.5)


@effect("curl", "the paper bends as it does when it comes off a roll", (0.005, 0.01, 0.018, 0.03, 0.048), "heights")
def _curl(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random(6)
    sign = 1 if r[0] < 0.5 else -1
    bow = math.pi / scene.aspect * (0.6 + 0.9 * r[1])
    # The bow is centred near the middle of the sheet; a second, shorter wave keeps it from being a perfect arc.
    scene.waves.append((0.2 * level * (r[2] - 0.5), sign * level, bow, 0.6 * (r[3] - 0.5), math.pi / 2 * (0.5 + r[4])))
    scene.waves.append((0.15 * level, 0.2 * level, 2.3 * bow, 0.9, 2 * math.pi * r[5]))


@effect("folds", "the paper was folded and smoothed again", (0.0015, 0.003, 0.0055, 0.009, 0.014), "heights")
def _folds(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random((3, 6))
    count = 1 + int(r[0, 0] * 3)
    for k in range(count):
        across = r[k, 1] < 0.65  # most sheets are folded in two across their length
        angle = 0.12 * (r[k, 2] - 0.5) + (0.0 if across else math.pi / 2)
        nx, ny = math.cos(angle), math.sin(angle)
        where = (r[k, 3] - 0.5) * 0.8 * (scene.aspect if across else 1.0)
        width = 0.12 + 0.25 * r[k, 4]
        shade = (1 if r[k, 5] < 0.5 else -1) * 9 * level
        lean = level * (0.6 if across else 1.0)
        scene.ridges.append((nx, ny, where, width, lean * nx * 0.6, lean * 0.8, shade))
        scene.marks.append((2, _crease(scene.aspect, nx, ny, where, shade)))


def _crease(aspect: float, nx: float, ny: float, where: float, shade: float) -> Mark:
    """The line along which a fold has broken the paper."""

    def mark(image: Image, channel: int | None) -> None:
        height, width = image.shape
        ends = [(nx * where - t * ny, ny * where + t * nx) for t in (-2.0, 2.0)]
        (x0, y0), (x1, y1) = (((x / aspect + 0.5) * width, (y + 0.5) * height) for x, y in ends)
        crease(image, x0, y0, x1, y1, max(0.0022 * height, 0.8), max(min(-1.8 * abs(shade), 0.0), -0.3))

    return mark


@effect("crop", "the edges of the sheet are outside the picture", (0.03, 0.06, 0.10, 0.16, 0.24), "of each side")
def _crop(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random(2)
    scene.zoom /= 1 - level
    _look_at(scene, level / 2 * (2 * r[0] - 1), level / 2 * (2 * r[1] - 1))


@effect("margins", "paper around the sheet is in the picture", (0.04, 0.08, 0.14, 0.22, 0.32), "of each side")
def _margins(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random(2)
    scene.zoom /= 1 + level
    _look_at(scene, level / 2 * (2 * r[0] - 1), level / 2 * (2 * r[1] - 1))
    # Where the picture also shows a desk, there is that much paper before it begins.
    left, up, right, down = scene.paper
    wide, high = level / 2 * scene.aspect, level / 2
    scene.paper = (left + wide, up + high, right + wide, down + high)


@effect("desk", "what the sheet lies on is in the picture", (0.04, 0.08, 0.14, 0.22, 0.32), "of each side")
def _desk(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random(7)
    scene.zoom /= 1 + level
    # Mostly one or two sides of it are seen.
    _look_at(scene, 0.8 * level * (2 * r[0] - 1), 0.8 * level * (2 * r[1] - 1))
    left, up, right, down = scene.paper
    more = 0.06 * r[2:6] ** 2
    scene.paper = (left + more[0], up + more[1], right + more[2], down + more[3])
    scene.desk = int(r[6] * len(tiles.DESKS))


def _look_at(scene: Scene, x: float, y: float) -> None:
    scene.shift = (scene.shift[0] + x, scene.shift[1] + y)
