"""``heartprint render``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heartprint.cli.overwrite import PICTURE, Overwrite, claim_file


def render(
    cohort: Annotated[Path, typer.Argument(help="A cohort folder.", show_default=False)],
    ecg: Annotated[str, typer.Option("--ecg", help="The ecg_id to draw.", show_default=False)],
    layout: Annotated[
        str, typer.Option("--layout", help="Name of a layout (heartprint layouts), or path of your own .yaml file.")
    ] = "standard",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="PNG file to write; ECG_LAYOUT.png in the working folder if not given.", show_default=False
        ),
    ] = None,
    dpi: Annotated[int, typer.Option("--dpi", help="Pixels per inch of paper; the page prints at true size.")] = 200,
    baseline: Annotated[
        str, typer.Option("--baseline", help="none, or median: subtract a running one-second median.")
    ] = "none",
    overwrite: Overwrite = False,
) -> None:
    """Draw one ECG of a cohort as a colour page for people, at true millimetres.

    Example: heartprint render cohorts/ptb-xl --ecg 1 --layout two_rhythm --out ecg.png --dpi 200
    """
    from heartprint.sheets.page import page_file, save_page

    target = page_file(ecg, out, layout)
    claim_file(target, PICTURE, overwrite)
    print(save_page(cohort, ecg, target, layout=layout, dpi=dpi, baseline=baseline))
