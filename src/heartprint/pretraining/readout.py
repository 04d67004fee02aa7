"""What reads measurements off an embedding: one linear layer, kept beside the run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from heartprint.encoders.bundle.tensor_file import read_header
from heartprint.foundation.bounded import parse_json
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path

READOUT_FILE = "readout.safetensors"
_MAX_BYTES = 2**26


class Readout(nn.Module):
    """Standardise an embedding by its batch, then one linear layer: ``(B, D)`` -> ``(B, k)``.

    Linear, so that what it learns to read lies openly in the embedding, where a linear probe finds it too.

    Args:
        inputs: D.
        names: ``(k,)`` names of what is read (see `Targets`).
        parts: Numbers of consecutive names that are averaged together (see `Targets`).
    """

    def __init__(self, inputs: int, names: tuple[str, ...], parts: tuple[int, ...]) -> None:
        super().__init__()
        self.names = names
        self.parts = parts
        self.standardise = nn.BatchNorm1d(inputs, affine=False)
        self.linear = nn.Linear(inputs, len(names))

    def forward(self, embedding: Tensor) -> Tensor:
        """Read ``(B, D)`` -> ``(B, k)``, each column about standard normal over the training cohort."""
        out: Tensor = self.linear(self.standardise(embedding))
        return out

    def error(self, embedding: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """How far the reading is off, NaN targets left out.

        Args:
            embedding: ``(B, D)``.
            targets: ``(B, k)``.

        Returns:
            The loss: Huber's (1964) with its corner at 1, averaged over each part, and the parts summed. And the mean
            squared error of all numbers, about 1 for who guesses the mean.
        """
        with torch.autocast(embedding.device.type, enabled=False):
            read = self(embedding.to(torch.promote_types(embedding.dtype, torch.float32)))
        known = ~torch.isnan(targets)
        aim = torch.nan_to_num(targets)
        off = nn.functional.smooth_l1_loss(read, aim, reduction="none") * known
        parts = zip(torch.split(off, list(self.parts), 1), torch.split(known, list(self.parts), 1), strict=True)
        loss = torch.stack([o.sum() / k.sum().clamp(min=1) for o, k in parts]).sum()
        with torch.no_grad():
            squared = ((read - aim) ** 2 * known).sum() / known.sum().clamp(min=1)
        return loss, squared

    def save(self, path: Path) -> None:
        """Write it as safetensors, whole or not at all."""
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        # One entry: safetensors writes several in an order that changes from run to run.
        about = json.dumps({"names": self.names, "parts": self.parts})
        with atomic_path(path) as new:
            save_file(tensors, new, {"readout": about})

    @classmethod
    def load(cls, path: Path) -> Readout:
        """Read what `save` wrote; in eval mode.

        Raises:
            HeartprintError: ``readout-damaged``.
        """
        try:
            _, notes = read_header(path, _MAX_BYTES)
            about = parse_json(notes["readout"].encode())
            tensors = load_file(path)
            if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
                raise ValueError("its weights are not all finite numbers")
            readout = cls(tensors["linear.weight"].shape[1], tuple(about["names"]), tuple(about["parts"]))
            readout.load_state_dict(tensors, strict=True)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise HeartprintError(
                "readout-damaged",
                f"{path} cannot be read ({error}). Resume or repeat the pretraining run that it belongs to.",
            ) from error
        return readout.eval()

    def read(self, embedding: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Read embeddings ``(n, D)``: name to ``(n,)`` values in standard deviations of the training cohort."""
        with torch.inference_mode():
            table = self(torch.from_numpy(np.asarray(embedding, dtype=np.float32))).numpy()
        return {name: table[:, k] for k, name in enumerate(self.names)}
