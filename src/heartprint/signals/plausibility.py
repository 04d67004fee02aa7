"""Can an ECG be what its sampling rate and its polarity say? Time and sign, whatever the height of its leads.

A wrong sampling rate makes a heart beat faster or slower by a factor, its QRS and QT shorter or longer, and its
spectrum higher or lower by the same factor. No one of them decides: a paced heart is slow and wide, a child's
fast and narrow. `screen` looks at beats and spectrum in a fraction of a millisecond and passes nine of ten ECGs; of the
others `doubt_rate` measures QRS and QT as they would be at the declared and at other rates, and says how much better
another one fits to ECGs of adults. The numbers below were measured on the patients of PTB-XL's even half
(``python benchmarks/plausibility.py --calibrate``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.errors import Caution, HeartprintError
from heartprint.signals.leads import LEADS_8

if TYPE_CHECKING:
    from heartprint.signals.measurements import Measurements


DOUBT_CAUTION, DOUBT_REFUSE = 1.5, 4.0
"""Evidence for another sampling rate (difference of log-likelihoods) from which on it is told, and refused."""
INVERTED_CAUTION, INVERTED_REFUSE = -1.3, -4.5
"""Evidence for upright leads (`uprightness`) below which it is told, and with all waves inverted refused."""

_SECONDS = 20.0  # of a long recording so much is looked at
_SCREEN_HZ = 100.0
_FEWEST = 50  # samples, of about that rate
_FASTEST_BPM = 230.0
_CLOCK_FINE = (0.78, 1.2)
_UPRIGHT_FINE = 1.0
_DISAGREEMENT = 1.1  # natural logarithm, four standard deviations
_FACTORS = (2.0, 2.5, 4.0, 5.0, 10.0)
_USUAL_HZ = (100, 125, 128, 200, 240, 250, 256, 300, 360, 400, 480, 500, 512, 600, 960, 1000, 2000)

# Natural logarithms of heart rate (1/min), median frequency of slopes (Hz), QRS (ms) and QT (ms).
_CENTRE = np.log([71.4, 17.6, 92.0, 372.0])
_SPREAD = np.array([0.221, 0.169, 0.175, 0.105])
_CORRELATION = np.array(
    [[1.0, 0.09, -0.05, -0.72], [0.09, 1.0, -0.67, -0.24], [-0.05, -0.67, 1.0, 0.33], [-0.72, -0.24, 0.33, 1.0]]
)
_COVARIANCE = _CORRELATION * np.outer(_SPREAD, _SPREAD)
_UNMEASURABLE = 3.0  # what a QRS or QT that cannot be measured counts against a sampling rate
# How much rate and spectrum say about the clock: from the covariance of the first two.
_CLOCK_WEIGHTS = np.array([0.36, 0.64])

# Weights of the shape of QRS (skewness), T and P; fitted to tell upright from inverted ECGs.
_QRS_LEADS = [LEADS_8.index(name) for name in ("I", "V1", "V2", "V5", "V6")]
_QRS_ALONE = np.array([2.0, -0.9, -0.6, 1.7, 2.4]) / 4
_QRS = np.array([1.4, -0.6, -0.8, 1.3, 2.0]) / 4
_T, _T_MV = np.array([0.2, 1.3, 1.0]), 0.15
_P_LEADS = [LEADS_8.index(name) for name in ("I", "II", "V6")]
_P, _P_MV = np.array([0.6, 0.5, 0.8]), 0.02
_P_PART = slice(6, 19)  # of `Measurements.beat`: 0.23 to 0.07 s before the middle of QRS


@dataclass(frozen=True)
class Screened:
    """What an ECG shows at a glance.

    Attributes:
        rate_bpm: Heart rate from the times between complexes, 1/min; NaN where there are fewer than three.
        frequency_hz: Half of the power of the leads' slopes lies below.
        clock: How many times faster than an adult's ECG it runs, about 1; NaN where it shows no beats.
        upright: Evidence from the QRS complexes that the leads are not upside down; about 6, negative if they are.
        skewness: ``(8,)`` third standardised moment of each lead: positive where QRS points upwards.
    """

    rate_bpm: float
    frequency_hz: float
    clock: float
    upright: float
    skewness: Float64Array


@dataclass(frozen=True)
class RateDoubt:
    """Another sampling rate fits better.

    Attributes:
        evidence: Difference of log-likelihoods between the likely rate and the declared one.
        likely_hz: The rate that fits best.
        declared: What is seen and measured at the declared rate.
        likely: What is seen and measured at the likely rate.
    """

    evidence: float
    likely_hz: float
    declared: tuple[Screened, Measurements]
    likely: tuple[Screened, Measurements]


def judge(
    leads: npt.NDArray[np.floating[Any]], sampling_rate: float, *, trust_rate: bool = False
) -> tuple[tuple[Caution, ...], dict[str, float]]:
    """Decide whether an ECG can have the sampling rate that is declared, and whether it is upside down.

    Args:
        leads: ``(8, n)`` in `LEADS_8` order, mV or standard deviations, NaN = missing.
        sampling_rate: Hz, as declared.
        trust_rate: Take the rate as it is.

    Returns:
        Cautions, and the facts by which an archive is judged: ``rate_doubt`` (evidence for another rate; 0 where there
        is none), ``likely_hz`` and ``upright``.

    Raises:
        HeartprintError: ``implausible-rate``, ``inverted-leads``.
    """
    seen = screen(leads, sampling_rate)
    cautions: list[Caution] = []
    doubt = None if trust_rate else doubt_rate(leads, sampling_rate, seen)
    if doubt is not None and doubt.evidence > DOUBT_CAUTION:
        sentence = _of_rate(doubt, sampling_rate)
        # An adult's ECG at twice its rate is as fast and narrow as a newborn's: one alone is not refused for that.
        could_be_child = doubt.likely_hz < sampling_rate and seen.rate_bpm < _FASTEST_BPM
        if could_be_child:
            sentence += " A small child's ECG looks like this, too."
        elif doubt.evidence > DOUBT_REFUSE:
            raise HeartprintError(
                "implausible-rate", f"{sentence} Correct the sampling rate, or trust it: --trust-rate."
            )
        cautions.append(Caution("implausible-rate", f"{sentence} Check the sampling rate."))
    upright = seen.upright
    if upright < _UPRIGHT_FINE:
        measured = _measured(leads, sampling_rate) if doubt is None else doubt.declared[1]
        upright = uprightness(seen, measured)
        if upright < INVERTED_REFUSE and all_inverted(seen, measured):
            raise HeartprintError(
                "inverted-leads",
                "The ECG is upside down: P, QRS and T point downwards in I, II and V6, and upwards in aVR. Multiply "
                "its samples by -1, or correct the sign of the gain.",
            )
        if upright < INVERTED_CAUTION:
            cautions.append(
                Caution(
                    "inverted-leads",
                    "The ECG may be upside down: QRS in I, V5, V6 and V1, V2, and T, point the wrong way, as seldom "
                    "with a disease or with exchanged electrodes. Look at its sheet.",
                )
            )
    facts = {
        "rate_doubt": 0.0 if doubt is None else round(doubt.evidence, 3),
        "likely_hz": sampling_rate if doubt is None else usual_rate(doubt.likely_hz),
        "upright": round(upright, 3),
    }
    return tuple(cautions), facts


def _of_rate(doubt: RateDoubt, sampling_rate: float) -> str:
    def shown(seen: Screened, measured: Measurements) -> str:
        values = [(seen.rate_bpm, "beats a minute"), (measured.qrs_ms, "ms of QRS"), (measured.qt_ms, "ms of QT")]
        values += [(seen.frequency_hz, "Hz as the median frequency of slopes")]
        return ", ".join(f"{value:.0f} {word}" for value, word in values if math.isfinite(value))

    likely = usual_rate(doubt.likely_hz)
    return (
        f"At {sampling_rate:g} Hz this ECG would have {shown(*doubt.declared)}; at {likely:g} Hz, which fits better, "
        f"it has {shown(*doubt.likely)}."
    )


def screen(leads: npt.NDArray[np.floating[Any]], sampling_rate: float) -> Screened:
    """Look at beats, spectrum and polarity in a fraction of a millisecond.

    Beats are found on the summed slope energy, on a time scale that comes from the width of its autocorrelation: so
    they are found as well where the sampling rate is wrong.

    Args:
        leads: ``(8, n)`` in `LEADS_8` order, mV or any other unit, NaN = missing.
        sampling_rate: Hz.
    """
    n = round(_SECONDS * sampling_rate)
    x = _filled(leads[:, :n])
    skewness = _skewness(x)
    upright = float(_QRS_ALONE @ skewness[_QRS_LEADS])
    clock, bpm, frequency = _clock(x, sampling_rate)
    if math.isnan(clock) and leads.shape[1] > n:
        # At a tenth of its true rate, twenty seconds hold two beats.
        clock, bpm, frequency = _clock(_filled(leads[:, : 10 * n]), sampling_rate)
    return Screened(bpm, frequency, clock, upright, skewness)


def _clock(x: Float64Array, sampling_rate: float) -> tuple[float, float, float]:
    """How fast an ECG runs, by its heart rate (1/min) and the frequency of its slopes (Hz); also these two."""
    step = max(1, int(sampling_rate // _SCREEN_HZ))
    if step > 1:
        whole = x.shape[1] // step
        x = x[:, : whole * step].reshape(len(x), whole, step).mean(axis=2)
    rate = sampling_rate / step
    if x.shape[1] < _FEWEST:
        return math.nan, math.nan, math.nan
    frequency = _slope_frequency(x, rate)
    bpm = _beats_per_minute(x, rate)
    clock = math.nan
    if bpm > 0 and frequency > 0:
        clock = math.exp(float(_CLOCK_WEIGHTS @ (np.log([bpm, frequency]) - _CENTRE[:2])))
    return clock, bpm, frequency


def doubt_rate(leads: npt.NDArray[np.floating[Any]], sampling_rate: float, seen: Screened) -> RateDoubt | None:
    """Whether the ECG fits better to another sampling rate than to the declared one.

    Args:
        leads: ``(8, n)`` in `LEADS_8` order, mV, NaN = missing.
        sampling_rate: Hz, as declared.
        seen: What `screen` said of it.

    Returns:
        The rate that fits best and by how much, or None where the declared one is as good as any.
    """
    if not seen.clock > 0 or (_CLOCK_FINE[0] <= seen.clock <= _CLOCK_FINE[1] and _agree(seen)):
        return None
    declared = _measured(leads, sampling_rate)
    found = _likelihood(seen, declared)
    if found > -DOUBT_CAUTION:
        return None  # the best that another rate could reach is 0
    best: RateDoubt | None = None
    for factor in _candidates(seen):
        other = _measured(leads, sampling_rate * factor)
        if math.isnan(other.qrs_ms) or math.isnan(other.qt_ms):
            continue  # a rate at which there is no QRS or T wave is no better
        seen_so = screen(leads, sampling_rate * factor)
        evidence = _likelihood(seen_so, other) - found
        if best is None or evidence > best.evidence:
            best = RateDoubt(evidence, sampling_rate * factor, (seen, declared), (seen_so, other))
    return best if best is not None and best.evidence > 0 else None


def usual_rate(sampling_rate: float) -> float:
    """The rate that ECG machines use nearest to a rate, Hz; the rate itself where none is within 5 %."""
    near = min(_USUAL_HZ, key=lambda usual: abs(math.log(usual / sampling_rate)))
    return float(near) if abs(near / sampling_rate - 1) < 0.05 else sampling_rate


def uprightness(seen: Screened, measured: Measurements) -> float:
    """Evidence from QRS, T and P together that the leads are not upside down; of an inverted ECG the same, negative."""
    t = np.nan_to_num(measured.t_mv[[0, 1, 10]])
    out = _QRS @ seen.skewness[_QRS_LEADS] + _T @ np.tanh(t / _T_MV)
    return float(out + _consistency(measured) * (_P @ np.tanh(_p_mv(measured)[_P_LEADS] / _P_MV)))


def all_inverted(seen: Screened, measured: Measurements) -> bool:
    """Whether P, QRS and T all point the wrong way in I, II and V6, and so in aVR.

    Each alone occurs: dextrocardia inverts I and V6 but not II, a rhythm from below P in II, pacing QRS but not T.
    """
    sides = [LEADS_8.index(name) for name in ("I", "II", "V6")]
    t = measured.t_mv[[0, 1, 11]]
    p = _p_mv(measured)[sides]
    inverted = bool((seen.skewness[sides] < -1).all() and (t < 0).all() and (p < 0).all())
    return inverted and _consistency(measured) > 0.5


def _filled(leads: npt.NDArray[np.floating[Any]]) -> Float64Array:
    """Leads without gaps: a missing sample takes the lead's median, where it has neither slope nor height."""
    x = np.array(leads, dtype=np.float64)
    missing = ~np.isfinite(x)
    if missing.any():
        for lead, gone in zip(x, missing, strict=True):
            lead[gone] = 0.0 if gone.all() else np.median(lead[~gone])
    return x


def _skewness(x: Float64Array) -> Float64Array:
    centred = x - np.median(x, axis=1, keepdims=True)
    squares = centred * centred
    spread = np.sqrt(squares.mean(axis=1))
    third = np.einsum("kn,kn->k", squares, centred) / x.shape[1]
    return np.asarray(third / np.maximum(spread, 1e-12) ** 3, dtype=np.float64)


@lru_cache(maxsize=16)
def _taper(n: int) -> Float64Array:
    return np.hanning(n)


def _slope_frequency(x: Float64Array, rate: float) -> float:
    slopes = np.diff(x, axis=1)
    slopes *= _taper(slopes.shape[1])
    power = np.abs(np.fft.rfft(slopes, axis=1)) ** 2
    total = power.sum(axis=1, keepdims=True)
    power = (power / np.maximum(total, 1e-30)).sum(axis=0)
    below = np.cumsum(power)
    if not below[-1] > 0:
        return math.nan
    return float(np.searchsorted(below, 0.5 * below[-1]) * rate / slopes.shape[1])


def _beats_per_minute(x: Float64Array, rate: float) -> float:
    """Heart rate from the median time between bursts of slope energy, on a scale of their own width."""
    lag = max(1, round(0.01 * rate))
    slopes = x[:, 2 * lag :] - x[:, : -2 * lag]
    energy = slopes * slopes
    n = energy.shape[1]
    window = min(n, round(1.5 * rate))
    whole = n // window * window
    # Each lead in units of its own typical beat and cut there: one artefact does not decide.
    top = np.median(energy[:, :whole].reshape(len(x), -1, window).max(axis=2), axis=1)
    together = np.minimum(energy / (top[:, None] + 1e-12), 1.0).mean(axis=0)
    width = _burst_width(together)
    if width is None:
        return math.nan
    taps = max(3, round(3 * width) | 1)
    smoothed = np.convolve(together, np.full(taps, 1 / taps), "same")
    reference = np.median(smoothed[:whole].reshape(-1, window).max(axis=1))
    inner = smoothed[1:-1]
    peaks = np.flatnonzero((inner > 0.35 * reference) & (inner >= smoothed[:-2]) & (inner > smoothed[2:])) + 1
    kept: list[int] = []
    for peak in peaks.tolist():
        if kept and peak - kept[-1] < 6 * width:
            if smoothed[peak] > smoothed[kept[-1]]:
                kept[-1] = peak
        else:
            kept.append(peak)
    return 60.0 * rate / float(np.median(np.diff(kept))) if len(kept) > 2 else math.nan


def _burst_width(energy: Float64Array) -> float | None:
    """Samples after which the autocorrelation of the slope energy has fallen to one half."""
    n = len(energy)
    centred = energy - np.median(energy)
    spectrum = np.abs(np.fft.rfft(centred, 1 << (2 * n - 1).bit_length())) ** 2
    correlation = np.fft.irfft(spectrum)[:n]
    low = np.flatnonzero(correlation < 0.5 * correlation[0])
    if not correlation[0] > 0 or not len(low):
        return None
    at = int(low[0])
    before, after = correlation[at - 1] / correlation[0], correlation[at] / correlation[0]
    return float(at - 1 + (before - 0.5) / (before - after))


def _agree(seen: Screened) -> bool:
    """Whether beats and spectrum say about the same; noise at a tenth of the true rate hides slow beats otherwise."""
    off = np.log([seen.rate_bpm, seen.frequency_hz]) - _CENTRE[:2]
    return abs(float(off[0] - off[1])) < _DISAGREEMENT


def _candidates(seen: Screened) -> list[float]:
    """Usual wrong factors near to the one that the screening suggests; all where it contradicts itself."""
    if not _agree(seen):
        return [*_FACTORS, *(1 / f for f in _FACTORS)]
    factor = 1 / seen.clock
    usual = [f if factor > 1 else 1 / f for f in _FACTORS]
    near = [f for f in usual if abs(math.log(f / factor)) < 0.6]
    return near or [min(usual, key=lambda f: abs(math.log(f / factor)))]


def _measured(leads: npt.NDArray[np.floating[Any]], sampling_rate: float) -> Measurements:
    # Its compiler takes a second to start, and most ECGs pass without it.
    from heartprint.signals.measurements import measure

    return measure(leads[:, : round(_SECONDS * sampling_rate)], sampling_rate)


def _likelihood(seen: Screened, measured: Measurements) -> float:
    """Log-likelihood of an ECG's clock, up to a constant; with Student-like tails, for illness reaches far."""
    values = np.array([seen.rate_bpm, seen.frequency_hz, measured.qrs_ms, measured.qt_ms], dtype=np.float64)
    known = np.isfinite(values)
    off = np.log(values[known]) - _CENTRE[known]
    n = len(off)
    distance = float(off @ np.linalg.solve(_COVARIANCE[np.ix_(known, known)], off))
    return -n * math.log1p(distance / n) - _UNMEASURABLE * (len(values) - n)


def _consistency(measured: Measurements) -> float:
    return float(np.clip(np.nan_to_num(measured.p_consistency), 0.0, 1.0))


def _p_mv(measured: Measurements) -> Float64Array:
    """``(8,)`` mean height before QRS above the line through its ends, mV; 0 where nothing is measured."""
    part = measured.beat[:, _P_PART]
    return np.asarray(np.nan_to_num(part.mean(axis=1) - 0.5 * (part[:, 0] + part[:, -1])), dtype=np.float64)
