"""How unlike a picture is to the sheets that an encoder knows: the distance of its embedding from theirs.

The Mahalanobis distance (Lee et al. 2018) from the mean of many sheets' embeddings, with a covariance that is shrunk
(Ledoit & Wolf 2004). Embeddings are averages of rectified features, with long tails to the right; their signed square
root (power normalisation: Perronnin et al. 2010) is nearer to the normal distribution that the distance supposes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.progress import Progress

if TYPE_CHECKING:
    from heartprint.cohorts.cohort import Cohort
    from heartprint.encoders.bundle.folder import LoadedEncoder
    from heartprint.encoders.networks.encoder import Encoder

FITTED, HELD_OUT = 1500, 1000
"""Simulated sheets that give mean and covariance, and others that give the limit; each shows another patient."""

MIN_IMAGES = 200
"""Fewest images of ECGs that stand in for sheets where none can be drawn; three fifths give mean and covariance."""

QUANTILE = 0.999
"""Share of the held-out sheets that lies within the limit."""

HOSPITAL, SEED, RATE = "cardiology", 7_301_989, 100
"""The simulated patients whose sheets an encoder is shown (sampling rate in Hz); nobody else uses this seed."""

_BATCH = 100
_FEW = 0.01
"""Share of sheets in a layout that may be beyond the limit of others for these to stand for them."""
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


def fit_distance(
    loaded: LoadedEncoder, layouts: Sequence[str] = (), *, batch_size: int = _BATCH, progress: bool = True
) -> Distance | None:
    """Show an encoder simulated sheets and describe where their embeddings lie.

    The sheets are clean, upright and in the usual style, in equal shares of `known_layouts`. Sheets from the camera,
    in random styles or unusual layouts stay out even where the encoder learned from them: they are so diverse, and
    some of them so bare, that a cat would lie among them (``docs/results/doubt.md``).

    Args:
        loaded: The encoder, on the device that it is to use; not changed.
        layouts: Layouts that a model on top of it reads as well.
        batch_size: Sheets at a time.
        progress: Whether to show progress.

    Returns:
        The distance; None for an encoder without any layout that can be drawn here (it learned from images), and for
        one to which all sheets look the same.

    Raises:
        HeartprintError: ``not-finite``, ``out-of-memory``.
    """
    known = known_layouts(loaded.config.layouts, layouts)
    if not known:
        return None
    embedding = _embed(loaded, known, FITTED + HELD_OUT, batch_size, progress)
    return describe(
        embedding[:FITTED],
        embedding[FITTED:],
        layouts=known,
        baseline=loaded.config.baseline,
        encoder=digest(loaded.encoder),
    )


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


def distance_for(
    loaded: LoadedEncoder,
    layouts: Sequence[str],
    cohort: Cohort | None = None,
    *,
    batch_size: int = _BATCH,
    progress: bool = True,
) -> Distance | None:
    """The distance of an encoder under a model that reads some layouts: what it has where that will do, or a new one.

    Arguments as in `fit_distance`; ``cohort`` is what the model may learn from. Where no sheet can be drawn and it
    holds images, `MIN_IMAGES` or more, they are the known sheets.
    """
    have = loaded.distance
    wanted = known_layouts(loaded.config.layouts, layouts)
    if have is not None and have.baseline == loaded.config.baseline and have.encoder == digest(loaded.encoder):
        others = [name for name in wanted if name not in have.layouts]
        # Sheets that are within the limit as they are would only widen what counts as known.
        if not others or (have(_embed(loaded, others, HELD_OUT, batch_size, progress)) > have.limit).mean() <= _FEW:
            return have
    if not wanted and cohort is not None and cohort.kind == "image" and len(cohort) >= MIN_IMAGES:
        return _of_images(loaded, cohort, batch_size, progress)
    return fit_distance(loaded, layouts, batch_size=batch_size, progress=progress)


def _of_images(loaded: LoadedEncoder, cohort: Cohort, batch_size: int, progress: bool) -> Distance | None:
    """A distance from images as they are; no patient's are on both sides."""
    from heartprint.cohorts.splits import split_by_patient
    from heartprint.encoders.embedding import embed_cohort

    parts = split_by_patient(cohort, {"fitted": 0.6, "held_out": 0.4}, seed=SEED)
    if not all(len(part) for part in parts.values()):
        return None
    embedded = {
        name: embed_cohort(loaded, part, batch_size=batch_size, progress=progress) for name, part in parts.items()
    }
    return describe(**embedded, layouts=(), baseline=loaded.config.baseline, encoder=digest(loaded.encoder))


def known_layouts(of_encoder: Sequence[str], of_head: Sequence[str] = ()) -> tuple[str, ...]:
    """The layouts whose sheets count as known.

    Of the encoder's the four of the paper, if it learned any of them: what was rare in its training it reads so
    variously that its sheets would hide strange pictures. All that the head learned from.
    """
    from heartprint.sheets import PAPER_LAYOUTS, get_layout

    usual = [name for name in PAPER_LAYOUTS if name in of_encoder] or list(of_encoder)
    drawable = []
    for name in dict.fromkeys([*usual, *of_head]):
        # A layout of the user's own may have been left behind on another machine.
        with contextlib.suppress(HeartprintError):
            get_layout(name)
            drawable.append(name)
    return tuple(drawable)


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


def _embed(
    loaded: LoadedEncoder, layouts: Sequence[str], n: int, batch_size: int, progress: bool
) -> npt.NDArray[np.float32]:
    """Embeddings ``(n, D)`` of simulated sheets, one patient each, the layouts in turn."""
    from heartprint.encoders.embedding import embed_pages

    out = np.empty((n, loaded.encoder.embedding_dim), dtype=np.float32)
    shown_or_not = Progress("Learning what it knows", n) if progress else contextlib.nullcontext()
    with shown_or_not as shown, ThreadPoolExecutor(max_workers=1) as pool:
        batches = _drawn(loaded, layouts, n, batch_size)
        ahead = pool.submit(next, batches)
        for start in range(0, n, batch_size):
            pages = ahead.result()
            if start + batch_size < n:
                ahead = pool.submit(next, batches)
            out[start : start + len(pages)] = embed_pages(loaded, pages, batch_size=batch_size)
            if shown is not None:
                shown.advance(len(pages))
    return out


def _drawn(loaded: LoadedEncoder, layouts: Sequence[str], n: int, batch_size: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Sheets ``(<= batch_size, S, S)``; the same simulated patients always."""
    size = loaded.config.image_size
    pages = np.empty((batch_size, size, size), dtype=np.uint8)
    for k, leads in enumerate(simulated_ecgs(n)):
        pages[k % batch_size] = loaded.draw(leads, RATE, layout=layouts[k % len(layouts)])
        if k % batch_size == batch_size - 1 or k == n - 1:
            yield pages[: k % batch_size + 1].copy()


def simulated_ecgs(n: int) -> Iterator[npt.NDArray[np.float32]]:
    """One ECG of each of the first ``n`` patients: ``(8, 1000)`` float32 mV at `RATE`, visits in turn."""
    from heartprint.simulation.draws import BLOCK
    from heartprint.simulation.effects import HOSPITALS
    from heartprint.simulation.simulate import machine_of, make_block, samples_of

    hospital = HOSPITALS[HOSPITAL]
    for first in range(0, n, BLOCK):
        block = make_block(SEED, first, hospital)
        for i in range(min(BLOCK, n - first)):
            visit = i % int(block.people.n_visits[i])
            samples, _ = samples_of(block, i, visit, seed=SEED, hospital=hospital, rate=RATE)
            yield samples.astype(np.float32) * np.float32(machine_of(block, i, visit, hospital).uv_per_bit / 1000)
