"""What full fine-tuning trains: encoder, standardisation, linear head."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
import torch
from torch import nn

from heartprint.encoders import Encoder, LoadedEncoder
from heartprint.foundation.arrays import Float64Array, Images
from heartprint.metrics.probe import LinearProbe

_RELATIVE_EPS = 1e-7
"""Smallest variance of a feature that still counts, relative to the median feature."""


class Network(nn.Module):
    """Images to logits: ``(B, channels, S, S)`` float32 -> ``(B,)``, starting as a linear probe.

    The head reads standardised embeddings, as the probe does. Embeddings of different ECGs often differ by a hundredth
    of their size; a head for them as they are needs weights so large that the first step of the encoder throws every
    logit far off.

    Args:
        encoder: The encoder; shared, not copied.
        probe: Linear rule to start from.
        slope: Factor from the probe's scores to logits.
    """

    def __init__(self, encoder: Encoder, probe: LinearProbe, slope: float) -> None:
        super().__init__()
        self.encoder = encoder
        # A constant feature has an infinite scale and no weight; any finite scale does.
        variance = np.where(np.isfinite(probe.scale), probe.scale, 1.0) ** 2
        eps = _RELATIVE_EPS * float(np.median(variance))
        self.standardise = nn.BatchNorm1d(encoder.embedding_dim, eps=eps, affine=False)
        self.head = nn.Linear(encoder.embedding_dim, 1)
        kept = np.maximum(variance - eps, 0)
        # A nearly constant feature is standardised less than in the probe; its weight makes up for it.
        weights = slope * probe.weights * np.sqrt((kept + eps) / variance)
        with torch.no_grad():
            cast(torch.Tensor, self.standardise.running_mean).copy_(torch.from_numpy(probe.mean))
            cast(torch.Tensor, self.standardise.running_var).copy_(torch.from_numpy(kept))
            self.head.weight.copy_(torch.from_numpy(weights)[None])
            self.head.bias.fill_(slope * probe.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score a batch: ``(B, channels, S, S)`` float32 -> ``(B,)`` logits."""
        logits: torch.Tensor = self.head(self.standardise(self.encoder(x)))
        return logits.squeeze(1)

    def rule(self) -> tuple[Float64Array, float]:
        """Weights ``(D,)`` and bias of the head for embeddings as they are."""
        mean = _numbers(self.standardise.running_mean)
        scale = np.sqrt(_numbers(self.standardise.running_var) + self.standardise.eps)
        weights = _numbers(self.head.weight)[0] / scale
        return weights, float(_numbers(self.head.bias)[0] - weights @ mean)


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
