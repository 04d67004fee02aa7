from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from heartprint.cohorts import Cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.estimate import StepCost, _blank, estimate, estimate_for, measure_step
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.methods import METHODS
from heartprint.pretraining.world import World

Make = Callable[..., PretrainConfig]
COST = StepCost(device="cpu", n_parameters=1_000_000, s_per_image=0.01, s_per_step=0.1, activation_bytes=1e6)


def test_arithmetic(config: Make) -> None:
    chosen = config(batch_size=10, epochs=2)
    found = estimate(chosen, n_items=105, n_ecgs=1000, sampling_rate=500, draw_s=0.005, cost=COST)
    assert (found.steps, found.images) == (20, 400)
    assert found.seconds == pytest.approx(20 * (0.1 + 20 * 0.01 + 20 * 0.005))
    assert found.waveform_bytes == 1000 * 8 * 5000 * 2
    assert found.memory_bytes == pytest.approx(16e6 + 20e6, rel=0.01)
    ahead = estimate(chosen.model_copy(update={"workers": 2}), n_items=105, n_ecgs=1000, draw_s=0.05, cost=COST)
    assert ahead.seconds == pytest.approx(20 * 20 * 0.05 / 2), "drawing is the bottleneck"


def test_measured_step_counts_what_backward_keeps(config: Make) -> None:
    """Normalisation keeps what each convolution gives, so that much is kept at least; not many times as much."""
    chosen = config(image_size=64)
    found = measure_step(chosen)
    learner = Learner(chosen, 1, World())
    learner.prepare()
    maps: list[int] = []
    for module in learner.encoder.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, __, output: maps.append(4 * output[0].numel()))
    learner.backward(_blank(chosen, 2))
    assert sum(maps) < found.activation_bytes < 4 * sum(maps)
    assert found.n_parameters == sum(p.numel() for m in (learner.encoder, learner.objective) for p in m.parameters())
    assert found.s_per_image > 0 and found.s_per_step >= 0


@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_estimated(method: str, config: Make) -> None:
    assert measure_step(config(method=method, image_size=32)).s_per_image > 0


def test_text_says_all_three(cohort: Cohort, config: Make) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    text = estimate_for(cohort, config()).text()
    assert torch.equal(torch.get_rng_state(), state)
    for part in ("time", "memory", "disk", "10 items", "26 ECGs", "measured on this machine"):
        assert part in text


def test_refuses_what_cannot_run(config: Make) -> None:
    with pytest.raises(HeartprintError, match="batch_size"):
        estimate(config(batch_size=8), n_items=5, n_ecgs=10, cost=COST)
