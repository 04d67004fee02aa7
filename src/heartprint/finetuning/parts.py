"""How a label budget is divided: validation patients, cross-fitting parts, batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from heartprint.finetuning.config import FinetuneConfig
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
    folds = grouped_folds(positive, patients, max_folds=config.cross_fit_folds, seed=config.seed)
    for fold in range(int(folds.max()) + 1):
        yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def batches(
    positive: npt.NDArray[np.bool_], rows: Rows, epoch: int, config: FinetuneConfig
) -> Iterator[tuple[int, Rows]]:
    """One pass over some rows in random order, each batch with its share of both classes.

    Yields:
        The epoch and rows: at most ``batch_size``, but never one alone, because batch normalisation needs two. Batches
        differ in size by one at most.
    """
    rng = generator(config.seed, "fine-tuning order", config.draw, epoch)
    place = np.empty(len(rows))
    for answer in (False, True):
        members = rng.permutation(np.flatnonzero(positive[rows] == answer))
        # Spread evenly over (0, 1), so that a rare class is not all in one batch.
        place[members] = (np.arange(len(members)) + rng.random()) / max(1, len(members))
    n_batches = max(1, min(-(-len(rows) // config.batch_size), len(rows) // 2))
    for part in np.array_split(rows[np.argsort(place, kind="stable")], n_batches):
        yield epoch, part
