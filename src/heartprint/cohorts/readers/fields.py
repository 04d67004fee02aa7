"""Cells of tables, read strictly: a value, nothing, or an error that names the cell."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

import polars as pl

from heartprint.cohorts.readers import dates
from heartprint.cohorts.readers.words import SEXES, UNKNOWN_SEXES
from heartprint.foundation.errors import Caution, HeartprintError

_P = ParamSpec("_P")
_T = TypeVar("_T")

_NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", "nat"})
# What a percentage of ejected blood can be; a fraction such as 0.55 lies outside.
LVEF_RANGE = (5.0, 95.0)
"""Per cent that a left ventricle can eject."""
_MOST_NAMES, _LONGEST_NAME = 20, 40  # of columns, in a message
_LINES_AT_ONCE = 20_000
_WHOLE_FLOAT = re.compile(r"\d+\.0+")


class Reading:
    """Reads what is said about one ECG: a field that cannot be understood is missing, and a caution tells its value.

    Nothing that is said about an ECG is worth the ECG itself.
    """

    def __init__(self) -> None:
        self._cautions: list[Caution] = []
        self.facts: dict[str, Any] = {}
        """What the archive as a whole is judged by; see `heartprint.cohorts.readers.people`."""

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """One for each field that was not understood."""
        return tuple(self._cautions)

    def __call__(self, read: Callable[_P, _T], *args: _P.args, **options: _P.kwargs) -> _T | None:
        """What a function reads, or None if it raises `HeartprintError`."""
        try:
            return read(*args, **options)
        except HeartprintError as error:
            self._cautions.append(Caution(error.code, f"{error.message} Until then it counts as missing."))
            return None

    def sex(self, cell: str | None, codes: Mapping[str, str] = SEXES) -> str | None:
        """As `sex`; the word is kept, for the archive may show that nobody understands its words."""
        word = " ".join((cell or "").lower().split())
        if word and (word in codes or word not in UNKNOWN_SEXES):
            self.facts["sex"] = word[:40]
        return self(sex, word, codes)


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


def read_csv(path: Path) -> tuple[list[str], Lines]:
    """Read a comma-separated table as text.

    Returns:
        Column names and rows; cells are stripped, absent cells are empty. Blank lines are skipped.

    Raises:
        HeartprintError: ``file-missing`` or ``bad-table``.
    """
    parts = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle, strict=True)
            columns = [c.strip() for c in next(reader, [])]
            twice = sorted({c for c in columns if columns.count(c) > 1})
            if twice:
                raise HeartprintError(
                    "bad-table", f"{path} has the column '{twice[0]}' twice. Rename or remove one of them."
                )
            lines = enumerate((line for line in reader if line), start=1)
            while part := list(itertools.islice(lines, _LINES_AT_ONCE)):
                parts.append(_by_column(path, columns, part))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise HeartprintError("file-missing", f"There is no table {path}. Check the path.") from error
    except UnicodeDecodeError as error:
        raise HeartprintError("bad-table", f"{path} is not UTF-8 text. Save it as a CSV file in UTF-8.") from error
    except csv.Error as error:
        raise HeartprintError("bad-table", f"{path} is not a CSV table ({error}). Save it as CSV again.") from error
    return columns, Lines(pl.concat(parts or [_by_column(path, columns, [])]))


def _by_column(path: Path, columns: Sequence[str], lines: Sequence[tuple[int, list[str]]]) -> pl.DataFrame:
    for number, line in lines:
        if len(line) > len(columns):
            raise HeartprintError(
                "bad-table",
                f"Row {number} of {path} has {len(line)} cells, its header {len(columns)}. "
                "Put cells that hold a comma in quotes.",
            )
    return pl.DataFrame(
        {c: [line[i].strip() if i < len(line) else "" for _, line in lines] for i, c in enumerate(columns)},
        schema=dict.fromkeys(columns, pl.String),
    )


def read_frame(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> pl.DataFrame:
    """Read some columns of a large comma-separated table (plain or gzipped) as text.

    Returns:
        The columns that are there; cells are stripped, missing cells are empty.

    Raises:
        HeartprintError: ``source-missing`` or ``bad-table``.
    """
    if not path.is_file():
        raise HeartprintError(
            "source-missing", f"{path.parent} holds no {path.name}. Give the folder that holds this table."
        )
    try:
        there = pl.read_csv(path, infer_schema=False, n_rows=0).columns
        need_columns(path, there, needed)
        wanted = [c for c in (*needed, *optional) if c in there]
        frame = pl.read_csv(path, infer_schema=False, columns=wanted)
    except pl.exceptions.NoDataError as error:
        raise HeartprintError("bad-table", f"{path} is empty. Fetch it again.") from error
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0][:200]
        raise HeartprintError("bad-table", f"{path} is not a CSV table ({reason}). Fetch it again.") from error
    return frame.select(pl.col(wanted).fill_null("").str.strip_chars())


def need_columns(path: Path, columns: Sequence[str], needed: Sequence[str]) -> None:
    """Raise ``bad-table`` if a needed column is absent, naming those that are there."""
    absent = [c for c in needed if c not in columns]
    if not absent:
        return
    known = [f"{c[:_LONGEST_NAME]}..." if len(c) > _LONGEST_NAME else c for c in columns[:_MOST_NAMES]]
    more = f" and {len(columns) - _MOST_NAMES:,} more" if len(columns) > _MOST_NAMES else ""
    hint = " Separate the columns by commas." if len(columns) == 1 and re.search("[;\t]", columns[0]) else ""
    raise HeartprintError(
        "bad-table",
        f"{path} lacks the column{'s' if len(absent) > 1 else ''} {', '.join(absent)}; "
        f"it has {', '.join(known) or 'none'}{more}.{hint or ' Add or rename it.'}",
    )


def is_nothing(cell: str) -> bool:
    """Whether a cell says that the value is missing (empty, NA, NaN, null)."""
    return cell.lower() in _NOTHING


def text(cell: str) -> str | None:
    """A text with single spaces, or None."""
    return None if is_nothing(cell) else " ".join(cell.split())


def identifier(cell: str) -> str:
    """An id as text, empty if missing. Tables that once held a blank often write 17 as 17.0."""
    if is_nothing(cell):
        return ""
    return cell.split(".")[0] if _WHOLE_FLOAT.fullmatch(cell) else cell


def number(cell: str, column: str, code: str) -> float | None:
    """A finite number (or true/false as 1/0), or None; anything else raises ``code``."""
    if is_nothing(cell):
        return None
    if cell.lower() in ("true", "false"):
        return float(cell.lower() == "true")
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in cell:
        raise HeartprintError(code, f"'{cell}' in column '{column}' is not a number. Correct it or leave it empty.")
    return value


def moment(cell: str, column: str, order: dates.Order | None = None) -> dt.datetime | None:
    """A date or date and time in any form of `dates.moment`, or None. A time zone is dropped: clocks are local.

    Args:
        cell: The text.
        column: Its column, for a message.
        order: What comes first in ``03/02/2019``.

    Raises:
        HeartprintError: ``bad-date``.
    """
    return None if is_nothing(cell) else dates.moment(cell, f"column '{column}'", order)


def age_in_years(cell: str) -> float | None:
    """An age between 0 and 130, or None.

    Raises:
        HeartprintError: ``bad-age``.
    """
    value = number(cell, "age", "bad-age")
    if value is not None and not 0 <= value <= 130:
        raise HeartprintError("bad-age", f"An age of {value:g} years cannot be right. Correct it or leave it empty.")
    return value


def sex(cell: str, codes: Mapping[str, str] = SEXES) -> str | None:
    """``female``, ``male`` or None: empty, or a word for unknown or another sex.

    Args:
        cell: A word or code, in any case.
        codes: What each means, in lower case.

    Raises:
        HeartprintError: ``unknown-sex``.
    """
    word = " ".join(cell.lower().split())
    if word in codes:
        return codes[word]
    if is_nothing(word) or word in UNKNOWN_SEXES:
        return None
    raise HeartprintError("unknown-sex", f"The sex '{cell[:40]}' is not understood. Correct it or leave it empty.")


def lvef(cell: str, column: str) -> float | None:
    """A left ventricular ejection fraction in per cent, or None.

    Raises:
        HeartprintError: ``bad-label``.
    """
    value = number(cell, column, "bad-label")
    if value is not None and not LVEF_RANGE[0] <= value <= LVEF_RANGE[1]:
        raise HeartprintError(
            "bad-label",
            f"An LVEF of {value:g} is no percentage a heart can have. Give it in per cent or leave it empty.",
        )
    return value


def truth(cell: str, column: str) -> float | None:
    """1 or 0 (also true or false), or None.

    Raises:
        HeartprintError: ``bad-label``.
    """
    value = number(cell, column, "bad-label")
    if value not in (None, 0.0, 1.0):
        raise HeartprintError(
            "bad-label", f"'{cell}' in column '{column}' is neither 0 nor 1. Correct it or leave it empty."
        )
    return value
