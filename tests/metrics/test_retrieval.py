"""Retrieval against literal twins, scikit-learn and cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from heartprint.foundation.randomness import generator
from heartprint.metrics.retrieval import (
    MIN_PATIENTS,
    cosine_similarity,
    effective_rank,
    genuine_comparisons,
    identification_ranks,
    identification_rates,
    knn_scores,
    mean_cosine,
    readable,
    verification,
)


def case(seed: int = 0, n_patients: int = 40, per: int = 3, d: int = 6, noise: float = 1.0):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    patients = rng.permutation(np.repeat(np.arange(n_patients), per))
    own = rng.normal(size=(n_patients, d))
    return (own[patients] + noise * rng.normal(size=(len(patients), d))).astype(np.float32), patients


def literal_rank(scores: np.ndarray, patients: np.ndarray, probe: int) -> int:
    """Look at every other ECG, one by one."""
    mates = [scores[probe, j] for j in range(len(patients)) if j != probe and patients[j] == patients[probe]]
    if not mates:
        return 0
    others = [scores[probe, j] for j in range(len(patients)) if patients[j] != patients[probe]]
    return 1 + sum(score >= max(mates) for score in others)


def literal_roc(scores: np.ndarray, genuine: np.ndarray, weight: np.ndarray) -> tuple[float, dict[float, float]]:
    """Equal error rate and true-accept rates from scikit-learn's ROC curve."""
    false, true, _ = roc_curve(genuine, scores, sample_weight=weight, drop_intermediate=False)
    missed = 1 - true
    k = int(np.argmax(false >= missed))
    if k == 0:
        eer = float(false[0])
    else:
        above, below = missed[k - 1] - false[k - 1], missed[k] - false[k]
        eer = float(false[k - 1] + above / (above - below) * (false[k] - false[k - 1]))
    return eer, {rate: float(true[false <= rate + 1e-12].max()) for rate in (0.01, 0.001)}


def flat(similarity: np.ndarray, patients: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = np.nonzero(~np.eye(len(patients), dtype=bool))
    return similarity[rows, columns], patients[rows] == patients[columns], patients[rows], patients[columns]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    patients=st.lists(st.integers(0, 5), min_size=1, max_size=14),
    levels=st.integers(1, 6),
)
def test_ranks_equal_the_literal_twin(seed: int, patients: list[int], levels: int) -> None:
    n = len(patients)
    scores = np.random.default_rng(seed).integers(levels, size=(n, n)) / levels  # many ties
    codes = np.array(patients)
    assert identification_ranks(scores, codes).tolist() == [literal_rank(scores, codes, i) for i in range(n)]


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("decimals", [1, 9])
def test_verification_equals_scikit_learn(symmetric: bool, decimals: int) -> None:
    x, patients = case(per=4)
    y = x if symmetric else x + np.random.default_rng(9).normal(size=x.shape)
    similarity = np.round(cosine_similarity(x, y), decimals)
    (got,) = verification(similarity, patients, n=30, seed=5)
    scores, genuine, one, other = flat(similarity, patients)
    eer, accepts = literal_roc(scores, genuine, np.ones(len(scores)))
    assert got.equal_error_rate.value == pytest.approx(eer, abs=1e-12)
    assert got.n_genuine == genuine.sum() // (2 if symmetric else 1)
    if not symmetric:  # 24,800 comparisons resolve 1 %, not 0.1 %
        assert got.true_accept_rates[0].value == pytest.approx(accepts[0.01], abs=1e-12)
    assert got.true_accept_rates[1].interval is None and "30,000" in got.true_accept_rates[1].reason
    weights = [np.bincount(generator(5, "bootstrap", b).integers(40, size=40), minlength=40) for b in range(30)]
    values = [literal_roc(scores, genuine, np.where(genuine, w[one], w[one] * w[other]))[0] for w in weights]
    interval = got.equal_error_rate.interval
    assert interval is not None
    assert interval.low == pytest.approx(np.quantile(values, 0.025), abs=1e-9)
    assert interval.high == pytest.approx(np.quantile(values, 0.975), abs=1e-9)


def test_a_tenth_of_a_percent_where_it_can_be_resolved() -> None:
    x, patients = case(n_patients=90, per=3, noise=0.4)
    (got,) = verification(cosine_similarity(x), patients, n=20)
    scores, genuine, *_ = flat(cosine_similarity(x), patients)
    _, accepts = literal_roc(scores, genuine, np.ones(len(scores)))
    assert [e.value for e in got.true_accept_rates] == pytest.approx([accepts[0.01], accepts[0.001]], abs=1e-12)
    for estimate in (got.equal_error_rate, *got.true_accept_rates):
        assert estimate.interval is not None
        assert estimate.interval.low <= estimate.value <= estimate.interval.high
        assert estimate.interval.low < estimate.interval.high


def test_classes_of_genuine_comparisons() -> None:
    """Each class has its own genuine comparisons and all impostors."""
    x, patients = case(per=3)
    similarity = cosine_similarity(x)
    classes = np.where(np.add.outer(np.arange(len(x)), np.arange(len(x))) % 3 == 0, 0, -1)
    whole, part = verification(similarity, patients, classes=classes, n_classes=1, n=10)
    rows, columns = np.nonzero(~np.eye(len(patients), dtype=bool))
    keep = (patients[rows] != patients[columns]) | (classes[rows, columns] == 0)
    eer, _ = literal_roc(
        similarity[rows, columns][keep], (patients[rows] == patients[columns])[keep], np.ones(keep.sum())
    )
    if part.equal_error_rate.n_patients >= MIN_PATIENTS:
        assert part.equal_error_rate.value == pytest.approx(eer, abs=1e-12)
    assert 0 < part.n_genuine < whole.n_genuine and part.n_impostor == whole.n_impostor
    (plain,) = verification(similarity, patients, n=10)
    assert plain.equal_error_rate == whole.equal_error_rate


def test_perfect_chance_and_all_equal() -> None:
    x, patients = case(noise=0.0, n_patients=60)
    perfect = cosine_similarity(x)
    assert [e.value for e in identification_rates(perfect, patients, n=20)] == [1, 1]
    (found,) = verification(perfect, patients, n=20)
    assert found.equal_error_rate.value == 0 and found.true_accept_rates[0].value == 1

    rng = np.random.default_rng(3)
    chance = cosine_similarity(rng.normal(size=(180, 4)))
    first, fifth = identification_rates(chance, patients, n=20)
    assert first.value < 0.06 and first.value < fifth.value < 0.15
    (guessed,) = verification(chance, patients, n=20)
    assert guessed.equal_error_rate.value == pytest.approx(0.5, abs=0.05)
    assert guessed.true_accept_rates[0].value == pytest.approx(0.01, abs=0.02)

    equal = cosine_similarity(np.full((180, 7), 0.1, dtype=np.float32))
    assert [e.value for e in identification_rates(equal, patients, n=20)] == [0, 0], "ties count against"
    (blind,) = verification(equal, patients, n=20)
    assert blind.equal_error_rate.value == 0.5 and blind.true_accept_rates[0].value == 0


def test_rates_hold_their_intervals_and_repeat() -> None:
    x, patients = case()
    similarity = cosine_similarity(x)
    one, five = identification_rates(similarity, patients, n=200, seed=1)
    for estimate in (one, five):
        assert estimate.interval is not None
        assert estimate.interval.low < estimate.value < estimate.interval.high
    assert (one, five) == identification_rates(similarity, patients, n=200, seed=1)
    other = identification_rates(similarity, patients, n=200, seed=2)[0]
    assert other.value == one.value and other.interval != one.interval
    ranks = identification_ranks(similarity, patients)
    boot = []
    for b in range(200):
        drawn = generator(1, "bootstrap", b).integers(40, size=40)
        boot.append(np.mean([ranks[patients == p] <= 1 for p in drawn]))
    assert one.interval is not None and one.interval.low == pytest.approx(np.quantile(boot, 0.025), abs=1e-12)


def test_too_few_patients_give_no_number() -> None:
    x, patients = case(n_patients=MIN_PATIENTS - 1)
    similarity = cosine_similarity(x)
    (found,) = verification(similarity, patients)
    for estimate in (*identification_rates(similarity, patients), found.equal_error_rate, *found.true_accept_rates):
        assert estimate.interval is None and np.isnan(estimate.value)
        assert estimate.reason == "patients with two ECGs: 29 of the 30 needed"
    # Patients with a single ECG do not make up for it.
    singles = np.concatenate([patients, 1000 + np.arange(50)])
    wide = cosine_similarity(np.random.default_rng(0).normal(size=(len(singles), 3)))
    assert identification_rates(wide, singles)[0].interval is None
    nobody = identification_rates(np.zeros((3, 3)), np.arange(3))
    assert nobody[0].n_patients == 0
    assert verification(np.zeros((3, 3)), np.arange(3))[0].n_genuine == 0


def test_cosine() -> None:
    x = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0], [0.0, 0.0]])
    half = np.sqrt(0.5)
    expected = [[1, 0, half, 0], [0, 1, half, 0], [half, half, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(cosine_similarity(x), expected, atol=1e-9)
    assert cosine_similarity(x, x[:2]).shape == (4, 2)
    with pytest.raises(ValueError, match="finite"):
        cosine_similarity(np.array([[np.nan]]))
    assert mean_cosine(x[:3]) == pytest.approx(2 * half / 3)
    assert np.isnan(mean_cosine(x[:1]))


def test_effective_rank() -> None:
    rng = np.random.default_rng(0)
    corners = np.concatenate([np.eye(5), -np.eye(5)])
    assert effective_rank(corners + 100) == pytest.approx(5)
    line = np.outer(rng.normal(size=50), rng.normal(size=8))
    assert effective_rank(line + 3) == pytest.approx(1, abs=1e-6)
    assert effective_rank(np.full((50, 8), 0.3, dtype=np.float32)) == 0
    almost = np.full((50, 8), 0.3) + 1e-9 * rng.normal(size=(50, 8))
    assert effective_rank(almost) == 0, "rounding is no direction"
    x = rng.normal(size=(40, 6))
    values = np.linalg.svd(x - x.mean(0), compute_uv=False)
    share = values / values.sum()
    assert effective_rank(x) == pytest.approx(np.prod(share**-share))


def test_genuine_comparisons() -> None:
    expected = [[False, True, False], [True, False, False], [False, False, False]]
    assert genuine_comparisons(["a", "a", "b"]).tolist() == expected


def test_neighbours_equal_the_literal_twin() -> None:
    x, patients = case(per=2)
    rng = np.random.default_rng(1)
    labels = (x[:, 0] + 0.5 * rng.normal(size=len(x)) > 0).astype(float)
    labels[:5] = np.nan
    scores, folds = knn_scores(x, labels, patients, k=7)
    known = np.flatnonzero(~np.isnan(labels))
    assert np.isnan(scores[:5]).all() and (folds[:5] == -1).all()
    for i in known:
        outside = [j for j in known if folds[j] != folds[i]]
        assert not {patients[j] for j in outside} & {patients[i]}
        cosines = [x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j]) for j in outside]
        near = np.argsort(-np.array(cosines, dtype=float), kind="stable")[:7]
        assert scores[i] == pytest.approx(np.mean([labels[outside[j]] for j in near]))


def test_what_can_be_read() -> None:
    x, patients = case(n_patients=120, per=1)
    labels = (x[:, 0] + 0.5 * np.random.default_rng(1).normal(size=len(x)) > 0).astype(float)
    probe, near = readable(x, labels, patients, n=50)
    for interval in (probe, near):
        assert 0.75 < interval.estimate < 1 and interval.low <= interval.estimate <= interval.high
    noise, _ = readable(np.random.default_rng(5).normal(size=x.shape), labels, patients, n=50)
    assert abs(noise.estimate - 0.5) < 0.17
    scores, folds = knn_scores(x, labels, patients)
    within = [roc_auc_score(labels[folds == f], scores[folds == f]) for f in np.unique(folds)]
    assert near.estimate == pytest.approx(np.mean(within))
