"""``heartprint read``: files of any kind to a folder of upright sheets, records and check pictures."""

from __future__ import annotations

import contextlib
import csv
import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path, claimed, sha256_file, write_text
from heartprint.foundation.outputs import Output, claim_output
from heartprint.foundation.picture_rules import MAX_BYTES
from heartprint.foundation.pool import in_order, n_workers
from heartprint.foundation.progress import Progress
from heartprint.reading.answer import Hints, ReadPage
from heartprint.reading.check_picture import check_picture
from heartprint.reading.inputs import Input
from heartprint.reading.names import names_for, records_in
from heartprint.reading.page_reader import ReaderMaker, broke, failed, made, read_one, shipped_reader
from heartprint.reading.pictures_in import PictureIn, pictures_in
from heartprint.reading.record import COLUMNS, is_current, page_name, page_record, read_record, row_of, text_of

PAGES_FILE = "pages.csv"
READING_OUTPUT = Output(what="a folder of pages that were read", code="output-not-a-reading", marker=PAGES_FILE)

_CHECK_QUALITY = 85  # of JPEG
_PNG_EFFORT = 3  # of 9; the last bytes cost more time than all the rest


@dataclass(frozen=True)
class ReadSummary:
    """What became of some files.

    Attributes:
        out: Folder that was written.
        files: How many were named.
        pages: How many pages they have.
        kept: Pages of them that had been read before.
        statuses: Pages by status.
        reasons: Pages by reason code.
    """

    out: Path
    files: int
    pages: int
    kept: int
    statuses: dict[str, int]
    reasons: dict[str, int]

    @property
    def nothing_done(self) -> bool:
        """Whether not one page was a picture that could be opened."""
        return self.pages == self.statuses.get("failed", 0)

    def to_json(self) -> dict[str, Any]:
        """As JSON writes it."""
        return {**self.__dict__, "out": str(self.out)}


@dataclass(frozen=True)
class _Job:
    one: Input
    name: str
    out: Path
    make: ReaderMaker
    hints: Hints | None
    again: bool


@dataclass
class _Done:
    pages: int = 0
    kept: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def count(self, record: dict[str, Any], *, kept: bool = False) -> None:
        self.pages += 1
        self.kept += kept
        self.statuses[record["status"]] += 1
        self.reasons.update({reason["code"] for reason in record["reasons"]})

    def add(self, other: _Done) -> None:
        self.pages += other.pages
        self.kept += other.kept
        self.statuses.update(other.statuses)
        self.reasons.update(other.reasons)


def read_files(
    inputs: Sequence[Input],
    out: str | Path,
    *,
    hints: Hints | None = None,
    workers: int | None = None,
    again: bool = False,
    make: ReaderMaker = shipped_reader,
    progress: bool = True,
) -> ReadSummary:
    """Read files into a folder: of each page ``NAME.json``, ``NAME.png`` and ``NAME.check.jpg``, and a table of all.

    ``NAME.json`` comes last, so that what is there is whole. A page that was read before, from the same bytes by the
    same reader, is not read again; what failed is tried again. One bad file never stops the others. The table
    ``pages.csv`` has a row for each page in the folder, of earlier calls too, by file and page.

    Args:
        inputs: What to read, see `find_inputs`.
        out: Folder; it may hold pages that were read before, and nothing of another kind.
        hints: What is known by hand; of a single file, but for whether text is kept.
        workers: Processes; None for all cores where that is worth it.
        again: Whether to read again what was read before.
        make: Makes the reader, in each process.
        progress: Whether to show progress.

    Raises:
        HeartprintError: ``bad-options`` if hints are given for several files; ``output-not-a-reading``,
            ``output-not-writable``, ``output-busy`` or ``disk-full``.
    """
    out = Path(out)
    if hints is not None and hints.of_one_picture and len(inputs) != 1:
        raise HeartprintError(
            "bad-options", f"What is known by hand holds for one file, and {len(inputs):,} are named. Name one."
        )
    processes = n_workers(workers, len(inputs))
    claim_output(out, READING_OUTPUT, resumes=True)
    total = _Done()
    with claimed(out):
        if not (out / PAGES_FILE).exists():
            _write_table(out)  # by it the folder is known again if this is killed
        names = names_for(inputs, out)
        jobs = (_Job(one, name, out, make, hints, again) for one, name in zip(inputs, names, strict=True))
        with Progress("Reading", len(inputs)) if progress else contextlib.nullcontext() as shown:
            for done in in_order(_read_file, jobs, processes, after=_after_death):
                total.add(done)
                if shown is not None:
                    shown.advance(note=_note(total))
        _write_table(out)
    return ReadSummary(
        out,
        len(inputs),
        total.pages,
        total.kept,
        dict(sorted(total.statuses.items())),
        dict(sorted(total.reasons.items(), key=lambda one: (-one[1], one[0]))),
    )


def _note(done: _Done) -> str:
    return ", ".join(f"{n:,} {status}" for status, n in sorted(done.statuses.items()))


def sha256_of(path: Path) -> str | None:
    """SHA-256 of a file that may be read, in hex; None if it is missing, larger than any picture, or no plain file."""
    try:
        about = path.stat()
        return sha256_file(path) if stat.S_ISREG(about.st_mode) and about.st_size <= MAX_BYTES else None
    except OSError:
        return None


def _read_file(job: _Job) -> _Done:
    """Read the pages of a file that have not been read; in any process."""
    done = _Done()
    if job.one.error is not None:
        return _write_failed(job, job.one.error)
    sha256 = sha256_of(job.one.path)
    reader = made(job.make)

    def current(page: int, n_pages: int) -> bool:
        record = None if job.again else read_record(job.out / f"{page_name(job.name, page, n_pages)}.json")
        if record is None or not is_current(record, sha256, reader.version, job.hints):
            return False
        done.count(record, kept=True)
        return True

    if current(1, 1):
        return done
    for found in pictures_in(job.one.path, wanted=lambda page, n_pages: not current(page, n_pages)):
        if found.picture is None:
            assert found.error is not None
            answer = failed(found.error)
        else:
            answer = read_one(reader, found.picture, job.hints)
        try:
            record = _write(job, found, answer, sha256, reader.version)
        except (HeartprintError, OSError):
            raise  # the disk
        except Exception as error:
            record = _write(job, found, failed(broke(error)), sha256, reader.version)
        done.count(record)
    return done


def _after_death(job: _Job, error: HeartprintError) -> _Done:
    return _write_failed(job, error)


def _write_failed(job: _Job, error: HeartprintError) -> _Done:
    done = _Done()
    done.count(_write(job, PictureIn(1, 1, None, error), failed(error), sha256_of(job.one.path), ""))
    return done


def _write(job: _Job, found: PictureIn, answer: ReadPage, sha256: str | None, version: str) -> dict[str, Any]:
    """Write the files of a page, its record last; a file that an earlier reading has left and this one has not goes."""
    name = page_name(job.name, found.page, found.n_pages)
    record = page_record(
        answer,
        file=job.one.shown,
        page=found.page,
        n_pages=found.n_pages,
        name=name,
        sha256=sha256,
        reader=version,
        hints=job.hints,
    )
    if found.page == 1:
        _clear_others(job, found.n_pages)
    place = _files_of(job.out, name)
    place["json"].unlink(missing_ok=True)
    title = Path(job.one.shown).name + (f", page {found.page} of {found.n_pages}" if found.n_pages > 1 else "")
    _write_picture(place["png"], answer.sheet)
    drawn = None if found.picture is None else check_picture(found.picture.pixels, answer, title)
    _write_picture(place["check.jpg"], drawn)
    write_text(place["json"], text_of(record))
    return record


def _files_of(out: Path, name: str) -> dict[str, Path]:
    return {kind: out / f"{name}.{kind}" for kind in ("json", "png", "check.jpg")}


def _clear_others(job: _Job, n_pages: int) -> None:
    """Remove what was written when the file had another number of pages."""
    page = n_pages + 1 if n_pages > 1 else 1
    while (job.out / f"{page_name(job.name, page, 2)}.json").exists():
        for path in _files_of(job.out, page_name(job.name, page, 2)).values():
            path.unlink(missing_ok=True)
        page += 1
    if n_pages > 1:
        for path in _files_of(job.out, job.name).values():
            path.unlink(missing_ok=True)


def _write_picture(path: Path, image: Image | None) -> None:
    import cv2

    if image is None:
        path.unlink(missing_ok=True)
        return
    if path.suffix == ".png":
        done, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_EFFORT])
    else:
        done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _CHECK_QUALITY])
    assert done
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.tobytes())


def _write_table(out: Path) -> None:
    """A row for each page that the folder tells of: the records are the truth, the table follows from them."""
    order = sorted((record["file"], record["page"], path.name) for path, record in records_in(out))
    with atomic_path(out / PAGES_FILE) as temporary, temporary.open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table, lineterminator=os.linesep)
        writer.writerow(COLUMNS)
        for _, _, name in order:
            record = read_record(out / name)
            if record is not None:
                writer.writerow(row_of(record))
