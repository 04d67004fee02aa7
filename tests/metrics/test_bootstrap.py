"""The bootstrap against a literal twin that copies the drawn ECGs and asks scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.metrics import (
    Interval,
    auroc,
    average_precision,
    cluster_bootstrap,
    study_difference,
    study_interval,
    study_resamples,
    study_values,
)

ORACLE = {"auroc": roc_auc_score, "auprc": average_precision_score}


def case(seed: int = 0, n: int = 60, draws: int = 4) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    patients = rng.integers(0, n // 2, n)
    labels = (rng.random(n) < 0.4).astype(float)
    scores = np.round(rng.normal(size=(draws, n)) + labels, 1)  # rounded: many ties
    return scores, labels, patients, patients % 2


def within_folds(metric: str, labels: np.ndarray, scores: np.ndarray, folds: np.ndarray) -> float:
    values = []
    for fold in np.unique(folds):
        inside = folds == fold
        if 0 < labels[inside].sum() < inside.sum():
            values.append(ORACLE[metric](labels[inside], scores[inside]))
    return float(np.mean(values)) if values else float("nan")


def literal_resamples(scores, labels, patients, folds, metric, n, seed) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Copy every drawn ECG of every drawn patient."""
    unique = np.unique(patients)
    out = []
    for b in range(n):
        rng = generator(seed, "bootstrap", b)
        drawn = unique[rng.integers(len(unique), size=len(unique))]
        rows = np.concatenate([np.flatnonzero(patients == p) for p in drawn])
        draws = rng.integers(len(scores), size=len(scores))
        out.append(np.mean([within_folds(metric, labels[rows], scores[d, rows], folds[rows]) for d in draws]))
    return np.array(out)


@pytest.mark.parametrize("metric", ["auroc", "auprc"])
@pytest.mark.parametrize("in_folds", [False, True])
def test_resamples_equal_the_literal_twin(metric: str, in_folds: bool) -> None:
    scores, labels, patients, folds = case()
    if not in_folds:
        folds = np.zeros_like(folds)
    (got,) = study_resamples([scores], labels, patients, folds, metric=metric, n=40, seed=3)
    expected = literal_resamples(scores, labels, patients, folds, metric, 40, 3)
    np.testing.assert_allclose(got.values, expected, atol=1e-12)
    estimate = np.mean([within_folds(metric, labels, row, folds) for row in scores])
    assert got.estimate == pytest.approx(estimate, abs=1e-12)
    interval = study_interval(scores, labels, patients, folds, metric=metric, n=40, seed=3)
    assert interval.low == pytest.approx(np.quantile(expected, 0.025), abs=1e-12)
    assert interval.high == pytest.approx(np.quantile(expected, 0.975), abs=1e-12)


def test_differences_are_paired() -> None:
    scores, labels, patients, folds = case()
    worse = scores - 0.5 * labels
    got = study_difference(scores, worse, labels, patients, folds, n=60, seed=1)
    a = literal_resamples(scores, labels, patients, folds, "auroc", 60, 1)
    b = literal_resamples(worse, labels, patients, folds, "auroc", 60, 1)
    assert got.low == pytest.approx(np.quantile(a - b, 0.025), abs=1e-12)
    assert got.high == pytest.approx(np.quantile(a - b, 0.975), abs=1e-12)
    assert tuple(study_difference(scores, scores, labels, patients, n=60)) == (0, 0, 0)
    unpaired = study_interval(scores, labels, patients, folds, n=60)
    assert got.high - got.low < unpaired.high - unpaired.low


def test_a_method_without_draws_stands_for_every_draw() -> None:
    scores, labels, patients, _ = case()
    once = study_difference(scores, scores[:1], labels, patients, n=50)
    copied = study_difference(scores, np.repeat(scores[:1], len(scores), axis=0), labels, patients, n=50)
    assert once == copied


def test_draws_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0.0, 1.0], 2000)
    strengths = np.array([0.2, 2.0, 0.3, 1.9, 0.1, 2.1])  # draws differ far more than patients do
    scores = rng.normal(size=(6, 4000)) + strengths[:, None] * labels
    together = study_interval(scores, labels, None, n=300)
    alone = [study_interval(row, labels, None, n=300) for row in scores]
    assert together.high - together.low > 3 * max(i.high - i.low for i in alone)


def test_copies_of_a_patient_s_ecgs_add_no_certainty() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat([0.0, 1.0], 40)
    scores = rng.normal(size=80) + labels
    patients = np.arange(80)
    one = cluster_bootstrap(labels, scores, patients, n=200)
    many = cluster_bootstrap(np.tile(labels, 5), np.tile(scores, 5), np.tile(patients, 5), n=200)
    assert many.low == pytest.approx(one.low) and many.high == pytest.approx(one.high)
    naive = cluster_bootstrap(np.tile(labels, 5), np.tile(scores, 5), None, n=200)
    assert naive.high - naive.low < 0.6 * (many.high - many.low)


def test_the_same_seed_gives_the_same_interval_in_any_order() -> None:
    scores, labels, patients, folds = case()
    order = np.random.default_rng(0).permutation(len(labels))
    first = study_interval(scores, labels, patients, folds, n=100, seed=5)
    again = study_interval(scores[:, order], labels[order], patients[order], folds[order], n=100, seed=5)
    other = study_interval(scores, labels, patients, folds, n=100, seed=6)
    # Equal scores of different order add up in another order, hence not to the last bit.
    assert tuple(again) == pytest.approx(tuple(first), abs=1e-12)
    assert tuple(other) != tuple(first)


def test_resamples_do_not_depend_on_how_many_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, labels, patients, _ = case()
    whole = study_interval(scores, labels, patients, n=50)
    monkeypatch.setattr("heartprint.metrics.bootstrap._CHUNK", 1)
    assert study_interval(scores, labels, patients, n=50) == whole


def test_resamples_of_one_class_are_dropped_and_counted() -> None:
    labels = np.r_[1.0, np.zeros(9)]
    scores = np.arange(10.0)[::-1]
    interval = cluster_bootstrap(labels, scores, None, n=1000)
    assert interval.n_resamples == 1000
    assert interval.n_dropped == pytest.approx(1000 * 0.9**10, abs=60)  # (9/10)^10 resamples lack the positive
    assert tuple(interval) == (1.0, 1.0, 1.0)


def test_interval_covers_the_truth() -> None:
    from scipy.stats import norm

    truth = norm.cdf(1 / np.sqrt(2))
    rng = np.random.default_rng(1)
    labels = np.r_[np.ones(80), np.zeros(160)]
    hits = 0
    for seed in range(200):
        interval = cluster_bootstrap(labels, rng.normal(size=240) + labels, None, n=200, seed=seed)
        hits += interval.low <= truth <= interval.high
    assert 0.90 <= hits / 200 <= 0.985


def test_unlabelled_ecgs_and_their_patients_are_left_out() -> None:
    scores, labels, patients, folds = case()
    patients = patients.astype(str)
    more = np.concatenate([scores, np.full((len(scores), 3), np.nan)], axis=1)
    labels_more = np.r_[labels, [np.nan] * 3]
    got = study_interval(more, labels_more, np.r_[patients, ["x", "y", "z"]], np.r_[folds, [0, 1, 7]], n=30)
    assert got == study_interval(scores, labels, patients, folds, n=30)


def test_values_of_draws_are_what_is_averaged() -> None:
    scores, labels, patients, folds = case()
    assert study_values(scores, labels) == pytest.approx([auroc(labels, row) for row in scores])
    assert study_values(scores, labels, metric="auprc") == pytest.approx(
        [average_precision(labels, row) for row in scores]
    )
    assert study_interval(scores, labels, patients, folds, n=2).estimate == pytest.approx(
        study_values(scores, labels, folds).mean()
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"labels": np.ones(60)}, "one-class-only"),
        ({"metric": "aurok"}, "unknown-metric"),
        ({"folds": np.arange(60)}, "one-class-only"),
        ({"scores": np.full((2, 60), np.nan)}, "score-missing"),
    ],
)
def test_broken_input_has_a_reason(change: dict, code: str) -> None:  # type: ignore[type-arg]
    scores, labels, patients, folds = case()
    given = {"scores": scores, "labels": labels, "clusters": patients, "folds": folds, "n": 5, **change}
    with pytest.raises(HeartprintError) as caught:
        study_interval(**given)
    assert caught.value.code == code


def test_shapes_that_do_not_fit_are_refused() -> None:
    scores, labels, patients, _ = case()
    with pytest.raises(ValueError, match="draws"):
        study_difference(scores, scores[:2], labels, patients)
    with pytest.raises(ValueError, match="draws"):
        study_interval(scores[:, :-1], labels, patients)
    assert isinstance(cluster_bootstrap(labels, scores[0], patients, n=5), Interval)
