"""HDF5 files of tracings as the Telehealth Network of Minas Gerais publishes them (CODE-15%, SaMi-Trop).

``tracings`` is ``(N, 4096, 12)`` at 400 Hz, leads in the usual order, zeros before and after a recording that is
shorter; ``exam_id``, if there, names the rows. Its unit is not published; see `MV_PER_UNIT`.
"""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.source import Recording
from heartprint.signals.leads import LEADS_12

SAMPLING_RATE = 400.0
MV_PER_UNIT = 1.0
"""Millivolts, as the organisers of the PhysioNet Challenge 2025 read these files.

The laboratory's own words ('at the scale 1e-4 V: so it should be multiplied by 1000 in order to obtain the signals in
V') contradict themselves. In steps of 0.1 mV the QRS would be far too small; as mV it is 1.4 to 2 times as high as in
other sets, so that 0.5 may be nearer to the truth.
"""
UNIT_NOTE = (
    "The unit of the tracings is not published. They are taken for {:g} mV a step; heights cannot be compared with "
    "those of other sources."
)

_LONGEST = 100_000
_MOST = 10_000_000
_MOST_IN_A_CHUNK = 96 * 2**20  # bytes: 480 ECGs; all exam ids that there may be
_MOST_AT_ONCE = 256 * 2**20  # bytes of the ECGs that lie in the same chunks; h5py's own chunks take half of it
# What h5py raises for damaged files, besides what is not there.
_HDF5_ERRORS = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, OverflowError)


class Tracings:
    """One file, opened when first needed; a row is read when asked for.

    Args:
        path: The ``.hdf5`` file.
        mv_per_unit: Millivolts per stored unit.

    Raises:
        HeartprintError: ``bad-unit`` if that is no positive number.
    """

    def __init__(self, path: Path, mv_per_unit: float = MV_PER_UNIT) -> None:
        if not (np.isfinite(mv_per_unit) and mv_per_unit > 0):
            raise HeartprintError("bad-unit", f"A step of {mv_per_unit:g} mV is none. Give a positive number.")
        self.path = path
        self._mv_per_unit = mv_per_unit
        self._band: tuple[int, npt.NDArray[Any] | Exception] | None = None

    def __reduce__(self) -> tuple[type[Tracings], tuple[Path, float]]:
        # A worker opens the file itself.
        return type(self), (self.path, self._mv_per_unit)

    @cached_property
    def _data(self) -> Any:
        import h5py

        if not self.path.is_file():
            raise HeartprintError("file-missing", f"The file {self.path.name} is missing. Fetch and unzip it.")
        try:
            data = _own_dataset(h5py.File(self.path, "r"), "tracings")
            shape = data.shape
        except _HDF5_ERRORS as error:
            code = "file-truncated" if "truncated" in str(error) else "unreadable-file"
            raise HeartprintError(
                code, f"{self.path.name} is not a whole HDF5 file with 'tracings' ({error}). Fetch it again."
            ) from error
        if len(shape) != 3 or shape[2] != len(LEADS_12) or not 0 < shape[1] <= _LONGEST:
            raise HeartprintError(
                "bad-array",
                f"The tracings of {self.path.name} have the shape {shape}; (N, 4096, 12) is needed. Fetch it again.",
            )
        band = math.prod(shape[1:]) * data.dtype.itemsize * min(shape[0], data.chunks[0] if data.chunks else 1)
        if band > _MOST_AT_ONCE:
            raise HeartprintError(
                "file-too-large",
                f"The tracings of {self.path.name} are stored so that each ECG needs {band:,} bytes to be unpacked; up "
                f"to {_MOST_AT_ONCE:,} are. Fetch the file again, or write it in chunks of fewer ECGs.",
            )
        return data

    def __len__(self) -> int:
        return int(self._data.shape[0])

    @cached_property
    def row_of(self) -> dict[int, int] | None:
        """Row by exam id, or None where the file does not name its rows.

        Raises:
            HeartprintError: As for `recording`.
        """
        data = self._data
        try:
            if "exam_id" not in data.file:
                return None
            ids = _own_dataset(data.file, "exam_id")
            # Checked before anything is read: a damaged header can promise any size.
            if ids.size != data.shape[0] or ids.size > _MOST or ids.dtype.kind not in "iuf":
                raise ValueError(f"{ids.size} numbers for {data.shape[0]} ECGs")
            with np.errstate(invalid="ignore"):
                ids = np.asarray(ids[:]).reshape(-1).astype(np.int64)
        except _HDF5_ERRORS as error:
            raise HeartprintError(
                "unreadable-file", f"The exam ids of {self.path.name} cannot be read ({error}). Fetch it again."
            ) from error
        # Every part ends with a row of exam id 0, which is none.
        return {int(exam): row for row, exam in enumerate(ids) if int(exam) != 0}

    def recording(self, row: int) -> Recording:
        """One ECG in mV without the zeros around it.

        Raises:
            HeartprintError: ``file-missing``, ``file-truncated``, ``unreadable-file`` or ``bad-array``.
        """
        data = self._data
        if not 0 <= row < data.shape[0]:
            raise HeartprintError(
                "header-mismatch",
                f"{self.path.name} has {data.shape[0]} ECGs, the table wants number {row + 1}."
                " Table and file do not belong together; fetch both again.",
            )
        try:
            with np.errstate(invalid="ignore"):
                tracing = np.asarray(self._stored(row), dtype=np.float64)
        except _HDF5_ERRORS as error:
            raise HeartprintError(
                "file-truncated", f"ECG number {row + 1} of {self.path.name} cannot be read ({error}). Fetch it again."
            ) from error
        return Recording(without_padding(tracing).T * self._mv_per_unit, LEADS_12, SAMPLING_RATE)

    def _stored(self, row: int) -> npt.NDArray[Any]:
        """One ECG as it is stored; all that lie in the same chunks are unpacked with it, once."""
        data = self._data
        if data.chunks is None:
            return np.asarray(data[row])
        first = row - row % data.chunks[0]
        if self._band is None or self._band[0] != first:
            self._band = None
            try:
                self._band = first, np.asarray(data[first : first + data.chunks[0]])
            except _HDF5_ERRORS as error:
                # Kept as well: unpacking in vain takes as long.
                self._band = first, error
        kept = self._band[1]
        if isinstance(kept, Exception):
            raise kept
        return np.asarray(kept[row - first])


def _own_dataset(file: Any, name: str) -> Any:
    """A data set that lies in the file itself, in chunks that can be unpacked.

    Raises:
        ValueError: It is a link, a group, lies in other files, or unpacks to more than a chunk may.
    """
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"'{name}' is not there, or a link to another place")
    data = file[name]
    if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
        raise ValueError(f"'{name}' is not an array of this file")
    if data.dtype.kind not in "fiu":
        raise ValueError(f"'{name}' does not hold numbers")
    chunk = math.prod(data.chunks or (1,)) * data.dtype.itemsize
    if chunk > _MOST_IN_A_CHUNK:
        raise ValueError(f"'{name}' is stored in chunks of {chunk:,} bytes; up to {_MOST_IN_A_CHUNK:,} are unpacked")
    return data


def without_padding(tracing: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``(n, 12)`` without the rows at both ends in which every lead is exactly 0."""
    there = np.flatnonzero((tracing != 0).any(axis=1))
    return tracing[there[0] : there[-1] + 1] if len(there) else tracing[:0]
