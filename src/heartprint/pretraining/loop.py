"""The pretraining run: from a cohort to an encoder folder, in steps that can be interrupted anywhere."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event

import numpy as np

from heartprint.cohorts import Cohort
from heartprint.encoders import CohortSource, EncoderConfig, LoadedEncoder, PretrainingSummary, Seen, save_encoder
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import claimed
from heartprint.pretraining.batches import Batch, Schedule, drawn_batches
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.learner import Learner, starting_encoder
from heartprint.pretraining.memory import disk_full_told, step_memory_explained
from heartprint.pretraining.methods import Method, get_method
from heartprint.pretraining.objectives import RegressionObjective
from heartprint.pretraining.outcome import Outcome, outcome_of
from heartprint.pretraining.readout import READOUT_FILE
from heartprint.pretraining.record import Record
from heartprint.pretraining.run_folder import CHECKPOINTS, TARGETS_FILE, RunFolder, labels_hash, surroundings
from heartprint.pretraining.targets import Targets, measure_targets
from heartprint.pretraining.watch import Watch, hold_out
from heartprint.sheets import without_drawing
from heartprint.training.checkpoint import Checkpoint, load_latest, save_checkpoint
from heartprint.training.clock import Clock
from heartprint.training.device import choose_device, reproducible
from heartprint.training.distributed import Distributed, process_group
from heartprint.training.interrupt import stop_requested

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
    with process_group(lambda: choose_device(config.device)) as group, ExitStack() as held:
        run = group.run_together(_Run, cohort, config, Path(out), group)
        group.run_on_main(run.folder.check, resume=resume)
        group.run_on_main(held.enter_context, claimed(Path(out)))
        if not group.any(run.folder.finished):
            with disk_full_told(Path(out)), step_memory_explained(config), reproducible(group.device):
                run.go(stop_after_steps, progress and group.is_main)
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
    def __init__(self, cohort: Cohort, config: PretrainConfig, out: Path, group: Distributed) -> None:
        self.config = config
        self.group = group
        chosen, watched = hold_out(select(cohort, config), config.watch)
        self.method: Method = get_method(config.method.name)(chosen, config)
        self.schedule = Schedule(
            self.method.n_items, config, item=self.method.item, rank=group.rank, world_size=group.world_size
        )
        self.watch = Watch(watched, config, self.schedule.total_steps)
        # Those who can never be drawn were not seen.
        self.chosen = chosen
        self.used = chosen.take(self.method.rows)
        labels = labels_hash(self.used) if self.method.learns_labels else None
        self.folder = RunFolder(out, config, self.used, labels)

    def go(self, stop_after_steps: int | None, progress: bool) -> None:
        total, group = self.schedule.total_steps, self.group
        # Before anything is written: it may not be possible.
        check_draws(self.method)
        start = group.run_together(starting_encoder, self.config)
        group.run_on_main(self.folder.start, start.config.weights_sha256 or None)
        learner = Learner(self.config, total, group, self._targets(progress), start=start)
        found = load_latest(self.folder.path / CHECKPOINTS, group)
        if found is not None:
            learner.load(found.tensors)
        step = found.step if found else 0
        last = total if stop_after_steps is None else min(total, step + stop_after_steps)
        clock = Clock(found.seconds if found else 0.0)
        group.run_on_main(self._describe, learner)
        record = group.run_together(Record, self.folder, self.method, self.schedule, self.watch, learner, clock, step)
        with stop_requested() as requested:
            batches = drawn_batches(self.method, self.schedule, step, last, self.config.workers)
            with closing(batches), record.shown(progress):
                step, interrupted = self._learn(record, batches, step, last, requested)
            # Nobody leaves while the main process writes.
            outcome = group.run_on_main(self._close, record, start, step)
        if outcome and step >= total and not outcome.learned and progress:
            print(outcome.warning(), file=sys.stderr, flush=True)
        if interrupted and step < total:
            raise KeyboardInterrupt(f"Stopped after step {step:,} of {total:,}; a checkpoint is saved.")

    def _learn(
        self, record: Record, batches: Iterable[Batch], step: int, last: int, requested: Event
    ) -> tuple[int, bool]:
        """Learn from batches: steps done, and whether a stop was asked for."""
        if self.watch.due(step):
            self.group.run_together(record.look, step)
        for batch in record.clock.timing(batches):
            step = batch.key.step + 1
            record.keep(step, record.learner.step(batch))
            if not self._pauses(step, last):
                continue
            interrupted = self.group.any(requested.is_set())
            record.write()
            if interrupted or self._saves(step, last):
                self.group.run_on_main(self._save_checkpoint, record, step)
            if self.watch.due(step):
                self.group.run_together(record.look, step)
            if interrupted:
                return step, True
        return step, False

    def _saves(self, step: int, last: int) -> bool:
        return step == last or step % self.config.checkpoint_every == 0

    def _pauses(self, step: int, last: int) -> bool:
        """Whether numbers are read and written after a step.

        Reading a number off a GPU waits for it, and so does asking the others whether to stop: both are done a few
        steps at a time.
        """
        often = self.group.device.type == "cpu" and self.group.world_size == 1
        return often or step % _LOG_EVERY == 0 or self._saves(step, last) or self.watch.due(step)

    def _describe(self, learner: Learner) -> None:
        self.folder.save(
            items=self.method.item,
            n_items=self.method.n_items,
            **self.method.facts(),
            steps=self.schedule.total_steps,
            parameters=learner.n_parameters,
            precision="bfloat16" if learner.bfloat16 else "float32",
            processes=self.group.world_size,
            **surroundings(self.group.device),
        )

    def _save_checkpoint(self, record: Record, step: int) -> None:
        now = Checkpoint(step, record.learner.state(), record.clock.seconds)
        save_checkpoint(self.folder.path / CHECKPOINTS, now)

    def _targets(self, progress: bool) -> Targets | None:
        """Measured once and kept, for methods that learn them: a resumed run must learn the very same numbers."""
        if not self.method.learns_measurements:
            return None
        path = self.folder.path / TARGETS_FILE
        targets = self.group.run_on_main(self._measured, path, progress)
        told = self.group.broadcast(path.read_bytes() if self.group.is_main else b"")
        return targets or Targets.load(io.BytesIO(told))

    def _measured(self, path: Path, progress: bool) -> Targets:
        if not path.is_file():
            measure_targets(self.chosen, labels=self.method.learns_labels, progress=progress).save(path)
        return Targets.load(path, len(self.chosen))

    def _close(self, record: Record, start: LoadedEncoder, step: int) -> Outcome | None:
        assert record.log is not None and record.watcher is not None
        finished = step >= self.schedule.total_steps
        if finished:
            self._save_encoder(record.learner, start)
        kind = "simulated patients" if self.used.info.simulated else self.used.info.name
        record.log.draw_curves(f"Pretraining: {self.method.name}, {self.config.backbone}, {kind}")
        images = self.method.n_views * self.config.batch_size * step
        outcome = outcome_of(record.log.rows, self.method.contrasts, self.config.batch_size)
        if outcome:
            self.folder.save(partner_found=round(outcome.found, 4), chance=round(outcome.chance, 6))
            if finished:
                self.folder.save(learned=outcome.learned)
        self.folder.save(
            status="finished" if finished else "stopped",
            steps_done=step,
            images=images,
            seconds=round(record.clock.seconds, 1),
            images_per_s=round(images / record.clock.seconds, 1) if record.clock.seconds else None,
        )
        record.watcher.close()
        return outcome

    def _save_encoder(self, learner: Learner, start: LoadedEncoder) -> None:
        config = self.config
        for part in learner.objective.modules():
            if isinstance(part, RegressionObjective):
                part.readout.save(self.folder.path / READOUT_FILE)
        summary = PretrainingSummary(
            method=config.method.name,
            steps=self.schedule.total_steps,
            batch_size=config.batch_size,
            temperature=getattr(config.method, "temperature", None),
            max_rotation_deg=config.max_rotation_deg,
            seed=config.seed,
            cohort=CohortSource.of(self.used),
            settings=without_drawing(self.used, config.model_dump(mode="json")),
            after=start.config.pretraining,
        )
        description = EncoderConfig.new(
            config.backbone,
            image_size=config.image_size,
            layouts=config.layouts if self.used.kind == "waveform" else (),
            baseline=config.baseline,
            initial_weights=start.config.initial_weights,
            initial_seed=start.config.initial_seed,
            pretraining=summary,
        )
        save_encoder(self.folder.path / ENCODER, learner.encoder, description, seen=start.seen | Seen.of(self.used))
