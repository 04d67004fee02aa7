"""How a page lies before the reader."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pose:
    """A turn of the page about its centre; what turns out of the image is cut off, what turns in is white.

    Attributes:
        rotation_deg: Counter-clockwise, degrees, between -45 and 45.
    """

    rotation_deg: float


def draw_pose(rng: np.random.Generator, max_rotation_deg: float = 10.0) -> Pose:
    """Draw a turn evenly between ``-max_rotation_deg`` and ``max_rotation_deg``."""
    return Pose(float(rng.uniform(-max_rotation_deg, max_rotation_deg)))
