"""What the network is told of its errors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from heartprint.reading.learning.truth import IGNORED
from heartprint.reading.network import Answer

WEIGHTS = {"surface": 1.0, "length": 1.0, "direction": 1.0, "edges": 0.5, "name": 1.0, "name_at": 0.5, "page": 0.5}
"""How much each part counts."""
_LEAST, _MOST = -5.0, 1.0
"""Logarithms of expected errors are kept between these: e**-5 is 0.7 % of a length."""
_NAMES_WEIGH = 8.0
"""A cell with a name counts as so many without: fewer than one in a hundred has one."""


@dataclass(frozen=True)
class Truth:
    """`CellTruth` of a batch, stacked, and what each picture is (``(n,)`` index into `PAGES`)."""

    surface: Tensor
    time: Tensor
    amplitude: Tensor
    edges: Tensor
    lies: Tensor
    name: Tensor
    name_at: Tensor
    page: Tensor


def losses(answer: Answer, truth: Truth) -> dict[str, Tensor]:
    """Every part of the loss, unweighted.

    Lengths, directions and edges are asked with their own expected error (the negative logarithm of a Laplace density;
    Kendall & Gal 2017), so that the network says where it does not know.
    """
    lies = truth.lies
    count = lies.sum().clamp_min(1.0)

    def laplace(error: Tensor, log_scale: Tensor) -> Tensor:
        scale = log_scale.clamp(_LEAST, _MOST)
        return ((error * torch.exp(-scale) + scale) * lies).sum() / count

    length, direction = torch.zeros((), device=lies.device), torch.zeros((), device=lies.device)
    for k, (said, true) in enumerate(((answer.time, truth.time), (answer.amplitude, truth.amplitude))):
        length = length + laplace((said[:, 0] - true[:, 0]).abs(), answer.spread[:, 2 * k])
        unit = F.normalize(said[:, 1:], dim=1, eps=1e-4)
        away = (unit - true[:, 1:]).square().sum(1).clamp_min(1e-8).sqrt()
        direction = direction + laplace(away, answer.spread[:, 2 * k + 1])
    edges = laplace(
        ((answer.edges - truth.edges).abs() * torch.exp(-answer.edge_spread.clamp(_LEAST, _MOST))).sum(1)
        + answer.edge_spread.clamp(_LEAST, _MOST).sum(1),
        torch.zeros_like(lies),
    )
    surface = F.cross_entropy(answer.surface, truth.surface, ignore_index=IGNORED, reduction="sum")
    surface = surface / (truth.surface != IGNORED).sum().clamp_min(1)
    asked = truth.name != IGNORED
    named = truth.name > 0
    weights = torch.where(named, _NAMES_WEIGH, 1.0) * asked
    each = F.cross_entropy(answer.name, truth.name, ignore_index=IGNORED, reduction="none")
    name = (each * weights).sum() / weights.sum().clamp_min(1.0) * 4
    off = (answer.name_at - truth.name_at).abs().sum(1)
    name_at = (off * named).sum() / named.sum().clamp_min(1)
    page = F.cross_entropy(answer.page, truth.page)
    return {
        "surface": surface,
        "length": length,
        "direction": direction,
        "edges": edges,
        "name": name,
        "name_at": name_at,
        "page": page,
    }


def total(parts: dict[str, Tensor]) -> Tensor:
    """The weighted sum."""
    return torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()
