"""Baseline wander: the one-second median."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

GRID_PER_S = 20


def subtract_median(leads: Floats, sampling_rate: float) -> Floats:
    """Subtract from each lead its running median over one second.

    The median is taken of samples 1/20 s apart or closer and interpolated between them: wander is slower than that.

    Args:
        leads: ``(k, n)`` any unit, NaN = missing.
        sampling_rate: Hz.

    Returns:
        ``(k, n)`` float32.
    """
    n = leads.shape[1]
    step = max(1, int(sampling_rate // GRID_PER_S))
    coarse = leads[:, ::step]
    half = max(1, round(sampling_rate / step / 2))
    padded = np.pad(coarse, ((0, 0), (half, half)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=1)
    with np.errstate(all="ignore"):
        medians = np.median(windows, axis=2) if not np.isnan(coarse).any() else _nanmedian(windows)
    grid = np.arange(coarse.shape[1]) * step
    at = np.arange(n)
    wander = np.stack([np.interp(at, grid, row) for row in np.nan_to_num(medians)])
    return (leads - wander).astype(np.float32)


def _nanmedian(windows: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # A window without a sample gives NaN, which is drawn as a gap.
        return np.asarray(np.nanmedian(windows, axis=2))
