"""``heartprint evaluate``."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

from heartprint.cli.overwrite import Overwrite


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.")],
    out: Annotated[Path, typer.Option(help="Folder for metrics.json, scores.csv and plots.")],
    task: Annotated[
        list[str] | None, typer.Option(help="One of the model's tasks; repeat for more (default: all).")
    ] = None,
    layout: Annotated[
        list[str] | None,
        typer.Option(help="Layout to score in; repeat for more, first counts (default: all four)."),
    ] = None,
    exclude_seen: Annotated[
        bool, typer.Option("--exclude-seen", help="Leave out patients that took part in training.")
    ] = False,
    transductive: Annotated[
        bool, typer.Option("--transductive", help="Keep patients that took part in training, and say so.")
    ] = False,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples of patients.", min=100)] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    batch_size: Annotated[int, typer.Option(help="Sheets at a time; lower it if memory is short.", min=1)] = 64,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    battery: Annotated[
        bool,
        typer.Option(
            "--battery", help="Also under the camera's effects, unseen layouts and styles; adds battery.csv and .png."
        ),
    ] = False,
    battery_ecgs: Annotated[int, typer.Option(help="Most ECGs in the battery; half of them positive.", min=20)] = 500,
    json: Annotated[bool, typer.Option("--json", help="Print metrics.json instead of a table.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Measure a model on a cohort: AUROC, AUPRC, calibration, decisions at its threshold; of numbers errors, agreement.

    Patients that took part in pretraining or fine-tuning are refused unless you say what to do with them.

    Example: heartprint evaluate MODEL COHORT --out DIR --exclude-seen --battery
    """
    from heartprint.cohorts import Cohort
    from heartprint.evaluation.evaluate import evaluate as run
    from heartprint.sheets import PAPER_LAYOUTS

    result = run(
        model,
        Cohort.open(cohort),
        out,
        tasks=tuple(task or ()),
        layouts=tuple(layout or PAPER_LAYOUTS),
        exclude_seen=exclude_seen,
        transductive=transductive,
        resamples=resamples,
        seed=seed,
        batch_size=batch_size,
        device=device,
        battery=battery,
        battery_ecgs=battery_ecgs,
        overwrite=overwrite,
    )
    print(jsonlib.dumps(result, indent=2, ensure_ascii=False) if json else _table(result, out))


def _table(result: dict[str, Any], out: Path) -> str:
    if "tasks" not in result:
        return "\n".join([*_of_classes(result), "", f"Written to {out}"])
    lines = [result["notice"]]
    for one in result["tasks"].values():
        shown = {**result, **one}
        lines += ["", *(_of_classes(shown) if one["kind"] == "classes" else _of_numbers(shown))]
    return "\n".join([*lines, "", f"Written to {out}"])


def _of_numbers(result: dict[str, Any]) -> list[str]:
    from heartprint.evaluation.report import FIGURES, shown_interval

    counts, unit = result["counts"], result["task"]["unit"]
    lines = [
        f"{result['task']['title']}{f' ({unit})' if unit else ''} on {result['cohort']['name']}: "
        f"{counts['evaluated_ecgs']:,} ECGs of {counts['evaluated_patients']:,} patients"
        f"{_left_out(counts, out_of_range='outside of the possible range')}"
    ]
    for name, measured in result["layouts"].items():
        lines.append(name)
        lines += [
            f"  {words:<48}{shown_interval(measured[key], decimals)}" for key, words, decimals in FIGURES["regression"]
        ]
    return lines


def _left_out(counts: dict[str, int], **more: str) -> str:
    words = {"without_label": "without a label", "refused": "refused", "seen_left_out": "of seen patients", **more}
    left = [f"{counts[key]:,} {what}" for key, what in words.items() if counts[key]]
    return (f" (left out: {', '.join(left)})" if left else "") + (
        f", {counts['warned']:,} in doubt" if counts["warned"] else ""
    )


def _of_classes(result: dict[str, Any]) -> list[str]:
    counts = result["counts"]
    lines = [
        f"{result['task']['title']} on {result['cohort']['name']}: {counts['evaluated_ecgs']:,} ECGs of "
        f"{counts['evaluated_patients']:,} patients, {counts['positive']:,} positive"
        + _left_out(counts)
        + (", TRANSDUCTIVE" if result["transductive"] else ""),
        *([] if "tasks" in result else [result["notice"], ""]),
        f"{'layout':<12}{'AUROC':<24}{'AUPRC':<24}{'Brier':<8}{'sens.':<8}{'spec.':<8}",
    ]
    for name, m in result["layouts"].items():
        at = m["at_threshold"]
        lines.append(
            f"{name:<12}{_interval(m['auroc']):<24}{_interval(m['auprc']):<24}{m['brier']:<8.3f}"
            f"{at['sensitivity']['estimate']:<8.3f}{at['specificity']['estimate']:<8.3f}"
        )
    delong = result["layouts"][result["primary_layout"]]["auroc_delong"]
    if delong:
        lines.append(f"DeLong, {result['primary_layout']}: {_interval(delong)}")
    if "battery" in result:
        lines += ["", *_battery(result["battery"])]
    return lines


def _battery(tried: dict[str, Any]) -> list[str]:
    lines = [f"Battery: {tried['ecgs']:,} ECGs, {tried['positive']:,} positive, AUROC {tried['clean']:.3f} when clean"]
    for kind in ("effect", "recipe", "layout", "style"):
        if kind in tried:
            part = tried[kind]
            worst = part["worst"]
            severity = f" at severity {worst['severity']}" if worst["severity"] else ""
            lines.append(
                f"  {part['conditions']:>3} unseen {kind}s: mean AUROC {part['mean_auroc']:.3f}; worst "
                f"{worst['name']}{severity}: {worst['auroc']:.3f}"
            )
    return lines


def _interval(value: dict[str, Any]) -> str:
    if value["low"] is None:
        return f"{value['estimate']:.3f}"
    return f"{value['estimate']:.3f} ({value['low']:.3f}-{value['high']:.3f})"
