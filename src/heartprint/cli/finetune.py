"""``heartprint finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from heartprint.cli.overwrite import Overwrite


def finetune(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.")],
    task: Annotated[
        list[str],
        typer.Option(
            help="af, female, lvef_below_40, lvef (a number), a 0/1 label column of the cohort, or a task's YAML file; "
            "repeat for more heads."
        ),
    ],
    init: Annotated[
        str,
        typer.Option(help="'heartprint', 'heartprint-photo', a run, encoder or model folder, 'imagenet' or 'random'."),
    ],
    labels: Annotated[
        str, typer.Option(help="Label budget of each task: patients (150), a share of them (0.01), or 'all'.")
    ],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    mode: Annotated[
        Literal["probe", "full"] | None, typer.Option(help="Linear probe (default), or all weights.")
    ] = None,
    backbone: Annotated[str | None, typer.Option(help="Backbone of 'imagenet' or 'random'.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Side of the image in px, for 'imagenet' or 'random'.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that is drawn (default 0).")] = None,
    draw: Annotated[int | None, typer.Option(help="Number of the label draw (default 0).")] = None,
    since: Annotated[str | None, typer.Option(help="First day of the ECGs, YYYY-MM-DD.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day of the ECGs, YYYY-MM-DD.")] = None,
    train_share: Annotated[
        float | None, typer.Option(help="Share of the patients that labels may come from; the others stay unseen.")
    ] = None,
    sensitivity: Annotated[
        float | None, typer.Option(help="Sensitivity at which the threshold is set (default 0.9).")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings in a YAML file.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("-o", help="A setting, key=value, e.g. -o batch_size=32; repeat for more.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a model that answers a task, or several from one embedding, from an encoder and a few labels.

    Every label used counts: fitting, choice of settings, calibration and threshold stay inside the budget.

    'heartprint' and 'heartprint-photo' come with the package; a folder of such a name is ./heartprint.

    Example: heartprint finetune COHORT --task af --init heartprint --labels 150 --out MODEL
    """
    from heartprint.cohorts import Cohort
    from heartprint.encoders.bundle.heads import ClassHead
    from heartprint.finetuning import FinetuneConfig
    from heartprint.finetuning import finetune as run
    from heartprint.foundation.config import load_config

    named = {
        "mode": mode,
        "seed": seed,
        "draw": draw,
        "since": since,
        "until": until,
        "train_share": train_share,
        "sensitivity": sensitivity,
    }
    overrides = [*(option or []), *(f"{key}={value}" for key, value in named.items() if value is not None)]
    settings = load_config(config, overrides, FinetuneConfig)
    ecgs = Cohort.open(cohort)
    model = run(
        ecgs,
        task=task,
        init=init,
        labels=labels,
        out=out,
        config=settings,
        backbone=backbone,
        image_size=image_size,
        overwrite=overwrite,
    )
    summary = model.config.finetuning
    simulated = " (SIMULATED labels)" if model.config.labels_simulated else ""
    several = len(model.heads) > 1
    if several:
        print(
            f"{out}: {len(model.heads)} tasks, {summary.mode}, {summary.n_labels:,} labels of "
            f"{summary.cohort.n_ecgs:,} ECGs of {summary.cohort.n_patients:,} patients{simulated}"
        )
    for head in model.heads:
        said = summary.settings | head.notes
        if isinstance(head, ClassHead):
            labels_used = f"{head.n_labels:,} labels ({head.n_positive:,} positive)"
            told = f"threshold {head.threshold:.3f}, AUROC inside the budget {said['validation_auroc']:.3f}"
        else:
            unit = f" {head.task.unit}" if head.task.unit else ""
            labels_used = f"{head.n_labels:,} labels"
            told = (
                f"residual SD {head.calibration.residual_sd:.3g}{unit}, mean absolute error inside the budget "
                f"{said['validation_mae']:.3g}{unit}"
            )
            if odd := head.task.out_of_range(ecgs.records):
                told += f" ({odd:,} numbers outside {head.task.lowest:g} to {head.task.highest:g} count as missing)"
        told += f" on {said['calibrated_on']}"
        if several:
            print(f"  {head.task.title}: {labels_used}; {told}")
        else:
            print(
                f"{out}: {head.task.title}, {summary.mode}, {labels_used} of {summary.cohort.n_patients:,} patients; "
                f"{told}{simulated}"
            )
