"""VICReg: invariance, variance and covariance instead of negatives, on two ECGs of one patient."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from heartprint.pretraining.methods.patients import PairSettings, PatientMethod
from heartprint.pretraining.objectives import Embedded, Losses, Objective, Start

_EPSILON = 1e-4


class VicRegSettings(PairSettings):
    """Settings of ``vicreg``, with the weights of Bardes et al. 2022.

    Attributes:
        invariance_weight: Of the mean squared distance of the two views.
        variance_weight: Of the hinge that keeps the standard deviation of each dimension at 1.
        covariance_weight: Of the squared covariances between dimensions.
        expander_dim: Width of the three layers of the expander.
    """

    invariance_weight: Annotated[float, Field(ge=0)] = 25.0
    variance_weight: Annotated[float, Field(ge=0)] = 25.0
    covariance_weight: Annotated[float, Field(ge=0)] = 1.0
    expander_dim: Annotated[int, Field(ge=2)] = 1024


class VicReg(PatientMethod):
    """Two ECGs of one patient under VICReg (Bardes, Ponce & LeCun 2022): no negatives, so no patient is ever one."""

    name = "vicreg"
    description = "two ECGs of one patient, by invariance, variance and covariance: without negatives"
    Settings = VicRegSettings

    @classmethod
    def objective(cls, settings: VicRegSettings, start: Start) -> Objective:
        """The three terms of VICReg."""
        return VicRegObjective(start, settings)


class VicRegObjective(Objective):
    """The loss of VICReg on expanded embeddings."""

    measures = ("invariance", "variance", "covariance")

    def __init__(self, start: Start, settings: VicRegSettings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.expander_dim
        with start.weights_of("expander"):
            self.expander = nn.Sequential(
                nn.Linear(start.width, width, bias=False),
                nn.BatchNorm1d(width),
                nn.ReLU(inplace=True),
                nn.Linear(width, width, bias=False),
                nn.BatchNorm1d(width),
                nn.ReLU(inplace=True),
                nn.Linear(width, width, bias=False),
            )

    def forward(self, batch: Embedded) -> Losses:
        """The weighted sum of the three terms, and each of them."""
        # Covariances of half-precision numbers lose what they are about.
        with torch.autocast(batch.views.device.type, enabled=False):
            whole = batch.views.to(torch.promote_types(batch.views.dtype, torch.float32))
            terms = vicreg_terms(*self.expander(whole.flatten(0, 1)).chunk(2))
        s = self.settings
        weights = (s.invariance_weight, s.variance_weight, s.covariance_weight)
        total = torch.stack([weight * term for weight, term in zip(weights, terms, strict=True)]).sum()
        shown = (term.detach() for term in terms)
        return Losses(total, dict(zip(self.measures, shown, strict=True)))


def vicreg_terms(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Invariance, variance and covariance of two views ``(B, d)`` (Bardes et al. 2022, equations 1, 4 and 6)."""
    n, d = one.shape
    invariance = nn.functional.mse_loss(one, other)
    spreads = [torch.sqrt(z.var(dim=0) + _EPSILON) for z in (one, other)]
    variance = torch.stack([nn.functional.relu(1 - spread).mean() for spread in spreads]).sum() / 2
    covariance = torch.zeros((), dtype=one.dtype, device=one.device)
    for z in (one, other):
        z = z - z.mean(dim=0)
        square = (z.T @ z / (n - 1)) ** 2
        covariance = covariance + (square.sum() - square.diagonal().sum()) / d
    return invariance, variance, covariance
