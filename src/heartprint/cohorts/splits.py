"""Splits, folds and label budgets; the patient is the unit of all three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator, stable_hash

Budget = int | float | Literal["all"]
Half = Literal["even", "odd"]
MIN_PER_CLASS = 2
MIN_NUMBERS = 10
"""Fewest patients that a number is learned from: calibration fits two more numbers and a spread to them."""


def patient_uniforms(patient_ids: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.float64]:
    """Give each ECG a number in [0, 1) that depends on its patient and the seed alone."""
    unique, inverse = np.unique(patient_ids, return_inverse=True)
    return np.array(_uniforms(unique.tolist(), seed))[inverse]


def _uniforms(patients: Sequence[str], seed: int) -> list[float]:
    return [stable_hash(f"{seed}\x1f{patient}") / 2.0**64 for patient in patients]


def split_by_patient(cohort: Cohort, fractions: Mapping[str, float], *, seed: int = 0) -> dict[str, Cohort]:
    """Split a cohort by hash of patient id.

    A patient's part depends on the patient's id, the fractions and the seed alone: it stays where it is when
    other patients join or leave.

    Args:
        cohort: What to split.
        fractions: Part name to share; shares must sum to 1.
        seed: Seed of the split.

    Returns:
        Part name to cohort. `prove_disjoint` has been applied.
    """
    if abs(sum(fractions.values()) - 1.0) > 1e-9 or any(f < 0 for f in fractions.values()):
        raise HeartprintError(
            "bad-split", f"The shares of a split must be positive and sum to 1, got {dict(fractions)}."
        )
    patients = cohort.records["patient_id"]
    unique = patients.unique()
    uniforms = patients.replace_strict(unique, _uniforms(unique.to_list(), seed), return_dtype=pl.Float64).to_numpy()
    edges = np.cumsum([0.0, *fractions.values()])
    edges[-1] = np.inf
    parts = {
        name: cohort.take(np.flatnonzero((uniforms >= low) & (uniforms < high)))
        for name, low, high in zip(fractions, edges[:-1], edges[1:], strict=True)
    }
    prove_disjoint(parts)
    return parts


def half_of_patients(cohort: Cohort, half: Half) -> Cohort:
    """Take the patients whose hashed id is even or odd: one half to develop on, the other one to report on.

    The halves depend on the ids alone, and neither on any seed nor on the folds of `patient_folds`.
    """
    ids, codes = np.unique(cohort.patient_ids, return_inverse=True)
    odd = np.array([stable_hash(p) % 2 == 1 for p in ids.tolist()], dtype=np.bool_)
    return cohort.take(np.flatnonzero(odd[codes] == (half == "odd")))


def prove_disjoint(parts: Mapping[str, Cohort]) -> None:
    """Check that no patient is in two parts.

    Raises:
        HeartprintError: ``patient-on-both-sides``, naming the parts and how many patients they share.
    """
    sets = {name: set(part.records["patient_id"].unique().to_list()) for name, part in parts.items()}
    names = list(sets)
    for i, one in enumerate(names):
        for two in names[i + 1 :]:
            shared = sets[one] & sets[two]
            if shared:
                raise HeartprintError(
                    "patient-on-both-sides",
                    f"{len(shared)} patients are in both '{one}' and '{two}'. Split by patient, not by ECG.",
                )


def patient_folds(patient_ids: npt.NDArray[np.str_], n_folds: int, *, seed: int = 0) -> npt.NDArray[np.int64]:
    """``(n,)`` fold of each ECG, 0..n_folds-1, by hash of its patient."""
    return np.minimum((patient_uniforms(patient_ids, seed) * n_folds).astype(np.int64), n_folds - 1)


def draw_budgets(
    patient_ids: npt.NDArray[np.str_],
    labels: npt.NDArray[np.float32],
    budgets: Sequence[Budget],
    *,
    seed: int,
    draw: int,
    purpose: str = "",
) -> dict[Budget, npt.NDArray[np.int64]]:
    """Draw nested, stratified, patient-level label budgets.

    A budget of N is N patients with one labelled ECG each, so it uses N labels; ``"all"`` (or 1.0) is every
    labelled ECG of every patient. Patients are drawn separately among positives and negatives in the
    proportion of the whole, at least two of each. Smaller budgets lie inside larger ones. The same arguments
    give the same rows whatever the encoder.

    Args:
        patient_ids: ``(n,)`` patient of each ECG.
        labels: ``(n,)`` 1, 0 or NaN.
        budgets: Numbers of patients, shares of the labelled patients in (0, 1), or ``"all"``.
        seed: Seed of the study.
        draw: Number of the draw.
        purpose: Added to the random key, e.g. task and fold.

    Returns:
        Budget to row numbers (ascending).

    Raises:
        HeartprintError: ``one-class-only``, ``budget-too-small`` or ``budget-too-large``.
    """
    chosen = _one_each(patient_ids, labels, seed, draw, purpose)
    positive, negative = chosen[labels[chosen] == 1], chosen[labels[chosen] == 0]
    n = len(chosen)
    if len(positive) == 0 or len(negative) == 0:
        raise HeartprintError(
            "one-class-only",
            f"All {n} labelled patients are {'negative' if len(positive) == 0 else 'positive'}: nothing can be "
            "learned from one class. Check the label or add ECGs of the other class.",
        )
    out: dict[Budget, npt.NDArray[np.int64]] = {}
    for budget in budgets:
        size = _patients_of(budget, n)
        if size is None:
            out[budget] = np.flatnonzero(~np.isnan(labels))
            continue
        # Rare positives must not push the other class out, and neither class may be asked for more than it has.
        share = min(max(MIN_PER_CLASS, round(size * len(positive) / n)), size - MIN_PER_CLASS)
        n_positive = max(min(share, len(positive)), size - len(negative))
        n_negative = size - n_positive
        if min(n_positive, n_negative, len(positive), len(negative)) < MIN_PER_CLASS or n_positive > len(positive):
            raise HeartprintError(
                "budget-too-small",
                f"A budget of {size} patients cannot hold {MIN_PER_CLASS} positives and {MIN_PER_CLASS} negatives "
                f"({len(positive)} and {len(negative)} exist). Ask for more labels.",
            )
        out[budget] = np.sort(np.concatenate([positive[:n_positive], negative[:n_negative]]))
    return out


def draw_number_budgets(
    patient_ids: npt.NDArray[np.str_],
    numbers: npt.NDArray[np.float32],
    budgets: Sequence[Budget],
    *,
    seed: int,
    draw: int,
    purpose: str = "",
) -> dict[Budget, npt.NDArray[np.int64]]:
    """Draw nested, patient-level budgets of a label that is a number: `draw_budgets` without strata.

    Arguments and result as in `draw_budgets`; ``numbers`` is NaN where there is no label.

    Raises:
        HeartprintError: ``constant-target`` where all numbers that were drawn are the same, ``budget-too-small`` below
            `MIN_NUMBERS` patients, or ``budget-too-large``.
    """
    chosen = _one_each(patient_ids, numbers, seed, draw, purpose)
    out: dict[Budget, npt.NDArray[np.int64]] = {}
    for budget in budgets:
        size = _patients_of(budget, len(chosen))
        rows = np.flatnonzero(~np.isnan(numbers)) if size is None else np.sort(chosen[:size])
        n_patients = len(chosen) if size is None else size
        if n_patients < MIN_NUMBERS:
            raise HeartprintError(
                "budget-too-small",
                f"A number is learned from {MIN_NUMBERS} patients or more, and this budget has {n_patients}. Ask for "
                "more labels.",
            )
        if np.ptp(numbers[rows]) == 0:
            raise HeartprintError(
                "constant-target",
                f"All {len(rows):,} labels of this budget are {numbers[rows[0]]:g}: nothing can be learned from a "
                "number that never changes. Check the column, or ask for more labels.",
            )
        out[budget] = rows
    return out


def _one_each(
    patient_ids: npt.NDArray[np.str_], labels: npt.NDArray[np.float32], seed: int, draw: int, purpose: str
) -> npt.NDArray[np.int64]:
    """Rows of one labelled ECG per patient, patients in random order."""
    rng = generator(seed, f"budget\x1f{purpose}", draw)
    order = rng.permutation(len(labels))
    order = order[~np.isnan(labels[order])]
    _, first = np.unique(patient_ids[order], return_index=True)
    return order[np.sort(first)]


def _patients_of(budget: Budget, n: int) -> int | None:
    """How many of ``n`` labelled patients a budget is; None for every labelled ECG of all of them.

    Raises:
        HeartprintError: ``budget-too-large``.
    """
    if budget == "all" or (budget == 1.0 and isinstance(budget, float)):
        return None
    size = round(budget * n) if isinstance(budget, float) else int(budget)
    if size > n:
        raise HeartprintError(
            "budget-too-large",
            f"A budget of {size} patients was asked for, but only {n} have this label.",
        )
    return size
