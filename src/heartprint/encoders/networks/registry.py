"""Backbones: what each is, what it wants to see, and whether it has weights offline.

Three have names of their own; any other image network of timm is ``timm/NAME``.
"""

from __future__ import annotations

import contextlib
import functools
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heartprint.encoders.networks.preprocessing import PageToTensor
from heartprint.foundation.errors import HeartprintError, unknown_name

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
        channels: Channels of its input; 3 means that the grey image is repeated.
        mean: See `PageToTensor`.
        std: See `PageToTensor`.
        white: See `PageToTensor`.
        fixed_size: Whether it reads images of that size alone.
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
    fixed_size: bool = field(default=False, kw_only=True)
    offline_weights: bool
    build: Callable[[], nn.Module]

    def page_to_tensor(self, image_size: int | None = None) -> PageToTensor:
        """The input step of this backbone at an image size in px (default: its own).

        Raises:
            HeartprintError: ``bad-image-size`` if it is made for another size, or the size is too small.
        """
        size = self.image_size if image_size is None else image_size
        if self.fixed_size and size != self.image_size:
            raise HeartprintError(
                "bad-image-size",
                f"Backbone {self.name} reads images of {self.image_size} px only, not {size}. Omit image_size, or "
                "choose a network of convolutions.",
            )
        return PageToTensor(size, self.channels, self.mean, self.std, self.white)


def get_backbone(name: str) -> BackboneSpec:
    """Look a backbone up.

    Args:
        name: A name in `BACKBONES`, or ``timm/NAME`` for any image network of timm with random weights: its width,
            input size and normalisation are found out. Its stem reads one grey channel; ``timm/NAME:colour`` keeps
            three.

    Raises:
        HeartprintError: ``unknown-backbone``, naming the nearest known one; ``unusable-backbone`` for a network of timm
            that gives no embedding.
    """
    if name.startswith(TIMM):
        return _of_timm(name)
    if name not in BACKBONES:
        raise unknown_name("backbone", name, [*BACKBONES, f"{TIMM}NAME"])
    return BACKBONES[name]


TIMM = "timm/"
_COLOUR = ":colour"
# What stands in front of a colon would be a place to fetch a network from.
_TIMM_NAME = re.compile(r"[a-z0-9_]+", re.ASCII)


@functools.cache
def _of_timm(name: str) -> BackboneSpec:
    """Find out what a network of timm is; its weights are not made for that."""
    import timm

    bare = name.removeprefix(TIMM).removesuffix(_COLOUR)
    if not _TIMM_NAME.fullmatch(bare) or not timm.is_model(bare):
        raise unknown_name("backbone", bare[:80], timm.list_models(), few=True)
    channels = 3 if name.endswith(_COLOUR) else 1
    about = timm.get_pretrained_cfg(bare)
    size = int(about.input_size[-1]) if about else 224
    mean, std = ((0.5,), (0.5,)) if about is None else (about.mean, about.std)
    try:
        width = _width(bare, channels, size)
    except _UNUSABLE as error:
        said = f"timm's {bare} cannot be used as a backbone ({str(error).partition(chr(10))[0][:160]}). "
        said += "Choose one that pools its features to one vector an image, such as timm/resnet18."
        if channels == 1:
            with contextlib.suppress(*_UNUSABLE):
                _width(bare, 3, size)
                said = f"timm's {bare} reads three channels only. Give {TIMM}{bare}{_COLOUR}: the grey is repeated."
        raise HeartprintError("unusable-backbone", said) from error
    return BackboneSpec(
        name=name,
        description=f"{bare} of timm, with random weights",
        image_size=size,
        embedding_dim=width,
        channels=channels,
        # Grey stands for all three colours.
        mean=round(sum(mean) / len(mean), 6),
        std=round(sum(std) / len(std), 6),
        fixed_size=bool(about.fixed_input_size) if about else False,
        offline_weights=False,
        build=_timm(bare, channels),
    )


_UNUSABLE = (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError)
"""What a network of timm raises that cannot be built, or cannot read a sheet."""


def _width(name: str, channels: int, size: int) -> int:
    """Length of the embedding of a network of timm; one of `_UNUSABLE` if it gives none."""
    import torch

    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        embedding = _timm(name, channels)().eval()(torch.empty(2, channels, size, size))
    if not isinstance(embedding, torch.Tensor) or embedding.ndim != 2:
        raise TypeError("it gives no vector for an image")
    return int(embedding.shape[1])


def _small() -> nn.Module:
    from heartprint.encoders.networks.small import SmallNet

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
