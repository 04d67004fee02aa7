"""Is a cohort still what was written? Every sample is read and held against its hash."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.cohorts.cohort import (
    CAUTIONS_FILE,
    DATA_FILES,
    DATA_TYPES,
    READING_FILE,
    REFUSED_FILE,
    Cohort,
    content_hash,
)
from heartprint.cohorts.integrity import damaged, read_notes
from heartprint.cohorts.schema import READING_COLUMNS, REFUSED_COLUMNS
from heartprint.cohorts.writer import content_digest
from heartprint.foundation.checks import Check
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.progress import Progress


def verify_cohort(folder: str | Path, *, progress: bool = True) -> Iterator[Check]:
    """Check a cohort folder: description and table, every ECG's hash, the content hash, refusals and cautions.

    Args:
        folder: The cohort.
        progress: Whether to show progress.

    Yields:
        One check after the other; nothing more follows where the cohort cannot be opened.
    """
    try:
        cohort = Cohort.open(folder)
    except HeartprintError as error:
        yield Check.failed("table", error)
        return
    info = cohort.info
    n = f"{len(cohort):,} ECGs of {info.n_patients:,} patients"
    yield Check("table", True, f"{n}, format {info.format_version}: types, ranges and places of all rows are sound")
    content = hashlib.sha256()
    wrong = _wrong_rows(cohort, content, progress)
    if wrong:
        told = damaged(
            cohort.path,
            f"{len(wrong):,} of {len(cohort):,} ECGs do not hold what was stored, the first in row {wrong[0] + 1:,}",
        )
        yield Check.failed("samples", told)
    else:
        yield Check("samples", True, f"all {len(cohort):,} ECGs agree with their hashes")
    yield _content(cohort, content)
    for name, expected in ((REFUSED_FILE, info.n_refused), (CAUTIONS_FILE, info.n_cautions)):
        yield _notes(cohort, name, REFUSED_COLUMNS, expected)
    if (cohort.path / READING_FILE).exists():
        yield _notes(cohort, READING_FILE, READING_COLUMNS, info.n_ecgs)


def _wrong_rows(cohort: Cohort, content: Any, progress: bool) -> list[int]:
    """Rows whose samples do not agree with their hash; all samples go into ``content``, ECG after ECG."""
    high, wide = ("height", "width") if cohort.kind == "image" else ("n_samples", "n_leads")
    starts = cohort.records["offset"].to_numpy()
    sizes = cohort.records[high].to_numpy().astype(np.int64) * cohort.records[wide].to_numpy()
    stored: npt.NDArray[Any] = np.memmap(cohort.path / DATA_FILES[cohort.kind], DATA_TYPES[cohort.kind], mode="r")
    hashes = cohort.hashes
    wrong = []
    with Progress("Checking ECGs", len(cohort)) if progress else contextlib.nullcontext() as shown:
        for row, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
            data = np.asarray(stored[start : start + size])
            content.update(data)
            if content_hash(data.data) != int(hashes[row]):
                wrong.append(row)
            if shown is not None:
                shown.advance()
    return wrong


def _content(cohort: Cohort, content: Any) -> Check:
    """The hash over samples and table, as the cohort was when it was written: without labels that were linked since."""
    labels = cohort.info.settings.get("labels")
    linked = [name for name, note in labels.items() if isinstance(note, dict)] if isinstance(labels, dict) else []
    records = cohort.records.drop([f"label_{name}" for name in linked], strict=False)
    _, public = content_digest(content, records)
    if public == cohort.info.content_hash:
        return Check("content", True, f"samples and table agree with the content hash {public[:12]}")
    if linked:
        return Check(
            "content",
            None,
            f"the content hash cannot be found again: {', '.join(linked)} may have replaced a label it was made with",
        )
    return Check.failed(
        "content", damaged(cohort.path, "samples and table do not agree with its content hash; something was changed")
    )


def _notes(cohort: Cohort, name: str, columns: Mapping[str, pl.DataType], expected: int) -> Check:
    what = name.removesuffix(".parquet")
    try:
        read_notes(cohort.path / name, columns, expected)
    except HeartprintError as error:
        return Check.failed(what, error)
    return Check(what, True, f"{expected:,} rows")
