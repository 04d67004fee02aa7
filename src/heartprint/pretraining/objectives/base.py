"""What an objective is: from the embeddings of a batch to a loss, with whatever it learns beside the encoder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from heartprint.foundation.randomness import generator
from heartprint.pretraining.targets import Targets


@dataclass(frozen=True)
class Embedded:
    """A whole batch after the encoder: the items of all processes, in order of rank.

    Attributes:
        views: ``(V, B, D)`` embeddings, first views, second views...
        groups: ``(B,)`` int64; views of equal group are never each other's negatives.
        rows: ``(V, B)`` int64, the row of the ECG that each view shows.
        taught: ``(V, B, D)`` the same views as the teacher embeds them, without gradient; None without a teacher.
    """

    views: Tensor
    groups: Tensor
    rows: Tensor
    taught: Tensor | None = None


class Losses(NamedTuple):
    """What an objective gives, scalars on the device.

    Attributes:
        total: What is minimised.
        named: What the log shows beside it; names that end in ``_accuracy`` are shares in [0, 1].
    """

    total: Tensor
    named: Mapping[str, Tensor]


@dataclass(frozen=True)
class Start:
    """What an objective is built from.

    Attributes:
        width: D of the embeddings.
        seed: Seed of the run.
        targets: What the sheets say of their own waveforms, for methods that learn it.
    """

    width: int
    seed: int
    targets: Targets | None = None

    @contextlib.contextmanager
    def weights_of(self, what: str) -> Iterator[None]:
        """Have torch draw the initial weights of one part from a stream of its own; its global state is left alone.

        Every part has the same weights then, whatever else a method builds.
        """
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(torch_seed(self.seed, f"weights of the {what}"))
            yield


def torch_seed(seed: int, purpose: str, *counters: int) -> int:
    """A seed for torch's generator that depends on nothing but its arguments."""
    return int(generator(seed, purpose, *counters).integers(2**63))


class Objective(nn.Module):
    """What a method minimises; its parameters learn with the encoder and are dropped afterwards.

    Every process computes the whole loss, from everyone's embeddings. Checkpoints hold its state dictionary. Batch
    statistics in it are those of the whole batch.

    Attributes:
        measures: Names of `Losses.named`, in order: columns of the log.
        needs_teacher: Whether a second encoder embeds the views too, without gradient (`Embedded.taught`). It begins as
            a copy of the encoder, learns from nothing but `after_step`, and is part of every checkpoint.
    """

    measures: tuple[str, ...] = ()
    needs_teacher: ClassVar[bool] = False

    def forward(self, batch: Embedded) -> Losses:
        """Compute the loss of a batch."""
        raise NotImplementedError

    def after_step(self, encoder: nn.Module, teacher: nn.Module | None, done: float) -> None:
        """Follow the optimiser, which has just made a step.

        Args:
            encoder: What learns.
            teacher: The second encoder; None without one.
            done: Share of the run's steps that are done, in (0, 1].
        """


class WeightedSum(Objective):
    """Several objectives on the same embeddings: ``sum(weight * objective)``; the log shows the loss of each.

    Args:
        parts: Name to objective.
        weights: Name to weight.
    """

    def __init__(self, parts: Mapping[str, Objective], weights: Mapping[str, float]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.weights = dict(weights)
        self.measures = tuple(measure for name, part in parts.items() for measure in (f"{name}_loss", *part.measures))

    def forward(self, batch: Embedded) -> Losses:
        """The weighted sum, the loss of each part as ``NAME_loss``, and what each part names."""
        total = torch.zeros((), device=batch.views.device)
        named: dict[str, Tensor] = {}
        for name, part in self.parts.items():
            losses: Losses = part(batch)
            total = total + self.weights[name] * losses.total
            named |= {f"{name}_loss": losses.total.detach(), **losses.named}
        return Losses(total, named)
