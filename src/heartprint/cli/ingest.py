"""``heartprint ingest``: one sub-command per reader."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from heartprint.cli.overwrite import Overwrite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heartprint.readers import Reader

app = typer.Typer(
    no_args_is_help=True,
    help="Bring ECGs from elsewhere into a cohort folder. What was killed goes on when the command is given again.",
)

_Column = Annotated[
    list[str] | None,
    typer.Option(metavar="LEAD=COLUMN", help="The column of a lead in CSV files of samples, e.g. I=ch1; repeat."),
]
_Rate = Annotated[float | None, typer.Option(help="Hz of .npy and CSV files, where nothing else says it.")]
_Unit = Annotated[
    str,
    typer.Option(
        help="mV, uV, V, nV, a machine's step such as 4.88uV, or z (standardised) of .npy and CSV files, where "
        "nothing else says it."
    ),
]
_Label = Annotated[
    list[str] | None,
    typer.Option(
        help="A column that is a label; repeat. Of words: af=VHF|VHFL (all others are 0) or af=VHF:SR (all others are "
        "missing). Default: every further column of numbers or of yes and no."
    ),
]
_Columns = Annotated[
    str | None, typer.Option(help="Columns of other names: path=Datei,patient_id=PatID.", show_default=False)
]
_Female = Annotated[list[str] | None, typer.Option(help="A further word for female, e.g. 1; repeat.")]
_Male = Annotated[list[str] | None, typer.Option(help="A further word for male, e.g. 0; repeat.")]
_Dates = Annotated[
    Literal["day-first", "month-first"] | None,
    typer.Option(help="What comes first in dates such as 03-02-2019, where the archive does not show it."),
]
_MvPerUnit = Annotated[
    float, typer.Option(help="Millivolts per stored unit; it is not published, see docs/reference/sources.md.")
]


def _ingest(
    reader: Reader,
    src: Path,
    out: Annotated[Path, typer.Argument(help="Cohort folder to write.")],
    unknown_patients: Annotated[
        Literal["refuse", "separate"],
        typer.Option(
            help="What to do with ECGs without a patient id, or with one that stands for no one, like 000000."
        ),
    ] = "refuse",
    trust_rate: Annotated[
        bool, typer.Option("--trust-rate", help="Take sampling rates as declared, however the ECGs look.")
    ] = False,
    flat_leads: Annotated[
        Literal["refuse", "missing"],
        typer.Option(help="Refuse an ECG with flat chest leads, or store these as missing."),
    ] = "refuse",
    workers: Annotated[
        int | None, typer.Option(help="Processes that read; all cores, where that is worth it, if not given.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Read on a Dask cluster: address or file of its scheduler."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was taken in and refused as JSON.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """What all sub-commands do with their reader, and the options that they share."""
    from heartprint.cohorts.summary import render_summary, summarise
    from heartprint.readers import ingest

    cohort = ingest(
        reader,
        src,
        out,
        trust_rate=trust_rate,
        flat_leads=flat_leads,
        workers=workers,
        scheduler=scheduler,
        unknown_patients=unknown_patients,
        overwrite=overwrite,
    )
    summary = summarise(cohort)
    if json:
        from json import dumps

        print(dumps({"cohort": str(out)} | summary, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    Console().print(render_summary(summary))
    print(f"Cohort: {out}")


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a function by name, as keywords with their types, as Typer reads them."""
    # `Reader` is not imported here: it would make every command slower.
    types = get_type_hints(function, localns={"Reader": Any}, include_extras=True)
    return {
        name: parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=types[name])
        for name, parameter in inspect.signature(function).parameters.items()
    }


def _command(
    name: str, src: str, *, metavar: str | None = None, without: tuple[str, ...] = ()
) -> Callable[[Callable[..., Reader]], Callable[..., Reader]]:
    """Make a sub-command of a function from options of its own to a reader; it has the options of `_ingest` too.

    Args:
        name: Of the sub-command.
        src: What the user is told of the folder or file to read.
        metavar: What stands for it in the help.
        without: Options of `_ingest` that it does not have.
    """

    def register(reader_of: Callable[..., Reader]) -> Callable[..., Reader]:
        own = _parameters(reader_of)
        shared = {key: parameter for key, parameter in _parameters(_ingest).items() if key not in ("reader", *without)}
        argument = Annotated[Path, typer.Argument(metavar=metavar, help=src, show_default=False)]
        shared["src"] = shared["src"].replace(annotation=argument)

        def command(**given: Any) -> None:
            _ingest(reader_of(**{key: given.pop(key) for key in own}), **given)

        command.__doc__ = reader_of.__doc__
        in_order = {key: shared.pop(key) for key in ("src", "out")} | own | shared
        command.__signature__ = inspect.Signature(list(in_order.values()))  # type: ignore[attr-defined]
        app.command(name)(command)
        return reader_of

    return register


@_command("challenge", "Folder with .hea and .mat files, at any depth.", without=("unknown_patients",))
def challenge() -> Reader:
    """Ingest the PhysioNet Challenges 2020 and 2021 (Chapman-Shaoxing-Ningbo, Georgia, CPSC and others).

    AF from SNOMED codes in the header. There are no patient ids: each ECG is a patient of its own.

    Example: heartprint ingest challenge downloads/challenge-2021/training/georgia cohorts/georgia
    """
    from heartprint.readers import Challenge

    return Challenge()


@_command("code-15", "Folder with exams.csv and exams_part*.hdf5.")
def code_15(mv_per_unit: _MvPerUnit = 1.0) -> Reader:
    """Ingest CODE-15%. AF as its table has it; no dates; ECGs of 7 s are too short and refused.

    Example: heartprint ingest code-15 downloads/code-15 cohorts/code-15
    """
    from heartprint.readers import Code15

    return Code15(mv_per_unit=mv_per_unit)


@_command("echonext", "Folder with echonext_metadata_100k.csv and EchoNext_*_waveforms.npy.")
def echonext(female: _Female = None, male: _Male = None) -> Reader:
    """Ingest EchoNext. LVEF in per cent; leads are standardised (unit z); no dates.

    Example: heartprint ingest echonext downloads/echonext cohorts/echonext
    """
    from heartprint.readers import EchoNext

    return EchoNext(female=tuple(female or ()), male=tuple(male or ()))


@_command("files", "Folder of files, a single file, or a text file with a path a line.")
def files(sampling_rate: _Rate = None, unit: _Unit = "mV", column: _Column = None, dates: _Dates = None) -> Reader:
    """Ingest files as hospitals export them: DICOM, Philips, HL7 aECG, SCP-ECG, GE MUSE, EDF, told by their content.

    Patient, date, age, sex and machine come from the file. A file that does not name its patient is refused; list
    such files in a table and use 'heartprint ingest table', or let each be a patient of its own.

    Example: heartprint ingest files archive/2019 cohorts/archive-2019
    """
    from heartprint.readers import Files

    return Files(sampling_rate=sampling_rate, unit=unit, columns=_columns(column), dates=dates)


@_command(
    "images",
    "A table with one row per image, or a folder of images.",
    metavar="FILE.csv",
    without=("trust_rate", "flat_leads"),
)
def images(
    read: Annotated[
        bool,
        typer.Option("--read", help="Read each picture first: turned, cut to the sheet, printed text painted over."),
    ] = False,
    columns: _Columns = None,
    label: _Label = None,
    longest_side: Annotated[
        int, typer.Option(help="Px to which the longer side is shrunk; smaller images stay as they are.")
    ] = 1200,
    female: _Female = None,
    male: _Male = None,
    dates: _Dates = None,
) -> Reader:
    """Ingest images of ECGs listed in a table: PNG, JPEG, TIFF, BMP, WebP, HEIC, pages of PDF, DICOM images.

    With --read they may be photographs as they come: the upright sheet of each is taken in, and what cannot be read is
    refused. Otherwise crop them to the ECG and turn them upright first.

    Columns: path (relative to the table) and patient_id; if there are any: ecg_id, page (of a PDF or TIFF, from 1),
    date, age, sex, site, device. Further columns of numbers or of yes and no are labels; an empty cell is a missing
    label. In a folder only DICOM files say whose ECG they show: see --unknown-patients.

    Example: heartprint ingest images photos.csv cohorts/photos --read
    """
    from heartprint.readers import Images
    from heartprint.readers.images import KNOWN_COLUMNS
    from heartprint.reading.read_images import ReadImages

    return (ReadImages if read else Images)(
        labels=tuple(label or ()),
        longest_side=longest_side,
        female=tuple(female or ()),
        male=tuple(male or ()),
        names=_names(columns, KNOWN_COLUMNS, label),
        dates=dates,
    )


@_command("ludb", "Folder with data/1.hea and so on.", without=("unknown_patients",))
def ludb() -> Reader:
    """Ingest LUDB: 200 people, AF from the stated rhythm. The gains in its headers are wrong and are not used.

    Example: heartprint ingest ludb downloads/ludb cohorts/ludb
    """
    from heartprint.readers import Ludb

    return Ludb()


@_command("mimic-iv-ecg", "Folder with record_list.csv, machine_measurements.csv and files.")
def mimic_iv_ecg() -> Reader:
    """Ingest MIMIC-IV-ECG. AF from the machine's report; age and sex if MIMIC-IV's patients.csv(.gz) lies there too.

    Example: heartprint ingest mimic-iv-ecg downloads/mimic-iv-ecg cohorts/mimic-iv-ecg
    """
    from heartprint.readers import MimicIvEcg

    return MimicIvEcg()


@_command("ptb", "Folder with patient001, patient002, ...", without=("unknown_patients",))
def ptb() -> Reader:
    """Ingest the PTB Diagnostic ECG Database. The label is infarction; the Frank leads are left out.

    Example: heartprint ingest ptb downloads/ptbdb cohorts/ptb
    """
    from heartprint.readers import Ptb

    return Ptb()


@_command("ptb-xl", "PTB-XL's folder, with ptbxl_database.csv.")
def ptb_xl(rate: Annotated[int, typer.Option(help="100 or 500 Hz.")] = 100) -> Reader:
    """Ingest PTB-XL. AF is AFIB or AFLT in scp_codes; an age over 89 becomes 90.

    Example: heartprint ingest ptb-xl downloads/ptb-xl cohorts/ptb-xl --rate 500
    """
    from heartprint.readers import PtbXl

    return PtbXl(rate=rate)


@_command("sami-trop", "Folder with exams.csv and exams.hdf5.", without=("unknown_patients",))
def sami_trop(mv_per_unit: _MvPerUnit = 1.0) -> Reader:
    """Ingest SaMi-Trop. The label is death during follow-up; one ECG a patient, no dates.

    Example: heartprint ingest sami-trop downloads/sami-trop cohorts/sami-trop
    """
    from heartprint.readers import SamiTrop

    return SamiTrop(mv_per_unit=mv_per_unit)


@_command("table", "One row per ECG.", metavar="FILE.csv")
def table(
    columns: _Columns = None,
    label: _Label = None,
    sampling_rate: _Rate = None,
    unit: _Unit = "mV",
    female: _Female = None,
    male: _Male = None,
    column: _Column = None,
    dates: _Dates = None,
) -> Reader:
    """Ingest own data listed in a table of text, as a spreadsheet exports it.

    Columns: path (relative to the table) and patient_id; if there are any: ecg_id, date, age, sex (in ten languages),
    site, device, sampling_rate, unit. Further columns of numbers or of yes and no are labels; an empty cell is a
    missing label.
    A file may be WFDB, .npy, CSV, or in any hospital format of 'heartprint ingest files'; what a cell leaves empty is
    taken from the file. An .npy file holds 8 leads (I, II, V1-V6) or 12 (I, II, III, aVR, aVL, aVF, V1-V6).

    Example: heartprint ingest table ecgs.csv cohorts/own --sampling-rate 500 --unit uV
    """
    from heartprint.readers import Table
    from heartprint.readers.table import KNOWN_COLUMNS

    return Table(
        labels=tuple(label or ()),
        sampling_rate=sampling_rate,
        unit=unit,
        female=tuple(female or ()),
        male=tuple(male or ()),
        columns=_columns(column),
        names=_names(columns, KNOWN_COLUMNS, label),
        dates=dates,
    )


def _names(text: str | None, known: Sequence[str], labels: list[str] | None) -> dict[str, str]:
    """What the table calls the columns that have a meaning, and its labels."""
    from heartprint.tables.column_names import parse_columns

    return parse_columns(text, [*known, *(word.partition("=")[0] for word in labels or ())])


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
