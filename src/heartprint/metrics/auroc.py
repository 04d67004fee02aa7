"""AUROC, average precision and DeLong intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from scipy.stats import rankdata

from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.errors import HeartprintError


@dataclass(frozen=True)
class Interval:
    """An estimate and its interval; unpacks as ``estimate, low, high``.

    Attributes:
        estimate: Value on the data as they are.
        low: Lower end; NaN where no interval can be given.
        high: Upper end; NaN where no interval can be given.
        level: Nominal coverage, e.g. 0.95.
        n_resamples: Resamples behind the interval; 0 for a closed-form interval.
        n_dropped: Resamples left out because they held one class only.
    """

    estimate: float
    low: float
    high: float
    level: float = 0.95
    n_resamples: int = 0
    n_dropped: int = 0

    def __iter__(self) -> Iterator[float]:
        return iter((self.estimate, self.low, self.high))

    def clear_of(self, value: float) -> bool:
        """Whether the whole interval lies on one side of ``value``."""
        return self.low > value or self.high < value

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; NaN (not valid JSON) becomes None."""
        return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in asdict(self).items()}


def binary_labels(labels: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Read labels as answers and as which of them are known.

    Args:
        labels: ``(n,)`` 1, 0 or NaN (no label); bool and integers do as well.

    Returns:
        ``(n,)`` positive and ``(n,)`` known.

    Raises:
        HeartprintError: ``label-not-binary``.
    """
    values = np.asarray(labels, dtype=np.float64)
    known = ~np.isnan(values)
    positive = values == 1
    if values.ndim != 1 or not np.all(positive | (values == 0) | ~known):
        raise HeartprintError(
            "label-not-binary", "Labels must be one row of 0, 1 or missing. Turn other values into 0 and 1 first."
        )
    return positive, known


def require_both_classes(positive: npt.NDArray[np.bool_]) -> None:
    """Refuse labels of one class.

    Raises:
        HeartprintError: ``one-class-only``.
    """
    n_positive = int(positive.sum())
    if n_positive in (0, positive.size):
        kind = "absent" if positive.size == 0 else ("positive" if n_positive else "negative")
        raise HeartprintError(
            "one-class-only",
            f"All {positive.size} labels are {kind}: a score cannot be judged on one class. "
            "Check the label or add ECGs of the other class.",
        )


def labelled_scores(labels: npt.ArrayLike, *scores: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], list[Float64Array]]:
    """Keep the labelled ECGs and check that both classes and all scores are there.

    Args:
        labels: ``(n,)`` 1, 0 or NaN; ECGs without a label are left out.
        *scores: Each ``(n,)``; infinite scores are allowed, missing ones are not.

    Returns:
        ``(m,)`` positive and the scores of the labelled ECGs, each ``(m,)`` float64.

    Raises:
        HeartprintError: ``label-not-binary``, ``one-class-only`` or ``score-missing``.
    """
    positive, known = binary_labels(labels)
    kept = []
    for values in scores:
        array = np.asarray(values, dtype=np.float64)
        if array.shape != positive.shape:
            raise ValueError(f"labels {positive.shape} and scores {array.shape} differ in shape")
        array = array[known]
        if np.isnan(array).any():
            raise HeartprintError(
                "score-missing",
                f"{int(np.isnan(array).sum())} labelled ECGs have no score. Score them or take them out of the table.",
            )
        kept.append(array)
    require_both_classes(positive[known])
    return positive[known], kept


def auroc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Area under the ROC curve: P(positive scores above negative) + P(tie) / 2, by midranks.

    Args:
        labels: ``(n,)`` 1, 0 or NaN (left out).
        scores: ``(n,)`` higher = more likely positive.

    Raises:
        HeartprintError: ``one-class-only``, ``label-not-binary`` or ``score-missing``.
    """
    positive, (values,) = labelled_scores(labels, scores)
    n_positive = int(positive.sum())
    n_negative = positive.size - n_positive
    ranks = rankdata(values)
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Average precision (the area under the precision-recall curve without interpolation; Davis & Goadrich 2006).

    Equal scores form one step. Arguments and errors as in `auroc`.
    """
    positive, (values,) = labelled_scores(labels, scores)
    order = np.argsort(-values, kind="stable")
    sorted_values = values[order]
    hits = np.cumsum(positive[order])
    last = np.append(np.flatnonzero(sorted_values[1:] != sorted_values[:-1]), values.size - 1)
    steps = np.diff(hits[last], prepend=0)
    return float(np.sum(steps * hits[last] / (last + 1)) / hits[-1])


def _placements(positive: npt.NDArray[np.bool_], values: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Placement values of each positive and each negative, from midranks (Sun & Xu 2014)."""
    n_positive = int(positive.sum())
    n_negative = positive.size - n_positive
    ranks = rankdata(values)
    above = (ranks[positive] - rankdata(values[positive])) / n_negative
    below = 1.0 - (ranks[~positive] - rankdata(values[~positive])) / n_positive
    return above, below


def _mean_and_variance(above: Float64Array, below: Float64Array) -> tuple[float, float]:
    def part(values: Float64Array) -> float:
        # One case of a class says nothing about its spread.
        return float(values.var(ddof=1) / values.size) if values.size > 1 else float("nan")

    return float(above.mean()), part(above) + part(below)


def _normal_interval(estimate: float, variance: float, level: float, floor: float) -> Interval:
    half = float(ndtri(0.5 + level / 2)) * float(np.sqrt(variance))
    if np.isnan(half):
        return Interval(estimate, float("nan"), float("nan"), level)
    return Interval(estimate, max(floor, estimate - half), min(1.0, estimate + half), level)


def delong_interval(labels: npt.ArrayLike, scores: npt.ArrayLike, level: float = 0.95) -> Interval:
    """AUROC with DeLong's interval (DeLong 1988), by the O(n log n) algorithm of Sun & Xu 2014.

    Valid where ECGs are independent, i.e. one ECG per patient; otherwise use `cluster_bootstrap`.

    Args:
        labels: ``(n,)`` 1, 0 or NaN (left out).
        scores: ``(n,)``.
        level: Coverage.

    Returns:
        Interval cut to [0, 1]; its ends are NaN if a class has one ECG only.

    Raises:
        HeartprintError: ``one-class-only``, ``label-not-binary`` or ``score-missing``.
    """
    positive, (values,) = labelled_scores(labels, scores)
    estimate, variance = _mean_and_variance(*_placements(positive, values))
    return _normal_interval(estimate, variance, level, 0.0)


def delong_paired(
    labels: npt.ArrayLike, scores_a: npt.ArrayLike, scores_b: npt.ArrayLike, level: float = 0.95
) -> Interval:
    """Difference of two correlated AUROCs, a minus b, with DeLong's interval.

    Both scores are of the same ECGs, one per patient. Arguments and errors as in `delong_interval`.
    """
    positive, (a, b) = labelled_scores(labels, scores_a, scores_b)
    above_a, below_a = _placements(positive, a)
    above_b, below_b = _placements(positive, b)
    # var(A - B) of the placements is var(A) + var(B) - 2 cov(A, B): the covariance matrix is never needed.
    estimate, variance = _mean_and_variance(above_a - above_b, below_a - below_b)
    return _normal_interval(estimate, variance, level, -1.0)
