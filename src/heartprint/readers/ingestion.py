"""From a source to a cohort: on all cores or a cluster, resumable, with the same bytes whatever way it went.

Rows are read in parts, by any process in any order, and written by one process in the order of the source. Beside the
cohort that is to be, in ``.NAME.ingest``, a journal notes each part that is written. What a killed ingestion leaves is
read again by the next one as far as the journal vouches for it; the rest is cut off.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import itertools
import json
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

import heartprint
from heartprint.cohorts.checks import Limits, examine
from heartprint.cohorts.cohort import DATA_FILES, DATA_TYPES, FORMAT_VERSION, Cohort
from heartprint.cohorts.schema import Kind
from heartprint.cohorts.writer import COHORT_OUTPUT, CohortWriter, cohort_recipe, recipe_in
from heartprint.foundation.errors import Caution, HeartprintError
from heartprint.foundation.files import DISK_FULL, claimed, disk_full_explained, put_in_place
from heartprint.foundation.outputs import claim_output
from heartprint.foundation.parallel import backend_chosen, lost_worker_explained, tied_workers
from heartprint.foundation.progress import Progress
from heartprint.readers.archive import Archive
from heartprint.readers.named import as_named
from heartprint.readers.people import Corrections, Rules, patient_of, settled
from heartprint.readers.source import READING, ImageRecording, Recording, Row, Source

PART = 128
"""Rows of a part: a fraction of a second of work, some megabytes of samples."""
PART_OF_IMAGES = 16
"""The same of images, which are a hundred times as large."""
# Parts that may be read ahead of the writing, for each worker: what bounds the memory.
_AHEAD, _AHEAD_OF_IMAGES = 12, 4
# Bytes that must be free if a row that ran out of memory is to blame for it.
_ROOM = 256 * 2**20
# Starting workers costs about this much; less work than that is done here.
_WORTHWHILE_S = 4.0

JOURNAL = "journal"
COHORT = "cohort"
CORRECTED = "corrected"


Stored = npt.NDArray[Any]


@dataclass(frozen=True)
class Outcome:
    """What became of one row: what is stored, its hash and what `CohortWriter` wants beside it, or a refusal.

    Stored are samples ``(leads, n)``, or of an image pixels ``(height, width)``. ``facts`` are what `Archive` judges
    all rows by; plain values, for they are kept in the journal.
    """

    ecg_id: str
    path: str
    stored: Stored | None
    values: dict[str, Any]
    error: HeartprintError | None = None
    stored_hash: str = ""
    cautions: tuple[Caution, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def _hash(stored: Stored) -> str:
    return hashlib.blake2b(stored.data, digest_size=16).hexdigest()


def read_part(rows: Sequence[Row], limits: Limits, rules: Rules) -> list[Outcome]:
    """Read and check some rows; one bad row never costs another.

    Raises:
        MemoryError: There is no memory left, whatever a row asks for.
    """
    # Numbers that are far too large are refused in words; NumPy need not warn of them.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return [_outcome_in_memory(row, limits, rules) for row in rows]


def _outcome_in_memory(row: Row, limits: Limits, rules: Rules) -> Outcome:
    try:
        return _outcome(row, limits, rules)
    except MemoryError:
        # Either the row asks for more than there is, or this process has none left: then all rows after it would be
        # refused, and nobody be told why.
        np.empty(_ROOM, dtype=np.uint8)
        refused = HeartprintError(
            "too-much-memory",
            "Reading the file takes more memory than there is: it is damaged or far too large. Export it again, or "
            "leave it out.",
        )
        return Outcome(row.ecg_id, row.path, None, {}, refused)


def _outcome(row: Row, limits: Limits, rules: Rules) -> Outcome:
    try:
        if not row.ecg_id:
            raise HeartprintError("missing-ecg-id", "The row has no ecg_id. Fill the column.")
        details = row.details()
        recording = _recording(row)
        patient_id, of_patient = patient_of(row.ecg_id, row.patient_id, recording.patient_id, row.patient_column, rules)
        details = settled(details.or_else(recording.details), shifted_dates=rules.shifted_dates)
        of_patient += details.cautions
        known = {
            "patient_id": patient_id,
            "recorded_at": details.recorded_at,
            "age": details.age,
            "sex": details.sex,
            "site": details.site,
            "device": details.device,
            "labels": dict(details.labels),
        }
        if isinstance(recording, ImageRecording):
            pixels = np.ascontiguousarray(recording.pixels, dtype=DATA_TYPES["image"])
            own: dict[str, Any] = {"original": recording.original}
            values = known | own
            stored_hash = _hash(pixels)
            return Outcome(row.ecg_id, row.path, pixels, values, None, stored_hash, of_patient, details.facts)
        examined = examine(
            recording.signal,
            recording.lead_names,
            recording.sampling_rate,
            standardised=recording.standardised,
            limits=limits,
        )
    except HeartprintError as error:
        return Outcome(row.ecg_id, row.path, None, {}, error)
    own = {
        "sampling_rate": recording.sampling_rate,
        "uv_per_bit": examined.uv_per_bit,
        "unit": examined.unit,
        "n_clipped": examined.n_clipped,
    }
    samples = np.ascontiguousarray(examined.samples, dtype=DATA_TYPES["waveform"])
    cautions = (*of_patient, *recording.cautions, *examined.cautions)
    facts = {**details.facts, **examined.facts}
    return Outcome(row.ecg_id, row.path, samples, known | own, None, _hash(samples), cautions, facts)


def _shown(error: Exception) -> str:
    """An error in a few words, without the path of this machine that the system's errors carry."""
    said = (error.strerror if isinstance(error, OSError) else None) or f"{type(error).__name__}: {error}"
    return said.partition("\n")[0][:200]


def _recording(row: Row) -> Recording | ImageRecording:
    try:
        recording = row.recording()
        return recording if isinstance(recording, ImageRecording) else as_named(recording)
    except (HeartprintError, MemoryError):
        raise
    except Exception as error:
        # A file nobody thought of must not cost the other ten thousand.
        raise HeartprintError(
            "unreadable-file",
            f"The file could not be read ({_shown(error)}). Check that it is whole and that you may read it.",
        ) from error


def ingest_source(
    source: Source,
    out: Path,
    limits: Limits,
    workers: int | None,
    *,
    made_by: str,
    rules: Rules | None = None,
    overwrite: bool = False,
) -> Cohort:
    """Turn an opened source into a cohort folder; see `heartprint.readers.ingest`.

    Args:
        source: What to read.
        out: Cohort folder to write.
        limits: What still passes for an ECG.
        workers: Processes, or None for as many as it is worth.
        made_by: What `source` was made by; a broken-off ingestion is gone on with only if it is the same.
        rules: How ids and dates are judged; the defaults if None.
        overwrite: Whether an older cohort from the same kind of source, by the same options, may be replaced.
    """
    rules = replace(rules or Rules(), shifted_dates=source.shifted_dates)
    work = out.with_name(f".{out.name}.ingest")
    checked = {"limits": limits.to_json()} if source.kind == "waveform" else {}
    # The reader with its options, without the place it read from: by these the cohort is known again.
    options = made_by.partition("\0")[2]
    settings = {**source.settings, **checked, "reader": options, "notes": list(source.notes)}
    settings["unknown_patients"] = rules.unknown_patients
    if (work / JOURNAL).exists() and not (work / COHORT).exists():
        # Left by one that was killed when all but this was done.
        with contextlib.suppress(HeartprintError), claimed(work):
            shutil.rmtree(work, ignore_errors=True)
    recipe = cohort_recipe(source.title, settings)
    claim_output(out, COHORT_OUTPUT, recipe=recipe, recipe_of=recipe_in, overwrite=overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    key = _key(source, settings, made_by)
    with disk_full_explained(out), claimed(work), _space_given_back(work):
        (work / COHORT).mkdir(exist_ok=True)
        data_file = work / COHORT / DATA_FILES[source.kind]
        data_file.touch()
        with data_file.open("r+b") as data, (work / JOURNAL).open("a+b") as lines:
            writer = CohortWriter(work / COHORT, data, source.kind)
            archive = Archive(rules)
            journal = _Journal(lines, data, writer, source.kind, archive)
            n_done = journal.replay(data_file, key)
            with Progress(f"Reading {source.title}", len(source.rows)) as progress:
                if n_done:
                    progress.say(f"Going on where it was broken off: {n_done:,} rows are done already.")
                    progress.advance(n_done)
                work_left = _parts(source.rows, n_done, limits, rules, workers, source.kind)
                with contextlib.closing(work_left) as parts:
                    for part in parts:
                        journal.take(part)
                        progress.advance(len(part))
            try:
                folder = _finish(work, writer, archive, journal, source, settings, out)
                failed = None
            except HeartprintError as error:
                # Nothing to go on with: when the files or the options are better, all of them are to be read again.
                failed = error
        if failed is None:
            put_in_place(folder, out, work / "old")
        shutil.rmtree(work, ignore_errors=True)
    if failed is not None:
        raise failed
    return Cohort.open(out)


@contextlib.contextmanager
def _space_given_back(work: Path) -> Iterator[None]:
    """Remove what was written if the disk is full: others need it too."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            shutil.rmtree(work, ignore_errors=True)
        raise


def _finish(
    work: Path,
    writer: CohortWriter,
    archive: Archive,
    journal: _Journal,
    source: Source,
    settings: dict[str, Any],
    out: Path,
) -> Path:
    """Judge all ECGs together and write the tables; the folder that is to be the cohort."""
    cautions = archive.judge()
    corrections = archive.corrections()
    about: dict[str, Any] = {
        "name": out.name,
        "source": source.title,
        "label_names": source.label_names,
        "settings": settings,
    }
    if not corrections:
        for caution in cautions:
            writer.caution(None, None, caution)
        writer.finish(simulated=False, **about)
        return work / COHORT
    # What is taken back must not stay in the folder, not even unnamed: all the rest is written anew.
    folder = work / CORRECTED
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with (folder / DATA_FILES[source.kind]).open("wb") as data:
        writer = CohortWriter(folder, data, source.kind)
        journal.write_again(writer, work / COHORT / DATA_FILES[source.kind], corrections)
    for caution in cautions:
        writer.caution(None, None, caution)
    writer.finish(simulated=False, **about)
    return folder


def _key(source: Source, settings: dict[str, Any], made_by: str) -> str:
    """What must be the same for a broken-off ingestion to be gone on with."""
    digest = hashlib.sha256()
    about = [FORMAT_VERSION, heartprint.__version__, made_by, source.title, source.label_names, settings]
    about += [_part_size(source.kind), len(source.rows), source.fingerprint]
    digest.update(json.dumps(about, default=str).encode())
    for table in source.tables:
        with table.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    if not source.tables:
        for row in source.rows:
            digest.update(f"{row.ecg_id}\0{row.patient_id}\0{row.path}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class _Journal:
    """The note of what is written: a line with the key, then a line for each part, each with its own checksum."""

    def __init__(self, lines: BinaryIO, data: BinaryIO, writer: CohortWriter, kind: Kind, archive: Archive) -> None:
        self._lines = lines
        self._data = data
        self._writer = writer
        self._archive = archive
        self._kind = kind
        self._add = _adder(writer, kind)
        self._type = np.dtype(DATA_TYPES[kind])

    def take(self, part: Sequence[Outcome]) -> None:
        """Write a part, then note it; killed in between, it is written again."""
        notes: list[dict[str, Any]] = []
        for outcome in part:
            error = outcome.error
            if outcome.ecg_id:
                try:
                    self._writer.check_id(outcome.ecg_id)
                except HeartprintError as duplicate:
                    error = duplicate
            if error is not None:
                self._writer.refuse(outcome.ecg_id or None, outcome.path or None, error)
                self._archive.refuse(error)
                notes.append({"refused": [outcome.ecg_id or None, outcome.path or None, error.code, error.message]})
                continue
            assert outcome.stored is not None
            self._add(outcome.stored, ecg_id=outcome.ecg_id, **outcome.values)
            self._tell(outcome.ecg_id, outcome.path, outcome.values, outcome.cautions, outcome.facts)
            about = {"ecg_id": outcome.ecg_id, "shape": outcome.stored.shape, "hash": outcome.stored_hash}
            told = {"path": outcome.path, "cautions": outcome.cautions, "facts": outcome.facts}
            notes.append({**about, **told, "values": _plain(outcome.values)})
        self._data.flush()
        self._note({"rows": notes})

    def _tell(
        self,
        ecg_id: str,
        path: str,
        values: Mapping[str, Any],
        cautions: Sequence[Caution],
        facts: Mapping[str, Any],
    ) -> None:
        for caution in cautions:
            self._writer.caution(ecg_id, path or None, caution)
        if READING in facts:
            self._writer.note_reading(ecg_id, facts[READING])
        self._archive.add(ecg_id, values, facts)

    def replay(self, data_file: Path, key: str) -> int:
        """Take up what an earlier process has written, as far as it is whole.

        Returns:
            Rows that are done.
        """
        self._lines.seek(0)
        good, n_rows, n_bytes = 0, 0, 0
        with data_file.open("rb") as written:
            for line in self._lines:
                entry = _checked(line)
                if entry is None or (good == 0 and entry.get("key") != key):
                    break
                if good:
                    part = self._read_again(entry["rows"], written)
                    if part is None:
                        break
                    self._take_again(entry["rows"], part)
                    n_rows += len(entry["rows"])
                    n_bytes += sum(stored.nbytes for stored in part)
                good += len(line)
        self._lines.truncate(good)
        self._data.flush()
        self._data.truncate(n_bytes)
        if good == 0:
            self._note({"key": key})
        return n_rows

    def _read_again(self, rows: Sequence[dict[str, Any]], written: BinaryIO) -> list[Stored] | None:
        """What is stored of a part; None if it is not what was noted."""
        part: list[Stored] = []
        for row in rows:
            if "refused" not in row:
                rows_of, columns = row["shape"]
                size = self._type.itemsize * rows_of * columns
                data = written.read(size)
                if len(data) < size:
                    return None
                part.append(np.frombuffer(data, dtype=self._type).reshape(rows_of, columns))
                if _hash(part[-1]) != row["hash"]:
                    return None
        return part

    def _take_again(self, rows: Sequence[dict[str, Any]], part: Sequence[Stored]) -> None:
        """The same calls as the first time; what is stored is written over themselves."""
        stored = iter(part)
        for row in rows:
            if "refused" in row:
                ecg_id, path, code, message = row["refused"]
                self._writer.refuse(ecg_id, path, HeartprintError(code, message))
                self._archive.refuse(HeartprintError(code, message))
                continue
            values = _not_plain(row["values"])
            self._add(next(stored), ecg_id=row["ecg_id"], **values)
            cautions = [Caution(*caution) for caution in row["cautions"]]
            self._tell(row["ecg_id"], row["path"], values, cautions, row["facts"])

    def write_again(self, writer: CohortWriter, data_file: Path, corrections: Corrections) -> None:
        """Write all that is noted into another cohort, but for what is taken back."""
        add = _adder(writer, self._kind)
        self._lines.seek(0)
        with data_file.open("rb") as written:
            for line in itertools.islice(self._lines, 1, None):
                entry = _checked(line)
                part = None if entry is None else self._read_again(entry["rows"], written)
                if entry is None or part is None:
                    raise HeartprintError(
                        "system-error", f"{data_file} was changed while it was written. Ingest the source again."
                    )
                stored = iter(part)
                for row in entry["rows"]:
                    if "refused" in row:
                        ecg_id, path, code, message = row["refused"]
                        writer.refuse(ecg_id, path, HeartprintError(code, message))
                        continue
                    self._write_again(writer, add, next(stored), row, corrections)

    def _write_again(
        self,
        writer: CohortWriter,
        add: Callable[..., None],
        stored: Stored,
        row: Mapping[str, Any],
        corrections: Corrections,
    ) -> None:
        ecg_id, path = row["ecg_id"], row["path"] or None
        try:
            values, more = corrections.apply(ecg_id, _not_plain(row["values"]), row["facts"])
        except HeartprintError as error:
            writer.refuse(ecg_id, path, error)
            return
        add(stored, ecg_id=ecg_id, **values)
        for caution in (*(Caution(*caution) for caution in row["cautions"]), *more):
            writer.caution(ecg_id, path, caution)
        if READING in row["facts"]:
            writer.note_reading(ecg_id, row["facts"][READING])

    def _note(self, entry: dict[str, Any]) -> None:
        text = json.dumps(entry).encode()
        self._lines.write(hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n")
        self._lines.flush()


def _checked(line: bytes) -> dict[str, Any] | None:
    """What a line of the journal says; None if it is not whole."""
    digest, _, text = line[:-1].partition(b" ")
    if not line.endswith(b"\n") or hashlib.sha256(text).hexdigest().encode() != digest:
        return None
    entry = json.loads(text)
    return entry if isinstance(entry, dict) else None


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    recorded_at = values["recorded_at"]
    return {**values, "recorded_at": None if recorded_at is None else recorded_at.isoformat()}


def _not_plain(values: dict[str, Any]) -> dict[str, Any]:
    recorded_at = values["recorded_at"]
    return {**values, "recorded_at": None if recorded_at is None else dt.datetime.fromisoformat(recorded_at)}


def _adder(writer: CohortWriter, kind: Kind) -> Callable[..., None]:
    return writer.add_image if kind == "image" else writer.add


def _part_size(kind: Kind) -> int:
    return PART_OF_IMAGES if kind == "image" else PART


def _parts(
    rows: Sequence[Row], start: int, limits: Limits, rules: Rules, workers: int | None, kind: Kind
) -> Generator[list[Outcome]]:
    """Parts in the order of the source, read by as many processes as it is worth."""
    import joblib

    size, ahead = _part_size(kind), _AHEAD_OF_IMAGES if kind == "image" else _AHEAD
    starts = range(start, len(rows), size)
    # A backend that the caller has chosen, such as a cluster, is used whatever it costs.
    chosen = backend_chosen()
    if not chosen and workers is None and starts:
        # What one part takes tells whether workers are worth their start.
        began = time.perf_counter()
        yield read_part(rows[starts[0] : starts[0] + size], limits, rules)
        starts = starts[1:]
        if (time.perf_counter() - began) * len(starts) < _WORTHWHILE_S:
            workers = 1
    if not chosen and workers == 1:
        for i in starts:
            yield read_part(rows[i : i + size], limits, rules)
        return
    with lost_worker_explained():
        n_jobs = joblib.effective_n_jobs(workers or -1)
        own = {"return_as": "generator", "batch_size": 1, "max_nbytes": None, **tied_workers()}
        with joblib.Parallel(n_jobs=n_jobs, **own) as parallel:
            # Joblib hands out work however slowly the results are fetched: only so much at a time keeps memory flat.
            for window in (starts[i : i + ahead * n_jobs] for i in range(0, len(starts), ahead * n_jobs)):
                yield from parallel(joblib.delayed(read_part)(rows[i : i + size], limits, rules) for i in window)
