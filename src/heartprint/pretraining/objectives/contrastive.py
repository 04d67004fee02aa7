"""Views that are to find each other among the views of a batch (NT-Xent)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from heartprint.pretraining.losses import contrastive_accuracy, contrastive_logits, several_positives
from heartprint.pretraining.objectives.base import Embedded, Losses, Objective, Start
from heartprint.pretraining.settings import MethodSettings


class HeadSettings(MethodSettings):
    """Settings of methods with a projection head.

    Attributes:
        head_hidden: Width of the projection head's hidden layer.
        head_dim: Width of the projection head's output.
    """

    head_hidden: Annotated[int, Field(ge=1)] = 512
    head_dim: Annotated[int, Field(ge=2)] = 128


class ContrastSettings(HeadSettings):
    """Settings of methods whose views find each other.

    Attributes:
        temperature: Of NT-Xent.
    """

    temperature: Annotated[float, Field(gt=0)] = 0.1


@dataclass(frozen=True)
class Contrast:
    """Views of an item that are to find each other among the views of a batch.

    Attributes:
        head: Name of the projection head in which they are compared. What one head is taught to overlook, another one
            may keep.
        views: Numbers of two or more views.
    """

    head: str
    views: tuple[int, ...]

    @property
    def what(self) -> str:
        """The head for the stream of its initial weights."""
        return "projection head" + ("" if self.head == "views" else f" {self.head}")


class ProjectionHead(nn.Sequential):
    """Two-layer perceptron between embedding and loss: ``(B, D)`` -> ``(B, head_dim)``; dropped afterwards.

    Batch normalisation in the middle, as in Chen et al. 2020: without it the small encoder stayed at chance for the
    first hundred steps.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__(
            nn.Linear(inputs, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, outputs),
        )


class ContrastiveObjective(Objective):
    """The mean NT-Xent of some contrasts, each in its projection head.

    Args:
        start: What it is built from.
        contrasts: Which views are to find each other.
        settings: ``temperature``, ``head_hidden``, ``head_dim``.
    """

    measures = ("contrastive_accuracy",)

    def __init__(self, start: Start, contrasts: Sequence[Contrast], settings: ContrastSettings) -> None:
        super().__init__()
        self.contrasts = tuple(contrasts)
        self.temperature = settings.temperature
        self.heads = nn.ModuleDict()
        for contrast in self.contrasts:
            if contrast.head not in self.heads:
                with start.weights_of(contrast.what):
                    self.heads[contrast.head] = ProjectionHead(start.width, settings.head_hidden, settings.head_dim)

    def forward(self, batch: Embedded) -> Losses:
        """The loss, and the share of the views whose most similar candidate is a positive."""
        losses, accuracies = [], []
        for contrast in self.contrasts:
            views = self.heads[contrast.head](torch.cat([batch.views[k] for k in contrast.views]))
            loss, accuracy = self._found(views.chunk(len(contrast.views)), batch.groups)
            losses.append(loss)
            accuracies.append(accuracy)
        return Losses(torch.stack(losses).mean(), {"contrastive_accuracy": torch.stack(accuracies).mean()})

    def _found(self, views: tuple[Tensor, ...], groups: Tensor) -> tuple[Tensor, Tensor]:
        if len(views) > 2:
            return several_positives(views, groups, self.temperature)
        logits, partners = contrastive_logits(views[0], views[1], groups, self.temperature)
        return nn.functional.cross_entropy(logits, partners), contrastive_accuracy(logits.detach(), partners)


def similarity_bytes(contrasts: Sequence[Contrast], batch_size: int) -> int:
    """Memory of the similarities of a batch: a few matrices of all views by all views, float32."""
    return 4 * 4 * sum((len(contrast.views) * batch_size) ** 2 for contrast in contrasts)
