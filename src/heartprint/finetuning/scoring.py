"""Scores of a whole cohort by a model in memory or on disk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort
from heartprint.encoders import LoadedModel, embed_cohort


def score_cohort(
    model: LoadedModel, cohort: Cohort, *, layout: str = "standard", batch_size: int = 64, progress: bool = True
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Score every ECG of a cohort by one upright sheet.

    Args:
        model: What `train_probe`, `train_full` or ``load_model`` gave, on the device it is to use.
        cohort: The ECGs.
        layout: Layout of the sheets.
        batch_size: Sheets at a time.
        progress: Whether to show progress.

    Returns:
        ``(n,)`` logits and ``(n,)`` calibrated probabilities in the cohort's order. The logits rank the ECGs as the
        probabilities do, without their ties.
    """
    embedding = embed_cohort(model.encoder, cohort, layout=layout, batch_size=batch_size, progress=progress)
    return model.score_embeddings(embedding)
