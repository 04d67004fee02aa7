"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from heartprint.foundation.errors import HeartprintError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary sibling path that replaces ``target`` when the block ends without an error.

    Args:
        target: File to write. Its folder is created.

    Raises:
        HeartprintError: ``disk-full`` when the device has no space left; ``target`` is unchanged.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(target, again=False)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with disk_full_explained(target):
            temporary.touch()
            mode = temporary.stat().st_mode
            yield temporary
            # Some writers make a file of their own that nobody else may read.
            temporary.chmod(mode)
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def check_target(target: Path, *, folder: bool = False) -> None:
    """Refuse a file or folder that could not be written, before the work that is to fill it.

    Raises:
        HeartprintError: ``output-not-writable``.
    """
    target = Path(target)
    nearest = next(p for p in target.absolute().parents if p.exists())
    if target.is_dir() and not folder:
        reason = "it is a folder; name a file"
    elif not nearest.is_dir():
        reason = f"{nearest} is a file, not a folder; name another place"
    elif not os.access(target if target.is_dir() else nearest, os.W_OK):
        reason = (
            f"you may not write to {target if target.is_dir() else nearest}; ask for the right, or name another place"
        )
    else:
        return
    raise HeartprintError("output-not-writable", f"{target} cannot be written: {reason}.")


@contextlib.contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a temporary sibling folder that becomes ``target`` when the block ends without an error.

    An existing ``target`` stays usable until the new one is complete, and is then replaced.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with disk_full_explained(target):
            temporary.mkdir()
            yield temporary
            put_in_place(temporary, target, target.with_name(f".{target.name}.{os.getpid()}.old"))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def clear_leftovers(target: Path, *, again: bool = True) -> None:
    """Remove what killed processes left beside a target; bring back what one of them had just moved away.

    A process that is killed between the two renames of `put_in_place` leaves the older output under another name.
    What a running process is writing is left alone.

    Args:
        target: File or folder that is about to be written.
        again: Whether to look even if this process has looked into the folder before.
    """
    folder = target.parent
    if again or folder not in _looked_into:
        try:
            found = [match for file in folder.iterdir() if (match := _LEFTOVER.fullmatch(file.name))]
        except OSError:
            return
        # Thousands of files may be written into one folder: it is listed once.
        _looked_into[folder] = [(match[1], folder / match[0], int(match[2]), match[3]) for match in found]
    for name, file, pid, kind in _looked_into[folder]:
        if name != target.name or (_runs(pid) and not (kind == "old" and pid == os.getpid())):
            continue
        if kind == "old" and not target.exists():
            with contextlib.suppress(OSError):
                file.rename(target)
        else:
            _remove(file)


_LEFTOVER = re.compile(r"\.(.+)\.(\d+)\.(tmp|old)")
_looked_into: dict[Path, list[tuple[str, Path, int, str]]] = {}


def remove_whole(folder: Path) -> None:
    """Remove a folder; killed on the way, a process leaves nothing under its name."""
    away = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    folder.rename(away)
    _remove(away)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # It is somebody else's, or no number of a process.
        return True
    return True


def put_in_place(folder: Path, target: Path, old: Path) -> None:
    """Make a finished folder the target; what was there goes to ``old`` for a moment and is then removed."""
    mode = folder.stat().st_mode & 0o666
    for file in folder.rglob("*"):
        # Some writers make a file of their own that nobody else may read.
        if file.is_file():
            file.chmod(mode)
    _remove(old)
    if target.exists():
        target.rename(old)
    folder.rename(target)
    _remove(old)


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold a folder for this process alone; the claim ends with the process, however that ends.

    The lock is on the folder itself, so nothing is left in it. A folder that is not there is made, and removed again if
    nothing has come into it.

    Raises:
        HeartprintError: ``output-busy`` if another process holds it.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Not a POSIX system: nothing to claim with.
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    _claims.add(handle)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems know no locks, or none on folders.
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                made = False
                raise HeartprintError(
                    "output-busy",
                    f"Another process is writing {folder}. Wait until it is done, or choose another output folder.",
                ) from error
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        _claims.discard(handle)
        os.close(handle)


_claims: set[int] = set()


def _give_up_claims() -> None:
    # A lock lives as long as any copy of its handle: a worker must not hold the folder of a master that was killed.
    for handle in _claims:
        os.close(handle)
    _claims.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_give_up_claims)


@contextlib.contextmanager
def disk_full_explained(target: Path) -> Iterator[None]:
    """Turn "no space left" into a sentence; everything else passes unchanged."""
    try:
        yield
    except HeartprintError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise HeartprintError(
                "disk-full",
                f"The disk of {target.parent} is full: {target.name} was not written, and what stood there is "
                "unchanged. Free some space or choose another output folder, then run the same command again.",
            ) from error
        raise


def read_text(path: Path, most_bytes: int) -> str:
    """Read a text file in UTF-8 whose size is looked at before it is read.

    Raises:
        HeartprintError: ``file-too-large``.
        OSError: It cannot be read, or is not an ordinary file.
        UnicodeDecodeError: It is not UTF-8.
    """
    return read_small(path, most_bytes).decode("utf-8")


def read_small(path: Path, most_bytes: int) -> bytes:
    """Read an ordinary file whose size is looked at before it is read.

    Raises:
        HeartprintError: ``file-too-large``.
        OSError: It cannot be read, or is not an ordinary file.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not an ordinary file", str(path))
    if status.st_size > most_bytes:
        raise HeartprintError(
            "file-too-large",
            f"{path.name} has {status.st_size:,} bytes; a file of this kind has up to {most_bytes:,}. Check that it is "
            "the right file.",
        )
    return path.read_bytes()


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that a device has no space left, in whichever words a library says it.

    safetensors, polars and torch write by themselves and tell of it in errors of their own.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in DISK_FULL
    return type(error).__module__.partition(".")[0] in _WRITERS and bool(_FULL.search(str(error)))


_WRITERS = ("safetensors", "polars", "pyarrow", "builtins", "PIL", "cv2")
_FULL = re.compile(
    r"no space left on device|disk quota exceeded|file too large|os error (28|122|27)\b|requested and \d+ written",
    re.IGNORECASE,
)


def write_text(target: Path, text: str) -> None:
    """Write a text file atomically, UTF-8."""
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write JSON atomically, indented and with keys in the order given."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
