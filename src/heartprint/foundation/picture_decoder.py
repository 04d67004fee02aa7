"""The process that opens untrusted pictures: PNG, JPEG, TIFF, BMP, WebP, HEIC, PDF, DICOM, to small grey images.

It is started by `heartprint.foundation.pictures` and may die of what it reads. It imports little, so that it starts
quickly and has memory to spare under its limit.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import warnings
from pathlib import Path
from typing import Any, BinaryIO

from heartprint.foundation.picture_documents import begins_like_dicom, count_in_dicom, count_in_pdf, dicom, pdf
from heartprint.foundation.picture_files import count_in_picture, picture
from heartprint.foundation.picture_rules import MAX_BYTES, Grey, Refused, is_blank, shrunk

MEMORY = 430 * 2**20
"""Bytes of data that the process may have; with its code it stays below 512 MB."""
MIN_SIDE = 32
"""Shortest side of a picture as it is kept, px."""

_PDF_HEAD = 1024


def serve() -> None:
    """Answer requests until standard input ends: a line of JSON each, answered by one and the pixels."""
    _limit_memory()
    import cv2
    from PIL import Image

    cv2.setNumThreads(1)
    Image.init()
    Image.MAX_IMAGE_PIXELS = None  # checked here, against one limit for every format
    warnings.simplefilter("ignore")
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _answer(answers, {"ready": True})
    for line in sys.stdin.buffer:
        request = json.loads(line)
        path = Path(request["path"])
        if request.get("count"):
            reply, data = _counted(path), b""
        else:
            reply, data = answer(path, request["page"], request["longest_side"])
        _answer(answers, reply, data)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows: the checks of the header must do
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(out: BinaryIO, reply: dict[str, Any], data: bytes = b"") -> None:
    out.write(json.dumps(reply | {"bytes": len(data)}).encode() + b"\n" + data)
    out.flush()


def answer(path: Path, page: int | None, longest_side: int) -> tuple[dict[str, Any], bytes]:
    """Decode a picture: what is said of it, and its pixels; or why it is refused."""
    try:
        grey, original, facts = decode(path, page, longest_side)
    except Exception as error:
        code, message = _refusal(path.name, error).args
        return {"code": code, "message": message}, b""
    height, width = grey.shape
    return {"height": height, "width": width, "original": original, "facts": facts}, grey.tobytes()


def _counted(path: Path) -> dict[str, Any]:
    try:
        return {"pages": count(path)}
    except Exception as error:
        code, message = _refusal(path.name, error).args
        return {"code": code, "message": message}


def _refusal(name: str, error: Exception) -> Refused:
    """What a failed decoding is told as; decoders meet damaged files with many kinds of error."""
    if isinstance(error, Refused):
        return error
    said = str(error)
    of_opencv = "bad_alloc" in said or ("insufficient" in said.lower() and "memory" in said.lower())
    if isinstance(error, MemoryError) or of_opencv:
        return Refused(
            "too-much-memory",
            f"{name} needs more memory to open than any picture of an ECG should. Export it again, smaller.",
        )
    code = "file-truncated" if "truncated" in said else "unreadable-file"
    shown = f"{type(error).__name__}: {said[:160]}" if said else type(error).__name__
    return Refused(code, f"{name} is not a whole picture ({shown}). Fetch or export it again.")


def decode(path: Path, page: int | None, longest_side: int) -> tuple[Grey, tuple[int, int], dict[str, str]]:
    """Read a picture as it lies upright, in grey, shrunk by averaging over areas.

    Args:
        path: The file.
        page: Number of the page, from 1; None = the only one.
        longest_side: Most pixels along the longer side; smaller pictures stay as they are.

    Returns:
        ``(h, w)`` uint8, white = 255; height and width before it was shrunk; what the file says of the ECG, as text.

    Raises:
        Refused: With code and message.
    """
    name = path.name
    head = _head(path)
    facts: dict[str, str] = {}
    if begins_like_dicom(head):
        grey, facts = dicom(path, page, longest_side)
    elif b"%PDF-" in head:
        grey = pdf(path, name, page, longest_side)
    else:
        grey = picture(path, page)
    original = (int(grey.shape[0]), int(grey.shape[1]))
    grey = shrunk(grey, longest_side)
    if min(grey.shape) < MIN_SIDE:
        raise Refused(
            "image-too-small",
            f"{name} has {original[1]} x {original[0]} px: too small or too narrow for an ECG (at least {MIN_SIDE} px "
            "either way, as it is kept). Export it larger.",
        )
    if is_blank(grey):
        raise Refused(
            "blank-image",
            f"{name} is blank: fewer than one in 1,000 of its pixels stand out from the page. Check that it is the "
            "right page, and export it again.",
        )
    return grey, original, facts


def count(path: Path) -> int:
    """How many pages, frames or pictures a file has.

    Raises:
        Refused: With code and message.
    """
    head = _head(path)
    if begins_like_dicom(head):
        return count_in_dicom(path)
    return count_in_pdf(path, path.name) if b"%PDF-" in head else count_in_picture(path)


def _head(path: Path) -> bytes:
    """The first bytes of a file that may be opened."""
    name = path.name
    try:
        about = path.stat()
        size = about.st_size
        if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
            # What a pipe or a device gives may never end, or never begin.
            raise Refused("unreadable-file", f"{name} is not a file but a pipe or a device. Correct the path.")
        with path.open("rb") as handle:
            head = handle.read(_PDF_HEAD)
    except FileNotFoundError as error:
        raise Refused("file-missing", f"The file {name} is missing. Restore it or correct the path.") from error
    except OSError as error:
        raise Refused(
            "unreadable-file", f"{name} cannot be opened ({error.strerror}). Check that you may read it."
        ) from error
    if size == 0:
        raise Refused("file-truncated", f"{name} is empty. Fetch it again.")
    if size > MAX_BYTES:
        raise Refused("file-too-large", f"{name} has {size:,} bytes; up to {MAX_BYTES:,} are read. Export it smaller.")
    return head
