"""``heartprint info``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def info(
    cohort: Annotated[Path, typer.Argument(help="A cohort folder.", show_default=False)],
    option: Annotated[
        list[str] | None,
        typer.Option("-o", metavar="KEY=VALUE", help="A setting of the pair policy, e.g. min_gap_days=30; repeat."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Say what a cohort holds: ECGs, patients, pairs and gaps, labels, refused records. No waveform is read.

    -o tries a pair policy: how many pairs, patients and ECGs each of its rules leaves. Settings and their defaults are
    those of PairPolicy; 'heartprint pretrain' takes the same ones as -o method.pairs.KEY=VALUE.

    Example: heartprint info cohorts/ptb-xl -o min_gap_days=30 -o device=other
    """
    from heartprint.cohorts.cohort import Cohort
    from heartprint.cohorts.pairs import PairPolicy
    from heartprint.cohorts.summary import render_summary, summarise
    from heartprint.foundation.config import load_config

    policy = load_config(None, option or [], PairPolicy)
    summary = summarise(Cohort.open(cohort), policy)
    if json:
        from json import dumps

        print(dumps(summary, indent=2, ensure_ascii=False))
    else:
        from rich.console import Console

        Console().print(render_summary(summary))
