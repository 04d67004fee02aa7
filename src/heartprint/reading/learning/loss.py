"""What the network is told of its errors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from heartprint.reading.learning.truth import IGNORED
from heartprint.reading.network import Answer

FINDER_WEIGHTS = {"surface": 1.0, "scale": 2.0, "quarter": 1.0, "page": 0.5, "spread": 0.05}
READER_WEIGHTS = {
    "surface": 0.5,
    "scale": 2.0,
    "quarter": 0.5,
    "page": 0.2,
    "turn": 1.0,
    "turn_names": 1.0,
    "edges": 0.5,
    "name": 1.0,
    "name_at": 0.5,
    "spread": 0.05,
}
"""How much each part counts."""
_NEAR = 0.05
"""Errors of edges count relative to how far the edge is (in 100 mm), and this."""
_LEAST, _MOST = -5.0, 1.0
"""Logarithms of expected errors are kept between these: e**-5 is 0.7 % of a length."""
_NAMES_WEIGH = 8.0
"""A cell with a name counts as so many without: fewer than one in a hundred has one."""


@dataclass(frozen=True)
class Truth:
    """`CellTruth` of a batch, stacked, and of each picture: what it is, and how it is turned.

    Attributes:
        page: ``(n,)`` index into `PAGES`.
        turn: ``(n,)`` index into `TURNS`; `IGNORED` where it is not asked.
    """

    surface: Tensor
    scale: Tensor
    quarter: Tensor
    edges: Tensor
    lies: Tensor
    name: Tensor
    name_at: Tensor
    page: Tensor
    turn: Tensor


def losses(answer: Answer, truth: Truth) -> dict[str, Tensor]:
    """Every part of the loss, unweighted.

    What a network says and how sure it is are asked apart: the likelihood of a Laplace density, which asks both at
    once (Kendall & Gal 2017), is content to call everything level and itself unsure, and never learned to see which
    way paper is turned. Here the expected errors learn from the errors, and the errors do not learn from them.
    """
    lies = truth.lies
    count = lies.sum().clamp_min(1.0)
    surface = F.cross_entropy(answer.surface, truth.surface, ignore_index=IGNORED, reduction="sum")
    parts = {"surface": surface / (truth.surface != IGNORED).sum().clamp_min(1)}
    scale = (answer.scale - truth.scale).abs().mean(1)
    # A point on a circle, not a direction: of a direction, the slope vanishes as the vector grows long.
    around = (answer.quarter - truth.quarter).square().sum(1)
    straight = (around + 1e-6).sqrt()
    parts["scale"] = (scale * lies).sum() / count
    parts["quarter"] = ((around + 0.3 * straight) * lies).sum() / count
    surprise = expected(torch.stack([scale, straight / 4], dim=1), answer.frame_spread)
    parts["page"] = F.cross_entropy(answer.page, truth.page)
    parts["spread"] = (surprise * lies).sum() / count
    if answer.turn is None:
        return parts
    assert answer.edges is not None and answer.edge_spread is not None
    assert answer.name is not None and answer.name_at is not None
    # What is upright is told by letters first: cells that hold some are asked as loudly as all others together.
    asked = (truth.turn != IGNORED).float()[:, None, None] * lies
    lettered = asked * (truth.name > 0)
    turns = truth.turn.clamp_min(0)[:, None, None].expand(-1, *lies.shape[1:])
    each = F.cross_entropy(answer.turn, turns, reduction="none")
    parts["turn"] = (each * asked).sum() / asked.sum().clamp_min(1.0)
    parts["turn_names"] = (each * lettered).sum() / lettered.sum().clamp_min(1.0)
    upright = (truth.turn == 0).float()[:, None, None] * lies
    off = (answer.edges - truth.edges).abs()
    relative = (off / (_NEAR + truth.edges.abs())).sum(1)
    parts["edges"] = (relative * upright).sum() / upright.sum().clamp_min(1.0)
    surprise = expected(off, answer.edge_spread)
    parts["spread"] = parts["spread"] + (surprise * upright).sum() / upright.sum().clamp_min(1.0)
    # A name is one only where it can be read: in a turned view the answer is none.
    true = torch.where((truth.turn == 0)[:, None, None], truth.name, torch.zeros_like(truth.name))
    readable = truth.name != IGNORED
    named = (true > 0) & readable
    weights = torch.where((truth.name > 0) & readable, _NAMES_WEIGH, 1.0) * readable
    each = F.cross_entropy(answer.name, true.clamp_min(0), reduction="none")
    parts["name"] = 4 * (each * weights).sum() / weights.sum().clamp_min(1.0)
    away = (answer.name_at - truth.name_at).abs().sum(1)
    parts["name_at"] = (away * named).sum() / named.sum().clamp_min(1)
    return parts


def expected(errors: Tensor, spread: Tensor) -> Tensor:
    """``(n, h, w)``: how well errors ``(n, c, h, w)`` were expected: negative logarithms of Laplace densities."""
    scale = spread.clamp(_LEAST, _MOST)
    return (errors.detach() * torch.exp(-scale) + scale).sum(1)


def total(parts: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """The weighted sum."""
    return torch.stack([weights[name] * part for name, part in parts.items()]).sum()
