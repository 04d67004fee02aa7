from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartprint.cohorts.tasks import REGRESSIONS, TASKS, Regression, Task, get_classes, get_task
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


# --- tasks of one's own -------------------------------------------------------------------------------------------


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_task_in_a_file(tmp_path: Path) -> None:
    text = """
title: LVEF below 30 % in adults
column: lvef
comparison: below
value: 30
exclude:
  - {column: age, comparison: below, value: 18}
  - {column: paced, value: 1}
  - {column: sex, value: male}
"""
    task = get_task(written(tmp_path / "lvef_30.yaml", text))
    assert (task.name, task.title, task.column) == ("lvef_30", "LVEF below 30 % in adults", "label_lvef")
    records = pl.DataFrame(
        {
            "age": pl.Series([60, 17, 60, None, 60, 60], dtype=pl.Float32),
            "sex": ["female", "female", "female", None, "male", "female"],
            "label_lvef": pl.Series([20, 20, 55, 29.9, 20, None], dtype=pl.Float32),
            "label_paced": pl.Series([0, 0, None, None, 0, 0], dtype=pl.Float32),
        }
    )
    np.testing.assert_array_equal(task.labels(records), [1, NAN, 0, 1, NAN, NAN])
    with pytest.raises(HeartprintError) as caught:
        task.labels(records.drop("label_paced"))
    assert caught.value.code == "label-missing"


def test_what_tasks_are_called_by_in_studies_stays() -> None:
    """Studies name what they have computed by this text."""
    assert TASKS["af"].to_json() == {
        "name": "af",
        "title": "Atrial fibrillation or flutter",
        "column": "label_af",
        "comparison": "equals",
        "value": 1.0,
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("column: lvef", "bad-config"),
        ("column: lvef\nvalue: 3\ncomparison: under", "bad-config"),
        ("column: lvef\nvalue: 3\nexclud: []", "bad-config"),
        ("column: [1", "config-damaged"),
        ("name: af\ncolumn: lvef\nvalue: 3", "bad-task-name"),
        ("name: LV EF\ncolumn: lvef\nvalue: 3", "bad-task-name"),
        ("column: site\ncomparison: in\nvalue: x", "bad-config"),
        ("column: site\ncomparison: in\nvalue: []", "bad-config"),
        ("column: site\nvalue: [a, b]", "bad-config"),
        ("column: site\ncomparison: in\nvalue: [a, 2]", "bad-config"),
        ("column: site\ncomparison: in\nvalue: {a: 2}", "bad-config"),
        ("name: lvef\ncolumn: lvef\nvalue: 3", "bad-task-name"),
        ("kind: regression\ncolumn: k", "bad-config"),
        ("kind: regression\ncolumn: k\nlowest: 5\nhighest: 5", "bad-config"),
        ("kind: regression\ncolumn: k\nlowest: 5\nhighest: .inf", "bad-config"),
        ("kind: regression\ncolumn: k\nlowest: 1\nhighest: 5\nvalue: 3", "bad-config"),
        ("kind: regression\ncolumn: k\nlowest: 1\nhighest: 5\ncomparison: equals", "bad-config"),
        ("kind: number\ncolumn: k\nlowest: 1\nhighest: 5", "bad-config"),
        ("column: k\nvalue: 3\nunit: mmol/l", "bad-config"),
    ],
)
def test_wrong_files_are_told(text: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(HeartprintError) as caught:
        get_task(written(tmp_path / "own.yaml", text))
    assert caught.value.code == code
    assert "\n" not in caught.value.message and len(caught.value.message) < 400


def test_numbers_are_not_compared_with_words() -> None:
    records = pl.DataFrame({"sex": ["female"], "label_af": [1.0]})
    for column, value in (("sex", 1.0), ("label_af", "yes")):
        with pytest.raises(HeartprintError) as caught:
            Task("x", "X", column, "equals", value).labels(records)
        assert caught.value.code == "bad-task"
    with pytest.raises(HeartprintError) as caught:
        get_task("/no/such/task.yaml")
    assert caught.value.code == "config-missing"


def test_a_column_of_grades_is_no_task_by_itself() -> None:
    """Its grades 2 and 3 would be negatives."""
    records = pl.DataFrame({"label_grade": [0.0, 1.0, 2.0, None], "label_mi": [0.0, 1.0, None, float("nan")]})
    assert get_task("mi", records).column == "label_mi"
    with pytest.raises(HeartprintError, match="yaml") as caught:
        get_task("grade", records)
    assert caught.value.code == "label-not-binary"


# --- lists of values, and numbers ---------------------------------------------------------------------------------


@given(st.lists(st.none() | st.sampled_from(["a", "b", "c"]), max_size=20), st.sets(st.sampled_from(["a", "b", "d"])))
def test_in_is_one_of_a_list(values: list[str | None], wanted: set[str]) -> None:
    wanted |= {"d"}
    records = pl.DataFrame({"site": pl.Series(values, dtype=pl.String)})
    expected = [NAN if v is None else float(v in wanted) for v in values]
    task = Task("x", "X", "site", "in", tuple(sorted(wanted)))
    np.testing.assert_array_equal(task.labels(records), expected)


def test_in_stands_in_files_and_conditions(tmp_path: Path) -> None:
    text = """
column: grade
comparison: in
value: [2, 3]
exclude:
  - {column: site, comparison: in, value: [icu, theatre]}
"""
    task = get_task(written(tmp_path / "severe.yaml", text))
    assert isinstance(task, Task) and task.value == (2.0, 3.0)
    records = pl.DataFrame({"label_grade": [1.0, 2.0, 3.0, 3.0], "site": ["ward", None, "ward", "icu"]})
    np.testing.assert_array_equal(task.labels(records), [0, 1, 1, NAN])
    with pytest.raises(HeartprintError, match="text") as caught:
        task.labels(records.with_columns(pl.col("label_grade").cast(pl.String)))
    assert caught.value.code == "bad-task"


@given(st.lists(st.none() | st.floats(width=32), max_size=20))
def test_numbers_outside_of_the_range_are_missing_and_counted(values: list[float | None]) -> None:
    records = pl.DataFrame({"label_lvef": pl.Series(values, dtype=pl.Float32)})
    task = REGRESSIONS["lvef"]
    expected = [NAN if v is None or not 5 <= v <= 95 else v for v in values]
    np.testing.assert_array_equal(task.labels(records), np.array(expected, dtype=np.float32))
    given_up = [v for v in values if v is not None and not np.isnan(v) and not 5 <= v <= 95]
    assert task.out_of_range(records) == len(given_up)


def test_a_number_of_ones_own(tmp_path: Path) -> None:
    text = """
kind: regression
title: Potassium
column: potassium
unit: mmol/l
lowest: 1.5
highest: 9
exclude:
  - {column: paced, value: 1}
"""
    task = get_task(written(tmp_path / "k.yaml", text))
    assert task == Regression("k", "Potassium", "label_potassium", "mmol/l", 1.5, 9.0, task.exclude)
    records = pl.DataFrame({"label_potassium": [4.0, 40.0, 5.0, None], "label_paced": [0.0, 0.0, 1.0, 0.0]})
    np.testing.assert_array_equal(task.labels(records), [4, NAN, NAN, NAN])
    assert isinstance(task, Regression) and task.out_of_range(records) == 1
    with pytest.raises(HeartprintError) as caught:
        get_classes(str(tmp_path / "k.yaml"), why="A study compares encoders by AUROC")
    assert caught.value.code == "needs-classes" and "'k' is a number" in caught.value.message
