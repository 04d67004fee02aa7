"""Files that others may have written: looked at before they are read, and read within bounds."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

MAX_TEXT_BYTES = 4 * 2**20
"""Largest description, card or list of checksums; real ones have a few kilobytes."""
MAX_DEPTH = 200
"""Brackets within brackets in JSON. A pretraining that goes on from another one adds one level."""


class BadFile(ValueError):
    """A file cannot be what its name promises; the message completes "FILE ..."."""


def open_plain(path: Path, limit: int) -> BinaryIO:
    """Open a file that is a plain file of bounded size.

    A link could lead to any other file of the reader, a pipe would wait for ever, and a size is only known to be
    sane before a file is read.

    Args:
        path: The file.
        limit: Most bytes that it may have.

    Raises:
        FileNotFoundError: If it is not there.
        BadFile: If it is a link, a folder or a pipe, or too large.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if path.is_symlink():
        raise BadFile("is a link to another file")
    try:
        handle = os.fdopen(os.open(path, flags), "rb")
    except (IsADirectoryError, PermissionError) as error:
        raise BadFile("is a folder" if path.is_dir() else "may not be read") from error
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise BadFile("is not a plain file") from error
        raise
    about = os.fstat(handle.fileno())
    wrong = ""
    if not stat.S_ISREG(about.st_mode):
        wrong = "is not a plain file"
    elif about.st_size > limit:
        wrong = f"has {about.st_size:,} bytes, more than the {limit:,} that such a file may have"
    if wrong:
        handle.close()
        raise BadFile(wrong)
    return handle


def plain_size(path: Path, limit: int) -> int:
    """Bytes of a plain file; errors as in `open_plain`."""
    with open_plain(path, limit) as handle:
        return os.fstat(handle.fileno()).st_size


def read_plain(path: Path, limit: int = MAX_TEXT_BYTES) -> bytes:
    """Read a plain file whole; errors as in `open_plain`."""
    with open_plain(path, limit) as handle:
        return handle.read(limit)


def parse_json(text: bytes) -> Any:
    """Read JSON (RFC 8259) strictly: UTF-8, finite numbers, no name twice in an object, bounded depth.

    Raises:
        BadFile: If it is anything else.
    """
    try:
        value = json.loads(
            text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_not_a_number, parse_float=_finite
        )
    except RecursionError as error:
        raise BadFile("is nested too deeply") from error
    except BadFile:
        raise
    except ValueError as error:
        raise BadFile(f"is not JSON ({_short(error)})") from error
    if _depth(value) > MAX_DEPTH:
        raise BadFile("is nested too deeply")
    return value


def read_json(path: Path, limit: int = MAX_TEXT_BYTES) -> Any:
    """Read a JSON file; errors as in `open_plain` and `parse_json`."""
    return parse_json(read_plain(path, limit))


def read_npz(path: Path | BinaryIO, *names: str, limit: int) -> list[npt.NDArray[Any]]:
    """Read arrays that `numpy.savez` wrote, uncompressed and without pickle, so that none is larger than the file.

    Args:
        path: The file.
        names: Arrays to read.
        limit: Most bytes that the file may have.

    Returns:
        The arrays in the order of ``names``.

    Raises:
        FileNotFoundError: If it is not there.
        BadFile: If it is too large or anything else than such a file.
    """
    source = open_plain(path, limit) if isinstance(path, Path) else path
    try:
        with zipfile.ZipFile(source) as archive:
            packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise BadFile("holds packed arrays, which are not unpacked")
        source.seek(0)
        with np.load(source, allow_pickle=False) as stored:
            return [np.asarray(stored[name]) for name in names]
    except BadFile:
        raise
    # What zipfile and numpy say of bytes that are no archive or no array, headers that lie about their shape included.
    except (
        *(OSError, ValueError, KeyError, TypeError, SyntaxError, EOFError, MemoryError, RecursionError),
        *(NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error),
    ) as error:
        raise BadFile(f"does not hold the arrays that it should ({_short(error)})") from error
    finally:
        if isinstance(path, Path):
            source.close()


def _short(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadFile(f"names '{twice[:50]}' twice")
    return found


def _not_a_number(name: str) -> Any:
    raise BadFile(f"holds {name}, which is not a finite number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _not_a_number(text[:50])


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [inner for each in level for inner in _inside(each)]:
        depth += 1
        if depth > MAX_DEPTH:
            break
    return depth


def _inside(value: Any) -> list[Any]:
    found = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [inner for inner in found if isinstance(inner, dict | list)]
