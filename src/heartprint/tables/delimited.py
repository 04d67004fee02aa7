"""Tables of text as people export them: one way to read them, whatever program wrote them."""

from __future__ import annotations

import contextlib
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO, overload

import polars as pl

from heartprint.foundation.errors import HeartprintError
from heartprint.tables.column_names import need_columns
from heartprint.tables.dialect import Dialect, is_nameless, sniff

_ROWS_AT_ONCE, _CELLS_AT_ONCE = 20_000, 1_000_000
_LONGEST_ROW = 4 * 2**20  # characters
_DECIMAL_COMMA = r"^[+-]?\d+,\d+([eE][+-]?\d+)?$"
_NUMBER = r"^[+-]?\d+([.]\d+)?([eE][+-]?\d+)?$"
# 1.234,5 and 1,234.5 and 1,234,567: a sign between thousands, and another one, or the same twice.
_GROUPED = r"^[+-]?\d{1,3}(([.]\d{3})+,\d+|(,\d{3})+[.]\d+|(,\d{3}){2,}|([.]\d{3}){2,})$"
# 1,234 may be one and a bit or more than a thousand; 1,5 and 0,125 may not.
_EITHER = r"^[+-]?[1-9]\d{0,2},\d{3}$"


class Lines(Sequence[dict[str, str]]):
    """Rows of a table of text, kept by column: a million of them take little more room than their letters.

    Args:
        frame: Columns of text without nulls.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __len__(self) -> int:
        return self._frame.height

    @overload
    def __getitem__(self, index: int) -> dict[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> Lines: ...
    def __getitem__(self, index: int | slice) -> dict[str, str] | Lines:
        return Lines(self._frame[index]) if isinstance(index, slice) else self._frame.row(index, named=True)

    def __iter__(self) -> Iterator[dict[str, str]]:
        return self._frame.iter_rows(named=True)

    def cells(self, column: str) -> Iterator[str]:
        """One column, from the first row on."""
        return iter(self._frame[column])

    def counts(self, column: str) -> dict[str, int]:
        """How often each cell of a column is there, the most frequent first."""
        counted = Counter(self._frame[column])
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Delimited:
    """A table of text that was read.

    Attributes:
        columns: Names of the columns.
        lines: The rows.
        dialect: How it was written.
        notes: Sentences about what was taken and what was left out.
    """

    columns: list[str]
    lines: Lines
    dialect: Dialect
    notes: tuple[str, ...]


def read_csv(path: Path, expected: Sequence[str] = ()) -> Delimited:
    """Read a table as text.

    Cells are stripped, absent cells are empty, numbers have decimal points. Rows without any content are skipped.
    Columns without a name are left out if they are empty, or if they stand first and count the rows.

    Args:
        path: The table, plain or gzipped.
        expected: See `sniff`.

    Raises:
        HeartprintError: ``file-missing`` or ``bad-table``.
    """
    dialect = sniff(path, expected)
    with _damage_explained(path), dialect.open(path) as handle:
        frame = pl.concat(_parts(path, handle, dialect))
    frame, notes = _without_nameless(path, frame)
    frame, commas = decimal_points(frame, dialect.separator, path.name)
    return Delimited(frame.columns, Lines(frame), dialect, (*dialect.told(path.name, commas), *notes))


@contextlib.contextmanager
def _damage_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise HeartprintError("bad-table", f"{path} ends within a letter: it was cut off. Export it again.") from error
    except csv.Error as error:
        reason = str(error)
        if "unexpected end" in reason or "field larger" in reason:
            reason = "a quote is opened and not closed, or a cell is longer than 131,072 characters"
        raise HeartprintError("bad-table", f"{path} is not a CSV table: {reason}. Save it as CSV again.") from error


def _check_quotes(path: Path, dialect: Dialect) -> None:
    """Raise ``bad-table`` where a quote is not closed: Polars would take what follows for one cell."""
    with _damage_explained(path), dialect.open(path) as handle:
        if not any('"' in chunk for chunk in iter(partial(handle.read, 2**20), "")):
            return
        handle.seek(0)
        taken = [0]
        for _ in csv.reader(_bounded(path, handle, taken), delimiter=dialect.separator, strict=True):
            taken[0] = 0


def _parts(path: Path, handle: TextIO, dialect: Dialect) -> list[pl.DataFrame]:
    taken = [0]
    reader = csv.reader(_bounded(path, handle, taken), delimiter=dialect.separator, strict=True)
    for _ in range(dialect.before):
        next(reader, None)
    at_once = max(1, min(_ROWS_AT_ONCE, _CELLS_AT_ONCE // max(1, len(dialect.columns))))
    parts, part, n = [], [], 0
    for row in reader:
        taken[0] = 0
        if not any(row):
            continue
        part.append(row)
        if len(part) == at_once:
            parts.append(_by_column(path, dialect, part, n))
            n += len(part)
            part = []
    return [*parts, _by_column(path, dialect, part, n)]


def _bounded(path: Path, handle: TextIO, taken: list[int]) -> Iterator[str]:
    """Lines; a row of quoted cells may take many of them, but not all."""
    for line in handle:
        taken[0] += len(line)
        if taken[0] > _LONGEST_ROW:
            raise HeartprintError(
                "bad-table", f"{path} has a row of more than {_LONGEST_ROW:,} characters. Save it as CSV again."
            )
        yield line


def _by_column(path: Path, dialect: Dialect, rows: list[list[str]], before: int) -> pl.DataFrame:
    n = len(dialect.columns)
    if any(len(row) != n for row in rows):
        for number, row in enumerate(rows, before + 1):
            if len(row) > n and any(cell.strip() for cell in row[n:]):
                raise HeartprintError(
                    "bad-table",
                    f"Row {number} of {path} has {len(row)} cells, its header {n}. "
                    f"Put cells that hold a {_SIGNS[dialect.separator]} in quotes.",
                )
        rows = [row[:n] + [""] * (n - len(row)) for row in rows]
    cells: Iterator[Sequence[str]] = zip(*rows, strict=True) if rows else iter([()] * n)
    columns = [pl.Series(name, column, dtype=pl.String) for name, column in zip(dialect.columns, cells, strict=True)]
    return pl.DataFrame(columns).with_columns(pl.all().str.strip_chars())


_SIGNS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


def _without_nameless(path: Path, frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Leave out columns without a name that say nothing; tell of an index, for somebody may have meant it."""
    columns = frame.columns
    first = next((i for i, name in enumerate(columns) if not is_nameless(name)), len(columns))
    notes = []
    for i, name in enumerate(columns):
        if not is_nameless(name) or not (filled := frame[name].filter(frame[name] != "")).len():
            continue
        number = frame[name].cast(pl.Int64, strict=False)
        counts = number.null_count() == 0 and bool((number.diff().drop_nulls() > 0).all())
        if i > first or not counts:
            raise HeartprintError(
                "bad-table",
                f"Column {i + 1} of {path} has no name but holds '{filled[0][:40]}'. Name it in the first line, or "
                "remove it.",
            )
        notes.append(f"The first column of {path.name} has no name and counts the rows: it was left out.")
    return frame.select(name for name in columns if not is_nameless(name)), tuple(notes[:1])


def decimal_points(frame: pl.DataFrame, separator: str, name: str) -> tuple[pl.DataFrame, list[str]]:
    """Write the numbers of a table with decimal points.

    A decimal comma is only looked for where commas do not separate columns, and in columns that are numbers for at
    least a half.

    Args:
        frame: Columns of text.
        separator: What stands between columns.
        name: Of the file.

    Returns:
        The table, and the columns that had decimal commas.

    Raises:
        HeartprintError: ``bad-table``: commas that may stand between thousands, or points and commas in one column.
    """
    changed: list[str] = []
    either: tuple[str, str] | None = None
    certain = False
    with_commas = frame.select(pl.all().str.contains(",", literal=True).any()).row(0) if separator != "," else ()
    for column, has in zip(frame.columns, with_commas, strict=False):
        cells = frame[column]
        if not has:
            continue
        cells = cells.filter(cells != "").drop_nulls()
        comma, grouped = cells.str.contains(_DECIMAL_COMMA), cells.str.contains(_GROUPED)
        plain = cells.str.contains(_NUMBER)
        if not (comma | grouped).any() or (comma | grouped | plain).sum() < len(cells) / 2:
            continue
        points = cells.filter(grouped | (plain & cells.str.contains(".", literal=True)))
        if len(points):
            raise HeartprintError(
                "bad-table",
                f"Column '{column}' of {name} has commas and points in its numbers, such as "
                f"'{cells.filter(comma | grouped)[0]}' and '{points[0]}'. Save it with one decimal sign and nothing "
                "between thousands.",
            )
        changed.append(column)
        may_be = cells.str.contains(_EITHER)
        certain = certain or bool((comma & ~may_be).any())
        if may_be.any() and either is None:
            either = (column, cells.filter(may_be)[0])
    if either is not None and not certain:
        raise HeartprintError(
            "bad-table",
            f"The comma of '{either[1]}' in column '{either[0]}' of {name} may be a decimal sign or stand between "
            "thousands. Save the table with decimal points and nothing between thousands.",
        )
    comma_to_point = [
        pl.when(pl.col(c).str.contains(_DECIMAL_COMMA))
        .then(pl.col(c).str.replace(",", ".", literal=True))
        .otherwise(pl.col(c))
        .alias(c)
        for c in changed
    ]
    return frame.with_columns(comma_to_point), changed


def scan(path: Path, dialect: Dialect) -> pl.LazyFrame:
    """The named columns of a large table as text, not yet read; cells are as they stand, absent ones null.

    Raises:
        HeartprintError: ``bad-table``.
    """
    if dialect.columns:
        _check_quotes(path, dialect)
    options = {"separator": dialect.separator, "infer_schema": False}
    if dialect.encoding in ("utf-8", "utf-8-sig") and dialect.before == 1 and not dialect.old_mac:
        frame = pl.scan_csv(path, **options)  # type: ignore[arg-type]
    else:
        with _damage_explained(path), dialect.open(path) as handle:
            text = handle.read()
        text = text.replace("\r", "\n") if dialect.old_mac else text
        text = text.split("\n", dialect.before - 1)[-1]
        frame = pl.read_csv(io.BytesIO(text.encode()), **options).lazy()  # type: ignore[arg-type]
    there = frame.collect_schema().names() if dialect.columns else []
    if len(there) != len(dialect.columns):
        raise HeartprintError(
            "bad-table", f"The header of {path} cannot be told apart into columns. Save it as CSV UTF-8."
        )
    pairs = zip(there, dialect.columns, strict=True)
    return frame.select(pl.col(theirs).alias(ours) for theirs, ours in pairs if not is_nameless(ours))


def read_frame(
    path: Path, needed: Sequence[str], optional: Sequence[str] = (), notes: list[str] | None = None
) -> pl.DataFrame:
    """Read some columns of a large table (plain or gzipped) as text.

    Args:
        path: The table.
        needed: Columns that have to be there.
        optional: Columns that may be there.
        notes: Takes sentences about what was taken.

    Returns:
        The columns that are there; cells are stripped, missing cells are empty, numbers have decimal points.

    Raises:
        HeartprintError: ``source-missing`` or ``bad-table``.
    """
    if not path.is_file():
        raise HeartprintError(
            "source-missing", f"{path.parent} holds no {path.name}. Give the folder that holds this table."
        )
    dialect = sniff(path, needed)
    if not dialect.columns:
        raise HeartprintError("bad-table", f"{path} is empty. Fetch it again.")
    need_columns(path, dialect.names, needed)
    wanted = [c for c in (*needed, *optional) if c in dialect.names]
    try:
        frame = scan(path, dialect).select(wanted).collect()
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0][:200]
        raise HeartprintError("bad-table", f"{path} is not a CSV table ({reason}). Fetch it again.") from error
    frame = frame.select(pl.col(wanted).fill_null("").str.strip_chars())
    frame, commas = decimal_points(frame, dialect.separator, path.name)
    if notes is not None:
        notes.extend(dialect.told(path.name, commas))
    return frame.filter(pl.any_horizontal(pl.all() != ""))
