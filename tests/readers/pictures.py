"""Pictures of made-up ECGs, and a cohort of them, for tests."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from heartprint.cohorts import Cohort
from heartprint.foundation.randomness import generator
from heartprint.readers import ingest
from heartprint.sheets import render
from tests.finetuning.tiny import RATE, beats


def write_table(path: Path, rows: list[dict[str, object]]) -> Path:
    """Write a CSV table."""
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def drawing(seed: int, *, tall: bool = False, size: tuple[int, int] = (72, 96)) -> npt.NDArray[np.uint8]:
    """``(h, w)`` a drawn sheet."""
    return render(beats(generator(seed, "picture"), tall), RATE, "standard", size)


def image_cohort(folder: Path, n_patients: int = 30, ecgs_each: int = 2, *, seed: int = 0, prefix: str = "p") -> Cohort:
    """Write PNG files whose label ``tall`` is a property of the patient, and ingest them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for patient in range(n_patients):
        for visit in range(ecgs_each):
            name = f"{prefix}{patient}_{visit}.png"
            tall = patient % 5 < 2
            Image.fromarray(drawing(10_000 * seed + 100 * patient + visit, tall=tall)).save(folder / name)
            rows.append(
                {
                    "path": name,
                    "patient_id": f"{prefix}{patient}",
                    "recorded_at": f"2020-{1 + patient % 12:02d}-{1 + visit:02d}",
                    "sex": "f" if patient % 2 else "m",
                    "tall": int(tall),
                }
            )
    return ingest("images", write_table(folder / "images.csv", rows), folder / "cohort")
