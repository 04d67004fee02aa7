from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch

from heartprint.cohorts import Cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.pretraining.batches import Batch
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.estimate import StepCost, _between, _blank, estimate, estimate_for, measure_step
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.methods import METHODS, get_method
from heartprint.pretraining.objectives import Losses
from heartprint.training.distributed import Distributed

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
    learner = Learner(chosen, 1, Distributed())
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


def test_the_runs_own_steps_are_measured(cohort: Cohort, config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is slower than small batches of noise let expect is not told to be quick."""
    step, sizes = Learner.step, []

    def slow(self: Learner, batch: Batch) -> Losses:
        sizes.append(batch.images.shape[1])
        if batch.images.shape[1] == 10:
            time.sleep(0.2)
        return step(self, batch)

    monkeypatch.setattr(Learner, "step", slow)
    found = estimate_for(cohort, config(batch_size=10, steps=100, checkpoint_every=25))
    assert found.measured is not None
    assert sizes.count(10) == 10, "ten steps of the whole batch"
    low, high = found.between
    assert 100 * 0.2 < low <= found.seconds <= high
    assert low >= found.measured.start_s + 99 * found.measured.step_s[0]
    assert " to " in found.text() or "about" in found.text()


def test_what_would_take_too_long_is_extrapolated(
    cohort: Cohort, config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heartprint.pretraining.estimate._LONGEST_STEP_S", 0.0)
    found = estimate_for(cohort, config(batch_size=10, steps=100))
    assert found.measured is None and "Extrapolated" in found.text()
    assert found.between[0] <= found.seconds <= found.between[1]


@pytest.mark.parametrize("method", METHODS)
def test_the_first_steps_of_every_method(method: str, cohort: Cohort, config: Make) -> None:
    found = estimate_for(cohort, config(method=method, steps=3))
    assert found.measured is not None and found.measured.n_steps == 2
    assert (found.measured.targets_s > 0) == get_method(method).learns_measurements


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(3, 5, "3 to 5 seconds"), (100, 200, "100 seconds to 3.3 minutes"), (2.1, 3, "about 3 seconds")],
)
def test_a_range_is_read_easily(low: float, high: float, text: str) -> None:
    assert _between(low, high) == text


def test_refuses_what_cannot_run(config: Make) -> None:
    with pytest.raises(HeartprintError, match="batch_size"):
        estimate(config(batch_size=8), n_items=5, n_ecgs=10, cost=COST)
