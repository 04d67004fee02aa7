"""A folder or a list of single files in hospitals' formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.readers.formats import Given, detect, read_recording
from heartprint.readers.formats.npy import check_unit
from heartprint.readers.paths import locate
from heartprint.readers.source import Details, LazyRows, Recording, Row, Source
from heartprint.signals.leads import LEADS_12
from heartprint.tables.dates import Order, check_order
from heartprint.tables.dialect import read_lines

_SAMPLES = (".dat", ".mat")


@dataclass(frozen=True)
class Files:
    """Reader of single files: DICOM, Philips, HL7 aECG, SCP-ECG, MUSE, EDF, WFDB, ``.npy`` and CSV.

    The format is told by a file's content. Patient, date, age, sex and machine are taken from the file; a file that
    does not name its patient is refused (`Table` can name patients). The path, relative to the folder, is the ECG's id.

    Args:
        sampling_rate: Hz of ``.npy`` and CSV files.
        unit: ``mV``, ``uV``, ``V``, ``nV``, a machine's step such as ``4.88uV``, or ``z``, of ``.npy`` and CSV files.
        columns: Lead name to column name in CSV files.
        dates: ``day-first`` or ``month-first``: what comes first in a date such as 03-02-2019 in MUSE files.
    """

    sampling_rate: float | None = None
    unit: str = "mV"
    columns: Mapping[str, str] = field(default_factory=dict)
    dates: Order | None = None

    def open(self, src: Path) -> Source:
        """List the files.

        Args:
            src: A folder (with all below it, hidden files apart), one ECG file, or a text file with a path per line,
                relative to that file.

        Raises:
            HeartprintError: ``source-missing``, ``bad-table``, ``unknown-unit``, ``unknown-lead`` or ``bad-options``.
        """
        check_unit(self.unit)
        for lead in self.columns:
            if lead not in LEADS_12:
                raise unknown_name("lead", lead, LEADS_12)
        check_order(self.dates)
        given = Given(self.sampling_rate, self.unit, dict(self.columns), dates=self.dates)
        notes: tuple[str, ...] = ()
        if src.is_dir():
            root, names = src, files_below(src)
        elif src.is_file():
            root, (names, notes) = src.parent, ([src.name], ()) if detect(src, given) else _listed(src)
        else:
            names = []
        if not names:
            raise HeartprintError("source-missing", f"{src} holds no files. Give a folder of ECG files or a list.")

        def row(i: int) -> Row:
            return Row(
                ecg_id=names[i],
                patient_id="",
                path=names[i],
                details=Details,
                recording=partial(_recording, root, names[i], given),
                patient_column="",
            )

        settings = {
            "reader": "files",
            "sampling_rate": self.sampling_rate,
            "unit": self.unit,
            "columns": dict(self.columns),
            "dates": self.dates,
        }
        return Source("hospital files", LazyRows(len(names), row), (), settings, notes)


def files_below(folder: Path) -> list[str]:
    """Paths of all files in a folder and below it, relative to it; hidden ones and samples of WFDB records apart."""
    files = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    headers = {p.with_suffix("").as_posix().lower() for p in files if p.suffix.lower() == ".hea"}
    return [
        p.as_posix()
        for p in files
        if not any(part.startswith(".") for part in p.parts)
        # The samples of a WFDB record are read with its header.
        and not (p.suffix.lower() in _SAMPLES and p.with_suffix("").as_posix().lower() in headers)
    ]


def _listed(path: Path) -> tuple[list[str], tuple[str, ...]]:
    try:
        return read_lines(path)
    except (HeartprintError, UnicodeDecodeError, OSError) as error:
        reason = f" ({error.message})" if isinstance(error, HeartprintError) else ""
        raise HeartprintError(
            "bad-table",
            f"{path.name} is neither an ECG file of a known format nor a list of paths{reason}. Give one of them.",
        ) from error


def _recording(folder: Path, name: str, given: Given) -> Recording:
    return read_recording(locate(folder, name), given)
