"""PTB-XL in its own folder form.

Wagner P et al., PTB-XL, a large publicly available electrocardiography dataset, Sci Data 7:154 (2020).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.wfdb import read_wfdb
from heartprint.readers.source import Details, LazyRows, Recording, Row, Source
from heartprint.tables import fields
from heartprint.tables.column_names import need_columns
from heartprint.tables.delimited import read_csv

TABLE = "ptbxl_database.csv"
OVER_89 = 300.0
"""PTB-XL's code for an age over 89."""
STORED_OVER_89 = 90.0

_FILE_COLUMN = {100: "filename_lr", 500: "filename_hr"}
_AF_CODES = frozenset({"AFIB", "AFLT"})
_SEXES = {"0": "male", "0.0": "male", "1": "female", "1.0": "female"}
_NEEDED = ("ecg_id", "patient_id", "age", "sex", "scp_codes", "recording_date")


@dataclass(frozen=True)
class PtbXl:
    """Reader of PTB-XL.

    The label ``af`` is 1 where ``scp_codes`` holds ``AFIB`` or ``AFLT``, 0 where it holds neither (an empty
    dictionary says that no statement applies), and missing where the cell is blank.

    Args:
        rate: 100 or 500 Hz.
    """

    rate: int = 100

    def open(self, src: Path) -> Source:
        """Read ``ptbxl_database.csv``.

        Args:
            src: The folder that holds the table and ``records100`` or ``records500``.

        Raises:
            HeartprintError: ``unknown-rate``, ``source-missing`` or ``bad-table``.
        """
        if self.rate not in _FILE_COLUMN:
            raise HeartprintError("unknown-rate", f"PTB-XL has 100 and 500 Hz, not {self.rate} Hz. Choose one of them.")
        table = src / TABLE
        if not table.is_file():
            raise HeartprintError(
                "source-missing", f"{src} holds no {TABLE}. Give the folder of PTB-XL that holds this table."
            )
        read = read_csv(table, _NEEDED)
        lines = read.lines
        file_column = _FILE_COLUMN[self.rate]
        need_columns(table, read.columns, [*_NEEDED, file_column])
        over_89 = sum(map(_is_over_89, lines.cells("age")))
        notes = list(read.notes)
        if over_89:
            notes.append(
                f"PTB-XL gives the age {OVER_89:g} to {over_89} ECGs of people over 89; "
                f"it is stored as {STORED_OVER_89:g}."
            )
        notes.append("PTB-XL shifts dates per patient: only gaps within a patient mean anything.")

        def row(i: int) -> Row:
            line = lines[i]
            return Row(
                ecg_id=fields.identifier(line["ecg_id"]),
                patient_id=fields.identifier(line["patient_id"]),
                path=line[file_column],
                details=partial(_details, line),
                recording=partial(_recording, src, line[file_column]),
            )

        rows = LazyRows(len(lines), row)
        settings = {"reader": "ptb-xl", "rate": self.rate}
        return Source(f"PTB-XL at {self.rate} Hz", rows, ("af",), settings, tuple(notes), (table,), shifted_dates=True)


def _recording(src: Path, name: str) -> Recording:
    if not name:
        raise HeartprintError("file-missing", f"{TABLE} names no file for this ECG. Fetch the table again.")
    return read_wfdb(src / name)


def _is_over_89(cell: str) -> bool:
    try:
        return float(cell) == OVER_89
    except ValueError:
        return False


def _details(line: dict[str, str]) -> Details:
    said = fields.Reading()
    af = said(_af, line["scp_codes"])
    return Details(
        recorded_at=said(fields.moment, line["recording_date"], "recording_date"),
        age=STORED_OVER_89 if _is_over_89(line["age"]) else said(fields.age_in_years, line["age"]),
        sex=said.sex(line["sex"], _SEXES),
        site=fields.identifier(line.get("site", "")) or None,
        device=fields.text(line.get("device", "")),
        labels={} if af is None else {"af": af},
        cautions=said.cautions,
        facts=said.facts,
    )


def _af(cell: str) -> float | None:
    if fields.is_nothing(cell):
        return None
    try:
        codes = ast.literal_eval(cell)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        codes = None
    if not isinstance(codes, dict):
        raise HeartprintError(
            "bad-label", f"scp_codes is not a dictionary of statements: {cell[:60]}. Fetch {TABLE} again."
        )
    return float(not _AF_CODES.isdisjoint(codes))
