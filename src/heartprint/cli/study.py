"""``heartprint study``."""

from __future__ import annotations

import json as jsonlib
import shlex
from pathlib import Path
from typing import Annotated

import typer


def study(
    file: Annotated[Path, typer.Argument(help="YAML file of the study.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the study; the same folder goes on.", show_default=False)
    ],
    option: Annotated[
        list[str] | None,
        typer.Option("-o", metavar="KEY=VALUE", help="A setting, on top of the file, e.g. -o draws=5; repeat."),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only say what time, memory and disk the pretraining takes.")
    ] = False,
    patients: Annotated[
        int | None, typer.Option(help="With --estimate: for this many patients with pairs; no cohort is needed.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print report.json's path and findings as JSON.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Go on with other settings in --out; its report is replaced.")
    ] = False,
) -> None:
    """Compare encoders x tasks x label budgets x label draws x test cohorts; one report.

    The report is OUT/report.html; OUT/results.parquet has every score. Stopped studies go on where they were: finished
    pretraining, embeddings and cells are not run again.

    Example: heartprint study configs/ptb-xl-subset.yaml --out out/study -o cohorts.ptb_xl.path=cohorts/ptb-xl
    """
    from heartprint.evaluation.study import StudyConfig, estimate_for_patients, estimate_study, run_study
    from heartprint.foundation.config import load_config
    from heartprint.foundation.errors import HeartprintError

    config = load_config(file, option or [], StudyConfig)
    if patients is not None and not estimate:
        raise HeartprintError("bad-options", "--patients goes with --estimate. Add it, or leave --patients away.")
    if estimate:
        print(estimate_study(config, out) if patients is None else estimate_for_patients(config, patients))
        return
    settings = [word for setting in option or [] for word in ("-o", setting)]
    command = shlex.join(["heartprint", "study", file.name, "--out", out.name, *settings])
    result = run_study(config, out, command=command, overwrite=overwrite)
    report = out / "report.html"
    if json:
        found = {"report": str(report), "cells": result.n_computed, "seconds": round(result.seconds, 1)}
        print(jsonlib.dumps(found, ensure_ascii=False))
    else:
        print(f"Report: {report}")
