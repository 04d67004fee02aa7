"""``heartprint finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from heartprint.cli.overwrite import Overwrite


def finetune(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.")],
    task: Annotated[
        str, typer.Option(help="af, female, lvef_below_40, a 0/1 label column of the cohort, or a task's YAML file.")
    ],
    init: Annotated[
        str,
        typer.Option(help="'heartprint', 'heartprint-photo', a run, encoder or model folder, 'imagenet' or 'random'."),
    ],
    labels: Annotated[str, typer.Option(help="Label budget: patients (150), a share of them (0.01), or 'all'.")],
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
    """Make a model that answers a task, from an encoder and a few labels.

    Every label used counts: fitting, choice of settings, calibration and threshold stay inside the budget.

    'heartprint' and 'heartprint-photo' come with the package; a folder of such a name is ./heartprint.

    Example: heartprint finetune COHORT --task af --init heartprint --labels 150 --out MODEL
    """
    from heartprint.cohorts import Cohort
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
    print(
        f"{out}: {model.task.title}, {summary.mode}, {summary.n_labels:,} labels ({summary.n_positive:,} positive) of "
        f"{summary.cohort.n_patients:,} patients; threshold {model.threshold:.3f}, "
        f"AUROC inside the budget {summary.settings['validation_auroc']:.3f} on {summary.settings['calibrated_on']}"
        f"{' (SIMULATED labels)' if model.config.labels_simulated else ''}"
    )
