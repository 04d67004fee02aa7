"""Embeddings of cohorts, one sheet per ECG."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.cohort import Cohort
from heartprint.encoders.bundle.loaded import LoadedEncoder, embed_images
from heartprint.foundation.arrays import Images
from heartprint.foundation.files import atomic_path
from heartprint.foundation.prefetch import prefetch
from heartprint.foundation.progress import Progress


def embed_cohort(
    loaded: LoadedEncoder, cohort: Cohort, *, layout: str = "standard", batch_size: int = 64, progress: bool = True
) -> npt.NDArray[np.float32]:
    """Embed a cohort, one unturned sheet per ECG; drawn a batch ahead, never all at once.

    Args:
        loaded: The encoder, on the device it is to use.
        cohort: The ECGs.
        layout: Layout of the sheets.
        batch_size: Sheets at a time.
        progress: Whether to show progress.

    Returns:
        ``(N, D)`` float32 in the cohort's order. An ECG's embedding depends on its sheet alone.

    Raises:
        HeartprintError: ``unknown-layout``, ``needs-waveforms`` if images are asked for in a layout, or ``not-finite``.
    """
    from heartprint.sheets import layouts_of

    sampler = loaded.config.images
    (layout,) = layouts_of(cohort, [layout])

    def draw(start: int) -> Images:
        rows = range(start, min(start + batch_size, len(cohort)))
        return np.stack([sampler.sheet(cohort, row, layout=layout) for row in rows])

    out = np.empty((len(cohort), loaded.encoder.embedding_dim), dtype=np.float32)
    done = 0
    with Progress("Embedding", len(cohort)) if progress else contextlib.nullcontext() as shown:
        for images in prefetch(range(0, len(cohort), batch_size), draw):
            out[done : done + len(images)] = embed_images(loaded, images, batch_size=batch_size)
            done += len(images)
            if shown is not None:
                shown.advance(len(images))
    return out


def save_embeddings(
    path: str | Path,
    ecg_ids: npt.NDArray[np.str_],
    patient_ids: npt.NDArray[np.str_],
    embedding: npt.NDArray[np.float32],
) -> None:
    """Write embeddings: an ``.npz`` with ``ecg_id``, ``patient_id`` (unicode) and ``embedding`` (N, D), no pickle.

    Raises:
        ValueError: If the three do not have the same length.
        HeartprintError: ``disk-full``.
    """
    if not len(ecg_ids) == len(patient_ids) == len(embedding):
        raise ValueError(f"lengths differ: {len(ecg_ids)}, {len(patient_ids)}, {len(embedding)}")
    with atomic_path(Path(path)) as temporary, temporary.open("wb") as handle:
        np.savez(
            handle,
            ecg_id=np.asarray(ecg_ids, dtype=np.str_),
            patient_id=np.asarray(patient_ids, dtype=np.str_),
            embedding=np.asarray(embedding, dtype=np.float32),
        )
