"""Tasks: binary questions with a definition, answered from a cohort's columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from heartprint.cohorts.schema import RECORD_COLUMNS
from heartprint.foundation.errors import HeartprintError, unknown_name

Comparison = Literal["equals", "below", "at_least"]


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
    value: float | str


@dataclass(frozen=True)
class Task:
    """A binary label and how it follows from one column.

    Args:
        name: Short name, used in files and on the command line.
        title: What people read in tables and plots.
        column: Column of ``records.parquet`` (label columns are named ``label_<name>``).
        comparison: ``equals``, ``below`` or ``at_least``.
        value: What the column is compared with. A row whose column is missing has no label.
        exclude: Rows that meet any of these have no label either.
    """

    name: str
    title: str
    column: str
    comparison: Comparison
    value: float | str
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
        for condition in self.exclude:
            met, of_known = _compared(records, self.name, condition)
            known = known & ~(met & of_known).fill_null(False)
        values = records.select(pl.when(known).then(answer.cast(pl.Float32)).alias("y"))["y"]
        return values.fill_null(float("nan")).to_numpy().astype(np.float32)


def _compared(records: pl.DataFrame, task: str, how: Task | Condition) -> tuple[pl.Expr, pl.Expr]:
    """Whether a column meets a comparison, and whether it is known."""
    if how.column not in records.columns:
        have = [c.removeprefix("label_") for c in records.columns if c.startswith("label_")]
        raise HeartprintError(
            "label-missing",
            f"Task '{task}' needs the column '{how.column}', which this cohort does not have. "
            f"Its labels are: {', '.join(have) or 'none'}.",
        )
    column = pl.col(how.column)
    dtype = records.schema[how.column]
    if (dtype == pl.String) != isinstance(how.value, str):
        kind = "text" if dtype == pl.String else "numbers"
        raise HeartprintError(
            "bad-task", f"Task '{task}' compares '{how.column}', which holds {kind}, with {how.value!r}. Mend the task."
        )
    met = {
        "equals": column == how.value,
        "below": column < how.value,
        "at_least": column >= how.value,
    }[how.comparison]
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
"""The built-in tasks."""


class _Where(BaseModel):
    """A condition as people write it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    comparison: Comparison = "equals"
    value: float | str

    def condition(self) -> Condition:
        own = self.column in RECORD_COLUMNS or self.column.startswith("label_")
        return Condition(self.column if own else f"label_{self.column}", self.comparison, self.value)


class TaskDefinition(_Where):
    """A task as people write it, in a file of its own or in a study's ``define``.

    Args:
        column: A label's name, or ``age``, ``sex``, ``site``, ``device``.
        comparison: ``equals``, ``below`` or ``at_least``.
        value: What it is compared with.
        title: What people read in tables and plots.
        exclude: Conditions; ECGs that meet one of them have no label.
    """

    title: str = ""
    exclude: tuple[_Where, ...] = ()

    def task(self, name: str) -> Task:
        """The task of this name.

        Raises:
            HeartprintError: ``bad-task-name``.
        """
        if not _NAME.fullmatch(name) or name in TASKS:
            raise HeartprintError(
                "bad-task-name",
                f"'{name}' is no name for a task of your own. Take small letters, digits and _, and none of the names "
                f"{', '.join(TASKS)}.",
            )
        own = self.condition()
        left_out = tuple(where.condition() for where in self.exclude)
        return Task(name, self.title or name.replace("_", " "), own.column, own.comparison, own.value, left_out)


class _TaskFile(TaskDefinition):
    name: Annotated[str, Field(min_length=1)] = ""


_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
TASK_SUFFIXES = (".yaml", ".yml")


def read_task(path: str | Path) -> Task:
    """Read a task from a YAML file; its name is that of the file if the file does not say.

    Raises:
        HeartprintError: ``config-missing``, ``config-damaged``, ``bad-config`` or ``bad-task-name``.
    """
    from heartprint.foundation.config import load_config

    found = load_config(path, [], _TaskFile)
    return found.task(found.name or Path(path).stem)


def get_task(
    name: str, records: pl.DataFrame | None = None, define: Mapping[str, TaskDefinition] | None = None
) -> Task:
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
    raise unknown_name("task", name, [*TASKS, *(define or ()), *own])


def _check_binary(records: pl.DataFrame, column: str) -> None:
    """Raise ``label-not-binary`` where a label that is asked for by name alone is no answer to a question."""
    if column not in records.columns or not records.schema[column].is_numeric():
        return  # told when the task is answered
    values = records[column].cast(pl.Float64).drop_nulls().drop_nans().unique().to_list()
    if not {0.0, 1.0}.issuperset(values):
        raise HeartprintError(
            "label-not-binary",
            f"The label '{column.removeprefix('label_')}' has other values than 0 and 1 ({min(values):g} to "
            f"{max(values):g}). Say in a task's .yaml file what counts as positive, and give that file as the task.",
        )
