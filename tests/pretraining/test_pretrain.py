from __future__ import annotations

import csv
import itertools
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from heartprint.cohorts import Cohort
from heartprint.encoders import Seen, load_encoder
from heartprint.foundation.config import load_config
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import claimed, sha256_file
from heartprint.pretraining import PretrainConfig, pretrain
from heartprint.pretraining.batches import Batch
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.targets import Targets
from heartprint.training.checkpoint import load_latest
from heartprint.training.distributed import Distributed
from tests.pretraining.conftest import ECGS_PER_PATIENT, build, small_config

Make = Callable[..., PretrainConfig]


def weights(run: Path) -> str:
    return sha256_file(run / "encoder" / "model.safetensors")


def memory(run: Path) -> dict[str, torch.Tensor]:
    found = load_latest(run / "checkpoints")
    assert found is not None
    return found.tensors


def log(run: Path) -> list[dict[str, str]]:
    with (run / "log.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def note(run: Path) -> dict[str, object]:
    value: dict[str, object] = json.loads((run / "run.json").read_text())
    return value


@pytest.fixture(scope="module")
def whole_run(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of 6 steps, 2 an epoch."""
    return pretrain(cohort, small_config(), tmp_path_factory.mktemp("runs") / "whole", progress=False)


def test_a_run_leaves_all_it_should(whole_run: Path, cohort: Cohort, config: Make) -> None:
    assert {p.name for p in whole_run.iterdir()} == {
        "config.yaml", "run.json", "log.csv", "curves.png", "run.html", "checkpoints", "encoder"
    }  # fmt: skip
    assert load_config(whole_run / "config.yaml", [], PretrainConfig) == config()
    facts = note(whole_run)
    assert facts["status"] == "finished" and facts["n_items"] == 10 and facts["steps_done"] == 6
    assert facts["cohort"]["simulated"] is True  # type: ignore[index]
    rows = log(whole_run)
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [int(row["epoch"]) for row in rows] == [0, 0, 1, 1, 2, 2]
    assert all(np.isfinite(float(row["loss"])) for row in rows)
    assert (whole_run / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_the_encoder_knows_how_it_was_made(whole_run: Path, cohort: Cohort) -> None:
    loaded = load_encoder(whole_run / "encoder", verify=True)
    summary = loaded.config.pretraining
    assert summary is not None and loaded.config.simulated
    assert (summary.method, summary.steps, summary.batch_size, summary.temperature) == ("bcl", 6, 4, 0.1)
    assert loaded.config.layouts == ("standard", "two_rhythm", "alternate", "shuffled")
    with_pairs = {f"p{i}" for i, n in enumerate(ECGS_PER_PATIENT) if n >= 2}
    seen = loaded.seen.overlap(cohort)
    assert set(cohort.patient_ids[seen]) == with_pairs, "patients without a pair were never looked at"
    assert np.array_equal(loaded.seen.patients, Seen.of(cohort.filter(patients=with_pairs)).patients)


def test_it_changes_the_weights_and_nothing_global(cohort: Cohort, config: Make, tmp_path: Path) -> None:
    state, flag = torch.get_rng_state(), torch.are_deterministic_algorithms_enabled()
    run = pretrain(cohort, config(steps=1), tmp_path / "run", progress=False)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.are_deterministic_algorithms_enabled() == flag
    from heartprint.encoders import build_encoder

    fresh = build_encoder("small", seed=0).state_dict()
    learned = load_encoder(run / "encoder").encoder.state_dict()
    assert any(not torch.equal(fresh[name], learned[name]) for name in fresh)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("stops", [(1,), (3, 2)])
def test_resuming_is_exact(
    whole_run: Path, cohort: Cohort, config: Make, tmp_path: Path, workers: int, stops: tuple[int, ...]
) -> None:
    run = tmp_path / "run"
    chosen = config(workers=workers)
    for n, stop in enumerate(stops):
        pretrain(cohort, chosen, run, resume=n > 0, stop_after_steps=stop, progress=False)
        assert note(run)["status"] == "stopped" and not (run / "encoder").exists()
    pretrain(cohort, chosen, run, resume=True, progress=False)
    assert weights(run) == weights(whole_run)
    ours, theirs = memory(run), memory(whole_run)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
    for column in ("step", "epoch", "loss", "contrastive_accuracy", "learning_rate"):
        assert [row[column] for row in log(run)] == [row[column] for row in log(whole_run)]


def test_resuming_after_a_kill_goes_back_to_the_checkpoint(
    whole_run: Path, cohort: Cohort, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies in step 4, the last checkpoint is of step 2; the log is cut back accordingly."""
    run, chosen = tmp_path / "run", config(checkpoint_every=2)
    step = Learner.step

    def die(self: Learner, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        if batch.key.step == 3:
            raise SystemError("killed")
        return step(self, batch)

    monkeypatch.setattr(Learner, "step", die)
    with pytest.raises(SystemError):
        pretrain(cohort, chosen, run, progress=False)
    assert len(log(run)) == 3
    with (run / "log.csv").open("a") as handle:
        handle.write("4,1,2.")
    monkeypatch.setattr(Learner, "step", step)
    pretrain(cohort, chosen, run, resume=True, progress=False)
    assert weights(run) == weights(whole_run)
    assert [int(row["step"]) for row in log(run)] == [1, 2, 3, 4, 5, 6]


def test_settings_of_the_method_must_stay(cohort: Cohort, config: Make, tmp_path: Path) -> None:
    run = pretrain(cohort, config(), tmp_path / "run", stop_after_steps=3, progress=False)
    with pytest.raises(HeartprintError, match=r"method\.pairs\.min_gap_days was"):
        pretrain(cohort, config(pairs={"min_gap_days": 1}), run, resume=True, progress=False)


def test_a_wide_mixture_resumes_exactly_with_other_workers(cohort: Cohort, config: Make, tmp_path: Path) -> None:
    wide = {"styles": ("random", "ecg_plot"), "recipes": ("clean", "phone", "fax", "screen"), "image_size": 64}
    whole = pretrain(cohort, config(**wide), tmp_path / "whole", progress=False)
    run = pretrain(cohort, config(**wide, workers=1), tmp_path / "run", stop_after_steps=2, progress=False)
    pretrain(cohort, config(**wide), run, resume=True, progress=False)
    assert weights(run) == weights(whole)
    described = load_encoder(whole / "encoder").config
    assert described.pretraining is not None
    assert described.pretraining.settings["recipes"] == list(wide["recipes"])  # type: ignore[call-overload]
    assert "recipes clean, phone, fax, screen" in (whole / "encoder" / "README.md").read_text()


def test_a_pair_policy_decides_who_is_seen(cohort: Cohort, config: Make, tmp_path: Path) -> None:
    chosen = config(pairs={"min_gap_days": 730}, batch_size=3, steps=1)
    run = pretrain(cohort, chosen, tmp_path / "run", progress=False)
    assert [tuple(row.values()) for row in note(run)["pair_flow"]] == [  # type: ignore[attr-defined]
        ("all", 19, 10, 24), ("min_gap_days", 5, 3, 8)
    ]  # fmt: skip
    loaded = load_encoder(run / "encoder")
    assert set(cohort.patient_ids[loaded.seen.overlap(cohort)]) == {"p0", "p4", "p9"}
    assert loaded.config.pretraining is not None
    assert loaded.config.pretraining.settings["method"] == chosen.method.model_dump(mode="json")


def test_resuming_a_finished_run_does_nothing(whole_run: Path, cohort: Cohort, config: Make) -> None:
    before = {p: p.stat().st_mtime_ns for p in (whole_run / "encoder").iterdir()}
    assert pretrain(cohort, config(), whole_run, resume=True, progress=False) == whole_run
    assert before == {p: p.stat().st_mtime_ns for p in (whole_run / "encoder").iterdir()}
    assert note(whole_run)["status"] == "finished" and len(log(whole_run)) == 6


def test_resuming_an_empty_or_absent_folder_starts(
    whole_run: Path, cohort: Cohort, config: Make, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent"):
        assert weights(pretrain(cohort, config(), tmp_path / name, resume=True, progress=False)) == weights(whole_run)


def test_killed_between_the_last_step_and_the_encoder(
    whole_run: Path, cohort: Cohort, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise SystemError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("heartprint.pretraining.loop.save_encoder", die)
        with pytest.raises(SystemError):
            pretrain(cohort, config(), tmp_path / "run", progress=False)
    run = pretrain(cohort, config(), tmp_path / "run", resume=True, progress=False)
    assert weights(run) == weights(whole_run) and note(run)["status"] == "finished"


def refusal(code: str, cohort: Cohort, config: PretrainConfig, out: Path, *, resume: bool = False) -> str:
    with pytest.raises(HeartprintError) as caught:
        pretrain(cohort, config, out, resume=resume, progress=False)
    assert caught.value.code == code
    return caught.value.message


def test_another_configuration_or_cohort_is_no_resume(
    whole_run: Path, cohort: Cohort, config: Make, tmp_path: Path
) -> None:
    before = weights(whole_run)
    message = refusal("config-changed", cohort, config(temperature=0.2, seed=3), whole_run, resume=True)
    assert "temperature was 0.1, is 0.2" in message and "seed was 0, is 3" in message
    fewer = cohort.take(np.arange(len(cohort) - 1))
    refusal("cohort-changed", fewer, config(), whole_run, resume=True)
    other = build(tmp_path / "other", ECGS_PER_PATIENT, name="q")
    refusal("cohort-changed", other, config(), whole_run, resume=True)
    assert weights(whole_run) == before
    pretrain(cohort, config(workers=1, checkpoint_every=3), whole_run, resume=True, progress=False)


def test_outputs_that_are_in_the_way(whole_run: Path, cohort: Cohort, config: Make, tmp_path: Path) -> None:
    assert "--resume" in refusal("output-exists", cohort, config(), whole_run)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    refusal("output-exists", cohort, config(), tmp_path / "mine")
    refusal("not-a-run", cohort, config(), tmp_path / "mine", resume=True)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_layout_file_that_changed_is_no_resume(cohort: Cohort, config: Make, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("rows: 3\ncolumns: 4\n")
    made = config(layouts=["standard", str(file)])
    pretrain(cohort, made, tmp_path / "run", stop_after_steps=1, progress=False)
    file.write_text("rows: 3\ncolumns: 4\ngain: 5\n")
    assert "own.yaml" in refusal("config-changed", cohort, made, tmp_path / "run", resume=True)
    file.write_text("rows: 3\ncolumns: 4\n")
    pretrain(cohort, made, tmp_path / "run", resume=True, stop_after_steps=1, progress=False)


def test_two_processes_do_not_write_one_run(cohort: Cohort, config: Make, tmp_path: Path) -> None:
    with claimed(tmp_path / "run"):
        refusal("output-busy", cohort, config(), tmp_path / "run")
        assert not any((tmp_path / "run").iterdir())
    pretrain(cohort, config(), tmp_path / "run", stop_after_steps=1, progress=False)
    with claimed(tmp_path / "run"):
        refusal("output-busy", cohort, config(), tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"batch_size": 64}, "more-pairs-than-exist"),
        ({"device": "cuda:99"}, "no-such-device"),
        ({"until": "1990-01-01"}, "no-ecgs"),
        ({"until": "2000-12-31"}, "no-pairs"),
        ({"init": "imagenet"}, "no-offline-weights"),
    ],
)
def test_impossible_runs(changes: dict[str, object], code: str, cohort: Cohort, config: Make, tmp_path: Path) -> None:
    refusal(code, cohort, config(**changes), tmp_path / "run")
    assert not (tmp_path / "run" / "encoder").exists()
    assert not (tmp_path / "run").exists(), "nothing may be left behind"


def test_dates_narrow_the_cohort(cohort: Cohort, config: Make, tmp_path: Path) -> None:
    run = pretrain(cohort, config(since="2001-01-01", steps=1, batch_size=2), tmp_path / "run", progress=False)
    facts = note(run)
    # Visits are a year apart from 2000 on; three visits leave two, four leave three.
    assert facts["n_items"] == sum(n >= 3 for n in ECGS_PER_PATIENT)
    assert facts["cohort"]["n_ecgs"] == sum(n - 1 for n in ECGS_PER_PATIENT if n >= 3)  # type: ignore[index]


def test_a_diverging_run_stops_with_a_sentence(cohort: Cohort, config: Make, tmp_path: Path) -> None:
    chosen = config(learning_rate=1e30, warmup_share=0, epochs=20)
    assert "learning_rate" in refusal("not-finite", cohort, chosen, tmp_path / "run")
    assert not (tmp_path / "run" / "encoder").exists()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_out_of_memory_names_what_to_lower(
    error: BaseException, cohort: Cohort, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Learner, "step", fail)
    message = refusal("out-of-memory", cohort, config(), tmp_path / "run")
    assert "-o batch_size=2" in message and "image_size" in message


def test_ctrl_c_finishes_the_step_and_saves(
    whole_run: Path, cohort: Cohort, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert threading.current_thread() is threading.main_thread()
    step, before = Learner.step, signal.getsignal(signal.SIGINT)

    def interrupt(self: Learner, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        if batch.key.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch)

    monkeypatch.setattr(Learner, "step", interrupt)
    with pytest.raises(KeyboardInterrupt, match="step 3 of 6"):
        pretrain(cohort, config(workers=1), tmp_path / "run", progress=False)
    assert signal.getsignal(signal.SIGINT) == before
    assert note(tmp_path / "run")["status"] == "stopped"
    monkeypatch.setattr(Learner, "step", step)
    pretrain(cohort, config(workers=1), tmp_path / "run", resume=True, progress=False)
    assert weights(tmp_path / "run") == weights(whole_run)


@pytest.mark.parametrize("method", ["simclr", "layouts"])
def test_other_methods_run(method: str, cohort: Cohort, config: Make, tmp_path: Path) -> None:
    run = pretrain(cohort, config(method=method, steps=2), tmp_path / "run", progress=False)
    loaded = load_encoder(run / "encoder")
    assert loaded.config.pretraining is not None and loaded.config.pretraining.method == method
    assert loaded.seen.overlap(cohort).all()


def test_the_same_initial_weights_for_every_method(config: Make) -> None:
    one, two, other = (prepared(made) for made in (config(), config(method="simclr"), config(seed=1)))
    assert all(torch.equal(one[name], two[name]) for name in one)
    head = "objective.heads.views.0.weight"
    assert not torch.equal(one[head], other[head])


def prepared(config: PretrainConfig) -> dict[str, torch.Tensor]:
    return Learner(config, 10, Distributed()).state()


def test_learning_rate_rises_and_falls(config: Make) -> None:
    learner = Learner(config(learning_rate=0.1, warmup_share=0.2), 50, Distributed())
    rates = [learner.learning_rate(step) for step in range(50)]
    assert rates[:10] == pytest.approx([0.01 * (k + 1) for k in range(10)])
    assert max(rates) == pytest.approx(0.1) and rates[30] == pytest.approx(0.05) and 0 < rates[49] < 1e-3
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))


def test_weight_decay_spares_biases_and_normalisation(config: Make) -> None:
    targets = Targets(("one",), np.zeros((3, 1), dtype=np.float32), (1,))
    learner = Learner(config("bcl_measured", weight_decay=0.1), 10, Distributed(), targets)
    groups = learner.optimizer.param_groups
    assert [(g["weight_decay"], {p.ndim > 1 for p in g["params"]}) for g in groups] == [
        (0.1, {True}),
        (0.0, {False}),
    ]
    assert sum(p.numel() for group in groups for p in group["params"]) == learner.n_parameters


@pytest.mark.slow
def test_it_learns_to_tell_patients(tmp_path: Path, config: Make) -> None:
    """After a minute of learning, views of new patients find their partner far above chance (1 in 63)."""
    cohort = build(tmp_path / "many", (2,) * 160)
    learning = cohort.filter(patients=[f"p{i}" for i in range(128)])
    chosen = config(image_size=64, batch_size=32, steps=150, head_hidden=64, head_dim=32)
    run = pretrain(learning, chosen, tmp_path / "run", progress=False)
    rows = log(run)
    assert np.mean([float(r["contrastive_accuracy"]) for r in rows[-10:]]) > 0.5
    assert np.mean([float(r["loss"]) for r in rows[-10:]]) < np.mean([float(r["loss"]) for r in rows[:5]]) - 1


def test_a_size_that_the_network_cannot_read_is_told_before_anything_is_written() -> None:
    for backbone, size in (("timm/vit_tiny_patch16_224", 128), ("small", 8)):
        with pytest.raises(HeartprintError) as caught:
            small_config(backbone=backbone, image_size=size)
        assert caught.value.code == "bad-image-size"
