"""Cells of a study: one model each, kept on disk as soon as they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.evaluation.study.config import Mode, budget_name
from heartprint.evaluation.study.plan import ENGINE, Plan, Rows, TestSet, digest
from heartprint.foundation.files import atomic_path
from heartprint.metrics.auroc import auroc, average_precision

RESULT_COLUMNS: dict[str, Any] = {
    "encoder": pl.String(),
    "group": pl.String(),
    "mode": pl.String(),
    "task": pl.String(),
    "budget": pl.String(),
    "draw": pl.Int32(),
    "fold": pl.Int32(),
    "cohort": pl.String(),
    "n_patients": pl.Int32(),
    "n_labels": pl.Int32(),
    "n_positive": pl.Int32(),
    "percent": pl.Float64(),
    "auroc": pl.Float64(),
    "auprc": pl.Float64(),
    "scores": pl.List(pl.Float32()),
    "key": pl.String(),
}
"""Columns of ``results.parquet``: one row per cell and test cohort.

``n_patients``, ``n_labels`` and ``n_positive`` count the labels used (training, penalty, everything); ``percent`` is
their share of all labels the fold may learn from; ``scores`` stand in the order of ``test_sets.parquet`` for the same
task, cohort and fold (or fold -1, every fold).
"""

TEST_SET_COLUMNS: dict[str, Any] = {
    "task": pl.String(),
    "cohort": pl.String(),
    "fold": pl.Int32(),
    "ecg_id": pl.String(),
    "patient_id": pl.String(),
    "label": pl.Int8(),
}


@dataclass(frozen=True, eq=False)
class Cell:
    """One model: an encoder, a task, one draw of labels, one fold.

    Attributes:
        key: Names everything that determines the cell's scores.
        train: ``(n,)`` rows of the home view whose labels are used.
    """

    encoder: str
    group: str
    mode: Mode
    task: str
    budget: str
    draw: int
    fold: int
    train: Rows
    key: str


def cells_of(plan: Plan, encoder: str, group: str, task: str, fold: int, origin: str) -> Iterator[Cell]:
    """List the cells of one encoder, task and fold.

    Args:
        plan: The study's plan.
        encoder: Row of the comparison.
        group: Its group.
        task: Task name.
        fold: Fold.
        origin: Digest of the encoder and of the ECGs it reads.
    """
    from heartprint.sheets import layout_file_digests

    config = plan.config
    view = plan.views[config.home]
    tests = [digest(t.cohort, t.ecg_ids.tolist(), t.labels) for t in plan.tests[task, fold]]
    for draw in range(config.draws):
        for name, (_, rows) in plan.draw(task, fold, draw).items():
            used = digest(view.ecg_ids[rows].tolist(), plan.labels[task][rows])
            for mode in _modes(plan, encoder, task, name, draw):
                extra: tuple[Any, ...] = (config.seed,)
                if mode == "full":
                    files = layout_file_digests(config.full_settings.get("layouts", []))
                    extra = (config.full_settings, config.seed, *files.values())
                key = digest(ENGINE, origin, mode, plan.tasks[task].to_json(), name, used, tests, draw, extra)
                yield Cell(encoder, group, mode, task, name, draw, fold, rows, key)


def _modes(plan: Plan, encoder: str, task: str, budget: str, draw: int) -> list[Mode]:
    config = plan.config
    if group_less(plan, encoder):
        return ["probe"]
    wanted = any(
        f.encoder == encoder and f.task == task and budget_name(f.budget) == budget and draw < f.draws
        for f in config.full
    )
    if config.mode == "full":
        return ["full"]
    return ["probe", "full"] if wanted else ["probe"]


def group_less(plan: Plan, encoder: str) -> bool:
    """Whether a row is no encoder: the waveform features."""
    return all(e.name != encoder for e in plan.config.encoders)


def cell_rows(plan: Plan, cell: Cell, scores: Sequence[npt.NDArray[Any]]) -> list[dict[str, Any]]:
    """Turn a finished cell into rows of the result table.

    Args:
        plan: The study's plan.
        cell: The cell.
        scores: For each test set of its task and fold: ``(n,)``, higher = more likely positive.
    """
    view = plan.views[plan.config.home]
    labels = plan.labels[cell.task]
    available = int((~np.isnan(labels[plan.train_rows(cell.fold)])).sum())
    out = []
    for test, values in zip(plan.tests[cell.task, cell.fold], scores, strict=True):
        out.append(
            {
                "encoder": cell.encoder,
                "group": cell.group,
                "mode": cell.mode,
                "task": cell.task,
                "budget": cell.budget,
                "draw": cell.draw,
                "fold": cell.fold,
                "cohort": test.cohort,
                "n_patients": len(np.unique(view.patient_ids[cell.train])),
                "n_labels": len(cell.train),
                "n_positive": int((labels[cell.train] == 1).sum()),
                "percent": 100.0 * len(cell.train) / available,
                "auroc": auroc(test.labels, values),
                "auprc": average_precision(test.labels, values),
                "scores": np.asarray(values, dtype=np.float32).tolist(),
                "key": cell.key,
            }
        )
    return out


class CellStore:
    """Finished cells: one small parquet file per encoder, task, fold and mode.

    Attributes:
        folder: Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, encoder: str, task: str, fold: int, mode: Mode) -> pl.DataFrame:
        """Finished rows, with whatever key they were made; none if there are none."""
        path = self._path(encoder, task, fold, mode)
        try:
            table = pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError):
            return pl.DataFrame(schema=RESULT_COLUMNS)
        return table if table.schema == pl.Schema(RESULT_COLUMNS) else pl.DataFrame(schema=RESULT_COLUMNS)

    def save(self, encoder: str, task: str, fold: int, mode: Mode, table: pl.DataFrame) -> None:
        """Replace the rows of one encoder, task, fold and mode; whole or not at all."""
        with atomic_path(self._path(encoder, task, fold, mode)) as path:
            table.write_parquet(path)

    def _path(self, encoder: str, task: str, fold: int, mode: Mode) -> Path:
        return self.folder / encoder / f"{task}-fold{fold}-{mode}.parquet"


def table_of_tests(tests: Iterator[tuple[str, TestSet]]) -> pl.DataFrame:
    """All test sets in one table (`TEST_SET_COLUMNS`)."""
    parts = [
        pl.DataFrame(
            {
                "task": [task] * len(test.rows),
                "cohort": [test.cohort] * len(test.rows),
                "fold": [test.fold] * len(test.rows),
                "ecg_id": test.ecg_ids.tolist(),
                "patient_id": test.patient_ids.tolist(),
                "label": test.labels.astype(np.int8).tolist(),
            },
            schema=TEST_SET_COLUMNS,
        )
        for task, test in tests
    ]
    return pl.concat(parts)
