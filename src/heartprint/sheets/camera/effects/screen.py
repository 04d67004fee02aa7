"""What a photograph of a screen shows."""

from __future__ import annotations

import math

import numpy as np

from heartprint.sheets.camera.effects.registry import effect
from heartprint.sheets.camera.scene import Scene


@effect("moire", "the screen's pixels against the camera's: slow waves", (0.02, 0.04, 0.07, 0.11, 0.16), "of the light")
def _moire(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random((2, 4))
    for k, share in enumerate((0.65, 0.45)):
        period = 7 + 30 * r[k, 0]
        angle = math.pi * r[k, 1]
        turns = 2 * math.pi / period
        bend = 0.5 * turns * (r[k, 2] - 0.5)
        scene.stripes.append(
            (share * level, turns * math.cos(angle), turns * math.sin(angle), bend, 2 * math.pi * r[k, 3])
        )


@effect("pixel_grid", "the screen's pixels themselves", (0.025, 0.05, 0.085, 0.13, 0.19), "of the light")
def _pixel_grid(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random(4)
    turns = 2 * math.pi / (2.2 + 1.3 * r[0])
    tilt = 0.1 * (r[1] - 0.5)
    scene.stripes.append((0.6 * level, turns, tilt, 0.0, 2 * math.pi * r[2]))
    scene.stripes.append((0.6 * level, tilt, turns, 0.0, 2 * math.pi * r[3]))


@effect("flicker", "bands: the light changes while rows are read", (0.02, 0.045, 0.08, 0.12, 0.18), "of the light")
def _flicker(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random(2)
    scene.stripes.append((level, 0.0, 2 * math.pi / (60 + 120 * r[0]), 0.0, 2 * math.pi * r[1]))
