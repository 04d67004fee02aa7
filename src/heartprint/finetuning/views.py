"""Random views of ECGs: each sheet in a layout and a pose of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from heartprint.cohorts import Cohort
from heartprint.finetuning.config import FinetuneConfig
from heartprint.finetuning.parts import Rows
from heartprint.foundation.arrays import Images
from heartprint.foundation.prefetch import prefetch
from heartprint.foundation.randomness import generator, stable_hash
from heartprint.sheets import SheetSampler


def draw_views(
    sampler: SheetSampler,
    cohort: Cohort,
    rows: Rows,
    epoch: int,
    config: FinetuneConfig,
    *,
    purpose: str = "fine-tuning view",
    part: int = 0,
) -> Images:
    """Draw one view of each ECG.

    A view is a function of the sampler, seed, draw, purpose, part, epoch and ecg_id alone.

    Args:
        sampler: What is drawn from, see `FinetuneConfig.images`.
        cohort: The ECGs.
        rows: ``(b,)`` which of them.
        epoch: Number of the pass.
        config: ``seed`` and ``draw``.
        purpose: Purpose of the random draws.
        part: Number of the training within the run.

    Returns:
        ``(b, S, S)`` uint8.
    """
    key = f"{purpose}\x1f{config.draw}\x1f{part}"
    ids = cohort.records["ecg_id"][rows].to_list()
    rngs = (generator(config.seed, key, epoch, stable_hash(ecg_id)) for ecg_id in ids)
    return np.stack([sampler.random(cohort, row, rng) for row, rng in zip(rows.tolist(), rngs, strict=True)])


def drawn_ahead(
    sampler: SheetSampler,
    cohort: Cohort,
    batches: Iterable[tuple[int, Rows]],
    config: FinetuneConfig,
    *,
    purpose: str = "fine-tuning view",
    part: int = 0,
) -> Iterator[Images]:
    """Draw batches (epoch and rows) in ``config.workers`` threads, ahead of the caller; see `draw_views`."""

    def draw(batch: tuple[int, Rows]) -> Images:
        epoch, rows = batch
        return draw_views(sampler, cohort, rows, epoch, config, purpose=purpose, part=part)

    return prefetch(batches, draw, workers=config.workers)
