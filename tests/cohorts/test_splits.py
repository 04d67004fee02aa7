from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from heartprint.cohorts import (
    Cohort,
    draw_budgets,
    half_of_patients,
    patient_folds,
    prove_disjoint,
    split_by_patient,
)
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import stable_hash
from tests.cohorts.ecgs import small_cohort

PATIENTS = st.lists(st.text("abcdef0123456789", min_size=1, max_size=3), min_size=1, max_size=60)
SEEDS = st.integers(-(2**40), 2**40)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    patients = [f"p{i % 37}" for i in range(100)]
    return small_cohort(tmp_path_factory.mktemp("splits") / "c", patients)


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(st.integers(0, 99), max_size=120),
    weights=st.lists(st.integers(0, 10), min_size=1, max_size=4).filter(lambda w: sum(w) > 0),
    seed=SEEDS,
)
def test_no_patient_is_on_both_sides(base: Cohort, rows: list[int], weights: list[int], seed: int) -> None:
    cohort = base.take(rows)
    fractions = {f"part{i}": w / sum(weights) for i, w in enumerate(weights)}
    parts = split_by_patient(cohort, fractions, seed=seed)
    assert list(parts) == list(fractions)
    sides: dict[str, set[str]] = {}
    for name, part in parts.items():
        for patient in part.patient_ids.tolist():
            sides.setdefault(patient, set()).add(name)
    assert all(len(s) == 1 for s in sides.values())
    assert sorted(e for p in parts.values() for e in p.ecg_ids.tolist()) == sorted(cohort.ecg_ids.tolist())
    for name, fraction in fractions.items():
        assert fraction > 0 or len(parts[name]) == 0


def test_patient_stays_when_others_leave(base: Cohort) -> None:
    shares = {"train": 0.7, "test": 0.3}
    whole = split_by_patient(base, shares, seed=4)
    part = split_by_patient(base.take(range(0, 100, 3)), shares, seed=4)
    assert set(part["train"].patient_ids.tolist()) <= set(whole["train"].patient_ids.tolist())
    assert set(part["test"].patient_ids.tolist()) <= set(whole["test"].patient_ids.tolist())
    other = split_by_patient(base, shares, seed=5)
    assert set(other["train"].patient_ids.tolist()) != set(whole["train"].patient_ids.tolist())


def test_shares_are_met() -> None:
    folds = patient_folds(np.array([f"p{i}" for i in range(20_000)]), 5)
    assert np.abs(np.bincount(folds) / 20_000 - 0.2).max() < 0.012  # 4 standard deviations


@pytest.mark.parametrize("fractions", [{"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": 0.8, "b": 0.8}, {}])
def test_bad_shares(base: Cohort, fractions: dict[str, float]) -> None:
    with pytest.raises(HeartprintError) as caught:
        split_by_patient(base, fractions)
    assert caught.value.code == "bad-split"


def test_the_halves_are_made_of_whole_patients_and_of_everybody(base: Cohort) -> None:
    even, odd = half_of_patients(base, "even"), half_of_patients(base, "odd")
    prove_disjoint({"even": even, "odd": odd})
    assert sorted([*even.ecg_ids, *odd.ecg_ids]) == sorted(base.ecg_ids)
    assert all(stable_hash(str(p)) % 2 == 0 for p in even.patient_ids) and len(even) and len(odd)


def test_proof_can_fail(base: Cohort) -> None:
    with pytest.raises(HeartprintError) as caught:
        prove_disjoint({"one": base.take([0, 1]), "two": base.take([2]), "three": base.take([37])})
    assert caught.value.code == "patient-on-both-sides"
    assert "'one' and 'three'" in caught.value.message


@given(PATIENTS, st.integers(1, 10), SEEDS)
def test_folds_keep_patients_whole(patients: list[str], n_folds: int, seed: int) -> None:
    ids = np.array(patients)
    folds = patient_folds(ids, n_folds, seed=seed)
    assert folds.min() >= 0
    assert folds.max() < n_folds
    for patient in set(patients):
        assert len(set(folds[ids == patient])) == 1


@st.composite
def labelled(draw) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(8, 80))
    patients = draw(st.lists(st.integers(0, n), min_size=n, max_size=n))
    labels = draw(st.lists(st.sampled_from([0.0, 0.0, 1.0, float("nan")]), min_size=n, max_size=n))
    return np.array([f"p{p}" for p in patients]), np.array(labels, dtype=np.float32)


@settings(deadline=None, max_examples=200)
@given(labelled(), st.sets(st.integers(1, 80), min_size=1, max_size=6), SEEDS, st.integers(0, 99))
def test_budgets_are_nested_counted_and_stratified(data, sizes: set[int], seed: int, draw: int) -> None:
    patients, labels = data
    drawn = {}
    for size in sorted(sizes):
        try:
            drawn[size] = draw_budgets(patients, labels, [size], seed=seed, draw=draw)[size]
        except HeartprintError as error:
            assert error.code in ("one-class-only", "budget-too-small", "budget-too-large")
    assume(drawn)
    everything = draw_budgets(patients, labels, ["all", *drawn], seed=seed, draw=draw)
    np.testing.assert_array_equal(everything.pop("all"), np.flatnonzero(~np.isnan(labels)))
    smaller: set[int] = set()
    for size, rows in drawn.items():
        np.testing.assert_array_equal(rows, everything[size])  # what else is asked for changes nothing
        assert len(rows) == size
        assert len(set(patients[rows])) == size  # one ECG per patient
        assert not np.isnan(labels[rows]).any()
        assert (labels[rows] == 1).sum() >= 2
        assert (labels[rows] == 0).sum() >= 2
        assert (np.diff(rows) > 0).all()
        assert smaller <= set(rows.tolist())
        smaller = set(rows.tolist())


@pytest.mark.parametrize("prevalence", [0.05, 0.3, 0.5, 0.9])
def test_budget_has_the_share_of_the_whole(prevalence: float) -> None:
    n = 2000
    labels = (np.arange(n) < n * prevalence).astype(np.float32)
    patients = np.array([f"p{i}" for i in range(n)])
    rows = draw_budgets(patients, labels, [200, 0.25], seed=0, draw=0)
    assert labels[rows[200]].sum() == 200 * prevalence
    assert len(rows[0.25]) == 500


def test_draws_and_seeds_and_purposes_differ() -> None:
    labels = (np.arange(500) % 2).astype(np.float32)
    patients = np.array([f"p{i}" for i in range(500)])
    seen = {
        tuple(draw_budgets(patients, labels, [20], seed=s, draw=d, purpose=p)[20])
        for s in (0, 1)
        for d in (0, 1)
        for p in ("", "fold 1")
    }
    assert len(seen) == 8


@pytest.mark.parametrize(
    ("n_positive", "n_negative", "budget", "code"),
    [
        (0, 50, 10, "one-class-only"),
        (50, 0, 10, "one-class-only"),
        (1, 50, 10, "budget-too-small"),
        (10, 10, 3, "budget-too-small"),
        (10, 10, 0.001, "budget-too-small"),
        (10, 10, 21, "budget-too-large"),
    ],
)
def test_impossible_budgets(n_positive: int, n_negative: int, budget: float, code: str) -> None:
    labels = np.repeat([1.0, 0.0], [n_positive, n_negative]).astype(np.float32)
    patients = np.array([f"p{i}" for i in range(len(labels))])
    with pytest.raises(HeartprintError) as caught:
        draw_budgets(patients, labels, [budget], seed=0, draw=0)
    assert caught.value.code == code


@pytest.mark.parametrize(("n_positive", "n_negative"), [(3, 97), (97, 3)])
def test_rare_class_gets_its_two(n_positive: int, n_negative: int) -> None:
    labels = np.repeat([1.0, 0.0], [n_positive, n_negative]).astype(np.float32)
    patients = np.array([f"p{i}" for i in range(100)])
    rows = draw_budgets(patients, labels, [10], seed=0, draw=0)[10]
    assert min(labels[rows].sum(), 10 - labels[rows].sum()) == 2
