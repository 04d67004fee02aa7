"""Heart beats: filters, QRS detection and alignment on all leads of an ECG together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, firwin, resample_poly, sosfilt_zi

from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.compiled import numba
from heartprint.signals.leads import LEADS_8, LEADS_12

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

RATE = 250
"""Hz at which beats are sought and measured, whatever the source's rate."""

DOMINANT = 0.8
"""Correlation with the typical QRS complex from which on a beat counts as one of the dominant shape."""

_PLAUSIBLE_MV = 50.0
_MIN_SECONDS = 2.0
_HALF_QRS = int(0.06 * RATE)


@dataclass(frozen=True)
class CleanLeads:
    """An ECG ready for measuring.

    Attributes:
        signal: ``(8, n)`` mV at `RATE`, high-passed at 0.5 Hz, gaps bridged; unusable leads are 0.
        usable: ``(8,)`` which leads carry a signal.
        gap: ``(n,)`` where half of the leads or more are missing.
    """

    signal: Float64Array
    usable: Bools
    gap: Bools


@dataclass(frozen=True)
class Beats:
    """QRS complexes in order of time.

    Attributes:
        positions: ``(beats,)`` samples at `RATE`, with fractions, the same point of every complex.
        likeness: ``(beats,)`` correlation with the typical complex over all leads.
    """

    positions: Float64Array
    likeness: Float64Array


@lru_cache
def _sections(low: float, high: float | None) -> tuple[Float64Array, Float64Array]:
    kind, edge = ("highpass", low) if high is None else ("bandpass", (low, high))
    sos = butter(2, edge, kind, fs=RATE, output="sos")
    return sos, sosfilt_zi(sos)


@lru_cache
def _kernel(up: int, down: int) -> Float64Array:
    largest = max(up, down)
    out: Float64Array = firwin(20 * largest + 1, 1 / largest, window=("kaiser", 5.0))
    return out


@numba.njit(cache=True, nogil=True)
def zero_phase(signal: Float64Array, sos: Float64Array, state: Float64Array) -> Float64Array:
    """Filter each row forwards and backwards (`scipy.signal.sosfiltfilt`, odd extension of up to one second)."""
    n_rows, n = signal.shape
    pad = min(n - 1, 250)
    length = n + 2 * pad
    work = np.empty((length, n_rows))  # rows side by side, so that a step of the recursion runs on all at once
    for r in range(n_rows):
        for i in range(n):
            work[pad + i, r] = signal[r, i]
        for i in range(pad):
            work[i, r] = 2 * signal[r, 0] - signal[r, pad - i]
            work[pad + n + i, r] = 2 * signal[r, n - 1] - signal[r, n - 2 - i]
    z0, z1 = np.empty(n_rows), np.empty(n_rows)
    for _ in range(2):
        first = work[0].copy()
        for s in range(len(sos)):
            b0, b1, b2 = sos[s, 0], sos[s, 1], sos[s, 2]
            a1, a2 = sos[s, 4], sos[s, 5]
            for r in range(n_rows):
                z0[r], z1[r] = state[s, 0] * first[r], state[s, 1] * first[r]
            for i in range(length):
                for r in range(n_rows):
                    x = work[i, r]
                    y = b0 * x + z0[r]
                    z0[r] = b1 * x - a1 * y + z1[r]
                    z1[r] = b2 * x - a2 * y
                    work[i, r] = y
        work = work[::-1].copy()
    return np.ascontiguousarray(work[pad : pad + n].T)


def clean(leads: npt.NDArray[np.floating], sampling_rate: float) -> CleanLeads | None:
    """Bring an ECG to eight leads at `RATE` without gaps and baseline wander.

    Args:
        leads: ``(8, n)`` in `LEADS_8` order or ``(12, n)`` in `LEADS_12` order, mV, NaN = missing.
        sampling_rate: Hz.

    Returns:
        None where nothing can be measured: too short, flat, or of another shape.
    """
    x = np.asarray(leads, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] not in (8, 12) or not 20 <= sampling_rate <= 1e5:
        return None
    if x.shape[1] < _MIN_SECONDS * sampling_rate:
        return None
    if x.shape[0] == 12:
        x = x[[LEADS_12.index(name) for name in LEADS_8]]
    good = np.abs(x) < _PLAUSIBLE_MV  # False for NaN too
    gap = np.zeros(x.shape[1], dtype=np.bool_)
    usable = np.ones(8, dtype=np.bool_)
    if not good.all():
        usable = good.mean(axis=1) >= 0.5
        gap = (~good).sum(axis=0) >= 4
        x = x.copy()
        at = np.arange(x.shape[1])
        for lead, fine in zip(x, good, strict=True):
            lead[~fine] = np.interp(at[~fine], at[fine], lead[fine]) if fine.any() else 0.0
    rate = round(sampling_rate)
    if rate != RATE:
        common = gcd(rate, RATE)
        up, down = RATE // common, rate // common
        x = resample_poly(x, up, down, axis=1, window=_kernel(up, down), padtype="line")
        gap = gap[np.minimum((np.arange(x.shape[1]) * (rate / RATE)).astype(np.int64), gap.size - 1)]
    x = zero_phase(x, *_sections(0.5, None))
    usable = usable & (x.std(axis=1) > 1e-3)
    x[~usable] = 0.0
    return CleanLeads(x, usable, gap) if usable.any() else None


@numba.njit(cache=True, nogil=True)
def _slope_energy(band: Float64Array, window: int) -> Float64Array:
    """Mean over leads of squared slope, each lead in units of its own typical beat and cut there."""
    n_rows, n = band.shape
    out = np.zeros(n)
    energy = np.zeros(n)
    n_windows = max(1, n // window)
    highest = np.empty(n_windows)
    for r in range(n_rows):
        for i in range(1, n - 1):
            slope = band[r, i + 1] - band[r, i - 1]
            energy[i] = slope * slope
        for w in range(n_windows):
            highest[w] = np.max(energy[w * window : (w + 1) * window])
        top = np.median(highest) + 1e-12
        for i in range(n):
            out[i] += min(energy[i] / top, 1.0) / n_rows
    return out


@numba.njit(cache=True, nogil=True)
def smooth(signal: Float64Array, width: int) -> Float64Array:
    """Moving average of each row over ``width`` (odd) samples; shorter at the ends."""
    out = np.empty(signal.shape)
    half = width // 2
    n = signal.shape[1]
    for r in range(signal.shape[0]):
        for i in range(n):
            start, stop = max(0, i - half), min(n, i + half + 1)
            total = 0.0
            for j in range(start, stop):
                total += signal[r, j]
            out[r, i] = total / (stop - start)
    return out


@numba.njit(cache=True, nogil=True)
def _peaks(envelope: Float64Array, floor: float, refractory: int) -> Ints:
    """Local maxima above ``floor``; of two closer than ``refractory`` samples the higher stays."""
    found = np.empty(len(envelope), dtype=np.int64)
    n = 0
    for i in range(1, len(envelope) - 1):
        if envelope[i] > floor and envelope[i] >= envelope[i - 1] and envelope[i] > envelope[i + 1]:
            if n and i - found[n - 1] < refractory:
                if envelope[i] > envelope[found[n - 1]]:
                    found[n - 1] = i
            else:
                found[n] = i
                n += 1
    return found[:n].copy()


@numba.njit(cache=True, nogil=True)
def _align(
    signal: Float64Array, positions: Ints, template: Float64Array, reach: int
) -> tuple[Float64Array, Float64Array]:
    """Shift each position (at most ``reach`` samples) to where the signal is most like the template.

    Returns positions with a fraction of a sample, and the correlation over all leads there.
    """
    n_leads, width = template.shape
    n = signal.shape[1]
    half = width // 2
    norm = np.sqrt(np.sum(template**2)) + 1e-12
    out = np.empty(len(positions))
    likeness = np.empty(len(positions))
    values = np.empty(2 * reach + 1)
    for b in range(len(positions)):
        best, best_at = -2.0, 0
        for s in range(2 * reach + 1):
            start = positions[b] + s - reach - half
            low, high = max(0, -start), min(width, n - start)
            product, energy = 0.0, 1e-12
            for lead in range(n_leads):
                for t in range(low, high):
                    value = signal[lead, start + t]
                    product += value * template[lead, t]
                    energy += value * value
            values[s] = product / (norm * np.sqrt(energy))
            if values[s] > best:
                best, best_at = values[s], s
        fraction = 0.0
        if 0 < best_at < 2 * reach:
            bend = values[best_at - 1] - 2 * best + values[best_at + 1]
            if bend < 0:
                fraction = 0.5 * (values[best_at - 1] - values[best_at + 1]) / bend
        out[b] = min(max(positions[b] + best_at - reach + fraction, 0.0), n - 1.0)
        likeness[b] = best
    return out, likeness


@numba.njit(cache=True, nogil=True)
def windows(signal: Float64Array, positions: Ints, before: int, after: int) -> Float64Array:
    """``(beats, leads, before + after)`` stretches around positions; edge values beyond the ends."""
    n_leads, n = signal.shape
    out = np.empty((len(positions), n_leads, before + after))
    for b in range(len(positions)):
        for t in range(before + after):
            at = min(max(positions[b] + t - before, 0), n - 1)
            for lead in range(n_leads):
                out[b, lead, t] = signal[lead, at]
    return out


@numba.njit(cache=True, nogil=True)
def median_beat(stretches: Float64Array) -> Float64Array:
    """Median over beats: ``(beats, leads, samples)`` to ``(leads, samples)``."""
    n_beats, n_leads, n = stretches.shape
    out = np.empty((n_leads, n))
    values = np.empty(n_beats)
    middle = n_beats // 2
    for lead in range(n_leads):
        for t in range(n):
            for b in range(n_beats):  # insertion sort: there are a dozen beats
                value = stretches[b, lead, t]
                k = b
                while k > 0 and values[k - 1] > value:
                    values[k] = values[k - 1]
                    k -= 1
                values[k] = value
            out[lead, t] = values[middle] if n_beats % 2 else 0.5 * (values[middle - 1] + values[middle])
    return out


def find_beats(ecg: CleanLeads) -> Beats:
    """Find QRS complexes on the slope energy of all usable leads (after Pan & Tompkins 1985), then align them.

    Complexes are aligned by correlation with the typical one, to a fraction of a sample: RR intervals are then far
    finer than the sampling interval.
    """
    signal = ecg.signal[ecg.usable]
    band = zero_phase(signal, *_sections(5.0, 25.0))
    envelope = smooth(_slope_energy(band, int(1.25 * RATE))[None], int(0.1 * RATE))[0]
    window = min(len(envelope), 2 * RATE)
    whole = len(envelope) // window * window
    reference = np.median(envelope[:whole].reshape(-1, window).max(axis=1))
    candidates = _peaks(envelope, 0.15 * reference, int(0.24 * RATE))
    found = _search_back(candidates, candidates[envelope[candidates] > 0.35 * reference])
    if len(found) == 0:
        return Beats(np.empty(0), np.empty(0))
    shapes = windows(band, found, _HALF_QRS, _HALF_QRS + 1)
    flat = shapes.reshape(len(found), -1)
    flat = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-12)
    medoid = int(np.argmax(np.median(flat @ flat.T, axis=1)))
    positions, likeness = _align(band, found, shapes[medoid], int(0.05 * RATE))
    alike = likeness > DOMINANT
    if alike.sum() >= 3:
        at = np.rint(positions).astype(np.int64)
        template = median_beat(windows(band, at[alike], _HALF_QRS, _HALF_QRS + 1))
        positions, likeness = _align(band, at, template, int(0.02 * RATE))
    order = np.argsort(positions)
    return Beats(positions[order], likeness[order])


def _search_back(candidates: Ints, found: Ints) -> Ints:
    """Where an interval is far longer than usual, accept the low peaks inside it."""
    if len(found) < 3:
        return found
    gaps = np.diff(found)
    usual = float(np.median(gaps))
    long = gaps > 1.7 * usual
    added: list[int] = []
    for start, stop in zip(found[:-1][long], found[1:][long], strict=True):
        inside = candidates[(candidates > start + 0.4 * usual) & (candidates < stop - 0.4 * usual)]
        added.extend(inside.tolist())
    return np.sort(np.concatenate([found, np.array(added, dtype=np.int64)])) if added else found
