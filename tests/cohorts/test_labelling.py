"""Labels from measurements, against a slow literal twin."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from heartprint.cli.label import label
from heartprint.cohorts import Cohort, write_cohort
from heartprint.cohorts.events import PRESETS, Events, read_events
from heartprint.cohorts.labelling import Side, label_cohort, link, parse_window
from heartprint.foundation.errors import HeartprintError

START = dt.datetime(2015, 1, 1)
Event = tuple[str, dt.datetime, float]


def slow(
    ecgs: Sequence[tuple[str, dt.datetime | None]], events: Sequence[Event], within: dt.timedelta, side: Side
) -> list[tuple[float | None, str]]:
    """As the definition reads."""
    times = [[time for _, time, _ in events], [at for _, at in ecgs if at is not None]]
    if any(known and all(t.time() == dt.time(0) for t in known) for known in times):
        midnight = dt.time(0)
        events = [(who, dt.datetime.combine(time, midnight), value) for who, time, value in events]
        ecgs = [(who, at and dt.datetime.combine(at, midnight)) for who, at in ecgs]
    out: list[tuple[float | None, str]] = []
    for patient, at in ecgs:
        own = [(time, value) for who, time, value in events if who == patient]
        if at is None:
            out.append((None, "no_date"))
            continue
        if not own:
            out.append((None, "no_event"))
            continue
        near = []
        for time, value in own:
            right_side = {"before": time <= at, "after": time >= at, "either": True}[side]
            if right_side and abs(time - at) <= within:
                near.append((abs(time - at), value))
        if not near:
            out.append((None, "out_of_window"))
            continue
        least = min(gap for gap, _ in near)
        values = {value for gap, value in near if gap == least}
        out.append((values.pop(), "linked") if len(values) == 1 else (None, "ambiguous"))
    return out


moments = st.integers(0, 60).map(lambda h: START + dt.timedelta(hours=h))
patients = st.sampled_from("abc")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(patients, st.none() | moments), min_size=1, max_size=12),
    st.lists(st.tuples(patients, moments, st.sampled_from([30.0, 40.0, 55.0])), max_size=12),
    st.integers(0, 30),
    st.sampled_from(["before", "after", "either"]),
)
def test_nearest_in_the_window_as_the_definition_reads(
    ecgs: list[tuple[str, dt.datetime | None]], events: list[Event], hours: int, side: Side
) -> None:
    records = pl.DataFrame(ecgs, schema={"patient_id": pl.String, "recorded_at": pl.Datetime("us")}, orient="row")
    table = pl.DataFrame(
        events, schema={"patient_id": pl.String, "time": pl.Datetime("us"), "value": pl.Float64}, orient="row"
    )
    within = dt.timedelta(hours=hours)
    found, counts = link(records, Events(table, False, len(events), 0, 0, 0), within=within, side=side)
    expected = slow(ecgs, events, within, side)
    assert list(zip(found["value"], found["status"], strict=True)) == expected
    assert (
        counts.ecgs
        == len(ecgs)
        == sum((counts.linked, counts.ambiguous, counts.out_of_window, counts.no_event, counts.no_date))
    )
    gaps = found.filter(pl.col("status") == "linked")["gap_days"]
    assert gaps.abs().max() is None or gaps.abs().max() <= hours / 24 + 1e-9  # type: ignore[operator]


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    with write_cohort(tmp_path / "c", source="random", simulated=True) as writer:
        for k, (patient, day) in enumerate((("1", 0), ("1", 100), ("2", 5), ("3", 7), ("4", None))):
            at = None if day is None else START + dt.timedelta(days=day, hours=15)
            samples = rng.integers(-500, 500, (8, 1000)).astype(np.int16)
            writer.add(samples, ecg_id=f"e{k}", patient_id=patient, sampling_rate=100, recorded_at=at)
    return tmp_path / "c"


def meds(path: Path) -> Path:
    table = pl.DataFrame(
        {
            "subject_id": [1, 1, 2, 2, 2, 9, 1, 9],
            "time": [START + dt.timedelta(days=d) for d in (3, 90, 5, 5, 5, 1, 0, 1)],
            "code": ["LVEF", "LVEF", "LVEF", "LVEF", "HR", "LVEF", "LVEF", "QT"],
            "numeric_value": [35.0, 60.0, 40.0, 50.0, 70.0, 30.0, None, 400.0],
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    table.write_parquet(path)
    return path


def test_a_label_is_added_counted_and_explained(cohort: Path, tmp_path: Path) -> None:
    events = meds(tmp_path / "data" / "train" / "0.parquet")
    before = Cohort.open(cohort)
    key = before.info.patient_key
    for given_path in (events, tmp_path / "data"):
        counts = label_cohort(cohort, given_path, name="lvef", codes=["LVEF"], within="15d", replace=True)
    after = Cohort.open(cohort)
    assert after.records["label_lvef"].to_list() == [35.0, 60.0, None, None, None]
    assert after.labels("lvef_below_40").tolist()[:2] == [1.0, 0.0]
    assert (counts.linked, counts.ambiguous, counts.no_event, counts.no_date) == (2, 1, 1, 1)
    assert (counts.events, counts.events_without_value, counts.events_of_others) == (6, 1, 1)
    note = after.info.settings["labels"]["lvef"]
    assert note["within"] == "15d"
    assert note["counts"] == counts.to_json()
    # A run goes on, and a model recognises its patients, when a label has come.
    assert after.info.patient_key == key
    assert after.info.content_hash == before.info.content_hash
    assert np.array_equal(after.samples(0), before.samples(0))
    assert sorted(p.name for p in cohort.iterdir()) == [
        "cautions.parquet", "cohort.json", "records.parquet", "refused.parquet", "waveforms.i16"
    ]  # fmt: skip


def test_csv_with_own_columns_dates_ranges_and_rubbish(tmp_path: Path) -> None:
    file = tmp_path / "echo.csv"
    file.write_text(
        "subject_id,measurement_datetime,measurement,result\n"
        "1,2015-01-02,lvef,55-60\n2,2015-01-03, lvef,40 %\n3,2015-01-04,lvef,normal\n4,,lvef,30\n5,2015-01-05,la,4\n"
        "6,2015-02-30,lvef,33\n",
        encoding="utf-8",
    )
    events = read_events(file, ["lvef"], PRESETS["mimic-iv-echo"])
    assert events.whole_days
    assert events.table.rows() == [("1", dt.datetime(2015, 1, 2), 57.5), ("2", dt.datetime(2015, 1, 3), 40.0)]
    assert (events.n, events.without_value, events.without_time) == (5, 1, 2)
    records = pl.DataFrame({"patient_id": ["1"], "recorded_at": [dt.datetime(2015, 1, 3, 23)]})
    # By dates they are a day apart, whatever the hour.
    assert link(records, events, within=dt.timedelta(days=1))[1].linked == 1
    exact = tmp_path / "exact.csv"
    exact.write_text(
        "subject_id,time,numeric_value\n1,2015-01-03T22:00:00Z,3\n1,2015-01-03 21:30,4\n", encoding="utf-8"
    )
    found, _ = link(records, read_events(exact, ()), within=dt.timedelta(hours=2))
    assert found["value"].to_list() == [3.0]
    assert found["gap_days"].to_list() == [pytest.approx(-1 / 24)]


ECG = dt.datetime(2019, 3, 2)


def linked(records: list[dt.datetime], lines: str, folder: Path, **how: object) -> list[float | None]:
    (folder / "e.csv").write_text("subject_id,time,numeric_value\n" + lines, encoding="utf-8")
    table = pl.DataFrame({"patient_id": ["1"] * len(records), "recorded_at": records})
    events = read_events(folder / "e.csv", ())
    found, _ = link(table, events, **{"within": dt.timedelta(days=15), **how})  # type: ignore[arg-type]
    return found["value"].to_list()


def test_a_date_alone_is_no_midnight(tmp_path: Path) -> None:
    """Where one of the two has only dates, written as midnight, the same day is the same day, before and after."""
    for side in ("before", "after", "either"):
        assert linked([ECG], "1,2019-03-02 09:00,50\n", tmp_path, side=side) == [50]
        at_ten = ECG + dt.timedelta(hours=10)
        assert linked([at_ten], "1,2019-03-02 00:00:00,50\n", tmp_path, side=side) == [50]
    assert linked([ECG + dt.timedelta(hours=10)], "1,2019-02-15 00:00:00,50\n", tmp_path) == [50]
    # Times on both sides are times.
    both = [ECG + dt.timedelta(hours=10), ECG + dt.timedelta(hours=8)]
    assert linked(both, "1,2019-03-02 09:00,50\n", tmp_path, side="before") == [50, None]


def test_times_are_those_of_the_clock_on_the_wall(tmp_path: Path) -> None:
    at = [ECG + dt.timedelta(hours=10, minutes=30)]
    for zone in ("", "Z", "+00:00", "+02:00", "-0500", " UTC", ".123+02:00"):
        assert linked(at, f"1,2019-03-02T10:30:00{zone},50\n", tmp_path, within=dt.timedelta(0)) == [50], zone


def test_an_lvef_that_no_heart_has_is_left_out(cohort: Path, tmp_path: Path) -> None:
    at = (START + dt.timedelta(days=1)).isoformat()
    (tmp_path / "e.csv").write_text(
        f"subject_id,time,numeric_value\n1,{at},999\n1,{at},35\n2,{at},40\n3,{at},-1\n3,{at},55\n"
    )
    counts = label_cohort(cohort, tmp_path / "e.csv", name="lvef", codes=(), within="15d")
    assert (counts.events_out_of_range, counts.ambiguous) == (2, 0)
    assert Cohort.open(cohort).records["label_lvef"].to_list() == [35.0, None, 40.0, 55.0, None]
    (tmp_path / "e.csv").write_text(f"subject_id,time,numeric_value\n1,{at},0.35\n2,{at},0.6\n3,{at},55\n")
    with pytest.raises(HeartprintError, match=r"2 of 3 values .* are not between 5 and 95, such as 0\.35") as caught:
        label_cohort(cohort, tmp_path / "e.csv", name="lvef", codes=(), within="15d", replace=True)
    assert caught.value.code == "bad-label"
    # Under another name any number is one.
    assert label_cohort(cohort, tmp_path / "e.csv", name="fraction", codes=(), within="15d").events_out_of_range == 0


def test_tables_about_a_meds_dataset_are_no_events(tmp_path: Path) -> None:
    meds(tmp_path / "data" / "train" / "0.parquet")
    (tmp_path / "metadata").mkdir()
    pl.DataFrame({"code": ["LVEF"], "description": ["ejection fraction"]}).write_parquet(
        tmp_path / "metadata" / "codes.parquet"
    )
    assert read_events(tmp_path, ["LVEF"]).n == read_events(tmp_path / "data", ["LVEF"]).n


def test_a_million_events(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    n = 1_000_000
    times = np.datetime64("2010-01-01", "us") + rng.integers(0, 3650, n) * np.timedelta64(86_400_000_000, "us")
    people = rng.integers(0, 100_000, n).astype(str)
    table = pl.DataFrame({"patient_id": people, "time": times, "value": rng.integers(10, 70, n).astype(float)})
    records = table.sample(200_000, seed=0).select("patient_id", pl.col("time").alias("recorded_at"))
    _, counts = link(records, Events(table, False, n, 0, 0, 0), within=dt.timedelta(days=15), side="before")
    assert counts.linked + counts.ambiguous == 200_000


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"events_file": "nothing.csv"}, "events-missing"),
        ({"codes": ["LVFE"]}, "unknown-code"),
        ({"within": "15"}, "bad-window"),
        ({"within": "9999999d"}, "bad-window"),
        ({"side": "near"}, "unknown-side"),
        ({"name": "LV EF"}, "bad-label-name"),
        ({"columns": {"value": "ef"}}, "bad-table"),
        ({"codes": ["QT"], "name": "qt"}, "nothing-linked"),
        ({"name": "lvef_below_40"}, "reserved-label"),
        ({"codes": ["QT"]}, "bad-label"),
    ],
)
def test_mistakes_leave_the_cohort_as_it_was(
    changes: dict[str, object], code: str, cohort: Path, tmp_path: Path
) -> None:
    events = meds(tmp_path / "e.parquet")
    before = {p.name: p.read_bytes() for p in cohort.iterdir()}
    values: dict[str, object] = {"events_file": events, "name": "lvef", "codes": ["LVEF"], "within": "15d"}
    if "events_file" in changes:
        changes = {"events_file": tmp_path / str(changes["events_file"])}
    with pytest.raises(HeartprintError) as caught:
        label_cohort(cohort, **{**values, **changes})  # type: ignore[arg-type]
    assert caught.value.code == code
    assert {p.name: p.read_bytes() for p in cohort.iterdir()} == before


def test_damaged_tables_are_told(cohort: Path, tmp_path: Path) -> None:
    for name, content in (("a.parquet", b"PAR1 nothing"), ("a.csv", b""), ("b.csv", b"\xff\xfe\x00a,b\n1,2")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(HeartprintError) as caught:
            label_cohort(cohort, tmp_path / name, name="lvef", codes=["LVEF"], within="15d")
        assert caught.value.code == "bad-table"


def test_the_verb(cohort: Path, tmp_path: Path) -> None:
    events = meds(tmp_path / "e.parquet")
    app = typer.Typer()
    app.command()(label)
    arguments = [str(cohort), "--events", str(events), "--code", "LVEF", "--as", "lvef"]
    said = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "linked" in said.output and "ambiguous" in said.output
    with pytest.raises(HeartprintError) as caught:
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert caught.value.code == "label-exists"
    again = CliRunner().invoke(app, [*arguments, "--replace", "--json"], catch_exceptions=False)
    assert json.loads(again.output)["linked"] == 2
    with pytest.raises(HeartprintError):
        CliRunner().invoke(app, [*arguments, "--replace", "--columns", "who=id"], catch_exceptions=False)
    assert parse_window("2w") == dt.timedelta(days=14)
