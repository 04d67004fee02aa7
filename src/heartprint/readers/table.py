"""Own data: a CSV table with one row per ECG and a path to its samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from heartprint.cohorts.tasks import TASKS
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.readers import label_columns
from heartprint.readers.formats import Given, read_recording
from heartprint.readers.formats.npy import check_unit
from heartprint.readers.paths import file_name, locate
from heartprint.readers.source import Details, LazyRows, Recording, Row, Source
from heartprint.signals.leads import LEADS_12
from heartprint.tables import fields
from heartprint.tables.column_names import LIKELY, likely, need_columns, option
from heartprint.tables.dates import Order, check_order, order_of_column
from heartprint.tables.delimited import read_csv
from heartprint.tables.words import codes_of_column

KNOWN_COLUMNS = ("path", "ecg_id", "patient_id", "date", "age", "sex", "site", "device", "sampling_rate", "unit")
"""Columns with a meaning of their own; names are matched in any case. ``recorded_at`` is ``date`` as well."""

_ALIASES = {"recorded_at": "date"}
# What an ECG's id does without; the suffix of a WFDB record named without one belongs to its name.
_SUFFIXES = (".npy", ".hea", ".dat", ".mat", ".xml", ".dcm", ".scp", ".edf", ".csv")


@dataclass(frozen=True)
class Table:
    """Reader of a table of text; see `read_csv` for its encodings and separators.

    Columns: ``path`` (a file of any of `FORMATS`, relative to the table) and ``patient_id`` are needed; ``ecg_id``
    (else the file's stem), ``date`` (see `dates.moment`), ``age``, ``sex`` (see `words.SEXES`), ``site``, ``device``,
    ``sampling_rate`` and ``unit`` (both for ``.npy`` and CSV) may be there. What a row leaves empty is taken from the
    file if that says it. An ``.npy`` file holds ``(8 or 12, n)`` or ``(n, 8 or 12)`` numbers, leads in the order
    I, II, V1-V6 or I, II, III, aVR, aVL, aVF, V1-V6.

    Labels: each other column whose cells are all numbers, yes or no (see `label_columns`) or empty; or, if ``labels``
    names some, just these. An empty cell is a missing label, and so is -1 beside 0 and 1, and, with a caution, one that
    cannot be understood. Names are stored in lower case, without a leading ``label_``, other characters than letters
    and digits as ``_``.

    Args:
        labels: Columns that are labels. ``af=VHF|VHFL`` of a column of words: these are 1, all others 0;
            ``af=VHF:SR|ST``: these are 1 and those 0, all others missing.
        sampling_rate: Hz of ``.npy`` and CSV files where the table has no such cell.
        unit: ``mV``, ``uV``, ``V``, ``nV``, a machine's step such as ``4.88uV``, or ``z``, of ``.npy`` and CSV files
            where the table has no such cell.
        columns: Lead name to column name in CSV files of samples.
        female: Further codes for female, e.g. ``("1",)``.
        male: Further codes for male.
        names: One of `KNOWN_COLUMNS`, or a label, to the column that the table has for it.
        dates: ``day-first`` or ``month-first``: what comes first in a date such as 03/02/2019; found out if None.
    """

    labels: Sequence[str] = ()
    sampling_rate: float | None = None
    unit: str = "mV"
    female: Sequence[str] = ()
    male: Sequence[str] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    dates: Order | None = None

    def open(self, src: Path) -> Source:
        """Read the table.

        Raises:
            HeartprintError: ``unknown-unit``, ``unknown-lead``, or what `read_listed` raises.
        """
        check_unit(self.unit)
        for lead in self.columns:
            if lead not in LEADS_12:
                raise unknown_name("lead", lead, LEADS_12)
        listed = read_listed(src, self.labels, self.female, self.male, names=self.names, order=self.dates)

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
            "dates": self.dates,
            **listed.settings,
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
            dates=self.dates,
        )
        return read_recording(locate(folder, path), given)


@dataclass(frozen=True)
class Listed:
    """A table with one row per ECG.

    Attributes:
        n: Number of rows.
        row: Gives of a row, by its number, the cells of the known columns and a way to the details.
        labels: Label name to column.
        notes: Sentences about what was taken and what was left out.
        settings: How the table was read.
    """

    n: int
    row: Callable[[int], tuple[dict[str, str], Callable[[], Details]]]
    labels: dict[str, str]
    notes: tuple[str, ...]
    settings: Mapping[str, Any]


def read_listed(
    src: Path,
    labels: Sequence[str],
    female: Sequence[str],
    male: Sequence[str],
    known_columns: Sequence[str] = KNOWN_COLUMNS,
    *,
    names: Mapping[str, str],
    order: Order | None = None,
) -> Listed:
    """Read a table with one row per ECG; see `Table`.

    Args:
        src: The table.
        labels: See `Table`.
        female: Further codes for female.
        male: Further codes for male.
        known_columns: Columns with a meaning of their own.
        names: See `Table`.
        order: What comes first in a date such as 03/02/2019; found out if None.

    Raises:
        HeartprintError: ``file-missing``, ``bad-table``, ``bad-label``, ``unknown-label-column``, ``reserved-label``;
            ``unknown-sex`` or ``ambiguous-dates`` if the whole column is not understood; ``bad-options``.
    """
    check_order(order)
    telling = frozenset[str]().union(known_columns, _ALIASES, *LIKELY.values(), (c.lower() for c in names.values()))
    read = read_csv(src, sorted(telling))
    known = _known(src, read.columns, known_columns, names)
    taken = frozenset(known.values())
    others = [c for c in read.columns if c not in taken]
    found, notes = label_columns.choose(src, labels, others, read.lines, names, set(known_columns) - set(known))
    where = f"the column '{{}}' of {src.name}"
    told = read.lines.cells(known["sex"]) if "sex" in known else ()
    sexes = codes_of_column(told, where.format(known.get("sex")), female, male)
    when = read.lines.cells(known["date"]) if "date" in known else ()
    used = order_of_column(when, where.format(known.get("date")), order)
    if used != order:
        notes = (*notes, f"The dates were read {used}: some of them cannot be read otherwise.")

    def row(i: int) -> tuple[dict[str, str], Callable[[], Details]]:
        line = read.lines[i]
        cells = {name: line[column] for name, column in known.items()}
        values = {name: label.plain(line[label.column]) for name, label in found.items()}
        return cells, partial(_details, cells, values, sexes, used)

    settings: dict[str, Any] = {}
    if names:
        settings["names"] = dict(names)
    if words := {name: label.words for name, label in found.items() if label.words}:
        settings["label_words"] = words
    labels_of = {name: label.column for name, label in found.items()}
    return Listed(len(read.lines), row, labels_of, (*read.notes, *notes), settings)


def _known(src: Path, columns: Sequence[str], known_columns: Sequence[str], names: Mapping[str, str]) -> dict[str, str]:
    """Columns with a meaning of their own: what they mean to what they are called."""
    there, known = frozenset(columns), {}
    for name, column in names.items():
        if column not in there:
            raise unknown_name("column", column, columns)
        if name in known_columns:
            known[name] = column
    taken = frozenset(names.values())
    for column in columns:
        name = _ALIASES.get(column.lower(), column.lower())
        if column in taken or name not in known_columns or name in names:
            continue
        if name in known:
            raise HeartprintError(
                "bad-table",
                f"{src} has both '{known[name]}' and '{column}' for the {name}. Remove one of them, or say which it "
                f"is: {option({name: column})}.",
            )
        known[name] = column
    needed = ("path", "patient_id")
    if any(name not in known for name in needed):
        free = [c for c in columns if c not in known.values()]
        maybe = likely(free, needed) | likely(free, set(known_columns) - set(known) - set(needed), exact=True)
        ask = {name: maybe.get(name, "NAME") for name in needed if name not in known}
        ask |= {name: maybe[name] for name in known_columns if name in maybe and name not in ask}
        need_columns(
            src,
            [*known, *free],
            needed,
            f" Rename its columns, or say which they are: {option(ask)}." if free else " Add or rename it.",
        )
    return known


def _stem(path: str) -> str:
    name = file_name(path)
    return Path(name).stem if Path(name).suffix.lower() in _SUFFIXES else name


def _details(
    cells: Mapping[str, str], labels: Mapping[str, str], sexes: Mapping[str, str], order: Order | None
) -> Details:
    said = fields.Reading()
    return Details(
        recorded_at=said(fields.moment, cells.get("date", ""), "date", order),
        age=said(fields.age_in_years, cells.get("age", "")),
        sex=said.sex(cells.get("sex", ""), sexes),
        site=fields.identifier(cells.get("site", "")) or None,
        device=fields.text(cells.get("device", "")),
        labels={name: value for name, cell in labels.items() if (value := said(_label, name, cell)) is not None},
        cautions=said.cautions,
        facts=said.facts,
    )


def _label(name: str, cell: str) -> float | None:
    if name == "lvef":
        return fields.lvef(cell, name)
    return fields.truth(cell, name) if name in TASKS else fields.number(cell, name, "bad-label")
