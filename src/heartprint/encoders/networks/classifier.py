"""An encoder with linear heads: what answers tasks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from heartprint.encoders.networks.encoder import Encoder


class TaskModel(nn.Module):
    """Images to logits or numbers: ``(B, channels, S, S)`` float32 -> ``(B,)``, or ``(B, H)`` of several heads.

    Args:
        encoder: The encoder; shared, not copied.
        n_heads: Heads.

    Attributes:
        encoder: The encoder.
        head: Linear layer from D features to a number per head, zero at first, so that every ECG starts at even odds.
    """

    def __init__(self, encoder: Encoder, n_heads: int = 1) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.embedding_dim, n_heads)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @classmethod
    def from_linear(cls, encoder: Encoder, weights: npt.NDArray[np.floating], bias: npt.ArrayLike) -> TaskModel:
        """Put linear rules on an encoder: logit = embedding @ ``weights`` (D,) + ``bias``; ``(H, D)`` are H rules.

        A rule for standardised features ``(x - mean) / scale`` becomes one for plain features with
        ``weights / scale`` and ``bias - (mean / scale) @ weights``.
        """
        rules = np.atleast_2d(np.asarray(weights, dtype=np.float32))
        model = cls(encoder, len(rules))
        with torch.no_grad():
            model.head.weight.copy_(torch.from_numpy(rules))
            model.head.bias.copy_(torch.from_numpy(np.atleast_1d(np.asarray(bias, dtype=np.float32))))
        return model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score a batch: ``(B, channels, S, S)`` float32 -> ``(B,)``, or ``(B, H)`` of several heads."""
        outputs: torch.Tensor = self.head(self.encoder(x))
        return outputs.squeeze(1)
