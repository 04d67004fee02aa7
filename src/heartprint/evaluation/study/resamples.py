"""Bootstrap values of many rows on the same resamples, each row resampled once.

A study compares every row with the reference. `metrics.study_difference` would resample both rows of each pair anew;
here the resampled values are kept and subtracted, which gives the same numbers (a test says so) in a third of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.metrics.auroc import Interval
from heartprint.metrics.bootstrap import _bootstrap, _percentiles, _prepare


@dataclass(frozen=True, eq=False)
class Resamples:
    """AUROC of one row, on the data as they are and on each resample.

    Attributes:
        estimate: Mean over label draws.
        values: ``(n,)`` the same on resampled draws and patients; equal positions are equal resamples for all rows.
        level: Coverage of the interval.
    """

    estimate: float
    values: npt.NDArray[np.float64]
    level: float

    def __sub__(self, other: Resamples) -> Resamples:
        return Resamples(self.estimate - other.estimate, self.values - other.values, self.level)

    def interval(self) -> Interval:
        """Percentile interval."""
        return _percentiles(self.estimate, self.values, self.level)


def study_resamples(
    rows: Sequence[npt.ArrayLike],
    labels: npt.ArrayLike,
    patients: npt.ArrayLike,
    folds: npt.ArrayLike | None,
    *,
    n: int,
    seed: int,
    level: float,
) -> list[Resamples]:
    """Resample label draws and test patients together, alike for all rows.

    Args:
        rows: For each row ``(draws, n_ecg)`` scores; draw d is the same label draw in all of them.
        labels: ``(n_ecg,)`` 1 or 0.
        patients: ``(n_ecg,)``.
        folds: ``(n_ecg,)`` or None; see ``metrics.study_interval``.
        n: Resamples.
        seed: Seed of the resamples.
        level: Coverage.
    """
    prepared, n_patients = _prepare(rows, labels, patients, folds, "auroc")
    estimates, values = _bootstrap(prepared, n_patients, n, seed)
    return [Resamples(float(e), v, level) for e, v in zip(estimates, values, strict=True)]
