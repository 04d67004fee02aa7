"""What a safetensors file holds, read from its header before a single number is."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heartprint.foundation.bounded import BadFile, open_plain, parse_json

MAX_HEADER_BYTES = 2 * 2**20
"""The largest network here, of 580 tensors, has a header of 60 kB."""
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class Stored:
    """One tensor of a file.

    Attributes:
        dtype: Type of its numbers, ``F32`` and the like.
        shape: Its shape.
    """

    dtype: str
    shape: tuple[int, ...]


def read_header(path: Path, limit: int) -> tuple[dict[str, Stored], dict[str, str]]:
    """Read the header of a safetensors file.

    Args:
        path: The file.
        limit: Most bytes that the file may have.

    Returns:
        Its tensors and its notes by name.

    Raises:
        FileNotFoundError: If the file is not there.
        BadFile: If it is no such file, or its tensors do not fill it without gap or overlap.
    """
    with open_plain(path, limit) as handle:
        start = handle.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= MAX_HEADER_BYTES:
            raise BadFile("is not a safetensors file")
        text = handle.read(length)
        size = handle.seek(0, 2) - 8 - length
    raw = parse_json(text)
    notes = raw.pop("__metadata__", {}) if isinstance(raw, dict) else None
    if not isinstance(notes, dict) or not all(isinstance(v, str) for v in notes.values()):
        raise BadFile("has a header that describes no tensors")
    found = {name: _place(name, about) for name, about in raw.items()}
    at = 0
    for stored, begin, end in sorted(found.values(), key=lambda place: place[1:]):
        if begin != at or end - begin != math.prod(stored.shape) * _BYTES[stored.dtype]:
            raise BadFile("has tensors that do not lie one after the other")
        at = end
    if at != size:
        raise BadFile(f"holds {size:,} bytes of numbers, and its header tells of {at:,}")
    return {name: stored for name, (stored, _, _) in found.items()}, notes


def _place(name: str, about: Any) -> tuple[Stored, int, int]:
    try:
        dtype, shape, (begin, end) = about["dtype"], about["shape"], about["data_offsets"]
        if about.keys() != {"dtype", "shape", "data_offsets"} or dtype not in _BYTES:
            raise ValueError
        # Python's integers have no end, so that a product of sides cannot come round to a small number.
        if not all(type(n) is int and 0 <= n < 2**48 for n in (*shape, begin, end)) or len(shape) > 8:
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadFile(f"has a header that does not describe its tensor '{name[:60]}'") from error
    return Stored(dtype, tuple(shape)), begin, end
