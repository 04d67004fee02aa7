"""Encoder folders made to be passed on: float16, a card by hand, simulated patients named by their source."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import typer
from typer.testing import CliRunner

from heartprint import HeartprintError
from heartprint.cohorts import Cohort
from heartprint.encoders import (
    CohortSource,
    Encoder,
    EncoderConfig,
    ModelConfig,
    Seen,
    SimulatedSource,
    TaskModel,
    build_encoder,
    embed_cohort,
    export_encoder,
    load_encoder,
    save_encoder,
    save_model,
)
from heartprint.simulation import simulate


def trained(backbone: str = "small", size: int = 64) -> Encoder:
    """An encoder whose batch statistics have moved, as after training."""
    encoder = build_encoder(backbone, seed=3)
    encoder(torch.randn(8, encoder.channels, size, size, generator=torch.Generator().manual_seed(0)))
    return encoder


def size_of(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.iterdir())


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "model.safetensors")


def with_source(config: EncoderConfig, cohort: Cohort) -> EncoderConfig:
    assert config.pretraining
    pretraining = config.pretraining.model_copy(update={"cohort": CohortSource.of(cohort)})
    return config.model_copy(update={"pretraining": pretraining})


# -- float16 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", ["small", "efficientnet_lite0"])
def test_half_the_size_and_the_same_embeddings(
    tmp_path: Path, cohort: Cohort, encoder_config: EncoderConfig, seen: Seen, backbone: str
) -> None:
    config = EncoderConfig.new(backbone, image_size=64, pretraining=encoder_config.pretraining)
    encoder = trained(backbone)
    whole = save_encoder(tmp_path / "whole", encoder, config, seen=seen)
    half = save_encoder(tmp_path / "half", encoder, config, half=True, seen=seen)
    assert 0.48 < size_of(half) / size_of(whole) < 0.55

    stored = tensors(half)
    rounded = [t.dtype == torch.float16 for t in stored.values() if t.ndim >= 2]
    assert sum(rounded) > 0.8 * len(rounded)
    assert not [n for n, t in stored.items() if "running_" in n and t.dtype != torch.float32]

    loaded = load_encoder(half, verify=True)
    assert {p.dtype for p in loaded.encoder.parameters()} == {torch.float32}
    assert not loaded.encoder.training
    assert loaded.config.weights_sha256 == hashlib.sha256((half / "model.safetensors").read_bytes()).hexdigest()
    expected = embed_cohort(load_encoder(whole), cohort, progress=False)
    found = embed_cohort(loaded, cohort, progress=False)
    assert np.linalg.norm(found - expected) < 1e-2 * np.linalg.norm(expected)
    # Also beside what tells the ECGs apart, which is far less than their size.
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected - expected.mean(axis=0))
    assert not np.array_equal(found, expected)


def test_saving_half_changes_nothing_in_the_encoder(tmp_path: Path, encoder_config: EncoderConfig, seen: Seen) -> None:
    encoder = trained()
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    save_encoder(tmp_path / "e", encoder, encoder_config, half=True, seen=seen)
    assert all(torch.equal(v, before[k]) and v.dtype == before[k].dtype for k, v in encoder.state_dict().items())


def test_half_of_half_is_the_same(tmp_path: Path, encoder_config: EncoderConfig, seen: Seen) -> None:
    once = save_encoder(tmp_path / "once", trained(), encoder_config, half=True, seen=seen)
    twice = save_encoder(tmp_path / "twice", load_encoder(once).encoder, encoder_config, half=True, seen=seen)
    assert (once / "model.safetensors").read_bytes() == (twice / "model.safetensors").read_bytes()
    assert (once / "config.json").read_bytes() == (twice / "config.json").read_bytes()


@pytest.mark.parametrize("factor", [1e9, 1e-9])
def test_what_float16_cannot_hold_stays_float32(
    tmp_path: Path, encoder_config: EncoderConfig, seen: Seen, factor: float
) -> None:
    encoder = trained()
    state = encoder.state_dict()
    large = next(n for n, t in state.items() if t.ndim == 4)
    variance = next(n for n in state if n.endswith("running_var"))
    with torch.no_grad():
        state[large].mul_(factor)
        state[variance].mul_(factor)
    stored = tensors(save_encoder(tmp_path / "e", encoder, encoder_config, half=True, seen=seen))
    for name in (large, variance):
        assert torch.equal(stored[name], state[name])
    assert torch.float16 in {t.dtype for t in stored.values()}
    load_encoder(tmp_path / "e", verify=True)


def test_a_weight_whose_rounding_shows_stays_float32(tmp_path: Path, cohort: Cohort) -> None:
    """Large numbers that cancel: the rounding of a thousandth would be as large as what is left of them."""
    config = EncoderConfig.new("small", image_size=64)
    # White paper is far from 0, as in networks made for photographs.
    config = config.model_copy(update={"page_to_tensor": dataclasses.replace(config.page_to_tensor, mean=0.0)})
    encoder = build_encoder("small", seed=3)
    pages = np.full((8, 64, 64), 240, dtype=np.uint8) - np.random.default_rng(0).integers(0, 9, (8, 64, 64), np.uint8)
    norms = [m for m in encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    encoder(config.page_to_tensor(pages))
    whole = save_encoder(tmp_path / "whole", encoder, config)
    half = save_encoder(tmp_path / "half", encoder, config, half=True)
    assert tensors(half)["network.stem.0.weight"].dtype == torch.float32
    assert size_of(half) < 0.55 * size_of(whole)
    found, expected = (embed_cohort(load_encoder(f), cohort, progress=False) for f in (half, whole))
    assert np.linalg.norm(found - expected) < 1e-2 * np.linalg.norm(expected)


# -- who took part ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate(tmp_path_factory.mktemp("simulated") / "home", 12, seed=77, progress=False)


@pytest.fixture
def run(tmp_path: Path, encoder_config: EncoderConfig, simulated: Cohort) -> Path:
    config = with_source(encoder_config, simulated)
    save_encoder(tmp_path / "run" / "encoder", trained(), config, seen=Seen.of(simulated))
    return tmp_path / "run"


def test_simulated_patients_are_named_by_their_source(run: Path, tmp_path: Path, simulated: Cohort) -> None:
    loaded = export_encoder(run, tmp_path / "out", half=True)
    assert loaded.seen.simulated == (SimulatedSource("internal", 77, 12),)
    assert len(loaded.seen.patients) == len(loaded.seen.ecgs) == 0
    assert (tmp_path / "out" / "seen.safetensors").stat().st_size < 500
    assert loaded.seen.overlap(simulated).all()
    assert "simulated patients by hospital, seed and number" in (tmp_path / "out" / "README.md").read_text()
    # A second export keeps what it knows.
    assert export_encoder(tmp_path / "out", tmp_path / "again").seen.simulated == loaded.seen.simulated


def test_simulated_patients_are_known_again_at_another_rate_and_in_another_number(run: Path, tmp_path: Path) -> None:
    seen = export_encoder(run, tmp_path / "out").seen
    larger = simulate(tmp_path / "larger", 15, seed=77, rate=500, progress=False)
    lists = load_encoder(run / "encoder").seen
    numbers = np.array([int(p.rsplit("-", 1)[1]) for p in larger.patient_ids])
    # Other content and other samples, but the same people, by their list as by their source.
    np.testing.assert_array_equal(lists.overlap(larger), numbers < 12)
    np.testing.assert_array_equal(seen.overlap(larger), numbers < 12)
    for other in (
        simulate(tmp_path / "other-seed", 5, seed=78, progress=False),
        simulate(tmp_path / "other-hospital", 5, seed=77, hospital="external", progress=False),
    ):
        assert not seen.overlap(other).any()
        assert not lists.overlap(other).any()
    # A real cohort is never taken for a simulated one, whatever its ids.
    real = Cohort(larger.path, dataclasses.replace(larger.info, simulated=False), larger.records)
    assert not seen.overlap(real).any()


def test_a_model_made_from_it_still_knows_the_source(
    run: Path, tmp_path: Path, model_config: ModelConfig, cohort: Cohort, simulated: Cohort
) -> None:
    from heartprint.encoders import load_model

    loaded = export_encoder(run, tmp_path / "out")
    config = model_config.model_copy(update={"encoder": loaded.config})
    save_model(tmp_path / "m", TaskModel(loaded.encoder), config, seen=loaded.seen | Seen.of(cohort))
    model = load_model(tmp_path / "m")
    assert model.seen.overlap(simulated).all()
    assert model.seen.overlap(cohort).all()
    with pytest.raises(HeartprintError, match="labels") as error:
        export_encoder(tmp_path / "m", tmp_path / "x")
    assert error.value.code == "not-a-run"


def test_lists_of_real_patients_are_kept(tmp_path: Path, encoder_config: EncoderConfig, simulated: Cohort) -> None:
    real = Cohort(simulated.path, dataclasses.replace(simulated.info, simulated=False), simulated.records)
    save_encoder(tmp_path / "e", trained(), with_source(encoder_config, real), seen=Seen.of(real))
    out = export_encoder(tmp_path / "e", tmp_path / "out")
    np.testing.assert_array_equal(out.seen.patients, Seen.of(real).patients)
    np.testing.assert_array_equal(out.seen.ecgs, Seen.of(real).ecgs)
    assert out.seen.simulated == ()


def test_lists_with_others_in_them_are_kept(
    tmp_path: Path, encoder_config: EncoderConfig, simulated: Cohort, cohort: Cohort
) -> None:
    both = Seen.of(simulated) | Seen.of(cohort)
    save_encoder(tmp_path / "e", trained(), with_source(encoder_config, simulated), seen=both)
    assert export_encoder(tmp_path / "e", tmp_path / "out").seen.overlap(cohort).all()


def test_a_simulation_of_unknown_source_keeps_its_lists(
    tmp_path: Path, encoder_config: EncoderConfig, cohort: Cohort
) -> None:
    assert SimulatedSource.of(cohort.info) is None
    save_encoder(tmp_path / "e", trained(), encoder_config, seen=Seen.of(cohort))
    assert export_encoder(tmp_path / "e", tmp_path / "out").seen.overlap(cohort).all()


# -- the card and the verb --------------------------------------------------------------------------------------


def test_the_verb(run: Path, tmp_path: Path) -> None:
    from heartprint.cli.export import export

    app = typer.Typer()
    app.command()(export)
    about = tmp_path / "about.md"
    about.write_text("## What it is for\n\nFew labels, äh.\n", encoding="utf-8")
    out = tmp_path / "out"
    result = CliRunner().invoke(app, [str(run), str(out), "--half", "--card", str(about)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "small at 64 px, pretrained by bcl on 'home' (simulated patients)" in result.output
    text = (out / "README.md").read_text(encoding="utf-8")
    assert text.endswith("## What it is for\n\nFew labels, äh.\n")
    assert "not a medical device" in text
    assert "stored as float16" in text
    assert "internal hospital, seed 77" in text
    load_encoder(out, verify=True)

    for card, code in ((tmp_path / "nothing.md", "file-missing"), (out / "sample_sheet.png", "unreadable-file")):
        with pytest.raises(HeartprintError) as error:
            export_encoder(run, tmp_path / "other", card=card)
        assert error.value.code == code
        assert not (tmp_path / "other").exists()
