"""How unlike a picture is to the sheets that an encoder knows: the distance of its embedding from theirs.

The Mahalanobis distance (Lee et al. 2018) from the mean of many sheets' embeddings, with a covariance that is shrunk
(Ledoit & Wolf 2004). Embeddings are averages of rectified features, with long tails to the right; their signed square
root (power normalisation: Perronnin et al. 2010) is nearer to the normal distribution that the distance supposes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

if TYPE_CHECKING:
    from heartprint.encoders.networks.encoder import Encoder

QUANTILE = 0.999
"""Share of the held-out sheets that lies within the limit."""

_TOLD = "distance"
_TYPES = {"limit": float, "layouts": list, "baseline": str, "fitted": int, "held_out": int, "encoder": str}
"""What the header says under `_TOLD`, as JSON."""
_HEADER_BYTES = 65536


@dataclass(frozen=True, eq=False)
class Distance:
    """Distances of embeddings from those of known sheets; the larger, the less alike.

    Attributes:
        mean: ``(D,)`` float32, mean of the known sheets' embeddings after `powered`.
        factor: ``(D, D)`` float32, lower Cholesky factor L of the inverse covariance L L'.
        limit: Distance beyond which a picture is in doubt: `QUANTILE` of the held-out sheets are within.
        layouts: Layouts of the known sheets: clean, upright, in the usual style. None: they were images.
        baseline: How they were drawn, see `heartprint.sheets.render`.
        fitted: Number of sheets behind mean and covariance.
        held_out: Number of sheets behind the limit.
        encoder: `digest` of the encoder whose embeddings these are.
    """

    mean: npt.NDArray[np.float32]
    factor: npt.NDArray[np.float32]
    limit: float
    layouts: tuple[str, ...]
    baseline: str
    fitted: int
    held_out: int
    encoder: str

    def __call__(self, embedding: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Measure embeddings ``(N, D)``: ``(N,)`` distances, each a function of its own embedding alone."""
        away = powered(embedding) - self.mean.astype(np.float64)
        return np.asarray(np.linalg.norm(away @ self.factor.astype(np.float64), axis=1))


def powered(embedding: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Signed square root of each number, in float64."""
    numbers = embedding.astype(np.float64)
    return np.asarray(np.sign(numbers) * np.sqrt(np.abs(numbers)))


def describe(
    fitted: npt.NDArray[np.float32],
    held_out: npt.NDArray[np.float32],
    *,
    layouts: tuple[str, ...],
    baseline: str,
    encoder: str,
) -> Distance | None:
    """Make a distance of embeddings ``(n, D)`` that give mean and covariance and others that give the limit."""
    from sklearn.covariance import LedoitWolf

    numbers = powered(fitted)
    if not float(numbers.var(axis=0).sum()) > 0:
        return None
    covariance = LedoitWolf(store_precision=False).fit(numbers)
    inverse = np.linalg.inv(covariance.covariance_)
    factor = np.linalg.cholesky((inverse + inverse.T) / 2)
    if not np.isfinite(factor).all():
        return None
    unlimited = Distance(
        mean=covariance.location_.astype(np.float32),
        factor=factor.astype(np.float32),
        limit=np.inf,
        layouts=layouts,
        baseline=baseline,
        fitted=len(fitted),
        held_out=len(held_out),
        encoder=encoder,
    )
    limit = float(np.quantile(unlimited(held_out), QUANTILE))
    return Distance(**{**vars(unlimited), "limit": limit})


def digest(encoder: Encoder) -> str:
    """SHA-256 of an encoder's weights as they are in memory, wherever it is stored."""
    found = hashlib.sha256()
    for name, value in encoder.state_dict().items():
        numbers = value.detach().cpu().contiguous()
        found.update(f"{name} {numbers.dtype} {tuple(numbers.shape)}\n".encode())
        found.update(numbers.numpy().tobytes())
    return found.hexdigest()


def save_distance(distance: Distance, file: Path) -> None:
    """Write a distance as safetensors: ``mean`` and ``factor``, the rest as JSON in the header."""
    # One entry: the order of several is left to chance, and equal folders are to have equal bytes.
    header = {_TOLD: json.dumps({name: getattr(distance, name) for name in _TYPES}, sort_keys=True)}
    safetensors.numpy.save_file({"mean": distance.mean, "factor": distance.factor}, file, header)


def read_distance(file: Path, encoder: Encoder) -> Distance:
    """Read what `save_distance` wrote, strictly: a wrong distance would call strange pictures familiar.

    Args:
        file: The file.
        encoder: The encoder that it must belong to.

    Raises:
        ValueError: With what is wrong.
    """
    dim = encoder.embedding_dim
    if file.stat().st_size > 4 * dim * (dim + 1) + _HEADER_BYTES:
        raise ValueError("is larger than the embedding allows")
    try:
        with safetensors.safe_open(file, framework="numpy") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
            header = opened.metadata() or {}
    except safetensors.SafetensorError as error:
        raise ValueError("cannot be read") from error
    shapes = {name: (value.dtype, value.shape) for name, value in tensors.items()}
    f4 = np.dtype(np.float32)
    if shapes != {"mean": (f4, (dim,)), "factor": (f4, (dim, dim))}:
        raise ValueError("does not hold the mean and the factor of such embeddings")
    mean, factor = tensors["mean"], tensors["factor"]
    triangular = not np.triu(factor, 1).any() and bool((np.diagonal(factor) > 0).all())
    if not (np.isfinite(mean).all() and np.isfinite(factor).all() and triangular):
        raise ValueError("holds numbers that no covariance has")
    distance = Distance(mean=mean, factor=factor, **_told(header))
    if distance.encoder != digest(encoder):
        raise ValueError("belongs to another encoder")
    return distance


def _told(header: dict[str, str]) -> dict[str, Any]:
    """What the header says, checked."""
    try:
        told = json.loads(header.get(_TOLD, ""))
    except (ValueError, RecursionError) as error:
        raise ValueError("has a header that cannot be read") from error
    if not isinstance(told, dict) or {name: type(value) for name, value in told.items()} != _TYPES:
        raise ValueError("has a header of other parts")
    named = all(isinstance(name, str) for name in told["layouts"])
    if not named or not 0 < told["limit"] < np.inf or min(told["fitted"], told["held_out"]) < 1:
        raise ValueError("has a header that cannot be true")
    return told | {"layouts": tuple(told["layouts"])}
