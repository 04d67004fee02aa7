"""What a cardiograph prints beside an ECG: rate, intervals, axis and amplitudes, measured from the waveform.

Beats are found on all leads together, aligned, and reduced to one median beat per lead; intervals are read from that
beat on signals that combine the leads, so that one bad lead does not decide (global intervals, as in the CSE study,
Willems 1985). Whatever cannot be measured is NaN. These numbers are the `features` row that stands beside the networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.compiled import numba
from heartprint.signals.beats import DOMINANT, RATE, Beats, Bools, clean, find_beats, median_beat, smooth, windows
from heartprint.signals.leads import LEADS_8, LEADS_12, TWELVE_FROM_EIGHT

_BEFORE, _AFTER = int(0.45 * RATE), int(0.65 * RATE)  # reach of the median beat around the complex
_STEP = 3  # samples of which one of the kept beat is the mean
_KEPT = slice(_BEFORE - 75, _BEFORE + 150)
BEAT_SAMPLES = (_KEPT.stop - _KEPT.start) // _STEP
"""Samples of `Measurements.beat` in each lead: 0.3 s before to 0.6 s after the complex, 12 ms apart."""
_NEEDS = TWELVE_FROM_EIGHT != 0  # (12, 8): which stored leads each lead is made of
_AVF = LEADS_12.index("aVF")

# Limits of QRS, as shares of its greatest speed; set so that normal ECGs measure as in surveys (for women a mean of
# 85 ms, 2nd to 98th percentile 70-104 ms: PMC3825808, table 2).
_ONSET_SPEED, _OFFSET_SPEED = 0.03, 0.05
_SAME_ORIGIN = 0.6  # correlation of complexes below which a beat is taken for a ventricular extrasystole
_P_CONSISTENCY = 0.25  # below, the stretches before QRS hold no P wave worth measuring
_P_MIN_MV = 0.01

FEATURE_NAMES: tuple[str, ...] = (
    "rate_bpm",
    "rr_irregularity",
    "rr_variation",
    "p_consistency",
    "pr_ms",
    "qrs_ms",
    "qt_ms",
    "qtc_ms",
    "axis_cos",
    "axis_sin",
    *(f"r_mv_{lead}" for lead in LEADS_12),
    *(f"t_mv_{lead}" for lead in LEADS_12),
)
"""Columns of `measure_cohort`."""


@dataclass(frozen=True)
class Measurements:
    """Measurements of one ECG; NaN = not measurable.

    Attributes:
        n_beats: QRS complexes found.
        rate_bpm: Ventricular rate from the mean RR interval, per minute.
        rr_irregularity: Median |difference of successive RR intervals| / mean RR interval.
        rr_variation: Standard deviation of RR intervals / mean RR interval.
        p_consistency: How much alike the stretches before the QRS complexes are, about 0 (no P wave, as in atrial
            fibrillation) to 1: the mean correlation of pairs of beats, over all leads, weighted by their size.
        pr_ms: From the start of P to the start of QRS; NaN where no P wave is found.
        qrs_ms: QRS duration.
        qt_ms: From the start of QRS to the end of T, by the tangent method (Lepeschkin & Surawicz 1952).
        qtc_ms: QT / (RR in s)^(1/3) (Fridericia 1920).
        axis_deg: Frontal QRS axis from the areas in I and aVF, in (-180, 180].
        r_mv: ``(12,)`` highest point of QRS above its start, mV, in `LEADS_12` order.
        t_mv: ``(12,)`` height of T where the leads together are largest, above the start of QRS, mV, signed.
        beat: ``(8, BEAT_SAMPLES)`` the median beat in `LEADS_8` order, mV above the start of QRS.
    """

    n_beats: int
    rate_bpm: float
    rr_irregularity: float
    rr_variation: float
    p_consistency: float
    pr_ms: float
    qrs_ms: float
    qt_ms: float
    qtc_ms: float
    axis_deg: float
    r_mv: Float64Array
    t_mv: Float64Array
    beat: Float64Array

    def features(self) -> npt.NDArray[np.float32]:
        """``(k,)`` float32 in the order of `FEATURE_NAMES`; the axis, being an angle, as cosine and sine."""
        axis = np.deg2rad(self.axis_deg)
        numbers = [
            self.rate_bpm,
            self.rr_irregularity,
            self.rr_variation,
            self.p_consistency,
            self.pr_ms,
            self.qrs_ms,
            self.qt_ms,
            self.qtc_ms,
            np.cos(axis),
            np.sin(axis),
        ]
        return np.concatenate([numbers, self.r_mv, self.t_mv]).astype(np.float32)


def measure(leads: npt.NDArray[np.floating], sampling_rate: float) -> Measurements:
    """Measure one ECG.

    Args:
        leads: ``(8, n)`` in `LEADS_8` order or ``(12, n)`` in `LEADS_12` order, mV, NaN = missing.
        sampling_rate: Hz.

    Returns:
        Measurements; an ECG that is flat, too short or pure noise gives NaN, never an error.
    """
    ecg = clean(leads, sampling_rate)
    if ecg is None:
        return _nothing(_Rhythm(0))
    beats = find_beats(ecg)
    rhythm = _rhythm(beats, ecg.gap)
    whole = (beats.positions >= _BEFORE) & (beats.positions + _AFTER <= ecg.signal.shape[1])
    typical = beats.likeness > DOMINANT
    chosen = beats.positions[whole & typical]
    if len(chosen) < 2:
        chosen = beats.positions[typical]
    if len(chosen) < 2:
        return _nothing(rhythm)
    stretches = windows(ecg.signal, np.rint(chosen).astype(np.int64), _BEFORE, _AFTER)
    return _measure_beat(stretches, ecg.usable, rhythm)


@dataclass(frozen=True)
class _Rhythm:
    """What the times of the beats say; `rr` is the median RR interval in s."""

    n_beats: int
    rate_bpm: float = float("nan")
    irregularity: float = float("nan")
    variation: float = float("nan")
    rr: float = float("nan")


def _rhythm(beats: Beats, gap: Bools) -> _Rhythm:
    n = len(beats.positions)
    if n < 2:
        return _Rhythm(n)
    rr = np.diff(beats.positions) / RATE
    # An interval over a gap in the recording may have lost a beat.
    kept = np.diff(np.cumsum(gap)[np.rint(beats.positions).astype(np.int64)]) == 0
    if not kept.any():
        return _Rhythm(n)
    mean = float(rr[kept].mean())
    rate, usual = 60.0 / mean, float(np.median(rr[kept]))
    # Extrasystoles of ventricular origin make a regular rhythm look irregular: intervals beside a complex of another
    # shape are left out where enough others remain.
    typical = beats.likeness > _SAME_ORIGIN
    normal = kept & typical[1:] & typical[:-1]
    for valid in (normal, kept):
        changes = np.abs(np.diff(rr))[valid[1:] & valid[:-1]]
        if len(changes) >= 2:
            irregularity = float(np.median(changes)) / mean
            variation = float(rr[valid].std(ddof=1)) / mean
            return _Rhythm(n, rate, irregularity, variation, usual)
    return _Rhythm(n, rate, rr=usual)


def _nothing(rhythm: _Rhythm) -> Measurements:
    nan = float("nan")
    missing = np.full(12, nan)
    return Measurements(
        rhythm.n_beats,
        rhythm.rate_bpm,
        rhythm.irregularity,
        rhythm.variation,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        missing,
        missing.copy(),
        np.full((len(LEADS_8), BEAT_SAMPLES), nan),
    )


def _measure_beat(stretches: Float64Array, usable: Bools, rhythm: _Rhythm) -> Measurements:
    """Intervals, axis and amplitudes from the median of the beats of the dominant shape."""
    median = median_beat(stretches)
    bounds = _qrs_bounds(median[usable])
    if bounds is None:
        return _nothing(rhythm)
    onset, offset = bounds
    median -= median[:, max(0, onset - 5) : onset].mean(axis=1, keepdims=True)
    rr = rhythm.rr if np.isfinite(rhythm.rr) else 0.8
    t_peak, t_end = _t_wave(median[usable], onset, offset, rr)
    consistency, p_onset = _p_wave(stretches[:, usable], onset, rr, t_end)
    known = ~(_NEEDS & ~usable).any(axis=1)
    qrs = TWELVE_FROM_EIGHT @ median[:, onset : offset + 1]
    r_mv = np.where(known, qrs.max(axis=1), np.nan)
    t_mv = np.full(12, np.nan)
    if t_peak is not None:
        t_mv = np.where(known, TWELVE_FROM_EIGHT @ median[:, max(t_peak - 3, 0) : t_peak + 4].mean(axis=1), np.nan)
    qt = (t_end - onset) / RATE if t_end is not None else float("nan")
    axis = float("nan")
    if known[_AVF]:
        axis = float(np.rad2deg(np.arctan2(2 / np.sqrt(3) * qrs[_AVF].sum(), qrs[0].sum())))
    return Measurements(
        n_beats=rhythm.n_beats,
        rate_bpm=rhythm.rate_bpm,
        rr_irregularity=rhythm.irregularity,
        rr_variation=rhythm.variation,
        p_consistency=consistency,
        pr_ms=1000 * (onset - p_onset) / RATE if p_onset is not None else float("nan"),
        qrs_ms=1000 * (offset - onset) / RATE,
        qt_ms=1000 * qt,
        qtc_ms=float(1000 * qt / np.cbrt(rhythm.rr)),
        axis_deg=axis,
        r_mv=r_mv,
        t_mv=t_mv,
        beat=np.where(usable[:, None], median[:, _KEPT].reshape(len(median), BEAT_SAMPLES, _STEP).mean(axis=2), np.nan),
    )


@numba.njit(cache=True, nogil=True)
def _speed(median: Float64Array) -> Float64Array:
    """``(samples,)`` root mean square over leads of the change per sample, averaged over three samples."""
    n_leads, n = median.shape
    raw = np.zeros((1, n))
    for t in range(n):
        before, after = max(0, t - 1), min(n - 1, t + 1)
        for lead in range(n_leads):
            raw[0, t] += ((median[lead, after] - median[lead, before]) / (after - before)) ** 2
        raw[0, t] = np.sqrt(raw[0, t] / n_leads)
    out: Float64Array = smooth(raw, 3)[0]
    return out


@numba.njit(cache=True, nogil=True)
def _quiet_run(speed: Float64Array, start: int, step: int, limit: float, still: int) -> int:
    """First sample from ``start`` on, going by ``step``, after which ``still`` samples stay below ``limit``."""
    at, calm = start, 0
    while 0 < at + step * (calm + 1) < len(speed) - 1:
        if speed[at + step * (calm + 1)] < limit:
            calm += 1
            if calm == still:
                return at
        else:
            at += step * (calm + 1)
            calm = 0
    return at


def _quantile(values: Float64Array, share: float) -> float:
    return float(np.sort(values)[int(share * (len(values) - 1))])


def _qrs_bounds(median: Float64Array) -> tuple[int, int] | None:
    """First and last sample of QRS on the speed of the heart vector (all leads together)."""
    speed = _speed(median)
    reach = int(0.08 * RATE)
    peak = _BEFORE - reach + int(np.argmax(speed[_BEFORE - reach : _BEFORE + reach]))
    top = float(speed[peak])
    quiet = _quantile(speed[: _BEFORE - reach], 0.3)
    if not top > 3 * quiet:
        return None
    # Depolarisation is fast, what surrounds it slow: the limits lie a little above the slowness on either side.
    tail = _quantile(speed[_BEFORE + int(0.1 * RATE) : _BEFORE + int(0.3 * RATE)], 0.3)
    still = int(0.016 * RATE)
    onset = _quiet_run(speed, peak, -1, quiet + _ONSET_SPEED * (top - quiet), still)
    offset = _quiet_run(speed, peak, 1, tail + _OFFSET_SPEED * max(top - tail, 0.0), still)
    return (onset, offset) if 0.03 <= (offset - onset) / RATE <= 0.28 else None


def _first_component(part: Float64Array) -> Float64Array:
    """The one combination of leads that shows most of a stretch: ``(leads,)`` unit weights."""
    _, vectors = np.linalg.eigh(part @ part.T)
    out: Float64Array = vectors[:, -1]
    return out


def _t_wave(median: Float64Array, onset: int, offset: int, rr: float) -> tuple[int | None, int | None]:
    """Peak and end of T on the combination of leads that shows it best; the end by the tangent method."""
    expected = 0.41 * np.cbrt(rr) * RATE  # samples; bounds the search only
    start = offset + int(0.06 * RATE)
    stop = int(min(onset + 1.4 * expected, _BEFORE + (rr - 0.12) * RATE, median.shape[1] - 2))
    peak_stop = int(min(onset + 1.05 * expected, stop - 3))
    if peak_stop - start < int(0.06 * RATE):
        return None, None
    smoothed = smooth(median[:, start:stop], 7)
    centred = smoothed - smoothed[:, -3:].mean(axis=1, keepdims=True)
    wave = _first_component(centred) @ centred
    if -wave[: peak_stop - start].min() > wave[: peak_stop - start].max():
        wave = -wave
    peak = int(np.argmax(wave[: peak_stop - start]))
    noise = np.sqrt(((median[:, start:stop] - smoothed) ** 2).mean())
    if not wave[peak] - min(wave[peak:].min(), 0.0) > max(3 * noise, 0.02):
        return None, None
    nadir = peak + int(np.argmin(wave[peak : peak + int(0.25 * RATE)]))
    if nadir <= peak + 2:
        return start + peak, None
    slope = np.diff(wave[peak : nadir + 1])
    steepest = int(np.argmin(slope))
    middle = 0.5 * (wave[peak + steepest] + wave[peak + steepest + 1])
    end = peak + steepest + 0.5 + (middle - wave[nadir]) / -slope[steepest]
    return start + peak, start + round(float(end))


@numba.njit(cache=True, nogil=True)
def _most_prominent(wave: Float64Array) -> tuple[int, float]:
    """Local maximum that rises most above the higher of the lowest points on its two sides, and by how much."""
    best, best_at = 0.0, -1
    for i in range(1, len(wave) - 1):
        if wave[i] >= wave[i - 1] and wave[i] > wave[i + 1]:
            left = right = wave[i]
            j = i - 1
            while j >= 0 and wave[j] <= wave[i]:
                left = min(left, wave[j])
                j -= 1
            j = i + 1
            while j < len(wave) and wave[j] <= wave[i]:
                right = min(right, wave[j])
                j += 1
            height = wave[i] - max(left, right)
            if height > best:
                best, best_at = height, i
    return best_at, best


def _p_wave(stretches: Float64Array, onset: int, rr: float, t_end: int | None) -> tuple[float, int | None]:
    """Likeness of the stretches before QRS, and the start of P where there is one."""
    start = max(0, onset - int(0.30 * RATE))
    if t_end is not None:
        # The T wave of the beat before must not be taken for a P wave.
        start = max(start, int(t_end + (0.02 - rr) * RATE))
    stop = onset - int(0.012 * RATE)
    if stop - start < int(0.08 * RATE):
        return float("nan"), None
    n, n_leads, width = len(stretches), stretches.shape[1], stop - start
    smoothed = smooth(np.ascontiguousarray(stretches[:, :, start:stop]).reshape(n * n_leads, width), 5)
    smoothed = smoothed.reshape(n, n_leads, width)
    ramp = np.linspace(-1, 1, width)
    part = smoothed - smoothed.mean(axis=2, keepdims=True)
    part -= (part @ ramp)[:, :, None] / (ramp @ ramp) * ramp
    energy_of_mean = float((part.mean(axis=0) ** 2).sum())
    energy = float((part**2).sum()) / n
    # The energy of a mean of n unlike stretches is 1/n of theirs: that much is no likeness.
    consistency = (n * energy_of_mean / energy - 1) / (n - 1) if energy > 0 else float("nan")
    if not consistency > _P_CONSISTENCY:
        return consistency, None
    typical = median_beat(smoothed)
    level = typical - typical[:, -4:].mean(axis=1, keepdims=True)
    detrended = median_beat(part)
    weights = _first_component(detrended)
    wave = weights @ level
    (peak, height), (trough, depth) = _most_prominent(wave), _most_prominent(-wave)
    if depth > height:
        wave, peak = -wave, trough
    if not 4 <= peak <= width - 4:
        return consistency, None
    rise = max(0, peak - int(0.09 * RATE))
    slope = np.diff(wave[rise : peak + 1])
    steepest = rise + int(np.argmax(slope))
    base = float(wave[max(0, peak - int(0.13 * RATE)) : steepest + 1].min())
    if slope.max() <= 0 or wave[peak] - base < _P_MIN_MV:
        return consistency, None
    middle = 0.5 * (wave[steepest] + wave[steepest + 1])
    # The tangent meets the base line a little after the first deflection.
    begin = steepest + 0.5 - (middle - base) / slope.max() - 0.008 * RATE
    return consistency, max(0, start + round(float(begin)))
