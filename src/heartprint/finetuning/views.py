"""Random views of ECGs: each sheet in a layout and a pose of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort
from heartprint.encoders import LoadedEncoder
from heartprint.finetuning.config import FinetuneConfig
from heartprint.finetuning.parts import Rows
from heartprint.foundation.randomness import generator, stable_hash
from heartprint.sheets import random_sheet_of

Pages = npt.NDArray[np.uint8]
_AHEAD = 2


def draw_views(
    loaded: LoadedEncoder,
    cohort: Cohort,
    rows: Rows,
    epoch: int,
    config: FinetuneConfig,
    *,
    purpose: str = "fine-tuning view",
    part: int = 0,
) -> Pages:
    """Draw one view of each ECG.

    A view is a function of seed, draw, purpose, part, epoch and ecg_id alone.

    Args:
        loaded: The encoder that is to read them.
        cohort: The ECGs.
        rows: ``(b,)`` which of them.
        epoch: Number of the pass.
        config: ``layouts``, ``styles``, ``recipes``, ``max_rotation_deg``, ``seed``, ``draw``.
        purpose: Purpose of the random draws.
        part: Number of the training within the run.

    Returns:
        ``(b, S, S)`` uint8.
    """
    size = loaded.config.image_size
    pages = np.empty((len(rows), size, size), dtype=np.uint8)
    key = f"{purpose}\x1f{config.draw}\x1f{part}"
    for page, row, ecg_id in zip(pages, rows.tolist(), cohort.records["ecg_id"][rows].to_list(), strict=True):
        rng = generator(config.seed, key, epoch, stable_hash(ecg_id))
        page[...] = random_sheet_of(
            cohort,
            row,
            size,
            rng,
            layouts=config.layouts,
            styles=config.styles,
            recipes=config.recipes,
            max_rotation_deg=config.max_rotation_deg,
            baseline=loaded.config.baseline,
        )
    return pages


def drawn_ahead(
    loaded: LoadedEncoder,
    cohort: Cohort,
    batches: Iterable[tuple[int, Rows]],
    config: FinetuneConfig,
    *,
    purpose: str = "fine-tuning view",
    part: int = 0,
) -> Iterator[Pages]:
    """Draw batches (epoch and rows) in ``config.workers`` threads, a little ahead of the caller, in order.

    Arguments as in `draw_views`.
    """
    with ThreadPoolExecutor(max_workers=config.workers) as pool:
        waiting: deque[Future[Pages]] = deque()
        try:
            for epoch, rows in batches:
                waiting.append(pool.submit(draw_views, loaded, cohort, rows, epoch, config, purpose=purpose, part=part))
                if len(waiting) > _AHEAD + config.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
