"""How a cell says in which frame the paper lies there: in numbers that go over smoothly into each other.

The frame of a cell is the ``(2, 2)`` matrix ``A`` that leads from px of the picture to mm of the paper. A grid looks
the same after a quarter turn and in a mirror, so ``A`` is told up to these eight ways, and by numbers that do not jump
where one way goes over into the next: a network that is asked which of two axes is the first must jump at 45 degrees,
and learned to call everything level instead.

``A`` is a turn after a stretch (its polar decomposition, ``A = R S``; ``S`` is symmetric). The stretch is told by the
three numbers of its logarithm, the turn by cosine and sine of four times its angle.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array


def described(mm_per_px: npt.NDArray[np.floating]) -> tuple[Float64Array, Float64Array]:
    """Describe frames.

    Args:
        mm_per_px: ``(..., 2, 2)``.

    Returns:
        ``(..., 3)``: logarithm of px per mm (geometric mean of all directions), and how much longer mm are seen down
        the picture than across it, and along its diagonals (half the difference of logarithms); ``(..., 2)``: cosine
        and sine of four times the turn.
    """
    a, b = mm_per_px[..., 0, 0], mm_per_px[..., 0, 1]
    c, d = mm_per_px[..., 1, 0], mm_per_px[..., 1, 1]
    # A mirrored paper is turned like its mirror image.
    hand = np.where(a * d - b * c < 0, -1.0, 1.0)
    a, b = hand * a, hand * b
    # Squared singular values and their directions, from A'A.
    xx, yy, xy = a * a + c * c, b * b + d * d, a * b + c * d
    middle, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    large = np.maximum(middle + half, 1e-18)
    small = np.maximum(middle - half, 1e-9 * large)
    mean, apart = np.log(large * small) / 4, np.log(large / small) / 4
    with np.errstate(invalid="ignore", divide="ignore"):
        along = np.where(half > 0, (xx - yy) / 2 / half, 0.0)
        across = np.where(half > 0, xy / half, 0.0)
    # The turn of a matrix with a positive determinant.
    turn = np.arctan2(c - b, a + d)
    scale = np.stack([-mean, apart * along, apart * across], axis=-1)
    return scale, np.stack([np.cos(4 * turn), np.sin(4 * turn)], axis=-1)


def stretches(scale: npt.NDArray[np.floating]) -> Float64Array:
    """``(..., 2, 2)`` mm per px: the symmetric part of frames that are described so."""
    mean, along, across = -scale[..., 0], scale[..., 1], scale[..., 2]
    apart = np.hypot(along, across)
    both, ratio = np.cosh(apart), np.where(apart > 1e-12, np.sinh(apart) / np.maximum(apart, 1e-12), 1.0)
    matrix = np.stack(
        [np.stack([both + ratio * along, ratio * across], -1), np.stack([ratio * across, both - ratio * along], -1)], -2
    )
    return np.asarray(np.exp(mean)[..., None, None] * matrix)


def frames(scale: npt.NDArray[np.floating], quarter: npt.NDArray[np.floating], weight: Float64Array) -> Float64Array:
    """Frames of the cells of one picture, all named alike: the paper's first axis runs from left to right in most.

    Args:
        scale: ``(n, 3)``.
        quarter: ``(n, 2)``, of any length.
        weight: ``(n,)`` how much each cell has to say in what "most" are.

    Returns:
        ``(n, 2, 2)`` mm per px.
    """
    four = np.arctan2(quarter[:, 1], quarter[:, 0])
    mean = float(np.angle((weight * np.exp(1j * four)).sum())) if len(four) else 0.0
    turn = (mean + np.angle(np.exp(1j * (four - mean)))) / 4
    c, s = np.cos(turn), np.sin(turn)
    return np.asarray(np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2) @ stretches(scale))
