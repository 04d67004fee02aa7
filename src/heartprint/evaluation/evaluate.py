"""How good a model is on a cohort: discrimination, calibration, decisions, layouts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import heartprint
from heartprint.cohorts import Cohort
from heartprint.encoders.bundle.files import tasks_of
from heartprint.encoders.bundle.heads import ClassHead, NumberHead, only_class_head
from heartprint.evaluation.heads import measure_head, require_answers, result_of, score_table, together
from heartprint.evaluation.plots import AGREEMENT_FILE, PLOT_FILES, battery_title, draw_agreement, draw_plots
from heartprint.evaluation.predict import ready, score_layouts
from heartprint.evaluation.report import REPORT_FILE, write_report
from heartprint.evaluation.robustness import (
    BATTERY_FILE,
    HEAT_MAP_FILE,
    MOST_ECGS,
    choose_ecgs,
    draw_heat_map,
    run_battery,
    summarise_battery,
)
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_folder, write_json
from heartprint.foundation.outputs import Output, claim_output
from heartprint.sheets import PAPER_LAYOUTS, layouts_of

if TYPE_CHECKING:
    from heartprint.encoders import LoadedModel

METRICS_FILE = "metrics.json"
SCORES_FILE = "scores.csv"
EVALUATION_OUTPUT = Output(
    what="an evaluation",
    code="output-not-an-evaluation",
    marker=METRICS_FILE,
    names=(
        *(METRICS_FILE, SCORES_FILE, BATTERY_FILE, HEAT_MAP_FILE, REPORT_FILE, *PLOT_FILES),
        *(f"*_{name}" for name in (*PLOT_FILES, AGREEMENT_FILE)),
    ),
)


def evaluate(
    model: str | Path | LoadedModel,
    cohort: Cohort,
    out: str | Path,
    *,
    tasks: Sequence[str] = (),
    layouts: Sequence[str] = PAPER_LAYOUTS,
    exclude_seen: bool = False,
    transductive: bool = False,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    batch_size: int = 64,
    device: str = "auto",
    battery: bool = False,
    battery_ecgs: int = MOST_ECGS,
    progress: bool = True,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Evaluate a model and write scores, metrics and plots; the folder is there whole or not at all.

    Args:
        model: Model folder, or a model in memory.
        cohort: The ECGs; those without a label are left out and counted.
        out: Folder to write: ``metrics.json``, ``scores.csv``, and plots of the first layout. Of several tasks, or of
            a number, also ``report.html``; their plots and the columns of their scores begin with the task.
        tasks: Which of the model's tasks; all if none is named.
        layouts: Layouts in which each ECG is scored; the first is the one that counts. An image is scored as it is.
        exclude_seen: Leave out patients that took part in pretraining or fine-tuning.
        transductive: Keep them, and mark the result.
        level: Level of all intervals.
        resamples: Bootstrap resamples of patients.
        seed: Seed of the bootstrap.
        batch_size: Sheets at a time.
        device: ``auto``, ``cpu`` or ``cuda``; for a model folder.
        battery: Whether to run the robustness battery on sheets of the first layout too; it adds ``battery.csv`` and
            ``battery.png`` (see `heartprint.evaluation.robustness`).
        battery_ecgs: Most ECGs that take part in it, as many cases as controls where there are.
        progress: Whether to show progress.
        overwrite: Whether an older evaluation of the same model, cohort and settings may be replaced.

    Returns:
        What ``metrics.json`` says.

    Raises:
        HeartprintError: ``patients-seen``, ``all-patients-seen``, ``label-missing``, ``one-class-only``, ``no-labels``,
            ``unknown-task``, ``several-heads`` or ``needs-classes`` for a battery of anything but one task of classes,
            what `claim_output` raises for ``out``, ``bad-options``, ``unknown-layout``, ``needs-waveforms``,
            ``out-of-memory``, ``disk-full``, what ``load_model`` raises.
    """
    out = Path(out)
    if exclude_seen and transductive:
        raise HeartprintError("bad-options", "Choose one of --exclude-seen (drop them) and --transductive (keep them).")
    if not layouts or len(set(layouts)) < len(layouts):
        raise HeartprintError("bad-options", "Name at least one layout, and each only once.")
    layouts = layouts_of(cohort, layouts)
    claim_output(out, EVALUATION_OUTPUT, overwrite=True)  # what it holds is compared when the model is known
    loaded = ready(model, device)
    if tasks:
        loaded = loaded.of_tasks(*tasks)
    if battery:
        only_class_head(loaded.heads, "The battery measures the AUROC of")
    recipe = {
        **tasks_of([head.task for head in loaded.heads]),
        "model": loaded.config.weights_sha256[:12],
        "cohort": cohort.info.name,
        "layouts": list(layouts),
        "level": level,
        "resamples": resamples,
        "battery": battery,
    }
    claim_output(out, EVALUATION_OUTPUT, recipe=recipe, recipe_of=_recipe_in, overwrite=overwrite)
    labels = np.stack([head.task.labels(cohort.records) for head in loaded.heads])
    seen = loaded.seen.overlap(cohort)
    _refuse_seen(cohort, seen, exclude_seen, transductive)
    left_out = seen & exclude_seen
    rows = np.flatnonzero(~np.isnan(labels).all(axis=0) & ~left_out)
    for head, answers in zip(loaded.heads, labels[:, rows], strict=True):
        require_answers(head, answers, loaded.heads)
    part = cohort.take(rows)
    scores = score_layouts(loaded, part, layouts, batch_size=batch_size, progress=progress)
    shared = {
        "heartprint_version": heartprint.__version__,
        "simulated": cohort.info.simulated,
        "notice": _notice(cohort, loaded),
        "model": _describe(loaded),
        "cohort": {"name": cohort.info.name, "content_hash": cohort.info.content_hash},
        "transductive": bool(transductive and seen.any()),
        "level": level,
        "resamples": resamples,
        "primary_layout": layouts[0],
    }
    measured = [
        measure_head(head, answers, part, outputs, scores, layouts, level=level, resamples=resamples, seed=seed)
        for head, answers, outputs in zip(loaded.heads, labels[:, rows].astype(np.float64), scores.outputs, strict=True)
    ]
    results = []
    for head, answers, one in zip(loaded.heads, labels, measured, strict=True):
        counts = {
            "ecgs": len(cohort),
            **one.counts,
            "without_label": int((np.isnan(answers) & ~left_out).sum()),
            "refused": sum(not np.isnan(answers[rows[k]]) for k in scores.failures),
            "warned": one.by_layout[layouts[0]]["warned"],
            "seen_left_out": int(left_out.sum()),
            "seen_kept": int((seen & ~left_out).sum()) if transductive else 0,
        }
        if isinstance(head, NumberHead):
            counts["out_of_range"] = head.task.out_of_range(cohort.records)
        results.append(result_of(shared, head, counts, one.by_layout))
    flat = len(results) == 1 and isinstance(loaded.heads[0], ClassHead)
    result = results[0] if flat else together(shared, loaded.heads, results)
    tried = None
    if battery:
        scored = part.take(np.flatnonzero(measured[0].kept))
        answers = measured[0].labels
        some = choose_ecgs(scored, answers, battery_ecgs)
        tried = run_battery(
            loaded,
            scored.take(some),
            answers[some],
            layout=layouts[0],
            level=level,
            resamples=resamples,
            seed=seed,
            batch_size=batch_size,
            progress=progress,
        )
        result["battery"] = {"ecgs": len(some), "positive": int(answers[some].sum()), **summarise_battery(tried)}
    table = score_table(loaded.heads, cohort, labels, left_out, rows, layouts, scores)
    with atomic_folder(out) as folder:
        write_json(folder / METRICS_FILE, result)
        table.write_csv(folder / SCORES_FILE)
        for head, one, of_head in zip(loaded.heads, measured, results, strict=True):
            prefix = "" if flat else f"{head.task.name}_"
            if isinstance(head, NumberHead):
                draw_agreement(folder / f"{prefix}{AGREEMENT_FILE}", one.labels, one.values[0], of_head)
                continue
            draw_plots(
                folder,
                labels=one.labels,
                probabilities=dict(zip(layouts, one.values, strict=True)),
                logits=dict(zip(layouts, one.outputs, strict=True)),
                result=of_head,
                prefix=prefix,
            )
        if not flat:
            write_report(folder / REPORT_FILE, result)
        if tried is not None:
            tried.write_csv(folder / BATTERY_FILE)
            draw_heat_map(tried, folder / HEAT_MAP_FILE, battery_title(result))
    return result


def _recipe_in(folder: Path) -> dict[str, Any] | None:
    """What decided an evaluation that is there; None if it cannot be read."""
    try:
        said = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
        each = list(said["tasks"].values()) if "tasks" in said else [said]
        tasks = [one["task"] for one in each]
        return {
            "task": ", ".join(task["name"] for task in tasks),
            "definition": tasks[0] if len(tasks) == 1 else tasks,
            "model": str(said["model"]["weights_sha256"])[:12],
            "cohort": said["cohort"]["name"],
            "layouts": list(each[0]["layouts"]),
            "level": said["level"],
            "resamples": said["resamples"],
            "battery": "battery" in said,
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _refuse_seen(cohort: Cohort, seen: npt.NDArray[np.bool_], exclude: bool, transductive: bool) -> None:
    if transductive or not seen.any():
        return
    n = len(np.unique(cohort.patient_codes[seen]))
    if not exclude:
        raise HeartprintError(
            "patients-seen",
            f"{n:,} of the {cohort.n_patients:,} patients took part in pretraining or fine-tuning this model, so a "
            "result on them would flatter it. Drop them with --exclude-seen, or keep them by name with --transductive.",
        )
    if seen.all():
        raise HeartprintError(
            "all-patients-seen",
            f"All {n:,} patients took part in pretraining or fine-tuning this model: none is left to evaluate on. "
            "Evaluate on another cohort, or leave patients out when training (--train-share 0.7).",
        )


def _notice(cohort: Cohort, model: LoadedModel) -> str:
    parts = []
    if cohort.info.simulated:
        parts.append("SIMULATED PATIENTS: this shows a mechanism and proves nothing about hospitals.")
    if model.config.labels_simulated:
        parts.append("SIMULATED LABELS: the model learned its task from simulated patients.")
    if model.config.encoder.simulated:
        parts.append("Encoder pretrained on simulated patients.")
    return " ".join([*parts, "Research software; not a medical device."])


def _describe(model: LoadedModel) -> dict[str, Any]:
    config = model.config
    heads = config.heads
    threshold = {"threshold": heads[0].threshold} if len(heads) == 1 and isinstance(heads[0], ClassHead) else {}
    return {
        "weights_sha256": config.weights_sha256,
        "backbone": config.encoder.backbone,
        "image_size": config.encoder.image_size,
        "initial_weights": config.encoder.initial_weights,
        "pretraining": config.encoder.pretraining.method if config.encoder.pretraining else None,
        "mode": config.finetuning.mode,
        "n_labels": config.finetuning.n_labels,
        "n_positive": config.finetuning.n_positive,
        **threshold,
        "labels_simulated": config.labels_simulated,
        "pretrained_on_simulated": config.encoder.simulated,
    }
