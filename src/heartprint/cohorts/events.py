"""Measurements of patients, read from whatever holds them: MEDS, or a table of text."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.tables import fields
from heartprint.tables.column_names import likely, listed, option
from heartprint.tables.dates import Order
from heartprint.tables.delimited import decimal_points, scan
from heartprint.tables.dialect import Dialect, sniff
from heartprint.tables.words import NO, YES

COLUMNS = {"patient": "subject_id", "time": "time", "code": "code", "value": "numeric_value"}
"""What is needed of an event, and the column of it in MEDS (Medical Event Data Standard)."""

PRESETS: dict[str, dict[str, str]] = {
    "meds": COLUMNS,
    "mimic-iv-echo": {
        "patient": "subject_id",
        "time": "measurement_datetime",
        "code": "measurement",
        "value": "result",
    },
}
"""Column maps by name."""

ANY_VALUE = (-math.inf, math.inf)
"""Lowest and highest of a value that may be anything."""


@dataclass(frozen=True)
class Events:
    """Measurements of one kind.

    Attributes:
        table: ``patient_id`` (text), ``time`` (date and time), ``value`` (number); none of them missing.
        whole_days: Whether times are dates: windows then count days.
        n: Events of the code, usable or not.
        without_value: Those without a number.
        out_of_range: Those whose number cannot be right.
        without_time: Those without a time, or with one that cannot be read.
        unreadable_time: An example of the latter, if there is one.
        notes: Sentences about how the file was read.
    """

    table: pl.DataFrame
    whole_days: bool
    n: int
    without_value: int
    out_of_range: int
    without_time: int
    unreadable_time: str | None = None
    notes: tuple[str, ...] = ()


def read_events(
    path: str | Path,
    codes: Sequence[str],
    columns: Mapping[str, str] = COLUMNS,
    possible: tuple[float, float] = ANY_VALUE,
    dates: Order | None = None,
) -> Events:
    """Read the measurements of one kind.

    Args:
        path: Parquet or CSV (also ``.csv.gz``) file, or a folder of parquet files (the shards of a MEDS dataset).
        codes: Which events count; none = all of them, for a file that holds nothing else.
        columns: Column for each of ``patient``, ``time``, ``code`` and ``value``.
        possible: Lowest and highest value that can be right; others are counted and left out.
        dates: ``day-first`` or ``month-first`` for times such as 12/31/2019; see `fields.moment`.

    Raises:
        HeartprintError: ``events-missing``, ``bad-table`` or ``unknown-code``; ``bad-label`` if hardly any value can be
            right; ``bad-date`` if no time can be read.
    """
    wanted = {what: columns.get(what, COLUMNS[what]) for what in COLUMNS}
    if not codes:
        del wanted["code"]
    source, every, dialect = _scan(Path(path), list(wanted.values()))
    if any(name not in every for name in wanted.values()):
        maybe = likely([c for c in every if c not in wanted.values()], set(wanted.values()))
        ask = {what: name if name in every else maybe.get(name, "NAME") for what, name in wanted.items()}
        raise HeartprintError(
            "bad-table",
            f"{path} has no column '{next(n for n in wanted.values() if n not in every)}'; it has {listed(every)}. Say "
            f"which is which: {option(ask)}.",
        )
    try:
        if codes:
            code = pl.col(wanted["code"]).cast(pl.String).str.strip_chars()
            chosen = source.filter(code.is_in(list(codes)))
        else:
            chosen = source
        table = chosen.select(
            pl.col(wanted["patient"]).alias("patient_id"),
            pl.col(wanted["time"]).alias("time"),
            pl.col(wanted["value"]).alias("value"),
        ).collect()
        if codes and table.is_empty():
            known = source.group_by(code.alias("c")).len().sort("len", descending=True).head(2000).collect()
            raise unknown_name("code", codes[0], [str(c) for c in known["c"].drop_nulls().to_list()])
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(Path(path), error) from error
    notes: tuple[str, ...] = ()
    if dialect is not None:
        value, commas = decimal_points(
            table.select(pl.col("value").str.strip_chars().alias(wanted["value"])), dialect.separator, Path(path).name
        )
        table = table.with_columns(value.to_series().alias("value"))
        notes = dialect.told(Path(path).name, commas)
    table = table.with_columns(plain_ids(table["patient_id"]))
    table, whole_days, unreadable = _timed(table, wanted["time"], dates)
    table = table.with_columns(_number(table).alias("value"))
    without_value = table["value"].null_count()
    right = pl.col("value").is_between(*possible)
    out_of_range = table.filter(~right).height
    if out_of_range > (table.height - without_value) / 2:
        example = table.filter(~right)["value"][0]
        raise HeartprintError(
            "bad-label",
            f"{out_of_range:,} of {table.height - without_value:,} values in {path} are not between {possible[0]:g} "
            f"and {possible[1]:g}, such as {example:g}. Choose other --code, or bring them to that unit first.",
        )
    table = table.with_columns(pl.when(right).then(pl.col("value")).alias("value"))
    valued = table.filter(pl.col("value").is_not_null())
    without_time = valued["time"].null_count()
    if unreadable is not None and 0 < without_time == valued.height:
        order = "--dates day-first or --dates month-first" if dates is None else "another --dates"
        raise HeartprintError(
            "bad-date",
            f"{without_time:,} of {valued.height:,} measurements in {path} are without a readable time, for example "
            f"'{unreadable}'. Write times like 2019-03-31 14:05:00, or say what comes first: {order}.",
        )
    usable = table.drop_nulls()
    return Events(usable, whole_days, table.height, without_value, out_of_range, without_time, unreadable, notes)


def _scan(path: Path, expected: Sequence[str]) -> tuple[pl.LazyFrame, list[str], Dialect | None]:
    """What is in a file, the names of its columns, and how it was written if it is text."""
    if not path.exists():
        raise HeartprintError("events-missing", f"There is no file {path}. Give a CSV or parquet file of measurements.")
    try:
        if path.is_dir():
            if not any(path.rglob("*.parquet")):
                raise HeartprintError(
                    "events-missing", f"{path} has no parquet file. Give the folder of a MEDS dataset."
                )
            # Beside the events a MEDS dataset has tables about them.
            data = path / "data" if (path / "data").is_dir() else path
            frame = pl.scan_parquet(data / "**" / "*.parquet", missing_columns="insert", extra_columns="ignore")
        elif path.suffix == ".parquet":
            frame = pl.scan_parquet(path)
        else:
            # As text: what is a number and what a time is decided column by column, and one odd cell ends nothing.
            dialect = sniff(path, [name.lower() for name in expected])
            return scan(path, dialect), dialect.names, dialect
        return frame, frame.collect_schema().names(), None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> HeartprintError:
    return HeartprintError(
        "bad-table",
        f"{path} cannot be read as a table ({type(error).__name__}: {str(error).splitlines()[0][:200]}). "
        "Give a CSV file with a header in UTF-8, or parquet.",
    )


def plain_ids(ids: pl.Series) -> pl.Series:
    """Ids as text; what held a blank once writes 17 as 17.0, here or in the cohort's table."""
    if ids.dtype.is_float():
        whole = ids.cast(pl.Int64, strict=False)
        ids = whole.cast(pl.String).zip_with((whole == ids).fill_null(False), ids.cast(pl.String))
    text = ids.cast(pl.String).str.strip_chars().str.replace(r"^(\d+)\.0+$", "$1")
    return text.replace("", None).alias("patient_id")


def _timed(table: pl.DataFrame, name: str, dates: Order | None) -> tuple[pl.DataFrame, bool, str | None]:
    """Times by the clock of the place, in microseconds; whether they are dates only; a time that cannot be read."""
    column = table["time"]
    if column.dtype == pl.String:
        written = column.str.strip_chars()
        text = (
            written.str.replace("T", " ", literal=True)
            # An offset has no minutes in PostgreSQL; a date's day is none, for a time stands before it.
            .str.replace(r"(:\d\d)(\.\d+)?\s*(Z|UTC|[+-]\d\d(:?\d\d)?)?$", "$1")
        )
        days = text.str.strptime(pl.Datetime("us"), "%Y-%m-%d", strict=False)
        exact = text.str.strptime(pl.Datetime("us"), "%Y-%m-%d %H:%M:%S", strict=False)
        minutes = text.str.strptime(pl.Datetime("us"), "%Y-%m-%d %H:%M", strict=False)
        found = exact.zip_with(exact.is_not_null(), minutes).zip_with(exact.is_not_null() | minutes.is_not_null(), days)
        others = {cell: _moment(cell, name, dates) for cell in written.filter(found.is_null()).drop_nulls().unique()}
        found = found.zip_with(
            found.is_not_null(), written.replace_strict(others, default=None, return_dtype=pl.Datetime("us"))
        )
        _check_order(others, name, dates)
        unreadable = min((c for c, at in others.items() if at is None and not fields.is_nothing(c)), default=None)
        timed = exact.count() + minutes.count() + sum(":" in cell for cell, at in others.items() if at is not None)
        return table.with_columns(found.alias("time")), found.count() > 0 == timed, unreadable and unreadable[:40]
    if column.dtype == pl.Date:
        return table.with_columns(column.cast(pl.Datetime("us")).alias("time")), True, None
    if isinstance(column.dtype, pl.Datetime):
        plain = column.dt.replace_time_zone(None) if column.dtype.time_zone else column
        return table.with_columns(plain.cast(pl.Datetime("us")).alias("time")), False, None
    raise HeartprintError(
        "bad-table", f"The column of times holds {column.dtype}. Give dates, or dates and times (2019-03-31 14:05:00)."
    )


def _check_order(read: Mapping[str, dt.datetime | None], column: str, dates: Order | None) -> None:
    """Raise ``bad-date`` if times are in the other order than was said: some of them then have a 13th month."""
    if dates is None:
        return
    other: Order = "month-first" if dates == "day-first" else "day-first"
    against = sorted(cell for cell, at in read.items() if at is None and _moment(cell, column, other) is not None)
    if len(against) > len(read) / 100:
        raise HeartprintError(
            "bad-date",
            f"Times such as '{against[0][:40]}' in column '{column}' cannot be {dates}. Say --dates {other}, or write "
            "them like 2019-03-31 14:05:00.",
        )


def _moment(cell: str, column: str, dates: Order | None) -> dt.datetime | None:
    try:
        return fields.moment(cell, column, dates)
    except HeartprintError:
        return None


def _number(table: pl.DataFrame) -> pl.Series:
    """Values as numbers, yes and no as 1 and 0; what is neither is missing.

    ``55-60`` is the middle of a range, as reports give an LVEF.
    """
    column = table["value"]
    if column.dtype == pl.String:
        text = column.str.strip_chars().str.strip_suffix("%").str.strip_chars()
        single = text.cast(pl.Float64, strict=False)
        ends = text.str.extract_groups(r"^(\d+(?:\.\d+)?)\s*(?:-|to|–)\s*(\d+(?:\.\d+)?)$")
        low = ends.struct.field("1").cast(pl.Float64, strict=False)
        high = ends.struct.field("2").cast(pl.Float64, strict=False)
        said = text.str.to_lowercase().replace_strict(
            dict.fromkeys(YES, 1.0) | dict.fromkeys(NO, 0.0), default=None, return_dtype=pl.Float64
        )
        column = single.zip_with(single.is_not_null(), ((low + high) / 2).zip_with(low.is_not_null(), said))
    elif column.dtype.is_numeric() or column.dtype == pl.Boolean:
        column = column.cast(pl.Float64)
    else:
        raise HeartprintError("bad-table", f"The column of values holds {column.dtype}. Give numbers.")
    finite = column.is_finite().fill_null(False)
    return pl.Series("value", [None] * len(column), dtype=pl.Float64).zip_with(~finite, column)
