"""The sheet that every encoder and model folder carries to prove that it still reads what it read when written."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heartprint.signals.leads import LEADS_8

SAMPLE_RATE = 250.0
"""Sampling rate of the sample ECG in Hz."""

_SECONDS = 10.0
_BEATS_PER_MIN = 72.0

# P, Q, R, S, T as Gaussian bumps (McSharry 2003): time from the R peak in s, width in s, and height in mV by lead.
_WAVES: tuple[tuple[float, float, tuple[float, ...]], ...] = (
    (-0.170, 0.024, (0.08, 0.12, 0.05, 0.06, 0.06, 0.07, 0.07, 0.06)),
    (-0.028, 0.009, (-0.05, -0.06, 0.00, 0.00, 0.00, -0.05, -0.10, -0.10)),
    (0.000, 0.011, (0.60, 0.95, 0.22, 0.35, 0.70, 1.20, 1.30, 1.00)),
    (0.030, 0.011, (-0.08, -0.15, -0.90, -1.30, -0.80, -0.40, -0.20, -0.08)),
    (0.270, 0.050, (0.16, 0.24, -0.05, 0.30, 0.34, 0.32, 0.28, 0.20)),
)


def sample_leads() -> npt.NDArray[np.float32]:
    """A simulated ECG in sinus rhythm: ``(8, 2500)`` mV at `SAMPLE_RATE`, always the same."""
    time = np.arange(int(_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    beat_s = 60.0 / _BEATS_PER_MIN
    from_r = (time - 0.4 + beat_s / 2) % beat_s - beat_s / 2
    leads = np.zeros((len(LEADS_8), time.size))
    for at, width, height in _WAVES:
        # The next beat's P wave begins before the phase wraps, hence the three neighbouring beats.
        bump = sum(np.exp(-0.5 * ((from_r - at + k * beat_s) / width) ** 2) for k in (-1, 0, 1))
        leads += np.outer(height, bump)
    return leads.astype(np.float32)
