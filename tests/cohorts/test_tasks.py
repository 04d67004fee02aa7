from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartprint.cohorts.tasks import TASKS, Task, get_task
from heartprint.foundation.errors import HeartprintError

NAN = float("nan")


def test_built_in_definitions() -> None:
    records = pl.DataFrame(
        {
            "sex": ["female", "male", None],
            "label_af": pl.Series([0.0, 1.0, None], dtype=pl.Float32),
            "label_lvef": pl.Series([39.9, 40.0, NAN], dtype=pl.Float32),
        }
    )
    np.testing.assert_array_equal(get_task("female").labels(records), [1, 0, NAN])
    np.testing.assert_array_equal(get_task("af").labels(records), [0, 1, NAN])
    np.testing.assert_array_equal(get_task("lvef_below_40").labels(records), [1, 0, NAN])
    assert all(get_task(n).labels(records).dtype == np.float32 for n in TASKS)


@given(
    st.lists(st.none() | st.floats(0, 100, width=32), max_size=20),
    st.sampled_from(["equals", "below", "at_least"]),
    st.sampled_from([0.0, 1.0, 50.0]),
)
def test_labels_equal_a_literal_answer(values: list, comparison, value: float) -> None:
    records = pl.DataFrame({"label_x": pl.Series(values, dtype=pl.Float32)})
    answer = {"equals": lambda v: v == value, "below": lambda v: v < value, "at_least": lambda v: v >= value}[
        comparison
    ]
    expected = [NAN if v is None else float(answer(v)) for v in values]
    np.testing.assert_array_equal(Task("x", "X", "label_x", comparison, value).labels(records), expected)


def test_own_label_is_a_task() -> None:
    records = pl.DataFrame({"label_prior_mi": [1.0, 0.0, None]})
    task = get_task("prior_mi", records)
    assert (task.title, task.column) == ("prior mi", "label_prior_mi")
    np.testing.assert_array_equal(task.labels(records), [1, 0, NAN])


@pytest.mark.parametrize(("wrong", "right"), [("afib", "af"), ("femal", "female"), ("lvef_below40", "lvef_below_40")])
def test_unknown_task_names_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(HeartprintError) as caught:
        get_task(wrong)
    assert caught.value.code == "unknown-task"
    assert f"Did you mean '{right}'?" in caught.value.message


def test_absent_label_says_which_there_are() -> None:
    with pytest.raises(HeartprintError) as caught:
        get_task("af").labels(pl.DataFrame({"label_mi": [1.0]}))
    assert caught.value.code == "label-missing"
    assert "mi" in caught.value.message


def test_definition_survives_json() -> None:
    for task in TASKS.values():
        assert Task(**task.to_json()) == task
