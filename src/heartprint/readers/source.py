"""What every reader gives: rows, each with a name, a way to its details and a way to its samples."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.schema import Kind
from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import Caution, HeartprintError

MAX_SAMPLES = 600_000
"""Longest lead that is read: ten minutes at 1000 Hz. What is longer is no resting ECG, or a damaged header."""

READING = "reading"
"""Among the facts of an image that was read: how, as `heartprint.cohorts.schema.READING_COLUMNS` has it."""


def check_length(name: str, n_samples: int) -> None:
    """Raise ``file-too-large`` if a lead is longer than any resting ECG."""
    if n_samples > MAX_SAMPLES:
        raise HeartprintError(
            "file-too-large",
            f"{name} says that its leads have {n_samples:,} samples; up to {MAX_SAMPLES:,} are read. "
            "Export the resting ECG by itself.",
        )


@dataclass(frozen=True)
class Details:
    """What is known about one ECG beside its samples; see `CohortWriter.add`.

    ``cautions`` say what a source had here that was not taken: an age that cannot be, a date that is none. ``born`` is
    not stored: the age follows from it where none is stated, and it tells whether one id has the ECGs of two people.
    ``facts`` are plain values that the archive as a whole is judged by.
    """

    recorded_at: dt.datetime | None = None
    age: float | None = None
    sex: str | None = None
    site: str | None = None
    device: str | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    cautions: tuple[Caution, ...] = ()
    born: dt.datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def or_else(self, other: Details) -> Details:
        """These details, completed from others where they say nothing."""
        return Details(
            recorded_at=other.recorded_at if self.recorded_at is None else self.recorded_at,
            age=other.age if self.age is None else self.age,
            sex=other.sex if self.sex is None else self.sex,
            site=other.site if self.site is None else self.site,
            device=other.device if self.device is None else self.device,
            labels={**other.labels, **self.labels},
            cautions=self.cautions + other.cautions,
            # An age in the table goes before the file's birth date.
            born=other.born if self.born is None and self.age is None else self.born,
            facts={**other.facts, **self.facts},
        )


@dataclass(frozen=True)
class Recording:
    """Samples as a file has them.

    Attributes:
        signal: ``(k, n)`` in mV (standard deviations where ``standardised``), NaN = missing.
        lead_names: ``k`` names as written in the file.
        sampling_rate: Hz.
        standardised: Whether the leads were normalised one by one.
        patient_id: What the file itself says; empty where it does not.
        details: What the file itself says; a table's word goes before it.
        cautions: What the parser had to decide about the samples (a lead's offset, a pulse that was cut off).
    """

    signal: npt.NDArray[np.float64]
    lead_names: tuple[str, ...]
    sampling_rate: float
    standardised: bool = False
    patient_id: str = ""
    details: Details = field(default_factory=Details)
    cautions: tuple[Caution, ...] = ()


@dataclass(frozen=True, eq=False)
class ImageRecording:
    """An ECG that is a picture.

    Attributes:
        pixels: ``(h, w)`` uint8, white = 255.
        original: Height and width before it was shrunk, px.
        patient_id: What the file itself says; empty where it does not.
        details: What the file itself says; a table's word goes before it.
    """

    pixels: Image
    original: tuple[int, int]
    patient_id: str = ""
    details: Details = field(default_factory=Details)


@dataclass(frozen=True)
class Row:
    """One source record. ``details`` and ``recording`` raise `HeartprintError` where the record is not usable.

    Another process may read it: both must survive pickling, without what they have opened. ``patient_id`` is empty
    where only the file can say it; ``patient_column`` is where it stands.
    """

    ecg_id: str
    patient_id: str
    path: str
    details: Callable[[], Details]
    recording: Callable[[], Recording | ImageRecording]
    patient_column: str = "patient_id"


class LazyRows(Sequence[Row]):
    """Rows that are made when they are asked for, so that a source of a million ECGs costs no memory.

    Args:
        n: Number of rows.
        make: Gives one row by its number.
    """

    def __init__(self, n: int, make: Callable[[int], Row]) -> None:
        self._n = n
        self._make = make

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return [self._make(i) for i in range(self._n)[index]]
        return self._make(range(self._n)[index])


def rows_of_files(
    src: Path,
    files: Sequence[Path],
    details: Callable[[Path], Details],
    recording: Callable[[Path], Recording],
    patient_of: Callable[[Path], str] = lambda file: file.stem,
) -> LazyRows:
    """Rows of a source that has a file for each ECG, called by its name.

    Args:
        src: The source's folder; paths are told relative to it.
        files: The files.
        details: Reads what a file says beside its waveform.
        recording: Reads its waveform.
        patient_of: Gives the patient's id; each ECG is a patient of its own where nothing else is known.
    """

    def row(i: int) -> Row:
        file = files[i]
        return Row(
            ecg_id=file.stem,
            patient_id=patient_of(file),
            path=file.relative_to(src).as_posix(),
            details=partial(details, file),
            recording=partial(recording, file),
        )

    return LazyRows(len(files), row)


@dataclass(frozen=True)
class Source:
    """An opened source.

    Attributes:
        title: For people; without paths of this machine, so that the same data give the same cohort.
        rows: In the order of the source.
        label_names: Labels that get a column even if all are missing.
        settings: How it was read, kept in ``cohort.json``.
        notes: Sentences that whoever uses the cohort should know.
        tables: Files that the rows were made from: as long as they and the fingerprint are the same, so are the rows.
        kind: What its rows give: a `Recording` each, or an `ImageRecording`.
        fingerprint: What else the rows and their order depend on.
        shifted_dates: Whether the publisher moved the dates: any year is then possible.
    """

    title: str
    rows: Sequence[Row]
    label_names: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tables: tuple[Path, ...] = ()
    kind: Kind = "waveform"
    fingerprint: str = ""
    shifted_dates: bool = False


class Reader(Protocol):
    """A kind of source; its options are its fields."""

    def open(self, src: Path) -> Source:
        """Read the source's table; samples are read row by row later.

        Raises:
            HeartprintError: The source as a whole cannot be used.
        """
        ...
