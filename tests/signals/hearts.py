"""Drawn ECGs whose intervals are known, for the tests of measurements. No patient has such a heart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

P_START, QRS_START, QRS_END, T_END = -0.210, -0.045, 0.045, 0.340
"""Seconds from the middle of QRS, in a beat drawn with the default shape; PR 165, QRS 90, QT 385 ms."""

DIRECTIONS = {
    "p": np.array([0.6, 1.0, 0.3, 0.5, 0.5, 0.5, 0.5, 0.4]),
    "q": np.array([-0.2, -0.1, 0.2, 0.2, -0.1, -0.2, -0.2, -0.2]),
    "r": np.array([0.7, 1.0, -0.8, -0.6, 0.3, 1.2, 1.3, 1.0]),
    "s": np.array([-0.2, -0.1, 0.5, -0.9, -0.8, -0.4, -0.2, -0.1]),
    "t": np.array([0.6, 1.0, -0.2, 0.8, 1.0, 1.0, 0.8, 0.6]),
}


def hump(t: npt.NDArray[np.float64], start: float, end: float) -> npt.NDArray[np.float64]:
    """A raised cosine: 0 outside (start, end), 1 in the middle, without a corner."""
    x = (t - start) / (end - start)
    return np.where((x > 0) & (x < 1), 0.5 - 0.5 * np.cos(2 * np.pi * x), 0.0)


def ecg(
    times: npt.ArrayLike,
    rate: float,
    *,
    seconds: float = 10.0,
    p_mv: float = 0.15,
    t_mv: float = 0.3,
    pr: float = 0.165,
    qrs: float = 0.09,
    qt: float = 0.385,
    heights: npt.ArrayLike | None = None,
    ventricular: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float64]:
    """``(8, n)`` mV with a beat at each time (s, the middle of QRS)."""
    times = np.asarray(times, dtype=np.float64)
    heights = np.ones(len(times)) if heights is None else np.asarray(heights)
    kinds = np.zeros(len(times), dtype=bool) if ventricular is None else np.asarray(ventricular)
    t = np.arange(round(seconds * rate)) / rate
    out = np.zeros((8, len(t)))
    for time, height, odd in zip(times, heights, kinds, strict=True):
        s = t - time
        start = -qrs / 2
        if odd:  # wide, early in no atrium, and of another direction
            out += np.outer(2.5 * np.roll(DIRECTIONS["s"], 3) * np.r_[1, -1, 1, 1, -1, 1, -1, 1], hump(s, -0.08, 0.08))
            continue
        out += p_mv * np.outer(DIRECTIONS["p"], hump(s, start - pr, start - pr + 0.1))
        out += 0.5 * height * np.outer(DIRECTIONS["q"], hump(s, start, start + 0.45 * qrs))
        out += height * np.outer(DIRECTIONS["r"], hump(s, start + 0.2 * qrs, start + 0.75 * qrs))
        out += 0.6 * height * np.outer(DIRECTIONS["s"], hump(s, start + 0.55 * qrs, start + qrs))
        out += t_mv * np.outer(DIRECTIONS["t"], hump(s, start + qt - 0.19, start + qt))
    return out


def lifelike(
    *, bpm: float = 70, rate: float = 500, seconds: float = 10.0, jitter: float = 0.02, seed: int = 0, **shape: float
) -> npt.NDArray[np.float64]:
    """``(8, n)`` mV: an `ecg` with a beat about every ``60 / bpm`` s and 10 uV of noise."""
    rng = np.random.default_rng(seed)
    rr = 60 / bpm
    times = np.cumsum(rr * (1 + jitter * rng.standard_normal(int(seconds / rr) + 3))) - 0.7 * rr
    shape = {"qt": 0.39 * float(np.cbrt(rr)), **shape}
    leads = ecg(times[(times > -0.5) & (times < seconds + 0.5)], rate, seconds=seconds, **shape)
    return leads + 0.01 * rng.standard_normal(leads.shape)
