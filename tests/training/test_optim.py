from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from heartprint.encoders import build_encoder
from heartprint.training.optim import param_groups, warmup_cosine, warmup_steps

SHARES = (0.0, 0.02, 0.05, 0.1, 0.25, 0.3, 0.5, 0.99)
TOTALS = (1, 2, 3, 5, 16, 24, 60, 97, 240, 1000)


def literal(step: int, total: int, warmup: int, peak: float) -> float:
    """The schedule of pretraining before there was one function, as it was written there."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * done))


def of_fine_tuning(step: int, total: int, share: float) -> float:
    """The schedule of fine-tuning before, as it was written there."""
    rise = max(1, round(share * total))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))


@pytest.mark.parametrize("share", SHARES)
def test_the_numbers_of_pretraining_are_the_same_to_the_bit(share: float) -> None:
    for total, peak in itertools.product(TOTALS, (1e-3, 3e-4, 0.1)):
        for step in range(total):
            assert warmup_cosine(step, total, share, peak) == literal(step, total, round(share * total), peak)


@pytest.mark.parametrize("share", SHARES)
def test_the_numbers_of_fine_tuning_are_the_same_to_the_bit_in_its_weights(share: float) -> None:
    """With a warm-up of a step or more. In double precision the cosine may differ in the last bit (its angle is rounded
    once less); what AdamW multiplies float32 weights by is the same for the rates and the decay that are usual."""
    for total in (t for t in TOTALS if round(share * t) > 0):
        for step in range(total):
            now, before = warmup_cosine(step, total, share), of_fine_tuning(step, total, share)
            if step < round(share * total):
                assert now == before
            assert abs(now - before) <= 4 * np.finfo(np.float64).eps
            for rate, decay in itertools.product((3e-4, 1e-3), (1e-2, 0.1)):
                for lr, was in ((rate * now, rate * before),):
                    assert np.float32(1 - lr * decay) == np.float32(1 - was * decay)
                    size, was_size = (r / (1 - 0.9 ** (step + 1)) for r in (lr, was))
                    assert np.float32(size) == np.float32(was_size)


def test_a_warm_up_that_rounds_to_no_step_is_none() -> None:
    assert [warmup_steps(24, share) for share in (0.0, 0.02, 0.021, 0.1)] == [0, 0, 1, 2]
    assert [warmup_cosine(step, 4, 0.0) for step in range(4)] == pytest.approx([1, 0.853553, 0.5, 0.146447], abs=1e-6)
    assert warmup_cosine(0, 1, 0.0) == 1.0


def test_it_rises_and_falls() -> None:
    rates = [warmup_cosine(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert np.all(np.diff(rates[10:]) < 0)
    assert 0 < rates[-1] < 0.01


def test_groups_take_every_weight_once_and_what_they_share() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 2))
    groups = param_groups(network.parameters(), 0.1, lr=0.5)
    assert [(g["weight_decay"], g["lr"], [p.ndim for p in g["params"]]) for g in groups] == [
        (0.1, 0.5, [4, 2]),
        (0.0, 0.5, [1, 1, 1, 1]),
    ]
    assert {id(p) for g in groups for p in g["params"]} == {id(p) for p in network.parameters()}
    assert len(torch.optim.AdamW(groups).param_groups) == 2


@pytest.mark.parametrize("backbone", ["small", "efficientnet_lite0"])
def test_what_decays_is_what_timm_lets_decay(backbone: str) -> None:
    from timm.optim import param_groups_weight_decay

    network = build_encoder(backbone)
    decay, no_decay = param_groups(network.parameters(), 0.1)
    theirs = {group["weight_decay"]: group["params"] for group in param_groups_weight_decay(network, 0.1)}
    for group in (decay, no_decay):
        assert [id(p) for p in group["params"]] == [id(p) for p in theirs[group["weight_decay"]]]
