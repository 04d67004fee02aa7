"""The first steps of a run, done as the run does them and thrown away, to see what it will take."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heartprint.cohorts.measure import measure_cohort_with_beats
from heartprint.pages.kit import to_svg
from heartprint.pretraining.batches import Schedule, drawn_batches
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.curves import curves
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.memory import step_memory_explained
from heartprint.pretraining.methods import Method
from heartprint.pretraining.run_folder import LogRow
from heartprint.pretraining.targets import blank_targets
from heartprint.training.checkpoint import Checkpoint, save_checkpoint
from heartprint.training.device import choose_device, reproducible
from heartprint.training.distributed import Distributed

_TIMED_STEPS, _WARM_STEPS = 10, 3
"""Steps that are done, and how many of them are not counted: the first compiles, and the next were drawn ahead."""
_TIMED_S = 20.0
"""Time after which no further step is done, s."""
_TIMED_ECGS = 32


@dataclass(frozen=True)
class Measured:
    """The first steps of a run, with the sheets drawn as it draws them.

    Attributes:
        start_s: From the cohort to the end of the first step, and drawing curves and page at the end, s.
        step_s: Least and most time of a later step, s.
        n_steps: Number of these.
        checkpoint_s: Time to write a checkpoint, s.
        targets_s: Time to measure what the method learns to read off all ECGs, s.
    """

    start_s: float
    step_s: tuple[float, float]
    n_steps: int
    checkpoint_s: float
    targets_s: float = 0.0


def measure_first_steps(method: Method, schedule: Schedule, config: PretrainConfig, built_s: float = 0.0) -> Measured:
    """Do the first steps of a run as the run does them, and throw them away.

    Args:
        method: Draws the sheets.
        schedule: Decides the batches.
        config: The run's configuration.
        built_s: What the start has taken before, s.
    """
    device, times = choose_device(config.device), list[float]()
    with step_memory_explained(config), reproducible(device):
        began = last = time.perf_counter()
        targets = blank_targets(len(method.cohort)) if method.learns_measurements else None
        learner = Learner(config, schedule.total_steps, Distributed(device=device), targets)
        n = min(schedule.total_steps, _TIMED_STEPS)
        with contextlib.closing(drawn_batches(method, schedule, 0, n, config.workers)) as batches:
            for batch in batches:
                float(learner.step(batch).total)
                times.append(time.perf_counter() - last)
                last += times[-1]
                if len(times) > _WARM_STEPS and last - began > _TIMED_S:
                    break
        with tempfile.TemporaryDirectory() as folder:
            now = time.perf_counter()
            save_checkpoint(Path(folder), Checkpoint(1, learner.state(), 0.0))
            checkpoint_s = time.perf_counter() - now
    now = time.perf_counter()
    measures = dict.fromkeys(learner.objective.measures, 0.5)
    rows = [LogRow(k + 1, 0, 1.0, 1e-3, 1.0, 0.0, measures) for k in range(schedule.total_steps)]
    for _ in ("the page", "the picture"):
        to_svg(curves(rows, ""))
    end_s = time.perf_counter() - now
    later = times[_WARM_STEPS:] or times[1:] or times
    return Measured(built_s + times[0] + end_s, (min(later), max(later)), len(later), checkpoint_s, _targets_s(method))


def _targets_s(method: Method) -> float:
    """What measuring every ECG will take, from some of them."""
    if not method.learns_measurements:
        return 0.0
    some = method.cohort.take(np.arange(min(_TIMED_ECGS, len(method.cohort))))
    began = time.perf_counter()
    measure_cohort_with_beats(some, n_jobs=-1)  # as the run does it; most of this is the start of the processes
    start_s = time.perf_counter() - began
    began = time.perf_counter()
    measure_cohort_with_beats(some, n_jobs=1)
    each = (time.perf_counter() - began) / len(some) / (os.cpu_count() or 1)
    return start_s + each * max(0, len(method.cohort) - len(some))
