"""A study whose cells are fabricated: real cohorts, plan and statistics, but scores from a formula. For tests alone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from heartprint.cohorts import Cohort
from heartprint.cohorts.writer import write_cohort
from heartprint.evaluation.study.cells import RESULT_COLUMNS, cell_rows, cells_of, table_of_tests
from heartprint.evaluation.study.config import FEATURES, StudyConfig
from heartprint.evaluation.study.plan import Plan, all_tests, make_plan
from heartprint.evaluation.study.run import StudyResult
from heartprint.evaluation.study.statistics import compute_statistics

STRENGTH = {"bcl": 1.6, "simclr": 0.9, "random": 0.3, "imagenet": 0.7, FEATURES: 1.2}


def write_patients(
    path: Path, n_patients: int, *, seed: int = 0, simulated: bool = True, ecgs: int = 2, lvef: bool = True
) -> Cohort:
    """A cohort of noise: two ECGs per patient, AF that comes and goes, sex, LVEF."""
    rng = np.random.default_rng(seed)
    with write_cohort(path, source="test", simulated=simulated, label_names=["af"]) as writer:
        for p in range(n_patients):
            female = rng.random() < 0.5
            weak = rng.random() < 0.25
            for e in range(ecgs):
                labels: dict[str, float] = {"af": float(rng.random() < 0.3)}
                if lvef:
                    labels["lvef"] = 30.0 if weak else 60.0
                writer.add(
                    rng.integers(-500, 500, size=(8, 1000)).astype(np.int16),
                    ecg_id=f"s{seed}p{p}e{e}",
                    patient_id=f"s{seed}p{p}",
                    sampling_rate=100.0,
                    recorded_at=dt.datetime(2015, 1, 1) + dt.timedelta(days=30 * p % 900 + 100 * e),
                    age=60.0,
                    sex="female" if female else "male",
                    labels=labels,
                )
    return Cohort.open(path)


def study_values(**changes: Any) -> dict[str, Any]:
    """Plain values of a small study; `changes` replace top-level entries."""
    values: dict[str, Any] = {
        "title": "A fabricated study",
        "question": "Does the report say what the numbers say?",
        "cohorts": {
            "internal": {"path": "internal", "title": "Internal hospital"},
            "external": {"path": "external", "title": "External hospital"},
        },
        "home": "internal",
        "external": ["external"],
        "protocol": {"split": 0.4},
        "tasks": ["af", "female", "lvef_below_40"],
        "budgets": [20, 60, "all"],
        "draws": 4,
        "groups": {
            "small": {"backbone": "small", "image_size": 64, "pretraining": {"steps": 2}},
            "lite0": {"backbone": "efficientnet_lite0", "image_size": 64, "title": "EfficientNet-Lite0"},
        },
        "encoders": [
            {
                "name": "bcl",
                "title": "BCL",
                "group": "small",
                "pretrain": {"cohort": "internal", "method": "bcl"},
            },
            {
                "name": "simclr",
                "title": "SimCLR",
                "group": "small",
                "pretrain": {"cohort": "internal", "method": "simclr"},
            },
            {"name": "random", "title": "Random weights", "group": "small", "init": "random"},
            {"name": "imagenet", "title": "ImageNet", "group": "lite0", "init": "imagenet"},
        ],
        "reference": "bcl",
        "resamples": 200,
    }
    return {**values, **changes}


def fabricate_plan(folder: Path, config: StudyConfig, *, n_patients: int = 300, simulated: bool = True) -> Plan:
    """Write the cohorts and divide the patients."""
    cohorts = {
        name: write_patients(folder / name, n_patients, seed=number, simulated=simulated)
        for number, name in enumerate(config.cohorts)
    }
    return make_plan(config, cohorts)


def encoder_summary(config: StudyConfig, name: str, **recipe: Any) -> dict[str, Any]:
    """What ``summary`` would say of an encoder."""
    entry = config.encoder(name)
    group = config.groups[entry.group]
    pretrained = entry.pretrain is not None
    base = {"backbone": group.backbone, "image_size": group.image_size, "baseline": "none"}
    if pretrained:
        base |= {"steps": 120, "batch_size": 64, "temperature": 0.1, "max_rotation_deg": 10.0}
    on = {"name": "internal", "content_hash": "0", "simulated": True, "n_ecgs": 360, "n_patients": 180}
    return {
        "name": name,
        "title": config.title_of(name),
        "group": entry.group,
        "init": entry.init,
        "method": entry.pretrain.method if entry.pretrain else None,
        "pretrained_on": on if pretrained else None,
        "simulated": pretrained,
        "transductive": entry.transductive,
        "per_fold": False,
        "layouts": ["standard", "two_rhythm", "alternate", "shuffled"],
        "initial_weights": "imagenet" if entry.init == "imagenet" else "random",
        "embedding_dim": 256,
        "recipe": {**base, **recipe},
    }


def fabricate_result(
    folder: Path, config: StudyConfig, *, simulated: bool = True, n_patients: int = 300
) -> StudyResult:
    """A finished study with scores from a formula: label times strength plus noise."""
    plan = fabricate_plan(folder / "cohorts", config, simulated=simulated, n_patients=n_patients)
    rows = []
    for number, name in enumerate([*(e.name for e in config.encoders), FEATURES]):
        group = FEATURES if name == FEATURES else config.encoder(name).group
        for task_number, task in enumerate(plan.tasks):
            for fold in range(plan.n_folds):
                for cell in cells_of(plan, name, group, task, fold, f"fabricated {name}"):
                    rng = np.random.default_rng([number, task_number, fold, cell.draw, len(cell.train)])
                    strength = STRENGTH.get(name, 0.5) * (1 + np.log10(len(cell.train) / 20))
                    if task == "af" and name == FEATURES:
                        strength = 4.0
                    if cell.mode == "full":
                        strength += 0.4
                    scores = [t.labels * strength + rng.normal(size=len(t.labels)) for t in plan.tests[task, fold]]
                    rows += cell_rows(plan, cell, scores)
    results = pl.DataFrame(rows, schema=RESULT_COLUMNS)
    test_sets = table_of_tests(iter(all_tests(plan)))
    return StudyResult(
        folder=folder,
        config=config,
        plan=plan,
        results=results,
        test_sets=test_sets,
        encoders=[encoder_summary(config, e.name) for e in config.encoders],
        unequal={e.name: [] for e in config.encoders},
        statistics=compute_statistics(config, results, test_sets, progress=False),
        notes=[],
        n_computed=results["key"].n_unique(),
        seconds=1.0,
    )
