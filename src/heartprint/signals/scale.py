"""Are these millivolts? What normalised leads and machine counts look like, and what to do about them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array

LOW_MV, HIGH_MV = 0.5, 4.5
"""Typical QRS heights, peak to peak and median over leads, between which nothing is said. Of PTB-XL's even patients the
lowest has 0.56 mV, the highest 4.33 mV."""
ARCHIVE_LOW_MV, ARCHIVE_HIGH_MV = 0.45, 3.5
"""The same for the median of an archive, beyond which it is refused; that of PTB-XL is 1.4 mV."""

ARCHIVE_USUAL_MV = (0.8, 2.5)
"""The same, beyond which an archive is cautioned: counts of 2.5 uV read as uV have 0.56 mV."""

_ALIKE = 0.005  # real leads differ in height by a fifth at least
_SHARED = 0.9  # share of the variance that all leads have in common, of a wandering baseline far higher than the ECG
_EXACT = 1e-6
_NEAR_ONE = 2e-3
_OF_OFFSETS = ("every lead has the same root mean square", "every lead has the same largest value")
_GRID_MV = 1e-3


def normalisation(leads: Float64Array) -> str | None:
    """How leads were normalised, in words, or None where they were not.

    Real leads never have the same height: of 716 real ECGs the lead with the smallest standard deviation has at most
    0.81 times the largest.

    Args:
        leads: ``(k, n)`` as given, NaN = missing; no lead is flat.
    """
    if np.isfinite(leads).all():
        low, high, mean, spread = leads.min(axis=1), leads.max(axis=1), leads.mean(axis=1), leads.std(axis=1)
    else:
        low, high = np.nanmin(leads, axis=1), np.nanmax(leads, axis=1)
        mean, spread = np.nanmean(leads, axis=1), np.nanstd(leads, axis=1)
    kinds = {
        f"every lead ranges over the same {high[0] - low[0]:.4g}, as after scaling to a fixed range": high - low,
        f"every lead has the same standard deviation, {spread[0]:.4g}": spread,
        _OF_OFFSETS[0]: np.sqrt(mean**2 + spread**2),
        _OF_OFFSETS[1]: np.maximum(np.abs(low), np.abs(high)),
    }
    for words, heights in kinds.items():
        # Leads with a high offset or a high wandering baseline are alike without having been normalised.
        offset = words in _OF_OFFSETS and np.abs(mean).max() > 3 * spread.max()
        if _alike(heights) and not offset and not _shared(leads, spread):
            return words
    lowest, highest = float(low.min()), float(high.max())
    if abs(highest - 1) < _EXACT and min(abs(lowest), abs(lowest + 1)) < _EXACT:
        return f"the values of all leads together run from exactly {lowest:.0f} to exactly 1"
    # Digitised ECGs lie on a grid of microvolts, normalised ones do not.
    if _on_grid(leads):
        return None
    if abs(max(highest, -lowest) - 1) < _EXACT:
        return "the largest value of all leads together is exactly 1"
    square, level = float((mean**2 + spread**2).mean()), float(mean.mean())
    if min(abs(square - 1), abs(square - level * level - 1)) < _NEAR_ONE:
        return "all leads together have the standard deviation 1"
    return None


def count_step(leads: Float64Array) -> int | None:
    """The step of whole numbers, in their own unit; None where the values are not whole numbers.

    Args:
        leads: ``(k, n)``, NaN = missing.
    """
    values = leads[np.isfinite(leads)]
    if not values.size or np.abs(values).max() > 2**53 or (values != np.rint(values)).any():
        return None
    whole = np.unique(values).astype(np.int64)
    return max(int(np.gcd.reduce(np.diff(whole))), 1) if len(whole) > 1 else 1


def wrong_unit(typical_mv: float, leads: Float64Array, low_mv: float, high_mv: float) -> str:
    """What unit an implausible height of QRS speaks for, and what to do, as the end of a sentence.

    Args:
        typical_mv: Height of QRS, peak to peak, median over leads, if the values are mV.
        leads: ``(k, n)`` as given.
        low_mv: Smallest plausible height.
        high_mv: Largest plausible height.
    """

    def fits(factor: float) -> bool:
        return low_mv <= typical_mv * factor <= high_mv

    step = count_step(leads)
    if step is not None and typical_mv > high_mv:
        return (
            f"all values are whole numbers in steps of {step}, so these are machine counts or uV. One count is often "
            "1, 1.25, 2.5, 4.88 or 5 uV: look it up in the machine's manual or header and give it as the unit, for "
            f"example '4.88uV'. Give 'uV' only if one count is 1 uV; QRS would then be {typical_mv / 1000:.3g} mV high"
        )
    if fits(1e-3):
        return "1000 times too high, as if microvolts had been read as millivolts: the unit is probably uV"
    if fits(1e3):
        return (
            "1000 times too low, as if millivolts had been read as microvolts (then the unit is mV) "
            "or volts as millivolts (then it is V)"
        )
    if fits(1e-6):
        return "a million times too high: the unit is probably nV"
    return (
        "no usual unit explains it: these may be raw machine steps without their gain (give the microvolts per step as "
        "the unit, for example '4.88uV'), or standardised leads"
    )


def unusual_height(typical_mv: float, leads: Float64Array) -> str | None:
    """A sentence about a height of QRS that occurs, but seldom; None where there is nothing to say.

    Args:
        typical_mv: Height of QRS, peak to peak, median over leads, mV.
        leads: ``(k, n)`` mV.
    """
    if typical_mv < LOW_MV:
        step = count_step(np.round(leads * 1000.0, 6))
        why = "the ECG may have low voltage"
        if step is not None:
            why += f", or its whole numbers (in steps of {step}) are machine counts of several uV that were read as uV"
        return (
            f"The typical QRS is only {typical_mv:.2g} mV high; {why}. If one step of the machine is, for example, "
            "4.88 uV, give that as the unit ('4.88uV')."
        )
    if typical_mv > HIGH_MV:
        return (
            f"The typical QRS is {typical_mv:.2g} mV high, which hardly occurs; check the unit or the gain, and that "
            "the leads were not normalised."
        )
    return None


def _alike(values: npt.NDArray[Any]) -> bool:
    largest = float(values.max())
    return largest > 0 and float(values.min()) / largest > 1 - _ALIKE


def _shared(leads: Float64Array, spread: Float64Array) -> bool:
    """Whether most of the variance is the same in all leads."""
    common = float(np.nanvar(np.nanmean(leads, axis=0)))
    return common > _SHARED * float((spread**2).mean())


def _on_grid(leads: Float64Array) -> bool:
    some = leads[:, :: max(1, leads.shape[1] // 500)]
    some = some[np.isfinite(some)] / _GRID_MV
    return bool(np.abs(some - np.rint(some)).max(initial=0.0) < 0.01)
