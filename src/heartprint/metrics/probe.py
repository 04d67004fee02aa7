"""Linear probes: class-balanced ridge for embeddings, ridge for numbers, logistic regression for measured features.

All choose their penalty by cross-validation over patients inside the labels they are given, so that nothing but the
label budget is used, and by the same rule for every encoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.metrics.auroc import binary_labels, require_both_classes
from heartprint.metrics.ridge import RIDGE_PENALTIES, ridge_path, standardisation

MAX_FOLDS = 5
LOGISTIC_PENALTIES: Float64Array = np.logspace(-4, 1, 11)
"""Penalties tried for logistic regression, relative to the number of labels."""


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier on standardised features.

    Attributes:
        mean: ``(d,)`` subtracted from the features.
        scale: ``(d,)`` by which they are then divided.
        weights: ``(d,)`` on the standardised features.
        bias: Added to the weighted sum.
        fill: ``(d,)`` value for a missing feature; NaN where missing features are not allowed.
        penalty: The relative penalty chosen.
        cross_fitted_scores: ``(n,)`` score of each labelled ECG by a model that saw no ECG of its patient; NaN where
            the ECG had no label. For calibration and thresholds inside the label budget.
        n_folds: Folds behind them.
    """

    mean: Float64Array
    scale: Float64Array
    weights: Float64Array
    bias: float
    fill: Float64Array
    penalty: float
    cross_fitted_scores: Float64Array
    n_folds: int

    def decision(self, features: npt.ArrayLike) -> Float64Array:
        """Score features.

        Args:
            features: ``(m, d)``.

        Returns:
            ``(m,)`` float64, higher = more likely positive.

        Raises:
            HeartprintError: ``features-missing`` where a feature is missing that this probe does not fill.
        """
        x = np.asarray(features, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.weights):
            raise ValueError(f"the probe reads (m, {len(self.weights)}) features, got {x.shape}")
        missing = ~np.isfinite(x)
        if missing.any():
            x = np.where(missing, self.fill, x)
            if np.isnan(x).any():
                raise _features_missing(int(missing.any(axis=1).sum()))
        weights, bias = self.raw()
        out: Float64Array = x @ weights + bias
        return out

    def raw(self) -> tuple[Float64Array, float]:
        """Weights ``(d,)`` and bias for features that are not standardised."""
        weights = self.weights / self.scale
        return weights, float(self.bias - weights @ self.mean)


def _features_missing(n: int) -> HeartprintError:
    return HeartprintError(
        "features-missing", f"{n} ECGs have missing or infinite features. Leave these ECGs out or embed them again."
    )


def grouped_folds(
    positive: npt.NDArray[np.bool_], groups: npt.ArrayLike, *, max_folds: int = MAX_FOLDS, seed: int = 0
) -> npt.NDArray[np.int64]:
    """Deal patients to cross-validation folds, positives and negatives evenly.

    Args:
        positive: ``(n,)``.
        groups: ``(n,)`` patient of each ECG. A patient with any positive ECG counts as positive.
        max_folds: Most folds; fewer if a class has fewer patients.
        seed: Seed of the deal.

    Returns:
        ``(n,)`` fold of each ECG, from 0. ECGs of one patient are in one fold.

    Raises:
        HeartprintError: ``one-class-only``, or ``too-few-patients`` where a class has a single patient.
    """
    require_both_classes(positive)
    patient = np.unique(np.asarray(groups), return_inverse=True)[1]
    n_patients = int(patient.max()) + 1
    has_positive = np.bincount(patient, weights=positive, minlength=n_patients) > 0
    has_negative = np.bincount(patient, weights=~positive, minlength=n_patients) > 0
    k = min(max_folds, int(has_positive.sum()), int(has_negative.sum()))
    if k < 2:
        raise HeartprintError(
            "too-few-patients",
            "Cross-validation over patients needs two patients of each class, and one class has one. Add labels.",
        )
    rng = generator(seed, "probe folds")
    fold_of_patient = np.empty(n_patients, dtype=np.int64)
    dealt = 0
    # The second class goes on where the first stopped, so that fold sizes differ by one at most.
    for members in (np.flatnonzero(has_positive), np.flatnonzero(~has_positive)):
        fold_of_patient[rng.permutation(members)] = (dealt + np.arange(len(members))) % k
        dealt += len(members)
    return fold_of_patient[patient]


def _class_weights(positive: npt.NDArray[np.bool_]) -> Float64Array:
    """``(n,)`` weights that give both classes the same total, n / 2."""
    n_positive = positive.sum()
    out: Float64Array = np.where(
        positive, positive.size / (2 * n_positive), positive.size / (2 * (positive.size - n_positive))
    )
    return out


def _input(
    features: npt.ArrayLike, labels: npt.ArrayLike, groups: npt.ArrayLike
) -> tuple[Float64Array, npt.NDArray[np.bool_], npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    positive, known = binary_labels(labels)
    x = np.asarray(features, dtype=np.float64)
    group = np.asarray(groups)
    if x.ndim != 2 or len(x) != positive.size or group.shape != positive.shape:
        raise ValueError(f"features {x.shape}, labels {positive.shape} and groups {group.shape} do not fit")
    require_both_classes(positive[known])
    return x[known], positive[known], group[known], known


def _spread(values: Float64Array, known: npt.NDArray[np.bool_]) -> Float64Array:
    out = np.full(known.size, np.nan)
    out[known] = values
    return out


def fit_probe(features: npt.ArrayLike, labels: npt.ArrayLike, groups: npt.ArrayLike, *, seed: int = 0) -> LinearProbe:
    """Fit a class-balanced ridge classifier (targets -1 and 1) with a cross-validated penalty.

    Features are standardised with class-balanced weights. All penalties of `RIDGE_PENALTIES` are tried on the same
    folds (`grouped_folds`) and the one with the smallest class-balanced squared error wins; held-out predictions are
    exact, from one eigendecomposition (the block form of the leave-one-out identity of ridge regression; Allen 1974)
    or, with more labels than features, one per fold.

    Args:
        features: ``(n, d)`` finite.
        labels: ``(n,)`` 1, 0 or NaN (left out).
        groups: ``(n,)`` patient of each ECG.
        seed: Seed of the folds.

    Raises:
        HeartprintError: ``one-class-only``, ``too-few-patients``, ``label-not-binary`` or ``features-missing``.
    """
    x, positive, group, known = _input(features, labels, groups)
    if not np.isfinite(x).all():
        raise _features_missing(int((~np.isfinite(x)).any(axis=1).sum()))
    folds = grouped_folds(positive, group, seed=seed)
    balance = _class_weights(positive)
    mean, scale = standardisation(x, balance)
    root = np.sqrt(balance)
    # In rows scaled by the root of their weight, weighted ridge is plain ridge and the intercept is the column `root`.
    z = (x - mean) / scale * root[:, None]
    y = np.where(positive, 1.0, -1.0)
    held_out, solve = ridge_path(z, root, y, folds)
    errors = balance @ (held_out - y[:, None]) ** 2
    best = int(np.argmin(errors))
    return LinearProbe(
        mean=mean,
        scale=scale,
        weights=solve(best),
        bias=0.0,  # the class-balanced mean of the targets, at the class-balanced mean of the features
        fill=np.full(x.shape[1], np.nan),
        penalty=float(RIDGE_PENALTIES[best]),
        cross_fitted_scores=_spread(held_out[:, best], known),
        n_folds=int(folds.max()) + 1,
    )


def fit_regression(
    features: npt.ArrayLike, targets: npt.ArrayLike, groups: npt.ArrayLike, *, seed: int = 0
) -> LinearProbe:
    """Fit ridge regression of a number on standardised features, with a cross-validated penalty.

    As `fit_probe` in everything else: the same penalties, folds of patients, and exact held-out predictions, here of
    the smallest squared error.

    Args:
        features: ``(n, d)`` finite.
        targets: ``(n,)`` finite numbers or NaN (left out).
        groups: ``(n,)`` patient of each ECG.
        seed: Seed of the folds.

    Returns:
        A probe whose `LinearProbe.decision` and ``cross_fitted_scores`` are in the unit of the targets.

    Raises:
        HeartprintError: ``constant-target``, ``too-few-patients`` for a single one, or ``features-missing``.
    """
    numbers = np.asarray(targets, dtype=np.float64)
    known = ~np.isnan(numbers)
    x, y = np.asarray(features, dtype=np.float64), numbers[known]
    if x.ndim != 2 or len(x) != numbers.size:
        raise ValueError(f"features {x.shape} and targets {numbers.shape} do not fit")
    x, group = x[known], np.asarray(groups)[known]
    if not np.isfinite(x).all():
        raise _features_missing(int((~np.isfinite(x)).any(axis=1).sum()))
    if y.size == 0 or np.ptp(y) == 0:
        raise HeartprintError(
            "constant-target", "A number that never changes cannot be learned. Check the labels, or add others."
        )
    patient = np.unique(group, return_inverse=True)[1]
    n_patients = int(patient.max()) + 1
    if n_patients < 2:
        raise HeartprintError(
            "too-few-patients", "Cross-validation over patients needs two patients, and there is one. Add labels."
        )
    k = min(MAX_FOLDS, n_patients)
    folds = (generator(seed, "probe folds").permutation(n_patients) % k)[patient]
    centre, spread = float(y.mean()), float(y.std())
    root = np.ones(len(y))
    mean, scale = standardisation(x, root)
    held_out, solve = ridge_path((x - mean) / scale, root, (y - centre) / spread, folds)
    best = int(np.argmin(((held_out - ((y - centre) / spread)[:, None]) ** 2).sum(axis=0)))
    return LinearProbe(
        mean=mean,
        scale=scale,
        weights=spread * solve(best),
        bias=centre,
        fill=np.full(x.shape[1], np.nan),
        penalty=float(RIDGE_PENALTIES[best]),
        cross_fitted_scores=_spread(centre + spread * held_out[:, best], known),
        n_folds=k,
    )


def fit_logistic(
    features: npt.ArrayLike, labels: npt.ArrayLike, groups: npt.ArrayLike, *, seed: int = 0
) -> LinearProbe:
    """Fit class-balanced L2 logistic regression, for features that may be missing.

    A missing (non-finite) feature takes the median of the ECGs fitted on. The penalty is the one of
    `LOGISTIC_PENALTIES` with the smallest class-balanced log loss on the folds of `grouped_folds`; medians and
    standardisation are taken anew in each fold. Newton's method with backtracking from the largest penalty down.

    Args:
        features: ``(n, d)``, d at most a few hundred.
        labels: ``(n,)`` 1, 0 or NaN (left out).
        groups: ``(n,)`` patient of each ECG.
        seed: Seed of the folds.

    Raises:
        HeartprintError: ``one-class-only``, ``too-few-patients`` or ``label-not-binary``.
    """
    x, positive, group, known = _input(features, labels, groups)
    x = np.where(np.isfinite(x), x, np.nan)
    folds = grouped_folds(positive, group, seed=seed)
    held_out = np.zeros((len(x), len(LOGISTIC_PENALTIES)))
    for fold in range(int(folds.max()) + 1):
        out = folds == fold
        if not 0 < positive[~out].sum() < (~out).sum():
            continue  # patients with both labels can leave one class; such a fold predicts nothing
        fill, mean, scale, z, balance = _prepare_logistic(x[~out], positive[~out])
        weights, biases = _logistic_path(z, positive[~out], balance)
        held_out[out] = (np.where(np.isnan(x[out]), fill, x[out]) - mean) / scale @ weights + biases
    signed = np.where(positive[:, None], held_out, -held_out)
    best = int(np.argmin(_class_weights(positive) @ np.logaddexp(0.0, -signed)))
    fill, mean, scale, z, balance = _prepare_logistic(x, positive)
    weights, biases = _logistic_path(z, positive, balance, stop=best + 1)
    return LinearProbe(
        mean=mean,
        scale=scale,
        weights=weights[:, best],
        bias=float(biases[best]),
        fill=fill,
        penalty=float(_FALLING_PENALTIES[best]),
        cross_fitted_scores=_spread(held_out[:, best], known),
        n_folds=int(folds.max()) + 1,
    )


_FALLING_PENALTIES = LOGISTIC_PENALTIES[::-1]


def _prepare_logistic(
    x: Float64Array, positive: npt.NDArray[np.bool_]
) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array, Float64Array]:
    balance = _class_weights(positive)
    fill = np.zeros(x.shape[1])
    measured = ~np.isnan(x).all(axis=0)
    fill[measured] = np.nanmedian(x[:, measured], axis=0)
    filled = np.where(np.isnan(x), fill, x)
    mean, scale = standardisation(filled, balance)
    return fill, mean, scale, (filled - mean) / scale, balance


def _logistic_path(
    z: Float64Array, positive: npt.NDArray[np.bool_], balance: Float64Array, stop: int | None = None
) -> tuple[Float64Array, Float64Array]:
    """Weights ``(d, penalties)`` and biases ``(penalties,)``, from the largest penalty to the smallest."""
    penalties = _FALLING_PENALTIES[:stop] * len(z)
    design = np.column_stack([z, np.ones(len(z))])
    beta = np.zeros(design.shape[1])
    out = np.empty((design.shape[1], len(penalties)))
    ridge = np.ones(design.shape[1])
    ridge[-1] = 0.0

    def loss(b: Float64Array, penalty: float) -> float:
        margin = design @ b
        fit = balance @ (np.logaddexp(0.0, margin) - positive * margin)
        return float(fit + 0.5 * penalty * (ridge * b) @ b)

    for column, penalty in enumerate(penalties):
        current = loss(beta, penalty)
        for _ in range(50):
            p = expit(design @ beta)
            gradient = design.T @ (balance * (p - positive)) + penalty * ridge * beta
            curvature = balance * p * (1 - p) + 1e-12
            hessian = (design * curvature[:, None]).T @ design + np.diag(penalty * ridge)
            step = -np.linalg.solve(hessian, gradient)
            decrease = float(gradient @ step)
            if -decrease < 1e-10 * len(z):
                break
            size = 1.0
            while (new := loss(beta + size * step, penalty)) > current + 1e-4 * size * decrease and size > 1e-8:
                size /= 2
            beta, current = beta + size * step, new
        out[:, column] = beta
    return out[:-1], out[-1]
