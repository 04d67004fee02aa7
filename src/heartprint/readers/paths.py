"""The file that a table means: as it is written, or as Windows, a Mac or a camera would have written it."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path, PurePosixPath

from heartprint.foundation.errors import HeartprintError

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def locate(folder: Path, written: str) -> Path:
    """The path of a file that a table names.

    A path that is there as it is written is taken. Otherwise backslashes are slashes, umlauts may be composed or
    decomposed, and the file's extension may be in small letters or capitals, if exactly one file then fits.

    Args:
        folder: The table's.
        written: What the table says: absolute, or relative to the folder; of a WFDB record also its name alone.

    Returns:
        The path, which may not be there.

    Raises:
        HeartprintError: ``file-missing``: a path of a Windows drive, or several files that fit.
    """
    plain = folder / written
    if _is_there(plain):
        return plain
    if _DRIVE.match(written):
        raise HeartprintError(
            "file-missing",
            f"'{written}' is a path on a Windows machine. Copy the files beside the table and give paths relative to "
            "it.",
        )
    parts = PurePosixPath(written.replace("\\", "/")).parts
    found = folder
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        if not (_is_there(found / part) if last else (found / part).is_dir()):
            part = _alike(found, part, last=last)
        found /= part
    return found


def file_name(written: str) -> str:
    """The last part of a path, whatever machine it was written on."""
    return PurePosixPath(written.replace("\\", "/")).name


def _is_there(path: Path) -> bool:
    return path.is_file() or path.with_name(path.name + ".hea").is_file() if path.name else False


def _alike(folder: Path, part: str, *, last: bool) -> str:
    """The one name in a folder that is this part in other letters; the part itself if there is none."""
    if part in ("/", ".", "..") or not folder.is_dir():
        return part
    names = _names(folder, folder.stat().st_mtime_ns)
    fitting = names.get(_key(part), ())
    if last and not fitting:
        # The header of a WFDB record that is named without its extension.
        fitting = tuple(name[: -len(".hea")] for name in names.get(_key(f"{part}.hea"), ()))
    if len(fitting) > 1:
        raise HeartprintError(
            "file-missing",
            f"There is no file '{part}', but {' and '.join(fitting[:3])}. Write its name as it is spelled there.",
        )
    return fitting[0] if fitting else part


@lru_cache(maxsize=16)
def _names(folder: Path, changed_ns: int) -> dict[str, tuple[str, ...]]:
    """What is in a folder as it stands now, by what may be written of it."""
    del changed_ns
    names: dict[str, tuple[str, ...]] = {}
    for path in sorted(folder.iterdir()):
        names[_key(path.name)] = (*names.get(_key(path.name), ()), path.name)
    return names


def _key(name: str) -> str:
    stem, dot, extension = unicodedata.normalize("NFC", name).rpartition(".")
    return f"{stem}{dot}{extension.lower()}" if dot else extension
