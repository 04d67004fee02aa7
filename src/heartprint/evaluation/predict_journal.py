"""The note of which files are scored: what a killed prediction leaves, and the next one takes up."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

Files = list[list[Any]]


class Journal:
    """A file with a line for its key, then a line for each block of files, each with its own checksum.

    Only the places of the lines are kept in memory. What was written under another key, or not to its end, is cut off.

    Args:
        path: The file; its folder is there.
        key: What must be the same for the note to be taken up.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = key
        self._at: dict[str, int] = {}
        self._lines: BinaryIO | None = None

    def __enter__(self) -> Journal:
        self._lines = self._path.open("a+b")
        self._lines.seek(0)
        good = 0
        for line in iter(self._lines.readline, b""):
            entry = _checked(line)
            if entry is None or (good == 0 and entry.get("key") != self._key):
                break
            if good:
                self._at[_name(entry["files"])] = good
            good += len(line)
        self._lines.truncate(good)
        self._lines.seek(good)
        if good == 0:
            self._write({"key": self._key})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._lines is not None
        self._lines.close()

    def has(self, files: Files) -> bool:
        """Whether the rows of a block are noted."""
        return _name(files) in self._at

    def note(self, files: Files, rows: list[tuple[Any, ...]]) -> None:
        """Note the rows of a block."""
        assert self._lines is not None
        self._lines.seek(0, 2)
        self._at[_name(files)] = self._lines.tell()
        self._write({"files": files, "rows": rows})

    def rows(self, files: Files) -> list[list[Any]]:
        """The rows of a block that is noted."""
        assert self._lines is not None
        self._lines.seek(self._at[_name(files)])
        entry = _checked(self._lines.readline())
        assert entry is not None
        found: list[list[Any]] = entry["rows"]
        return found

    def _write(self, entry: dict[str, Any]) -> None:
        assert self._lines is not None
        text = json.dumps(entry).encode()
        self._lines.write(hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n")
        self._lines.flush()


def _name(files: Files) -> str:
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def _checked(line: bytes) -> dict[str, Any] | None:
    """What a line says; None if it is not whole."""
    digest, _, text = line[:-1].partition(b" ")
    if not line.endswith(b"\n") or hashlib.sha256(text).hexdigest().encode() != digest:
        return None
    entry = json.loads(text)
    return entry if isinstance(entry, dict) else None
