"""From scores to probabilities and decisions: Platt scaling, thresholds, confusion and calibration numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, ndtri

from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.errors import HeartprintError
from heartprint.metrics.auroc import Interval, labelled_scores


@dataclass(frozen=True)
class PlattScaling:
    """Probability = 1 / (1 + exp(-(a * score + b))) (Platt 1999; his A and B are -a and -b).

    Attributes:
        a: Slope, never negative: a calibration does not turn a ranking around.
        b: Offset.
    """

    a: float
    b: float

    def __call__(self, scores: npt.ArrayLike) -> Float64Array:
        """``(n,)`` probabilities of ``(n,)`` scores."""
        out: Float64Array = expit(self.a * np.asarray(scores, dtype=np.float64) + self.b)
        return out

    @classmethod
    def fit(cls, scores: npt.ArrayLike, labels: npt.ArrayLike) -> PlattScaling:
        """Fit by maximum likelihood to Platt's smoothed targets (numerics as in Lin, Lin & Weng 2007).

        The targets (n+ + 1) / (n+ + 2) and 1 / (n- + 2) keep few labels from giving certainty. Where the best
        slope would be negative, the score says nothing: the slope is 0 and every probability is the prevalence.

        Args:
            scores: ``(n,)`` scores of ECGs that the model was not fitted on.
            labels: ``(n,)`` 1, 0 or NaN (left out).

        Raises:
            HeartprintError: ``one-class-only``, ``label-not-binary`` or ``score-missing``.
        """
        positive, (values,) = labelled_scores(labels, scores)
        if not np.isfinite(values).all():
            raise HeartprintError("score-missing", "A score is infinite: probabilities cannot be fitted to it.")
        n_positive = int(positive.sum())
        n_negative = positive.size - n_positive
        targets = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
        spread = float(values.std())
        centre = float(values.mean())
        if spread <= 1e-12 * max(1.0, abs(centre)):
            return cls(0.0, float(logit(targets.mean())))
        # Standardised scores make the Newton steps independent of the score's unit.
        slope, offset = fit_sigmoid((values - centre) / spread, targets)
        if slope <= 0:
            return cls(0.0, float(logit(targets.mean())))
        return cls(slope / spread, offset - slope * centre / spread)

    def to_json(self) -> dict[str, float]:
        """Plain values."""
        return {"a": self.a, "b": self.b}


def fit_sigmoid(values: Float64Array, targets: Float64Array) -> tuple[float, float]:
    """Minimise the cross-entropy of sigmoid(a * value + b) to targets in [0, 1]; Newton with backtracking.

    Args:
        values: ``(n,)``, about unit size.
        targets: ``(n,)`` in [0, 1].

    Returns:
        ``(a, b)``.
    """

    def loss(a: float, b: float) -> float:
        z = a * values + b
        return float(np.sum(np.logaddexp(0.0, z) - targets * z))

    a, b = 0.0, float(logit(np.clip(targets.mean(), 1e-6, 1 - 1e-6)))
    current = loss(a, b)
    for _ in range(100):
        p = expit(a * values + b)
        residual = p - targets
        g_a, g_b = float(residual @ values), float(residual.sum())
        if max(abs(g_a), abs(g_b)) < 1e-9 * len(values):
            break
        h = p * (1 - p)
        h_aa, h_ab, h_bb = float(h @ values**2) + 1e-12, float(h @ values), float(h.sum()) + 1e-12
        determinant = h_aa * h_bb - h_ab * h_ab
        step_a = -(h_bb * g_a - h_ab * g_b) / determinant
        step_b = -(h_aa * g_b - h_ab * g_a) / determinant
        slope = g_a * step_a + g_b * step_b
        size = 1.0
        while size > 1e-10:
            new = loss(a + size * step_a, b + size * step_b)
            if new <= current + 1e-4 * size * slope:
                break
            size /= 2
        else:
            break
        a, b, current = a + size * step_a, b + size * step_b, new
    return a, b


def threshold_at_sensitivity(labels: npt.ArrayLike, scores: npt.ArrayLike, sensitivity: float = 0.9) -> float:
    """Highest score threshold at which at least this share of positives is found (``score >= threshold``).

    Args:
        labels: ``(n,)`` 1, 0 or NaN (left out); validation data, never the test set.
        scores: ``(n,)``.
        sensitivity: In (0, 1].

    Raises:
        HeartprintError: ``bad-sensitivity``, ``one-class-only``, ``label-not-binary`` or ``score-missing``.
    """
    if not 0 < sensitivity <= 1:
        raise HeartprintError("bad-sensitivity", f"A sensitivity lies above 0 and at most at 1, got {sensitivity}.")
    positive, (values,) = labelled_scores(labels, scores)
    descending = np.sort(values[positive])[::-1]
    # 0.55 * 100 is 55.00000000000001 in floating point; that is 55 cases, not 56.
    needed = int(np.ceil(sensitivity * descending.size - 1e-9))
    return float(descending[needed - 1])


def wilson_interval(successes: int, total: int, level: float = 0.95) -> Interval:
    """Share with Wilson's score interval (Wilson 1927); NaN where ``total`` is 0.

    It takes cases as independent, so with several ECGs per patient it is somewhat too narrow.
    """
    if total == 0:
        return Interval(float("nan"), float("nan"), float("nan"), level)
    z2 = float(ndtri(0.5 + level / 2)) ** 2
    p = successes / total
    centre = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = np.sqrt(z2 * (p * (1 - p) / total + z2 / (4 * total**2))) / (1 + z2 / total)
    # The ends are exactly 0 and 1 for no and all successes; rounding must not say otherwise.
    low = 0.0 if successes == 0 else float(centre - half)
    high = 1.0 if successes == total else float(centre + half)
    return Interval(p, low, high, level)


@dataclass(frozen=True)
class Confusion:
    """Counts at a threshold and the four shares with Wilson intervals."""

    threshold: float
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int
    sensitivity: Interval
    specificity: Interval
    ppv: Interval
    npv: Interval

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {k: v.to_json() if isinstance(v, Interval) else v for k, v in self.__dict__.items()}


def confusion(labels: npt.ArrayLike, scores: npt.ArrayLike, threshold: float, level: float = 0.95) -> Confusion:
    """Count decisions ``score >= threshold``; scores and threshold may be logits or probabilities alike.

    Raises:
        HeartprintError: ``one-class-only``, ``label-not-binary`` or ``score-missing``.
    """
    positive, (values,) = labelled_scores(labels, scores)
    called = values >= threshold
    tp, fp = int(np.sum(called & positive)), int(np.sum(called & ~positive))
    fn, tn = int(np.sum(~called & positive)), int(np.sum(~called & ~positive))
    return Confusion(
        float(threshold),
        tp,
        fp,
        tn,
        fn,
        sensitivity=wilson_interval(tp, tp + fn, level),
        specificity=wilson_interval(tn, tn + fp, level),
        ppv=wilson_interval(tp, tp + fp, level),
        npv=wilson_interval(tn, tn + fn, level),
    )


@dataclass(frozen=True)
class ReliabilityBin:
    """ECGs of similar predicted probability: what was predicted and what was found."""

    n: int
    mean_probability: float
    observed: Interval


def _probabilities(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], Float64Array]:
    positive, (values,) = labelled_scores(labels, probabilities)
    if values.min() < 0 or values.max() > 1:
        raise HeartprintError(
            "not-a-probability", "Probabilities must lie in [0, 1]. Calibrate scores first (PlattScaling)."
        )
    return positive, values


def brier_score(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Mean squared difference of probability and label (Brier 1950).

    Raises:
        HeartprintError: ``not-a-probability``, ``one-class-only``, ``label-not-binary`` or ``score-missing``.
    """
    positive, values = _probabilities(labels, probabilities)
    return float(np.mean((values - positive) ** 2))


def reliability_bins(labels: npt.ArrayLike, probabilities: npt.ArrayLike, n_bins: int = 10) -> list[ReliabilityBin]:
    """Observed share by predicted probability, in bins of about equal numbers of ECGs.

    Equal numbers, because with a rare label bins of equal width are nearly all empty. Equal probabilities are never
    parted, so there may be fewer bins. Errors as in `brier_score`.
    """
    positive, values = _probabilities(labels, probabilities)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, n_bins + 1)[1:-1]))
    index = np.searchsorted(edges, values, side="left")
    out = []
    for k in np.unique(index):
        inside = index == k
        n = int(inside.sum())
        observed = wilson_interval(int(positive[inside].sum()), n)
        out.append(ReliabilityBin(n, float(values[inside].mean()), observed))
    return out


def expected_calibration_error(labels: npt.ArrayLike, probabilities: npt.ArrayLike, n_bins: int = 10) -> float:
    """Mean over ECGs of |observed share - mean probability| in their reliability bin (Naeini 2015).

    Bins as in `reliability_bins`; errors as in `brier_score`.
    """
    bins = reliability_bins(labels, probabilities, n_bins)
    total = sum(b.n for b in bins)
    return float(sum(b.n * abs(b.observed.estimate - b.mean_probability) for b in bins) / total)


def calibration_line(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[float, float]:
    """Slope and intercept of the label's log-odds on the predicted log-odds (Cox 1958); ideal is (1, 0).

    A slope below 1 means predictions too extreme. NaN where the predictions do not vary, or part the classes
    completely. Errors as in `brier_score`.
    """
    positive, values = _probabilities(labels, probabilities)
    z = logit(np.clip(values, 1e-9, 1 - 1e-9))
    spread = float(z.std())
    separable = z[positive].min() >= z[~positive].max() or z[positive].max() <= z[~positive].min()
    if spread < 1e-9 or separable:
        return float("nan"), float("nan")
    centre = float(z.mean())
    slope, offset = fit_sigmoid((z - centre) / spread, positive.astype(np.float64))
    return slope / spread, offset - slope * centre / spread
