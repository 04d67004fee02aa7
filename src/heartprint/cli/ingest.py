"""``heartprint ingest``: one sub-command per reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heartprint.cli.overwrite import Overwrite

if TYPE_CHECKING:
    from heartprint.cohorts.readers import Reader

app = typer.Typer(
    no_args_is_help=True,
    help="Bring ECGs from elsewhere into a cohort folder. What was killed goes on when the command is given again.",
)

_Out = Annotated[Path, typer.Argument(help="Cohort folder to write.")]


_Column = Annotated[
    list[str] | None,
    typer.Option(metavar="LEAD=COLUMN", help="The column of a lead in CSV files of samples, e.g. I=ch1; repeat."),
]
_Rate = Annotated[float | None, typer.Option(help="Hz of .npy and CSV files, where nothing else says it.")]
_Unit = Annotated[
    str, typer.Option(help="mV, uV, V, nV, or z (standardised) of .npy and CSV files, where nothing else says it.")
]
_Label = Annotated[
    list[str] | None,
    typer.Option(help="A column that is a label; repeat. Default: every further column of numbers."),
]
_Female = Annotated[list[str] | None, typer.Option(help="A further code for female, e.g. 1; repeat.")]
_Male = Annotated[list[str] | None, typer.Option(help="A further code for male, e.g. 0; repeat.")]

_Workers = Annotated[
    int | None, typer.Option(help="Processes that read; all cores, where that is worth it, if not given.")
]
_Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Read on a Dask cluster: address or file of its scheduler."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print what was taken in and refused as JSON.")]
_MvPerUnit = Annotated[
    float, typer.Option(help="Millivolts per stored unit; it is not published, see docs/reference/sources.md.")
]


@app.command("challenge")
def challenge(
    src: Annotated[Path, typer.Argument(help="Folder with .hea and .mat files, at any depth.", show_default=False)],
    out: _Out,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
    json: _Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Ingest the PhysioNet Challenges 2020 and 2021 (Chapman-Shaoxing-Ningbo, Georgia, CPSC and others).

    AF from SNOMED codes in the header. There are no patient ids: each ECG is a patient of its own.

    Example: heartprint ingest challenge downloads/challenge-2021/training/georgia cohorts/georgia
    """
    from heartprint.cohorts.readers import Challenge

    _ingest(Challenge(), src, out, workers, scheduler, json, overwrite)


@app.command("code-15")
def code_15(
    src: Annotated[Path, typer.Argument(help="Folder with exams.csv and exams_part*.hdf5.", show_default=False)],
    out: _Out,
    mv_per_unit: _MvPerUnit = 1.0,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
    json: _Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Ingest CODE-15%. AF as its table has it; no dates; ECGs of 7 s are too short and refused.

    Example: heartprint ingest code-15 downloads/code-15 cohorts/code-15
    """
    from heartprint.cohorts.readers import Code15

    _ingest(Code15(mv_per_unit=mv_per_unit), src, out, workers, scheduler, json, overwrite)


@app.command("echonext")
def echonext(
    src: Annotated[
        Path,
        typer.Argument(help="Folder with echonext_metadata_100k.csv and EchoNext_*_waveforms.npy.", show_default=False),
    ],
    out: _Out,
    female: _Female = None,
    male: _Male = None,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
    json: _Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Ingest EchoNext. LVEF in per cent; leads are standardised (unit z); no dates.

    Example: heartprint ingest echonext downloads/echonext cohorts/echonext
    """
    from heartprint.cohorts.readers import EchoNext

    _ingest(EchoNext(female=tuple(female or ()), male=tuple(male or ())), src, out, workers, scheduler, json, overwrite)


@app.command("files")
def files(
    src: Annotated[
        Path,
        typer.Argument(help="Folder of files, a single file, or a text file with a path a line.", show_default=False),
    ],
    out: _Out,
    sampling_rate: _Rate = None,
    unit: _Unit = "mV",
    column: _Column = None,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
    json: _Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Ingest files as hospitals export them: DICOM, Philips, HL7 aECG, SCP-ECG, GE MUSE, EDF, told by their content.

    Patient, date, age, sex and machine come from the file. A file that does not name its patient is refused; list
    such files in a table and use 'heartprint ingest table'.

    Example: heartprint ingest files archive/2019 cohorts/archive-2019
    """
    from heartprint.cohorts.readers import Files

    _ingest(
        Files(sampling_rate=sampling_rate, unit=unit, columns=_columns(column)),
        src,
        out,
        workers,
        scheduler,
        json,
        overwrite,
    )


@app.command("images")
def images(
    src: Annotated[Path, typer.Argument(metavar="FILE.csv", help="One row per image.", show_default=False)],
    out: _Out,
    label: _Label = None,
    longest_side: Annotated[
        int, typer.Option(help="Px to which the longer side is shrunk; smaller images stay as they are.")
    ] = 1200,
    female: _Female = None,
    male: _Male = None,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
    json: _Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Ingest images of ECGs listed in a CSV table: PNG, JPEG, TIFF, BMP, pages of PDF, DICOM images.

    Columns: path (relative to the table) and patient_id; if there are any: ecg_id, page (of a PDF or TIFF, from 1),
    date, age, sex, site, device. Further columns of numbers are labels; an empty cell is a missing label.

    Example: heartprint ingest images scans.csv cohorts/scans
    """
    from heartprint.cohorts.readers import Images

    reader = Images(
        labels=tuple(label or ()), longest_side=longest_side, female=tuple(female or ()), male=tuple(male or ())
    )
    _ingest(reader, src, out, workers, scheduler, json, overwrite)


@app.command("mimic-iv-ecg")
def mimic_iv_ecg(
    src: Annotated[
        Path,
        typer.Argument(help="Folder with record_list.csv, machine_measurements.csv and files.", show_default=False),
    ],
    out: _Out,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
    json: _Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Ingest MIMIC-IV-ECG. AF from the machine's report; age and sex if MIMIC-IV's patients.csv(.gz) lies there too.

    Example: heartprint ingest mimic-iv-ecg downloads/mimic-iv-ecg cohorts/mimic-iv-ecg
    """
    from heartprint.cohorts.readers import MimicIvEcg

    _ingest(MimicIvEcg(), src, out, workers, scheduler, json, overwrite)


@app.command("ptb")
def ptb(
    src: Annotated[Path, typer.Argument(help="Folder with patient001, patient002, ...", show_default=False)],
    out: _Out,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
    json: _Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Ingest the PTB Diagnostic ECG Database. The label is infarction; the Frank leads are left out.

    Example: heartprint ingest ptb downloads/ptbdb cohorts/ptb
    """
    from heartprint.cohorts.readers import Ptb

    _ingest(Ptb(), src, out, workers, scheduler, json, overwrite)


@app.command("ptb-xl")
def ptb_xl(
    src: Annotated[Path, typer.Argument(help="PTB-XL's folder, with ptbxl_database.csv.", show_default=False)],
    out: _Out,
    rate: Annotated[int, typer.Option(help="100 or 500 Hz.")] = 100,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
    json: _Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Ingest PTB-XL. AF is AFIB or AFLT in scp_codes; an age over 89 becomes 90.

    Example: heartprint ingest ptb-xl downloads/ptb-xl cohorts/ptb-xl --rate 500
    """
    from heartprint.cohorts.readers import PtbXl

    _ingest(PtbXl(rate=rate), src, out, workers, scheduler, json, overwrite)


@app.command("sami-trop")
def sami_trop(
    src: Annotated[Path, typer.Argument(help="Folder with exams.csv and exams.hdf5.", show_default=False)],
    out: _Out,
    mv_per_unit: _MvPerUnit = 1.0,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
    json: _Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Ingest SaMi-Trop. The label is death during follow-up; one ECG a patient, no dates.

    Example: heartprint ingest sami-trop downloads/sami-trop cohorts/sami-trop
    """
    from heartprint.cohorts.readers import SamiTrop

    _ingest(SamiTrop(mv_per_unit=mv_per_unit), src, out, workers, scheduler, json, overwrite)


@app.command("table")
def table(
    src: Annotated[Path, typer.Argument(metavar="FILE.csv", help="One row per ECG.", show_default=False)],
    out: _Out,
    label: _Label = None,
    sampling_rate: _Rate = None,
    unit: _Unit = "mV",
    female: _Female = None,
    male: _Male = None,
    column: _Column = None,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
    json: _Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Ingest own data listed in a CSV table.

    Columns: path (relative to the table) and patient_id; if there are any: ecg_id, date, age, sex (female, male, f,
    m), site, device, sampling_rate, unit. Further columns of numbers are labels; an empty cell is a missing label.
    A file may be WFDB, .npy, CSV, or in any hospital format of 'heartprint ingest files'; what a cell leaves empty is
    taken from the file. An .npy file holds 8 leads (I, II, V1-V6) or 12 (I, II, III, aVR, aVL, aVF, V1-V6).

    Example: heartprint ingest table ecgs.csv cohorts/own --sampling-rate 500 --unit uV
    """
    from heartprint.cohorts.readers import Table

    reader = Table(
        labels=tuple(label or ()),
        sampling_rate=sampling_rate,
        unit=unit,
        female=tuple(female or ()),
        male=tuple(male or ()),
        columns=_columns(column),
    )
    _ingest(reader, src, out, workers, scheduler, json, overwrite)


def _columns(given: list[str] | None) -> dict[str, str]:
    """Lead to column from ``LEAD=COLUMN`` words."""
    from heartprint.foundation.errors import HeartprintError

    columns = {}
    for word in given or ():
        lead, sign, column = word.partition("=")
        if not sign or not column:
            raise HeartprintError("bad-options", f"--column {word} is not of the form LEAD=COLUMN, e.g. I=ch1.")
        columns[lead] = column
    return columns


def _ingest(
    reader: Reader, src: Path, out: Path, workers: int | None, scheduler: str | None, json: bool, overwrite: bool
) -> None:
    from heartprint.cohorts.readers import ingest
    from heartprint.cohorts.summary import render_summary, summarise

    summary = summarise(ingest(reader, src, out, workers=workers, scheduler=scheduler, overwrite=overwrite))
    if json:
        from json import dumps

        print(dumps({"cohort": str(out)} | summary, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    Console().print(render_summary(summary))
    print(f"Cohort: {out}")
