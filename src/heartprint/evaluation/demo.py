"""The demo: a study of simulated patients, small enough for two cores and a few minutes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from heartprint.evaluation.study import StudyConfig, run_study
from heartprint.foundation.config import load_config

ARCHIVE_SEED = 1_000_000
"""Added to the demo's seed for the patients of the archive, so that nobody of the study is among them."""


def demo_config(*, seed: int = 0, overrides: Sequence[str] = ()) -> StudyConfig:
    """The demo's study: ``heartprint/evaluation/demo.yaml``.

    Args:
        seed: Seed of the simulated patients (the archive's are others, see `ARCHIVE_SEED`) and of everything the
            study draws.
        overrides: Settings on top, ``key=value``.
    """
    with as_file(files("heartprint.evaluation") / "demo.yaml") as path:
        seeds = [f"seed={seed}", f"cohorts.archive.simulate.seed={ARCHIVE_SEED + seed}"]
        return load_config(path, [*seeds, *overrides], StudyConfig)


def run_demo(
    out: str | Path, *, seed: int = 0, progress: bool = True, overrides: Sequence[str] = (), overwrite: bool = False
) -> Path:
    """Simulate, pretrain, compare, report.

    Args:
        out: Folder for the report and everything behind it; a demo that was stopped goes on there.
        seed: Seed of everything.
        progress: Whether to show progress.
        overrides: Settings on top of the demo's, ``key=value``.
        overwrite: Whether the report of another study there may be replaced.

    Returns:
        Path of the report.
    """
    command = shlex.join(["heartprint", "demo", "--out", Path(out).name, "--seed", str(seed)])
    run_study(demo_config(seed=seed, overrides=overrides), out, progress=progress, command=command, overwrite=overwrite)
    return Path(out) / "report.html"
