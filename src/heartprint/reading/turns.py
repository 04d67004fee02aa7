"""The eight ways in which a rectified sheet may lie."""

from __future__ import annotations

import numpy as np

from heartprint.foundation.arrays import Float64Array
from heartprint.reading.network import TURNS


def turned(turn: int, size: tuple[int, int]) -> tuple[Float64Array, tuple[int, int]]:
    """How an upright picture is seen that is turned in one of the eight ways.

    Args:
        turn: Index into `TURNS`.
        size: Height and width of the upright picture, px.

    Returns:
        ``(3, 3)`` from px of the upright picture to px of the turned one, and that one's height and width.
    """
    quarters, mirrored = TURNS[turn]
    height, width = size
    matrix = np.eye(3)
    if mirrored:
        matrix = np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    for _ in range(quarters):
        matrix = np.array([[0.0, -1.0, height], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) @ matrix
        height, width = width, height
    return matrix, (height, width)
