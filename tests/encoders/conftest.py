from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import torch

from heartprint.cohorts import Cohort, write_cohort
from heartprint.encoders import CohortSource, EncoderConfig, FinetuningSummary, ModelConfig, PretrainingSummary, Seen
from heartprint.encoders.bundle.sample import SAMPLE_RATE, sample_leads

torch.set_num_threads(1)


def write_tiny(target: Path, *, prefix: str = "", patients: int = 5, seed: int = 0) -> Cohort:
    """Two ECGs per patient: the sample ECG at another height, rate of sampling and with noise."""
    rng = np.random.default_rng(seed)
    with write_cohort(target, source="made for a test", simulated=True, label_names=["af"]) as writer:
        for p in range(patients):
            for visit in range(2):
                noise = rng.normal(0, 0.02, sample_leads().shape)
                mv = sample_leads() * rng.uniform(0.6, 1.4, (8, 1)) + noise
                writer.add(
                    np.round(1000 * mv).astype(np.int16),
                    ecg_id=f"{prefix}ecg-{p}-{visit}",
                    patient_id=f"{prefix}patient-{p}",
                    sampling_rate=SAMPLE_RATE,
                    recorded_at=dt.datetime(2020 + visit, 1, 1 + p),
                    labels={"af": float(p % 2)},
                )
    return Cohort.open(target)


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny(tmp_path_factory.mktemp("cohort") / "tiny")


@pytest.fixture
def seen(cohort: Cohort) -> Seen:
    """Everybody of whom `encoder_config` and `model_config` say that they took part."""
    return Seen.of(cohort)


@pytest.fixture
def encoder_config(cohort: Cohort) -> EncoderConfig:
    return EncoderConfig.new(
        "small",
        image_size=64,
        layouts=("standard", "two_rhythm"),
        initial_seed=3,
        pretraining=PretrainingSummary(
            method="bcl",
            steps=10,
            batch_size=4,
            temperature=0.1,
            max_rotation_deg=10.0,
            seed=3,
            cohort=CohortSource.of(cohort),
            settings={"learning_rate": 1e-3},
        ),
    )


@pytest.fixture
def model_config(encoder_config: EncoderConfig, cohort: Cohort) -> ModelConfig:
    from heartprint.cohorts.tasks import TASKS
    from heartprint.encoders.bundle.heads import ClassHead
    from heartprint.metrics.calibration import PlattScaling

    head = ClassHead(task=TASKS["af"], platt=PlattScaling(1.7, -0.3), threshold=0.37, n_labels=6, n_positive=2)
    return ModelConfig(
        encoder=encoder_config,
        heads=(head,),
        finetuning=FinetuningSummary(
            mode="probe", n_labels=6, n_positive=2, seed=0, draw=1, cohort=CohortSource.of(cohort)
        ),
    )
