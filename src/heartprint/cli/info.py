"""``heartprint info``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def info(
    cohort: Annotated[Path, typer.Argument(help="A cohort folder.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Say what a cohort holds: ECGs, patients, pairs and gaps, labels, refused records. No waveform is read.

    Example: heartprint info cohorts/ptb-xl
    """
    from heartprint.cohorts.cohort import Cohort
    from heartprint.cohorts.summary import render_summary, summarise

    summary = summarise(Cohort.open(cohort))
    if json:
        from json import dumps

        print(dumps(summary, indent=2, ensure_ascii=False))
    else:
        from rich.console import Console

        Console().print(render_summary(summary))
