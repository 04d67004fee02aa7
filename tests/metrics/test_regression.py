"""Numbers that are told: calibration, agreement and the ridge behind them, against scikit-learn, SciPy, slow loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from heartprint.foundation.errors import HeartprintError
from heartprint.metrics.bootstrap import patient_weights
from heartprint.metrics.probe import fit_regression
from heartprint.metrics.regression import NumberCalibration, agreement
from heartprint.metrics.ridge import RIDGE_PENALTIES


def case(n: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.normal(55, 12, n)
    return y, 0.7 * y + rng.normal(10, 6, n), rng.integers(0, max(2, n // 2), n)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(n=st.integers(5, 120), seed=st.integers(0, 10))
def test_figures_are_those_of_others(n: int, seed: int) -> None:
    y, p, patients = case(n, seed)
    found = agreement(y, p, patients, inside=np.abs(p - y) < 6, n=20)
    assert found["mae"].estimate == pytest.approx(mean_absolute_error(y, p), rel=1e-12)
    assert found["rmse"].estimate == pytest.approx(root_mean_squared_error(y, p), rel=1e-12)
    assert found["r2"].estimate == pytest.approx(r2_score(y, p), rel=1e-9, abs=1e-9)
    assert found["pearson_r"].estimate == pytest.approx(stats.pearsonr(y, p)[0], rel=1e-9, abs=1e-9)
    difference = p - y
    assert found["bias"].estimate == pytest.approx(difference.mean(), rel=1e-12)
    for name, sign in (("limit_low", -1), ("limit_high", 1)):
        limit = difference.mean() + sign * stats.norm.ppf(0.975) * difference.std(ddof=1)
        assert found[name].estimate == pytest.approx(limit, rel=1e-9)
    assert found["coverage"].estimate == pytest.approx(np.mean(np.abs(difference) < 6), abs=1e-12)


def test_intervals_resample_patients_with_all_their_ecgs() -> None:
    y, p, patients = case(60, 3)
    found = agreement(y, p, patients, n=50, seed=4)
    codes = np.unique(patients, return_inverse=True)[1]
    values: dict[str, list[float]] = {"mae": [], "pearson_r": [], "limit_high": []}
    for weights in patient_weights(codes.max() + 1, 50, seed=4):
        rows = np.repeat(np.arange(60), weights[codes].astype(int))
        values["mae"].append(mean_absolute_error(y[rows], p[rows]))
        values["pearson_r"].append(stats.pearsonr(y[rows], p[rows])[0])
        d = p[rows] - y[rows]
        values["limit_high"].append(d.mean() + stats.norm.ppf(0.975) * d.std(ddof=1))
    for name, of_resamples in values.items():
        np.testing.assert_allclose([found[name].low, found[name].high], np.quantile(of_resamples, [0.025, 0.975]))
    alone = agreement(y, p, np.arange(60), n=50, seed=4)
    assert alone["mae"].low != found["mae"].low


def test_numbers_that_never_change_correlate_with_nothing() -> None:
    for y, p in ((np.full(9, 0.1), np.arange(9.0)), (np.arange(9.0), np.full(9, 0.1))):
        assert np.isnan(agreement(y, p, np.arange(9), n=10)["pearson_r"].estimate)
    with pytest.raises(HeartprintError) as caught:
        agreement([], [], [])
    assert caught.value.code == "score-missing"


def test_calibration_is_a_line_that_never_falls() -> None:
    y, p, _ = case()
    y[5] = np.nan
    fit, known = NumberCalibration.fit(p, y), ~np.isnan(y)
    line = LinearRegression().fit(p[known, None], y[known])
    assert (fit.slope, fit.offset) == pytest.approx((line.coef_[0], line.intercept_))
    residual = y[known] - line.predict(p[known, None])
    assert fit.residual_sd == pytest.approx(np.sqrt(np.sum(residual**2) / (known.sum() - 2)))
    falling = NumberCalibration.fit(-p, y)
    assert (falling.slope, falling.offset) == (0.0, pytest.approx(np.nanmean(y)))
    exact = NumberCalibration.fit(y[known], y[known])
    assert exact.residual_sd > 0
    for few in ([1.0, 2.0], [3.0, 3.0, 3.0]):
        with pytest.raises(HeartprintError) as caught:
            NumberCalibration.fit(few, few)
        assert caught.value.code == "constant-target"


@pytest.mark.parametrize("d", [6, 120])
def test_ridge_is_that_of_scikit_learn_refitted_for_each_fold(d: int) -> None:
    rng = np.random.default_rng(1)
    x, groups = rng.normal(size=(70, d)) * rng.uniform(0.1, 5, d) + 3, rng.integers(0, 30, 70)
    y = 50 + x[:, :3].sum(axis=1) * 4 + rng.normal(0, 2, 70)
    y[7] = np.nan
    probe, known = fit_regression(x, y, groups), ~np.isnan(y)
    z = (x[known] - x[known].mean(axis=0)) / x[known].std(axis=0)
    target = (y[known] - y[known].mean()) / y[known].std()
    alpha = probe.penalty * np.sum(z**2)
    final = Ridge(alpha=alpha, solver="cholesky").fit(z, target)
    np.testing.assert_allclose(probe.decision(x[known]), y[known].mean() + y[known].std() * final.predict(z), rtol=1e-6)
    assert np.isnan(probe.cross_fitted_scores[7]) and probe.penalty in RIDGE_PENALTIES
    # The patients that were left out together are found by their scores: refit without each patient's fold.
    patients = np.unique(groups[known])
    from heartprint.foundation.randomness import generator

    fold = (generator(0, "probe folds").permutation(len(patients)) % 5)[np.searchsorted(patients, groups[known])]
    for k in range(5):
        out = fold == k
        other = Ridge(alpha=alpha, solver="cholesky").fit(z[~out], target[~out])
        expected = y[known].mean() + y[known].std() * other.predict(z[out])
        np.testing.assert_allclose(probe.cross_fitted_scores[known][out], expected, rtol=1e-6)


def test_ridge_refuses_what_cannot_be_learned() -> None:
    x = np.random.default_rng(0).normal(size=(12, 3))
    for y, groups, code in (
        (np.full(12, 50.0), np.arange(12), "constant-target"),
        (np.full(12, np.nan), np.arange(12), "constant-target"),
        (np.arange(12.0), np.zeros(12), "too-few-patients"),
    ):
        with pytest.raises(HeartprintError) as caught:
            fit_regression(x, y, groups)
        assert caught.value.code == code
