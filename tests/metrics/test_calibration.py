"""Platt scaling, thresholds and calibration numbers against scikit-learn, scipy and their definitions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, confusion_matrix

from heartprint.foundation.errors import HeartprintError
from heartprint.metrics import (
    PlattScaling,
    brier_score,
    calibration_line,
    confusion,
    expected_calibration_error,
    reliability_bins,
    threshold_at_sensitivity,
    wilson_interval,
)


def data(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=n)
    return (rng.random(n) < expit(2 * scores - 1)).astype(float), scores


@pytest.mark.parametrize("n", [8, 40, 300])
@pytest.mark.parametrize("unit", [1.0, 1000.0, 1e-4])
def test_platt_is_the_maximum_likelihood_fit(n: int, unit: float) -> None:
    labels, scores = data(n)
    n_positive, n_negative = labels.sum(), (1 - labels).sum()
    targets = np.where(labels == 1, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))

    def loss(parameters: np.ndarray) -> float:
        z = parameters[0] * scores + parameters[1]
        return float(np.sum(np.logaddexp(0, z) - targets * z))

    best = minimize(loss, [1.0, 0.0], method="BFGS", options={"gtol": 1e-10})
    platt = PlattScaling.fit(unit * scores + 3, labels)
    np.testing.assert_allclose(platt(unit * scores + 3), expit(best.x[0] * scores + best.x[1]), atol=1e-5)


def test_platt_equals_scikit_learn() -> None:
    from sklearn.calibration import _sigmoid_calibration

    labels, scores = data()
    a, b = _sigmoid_calibration(scores, labels)
    platt = PlattScaling.fit(scores, labels)
    np.testing.assert_allclose(platt(scores), expit(-(a * scores + b)), atol=1e-4)


def test_platt_is_calm_where_classes_part_completely() -> None:
    platt = PlattScaling.fit(np.r_[np.zeros(5), np.ones(5)], np.r_[np.zeros(5), np.ones(5)])
    assert platt(np.array([0.0, 1.0])) == pytest.approx([1 / 7, 6 / 7], abs=1e-3)  # Platt's targets


def test_platt_does_not_turn_a_ranking_around() -> None:
    labels, scores = data()
    platt = PlattScaling.fit(-scores, labels)
    assert platt.a == 0
    assert platt(scores) == pytest.approx(np.full(len(scores), labels.mean()), abs=0.01)
    flat = PlattScaling.fit(np.full(300, 2.5), labels)
    assert flat.a == 0 and np.isfinite(flat.b)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(-1e6, 1e6)), min_size=2, max_size=30))
def test_platt_always_gives_probabilities(pairs: list[tuple[bool, float]]) -> None:
    labels, scores = np.array([p[0] for p in pairs], dtype=float), np.array([p[1] for p in pairs])
    if labels.min() == labels.max():
        with pytest.raises(HeartprintError, match="one class"):
            PlattScaling.fit(scores, labels)
        return
    platt = PlattScaling.fit(scores, labels)
    assert platt.a >= 0
    probabilities = platt(scores)
    assert np.all((probabilities >= 0) & (probabilities <= 1))
    assert np.all(np.diff(probabilities[np.argsort(scores)]) >= -1e-12)


@settings(deadline=None)
@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=25),
    st.lists(st.integers(-5, 5), min_size=1, max_size=25),
    st.floats(0.01, 1.0),
)
def test_threshold_is_the_highest_that_finds_enough(positives: list[int], negatives: list[int], wanted: float) -> None:
    labels = np.r_[np.ones(len(positives)), np.zeros(len(negatives))]
    scores = np.r_[positives, negatives].astype(float)
    threshold = threshold_at_sensitivity(labels, scores, wanted)
    found = np.mean(np.array(positives) >= threshold)
    assert found >= wanted - 1e-9
    higher = [s for s in positives if s > threshold]
    assert all(np.mean(np.array(positives) >= s) < wanted for s in higher)


def test_rounding_asks_for_no_extra_case() -> None:
    scores = np.arange(200.0)
    labels = (scores >= 100).astype(float)
    assert 0.55 * 100 > 55
    assert threshold_at_sensitivity(labels, scores, 0.55) == 145.0
    assert threshold_at_sensitivity(labels, scores, 0.9) == 110.0


@pytest.mark.parametrize("wanted", [0.0, -1.0, 1.5, float("nan")])
def test_impossible_sensitivities_are_refused(wanted: float) -> None:
    with pytest.raises(HeartprintError) as caught:
        threshold_at_sensitivity([0, 1], [0.0, 1.0], wanted)
    assert caught.value.code == "bad-sensitivity"


@settings(deadline=None)
@given(st.integers(1, 200), st.data())
def test_wilson_equals_scipy(total: int, drawn: st.DataObject) -> None:
    successes = drawn.draw(st.integers(0, total))
    expected = binomtest(successes, total).proportion_ci(0.95, method="wilson")
    got = wilson_interval(successes, total)
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilson_of_nothing_is_unknown() -> None:
    assert all(np.isnan(v) for v in wilson_interval(0, 0))


def test_confusion_equals_scikit_learn() -> None:
    labels, scores = data()
    got = confusion(labels, scores, 0.3)
    tn, fp, fn, tp = confusion_matrix(labels, scores >= 0.3).ravel()
    assert (got.true_negative, got.false_positive, got.false_negative, got.true_positive) == (tn, fp, fn, tp)
    assert got.sensitivity.estimate == tp / (tp + fn) and got.specificity.estimate == tn / (tn + fp)
    assert got.ppv.estimate == tp / (tp + fp) and got.npv.estimate == tn / (tn + fn)
    nobody = confusion(labels, scores, 99.0)
    assert np.isnan(nobody.ppv.estimate)
    json.dumps(nobody.to_json(), allow_nan=False)


def test_brier_equals_scikit_learn() -> None:
    labels, scores = data()
    assert brier_score(labels, expit(scores)) == pytest.approx(brier_score_loss(labels, expit(scores)))


def test_reliability_bins_equal_scikit_learn() -> None:
    labels, scores = data()
    observed, predicted = calibration_curve(labels, expit(scores), n_bins=10, strategy="quantile")
    bins = reliability_bins(labels, expit(scores), 10)
    assert sum(b.n for b in bins) == len(labels)
    np.testing.assert_allclose([b.mean_probability for b in bins], predicted)
    np.testing.assert_allclose([b.observed.estimate for b in bins], observed)
    weights = np.array([b.n for b in bins]) / len(labels)
    expected = float(weights @ np.abs(observed - predicted))
    assert expected_calibration_error(labels, expit(scores)) == pytest.approx(expected)


def test_equal_probabilities_share_a_bin() -> None:
    labels, _ = data()
    bins = reliability_bins(labels, np.full(300, 0.5))
    assert len(bins) == 1 and bins[0].observed.estimate == labels.mean()


def test_calibration_line_finds_what_was_done_to_the_probabilities() -> None:
    labels, scores = data(20_000)
    true = expit(2 * scores - 1)
    assert calibration_line(labels, true) == pytest.approx((1.0, 0.0), abs=0.08)
    slope, intercept = calibration_line(labels, expit(2 * logit(true) + 1))  # too extreme, and too high
    assert (slope, intercept) == pytest.approx((0.5, -0.5), abs=0.08)
    assert all(np.isnan(calibration_line(labels, np.full(20_000, 0.3))))
    assert all(np.isnan(calibration_line([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])))


@pytest.mark.parametrize("function", [brier_score, reliability_bins, expected_calibration_error, calibration_line])
def test_scores_are_no_probabilities(function) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(HeartprintError) as caught:
        function([0, 1], [-0.5, 1.0])
    assert caught.value.code == "not-a-probability"
