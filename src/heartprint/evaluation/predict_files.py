"""A model's answer to files as they come: pictures are read, waveforms are drawn, and every page ends in a row."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import heartprint
from heartprint.cohorts.cohort import COHORT_FILE, RECORDS_FILE
from heartprint.encoders.bundle.heads import ClassHead, NumberHead
from heartprint.evaluation.page_images import ImageJob, PageImage, page_images, page_images_after_death
from heartprint.evaluation.predict import answers, doubt, prediction_columns, ready
from heartprint.evaluation.predict_journal import Journal
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path, check_target, claimed
from heartprint.foundation.pool import in_order, n_workers
from heartprint.foundation.progress import Progress
from heartprint.readers.formats import Given
from heartprint.reading.inputs import Input
from heartprint.reading.page_reader import ReaderMaker, made, shipped_reader

if TYPE_CHECKING:
    from heartprint.encoders import LoadedModel

BLOCK = 32
"""Files that are scored and noted together: what a killed prediction loses, and what its numbers may depend on."""

_WHOSE = 2  # columns of a cohort's predictions that say whose ECG it is
_PAGE: dict[str, pl.DataType] = {
    "file": pl.String(),
    "page": pl.Int32(),
    "read_status": pl.String(),
    "read_reasons": pl.String(),
    "turn_deg": pl.Int32(),
    "mirrored": pl.Boolean(),
    "layout": pl.String(),
}


@dataclass
class FilePredictions:
    """What became of some files.

    Attributes:
        out: Table that was written.
        files: How many were named.
        pages: How many pages they have.
        kept: Files that an earlier call, which was stopped, had done.
        statuses: Pages by status: ``scored``, ``warned``, ``refused``, ``failed``.
        reasons: Pages by reason code of the reader.
        above: Pages above the threshold, by column.
    """

    out: Path
    files: int = 0
    pages: int = 0
    kept: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    above: Counter[str] = field(default_factory=Counter)

    @property
    def nothing_done(self) -> bool:
        """Whether not one page could be opened."""
        return self.pages == self.statuses["failed"]

    def count(self, table: pl.DataFrame) -> None:
        """Add the rows of some files."""
        self.pages += table.height
        self.statuses.update(table["status"].to_list())
        self.reasons.update(code for codes in table["read_reasons"].drop_nulls() for code in codes.split())
        for name in table.columns:
            if name.endswith("above_threshold"):
                self.above[name] += int(table[name].sum())

    def to_json(self) -> dict[str, Any]:
        """As JSON writes it."""
        counted = {name: dict(getattr(self, name)) for name in ("statuses", "reasons", "above")}
        return {"out": str(self.out), "files": self.files, "pages": self.pages, "kept": self.kept, **counted}


def file_columns(heads: Sequence[ClassHead | NumberHead]) -> dict[str, pl.DataType]:
    """Columns of the predictions of files: those of a cohort, with the page in place of ECG and patient.

    ``read_status`` is the reader's, or ``drawn`` of a waveform; ``read_reasons`` are its codes. ``status`` is
    ``scored``, ``warned`` (scored, but the reader warns or the sheet is unlike those that the model knows),
    ``refused`` or ``failed``; ``reason`` says why.
    """
    return {**_PAGE, **dict(list(prediction_columns(heads).items())[_WHOSE:])}


def cohort_named(names: Sequence[str]) -> Path | None:
    """The cohort folder that is named, None if files are.

    Raises:
        HeartprintError: ``bad-options`` if anything else is named beside it.
    """
    found = [name for name in names if any((Path(name) / file).is_file() for file in (COHORT_FILE, RECORDS_FILE))]
    if found and len(names) > 1:
        raise HeartprintError(
            "bad-options", f"{found[0]} is a cohort, which is scored by itself. Name it alone, or files alone."
        )
    return Path(found[0]) if found else None


def predict_files(
    model: str | Path | LoadedModel,
    inputs: Sequence[Input],
    out: str | Path,
    *,
    layout: str = "standard",
    batch_size: int = 64,
    device: str = "auto",
    workers: int | None = None,
    given: Given | None = None,
    make: ReaderMaker = shipped_reader,
    progress: bool = True,
) -> FilePredictions:
    """Read and score files and write one row a page; the table is there whole or not at all.

    One bad file never stops the others. What is done is noted beside the table as it goes: a call that was stopped goes
    on when it is made again, and gives the same rows.

    Args:
        model: Model folder, or a model in memory.
        inputs: Pictures, documents and waveform files, see `find_inputs`.
        out: CSV file to write (`file_columns`).
        layout: In which waveforms are drawn.
        batch_size: Sheets at a time.
        device: ``auto``, ``cpu`` or ``cuda``; for a model folder.
        workers: Processes that read; None for all cores where that is worth it.
        given: What ``.npy`` and CSV files of samples cannot say.
        make: Makes the reader, in each process.
        progress: Whether to show progress.

    Raises:
        HeartprintError: ``output-not-writable``, ``output-busy``, ``unknown-layout``, ``out-of-memory``,
            ``disk-full``, what ``load_model`` raises.
    """
    from heartprint.sheets import get_layout

    out = Path(out) if Path(out).name else Path(out).absolute()
    check_target(out)
    get_layout(layout)
    processes = n_workers(workers, len(inputs))
    loaded = ready(model, device)
    images = loaded.encoder.config.images
    given = given or Given()
    jobs = [ImageJob(one, make, given, images.size, layout, images.baseline) for one in inputs]
    blocks = [jobs[k : k + BLOCK] for k in range(0, len(jobs), BLOCK)]
    work = out.with_name(f".{out.name}.predict")
    columns = file_columns(loaded.heads)
    told = FilePredictions(out, files=len(inputs))
    with (
        claimed(work),
        Journal(work / "journal", _key(loaded, made(make).version, layout, batch_size, given)) as journal,
    ):
        shown_or_not = Progress("Predicting", len(inputs)) if progress else contextlib.nullcontext()
        with shown_or_not as shown:
            left = [block for block in blocks if not journal.has(_files(block))]
            told.kept = len(inputs) - sum(map(len, left))
            if shown is not None and told.kept:
                shown.say(f"Going on where it was broken off: {told.kept:,} files are done already.")
                shown.advance(told.kept)
            every = (job for block in left for job in block)
            with contextlib.closing(in_order(page_images, every, processes, after=page_images_after_death)) as found:
                for block in left:
                    pages = []
                    for _ in block:
                        pages += next(found)
                        if shown is not None:
                            shown.advance()
                    journal.note(_files(block), _scored(loaded, pages, batch_size, columns).rows())
        with atomic_path(out) as path, path.open("wb") as table:
            for k, block in enumerate(blocks):
                rows = pl.DataFrame(journal.rows(_files(block)), schema=columns, orient="row")
                rows.write_csv(table, include_header=k == 0)
                told.count(rows)
        shutil.rmtree(work, ignore_errors=True)
    return told


def _files(block: Sequence[ImageJob]) -> list[list[Any]]:
    """What files are and how they stand: as long as that is the same, so are their rows."""
    found: list[list[Any]] = []
    for job in block:
        try:
            about = job.one.path.stat()
            found.append([job.one.shown, about.st_size, about.st_mtime_ns])
        except OSError:
            found.append([job.one.shown, None, None])
    return found


def _key(model: LoadedModel, reader: str, layout: str, batch_size: int, given: Given) -> str:
    from heartprint.encoders.bundle.distance import digest

    about: list[Any] = [heartprint.__version__, digest(model.encoder.encoder), model.config.model_dump(mode="json")]
    about += [reader, layout, batch_size, BLOCK, repr(given)]
    text = json.dumps(about, default=str).encode()
    return hashlib.sha256(text + model.weights.tobytes() + model.bias.tobytes()).hexdigest()


def _scored(
    model: LoadedModel, pages: Sequence[PageImage], batch_size: int, columns: dict[str, pl.DataType]
) -> pl.DataFrame:
    """The rows of some pages."""
    from heartprint.encoders import embed_images
    from heartprint.training.out_of_memory import memory_explained

    known = model.encoder.distance
    outputs = np.full((len(model.heads), len(pages)), np.nan)
    distances = np.full(len(pages), np.nan)
    there = [k for k, page in enumerate(pages) if page.image is not None]
    with memory_explained(batch_size):
        for start in range(0, len(there), batch_size):
            some = there[start : start + batch_size]
            images = np.stack([image for k in some if (image := pages[k].image) is not None])
            embedding = embed_images(model.encoder, images, batch_size=batch_size)
            outputs[:, some] = model.outputs(embedding)
            if known is not None:
                distances[some] = known(embedding)
    limit = known.limit if known is not None else -np.inf
    statuses, reasons = [], []
    for page, distance in zip(pages, distances.tolist(), strict=True):
        told = [f"{code}: {message}" for code, message in page.reasons]
        status = page.read_status
        if page.image is not None:
            # A distance that is no number is in doubt as well.
            strange = not distance <= limit
            status = "warned" if strange or page.read_status == "warned" else "scored"
            if strange:
                told.append(": ".join(doubt(model, distance)))
        statuses.append(status)
        reasons.append(" | ".join(told) or None)
    told_by = [answers(head, of_head) for head, of_head in zip(model.heads, outputs, strict=True)]
    values = [column for of_head in told_by for column in of_head.values()]
    data = {
        "file": [page.file for page in pages],
        "page": [page.page for page in pages],
        "read_status": [page.read_status for page in pages],
        "read_reasons": [" ".join(code for code, _ in page.reasons) or None for page in pages],
        "turn_deg": [page.turn_deg for page in pages],
        "mirrored": [page.mirrored for page in pages],
        "layout": [page.layout for page in pages],
        **dict(zip(list(columns)[len(_PAGE) : -3], values, strict=True)),
        "distance": pl.Series(distances).fill_nan(None),
        "status": statuses,
        "reason": reasons,
    }
    return pl.DataFrame(data, schema=columns)
