"""Calibration pulses: the 1 mV that a machine writes before or after an ECG, in all leads at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import Caution

_ALIKE_MV = 0.05
"""How far leads may lie apart where they are said to show the same: noise and rounding."""
_LEAST_S, _MOST_S = 0.25, 3.0
_PULSE_MV = (0.4, 2.5)
"""Height of a pulse: 1 mV at usual gains, half and double at others."""
_LEAST_FLAT = 0.8
"""Share of the stretch at one of two levels: a rectangle has few samples in between, a QRS has many."""
_LEAST_PULSE_S = 0.06
_LEADS = 8


def without_pulses(
    signal: npt.NDArray[np.float64], sampling_rate: float
) -> tuple[npt.NDArray[np.float64], tuple[Caution, ...]]:
    """Cut off a calibration pulse at either end.

    Two leads of a heart never show the same for a quarter of a second unless both are flat: where at least eight leads
    do, and what they show is a rectangle of about 1 mV, it is the machine's own pulse (AHA recommendations, Kligfield
    2007). Flat stretches without a pulse are left alone.

    Args:
        signal: ``(k, n)`` in mV.
        sampling_rate: Hz.

    Returns:
        The signal without the pulse, and what to say of it.
    """
    if signal.shape[0] < _LEADS or not np.isfinite(sampling_rate) or sampling_rate <= 0:
        return signal, ()
    cautions = []
    for end in ("first", "last"):
        length = _length(signal if end == "first" else signal[:, ::-1], sampling_rate)
        if length:
            signal = signal[:, length:] if end == "first" else signal[:, :-length]
            cautions.append(
                Caution(
                    "calibration-pulse",
                    f"The {end} {length / sampling_rate:.2f} s show the machine's calibration pulse in every lead at "
                    "once: they were cut off.",
                )
            )
    return signal, tuple(cautions)


def _length(signal: npt.NDArray[np.float64], sampling_rate: float) -> int:
    """Samples at the beginning that are a pulse with its flat stretches; 0 if there is none."""
    head = signal[:, : int(_MOST_S * sampling_rate)]
    if head.shape[1] < 2 or not np.isfinite(head[:, 0]).all():
        return 0
    relative = head - head[:, :1]
    with np.errstate(invalid="ignore"):
        apart = ~(relative.max(axis=0) - relative.min(axis=0) <= _ALIKE_MV)
    n = int(np.argmax(apart)) if apart.any() else head.shape[1]
    if n < _LEAST_S * sampling_rate:
        return 0
    common = np.median(relative[:, :n], axis=0)
    low, high = float(common.min()), float(common.max())
    if not _PULSE_MV[0] <= high - low <= _PULSE_MV[1]:
        return 0
    near = 0.15 * (high - low)
    up, down = common > high - near, common < low + near
    if (up | down).mean() < _LEAST_FLAT or up.sum() < _LEAST_PULSE_S * sampling_rate:
        return 0
    # The stretch ends flat: what follows it begins at the level between two pulses.
    return n if down[-1] or down[0] else 0
