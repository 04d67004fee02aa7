"""What the heads of a model learn: tasks with labels, some of which may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import AnyTask, Regression
from heartprint.foundation.errors import HeartprintError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Target:
    """A task and its labels for the ECGs that a model learns from.

    Attributes:
        task: The task.
        labels: ``(n,)`` in the order of the ECGs: 1 or 0, or numbers; NaN where there is none, or none that may be
            used.
    """

    task: AnyTask
    labels: Floats

    @property
    def known(self) -> Bools:
        """``(n,)`` which ECGs have a label."""
        return ~np.isnan(self.labels)

    @property
    def positive(self) -> Bools:
        """``(n,)`` which ECGs are positive."""
        out: Bools = self.labels == 1
        return out

    @property
    def is_number(self) -> bool:
        """Whether the task is a number."""
        return isinstance(self.task, Regression)


def targets_of(
    labels: npt.NDArray[np.floating] | Sequence[npt.NDArray[np.floating]], task: AnyTask | Sequence[AnyTask]
) -> tuple[Target, ...]:
    """Pair labels with tasks: ``(n,)`` with one task, or ``(H, n)`` with H of them."""
    tasks = list(task) if isinstance(task, Sequence) else [task]
    rows = np.atleast_2d(np.asarray(labels, dtype=np.float64))
    return tuple(Target(one, row) for one, row in zip(tasks, rows, strict=True))


def require_variation(target: Target, rows: npt.NDArray[np.int64]) -> None:
    """Refuse numbers that never change.

    Raises:
        HeartprintError: ``constant-target``.
    """
    if len(rows) == 0 or np.ptp(target.labels[rows]) == 0:
        raise HeartprintError(
            "constant-target",
            f"All {len(rows):,} labels of '{target.task.name}' are the same number, from which nothing can be learned. "
            "Check the column, or ask for more labels.",
        )


def strata(targets: Sequence[Target]) -> npt.NDArray[np.int64]:
    """``(n,)`` which ECGs have the same labels: in one task of classes 0 and 1, otherwise every pattern its number.

    Numbers differ in nothing but whether they are known.
    """
    return np.unique(_patterns(targets), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def patient_strata(targets: Sequence[Target], patient: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """``(n_patients,)`` the same for patients ``0...``; one with any positive ECG counts as positive."""
    patterns = _patterns(targets)
    of_patient = np.zeros((int(patient.max()) + 1, patterns.shape[1]), dtype=np.int64)
    np.maximum.at(of_patient, patient, patterns)
    return np.unique(of_patient, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _patterns(targets: Sequence[Target]) -> npt.NDArray[np.int64]:
    """``(n, H)``: 0 without a label, 1 negative or a number, 2 positive."""
    columns = [np.where(t.known, 1, 0) + (t.positive if not t.is_number else 0) for t in targets]
    return np.stack(columns, axis=1).astype(np.int64)
