"""How good the signals of a cohort are, from some of its ECGs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.progress import track
from heartprint.foundation.randomness import generator
from heartprint.signals.beats import clean, find_beats

WANDER_HZ, NOISE_HZ = 0.5, 40.0
_WINDOW_S = 2.0


@dataclass(frozen=True)
class Quality:
    """What was measured, one entry per measured ECG.

    Attributes:
        rows: Which ECGs.
        height: ``(n,)`` peak-to-peak height in windows of 2 s, median over windows and leads; mV, or standard
            deviations.
        wander: ``(n,)`` RMS of what lies below 0.5 Hz, median over leads; the same unit.
        noise: ``(n,)`` RMS of what lies above 40 Hz, likewise; 0 where nothing was sampled there.
        beats: ``(n,)`` complexes found.
        missing: ``(n,)`` share of samples that are missing.
    """

    rows: npt.NDArray[np.int64]
    height: Float64Array
    wander: Float64Array
    noise: Float64Array
    beats: npt.NDArray[np.int64]
    missing: Float64Array


def measure_quality(cohort: Cohort, at_most: int, seed: int = 0) -> Quality:
    """Measure some of a cohort's ECGs.

    Args:
        cohort: ECGs.
        at_most: How many; drawn at random if there are more.
        seed: Seed of the draw.
    """
    rows = drawn_rows(cohort, at_most, seed)
    found = [_one(cohort.signal(int(row)), cohort.sampling_rate(int(row))) for row in track(rows, "Signal quality")]
    height, wander, noise, beats, missing = np.array(found, dtype=np.float64).reshape(-1, 5).T
    return Quality(rows, height, wander, noise, beats.astype(np.int64), missing)


def drawn_rows(cohort: Cohort, at_most: int, seed: int) -> npt.NDArray[np.int64]:
    """Rows of the ECGs to measure, ascending: all, or so many drawn at random."""
    n = len(cohort)
    if n <= at_most:
        return np.arange(n, dtype=np.int64)
    return np.sort(generator(seed, "signal quality").choice(n, at_most, replace=False)).astype(np.int64)


def _one(leads: npt.NDArray[np.float32], rate: float) -> Sequence[float]:
    there = np.isfinite(leads)
    filled = np.where(there, leads, 0.0).astype(np.float64)
    width = max(1, min(round(_WINDOW_S * rate), leads.shape[1]))
    whole = filled[:, : filled.shape[1] // width * width].reshape(len(filled), -1, width)
    height = float(np.median(np.median(whole.max(axis=2) - whole.min(axis=2), axis=1)))
    filled -= filled.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(filled, axis=1)) ** 2
    frequency = np.fft.rfftfreq(filled.shape[1], 1 / rate)
    # Parseval: every frequency but 0 stands for two of the whole spectrum.
    rms = [
        float(np.median(np.sqrt(2 * power[:, band].sum(axis=1)))) / filled.shape[1]
        for band in ((frequency > 0) & (frequency < WANDER_HZ), frequency > NOISE_HZ)
    ]
    cleaned = clean(leads, rate)
    beats = len(find_beats(cleaned).positions) if cleaned is not None else 0
    return height, rms[0], rms[1], beats, 1.0 - float(there.mean())
