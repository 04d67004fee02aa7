"""How well a number is told: calibration, errors, agreement and correlation, with intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.errors import HeartprintError
from heartprint.metrics.auroc import Interval
from heartprint.metrics.bootstrap import Resamples, patient_weights

NORMAL_95 = 1.959963984540054
"""Standard deviations on either side of the mean within which 95 % of a normal distribution lies."""

_FINEST = 1e-6
"""Least residual SD, as a share of the spread of the targets: a few labels can be met exactly, and no more follows."""


@dataclass(frozen=True)
class NumberCalibration:
    """Value = slope * score + offset, give or take a residual of this standard deviation.

    Attributes:
        slope: Never negative: a calibration does not turn a ranking around.
        offset: In the unit of the number.
        residual_sd: Standard deviation of measured minus told, above 0, in the unit of the number.
    """

    slope: float
    offset: float
    residual_sd: float

    def __call__(self, scores: npt.ArrayLike) -> Float64Array:
        """``(n,)`` values of ``(n,)`` scores."""
        out: Float64Array = self.slope * np.asarray(scores, dtype=np.float64) + self.offset
        return out

    @classmethod
    def fit(cls, scores: npt.ArrayLike, targets: npt.ArrayLike) -> NumberCalibration:
        """Fit by least squares. Where the best slope would be negative, the score says nothing: the slope is 0.

        Args:
            scores: ``(n,)`` scores of ECGs that the model was not fitted on.
            targets: ``(n,)`` their numbers, or NaN (left out).

        Raises:
            HeartprintError: ``constant-target`` below three numbers or where they are all the same, ``score-missing``.
        """
        y = np.asarray(targets, dtype=np.float64)
        known = ~np.isnan(y)
        x, y = np.asarray(scores, dtype=np.float64)[known], y[known]
        if y.size < 3 or np.ptp(y) == 0:
            raise HeartprintError(
                "constant-target",
                f"{y.size} numbers, or numbers that never change, calibrate nothing. Ask for more labels.",
            )
        if not np.isfinite(x).all():
            raise HeartprintError("score-missing", "A score is missing or infinite: no number can be fitted to it.")
        deviation = x - x.mean()
        power = float(deviation @ deviation)
        slope = max(0.0, float(deviation @ y) / power) if power > 1e-24 * max(1.0, float(x @ x)) else 0.0
        offset = float(y.mean() - slope * x.mean())
        residual = y - (slope * x + offset)
        # Two numbers were fitted, so two degrees of freedom are gone.
        spread = float(np.sqrt(residual @ residual / (y.size - 2)))
        return cls(slope, offset, max(spread, _FINEST * float(y.std())))

    def to_json(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)


def agreement(
    targets: npt.ArrayLike,
    values: npt.ArrayLike,
    clusters: npt.ArrayLike,
    *,
    inside: npt.ArrayLike | None = None,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Mapping[str, Interval]:
    """Compare told with measured numbers, with percentile intervals from resampled patients.

    Args:
        targets: ``(n_ecg,)`` measured.
        values: ``(n_ecg,)`` told.
        clusters: ``(n_ecg,)`` patient of each ECG.
        inside: ``(n_ecg,)`` whether the measured number lies in the interval that was told; adds ``coverage``.
        n: Resamples.
        seed: The same seed and patients give the same resamples.
        level: Coverage of the intervals.

    Returns:
        ``mae`` (mean absolute error), ``rmse``, ``bias`` (mean of told minus measured), ``limit_low`` and
        ``limit_high`` (95 % limits of agreement, bias -+ 1.96 SD of the differences; Bland & Altman 1986, who take
        ECGs as independent, which their intervals here do not), ``pearson_r``, ``r2`` (1 - squared error over that of
        the mean; negative where the mean would do better). NaN where there is nothing to correlate.

    Raises:
        HeartprintError: ``score-missing`` for numbers that are not finite or none at all.
    """
    y, p = np.asarray(targets, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if y.size == 0 or not (np.isfinite(y).all() and np.isfinite(p).all()):
        raise HeartprintError(
            "score-missing", "Measured and told numbers must be finite, and there must be one. Leave out the others."
        )
    patient = np.unique(np.asarray(clusters), return_inverse=True)[1]
    error = p - y
    # About the mean of the targets, so that sums of squares do not cancel.
    y0, p0 = y - y.mean(), p - y.mean()
    hit = np.zeros(len(y)) if inside is None else np.asarray(inside, dtype=np.float64)
    terms = (np.ones(len(y)), error, np.abs(error), error**2, y0, y0**2, p0, p0**2, y0 * p0, hit)
    n_patients = int(patient.max()) + 1
    # Every figure is a function of these sums, so a resample is one row of a matrix product.
    sums = np.stack([np.bincount(patient, weights=term, minlength=n_patients) for term in terms], axis=1)
    figures = _figures(np.concatenate([sums.sum(axis=0)[None], patient_weights(n_patients, n, seed=seed) @ sums]))
    if inside is None:
        del figures["coverage"]
    return {name: Resamples(float(found[0]), found[1:]).interval(level) for name, found in figures.items()}


def _figures(sums: Float64Array) -> dict[str, Float64Array]:
    """The figures ``(m,)`` of ``(m, 10)`` sums."""
    n, error, absolute, squared, y, yy, p, pp, yp, hit = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = error / n
        spread = np.sqrt(np.maximum(squared - error * bias, 0.0) / (n - 1))
        total, told, shared = yy - y * y / n, pp - p * p / n, yp - y * p / n
        varied = total > 1e-12 * np.maximum(yy, 1e-300)
        r = np.where(varied & (told > 1e-12 * np.maximum(pp, 1e-300)), shared / np.sqrt(total * told), np.nan)
        return {
            "mae": absolute / n,
            "rmse": np.sqrt(squared / n),
            "bias": bias,
            "limit_low": bias - NORMAL_95 * spread,
            "limit_high": bias + NORMAL_95 * spread,
            "pearson_r": r,
            "r2": np.where(varied, 1 - squared / total, np.nan),
            "coverage": hit / n,
        }
