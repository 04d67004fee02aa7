"""The registry of backbones: what each is, what it wants to see, and whether it has weights offline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heartprint.encoders.page_to_tensor import PageToTensor
from heartprint.foundation.errors import unknown_name

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class BackboneSpec:
    """What is known about a backbone before it is built.

    Args:
        name: Name on the command line and in configurations.
        description: One line for people.
        image_size: Default side of its input in px.
        embedding_dim: Length D of the embedding.
        channels: Channels of its input; 3 means that the grey page is repeated.
        mean: See `PageToTensor`.
        std: See `PageToTensor`.
        white: See `PageToTensor`.
        offline_weights: Whether ImageNet weights come with an installed package.
        build: Makes the network ``(B, channels, S, S) -> (B, D)`` with random weights.
    """

    name: str
    description: str
    image_size: int
    embedding_dim: int
    channels: int
    mean: float
    std: float
    white: float = field(default=1.0, kw_only=True)
    offline_weights: bool
    build: Callable[[], nn.Module]

    def page_to_tensor(self, image_size: int | None = None) -> PageToTensor:
        """The input step of this backbone at an image size in px (default: its own)."""
        size = self.image_size if image_size is None else image_size
        return PageToTensor(size, self.channels, self.mean, self.std, self.white)


def get_backbone(name: str) -> BackboneSpec:
    """Look a backbone up.

    Raises:
        HeartprintError: ``unknown-backbone``, naming the nearest known one.
    """
    if name not in BACKBONES:
        raise unknown_name("backbone", name, BACKBONES)
    return BACKBONES[name]


def _small() -> nn.Module:
    from heartprint.encoders.small import SmallNet

    return SmallNet()


def _timm(name: str, channels: int) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import timm

        # Never pretrained=True: that would reach for the internet, and for weights nobody has pinned.
        network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, in_chans=channels)
        return network

    return build


BACKBONES: dict[str, BackboneSpec] = {
    spec.name: spec
    for spec in (
        BackboneSpec(
            name="small",
            description="compact CNN of our own, for CPUs",
            image_size=128,
            embedding_dim=256,
            channels=1,
            mean=0.86,
            std=0.1,
            white=0.86,
            offline_weights=False,
            build=_small,
        ),
        BackboneSpec(
            name="efficientnet_lite0",
            description="EfficientNet-Lite0 (Liu 2020), real ImageNet weights offline",
            image_size=224,
            embedding_dim=1280,
            channels=3,
            mean=127 / 255,
            std=128 / 255,
            offline_weights=True,
            build=_timm("tf_efficientnet_lite0", 3),
        ),
        BackboneSpec(
            name="efficientnet_b3",
            description="EfficientNet-B3 (Tan & Le 2019), the paper's backbone, for GPUs",
            image_size=300,
            embedding_dim=1536,
            channels=1,
            mean=1.0,
            std=0.25,
            offline_weights=False,
            build=_timm("efficientnet_b3", 1),
        ),
    )
}
"""Every backbone Heartprint can build."""
