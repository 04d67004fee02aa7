"""Labels from measurements: each ECG gets the value that was measured nearest to it, if that is near enough."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from heartprint.cohorts.cohort import COHORT_FILE, RECORDS_FILE, Cohort
from heartprint.cohorts.events import ANY_VALUE, COLUMNS, Events, plain_ids, read_events
from heartprint.cohorts.tasks import TASKS
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.foundation.files import atomic_path, claimed, sha256_file, write_json
from heartprint.tables import fields
from heartprint.tables.dates import Order

Side = Literal["before", "after", "either"]
Status = Literal["linked", "ambiguous", "out_of_window", "no_event", "no_date"]

_UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
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
        plain_ids(records["patient_id"]), (moment.dt.truncate("1d") if whole_days else moment).alias("at")
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
    dates: Order | None = None,
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
    dates: Order | None,
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
    window, possible = parse_window(within), _POSSIBLE.get(name, ANY_VALUE)
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
