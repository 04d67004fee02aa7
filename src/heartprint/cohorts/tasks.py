"""Tasks: binary questions with a definition, answered from a cohort's columns."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.foundation.errors import HeartprintError, unknown_name

Comparison = Literal["equals", "below", "at_least"]


@dataclass(frozen=True)
class Task:
    """A binary label and how it follows from one column.

    Args:
        name: Short name, used in files and on the command line.
        title: What people read in tables and plots.
        column: Column of ``records.parquet`` (label columns are named ``label_<name>``).
        comparison: ``equals``, ``below`` or ``at_least``.
        value: What the column is compared with. A row whose column is missing has no label.
    """

    name: str
    title: str
    column: str
    comparison: Comparison
    value: float | str

    def to_json(self) -> dict[str, Any]:
        """Definition as plain values, for model folders and reports."""
        return asdict(self)

    def labels(self, records: pl.DataFrame) -> npt.NDArray[np.float32]:
        """Answer the task for each row.

        Args:
            records: A cohort's table.

        Returns:
            ``(n,)`` float32: 1 positive, 0 negative, NaN no label.

        Raises:
            HeartprintError: ``label-missing`` if the cohort has no such column.
        """
        if self.column not in records.columns:
            have = [c.removeprefix("label_") for c in records.columns if c.startswith("label_")]
            raise HeartprintError(
                "label-missing",
                f"Task '{self.name}' needs the column '{self.column}', which this cohort does not have. "
                f"Its labels are: {', '.join(have) or 'none'}.",
            )
        column = pl.col(self.column)
        answer = {
            "equals": column == self.value,
            "below": column < self.value,
            "at_least": column >= self.value,
        }[self.comparison]
        missing = column.is_null()
        if records.schema[self.column].is_float():
            missing = missing | column.is_nan()
        values = records.select(pl.when(~missing).then(answer.cast(pl.Float32)).alias("y"))["y"]
        return values.fill_null(float("nan")).to_numpy().astype(np.float32)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("af", "Atrial fibrillation or flutter", "label_af", "equals", 1.0),
        Task("female", "Female sex", "sex", "equals", "female"),
        Task("lvef_below_40", "LVEF < 40 %", "label_lvef", "below", 40.0),
    )
}
"""The built-in tasks."""


def get_task(name: str, records: pl.DataFrame | None = None) -> Task:
    """Look a task up by name.

    Args:
        name: A built-in task, or the name of a 0/1 label column of the cohort.
        records: The cohort's table; with it any ``label_<name>`` column is a task of its own.

    Raises:
        HeartprintError: ``unknown-task``, naming the nearest known one.
    """
    if name in TASKS:
        return TASKS[name]
    own: list[str] = []
    if records is not None:
        own = [c.removeprefix("label_") for c in records.columns if c.startswith("label_")]
        if name in own:
            return Task(name, name.replace("_", " "), f"label_{name}", "equals", 1.0)
    raise unknown_name("task", name, [*TASKS, *own])
