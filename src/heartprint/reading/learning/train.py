"""Training the reader's network: stages of growing pictures, resumable, written down as it goes."""

from __future__ import annotations

import csv
import functools
import itertools
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch.utils.data import DataLoader

from heartprint.foundation.parallel import tie_to
from heartprint.foundation.progress import Progress
from heartprint.reading.learning.crops import CropExample
from heartprint.reading.learning.examples import Example, Examples
from heartprint.reading.learning.loss import FINDER_WEIGHTS, READER_WEIGHTS, Truth, losses, total
from heartprint.reading.learning.strip_loss import STRIP_WEIGHTS, CropTruth, strip_losses
from heartprint.reading.network import Answer
from heartprint.reading.strip_network import StripAnswer
from heartprint.reading.weights import Kind, network_of, read_maps, save_network, unpacked
from heartprint.training.checkpoint import Checkpoint, load_latest, save_checkpoint
from heartprint.training.clock import Clock
from heartprint.training.interrupt import stop_requested
from heartprint.training.optim import param_groups, warmup_cosine

LOG_EVERY = 20
SHELF, SHELF_OF_CROPS = 3, 24
"""Batches of a shape that wait before one is taken, so that it holds views, or crops, of many pictures."""

_WEIGHTS = {"finder": FINDER_WEIGHTS, "reader": READER_WEIGHTS, "strips": STRIP_WEIGHTS}


class Stage(BaseModel):
    """A part of the training: pictures of one size.

    Attributes:
        longest_side: Of the pictures, px.
        pictures: How many are seen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    longest_side: Annotated[int, Field(ge=128, le=1024, multiple_of=32)]
    pictures: Annotated[int, Field(ge=1)]


class ReaderConfig(BaseModel):
    """How a reader is trained.

    Attributes:
        kind: Whether it looks at whole pictures, at rectified sheets, or closely at strips.
        stages: One after the other; the learning rate falls over all of them.
        batch_size: Pictures a step.
        precision: ``bfloat16`` computes the network in 16 bits (weights and losses stay in 32): faster by half on
            processors that have such instructions, slower on others.
        learning_rate: After the warm-up.
        weight_decay: Of matrices and filters.
        average: Share of the old in the running average of the weights, which is what is kept (Polyak & Juditsky 1992).
        workers: Processes that draw.
        threads: Threads that compute.
        seed: Decides every picture.
        checkpoint_every: Steps.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Kind = "finder"
    stages: tuple[Stage, ...] = (Stage(longest_side=384, pictures=40_000), Stage(longest_side=512, pictures=20_000))
    batch_size: Annotated[int, Field(ge=1)] = 16
    precision: Literal["float32", "bfloat16"] = "float32"
    learning_rate: Annotated[float, Field(gt=0)] = 0.002
    weight_decay: Annotated[float, Field(ge=0)] = 0.02
    average: Annotated[float, Field(ge=0, lt=1)] = 0.998
    workers: Annotated[int, Field(ge=0)] = 1
    threads: Annotated[int, Field(ge=1)] = 2
    seed: int = 0
    checkpoint_every: Annotated[int, Field(ge=1)] = 200


def train(config: ReaderConfig, examples: Examples, out: Path, *, init: Path | None = None) -> Path:
    """Train a network, or go on with it.

    Args:
        config: How.
        examples: What it learns from.
        init: Weights to begin with: all of a network of this kind, all but the heads of one of another kind.
        out: Folder: checkpoints, ``log.csv`` and, at the end, ``finder.safetensors`` or ``reader.safetensors``.

    Returns:
        The file of the weights.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    network = network_of(config.kind).to(memory_format=torch.channels_last)
    if init is not None:
        begun = unpacked(safetensors.torch.load_file(init))
        heads = list((read_maps(init) or {}).items()) == list(network.maps.items())
        kept = {k: v for k, v in begun.items() if heads or not k.startswith(("head.", "page."))}
        network.load_state_dict(kept, strict=False)
    optimizer = torch.optim.AdamW(param_groups(network.parameters(), config.weight_decay), lr=config.learning_rate)
    averaged = {name: value.detach().clone() for name, value in network.state_dict().items()}
    steps = [stage.pictures // config.batch_size for stage in config.stages]
    found = load_latest(out / "checkpoints")
    first = 0
    if found is not None:
        first = found.step
        _restore(network, optimizer, averaged, found)
    clock = Clock(found.seconds if found else 0.0)
    with stop_requested() as stop, Progress("Training the reader", sum(steps)) as progress:
        progress.advance(first)
        for step, batch in clock.timing(_batches(config, examples, first)):
            network.train()
            for group in optimizer.param_groups:
                group["lr"] = warmup_cosine(step, sum(steps), 0.02, config.learning_rate)
            with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bfloat16"):
                answer = network(batch.pictures)
            parts = batch.losses(answer.float())
            loss = total(parts, _WEIGHTS[config.kind])
            if not bool(torch.isfinite(loss)):
                raise RuntimeError(f"The loss of step {step} is not finite.")
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            keep = min(config.average, (step + 1) / (step + 10))
            with torch.no_grad():
                for name, value in network.state_dict().items():
                    if value.is_floating_point():
                        averaged[name].lerp_(value, 1 - keep)
                    else:
                        averaged[name].copy_(value)
            done = step + 1
            if done % LOG_EVERY == 0:
                rate, waited = clock.lap(LOG_EVERY * config.batch_size)
                _log(out / "log.csv", done, clock.seconds, rate, waited, parts)
            progress.advance(1, note=f"loss {loss.item():.2f}")
            if done % config.checkpoint_every == 0 or stop.is_set() or done == sum(steps):
                tensors = _state(network, optimizer, averaged)
                save_checkpoint(out / "checkpoints", Checkpoint(done, tensors, clock.seconds))
            if stop.is_set():
                raise KeyboardInterrupt
    target = out / f"{config.kind}.safetensors"
    save_network(averaged, target, network.maps)
    return target


class Batch:
    """Pictures of one size and what is true of them."""

    def __init__(self, examples: list[Example] | list[CropExample]) -> None:
        self.pictures = torch.from_numpy(np.stack([one.picture for one in examples]))[:, None].float()
        self.pictures = self.pictures.contiguous(memory_format=torch.channels_last)
        maps = {
            field.name: torch.from_numpy(np.stack([getattr(one.truth, field.name) for one in examples]))
            for field in fields(examples[0].truth)
        }
        turn = torch.tensor([one.turn for one in examples])
        pages = [one.page for one in examples if isinstance(one, Example)]
        self._truth: Truth | CropTruth = (
            Truth(**maps, page=torch.tensor(pages), turn=turn) if pages else CropTruth(**maps, turn=turn)
        )

    def losses(self, answer: Answer | StripAnswer) -> dict[str, torch.Tensor]:
        """Every part of the loss of a network's answer, unweighted."""
        if isinstance(answer, StripAnswer):
            assert isinstance(self._truth, CropTruth)
            return strip_losses(answer, self._truth)
        assert isinstance(self._truth, Truth)
        return losses(answer, self._truth)


def _batches(config: ReaderConfig, examples: Examples, first: int) -> Iterator[tuple[int, Batch]]:
    """Batches of pictures of one shape, in the order in which shapes fill up.

    A resumed training draws other pictures for what was left over of each shape: some of one batch, once.
    """
    step = 0
    shelves = SHELF_OF_CROPS if config.kind == "strips" else SHELF
    for stage in config.stages:
        count = stage.pictures // config.batch_size
        if first < step + count:
            begin = max(first - step, 0)
            indices = range((step + begin) * config.batch_size, (step + count + 64 * shelves) * config.batch_size)
            loader = DataLoader(
                examples.sized(stage.longest_side),
                sampler=list(indices),
                batch_size=None,
                num_workers=config.workers,
                worker_init_fn=functools.partial(_start_worker, os.getpid()) if config.workers else None,
                prefetch_factor=32 if config.workers else None,
            )
            waiting: dict[tuple[int, ...], list[Any]] = defaultdict(list)
            number = step + begin
            for example in itertools.chain.from_iterable(loader):
                shelf = waiting[example.picture.shape]
                shelf.append(example)
                if len(shelf) == shelves * config.batch_size:
                    # Views of one picture come together; of a fuller shelf every so-manieth are taken.
                    waiting[example.picture.shape] = [one for k, one in enumerate(shelf) if k % shelves]
                    yield number, Batch(shelf[::shelves])
                    number += 1
                    if number == step + count:
                        break
            first = step + count
        step += count


def _start_worker(master: int, _: int) -> None:
    tie_to(master)
    torch.set_num_threads(1)


def _state(
    network: torch.nn.Module, optimizer: torch.optim.Optimizer, averaged: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    tensors = {f"network.{name}": value.detach().clone().contiguous() for name, value in network.state_dict().items()}
    tensors |= {f"averaged.{name}": value.clone().contiguous() for name, value in averaged.items()}
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state[parameter].items():
            tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value).clone().contiguous()
    return tensors


def _restore(
    network: torch.nn.Module, optimizer: torch.optim.Optimizer, averaged: dict[str, torch.Tensor], found: Checkpoint
) -> None:
    part = "network."
    network.load_state_dict({k.removeprefix(part): v for k, v in found.tensors.items() if k.startswith(part)})
    for name in averaged:
        averaged[name].copy_(found.tensors[f"averaged.{name}"])
    for name, parameter in network.named_parameters():
        optimizer.state[parameter] = {
            key: found.tensors[f"optimizer.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
        }


def _log(path: Path, step: int, seconds: float, rate: float, waited: float, parts: dict[str, torch.Tensor]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["step", "seconds", "pictures_per_s", "waited", *parts])
        values = [f"{value.item():.4f}" for value in parts.values()]
        writer.writerow([step, round(seconds, 1), round(rate, 2), round(waited, 3), *values])
