"""BYOL: one encoder predicts what its own moving average says of another ECG of the same patient."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from heartprint.pretraining.methods.patients import PairSettings, PatientMethod
from heartprint.pretraining.objectives import Embedded, HeadSettings, Losses, Objective, ProjectionHead, Start


class ByolSettings(HeadSettings, PairSettings):
    """Settings of ``byol``.

    Attributes:
        momentum: Share of itself that the teacher keeps in the first step; it rises to 1 as a cosine (Grill: 0.996).
        predictor_hidden: Width of the predictor's hidden layer.
    """

    momentum: Annotated[float, Field(ge=0, le=1)] = 0.996
    predictor_hidden: Annotated[int, Field(ge=1)] = 512


class Byol(PatientMethod):
    """Two ECGs of one patient under BYOL (Grill et al. 2020): no negatives, and a teacher instead."""

    name = "byol"
    description = "two ECGs of one patient, each predicted from the other by a moving average: without negatives"
    Settings = ByolSettings

    @classmethod
    def objective(cls, settings: ByolSettings, start: Start) -> Objective:
        """The symmetrised squared error of the prediction."""
        return ByolObjective(start, settings)


class ByolObjective(Objective):
    """Predict the teacher's projection of each view from the other view; the teacher follows as a moving average."""

    measures = ("target_spread",)
    needs_teacher = True

    def __init__(self, start: Start, settings: ByolSettings) -> None:
        super().__init__()
        self.settings = settings
        with start.weights_of("projection head"):
            self.projector = ProjectionHead(start.width, settings.head_hidden, settings.head_dim)
        with start.weights_of("predictor"):
            self.predictor = ProjectionHead(settings.head_dim, settings.predictor_hidden, settings.head_dim)
        self.teacher_projector = copy.deepcopy(self.projector).requires_grad_(False)

    def forward(self, batch: Embedded) -> Losses:
        """The loss: 2 - 2 cos between prediction and target, both ways (Grill et al. 2020, equation 2)."""
        assert batch.taught is not None
        predicted = self.predictor(self.projector(batch.views.flatten(0, 1))).chunk(2)
        with torch.no_grad():
            targets = self.teacher_projector(batch.taught.flatten(0, 1)).chunk(2)
        loss = byol_distance(predicted[0], targets[1]) + byol_distance(predicted[1], targets[0])
        return Losses(loss, {"target_spread": spread(torch.cat(targets))})

    def after_step(self, encoder: nn.Module, teacher: nn.Module | None, done: float) -> None:
        """Let the teacher and its projector follow."""
        assert teacher is not None
        kept = 1 - (1 - self.settings.momentum) * (math.cos(math.pi * done) + 1) / 2
        with torch.no_grad():
            for slow, fast in _pairs((teacher, self.teacher_projector), (encoder, self.projector)):
                slow.lerp_(fast, 1 - kept)


def _pairs(slow: tuple[nn.Module, ...], fast: tuple[nn.Module, ...]) -> Iterator[tuple[Tensor, Tensor]]:
    for one, other in zip(slow, fast, strict=True):
        yield from zip(one.parameters(), other.parameters(), strict=True)


def byol_distance(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean over items of the squared distance of two normalised vectors ``(B, d)``, in [0, 4]."""
    with torch.autocast(predicted.device.type, enabled=False):
        wide = torch.promote_types(predicted.dtype, torch.float32)
        one, other = (nn.functional.normalize(z.to(wide), dim=1) for z in (predicted, target))
        return (2 - 2 * (one * other).sum(dim=1)).mean()


def spread(projections: Tensor) -> Tensor:
    """How far normalised projections ``(B, d)`` lie apart: 0 where they have collapsed, 1 where they point anywhere."""
    z = nn.functional.normalize(projections.float(), dim=1)
    return 1 - z.mean(dim=0).square().sum()
