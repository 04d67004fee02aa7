"""From a folder of photographs to an answer for a new one, by the commands of docs/how-to/photographs.md alone."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

import heartprint
from heartprint.cohorts import Cohort
from heartprint.foundation.randomness import generator
from heartprint.sheets.camera.snapshot import snapshot
from heartprint.simulation import simulate

N_PHOTOGRAPHS = 500
LEAST_READ = 0.8
"""Share of the photographs that must become ECGs; how many of them are read rightly is for benchmarks/reading.py."""


def run(folder: Path, *words: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(Path(heartprint.__file__).parents[1])}
    command = [sys.executable, "-m", "heartprint", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=2400)
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def photograph(cohort: Cohort, row: int, path: Path) -> None:
    """A colour photograph of one ECG, taken a little askew."""
    rng = generator(20261129, "main flow", row)
    taken = snapshot(
        cohort.signal(row),
        cohort.sampling_rate(row),
        ("standard", "3x4_ii", "6x2")[int(rng.integers(3))],
        severity=float(rng.uniform(1, 2)),
        rng=rng,
        longest_side=1400,
        colour=True,
        mirrored=False,
    )
    cv2.imwrite(str(path), np.ascontiguousarray(taken.picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_photographs_become_a_model_that_answers_a_new_photograph(tmp_path: Path) -> None:
    cohort = simulate(tmp_path / "simulated", 220, hospital="cardiology", rate=100, seed=16)
    assert len(cohort) > N_PHOTOGRAPHS
    (tmp_path / "photographs").mkdir()
    records = cohort.records
    with (tmp_path / "photographs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "patient_id", "date", "af"])
        for row in range(N_PHOTOGRAPHS):
            path = f"photographs/{row:04d}.jpg"
            photograph(cohort, row, tmp_path / path)
            one = records.row(row, named=True)
            writer.writerow([path, one["patient_id"], one["recorded_at"].date(), int(one["label_af"])])
    photograph(cohort, N_PHOTOGRAPHS, tmp_path / "new.jpg")

    run(tmp_path, "ingest", "images", "photographs.csv", "cohort", "--read")
    read = Cohort.open(tmp_path / "cohort")
    assert len(read) >= LEAST_READ * N_PHOTOGRAPHS
    refused = pl.read_parquet(tmp_path / "cohort" / "refused.parquet")
    assert len(read) + len(refused) == N_PHOTOGRAPHS, "every photograph is an ECG or has a reason"
    settings = ("method=bcl", "backbone=small", "image_size=128", "steps=30", "batch_size=16", "workers=0")
    run(tmp_path, "pretrain", "cohort", "--out", "run", *(word for one in settings for word in ("-o", one)))
    run(tmp_path, "finetune", "cohort", "--task", "af", "--init", "run", "--labels", "150", "--out", "model")
    run(tmp_path, "predict", "model", "new.jpg", "photographs/0000.jpg", "--out", "answer.csv")
    answer = pl.read_csv(tmp_path / "answer.csv")
    assert len(answer) == 2
    assert set(answer["status"]) <= {"scored", "warned"}, answer
    assert answer["probability"].is_between(0, 1).all()
