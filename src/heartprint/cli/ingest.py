"""``heartprint ingest``: one sub-command per reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from heartprint.cohorts.readers import Reader

app = typer.Typer(no_args_is_help=True, help="Bring ECGs from elsewhere into a cohort folder.")

_Out = Annotated[Path, typer.Argument(help="Cohort folder to write; an older cohort there is replaced.")]


@app.command("ptb-xl")
def ptb_xl(
    src: Annotated[Path, typer.Argument(help="PTB-XL's folder, with ptbxl_database.csv.", show_default=False)],
    out: _Out,
    rate: Annotated[int, typer.Option(help="100 or 500 Hz.")] = 100,
) -> None:
    """Ingest PTB-XL. AF is AFIB or AFLT in scp_codes; an age over 89 becomes 90.

    Example: heartprint ingest ptb-xl downloads/ptb-xl cohorts/ptb-xl --rate 500
    """
    from heartprint.cohorts.readers import PtbXl

    _ingest(PtbXl(rate=rate), src, out)


@app.command("table")
def table(
    src: Annotated[Path, typer.Argument(metavar="FILE.csv", help="One row per ECG.", show_default=False)],
    out: _Out,
    label: Annotated[
        list[str] | None,
        typer.Option(help="A column that is a label; repeat. Default: every further column of numbers."),
    ] = None,
    sampling_rate: Annotated[float | None, typer.Option(help="Hz of .npy files, where no column says it.")] = None,
    unit: Annotated[
        str, typer.Option(help="mV, uV, V, nV, or z (standardised) of .npy files, where no column says it.")
    ] = "mV",
    female: Annotated[list[str] | None, typer.Option(help="A further code for female, e.g. 1; repeat.")] = None,
    male: Annotated[list[str] | None, typer.Option(help="A further code for male, e.g. 0; repeat.")] = None,
) -> None:
    """Ingest own data listed in a CSV table.

    Columns: path (WFDB record or .npy, relative to the table) and patient_id; if there are any: ecg_id, date, age,
    sex (female, male, f, m), site, device, sampling_rate, unit. Further columns of numbers are labels; an empty cell
    is a missing label. An .npy file holds 8 leads (I, II, V1-V6) or 12 (I, II, III, aVR, aVL, aVF, V1-V6).

    Example: heartprint ingest table ecgs.csv cohorts/own --sampling-rate 500 --unit uV
    """
    from heartprint.cohorts.readers import Table

    reader = Table(
        labels=tuple(label or ()),
        sampling_rate=sampling_rate,
        unit=unit,
        female=tuple(female or ()),
        male=tuple(male or ()),
    )
    _ingest(reader, src, out)


def _ingest(reader: Reader, src: Path, out: Path) -> None:
    from rich.console import Console

    from heartprint.cohorts.readers import ingest
    from heartprint.cohorts.summary import render_summary, summarise

    cohort = ingest(reader, src, out)
    Console().print(render_summary(summarise(cohort)))
    print(f"Cohort: {out}")
