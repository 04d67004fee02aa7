"""The encoder: a backbone from the registry with pooling, and how one is made."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import nn

from heartprint.encoders.networks.registry import get_backbone
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator

Weights = Literal["random", "imagenet"]


class Encoder(nn.Module):
    """Images to embeddings: ``(B, channels, S, S)`` float32 -> ``(B, embedding_dim)``.

    In eval mode the embedding of an image does not depend on the other images of its batch.

    Args:
        backbone: Name in `BACKBONES`.

    Attributes:
        backbone: Name in `BACKBONES`.
        embedding_dim: Length D of the embedding.
        channels: Channels of the input.
        network: The backbone itself.
    """

    def __init__(self, backbone: str) -> None:
        super().__init__()
        spec = get_backbone(backbone)
        self.backbone = backbone
        self.embedding_dim = spec.embedding_dim
        self.channels = spec.channels
        # Channels-last is worth a factor of 1.4 to 2 for these networks on a CPU.
        self.network = spec.build().to(memory_format=torch.channels_last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embed a batch: ``(B, channels, S, S)`` float32 as `PageToTensor` makes it -> ``(B, embedding_dim)``."""
        return cast(torch.Tensor, self.network(x.contiguous(memory_format=torch.channels_last)))


def build_encoder(backbone: str, *, weights: Weights = "random", seed: int = 0) -> Encoder:
    """Make an encoder.

    Args:
        backbone: Name in `BACKBONES`.
        weights: ``random`` draws them by ``seed``; ``imagenet`` takes the weights of an installed package.
        seed: Seed of the random weights; the global state of torch's generators is left alone.

    Returns:
        An encoder in training mode.

    Raises:
        HeartprintError: ``unknown-backbone``; ``no-offline-weights`` if there are no ImageNet weights for it;
            ``weights-missing`` or ``weights-damaged`` if the package's file is not there or not the right one.
    """
    spec = get_backbone(backbone)
    if weights == "imagenet" and not spec.offline_weights:
        from heartprint.encoders.networks.registry import BACKBONES

        have = ", ".join(name for name, other in BACKBONES.items() if other.offline_weights)
        raise HeartprintError(
            "no-offline-weights",
            f"There are no ImageNet weights for backbone '{backbone}' in any installed package, and Heartprint "
            f"downloads none. Use --init random, or a backbone that has them ({have}).",
        )
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed: that would also reseed the generators of every GPU, which are not forked here.
        torch.default_generator.manual_seed(int(generator(seed, f"weights of {backbone}").integers(2**63)))
        encoder = Encoder(backbone)
    if weights == "imagenet":
        from heartprint.encoders.networks.imagenet import lite0_state

        encoder.network.load_state_dict(lite0_state(with_classifier=False), strict=True)
    return encoder
