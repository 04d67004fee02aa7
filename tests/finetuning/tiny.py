"""A cohort small enough for tests, with a label that can be seen on the sheet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort, write_cohort
from heartprint.cohorts.cohort import MISSING
from heartprint.foundation.randomness import generator

RATE = 100.0
SECONDS = 10


def beats(rng: np.random.Generator, tall: bool) -> npt.NDArray[np.float32]:
    """``(8, 1000)`` mV: regular spikes and waves; ``tall`` ones have tall T waves."""
    t = np.arange(int(RATE * SECONDS)) / RATE
    signal = rng.normal(0, 0.01, (8, t.size))
    gains = rng.uniform(0.5, 1.0, 8)
    for start in np.arange(rng.uniform(0.1, 0.6), SECONDS, rng.uniform(0.7, 1.0)):
        r = np.exp(-0.5 * ((t - start) / 0.015) ** 2)
        wave = np.exp(-0.5 * ((t - start - 0.25) / 0.05) ** 2)
        signal += gains[:, None] * (r + (0.75 if tall else 0.15) * rng.uniform(0.6, 1.4) * wave)
    return signal.astype(np.float32)


def make_cohort(
    folder: Path,
    n_patients: int = 60,
    ecgs_each: int = 2,
    *,
    seed: int = 0,
    positive_share: float = 0.4,
    unlabelled: Sequence[int] = (),
    blank: Sequence[int] = (),
    simulated: bool = True,
    prefix: str = "p",
) -> Cohort:
    """Write a cohort whose label ``tall`` is a property of the patient.

    Args:
        folder: Where to.
        n_patients: Patients.
        ecgs_each: ECGs of each.
        seed: Seed.
        positive_share: Share of positive patients, positives first.
        unlabelled: ECG numbers without a label.
        blank: ECG numbers whose every sample is missing.
        simulated: What the cohort says of itself.
        prefix: Start of the patient ids.
    """
    with write_cohort(folder, source="test", simulated=simulated, label_names=("tall",)) as writer:
        for patient in range(n_patients):
            tall = patient < positive_share * n_patients
            for visit in range(ecgs_each):
                number = patient * ecgs_each + visit
                samples = np.round(beats(generator(seed, "tiny", patient, visit), tall) * 1000).astype(np.int16)
                if number in blank:
                    samples[:] = MISSING
                writer.add(
                    samples,
                    ecg_id=f"{prefix}{patient:03d}-{visit}",
                    patient_id=f"{prefix}{patient:03d}",
                    sampling_rate=RATE,
                    recorded_at=dt.datetime(2015 + visit, 1, 1),
                    labels=None if number in unlabelled else {"tall": float(tall)},
                )
    return Cohort.open(folder)
