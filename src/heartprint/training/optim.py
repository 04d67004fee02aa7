"""What every optimiser here is given: which weights decay, and how fast they learn at each step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from torch import nn


def param_groups(parameters: Iterable[nn.Parameter], weight_decay: float, **options: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and filters, none for biases and normalisation.

    Args:
        parameters: Of one network or of several.
        weight_decay: Of those that have two axes or more.
        **options: What both groups share besides, such as ``lr``.

    Returns:
        Two groups as `torch.optim` takes them, the decaying one first.
    """
    groups: list[dict[str, Any]] = [{"params": [], "weight_decay": decay, **options} for decay in (weight_decay, 0.0)]
    for parameter in parameters:
        groups[parameter.ndim <= 1]["params"].append(parameter)
    return groups


def warmup_steps(total_steps: int, warmup_share: float) -> int:
    """Number of steps in which the learning rate rises."""
    # A share that rounds to no step is no warm-up: one step of it would do nothing but keep the peak for a second one.
    return round(warmup_share * total_steps)


def warmup_cosine(step: int, total_steps: int, warmup_share: float, peak: float = 1.0) -> float:
    """Learning rate of a step: a linear warm-up, then a cosine to zero (Loshchilov & Hutter 2017).

    Args:
        step: From 0.
        total_steps: Steps of the whole training.
        warmup_share: Share of them in which the rate rises.
        peak: Rate after the warm-up; by default a factor, for `torch.optim.lr_scheduler.LambdaLR`.
    """
    warmup = warmup_steps(total_steps, warmup_share)
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, total_steps - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * done))
