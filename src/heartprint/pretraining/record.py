"""What a run writes down as it goes: lines of its log, looks at the watched patients, the progress bar."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.progress import Progress
from heartprint.pretraining.batches import Schedule
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.methods import Method
from heartprint.pretraining.objectives import Losses
from heartprint.pretraining.outcome import FOUND, chance_of_partner, percent
from heartprint.pretraining.run_folder import Log, LogRow, RunFolder
from heartprint.pretraining.watch import Watch, Watcher
from heartprint.training.clock import Clock


class Record:
    """Keeps what the steps of a run gave, until it is written; only the main process writes.

    Args:
        folder: The run's folder.
        method: What is learned.
        schedule: Decides the batches.
        watch: Who is watched.
        learner: What learns.
        clock: Measures the run.
        step: Steps done.

    Raises:
        HeartprintError: What `Watcher` raises.
    """

    def __init__(
        self,
        folder: RunFolder,
        method: Method,
        schedule: Schedule,
        watch: Watch,
        learner: Learner,
        clock: Clock,
        step: int,
    ) -> None:
        self.method, self.schedule, self.learner, self.clock, self.first = method, schedule, learner, clock, step
        self.log = Log(folder.path, step, learner.objective.measures) if learner.group.is_main else None
        self.watcher = Watcher(watch, folder, self.log, step) if self.log else None
        self._bar: Progress | None = None
        self._pending: list[tuple[int, Losses]] = []

    @contextlib.contextmanager
    def shown(self, progress: bool) -> Iterator[None]:
        """Show a progress bar meanwhile, if wanted."""
        if not progress:
            yield
            return
        with Progress(f"Pretraining ({self.method.name})", self.schedule.total_steps) as self._bar:
            if self.first:
                self._bar.advance(self.first, "resumed")
            yield

    def keep(self, step: int, losses: Losses) -> None:
        """Remember what the step gave that ends at ``step`` steps; nothing is read off the device."""
        self._pending.append((step, losses))

    def write(self) -> None:
        """Write what was kept.

        Raises:
            HeartprintError: ``not-finite``, in every process.
        """
        rows = self._rows()
        self._pending.clear()
        if self.log:
            self.log.add(rows)
        if self._bar:
            chance = chance_of_partner(self.method.contrasts, self.method.config.batch_size)
            self._bar.advance(len(rows), _in_words(rows[-1], chance))

    def look(self, step: int) -> None:
        """Look at the watched patients, which is not time of learning.

        Raises:
            HeartprintError: What `Watcher.look` raises.
        """
        if self.watcher:
            self.watcher.look(step, self.learner.encoder, self._bar)
        self.clock.lap()

    def _rows(self) -> list[LogRow]:
        names = self.learner.objective.measures
        scalars = [[result.total, *(result.named[name] for name in names)] for _, result in self._pending]
        values = torch.stack([torch.stack([value.float() for value in row]) for row in scalars]).tolist()
        per_s, waiting = self.clock.lap(self.method.n_views * self.method.config.batch_size * len(self._pending))
        rows = []
        for (step, _), (loss, *named) in zip(self._pending, values, strict=True):
            if not abs(loss) < float("inf"):
                raise HeartprintError(
                    "not-finite",
                    f"The loss of step {step} is {loss}: training diverged. Start a new run with a lower learning_rate "
                    f"(-o learning_rate={self.method.config.learning_rate / 3:.1g}) or a longer warmup_share.",
                )
            epoch = (step - 1) // self.schedule.steps_per_epoch
            rate = self.learner.learning_rate(step - 1)
            measures = {name: round(value, 4) for name, value in zip(names, named, strict=True)}
            rows.append(LogRow(step, epoch, round(loss, 6), rate, round(per_s, 1), round(waiting, 3), measures))
        return rows


def _in_words(row: LogRow, chance: float) -> str:
    """The last numbers of a run, for the progress bar."""
    words = [f"loss {row.loss:.3f}"]
    for name, value in row.measures.items():
        if name == FOUND:
            words.append(f"partner found {value:.0%} (chance {percent(chance)})")
        else:
            words.append(f"{name.replace('_', ' ')} {value:{'.0%' if name.endswith('_accuracy') else '.3g'}}")
    return "  ".join(words)
