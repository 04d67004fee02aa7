"""Pure numpy: AUROC, DeLong, bootstrap, calibration, ridge and logistic probes."""

from heartprint.metrics.auroc import Interval, auroc, average_precision, delong_interval, delong_paired
from heartprint.metrics.bootstrap import (
    Resamples,
    cluster_bootstrap,
    study_difference,
    study_interval,
    study_resamples,
    study_values,
)
from heartprint.metrics.calibration import (
    Confusion,
    PlattScaling,
    ReliabilityBin,
    brier_score,
    calibration_line,
    confusion,
    expected_calibration_error,
    reliability_bins,
    threshold_at_sensitivity,
    wilson_interval,
)
from heartprint.metrics.probe import LinearProbe, fit_logistic, fit_probe, grouped_folds

__all__ = [
    "Confusion",
    "Interval",
    "LinearProbe",
    "PlattScaling",
    "ReliabilityBin",
    "Resamples",
    "auroc",
    "average_precision",
    "brier_score",
    "calibration_line",
    "cluster_bootstrap",
    "confusion",
    "delong_interval",
    "delong_paired",
    "expected_calibration_error",
    "fit_logistic",
    "fit_probe",
    "grouped_folds",
    "reliability_bins",
    "study_difference",
    "study_interval",
    "study_resamples",
    "study_values",
    "threshold_at_sensitivity",
    "wilson_interval",
]
