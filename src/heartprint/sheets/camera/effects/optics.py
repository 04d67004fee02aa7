"""What the lens, the hand that holds the camera and the camera's own processing do."""

from __future__ import annotations

import math

import cv2
import numpy as np

from heartprint.foundation.arrays import Float32Array, Image
from heartprint.sheets.camera import tiles
from heartprint.sheets.camera.effects.registry import effect
from heartprint.sheets.camera.scene import REFERENCE_PX, Scene


def _px(picture: Image, length: float) -> float:
    """A length given in px of a picture of 300 px, in px of this one."""
    return length * math.sqrt(picture.shape[0] * picture.shape[1]) / REFERENCE_PX


@effect("blur", "out of focus", (0.4, 0.65, 1.0, 1.45, 2.1), "px at 300 px, standard deviation")
def _blur(scene: Scene, level: float, rng: np.random.Generator) -> None:
    sigma = level * (0.95 + 0.05 * rng.random())

    def defocus(picture: Image) -> Image:
        width = _px(picture, sigma)
        side = 2 * math.ceil(2.5 * width) + 1
        return np.asarray(
            cv2.GaussianBlur(picture, (side, side), width, borderType=cv2.BORDER_REFLECT_101), dtype=np.uint8
        )

    scene.optics.append(defocus)


@effect("motion_blur", "the camera moved", (1.8, 3.0, 4.6, 7.0, 10.5), "px at 300 px")
def _motion_blur(scene: Scene, level: float, rng: np.random.Generator) -> None:
    angle = math.pi * rng.random()

    def smear(picture: Image) -> Image:
        return np.asarray(
            cv2.filter2D(picture, -1, _track(_px(picture, level), angle), borderType=cv2.BORDER_REFLECT_101),
            dtype=np.uint8,
        )

    scene.optics.append(smear)


def _track(length: float, angle: float) -> Float32Array:
    """``(k, k)`` what one point of light leaves while the camera moves straight by ``length`` px."""
    half = math.ceil(length / 2)
    at = np.linspace(-length / 2, length / 2, 8 * half + 1)
    x, y = at * math.cos(angle) + half, at * math.sin(angle) + half
    out = np.zeros((2 * half + 2, 2 * half + 2), dtype=np.float32)
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    for dj, wj in ((0, 1 - (y - j)), (1, y - j)):
        for di, wi in ((0, 1 - (x - i)), (1, x - i)):
            np.add.at(out, (j + dj, i + di), (wi * wj).astype(np.float32))
    return np.ascontiguousarray(out[:-1, :-1] / out[:-1, :-1].sum())


@effect("low_resolution", "the picture was made small, then large again", (0.8, 0.65, 0.5, 0.38, 0.28), "of each side")
def _low_resolution(scene: Scene, level: float, rng: np.random.Generator) -> None:
    share = level * (1 - 0.03 * rng.random())

    def shrink(picture: Image) -> Image:
        height, width = picture.shape[:2]
        small = cv2.resize(
            picture, (max(round(width * share), 4), max(round(height * share), 4)), interpolation=cv2.INTER_AREA
        )
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)

    scene.optics.append(shrink)


@effect("sharpening", "a phone's halo around every line", (0.35, 0.7, 1.2, 1.9, 2.8), "times the fine detail")
def _sharpening(scene: Scene, level: float, rng: np.random.Generator) -> None:
    sigma = 0.9 + 0.4 * rng.random()

    def sharpen(picture: Image) -> Image:
        soft = cv2.GaussianBlur(picture, (0, 0), _px(picture, sigma), borderType=cv2.BORDER_REFLECT_101)
        return np.asarray(cv2.addWeighted(picture, 1 + level, soft, -level, 0), dtype=np.uint8)

    scene.optics.append(sharpen)


@effect("noise", "of the sensor: too little light", (2, 4, 7.5, 13, 21), "grey levels on white, standard deviation")
def _noise(scene: Scene, level: float, rng: np.random.Generator) -> None:
    row, column = rng.random(2) * tiles.TILE
    scene.noise = math.hypot(scene.noise, level)
    scene.grain_at = (int(row), int(column))
