"""What a pretraining run will take, from some of its own first steps, done on this machine and thrown away."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch

from heartprint.cohorts import Cohort
from heartprint.foundation.progress import in_words
from heartprint.pretraining.batches import Batch, BatchKey, Schedule, draw_batch
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.first_steps import Measured, measure_first_steps
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.loop import select
from heartprint.pretraining.memory import step_memory_explained
from heartprint.pretraining.methods import get_method
from heartprint.pretraining.targets import blank_targets
from heartprint.pretraining.watch import hold_out
from heartprint.training.device import choose_device, reproducible
from heartprint.training.distributed import Distributed

_SMALL_BATCHES = {"cpu": (2, 6), "cuda": (8, 32)}
_ADAM_BYTES_PER_WEIGHT = 16  # weight, gradient and two moments, float32
_CHECKPOINT_BYTES_PER_WEIGHT = 12
_CHECKPOINTS_AT_ONCE = 3
_RECORD_SECONDS = 10.0
_SAMPLE_BYTES = 2
_TIMED_VIEWS = 16
_LONGEST_STEP_S = 30.0
"""Longest step that is done to measure it, s."""
_LEAVE_FREE = 0.8
_CHUNKED = 4 / 3
"""A way back costs two ways forward; gradient caching adds one."""


@dataclass(frozen=True)
class StepCost:
    """What a step costs on this machine.

    Attributes:
        device: Where it was measured.
        n_parameters: Weights that learn, head included.
        s_per_image: Compute for one view, forwards and backwards, s.
        s_per_step: Compute that does not grow with the batch, s.
        activation_bytes: What one view keeps for the way back, bytes.
        s_per_image_range: Least and most time for one view, of the small batches that were measured, s.
    """

    device: str
    n_parameters: int
    s_per_image: float
    s_per_step: float
    activation_bytes: float
    s_per_image_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        n_items: Patients with pairs, or ECGs, depending on the method.
        n_ecgs: ECGs in the cohort.
        steps: Optimiser steps.
        images: Views drawn and learned from.
        seconds: Time on this machine, s.
        between: Least and most time that what was measured allows, s.
        images_per_s: Views per second on this machine.
        memory_bytes: Memory of the device for weights, optimiser and activations, bytes.
        waveform_bytes: The cohort's file of waveforms or images, bytes.
        run_bytes: The run's folder, checkpoints included, bytes.
        cost: What was measured.
        draw_s: Time to draw a view, s; None if nothing was drawn.
        config: The configuration.
        measured: The run's own first steps; None if none could be done, and it is extrapolated from small batches.
    """

    n_items: int
    n_ecgs: int
    steps: int
    images: int
    seconds: float
    between: tuple[float, float]
    images_per_s: float
    memory_bytes: float
    waveform_bytes: float
    run_bytes: float
    cost: StepCost
    draw_s: float | None
    config: PretrainConfig
    measured: Measured | None = None

    def text(self) -> str:
        """The estimate in words, with where it comes from."""
        c = self.config
        drawn = "drawing not counted" if self.draw_s is None else f"drawing {1000 * self.draw_s:.2f} ms a view"
        return (
            f"Estimate for {c.method.name} with {c.backbone} at {c.image_size} px, {self.n_items:,} items "
            f"({self.n_ecgs:,} ECGs), batches of {c.batch_size}\n"
            f"  time    {_between(*self.between)} on {self.cost.device} "
            f"({self.steps:,} steps, {self.images:,} images at {self.images_per_s:,.0f}/s)\n"
            f"  memory  {_bytes(self.memory_bytes)} for weights, optimiser and activations "
            f"({self.cost.n_parameters / 1e6:.1f} million weights, {_bytes(self.cost.activation_bytes)} an image)\n"
            f"  disk    {_bytes(self.waveform_bytes)} of ECGs, {_bytes(self.run_bytes)} for the run\n"
            f"  {self._source(drawn)}"
        )

    def _source(self, drawn: str) -> str:
        if self.measured is None:
            return (
                f"Extrapolated from small steps measured on this machine ({1000 * self.cost.s_per_image:.1f} ms an "
                f"image, {drawn})."
            )
        m = self.measured
        looks = "; looks at the watched patients come on top" if self.config.watch.share else ""
        return (
            f"From {m.n_steps:,} of its own steps measured on this machine ({m.step_s[0]:.2g} to {m.step_s[1]:.2g} s "
            f"each with drawing; start and checkpoints counted{looks})."
        )


def estimate(
    config: PretrainConfig,
    *,
    n_items: int,
    n_ecgs: int,
    sampling_rate: float = 500.0,
    n_leads: int = 8,
    stored_bytes: float | None = None,
    draw_s: float | None = None,
    cost: StepCost | None = None,
    measured: Measured | None = None,
) -> Estimate:
    """Estimate time, memory and disk of a run.

    Args:
        config: The run's configuration.
        n_items: Patients with two ECGs for ``bcl``, ECGs for the other methods.
        n_ecgs: ECGs of the cohort, for the disk.
        sampling_rate: Hz.
        n_leads: Stored leads.
        stored_bytes: Bytes of the cohort's ECGs, if they are known.
        draw_s: Time to draw one view, s, if it is known (see `measure_drawing`).
        cost: What `measure_step` gave; measured now if None.
        measured: What `measure_first_steps` gave, if anything.

    Raises:
        HeartprintError: ``more-pairs-than-exist``, ``no-such-device`` or ``out-of-memory``.
    """
    schedule = Schedule(n_items, config)
    cost = cost or measure_step(config)
    method = get_method(config.method.name)
    images_per_step = method.n_views * config.batch_size
    held = min(config.chunk_size or config.batch_size, config.batch_size)
    drawing = images_per_step * (draw_s or 0.0)

    def whole_step(compute: float) -> float:
        compute *= _CHUNKED if held < config.batch_size else 1.0
        # Workers draw while the network computes.
        return max(compute, drawing / config.workers) if config.workers else compute + drawing

    steps = schedule.total_steps
    if measured is not None:
        checkpoints = steps // config.checkpoint_every + 1
        once = measured.start_s + measured.targets_s + checkpoints * measured.checkpoint_s
        between = tuple(once + max(0, steps - 1) * s for s in measured.step_s)
        s_per_step = (measured.step_s[0] + measured.step_s[1]) / 2
    else:
        s_per_step = whole_step(cost.s_per_step + images_per_step * cost.s_per_image)
        rates = cost.s_per_image_range or (cost.s_per_image, cost.s_per_image)
        between = tuple(steps * whole_step(images_per_step * s) for s in rates)
        between = (min(*between, steps * s_per_step), max(*between, steps * s_per_step))
    return Estimate(
        n_items=n_items,
        n_ecgs=n_ecgs,
        steps=steps,
        images=steps * images_per_step,
        seconds=(between[0] + between[1]) / 2 if measured is not None else steps * s_per_step,
        between=(between[0], between[1]),
        images_per_s=images_per_step / s_per_step,
        memory_bytes=_ADAM_BYTES_PER_WEIGHT * cost.n_parameters
        + method.n_views * held * cost.activation_bytes
        + method.objective_bytes(config.method, config.batch_size),
        waveform_bytes=n_ecgs * n_leads * _RECORD_SECONDS * sampling_rate * _SAMPLE_BYTES
        if stored_bytes is None
        else stored_bytes,
        run_bytes=_CHECKPOINTS_AT_ONCE * _CHECKPOINT_BYTES_PER_WEIGHT * cost.n_parameters,
        cost=cost,
        draw_s=draw_s,
        config=config,
        measured=measured,
    )


def estimate_for(cohort: Cohort, config: PretrainConfig, *, started: float = 0.0) -> Estimate:
    """Estimate a run on a cohort: some of its own first steps are done, with its own sheets, and thrown away.

    Where a step would take too long or too much memory, small batches are measured and the rest is extrapolated.

    Args:
        cohort: What would be learned from.
        config: How.
        started: Time that the start of the program has taken before, s; the run will take it too.
    """
    began = time.perf_counter()
    chosen, _ = hold_out(select(cohort, config), config.watch)
    method = get_method(config.method.name)(chosen, config)
    schedule = Schedule(method.n_items, config, item=method.item)
    built_s = started + time.perf_counter() - began
    key = BatchKey(0, 0, np.arange(min(_TIMED_VIEWS // 2, method.n_items)))
    draw_batch(method, key)  # compiles the drawing
    began = time.perf_counter()
    draw_batch(method, key)
    draw_s = (time.perf_counter() - began) / (method.n_views * len(key.items))
    known: dict[str, Any] = {"n_items": method.n_items, "n_ecgs": len(chosen), "draw_s": draw_s}
    if chosen.kind == "image":
        stored = (chosen.records["height"].cast(pl.Int64) * chosen.records["width"]).sum()
        known["stored_bytes"] = float(stored)
    else:
        known["sampling_rate"] = float(np.median(chosen.records["sampling_rate"].to_numpy()))
        known["n_leads"] = int(chosen.records["n_leads"].to_numpy().max())
    rough = estimate(config, **known)
    if rough.seconds / rough.steps > _LONGEST_STEP_S or rough.memory_bytes > _free_bytes(config):
        return rough
    measured = measure_first_steps(method, schedule, config, built_s)
    return estimate(config, **known, cost=rough.cost, measured=measured)


def _free_bytes(config: PretrainConfig) -> float:
    """Memory that a step may fill without driving out what else runs, bytes."""
    device = choose_device(config.device)
    if device.type == "cuda":
        return _LEAVE_FREE * torch.cuda.mem_get_info(device)[0]
    try:
        return _LEAVE_FREE * os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return math.inf


def measure_step(config: PretrainConfig) -> StepCost:
    """Measure steps of two small batches at the real image size on the configured device.

    The time of a step is taken to be a constant plus a part that grows with the batch; small batches do not fill a
    large GPU, so the estimate is rather too long there than too short.
    """
    device = choose_device(config.device)
    few, many = _SMALL_BATCHES[device.type if device.type in _SMALL_BATCHES else "cuda"]
    with step_memory_explained(config), reproducible(device):
        targets = blank_targets() if get_method(config.method.name).learns_measurements else None
        learner = Learner(config.model_copy(update={"chunk_size": 0}), 100, Distributed(device=device), targets)
        kept = [_kept_bytes(learner, _blank(config, n)) for n in (few, many)]
        times = [_seconds(learner, _blank(config, n)) for n in (few, many)]
    views = get_method(config.method.name).n_views
    more = views * (many - few)
    s_per_image = max((times[1] - times[0]) / more, times[1] / (views * many) / 4)
    return StepCost(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        n_parameters=learner.n_parameters,
        s_per_image=s_per_image,
        s_per_step=max(0.0, times[0] - views * few * s_per_image),
        activation_bytes=(kept[1] - kept[0]) / more,
        s_per_image_range=(min(s_per_image, times[1] / (views * many)), times[0] / (views * few)),
    )


def _blank(config: PretrainConfig, pairs: int) -> Batch:
    size, views = config.image_size, get_method(config.method.name).n_views
    images = np.random.Generator(np.random.Philox(0)).integers(0, 256, (views, pairs, size, size), dtype=np.uint8)
    rows = torch.zeros((views, pairs), dtype=torch.int64)
    return Batch(BatchKey(0, 0, np.arange(pairs)), torch.from_numpy(images), torch.arange(pairs), rows)


def _kept_bytes(learner: Learner, batch: Batch) -> int:
    """Bytes of everything that the way forwards keeps for the way back; each piece of memory counts once."""
    pieces: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        pieces[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        learner.backward(batch)
    return sum(pieces.values())


def _seconds(learner: Learner, batch: Batch) -> float:
    learner.step(batch)
    times = []
    for _ in range(2):
        began = time.perf_counter()
        float(learner.step(batch).total)
        times.append(time.perf_counter() - began)
    return min(times)


def _between(low: float, high: float) -> str:
    first, last = in_words(low), in_words(high)
    if first == last:
        return f"about {first}"
    number, _, unit = first.partition(" ")
    return f"{number if last.endswith(unit) else first} to {last}"


def _bytes(number: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number / 1e3:,.0f} kB"
