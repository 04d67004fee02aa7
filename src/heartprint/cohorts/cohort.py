"""A cohort: ECGs on disk with their table."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pydantic

from heartprint.cohorts.integrity import damaged, read_info, read_table, refuse_version, validated
from heartprint.cohorts.schema import Kind, columns_of
from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError

FORMAT_VERSION = 3
"""Versions 1 (waveforms) and 2 (images) had no cautions; `heartprint.cohorts.upgrade` turns them into this one."""
MISSING = np.int16(-32768)
"""Stored value of a sample that the source did not have."""

COHORT_FILE = "cohort.json"
RECORDS_FILE = "records.parquet"
WAVEFORMS_FILE = "waveforms.i16"
IMAGES_FILE = "images.u8"
REFUSED_FILE = "refused.parquet"
CAUTIONS_FILE = "cautions.parquet"
READING_FILE = "reading.parquet"
"""Only of images that were read; a row for each ECG."""

DATA_FILES: dict[Kind, str] = {"waveform": WAVEFORMS_FILE, "image": IMAGES_FILE}
DATA_TYPES: dict[Kind, str] = {"waveform": "<i2", "image": "u1"}
"""File of what is stored, and the type of its numbers."""


_Count = Annotated[int, pydantic.Field(ge=0, lt=2**53)]
_Text = Annotated[str, pydantic.Field(max_length=10_000)]
_Hex = Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class CohortInfo:
    """What ``cohort.json`` says.

    ``content_hash`` names the content in public places (model folders, reports). ``patient_key`` is a secret of
    those who hold the cohort: patient ids are hashed with it, so that a model folder can recognise a patient it
    has seen without holding anything from which the id could be guessed.
    """

    __pydantic_config__: ClassVar = pydantic.ConfigDict(extra="forbid", strict=True)

    name: _Text
    source: _Text
    simulated: bool
    n_ecgs: Annotated[int, pydantic.Field(ge=1, lt=2**53)]
    n_patients: _Count
    n_refused: _Count
    n_cautions: _Count
    kind: Kind
    content_hash: _Hex = field(repr=False)
    patient_key: _Hex = field(repr=False)
    heartprint_version: _Text
    format_version: int = FORMAT_VERSION
    settings: dict[str, Any] = field(default_factory=dict, repr=False)


class Cohort:
    """ECGs on disk, memory-mapped; opening, filtering and splitting read the table only.

    Attributes:
        path: The cohort's folder.
        info: What ``cohort.json`` says.
        records: One row per ECG (`RECORD_COLUMNS` and label columns). Row numbers index everything else.
    """

    def __init__(self, path: Path, info: CohortInfo, records: pl.DataFrame) -> None:
        self.path = path
        self.info = info
        self.records = records
        self._data: npt.NDArray[Any] | None = None
        self._proved: npt.NDArray[np.bool_] | None = None
        self._index: tuple[npt.NDArray[Any], ...] | None = None

    @classmethod
    def open(cls, path: str | Path) -> Cohort:
        """Open a cohort folder; its description and every row of its table are held against what can be.

        What an ECG's samples are is checked when they are first read; `heartprint.cohorts.verify` reads them all.

        Raises:
            HeartprintError: ``cohort-missing``, ``cohort-incomplete``, ``cohort-damaged`` or ``cohort-version``.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise HeartprintError(
                "cohort-missing",
                f"There is no cohort folder at {folder}. Make one with 'heartprint ingest' or 'heartprint simulate'.",
            )
        _need_files(folder, COHORT_FILE, RECORDS_FILE)
        raw = read_info(folder / COHORT_FILE)
        refuse_version(folder, raw["format_version"], FORMAT_VERSION)
        info = parse_info(folder, raw)
        _need_files(folder, DATA_FILES[info.kind])
        records = read_table(
            folder / RECORDS_FILE, columns_of(info.kind), info.kind, info.n_ecgs, folder / DATA_FILES[info.kind]
        )
        if records["patient_id"].n_unique() != info.n_patients:
            raise damaged(folder, f"its table has other patients than the {info.n_patients:,} of its description")
        return cls(folder, info, records)

    def __len__(self) -> int:
        return self.records.height

    def __repr__(self) -> str:
        kind = "simulated " if self.info.simulated else ""
        return f"<{kind}Cohort {self.info.name}: {len(self):,} ECGs of {self.n_patients:,} patients>"

    @property
    def kind(self) -> Kind:
        """What its ECGs are: ``waveform``, of which sheets are drawn, or ``image``, sheets already."""
        return self.info.kind

    @property
    def hashes(self) -> npt.NDArray[np.uint64]:
        """``(n,)`` hashes of what is stored of each ECG: equal for equal ECGs."""
        return self.records[f"{self.kind}_hash"].to_numpy()

    @property
    def n_patients(self) -> int:
        """Number of different patients."""
        return self.records["patient_id"].n_unique()

    @property
    def ecg_ids(self) -> npt.NDArray[np.str_]:
        """``(n,)`` ECG ids."""
        return np.asarray(self.records["ecg_id"].to_list(), dtype=np.str_)

    @property
    def patient_ids(self) -> npt.NDArray[np.str_]:
        """``(n,)`` patient ids."""
        return np.asarray(self.records["patient_id"].to_list(), dtype=np.str_)

    @property
    def patient_codes(self) -> npt.NDArray[np.int64]:
        """``(n,)`` patients as integers 0..n_patients-1, in order of patient id."""
        return (self.records["patient_id"].rank("dense").to_numpy() - 1).astype(np.int64)

    def take(self, rows: npt.NDArray[np.integer[Any]] | Sequence[int]) -> Cohort:
        """The same cohort with only these rows, in this order. Nothing is copied on disk."""
        if np.asarray(rows).dtype == np.bool_:
            raise TypeError("take() wants row numbers, not a mask; use np.flatnonzero(mask)")
        return Cohort(self.path, self.info, self.records[np.asarray(rows, dtype=np.int64)])

    def filter(
        self,
        *,
        since: dt.date | None = None,
        until: dt.date | None = None,
        labelled: str | None = None,
        patients: Iterable[str] | None = None,
        without_patients: Iterable[str] | None = None,
        sites: Iterable[str] | None = None,
        between: Mapping[str, tuple[float | None, float | None]] | None = None,
    ) -> Cohort:
        """Keep the ECGs that meet every condition given.

        Args:
            since: First day, inclusive. ECGs without a date do not pass.
            until: Last day, inclusive. ECGs without a date do not pass.
            labelled: Task or label name; ECGs without that label do not pass.
            patients: Only these patients.
            without_patients: None of these patients.
            sites: Only these sites.
            between: ``age`` or a label's name to its lowest and highest value, inclusive, None = no limit. ECGs
                without a value do not pass.

        Raises:
            HeartprintError: ``label-missing`` if `between` names no label of this cohort.
        """
        from heartprint.cohorts.tasks import get_task

        keep = pl.lit(True)
        if since is not None:
            keep = keep & (pl.col("recorded_at").dt.date() >= since)
        if until is not None:
            keep = keep & (pl.col("recorded_at").dt.date() <= until)
        if patients is not None:
            keep = keep & pl.col("patient_id").is_in(list(patients))
        if without_patients is not None:
            keep = keep & ~pl.col("patient_id").is_in(list(without_patients))
        if sites is not None:
            keep = keep & pl.col("site").is_in(list(sites))
        for name, (low, high) in (between or {}).items():
            column = "age" if name == "age" else f"label_{name}"
            if column not in self.records.columns:
                have = [c.removeprefix("label_") for c in self.records.columns if c.startswith("label_")]
                raise HeartprintError(
                    "label-missing",
                    f"Cohort {self.info.name} has no number '{name}' to choose ECGs by; it has: "
                    f"{', '.join(['age', *have])}.",
                )
            keep = keep & pl.col(column).is_not_nan()
            if low is not None:
                keep = keep & (pl.col(column) >= low)
            if high is not None:
                keep = keep & (pl.col(column) <= high)
        mask = self.records.select(keep.fill_null(False).alias("keep"))["keep"].to_numpy()
        mask = np.broadcast_to(mask, (len(self),)).copy()
        if labelled is not None:
            mask &= ~np.isnan(get_task(labelled, self.records).labels(self.records))
        return self.take(np.flatnonzero(mask))

    def labels(self, task: str) -> npt.NDArray[np.float32]:
        """``(n,)`` answers to a task: 1, 0, or NaN where the ECG has no label."""
        from heartprint.cohorts.tasks import get_task

        return get_task(task, self.records).labels(self.records)

    def image(self, row: int) -> Image:
        """One ECG of a cohort of images: ``(height, width)`` uint8, white = 255, a read-only view of the mapped file.

        Raises:
            HeartprintError: ``no-image`` for a cohort of waveforms, ``cohort-damaged`` if the pixels are not those
                that were stored.
        """
        if self.kind != "image":
            raise HeartprintError(
                "no-image", f"'{self.info.name}' holds waveforms: sheets are drawn of them, none is stored."
            )
        if self._index is None:
            self._index = tuple(self.records[name].to_numpy() for name in ("offset", "height", "width"))
        start, height, width = (int(column[row]) for column in self._index)
        return self._proven(row, self._map()[start : start + height * width]).reshape(height, width)

    def need_waveforms(self, what: str) -> None:
        """Raise ``needs-waveforms`` for a cohort of images; ``what`` is a clause without its full stop."""
        if self.kind == "image":
            raise HeartprintError(
                "needs-waveforms", f"{what}, and '{self.info.name}' holds images of ECGs, whose waveforms are unknown."
            )

    def sampling_rate(self, row: int) -> float:
        """Sampling rate of one ECG in Hz."""
        return float(self._columns()[3][row])

    def samples(self, row: int) -> npt.NDArray[np.int16]:
        """Stored samples of one ECG: ``(n_leads, n_samples)`` int16, a read-only view of the mapped file.

        Raises:
            HeartprintError: ``needs-waveforms`` for a cohort of images, ``cohort-damaged`` if the samples are not
                those that were stored.
        """
        offset, n_samples, n_leads, _, _ = self._columns()
        start, n, leads = int(offset[row]), int(n_samples[row]), int(n_leads[row])
        return self._proven(row, self._map()[start : start + leads * n]).reshape(leads, n)

    def signal(self, row: int) -> npt.NDArray[np.float32]:
        """One ECG in mV (or in standard deviations where ``unit`` is ``z``).

        Returns:
            ``(8, n)`` in `LEADS_8` order, or ``(12, n)`` in `LEADS_12` order; float32, NaN = missing.
        """
        raw = self.samples(row)
        signal = raw.astype(np.float32)
        signal *= np.float32(self._columns()[4][row])
        missing = raw == MISSING
        if missing.any():
            signal[missing] = np.nan
        return signal

    def _columns(self) -> tuple[npt.NDArray[Any], ...]:
        self.need_waveforms("This works on waveforms")
        if self._index is None:
            r = self.records
            # Standardised leads are stored in thousandths, microvolts become mV: both are a factor of 1/1000.
            self._index = (
                r["offset"].to_numpy(),
                r["n_samples"].to_numpy(),
                r["n_leads"].to_numpy(),
                r["sampling_rate"].to_numpy(),
                r["uv_per_bit"].to_numpy() / 1000.0,
            )
        return self._index

    def _map(self) -> npt.NDArray[Any]:
        if self._data is None:
            path, dtype = self.path / DATA_FILES[self.kind], DATA_TYPES[self.kind]
            if path.stat().st_size == 0:
                self._data = np.empty(0, dtype=dtype)
            else:
                # As a plain array: slices of a memmap cost more than they read.
                self._data = np.asarray(np.memmap(path, dtype=dtype, mode="r"))
        return self._data

    def _proven(self, row: int, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Hold what is stored of an ECG against its hash, once: later reads cost nothing."""
        if self._proved is None:
            self._proved = np.zeros(len(self), dtype=np.bool_)
        if not self._proved[row]:
            if content_hash(stored.data) != int(self.hashes[row]):
                raise damaged(
                    self.path,
                    f"ECG '{self.records['ecg_id'][int(row)][:60]}' does not hold the {self.kind} that was stored",
                )
            self._proved[row] = True
        return stored

    def __getstate__(self) -> dict[str, Any]:
        # A worker process maps the file itself; shipping the map would copy it.
        return {**self.__dict__, "_data": None, "_proved": None}


def _need_files(folder: Path, *names: str) -> None:
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise HeartprintError(
            "cohort-incomplete",
            f"{folder} is not a whole cohort: {', '.join(absent)} is missing. Ingest or simulate it again.",
        )


def parse_info(folder: Path, raw: Mapping[str, Any]) -> CohortInfo:
    """What ``cohort.json`` says, checked field by field.

    Raises:
        HeartprintError: ``cohort-damaged``.
    """
    info: CohortInfo = validated(folder, COHORT_FILE, raw, _INFO)
    return info


_INFO = pydantic.TypeAdapter(CohortInfo)


def content_hash(stored: bytes | memoryview) -> int:
    """64-bit BLAKE2b (Aumasson et al. 2013) of what is stored of an ECG: equal for equal ECGs."""
    return int.from_bytes(hashlib.blake2b(stored, digest_size=8).digest(), "little")


def seen_hashes(patient_key: str, patient_ids: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Hash patient ids with a cohort's key, sorted and unique (see `CohortInfo`)."""
    key = bytes.fromhex(patient_key)
    values = {
        int.from_bytes(hashlib.blake2b(p.encode(), key=key, digest_size=8).digest(), "little") for p in patient_ids
    }
    return np.array(sorted(values), dtype=np.uint64)
