"""How well embeddings tell patients apart, and what else they hold: the numbers of biometrics, with intervals.

Terms are those of ISO/IEC 19795-1 (biometric performance testing): *identification* searches a gallery for the mate of
a probe, *verification* decides for two ECGs whether they are of one patient. A *genuine* comparison is of two
different ECGs of one patient, an *impostor* comparison of ECGs of two patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.compiled import numba
from heartprint.metrics.auroc import Interval, binary_labels
from heartprint.metrics.bootstrap import Resamples, patient_weights, study_interval
from heartprint.metrics.probe import fit_probe, grouped_folds

Ints = npt.NDArray[np.int64]

MIN_PATIENTS = 30
"""Patients below whom no number is given: its interval would be as wide as what it could say."""
FALSE_ACCEPT_RATES = (0.01, 0.001)
MIN_FALSE_ACCEPTS = 30
"""False accepts that must be expected at a rate: the rule of 30 (Doddington et al. 2000; ISO/IEC 19795-1)."""
NEIGHBOURS = 20
_DECIMALS = 9
_NAN = float("nan")


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, or the reason why there is none.

    Attributes:
        interval: Estimate and interval; None where none is given.
        n_patients: Patients it rests on.
        reason: Why there is none; empty where there is one.
    """

    interval: Interval | None
    n_patients: int
    reason: str = ""

    @property
    def value(self) -> float:
        """The estimate; NaN where there is none."""
        return self.interval.estimate if self.interval else _NAN


@dataclass(frozen=True)
class Verification:
    """Errors of verification over one set of genuine comparisons and all impostor comparisons.

    Attributes:
        n_genuine: Genuine comparisons.
        n_impostor: Impostor comparisons.
        equal_error_rate: Error where as many genuine comparisons are rejected as impostors are accepted; the ROC curve
            is joined by straight lines. 0.5 is chance.
        true_accept_rates: Share of the genuine comparisons accepted at a threshold that accepts at most that share of
            the impostors, for each rate asked for.
    """

    n_genuine: int
    n_impostor: int
    equal_error_rate: Estimate
    true_accept_rates: tuple[Estimate, ...]


def cosine_similarity(probes: npt.ArrayLike, gallery: npt.ArrayLike | None = None) -> Float64Array:
    """Cosine of every two embeddings.

    Args:
        probes: ``(n, d)`` finite.
        gallery: ``(m, d)`` finite; the probes themselves if None.

    Returns:
        ``(n, m)`` float64 in [-1, 1], 0 for an embedding of length 0. It is rounded to nine decimals: float32
        embeddings know no more, and equal embeddings must tie instead of being ranked by rounding errors.
    """
    one = _unit(probes)
    other = one if gallery is None else _unit(gallery)
    return np.asarray(np.round(one @ other.T, _DECIMALS).clip(-1.0, 1.0), dtype=np.float64)


def _unit(embedding: npt.ArrayLike) -> Float64Array:
    x = np.asarray(embedding, dtype=np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"embeddings must be (n, d) and finite, got {x.shape}")
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(np.divide(x, length, out=np.zeros_like(x), where=length > 0))


def mean_cosine(embedding: npt.ArrayLike) -> float:
    """Mean cosine of two different rows of ``(n, d)``; 1 where all point the same way, NaN for one row."""
    unit = _unit(embedding)
    n = len(unit)
    if n < 2:
        return _NAN
    return float((np.sum(unit.sum(axis=0) ** 2) - np.sum(unit**2)) / (n * (n - 1)))


def effective_rank(embedding: npt.ArrayLike) -> float:
    """Number of directions that ``(n, d)`` embeddings use: exp of the entropy of the normalised singular values.

    The embeddings are centred first (Roy & Vetterli 2007, The effective rank). It lies between 1 and min(n - 1, d);
    0 where all embeddings are equal. It has no interval: a resample repeats rows and so has a lower rank by itself.
    """
    x = np.asarray(embedding, dtype=np.float64)
    centred = x - x.mean(axis=0)
    # Roots of the eigenvalues of the smaller Gram matrix: far quicker than a singular value decomposition.
    gram = centred @ centred.T if len(x) <= x.shape[1] else centred.T @ centred
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0.0))
    # What is left of equal rows is rounding, which would count as directions.
    if not values.size or values.max() <= 1e-6 * np.linalg.norm(x):
        return 0.0
    share = values[values > 0] / values.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


def genuine_comparisons(patients: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """``(n, n)``: whether probe and gallery entry are different ECGs of one patient."""
    code = np.asarray(patients)
    same = code[:, None] == code[None]
    np.fill_diagonal(same, False)
    return np.asarray(same, dtype=np.bool_)


def identification_ranks(similarity: npt.ArrayLike, patients: npt.ArrayLike) -> Ints:
    """At which place the search for each probe meets an ECG of its patient.

    Closed set: the gallery is every other ECG, and a probe whose patient has no other ECG is not searched.

    Args:
        similarity: ``(n, n)``, probe by gallery entry; the diagonal, an ECG against itself, is left out.
        patients: ``(n,)`` patient of each ECG.

    Returns:
        ``(n,)`` rank of the most similar ECG of the same patient among all other ECGs, from 1; ECGs of other patients
        that are just as similar come before it. 0 where there is none to find.
    """
    scores = np.asarray(similarity, dtype=np.float64)
    genuine = genuine_comparisons(patients)
    impostor = ~genuine
    np.fill_diagonal(impostor, False)
    best = np.where(genuine, scores, -np.inf).max(axis=1, initial=-np.inf)
    before = np.sum(impostor & (scores >= best[:, None]), axis=1)
    return np.where(genuine.any(axis=1), 1 + before, 0).astype(np.int64)


def identification_rates(
    similarity: npt.ArrayLike,
    patients: npt.ArrayLike,
    ranks: Sequence[int] = (1, 5),
    *,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[Estimate, ...]:
    """Rank-k identification rates: the share of probes whose patient is met at one of the first k places.

    Resamples draw the patients of the probes. The gallery stays whole: a resampled one would hold fewer different
    patients and be easier to search.

    Args:
        similarity: ``(n_ecg, n_ecg)``, as in `identification_ranks`.
        patients: ``(n_ecg,)``.
        ranks: Each k.
        n: Resamples.
        seed: The same seed gives the same resamples.
        level: Coverage of the intervals.

    Returns:
        One estimate for each k; without a number if fewer than `MIN_PATIENTS` patients have two ECGs.
    """
    found = identification_ranks(similarity, patients)
    searched = found > 0
    patient = np.unique(np.asarray(patients)[searched], return_inverse=True)[1]
    n_patients = int(patient.max()) + 1 if patient.size else 0
    if n_patients < MIN_PATIENTS:
        return tuple(_too_few(n_patients, "two ECGs") for _ in ranks)
    weights = patient_weights(n_patients, n, seed=seed)
    probes = np.bincount(patient, minlength=n_patients)
    out = []
    for k in ranks:
        hit = found[searched] <= k
        hits = np.bincount(patient, weights=hit, minlength=n_patients)
        values = (weights @ hits) / (weights @ probes)
        out.append(Estimate(Resamples(float(hit.mean()), values).interval(level), n_patients))
    return tuple(out)


def verification(
    similarity: npt.ArrayLike,
    patients: npt.ArrayLike,
    *,
    classes: npt.ArrayLike | None = None,
    n_classes: int = 0,
    rates: Sequence[float] = FALSE_ACCEPT_RATES,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> list[Verification]:
    """Errors of verification over all comparisons, and over classes of the genuine ones.

    In a resample a genuine comparison counts as often as its patient was drawn, an impostor comparison as often as its
    two patients were drawn together: the product (Snijders & Borgatti 1999, for dyads). Two copies of one patient are
    not compared.

    Args:
        similarity: ``(n_ecg, n_ecg)``, the diagonal left out. Of a symmetric one every comparison counts once.
        patients: ``(n_ecg,)``.
        classes: ``(n_ecg, n_ecg)`` class of each genuine comparison from 0, or negative for none, such as the gap
            between the two ECGs.
        n_classes: Number of classes.
        rates: False-accept rates.
        n: Resamples.
        seed: The same seed gives the same resamples.
        level: Coverage of the intervals.

    Returns:
        All genuine comparisons, then each class. There is no number from fewer than `MIN_PATIENTS` patients, and no
        true-accept rate where fewer than `MIN_FALSE_ACCEPTS` / rate impostor comparisons cannot resolve it.
    """
    scores = np.asarray(similarity, dtype=np.float64)
    kind, one, other, ranked, n_patients = _comparisons(scores, np.asarray(patients), classes)
    n_impostor = int((kind < 0).sum())
    last = np.append(ranked[1:] != ranked[:-1], True) if ranked.size else np.empty(0, dtype=np.bool_)
    limits = np.asarray(rates, dtype=np.float64)
    weights = np.concatenate([np.ones((1, n_patients)), patient_weights(n_patients, n, seed=seed)])
    counted = [(kind >= 0) if c == 0 else (kind == c) for c in range(n_classes + 1)]
    owners = [len(np.unique(one[rows])) for rows in counted]
    values = np.empty((0, 0, 0))
    if max(owners) >= MIN_PATIENTS:
        values = _operating_points(kind, one, other, last, weights, limits, n_classes)

    def estimate(c: int, column: int, reason: str = "") -> Estimate:
        if owners[c] < MIN_PATIENTS:
            return _too_few(owners[c], "such a pair" if c else "two ECGs")
        if reason:
            return Estimate(None, owners[c], reason)
        return Estimate(Resamples(float(values[0, c, column]), values[1:, c, column]).interval(level), owners[c])

    out = []
    for c, rows in enumerate(counted):
        unresolved = [_unresolved(rate, n_impostor) for rate in rates]
        accepts = tuple(estimate(c, 1 + k, reason) for k, reason in enumerate(unresolved))
        out.append(Verification(int(rows.sum()), n_impostor, estimate(c, 0), accepts))
    return out


def _too_few(n_patients: int, what: str) -> Estimate:
    return Estimate(None, n_patients, f"patients with {what}: {n_patients} of the {MIN_PATIENTS} needed")


def _unresolved(rate: float, n_impostor: int) -> str:
    need = round(MIN_FALSE_ACCEPTS / rate)
    return "" if n_impostor >= need else f"{n_impostor:,} comparisons of two patients; {need:,} are needed"


def _comparisons(
    scores: Float64Array, patients: npt.NDArray[Any], classes: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int32], npt.NDArray[np.int32], Float64Array, int]:
    """Comparisons by falling similarity: kind (-1 impostor, 0 genuine, c genuine of class c - 1), patients, score."""
    patient = np.unique(patients, return_inverse=True)[1].astype(np.int32)
    if np.array_equal(scores, scores.T):
        rows, columns = np.triu_indices(len(patient), k=1)
    else:
        rows, columns = np.nonzero(~np.eye(len(patient), dtype=np.bool_))
    kind = np.where(patient[rows] == patient[columns], 0, -1).astype(np.int16)
    if classes is not None:
        kind[kind == 0] += 1 + np.maximum(np.asarray(classes)[rows, columns][kind == 0], -1).astype(np.int16)
    order = np.argsort(-scores[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    n_patients = int(patient.max()) + 1 if patient.size else 0
    return kind[order], patient[rows], patient[columns], scores[rows, columns], n_patients


@numba.njit(cache=True, nogil=True)
def _operating_points(
    kind: npt.NDArray[np.int16],
    one: npt.NDArray[np.int32],
    other: npt.NDArray[np.int32],
    last: npt.NDArray[np.bool_],
    weights: Float64Array,
    limits: Float64Array,
    n_classes: int,
) -> Float64Array:
    """``(resamples, 1 + classes, 1 + limits)``: equal error rate and true-accept rates; NaN where nothing was drawn."""
    out = np.full((len(weights), 1 + n_classes, 1 + len(limits)), np.nan)
    total = np.empty(1 + n_classes)
    accepted = np.empty(1 + n_classes)
    before = np.empty(1 + n_classes)
    for b in range(len(weights)):
        weight = weights[b]
        total[:], accepted[:], before[:] = 0.0, 0.0, 1.0
        impostors = 0.0
        for i in range(len(kind)):
            if kind[i] < 0:
                impostors += weight[one[i]] * weight[other[i]]
            else:
                total[0] += weight[one[i]]
                if kind[i] > 0:
                    total[kind[i]] += weight[one[i]]
        if impostors == 0:
            continue
        open_points = 0
        for c in range(1 + n_classes):
            if total[c] > 0:
                open_points += 1
                out[b, c, 1:] = 0.0
        false_accepts, rate_before = 0.0, 0.0
        for i in range(len(kind)):
            if kind[i] < 0:
                false_accepts += weight[one[i]] * weight[other[i]]
            else:
                accepted[0] += weight[one[i]]
                if kind[i] > 0:
                    accepted[kind[i]] += weight[one[i]]
            if not last[i]:
                continue
            rate = false_accepts / impostors
            for c in range(1 + n_classes):
                if total[c] == 0:
                    continue
                rejected = 1.0 - accepted[c] / total[c]
                if np.isnan(out[b, c, 0]) and rate >= rejected:
                    above = before[c] - rate_before
                    share = above / (above + rate - rejected)
                    out[b, c, 0] = rate_before + share * (rate - rate_before)
                    open_points -= 1
                for k in range(len(limits)):
                    if rate <= limits[k]:
                        out[b, c, 1 + k] = accepted[c] / total[c]
                before[c] = rejected
            rate_before = rate
            if open_points == 0 and rate > limits.max():
                break
    return out


def knn_scores(
    embedding: npt.ArrayLike, labels: npt.ArrayLike, patients: npt.ArrayLike, *, k: int = NEIGHBOURS, seed: int = 0
) -> tuple[Float64Array, Ints]:
    """Share of positives among the nearest labelled neighbours by cosine, neighbours from the other folds alone.

    Args:
        embedding: ``(n, d)``.
        labels: ``(n,)`` 1, 0 or NaN (left out).
        patients: ``(n,)``; ECGs of one patient are in one fold (see `grouped_folds`).
        k: Neighbours; fewer if a fold leaves fewer.
        seed: Seed of the folds.

    Returns:
        ``(n,)`` scores, NaN where there is no label, and ``(n,)`` folds, -1 there.

    Raises:
        HeartprintError: ``one-class-only``, ``too-few-patients`` or ``label-not-binary``.
    """
    positive, known = binary_labels(labels)
    rows = np.flatnonzero(known)
    fold = grouped_folds(positive[rows], np.asarray(patients)[rows], seed=seed)
    similarity = cosine_similarity(np.asarray(embedding)[rows])
    scores, folds = np.full(len(known), np.nan), np.full(len(known), -1, dtype=np.int64)
    for f in range(int(fold.max()) + 1):
        inside, outside = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
        near = np.argsort(-similarity[np.ix_(inside, outside)], axis=1, kind="stable")[:, :k]
        scores[rows[inside]] = positive[rows][outside][near].mean(axis=1)
    folds[rows] = fold
    return scores, folds


def readable(
    embedding: npt.ArrayLike, labels: npt.ArrayLike, patients: npt.ArrayLike, *, n: int = 1000, seed: int = 0
) -> tuple[Interval, Interval]:
    """AUROC at which a binary label is read off embeddings, by a linear probe and by nearest neighbours.

    Both are cross-fitted over the same folds of patients, and AUROC is taken within each fold (see `study_interval`).
    The probe's penalty is chosen on these folds too, so it is the more optimistic of the two by a little.

    Args:
        embedding: ``(n_ecg, d)``.
        labels: ``(n_ecg,)`` 1, 0 or NaN (left out).
        patients: ``(n_ecg,)``.
        n: Resamples of patients.
        seed: Seed of folds and resamples.

    Raises:
        HeartprintError: ``one-class-only``, ``too-few-patients`` or ``label-not-binary``.
    """
    near, folds = knn_scores(embedding, labels, patients, seed=seed)
    probe = fit_probe(embedding, labels, patients, seed=seed).cross_fitted_scores
    by_probe, by_neighbours = (
        study_interval(scores[None], labels, patients, folds, n=n, seed=seed) for scores in (probe, near)
    )
    return by_probe, by_neighbours
