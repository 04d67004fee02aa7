"""Which weights can be stored as float16."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

if TYPE_CHECKING:
    from heartprint.encoders.bundle.loaded import LoadedEncoder

TENSOR_TOLERANCE = 2.0**-10
"""Rounding to float16 moves a tensor by about 2^-12 of its size; more means that its range does not fit."""

EMBEDDING_TOLERANCE = 1e-3
"""How far rounding one tensor may move the embedding, relative to its size. All together then stay well below 1e-2."""


def halved(loaded: LoadedEncoder, sheet: npt.NDArray[np.uint8]) -> dict[str, torch.Tensor]:
    """Round an encoder's weights to float16 where that does not show.

    Vectors stay float32: they are a hundredth of the bytes, one value of theirs scales a whole channel, and a running
    variance may be larger than 65504 or so small that float16 makes it 0. So do tensors that float16 would overflow or
    flatten, and those whose rounding moves the embedding of a sheet: where white paper is far from 0, early layers
    subtract one large number from another, and the rounding of a thousandth grows to several per cent.

    Args:
        loaded: The encoder, on the CPU and in eval mode; as it was, afterwards.
        sheet: ``(S, S)`` uint8, the sheet to measure with.

    Returns:
        Its state: contiguous float16 tensors where possible.
    """
    state = {name: value.clone().contiguous() for name, value in loaded.encoder.state_dict().items()}
    inside = loaded.encoder.state_dict()  # shares memory with the encoder
    x = loaded.page_to_tensor(sheet[None])
    with torch.no_grad():
        whole = loaded.encoder(x)
        for name, value in state.items():
            if value.dtype != torch.float32 or value.ndim < 2:
                continue
            half = value.half()
            inside[name].copy_(half)
            moved = loaded.encoder(x)
            inside[name].copy_(value)
            # Not a number where float16 overflows, and then neither comparison holds.
            if _near(half.float(), value, TENSOR_TOLERANCE) and _near(moved, whole, EMBEDDING_TOLERANCE):
                state[name] = half
    return state


def _near(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> bool:
    norm = torch.linalg.vector_norm
    return bool(norm(found - expected) <= tolerance * norm(expected))
