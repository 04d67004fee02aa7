"""The card of a cohort: what stands on it is counted anew from the table."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import typer.testing
from PIL import Image

from heartprint.cli.card import card as command
from heartprint.cohorts import Cohort, write_cohort
from heartprint.evaluation.cohort_report import write_card
from heartprint.evaluation.cohort_report.pictures import measure_pictures
from heartprint.evaluation.cohort_report.quality import measure_quality
from heartprint.foundation.errors import HeartprintError
from tests.cohorts.ecgs import eight_leads


def make(folder: Path, n: int = 40, *, simulated: bool = False, dates: bool = True) -> Cohort:
    """Two ECGs for every second patient, ten days apart; every fifth ECG shows AF, every fourth has no AF label."""
    with write_cohort(folder, source="made up", simulated=simulated, settings={"notes": ["<b>a note</b>"]}) as writer:
        for i in range(n):
            patient = i // 3 * 2 + (i % 3 == 2)
            writer.add(
                np.rint(1000 * eight_leads(seed=i)).astype(np.int16),
                ecg_id=f"secret-{i}",
                patient_id=f"person-{patient}",
                sampling_rate=100.0,
                recorded_at=dt.datetime(2001, 1, 1 + 10 * (i % 3)) if dates else None,
                age=30.0 + i,
                sex="female" if i % 2 else None,
                labels={"af": float(i % 5 == 0)} if i % 4 else {},
            )
        for i in range(3):
            writer.refuse(f"bad-{i}", "x.dat", HeartprintError("flat-lead", "Lead I is flat <by far>."))
    return Cohort.open(folder)


def text(path: Path) -> str:
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", path.read_text(), flags=re.DOTALL)).split())


def test_what_stands_on_it(tmp_path: Path) -> None:
    cohort = make(tmp_path / "cohort")
    path = write_card(cohort, split={"here": 0.5, "there": 0.5}, sheets=2)
    assert path == tmp_path / "cohort" / "cohort.html"
    said = text(path)
    assert "43 records in the source 3 refused: flat-lead 3 40 ECGs of 27 patients" in said
    assert "26 ECGs of 13 patients with two or more: 13 pairs" in said
    assert "flat-lead 3 100.0% Lead I is flat <by far>." in said
    assert "Sex: female 20 (50.0%)" in said and "Sex missing 20 (50.0%)" in said
    known = [i for i in range(40) if i % 4]
    positive = sum(i % 5 == 0 for i in known)
    assert f"af {positive} {len(known) - positive} 10 (25.0%)" in said
    assert "<= 1 month 13 100.0%" in said and "median 10 days" in said
    assert "SIMULATED" not in said and "These are ECGs of patients." in said
    assert "Near-duplicates (re-sampled, shifted, filtered, scaled) were not looked for" in said
    parts = re.search(r"Table 1 all here there ECGs 40 (\d+) (\d+) Patients 27 (\d+) (\d+)", said)
    assert parts is not None
    assert [int(parts[1]) + int(parts[2]), int(parts[3]) + int(parts[4])] == [40, 27]


def test_it_needs_nothing_else_and_names_nobody(tmp_path: Path) -> None:
    page = write_card(make(tmp_path / "cohort"), tmp_path / "card.html", sheets=3).read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', page) and "<script" not in page
    assert "secret-" not in page and "person-" not in page and str(tmp_path) not in page
    assert "<b>a note</b>" not in page and "&lt;b&gt;a note" in page
    sheets = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(sheets) == 3
    for sheet in sheets:
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet))).convert("L"))
        assert pixels.shape[1] > 600 and pixels.min() < 150 and np.median(pixels) > 200


def test_the_same_cohort_gives_the_same_page(tmp_path: Path) -> None:
    cohort = make(tmp_path / "cohort")
    assert write_card(cohort, tmp_path / "a").read_bytes() == write_card(cohort, tmp_path / "b").read_bytes()


def test_simulated_is_said_loudly_and_no_dates_are_no_gaps(tmp_path: Path) -> None:
    said = text(write_card(make(tmp_path / "cohort", simulated=True, dates=False), sheets=1))
    assert said.count("SIMULATED") == 2 and "Simulated cohort: cohort" in said
    assert "These are ECGs of patients" not in said
    assert "no dates: all gaps are unknown" in said and "unknown: a date is missing 13 100.0%" in said


def test_duplicates_are_found_when_asked_for(tmp_path: Path) -> None:
    with write_cohort(tmp_path / "cohort", source="made up") as writer:
        for i, (patient, seed) in enumerate([("a", 0), ("b", 1), ("c", 0)]):
            samples = np.rint(1000 * eight_leads(seed=seed)).astype(np.int16)
            writer.add(samples, ecg_id=str(i), patient_id=patient, sampling_rate=100.0)
    said = text(write_card(Cohort.open(tmp_path / "cohort"), duplicates=True, sheets=0))
    assert "1 pairs of ECGs are copies of each other (1 exact), 1 of them under different patient ids." in said
    assert "Copies under two patients leak" in said and "Example sheets" not in said
    assert "1 ECGs have the very samples of another one" in text(write_card(Cohort.open(tmp_path / "cohort")))


def test_quality_of_known_signals(tmp_path: Path) -> None:
    t = np.arange(5000) / 500
    qrs = np.exp(-(((t % 1.0) - 0.4) ** 2) / (2 * 0.01**2))
    waves = 0.2 * np.sqrt(2) * np.sin(2 * np.pi * 0.2 * t) + 0.03 * np.sqrt(2) * np.sin(2 * np.pi * 60 * t)
    with write_cohort(tmp_path / "cohort", source="made up") as writer:
        for i, signal in enumerate((waves, 2 * qrs, np.zeros(5000))):
            samples = np.rint(1000 * np.tile(signal, (8, 1))).astype(np.int16)
            samples[:, 4000 : 4000 + 500 * i] = -32768
            writer.add(samples, ecg_id=str(i), patient_id=str(i), sampling_rate=500.0)
    quality = measure_quality(Cohort.open(tmp_path / "cohort"), 10)
    assert quality.wander[0] == pytest.approx(0.2, rel=0.02) and quality.noise[0] == pytest.approx(0.03, rel=0.02)
    assert quality.height[1] == pytest.approx(2.0, abs=0.01) and quality.beats[1] in (8, 9, 10)
    assert quality.height[2] == quality.wander[2] == quality.noise[2] == quality.beats[2] == 0
    np.testing.assert_allclose(quality.missing, [0, 0.1, 0.2])
    assert len(measure_quality(Cohort.open(tmp_path / "cohort"), 2).rows) == 2


def test_a_cohort_of_images(tmp_path: Path) -> None:
    page = np.full((100, 1600), 200, np.uint8)
    page[:, 800:] = 120  # half of it in shadow
    page[40:42, ::3] = 20
    with write_cohort(tmp_path / "cohort", source="scans", kind="image") as writer:
        for i in range(12):
            writer.add_image(page + np.uint8(i // 2), ecg_id=str(i), patient_id=f"p{i // 3}", original=(200, 3200))
    cohort = Cohort.open(tmp_path / "cohort")
    said = text(write_card(cohort, duplicates=True, sheets=3))
    assert "Picture quality" in said and "Signal quality" not in said and "Example pictures" in said
    assert "Width, px 1600 (1600 to 1600)" in said and "Seconds" not in said
    assert "Shrunk when taken in 12 of 12" in said and "Size 1600-1600 x 100-100 px" in said
    assert "(6 exact)" in said
    assert "6 ECGs have the very pixels of another one. Near-duplicates (re-saved, " in text(write_card(cohort))
    shown = re.findall(r'src="data:image/png;base64,([^"]+)"', (tmp_path / "cohort" / "cohort.html").read_text())
    assert Image.open(io.BytesIO(base64.b64decode(shown[0]))).size == (1188, 74)


def test_quality_of_known_pictures(tmp_path: Path) -> None:
    plain = np.full((80, 160), 204, np.uint8)
    printed, shadowed = plain.copy(), plain.copy()
    printed[::8] = 51
    shadowed[:, :20] = 102
    soft = np.tile(np.linspace(51, 204, 160).astype(np.uint8), (80, 1))
    with write_cohort(tmp_path / "cohort", source="scans", kind="image") as writer:
        for i, pixels in enumerate((plain, printed, shadowed, soft, plain[:1, :1])):
            writer.add_image(np.ascontiguousarray(pixels), ecg_id=str(i), patient_id=str(i), original=pixels.shape)
    quality = measure_pictures(Cohort.open(tmp_path / "cohort"), 10)
    np.testing.assert_allclose(quality.paper[:3], 0.8)
    np.testing.assert_allclose(quality.contrast[:3], [0, 0.6, 0.4])
    np.testing.assert_allclose(quality.uneven[:3], [0, 0, 0.4])
    np.testing.assert_allclose(quality.sharpness[:3], [0, 1, 0])  # one edge is no print
    assert quality.sharpness[3] < 0.02 and quality.sharpness[4] == 0
    assert len(measure_pictures(Cohort.open(tmp_path / "cohort"), 2).rows) == 2


def test_the_command(tmp_path: Path) -> None:
    make(tmp_path / "cohort")
    app = typer.Typer()
    app.command()(command)
    runner = typer.testing.CliRunner()
    out = tmp_path / "card.html"
    arguments = [str(tmp_path / "cohort"), "--out", str(out), "--split", "a=0.6", "--split", "b=0.4", "--json"]
    done = runner.invoke(app, [*arguments, "--sheets", "0"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1]) == {"card": str(out)}
    assert "Example: heartprint card " in runner.invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    for wrong, code in (
        (["--split", "a"], "bad-options"),
        (["--split", "a=0.6"], "bad-split"),
        (["--sheets", "-1"], "bad-options"),
        (["--layout", "papyrus"], "unknown-layout"),
    ):
        done = runner.invoke(app, [str(tmp_path / "cohort"), "--out", str(tmp_path / "no.html"), *wrong])
        assert isinstance(done.exception, HeartprintError) and done.exception.code == code
        assert not (tmp_path / "no.html").exists()
