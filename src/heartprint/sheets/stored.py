"""An ECG that is stored as an image, brought to the square that is wanted.

Averaged over areas, as drawn sheets fill the square whatever their proportions.
"""

from __future__ import annotations

import math

import numpy as np

from heartprint.foundation.arrays import Image
from heartprint.sheets.camera.scene import one_thread
from heartprint.sheets.pose import Pose


def fitted(image: Image, size: int) -> Image:
    """Bring ``(h, w)`` to ``(size, size)``: averaged over areas where it shrinks, linear where it grows."""
    import cv2

    height, width = image.shape
    with one_thread():
        if height > size or width > size:
            # Each axis by itself: where one of them grows, OpenCV would not average along the other.
            image = np.asarray(cv2.resize(image, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA))
        if image.shape != (size, size):
            image = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR))
    return np.array(image, dtype=np.uint8)


def turned(image: Image, size: int, pose: Pose) -> Image:
    """Turn ``(h, w)`` about its centre within ``(size, size)``, white around, sampled once.

    It is sampled at least as finely as it is stored, then averaged over areas; its pose means what it means to
    `render`: the square picture is turned.
    """
    import cv2

    height, width = image.shape
    wide, high = (size * max(2, math.ceil(n / size)) for n in (width, height))
    angle = math.radians(pose.rotation_deg)
    # From pixels of the fine picture to its centre, turned back, to pixels of the image.
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = np.diag([width, height]) @ turn @ np.diag([1 / wide, 1 / high])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre - matrix @ np.array([(wide - 1) / 2, (high - 1) / 2])
    with one_thread():
        fine = cv2.warpAffine(
            image,
            np.column_stack([matrix, offset]),
            (wide, high),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=255,
        )
        return np.asarray(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)
