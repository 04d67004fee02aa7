"""Bootstrap over patients, and over label draws and patients together.

A resample draws patients with replacement and takes all ECGs of each (the cluster bootstrap; Field & Welsh 2007), so
an ECG's weight is how often its patient was drawn. Scores are sorted once; a resample is one pass over the sorted ECGs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.compiled import numba
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.foundation.randomness import generator
from heartprint.metrics.auroc import Interval, binary_labels, require_both_classes

Metric = Literal["auroc", "auprc"]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.integer[Any]]
_CHUNK = 2_000_000  # patient weights held at a time


@numba.njit(cache=True, nogil=True)
def _auroc_pass(patient: Ints, positive: Bools, last: Bools, weights: Float64Array, start: int, stop: int) -> float:
    """Weighted AUROC of ECGs sorted by rising score; ``last`` marks the end of a run of equal scores."""
    area, below, total_positive = 0.0, 0.0, 0.0
    run_positive, run_negative = 0.0, 0.0
    for i in range(start, stop):
        weight = weights[patient[i]]
        if positive[i]:
            run_positive += weight
        else:
            run_negative += weight
        if last[i]:
            area += run_positive * (below + 0.5 * run_negative)
            below += run_negative
            total_positive += run_positive
            run_positive, run_negative = 0.0, 0.0
    pairs = total_positive * below
    return area / pairs if pairs > 0 else np.nan


@numba.njit(cache=True, nogil=True)
def _auprc_pass(patient: Ints, positive: Bools, last: Bools, weights: Float64Array, start: int, stop: int) -> float:
    """Weighted average precision of ECGs sorted by falling score."""
    area, hits, seen = 0.0, 0.0, 0.0
    run_positive, run = 0.0, 0.0
    for i in range(start, stop):
        weight = weights[patient[i]]
        run += weight
        if positive[i]:
            run_positive += weight
        if last[i]:
            hits += run_positive
            seen += run
            if seen > 0:
                area += run_positive * hits / seen
            run_positive, run = 0.0, 0.0
    return area / hits if hits > 0 and seen > hits else np.nan


@numba.njit(cache=True, nogil=True)
def _draw_value(auprc: bool, patient: Ints, positive: Bools, last: Bools, bounds: Ints, weights: Float64Array) -> float:
    """Mean over the folds that hold both classes; NaN if none does."""
    total, n = 0.0, 0
    for fold in range(len(bounds) - 1):
        if auprc:
            value = _auprc_pass(patient, positive, last, weights, bounds[fold], bounds[fold + 1])
        else:
            value = _auroc_pass(patient, positive, last, weights, bounds[fold], bounds[fold + 1])
        if not np.isnan(value):
            total += value
            n += 1
    return total / n if n else np.nan


@numba.njit(cache=True, nogil=True)
def _resampled(
    auprc: bool, patient: Ints, positive: Bools, last: Bools, bounds: Ints, draw_counts: Ints, weights: Float64Array
) -> Float64Array:
    """Value of each resample: mean over the drawn label draws."""
    out = np.empty(len(weights))
    for b in range(len(weights)):
        total, n = 0.0, 0
        for d in range(len(patient)):
            count = draw_counts[b, d]
            if count:
                value = _draw_value(auprc, patient[d], positive[d], last[d], bounds, weights[b])
                total += count * value
                n += count
        out[b] = total / n
    return out


@dataclass(frozen=True)
class _Sorted:
    """Scores of one method, each draw sorted by fold and score."""

    patient: npt.NDArray[np.int32]
    positive: npt.NDArray[np.bool_]
    last: npt.NDArray[np.bool_]
    bounds: npt.NDArray[np.int64]
    auprc: bool

    @property
    def n_draws(self) -> int:
        return len(self.patient)

    def values(self, n_patients: int) -> Float64Array:
        ones = np.ones(n_patients)
        return np.array(
            [
                _draw_value(self.auprc, self.patient[d], self.positive[d], self.last[d], self.bounds, ones)
                for d in range(self.n_draws)
            ]
        )

    def resampled(self, draw_counts: npt.NDArray[np.int64], weights: Float64Array) -> Float64Array:
        out: Float64Array = _resampled(
            self.auprc, self.patient, self.positive, self.last, self.bounds, draw_counts, weights
        )
        return out


def _sort(
    scores: Float64Array,
    positive: npt.NDArray[np.bool_],
    patient: npt.NDArray[np.int32],
    fold: npt.NDArray[np.int64],
    metric: Metric,
) -> _Sorted:
    keyed = -scores if metric == "auprc" else scores
    order = np.stack([np.lexsort((row, fold)) for row in keyed])
    ranked = np.take_along_axis(scores, order, axis=1)
    fold_sorted = fold[order[0]]  # the same for every draw
    new_fold = fold_sorted[1:] != fold_sorted[:-1]
    last = np.ones(scores.shape, dtype=np.bool_)
    last[:, :-1] = (ranked[:, 1:] != ranked[:, :-1]) | new_fold
    bounds = np.concatenate([[0], np.flatnonzero(new_fold) + 1, [len(fold)]]).astype(np.int64)
    return _Sorted(patient[order], positive[order], last, bounds, metric == "auprc")


def _prepare(
    methods: Sequence[npt.ArrayLike],
    labels: npt.ArrayLike,
    clusters: npt.ArrayLike | None,
    folds: npt.ArrayLike | None,
    metric: Metric,
) -> tuple[list[_Sorted], int]:
    if metric not in ("auroc", "auprc"):
        raise unknown_name("metric", metric, ("auroc", "auprc"))
    positive, known = binary_labels(labels)
    n = positive.size
    arrays = [np.atleast_2d(np.asarray(m, dtype=np.float64)) for m in methods]
    n_draws = max(a.shape[0] for a in arrays)
    for array in arrays:
        if array.ndim != 2 or array.shape[1] != n or array.shape[0] not in (1, n_draws):
            raise ValueError(f"scores must be (draws, {n}) with equal draws, got {array.shape}")
        if np.isnan(array[:, known]).any():
            raise HeartprintError(
                "score-missing",
                f"{int(np.isnan(array[:, known]).any(axis=0).sum())} labelled ECGs have no score in some draw. "
                "Score them or take them out of the comparison.",
            )
    codes: npt.NDArray[np.int32]
    if clusters is None:
        codes = np.arange(n, dtype=np.int32)
    else:
        codes = np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int32)
    if folds is None:
        fold = np.zeros(n, dtype=np.int64)
    else:
        fold = np.unique(np.asarray(folds), return_inverse=True)[1].astype(np.int64)
    if codes.shape != (n,) or fold.shape != (n,):
        raise ValueError(f"labels have {n} ECGs, clusters {codes.shape} and folds {fold.shape}")
    positive, codes, fold = positive[known], codes[known], fold[known]
    require_both_classes(positive)
    # Patients without any labelled ECG are no part of the sample.
    present, codes64 = np.unique(codes, return_inverse=True)
    codes = codes64.astype(np.int32)
    per_fold = np.bincount(fold, weights=positive), np.bincount(fold, weights=~positive)
    if not np.any((per_fold[0] > 0) & (per_fold[1] > 0)):
        raise HeartprintError("one-class-only", "No fold holds both classes. Use fewer folds or more ECGs.")
    prepared = [_sort(np.broadcast_to(a, (n_draws, n))[:, known], positive, codes, fold, metric) for a in arrays]
    return prepared, len(present)


def _weights(
    seed: int, first: int, stop: int, n_patients: int, n_draws: int
) -> tuple[npt.NDArray[np.int64], Float64Array]:
    """How often each draw and each patient was drawn, for resamples ``first`` to ``stop``."""
    draws = np.empty((stop - first, n_draws), dtype=np.int64)
    patients = np.empty((stop - first, n_patients))
    for row, number in enumerate(range(first, stop)):
        rng = generator(seed, "bootstrap", number)
        patients[row] = np.bincount(rng.integers(n_patients, size=n_patients), minlength=n_patients)
        draws[row] = np.bincount(rng.integers(n_draws, size=n_draws), minlength=n_draws)
    return draws, patients


def patient_weights(n_patients: int, n: int = 1000, *, seed: int = 0) -> Float64Array:
    """``(n, n_patients)`` how often each patient is drawn in each resample, for metrics of one's own."""
    return _weights(seed, 0, n, n_patients, 1)[1]


def _bootstrap(prepared: Sequence[_Sorted], n_patients: int, n: int, seed: int) -> tuple[Float64Array, Float64Array]:
    """Estimates ``(methods,)`` and resampled values ``(methods, n)``; the same resamples for every method."""
    estimates = np.array([p.values(n_patients).mean() for p in prepared])
    out = np.empty((len(prepared), n))
    n_draws = prepared[0].n_draws
    step = max(1, _CHUNK // n_patients)
    for first in range(0, n, step):
        stop = min(n, first + step)
        draws, patients = _weights(seed, first, stop, n_patients, n_draws)
        for row, method in zip(out, prepared, strict=True):
            row[first:stop] = method.resampled(draws, patients)
    return estimates, out


def _percentiles(estimate: float, values: Float64Array, level: float) -> Interval:
    valid = values[~np.isnan(values)]
    low, high = (np.quantile(valid, [0.5 - level / 2, 0.5 + level / 2])) if valid.size else (np.nan, np.nan)
    return Interval(float(estimate), float(low), float(high), level, values.size, values.size - valid.size)


@dataclass(frozen=True, eq=False)
class Resamples:
    """One method's value on the data as they are and on each resample; the difference of two is paired.

    Attributes:
        estimate: Mean over label draws.
        values: ``(n,)`` the same on resampled draws and patients, NaN where a resample held one class only. Equal
            positions are equal resamples for all methods of one call of `study_resamples`.
    """

    estimate: float
    values: Float64Array

    def __sub__(self, other: Resamples) -> Resamples:
        return Resamples(self.estimate - other.estimate, self.values - other.values)

    def interval(self, level: float = 0.95) -> Interval:
        """Percentile interval; resamples that held one class only are dropped and counted."""
        return _percentiles(self.estimate, self.values, level)


def study_resamples(
    methods: Sequence[npt.ArrayLike],
    labels: npt.ArrayLike,
    clusters: npt.ArrayLike | None,
    folds: npt.ArrayLike | None = None,
    *,
    metric: Metric = "auroc",
    n: int = 1000,
    seed: int = 0,
) -> list[Resamples]:
    """Resample label draws and test patients together, alike for all methods; each method is resampled once.

    Args:
        methods: For each method ``(draws, n_ecg)`` scores; row d is the same label draw in all. A method without
            draws may have one row.
        labels: See `study_interval`, as for the rest and for errors.
        clusters: Patients.
        folds: Cross-validation folds.
        metric: ``auroc`` or ``auprc``.
        n: Resamples.
        seed: The same seed gives the same resamples.
    """
    prepared, n_patients = _prepare(methods, labels, clusters, folds, metric)
    estimates, values = _bootstrap(prepared, n_patients, n, seed)
    return [Resamples(float(e), v) for e, v in zip(estimates, values, strict=True)]


def cluster_bootstrap(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    clusters: npt.ArrayLike | None,
    metric: Metric = "auroc",
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """AUROC or average precision with a percentile interval from resampled patients.

    Args:
        labels: ``(n_ecg,)`` 1, 0 or NaN (left out).
        scores: ``(n_ecg,)``.
        clusters: ``(n_ecg,)`` patient of each ECG, any type; None = every ECG its own patient.
        metric: ``auroc`` or ``auprc``.
        n: Resamples.
        seed: The same seed and patients give the same resamples.
        level: Coverage.

    Returns:
        Resamples that hold one class only are dropped and counted.

    Raises:
        HeartprintError: ``one-class-only``, ``label-not-binary``, ``score-missing`` or ``unknown-metric``.
    """
    return study_interval(np.asarray(scores)[None], labels, clusters, metric=metric, n=n, seed=seed, level=level)


def study_values(
    scores: npt.ArrayLike, labels: npt.ArrayLike, folds: npt.ArrayLike | None = None, *, metric: Metric = "auroc"
) -> Float64Array:
    """``(draws,)`` value of each label draw, as `study_interval` averages them."""
    prepared, n_ecgs = _prepare([scores], labels, None, folds, metric)
    return prepared[0].values(n_ecgs)


def study_interval(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    clusters: npt.ArrayLike | None,
    folds: npt.ArrayLike | None = None,
    *,
    metric: Metric = "auroc",
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean over label draws, with an interval that resamples draws and test patients together.

    Args:
        scores: ``(draws, n_ecg)``; each row comes from a model trained on another draw of labels.
        labels: ``(n_ecg,)`` 1, 0 or NaN (left out).
        clusters: ``(n_ecg,)`` patient of each ECG; None = every ECG its own patient.
        folds: ``(n_ecg,)`` cross-validation fold of each ECG. Scores of different folds come from different
            models and are never compared: the metric is taken within each fold and averaged over the folds that
            hold both classes.
        metric: ``auroc`` or ``auprc``.
        n: Resamples.
        seed: The same seed gives the same resamples.
        level: Coverage.

    Returns:
        Percentile interval; with one draw it reflects patients only.

    Raises:
        HeartprintError: ``one-class-only``, ``label-not-binary``, ``score-missing`` or ``unknown-metric``.
    """
    (method,) = study_resamples([scores], labels, clusters, folds, metric=metric, n=n, seed=seed)
    return method.interval(level)


def study_difference(
    scores_a: npt.ArrayLike,
    scores_b: npt.ArrayLike,
    labels: npt.ArrayLike,
    clusters: npt.ArrayLike | None,
    folds: npt.ArrayLike | None = None,
    *,
    metric: Metric = "auroc",
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean difference a minus b over label draws; every resample is the same draws and patients for both.

    Row d of both score arrays must come from the same label draw. A method without draws may have one row.
    Arguments and errors as in `study_interval`.
    """
    a, b = study_resamples([scores_a, scores_b], labels, clusters, folds, metric=metric, n=n, seed=seed)
    return (a - b).interval(level)
