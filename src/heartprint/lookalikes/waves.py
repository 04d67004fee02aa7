"""Recordings that are no ECG, as numbers: noise with a spectrum, oscillators, pulses, pressures, heart rates.

All are functions of a generator, of a length in samples and of a sampling rate in Hz, and have the units told.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from heartprint.foundation.arrays import Float64Array
from heartprint.lookalikes.choices import (
    between,
    one_of,
)

SETTLING_S = 12.0
"""How long filters run before what they give is used, s."""


def coloured_noise(rng: np.random.Generator, n: int, rate: float, slope: float, lowest_hz: float = 0.5) -> Float64Array:
    """Noise of standard deviation 1 whose power falls with frequency to the power of ``slope`` (by the FFT)."""
    frequency = np.fft.rfftfreq(n, 1 / rate)
    gain = np.where(frequency > 0, np.maximum(frequency, lowest_hz) ** (-slope / 2), 0.0)
    gain *= np.clip(frequency / lowest_hz, 0, 1)
    spectrum = gain * (rng.standard_normal(len(gain)) + 1j * rng.standard_normal(len(gain)))
    return _unit(np.fft.irfft(spectrum, n))


def band_noise(rng: np.random.Generator, n: int, rate: float, low_hz: float, high_hz: float) -> Float64Array:
    """Noise of standard deviation 1 within a band (by the FFT)."""
    frequency = np.fft.rfftfreq(n, 1 / rate)
    middle, width = (low_hz + high_hz) / 2, max(high_hz - low_hz, 0.1)
    gain = np.exp(-(((frequency - middle) / (0.6 * width)) ** 4))
    return _unit(np.fft.irfft(gain * (rng.standard_normal(len(gain)) + 1j * rng.standard_normal(len(gain))), n))


def resonator(rng: np.random.Generator, n: int, rate: float, hz: float, damping: float) -> Float64Array:
    """A noise-driven oscillator (autoregressive of order 2) of standard deviation 1."""
    radius, angle = np.exp(-damping / rate), 2 * np.pi * hz / rate
    return _unit(lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], rng.standard_normal(n + 400))[400:])


def walk(rng: np.random.Generator, n: int, memory: float) -> Float64Array:
    """A random walk that is drawn back to 0 (autoregressive of order 1), of standard deviation 1."""
    return _unit(lfilter([1.0], [1.0, -np.exp(-1 / memory)], rng.standard_normal(n)))


def envelope(rng: np.random.Generator, n: int, rate: float, bursts_per_s: float, length_s: float) -> Float64Array:
    """Something that comes and goes: bells of height up to 1 at random moments."""
    t, out = np.arange(n) / rate, np.zeros(n)
    for _ in range(int(rng.poisson(bursts_per_s * n / rate))):
        centre, width = between(rng, 0, n / rate), length_s * between(rng, 0.5, 1.5) / 2
        out = np.maximum(out, between(rng, 0.5, 1.0) * np.exp(-(((t - centre) / width) ** 2)))
    return out


def beat_times(rng: np.random.Generator, seconds: float, rate_per_min: float, irregular: float) -> Float64Array:
    """When hearts beat, s; from before 0 to beyond the end."""
    gap = 60.0 / rate_per_min
    gaps = gap * np.clip(1 + irregular * rng.standard_normal(int(2 * seconds / gap) + 6), 0.4, 1.9)
    return np.asarray(np.cumsum(gaps) - 2 * gap, dtype=np.float64)


def bells(t: Float64Array, centres: Float64Array, width_s: float) -> Float64Array:
    """Bells of height 1 at some moments, s."""
    return np.asarray(np.exp(-(((t[None, :] - centres[:, None]) / width_s) ** 2)).sum(axis=0))


def pulse_of_bells(
    rng: np.random.Generator, seconds: float, rate: float, per_min: float, irregular: float
) -> Float64Array:
    """A finger's pulse wave in 0-1: a systolic and a diastolic bell for each beat, breathing in its height."""
    t, beats = np.arange(round(seconds * rate)) / rate, beat_times(rng, seconds, per_min, irregular)
    width, delay, second = between(rng, 0.08, 0.15), between(rng, 0.26, 0.4), between(rng, 0.15, 0.65)
    wave = bells(t, beats, width) + second * bells(t, beats + delay, 1.6 * width)
    breath = 1 + between(rng, 0, 0.25) * np.sin(2 * np.pi * (between(rng, 0.15, 0.35) * t + rng.random()))
    return _range_one(wave * breath + between(rng, 0, 0.3) * np.sin(2 * np.pi * 0.2 * t))


def pulse_of_decays(
    rng: np.random.Generator, seconds: float, rate: float, per_min: float, irregular: float
) -> Float64Array:
    """The same from impulses through a filter: a fast rise, a slow decay and a reflection."""
    late, n = round(SETTLING_S * rate), round((seconds + SETTLING_S) * rate)
    impulses = np.zeros(n)
    for beat in beat_times(rng, seconds + SETTLING_S, per_min, irregular):
        for delay, height in ((0.0, 1.0), (between(rng, 0.27, 0.3), between(rng, 0.1, 0.3))):
            at = round((beat + delay) * rate)
            if 0 <= at < n:
                impulses[at] += height * between(rng, 0.85, 1.1)
    rise, decay = np.exp(-1 / (rate * between(rng, 0.03, 0.07))), np.exp(-1 / (rate * between(rng, 0.15, 0.45)))
    wave = lfilter([1.0], np.convolve([1.0, -rise], np.convolve([1.0, -rise], [1.0, -decay])), impulses)
    return _range_one(wave[late:])


def pressure_of_pieces(
    rng: np.random.Generator, seconds: float, rate: float, per_min: float, irregular: float
) -> Float64Array:
    """An arterial pressure in 0-1: a half-sine of ejection, a notch, an exponential run-off for each beat."""
    t = np.arange(round(seconds * rate)) / rate
    beats = beat_times(rng, seconds, per_min, irregular)
    ejection, notch, fall = between(rng, 0.26, 0.36), between(rng, 0.05, 0.2), between(rng, 0.5, 1.1)
    which = np.clip(np.searchsorted(beats, t, side="right") - 1, 0, len(beats) - 1)
    since = t - beats[which]
    end = np.sin(np.pi / 1.35)
    gaps = np.diff(beats, prepend=beats[0] - 60.0 / per_min)
    # Each beat rises from where the run-off of the one before has come to.
    foot = end * np.exp(-(np.maximum(gaps, ejection)[which] - ejection) / fall)
    rise = np.sin(np.pi * np.clip(since / ejection, 0, 1) ** 0.7 / 1.35)
    systole = np.where(since < 0.57 * ejection, foot + (1 - foot) * rise, rise)
    diastole = end * np.exp(-(since - ejection) / fall) + notch * np.exp(-(((since - ejection - 0.06) / 0.045) ** 2))
    wave = np.where(since < ejection, systole, diastole)
    smooth = np.hanning(max(int(0.03 * rate), 3))
    return _range_one(np.convolve(wave, smooth / smooth.sum(), mode="same"))


def pressure_of_windkessel(
    rng: np.random.Generator, seconds: float, rate: float, per_min: float, irregular: float
) -> Float64Array:
    """The same from pulses of flow into a compliance with resistance and inertia (Windkessel, Westerhof 2009)."""
    late, n = round(SETTLING_S * rate), round((seconds + SETTLING_S) * rate)
    t, beats = np.arange(n) / rate, beat_times(rng, seconds + SETTLING_S, per_min, irregular)
    flow = np.zeros(n)
    for beat in beats:
        phase = (t - beat) / between(rng, 0.27, 0.31)
        flow += np.where((phase > 0) & (phase < 1), np.sin(np.pi * phase) ** 2 * (1.15 - phase), 0.0)
        flow -= 0.35 * np.exp(-(((phase - 1.05) / 0.06) ** 2))
    runoff = np.exp(-1 / (rate * between(rng, 0.7, 1.8)))
    ringing, angle = np.exp(-between(rng, 5, 12) / rate), 2 * np.pi * between(rng, 3.5, 7) / rate
    smooth = lfilter([1 - runoff], [1, -runoff], flow)
    rung = lfilter([1.0], [1.0, -2 * ringing * np.cos(angle), ringing**2], flow)
    smooth, rung = smooth[late:], rung[late:]
    return _range_one(smooth / np.ptp(smooth) + between(rng, 0.1, 0.35) * rung / np.ptp(rung))


def venous_pressure(rng: np.random.Generator, seconds: float, rate: float, per_min: float) -> Float64Array:
    """A central venous pressure in 0-1: a, c and v waves on breathing."""
    t, beats = np.arange(round(seconds * rate)) / rate, beat_times(rng, seconds, per_min, 0.02)
    wave = bells(t, beats, 0.06) + 0.5 * bells(t, beats + 0.14, 0.04) + 0.8 * bells(t, beats + 0.4, 0.09)
    return _range_one(wave + between(rng, 0.5, 2.0) * np.sin(2 * np.pi * between(rng, 0.15, 0.35) * t))


def breathing(
    rng: np.random.Generator, seconds: float, rate: float, per_min: float, kind: str | None = None
) -> Float64Array:
    """Breathing in 0-1: sines of the chest, or the plateaus of exhaled carbon dioxide."""
    t = np.arange(round(seconds * rate)) / rate
    phase = np.cumsum(np.full(len(t), per_min / 60 / rate) * (1 + 0.15 * walk(rng, len(t), 4 * rate)))
    wave = np.sin(2 * np.pi * phase)
    if (kind or one_of(rng, ("chest", "gas"))) == "chest":
        return _range_one(wave + 0.2 * np.sin(4 * np.pi * phase + 1) + 0.03 * walk(rng, len(t), rate))
    return _range_one(1 / (1 + np.exp(-9 * (wave + 0.1))) * (0.9 + 0.1 * np.sin(2 * np.pi * phase - 2)))


def fetal_heart_rate(rng: np.random.Generator, n: int, per_min: float, sinusoidal: bool = False) -> Float64Array:
    """A fetus's heart rate, /min, ``per_min`` samples a minute, with accelerations, decelerations and gaps (NaN)."""
    t = np.arange(n) / per_min
    base = between(rng, 112, 158) + 4 * walk(rng, n, 6 * per_min)
    if sinusoidal:
        base = base + between(rng, 6, 14) * np.sin(2 * np.pi * between(rng, 2.5, 4.5) * t)
    else:
        period = band_noise(rng, n, per_min, 2, 7)
        base = base + between(rng, 1.5, 5.5) * period * (0.6 + 0.4 * walk(rng, n, 2 * per_min))
    for _ in range(int(rng.poisson(t[-1] / 5))):
        width, at, late = between(rng, 0.25, 0.7), between(rng, 0, t[-1]), chance_of_fall(rng)
        height = -between(rng, 15, 60) if late else between(rng, 12, 28)
        base = base + height * np.exp(-(np.abs((t - at) / width) ** 2.5))
    base = base + 0.8 * rng.standard_normal(n)
    for _ in range(int(rng.poisson(t[-1] / 6))):
        first = int(rng.integers(n))
        base[first : first + int(rng.exponential(per_min / 4)) + 2] = np.nan
    return np.asarray(base)


def chance_of_fall(rng: np.random.Generator) -> bool:
    """Whether a change of the heart rate is a deceleration."""
    return bool(rng.random() < 0.4)


def contractions(rng: np.random.Generator, n: int, per_min: float) -> Float64Array:
    """The womb's activity in 0-100."""
    t, out = np.arange(n) / per_min, np.full(n, between(rng, 5, 22))
    at, gap = between(rng, -1, 3), between(rng, 2, 5)
    while at < t[-1] + 1:
        rise, fall = between(rng, 0.25, 0.45), between(rng, 0.35, 0.7)
        out = out + between(rng, 25, 70) * np.exp(-(((t - at) / np.where(t < at, rise, fall)) ** 2))
        at += gap * between(rng, 0.7, 1.3)
    return np.asarray(np.clip(out + 1.2 * walk(rng, n, per_min / 20) + 0.6 * rng.standard_normal(n), 0, 100))


def _unit(x: Float64Array) -> Float64Array:
    return np.asarray((x - x.mean()) / max(float(x.std()), 1e-9))


def _range_one(x: Float64Array) -> Float64Array:
    return np.asarray((x - x.min()) / max(float(np.ptp(x)), 1e-9))
