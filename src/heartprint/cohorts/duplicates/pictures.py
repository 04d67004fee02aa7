"""The same picture twice: exact copies, and copies that were re-saved, resized or dimmed.

Pictures of one hospital look alike: the same grid, the same print, four columns of leads. What tells them apart is the
traces. A picture becomes its ink (how much darker than the paper around it), and what it has in common with the
pictures most like it is taken away before two are compared: what is left of two copies correlates at 0.8 and more, of
two ECGs at 0.6 at most (1,423 real ECGs drawn in four layouts, 25 photographs).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.cohorts.cohort import Cohort
from heartprint.cohorts.duplicates.search import in_parts
from heartprint.foundation.arrays import Float32Array, Image

Ints = npt.NDArray[np.int64]

MIN_CORRELATION = 0.75
"""Correlation, without what similar pictures have in common, from which on two pictures are one."""

COLUMNS: dict[str, pl.DataType] = {"correlation": pl.Float32()}
"""What is measured of two pictures."""

_SIDE, _COARSE = 128, 48
_ALONE = 0.95  # where there are too few pictures to know what they have in common
_NEAREST, _COMMON = 4, 8
_LEAST_LIKENESS = 0.4
_COPY = 0.95  # coarsely seen, as copies are alike; two ECGs of one layout reached 0.78, re-saved copies 0.996
_BLOCK = 512


def find(
    cohort: Cohort, other: Cohort | None, min_likeness: float, n_jobs: int, *, progress: bool
) -> list[tuple[Any, ...]]:
    """Pairs of rows with their kind and `COLUMNS`; see `find_duplicates`."""
    theirs = other or cohort
    first = describe(cohort, n_jobs, progress=progress)
    second = first if other is None else describe(other, n_jobs, progress=progress)
    candidates = _candidates(first, second, same=other is None)
    work = functools.partial(_verified, cohort, theirs, min_likeness)
    return [row for part in in_parts(work, candidates, n_jobs, "Comparing", progress) for row in part]


def describe(cohort: Cohort, n_jobs: int = 1, *, progress: bool = False) -> Float32Array:
    """``(n, d)`` unit vectors: the ink of each picture, coarsely."""
    work = functools.partial(_described, cohort)
    parts = list(in_parts(work, np.arange(len(cohort)), n_jobs, "Describing pictures", progress))
    return np.concatenate(parts) if parts else np.empty((0, 1), dtype=np.float32)


def _described(cohort: Cohort, rows: Ints) -> Float32Array:
    import cv2

    fine = (_ink(cohort.image(int(row))) for row in rows)
    coarse = np.stack([cv2.resize(ink, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA).ravel() for ink in fine])
    return np.asarray(coarse / np.maximum(np.linalg.norm(coarse, axis=1, keepdims=True), 1e-9), dtype=np.float32)


def _ink(pixels: Image) -> Float32Array:
    """``(128, 128)``: how much darker than the paper around it, without what varies slowly."""
    import cv2

    small = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    paper = cv2.blur(cv2.dilate(small, np.ones((_SIDE // 16, _SIDE // 16))), (_SIDE // 8, _SIDE // 8))
    ink = np.clip(1 - small / np.maximum(paper, 1), 0, 1)
    return np.asarray(ink - cv2.GaussianBlur(ink, (0, 0), _SIDE / 64), dtype=np.float32)


def _candidates(first: Float32Array, second: Float32Array, *, same: bool) -> Ints:
    """``(k, 2 + 8)``: pairs of rows that may be copies, and pictures like them, from both cohorts one after the other.

    Where there are too few pictures to say what they have in common, -1 stands for those.
    """
    if min(len(first), len(second)) < 1 + same:
        return np.empty((0, 2 + _COMMON), dtype=np.int64)
    everyone = first if same else np.concatenate([first, second])
    start_of_second = 0 if same else len(first)
    wanted = min(2 * _COMMON + 2, len(everyone) - 1)
    found: dict[tuple[int, int], list[int]] = {}
    for start in range(0, len(first), _BLOCK):
        block = first[start : start + _BLOCK]
        likeness = block @ everyone.T
        own = np.arange(len(block))
        likeness[own, start + own] = -2.0
        like = np.argpartition(-likeness, wanted - 1, axis=1)[:, :wanted]
        like = np.take_along_axis(like, np.argsort(-np.take_along_axis(likeness, like, axis=1), axis=1), axis=1)
        theirs = likeness[:, start_of_second:]
        nearest = np.argpartition(-theirs, min(_NEAREST, theirs.shape[1]) - 1, axis=1)[:, :_NEAREST]
        for i, others in enumerate(nearest.tolist()):
            for j in others:
                a, b = start + i, start_of_second + j
                if a == b:
                    continue
                # A further copy is left out, or the picture would be what it has in common with others.
                common = [row for row in like[i].tolist() if row != b and likeness[i, row] < _COPY][:_COMMON]
                pair = (min(a, b), max(a, b)) if same else (a, j)
                if pair not in found and _alike(first[a], everyone[b], everyone[common]) >= _LEAST_LIKENESS:
                    found[pair] = common if len(common) == _COMMON else [-1] * _COMMON
    return np.array([[*pair, *found[pair]] for pair in sorted(found)], dtype=np.int64).reshape(-1, 2 + _COMMON)


def _alike(one: Float32Array, other: Float32Array, common: Sequence[Float32Array] | Float32Array) -> float:
    """Correlation of two pictures, less what they have in common with those like them (if these are enough)."""
    template = np.mean(common, axis=0) if len(common) == _COMMON else np.float32(0)
    x, y = one - template, other - template
    return float((x * y).sum() / max(float(np.sqrt((x * x).sum() * (y * y).sum())), 1e-12))


def _verified(cohort: Cohort, other: Cohort, min_correlation: float, candidates: Ints) -> list[tuple[Any, ...]]:
    @functools.lru_cache(maxsize=1024)
    def ink(row: int, theirs: bool) -> Float32Array:
        fine = _ink((other if theirs else cohort).image(row))
        return fine / np.float32(max(float(np.linalg.norm(fine)), 1e-9))

    found: list[tuple[Any, ...]] = []
    n = len(cohort)
    for a, b, *common in candidates.tolist():
        known = [ink(row - n, True) if row >= n else ink(row, False) for row in common if row >= 0]
        correlation = _alike(ink(a, False), ink(b, True), known)
        if correlation >= (min_correlation if known else max(min_correlation, _ALONE)):
            exact = np.array_equal(cohort.image(a), other.image(b))
            found.append((a, b, "exact" if exact else "near", correlation))
    return found
