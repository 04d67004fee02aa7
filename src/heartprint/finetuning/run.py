"""The whole of fine-tuning: cohort and labels in, model folder out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from heartprint.cohorts import Cohort, Task, draw_budgets, get_task, split_by_patient
from heartprint.cohorts.splits import Budget
from heartprint.encoders import LoadedEncoder, LoadedModel, TaskModel, resolve_encoder, save_model
from heartprint.encoders.bundle.files import MODEL_OUTPUT, recipe_in, recipe_of
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
    task: str,
    init: str | Path | LoadedEncoder,
    labels: str | Budget,
    out: str | Path,
    config: FinetuneConfig | None = None,
    backbone: str | None = None,
    image_size: int | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> LoadedModel:
    """Make a model that answers a task, from an encoder and a label budget.

    Args:
        cohort: Where the labels are.
        task: Name of the task.
        init: ``heartprint``, ``heartprint-photo``, a run folder, an encoder folder, a model folder, ``imagenet``,
            ``random``, or a loaded encoder.
        labels: Number of patients, share of the labelled patients, or ``all``; see `draw_budgets`.
        out: Model folder to write.
        config: Settings.
        backbone: Backbone of ``imagenet`` or ``random``.
        image_size: Side of the network's input in px, of ``imagenet`` or ``random``.
        progress: Whether to show progress.
        overwrite: Whether an older model of the same recipe (task, cohort, labels, encoder, settings) may be replaced.

    Returns:
        The model that was written.

    Raises:
        HeartprintError: ``unknown-task``, ``label-missing``, ``one-class-only``, ``budget-too-small``,
            ``budget-too-large``, ``bad-label-budget``, ``no-ecgs``, ``needs-waveforms`` if images are to be drawn in
            layouts or styles, what `claim_output` raises for ``out``, what `resolve_encoder` raises,
            ``out-of-memory``, ``disk-full``.
    """
    config = config or FinetuneConfig()
    check_drawing(cohort, config)
    budget = parse_budget(labels)
    out = Path(out)
    claim_output(out, MODEL_OUTPUT, overwrite=True)  # what the folder holds is compared when the recipe is known
    used = _chosen(cohort, config)
    definition = get_task(task, cohort.records)
    answers = definition.labels(used.records)
    rows = draw_budgets(
        used.patient_ids,
        answers,
        [budget],
        seed=config.seed,
        draw=config.draw,
        purpose=f"finetune\x1f{definition.name}",
    )[budget]
    loaded = (
        init
        if isinstance(init, LoadedEncoder)
        else resolve_encoder(init, backbone=backbone, image_size=image_size, seed=config.seed)
    )
    part, known = used.take(rows), answers[rows].astype(np.float64)
    recipe = _recipe(definition, part, loaded, config)
    claim_output(out, MODEL_OUTPUT, recipe=recipe, recipe_of=recipe_in, overwrite=overwrite)
    with memory_explained(config.batch_size):
        loaded.encoder.to(choose_device(config.device))
        if config.mode == "full":
            from heartprint.finetuning.full import train_full as train
        else:
            from heartprint.finetuning.probe import train_probe as train
        model = train(loaded, part, known, task=definition, config=config, progress=progress)
        distance = distance_for(model.encoder, learned_layouts(used, config), used, progress=progress)
    model = replace(model, encoder=replace(model.encoder, distance=distance))
    head = TaskModel.from_linear(model.encoder.encoder, model.weights, model.bias)
    save_model(out, head, model.config, seen=model.seen, distance=distance)
    return model


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


def _recipe(task: Task, part: Cohort, loaded: LoadedEncoder, config: FinetuneConfig) -> dict[str, Any]:
    """What decides a model, by the names of `heartprint.encoders.bundle.files.recipe_of`."""
    return {
        "kind": "model",
        "task": task.name,
        "definition": task.to_json(),
        "cohort": part.info.name,
        "labels": len(part),
        **{name: getattr(config, name) for name in ("mode", "seed", "draw")},
        **settings_of(part, config),
        **{f"encoder's {name}": value for name, value in recipe_of(loaded.config).items()},
    }
