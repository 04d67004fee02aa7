"""Embeddings of pages and of cohorts, one sheet per ECG."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from heartprint.cohorts.cohort import Cohort
from heartprint.encoders.bundle.folder import LoadedEncoder
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path
from heartprint.foundation.progress import Progress


def embed_pages(
    loaded: LoadedEncoder, pages: npt.NDArray[np.uint8], *, batch_size: int = 64
) -> npt.NDArray[np.float32]:
    """Embed grey pages, on the device where the encoder is.

    Args:
        loaded: The encoder.
        pages: ``(N, H, W)`` uint8, white = 255; other sizes than the encoder's are averaged over areas.
        batch_size: Pages at a time; the result does not depend on it beyond the last float32 digits.

    Returns:
        ``(N, D)`` float32.

    Raises:
        HeartprintError: ``not-a-page`` or ``not-finite``.
    """
    encoder = loaded.encoder
    device = next(encoder.parameters()).device
    out = np.empty((len(pages), encoder.embedding_dim), dtype=np.float32)
    training = encoder.training
    # Batch statistics would make an embedding depend on the pages beside it.
    encoder.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(pages), batch_size):
                x = loaded.page_to_tensor(pages[start : start + batch_size], device=device)
                out[start : start + batch_size] = encoder(x).float().cpu().numpy()
    finally:
        encoder.train(training)
    if not np.isfinite(out).all():
        raise HeartprintError(
            "not-finite",
            "The encoder gave embeddings that are not finite numbers; its training diverged. Pretrain it again "
            "with a lower learning rate.",
        )
    return out


def draw_cohort(
    loaded: LoadedEncoder, cohort: Cohort, *, layout: str = "standard", batch_size: int = 64
) -> Iterator[npt.NDArray[np.uint8]]:
    """Draw a cohort's sheets in order as the encoder reads them, a batch at a time, one batch ahead of the caller.

    Yields:
        ``(<= batch_size, S, S)`` uint8.
    """
    from heartprint.sheets import layouts_of

    size = loaded.config.image_size
    (layout,) = layouts_of(cohort, [layout])

    def draw(start: int) -> npt.NDArray[np.uint8]:
        rows = range(start, min(start + batch_size, len(cohort)))
        pages = np.empty((len(rows), size, size), dtype=np.uint8)
        for page, row in zip(pages, rows, strict=True):
            page[...] = loaded.sheet(cohort, row, layout=layout)
        return pages

    # One thread suffices: drawing is far quicker than reading the drawing.
    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead: Future[npt.NDArray[np.uint8]] | None = None
        for start in range(0, len(cohort), batch_size):
            now = ahead or pool.submit(draw, start)
            following = start + batch_size
            ahead = pool.submit(draw, following) if following < len(cohort) else None
            yield now.result()


def embed_cohort(
    loaded: LoadedEncoder, cohort: Cohort, *, layout: str = "standard", batch_size: int = 64, progress: bool = True
) -> npt.NDArray[np.float32]:
    """Embed a cohort, one unturned sheet per ECG; pages are drawn as they are read, never all at once.

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
    out = np.empty((len(cohort), loaded.encoder.embedding_dim), dtype=np.float32)
    done = 0
    with Progress("Embedding", len(cohort)) if progress else contextlib.nullcontext() as shown:
        for pages in draw_cohort(loaded, cohort, layout=layout, batch_size=batch_size):
            out[done : done + len(pages)] = embed_pages(loaded, pages, batch_size=batch_size)
            done += len(pages)
            if shown is not None:
                shown.advance(len(pages))
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
