"""What saving a picture loses."""

from __future__ import annotations

import cv2
import numpy as np

from heartprint.foundation.arrays import Image
from heartprint.sheets.camera.effects.registry import effect
from heartprint.sheets.camera.scene import Scene


@effect("jpeg", "compression as JPEG", (75, 50, 30, 18, 9), "quality")
def _jpeg(scene: Scene, level: float, rng: np.random.Generator) -> None:
    quality = round(level)

    def save(picture: Image) -> Image:
        colours = picture.ndim == 3
        # OpenCV takes colours as blue, green, red.
        given = np.ascontiguousarray(picture[..., ::-1]) if colours else picture
        _, coded = cv2.imencode(".jpg", given, [cv2.IMWRITE_JPEG_QUALITY, quality])
        read = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR if colours else cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
        return np.ascontiguousarray(read[..., ::-1]) if colours else read

    scene.file.append(save)


@effect("few_levels", "saved with few grey levels, as GIF and screen sharing do", (40, 20, 11, 7, 4), "levels")
def _few_levels(scene: Scene, level: float, rng: np.random.Generator) -> None:
    steps = np.linspace(0, 255, max(round(level), 2))
    nearest = np.abs(np.arange(256)[:, None] - steps).argmin(axis=1)
    table = np.rint(steps[nearest]).astype(np.uint8)
    scene.file.append(lambda picture: np.asarray(cv2.LUT(picture, table), dtype=np.uint8))
