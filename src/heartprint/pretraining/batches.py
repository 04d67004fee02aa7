"""Which items a step sees, and the processes that draw them ahead of it."""

from __future__ import annotations

import functools
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.parallel import tie_to
from heartprint.foundation.randomness import generator
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.methods import Method
from heartprint.pretraining.methods.base import Ints


@dataclass(frozen=True)
class BatchKey:
    """Everything that decides a batch, so that any process can draw it at any time.

    Attributes:
        epoch: Number of the pass over the items.
        step: Number of the step in the run.
        items: ``(b,)`` items of this process.
    """

    epoch: int
    step: int
    items: Ints


@dataclass(frozen=True)
class Batch:
    """What a step learns from.

    Attributes:
        key: What it was made of.
        images: ``(V, b, S, S)`` uint8, first views, second views...
        groups: ``(b,)`` int64; views of equal group are never each other's negatives.
        rows: ``(V, b)`` int64, the row of the ECG that each image shows.
    """

    key: BatchKey
    images: torch.Tensor
    groups: torch.Tensor
    rows: torch.Tensor


class Schedule:
    """The batches of a run, as a pure function of the step.

    Every epoch is a fresh permutation of the items, cut into whole batches; what is left over sits out that epoch.
    Several processes share each batch: the same items stand in it, however many they are.

    Args:
        n_items: Number of items.
        config: ``batch_size``, ``epochs``, ``steps``, ``seed``.
        item: What an item is, for the message.
        rank: Number of this process.
        world_size: Number of processes.

    Attributes:
        steps_per_epoch: Batches in an epoch.
        total_steps: Steps of the run.

    Raises:
        HeartprintError: ``more-pairs-than-exist`` if a batch is larger than the number of items;
            ``batch-not-divisible`` if the processes cannot share it equally.
    """

    def __init__(
        self, n_items: int, config: PretrainConfig, *, item: str = "items", rank: int = 0, world_size: int = 1
    ) -> None:
        batch = config.batch_size
        if batch % world_size:
            raise HeartprintError(
                "batch-not-divisible",
                f"A batch of {batch:,} {item} cannot be shared equally by {world_size} processes. Take a multiple of "
                f"{world_size} (-o batch_size={-(-batch // world_size) * world_size}).",
            )
        if batch > n_items:
            remedy = f"Lower it (-o batch_size={n_items}) or add ECGs." if n_items >= 2 else "Add ECGs."
            raise HeartprintError(
                "more-pairs-than-exist",
                f"A batch of {batch:,} was asked for (batch_size), but there are only {n_items:,} {item}. {remedy}",
            )
        self.n_items = n_items
        self.batch_size = batch
        self._own = slice(rank * batch // world_size, (rank + 1) * batch // world_size)
        self.seed = config.seed
        self.steps_per_epoch = n_items // batch
        self.total_steps = config.steps or config.epochs * self.steps_per_epoch
        self._epoch = -1
        self._order: Ints = np.empty(0, dtype=np.int64)

    def __getitem__(self, step: int) -> BatchKey:
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._order = generator(self.seed, "order", epoch).permutation(self.n_items)
            self._epoch = epoch
        items = self._order[place * self.batch_size : (place + 1) * self.batch_size]
        return BatchKey(epoch, step, items[self._own])


class _Steps(Sampler[BatchKey]):
    def __init__(self, schedule: Schedule, first: int, last: int) -> None:
        self.schedule, self.first, self.last = schedule, first, last

    def __iter__(self) -> Iterator[BatchKey]:
        return (self.schedule[step] for step in range(self.first, self.last))


class _Drawn(Dataset[Batch | HeartprintError]):
    def __init__(self, method: Method) -> None:
        self.method = method

    def __getitem__(self, key: BatchKey) -> Batch | HeartprintError:
        try:
            return draw_batch(self.method, key)
        except HeartprintError as error:
            # Handed over, not raised: on its way out of a worker torch would make it a RuntimeError.
            return error


def draw_batch(method: Method, key: BatchKey) -> Batch:
    """Draw a batch: a pure function of the method, its cohort and the key."""
    size = method.config.image_size
    images = np.empty((method.n_views, len(key.items), size, size), dtype=np.uint8)
    rows = np.empty((method.n_views, len(key.items)), dtype=np.int64)
    for place, item in enumerate(key.items.tolist()):
        for view, (image, row) in enumerate(method.draw(key.epoch, item)):
            images[view, place], rows[view, place] = image, row
    return Batch(key, torch.from_numpy(images), torch.from_numpy(method.groups(key.items)), torch.from_numpy(rows))


def drawn_batches(method: Method, schedule: Schedule, first: int, last: int, workers: int) -> Generator[Batch]:
    """Draw the batches of steps ``first`` to ``last - 1`` in order, ahead of the caller if there are workers.

    Args:
        method: Draws the views.
        schedule: Decides the batches.
        first: First step.
        last: Step after the last.
        workers: Processes that draw; their number changes nothing about a batch.
    """
    if first >= last:
        return
    loader = DataLoader(
        _Drawn(method),
        sampler=_Steps(schedule, first, last),
        batch_size=None,
        num_workers=min(workers, last - first),
        worker_init_fn=functools.partial(_start_worker, os.getpid()) if workers else None,
    )
    iterator = iter(loader)
    try:
        for drawn in iterator:
            if isinstance(drawn, HeartprintError):
                raise drawn
            yield drawn
    finally:
        # Without this, workers that are still drawing outlive an interrupted run until the interpreter ends.
        shutdown = getattr(iterator, "_shutdown_workers", None)
        if shutdown is not None:
            shutdown()


def _start_worker(master: int, _: int) -> None:
    # Torch's own workers look for their master every five seconds, which leaves them drawing for as long.
    tie_to(master)
    torch.set_num_threads(1)
