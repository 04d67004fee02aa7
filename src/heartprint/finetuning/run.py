"""The whole of fine-tuning: cohort and labels in, model folder out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import AnyTask, Cohort, Regression, draw_budgets, get_task, split_by_patient
from heartprint.cohorts.splits import Budget, draw_number_budgets
from heartprint.encoders import LoadedEncoder, LoadedModel, TaskModel, resolve_encoder, save_model
from heartprint.encoders.bundle.files import MODEL_OUTPUT, recipe_in, recipe_of, tasks_of
from heartprint.encoders.bundle.heads import MAX_HEADS, twice
from heartprint.encoders.bundle.known_sheets import distance_for
from heartprint.finetuning.assemble import settings_of
from heartprint.finetuning.config import FinetuneConfig
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.outputs import claim_output
from heartprint.sheets import check_drawing
from heartprint.training.device import choose_device
from heartprint.training.out_of_memory import memory_explained


def finetune(
    cohort: Cohort,
    *,
    task: str | Sequence[str],
    init: str | Path | LoadedEncoder,
    labels: str | Budget,
    out: str | Path,
    config: FinetuneConfig | None = None,
    backbone: str | None = None,
    image_size: int | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> LoadedModel:
    """Make a model that answers one task or several, from an encoder and a label budget.

    Args:
        cohort: Where the labels are.
        task: Name of the task, or several names: one model, one embedding, a head for each.
        init: ``heartprint``, ``heartprint-photo``, a run folder, an encoder folder, a model folder, ``imagenet``,
            ``random``, or a loaded encoder.
        labels: Number of patients, share of the labelled patients, or ``all``; see `draw_budgets`. Of several tasks
            each has a budget of this size, drawn as if it were alone; a label outside of it is not used.
        out: Model folder to write.
        config: Settings.
        backbone: Backbone of ``imagenet`` or ``random``.
        image_size: Side of the network's input in px, of ``imagenet`` or ``random``.
        progress: Whether to show progress.
        overwrite: Whether an older model of the same recipe (task, cohort, labels, encoder, settings) may be replaced.

    Returns:
        The model that was written.

    Raises:
        HeartprintError: ``unknown-task``, ``task-twice``, ``too-many-tasks``, ``no-threshold`` for a sensitivity where
            no task has classes, ``label-missing``, ``no-labels``, ``one-class-only``, ``constant-target``,
            ``budget-too-small``, ``budget-too-large``, ``bad-label-budget``, ``no-ecgs``, ``needs-waveforms`` if images
            are to be drawn in layouts or styles, what `claim_output` raises for ``out``, what `resolve_encoder` raises,
            ``out-of-memory``, ``disk-full``.
    """
    config = config or FinetuneConfig()
    check_drawing(cohort, config)
    budget = parse_budget(labels)
    out = Path(out)
    claim_output(out, MODEL_OUTPUT, overwrite=True)  # what the folder holds is compared when the recipe is known
    used = _chosen(cohort, config)
    tasks = _tasks([task] if isinstance(task, str) else task, cohort, config)
    rows, known = _drawn_labels(tasks, used, budget, config)
    loaded = (
        init
        if isinstance(init, LoadedEncoder)
        else resolve_encoder(init, backbone=backbone, image_size=image_size, seed=config.seed)
    )
    part = used.take(rows)
    recipe = _recipe(tasks, part, known, loaded, config)
    claim_output(out, MODEL_OUTPUT, recipe=recipe, recipe_of=recipe_in, overwrite=overwrite)
    with memory_explained(config.batch_size):
        loaded.encoder.to(choose_device(config.device))
        if config.mode == "full":
            from heartprint.finetuning.full import train_full as train
        else:
            from heartprint.finetuning.probe import train_probe as train
        model = train(loaded, part, known, task=tasks, config=config, progress=progress)
        distance = distance_for(model.encoder, learned_layouts(used, config), used, progress=progress)
    model = replace(model, encoder=replace(model.encoder, distance=distance))
    head = TaskModel.from_linear(model.encoder.encoder, model.weights, model.bias)
    save_model(out, head, model.config, seen=model.seen, distance=distance)
    return model


def _tasks(names: Sequence[str], cohort: Cohort, config: FinetuneConfig) -> list[AnyTask]:
    """The tasks of a model."""
    tasks = [get_task(name, cohort.records) for name in names]
    if (name := twice(tasks)) is not None:
        raise HeartprintError("task-twice", f"The task '{name}' is named twice. Name each task once.")
    if not 1 <= len(tasks) <= MAX_HEADS:
        raise HeartprintError(
            "too-many-tasks",
            f"A model answers 1 to {MAX_HEADS} tasks, and {len(tasks)} are named. Train several models.",
        )
    if all(isinstance(one, Regression) for one in tasks) and "sensitivity" in config.model_fields_set:
        named = " and ".join(f"'{one.name}'" for one in tasks)
        raise HeartprintError(
            "no-threshold",
            f"A sensitivity chooses the threshold of a task of classes, and {named} "
            f"{'has none: it is a number' if len(tasks) == 1 else 'have none: they are numbers'}. Omit it.",
        )
    return tasks


def _drawn_labels(
    tasks: Sequence[AnyTask], used: Cohort, budget: Budget, config: FinetuneConfig
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Rows ``(n,)`` that any budget holds, and ``(H, n)`` labels of each task in its own budget, NaN elsewhere."""
    drawn = np.full((len(tasks), len(used)), np.nan)
    for of_task, task in zip(drawn, tasks, strict=True):
        answers = task.labels(used.records)
        if np.isnan(answers).all():
            odd = task.out_of_range(used.records) if isinstance(task, Regression) else 0
            why = f" ({odd:,} numbers lie outside the range of the task)" if odd else ""
            raise HeartprintError(
                "no-labels",
                f"None of the {len(used):,} ECGs of {used.info.name} that may be learned from has a label for "
                f"'{task.name}'{why}. Check the column '{task.column}', or leave this task out.",
            )
        draw = draw_number_budgets if isinstance(task, Regression) else draw_budgets
        # The name of the task alone decides: a head learns from the same labels whatever other heads there are.
        purpose = f"finetune\x1f{task.name}"
        rows = draw(used.patient_ids, answers, [budget], seed=config.seed, draw=config.draw, purpose=purpose)[budget]
        of_task[rows] = answers[rows]
    rows = np.flatnonzero(~np.isnan(drawn).all(axis=0))
    return rows, drawn[:, rows]


def learned_layouts(cohort: Cohort, config: FinetuneConfig) -> tuple[str, ...]:
    """The layouts that a model learns its task from; of images none that could be drawn."""
    if cohort.kind == "image":
        return ()
    return config.layouts if config.mode == "full" else (config.layout,)


def parse_budget(text: str | Budget) -> Budget:
    """Read a label budget: ``"150"`` patients, ``"0.01"`` of them, or ``"all"``.

    Raises:
        HeartprintError: ``bad-label-budget``.
    """
    if text == "all":
        return "all"
    try:
        value = text if isinstance(text, int | float) else float(text) if "." in text or "e" in text else int(text)
    except ValueError:
        value = math.nan
    if isinstance(value, int) and value >= 1:
        return value
    if isinstance(value, float) and 0 < value <= 1:
        return value
    raise HeartprintError(
        "bad-label-budget",
        f"'{text}' is no label budget. Give a number of patients (150), a share of them (0.01), or 'all'.",
    )


def _chosen(cohort: Cohort, config: FinetuneConfig) -> Cohort:
    """The ECGs that labels may come from."""
    used = cohort.filter(since=config.since, until=config.until)
    if config.train_share < 1:
        shares = {"train": config.train_share, "rest": 1 - config.train_share}
        used = split_by_patient(used, shares, seed=config.seed)["train"]
    if len(used) == 0:
        raise HeartprintError(
            "no-ecgs",
            f"No ECG of {cohort.info.name} is left between {config.since or 'the beginning'} and "
            f"{config.until or 'the end'} in a train share of {config.train_share:g}. Widen these settings, or check "
            "that the ECGs have dates.",
        )
    return used


def _recipe(
    tasks: Sequence[AnyTask],
    part: Cohort,
    labels: npt.NDArray[np.float64],
    loaded: LoadedEncoder,
    config: FinetuneConfig,
) -> dict[str, Any]:
    """What decides a model, by the names of `heartprint.encoders.bundle.files.recipe_of`."""
    return {
        "kind": "model",
        **tasks_of(tasks),
        "cohort": part.info.name,
        "labels": int((~np.isnan(labels)).sum()),
        **{name: getattr(config, name) for name in ("mode", "seed", "draw")},
        **settings_of(part, config),
        **{f"encoder's {name}": value for name, value in recipe_of(loaded.config).items()},
    }
