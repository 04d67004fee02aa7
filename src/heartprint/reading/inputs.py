"""What somebody names on a command line, as files: files, folders, patterns, a list on standard input."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from heartprint.foundation.errors import HeartprintError

LIST = "-"
"""Stands for a list on standard input, a path a line."""

_LITTER = {"Thumbs.db", "desktop.ini"}
_SAMPLES = (".dat", ".mat")


@dataclass(frozen=True)
class Input:
    """A file that is to be read.

    Attributes:
        path: As it was named, or found in a folder that was named.
        error: Why there is nothing to read, where the name alone shows it.
    """

    path: Path
    error: HeartprintError | None = None

    @property
    def shown(self) -> str:
        """The path as text that can be written as UTF-8, whatever its bytes are."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")


def find_inputs(names: Iterable[str], *, listing: BinaryIO | None = None, leave_out: Path | None = None) -> list[Input]:
    """Find the files that are meant, each once, in the order in which they are named; in folders by name.

    A folder means all that is below it but hidden files, what file managers leave, and the samples of a WFDB record,
    which are read with its header. Nothing is opened.

    Args:
        names: Files, folders, patterns such as ``scans/**/*.jpg``, and `LIST`.
        listing: Where `LIST` is read from.
        leave_out: Folder in which nothing is looked for: where the results go.

    Raises:
        HeartprintError: ``no-files`` if nothing is named, or nothing is on the list.
    """
    found: dict[str, Input] = {}
    for name in names:
        for one in _listed(listing) if name == LIST else _meant(name, leave_out):
            found.setdefault(os.path.abspath(one.path), one)  # noqa: PTH100  # no link is followed
    if not found:
        raise HeartprintError("no-files", "No file is named. Name files, folders, patterns, or - for a list of paths.")
    return list(found.values())


def _listed(listing: BinaryIO | None) -> Iterator[Input]:
    for line in listing or ():
        name = os.fsdecode(line.rstrip(b"\r\n"))
        if name.strip():
            yield from _meant(name, None)


def _meant(name: str, leave_out: Path | None) -> Iterator[Input]:
    path = Path(name)
    if path.is_dir():
        below = list(_below(path, leave_out))
        yield from below
        if not below:
            yield Input(path, HeartprintError("no-files", f"The folder {path.name or path} holds no file to read."))
    elif not os.path.lexists(path) and glob.has_magic(name):
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207  # a pattern may begin at the root
        yield from (Input(Path(match)) for match in matches if not Path(match).is_dir())
        if not matches:
            yield Input(path, HeartprintError("no-files", f"Nothing is there that fits {name}."))
    else:
        yield Input(path)


def _below(folder: Path, leave_out: Path | None) -> Iterator[Input]:
    kept_out = None if leave_out is None else leave_out.absolute()
    for place, folders, files in os.walk(folder):
        here = Path(place)
        folders[:] = sorted(name for name in folders if name[0] != "." and (here / name).absolute() != kept_out)
        headers = {Path(name).stem.lower() for name in files if name.lower().endswith(".hea")}
        for name in sorted(files):
            of_record = name.lower().endswith(_SAMPLES) and Path(name).stem.lower() in headers
            if name[0] != "." and name not in _LITTER and not of_record:
                yield Input(here / name)
