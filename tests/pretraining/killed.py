"""Pretrain in a process that is killed (SIGKILL) at a named moment: ``COHORT OUT WORKERS MOMENT COUNT``.

The moment is reached inside the real code: functions are wrapped, and the process kills itself in the middle of the
COUNT-th call, or at the place of a file where half of it is written.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from heartprint.cohorts import Cohort
from heartprint.pretraining import PretrainConfig, pretrain, run_folder
from heartprint.pretraining.config import WatchConfig
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.watch.look import Subjects
from heartprint.pretraining.watch.table import WatchTable
from heartprint.training import checkpoint

STEPS = 60


def settings(workers: int) -> PretrainConfig:
    return PretrainConfig(
        method={"name": "bcl", "head_hidden": 16, "head_dim": 8},
        image_size=32, batch_size=4, steps=STEPS, workers=workers, device="cpu",
        checkpoint_every=2, watch=WatchConfig(share=0.3, every=3),
    )  # fmt: skip


class Killer:
    def __init__(self, moment: str, count: int, logged: Path) -> None:
        self.moment, self.left, self.logged = moment, count, logged
        self.step = -1

    def reached(self, moment: str) -> bool:
        self.left -= moment == self.moment
        return moment == self.moment and self.left == 0

    def kill(self) -> None:
        with self.logged.open("a") as log:
            log.write(f"{self.moment} {self.step}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    def inside(self, moment: str, owner: Any, name: str, first: Callable[..., None] | None = None) -> None:
        """Wrap a function so that the process dies when it is called, after having done ``first``."""
        plain = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if self.reached(moment):
                if first:
                    first(*args, **kwargs)
                self.kill()
            return plain(*args, **kwargs)

        setattr(owner, name, wrapped)


def half(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Write the first half of a state file."""
    import safetensors.torch

    data = safetensors.torch.save(tensors)
    Path(path).write_bytes(data[: len(data) // 2])


def half_a_line(log: run_folder.Log, rows: list[run_folder.LogRow]) -> None:
    with log.path.open("a") as handle:
        handle.write(f"{rows[0].step},0,1.2")


def main(cohort: str, out: str, workers: str, moment: str, count: str) -> None:
    killer = Killer(moment, int(count), Path(out).parent / "moments.txt")
    plain_step = Learner.step

    def step(self: Learner, batch: Any) -> Any:
        killer.step = batch.key.step
        return plain_step(self, batch)

    Learner.step = step  # type: ignore[method-assign]
    killer.inside("between gradient and step", torch.optim.AdamW, "step")
    killer.inside("in the gradient", Learner, "_join_gradients")
    killer.inside("half a state file", checkpoint.safetensors.torch, "save_file", half)
    killer.inside("before the note", checkpoint, "write_json")
    killer.inside("before the old one goes", checkpoint, "checkpoints")
    killer.inside("in a look", Subjects, "_judge")
    killer.inside("between look and table", WatchTable, "add")
    killer.inside("half a log line", run_folder.Log, "add", half_a_line)
    pretrain(Cohort.open(cohort), settings(int(workers)), out, resume=True, progress=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
