"""The sheets that an encoder is shown, so that pictures unlike them are noticed: see `Distance`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.cohort import Cohort
from heartprint.cohorts.splits import split_by_patient
from heartprint.encoders.bundle.distance import Distance, describe, digest
from heartprint.encoders.bundle.loaded import LoadedEncoder, embed_images
from heartprint.encoders.embedding import embed_cohort
from heartprint.foundation.arrays import Images
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.prefetch import prefetch
from heartprint.foundation.progress import Progress

FITTED, HELD_OUT = 1500, 1000
"""Simulated sheets that give mean and covariance, and others that give the limit; each shows another patient."""

MIN_IMAGES = 200
"""Fewest images of ECGs that stand in for sheets where none can be drawn; three fifths give mean and covariance."""

HOSPITAL, SEED, RATE = "cardiology", 7_301_989, 100
"""The simulated patients whose sheets an encoder is shown (sampling rate in Hz); nobody else uses this seed."""

_BATCH = 100
_FEW = 0.01
"""Share of sheets in a layout that may be beyond the limit of others for these to stand for them."""


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


def _embed(
    loaded: LoadedEncoder, layouts: Sequence[str], n: int, batch_size: int, progress: bool
) -> npt.NDArray[np.float32]:
    """Embeddings ``(n, D)`` of simulated sheets, one patient each, the layouts in turn."""
    out = np.empty((n, loaded.encoder.embedding_dim), dtype=np.float32)
    starts, batches = range(0, n, batch_size), _drawn(loaded, layouts, n, batch_size)
    with Progress("Learning what it knows", n) if progress else contextlib.nullcontext() as shown:
        for start, images in zip(starts, prefetch(starts, lambda _: next(batches)), strict=True):
            out[start : start + len(images)] = embed_images(loaded, images, batch_size=batch_size)
            if shown is not None:
                shown.advance(len(images))
    return out


def _drawn(loaded: LoadedEncoder, layouts: Sequence[str], n: int, batch_size: int) -> Iterator[Images]:
    """Sheets ``(<= batch_size, S, S)``; the same simulated patients always."""
    size = loaded.config.image_size
    images = np.empty((batch_size, size, size), dtype=np.uint8)
    for k, leads in enumerate(simulated_ecgs(n)):
        images[k % batch_size] = loaded.draw(leads, RATE, layout=layouts[k % len(layouts)])
        if k % batch_size == batch_size - 1 or k == n - 1:
            yield images[: k % batch_size + 1].copy()


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
