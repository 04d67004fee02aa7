"""The same waveform twice: exact copies, and copies that were re-sampled, shifted, filtered or scaled.

Two steps find it. Every ECG gets a description that neither a shift nor a gain changes: the spectrum of each lead and
the phases between leads, from 1 to 15 Hz, where no usual filter reaches. Those whose descriptions are near are then
aligned and compared: the coherence of two copies is about 1 in every band of a hertz, noise included, because a filter
and a gain act on all leads alike; two ECGs of one patient, or of two with the same rate, agree in the large waves at
best.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.cohorts.cohort import Cohort
from heartprint.cohorts.duplicates.search import in_parts, nearest_pairs
from heartprint.foundation.arrays import Float32Array
from heartprint.foundation.errors import HeartprintError
from heartprint.signals.leads import LEADS_8, LEADS_12

Ints = npt.NDArray[np.int64]

MIN_COHERENCE = 0.985
"""Mean coherence from which on two ECGs are one: between what copies and what different ECGs of one archive reach
(`benchmarks/duplicates.py`)."""

COLUMNS: dict[str, pl.DataType] = {"coherence": pl.Float32(), "shift_s": pl.Float32()}
"""What is measured of two waveforms: mean coherence over 1-15 Hz; by how much later a wave stands in the other, s."""

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


@dataclass(frozen=True)
class _Match:
    coherence: float
    shift_s: float


def find(
    cohort: Cohort, other: Cohort | None, min_likeness: float, n_jobs: int, *, progress: bool
) -> list[tuple[Any, ...]]:
    """Pairs of rows with their kind and `COLUMNS`; see `find_duplicates`."""
    theirs = other or cohort
    first = describe(cohort, n_jobs, progress=progress)
    second = first if other is None else describe(other, n_jobs, progress=progress)
    pairs = nearest_pairs(first, second, same=other is None, at_most=_NEAREST, least=_LEAST_LIKENESS)
    work = functools.partial(_verified, cohort, theirs, min_likeness)
    return [row for part in in_parts(work, pairs, n_jobs, "Comparing", progress) for row in part]


def _verified(cohort: Cohort, other: Cohort, min_coherence: float, pairs: Ints) -> list[tuple[Any, ...]]:
    ours, theirs = (functools.lru_cache(maxsize=1024)(functools.partial(_small, c)) for c in (cohort, other))
    found: list[tuple[Any, ...]] = []
    for a, b in pairs.tolist():
        match = compare(ours(a), theirs(b))
        if match.coherence < min_coherence:
            continue
        exact = cohort.sampling_rate(a) == other.sampling_rate(b) and np.array_equal(
            cohort.signal(a), other.signal(b), equal_nan=True
        )
        found.append((a, b, "exact" if exact else "near", match.coherence, match.shift_s))
    return found


def describe(cohort: Cohort, n_jobs: int = 1, *, progress: bool = False) -> Float32Array:
    """``(n, d)`` unit vectors, near each other for copies of one ECG (see `find_duplicates`)."""
    work = functools.partial(_described, cohort)
    parts = list(in_parts(work, np.arange(len(cohort)), n_jobs, "Describing ECGs", progress))
    return np.concatenate(parts) if parts else np.empty((0, 1), dtype=np.float32)


def _described(cohort: Cohort, rows: Ints) -> Float32Array:
    return np.stack([_description(_small(cohort, int(row))) for row in rows])


def _small(cohort: Cohort, row: int) -> Float32Array:
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


def _description(small: Float32Array) -> Float32Array:
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


def compare(one: Float32Array, other: Float32Array) -> _Match:
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
