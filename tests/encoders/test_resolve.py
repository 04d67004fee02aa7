from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from heartprint import HeartprintError
from heartprint.encoders import (
    EncoderConfig,
    ModelConfig,
    Seen,
    TaskModel,
    build_encoder,
    embed_images,
    resolve_encoder,
    save_encoder,
    save_model,
)


def test_run_encoder_and_model_folders_give_the_same_encoder(
    tmp_path: Path, encoder_config: EncoderConfig, seen: Seen, model_config: ModelConfig
) -> None:
    encoder = build_encoder("small", seed=4)
    save_encoder(tmp_path / "run" / "encoder", encoder, encoder_config, seen=seen)
    save_model(tmp_path / "model", TaskModel(encoder), model_config, seen=seen)
    pages = np.random.default_rng(0).integers(0, 256, (2, 64, 64), dtype=np.uint8)
    found = [resolve_encoder(tmp_path / p) for p in ("run", "run/encoder", "model")]
    for one in found:
        np.testing.assert_array_equal(embed_images(one, pages), embed_images(found[0], pages))
        assert one.config.backbone == "small"
        assert not one.encoder.training
    assert resolve_encoder(str(tmp_path / "run"), backbone="small", image_size=64).config.image_size == 64


@pytest.mark.parametrize("wish", [{"backbone": "efficientnet_b3"}, {"image_size": 96}])
def test_a_folder_with_another_encoder_than_asked_for(
    tmp_path: Path, encoder_config: EncoderConfig, seen: Seen, wish: dict[str, object]
) -> None:
    save_encoder(tmp_path / "run" / "encoder", build_encoder("small"), encoder_config, seen=seen)
    with pytest.raises(HeartprintError, match=r"small|64") as error:
        resolve_encoder(tmp_path / "run", **wish)  # type: ignore[arg-type]
    assert error.value.code == "encoder-mismatch"


def test_random() -> None:
    loaded = resolve_encoder("random", seed=2)
    assert loaded.config.backbone == "small"
    assert not loaded.encoder.training
    assert not loaded.seen
    same = build_encoder("small", seed=2)
    assert all(torch.equal(a, b) for a, b in zip(loaded.encoder.parameters(), same.parameters(), strict=True))
    other = resolve_encoder("random", backbone="efficientnet_lite0", image_size=96)
    assert (other.config.backbone, other.page_to_tensor.image_size) == ("efficientnet_lite0", 96)
    assert other.config.initial_weights == "random"


def test_imagenet() -> None:
    loaded = resolve_encoder("imagenet")
    assert (loaded.config.backbone, loaded.config.image_size) == ("efficientnet_lite0", 224)
    assert loaded.config.initial_weights == "imagenet"
    with pytest.raises(HeartprintError) as error:
        resolve_encoder("imagenet", backbone="small")
    assert error.value.code == "no-offline-weights"


def test_unknown_names_list_what_is_understood(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in (str(tmp_path / "nowhere"), "imagnet", str(tmp_path / "run")):
        with pytest.raises(HeartprintError) as error:
            resolve_encoder(name)
        assert error.value.code == "unknown-encoder"
        for understood in ("run", "encoder folder", "model folder", "imagenet", "random"):
            assert understood in error.value.message
