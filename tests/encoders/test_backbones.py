from __future__ import annotations

import socket

import numpy as np
import pytest
import torch

from heartprint import HeartprintError
from heartprint.encoders import BACKBONES, build_encoder, get_backbone

OF_TIMM = ("timm/resnet18", "timm/convnext_femto", "timm/resnet18:colour")
ALL = [*BACKBONES, *OF_TIMM]
SIZE = 64


def pages(n: int, channels: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, channels, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ALL)
def test_conforms(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("a backbone reached for the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    spec = get_backbone(name)
    encoder = build_encoder(name, seed=1)
    assert encoder.training
    assert (encoder.backbone, encoder.embedding_dim, encoder.channels) == (name, spec.embedding_dim, spec.channels)
    x = pages(3, spec.channels)
    z = encoder(x)
    assert z.shape == (3, spec.embedding_dim)
    z.square().mean().backward()
    lacking = [n for n, p in encoder.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not lacking

    encoder.eval()
    with torch.inference_mode():
        one = encoder(x)
        torch.testing.assert_close(encoder(x), one, rtol=0, atol=0)
        scale = float(one.abs().max())
        assert scale > 0
        beside_others = encoder(torch.cat([pages(4, spec.channels, seed=9) * 5, x[:1]]))[-1]
        torch.testing.assert_close(beside_others, one[0], rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("name", ALL)
def test_weights_follow_from_the_seed_and_leave_global_randomness_alone(name: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = build_encoder(name, seed=0).state_dict()
    torch.rand(3)
    again = build_encoder(name, seed=0).state_dict()
    other = build_encoder(name, seed=1).state_dict()
    assert all(torch.equal(one[k], again[k]) for k in one)
    assert any(not torch.equal(one[k], other[k]) for k in one)
    torch.manual_seed(5)
    build_encoder(name, seed=7)
    assert torch.equal(torch.get_rng_state(), before)


def test_backbones_do_not_share_weights_by_sharing_a_seed() -> None:
    states = [build_encoder(name, seed=0).state_dict() for name in ("small", "efficientnet_b3")]
    firsts = [next(v for v in s.values() if v.ndim == 4).flatten()[:9] for s in states]
    assert not torch.allclose(firsts[0] / firsts[0].std(), firsts[1] / firsts[1].std())


def test_unknown_backbone_names_the_nearest() -> None:
    with pytest.raises(HeartprintError, match="efficientnet_b3") as error:
        build_encoder("efficientnet-b3")
    assert error.value.code == "unknown-backbone"


@pytest.mark.parametrize("name", [n for n in ALL if not get_backbone(n).offline_weights])
def test_no_imagenet_without_offline_weights(name: str) -> None:
    with pytest.raises(HeartprintError, match="efficientnet_lite0") as error:
        build_encoder(name, weights="imagenet")
    assert error.value.code == "no-offline-weights"


def test_small_learns_to_tell_rhythms_apart() -> None:
    """Evenly against unevenly spaced strokes, same number: what AF is on paper. Chance is 0.5."""
    rng = np.random.default_rng(0)
    spec = get_backbone("small")
    size = 64
    step = spec.page_to_tensor(size)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        sheets = np.full((n, size, size), 255, np.uint8)
        labels = rng.integers(0, 2, n)
        for sheet, uneven in zip(sheets, labels, strict=True):
            at = np.linspace(4, size - 6, 8) + rng.uniform(-2, 2)
            if uneven:
                at = at + rng.uniform(-3.5, 3.5, at.size)
            for x in np.clip(np.round(at), 0, size - 1).astype(int):
                sheet[size // 3 : 2 * size // 3, x] = 60
        return sheets, labels

    torch.manual_seed(0)
    encoder = build_encoder("small")
    # Few steps: the running statistics must follow quickly.
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.3
    head = torch.nn.Linear(spec.embedding_dim, 1)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=2e-3)
    for _ in range(20):
        sheets, labels = draw(32)
        logits = head(encoder(step(sheets))).squeeze(1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(labels).float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    encoder.eval()
    sheets, labels = draw(200)
    with torch.inference_mode():
        right = (head(encoder(step(sheets))).squeeze(1) > 0).numpy() == (labels == 1)
    assert right.mean() > 0.85


@pytest.mark.parametrize(
    ("name", "size", "width", "fixed"),
    [
        ("timm/resnet18", 224, 512, False),
        ("timm/convnext_femto", 224, 384, False),
        ("timm/vit_tiny_patch16_224", 224, 192, True),
        ("timm/efficientnet_b3", 288, 1536, False),
    ],
)
def test_what_a_network_of_timm_is_is_found_out(name: str, size: int, width: int, fixed: bool) -> None:
    spec = get_backbone(name)
    assert (spec.image_size, spec.embedding_dim, spec.fixed_size, spec.channels) == (size, width, fixed, 1)
    assert 0 < spec.mean < 1 and 0 < spec.std < 1
    assert get_backbone(name) is spec
    if fixed:
        with pytest.raises(HeartprintError, match=f"{size} px only, not 128") as error:
            spec.page_to_tensor(128)
        assert error.value.code == "bad-image-size"
    else:
        assert spec.page_to_tensor(128).image_size == 128


@pytest.mark.parametrize(
    "name",
    [
        "timm/resnet81",
        "timm/",
        "timm/../../etc/passwd",
        "timm/hf-hub:someone/model",
        "timm/local-dir:x",
        "timm/RESNET18",
    ],
)
def test_only_names_of_timm_are_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("a name reached for the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    with pytest.raises(HeartprintError) as error:
        get_backbone(name)
    assert error.value.code == "unknown-backbone" and len(error.value.message) < 400
    if name == "timm/resnet81":
        assert "resnet18" in error.value.message


def test_a_network_without_a_vector_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    class Maps(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    monkeypatch.setattr(timm, "create_model", lambda *_, **__: Maps())
    with pytest.raises(HeartprintError, match="no vector") as error:
        get_backbone("timm/resnet10t")
    assert error.value.code == "unusable-backbone"


def test_a_network_of_three_channels_says_so() -> None:
    with pytest.raises(HeartprintError, match="timm/csatv2:colour") as error:
        get_backbone("timm/csatv2")
    assert error.value.code == "unusable-backbone"
    assert get_backbone("timm/csatv2:colour").channels == 3
