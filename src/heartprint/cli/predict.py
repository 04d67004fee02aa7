"""``heartprint predict``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heartprint.cli.overwrite import FILE_PREDICTIONS, PREDICTIONS, Overwrite, claim_file
from heartprint.cli.read import counts

if TYPE_CHECKING:
    import polars as pl

    from heartprint.evaluation.predict_files import FilePredictions


def predict(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    files: Annotated[
        list[str],
        typer.Argument(
            help="A cohort folder; or pictures, PDFs, waveform files, folders of them, patterns in quotes, - for a "
            "list of paths.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write (.csv).")],
    layout: Annotated[str, typer.Option(help="Layout in which waveforms are drawn.")] = "standard",
    batch_size: Annotated[int, typer.Option(help="Sheets at a time; lower it if memory is short.", min=1)] = 64,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[
        int | None, typer.Option(help="Processes that read files; all cores, where that is worth it, if not given.")
    ] = None,
    sampling_rate: Annotated[float | None, typer.Option(help="Hz of .npy and CSV files of samples.")] = None,
    unit: Annotated[str, typer.Option(help="Unit of .npy and CSV files of samples: mV, uV, V, nV or z.")] = "mV",
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Score ECGs as they come; each page ends in a row: scored, warned, refused or failed, with a reason.

    Pictures are read first ('heartprint read' shows what is seen of them), waveform files and cohorts are drawn. An
    answer is warned where the reader warns, or the sheet is unlike those that the model knows: see the column distance.
    What was stopped goes on when the command is given again; a cohort begins anew.

    Example: heartprint predict MODEL photo.jpg scans/ --out scores.csv
    """
    from heartprint.evaluation.predict_files import cohort_named

    cohort = cohort_named(files)
    claim_file(out, PREDICTIONS if cohort else FILE_PREDICTIONS, overwrite)
    if cohort:
        from heartprint.cohorts import Cohort
        from heartprint.evaluation.predict import predict as of_cohort

        ecgs = Cohort.open(cohort)
        table = of_cohort(model, ecgs, out, layout=layout, batch_size=batch_size, device=device)
        _tell_cohort(out, table, ecgs.info.simulated, json)
        return
    import sys

    from heartprint.evaluation.predict_files import predict_files
    from heartprint.readers import Given
    from heartprint.reading.inputs import find_inputs

    told = predict_files(
        model,
        find_inputs(files, listing=sys.stdin.buffer),
        out,
        layout=layout,
        batch_size=batch_size,
        device=device,
        workers=workers,
        given=Given(sampling_rate, unit),
    )
    _tell_files(told, json)
    if told.nothing_done:
        raise typer.Exit(2)


def _tell_cohort(out: Path, table: pl.DataFrame, simulated: bool, json: bool) -> None:
    above = {name: int(table[name].sum()) for name in table.columns if name.endswith("above_threshold")}
    statuses = {status: int((table["status"] == status).sum()) for status in ("scored", "warned", "refused")}
    if json:
        _print({"out": str(out), "ecgs": len(table), "simulated": simulated, "statuses": statuses, "above": above})
        return
    note = " of simulated patients" if simulated else ""
    counted = f"{statuses['warned']:,} warned, {statuses['refused']:,} refused"
    print(f"{out}: {len(table):,} ECGs{note}, {_above(above)}{counted}")
    print("Research software; not a medical device.")


def _tell_files(told: FilePredictions, json: bool) -> None:
    if json:
        _print(told.to_json())
        return
    statuses = ", ".join(f"{told.statuses[name]:,} {name}" for name in ("scored", "warned", "refused", "failed"))
    counted = f"{counts(told.pages, 'page')} of {counts(told.files, 'file')}"
    print(f"{told.out}: {counted}: {_above(told.above)}{statuses}")
    for code, n in told.reasons.most_common():
        print(f"  {n:,} {code}")
    print("Research software; not a medical device.")


def _above(above: Mapping[str, int]) -> str:
    return "".join(
        f"{n:,} above the threshold"
        + (f" of {name.removesuffix('_above_threshold')}, " if name != "above_threshold" else ", ")
        for name, n in above.items()
    )


def _print(told: Mapping[str, Any]) -> None:
    from json import dumps

    print(dumps(told, indent=2, ensure_ascii=False))
