"""The pretraining run: from a cohort to an encoder folder, in steps that can be interrupted anywhere."""

from __future__ import annotations

import io
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, cast

import numpy as np
import torch

from heartprint.cohorts import Cohort
from heartprint.encoders import (
    CohortSource,
    EncoderConfig,
    LoadedEncoder,
    PretrainingSummary,
    Seen,
    resolve_encoder,
    save_encoder,
)
from heartprint.encoders.networks.encoder import Weights
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import claimed
from heartprint.foundation.progress import Progress
from heartprint.pretraining.batches import Batch, Schedule, drawn_batches
from heartprint.pretraining.checkpoint import Checkpoint, load_latest, save_checkpoint
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.learner import FRESH, Learner, reproducible
from heartprint.pretraining.memory import disk_full_told, step_memory_explained
from heartprint.pretraining.methods import Method, get_method
from heartprint.pretraining.objectives import Losses, RegressionObjective
from heartprint.pretraining.outcome import FOUND, Outcome, chance_of_partner, outcome_of, percent
from heartprint.pretraining.readout import READOUT_FILE
from heartprint.pretraining.run_folder import (
    CHECKPOINTS,
    TARGETS_FILE,
    Log,
    LogRow,
    RunFolder,
    labels_hash,
    surroundings,
)
from heartprint.pretraining.targets import Targets, measure_targets
from heartprint.pretraining.watch import Watch, hold_out
from heartprint.sheets import without_drawing
from heartprint.training.device import choose_device
from heartprint.training.distributed import World, joined

ENCODER = "encoder"
_LOG_EVERY = 10


def pretrain(
    cohort: Cohort,
    config: PretrainConfig,
    out: str | Path,
    *,
    resume: bool = False,
    stop_after_steps: int | None = None,
    progress: bool = True,
) -> Path:
    """Pretrain an encoder.

    The result depends on the configuration and the cohort alone, for a given machine kind, torch version and number
    of threads and processes: not on the number of workers, nor on interruptions. Started by ``torchrun``, all its
    processes train one encoder, and the first of them writes.

    Args:
        cohort: ECGs to learn from; ``config.since`` and ``config.until`` narrow it.
        config: How.
        out: Folder of the run. It must be new or empty, unless a run is resumed.
        resume: Go on with the run in ``out`` after its last checkpoint; an empty folder starts it, a finished run is
            left as it is.
        stop_after_steps: Stop cleanly after this many steps of this call, leaving a checkpoint.
        progress: Whether to show progress.

    Returns:
        ``out``. When the run is finished it holds the encoder folder ``encoder/``.

    Raises:
        HeartprintError: ``no-ecgs``, ``no-pairs``, ``more-pairs-than-exist``, ``batch-not-divisible``,
            ``no-such-device``, ``not-joined``, ``output-exists``, ``not-a-run``, ``config-changed``,
            ``cohort-changed``, ``checkpoint-damaged``, ``targets-damaged``, ``not-simulated``, ``not-finite``,
            ``collapsed``, ``out-of-memory``, ``worker-died``, ``output-busy`` or ``disk-full``; what naming the encoder
            to start from, or a label to watch, raises.
        KeyboardInterrupt: On Ctrl-C or SIGTERM, after the step is finished and a checkpoint is saved.
    """
    with joined(lambda: choose_device(config.device)) as world, ExitStack() as held:
        run = world.agree(lambda: _Run(cohort, config, Path(out), world))
        world.agree(lambda: run.folder.check(resume=resume) if world.writes else None)
        world.agree(lambda: held.enter_context(claimed(Path(out))) if world.writes else None)
        if not world.any(run.folder.finished):
            with disk_full_told(Path(out)), step_memory_explained(config), reproducible(world.device):
                run.go(stop_after_steps, progress and world.writes)
    return Path(out)


def select(cohort: Cohort, config: PretrainConfig) -> Cohort:
    """The ECGs of the period that a configuration asks for.

    Raises:
        HeartprintError: ``no-ecgs``.
    """
    chosen = cohort.filter(since=config.since, until=config.until) if config.since or config.until else cohort
    if len(chosen) == 0:
        period = f" from {config.since or 'the beginning'} to {config.until or 'the end'}"
        undated = cohort.records["recorded_at"].null_count()
        raise HeartprintError(
            "no-ecgs",
            f"'{cohort.info.name}' has no ECG{period if len(cohort) else ''} ({undated:,} of {len(cohort):,} have no "
            "date). Change since or until.",
        )
    return chosen


def check_draws(method: Method) -> None:
    """See that a method draws the same views twice: resuming and worker processes rest on it.

    Raises:
        HeartprintError: ``views-differ``.
    """
    one, other = (method.draw(0, 0) for _ in range(2))
    if any(a.row != b.row or not np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True)):
        raise HeartprintError(
            "views-differ",
            f"Method {method.name} draws other views when the same item is drawn again. Take all that it draws from "
            "self.views.rng or heartprint.foundation.randomness.generator.",
        )


class _Run:
    def __init__(self, cohort: Cohort, config: PretrainConfig, out: Path, world: World) -> None:
        self.config = config
        self.world = world
        chosen, watched = hold_out(select(cohort, config), config.watch)
        self.method: Method = get_method(config.method.name)(chosen, config)
        self.schedule = Schedule(self.method.n_items, config, item=self.method.item, rank=world.rank, size=world.size)
        self.watch = Watch(watched, config, self.schedule.total_steps)
        # Those who can never be drawn were not seen.
        self.chosen = chosen
        self.used = chosen.take(self.method.rows)
        labels = labels_hash(self.used) if self.method.learns_labels else None
        self.folder = RunFolder(out, config, self.used, labels)
        self.chance = chance_of_partner(self.method.contrasts, config.batch_size)
        self.before: LoadedEncoder | None = None

    def go(self, stop_after_steps: int | None, progress: bool) -> None:
        total, world = self.schedule.total_steps, self.world
        # Before anything is written: it may not be possible.
        check_draws(self.method)
        learner = world.agree(lambda: Learner(self.config, total, world))
        world.agree(self._start)
        learner.prepare(self._targets(progress) if self.method.learns_measurements else None)
        found = self._latest()
        if found is not None:
            learner.load(found.tensors)
        first = found.step if found else 0
        last = total if stop_after_steps is None else min(total, first + stop_after_steps)
        clock = _Clock(found.seconds if found else 0.0)
        log = self._open_log(learner, first) if world.writes else None
        with _stop_asked() as asked:
            step, interrupted = first, False
            batches = drawn_batches(self.method, self.schedule, first, last, self.config.workers)
            with closing(batches), _shown(self.method.name, total, first, progress) as bar:
                if log:
                    self.watch.start(self.folder, log, first)
                if self.watch.due(first):
                    self._look(first, learner, clock, bar)
                pending: list[tuple[int, Losses]] = []
                for batch in clock.timing(batches):
                    result = learner.step(batch)
                    step = batch.key.step + 1
                    pending.append((step, result))
                    # Reading a number off a GPU waits for it, and so does asking the others whether to stop: both are
                    # done a few steps at a time.
                    due = step == last or step % self.config.checkpoint_every == 0
                    look = self.watch.due(step)
                    if not (due or look) and step % _LOG_EVERY and (world.device.type != "cpu" or world.size > 1):
                        continue
                    interrupted = world.any(asked.is_set())
                    rows = self._rows(pending, clock, learner)
                    pending.clear()
                    if log:
                        log.add(rows)
                    if bar:
                        bar.advance(len(rows), _in_words(rows[-1], self.chance))
                    if due or interrupted:
                        world.agree(lambda step=step: self._save_checkpoint(learner, step, clock))  # type: ignore[misc]
                    if look:
                        self._look(step, learner, clock, bar)
                    if interrupted:
                        break
            # Nobody leaves while the first one writes.
            world.agree(lambda: self._close(learner, log, step, clock) if log else None)
        outcome = self._outcome(log) if log and step >= total else None
        if outcome and not outcome.learned and progress:
            print(outcome.warning(), file=sys.stderr, flush=True)
        if interrupted and step < total:
            raise KeyboardInterrupt(f"Stopped after step {step:,} of {total:,}; a checkpoint is saved.")

    def _look(self, step: int, learner: Learner, clock: _Clock, bar: Progress | None) -> None:
        """Look at the held-out patients, in one process while the others wait; it is not time of learning."""
        self.world.agree(lambda: self.watch.look(step, learner.encoder, bar) if self.world.writes else None)
        clock.lap(0)

    def _start(self) -> None:
        self.before = None if self.config.init in FRESH else resolve_encoder(self.config.init, unlabelled=True)
        if self.world.writes:
            self.folder.start(self.before.config.weights_sha256 if self.before else None)

    def _open_log(self, learner: Learner, first: int) -> Log:
        self.folder.save(
            items=self.method.item,
            n_items=self.method.n_items,
            **self.method.facts(),
            steps=self.schedule.total_steps,
            parameters=learner.n_parameters,
            precision="bfloat16" if learner.bfloat16 else "float32",
            processes=self.world.size,
            **surroundings(self.world.device),
        )
        return Log(self.folder.path, first, learner.objective.measures)

    def _latest(self) -> Checkpoint | None:
        """The latest checkpoint, read by the process that wrote it; the others may see another disk."""
        found = self.world.agree(lambda: load_latest(self.folder.path / CHECKPOINTS) if self.world.writes else None)
        return Checkpoint.told(self.world.tell(found.to_bytes() if found else b"")) if self.world.size > 1 else found

    def _save_checkpoint(self, learner: Learner, step: int, clock: _Clock) -> None:
        if self.world.writes:
            save_checkpoint(self.folder.path / CHECKPOINTS, Checkpoint(step, learner.state(), clock.seconds))

    def _targets(self, progress: bool) -> Targets:
        """Measured once and kept: a resumed run must learn the very same numbers."""
        path = self.folder.path / TARGETS_FILE

        def measured() -> Targets | None:
            if not self.world.writes:
                return None
            if not path.is_file():
                measure_targets(self.chosen, labels=self.method.learns_labels, progress=progress).save(path)
            return Targets.load(path, len(self.chosen))

        targets = self.world.agree(measured)
        told = self.world.tell(path.read_bytes() if self.world.writes else b"")
        return targets or Targets.load(io.BytesIO(told))

    def _rows(self, pending: list[tuple[int, Losses]], clock: _Clock, learner: Learner) -> list[LogRow]:
        names = learner.objective.measures
        scalars = [[result.total, *(result.named[name] for name in names)] for _, result in pending]
        values = torch.stack([torch.stack([value.float() for value in row]) for row in scalars]).tolist()
        per_s, waiting = clock.lap(self.method.n_views * self.config.batch_size * len(pending))
        rows = []
        for (step, _), (loss, *named) in zip(pending, values, strict=True):
            if not abs(loss) < float("inf"):
                raise HeartprintError(
                    "not-finite",
                    f"The loss of step {step} is {loss}: training diverged. Start a new run with a lower learning_rate "
                    f"(-o learning_rate={self.config.learning_rate / 3:.1g}) or a longer warmup_share.",
                )
            epoch = (step - 1) // self.schedule.steps_per_epoch
            rate = learner.learning_rate(step - 1)
            measures = {name: round(value, 4) for name, value in zip(names, named, strict=True)}
            rows.append(LogRow(step, epoch, round(loss, 6), rate, round(per_s, 1), round(waiting, 3), measures))
        return rows

    def _outcome(self, log: Log) -> Outcome | None:
        return outcome_of(log.rows, self.method.contrasts, self.config.batch_size)

    def _close(self, learner: Learner, log: Log, step: int, clock: _Clock) -> None:
        finished = step >= self.schedule.total_steps
        if finished:
            self._save_encoder(learner)
        kind = "simulated patients" if self.used.info.simulated else self.used.info.name
        log.draw_curves(f"Pretraining: {self.method.name}, {self.config.backbone}, {kind}")
        images = self.method.n_views * self.config.batch_size * step
        outcome = self._outcome(log)
        if outcome:
            self.folder.save(partner_found=round(outcome.found, 4), chance=round(outcome.chance, 6))
            if finished:
                self.folder.save(learned=outcome.learned)
        self.folder.save(
            status="finished" if finished else "stopped",
            steps_done=step,
            images=images,
            seconds=round(clock.seconds, 1),
            images_per_s=round(images / clock.seconds, 1) if clock.seconds else None,
        )
        self.watch.close()

    def _save_encoder(self, learner: Learner) -> None:
        config = self.config
        for part in learner.objective.modules():
            if isinstance(part, RegressionObjective):
                part.readout.save(self.folder.path / READOUT_FILE)
        before, seen = self.before, Seen.of(self.used)
        summary = PretrainingSummary(
            method=config.method.name,
            steps=self.schedule.total_steps,
            batch_size=config.batch_size,
            temperature=getattr(config.method, "temperature", None),
            max_rotation_deg=config.max_rotation_deg,
            seed=config.seed,
            cohort=CohortSource.of(self.used),
            settings=without_drawing(self.used, config.model_dump(mode="json")),
            after=before.config.pretraining if before else None,
        )
        description = EncoderConfig.new(
            config.backbone,
            image_size=config.image_size,
            layouts=config.layouts if self.used.kind == "waveform" else (),
            baseline=config.baseline,
            initial_weights=before.config.initial_weights if before else cast(Weights, config.init),
            initial_seed=before.config.initial_seed if before else config.seed,
            pretraining=summary,
        )
        save_encoder(
            self.folder.path / ENCODER, learner.encoder, description, seen=before.seen | seen if before else seen
        )


def _in_words(row: LogRow, chance: float) -> str:
    """The last numbers of a run, for the progress bar."""
    shown = [_measure_in_words(name, value, chance) for name, value in row.measures.items()]
    return "  ".join([f"loss {row.loss:.3f}", *shown])


def _measure_in_words(name: str, value: float, chance: float) -> str:
    if name == FOUND:
        return f"partner found {value:.0%} (chance {percent(chance)})"
    return f"{name.replace('_', ' ')} " + (f"{value:.0%}" if name.endswith("_accuracy") else f"{value:.3g}")


class _Clock:
    """Measures a run: all its time, and how much of it passes in waiting for sheets."""

    def __init__(self, seconds_before: float) -> None:
        self._before = seconds_before
        self._started = self._lap_started = time.perf_counter()
        self._waited = 0.0

    @property
    def seconds(self) -> float:
        """Time of the run so far, earlier parts included, s."""
        return self._before + time.perf_counter() - self._started

    def timing(self, items: Iterator[Batch]) -> Iterator[Batch]:
        """Iterate, counting the time until each item is there."""
        while True:
            began = time.perf_counter()
            item = next(items, None)
            self._waited += time.perf_counter() - began
            if item is None:
                return
            yield item

    def lap(self, images: int) -> tuple[float, float]:
        """Images per second and share of waiting since the last lap."""
        now = time.perf_counter()
        spent, waited = now - self._lap_started, self._waited
        self._lap_started, self._waited = now, 0.0
        return images / spent, waited / spent


@contextmanager
def _shown(method: str, total: int, first: int, progress: bool) -> Iterator[Progress | None]:
    if not progress:
        yield None
        return
    with Progress(f"Pretraining ({method})", total) as bar:
        if first:
            bar.advance(first, "resumed")
        yield bar


@contextmanager
def _stop_asked() -> Iterator[threading.Event]:
    """Let the first Ctrl-C, or the SIGTERM of a cluster, ask for a clean stop; the second one stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # Python gives signals to the main thread only.
        return

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
