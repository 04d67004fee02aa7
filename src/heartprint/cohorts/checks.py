"""Is this recording what it says it is? Every ECG from elsewhere passes here before it is stored."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.cohort import MISSING
from heartprint.foundation.errors import Caution, HeartprintError
from heartprint.signals.lead_names import listed
from heartprint.signals.leads import LEADS_8, LEADS_12, TWELVE_FROM_EIGHT
from heartprint.signals.plausibility import judge
from heartprint.signals.scale import normalisation, unusual_height, wrong_unit

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
        max_clipped: Largest share of the samples of one lead that may be clipped.
        trust_rate: Take the sampling rate as declared, however the ECG looks.
        flat_leads: What to do with an ECG that has flat chest leads: ``refuse`` it, or store them as ``missing``.
    """

    min_seconds: float = 9.5
    max_missing: float = 0.2
    min_amplitude_mv: float = 0.1
    max_amplitude_mv: float = 10.0
    flat_uv: float = 20.0
    einthoven_uv: float = 20.0
    einthoven_share: float = 0.05
    min_sampling_rate: float = 50.0
    max_clipped: float = 0.01
    trust_rate: bool = False
    flat_leads: Literal["refuse", "missing"] = "refuse"

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
        facts: What an archive is judged by as a whole; see `heartprint.readers.archive.Archive`.
    """

    samples: npt.NDArray[np.int16]
    uv_per_bit: float
    unit: Literal["uV", "z"]
    n_missing: int
    n_clipped: int
    cautions: tuple[Caution, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)


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
            ``normalised-leads``, ``implausible-amplitude``, ``wrong-lead-order``, ``clipped-lead``,
            ``implausible-rate``, ``inverted-leads``.
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
    flat = _flat(names, swing, stored, standardised, limits)
    keep = [names.index(name) for name in stored]
    height = float(np.median(swing[[row for row in keep if names[row] not in flat]]))
    cautions: list[Caution] = []
    if not standardised:
        live = [row for row, name in enumerate(names) if name not in flat]
        _check_scale(leads[live], height, limits)
        _check_einthoven([names[row] for row in live], leads[live], limits)
        unusual = unusual_height(height, leads[keep])
        cautions += [Caution("unusual-amplitude", unusual)] if unusual else []
    for name in flat:
        leads[names.index(name)] = np.nan
    if flat:
        complete = False
        gone = f"{_leads(flat)} flat and stored as missing: an electrode was probably off."
        cautions.append(Caution("flat-lead", gone))
    step, of = uv_per_bit / 1000.0, "SD" if standardised else "mV"
    steps, n_clipped, told = _to_steps(stored, leads[keep] * (1000.0 / uv_per_bit), complete, limits, step, of)
    cautions += told
    if told:
        # What is stored must not be flat, whatever the recording was before.
        _flat(stored, _swing(steps * step, sampling_rate, complete), stored, standardised, limits, flat)
    eight = steps if len(stored) == len(LEADS_8) else steps[[LEADS_12.index(name) for name in LEADS_8]]
    told_of, facts = judge(eight * step, sampling_rate, trust_rate=limits.trust_rate)
    if not standardised:
        facts = {**facts, "height_mv": round(height, 4)}
    n_missing = 0
    if not complete:
        missing = np.isnan(steps)
        n_missing = int(missing.sum())
        steps[missing] = MISSING
    unit: Literal["uV", "z"] = "z" if standardised else "uV"
    return Examined(steps.astype(np.int16), uv_per_bit, unit, n_missing, n_clipped, (*cautions, *told_of), facts)


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


def _flat(
    names: Sequence[str],
    swing: npt.NDArray[np.float64],
    stored: Sequence[str],
    standardised: bool,
    limits: Limits,
    known: Sequence[str] = (),
) -> list[str]:
    """Flat leads that are to be stored as missing or, being derived, are not needed; others are refused."""
    limit = 0.0 if standardised else limits.flat_uv / 1000.0
    flat = [n for n, s in zip(names, swing, strict=True) if n not in known and (s < limit or s == 0)]
    live = [s for n, s in zip(names, swing, strict=True) if n in stored and n not in flat]
    typical = float(np.median(live)) if live else 0.0
    # Leads that are all tiny are not flat: their unit is wrong.
    tiny = not standardised and (swing > 0).all() and float(np.median(swing)) < limits.min_amplitude_mv
    if not flat or tiny:
        return []
    needed = [n for n in flat if n in ("I", "II")]
    too_many = sum(n in stored for n in flat) > len(stored) // 2
    if limits.flat_leads == "missing" and not needed and not too_many and typical > 0:
        return flat
    remedy = (
        "Leave the recording out or export it again."
        if needed or too_many or limits.flat_leads == "missing"
        else "Leave the recording out, export it again, or take it with the flat leads stored as missing "
        "(--flat-leads missing)."
    )
    how = "" if standardised else f" (less than {limits.flat_uv:g} uV from peak to peak)"
    raise HeartprintError("flat-lead", f"{_leads(flat)} flat{how}: an electrode was probably off. {remedy}")


def _check_scale(leads: npt.NDArray[np.float64], height: float, limits: Limits) -> None:
    """Whether the leads are mV, by their typical QRS and by what normalised leads look like."""
    normalised = normalisation(leads)
    if normalised is not None:
        raise HeartprintError(
            "normalised-leads",
            f"The leads were normalised: {normalised}. They say nothing about millivolts. Export the ECG in mV or uV, "
            "or give the unit 'z' if all twelve leads are there and only their shape is to be used.",
        )
    if not limits.min_amplitude_mv <= height <= limits.max_amplitude_mv:
        raise HeartprintError(
            "implausible-amplitude",
            f"The typical QRS is {height:.4g} mV high ({limits.min_amplitude_mv:g} to {limits.max_amplitude_mv:g} mV "
            f"is plausible); {wrong_unit(height, leads, limits.min_amplitude_mv, limits.max_amplitude_mv)}. "
            "Correct the unit or the gain.",
        )


def _to_steps(
    names: Sequence[str], steps: npt.NDArray[np.float64], complete: bool, limits: Limits, step: float, unit: str
) -> tuple[npt.NDArray[np.float64], int, list[Caution]]:
    """Whole steps within int16: a lead's offset is removed where the lead would otherwise clip, and only there.

    Leads are shifted by whole steps, so that shapes stay as they were; leads derived from I and II are then shifted by
    a constant as well.
    """
    steps = np.rint(steps)
    n_clipped, offsets, clipped = 0, {}, {}
    for name, lead in zip(names, steps, strict=True):
        there = lead if complete else lead[np.isfinite(lead)]
        beyond = int((np.abs(there) > _INT16_MAX).sum())
        if not beyond:
            continue
        offset = float(np.rint(np.median(there)))
        left = int((np.abs(there - offset) > _INT16_MAX).sum())
        if left < beyond:
            lead -= offset
            beyond = left
            offsets[name] = offset
        if beyond > limits.max_clipped * there.size:
            raise HeartprintError(
                "clipped-lead",
                f"{beyond / there.size:.1%} of the samples of lead {name} are too high to be stored (up to "
                f"{limits.max_clipped:.0%} may be): the gain is wrong, or the electrode was off. Correct the gain, or "
                "leave the recording out.",
            )
        if beyond:
            clipped[name] = beyond
        n_clipped += beyond
    np.clip(steps, -_INT16_MAX, _INT16_MAX, out=steps)
    cautions = []
    if offsets:
        cautions.append(
            Caution(
                "offset-removed",
                f"{_leads(list(offsets))} too far off zero to be stored as given; the offset was removed "
                f"({_each({name: f'{value * step:.2f} {unit}' for name, value in offsets.items()})}). Other leads "
                "were left as they are.",
            )
        )
    if clipped:
        cautions.append(
            Caution("clipped-lead", f"Samples were too high to be stored and were clipped: {_each(clipped)}.")
        )
    return steps, n_clipped, cautions


def _each(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in values.items())


def _check_einthoven(names: Sequence[str], leads: npt.NDArray[np.float64], limits: Limits) -> None:
    derived = [name for name in _DERIVED if name in names]
    if not derived:
        return
    given = leads[[names.index(name) for name in derived]]
    rule = TWELVE_FROM_EIGHT[[LEADS_12.index(name) for name in derived], :2].astype(np.float64)
    # Without means: an electrode's offset is not a wrong order, and it is no part of an ECG.
    residual = _centred(given - rule @ leads[[names.index("I"), names.index("II")]])
    residual_uv, own_uv = 1000.0 * _rms(residual), 1000.0 * _rms(_centred(given))
    allowed = np.maximum(limits.einthoven_uv, limits.einthoven_share * own_uv)
    worst = int(np.argmax(residual_uv / allowed))
    if residual_uv[worst] > allowed[worst]:
        raise HeartprintError(
            "wrong-lead-order",
            f"The limb leads break Einthoven's rule: {derived[worst]} differs from what I and II say by "
            f"{residual_uv[worst]:.0f} uV (RMS), {allowed[worst]:.0f} uV is allowed. Leads are probably in another "
            "order than named; correct their names.",
        )


def _centred(leads: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each lead less its mean over the samples that are there."""
    there = np.isfinite(leads)
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    return np.asarray(leads - np.where(there, leads, 0.0).sum(axis=1, keepdims=True) / count, dtype=np.float64)


def _rms(leads: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``(k,)`` root mean square over the samples that are there; 0 where there is none."""
    if np.isfinite(leads).all():
        return np.asarray(np.sqrt(np.einsum("kn,kn->k", leads, leads) / max(leads.shape[1], 1)), dtype=np.float64)
    there = np.isfinite(leads)
    squares = np.where(there, leads, 0.0) ** 2
    return np.asarray(np.sqrt(squares.sum(axis=1) / np.maximum(there.sum(axis=1), 1)), dtype=np.float64)
