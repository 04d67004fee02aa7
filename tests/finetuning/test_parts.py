from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.finetuning.config import FinetuneConfig
from heartprint.finetuning.parts import batches, cross_fit_parts, validation_part
from heartprint.foundation.errors import HeartprintError

CONFIG = FinetuneConfig(batch_size=8)


@settings(max_examples=50, deadline=None)
@given(
    n_positive=st.integers(2, 60),
    n_negative=st.integers(2, 60),
    repeat=st.integers(1, 3),
    seed=st.integers(0, 5),
)
def test_validation_patients_are_whole_and_stratified(n_positive: int, n_negative: int, repeat: int, seed: int) -> None:
    patients = np.repeat(np.arange(n_positive + n_negative), repeat)
    positive = patients < n_positive
    config = FinetuneConfig(seed=seed)
    part = validation_part(patients, positive, config)
    expected = [round(config.validation_share * n) for n in (n_positive, n_negative)]
    enough = all(
        min(v, n - v) >= config.min_validation for v, n in zip(expected, (n_positive, n_negative), strict=True)
    )
    assert (part is not None) == enough
    if part is not None:
        assert not set(patients[part]) & set(patients[~part])
        assert len(set(patients[part & positive])) == expected[0]
        assert len(set(patients[part & ~positive])) == expected[1]


def test_another_draw_validates_on_other_patients() -> None:
    patients = np.arange(80)
    one = validation_part(patients, patients < 40, CONFIG)
    two = validation_part(patients, patients < 40, CONFIG.model_copy(update={"draw": 1}))
    assert one is not None and two is not None
    assert not np.array_equal(one, two)


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 70), share=st.floats(0.0, 1.0), batch=st.integers(1, 20), epoch=st.integers(0, 3))
def test_every_ecg_comes_once_an_epoch(n: int, share: float, batch: int, epoch: int) -> None:
    config = FinetuneConfig(batch_size=batch)
    positive = np.arange(n + 5) < share * n
    rows = np.arange(n)
    parts = [b for _, b in batches(positive, rows, epoch, config)]
    assert sorted(np.concatenate(parts).tolist()) == rows.tolist()
    assert max(len(b) for b in parts) <= max(batch, 3)
    assert n < 2 or min(len(b) for b in parts) >= 2
    assert max(len(b) for b in parts) - min(len(b) for b in parts) <= 1


def test_batches_share_a_rare_class_and_change_with_the_epoch() -> None:
    positive = np.arange(400) < 40
    config = FinetuneConfig(batch_size=40)
    parts = [b for _, b in batches(positive, np.arange(400), 0, config)]
    assert all(3 <= positive[b].sum() <= 5 for b in parts)
    other = [b for _, b in batches(positive, np.arange(400), 1, config)]
    assert not np.array_equal(np.concatenate(parts), np.concatenate(other))


def test_cross_fitting_leaves_every_row_out_once_and_parts_no_patient() -> None:
    patients = np.repeat(np.arange(12), 2)
    left = []
    for rows, out in cross_fit_parts(patients, patients < 6, CONFIG):
        assert not set(patients[rows]) & set(patients[out])
        left.append(out)
    assert sorted(np.concatenate(left).tolist()) == list(range(24))


def test_cross_fitting_needs_two_patients_of_a_class() -> None:
    with pytest.raises(HeartprintError) as caught:
        list(cross_fit_parts(np.arange(10), np.arange(10) < 1, CONFIG))
    assert caught.value.code == "too-few-patients"
