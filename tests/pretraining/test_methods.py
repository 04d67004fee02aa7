from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from heartprint.cohorts import Cohort
from heartprint.foundation.config import load_config, save_config
from heartprint.foundation.errors import HeartprintError
from heartprint.pretraining.batches import BatchKey, Schedule, draw_batch, drawn_batches
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.methods import METHODS, get_method
from heartprint.pretraining.methods.bcl import Bcl
from heartprint.pretraining.methods.bcl_measured import BclMeasured
from heartprint.pretraining.methods.bcl_state import BclState
from heartprint.pretraining.methods.layouts import Layouts
from heartprint.pretraining.methods.patients import PatientMethod
from heartprint.pretraining.methods.segments import Segments
from heartprint.pretraining.methods.simclr import SimClr
from heartprint.pretraining.settings import SHORT_LAYOUTS
from heartprint.sheets import get_layout
from tests.pretraining.conftest import ECGS_PER_PATIENT

Make = Callable[..., PretrainConfig]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_conforms(name: str, cohort: Cohort, config: Make) -> None:
    method = get_method(name)(cohort, config(method=name))
    assert method.name == name and method.description and method.item
    batch = draw_batch(method, BatchKey(2, 0, np.array([1, 3, 5])))
    assert batch.images.shape == (method.n_views, 3, 32, 32) and str(batch.images.dtype) == "torch.uint8"
    assert batch.groups.shape == (3,) and str(batch.groups.dtype) == "torch.int64"
    again = draw_batch(get_method(name)(cohort, config(method=name)), BatchKey(2, 9, np.array([5, 3, 1])))
    assert np.array_equal(batch.images.numpy()[:, ::-1], again.images.numpy()), "a view may not depend on its batch"
    assert method.n_views == 1 or not np.array_equal(batch.images[0], batch.images[1])
    assert batch.rows.shape == (method.n_views, 3) and np.isin(batch.rows.numpy(), method.rows).all()
    views = range(method.n_views)
    assert all({*c.views} <= {*views} and len({*c.views}) == len(c.views) >= 2 for c in method.contrasts)
    for other in (config(method=name, seed=1), None):
        changed = draw_batch(
            get_method(name)(cohort, other or config(method=name)), BatchKey(2 if other else 3, 0, np.array([1, 3, 5]))
        )
        assert not np.array_equal(batch.images, changed.images), "seed and epoch must change the views"


@pytest.mark.parametrize("name", METHODS)
def test_views_follow_the_ids_not_the_rows(name: str, cohort: Cohort, config: Make) -> None:
    """The same ECGs in another order give the same views, item by item."""
    order = np.random.default_rng(0).permutation(len(cohort))
    moved = cohort.take(order)
    one, other = (get_method(name)(c, config(method=name)) for c in (cohort, moved))
    item = 4
    there = item if isinstance(one, PatientMethod) else int(np.flatnonzero(order == item)[0])
    for first, second in zip(one.draw(1, item), other.draw(1, there), strict=True):
        assert np.array_equal(first.image, second.image)
        assert cohort.ecg_ids[first.row] == moved.ecg_ids[second.row]


@pytest.mark.parametrize("name", METHODS)
def test_worker_count_changes_nothing(name: str, cohort: Cohort, config: Make) -> None:
    method = get_method(name)(cohort, config(method=name))
    schedule = Schedule(method.n_items, config(), item=method.item)
    runs = [list(drawn_batches(method, schedule, 1, 6, workers)) for workers in (0, 1, 2)]
    for batches in runs[1:]:
        for one, two in zip(runs[0], batches, strict=True):
            assert one.key.step == two.key.step and np.array_equal(one.key.items, two.key.items)
            assert np.array_equal(one.images, two.images) and np.array_equal(one.groups, two.groups)


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_of_drawing_arrive_as_they_are(
    workers: int, cohort: Cohort, config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise HeartprintError("bad-ecg", "This ECG cannot be drawn.")

    method = Bcl(cohort, config())
    monkeypatch.setattr(method, "draw", fail)
    with pytest.raises(HeartprintError) as caught:
        list(drawn_batches(method, Schedule(method.n_items, config()), 0, 2, workers))
    assert caught.value.code == "bad-ecg"


def test_bcl_pairs_are_two_ecgs_of_one_patient(cohort: Cohort, config: Make) -> None:
    method = Bcl(cohort, config())
    with_pairs = [f"p{i}" for i, n in enumerate(ECGS_PER_PATIENT) if n >= 2]
    assert method.n_items == len(with_pairs)
    assert sorted(set(cohort.patient_ids[method.rows])) == sorted(with_pairs)
    drawn = set()
    for epoch in range(5):
        for item in range(method.n_items):
            one, other = method.pair(epoch, item)
            assert cohort.patient_ids[one] == cohort.patient_ids[other]
            assert cohort.ecg_ids[one] != cohort.ecg_ids[other]
            drawn.add(cohort.patient_ids[one])
    assert drawn == set(with_pairs)


def test_bcl_draws_every_ordered_pair_equally_often(cohort: Cohort, config: Make) -> None:
    method = Bcl(cohort, config())
    of_four = cohort.patient_codes[cohort.patient_ids == f"p{ECGS_PER_PATIENT.index(4)}"][0]
    item = next(i for i, patient in enumerate(method.groups(np.arange(method.n_items))) if patient == of_four)
    counts = Counter(method.pair(epoch, item) for epoch in range(2400))
    assert len(counts) == 12
    # Chi-square with 11 degrees of freedom: 31.3 is its 99.9 % point. The draws are fixed by the seed.
    assert sum((n - 200) ** 2 / 200 for n in counts.values()) < 31.3


def test_bcl_groups_are_patients(cohort: Cohort, config: Make) -> None:
    method = Bcl(cohort, config())
    items = np.arange(method.n_items)
    rows = np.array([method.pair(0, item)[0] for item in items])
    assert np.array_equal(method.groups(items), cohort.patient_codes[rows])


def test_bcl_views_are_drawn_independently(cohort: Cohort, config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both views meet every pair of layouts, and their poses are not the same."""
    seen, turns = set(), []

    def note(leads: object, rate: object, layout: str, size: int, *, pose: object, **_: object) -> np.ndarray:
        drawn.append((layout, pose))
        return np.zeros((size, size), np.uint8)

    monkeypatch.setattr("heartprint.sheets.sampler.render", note)
    method = Bcl(cohort, config())
    for epoch in range(40):
        for item in range(method.n_items):
            drawn: list[tuple[str, object]] = []
            method.draw(epoch, item)
            (first, pose1), (second, pose2) = drawn
            seen.add((first, second))
            turns.append((pose1.rotation_deg, pose2.rotation_deg))  # type: ignore[attr-defined]
    assert len(seen) == 16
    both = np.array(turns)
    assert np.abs(both).max() <= 10 and np.abs(both).max() > 9
    assert abs(np.corrcoef(both.T)[0, 1]) < 0.2


def test_bcl_without_pairs(single_ecgs: Cohort, config: Make) -> None:
    with pytest.raises(HeartprintError) as caught:
        Bcl(single_ecgs, config())
    assert caught.value.code == "no-pairs" and "--method simclr or (of waveforms) layouts" in caught.value.message


@pytest.mark.parametrize("name", ["bcl", "bcl_measured", "bcl_several", "bcl_state"])
def test_bcl_obeys_the_pair_policy(name: str, cohort: Cohort, config: Make) -> None:
    """A patient's ECGs are a year apart, so two years leave those with three or more, and of them the outer ones."""
    method = get_method(name)(cohort, config(method=name, pairs={"min_gap_days": 730}))
    many = [f"p{i}" for i, n in enumerate(ECGS_PER_PATIENT) if n >= 3]
    assert isinstance(method, Bcl) and method.n_items == len(many)
    outer = [e for e in cohort.ecg_ids if e.partition("v")[0] in many and e not in ("p0v1", "p9v1")]
    assert cohort.ecg_ids[method.rows].tolist() == outer
    for item, epoch in itertools.product(range(method.n_items), range(10)):
        one, other = (cohort.records["recorded_at"][row] for row in method.pair(epoch, item))
        assert abs((one - other).days) >= 730
    assert np.array_equal(method.groups(np.arange(3)), np.unique(cohort.patient_codes[method.rows]))
    flow = [tuple(row.values()) for row in method.facts()["pair_flow"]]
    assert flow[1] == ("min_gap_days", 1 + 3 + 1, len(many), len(outer))
    assert "policy" in method.item


def test_a_policy_that_leaves_no_pair(cohort: Cohort, config: Make) -> None:
    with pytest.raises(
        HeartprintError, match=r"method\.pairs\.device=other\. Lift it \(-o method\.pairs\.device=any\)"
    ) as caught:
        Bcl(cohort, config(pairs={"device": "other"}))
    assert caught.value.code == "no-pairs"


@pytest.mark.parametrize("name", ["bcl", "bcl_measured", "bcl_several", "bcl_state"])
def test_patients_without_a_pair_may_give_stretches(name: str, cohort: Cohort, config: Make) -> None:
    pairs = {"min_gap_days": 730, "single": "stretches"}
    method = get_method(name)(cohort, config(method=name, pairs=pairs))
    assert isinstance(method, Bcl) and method.item == "patients"
    assert method.n_items == len(ECGS_PER_PATIENT)
    patients = np.unique(cohort.patient_ids)
    for item, patient in enumerate(patients):
        views = method.draw(1, item)
        if ECGS_PER_PATIENT[int(patient[1:])] >= 3:
            assert len({view.row for view in views}) == 2
            continue
        (row,) = {view.row for view in views}
        assert cohort.patient_ids[row] == patient
        for number, view in enumerate(views):
            assert np.array_equal(view.image, method.views.half(row, 1, number, SHORT_LAYOUTS))
    two = int(np.flatnonzero(patients == "p2")[0])
    assert {cohort.ecg_ids[method.pair(epoch, two)[0]] for epoch in range(20)} == {"p2v0", "p2v1"}


def test_a_third_stretch_is_the_second_half_again(
    cohort: Cohort, config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first view shares no sample with the others, which differ in pose."""
    drawn: list[tuple[np.ndarray, object]] = []

    def note(leads: np.ndarray, rate: object, layout: str, size: int, *, pose: object, **_: object) -> np.ndarray:
        drawn.append((leads, pose))
        return np.zeros((size, size), np.uint8)

    monkeypatch.setattr("heartprint.sheets.sampler.render", note)
    method = BclState(cohort, config(method="bcl_state", pairs={"single": "stretches"}))
    alone = int(np.flatnonzero(np.unique(cohort.patient_ids) == "p1")[0])
    for epoch in range(10):
        drawn.clear()
        method.draw(epoch, alone)
        (first, _), (second, pose), (third, other_pose) = drawn
        assert np.array_equal(second, third) and not np.array_equal(first, second) and pose != other_pose


def test_methods_without_patients_take_every_ecg(single_ecgs: Cohort, config: Make) -> None:
    for method in (SimClr(single_ecgs, config(method="simclr")), Layouts(single_ecgs, config(method="layouts"))):
        assert method.n_items == 5
        assert method.groups(np.arange(5)).tolist() == [0, 1, 2, 3, 4]


def test_simclr_augments_one_sheet(cohort: Cohort, config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """With augmentations that do nothing, both views are the one sheet."""
    still = {"crop_scale": (1, 1), "crop_ratio": (1, 1), "jitter_probability": 0, "blur_probability": 0}
    method = SimClr(cohort, config(method="simclr", augment=still))
    one, other = method.draw(0, 3)
    assert np.array_equal(one.image, other.image)
    assert np.array_equal(one.image, method.views.sheet(3, 0, 0))


def test_layouts_are_two_different_ones(cohort: Cohort, config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def note(leads: object, rate: object, layout: str, size: int, *, pose: object, **_: object) -> np.ndarray:
        drawn.append(layout)
        return np.zeros((size, size), np.uint8)

    monkeypatch.setattr("heartprint.sheets.sampler.render", note)
    method = Layouts(cohort, config(method="layouts"))
    for epoch in range(30):
        for item in range(5):
            method.draw(epoch, item)
    pairs = set(zip(drawn[::2], drawn[1::2], strict=True))
    assert len(pairs) == 12 and all(a != b for a, b in pairs)
    drawn.clear()
    Layouts(cohort, config(method="layouts", layouts=("standard",))).draw(0, 0)
    assert drawn == ["standard", "standard"]


def test_segments_are_the_two_halves(cohort: Cohort, config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sample is in both views, none is left out, and either half comes first."""
    drawn: list[tuple[np.ndarray, str]] = []

    def note(leads: np.ndarray, rate: object, layout: str, size: int, *, pose: object, **_: object) -> np.ndarray:
        drawn.append((leads, layout))
        return np.zeros((size, size), np.uint8)

    monkeypatch.setattr("heartprint.sheets.sampler.render", note)
    method = Segments(cohort, config(method="segments"))
    whole, first_is_early = cohort.signal(2), set()
    for epoch in range(20):
        one, other = method.draw(epoch, 2)
        assert one.row == other.row == 2
        halves = [leads for leads, _ in drawn[-2:]]
        early = np.array_equal(halves[0], whole[:, :500])
        first_is_early.add(early)
        assert np.array_equal(np.concatenate(halves if early else halves[::-1], axis=1), whole)
    assert first_is_early == {True, False}
    layouts = {layout for _, layout in drawn}
    assert layouts == {"short_six_rows", "short_three_rows"}
    assert all(get_layout(name).needs_s <= 5 for name in layouts)


def test_bcl_state_shows_two_halves_and_another_ecg(cohort: Cohort, config: Make) -> None:
    method = BclState(cohort, config(method="bcl_state"))
    plain = Bcl(cohort, config())
    for item in range(method.n_items):
        one, half, other = method.draw(1, item)
        assert one.row == half.row
        assert (one.row, other.row) == plain.pair(1, item), "the pairs are those of bcl"
        for view in (0, 1):
            assert np.array_equal((one, half)[view].image, method.views.half(one.row, 1, view, SHORT_LAYOUTS))
        assert np.array_equal(other.image, method.views.sheet(other.row, 1, 2))


def test_bcl_measured_draws_what_bcl_draws(cohort: Cohort, config: Make) -> None:
    for one, other in zip(
        Bcl(cohort, config()).draw(2, 3), BclMeasured(cohort, config(method="bcl_measured")).draw(2, 3), strict=True
    ):
        assert np.array_equal(one.image, other.image) and one.row == other.row


def test_layouts_too_long_for_half_an_ecg_are_refused(config: Make) -> None:
    with pytest.raises(HeartprintError, match=r"standard needs more than half an ECG; these do not: short_six_rows"):
        config(stretch_layouts=("short_six_rows", "standard"))


def test_a_setting_that_went_to_the_method_is_named() -> None:
    with pytest.raises(HeartprintError, match=r"write method\.temperature \(-o method\.temperature=") as caught:
        PretrainConfig(temperature=0.2)  # type: ignore[call-arg]
    assert caught.value.code == "bad-config"


def test_a_setting_of_another_method_is_refused() -> None:
    with pytest.raises(HeartprintError, match=r"there is no setting 'method\.augment'"):
        PretrainConfig(method={"name": "bcl", "augment": {}})
    with pytest.raises(HeartprintError, match=r"'method\.temperature' is -1"):
        PretrainConfig(method={"name": "bcl", "temperature": -1})


def test_a_method_is_written_as_a_word_or_as_a_group(tmp_path: Path) -> None:
    """A single setting can be put on top of either."""
    for text in ("method: segments\n", "method: {name: segments, head_dim: 64}\n"):
        (tmp_path / "c.yaml").write_text(text)
        chosen = load_config(tmp_path / "c.yaml", ["method.temperature=0.3"], PretrainConfig)
        assert chosen.method.name == "segments" and chosen.method.temperature == 0.3  # type: ignore[attr-defined]
        save_config(tmp_path / "again.yaml", chosen)
        assert load_config(tmp_path / "again.yaml", [], PretrainConfig) == chosen
    assert load_config(None, ["method=layouts"], PretrainConfig).method.name == "layouts"


def test_an_epoch_visits_each_item_once(config: Make) -> None:
    schedule = Schedule(10, config(batch_size=3, epochs=4))
    assert (schedule.steps_per_epoch, schedule.total_steps) == (3, 12)
    epochs = [[i for step in range(3) for i in schedule[3 * epoch + step].items.tolist()] for epoch in range(4)]
    assert all(len(set(items)) == 9 for items in epochs)
    assert len({tuple(items) for items in epochs}) == 4
    assert {i for items in epochs for i in items} == set(range(10)), "who is left over must change"
    assert [schedule[step].epoch for step in (0, 2, 3, 11)] == [0, 0, 1, 3]
    backwards = [schedule[step].items.tolist() for step in (11, 0)]
    fresh = Schedule(10, config(batch_size=3, epochs=4))
    assert backwards == [fresh[step].items.tolist() for step in (11, 0)], "a step must not depend on those before"


def test_steps_win_over_epochs(config: Make) -> None:
    assert Schedule(10, config(steps=7, epochs=1)).total_steps == 7


def test_batch_larger_than_the_items(config: Make) -> None:
    with pytest.raises(HeartprintError) as caught:
        Schedule(10, config(batch_size=11), item="patients with two or more ECGs")
    assert caught.value.code == "more-pairs-than-exist"
    assert "-o batch_size=10" in caught.value.message and "patients with two" in caught.value.message


def test_unknown_method_names_the_nearest() -> None:
    with pytest.raises(HeartprintError, match="Did you mean 'simclr'"):
        get_method("simcrl")


def test_bcl_several_shows_two_pairs(cohort: Cohort, config: Make) -> None:
    method = get_method("bcl_several")(cohort, config(method="bcl_several"))
    plain = get_method("bcl")(cohort, config())
    shown = set()
    for epoch in range(6):
        for item in range(method.n_items):
            views, pair = method.draw(epoch, item), plain.draw(epoch, item)
            for one, other in zip(views, pair, strict=False):
                assert one.row == other.row and np.array_equal(one.image, other.image)
            assert len({cohort.patient_ids[view.row] for view in views}) == 1
            assert views[2].row != views[3].row
            assert not any(np.array_equal(a.image, b.image) for a, b in itertools.combinations(views, 2))
            shown.add(len({view.row for view in views}))
    assert shown == {2, 3, 4}
