"""Baseline wander: the one-second median."""

from __future__ import annotations

import numpy as np

from heartprint.foundation.arrays import Float32Array
from heartprint.sheets.twins import compiled_or_numpy

GRID_PER_S = 50
"""Samples per second of which the median is taken: wander is far slower."""


def subtract_median(leads: Float32Array, sampling_rate: float) -> Float32Array:
    """Subtract from each lead its running median over one second.

    The median is taken of samples about 1/50 s apart (all samples, where there are fewer) within half a second of
    each of them, and interpolated between them.

    Args:
        leads: ``(k, n)`` float32, any unit, NaN = missing: missing samples stay missing and count nowhere.
        sampling_rate: Hz.

    Returns:
        ``(k, n)`` float32.
    """
    step = max(1, int(sampling_rate // GRID_PER_S))
    half = max(1, round(sampling_rate / step / 2))
    out = np.empty_like(leads)
    compiled_or_numpy().subtract_medians(leads, step, half, out)
    return out
