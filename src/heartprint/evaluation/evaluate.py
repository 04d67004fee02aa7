"""How good a model is on a cohort: discrimination, calibration, decisions, layouts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

import heartprint
from heartprint.cohorts import Cohort
from heartprint.evaluation.plots import PLOT_FILES, battery_title, draw_plots
from heartprint.evaluation.predict import Scores, ready, score_layouts
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
from heartprint.metrics.auroc import delong_interval, require_both_classes
from heartprint.metrics.bootstrap import cluster_bootstrap
from heartprint.metrics.calibration import (
    brier_score,
    calibration_line,
    confusion,
    expected_calibration_error,
    reliability_bins,
)
from heartprint.sheets import PAPER_LAYOUTS, layouts_of

if TYPE_CHECKING:
    from heartprint.encoders import LoadedModel

METRICS_FILE = "metrics.json"
SCORES_FILE = "scores.csv"
EVALUATION_OUTPUT = Output(
    what="an evaluation",
    code="output-not-an-evaluation",
    marker=METRICS_FILE,
    names=(METRICS_FILE, SCORES_FILE, BATTERY_FILE, HEAT_MAP_FILE, *PLOT_FILES),
)

SCORE_COLUMNS: dict[str, pl.DataType] = {
    "ecg_id": pl.String(),
    "patient_id": pl.String(),
    "label": pl.Int8(),
    "layout": pl.String(),
    "logit": pl.Float64(),
    "probability": pl.Float64(),
    "above_threshold": pl.Boolean(),
    "distance": pl.Float64(),
    "status": pl.String(),
    "reason": pl.String(),
}
"""Columns of the score file: one row per ECG and layout for those scored, one row for each other ECG.

``status`` is ``scored``, ``warned`` (scored, and counted, but in doubt; see `heartprint.evaluation.predict`),
``no-label``, ``seen-patient`` (left out) or ``refused`` (with a ``reason``).
"""


def evaluate(
    model: str | Path | LoadedModel,
    cohort: Cohort,
    out: str | Path,
    *,
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
        out: Folder to write: ``metrics.json``, ``scores.csv``, and plots of the first layout.
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
        HeartprintError: ``patients-seen``, ``all-patients-seen``, ``label-missing``, ``one-class-only``,
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
    recipe = {
        "task": loaded.task.name,
        "definition": loaded.task.to_json(),
        "model": loaded.config.weights_sha256[:12],
        "cohort": cohort.info.name,
        "layouts": list(layouts),
        "level": level,
        "resamples": resamples,
        "battery": battery,
    }
    claim_output(out, EVALUATION_OUTPUT, recipe=recipe, recipe_of=_recipe_in, overwrite=overwrite)
    labels = loaded.task.labels(cohort.records)
    seen = loaded.seen.overlap(cohort)
    _refuse_seen(cohort, seen, exclude_seen, transductive)
    left_out = seen & exclude_seen
    rows = np.flatnonzero(~np.isnan(labels) & ~left_out)
    require_both_classes(labels[rows] == 1)
    part = cohort.take(rows)
    scores = score_layouts(loaded, part, layouts, batch_size=batch_size, progress=progress)
    kept = ~np.isnan(scores.logits[0])
    answers = labels[rows][kept].astype(np.float64)
    require_both_classes(answers == 1)
    patients = part.patient_codes[kept]

    by_layout = {}
    for k, name in enumerate(layouts):
        by_layout[name] = _measure(
            answers,
            scores.logits[k, kept],
            scores.probabilities[k, kept],
            patients,
            threshold=loaded.threshold,
            level=level,
            resamples=resamples,
            seed=seed,
        ) | {"warned": int(scores.warned[k, kept].sum())}
    result = {
        "heartprint_version": heartprint.__version__,
        "simulated": cohort.info.simulated,
        "notice": _notice(cohort, loaded),
        "task": loaded.task.to_json(),
        "model": _describe(loaded),
        "cohort": {"name": cohort.info.name, "content_hash": cohort.info.content_hash},
        "counts": {
            "ecgs": len(cohort),
            "evaluated_ecgs": int(kept.sum()),
            "evaluated_patients": len(np.unique(patients)),
            "positive": int((answers == 1).sum()),
            "negative": int((answers == 0).sum()),
            "without_label": int((np.isnan(labels) & ~left_out).sum()),
            "refused": len(scores.failures),
            "warned": int(scores.warned[0, kept].sum()),
            "seen_left_out": int(left_out.sum()),
            "seen_kept": int((seen & ~left_out).sum()) if transductive else 0,
        },
        "transductive": bool(transductive and seen.any()),
        "level": level,
        "resamples": resamples,
        "primary_layout": layouts[0],
        "layouts": by_layout,
    }
    tried = None
    if battery:
        scored = part.take(np.flatnonzero(kept))
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
    table = _score_table(cohort, labels, left_out, rows, layouts, scores, loaded.threshold)
    with atomic_folder(out) as folder:
        write_json(folder / METRICS_FILE, result)
        table.write_csv(folder / SCORES_FILE)
        draw_plots(
            folder,
            labels=answers,
            probabilities=dict(zip(layouts, scores.probabilities[:, kept], strict=True)),
            logits=dict(zip(layouts, scores.logits[:, kept], strict=True)),
            result=result,
        )
        if tried is not None:
            tried.write_csv(folder / BATTERY_FILE)
            draw_heat_map(tried, folder / HEAT_MAP_FILE, battery_title(result))
    return result


def _recipe_in(folder: Path) -> dict[str, Any] | None:
    """What decided an evaluation that is there; None if it cannot be read."""
    try:
        said = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
        return {
            "task": said["task"]["name"],
            "definition": said["task"],
            "model": str(said["model"]["weights_sha256"])[:12],
            "cohort": said["cohort"]["name"],
            "layouts": list(said["layouts"]),
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


def _measure(
    labels: npt.NDArray[np.float64],
    logits: npt.NDArray[np.float64],
    probabilities: npt.NDArray[np.float64],
    patients: npt.NDArray[np.int64],
    *,
    threshold: float,
    level: float,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    one_each = len(np.unique(patients)) == len(patients)
    slope, intercept = calibration_line(labels, probabilities)
    return {
        "auroc": cluster_bootstrap(labels, logits, patients, "auroc", resamples, seed, level).to_json(),
        # DeLong takes ECGs as independent; with several ECGs of a patient it would be too sure.
        "auroc_delong": delong_interval(labels, logits, level).to_json() if one_each else None,
        "auprc": cluster_bootstrap(labels, logits, patients, "auprc", resamples, seed, level).to_json(),
        "prevalence": float(labels.mean()),
        "brier": brier_score(labels, probabilities),
        "expected_calibration_error": expected_calibration_error(labels, probabilities),
        "calibration_slope": _or_none(slope),
        "calibration_intercept": _or_none(intercept),
        "reliability": [
            {"n": b.n, "mean_probability": b.mean_probability, "observed": b.observed.to_json()}
            for b in reliability_bins(labels, probabilities)
        ],
        "at_threshold": {
            **confusion(labels, probabilities, threshold, level).to_json(),
            "intervals": "Wilson" if one_each else "Wilson, ECGs taken as independent: somewhat too narrow",
        },
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


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
    return {
        "weights_sha256": config.weights_sha256,
        "backbone": config.encoder.backbone,
        "image_size": config.encoder.image_size,
        "initial_weights": config.encoder.initial_weights,
        "pretraining": config.encoder.pretraining.method if config.encoder.pretraining else None,
        "mode": config.finetuning.mode,
        "n_labels": config.finetuning.n_labels,
        "n_positive": config.finetuning.n_positive,
        "threshold": config.threshold,
        "labels_simulated": config.labels_simulated,
        "pretrained_on_simulated": config.encoder.simulated,
    }


def _score_table(
    cohort: Cohort,
    labels: npt.NDArray[np.float32],
    left_out: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.int64],
    layouts: Sequence[str],
    scores: Scores,
    threshold: float,
) -> pl.DataFrame:
    base = cohort.records.select("ecg_id", "patient_id").with_columns(
        pl.Series("label", labels).fill_nan(None).cast(pl.Int8), pl.Series("row", np.arange(len(cohort)))
    )
    status = np.where(left_out, "seen-patient", "no-label").astype(object)
    reason: list[str | None] = [None] * len(cohort)
    status[rows] = "scored"
    for k, (code, message) in scores.failures.items():
        status[rows[k]], reason[rows[k]] = "refused", f"{code}: {message}"
    base = base.with_columns(pl.Series("status", status.tolist()), pl.Series("reason", reason, dtype=pl.String))
    parts = [
        pl.DataFrame(
            {
                "row": rows,
                "layout": [name] * len(rows),
                "logit": scores.logits[k],
                "probability": scores.probabilities[k],
                "above_threshold": scores.probabilities[k] >= threshold,
                "distance": pl.Series(scores.distances[k]).fill_nan(None),
                "warned": scores.warned[k],
            }
        )
        for k, name in enumerate(layouts)
    ]
    scored = pl.concat(parts).filter(pl.col("logit").is_not_nan())
    table = base.join(scored, on="row", how="left", maintain_order="left_right")
    table = table.with_columns(pl.when("warned").then(pl.lit("warned")).otherwise("status").alias("status"))
    return table.select(pl.col(name).cast(kind) for name, kind in SCORE_COLUMNS.items())
