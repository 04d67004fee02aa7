"""Calibration pulses: the 1 mV that a machine writes before or after an ECG, in all leads at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import Caution

_ALIKE_MV = 0.05
"""How far leads may lie apart where they are said to show the same: noise and rounding."""
_LEAST_S = 0.25
_MOST_SHARE = 0.5
"""Of a recording that may be pulse: where all leads are alike for longer, it is no ECG with a pulse beside it."""
_PULSE_MV = (0.4, 2.5)
"""Height of a pulse: 1 mV at usual gains, half and double at others."""
_LEAST_FLAT = 0.8
"""Share of the stretch at one of two levels: a rectangle has few samples in between, a QRS has many."""
_LEAST_PULSE_S = 0.06
_LEADS = 8


def without_pulses(
    signal: npt.NDArray[np.float64], sampling_rate: float, measured: Sequence[int]
) -> tuple[npt.NDArray[np.float64], tuple[Caution, ...]]:
    """Cut off a calibration pulse at either end.

    Two leads of a heart never show the same for a quarter of a second unless both are flat: where all eight measured
    leads do, and what they show is a rectangle of about 1 mV, it is the machine's own pulse (AHA recommendations,
    Kligfield 2007). Flat stretches without a pulse are left alone.

    Args:
        signal: ``(k, n)`` in mV.
        sampling_rate: Hz.
        measured: Rows of I, II and V1-V6.

    Returns:
        The signal without the pulse, and what to say of it.
    """
    if len(measured) < _LEADS or not np.isfinite(sampling_rate) or sampling_rate <= 0:
        return signal, ()
    cautions = []
    for end in ("first", "last"):
        leads = signal[list(measured)]
        length = _length(leads if end == "first" else leads[:, ::-1], sampling_rate)
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


def _length(leads: npt.NDArray[np.float64], sampling_rate: float) -> int:
    """Samples at the beginning that are a pulse with its flat stretches; 0 if there is none."""
    if leads.shape[1] < 2 or not np.isfinite(leads[:, 0]).all():
        return 0
    relative = leads - leads[:, :1]
    spread = relative.max(axis=0) - relative.min(axis=0)  # a missing sample ends the stretch
    n = _first(~(spread <= _ALIKE_MV))
    if not _LEAST_S * sampling_rate <= n <= _MOST_SHARE * leads.shape[1]:
        return 0
    common = np.median(relative[:, :n], axis=0)
    low, high = float(common.min()), float(common.max())
    if not _PULSE_MV[0] <= high - low <= _PULSE_MV[1]:
        return 0
    near = 0.15 * (high - low)
    up, down = common > high - near, common < low + near
    if (up | down).mean() < _LEAST_FLAT or up.sum() < _LEAST_PULSE_S * sampling_rate or not down.any():
        return 0
    return _with_flat_end(common, spread[:n], up, down)


def _with_flat_end(
    common: npt.NDArray[np.float64],
    spread: npt.NDArray[np.float64],
    up: npt.NDArray[np.bool_],
    down: npt.NDArray[np.bool_],
) -> int:
    """Where the flat stretch behind the last pulse ends.

    The leads of a heart at rest lie within 0.05 mV of one another, too: the ECG begins where they part by more than
    they did on the pulse.
    """
    last_up = int(np.flatnonzero(up)[-1])
    level = float(np.median(common[down]))
    noise = 1.5 * float(spread[: last_up + 1].max()) + 1e-3
    behind = slice(last_up + 1, None)
    flat = (spread[behind] <= noise) & (np.abs(common[behind] - level) <= noise)
    falling = _first(flat)  # a pulse that was filtered does not fall at once
    return last_up + 1 + falling + _first(~flat[falling:])


def _first(found: npt.NDArray[np.bool_]) -> int:
    """The first place where something is found, or the length where it is nowhere."""
    return int(np.argmax(found)) if found.any() else len(found)
