"""The last step of both modes: calibration, thresholds, and the model as it will be saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort, Regression
from heartprint.encoders import CohortSource, FinetuningSummary, LoadedEncoder, LoadedModel, ModelConfig, Seen
from heartprint.encoders.bundle.heads import ClassHead, NumberHead
from heartprint.finetuning.config import FinetuneConfig
from heartprint.finetuning.targets import Target
from heartprint.metrics.auroc import auroc
from heartprint.metrics.calibration import PlattScaling, threshold_at_sensitivity
from heartprint.metrics.regression import NumberCalibration
from heartprint.sheets import without_drawing

PROBE_SETTINGS = {"since", "until", "train_share", "sensitivity", "layout", "batch_size"}
"""Settings that a probe depends on."""
_ELSEWHERE = {"mode", "seed", "draw", "device", "workers"}


@dataclass(frozen=True, eq=False)
class Rule:
    """A linear rule on an encoder, and what calibrates it.

    Attributes:
        target: What it answers, with every label that was used for anything.
        weights: ``(D,)`` for embeddings as they are.
        bias: Its offset.
        validation_labels: ``(v,)`` labels, NaN = none.
        validation_scores: ``(v,)`` scores of ECGs by a rule that did not see their patients.
        notes: What else happened to this rule alone.
    """

    target: Target
    weights: npt.NDArray[np.floating]
    bias: float
    validation_labels: npt.NDArray[np.floating]
    validation_scores: npt.NDArray[np.floating]
    notes: Mapping[str, Any] = field(default_factory=dict)


def assemble(
    loaded: LoadedEncoder,
    rules: Sequence[Rule],
    *,
    config: FinetuneConfig,
    cohort: Cohort,
    notes: Mapping[str, Any],
    seen: Seen,
) -> LoadedModel:
    """Calibrate the linear rules on an encoder and choose their thresholds.

    Args:
        loaded: The encoder that the rules read.
        rules: A rule for each task.
        config: Settings of the run.
        cohort: Every ECG whose label was used for anything.
        notes: What else happened, kept with the model.
        seen: Everybody who took part.

    Raises:
        HeartprintError: ``one-class-only`` or ``constant-target``.
    """
    made = [_head(rule, config) for rule in rules]
    settings = {**settings_of(cohort, config), **notes}
    heads = tuple(head for head, _ in made)
    if len(made) == 1:
        settings |= made[0][1]
    else:
        heads = tuple(head.model_copy(update={"notes": own}) for head, own in made)
    summary = FinetuningSummary(
        mode=config.mode,
        n_labels=sum(head.n_labels for head in heads),
        n_positive=sum(head.n_positive for head in heads if isinstance(head, ClassHead)),
        seed=config.seed,
        draw=config.draw,
        cohort=CohortSource.of(cohort),
        settings=settings,
    )
    return LoadedModel(
        encoder=loaded,
        weights=np.stack([np.asarray(rule.weights, dtype=np.float32) for rule in rules]),
        bias=np.array([float(rule.bias) for rule in rules]),
        config=ModelConfig(encoder=loaded.config, heads=heads, finetuning=summary),
        seen=seen,
        name=f"{', '.join(rule.target.task.name for rule in rules)} from {loaded.name}",
    )


def _head(rule: Rule, config: FinetuneConfig) -> tuple[ClassHead | NumberHead, dict[str, Any]]:
    """A calibrated head, and how it did on the labels that it was calibrated on."""
    known = ~np.isnan(rule.validation_labels)
    labels, scores = rule.validation_labels[known], rule.validation_scores[known]
    task, n_labels = rule.target.task, int(rule.target.known.sum())
    if isinstance(task, Regression):
        calibration = NumberCalibration.fit(scores, labels)
        error = calibration(scores) - labels
        told = {
            "validation_mae": round(float(np.abs(error).mean()), 4),
            "validation_r2": round(1 - float(error @ error) / float(np.sum((labels - labels.mean()) ** 2)), 4),
            "n_validation": len(labels),
        }
        return NumberHead(task=task, calibration=calibration, n_labels=n_labels), {**rule.notes, **told}
    platt = PlattScaling.fit(scores, labels)
    threshold = threshold_at_sensitivity(labels, platt(scores), config.sensitivity)
    # Probabilities round to 0 or 1 where scores are extreme, and a threshold there would call all ECGs alike.
    threshold = float(np.clip(threshold, np.nextafter(0.0, 1.0), np.nextafter(1.0, 0.0)))
    told = {"validation_auroc": round(auroc(labels, scores), 4), "n_validation": len(labels)}
    n_positive = int(rule.target.positive.sum())
    head = ClassHead(task=task, platt=platt, threshold=threshold, n_labels=n_labels, n_positive=n_positive)
    return head, {**rule.notes, **told}


def settings_of(cohort: Cohort, config: FinetuneConfig) -> dict[str, Any]:
    """The settings that a model depends on, as plain values."""
    chosen = config.model_dump(
        mode="json", include=PROBE_SETTINGS if config.mode == "probe" else None, exclude=_ELSEWHERE
    )
    return without_drawing(cohort, chosen)
