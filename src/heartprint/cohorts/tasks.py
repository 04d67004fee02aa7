"""Tasks: what a model is to tell of an ECG, a class or a number, with a definition in terms of a cohort's columns."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from heartprint.cohorts.schema import RECORD_COLUMNS
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.tables.fields import LVEF_RANGE

Comparison = Literal["equals", "below", "at_least", "in"]
Value = float | str | tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True)
class Condition:
    """What an ECG is left out for.

    Args:
        column: As for a `Task`.
        comparison: As for a `Task`.
        value: As for a `Task`. A row whose column is missing stays in.
    """

    column: str
    comparison: Comparison
    value: Value


@dataclass(frozen=True)
class Task:
    """A binary label and how it follows from one column.

    Args:
        name: Short name, used in files and on the command line.
        title: What people read in tables and plots.
        column: Column of ``records.parquet`` (label columns are named ``label_<name>``).
        comparison: ``equals``, ``below``, ``at_least`` or ``in``.
        value: What the column is compared with; of ``in`` the values that count. A row whose column is missing has no
            label.
        exclude: Rows that meet any of these have no label either.
    """

    name: str
    title: str
    column: str
    comparison: Comparison
    value: Value
    exclude: tuple[Condition, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Definition as plain values, for model folders and reports."""
        plain = asdict(self)
        # What most tasks do not have is not named: studies recognise by this text what they have computed already.
        return plain if self.exclude else {k: v for k, v in plain.items() if k != "exclude"}

    def labels(self, records: pl.DataFrame) -> npt.NDArray[np.float32]:
        """Answer the task for each row.

        Args:
            records: A cohort's table.

        Returns:
            ``(n,)`` float32: 1 positive, 0 negative, NaN no label.

        Raises:
            HeartprintError: ``label-missing`` if the cohort has no such column.
        """
        answer, known = _compared(records, self.name, self)
        return _answers(records, answer, known & _kept(records, self.name, self.exclude))


@dataclass(frozen=True)
class Regression:
    """A number and the column that holds it.

    Args:
        name: As for a `Task`.
        title: As for a `Task`.
        column: As for a `Task`.
        unit: Unit of the number, for people.
        lowest: Lowest number that can be; a lower one is a slip of the pen or another unit, and counts as missing.
        highest: Highest number that can be, likewise.
        exclude: As for a `Task`.
    """

    name: str
    title: str
    column: str
    unit: str
    lowest: float
    highest: float
    exclude: tuple[Condition, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Definition as plain values, for model folders and reports."""
        return asdict(self)

    def labels(self, records: pl.DataFrame) -> npt.NDArray[np.float32]:
        """Give each row its number.

        Args:
            records: A cohort's table.

        Returns:
            ``(n,)`` float32 in `unit`; NaN where there is none between `lowest` and `highest`.

        Raises:
            HeartprintError: ``label-missing`` if the cohort has no such column, ``bad-task`` if it holds text.
        """
        number, known = self._number(records)
        possible = number.is_between(self.lowest, self.highest)
        return _answers(records, number, known & possible & _kept(records, self.name, self.exclude))

    def out_of_range(self, records: pl.DataFrame) -> int:
        """How many rows have a number that cannot be, and therefore count as missing; errors as in `labels`."""
        number, known = self._number(records)
        odd = known & ~number.is_between(self.lowest, self.highest) & _kept(records, self.name, self.exclude)
        return int(records.select(odd.sum()).item())

    def _number(self, records: pl.DataFrame) -> tuple[pl.Expr, pl.Expr]:
        _require_column(records, self.name, self.column)
        if not records.schema[self.column].is_numeric():
            raise HeartprintError(
                "bad-task",
                f"Task '{self.name}' reads a number from '{self.column}', which does not hold numbers. Name another "
                "column in the task.",
            )
        number = pl.col(self.column).cast(pl.Float64)
        return number, number.is_not_null() & number.is_not_nan()


AnyTask = Task | Regression
"""What a model can learn: a class or a number."""


def _answers(records: pl.DataFrame, answer: pl.Expr, known: pl.Expr) -> npt.NDArray[np.float32]:
    values = records.select(pl.when(known).then(answer.cast(pl.Float32)).alias("y"))["y"]
    return values.fill_null(float("nan")).to_numpy().astype(np.float32)


def _kept(records: pl.DataFrame, task: str, exclude: Sequence[Condition]) -> pl.Expr:
    """Which rows meet none of some conditions."""
    kept = pl.lit(True)
    for condition in exclude:
        met, known = _compared(records, task, condition)
        kept = kept & ~(met & known).fill_null(False)
    return kept


def _require_column(records: pl.DataFrame, task: str, column: str) -> None:
    if column not in records.columns:
        have = [c.removeprefix("label_") for c in records.columns if c.startswith("label_")]
        raise HeartprintError(
            "label-missing",
            f"Task '{task}' needs the column '{column}', which this cohort does not have. "
            f"Its labels are: {', '.join(have) or 'none'}.",
        )


def _compared(records: pl.DataFrame, task: str, how: Task | Condition) -> tuple[pl.Expr, pl.Expr]:
    """Whether a column meets a comparison, and whether it is known."""
    _require_column(records, task, how.column)
    column = pl.col(how.column)
    dtype = records.schema[how.column]
    values = how.value if isinstance(how.value, tuple) else (how.value,)
    if any((dtype == pl.String) != isinstance(value, str) for value in values):
        kind = "text" if dtype == pl.String else "numbers"
        raise HeartprintError(
            "bad-task",
            f"Task '{task}' compares '{how.column}', which holds {kind}, with {shown_value(how.value)}. Fix the task.",
        )
    if how.comparison == "in":
        met = column.is_in(list(values))
    else:
        (value,) = values
        met = {"equals": column == value, "below": column < value, "at_least": column >= value}[how.comparison]
    known = column.is_not_null()
    return met, known & column.is_not_nan() if dtype.is_float() else known


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("af", "Atrial fibrillation or flutter", "label_af", "equals", 1.0),
        Task("female", "Female sex", "sex", "equals", "female"),
        Task("lvef_below_40", "LVEF < 40 %", "label_lvef", "below", 40.0),
    )
}
"""The built-in tasks of two classes."""

REGRESSIONS: dict[str, Regression] = {
    task.name: task
    for task in (Regression("lvef", "Left ventricular ejection fraction", "label_lvef", "%", *LVEF_RANGE),)
}
"""The built-in tasks that are numbers."""


def shown_value(value: Value) -> str:
    """What a task compares with, for people."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else repr(value)


def _full_name(column: str) -> str:
    own = column in RECORD_COLUMNS or column.startswith("label_")
    return column if own else f"label_{column}"


def _plain_value(value: object) -> object:
    listed = list(value) if isinstance(value, list | tuple) else [value]
    kinds = {str if isinstance(one, str) else float if isinstance(one, int | float) else None for one in listed}
    if value is not None and (None in kinds or len(kinds) > 1):
        raise ValueError("a task compares with a number, a text, or a list of either")
    return value


_Value = Annotated[Value, BeforeValidator(_plain_value)]
"""As people write it: what fits none of the kinds is told in one sentence, not one for each kind."""


class _Where(BaseModel):
    """A condition as people write it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    comparison: Comparison = "equals"
    value: _Value

    @model_validator(mode="after")
    def _a_list_is_for_in(self) -> _Where:
        _check_value(self.comparison, self.value)
        return self

    def condition(self) -> Condition:
        return Condition(_full_name(self.column), self.comparison, self.value)


def _check_value(comparison: Comparison, value: Value) -> None:
    if (comparison == "in") != isinstance(value, tuple):
        raise ValueError("a list of values goes with 'comparison: in', and a single value with any other comparison")
    if value == ():
        raise ValueError("'comparison: in' needs at least one value")


def _a_range(lowest: float, highest: float) -> bool:
    return math.isfinite(lowest) and math.isfinite(highest) and lowest < highest


class TaskDefinition(BaseModel):
    """A task as people write it, in a file of its own or in a study's ``define``.

    Args:
        kind: ``classes`` (positive or negative; the default) or ``regression`` (a number).
        column: A label's name, or ``age``, ``sex``, ``site``, ``device``.
        comparison: Of classes: ``equals`` (the default), ``below``, ``at_least`` or ``in``.
        value: Of classes: what the column is compared with; of ``in`` a list.
        unit: Of a regression: unit of the number.
        lowest: Of a regression: lowest number that can be; lower ones count as missing.
        highest: Of a regression: highest number that can be.
        title: What people read in tables and plots.
        exclude: Conditions; ECGs that meet one of them have no label.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    comparison: Comparison = "equals"
    value: Annotated[Value | None, BeforeValidator(_plain_value)] = None
    kind: Literal["classes", "regression"] | None = None
    unit: str | None = None
    lowest: float | None = None
    highest: float | None = None
    title: str = ""
    exclude: tuple[_Where, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> TaskDefinition:
        kind = self.kind or "classes"
        foreign = ("comparison", "value") if kind == "regression" else ("unit", "lowest", "highest")
        given = [name for name in foreign if name in self.model_fields_set]
        if given:
            other = "classes" if kind == "regression" else "regression"
            raise ValueError(f"'{given[0]}' belongs to a task of 'kind: {other}', and this one is of 'kind: {kind}'")
        needed = ("lowest", "highest") if kind == "regression" else ("value",)
        lacking = [name for name in needed if getattr(self, name) is None]
        if lacking:
            raise ValueError(f"a task of 'kind: {kind}' needs '{lacking[0]}'")
        if self.value is not None:
            _check_value(self.comparison, self.value)
        if self.lowest is not None and self.highest is not None and not _a_range(self.lowest, self.highest):
            raise ValueError("'lowest' must be below 'highest', and both must be finite")
        return self

    def task(self, name: str) -> AnyTask:
        """The task of this name.

        Raises:
            HeartprintError: ``bad-task-name``.
        """
        if not _NAME.fullmatch(name) or name in TASKS or name in REGRESSIONS:
            raise HeartprintError(
                "bad-task-name",
                f"'{name}' cannot name a task of your own. Take small letters, digits and _, and none of the names "
                f"{', '.join((*TASKS, *REGRESSIONS))}.",
            )
        title, column = self.title or name.replace("_", " "), _full_name(self.column)
        left_out = tuple(where.condition() for where in self.exclude)
        if self.lowest is not None and self.highest is not None:
            return Regression(name, title, column, self.unit or "", self.lowest, self.highest, left_out)
        assert self.value is not None
        return Task(name, title, column, self.comparison, self.value, left_out)


class _TaskFile(TaskDefinition):
    name: Annotated[str, Field(min_length=1)] = ""


_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
TASK_SUFFIXES = (".yaml", ".yml")


def read_task(path: str | Path) -> AnyTask:
    """Read a task from a YAML file; its name is that of the file if the file does not say.

    Raises:
        HeartprintError: ``config-missing``, ``config-damaged``, ``bad-config`` or ``bad-task-name``.
    """
    from heartprint.foundation.config import load_config

    found = load_config(path, [], _TaskFile)
    return found.task(found.name or Path(path).stem)


def get_task(
    name: str, records: pl.DataFrame | None = None, define: Mapping[str, TaskDefinition] | None = None
) -> AnyTask:
    """Look a task up by name.

    Args:
        name: A built-in task, the name of a 0/1 label column of the cohort, or a task's ``.yaml`` file.
        records: The cohort's table; with it any ``label_<name>`` column is a task of its own.
        define: Tasks of the caller's own.

    Raises:
        HeartprintError: ``unknown-task``, naming the nearest known one; ``label-not-binary`` for a column of other
            values than 0 and 1; what `read_task` raises.
    """
    if name in TASKS:
        task = TASKS[name]
        if records is not None and (task.comparison, task.value) == ("equals", 1.0):
            _check_binary(records, task.column)
        return task
    if name in REGRESSIONS:
        return REGRESSIONS[name]
    if define is not None and name in define:
        return define[name].task(name)
    if Path(name).suffix in TASK_SUFFIXES:
        return read_task(name)
    own: list[str] = []
    if records is not None:
        own = [c.removeprefix("label_") for c in records.columns if c.startswith("label_")]
        if name in own:
            _check_binary(records, f"label_{name}")
            return Task(name, name.replace("_", " "), f"label_{name}", "equals", 1.0)
    raise unknown_name("task", name, [*TASKS, *REGRESSIONS, *(define or ()), *own])


def get_classes(
    name: str,
    records: pl.DataFrame | None = None,
    define: Mapping[str, TaskDefinition] | None = None,
    *,
    why: str,
) -> Task:
    """Look up a task that must be one of classes.

    Args:
        name: As in `get_task`.
        records: As in `get_task`.
        define: As in `get_task`.
        why: Who cannot use a number, and why: the beginning of the sentence.

    Raises:
        HeartprintError: ``needs-classes`` for a regression; what `get_task` raises.
    """
    task = get_task(name, records, define)
    if isinstance(task, Regression):
        raise HeartprintError(
            "needs-classes",
            f"{why}, and '{task.name}' is a number. Name a task of two classes, such as lvef_below_40 or a threshold "
            "of your own in a task's .yaml file.",
        )
    return task


def _check_binary(records: pl.DataFrame, column: str) -> None:
    """Raise ``label-not-binary`` where a label that is asked for by name alone is no answer to a question."""
    if column not in records.columns or not records.schema[column].is_numeric():
        return  # told when the task is answered
    values = records[column].cast(pl.Float64).drop_nulls().drop_nans().unique().to_list()
    if not {0.0, 1.0}.issuperset(values):
        raise HeartprintError(
            "label-not-binary",
            f"The label '{column.removeprefix('label_')}' has other values than 0 and 1 ({min(values):g} to "
            f"{max(values):g}). Say in a task's .yaml file what counts as positive (or, to learn the number itself, "
            "'kind: regression' with its range), and give that file as the task.",
        )
