"""Light on the paper, and how much of it the camera lets in."""

from __future__ import annotations

import math

import numpy as np

from heartprint.sheets.camera.effects.registry import effect
from heartprint.sheets.camera.scene import Colour, Scene

LAMPS: tuple[Colour, ...] = ((1.0, 0.82, 0.55), (1.0, 0.9, 0.68), (0.8, 0.92, 1.0), (0.88, 1.0, 0.9), (1.0, 0.84, 0.92))
"""Incandescent, warm white, shade, fluorescent, pink: what is left of red, green and blue at full strength."""


@effect("uneven_light", "the lamp is on one side", (0.08, 0.16, 0.26, 0.38, 0.52), "of the light lost on the far side")
def _uneven_light(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random(5)
    angle = 2 * math.pi * r[0]
    scene.slopes.append(
        (math.cos(angle), math.sin(angle), level, 0.6 * r[1], 3 + 5 * r[2], 3 + 5 * r[3], 2 * math.pi * r[4])
    )


@effect("shadow", "of the hand, of the phone, of who stands there", (0.1, 0.19, 0.3, 0.43, 0.57), "of the light lost")
def _shadow(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random(7)
    if r[0] < 0.55:
        angle = 2 * math.pi * r[1]
        softness = 0.06 + 0.4 * r[2]
        scene.shadows.append((math.cos(angle), math.sin(angle), 0.3 * (r[3] - 0.3), softness, level))
        return
    # A soft shape that reaches in from one side.
    turn, from_side = math.pi * r[4], 2 * math.pi * r[1]
    far = 0.35 + 0.25 * r[2]
    where = (far * math.cos(from_side), far * math.sin(from_side))
    scene.blobs.append((*where, 0.7 + 0.6 * r[5], 0.4 + 0.4 * r[6], math.cos(turn), math.sin(turn), -level))


@effect("cast", "the colour of the lamp, unbalanced", (0.15, 0.3, 0.5, 0.75, 1.0), "of the lamp's full colour")
def _cast(scene: Scene, level: float, rng: np.random.Generator) -> None:
    lamp = LAMPS[int(rng.random() * len(LAMPS))]
    scene.tinted((1 - level * (1 - lamp[0]), 1 - level * (1 - lamp[1]), 1 - level * (1 - lamp[2])))


@effect("glare", "a lamp or window mirrored in paper or screen", (0.3, 0.5, 0.7, 0.9, 1.0), "of the way to white")
def _glare(scene: Scene, level: float, rng: np.random.Generator) -> None:
    r = rng.random(5)
    turn = math.pi * r[0]
    size = 0.12 + 0.5 * level * (0.5 + 0.5 * r[1])
    scene.blobs.append(
        (0.8 * (r[2] - 0.5), 0.8 * (r[3] - 0.5), size * (1 + r[4]), size * 0.6, math.cos(turn), math.sin(turn), level)
    )


@effect("underexposure", "too little light for white paper to be white", (0.08, 0.16, 0.26, 0.38, 0.52), "of the light")
def _underexposure(scene: Scene, level: float, rng: np.random.Generator) -> None:
    left = 1 - level * (0.95 + 0.05 * rng.random())
    scene.tones.append(lambda tone: tone * np.float32(left))


@effect("overexposure", "too much light: thin lines drown", (0.15, 0.3, 0.45, 0.6, 0.75), "of the way to white")
def _overexposure(scene: Scene, level: float, rng: np.random.Generator) -> None:
    more = 1 / (1 - level * (0.95 + 0.05 * rng.random()))
    # Light that the sensor cannot hold is cut; what is dark stays dark the longest.
    scene.tones.append(lambda tone: 255 * (1 - np.maximum(1 - tone / 255, 0) ** np.float32(more)))


@effect("fade", "contrast is lost: a dirty lens, faded paper", (0.12, 0.24, 0.37, 0.5, 0.64), "of the contrast lost")
def _fade(scene: Scene, level: float, rng: np.random.Generator) -> None:
    grey = 200 + 30 * rng.random()
    scene.tones.append(lambda tone: tone + (np.float32(grey) - tone) * np.float32(level))
