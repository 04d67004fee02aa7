"""The last step of both modes: calibration, threshold, and the model as it will be saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort, Task
from heartprint.encoders import CohortSource, FinetuningSummary, LoadedEncoder, LoadedModel, ModelConfig, Seen
from heartprint.finetuning.config import FinetuneConfig
from heartprint.metrics.auroc import auroc
from heartprint.metrics.calibration import PlattScaling, threshold_at_sensitivity
from heartprint.sheets import without_drawing

PROBE_SETTINGS = {"since", "until", "train_share", "sensitivity", "layout", "batch_size"}
"""Settings that a probe depends on."""
_ELSEWHERE = {"mode", "seed", "draw", "device", "workers"}


def assemble(
    loaded: LoadedEncoder,
    weights: npt.NDArray[np.floating],
    bias: float,
    *,
    task: Task,
    validation_labels: npt.NDArray[np.floating],
    validation_scores: npt.NDArray[np.floating],
    config: FinetuneConfig,
    cohort: Cohort,
    labels: npt.NDArray[np.floating],
    notes: Mapping[str, Any],
    seen: Seen,
) -> LoadedModel:
    """Calibrate a linear rule on an encoder and choose its threshold.

    Args:
        loaded: The encoder that the rule reads.
        weights: ``(D,)`` of the rule for embeddings as they are.
        bias: Its offset.
        task: What it answers.
        validation_labels: ``(v,)`` 0 or 1.
        validation_scores: ``(v,)`` scores of ECGs by a rule that did not see their patients.
        config: Settings of the run.
        cohort: Every ECG whose label was used for anything.
        labels: ``(n,)`` their labels.
        notes: What else happened, kept with the model.
        seen: Everybody who took part.

    Raises:
        HeartprintError: ``one-class-only``.
    """
    platt = PlattScaling.fit(validation_scores, validation_labels)
    threshold = threshold_at_sensitivity(validation_labels, platt(validation_scores), config.sensitivity)
    # Probabilities round to 0 or 1 where scores are extreme, and a threshold there would call all ECGs alike.
    threshold = float(np.clip(threshold, np.nextafter(0.0, 1.0), np.nextafter(1.0, 0.0)))
    settings = {
        **settings_of(cohort, config),
        **notes,
        "validation_auroc": round(auroc(validation_labels, validation_scores), 4),
        "n_validation": len(validation_labels),
    }
    summary = FinetuningSummary(
        mode=config.mode,
        n_labels=len(labels),
        n_positive=int((labels == 1).sum()),
        seed=config.seed,
        draw=config.draw,
        cohort=CohortSource.of(cohort),
        settings=settings,
    )
    return LoadedModel(
        encoder=loaded,
        weights=np.asarray(weights, dtype=np.float32),
        bias=float(bias),
        config=ModelConfig(encoder=loaded.config, task=task, platt=platt, threshold=threshold, finetuning=summary),
        seen=seen,
        name=f"{task.name} from {loaded.name}",
    )


def settings_of(cohort: Cohort, config: FinetuneConfig) -> dict[str, Any]:
    """The settings that a model depends on, as plain values."""
    chosen = config.model_dump(
        mode="json", include=PROBE_SETTINGS if config.mode == "probe" else None, exclude=_ELSEWHERE
    )
    return without_drawing(cohort, chosen)
