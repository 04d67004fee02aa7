"""The eight ways in which a rectified sheet may lie."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

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


def _table() -> npt.NDArray[np.int64]:
    linear = np.stack([turned(turn, (1, 1))[0][:2, :2] for turn in range(len(TURNS))])
    both = linear[:, None] @ linear[None]
    return np.asarray(np.abs(both[:, :, None] - linear).sum((-1, -2)).argmin(-1))


COMPOSED = _table()
"""``(8, 8)``: how a sheet is turned that was turned in the second way first, and then in the first."""


def upright_copy(turn: int) -> int:
    """The copy that stands upright of a picture that is turned in some way."""
    return int(np.flatnonzero(COMPOSED[:, turn] == 0)[0])


def voted(told: Mapping[int, npt.NDArray[np.floating]], names: Mapping[int, float]) -> Float64Array:
    """How a picture is turned, from what was said of turned copies of it.

    Every copy votes: what is said of the copy that was turned in one way is said of the picture in another.

    Args:
        told: Of each copy that was looked at, ``(8,)`` shares of `TURNS` that a network gave to it.
        names: How many lead names were read in each, surely: names are read in an upright copy alone.

    Returns:
        ``(8,)`` shares of `TURNS` of the picture itself.
    """
    score = np.array([_MIRRORED if mirrored else 0.0 for _, mirrored in TURNS])
    for copy, shares in told.items():
        score += np.log(np.maximum(shares, 1e-4))[COMPOSED[copy]] / 2
    for copy, count in names.items():
        score[np.flatnonzero(COMPOSED[copy] == 0)] += _PER_NAME * count
    score = np.exp(score - score.max())
    return np.asarray(score / score.sum())


_MIRRORED = float(np.log(0.002))
"""Pictures are seldom mirrored: only what says so plainly is believed."""
_PER_NAME = 1.5
"""Logarithm of the odds that a lead name that is read adds to its copy's being upright."""
