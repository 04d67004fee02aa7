"""The networks' weights on disk: 8 bits each, with a scale for every filter, so that both fit into the package.

Weights alone are rounded (to the nearest, each filter by its largest weight); all arithmetic is done in 32 bits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path

if TYPE_CHECKING:
    from torch import Tensor

    from heartprint.reading.network import PageNet
    from heartprint.reading.strip_network import StripNet

Kind = Literal["finder", "reader", "strips"]
"""Of networks: for whole pictures, for rectified sheets, for close looks at their strips."""
KINDS: tuple[Kind, ...] = get_args(Kind)
_SCALE = ".scale"
_LEAST_ROUNDED = 1024
"""Smaller tensors (biases, normalisation) are kept as they are."""


def packed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a network as it is written."""
    import torch

    out: dict[str, Tensor] = {}
    for name, value in state.items():
        if not value.is_floating_point() or value.ndim < 2 or value.numel() < _LEAST_ROUNDED:
            out[name] = value.detach().clone().contiguous()
            continue
        flat = value.detach().reshape(len(value), -1)
        scale = flat.abs().amax(1).clamp_min(1e-12) / 127
        out[name] = torch.round(flat / scale[:, None]).to(torch.int8).reshape(value.shape).contiguous()
        out[name + _SCALE] = scale
    return out


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a network from what was written."""
    out = {}
    for name, value in tensors.items():
        if name.endswith(_SCALE):
            continue
        scale = tensors.get(name + _SCALE)
        out[name] = value if scale is None else value.float() * scale.reshape(-1, *[1] * (value.ndim - 1))
    return out


def save_network(state: Mapping[str, Tensor], target: Path, maps: dict[str, int]) -> None:
    """Write the weights of a network, and what its answer consists of, in order: shapes alone do not tell."""
    import safetensors.torch

    with atomic_path(target) as new:
        safetensors.torch.save_file(packed(state), new, {"maps": json.dumps(maps)})


def read_maps(path: Path) -> dict[str, int] | None:
    """What the answer of a network consists of whose weights are in a file; None if it does not say."""
    import safetensors

    with safetensors.safe_open(path, framework="pt") as opened:
        told = (opened.metadata() or {}).get("maps")
    return None if told is None else dict(json.loads(told))


def network_of(kind: Kind) -> PageNet | StripNet:
    """A network of a kind, not trained."""
    from heartprint.reading.network import FINDER, READER, PageNet
    from heartprint.reading.strip_network import StripNet

    return StripNet() if kind == "strips" else PageNet(READER if kind == "reader" else FINDER)


def load_network(path: Path, kind: Kind) -> PageNet | StripNet:
    """Read the weights of a network, of 8 bits or not rounded.

    Args:
        path: The file.
        kind: Which of the networks it is.

    Raises:
        HeartprintError: ``reader-missing`` or ``reader-damaged``.
    """
    import safetensors.torch
    import torch

    if not path.is_file():
        raise HeartprintError(
            "reader-missing", f"There are no weights of a reader at {path}. Install Heartprint again."
        )
    try:
        network = network_of(kind)
        # In order, too: maps of another order would be taken for each other.
        if list((read_maps(path) or {}).items()) != list(network.maps.items()):
            raise ValueError("maps of another kind of network")
        network.load_state_dict(unpacked(safetensors.torch.load_file(path)))
        if not all(bool(torch.isfinite(value).all()) for value in network.state_dict().values()):
            raise ValueError("weights that are not finite")
    except (OSError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        raise HeartprintError(
            "reader-damaged", f"The reader's weights at {path} are damaged ({str(error)[:120]}). Install it again."
        ) from error
    network.eval()
    return network.to(memory_format=torch.channels_last)
