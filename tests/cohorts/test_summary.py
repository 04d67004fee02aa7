from __future__ import annotations

import datetime as dt
import io
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import REFUSED_FILE, WAVEFORMS_FILE
from heartprint.cohorts.summary import GAPS, SIMULATED_WARNING, render_summary, summarise
from heartprint.cohorts.writer import write_cohort
from heartprint.foundation.errors import HeartprintError
from tests.cohorts.ecgs import small_cohort, twelve

DAY = dt.datetime(2020, 2, 28, 23, 0)


def days(*numbers: float | None) -> list[dt.datetime | None]:
    return [None if n is None else DAY + dt.timedelta(days=n) for n in numbers]


def text_of(cohort: Cohort) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(render_summary(summarise(cohort)))
    return console.export_text()


def test_counts(tmp_path: Path) -> None:
    cohort = small_cohort(
        tmp_path / "c",
        ["a", "a", "a", "b", "b", "c"],
        label_af=[1, 0, None, 0, 0, 1],
        label_lvef=[30, None, 60, 40, 39.9, None],
        label_mi=[None] * 6,
        sex=["female", "female", None, "male", "male", "male"],
        age=[40, 41, None, 70, 70, 90],
        site=["x", "y", "y", None, "y", "x"],
    )
    s = summarise(cohort)
    assert (s["ecgs"], s["patients"], s["patients_with_pairs"], s["ecgs_of_patients_with_pairs"]) == (6, 3, 2, 5)
    assert s["pairs"] == 3 + 1
    assert s["gaps"]["counts"] == {**dict.fromkeys(GAPS, 0), "unknown": 3}
    assert s["gaps"]["median_days"] is None
    picked = {
        k: (t["positive"], t["negative"], t["missing"], t["patients_positive"], t["patients_labelled"])
        for k, t in s["tasks"].items()
    }
    assert picked == {
        "af": (2, 3, 1, 2, 3),
        "female": (2, 3, 1, 1, 3),
        "lvef_below_40": (2, 2, 2, 2, 2),
        "mi": (0, 0, 6, 0, 0),
    }
    assert s["labels"]["lvef"] == {"known": 4, "missing": 2, "lowest": 30, "median": 39.95, "highest": 60}
    assert s["sexes"] == {"female": 2, "male": 3, "missing": 1}
    assert (s["ages"]["known"], s["ages"]["median"]) == (5, 70)
    assert s["sites"] == {"y": 3, "x": 2, "missing": 1}
    assert s["sampling_rates"] == {"100": 6}
    assert s["refused"] == {"total": 0, "by_reason": {}, "examples": {}}
    assert s["simulated"] is False
    assert json.loads(json.dumps(s)) == s


def test_gap_classes(tmp_path: Path) -> None:
    # One patient per gap; calendar days count, so two hours over midnight are not the same day.
    gaps = [0.01, 0.9, 1, 7, 8, 30, 31, 365, 366, 4000]
    classes = ["same_day", "up_to_1_week", "up_to_1_week", "up_to_1_week", "up_to_1_month", "up_to_1_month"]
    classes += ["up_to_1_year", "up_to_1_year", "over_1_year", "over_1_year"]
    patients = [f"p{i}" for i in range(len(gaps)) for _ in range(2)]
    dates = [d for g in gaps for d in days(g, 0)]  # later one first: order in the table means nothing
    s = summarise(small_cohort(tmp_path / "c", patients, recorded_at=dates))
    assert s["gaps"]["counts"] == {**{c: classes.count(c) for c in GAPS}, "unknown": 0}
    assert s["dates"]["first"] == "2020-02-28"


def literal_gaps(patients: list[str], dates: list[dt.datetime | None]) -> dict[str, int]:
    counts = {**dict.fromkeys(GAPS, 0), "unknown": 0}
    for patient in set(patients):
        own = [d for p, d in zip(patients, dates, strict=True) if p == patient]
        known = sorted(d for d in own if d is not None)
        counts["unknown"] += (len(own) - 1) - max(len(known) - 1, 0)
        for one, two in itertools.pairwise(known):
            gap = (two.date() - one.date()).days
            counts[next(name for name, (_, most) in GAPS.items() if gap <= most)] += 1
    return counts


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.floats(0, 900)), min_size=1, max_size=12))
def test_gaps_equal_a_literal_count(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    patients, dates = [p for p, _ in rows], days(*(d for _, d in rows))
    cohort = small_cohort(tmp_path_factory.mktemp("c") / "c", patients, recorded_at=dates)
    assert summarise(cohort)["gaps"]["counts"] == literal_gaps(patients, dates)


def test_info_never_reads_waveforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = small_cohort(tmp_path / "c", ["a", "a", "b"], label_af=[1, 0, None])
    whole = summarise(cohort)
    file = cohort.path / WAVEFORMS_FILE
    size = file.stat().st_size
    file.unlink()
    with file.open("wb") as handle:
        handle.truncate(size)  # a hole where the samples were

    def refuse(self: Cohort) -> None:
        raise AssertionError("waveforms were read")

    monkeypatch.setattr(Cohort, "_map", refuse)
    opened = Cohort.open(cohort.path)
    assert summarise(opened) == whole
    assert len(opened.filter(labelled="af")) == 2
    with pytest.raises(AssertionError, match="were read"):
        opened.signal(0)


def test_simulated_is_said_plainly(tmp_path: Path) -> None:
    for simulated in (True, False):
        path = tmp_path / str(simulated)
        with write_cohort(path, source="s", simulated=simulated) as writer:
            writer.add(np.zeros((8, 3), dtype=np.int16), ecg_id="1", patient_id="p", sampling_rate=100.0)
        cohort = Cohort.open(path)
        assert summarise(cohort)["simulated"] is simulated
        assert (SIMULATED_WARNING in text_of(cohort)) is simulated


def test_refused_by_reason(tmp_path: Path) -> None:
    with write_cohort(tmp_path / "c", source="s") as writer:
        writer.add(np.zeros((8, 3), dtype=np.int16), ecg_id="1", patient_id="p", sampling_rate=100.0)
        for i, code in enumerate(["rare", "often", "often"]):
            writer.refuse(f"r{i}", "f", HeartprintError(code, f"Because [of] {code}."))
    cohort = Cohort.open(tmp_path / "c")
    refused = summarise(cohort)["refused"]
    assert refused["total"] == 3
    assert list(refused["by_reason"].items()) == [("often", 2), ("rare", 1)]
    assert refused["examples"]["often"] == {"ecg_id": "r1", "path": "f", "message": "Because [of] often."}
    assert "r1: Because [of] often." in text_of(cohort)
    (cohort.path / REFUSED_FILE).unlink()
    with pytest.raises(HeartprintError) as caught:
        summarise(cohort)
    assert caught.value.code == "cohort-incomplete"


def test_command_line(tmp_path: Path) -> None:
    from heartprint.cli import info, ingest

    app = typer.Typer()
    app.command("info")(info.info)
    app.add_typer(ingest.app, name="ingest")
    np.save(tmp_path / "x.npy", twelve())
    (tmp_path / "t.csv").write_text("path,ecg_id,patient_id,af\nx.npy,1,p,1\nx.npy,1,p,0\nx.npy,2,p,\n")
    runner = CliRunner()
    done = runner.invoke(
        app, ["ingest", "table", str(tmp_path / "t.csv"), str(tmp_path / "c"), "--sampling-rate", "100"]
    )
    assert done.exit_code == 0, done.output
    assert "duplicate-ecg-id" in done.output
    shown = runner.invoke(app, ["info", str(tmp_path / "c")])
    assert shown.exit_code == 0
    assert "patients with >= 2 ECGs" in shown.output
    machine = json.loads(runner.invoke(app, ["info", str(tmp_path / "c"), "--json"]).stdout)
    assert machine["ecgs"] == 2
    assert machine["refused"]["by_reason"] == {"duplicate-ecg-id": 1}
    failed = runner.invoke(app, ["info", str(tmp_path / "nothing")])
    assert isinstance(failed.exception, HeartprintError)
    assert failed.exception.code == "cohort-missing"


@pytest.mark.slow
def test_real_cohort(shared_data: Path, tmp_path: Path) -> None:
    from heartprint.readers import PtbXl, ingest

    s = summarise(ingest(PtbXl(), shared_data / "ptb-xl", tmp_path / "c"))
    assert (s["ecgs"], s["patients"], s["patients_with_pairs"], s["ecgs_of_patients_with_pairs"]) == (
        1423,
        1325,
        79,
        177,
    )
    assert s["tasks"]["af"]["positive"] == 74
    assert s["sexes"] == {"female": 752, "male": 671, "missing": 0}
    assert sum(s["gaps"]["counts"].values()) == 177 - 79
    assert s["gaps"]["median_days"] == 5.5
