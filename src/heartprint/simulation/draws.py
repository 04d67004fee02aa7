"""Reading one stream of random numbers per patient as columns of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.randomness import generator


class Draws:
    """Raw normals and uniforms of many items, handed out in order, so that every item uses its own stream alone.

    Args:
        normals: ``(..., n)`` standard normal draws, the last axis is an item's own stream.
        uniforms: ``(..., m)`` uniform draws on [0, 1).
    """

    def __init__(self, normals: Float64Array, uniforms: Float64Array) -> None:
        self._normals, self._uniforms = normals, uniforms
        self._n = self._u = 0

    def normal(self, *shape: int) -> Float64Array:
        """Next standard normal draws of every item: ``(..., *shape)``."""
        size = int(np.prod(shape, dtype=np.int64))
        taken = self._normals[..., self._n : self._n + size]
        if taken.shape[-1] < size:
            raise ValueError("more normal draws asked for than were made")
        self._n += size
        return taken.reshape(*taken.shape[:-1], *shape)

    def uniform(self, low: Any = 0.0, high: Any = 1.0) -> Float64Array:
        """Next uniform draw of every item: ``(...)``."""
        taken: Float64Array = self._uniforms[..., self._u]
        self._u += 1
        return np.asarray(low + (high - low) * taken)

    def happens(self, chance: Any) -> npt.NDArray[np.bool_]:
        """Whether something of this chance happens, for every item."""
        return np.asarray(self.uniform() < chance)


def rotation(degrees: Float64Array) -> Float64Array:
    """Rotations of the heart in Frank coordinates (x left, y down, z back).

    Args:
        degrees: ``(..., 3)`` angles about z (frontal: positive turns left to down), y (horizontal: positive turns left
            to back) and x (sagittal: positive turns down to back), applied in this order.

    Returns:
        ``(..., 3, 3)`` matrices; rotated = matrix @ vector.
    """
    a = np.deg2rad(degrees)
    (cf, ch, cs), (sf, sh, ss) = np.moveaxis(np.cos(a), -1, 0), np.moveaxis(np.sin(a), -1, 0)
    zero, one = np.zeros_like(cf), np.ones_like(cf)

    def matrix(*rows: tuple[Float64Array, Float64Array, Float64Array]) -> Float64Array:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    frontal = matrix((cf, -sf, zero), (sf, cf, zero), (zero, zero, one))
    horizontal = matrix((ch, zero, -sh), (zero, one, zero), (sh, zero, ch))
    sagittal = matrix((one, zero, zero), (zero, cs, -ss), (zero, ss, cs))
    return np.asarray(sagittal @ horizontal @ frontal)


BLOCK = 128
"""Patients computed together. Fixed, so that arithmetic never depends on how many patients are asked for."""
MAX_VISITS = 6


def open_streams(seed: int, hospital: str, first: int) -> tuple[Draws, Draws]:
    """Open the random streams of patients ``first`` .. ``first + BLOCK - 1``.

    Returns:
        The patients' draws ``(BLOCK, ...)`` and their visits' draws ``(BLOCK, MAX_VISITS, ...)``.
    """
    patients = [generator(seed, f"simulated patient {hospital}", first + i) for i in range(BLOCK)]
    visits = [generator(seed, f"simulated visits {hospital}", first + i) for i in range(BLOCK)]
    return _draws(patients, (), 260, 64), _draws(visits, (MAX_VISITS,), 144, 40)


def open_more_streams(seed: int, hospital: str, first: int) -> tuple[Draws, Draws]:
    """Open further streams of the same patients, which leave those of `open_streams` as they are.

    Returns:
        As `open_streams`.
    """
    conditions = [generator(seed, f"simulated conditions {hospital}", first + i) for i in range(BLOCK)]
    return _draws(conditions, (), 160, 96), _draws(conditions, (MAX_VISITS,), 32, 112)


def _draws(streams: list[np.random.Generator], shape: tuple[int, ...], normals: int, uniforms: int) -> Draws:
    """Draw from each stream ``(*shape, normals)`` normals, then ``(*shape, uniforms)`` uniforms."""
    drawn = [(stream.standard_normal((*shape, normals)), stream.random((*shape, uniforms))) for stream in streams]
    return Draws(np.array([n for n, _ in drawn]), np.array([u for _, u in drawn]))
