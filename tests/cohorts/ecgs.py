"""Plain made-up ECGs and files for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.cohort import Cohort
from heartprint.cohorts.writer import write_cohort
from heartprint.signals.leads import LEADS_12, twelve_leads


def eight_leads(seconds: float = 10.0, rate: int = 100, seed: int = 0) -> npt.NDArray[np.float32]:
    """(8, n) mV: one narrow QRS a second, another height in each lead, and some noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    qrs = np.exp(-(((t % 1.0) - 0.4) ** 2) / (2 * 0.02**2))
    heights = rng.uniform(0.6, 1.8, size=8) * rng.choice([-1, 1], size=8)
    return (heights[:, None] * qrs + 0.01 * rng.standard_normal((8, len(t)))).astype(np.float32)


def twelve(seconds: float = 10.0, rate: int = 100, seed: int = 0) -> npt.NDArray[np.float32]:
    """(12, n) mV that obey Einthoven's rule."""
    return twelve_leads(eight_leads(seconds, rate, seed))


def write_record(
    folder: Path,
    name: str,
    leads_mv: npt.NDArray[np.floating],
    rate: int = 100,
    names: tuple[str, ...] = LEADS_12,
    *,
    unit: str = "mV",
    gain: float = 1000.0,
    baseline: int = 0,
) -> npt.NDArray[np.int16]:
    """Write header and .dat literally as the WFDB documents say; gives the digital samples (k, n)."""
    folder.mkdir(parents=True, exist_ok=True)
    digital = np.rint(leads_mv * gain + baseline).astype(np.int16)
    (folder / f"{name}.dat").write_bytes(digital.T.astype("<i2").tobytes())
    lines = [f"{name} {len(names)} {rate} {digital.shape[1]}"]
    for row, lead in zip(digital, names, strict=True):
        checksum = int(row.astype(np.int64).sum()) % 65536
        lines.append(f"{name}.dat 16 {gain}({baseline})/{unit} 16 0 {row[0]} {checksum} 0 {lead}")
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    return digital


def small_cohort(target: Path, patients: list[str], **columns: list) -> Cohort:
    """A cohort with one short ECG per entry of ``patients``; ``label_x=[...]`` and other columns by keyword."""
    labels = {name.removeprefix("label_"): values for name, values in columns.items() if name.startswith("label_")}
    with write_cohort(target, source="test", label_names=tuple(labels)) as writer:
        for i, patient in enumerate(patients):
            writer.add(
                np.full((8, 10), i, dtype=np.int16),
                ecg_id=f"e{i}",
                patient_id=patient,
                sampling_rate=100.0,
                labels={name: values[i] for name, values in labels.items() if values[i] is not None},
                **{name: values[i] for name, values in columns.items() if not name.startswith("label_")},
            )
    return Cohort.open(target)
