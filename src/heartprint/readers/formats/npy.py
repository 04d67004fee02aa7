"""Arrays of leads as NumPy saves them."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.readers.formats.common import Given
from heartprint.readers.formats.wfdb import MV_PER_UNIT
from heartprint.readers.source import Recording, check_length
from heartprint.signals.leads import LEADS_8, LEADS_12

STANDARDISED = "z"
"""Unit of leads that were normalised one by one; all twelve are then needed."""
UNITS = ("mV", "uV", "V", "nV", STANDARDISED)

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000  # bytes: what NumPy itself takes
_ENTRY = re.compile(
    r"""\s*['"](\w{1,20})['"]\s*:\s*('[^']{0,99}'|"[^"]{0,99}"|\w{1,9}|\([^()]{0,999}\))\s*(?:,|$)\s*""", re.ASCII
)
_LEADS = {len(LEADS_8): LEADS_8, len(LEADS_12): LEADS_12}


def looks_like(head: bytes) -> bool:
    """Whether a file begins as an ``.npy`` file does."""
    return head.startswith(_MAGIC)


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
    array = mapped(path)
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


def mapped(path: Path, remedy: str = "Save it again.") -> npt.NDArray[Any]:
    """Map an ``.npy`` file of numbers into memory.

    NumPy reads the header, however long it says that it is, and has Python parse it; here it is neither read beyond
    what a header can be nor parsed beyond what NumPy writes (NEP 1).

    Args:
        path: The file.
        remedy: What to do with one that is damaged.

    Raises:
        HeartprintError: ``bad-array`` or ``file-truncated``.
    """

    def refused(why: str, code: str = "bad-array") -> HeartprintError:
        return HeartprintError(code, f"{path.name} is not a whole .npy array of numbers: {why}. {remedy}")

    with path.open("rb") as handle:
        head = handle.read(12)
        if len(head) < 12 and _MAGIC.startswith(head[: len(_MAGIC)]):
            raise refused("it ends within its header", "file-truncated")
        if not looks_like(head):
            raise refused("it does not begin like one")
        width = 2 if head[6:7] == b"\1" else 4
        length = int.from_bytes(head[8 : 8 + width], "little")
        if length > _LONGEST_HEADER:
            raise refused(f"its header would have {length:,} bytes")
        handle.seek(8 + width)
        header = handle.read(length)
        offset, size = handle.tell(), path.stat().st_size
    if len(header) < length:
        raise refused("it ends within its header", "file-truncated")
    found = _header(header.decode("latin-1"))
    if found is None:
        raise refused("its header is not that of plain numbers")
    descr, fortran, shape = found
    dtype = np.dtype(descr)
    need = offset + math.prod(shape) * dtype.itemsize
    if size < need:
        raise refused(f"it has {size:,} bytes and needs {need:,}", "file-truncated")
    if 0 in shape:
        raise refused(f"with the shape {shape} it holds nothing")
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape, order="F" if fortran else "C")


def _header(text: str) -> tuple[str, bool, tuple[int, ...]] | None:
    """Type of the numbers, whether columns lie together, and shape; None if a header says anything else."""
    inside = re.fullmatch(r"\s*\{(.*)\}\s*", text, re.DOTALL)
    said: dict[str, str] = {}
    at, whole = 0, inside[1].strip() if inside else ""
    while at < len(whole):
        entry = _ENTRY.match(whole, at)
        if entry is None:
            return None
        said[entry[1]] = entry[2]
        at = entry.end()
    descr = re.fullmatch(r"['\"]([<>|=]?(?:f[248]|[iu][1248]))['\"]", said.get("descr", ""))
    shape = re.fullmatch(r"\(((?:\s*\d{1,18}L?\s*,?){1,8})\)", said.get("shape", ""), re.ASCII)
    if descr is None or shape is None or said.get("fortran_order") not in ("True", "False"):
        return None
    numbers = tuple(int(number) for number in re.findall(r"\d+", shape[1]))
    return descr[1], said["fortran_order"] == "True", numbers
