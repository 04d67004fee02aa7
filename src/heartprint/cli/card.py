"""``heartprint card``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heartprint.cli.overwrite import CARD, Overwrite, claim_file


def card(
    cohort: Annotated[Path, typer.Argument(help="A cohort folder.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="HTML file; cohort.html in the cohort's folder if not given.")
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SHARE", help="A part of Table 1, e.g. train=0.7; repeat. The shares sum to 1."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split and of the examples.")] = 0,
    sheets: Annotated[int, typer.Option(help="Example sheets; 0 = no single patient is shown.")] = 6,
    layout: Annotated[str, typer.Option(help="Layout of the example sheets.")] = "standard",
    duplicates: Annotated[bool, typer.Option("--duplicates", help="Look for near-duplicates too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the page's path as JSON.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Describe a cohort on one page: flow of exclusions, Table 1, gaps, signal quality, sheets, labels, duplicates.

    Example: heartprint card cohorts/ptb-xl --split train=0.7 --split test=0.3
    """
    from heartprint.cohorts.cohort import Cohort
    from heartprint.evaluation.cohort_report import CARD_FILE, write_card

    shares = _shares(split) if split else None
    ecgs = Cohort.open(cohort)
    claim_file(out or cohort / CARD_FILE, CARD, overwrite)
    path = write_card(ecgs, out, split=shares, seed=seed, sheets=sheets, layout=layout, duplicates=duplicates)
    if json:
        from json import dumps

        print(dumps({"card": str(path)}))
    else:
        print(f"Card: {path}")


def _shares(words: list[str]) -> dict[str, float]:
    from heartprint.foundation.errors import HeartprintError

    shares: dict[str, float] = {}
    for word in words:
        name, _, share = word.partition("=")
        try:
            shares[name] = float(share)
        except ValueError as error:
            raise HeartprintError(
                "bad-options", f"--split {word} is not of the form NAME=SHARE, e.g. train=0.7."
            ) from error
    return shares
