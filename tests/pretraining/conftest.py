"""A small cohort of random signals, and a configuration that learns from it within a second."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heartprint.cohorts import Cohort, write_cohort
from heartprint.foundation.randomness import generator
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.methods import get_method

ECGS_PER_PATIENT = (3, 1, 2, 2, 4, 2, 1, 2, 2, 3, 2, 2)


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Twelve patients, ten of them with pairs; each patient's signal repeats with noise. Rows are shuffled."""
    return build(tmp_path_factory.mktemp("cohorts") / "patients", ECGS_PER_PATIENT)


@pytest.fixture(scope="session")
def single_ecgs(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Five patients with one ECG each."""
    return build(tmp_path_factory.mktemp("cohorts") / "singles", (1,) * 5)


def build(folder: Path, ecgs_per_patient: tuple[int, ...], name: str = "p") -> Cohort:
    rng = generator(7, "test cohort")
    ecgs = [(patient, visit) for patient, n in enumerate(ecgs_per_patient) for visit in range(n)]
    t = np.arange(1000) / 100
    with write_cohort(folder, source="random", simulated=True) as writer:
        for place in rng.permutation(len(ecgs)):
            patient, visit = ecgs[place]
            own = generator(7, "patient", patient)
            waves = own.normal(size=(8, 3)) @ np.sin(2 * np.pi * own.uniform(0.5, 4, 3)[:, None] * t)
            samples = (400 * waves + 30 * rng.normal(size=waves.shape)).clip(-3000, 3000).astype(np.int16)
            writer.add(
                samples,
                ecg_id=f"{name}{patient}v{visit}",
                patient_id=f"{name}{patient}",
                sampling_rate=100,
                recorded_at=dt.datetime(2000 + visit, 1, 1),
            )
    return Cohort.open(folder)


@pytest.fixture
def config() -> Callable[..., PretrainConfig]:
    """Make a configuration for the small cohort; keywords change it."""
    return small_config


SMALL = {"head_hidden": 16, "head_dim": 8, "expander_dim": 8, "predictor_hidden": 16}
"""Widths of small objectives, for the methods that have them."""


def small_config(method: str = "bcl", **changes: Any) -> PretrainConfig:
    """A configuration that runs within a second; settings of the method stand beside those of the run."""
    own = get_method(method).Settings.model_fields
    settings = {name: value for name, value in (SMALL | changes).items() if name in own}
    values: dict[str, Any] = {"image_size": 32, "batch_size": 4, "epochs": 3, "workers": 0, "device": "cpu"}
    values |= {name: value for name, value in changes.items() if name not in own}
    return PretrainConfig(method={"name": method, **settings}, **values)
