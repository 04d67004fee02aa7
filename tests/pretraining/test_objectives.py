"""What every objective keeps to, and VICReg and BYOL against literal twins of their equations."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from heartprint.cohorts import Cohort
from heartprint.encoders import load_encoder
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import sha256_file
from heartprint.pretraining import PretrainConfig, pretrain
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.methods import METHODS, byol, get_method
from heartprint.pretraining.methods.bcl import Bcl
from heartprint.pretraining.methods.byol import Byol, ByolObjective, byol_distance
from heartprint.pretraining.methods.vicreg import VicReg, VicRegObjective, vicreg_terms
from heartprint.pretraining.objectives import Embedded, Start
from heartprint.pretraining.targets import blank_targets
from heartprint.simulation import simulate
from heartprint.training.distributed import Distributed
from tests.pretraining.test_distributed import batch_of, plain_learner, settings

Make = Callable[..., PretrainConfig]


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate(tmp_path_factory.mktemp("objectives") / "patients", 24, progress=False)


@pytest.mark.parametrize("name", METHODS)
def test_an_objective_names_what_it_says_it_names(name: str, config: Make) -> None:
    chosen = config(method=name)
    objective = get_method(name).objective(chosen.method, Start(6, 0, blank_targets()))
    views = torch.randn(get_method(name).n_views, 5, 6, requires_grad=True)
    rows = torch.zeros(views.shape[:2], dtype=torch.int64)
    losses = objective(Embedded(views, torch.arange(5), rows, torch.randn_like(views)))
    assert tuple(losses.named) == objective.measures and losses.total.shape == ()
    assert all(value.shape == () and not value.requires_grad for value in losses.named.values())
    losses.total.backward()
    assert views.grad is not None and views.grad.abs().sum() > 0
    assert get_method(name).objective_bytes(chosen.method, 64) >= 0


@pytest.mark.parametrize("name", METHODS)
def test_the_same_weights_whatever_else_is_built(name: str, config: Make) -> None:
    """An objective draws from streams of its own and leaves torch's as it was."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    start = Start(6, 3, blank_targets())
    one, other = (get_method(name).objective(config(method=name).method, start).state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_resumes_exactly(name: str, patients: Cohort, config: Make, tmp_path: Path) -> None:
    chosen = config(method=name, steps=4)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    pretrain(patients, chosen, whole, progress=False)
    pretrain(patients, chosen, parted, stop_after_steps=2, progress=False)
    pretrain(patients, chosen, parted, resume=True, progress=False)
    one, other = (sha256_file(run / "encoder" / "model.safetensors") for run in (whole, parted))
    assert one == other
    assert load_encoder(whole / "encoder").config.pretraining.method == name  # type: ignore[union-attr]


@pytest.mark.parametrize("name", METHODS)
def test_chunks_give_every_method_the_gradient_of_the_whole_batch(name: str, cohort: Cohort) -> None:
    config = settings(name)
    batch = batch_of(Distributed(), config, cohort)
    chunked = plain_learner(config.model_copy(update={"chunk_size": 4}), Distributed(), torch.float64)
    whole = plain_learner(config, Distributed(), torch.float64)
    assert float(chunked.step(batch).total) == pytest.approx(float(whole.step(batch).total), rel=1e-12)
    for (key, one), (_, other) in zip(chunked._named(), whole._named(), strict=True):
        assert one.grad is not None and other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-10, atol=1e-14, msg=key)
    state, twin = chunked.state(), whole.state()
    teacher = [key for key in state if key.startswith("teacher.")]
    assert bool(teacher) == chunked.objective.needs_teacher
    assert all(torch.allclose(state[key], twin[key], rtol=1e-10) for key in teacher)


def test_vicreg_is_its_equations() -> None:
    """Bardes, Ponce & LeCun 2022, equations 1 to 6, with loops."""
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 7, 4)) * [[[0.2, 1.0, 3.0, 0.5]]]
    n, d = one.shape
    invariance = sum(((one[i] - other[i]) ** 2).sum() for i in range(n)) / n / d
    variance = covariance = 0.0
    for z in (one, other):
        variance += sum(max(0.0, 1 - math.sqrt(z[:, j].var(ddof=1) + 1e-4)) for j in range(d)) / d / 2
        mean = z.mean(axis=0)
        c = sum(np.outer(row - mean, row - mean) for row in z) / (n - 1)
        covariance += sum(c[i, j] ** 2 for i in range(d) for j in range(d) if i != j) / d
    terms = vicreg_terms(torch.from_numpy(one), torch.from_numpy(other))
    assert [float(t) for t in terms] == pytest.approx([invariance, variance, covariance], rel=1e-12)
    objective = VicRegObjective(Start(4, 0), VicReg.settings(expander_dim=4)).double()  # type: ignore[arg-type]
    objective.expander = nn.Identity()  # type: ignore[assignment]
    views = torch.from_numpy(np.stack([one, other]))
    losses = objective(Embedded(views, torch.arange(n), torch.zeros(2, n, dtype=torch.int64)))
    assert float(losses.total) == pytest.approx(25 * invariance + 25 * variance + covariance, rel=1e-12)


def test_byol_is_its_equations() -> None:
    """Grill et al. 2020, equation 2, both ways: 2 - 2 cos of prediction and target."""
    objective = ByolObjective(Start(6, 0), Byol.settings(head_hidden=8, head_dim=4, predictor_hidden=8)).double()  # type: ignore[arg-type]
    rng = np.random.default_rng(1)
    views, taught = (torch.from_numpy(rng.normal(size=(2, 5, 6))) for _ in range(2))
    literal = copy.deepcopy(objective)
    predicted = literal.predictor(literal.projector(views.reshape(10, 6))).detach().numpy()
    targets = literal.teacher_projector(taught.reshape(10, 6)).numpy()
    total = 0.0
    for i in range(5):
        for p, z in ((predicted[i], targets[5 + i]), (predicted[5 + i], targets[i])):
            total += (2 - 2 * (p @ z) / np.linalg.norm(p) / np.linalg.norm(z)) / 5
    losses = objective(Embedded(views, torch.arange(5), torch.zeros(2, 5, dtype=torch.int64), taught))
    assert float(losses.total.detach()) == pytest.approx(total, rel=1e-12)
    assert float(byol_distance(views[0], views[0])) == pytest.approx(0, abs=1e-12)
    assert float(byol_distance(views[0], -views[0])) == pytest.approx(4)


def test_the_teacher_of_byol_is_a_moving_average(cohort: Cohort) -> None:
    """It starts as the encoder and follows by the cosine of Grill et al. 2020, section 3.2, without any gradient."""
    config = settings("byol").model_copy(update={"learning_rate": 0.1})
    learner = Learner(config, 10, Distributed())
    assert learner.teacher is not None
    batch, expected = batch_of(Distributed(), config, cohort), dict(learner.teacher.state_dict())
    expected = {key: value.clone() for key, value in learner.teacher.named_parameters()}
    assert all(torch.equal(expected[key], value) for key, value in learner.encoder.named_parameters())
    learner.step(batch)
    kept = 1 - (1 - 0.996) * (math.cos(math.pi * 0.1) + 1) / 2
    for key, value in learner.encoder.named_parameters():
        twin = kept * expected[key] + (1 - kept) * value.detach()
        torch.testing.assert_close(dict(learner.teacher.named_parameters())[key], twin, rtol=1e-6, atol=1e-9)
    assert all(value.grad is None for value in learner.teacher.parameters())
    assert all(not name.startswith("teacher.") for name, _ in learner._named())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vicreg", "byol"])
def test_methods_without_negatives_learn_to_tell_patients(name: str, tmp_path: Path, config: Make) -> None:
    """A patient's two ECGs end up nearer to each other than to others', and nothing collapses."""
    from heartprint.encoders import embed_cohort
    from tests.pretraining.conftest import build

    cohort = build(tmp_path / "many", (2,) * 160)
    learning = cohort.filter(patients=[f"p{i}" for i in range(128)])
    chosen = config(method=name, image_size=64, batch_size=32, steps=150, head_hidden=64, head_dim=32, expander_dim=64)
    run = pretrain(learning, chosen, tmp_path / "run", progress=False)
    new = cohort.filter(patients=[f"p{i}" for i in range(128, 160)])
    z = embed_cohort(load_encoder(run / "encoder"), new, progress=False)
    z = (z - z.mean(axis=0)) / (z.std(axis=0) + 1e-9)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    nearest = (z @ z.T - 2 * np.eye(len(z))).argmax(axis=1)
    found = (new.patient_ids[nearest] == new.patient_ids).mean()
    assert found > 0.3, f"{found:.0%} found their other ECG; chance is 1 in 63"


def test_an_objective_that_gives_nan_ends_the_run(
    cohort: Cohort, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byol, "byol_distance", lambda one, other: (one - one).sum() / 0)
    with pytest.raises(HeartprintError) as caught:
        pretrain(cohort, config(method="byol", steps=2), tmp_path / "run", progress=False)
    assert caught.value.code == "not-finite"


def test_views_that_differ_when_drawn_twice_are_refused(
    cohort: Cohort, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng()
    draw = Bcl.draw

    def noisy(self: Bcl, epoch: int, item: int) -> object:
        one, other = draw(self, epoch, item)
        return one._replace(image=rng.integers(0, 255, one.image.shape, dtype=np.uint8)), other

    monkeypatch.setattr(Bcl, "draw", noisy)
    with pytest.raises(HeartprintError, match="draw") as caught:
        pretrain(cohort, config(steps=2), tmp_path / "run", progress=False)
    assert caught.value.code == "views-differ" and not (tmp_path / "run").exists()
