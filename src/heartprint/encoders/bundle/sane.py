"""Does a description describe something that can be? Beyond what its types say."""

from __future__ import annotations

import re

from heartprint.cohorts.schema import RECORD_COLUMNS
from heartprint.cohorts.tasks import AnyTask, Regression
from heartprint.encoders.bundle.config import EncoderConfig, ModelConfig
from heartprint.encoders.bundle.seen_patients import Seen
from heartprint.encoders.networks.registry import get_backbone

# Names become parts of paths, of tables and of pages that browsers show.
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f<>/\\]{1,200}")
_TITLE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,1000}")
_LAYOUT_FILE = re.compile(r"[^\x00-\x1f\x7f-\x9f<>/\\]{1,200}\.ya?ml")
_TASK_COLUMNS = RECORD_COLUMNS.keys() - {"ecg_id", "patient_id", "offset", "waveform_hash"}


def oddity(config: EncoderConfig | ModelConfig) -> str | None:
    """What is wrong with a description whose types and ranges are right; None if nothing is.

    Raises:
        HeartprintError: ``unknown-backbone``.
    """
    encoder = config.encoder if isinstance(config, ModelConfig) else config
    spec = get_backbone(encoder.backbone)
    have = encoder.embedding_dim, encoder.page_to_tensor.channels
    want = spec.embedding_dim, spec.channels
    if have != want:
        return f"it gives '{encoder.backbone}' {have[0]} numbers and {have[1]} channels, not {want[0]} and {want[1]}"
    from heartprint.sheets import LAYOUTS

    for layout in encoder.layouts:
        if layout not in LAYOUTS and not _LAYOUT_FILE.fullmatch(layout):
            return f"it names the layout '{layout[:60]}', which there is not"
    stages = [stage.cohort for stage in encoder.stages]
    cohorts = [*stages, *([config.finetuning.cohort] if isinstance(config, ModelConfig) else [])]
    if not all(_TITLE.fullmatch(cohort.name) for cohort in cohorts):
        return "the name of a cohort in it holds control characters or nothing"
    heads = config.heads if isinstance(config, ModelConfig) else ()
    return next((what for head in heads if (what := odd_task(head.task)) is not None), None)


def odd_task(task: AnyTask) -> str | None:
    """What is wrong with a task; None if nothing is."""
    if not _NAME.fullmatch(task.name) or task.name.strip(".") == "":
        return f"'{task.name[:60]}' is not a name for a task"
    if not _TITLE.fullmatch(task.title):
        return "the title of its task holds control characters or nothing"
    if isinstance(task, Regression) and task.unit and not _TITLE.fullmatch(task.unit):
        return "the unit of its task holds control characters"
    for column in (task.column, *(condition.column for condition in task.exclude)):
        if column not in _TASK_COLUMNS and not (column.startswith("label_") and _NAME.fullmatch(column)):
            return f"its task asks for the column '{column[:60]}', which is neither a label nor a measurement"
    return None


def unlisted(config: EncoderConfig | ModelConfig, seen: Seen) -> str | None:
    """Which cohort has fewer patients in the lists of who took part than it must have; None if none."""
    encoder = config.encoder if isinstance(config, ModelConfig) else config
    cohorts = [stage.cohort for stage in encoder.stages]
    if isinstance(config, ModelConfig):
        cohorts.append(config.finetuning.cohort)
    for cohort in cohorts:
        by_source = cohort.simulation is not None and cohort.simulation in seen.simulated
        if not by_source and (len(seen.patients) < cohort.n_patients or (cohort.n_ecgs and not len(seen.ecgs))):
            return (
                f"{len(seen.patients):,} patients are in it, though {cohort.n_patients:,} of '{cohort.name[:60]}' "
                "took part"
            )
    return None
