"""How a sheet lies in the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from heartprint.foundation.errors import HeartprintError

MAX_ROTATION_DEG = 45.0
"""Largest rotation that the raster draws; a trace is a function of time only while the sheet is mostly upright."""


@dataclass(frozen=True)
class Pose:
    """How a sheet lies in the picture.

    The picture keeps its size, the sheet keeps its scale and turns about the picture's centre. What becomes free is
    white and the sheet's corners are cut off, as where a finished image is turned, which is what the paper's
    laboratory does. At 10 degrees up to 8 % of the side is lost at a corner, nothing at the middle of an edge.

    Attributes:
        rotation_deg: Degrees counter-clockwise.
    """

    rotation_deg: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rotation_deg) and abs(self.rotation_deg) <= MAX_ROTATION_DEG):
            raise HeartprintError(
                "bad-pose",
                f"A sheet can be turned by up to {MAX_ROTATION_DEG:g} degrees either way, not {self.rotation_deg}.",
            )


def draw_pose(rng: np.random.Generator, max_rotation_deg: float = 10.0) -> Pose:
    """Draw a pose at random.

    Args:
        rng: Source of randomness (`heartprint.foundation.randomness.generator`). One number is drawn.
        max_rotation_deg: The rotation is uniform in [-max, max].

    Raises:
        HeartprintError: ``bad-pose``.
    """
    return Pose(max_rotation_deg * float(rng.uniform(-1.0, 1.0)))
