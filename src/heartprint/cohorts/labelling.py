"""Labels from measurements: each ECG gets the value that was measured nearest to it, if that is near enough."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from heartprint.cohorts.cohort import COHORT_FILE, RECORDS_FILE, Cohort
from heartprint.cohorts.readers import fields
from heartprint.cohorts.readers.column_names import likely, listed, option
from heartprint.cohorts.readers.delimited import decimal_points, scan
from heartprint.cohorts.readers.dialect import Dialect, sniff
from heartprint.cohorts.readers.label_columns import NO, YES
from heartprint.cohorts.tasks import TASKS
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.foundation.files import atomic_path, claimed, sha256_file, write_json

Side = Literal["before", "after", "either"]
Status = Literal["linked", "ambiguous", "out_of_window", "no_event", "no_date"]

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

_UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_ANY = (-math.inf, math.inf)
_POSSIBLE = {"lvef": fields.LVEF_RANGE, "af": (0.0, 1.0)}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


@dataclass(frozen=True)
class Linkage:
    """What became of ECGs and events.

    Attributes:
        ecgs: ECGs of the cohort.
        linked: ECGs that got a value.
        ambiguous: ECGs with two nearest events, equally far, of different values: they get none.
        out_of_window: ECGs whose patient has events, but none in the window.
        no_event: ECGs whose patient has none.
        no_date: ECGs without a date.
        events: Events of the code, of anybody.
        events_without_value: Those of them without a number.
        events_out_of_range: Those of them whose number cannot be that label: an LVEF of 0.55 or 999, an AF of 2.
        events_without_time: Those of them without a time, or with one that cannot be read.
        events_of_others: Usable events of people who are not in the cohort.
        median_gap_days: Median distance of the linked events from their ECGs.
        unreadable_time: An example of a time that cannot be read, if there is one.
        notes: Sentences about how the file was read.
    """

    ecgs: int
    linked: int
    ambiguous: int
    out_of_window: int
    no_event: int
    no_date: int
    events: int
    events_without_value: int
    events_out_of_range: int
    events_without_time: int
    events_of_others: int
    median_gap_days: float | None
    unreadable_time: str | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"notes": list(self.notes)}


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


def parse_window(text: str) -> dt.timedelta:
    """Read a length of time: ``15d``, ``12h``, ``2w``, ``90min``.

    Raises:
        HeartprintError: ``bad-window``.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d|w)\s*", text)
    if found is None:
        raise HeartprintError("bad-window", f"'{text}' is no length of time. Give a number and a unit: 15d, 12h, 2w.")
    seconds = float(found[1]) * _UNITS_S[found[2]]
    if seconds > 200 * 366 * 86400:
        raise HeartprintError("bad-window", f"{text} is longer than anybody lives. Give a shorter window.")
    return dt.timedelta(seconds=seconds)


def read_events(
    path: str | Path,
    codes: Sequence[str],
    columns: Mapping[str, str] = COLUMNS,
    possible: tuple[float, float] = _ANY,
    dates: fields.Dates | None = None,
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
    table = table.with_columns(_identified(table["patient_id"]))
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


def _identified(ids: pl.Series) -> pl.Series:
    """Ids as text; what held a blank once writes 17 as 17.0, here or in the cohort's table."""
    if ids.dtype.is_float():
        whole = ids.cast(pl.Int64, strict=False)
        ids = whole.cast(pl.String).zip_with((whole == ids).fill_null(False), ids.cast(pl.String))
    text = ids.cast(pl.String).str.strip_chars().str.replace(r"^(\d+)\.0+$", "$1")
    return text.replace("", None).alias("patient_id")


def _timed(table: pl.DataFrame, name: str, dates: fields.Dates | None) -> tuple[pl.DataFrame, bool, str | None]:
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


def _check_order(read: Mapping[str, dt.datetime | None], column: str, dates: fields.Dates | None) -> None:
    """Raise ``bad-date`` if times are in the other order than was said: some of them then have a 13th month."""
    if dates not in ("day-first", "month-first"):
        return
    other: fields.Dates = "month-first" if dates == "day-first" else "day-first"
    against = sorted(cell for cell, at in read.items() if at is None and _moment(cell, column, other) is not None)
    if len(against) > len(read) / 100:
        raise HeartprintError(
            "bad-date",
            f"Times such as '{against[0][:40]}' in column '{column}' cannot be {dates}. Say --dates {other}, or write "
            "them like 2019-03-31 14:05:00.",
        )


def _moment(cell: str, column: str, dates: fields.Dates | None) -> dt.datetime | None:
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


def _all_midnight(times: pl.Series) -> bool:
    known = times.drop_nulls()
    return known.len() > 0 and bool((known.dt.truncate("1d") == known).all())


def link(
    records: pl.DataFrame, events: Events, *, within: dt.timedelta, side: Side = "either"
) -> tuple[pl.DataFrame, Linkage]:
    """Find the event nearest to each ECG.

    Args:
        records: A cohort's table.
        events: From `read_events`.
        within: Largest distance, inclusive. Where all events or all ECGs have dates only (or stand at midnight, as
            programs write dates), both count by their dates.
        side: ``before`` the ECG, ``after`` it, or ``either``; the moment itself is on both.

    Returns:
        A row per ECG, in order: ``value`` (null = none), ``gap_days`` (after minus before; null where not linked),
        ``status``; and the counts.
    """
    if side not in get_args(Side):
        raise unknown_name("side", str(side), list(get_args(Side)))
    whole_days = events.whole_days or _all_midnight(events.table["time"]) or _all_midnight(records["recorded_at"])
    moment = pl.col("recorded_at").cast(pl.Datetime("us"))
    ecgs = records.select(
        _identified(records["patient_id"]), (moment.dt.truncate("1d") if whole_days else moment).alias("at")
    )
    ecgs = ecgs.with_row_index("row")
    table = events.table.with_columns(pl.col("time").dt.truncate("1d")) if whole_days else events.table
    of_patients = table.join(ecgs.select("patient_id").unique(), on="patient_id", how="semi")
    # Of the events at one moment only their values matter, and whether they are the same.
    moments = of_patients.group_by("patient_id", "time").agg(
        pl.col("value").min().alias("value"), (pl.col("value").min() != pl.col("value").max()).alias("several")
    )
    moments = moments.sort("time")
    dated = ecgs.drop_nulls("at").sort("at")
    sides: list[Literal["backward", "forward"]] = []
    if side != "after":
        sides.append("backward")
    if side != "before":
        sides.append("forward")
    nearest: pl.DataFrame | None = None
    for strategy in sides:
        found = dated.join_asof(
            moments.with_columns(pl.col("time").alias("of_event")),
            left_on="at",
            right_on="time",
            by="patient_id",
            strategy=strategy,
            tolerance=within,
            check_sortedness=False,
        ).select("row", "at", pl.col("of_event"), pl.col("value"), pl.col("several"))
        found = found.drop_nulls("of_event").with_columns((pl.col("of_event") - pl.col("at")).abs().alias("gap"))
        nearest = found if nearest is None else pl.concat([nearest, found]).unique(["row", "of_event"])
    assert nearest is not None
    best = nearest.filter(pl.col("gap") == pl.col("gap").min().over("row")).sort("row", "of_event")
    joined = best.group_by("row").agg(
        pl.col("value").first(),
        pl.col("several").any() | (pl.col("value").n_unique() > 1),
        (pl.col("of_event") - pl.col("at")).first().dt.total_microseconds().alias("gap"),
    )
    table = ecgs.join(joined, on="row", how="left", maintain_order="left")
    has = pl.col("patient_id").is_in(of_patients["patient_id"].unique().implode())
    status = (
        pl.when(pl.col("at").is_null())
        .then(pl.lit("no_date"))
        .when(~has)
        .then(pl.lit("no_event"))
        .when(pl.col("value").is_null())
        .then(pl.lit("out_of_window"))
        .when(pl.col("several"))
        .then(pl.lit("ambiguous"))
        .otherwise(pl.lit("linked"))
    )
    table = table.with_columns(status.alias("status"))
    linked = pl.col("status") == "linked"
    table = table.select(
        pl.when(linked).then(pl.col("value")).alias("value"),
        pl.when(linked).then(pl.col("gap") / 86400e6).alias("gap_days"),
        "status",
    )
    counts = dict(table.group_by("status").len().rows())
    gap = table["gap_days"].abs().median()
    return table, Linkage(
        ecgs=records.height,
        events=events.n,
        events_without_value=events.without_value,
        events_out_of_range=events.out_of_range,
        events_without_time=events.without_time,
        events_of_others=events.table.height - of_patients.height,
        median_gap_days=None if gap is None else float(gap),  # type: ignore[arg-type]
        unreadable_time=events.unreadable_time,
        notes=events.notes,
        **{name: int(counts.get(name, 0)) for name in get_args(Status)},
    )


def label_cohort(
    folder: str | Path,
    events_file: str | Path,
    *,
    name: str,
    codes: Sequence[str],
    within: str,
    side: Side = "either",
    columns: Mapping[str, str] = COLUMNS,
    dates: fields.Dates | None = None,
    replace: bool = False,
) -> Linkage:
    """Add a label to a cohort: the value of the nearest measurement.

    Args:
        folder: The cohort; its table is replaced when the new one is whole.
        events_file: See `read_events`.
        name: Name of the label; the column is ``label_<name>``.
        codes: See `read_events`.
        within: Largest distance between ECG and measurement, see `parse_window`.
        side: See `link`.
        columns: See `read_events`.
        dates: See `read_events`.
        replace: Whether a label of that name may be replaced.

    Returns:
        The counts, which ``cohort.json`` keeps too, with where the label comes from.

    Raises:
        HeartprintError: ``bad-label-name``, ``reserved-label``, ``label-exists``, ``output-busy``, ``nothing-linked``,
            what `Cohort.open`, `parse_window` and `read_events` raise.
    """
    target = Path(folder)
    if not (target / COHORT_FILE).is_file():
        Cohort.open(target)  # says what is wrong
    work = target.with_name(f".{target.name}.label")
    # Two labels at once would each be written without the other.
    with claimed(work):
        counts = _label(target, Path(events_file), name, codes, within, side, columns, dates, replace=replace)
    shutil.rmtree(work, ignore_errors=True)
    return counts


def _label(
    folder: Path,
    events_file: Path,
    name: str,
    codes: Sequence[str],
    within: str,
    side: Side,
    columns: Mapping[str, str],
    dates: fields.Dates | None,
    *,
    replace: bool,
) -> Linkage:
    cohort = Cohort.open(folder)
    if not _NAME.fullmatch(name):
        raise HeartprintError(
            "bad-label-name", f"'{name}' is no name for a label. Take small letters, digits and _: lvef, lvef_15d."
        )
    column = f"label_{name}"
    if name in TASKS and TASKS[name].column != column:
        raise HeartprintError(
            "reserved-label",
            f"'{name}' is a built-in task that is answered from '{TASKS[name].column.removeprefix('label_')}'. Give "
            "that name, or another one.",
        )
    if column in cohort.records.columns and not replace:
        raise HeartprintError(
            "label-exists", f"{cohort.info.name} has a label '{name}' already. Take another name, or say --replace."
        )
    window, possible = parse_window(within), _POSSIBLE.get(name, _ANY)
    events = read_events(events_file, codes, columns, possible, dates)
    table, counts = link(cohort.records, events, within=window, side=side)
    if counts.linked == 0:
        unread = ""
        if events.without_time:
            such = f", for example '{events.unreadable_time}'" if events.unreadable_time else ""
            unread = f" {events.without_time:,} measurements are without a readable time{such}."
        raise HeartprintError(
            "nothing-linked",
            f"Of {counts.events:,} measurements none is near an ECG of {cohort.info.name}: {counts.no_event:,} ECGs of "
            f"patients without any, {counts.out_of_window:,} with one outside the window, {counts.ambiguous:,} "
            f"ambiguous, {counts.no_date:,} without a date.{unread} Check that both use the same patient ids and "
            "dates.",
        )
    value = table["value"].cast(pl.Float32).alias(column)
    records = cohort.records.with_columns(value)
    note: dict[str, Any] = {
        "file": events_file.name,
        "sha256": sha256_file(events_file) if events_file.is_file() else None,
        "codes": list(codes),
        "within": within,
        "side": side,
        "counts": counts.to_json(),
    }
    if dates is not None:
        note["dates"] = dates
    told = json.loads((folder / COHORT_FILE).read_text(encoding="utf-8"))
    told["settings"].setdefault("labels", {})[name] = note
    # The note first: one about a label that is not there yet does less harm than a label of unknown origin.
    write_json(folder / COHORT_FILE, told)
    with atomic_path(folder / RECORDS_FILE) as temporary:
        records.write_parquet(temporary)
    return counts
