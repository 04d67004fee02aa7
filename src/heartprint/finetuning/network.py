"""What full fine-tuning trains: encoder, standardisation, linear heads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from heartprint.encoders import Encoder, LoadedEncoder
from heartprint.foundation.arrays import Float64Array, Images
from heartprint.metrics.probe import LinearProbe
from heartprint.metrics.ridge import standardisation

_RELATIVE_EPS = 1e-7
"""Smallest variance of a feature that still counts, relative to the median feature."""


class Network(nn.Module):
    """Images to logits or numbers: ``(B, channels, S, S)`` float32 -> ``(B, H)``, starting as linear probes.

    The heads read standardised embeddings, as the probe does. Embeddings of different ECGs often differ by a hundredth
    of their size; a head for them as they are needs weights so large that the first step of the encoder throws every
    logit far off.

    Args:
        encoder: The encoder; shared, not copied.
        probes: Linear rules to start from, of the same standardised features (see `alike`).
        slopes: Factor from each probe's scores to what its head gives.
    """

    def __init__(self, encoder: Encoder, probes: Sequence[LinearProbe], slopes: Sequence[float]) -> None:
        super().__init__()
        self.encoder = encoder
        probe = probes[0]
        # A constant feature has an infinite scale and no weight; any finite scale does.
        variance = np.where(np.isfinite(probe.scale), probe.scale, 1.0) ** 2
        eps = _RELATIVE_EPS * float(np.median(variance))
        self.standardise = nn.BatchNorm1d(encoder.embedding_dim, eps=eps, affine=False)
        self.head = nn.Linear(encoder.embedding_dim, len(probes))
        kept = np.maximum(variance - eps, 0)
        # A nearly constant feature is standardised less than in the probe; its weight makes up for it.
        weights = np.stack(
            [s * p.weights * np.sqrt((kept + eps) / variance) for s, p in zip(slopes, probes, strict=True)]
        )
        with torch.no_grad():
            cast(torch.Tensor, self.standardise.running_mean).copy_(torch.from_numpy(probe.mean))
            cast(torch.Tensor, self.standardise.running_var).copy_(torch.from_numpy(kept))
            self.head.weight.copy_(torch.from_numpy(weights))
            self.head.bias.copy_(torch.tensor([s * p.bias for s, p in zip(slopes, probes, strict=True)]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score a batch: ``(B, channels, S, S)`` float32 -> ``(B, H)``."""
        outputs: torch.Tensor = self.head(self.standardise(self.encoder(x)))
        return outputs

    def rules(self) -> tuple[Float64Array, Float64Array]:
        """Weights ``(H, D)`` and biases ``(H,)`` of the heads for embeddings as they are."""
        mean = _numbers(self.standardise.running_mean)
        scale = np.sqrt(_numbers(self.standardise.running_var) + self.standardise.eps)
        weights = _numbers(self.head.weight) / scale
        return weights, np.array([b - w @ mean for w, b in zip(weights, _numbers(self.head.bias), strict=True)])


def alike(probes: Sequence[LinearProbe], embedding: npt.NDArray[np.floating]) -> list[LinearProbe]:
    """The same rules for features standardised alike: a single probe as it is, several by all embeddings ``(n, d)``."""
    if len(probes) == 1:
        return list(probes)
    features = embedding.astype(np.float64)
    mean, scale = standardisation(features, np.ones(len(features)))
    rules = [probe.raw() for probe in probes]
    return [
        replace(
            probe,
            mean=mean,
            scale=scale,
            weights=np.where(np.isfinite(scale), weights * np.where(np.isfinite(scale), scale, 1.0), 0.0),
            bias=float(bias + weights @ mean),
        )
        for probe, (weights, bias) in zip(probes, rules, strict=True)
    ]


def settle(loaded: LoadedEncoder, images: Iterable[Images]) -> None:
    """Take the statistics of batch normalisation anew from images of the task; no weight changes.

    Random or photographic encoders carry statistics of other images, with which the frozen encoder and the training
    encoder are two different networks (Li et al. 2017, adaptive batch normalisation).

    Args:
        loaded: The encoder; changed.
        images: Batches ``(b, S, S)`` uint8.
    """
    encoder = loaded.encoder
    layers = [m for m in encoder.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not layers:
        return
    device = next(encoder.parameters()).device
    momenta = [layer.momentum for layer in layers]
    training = encoder.training
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over batches
    encoder.eval()
    for layer in layers:
        layer.train()
    try:
        with torch.no_grad():
            for batch in images:
                encoder(loaded.page_to_tensor(batch, device=device))
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        encoder.train(training)


def _numbers(tensor: torch.Tensor | None) -> Float64Array:
    assert tensor is not None
    return tensor.detach().cpu().numpy().astype(np.float64)
