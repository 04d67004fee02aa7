"""Arrays of leads as NumPy saves them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from heartprint.cohorts.leads import LEADS_8, LEADS_12
from heartprint.cohorts.readers.formats.common import Given
from heartprint.cohorts.readers.source import Recording, check_length
from heartprint.cohorts.readers.wfdb_file import MV_PER_UNIT
from heartprint.foundation.errors import HeartprintError, unknown_name

STANDARDISED = "z"
"""Unit of leads that were normalised one by one; all twelve are then needed."""
UNITS = ("mV", "uV", "V", "nV", STANDARDISED)

_LEADS = {len(LEADS_8): LEADS_8, len(LEADS_12): LEADS_12}


def looks_like(head: bytes) -> bool:
    """Whether a file begins as an ``.npy`` file does."""
    return head.startswith(b"\x93NUMPY")


_COUNTED = re.compile(r"(\d+(?:\.\d+)?(?:e-?\d+)?)\s*(\D+)", re.IGNORECASE)


def check_unit(unit: str) -> None:
    """Raise ``unknown-unit`` unless a unit is a voltage, a multiple of one (``4.88uV``), or `STANDARDISED`."""
    mv_per_unit(unit)


def mv_per_unit(unit: str) -> float:
    """Millivolts of one unit: of a voltage, or of a machine's count given as a multiple of one (``4.88uV``).

    Leads that are `STANDARDISED` are left as they are: 1.

    Raises:
        HeartprintError: ``unknown-unit``.
    """
    if unit == STANDARDISED:
        return 1.0
    counted = _COUNTED.fullmatch(unit.strip())
    count, name = (float(counted[1]), counted[2]) if counted else (1.0, unit)
    factor = MV_PER_UNIT.get(name.strip().lower())
    if factor is None or not 0 < count < float("inf"):
        raise unknown_name("unit", unit, (*UNITS, "4.88uV"))
    return count * factor


def read(path: Path, given: Given) -> Recording:
    """Read an array of leads.

    Args:
        path: ``.npy`` file, ``(8 or 12, n)`` or ``(n, 8 or 12)`` numbers in `LEADS_8` or `LEADS_12` order.
        given: Sampling rate and unit.

    Raises:
        HeartprintError: ``file-missing``, ``file-truncated``, ``bad-array``, ``missing-sampling-rate`` or
            ``unknown-unit``.
    """
    sampling_rate = given.need_sampling_rate(path)
    check_unit(given.unit)
    if not path.is_file():
        raise HeartprintError("file-missing", f"The file {path.name} is missing. Restore it or correct the table.")
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except Exception as error:
        # NumPy reads the header as Python text and meets a damaged one with many kinds of error; a MemoryError, too, is
        # the parser's: the samples are not read yet.
        code = "file-truncated" if "mmap length" in str(error) or isinstance(error, EOFError) else "bad-array"
        raise HeartprintError(
            code, f"{path.name} is not a whole .npy array of numbers ({_first_line(error)}). Save it again."
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise HeartprintError("bad-array", f"{path.name} does not hold real numbers. Save it as float32.")
    if array.ndim != 2 or not {8, 12} & set(array.shape):
        raise HeartprintError(
            "bad-array",
            f"{path.name} has the shape {array.shape}; (8 or 12, n) or (n, 8 or 12) is needed. Save it again.",
        )
    check_length(path.name, max(array.shape))
    leads = array if array.shape[0] in _LEADS else array.T
    standardised = given.unit == STANDARDISED
    factor = mv_per_unit(given.unit)
    with np.errstate(invalid="ignore"):
        signal = np.array(leads, dtype=np.float64)
    if factor != 1.0:
        signal *= factor
    return Recording(signal, _LEADS[leads.shape[0]], sampling_rate, standardised)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
