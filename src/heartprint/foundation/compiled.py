"""numba, with a place for its compiled code that can be written.

numba keeps what it has compiled beside the source, else below the user's home; where neither can be written, as in a
container with a read-only package and no home, it refuses to import a function that is to be kept. Modules take numba
from here.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import numba as numba

__all__ = ["numba"]


def _kept() -> None:
    """Only declared: whether it may be kept is found out then, compiled it never is."""


def _find_a_place() -> None:
    try:
        numba.njit(cache=True)(_kept)
    except RuntimeError:
        place = str(_own_temporary_folder())
        # Processes started from here find it too.
        os.environ["NUMBA_CACHE_DIR"] = numba.config.CACHE_DIR = place  # type: ignore[attr-defined]


def _own_temporary_folder() -> Path:
    """A folder for temporary files that nobody else may write: what lies in it is unpickled."""
    if hasattr(os, "getuid"):
        folder = Path(tempfile.gettempdir()) / f"heartprint-numba-{os.getuid()}"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
                return folder
        except OSError:
            pass
    return Path(tempfile.mkdtemp(prefix="heartprint-numba-"))


_find_a_place()
