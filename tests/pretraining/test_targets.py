"""Targets measured from waveforms, and the layer that reads them off embeddings."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm, spearmanr

from heartprint.cohorts import Cohort
from heartprint.cohorts.measure import measure_cohort, measure_cohort_with_beats
from heartprint.encoders import load_encoder
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import sha256_file
from heartprint.pretraining import PretrainConfig, pretrain
from heartprint.pretraining.config import decisive
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.objectives import RegressionObjective
from heartprint.pretraining.readout import READOUT_FILE, Readout
from heartprint.pretraining.run_folder import TARGETS_FILE
from heartprint.pretraining.targets import RHYTHM, SHAPES, Targets, measure_targets
from heartprint.signals.measurements import BEAT_SAMPLES, FEATURE_NAMES
from heartprint.simulation import simulate
from heartprint.training.distributed import Distributed

Make = Callable[..., PretrainConfig]


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate(tmp_path_factory.mktemp("targets") / "patients", 48, progress=False)


@pytest.fixture(scope="module")
def targets(patients: Cohort) -> Targets:
    return measure_targets(patients, progress=False)


def test_measurements_keep_their_order_and_spread_evenly(patients: Cohort, targets: Targets) -> None:
    table = measure_cohort(patients)
    assert sorted(targets.names[: len(FEATURE_NAMES)]) == sorted(FEATURE_NAMES)
    assert targets.names[:4] == RHYTHM and targets.parts == (4, len(FEATURE_NAMES) - 4, SHAPES)
    assert targets.values.dtype == np.float32 and len(targets.values) == len(patients)
    for k, name in enumerate(FEATURE_NAMES):
        known, learned = ~np.isnan(table[:, k]), targets.values[:, targets.names.index(name)]
        assert np.array_equal(known, ~np.isnan(learned)), name
        assert spearmanr(table[known, k], learned[known])[0] == pytest.approx(1)
        # Without ties the values are exactly the quantiles of a normal distribution.
        if len(np.unique(table[known, k])) == known.sum():
            n = known.sum()
            expected = norm.ppf((np.arange(n) + 0.5) / n)
            assert np.allclose(np.sort(learned[known]), expected, atol=1e-5)


def test_shapes_are_principal_components(patients: Cohort, targets: Targets) -> None:
    """Against scikit-learn: the same axes up to sign, scaled by the root of their spread."""
    from sklearn.decomposition import PCA

    _, beats = measure_cohort_with_beats(patients)
    assert beats.shape == (len(patients), 8, BEAT_SAMPLES)
    whole = ~np.isnan(beats).any(axis=(1, 2))
    shapes = targets.values[:, len(FEATURE_NAMES) :]
    assert shapes.shape[1] == SHAPES == len(targets.names) - len(FEATURE_NAMES)
    assert np.array_equal(~np.isnan(shapes).any(axis=1), whole)
    theirs = PCA(SHAPES, svd_solver="full").fit_transform(np.clip(beats[whole].reshape(whole.sum(), -1), -3, 3))
    for k in range(10):
        assert abs(np.corrcoef(theirs[:, k], shapes[whole, k])[0, 1]) > 0.99
    ratio = shapes[whole, 0].std() / shapes[whole, 8].std()
    assert ratio == pytest.approx(np.sqrt(theirs[:, 0].std() / theirs[:, 8].std()), rel=0.05)


def test_a_cohort_too_small_for_shapes_gives_measurements_alone(cohort: Cohort) -> None:
    small = measure_targets(cohort.take(np.arange(4)), progress=False)
    assert len(small.names) == len(FEATURE_NAMES) and small.parts == (4, len(FEATURE_NAMES) - 4)


def test_targets_are_kept_and_damage_is_seen(targets: Targets, tmp_path: Path) -> None:
    path = tmp_path / "targets.npz"
    targets.save(path)
    again = Targets.load(path)
    assert again.names == targets.names and np.array_equal(again.values, targets.values, equal_nan=True)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(HeartprintError) as caught:
        Targets.load(path)
    assert caught.value.code == "targets-damaged" and "Delete it" in caught.value.message


def test_error_of_reading_is_hubers_and_leaves_out_what_is_missing() -> None:
    """Against the literal sum over known targets, and with no gradient from missing ones."""
    rng = np.random.default_rng(0)
    readout = Readout(6, ("a", "b", "c"), (2, 1)).eval()
    embedding = torch.from_numpy(rng.normal(size=(5, 6)).astype(np.float32)).requires_grad_()
    aims = rng.normal(scale=3, size=(5, 3)).astype(np.float32)
    aims[0, 0] = aims[2] = np.nan
    loss, squared = readout.error(embedding, torch.from_numpy(aims))
    read = readout(embedding).detach().numpy()

    def huber(off: float) -> float:
        return 0.5 * off**2 if abs(off) < 1 else abs(off) - 0.5

    sums = []
    for columns in ((0, 1), (2,)):
        parts = [huber(read[i, k] - aims[i, k]) for i in range(5) for k in columns if not np.isnan(aims[i, k])]
        sums.append(np.mean(parts))
    assert loss.item() == pytest.approx(sum(sums), rel=1e-5)
    known = ~np.isnan(aims)
    assert squared.item() == pytest.approx(((read - aims)[known] ** 2).mean(), rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, embedding)
    assert (gradient[2] == 0).all() and (gradient[[0, 1, 3, 4]] != 0).any(dim=1).all()


def test_a_readout_survives_the_disk(tmp_path: Path) -> None:
    readout = Readout(6, ("a", "b"), (1, 1)).eval()
    readout.save(tmp_path / "r.safetensors")
    embedding = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    one, other = readout.read(embedding), Readout.load(tmp_path / "r.safetensors").read(embedding)
    assert list(one) == ["a", "b"] and all(np.array_equal(one[k], other[k]) for k in one)
    (tmp_path / "r.safetensors").write_bytes(b"nothing")
    with pytest.raises(HeartprintError) as caught:
        Readout.load(tmp_path / "r.safetensors")
    assert caught.value.code == "readout-damaged"


@pytest.mark.parametrize("method", ["measured", "bcl_measured", "simulation_supervised"])
def test_a_measured_run_resumes_exactly(method: str, patients: Cohort, config: Make, tmp_path: Path) -> None:
    chosen = config(method=method, steps=4)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    pretrain(patients, chosen, whole, progress=False)
    pretrain(patients, chosen, parted, stop_after_steps=3, progress=False)
    pretrain(patients, chosen, parted, resume=True, progress=False)
    for name in ("encoder/model.safetensors", READOUT_FILE, TARGETS_FILE):
        assert sha256_file(whole / name) == sha256_file(parted / name), name
    with (whole / "log.csv").open(newline="") as log:
        *_, line = csv.DictReader(log)
    assert ("contrastive_accuracy" in line) == (method == "bcl_measured") and float(line["measurement_error"]) > 0


def test_targets_belong_to_the_ecg_that_is_shown(patients: Cohort, config: Make) -> None:
    """A readout can learn a number that only the ECG itself decides: its place in the cohort."""
    from heartprint.pretraining.batches import BatchKey, draw_batch
    from heartprint.pretraining.methods import get_method

    values = np.arange(len(patients), dtype=np.float32)[:, None]
    learner = Learner(config(method="bcl_measured"), 1, Distributed(), Targets(("row",), values, (1,)))
    method = get_method("bcl_measured")(patients, config(method="bcl_measured"))
    batch = draw_batch(method, BatchKey(0, 0, np.array([3, 7])))
    asked: list[torch.Tensor] = []
    (readout,) = (part.readout for part in learner.objective.modules() if isinstance(part, RegressionObjective))
    readout.error = lambda embedding, aims: (asked.append(aims), (embedding.sum(), embedding.sum()))[1]  # type: ignore[method-assign, func-returns-value]
    learner.backward(batch)
    expected = [view.row for place in (0, 1) for view in [method.draw(0, item)[place] for item in (3, 7)]]
    assert asked[0][:, 0].tolist() == expected


def test_labels_are_learned_of_simulated_patients_only(
    patients: Cohort, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heartprint.pretraining.methods import get_method

    labelled = measure_targets(patients, labels=True, progress=False)
    assert labelled.parts[-1] == 4
    assert labelled.names[-4:] == ("label_female", "label_age", "label_af", "label_lvef")
    female = labelled.values[:, labelled.names.index("label_female")]
    assert len(np.unique(female)) == 2 and ((female > 0) == (patients.records["sex"] == "female").to_numpy()).all()
    for name in ("bcl", "bcl_state", "segments", "layouts", "simclr", "measured", "bcl_measured"):
        assert not get_method(name).learns_labels
    real = Cohort.open(patients.path)
    monkeypatch.setattr(real, "info", dataclasses.replace(real.info, simulated=False))
    with pytest.raises(HeartprintError) as caught:
        pretrain(real, config(method="simulation_supervised", steps=1), tmp_path / "run", progress=False)
    assert caught.value.code == "not-simulated" and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "recipes"),
    [
        ("heartprint", ["encoder"]),
        ("heartprint-photo", ["encoder-photo-layouts", "encoder-photo", "encoder-wide", "encoder"]),
    ],
)
def test_the_recipes_of_the_shipped_encoders_are_the_shipped_ones(name: str, recipes: list[str]) -> None:
    from heartprint.foundation.config import load_config

    made = load_encoder(name).config
    assert made.simulated and len(made.stages) == len(recipes)
    for stage, recipe in zip(made.stages, recipes, strict=True):
        file = Path(__file__).parents[2] / "configs" / "pretraining" / f"{recipe}.yaml"
        assert decisive(PretrainConfig(**stage.settings)) == decisive(load_config(file, [], PretrainConfig)), recipe


def test_a_run_goes_on_from_another_encoder(patients: Cohort, cohort: Cohort, config: Make, tmp_path: Path) -> None:
    """Another method, another cohort, another image size; the card and the seen patients hold both."""
    first = pretrain(patients, config(steps=2), tmp_path / "first", progress=False)
    chosen = config(method="layouts", init=str(first), image_size=48, steps=1, learning_rate=1e-9)
    second = pretrain(cohort, chosen, tmp_path / "second", progress=False)
    before, after = load_encoder(first / "encoder"), load_encoder(second / "encoder")
    for name, value in before.encoder.state_dict().items():
        if "running" not in name and "batches" not in name:
            assert torch.allclose(value, after.encoder.state_dict()[name], atol=1e-6), name
    assert [stage.method for stage in after.config.stages] == ["layouts", "bcl"]
    assert after.config.image_size == 48 and after.config.initial_weights == "random"
    assert after.seen.overlap(cohort).all() and after.seen.overlap(patients).any()
    with pytest.raises(HeartprintError) as caught:
        pretrain(cohort, config(init=str(first), backbone="efficientnet_b3"), tmp_path / "third", progress=False)
    assert caught.value.code == "encoder-mismatch" and not (tmp_path / "third").exists()


def test_a_resumed_run_must_have_begun_from_the_same_weights(patients: Cohort, config: Make, tmp_path: Path) -> None:
    """The folder that ``init`` names may hold another encoder by the time the run is resumed."""
    first = pretrain(patients, config(steps=1), tmp_path / "first", progress=False)
    chosen = config(init=str(first), steps=2)
    pretrain(patients, chosen, tmp_path / "second", stop_after_steps=1, progress=False)
    kept = tmp_path / "kept"
    first.rename(kept)
    pretrain(patients, config(steps=1, seed=5), first, progress=False)
    with pytest.raises(HeartprintError, match="other weights") as caught:
        pretrain(patients, chosen, tmp_path / "second", resume=True, progress=False)
    assert caught.value.code == "config-changed"
    shutil.rmtree(first)
    kept.rename(first)
    assert pretrain(patients, chosen, tmp_path / "second", resume=True, progress=False).is_dir()
