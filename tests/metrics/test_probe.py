"""The probes against refitting from scratch, scikit-learn, and what must not leak."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

from heartprint.foundation.errors import HeartprintError
from heartprint.metrics import auroc, fit_logistic, fit_probe, grouped_folds
from heartprint.metrics.probe import LOGISTIC_PENALTIES
from heartprint.metrics.ridge import RIDGE_PENALTIES, _ridge_dual, _ridge_primal


def case(n: int, d: int, seed: int = 0, share: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * rng.uniform(0.1, 10, d) + rng.normal(size=d) * 5
    direction = (x[:, : min(d, 5)] - x[:, : min(d, 5)].mean(axis=0)) / x[:, : min(d, 5)].std(axis=0)
    signal = direction.sum(axis=1) + 1.5 * rng.normal(size=n)
    labels = (signal > np.quantile(signal, 1 - share)).astype(float)
    return x, labels, rng.integers(0, max(4, 2 * n // 3), n)


def balance(labels: np.ndarray) -> np.ndarray:
    return np.where(labels == 1, len(labels) / (2 * labels.sum()), len(labels) / (2 * (1 - labels).sum()))


def literal_probe(x: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> tuple[int, np.ndarray, Ridge]:
    """Refit scikit-learn's weighted ridge for each penalty and fold."""
    weights = balance(labels)
    mean = np.average(x, axis=0, weights=weights)
    z = (x - mean) / np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weights))
    y = 2 * labels - 1
    folds = grouped_folds(labels == 1, groups)
    trace = float((weights[:, None] * z**2).sum())
    held_out = np.empty((len(x), len(RIDGE_PENALTIES)))
    for p, penalty in enumerate(RIDGE_PENALTIES * trace):
        for fold in np.unique(folds):
            out = folds == fold
            model = Ridge(alpha=penalty, solver="cholesky").fit(z[~out], y[~out], sample_weight=weights[~out])
            held_out[out, p] = model.predict(z[out])
    best = int(np.argmin(weights @ (held_out - y[:, None]) ** 2))
    final = Ridge(alpha=RIDGE_PENALTIES[best] * trace, solver="cholesky").fit(z, y, sample_weight=weights)
    return best, held_out[:, best], final


@pytest.mark.parametrize(("n", "d"), [(12, 40), (40, 40), (60, 41), (90, 15), (200, 8)])
def test_probe_equals_refitting_from_scratch(n: int, d: int) -> None:
    x, labels, groups = case(n, d)
    best, held_out, final = literal_probe(x, labels, groups)
    probe = fit_probe(x, labels, groups)
    assert probe.penalty == RIDGE_PENALTIES[best]
    np.testing.assert_allclose(probe.cross_fitted_scores, held_out, atol=1e-6)
    np.testing.assert_allclose(probe.weights, final.coef_, atol=1e-7)
    np.testing.assert_allclose(probe.decision(x), final.predict((x - probe.mean) / probe.scale), atol=1e-6)


@pytest.mark.parametrize(("n", "d"), [(30, 50), (80, 20)])
def test_kernel_and_covariance_ways_agree(n: int, d: int) -> None:
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.arange(n) < n // 3).astype(float)
    root = np.sqrt(balance(labels))
    x = rng.normal(size=(n, d))
    z = (x - np.average(x, axis=0, weights=root**2)) * root[:, None]
    folds = grouped_folds(labels == 1, np.arange(n))
    dual, solve_dual = _ridge_dual(z, root, 2 * labels - 1, folds)
    primal, solve_primal = _ridge_primal(z, root, 2 * labels - 1, folds)
    np.testing.assert_allclose(dual, primal, atol=1e-6)
    for p in range(len(RIDGE_PENALTIES)):
        np.testing.assert_allclose(solve_dual(p), solve_primal(p), atol=1e-6)


def test_units_of_features_do_not_matter() -> None:
    x, labels, groups = case(60, 20)
    first = fit_probe(x, labels, groups)
    scaled = fit_probe(x * np.logspace(-5, 5, 20) + 7, labels, groups)
    np.testing.assert_allclose(scaled.cross_fitted_scores, first.cross_fitted_scores, atol=1e-5)


@pytest.mark.parametrize("fit", [fit_probe, fit_logistic])
def test_probe_learns_and_generalises(fit) -> None:  # type: ignore[no-untyped-def]
    x, labels, groups = case(600, 20)
    probe = fit(x[:300], labels[:300], groups[:300])
    test = auroc(labels[300:], probe.decision(x[300:]))
    assert test > 0.85
    assert auroc(labels[:300], probe.cross_fitted_scores) == pytest.approx(test, abs=0.06)
    weights, bias = probe.raw()
    np.testing.assert_allclose(x @ weights + bias, probe.decision(x), atol=1e-9)


@pytest.mark.parametrize("fit", [fit_probe, fit_logistic])
def test_a_patient_does_not_give_away_its_own_label(fit) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(60), 4)
    x = rng.normal(size=(60, 30))[groups] + 0.01 * rng.normal(size=(240, 30))  # copies of patients, labels at random
    labels = (rng.random(60) < 0.5).astype(float)[groups]
    assert auroc(labels, fit(x, labels, groups).cross_fitted_scores) < 0.65
    assert auroc(labels, fit(x, labels, np.arange(240)).cross_fitted_scores) > 0.7  # what leaking looks like


@pytest.mark.parametrize("fit", [fit_probe, fit_logistic])
def test_unlabelled_ecgs_are_left_out(fit) -> None:  # type: ignore[no-untyped-def]
    x, labels, groups = case(50, 10)
    first = fit(x, labels, groups)
    second = fit(np.vstack([x, np.full((2, 10), np.nan)]), np.r_[labels, np.nan, np.nan], np.r_[groups, [998, 999]])
    np.testing.assert_array_equal(first.weights, second.weights)
    assert np.isnan(second.cross_fitted_scores[-2:]).all()
    assert not np.isnan(second.cross_fitted_scores[:-2]).any()


@pytest.mark.parametrize("fit", [fit_probe, fit_logistic])
def test_features_that_say_nothing_do_no_harm(fit) -> None:  # type: ignore[no-untyped-def]
    x, labels, groups = case(50, 10)
    constant = np.hstack([x, np.full((50, 2), 1e9), np.zeros((50, 1))])
    np.testing.assert_allclose(fit(constant, labels, groups).decision(constant), fit(x, labels, groups).decision(x))
    nothing = fit(np.ones((50, 3)), labels, groups)
    assert np.ptp(nothing.decision(np.ones((5, 3)))) == 0


def test_logistic_equals_scikit_learn() -> None:
    x, labels, groups = case(120, 8)
    probe = fit_logistic(x, labels, groups)
    z = (x - probe.mean) / probe.scale
    model = LogisticRegression(C=1 / (probe.penalty * len(x)), tol=1e-10, max_iter=10_000)
    model.fit(z, labels, sample_weight=balance(labels))
    np.testing.assert_allclose(probe.decision(x), model.decision_function(z), atol=1e-4)
    assert probe.penalty in LOGISTIC_PENALTIES


def test_logistic_held_out_scores_equal_refitting() -> None:
    x, labels, groups = case(120, 8)
    x[np.random.default_rng(0).random(x.shape) < 0.1] = np.nan
    probe = fit_logistic(x, labels, groups)
    folds = grouped_folds(labels == 1, groups)
    for fold in np.unique(folds):
        out = folds == fold
        medians = np.nanmedian(x[~out], axis=0)
        filled = np.where(np.isnan(x), medians, x)
        weights = balance(labels[~out])
        mean = np.average(filled[~out], axis=0, weights=weights)
        scale = np.sqrt(np.average((filled[~out] - mean) ** 2, axis=0, weights=weights))
        model = LogisticRegression(C=1 / (probe.penalty * (~out).sum()), tol=1e-10, max_iter=10_000)
        model.fit((filled[~out] - mean) / scale, labels[~out], sample_weight=weights)
        expected = model.decision_function((filled[out] - mean) / scale)
        np.testing.assert_allclose(probe.cross_fitted_scores[out], expected, atol=1e-4)


def test_missing_measurements_take_the_median() -> None:
    x, labels, groups = case(120, 8)
    x[:40, 0] = np.nan
    x[3, 1] = np.inf
    probe = fit_logistic(x, labels, groups)
    assert probe.fill[0] == np.median(x[40:, 0])
    row = x[50:51].copy()
    row[0, 0] = probe.fill[0]
    missing = row.copy()
    missing[0, 0] = np.nan
    assert probe.decision(missing) == probe.decision(row)
    empty = fit_logistic(np.hstack([x, np.full((120, 1), np.nan)]), labels, groups)
    assert np.isfinite(empty.decision(np.full((2, 9), np.nan))).all()


def test_logistic_survives_classes_that_part_completely() -> None:
    labels = np.r_[np.zeros(10), np.ones(10)]
    probe = fit_logistic(labels[:, None] * 1e6, labels, np.arange(20))
    assert np.isfinite(probe.weights).all()
    assert auroc(labels, probe.cross_fitted_scores) == 1.0


def test_the_rare_class_counts_as_much() -> None:
    x, labels, groups = case(1000, 5, share=0.03)
    for fit in (fit_probe, fit_logistic):
        decisions = fit(x, labels, groups).decision(x) > 0
        assert decisions[labels == 1].mean() > 0.8 and (~decisions[labels == 0]).mean() > 0.8


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40), st.integers(0, 5))
def test_folds_keep_patients_together_and_classes_apart(rows: list[tuple[int, bool]], seed: int) -> None:
    groups, positive = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    patients_with = [len(np.unique(groups[positive == c])) for c in (True, False)]
    if min(patients_with) < 2:
        with pytest.raises(HeartprintError) as caught:
            grouped_folds(positive, groups, seed=seed)
        assert caught.value.code == ("one-class-only" if min(patients_with) == 0 else "too-few-patients")
        return
    folds = grouped_folds(positive, groups, seed=seed)
    k = min(5, *patients_with)
    assert set(folds) == set(range(k))
    for patient in np.unique(groups):
        assert len(set(folds[groups == patient])) == 1
    of_positive = [len(np.unique(groups[positive & (folds == f)])) for f in range(k)]
    assert min(of_positive) >= 1 and max(of_positive) - min(of_positive) <= 1
    sizes = [len(np.unique(groups[folds == f])) for f in range(k)]
    assert max(sizes) - min(sizes) <= 1


def test_mixed_patients_may_leave_a_fold_with_one_class() -> None:
    groups = np.array([0, 0, 1, 2])
    labels = np.array([1.0, 0.0, 1.0, 0.0])
    x = np.arange(8.0).reshape(4, 2) ** 2
    for fit in (fit_probe, fit_logistic):
        for seed in range(6):
            assert np.isfinite(fit(x, labels, groups, seed=seed).cross_fitted_scores).all()


@pytest.mark.parametrize("fit", [fit_probe, fit_logistic])
@pytest.mark.parametrize(
    ("labels", "groups", "code"),
    [
        ([1, 1, 1, 1], [0, 1, 2, 3], "one-class-only"),
        ([1, 0, 0, 0], [0, 1, 2, 3], "too-few-patients"),
        ([1, 1, 0, 0], [0, 0, 2, 3], "too-few-patients"),
        ([1, 3, 0, 0], [0, 1, 2, 3], "label-not-binary"),
    ],
)
def test_broken_input_has_a_reason(fit, labels, groups, code) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(HeartprintError) as caught:
        fit(np.eye(4), labels, groups)
    assert caught.value.code == code


def test_missing_embeddings_are_refused() -> None:
    x, labels, groups = case(20, 4)
    broken = x.copy()
    broken[3, 2] = np.nan
    with pytest.raises(HeartprintError) as caught:
        fit_probe(broken, labels, groups)
    assert caught.value.code == "features-missing"
    with pytest.raises(HeartprintError) as caught:
        fit_probe(x, labels, groups).decision(broken)
    assert caught.value.code == "features-missing"
