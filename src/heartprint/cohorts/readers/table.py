"""Own data: a CSV table with one row per ECG and a path to its samples."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from heartprint.cohorts.leads import LEADS_12
from heartprint.cohorts.readers import fields
from heartprint.cohorts.readers.formats import Given, read_recording
from heartprint.cohorts.readers.formats.npy import check_unit
from heartprint.cohorts.readers.source import Details, LazyRows, Recording, Row, Source
from heartprint.cohorts.tasks import TASKS
from heartprint.foundation.errors import HeartprintError, unknown_name

KNOWN_COLUMNS = ("path", "ecg_id", "patient_id", "date", "age", "sex", "site", "device", "sampling_rate", "unit")
"""Columns with a meaning of their own; names are matched in any case. ``recorded_at`` is ``date`` as well."""

_ALIASES = {"recorded_at": "date"}
_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}
# What an ECG's id does without; the suffix of a WFDB record named without one belongs to its name.
_SUFFIXES = (".npy", ".hea", ".dat", ".mat", ".xml", ".dcm", ".scp", ".edf", ".csv")


@dataclass(frozen=True)
class Table:
    """Reader of a CSV table.

    Columns: ``path`` (a file of any of `FORMATS`, relative to the table) and ``patient_id`` are needed; ``ecg_id``
    (else the file's stem), ``date`` (ISO), ``age``, ``sex`` (female, male, f, m), ``site``, ``device``,
    ``sampling_rate`` and ``unit`` (both for ``.npy`` and CSV) may be there. What a row leaves empty is taken from the
    file if that says it. An ``.npy`` file holds ``(8 or 12, n)`` or ``(n, 8 or 12)`` numbers, leads in the order
    I, II, V1-V6 or I, II, III, aVR, aVL, aVF, V1-V6.

    Labels: each other column whose cells are all numbers, true/false or empty; or, if ``labels`` names some, just
    these, and then a row with anything else in them is refused. An empty cell is a missing label. Names are
    stored in lower case, without a leading ``label_``, other characters than letters and digits as ``_``.

    Args:
        labels: Columns that are labels.
        sampling_rate: Hz of ``.npy`` and CSV files where the table has no such cell.
        unit: ``mV``, ``uV``, ``V``, ``nV``, a machine's step such as ``4.88uV``, or ``z``, of ``.npy`` and CSV files
            where the table has no such cell.
        columns: Lead name to column name in CSV files of samples.
        female: Further codes for female, e.g. ``("1",)``.
        male: Further codes for male.
    """

    labels: Sequence[str] = ()
    sampling_rate: float | None = None
    unit: str = "mV"
    female: Sequence[str] = ()
    male: Sequence[str] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    def open(self, src: Path) -> Source:
        """Read the table.

        Raises:
            HeartprintError: ``file-missing``, ``bad-table``, ``unknown-unit``, ``unknown-label-column`` or
                ``reserved-label``.
        """
        check_unit(self.unit)
        for lead in self.columns:
            if lead not in LEADS_12:
                raise unknown_name("lead", lead, LEADS_12)
        listed = read_listed(src, self.labels, self.female, self.male)

        def row(i: int) -> Row:
            cells, details = listed.row(i)
            return Row(
                ecg_id=fields.identifier(cells.get("ecg_id", "")) or _stem(cells["path"]),
                patient_id=fields.identifier(cells["patient_id"]),
                path=cells["path"],
                details=details,
                recording=partial(self._recording, src.parent, cells),
            )

        settings = {
            "reader": "table",
            "labels": listed.labels,
            "sampling_rate": self.sampling_rate,
            "unit": self.unit,
            "columns": dict(self.columns),
        }
        rows = LazyRows(listed.n, row)
        return Source(f"table {src.name}", rows, tuple(listed.labels), settings, listed.notes, (src,))

    def _recording(self, folder: Path, cells: Mapping[str, str]) -> Recording:
        path = cells["path"]
        if not path:
            raise HeartprintError("file-missing", "The row names no file. Fill its column 'path'.")
        rate = fields.number(cells.get("sampling_rate", ""), "sampling_rate", "bad-sampling-rate")
        given = Given(
            self.sampling_rate if rate is None else rate,
            fields.text(cells.get("unit", "")) or self.unit,
            dict(self.columns),
        )
        return read_recording(folder / path, given)


@dataclass(frozen=True)
class Listed:
    """A CSV table with one row per ECG.

    Attributes:
        n: Number of rows.
        row: Gives of a row, by its number, the cells of the known columns and a way to the details.
        labels: Label name to column.
        notes: Sentences about columns that were left out.
    """

    n: int
    row: Callable[[int], tuple[dict[str, str], Callable[[], Details]]]
    labels: dict[str, str]
    notes: tuple[str, ...]


def read_listed(
    src: Path,
    labels: Sequence[str],
    female: Sequence[str],
    male: Sequence[str],
    known_columns: Sequence[str] = KNOWN_COLUMNS,
) -> Listed:
    """Read a CSV table with one row per ECG; see `Table`.

    Args:
        src: The table.
        labels: Columns that are labels; if there are none, each unknown column of numbers.
        female: Further codes for female.
        male: Further codes for male.
        known_columns: Columns with a meaning of their own.

    Raises:
        HeartprintError: ``file-missing``, ``bad-table``, ``unknown-label-column`` or ``reserved-label``.
    """
    columns, lines = fields.read_csv(src)
    named = {c: _ALIASES.get(c.lower(), c.lower()) for c in columns}
    known = {name: c for c, name in named.items() if name in known_columns}
    fields.need_columns(src, [named[c] if named[c] in known else c for c in columns], ["path", "patient_id"])
    found, ignored = _label_columns(src, labels, [c for c in columns if named[c] not in known], lines)
    sexes = _SEXES | {c.lower(): "female" for c in female} | {c.lower(): "male" for c in male}

    def row(i: int) -> tuple[dict[str, str], Callable[[], Details]]:
        line = lines[i]
        cells = {name: line[column] for name, column in known.items()}
        return cells, partial(_details, cells, {name: line[column] for name, column in found.items()}, sexes)

    notes = tuple(
        f"Column '{c}' was left out: '{cell}' is not a number. Name it with --label to use it all the same."
        for c, cell in ignored.items()
    )
    return Listed(len(lines), row, found, notes)


def _label_columns(
    src: Path, wanted: Sequence[str], others: Sequence[str], lines: fields.Lines
) -> tuple[dict[str, str], dict[str, str]]:
    """Label name to column, and left-out column to its first cell that is no number."""
    for name in wanted:
        if name not in others:
            raise unknown_name("label column", name, others)
    labels: dict[str, str] = {}
    ignored: dict[str, str] = {}
    for column in wanted or others:
        if not wanted:
            odd = next((cell for cell in lines.cells(column) if not _is_number(cell)), None)
            if odd is not None:
                ignored[column] = odd[:40]
                continue
        name = re.sub(r"[^0-9a-z]+", "_", column.lower().removeprefix("label_")).strip("_")
        if not name or name in labels:
            raise HeartprintError(
                "bad-table", f"The columns of {src} give the label name '{name}' twice or empty. Rename '{column}'."
            )
        if name in TASKS and TASKS[name].column != f"label_{name}":
            raise HeartprintError(
                "reserved-label",
                f"The column '{column}' has the name of a built-in task that is answered from "
                f"'{TASKS[name].column.removeprefix('label_')}'. Rename it, or give that column instead.",
            )
        labels[name] = column
    return labels, ignored


def _stem(path: str) -> str:
    name = Path(path).name
    return Path(name).stem if Path(name).suffix.lower() in _SUFFIXES else name


def _is_number(cell: str) -> bool:
    try:
        fields.number(cell, "", "bad-label")
    except HeartprintError:
        return False
    return True


def _details(cells: Mapping[str, str], labels: Mapping[str, str], sexes: Mapping[str, str]) -> Details:
    sex = fields.text(cells.get("sex", ""))
    if sex is not None and sex.lower() not in sexes:
        raise HeartprintError(
            "unknown-sex",
            f"The sex code '{sex}' is unknown; known are {', '.join(sexes)}. Correct it, empty it, or say what it "
            "means with --female or --male.",
        )
    return Details(
        recorded_at=fields.moment(cells.get("date", ""), "date"),
        age=fields.age_in_years(cells.get("age", "")),
        sex=None if sex is None else sexes[sex.lower()],
        site=fields.identifier(cells.get("site", "")) or None,
        device=fields.text(cells.get("device", "")),
        labels={name: value for name, cell in labels.items() if (value := _label(name, cell)) is not None},
    )


def _label(name: str, cell: str) -> float | None:
    if name == "lvef":
        return fields.lvef(cell, name)
    return fields.truth(cell, name) if name in TASKS else fields.number(cell, name, "bad-label")
