"""An encoder with a linear head: what answers a task."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from heartprint.encoders.networks.encoder import Encoder


class TaskModel(nn.Module):
    """Images to logits: ``(B, channels, S, S)`` float32 -> ``(B,)``.

    Args:
        encoder: The encoder; shared, not copied.

    Attributes:
        encoder: The encoder.
        head: Linear layer from D features to one logit, zero at first, so that every ECG starts at even odds.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.embedding_dim, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @classmethod
    def from_linear(cls, encoder: Encoder, weights: npt.NDArray[np.floating], bias: float) -> TaskModel:
        """Put a linear rule on an encoder: logit = embedding @ ``weights`` (D,) + ``bias``.

        A rule for standardised features ``(x - mean) / scale`` becomes one for plain features with
        ``weights / scale`` and ``bias - (mean / scale) @ weights``.
        """
        model = cls(encoder)
        with torch.no_grad():
            model.head.weight.copy_(torch.from_numpy(np.asarray(weights, dtype=np.float32).reshape(1, -1)))
            model.head.bias.fill_(float(bias))
        return model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score a batch: ``(B, channels, S, S)`` float32 -> ``(B,)`` logits."""
        logits: torch.Tensor = self.head(self.encoder(x))
        return logits.squeeze(1)
