"""The commands of docs/how-to/paper-protocol.md, as written there, on simulated stand-ins in the sets' own layouts."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import heartprint
from heartprint.cohorts import Cohort
from heartprint.evaluation.study.config import StudyConfig
from heartprint.foundation.config import load_config
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import MimicIvEcg, ingest
from heartprint.simulation import simulate
from tests.evaluation.stand_ins import _squeezed, write_mimic, write_ptb_xl

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "how-to" / "paper-protocol.md"
CONFIG = REPOSITORY / "configs" / "mimic-ptb-xl.yaml"
# What makes the study small enough for a test: everything else is as a holder of the real sets runs it.
SMALL = [
    "budgets=[0.5, 1.0]",
    "draws=1",
    "resamples=100",
    "groups.b3.backbone=small",
    "groups.b3.image_size=64",
    "groups.b3.pretraining.steps=4",
    "groups.b3.pretraining.batch_size=8",
    "groups.b3.pretraining.workers=0",
    "groups.lite0.image_size=64",
    "full_settings={epochs: 1, batch_size: 64}",
]


def test_stand_ins_are_read_as_they_were_meant(tmp_path: Path) -> None:
    cohort = simulate(tmp_path / "simulated", 8, rate=500, seed=3)
    read = ingest(MimicIvEcg(), write_mimic(tmp_path / "mimic", cohort), tmp_path / "cohort")
    assert len(read) == len(cohort)
    assert read.records["sex"].to_list() == cohort.records["sex"].to_list()
    assert read.records["label_af"].to_list() == cohort.records["label_af"].to_list()
    true = np.array([t.year for t in _squeezed(cohort)])
    year = read.records["label_calendar_year"].to_numpy()
    assert np.abs(year - true).max() <= 1 and (read.records["recorded_at"].dt.year() > 2100).all()
    np.testing.assert_allclose(read.signal(0), cohort.signal(0), atol=0.0011)
    early, late = (
        read.filter(between={"calendar_year": (None, 2013)}),
        read.filter(between={"calendar_year": (2014, None)}),
    )
    assert len(early) + len(late) == len(read) and min(len(early), len(late)) > 0
    with pytest.raises(HeartprintError) as caught:
        read.filter(between={"year": (None, 2013)})
    assert caught.value.code == "label-missing" and "calendar_year" in caught.value.message
    (tmp_path / "mimic" / "patients.csv.gz").unlink()
    without = ingest(MimicIvEcg(), tmp_path / "mimic", tmp_path / "without")
    assert "label_calendar_year" not in without.records.columns


def test_the_two_recipes_are_one() -> None:
    here, paper = (load_config(REPOSITORY / "configs" / name, [], StudyConfig) for name in (CONFIG.name, "paper.yaml"))
    for name in ("protocol", "tasks", "budgets", "draws", "mode", "full_settings", "groups", "encoders", "reference"):
        assert getattr(here, name) == getattr(paper, name), name
    assert here.cohorts["archive"].path == here.cohorts["home"].path


def commands() -> list[list[str]]:
    return [shlex.split(line) for line in re.findall(r"^    (heartprint .*)$", PAGE.read_text(), flags=re.MULTILINE)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_page_from_the_second_step_on(tmp_path: Path) -> None:
    home = simulate(tmp_path / "simulated" / "home", 90, hospital="internal", rate=500, seed=1)
    abroad = simulate(tmp_path / "simulated" / "abroad", 40, hospital="external", rate=500, seed=2)
    write_mimic(tmp_path / "downloads" / "mimic-iv-ecg", home)
    write_ptb_xl(tmp_path / "downloads" / "ptb-xl", abroad)
    (tmp_path / "configs").symlink_to(CONFIG.parent)

    def run(words: list[str]) -> str:
        environment = {**os.environ, "PYTHONPATH": str(Path(heartprint.__file__).parents[1])}
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1500
        )
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-4000:])
        return done.stdout

    wanted = commands()
    done = set()
    for words in wanted:
        if words[1] == "download":
            continue  # Those go to the publishers; tests/download/test_download.py has a server of its own.
        # As a shell does.
        words = [str(next(tmp_path.glob(word)).relative_to(tmp_path)) if "*" in word else word for word in words]
        # The stand-ins have fewer patients than the page's budget.
        words = ["40" if word == "150" else word for word in words]
        run([*words, *(word for option in SMALL for word in ("-o", option) if words[1] == "study")])
        done.add(words[1])
    assert done == {"ingest", "card", "label", "study", "finetune", "evaluate"}
    assert (tmp_path / "cohorts/mimic-iv-ecg/cohort.html").is_file()
    assert (tmp_path / "out/paper/report.html").is_file()
    results = pl.read_parquet(tmp_path / "out/paper/results.parquet")
    tested = results.group_by("cohort").agg(pl.col("task").unique().sort())
    assert dict(tested.iter_rows()) == {"home": ["af", "female", "lvef_below_40"], "ptb_xl": ["af", "female"]}
    assert set(results["encoder"]) == {"bcl", "simclr", "random", "imagenet", "features"}
    assert set(results.filter(pl.col("encoder") == "bcl")["mode"]) == {"full"}
    # Nobody who is tested on was pretrained on, though the archive holds their earlier ECGs.
    cohort = Cohort.open(tmp_path / "cohorts/mimic-iv-ecg")
    archive = cohort.filter(between={"calendar_year": (None, 2013.9)})
    tests = pl.read_parquet(tmp_path / "out/paper/test_sets.parquet").filter(pl.col("cohort") == "home")
    tested_patients = set(cohort.records.filter(pl.col("ecg_id").is_in(tests["ecg_id"].to_list()))["patient_id"])
    note = json.loads(next(tmp_path.glob("out/paper/work/pretraining/bcl-*/run.json")).read_text())
    pretrained = set(archive.records["patient_id"]) - tested_patients
    assert tested_patients & set(archive.records["patient_id"])
    assert note["cohort"]["n_patients"] <= len(pretrained)
