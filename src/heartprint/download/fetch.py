"""One file over HTTP: resumed where it was broken off, verified, and there only when it is whole."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import heartprint
from heartprint.foundation.errors import HeartprintError

if TYPE_CHECKING:
    import requests

TRIES = 6
"""Times that a file is asked for again without a single byte of progress."""
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
TIMEOUT_S = (15.0, 60.0)
# What a broken connection costs at most: a chunk that has not come whole is lost.
_CHUNK = 1 << 15
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class RemoteFile:
    """A file as its publisher lists it.

    Attributes:
        path: Where it goes, relative; `checked_path` has passed it.
        address: Where it lies.
        checksum: ``sha256`` or ``md5``, a colon, and hex digits.
        size: Bytes, or None where the publisher does not say.
    """

    path: str
    address: str
    checksum: str
    size: int | None = None


def checked_path(path: str) -> str:
    """Give a relative path back if it stays in the folder it is meant for.

    Raises:
        HeartprintError: ``unsafe-path``.
    """
    parts = path.split("/")
    odd = not path or path.startswith("/") or any(p in ("", ".", "..") for p in parts)
    if odd or any(c in '\\:*?"<>|' or ord(c) < 32 for c in path) or any(p.startswith(".heartprint") for p in parts):
        raise HeartprintError(
            "unsafe-path",
            f"The publisher's list names '{path[:80]}', which is no path inside a folder. Nothing was fetched: "
            "check the address, and tell the publisher.",
        )
    return path


def new_session() -> requests.Session:
    """A connection that says who asks, and wants files as they are, so that a part can be gone on with."""
    import requests

    session = requests.Session()
    session.headers.update({"User-Agent": f"heartprint/{heartprint.__version__}", "Accept-Encoding": "identity"})
    return session


class Stopped(Exception):
    """Another file has failed, or the user has had enough."""


def fetch(
    session: requests.Session,
    file: RemoteFile,
    target: Path,
    *,
    progress: Callable[[int], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> None:
    """Fetch a file to ``target``; a part of it waits beside as ``target.part``.

    Args:
        session: From `new_session`; one per thread.
        file: What to fetch.
        target: Where to.
        progress: Told of bytes that have arrived (negative where they turned out useless).
        stop: Set to break off.

    Raises:
        HeartprintError: ``not-found``, ``no-access``, ``download-failed`` or ``bad-checksum``.
        Stopped: ``stop`` was set.
    """
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    progress(part.stat().st_size if part.is_file() else 0)
    for last in (False, True):
        _complete(session, file, part, progress, stop)
        if checksum_of(part, file.checksum) == file.checksum:
            part.replace(target)
            return
        # What was there before may have been of another version: once more from the beginning.
        progress(-part.stat().st_size)
        part.unlink()
        if last:
            raise HeartprintError(
                "bad-checksum",
                f"{file.path} has arrived twice with another checksum than its publisher states. It was removed; try "
                "again later, and if that does not help tell the publisher.",
            )


def checksum_of(path: Path, like: str) -> str:
    """Checksum of a file in the form of another one (``sha256:...`` or ``md5:...``)."""
    name = like.partition(":")[0]
    digest = hashlib.new(name, usedforsecurity=False)
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return f"{name}:{digest.hexdigest()}"


def _complete(
    session: requests.Session,
    file: RemoteFile,
    part: Path,
    progress: Callable[[int], None],
    stop: threading.Event | None,
) -> None:
    """Ask until all bytes are there."""
    import requests

    tries, wait, reason = 0, FIRST_WAIT_S, ""
    while tries < TRIES:
        have = part.stat().st_size if part.is_file() else 0
        if file.size is not None and have == file.size and part.is_file():
            return
        asked = FIRST_WAIT_S
        try:
            headers = {"Range": f"bytes={have}-"} if have else {}
            with session.get(file.address, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
                if answer.status_code in _PASSING:
                    reason = f"status {answer.status_code}"
                    asked = _asked_to_wait(answer)
                elif _take(answer, file, part, have, progress, stop):
                    return
                else:
                    reason = "the connection was closed early"
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            reason = type(error).__name__
        except requests.RequestException as error:
            raise HeartprintError(
                "download-failed",
                f"{file.path} cannot be fetched ({type(error).__name__}: {error})."
                " Check the connection, then run the same command again.",
            ) from error
        grown = (part.stat().st_size if part.is_file() else 0) > have
        tries, wait = (0, FIRST_WAIT_S) if grown else (tries + 1, min(2 * wait, LONGEST_WAIT_S))
        pause = max(wait / 2, asked) if not grown else FIRST_WAIT_S
        if stop is None:
            time.sleep(pause)
        elif stop.wait(pause):
            raise Stopped
    raise HeartprintError(
        "download-failed",
        f"{file.path} did not come in {TRIES} tries ({reason}). What has arrived is kept: check the connection, then "
        "run the same command again.",
    )


def _take(
    answer: requests.Response,
    file: RemoteFile,
    part: Path,
    have: int,
    progress: Callable[[int], None],
    stop: threading.Event | None,
) -> bool:
    """Write what an answer brings; True if the file is then as long as the server says."""
    if answer.status_code == 416:
        # The part is longer than the file, or as long: its checksum will tell, unless it is known to be too long.
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        if total.isdecimal() and int(total) == have:
            return True
        progress(-have)
        part.unlink()
        return False
    if answer.status_code in (401, 403):
        raise HeartprintError(
            "no-access",
            f"{file.address} wants a name and a password (status {answer.status_code}). Sign in at the publisher's "
            "site and agree to its terms, or fetch the set from there.",
        )
    if answer.status_code in (404, 410):
        raise HeartprintError(
            "not-found",
            f"{file.address} is not there (status {answer.status_code}). The publisher may have moved the set: look "
            "for a newer Heartprint, or fetch it by hand.",
        )
    if answer.status_code not in (200, 206):
        raise HeartprintError(
            "download-failed", f"{file.address} answers with status {answer.status_code}. Try again later."
        )
    start = have if answer.status_code == 206 and _begins_at(answer) == have else 0
    if start != have:
        progress(start - have)
    if answer.status_code == 206 and _begins_at(answer) not in (0, have):
        part.unlink(missing_ok=True)
        return False
    announced = answer.headers.get("Content-Length", "")
    arrived = start
    with part.open("r+b" if start else "wb") as handle:
        handle.seek(start)
        handle.truncate()
        for block in answer.iter_content(_CHUNK):
            handle.write(block)
            arrived += len(block)
            progress(len(block))
            if stop is not None and stop.is_set():
                raise Stopped
            if file.size is not None and arrived > file.size:
                break
    if file.size is not None:
        return arrived >= file.size
    return not announced.isdecimal() or arrived - start >= int(announced)


def _begins_at(answer: requests.Response) -> int:
    first = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else -1


def _asked_to_wait(answer: requests.Response) -> float:
    said = answer.headers.get("Retry-After", "")
    return min(float(said), LONGEST_WAIT_S) if said.isdecimal() else FIRST_WAIT_S
