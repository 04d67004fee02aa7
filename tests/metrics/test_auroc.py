"""AUROC, average precision and DeLong against literal twins and scikit-learn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score

from heartprint.foundation.errors import HeartprintError
from heartprint.metrics import Interval, auroc, average_precision, delong_interval, delong_paired


@st.composite
def labelled(draw: st.DrawFn, min_each: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels of both classes and scores with many ties."""
    n_positive = draw(st.integers(min_each, 12))
    n_negative = draw(st.integers(min_each, 12))
    scores = draw(st.lists(st.integers(-3, 3), min_size=n_positive + n_negative, max_size=n_positive + n_negative))
    labels = np.r_[np.ones(n_positive), np.zeros(n_negative)]
    order = np.array(draw(st.permutations(range(len(labels)))))
    return labels[order], np.array(scores, dtype=float)


def count_pairs(labels: np.ndarray, scores: np.ndarray) -> float:
    pairs = [(p > n) + 0.5 * (p == n) for p in scores[labels == 1] for n in scores[labels == 0]]
    return float(np.mean(pairs))


@settings(deadline=None)
@given(labelled())
def test_auroc_counts_pairs(data: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = data
    assert auroc(labels, scores) == pytest.approx(count_pairs(labels, scores), abs=1e-12)
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert auroc(labels, -scores) == pytest.approx(1 - auroc(labels, scores), abs=1e-12)


@settings(deadline=None)
@given(labelled())
def test_average_precision_equals_scikit_learn(data: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = data
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


def delong_covariance(labels: np.ndarray, methods: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """DeLong 1988 as written: structural components from every pair."""
    positive, negative = labels == 1, labels == 0
    v10, v01 = [], []
    for scores in methods:
        kernel = np.array([[(p > n) + 0.5 * (p == n) for n in scores[negative]] for p in scores[positive]])
        v10.append(kernel.mean(axis=1))
        v01.append(kernel.mean(axis=0))
    covariance = np.cov(v10) / positive.sum() + np.cov(v01) / negative.sum()
    return np.array([v.mean() for v in v10]), np.atleast_2d(covariance)


@settings(deadline=None)
@given(labelled(min_each=2), st.integers(0, 100))
def test_delong_equals_its_definition(data: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    labels, a = data
    b = a + np.random.default_rng(seed).integers(-2, 3, len(a))
    values, covariance = delong_covariance(labels, [a, b])
    z = norm.ppf(0.975)
    half = z * np.sqrt(covariance[0, 0])
    got = delong_interval(labels, a)
    assert got.estimate == pytest.approx(values[0], abs=1e-12)
    assert got.low == pytest.approx(max(0, values[0] - half), abs=1e-9)
    assert got.high == pytest.approx(min(1, values[0] + half), abs=1e-9)
    difference = delong_paired(labels, a, b)
    variance = max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0)
    assert difference.estimate == pytest.approx(values[0] - values[1], abs=1e-12)
    expected = np.clip(values[0] - values[1] + z * np.sqrt(variance), -1, 1)
    assert difference.high == pytest.approx(expected, abs=1e-6)


def test_delong_interval_covers_the_truth() -> None:
    truth = norm.cdf(1 / np.sqrt(2))
    labels = np.r_[np.ones(60), np.zeros(140)]
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(1000):
        interval = delong_interval(labels, rng.normal(size=200) + labels)
        hits += interval.low <= truth <= interval.high
    assert 0.93 <= hits / 1000 <= 0.97


def test_identical_scores_differ_by_nothing() -> None:
    labels = np.array([1, 0, 1, 0, 1])
    scores = np.array([0.1, 0.2, 0.5, 0.4, 0.9])
    assert tuple(delong_paired(labels, scores, scores)) == (0.0, 0.0, 0.0)


def test_a_class_of_one_has_an_estimate_but_no_interval() -> None:
    estimate, low, high = delong_interval([1, 0, 0], [0.5, 0.2, 0.7])
    assert estimate == 0.5
    assert np.isnan(low) and np.isnan(high)


def test_ecgs_without_label_are_left_out() -> None:
    labels, scores = [1, 0, np.nan, 0, 1], [3.0, 1.0, np.nan, 2.0, 1.5]
    kept = [0, 1, 3, 4]
    for metric in (auroc, average_precision):
        assert metric(labels, scores) == metric(np.array(labels)[kept], np.array(scores)[kept])


@pytest.mark.parametrize("function", [auroc, average_precision, delong_interval])
@pytest.mark.parametrize(
    ("labels", "scores", "code"),
    [
        ([1, 1], [0.1, 0.2], "one-class-only"),
        ([0, 0, np.nan], [0.1, 0.2, 0.3], "one-class-only"),
        ([], [], "one-class-only"),
        ([0, 1, 2], [0.1, 0.2, 0.3], "label-not-binary"),
        ([0, 1, 1], [0.1, 0.2, np.nan], "score-missing"),
    ],
)
def test_broken_input_has_a_reason(function, labels, scores, code) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(HeartprintError) as caught:
        function(labels, scores)
    assert caught.value.code == code


def test_infinite_scores_rank_as_such() -> None:
    assert auroc([1, 0, 1, 0], [np.inf, -np.inf, 1.0, 0.0]) == 1.0


def test_interval_in_json_has_no_nan() -> None:
    interval = Interval(0.5, float("nan"), float("nan"))
    assert json.loads(json.dumps(interval.to_json(), allow_nan=False))["low"] is None
    assert Interval(0.2, 0.1, 0.3).clear_of(0) and not Interval(0.2, -0.1, 0.3).clear_of(0)
