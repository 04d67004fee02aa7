"""Is this recording what it says it is? Every ECG from elsewhere passes here before it is stored."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.cohort import MISSING
from heartprint.cohorts.lead_names import listed
from heartprint.cohorts.leads import LEADS_8, LEADS_12, TWELVE_FROM_EIGHT
from heartprint.foundation.errors import Caution, HeartprintError

_CANONICAL = {name.lower(): name for name in LEADS_12}
_DERIVED = ("III", "aVR", "aVL", "aVF")
_INT16_MAX = 32767
# A window must hold a QRS even at 30 beats a minute.
_WINDOW_S = 2.0


@dataclass(frozen=True)
class Limits:
    """What is still taken for a resting 12-lead ECG.

    Args:
        min_seconds: Shortest recording; a little under 10 s, because some machines drop the last samples.
        max_missing: Largest share of missing samples in one lead.
        min_amplitude_mv: Smallest plausible QRS, peak to peak, median over leads.
        max_amplitude_mv: Largest plausible QRS, likewise.
        flat_uv: A lead whose swing stays below this in most 2 s windows is flat. The least lively lead of the
            real ECGs that we have swings by 127 uV; an electrode that is off gives a constant.
        einthoven_uv: Residual (RMS) that derived limb leads may have by rounding and filtering.
        einthoven_share: The same as a share of the lead's own RMS; the larger of the two counts.
        min_sampling_rate: Hz; below it a QRS has too few samples to be drawn.
    """

    min_seconds: float = 9.5
    max_missing: float = 0.2
    min_amplitude_mv: float = 0.1
    max_amplitude_mv: float = 10.0
    flat_uv: float = 20.0
    einthoven_uv: float = 20.0
    einthoven_share: float = 0.05
    min_sampling_rate: float = 50.0

    def to_json(self) -> dict[str, Any]:
        """The limits as plain values, for ``cohort.json``."""
        return asdict(self)


@dataclass(frozen=True)
class Examined:
    """A recording that passed, as it will be stored.

    Attributes:
        samples: ``(8, n)`` int16 in `LEADS_8` order (``(12, n)`` in `LEADS_12` order where ``unit`` is ``z``);
            -32768 = missing.
        uv_per_bit: Microvolts per step (thousandths of a standard deviation where ``unit`` is ``z``).
        unit: ``uV`` or ``z``.
        n_missing: Samples stored as missing.
        n_clipped: Samples that did not fit into int16 and were clipped.
        cautions: What to know of it although it passed.
    """

    samples: npt.NDArray[np.int16]
    uv_per_bit: float
    unit: Literal["uV", "z"]
    n_missing: int
    n_clipped: int
    cautions: tuple[Caution, ...] = ()


def examine(
    signal: npt.NDArray[np.floating[Any]],
    lead_names: Sequence[str],
    sampling_rate: float,
    *,
    standardised: bool = False,
    uv_per_bit: float = 1.0,
    limits: Limits | None = None,
) -> Examined:
    """Check a recording and turn it into what a cohort stores.

    Args:
        signal: ``(k, n)`` in mV (in standard deviations where ``standardised``), NaN or infinite = missing.
        lead_names: ``k`` names in any order and case. Leads that are none of the twelve are ignored. I, II and
            V1-V6 are needed; where III, aVR, aVL or aVF are given too, they must follow from I and II
            (Einthoven 1912; Goldberger 1942).
        sampling_rate: Hz.
        standardised: The leads were normalised one by one. Then all twelve are needed and kept, and neither
            amplitude nor Einthoven's rule can be checked.
        uv_per_bit: Step of the stored samples in uV.
        limits: What still passes; the defaults if None.

    Returns:
        The samples to store and what happened to them.

    Raises:
        HeartprintError: ``bad-sampling-rate``, ``header-mismatch`` (names do not fit the array),
            ``duplicate-lead``, ``missing-lead``, ``too-short``, ``too-many-missing``, ``flat-lead``,
            ``implausible-amplitude``, ``wrong-lead-order``.
    """
    limits = limits or Limits()
    if not (np.isfinite(sampling_rate) and sampling_rate >= limits.min_sampling_rate):
        raise HeartprintError(
            "bad-sampling-rate",
            f"A sampling rate of {sampling_rate:g} Hz is not usable (at least {limits.min_sampling_rate:g} Hz). "
            "Correct the header or the table.",
        )
    rows = _locate(signal, lead_names)
    stored = LEADS_12 if standardised else LEADS_8
    absent = [name for name in stored if name not in rows]
    if absent:
        raise HeartprintError(
            "missing-lead",
            f"{_leads(absent)} not in the recording, which has {listed(lead_names)}. "
            f"{'All twelve' if standardised else 'I, II and V1-V6'} are needed; export the recording with all its "
            "leads, or, in a CSV file of samples, name their columns (--column I=ch1).",
        )
    names = [name for name in LEADS_12 if name in rows]
    leads = np.asarray(signal, dtype=np.float64)[[rows[name] for name in names]]
    seconds = leads.shape[1] / sampling_rate
    if seconds < limits.min_seconds:
        raise HeartprintError(
            "too-short",
            f"The recording lasts {seconds:.2f} s ({leads.shape[1]} samples at {sampling_rate:g} Hz); "
            f"at least {limits.min_seconds:g} s are needed. Check the sampling rate or export the whole recording.",
        )
    present = np.isfinite(leads)
    complete = bool(present.all())
    if not complete:
        leads[~present] = np.nan
        _check_missing(names, present, stored, limits)
    swing = _swing(leads, sampling_rate, complete)
    keep = [names.index(name) for name in stored]
    if not standardised:
        _check_swing(names, swing, keep, limits)
        _check_einthoven(names, leads, limits)
    elif (swing == 0).any():
        raise HeartprintError(
            "flat-lead", f"{_leads([n for n, s in zip(names, swing, strict=True) if s == 0])} flat. Record it again."
        )
    steps = np.rint(leads[keep] * (1000.0 / uv_per_bit))
    n_clipped = int((np.abs(steps) > _INT16_MAX).sum())
    if n_clipped:
        steps = np.clip(steps, -_INT16_MAX, _INT16_MAX)
    n_missing = 0
    if not complete:
        missing = np.isnan(steps)
        n_missing = int(missing.sum())
        steps[missing] = MISSING
    return Examined(steps.astype(np.int16), uv_per_bit, "z" if standardised else "uV", n_missing, n_clipped)


def _locate(signal: npt.NDArray[Any], lead_names: Sequence[str]) -> dict[str, int]:
    if signal.ndim != 2 or signal.shape[0] != len(lead_names):
        raise HeartprintError(
            "header-mismatch",
            f"{len(lead_names)} leads are named, but the array has the shape {signal.shape}. "
            "Correct the header or export the recording again.",
        )
    rows: dict[str, int] = {}
    for row, given in enumerate(lead_names):
        name = _CANONICAL.get(given.strip().lower())
        if name is None:
            continue
        if name in rows:
            raise HeartprintError(
                "duplicate-lead", f"Lead {name} occurs twice in the recording. Correct the lead names in its header."
            )
        rows[name] = row
    return rows


def _leads(names: Sequence[str]) -> str:
    return f"Lead {names[0]} is" if len(names) == 1 else f"Leads {', '.join(names)} are"


def _check_missing(names: Sequence[str], present: npt.NDArray[np.bool_], stored: Sequence[str], limits: Limits) -> None:
    share = 1.0 - present.mean(axis=1)
    empty = [n for n, s in zip(names, share, strict=True) if s == 1.0]
    if empty:
        raise HeartprintError(
            "missing-lead", f"{_leads(empty)} named but without a single sample. Export the recording again."
        )
    worst = max((float(s), n) for n, s in zip(names, share, strict=True) if n in stored)
    if worst[0] > limits.max_missing:
        raise HeartprintError(
            "too-many-missing",
            f"{worst[0]:.0%} of lead {worst[1]} is missing; up to {limits.max_missing:.0%} of a lead is kept as "
            "missing. Export the recording again or leave it out.",
        )


def _swing(leads: npt.NDArray[np.float64], sampling_rate: float, complete: bool) -> npt.NDArray[np.float64]:
    """``(k,)`` peak-to-peak height of each lead, median over windows of 2 s: the QRS, whatever wanders below it."""
    width = min(round(_WINDOW_S * sampling_rate), leads.shape[1])
    n = leads.shape[1] // width
    windows = leads[:, : n * width].reshape(leads.shape[0], n, width)
    if complete:
        return np.asarray(np.median(windows.max(axis=2) - windows.min(axis=2), axis=1), dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # windows without a sample
        return np.asarray(
            np.nanmedian(np.nanmax(windows, axis=2) - np.nanmin(windows, axis=2), axis=1), dtype=np.float64
        )


def _check_swing(names: Sequence[str], swing: npt.NDArray[np.float64], keep: Sequence[int], limits: Limits) -> None:
    typical = float(np.median(swing[keep]))
    constant = [n for n, s in zip(names, swing, strict=True) if s == 0]
    if not constant and 0 < typical < limits.min_amplitude_mv:
        raise _implausible(typical, limits)
    flat = [n for n, s in zip(names, swing, strict=True) if s * 1000.0 < limits.flat_uv]
    if flat:
        raise HeartprintError(
            "flat-lead",
            f"{_leads(flat)} flat (less than {limits.flat_uv:g} uV from peak to peak): an electrode was probably "
            "off. Leave the recording out or export it again.",
        )
    if typical > limits.max_amplitude_mv:
        raise _implausible(typical, limits)


def _implausible(typical: float, limits: Limits) -> HeartprintError:
    if limits.min_amplitude_mv <= typical / 1000.0 <= limits.max_amplitude_mv:
        guess = "1000 times too high, as if microvolts had been read as millivolts: the unit is probably uV"
    elif limits.min_amplitude_mv <= typical * 1000.0 <= limits.max_amplitude_mv:
        guess = (
            "1000 times too low, as if millivolts had been read as microvolts (then the unit is mV) "
            "or volts as millivolts (then it is V)"
        )
    elif limits.min_amplitude_mv <= typical / 1e6 <= limits.max_amplitude_mv:
        guess = "a million times too high: the unit is probably nV"
    else:
        guess = "no usual unit explains it: these may be raw machine steps without their gain, or standardised leads"
    return HeartprintError(
        "implausible-amplitude",
        f"The typical QRS is {typical:.4g} mV high ({limits.min_amplitude_mv:g} to {limits.max_amplitude_mv:g} mV is "
        f"plausible); {guess}. Correct the unit or the gain.",
    )


def _check_einthoven(names: Sequence[str], leads: npt.NDArray[np.float64], limits: Limits) -> None:
    derived = [name for name in _DERIVED if name in names]
    if not derived:
        return
    given = leads[[names.index(name) for name in derived]]
    rule = TWELVE_FROM_EIGHT[[LEADS_12.index(name) for name in derived], :2].astype(np.float64)
    residual = given - rule @ leads[[names.index("I"), names.index("II")]]
    residual_uv, own_uv = 1000.0 * _rms(residual), 1000.0 * _rms(given)
    allowed = np.maximum(limits.einthoven_uv, limits.einthoven_share * own_uv)
    worst = int(np.argmax(residual_uv / allowed))
    if residual_uv[worst] > allowed[worst]:
        raise HeartprintError(
            "wrong-lead-order",
            f"The limb leads break Einthoven's rule: {derived[worst]} differs from what I and II say by "
            f"{residual_uv[worst]:.0f} uV (RMS), {allowed[worst]:.0f} uV is allowed. Leads are probably in another "
            "order than named; correct their names.",
        )


def _rms(leads: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``(k,)`` root mean square over the samples that are there; 0 where there is none."""
    if np.isfinite(leads).all():
        return np.asarray(np.sqrt(np.einsum("kn,kn->k", leads, leads) / max(leads.shape[1], 1)), dtype=np.float64)
    there = np.isfinite(leads)
    squares = np.where(there, leads, 0.0) ** 2
    return np.asarray(np.sqrt(squares.sum(axis=1) / np.maximum(there.sum(axis=1), 1)), dtype=np.float64)
