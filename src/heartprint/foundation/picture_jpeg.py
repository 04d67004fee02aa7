"""Whether a JPEG holds as many pixels as its header says: decoders fill up with grey, or stop, and say nothing."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np

from heartprint.foundation.arrays import Image
from heartprint.foundation.picture_rules import Refused

_END = b"\xff\xd9"
_SCAN, _PROGRESSIVE = 0xDA, 0xC2
# Within a scan 0xFF is followed by 0 (it is data), by the number of a restart, or by more of itself.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FILLED_UP = (127, 128, 129)  # levels that decoders take for missing blocks, and what rounding makes of them
_SHARE = 0.02  # of a scan's data, at its end
_LEAST = 256  # bytes: a block has fewer, and at an eighth of the size only its first number is seen
_LEAST_OF_MEANS = 16  # bytes, where the first scan has nothing but these numbers
_UNUSED = bytes(range(1, 251))


def check_amount(name: str, data: bytes, last_level: int | None) -> None:
    """Refuse a JPEG whose data are too few or too many for the size in its header.

    The first scan covers the whole picture. Data that are written over at its end must change the picture, otherwise
    the decoder had its pixels before; data that are added behind its end must change nothing, otherwise the decoder
    was still waiting for some.

    Args:
        name: For the message.
        data: The file.
        last_level: The level of the last block of 8 x 8 px if it has but one, as it has where data are missing.

    Raises:
        Refused: ``file-truncated`` or ``header-mismatch``.
    """
    start, progressive = _first_scan(data)
    if not start:
        return
    end = _MARKER.search(data, start)
    scan = data[start : end.start() if end else len(data)]
    head, whole = data[:start], _eighth(data[:start] + scan + _END)
    if whole is None:
        return
    if last_level is not None:
        longer = _eighth(head + scan + _UNUSED + _END)
        if longer is None or not np.array_equal(longer, whole):
            raise Refused(
                "file-truncated",
                f"The pixels of {name} end before those that its header promises: it is truncated. Fetch or export it "
                "again.",
            )
    least = _LEAST_OF_MEANS if progressive else _LEAST
    if len(scan) < 2 * least or last_level in _FILLED_UP:  # what is written over may be filled up with the same
        return
    n = max(least, int(_SHARE * len(scan)))
    other = _eighth(head + scan[:-n] + _written_over(scan[-n:]) + _END)
    if other is not None and np.array_equal(other, whole):
        raise Refused(
            "header-mismatch",
            f"{name} holds more pixels than its header says: part of the picture would be missing. Export it again.",
        )


def _written_over(scan: bytes) -> bytes:
    """Other data, with restart markers where they were: without them a decoder skips to the next one."""
    old = np.frombuffer(scan, dtype=np.uint8)
    new = np.resize(np.frombuffer(_UNUSED, dtype=np.uint8), old.shape)
    part_of_marker = (old == 0xFF) | (np.concatenate([[0], old[:-1]]) == 0xFF)
    return np.where(part_of_marker, old, new).tobytes()


def _first_scan(data: bytes) -> tuple[int, bool]:
    """Where the first scan's data begin, 0 if nowhere; whether others refine it."""
    at, progressive = 2, False
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return 0, progressive
        kind = data[at + 1]
        if kind == 0xFF or 0xD0 <= kind <= 0xD8 or kind == 0x01:
            at += 1 if kind == 0xFF else 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        progressive = progressive or kind == _PROGRESSIVE
        if kind == _SCAN:
            return at, progressive
    return 0, progressive


def _eighth(data: bytes) -> Image | None:
    """The picture, in its colours, at an eighth of its size, which costs little; None if it cannot be decoded."""
    from PIL import Image

    try:
        with Image.open(BytesIO(data), formats=("JPEG",)) as picture:
            picture.draft(None, (max(1, picture.width // 8), max(1, picture.height // 8)))
            return np.asarray(picture, dtype=np.uint8)
    except (OSError, SyntaxError, ValueError):
        return None
