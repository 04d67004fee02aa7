"""What the search for copies does whatever they are copies of."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.arrays import Float32Array
from heartprint.foundation.parallel import tied_workers
from heartprint.foundation.progress import Progress

Ints = npt.NDArray[np.int64]
T = TypeVar("T")

_BLOCK = 1024
# Up to so many pairs are all compared: of few ECGs nobody knows what all have in common.
_FEW_PAIRS = 1000
# Copies of one ECG that each of them is paired with; the others are found from those.
_MOST_COPIES = 4
_CONTENT = {
    "waveform": ("waveform_hash", "n_samples", "n_leads", "sampling_rate", "uv_per_bit", "unit"),
    "image": ("image_hash", "height", "width"),
}


def same_content(cohort: Cohort, other: Cohort | None) -> list[tuple[int, int]]:
    """Pairs of rows whose very samples or pixels are the same, each once, ascending.

    Args:
        cohort: ECGs, or images of ECGs.
        other: Others of the same kind, or None for those of the same cohort among themselves.
    """
    columns = _CONTENT[cohort.kind]
    places: dict[tuple[Any, ...], list[int]] = {}
    for row, content in enumerate((other or cohort).records.select(columns).iter_rows()):
        places.setdefault(content, []).append(row)
    pairs = []
    seen: dict[tuple[Any, ...], int] = {}
    for row, content in enumerate(cohort.records.select(columns).iter_rows()):
        copies = places.get(content, [])
        first = 0
        if other is None:
            # Its own place among the copies: it is paired with those that follow.
            first = seen[content] = seen.get(content, 0) + 1
        pairs += [(row, copy) for copy in copies[first : first + _MOST_COPIES]]
    return pairs


def in_parts(
    work: Callable[[Ints], T], items: Ints, n_jobs: int, name: str, progress: bool, *, size: int = 250
) -> Iterator[T]:
    """Do some work on items, part by part, on several processes; results in order."""
    parts = [items[k : k + size] for k in range(0, len(items), size)]
    shown = Progress(name, len(items)) if progress else contextlib.nullcontext()
    with shown as bar:
        if n_jobs == 1:
            done = map(work, parts)
        else:
            from joblib import Parallel, delayed

            done = Parallel(n_jobs=n_jobs, return_as="generator", **tied_workers())(
                delayed(work)(part) for part in parts
            )
        for part, result in zip(parts, done, strict=True):
            yield result
            if bar is not None:
                bar.advance(len(part))


def nearest_pairs(first: Float32Array, second: Float32Array, *, same: bool, at_most: int, least: float) -> Ints:
    """Pairs of rows whose descriptions are alike, each once.

    Args:
        first: ``(n, d)`` descriptions; what all have in common is taken away before they are compared. Of few all
            pairs are given: what two have in common is no more than that they are copies.
        second: ``(m, d)`` those of the others.
        same: Whether both are the same, of which none is paired with itself.
        at_most: Others that a row is paired with: the nearest.
        least: Cosine of the angle between two descriptions from which on they are alike.

    Returns:
        ``(k, 2)`` rows of either, ascending.
    """
    if min(len(first), len(second)) < 1 + same:
        return np.empty((0, 2), dtype=np.int64)
    if len(first) * len(second) <= _FEW_PAIRS * (1 + same):
        every = [(i, j) for i in range(len(first)) for j in range(i + 1 if same else 0, len(second))]
        return np.array(every, dtype=np.int64).reshape(-1, 2)
    # Each description counts once: that of an ECG with many copies would else be what all have in common.
    distinct = {row.tobytes(): row for part in ((first,) if same else (first, second)) for row in part}
    centre = np.mean(list(distinct.values()), axis=0)
    a, b = (x - centre for x in (first, second))
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (a, b))
    pairs: set[tuple[int, int]] = set()
    for start in range(0, len(a), _BLOCK):
        likeness = a[start : start + _BLOCK] @ b.T
        rows = np.arange(len(likeness))
        if same:
            likeness[rows, start + rows] = -1.0
        k = min(at_most, likeness.shape[1])
        nearest = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
        alike = np.take_along_axis(likeness, nearest, axis=1) >= least
        for row, column in zip(*np.nonzero(alike), strict=True):
            i, j = start + int(row), int(nearest[row, column])
            pairs.add((min(i, j), max(i, j)) if same else (i, j))
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
