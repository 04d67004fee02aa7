from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from heartprint.cohorts import Cohort
from heartprint.encoders.networks.encoder import Encoder
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import sha256_file
from heartprint.pretraining import PretrainConfig, pretrain
from heartprint.pretraining.batches import Batch, Schedule, draw_batch
from heartprint.pretraining.learner import Learner, starting_encoder
from heartprint.pretraining.losses import nt_xent
from heartprint.pretraining.methods import METHODS, get_method
from heartprint.pretraining.objectives import RegressionObjective
from heartprint.pretraining.targets import Targets
from heartprint.training.distributed import Distributed, process_group
from tests.pretraining.conftest import ECGS_PER_PATIENT, small_config
from tests.pretraining.test_losses import literal_nt_xent
from tests.training.processes import free_ports, run_processes

Make = Callable[..., PretrainConfig]
HERE = "tests.pretraining.test_distributed"
N, D = 12, 5
# Whoever shares these items among 2 or 3 processes gives both ECGs of a patient to different ones.
PATIENTS = [0, 1, 2, 3, 0, 4, 5, 1, 0, 6, 7, 3]


def views(dtype: torch.dtype) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(3).normal(size=(2, N, D)), dtype=dtype)


def cpu() -> torch.device:
    return torch.device("cpu")


class Plain(nn.Module):
    """An encoder without batch statistics, with something random in it if wanted."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding_dim = 6
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 5, 4), nn.GroupNorm(2, 4), nn.SiLU(), nn.Dropout(dropout), nn.Flatten(), nn.LazyLinear(6)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x)
        return out


def plain_learner(config: PretrainConfig, group: Distributed, dtype: torch.dtype, *, dropout: float = 0.0) -> Learner:
    """A learner with that encoder, in double precision if asked for, that also reads a number off each sheet."""
    torch.manual_seed(0)
    encoder = Plain(dropout)
    encoder(torch.zeros(1, 1, config.image_size, config.image_size))
    start = dataclasses.replace(starting_encoder(config), encoder=cast(Encoder, encoder))
    values = np.random.default_rng(1).normal(size=(sum(ECGS_PER_PATIENT), 2)).astype(np.float32)
    made = Learner(config, 10, group, Targets(("one", "two"), values, (1, 1)), start=start)
    for module in made._modules.values():
        module.to(dtype)
    for part in made.objective.modules():
        if isinstance(part, RegressionObjective):
            part.targets = part.targets.to(dtype)
    plain = made.page_to_tensor
    made.page_to_tensor = lambda pages, device: plain(pages, device=device).to(dtype)  # type: ignore[assignment]
    return made


def settings(method: str = "bcl_measured") -> PretrainConfig:
    return small_config(method, batch_size=6)


def batch_of(group: Distributed, config: PretrainConfig, cohort: Cohort) -> Batch:
    method = get_method(config.method.name)(cohort, config)
    return draw_batch(method, Schedule(method.n_items, config, rank=group.rank, world_size=group.world_size)[0])


def part_of_the_work(out: str, cohort: str) -> None:
    """In each process, for both precisions: its part of a loss, and a whole step."""
    with process_group(cpu) as group:
        for dtype in (torch.float64, torch.float32):
            kept = loss_of_a_part(group, dtype)
            config = settings()
            kept |= after_a_step(plain_learner(config, group, dtype), batch_of(group, config, Cohort.open(cohort)))
            save_file(kept, Path(out) / f"{group.rank}.{dtype}")
        for name in METHODS:
            config = settings(name)
            made = plain_learner(config, group, torch.float64)
            save_file(
                after_a_step(made, batch_of(group, config, Cohort.open(cohort))), Path(out) / f"{group.rank}.{name}"
            )


def loss_of_a_part(group: Distributed, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The loss of the whole batch, and its gradient for the process's own projections."""
    n = N // group.world_size
    own = views(dtype)[:, group.rank * n : (group.rank + 1) * n].clone().requires_grad_()
    patients = torch.tensor(PATIENTS)[group.rank * n : (group.rank + 1) * n]
    everyone = group.all_gather(own).transpose(0, 1).flatten(1, 2)
    loss = nt_xent(everyone[0], everyone[1], group.all_gather(patients).flatten(), 0.2)
    loss.backward()
    assert own.grad is not None
    return {"nt_xent": loss.detach(), "nt_xent.gradient": own.grad.contiguous()}


def after_a_step(made: Learner, batch: Batch) -> dict[str, torch.Tensor]:
    result = made.step(batch)
    gradients = {f"gradient.{name}": p.grad for name, p in made._named() if p.grad is not None}
    return made.state() | gradients | {"loss": result.total, **result.named}


PRECISIONS = [(torch.float64, 1e-10), (torch.float32, 1e-5)]
Parts = dict[torch.dtype | str, list[dict[str, torch.Tensor]]]


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)])
def parts(request: pytest.FixtureRequest, cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """What 2 and 3 processes found, for each precision and in order of rank."""
    folder = tmp_path_factory.mktemp("parts")
    for done in run_processes(request.param, f"{HERE}:part_of_the_work", folder, cohort.path):
        assert done.returncode == 0, done.stderr
    kinds = (*(dtype for dtype, _ in PRECISIONS), *METHODS)
    return {kind: [load_file(folder / f"{rank}.{kind}") for rank in range(request.param)] for kind in kinds}


@pytest.mark.parametrize(("dtype", "bound"), PRECISIONS)
def test_the_loss_and_its_gradient_are_those_of_one_process(parts: Parts, dtype: torch.dtype, bound: float) -> None:
    z = views(dtype).requires_grad_()
    loss = nt_xent(z[0], z[1], torch.tensor(PATIENTS), 0.2)
    (gradient,) = torch.autograd.grad(loss, z)
    found = torch.cat([part["nt_xent.gradient"] for part in parts[dtype]], dim=1)
    assert float((found - gradient).norm() / gradient.norm()) <= bound
    literal = literal_nt_xent(*views(torch.float64).numpy(), PATIENTS, 0.2)
    for part in parts[dtype]:
        assert abs(part["nt_xent"].item() - loss.item()) <= bound * loss.item()
        assert part["nt_xent"].item() == pytest.approx(literal, abs=bound * literal)


KINDS = (
    *("gradient.encoder", "gradient.objective.parts.contrastive", "gradient.objective.parts.measurement"),
    *("objective.parts.contrastive.heads.views.1.running", "loss", "measurement_error"),
)


@pytest.mark.parametrize(("dtype", "bound"), PRECISIONS)
def test_a_whole_step_is_that_of_one_process(parts: Parts, dtype: torch.dtype, bound: float, cohort: Cohort) -> None:
    expected = after_a_step(
        plain_learner(settings(), Distributed(), dtype), batch_of(Distributed(), settings(), cohort)
    )
    first, *others = parts[dtype]
    assert expected.keys() <= first.keys()
    for name in expected:
        for other in others:
            assert torch.equal(other[name], first[name]), f"the processes differ in {name}"
    # Norm-wise over each part of the network. Adam's step itself cannot be compared: it makes whole steps of gradients
    # that are zero but for rounding, as those of a bias before a normalisation are.
    for kind in KINDS:
        names = [name for name in expected if name.startswith(kind)]
        one, two = (torch.cat([of[name].double().flatten() for name in names]) for of in (expected, first))
        assert float(one.norm()) > 0
        assert float((two - one).norm() / one.norm()) <= bound, kind


@pytest.mark.parametrize("name", METHODS)
def test_a_step_of_every_method_is_that_of_one_process(parts: Parts, name: str, cohort: Cohort) -> None:
    expected = after_a_step(
        plain_learner(settings(name), Distributed(), torch.float64), batch_of(Distributed(), settings(name), cohort)
    )
    first, *others = parts[name]
    for key in expected:
        assert all(torch.equal(other[key], first[key]) for other in others), f"the processes differ in {key}"
        if key.startswith("gradient.") or "." not in key:
            torch.testing.assert_close(first[key], expected[key], rtol=1e-9, atol=1e-12, msg=key)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_chunks_give_the_gradient_of_the_whole_batch(dropout: float, cohort: Cohort) -> None:
    """Gradient caching is exact, and what the network draws is drawn again when a chunk is embedded again."""
    config = settings().model_copy(update={"chunk_size": 4})
    batch = batch_of(Distributed(), config, cohort)
    chunked = plain_learner(config, Distributed(), torch.float64, dropout=dropout)
    chunked.backward(batch)
    whole = plain_learner(config.model_copy(update={"chunk_size": 0}), Distributed(), torch.float64, dropout=dropout)
    if dropout:  # The literal twin: the same draws, with the activations of all chunks held at once.
        own = torch.cat([whole._embed(batch.images[:, k : k + 4], 0, k // 4) for k in (0, 4)], dim=1)
        whole.loss(own, batch.groups, batch.rows).total.backward()
    else:
        whole.backward(batch)
    for (name, one), (_, other) in zip(chunked._named(), whole._named(), strict=True):
        assert one.grad is not None and other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-10, atol=1e-14, msg=name)


def test_chunks_count_the_batch_statistics_once(cohort: Cohort) -> None:
    config = settings("bcl").model_copy(update={"chunk_size": 3})
    made = Learner(config, 10, Distributed())
    norm = next(m for m in made.encoder.modules() if isinstance(m, nn.BatchNorm2d))
    momentum = norm.momentum
    made.backward(batch_of(Distributed(), config, cohort))
    assert norm.num_batches_tracked == 2 and norm.momentum == momentum


def test_chunks_need_less_memory(cohort: Cohort) -> None:
    """What is held for the way back grows with the chunk, not with the batch."""

    def held(chunk_size: int) -> int:
        config = settings("bcl").model_copy(update={"chunk_size": chunk_size, "batch_size": 10})
        made, batch = Learner(config, 10, Distributed()), batch_of(Distributed(), config, cohort)
        weights = {parameter.data_ptr() for _, parameter in made._named()}
        pieces: dict[int, int] = {}
        most = 0

        class Held:
            def __init__(self, tensor: torch.Tensor) -> None:
                nonlocal most
                self.tensor = tensor
                if tensor.data_ptr() not in weights:
                    pieces[id(self)] = tensor.nbytes
                most = max(most, sum(pieces.values()))

            def __del__(self) -> None:
                pieces.pop(id(self), None)

        with torch.autograd.graph.saved_tensors_hooks(Held, lambda kept: kept.tensor):
            made.backward(batch)
        return most

    assert held(2) < 0.4 * held(0)


def run_of_a_part(out: str, cohort: str, resume: bool = False, stop_after: int | None = None) -> None:
    config = settings("bcl").model_copy(update={"steps": 5, "checkpoint_every": 2})
    # Every process has a folder of its own, as if they saw different disks: only the first one's is written.
    folder = Path(out) / os.environ["RANK"]
    pretrain(Cohort.open(cohort), config, folder, resume=resume, stop_after_steps=stop_after, progress=False)


def three_runs(out: str, cohort: str, *ports: str) -> None:
    calls = [("whole", False, None), ("parted", False, 3), ("parted", True, None)]
    for port, (name, resume, stop_after) in zip(ports, calls, strict=True):
        os.environ["MASTER_PORT"] = port
        run_of_a_part(f"{out}/{name}", cohort, resume, stop_after)
    # Threads of torch's that outlive a run may abort the process at its end.
    names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    print("left over:", sum("gloo" in name for name in names))


def test_a_run_of_two_resumes_exactly(cohort: Cohort, tmp_path: Path) -> None:
    for done in run_processes(2, f"{HERE}:three_runs", tmp_path, cohort.path, *free_ports(3)):
        assert done.returncode == 0, done.stderr
        assert "left over: 0" in done.stdout
    whole, parted = (tmp_path / name / "0" for name in ("whole", "parted"))
    assert sha256_file(whole / "encoder/model.safetensors") == sha256_file(parted / "encoder/model.safetensors")
    assert not (tmp_path / "whole" / "1").exists()
    note = json.loads((whole / "run.json").read_text())
    assert note["status"] == "finished" and note["processes"] == 2


def failing_part(out: str, cohort: str) -> None:
    (Path(out) / "0").mkdir(parents=True, exist_ok=True)
    (Path(out) / "0" / "something").touch()
    try:
        run_of_a_part(out, cohort)
    except HeartprintError as error:
        print(error.code)
        sys.exit(2)


def test_what_fails_in_one_process_ends_all_with_one_sentence(cohort: Cohort, tmp_path: Path) -> None:
    first, second = run_processes(2, f"{HERE}:failing_part", tmp_path, cohort.path)
    assert (first.returncode, first.stdout.strip()) == (2, "output-exists")
    assert (second.returncode, second.stdout.strip()) == (2, "")


def test_processes_share_each_batch(config: Make) -> None:
    chosen = config(batch_size=6)
    whole = Schedule(13, chosen)
    parts = [Schedule(13, chosen, rank=rank, world_size=3) for rank in range(3)]
    for step in range(5):
        assert np.concatenate([part[step].items for part in parts]).tolist() == whole[step].items.tolist()
    with pytest.raises(HeartprintError, match="batch_size=8") as caught:
        Schedule(13, chosen, world_size=4)
    assert caught.value.code == "batch-not-divisible"
