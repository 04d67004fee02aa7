"""What the network that looks closely is told of its errors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from heartprint.reading.learning.loss import expected
from heartprint.reading.learning.truth import IGNORED
from heartprint.reading.network import NAMES
from heartprint.reading.strip_network import BORDERS, StripAnswer

STRIP_WEIGHTS = {
    "name": 2.0,
    "name_at": 0.5,
    "turn": 0.5,
    "turn_names": 1.0,
    "strip": 0.5,
    "row": 2.0,
    "border": 1.0,
    "border_at": 0.5,
    "row_spread": 0.05,
}
"""How much each part counts."""
_RARE = 8.0
"""A cell with a name, or at a border, counts as so many without: few are."""


@dataclass(frozen=True)
class CropTruth:
    """`StripTruth` of a batch, stacked, and how each view is turned: ``(n,)`` index into `TURNS`."""

    name: Tensor
    name_at: Tensor
    strip: Tensor
    row: Tensor
    border: Tensor
    border_at: Tensor
    turn: Tensor


def strip_losses(answer: StripAnswer, truth: CropTruth) -> dict[str, Tensor]:
    """Every part of the loss, unweighted; spreads learn from errors, but not the other way, as in `losses`."""
    upright = (truth.turn == 0).float()[:, None, None]
    in_strip = (truth.strip == 1).float()
    parts: dict[str, Tensor] = {}
    # Names and borders can be read in a view that stands upright alone: elsewhere the answer is none.
    for name, at, asked, away, kinds in (
        (answer.name, answer.name_at, truth.name, truth.name_at, NAMES),
        (answer.border, answer.border_at, truth.border, truth.border_at, BORDERS),
    ):
        which = "name" if kinds is NAMES else "border"
        readable = asked != IGNORED
        true = torch.where(upright > 0, asked, torch.zeros_like(asked)).clamp_min(0)
        weights = torch.where(asked > 0, _RARE, 1.0) * readable
        each = F.cross_entropy(name, true, reduction="none")
        parts[which] = (each * weights).sum() / weights.sum().clamp_min(1.0)
        there = ((true > 0) & readable).float()
        parts[f"{which}_at"] = ((at - away).abs().sum(1) * there).sum() / there.sum().clamp_min(1.0)
    turns = truth.turn[:, None, None].expand(-1, *truth.strip.shape[1:])
    each = F.cross_entropy(answer.turn, turns, reduction="none")
    lettered = (truth.name > 0).float()
    parts["turn"] = (each * in_strip).sum() / in_strip.sum().clamp_min(1.0)
    parts["turn_names"] = (each * lettered).sum() / lettered.sum().clamp_min(1.0)
    known = (truth.strip != IGNORED).float()
    strip = F.binary_cross_entropy_with_logits(answer.strip[:, 0], in_strip, reduction="none")
    parts["strip"] = (strip * known).sum() / known.sum().clamp_min(1.0)
    off = (answer.row - truth.row).abs()
    asked = in_strip * upright
    parts["row"] = (off[:, 0] * asked).sum() / asked.sum().clamp_min(1.0)
    parts["row_spread"] = (expected(off, answer.row_spread) * asked).sum() / asked.sum().clamp_min(1.0)
    return parts
