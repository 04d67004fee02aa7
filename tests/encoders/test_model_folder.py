from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from heartprint import HeartprintError
from heartprint.cohorts import Cohort
from heartprint.encoders import (
    Encoder,
    EncoderConfig,
    ModelConfig,
    Seen,
    TaskModel,
    build_encoder,
    embed_images,
    load_encoder,
    load_model,
    save_encoder,
    save_model,
)
from heartprint.encoders.bundle.files import CHECKED_FILES
from heartprint.encoders.bundle.sample import SAMPLE_RATE, sample_leads


def trained(seed: int = 3) -> Encoder:
    """An encoder whose batch statistics have moved, as after training."""
    encoder = build_encoder("small", seed=seed)
    encoder(torch.randn(8, 1, 64, 64, generator=torch.Generator().manual_seed(0)))
    return encoder


def pages(n: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 64, 64), dtype=np.uint8)


def resign(folder: Path) -> None:
    """Make the checksums right again, as somebody would who tampers with care."""
    lines = [f"{hashlib.sha256((folder / f).read_bytes()).hexdigest()}  {f}\n" for f in CHECKED_FILES]
    (folder / "CHECKSUMS").write_text("".join(lines))


def edit_config(folder: Path, change: Callable[[dict], None]) -> None:
    raw = json.loads((folder / "config.json").read_text())
    change(raw)
    (folder / "config.json").write_text(json.dumps(raw))
    resign(folder)


@pytest.fixture
def encoder_folder(tmp_path: Path, encoder_config: EncoderConfig, cohort: Cohort) -> Path:
    return save_encoder(tmp_path / "encoder", trained(), encoder_config, seen=Seen.of(cohort))


def test_everybody_may_read_a_folder(encoder_folder: Path) -> None:
    """An encoder that an administrator installs must open for the others."""
    assert {file.stat().st_mode & 0o777 for file in encoder_folder.iterdir()} == {0o644}


@pytest.fixture
def model_folder(tmp_path: Path, model_config: ModelConfig, cohort: Cohort) -> Path:
    weights = np.random.default_rng(1).normal(0, 0.3, 256)
    model = TaskModel.from_linear(trained(), weights, 0.25)
    return save_model(tmp_path / "model", model, model_config, seen=Seen.of(cohort))


def test_an_encoder_comes_back_as_it_was(encoder_folder: Path, encoder_config: EncoderConfig, cohort: Cohort) -> None:
    loaded = load_encoder(encoder_folder, verify=True)
    state = trained().state_dict()
    assert all(torch.equal(v, state[k]) for k, v in loaded.encoder.state_dict().items())
    assert not loaded.encoder.training
    filled = {"weights_sha256", "versions", "sample"}
    assert loaded.config.model_dump(exclude=filled) == encoder_config.model_dump(exclude=filled)
    assert loaded.page_to_tensor == encoder_config.page_to_tensor
    np.testing.assert_array_equal(loaded.seen.patients, Seen.of(cohort).patients)
    np.testing.assert_array_equal(loaded.seen.ecgs, Seen.of(cohort).ecgs)
    assert (
        loaded.config.weights_sha256 == hashlib.sha256((encoder_folder / "model.safetensors").read_bytes()).hexdigest()
    )
    assert {"heartprint", "torch", "timm", "python"} <= loaded.config.versions.keys()


def test_a_model_comes_back_as_it_was(model_folder: Path, model_config: ModelConfig) -> None:
    model = load_model(model_folder, verify=True)
    assert model.task == model_config.only.task
    assert model.platt == model_config.only.platt
    assert model.threshold == 0.37
    logits, probabilities = model.score(pages())
    encoder = trained().eval()
    with torch.inference_mode():
        features = encoder(model.encoder.page_to_tensor(pages())).numpy().astype(float)
    weights = np.random.default_rng(1).normal(0, 0.3, 256).astype(np.float32)
    np.testing.assert_allclose(logits, features @ weights + 0.25, rtol=1e-5)
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-(1.7 * logits - 0.3))), rtol=1e-9)
    with torch.inference_mode():
        head = TaskModel.from_linear(encoder, weights, 0.25)
        np.testing.assert_allclose(head(model.encoder.page_to_tensor(pages())).numpy(), logits, rtol=1e-4, atol=1e-5)


def test_the_encoder_of_a_model_can_be_loaded(model_folder: Path) -> None:
    loaded = load_encoder(model_folder, verify=True)
    np.testing.assert_array_equal(
        embed_images(loaded, pages()), embed_images(load_model(model_folder).encoder, pages())
    )
    assert loaded.seen


def test_a_new_head_starts_at_even_odds() -> None:
    assert torch.equal(TaskModel(trained()).eval()(torch.randn(2, 1, 64, 64)), torch.zeros(2))


def test_saving_changes_nothing_in_the_encoder(tmp_path: Path, encoder_config: EncoderConfig, seen: Seen) -> None:
    encoder = trained()
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    save_encoder(tmp_path / "e", encoder, encoder_config, seen=seen)
    assert encoder.training
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


def test_the_folder_holds_these_files_no_pickle_and_no_patient_id(model_folder: Path, cohort: Cohort) -> None:
    assert {p.name for p in model_folder.iterdir()} == {*CHECKED_FILES, "CHECKSUMS"}
    content = b"".join(p.read_bytes() for p in model_folder.iterdir())
    secrets = [*cohort.patient_ids.tolist(), *cohort.ecg_ids.tolist(), cohort.info.patient_key]
    assert not [s for s in secrets if s.encode() in content]
    assert list(model_folder.parent.glob(".*")) == []


def test_checksums_are_those_of_sha256sum(encoder_folder: Path) -> None:
    for line in (encoder_folder / "CHECKSUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((encoder_folder / name).read_bytes()).hexdigest() == digest


def test_the_cards_say_what_must_be_said(encoder_folder: Path, model_folder: Path) -> None:
    for folder in (encoder_folder, model_folder):
        text = (folder / "README.md").read_text()
        assert "not a medical device" in text
        assert "Encoder pretrained on simulated patients." in text
        # The red word is for labels and tests: an encoder has none.
        assert ("SIMULATED" in text) is (folder == model_folder)
    assert "Atrial fibrillation" in text
    assert "6 labels (2 positive)" in text


def test_a_card_of_real_ecgs_does_not_say_simulated(tmp_path: Path, encoder_config: EncoderConfig, seen: Seen) -> None:
    pretraining = encoder_config.pretraining
    assert pretraining
    real = pretraining.cohort.model_copy(update={"simulated": False})
    config = encoder_config.model_copy(update={"pretraining": pretraining.model_copy(update={"cohort": real})})
    text = (save_encoder(tmp_path / "e", trained(), config, seen=seen) / "README.md").read_text()
    assert "simulated patients" not in text.lower()
    assert "not a medical device" in text


def test_real_labels_on_a_simulated_encoder_are_not_called_simulated(
    tmp_path: Path, model_config: ModelConfig, seen: Seen
) -> None:
    tuned = model_config.finetuning
    real = tuned.model_copy(update={"cohort": tuned.cohort.model_copy(update={"simulated": False})})
    config = model_config.model_copy(update={"finetuning": real})
    text = (save_model(tmp_path / "m", TaskModel(trained()), config, seen=seen) / "README.md").read_text()
    assert "SIMULATED" not in text
    assert "Encoder pretrained on simulated patients." in text
    assert not config.labels_simulated and config.encoder.simulated


def test_names_in_a_card_are_text(tmp_path: Path, model_config: ModelConfig, seen: Seen) -> None:
    task = dataclasses.replace(model_config.only.task, title="<script>alert(1)</script> # Cured")
    tuned = model_config.finetuning
    named = tuned.model_copy(update={"cohort": tuned.cohort.model_copy(update={"name": "[x](http://y) <b>|</b>"})})
    config = model_config.model_copy(
        update={"heads": (model_config.only.model_copy(update={"task": task}),), "finetuning": named}
    )
    text = (save_model(tmp_path / "m", TaskModel(trained()), config, seen=seen) / "README.md").read_text()
    assert not re.search(r"<[A-Za-z/!?]", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "# Cured" not in text.splitlines()


def test_the_sample_sheet_is_the_simulated_sample(encoder_folder: Path) -> None:
    loaded = load_encoder(encoder_folder)
    sheet = cv2.imread(str(encoder_folder / "sample_sheet.png"), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(sheet, loaded.draw(sample_leads(), SAMPLE_RATE))
    assert loaded.config.sample
    np.testing.assert_allclose(embed_images(loaded, sheet[None])[0, :8], loaded.config.sample.expected, rtol=1e-5)


def test_writing_twice_gives_the_same_bytes(tmp_path: Path, encoder_config: EncoderConfig, cohort: Cohort) -> None:
    folders = [save_encoder(tmp_path / n, trained(), encoder_config, seen=Seen.of(cohort)) for n in "ab"]
    for name in (*CHECKED_FILES, "CHECKSUMS"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_an_old_folder_is_replaced_and_other_folders_are_left_alone(
    tmp_path: Path, encoder_folder: Path, encoder_config: EncoderConfig, seen: Seen, cohort: Cohort
) -> None:
    save_encoder(encoder_folder, trained(seed=8), encoder_config, seen=Seen.of(cohort))
    assert torch.equal(next(load_encoder(encoder_folder).encoder.parameters()), next(trained(seed=8).parameters()))
    other = tmp_path / "holiday"
    other.mkdir()
    (other / "photo.jpg").write_bytes(b"x")
    with pytest.raises(HeartprintError) as error:
        save_encoder(other, trained(), encoder_config, seen=seen)
    assert error.value.code == "output-not-a-model"
    assert [p.name for p in other.iterdir()] == ["photo.jpg"]


def test_a_failing_write_leaves_the_old_folder(
    encoder_folder: Path, encoder_config: EncoderConfig, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    import safetensors.numpy

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = (encoder_folder / "CHECKSUMS").read_bytes()
    monkeypatch.setattr(safetensors.numpy, "save_file", full)
    with pytest.raises(HeartprintError) as error:
        save_encoder(encoder_folder, trained(seed=8), encoder_config, seen=seen)
    assert error.value.code == "disk-full"
    assert (encoder_folder / "CHECKSUMS").read_bytes() == before
    load_encoder(encoder_folder, verify=True)
    assert [p.name for p in encoder_folder.parent.iterdir()] == ["encoder"]


def test_weights_that_are_no_numbers_are_not_saved(tmp_path: Path, encoder_config: EncoderConfig, seen: Seen) -> None:
    encoder = trained()
    with torch.no_grad():
        next(encoder.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(HeartprintError) as error:
        save_encoder(tmp_path / "e", encoder, encoder_config, seen=seen)
    assert error.value.code == "not-finite"
    assert not (tmp_path / "e").exists()


def test_a_configuration_of_another_encoder_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="another encoder"):
        save_encoder(tmp_path / "e", trained(), EncoderConfig.new("efficientnet_b3"))


# -- broken folders ---------------------------------------------------------------------------------------------


def code_of(folder: Path, load: Callable[..., object] = load_encoder, *, verify: bool = False) -> str:
    with pytest.raises(HeartprintError) as error:
        load(folder, verify=verify)
    assert str(folder) in error.value.message
    assert error.value.message.count("\n") == 0
    return error.value.code


def test_missing_and_foreign_folders(tmp_path: Path) -> None:
    assert code_of(tmp_path / "nothing") == "model-missing"
    (tmp_path / "empty").mkdir()
    assert code_of(tmp_path / "empty") == "not-a-model"
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for content in ('{"hidden_size": 768}', "[1, 2]"):
        (foreign / "config.json").write_text(content)
        (foreign / "model.safetensors").write_bytes(b"")
        assert code_of(foreign) == "not-a-model"
    (foreign / "config.json").write_bytes(b"\xff\xfe{")
    assert code_of(foreign) == "model-damaged"


@pytest.mark.parametrize("name", [*CHECKED_FILES, "CHECKSUMS"])
def test_any_missing_file_is_named(encoder_folder: Path, name: str) -> None:
    (encoder_folder / name).unlink()
    with pytest.raises(HeartprintError, match=name) as error:
        load_encoder(encoder_folder)
    assert error.value.code == "model-incomplete"


@pytest.mark.parametrize("name", CHECKED_FILES)
@pytest.mark.parametrize("load", [load_encoder, load_model])
def test_one_changed_byte_anywhere_is_found(model_folder: Path, name: str, load: Callable[..., object]) -> None:
    content = bytearray((model_folder / name).read_bytes())
    at = content.rindex(b"6") if name == "config.json" else len(content) // 2
    content[at] ^= 1
    (model_folder / name).write_bytes(content)
    assert code_of(model_folder, load) == "model-damaged"


def test_a_cut_file_is_found(encoder_folder: Path) -> None:
    content = (encoder_folder / "model.safetensors").read_bytes()
    (encoder_folder / "model.safetensors").write_bytes(content[:-10])
    assert code_of(encoder_folder) == "model-damaged"
    resign(encoder_folder)
    assert code_of(encoder_folder) == "model-damaged"  # config.json names other weights
    edit_config(encoder_folder, lambda raw: raw.update(weights_sha256=hashlib.sha256(content[:-10]).hexdigest()))
    assert code_of(encoder_folder) == "model-damaged"  # and the file is no safetensors file


def test_other_weights_with_right_checksums_are_found(tmp_path: Path, encoder_folder: Path) -> None:
    other = save_encoder(tmp_path / "b3", build_encoder("efficientnet_b3"), EncoderConfig.new("efficientnet_b3"))
    shutil.copy(other / "model.safetensors", encoder_folder)
    sha256 = hashlib.sha256((other / "model.safetensors").read_bytes()).hexdigest()
    edit_config(encoder_folder, lambda raw: raw.update(weights_sha256=sha256))
    assert code_of(encoder_folder) == "model-damaged"


@pytest.mark.parametrize("version", [0, 1, 3, "2", 2.0, True, None])
def test_another_version_is_refused_not_guessed(encoder_folder: Path, version: object) -> None:
    edit_config(encoder_folder, lambda raw: raw.update(format_version=version))
    (encoder_folder / "seen.safetensors").unlink()  # other versions may have other files
    assert code_of(encoder_folder) == "model-version"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda raw: raw.update(kind="segmenter"), "not-a-model"),
        (lambda raw: raw.update(kind=["encoder"]), "not-a-model"),
        (lambda raw: raw.update(surprise=1), "model-damaged"),
        (lambda raw: raw["page_to_tensor"].pop("image_size"), "model-damaged"),
        (lambda raw: raw["page_to_tensor"].update(image_size="big"), "model-damaged"),
        (lambda raw: raw.update(image_size=64), "model-damaged"),
        (lambda raw: raw["page_to_tensor"].update(std=0.0), "model-damaged"),
    ],
)
def test_a_strange_configuration_is_refused(encoder_folder: Path, change: Callable[[dict], None], code: str) -> None:
    edit_config(encoder_folder, change)
    assert code_of(encoder_folder) == code


def test_an_unknown_backbone_in_a_folder_is_named(encoder_folder: Path) -> None:
    edit_config(encoder_folder, lambda raw: raw.update(backbone="smal"))
    with pytest.raises(HeartprintError, match="small") as error:
        load_encoder(encoder_folder)
    assert error.value.code == "unknown-backbone"


def test_an_encoder_is_no_model(encoder_folder: Path) -> None:
    with pytest.raises(HeartprintError, match="finetune") as error:
        load_model(encoder_folder)
    assert error.value.code == "not-a-model"


@pytest.mark.parametrize("kind", ["encoder", "model"])
def test_verify_notices_a_network_that_reads_differently(kind: str, encoder_folder: Path, model_folder: Path) -> None:
    folder, load = {"encoder": (encoder_folder, load_encoder), "model": (model_folder, load_model)}[kind]
    sheet = cv2.imread(str(folder / "sample_sheet.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(folder / "sample_sheet.png"), np.roll(sheet, 5, axis=1) // 2)
    resign(folder)
    load(folder)
    assert code_of(folder, load, verify=True) == "sample-differs"
    (folder / "sample_sheet.png").write_bytes(b"no image")
    resign(folder)
    assert code_of(folder, load, verify=True) == "model-damaged"
