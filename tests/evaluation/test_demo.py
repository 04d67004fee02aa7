"""The demo and the packaged studies, small."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from heartprint.evaluation.demo import demo_config, run_demo
from heartprint.evaluation.study import StudyConfig, estimate_for_patients, estimate_study, run_study
from heartprint.evaluation.study.config import FEATURES
from heartprint.foundation.config import load_config
from tests.evaluation.fabricated import write_patients

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = (
    "cohorts.archive.simulate.patients=200",
    "cohorts.internal.simulate.patients=250",
    "cohorts.external.simulate.patients=80",
    "groups.small.image_size=32",
    "groups.small.pretraining.steps=2",
    "groups.small.pretraining.batch_size=8",
    "groups.small.pretraining.workers=0",
    "groups.lite0.image_size=32",
    "budgets=[20, all]",
    "draws=2",
    "resamples=100",
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def test_the_demo_is_the_comparison_that_was_promised() -> None:
    config = demo_config(seed=3)
    assert config.seed == 3
    archive, home = config.cohorts["archive"].simulate, config.cohorts["internal"].simulate
    assert archive is not None and home is not None and archive.hospital == home.hospital
    assert archive.seed not in (home.seed, config.seed), "the archive holds other patients than the study"
    assert all(e.pretrain.cohort == "archive" for e in config.encoders if e.pretrain)
    assert config.budgets[0] == 20 and config.draws == 20
    assert set(config.tasks) == {"af", "female", "lvef_below_40"}
    assert all(c.simulate for c in config.cohorts.values())
    assert config.encoder("imagenet").group != config.encoder("bcl").group == config.encoder("random").group


def test_a_tiny_demo_runs_to_its_report(tmp_path: Path) -> None:
    report = run_demo(tmp_path / "demo", progress=False, overrides=(*TINY, "full=[]"))
    text = report.read_text(encoding="utf-8")
    assert "They prove nothing about hospitals" in text
    assert "heartprint demo --out demo --seed 0" in text
    results = pl.read_parquet(report.parent / "results.parquet")
    assert set(results["encoder"]) == {"bcl", "simclr", "random", "imagenet", FEATURES}
    assert set(results["cohort"]) == {"internal", "external"}


@pytest.mark.slow
def test_a_tiny_demo_with_full_fine_tuning(tmp_path: Path) -> None:
    full = "full=[{encoder: bcl, task: lvef_below_40, budget: 20}]"
    report = run_demo(
        tmp_path / "demo", progress=False, overrides=(*TINY, full, "full_settings={epochs: 1, min_steps: 2}")
    )
    results = pl.read_parquet(report.parent / "results.parquet")
    assert results.filter(pl.col("mode") == "full").height == 2


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_demo_shows_what_it_promises(tmp_path: Path) -> None:
    import torch

    torch.set_num_threads(2)
    report = run_demo(tmp_path / "demo", progress=False)
    differences = json.loads((report.parent / "report.json").read_text(encoding="utf-8"))["differences"]
    for cohort in ("internal", "external"):
        for other in ("simclr", "random"):
            (found,) = (
                d["auroc"]
                for d in differences
                if (d["task"], d["cohort"], d["budget"], d["other"], d["mode"])
                == ("lvef_below_40", cohort, "20", other, "probe")
            )
            assert found["estimate"] >= 0.10, (cohort, other, found)
            assert found["low"] > 0, (cohort, other, found)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_paper_recipe_takes_two_steps_and_estimates_itself(tmp_path: Path) -> None:
    for name, seed in (("home", 0), ("germany", 1), ("usa", 2)):
        write_patients(tmp_path / name, 24, seed=seed, ecgs=2)
    config = load_config(
        REPOSITORY / "configs" / "paper.yaml",
        [
            f"cohorts.archive.path={tmp_path / 'home'}",
            f"cohorts.home.path={tmp_path / 'home'}",
            f"cohorts.germany.path={tmp_path / 'germany'}",
            f"cohorts.usa.path={tmp_path / 'usa'}",
            "cohorts.archive.until=2015-12-31",
            "cohorts.home.since=2016-01-01",
            "groups.b3.pretraining.steps=2",
            "groups.b3.pretraining.batch_size=4",
            "groups.b3.pretraining.workers=0",
            "mode=probe",
            "budgets=[0.5, 1.0]",
            "draws=1",
            "tasks=[female]",
            "resamples=100",
        ],
        StudyConfig,
    )
    assert "78,288 items" in estimate_for_patients(config, 78_288)
    told = estimate_study(config, tmp_path / "study")
    assert "time" in told and "memory" in told and "disk" in told and "SimCLR" in told
    result = run_study(config, tmp_path / "study", progress=False)
    assert {e["recipe"]["backbone"] for e in result.encoders if e["group"] == "b3"} == {"efficientnet_b3"}
    bcl = next(e for e in result.encoders if e["name"] == "bcl")
    assert bcl["recipe"]["steps"] == 2 and bcl["recipe"]["image_size"] == 300
