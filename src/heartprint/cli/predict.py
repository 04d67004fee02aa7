"""``heartprint predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heartprint.cli.overwrite import PREDICTIONS, Overwrite, claim_file


def predict(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.")],
    out: Annotated[Path, typer.Option(help="File to write (.csv).")],
    layout: Annotated[str, typer.Option(help="Layout of the sheets.")] = "standard",
    batch_size: Annotated[int, typer.Option(help="Sheets at a time; lower it if memory is short.", min=1)] = 64,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Score every ECG of a cohort; each ends in a row: scored, warned or refused with a reason.

    An answer is warned where the sheet is unlike those that the model knows: see the column distance.

    Example: heartprint predict MODEL COHORT --out scores.csv
    """
    from heartprint.cohorts import Cohort
    from heartprint.evaluation.predict import predict as run

    claim_file(out, PREDICTIONS, overwrite)
    ecgs = Cohort.open(cohort)
    table = run(model, ecgs, out, layout=layout, batch_size=batch_size, device=device)
    above = [
        f"{int(table[name].sum()):,} above the threshold"
        + (f" of {name.removesuffix('_above_threshold')}" if name != "above_threshold" else "")
        for name in table.columns
        if name.endswith("above_threshold")
    ]
    warned, refused = (int((table["status"] == status).sum()) for status in ("warned", "refused"))
    note = " of simulated patients" if ecgs.info.simulated else ""
    print(
        f"{out}: {len(table):,} ECGs{note}, "
        f"{''.join(f'{one}, ' for one in above)}{warned:,} warned, {refused:,} refused"
    )
    print("Research software; not a medical device.")
