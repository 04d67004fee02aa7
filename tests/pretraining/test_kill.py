"""A run that is killed again and again ends with the very weights of a run that nobody touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from heartprint.cohorts import Cohort
from heartprint.foundation.files import sha256_file
from heartprint.pretraining import pretrain
from tests.pretraining.killed import STEPS, settings

MOMENTS = [
    ("in the gradient", 2),
    ("half a state file", 2),
    ("half a log line", 5),
    ("in a look", 2),
    ("before the note", 3),
    ("between gradient and step", 6),
    ("before the old one goes", 4),
    ("half a state file", 3),
    ("in the gradient", 7),
    ("between look and table", 2),
    ("half a log line", 3),
    ("before the old one goes", 5),
    ("between gradient and step", 4),
    ("before the note", 2),
]


@pytest.mark.slow
@pytest.mark.timeout(1800)  # some thirty processes are started, each of which imports torch
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_again_and_again(workers: int, cohort: Cohort, tmp_path: Path) -> None:
    whole = pretrain(cohort, settings(workers), tmp_path / "whole", progress=False)
    run = tmp_path / "killed" / "run"
    run.parent.mkdir()
    for moment, count in [*MOMENTS, ("never", 1)]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.pretraining.killed", cohort.path, run, str(workers), moment, str(count)],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == (0 if moment == "never" else -9), done.stderr
    moments = (run.parent / "moments.txt").read_text().splitlines()
    assert [line.rsplit(" ", 1)[0] for line in moments] == [moment for moment, _ in MOMENTS]
    steps = [int(line.rsplit(" ", 1)[1]) for line in moments]
    assert len(set(steps)) > len(steps) // 2 and min(steps) < STEPS / 5 and max(steps) > STEPS / 2, steps
    assert sha256_file(run / "encoder/model.safetensors") == sha256_file(whole / "encoder/model.safetensors")

    def lines(folder: Path) -> list[list[str]]:
        rows = [line.split(",") for line in (folder / "log.csv").read_text().splitlines()]
        return [row[:4] + row[6:] for row in rows]  # Between them stand the two that are time.

    assert lines(run) == lines(whole)
    assert (run / "watch.csv").read_text() == (whole / "watch.csv").read_text()
    assert not list((run / "checkpoints").glob(".*")), "half a checkpoint was left behind"
