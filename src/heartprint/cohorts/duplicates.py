"""The same waveform twice: exact copies, and copies that were re-sampled, shifted, filtered or scaled.

An ECG that stands in two cohorts, or under two patients, leaks from training into testing whatever the patients are
called. Two steps find it. Every ECG gets a description that neither a shift nor a gain changes: the spectrum of each
lead and the phases between leads, from 1 to 15 Hz, where no usual filter reaches. Those whose descriptions are near
are then aligned and compared: the coherence of two copies is about 1 in every band of a hertz, noise included,
because a filter and a gain act on all leads alike; two ECGs of one patient, or of two with the same rate, agree in
the large waves at best.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.cohorts.cohort import Cohort
from heartprint.cohorts.leads import LEADS_8, LEADS_12
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.progress import Progress

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
T = TypeVar("T")

MIN_COHERENCE = 0.985
"""Mean coherence from which on two ECGs are one: between what copies and what different ECGs of one archive reach
(`benchmarks/duplicates.py`)."""

DUPLICATE_COLUMNS: dict[str, pl.DataType] = {
    "ecg_id": pl.String(),
    "patient_id": pl.String(),
    "other_ecg_id": pl.String(),
    "other_patient_id": pl.String(),
    "kind": pl.String(),
    "coherence": pl.Float32(),
    "shift_s": pl.Float32(),
}
"""Columns of a table of duplicates: ``kind`` is ``exact`` (the very samples) or ``near``; ``shift_s`` says by how much
later a wave stands in the other ECG."""

_LEADS = ("I", "II", "V1", "V3", "V5", "V6")
_RATE = 50.0
_LOW_HZ, _HIGH_HZ = (0.7, 1.3), (14.0, 17.0)  # where the band begins and ends: nothing, all; all, nothing
_SPECTRUM = 1024
_TOP, _PER_BIN = 320, 10  # of the spectrum: to 15.6 Hz, averaged over half a hertz
_BEYOND_S = 1.0
_EDGE_S = 1.2  # of the other ECG that is not compared: what a shift of up to a second moved out
_SHORTEST_S = 2 * _EDGE_S + 4.0
_FINE = 4  # parts of a sample to which a shift is found
_NEAREST, _LEAST_LIKENESS = 4, 0.75
_BLOCK = 1024


@dataclass(frozen=True)
class _Match:
    coherence: float
    shift_s: float


def find_duplicates(
    cohort: Cohort,
    other: Cohort | None = None,
    *,
    min_coherence: float = MIN_COHERENCE,
    n_jobs: int = -1,
    progress: bool = False,
) -> pl.DataFrame:
    """Find ECGs that are copies of each other, within a cohort or across two.

    A copy may be re-sampled, shifted by up to a second, filtered (0.5-40 Hz and the like) and scaled. Of an ECG with
    more than four copies the four nearest are named; the others are found from those.

    Args:
        cohort: ECGs.
        other: Other ECGs to compare each of them with; None = those of the same cohort among themselves.
        min_coherence: Mean coherence over 1-15 Hz from which on two ECGs are one.
        n_jobs: Processes; -1 = all cores.
        progress: Whether to show progress.

    Returns:
        A table with `DUPLICATE_COLUMNS`, the most alike first.

    Raises:
        HeartprintError: ``too-short`` if an ECG is too short to be compared.
    """
    for one in (cohort, other):
        if one is not None:
            one.need_waveforms("Duplicates are found by their waveforms")
    theirs = other or cohort
    first = describe(cohort, n_jobs, progress=progress)
    second = first if other is None else describe(other, n_jobs, progress=progress)
    pairs = _near(first, second, same=other is None)
    found = [
        row
        for part in _in_parts(
            functools.partial(_verified, cohort, theirs, min_coherence), pairs, n_jobs, "Comparing", progress
        )
        for row in part
    ]
    table = pl.DataFrame(found, schema=DUPLICATE_COLUMNS, orient="row")
    return table.sort("coherence", descending=True, maintain_order=True)


def _in_parts(
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

            done = Parallel(n_jobs=n_jobs, return_as="generator")(delayed(work)(part) for part in parts)
        for part, result in zip(parts, done, strict=True):
            yield result
            if bar is not None:
                bar.advance(len(part))


def _verified(cohort: Cohort, other: Cohort, min_coherence: float, pairs: Ints) -> list[tuple[Any, ...]]:
    """Rows of the table of duplicates."""
    ours, theirs = (functools.lru_cache(maxsize=1024)(functools.partial(_small, c)) for c in (cohort, other))
    found: list[tuple[Any, ...]] = []
    for a, b in pairs.tolist():
        match = compare(ours(a), theirs(b))
        if match.coherence < min_coherence:
            continue
        exact = cohort.sampling_rate(a) == other.sampling_rate(b) and np.array_equal(
            cohort.signal(a), other.signal(b), equal_nan=True
        )
        ids = (c.records[name][row] for c, row in ((cohort, a), (other, b)) for name in ("ecg_id", "patient_id"))
        found.append((*ids, "exact" if exact else "near", match.coherence, match.shift_s))
    return found


def describe(cohort: Cohort, n_jobs: int = 1, *, progress: bool = False) -> Floats:
    """``(n, d)`` unit vectors, near each other for copies of one ECG (see `find_duplicates`)."""
    work = functools.partial(_described, cohort)
    parts = list(_in_parts(work, np.arange(len(cohort)), n_jobs, "Describing ECGs", progress))
    return np.concatenate(parts) if parts else np.empty((0, 1), dtype=np.float32)


def _described(cohort: Cohort, rows: Ints) -> Floats:
    return np.stack([_description(_small(cohort, int(row))) for row in rows])


def _small(cohort: Cohort, row: int) -> Floats:
    """``(6, m)`` leads at 50 Hz, 1-15 Hz, each with a root mean square of 1; missing samples are 0."""
    rate, signal = cohort.sampling_rate(row), cohort.signal(row)
    names = LEADS_8 if len(signal) == len(LEADS_8) else LEADS_12
    leads = np.asarray(signal[[names.index(name) for name in _LEADS]], dtype=np.float64)
    n = leads.shape[1]
    if n / rate < _SHORTEST_S:
        raise HeartprintError(
            "too-short",
            f"ECG '{cohort.ecg_ids[row]}' lasts {n / rate:.1f} s; duplicates are found among ECGs of at least "
            f"{_SHORTEST_S:.1f} s. Leave it out.",
        )
    there = np.isfinite(leads)
    leads = np.where(there, leads, 0.0)
    leads -= leads.sum(axis=1, keepdims=True) / np.maximum(there.sum(axis=1, keepdims=True), 1)
    leads[~there] = 0.0
    # Mirrored beyond its ends, for the filter would else see a step there and ring.
    beyond = round(_BEYOND_S * rate)
    leads = np.pad(leads, ((0, 0), (beyond, beyond)), mode="reflect")
    hz = np.fft.rfftfreq(leads.shape[1], 1 / rate)
    band = np.interp(hz, [*_LOW_HZ, *_HIGH_HZ], [0.0, 1.0, 1.0, 0.0])
    m = round(leads.shape[1] / rate * _RATE)
    spectrum = np.fft.rfft(leads, axis=1) * band
    kept = np.zeros((len(leads), m // 2 + 1), dtype=np.complex128)
    k = min(kept.shape[1], spectrum.shape[1])
    kept[:, :k] = spectrum[:, :k]
    cut = round(_BEYOND_S * _RATE)
    small = np.fft.irfft(kept, n=m, axis=1)[:, cut : m - cut]
    small /= np.sqrt((small**2).mean(axis=1, keepdims=True)) + 1e-12
    return small.astype(np.float32)


def _description(small: Floats) -> Floats:
    window = np.hanning(small.shape[1])
    spectrum = np.fft.rfft(small * window, n=_SPECTRUM, axis=1)[:, :_TOP]

    def smooth(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(values.reshape(len(values), -1, _PER_BIN).mean(axis=-1))

    power = np.sqrt(smooth(np.abs(spectrum) ** 2)).ravel()
    # Shifts cancel between leads. Roots of the products weigh the bands more evenly.
    phases = smooth(spectrum[:1].conj() * spectrum[1:])
    phases /= np.sqrt(np.abs(phases)) + 1e-12
    between = np.concatenate([phases.real, phases.imag]).ravel()
    parts = [part / (np.linalg.norm(part) + 1e-12) for part in (power, between)]
    return np.concatenate(parts).astype(np.float32)


def _near(first: Floats, second: Floats, *, same: bool) -> Ints:
    """``(k, 2)`` pairs of rows whose descriptions are alike, each once."""
    if min(len(first), len(second)) < 1 + same:
        return np.empty((0, 2), dtype=np.int64)
    centre = second.mean(axis=0)
    a, b = (x - centre for x in (first, second))
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (a, b))
    pairs: set[tuple[int, int]] = set()
    for start in range(0, len(a), _BLOCK):
        likeness = a[start : start + _BLOCK] @ b.T
        rows = np.arange(len(likeness))
        if same:
            likeness[rows, start + rows] = -1.0
        k = min(_NEAREST, likeness.shape[1])
        nearest = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
        alike = np.take_along_axis(likeness, nearest, axis=1) >= _LEAST_LIKENESS
        for row, column in zip(*np.nonzero(alike), strict=True):
            i, j = start + int(row), int(nearest[row, column])
            pairs.add((min(i, j), max(i, j)) if same else (i, j))
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def compare(one: Floats, other: Floats) -> _Match:
    """Align two ECGs and say how alike they are.

    Args:
        one: ``(6, m)`` from `_small`.
        other: The same; its middle is sought in the first.
    """
    edge = int(_EDGE_S * _RATE)
    middle = other[:, edge : min(one.shape[1], other.shape[1]) - edge]
    length = middle.shape[1]
    n = 1 << int(np.ceil(np.log2(one.shape[1] + length)))
    cross = (np.fft.rfft(one, n, axis=1) * np.fft.rfft(middle, n, axis=1).conj()).sum(axis=0)
    products = np.fft.irfft(cross, _FINE * n) * _FINE
    places = np.arange(_FINE * (one.shape[1] - length) + 1)
    energy = np.concatenate([[0.0], np.cumsum((one.astype(np.float64) ** 2).sum(axis=0))])
    under = energy[length:] - energy[:-length]
    at = int(np.argmax(products[places] / np.sqrt(under[np.rint(places / _FINE).astype(np.int64)] + 1e-12)))
    whole, part = divmod(at, _FINE)
    window = np.hanning(length)
    hz = np.fft.rfftfreq(length, 1 / _RATE)
    turn = np.exp(2j * np.pi * hz * part / _FINE / _RATE)
    x = np.fft.rfft(one[:, whole : whole + length] * window, axis=1) * turn
    y = np.fft.rfft(middle * window, axis=1)
    bands = np.searchsorted(hz, np.arange(_LOW_HZ[1], _HIGH_HZ[0] + 1.0))
    both, xx, yy = (np.add.reduceat(v.sum(axis=0), bands)[:-1] for v in (x * y.conj(), np.abs(x) ** 2, np.abs(y) ** 2))
    coherence = np.abs(both) ** 2 / np.maximum(xx * yy, 1e-24)
    shift = (edge - whole - part / _FINE) / _RATE
    return _Match(float(coherence.mean()), shift)
