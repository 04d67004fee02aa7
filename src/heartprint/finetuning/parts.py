"""How label budgets are divided: validation patients, cross-fitting parts, batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from heartprint.finetuning.config import FinetuneConfig
from heartprint.finetuning.targets import Target, patient_strata
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.metrics.probe import grouped_folds

Rows = npt.NDArray[np.int64]


def validation_part(
    patients: npt.NDArray[np.int64], positive: npt.NDArray[np.bool_], config: FinetuneConfig
) -> npt.NDArray[np.bool_] | None:
    """Choose validation patients from inside the budget, positives and negatives in proportion.

    Args:
        patients: ``(n,)`` patient of each ECG.
        positive: ``(n,)``. A patient with any positive ECG counts as positive.
        config: ``validation_share``, ``min_validation``, ``seed``, ``draw``.

    Returns:
        ``(n,)`` True for the ECGs of validation patients, or None if a class would have fewer than
        ``min_validation`` patients on either side.
    """
    ids = np.unique(patients)
    is_positive = np.isin(ids, patients[positive])
    rng = generator(config.seed, "validation patients", config.draw)
    chosen: list[npt.NDArray[np.int64]] = []
    for members in (ids[is_positive], ids[~is_positive]):
        n = round(config.validation_share * len(members))
        if min(n, len(members) - n) < config.min_validation:
            return None
        chosen.append(rng.permutation(members)[:n])
    return np.isin(patients, np.concatenate(chosen))


def cross_fit_parts(
    patients: npt.NDArray[np.int64], positive: npt.NDArray[np.bool_], config: FinetuneConfig
) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of rows to learn from and rows left out; every row is left out once, patients are never parted.

    Raises:
        HeartprintError: ``too-few-patients`` or ``one-class-only``.
    """
    yield from _parts(grouped_folds(positive, patients, max_folds=config.cross_fit_folds, seed=config.seed))


def validation_part_of_heads(
    patients: npt.NDArray[np.int64], targets: Sequence[Target], config: FinetuneConfig
) -> npt.NDArray[np.bool_] | None:
    """Choose validation patients for several heads at once, every pattern of labels in proportion.

    Arguments and result as in `validation_part`; a head of numbers needs twice ``min_validation`` patients on either
    side, and numbers that differ.
    """
    if len(targets) == 1 and not targets[0].is_number:
        return validation_part(patients, targets[0].positive, config)
    patient = np.unique(patients, return_inverse=True)[1]
    groups = patient_strata(targets, patient)
    rng = generator(config.seed, "validation patients", config.draw)
    order = np.concatenate([rng.permutation(np.flatnonzero(groups == g)) for g in range(int(groups.max()) + 1)])
    # Every so manieth of all patients, pattern after pattern: patterns too rare for a share of their own have one
    # together.
    steps = np.floor(config.validation_share * np.arange(len(order) + 1) + 0.5)
    chosen = np.isin(patient, order[np.diff(steps) > 0])
    for target in targets:
        for side in (chosen, ~chosen):
            rows = side & target.known
            n = len(np.unique(patient[rows]))
            if target.is_number:
                enough = n >= 2 * config.min_validation and bool(np.ptp(target.labels[rows]) > 0)
            else:
                n_positive = len(np.unique(patient[rows & target.positive]))
                enough = min(n_positive, n - n_positive) >= config.min_validation
            if not enough:
                return None
    return chosen


def cross_fit_parts_of_heads(
    patients: npt.NDArray[np.int64], targets: Sequence[Target], config: FinetuneConfig
) -> Iterator[tuple[Rows, Rows]]:
    """`cross_fit_parts` for several heads at once, every pattern of labels dealt evenly.

    Raises:
        HeartprintError: ``too-few-patients`` or ``one-class-only``.
    """
    if len(targets) == 1 and not targets[0].is_number:
        yield from cross_fit_parts(patients, targets[0].positive, config)
        return
    patient = np.unique(patients, return_inverse=True)[1]
    groups = patient_strata(targets, patient)
    rng = generator(config.seed, "probe folds")
    order = np.concatenate([rng.permutation(np.flatnonzero(groups == g)) for g in range(int(groups.max()) + 1)])
    fold = np.empty(len(order), dtype=np.int64)
    fold[order] = np.arange(len(order)) % config.cross_fit_folds
    parts = list(_parts(fold[patient]))
    for target in targets:
        for kept, left_out in parts:
            known = kept[target.known[kept]]
            classes = target.labels[known] if target.is_number else target.positive[known]
            if not len(left_out) or len(np.unique(patient[known])) < 2 or len(np.unique(classes)) < 2:
                raise HeartprintError(
                    "too-few-patients", f"'{target.task.name}' has too few patients to leave some out. Add labels."
                )
    yield from parts


def _parts(folds: npt.NDArray[np.int64]) -> Iterator[tuple[Rows, Rows]]:
    for fold in range(int(folds.max()) + 1):
        yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def batches(
    strata: npt.NDArray[np.bool_] | npt.NDArray[np.int64], rows: Rows, epoch: int, config: FinetuneConfig
) -> Iterator[tuple[int, Rows]]:
    """One pass over some rows in random order, each batch with its share of both classes, or of every stratum.

    Yields:
        The epoch and rows: at most ``batch_size``, but never one alone, because batch normalisation needs two. Batches
        differ in size by one at most.
    """
    rng = generator(config.seed, "fine-tuning order", config.draw, epoch)
    place = np.empty(len(rows))
    for answer in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata[rows] == answer))
        # Spread evenly over (0, 1), so that a rare class is not all in one batch.
        place[members] = (np.arange(len(members)) + rng.random()) / max(1, len(members))
    n_batches = max(1, min(-(-len(rows) // config.batch_size), len(rows) // 2))
    for part in np.array_split(rows[np.argsort(place, kind="stable")], n_batches):
        yield epoch, part
