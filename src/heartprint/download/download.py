"""A whole set: its list, its size, its files, several at a time."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import queue
import re
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from heartprint.download import fetch as fetching
from heartprint.download.fetch import TIMEOUT_S, RemoteFile, Stopped, checked_path, fetch, new_session
from heartprint.download.sets import CLOSED, SETS, OpenSet
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.foundation.files import atomic_path, claimed, disk_full_explained
from heartprint.foundation.progress import Progress

SUMS = "SHA256SUMS.txt"
WORK, DONE = ".heartprint-download", "done"
_SUM_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *]?(.+)")
_LONGEST_LIST = 1 << 30
_SAMPLE = 8
"""Files of each kind that are asked for their size, where the list does not say it."""
_SPARE = 1.05
_ARCHIVE_GROWS = 1.3
"""What an archive of tracings takes when it is unpacked, before it has been seen; the rest is checked then."""


@dataclass(frozen=True)
class Fetched:
    """What a download has done.

    Attributes:
        folder: Where the set lies.
        files: Files that belong to it.
        fetched: Files that this call has fetched.
        n_bytes: Bytes that they have.
    """

    folder: Path
    files: int
    fetched: int
    n_bytes: int


def download(
    name: str | OpenSet,
    out: str | Path,
    *,
    only: Sequence[str] = (),
    connections: int = 4,
    say: Callable[[str], None] = lambda _: None,
) -> Fetched:
    """Fetch a public set from its publisher.

    Each file is verified against the publisher's checksum and is there only when it is whole. What is broken off, in
    whatever way, goes on with the same call; what is there already is not fetched again.

    Args:
        name: Name in `SETS`.
        out: Folder of the set; made if it is not there.
        only: Patterns of files to fetch instead of the usual ones (``training/georgia/*``); tables come in any case.
        connections: Files that are fetched at a time.
        say: Told what will be fetched, how large it is and how much room there is.

    Returns:
        What was done.

    Raises:
        HeartprintError: ``unknown-set``, ``needs-agreement`` (the set is not open), ``bad-options``,
            ``output-not-a-set``, ``nothing-matches``, ``bad-list`` or ``unsafe-path`` (the publisher's list),
            ``disk-too-small``, ``output-busy``, ``bad-archive``, ``disk-full``, or what `fetch` raises.
    """
    if isinstance(name, str):
        if name in CLOSED:
            raise HeartprintError(
                "needs-agreement", f"{CLOSED[name].title} is not open to everyone. {CLOSED[name].what_to_do}"
            )
        if name not in SETS:
            raise unknown_name("set", name, [*SETS, *CLOSED])
    which = SETS[name] if isinstance(name, str) else name
    if connections < 1:
        raise HeartprintError("bad-options", f"{connections} connections fetch nothing. Give 1 or more.")
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise HeartprintError("output-not-a-folder", f"{out} is a file. Choose a folder for the set.")
    new = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        with disk_full_explained(out), claimed(out / WORK):
            return _fetch_all(which, out, only, connections, say)
    except HeartprintError:
        if not (out / WORK / DONE).is_file():
            shutil.rmtree(out / WORK, ignore_errors=True)
        for folder in new:
            # A mistake leaves no empty folders.
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _fetch_all(which: OpenSet, out: Path, only: Sequence[str], connections: int, say: Callable[[str], None]) -> Fetched:
    listed = _listed(which, out)
    _refuse_foreign(which, listed, out)
    files = [file for file in listed if _asked_for(file.path, which, only)]
    if not any(_matches(file.path, only or which.wanted) for file in files):
        raise HeartprintError(
            "nothing-matches",
            f"No file of {which.title} matches {', '.join(only or which.wanted)}. Patterns are paths with *, "
            f"e.g. {which.wanted[0]}.",
        )
    done = _Done(out / WORK / DONE)
    missing = [file for file in files if not done.has(file, out)]
    n_bytes, exact = _size(missing, connections)
    free = shutil.disk_usage(out).free
    there = sum(part.stat().st_size for file in missing if (part := out / f"{file.path}.part").is_file())
    archives = sum(file.size or 0 for file in missing if file.path.endswith(".zip"))
    need = _SPARE * (n_bytes - there) + _ARCHIVE_GROWS * archives
    about = "" if exact else "about "
    say(
        f"{which.title} ({which.licence}, doi:{which.doi}): {len(missing):,} of {len(files):,} files to fetch, "
        f"{about}{_in_words(n_bytes)}; {_in_words(free)} free in {out}."
    )
    if need > free:
        raise HeartprintError(
            "disk-too-small",
            f"{which.title} needs {about}{_in_words(int(need))} more in {out}, and {_in_words(free)} are free. Free "
            "some space, choose another folder, or fetch a part with --only.",
        )
    with Progress(f"Fetching {which.title}", max(1, n_bytes) // 1_000_000 or 1) as progress:
        arrived = _Megabytes(progress)
        _in_threads(missing, connections, lambda file, work: _fetch_one(file, out, done, arrived, work))
    return Fetched(out, len(files), len(missing), n_bytes)


def _refuse_foreign(which: OpenSet, listed: Sequence[RemoteFile], out: Path) -> None:
    """Leave a folder alone that holds another set, or other files: those of the set would be laid among them."""
    known = _Done(out / WORK / DONE).paths
    if known & {file.path for file in listed}:
        return
    of_the_set = {file.path.partition("/")[0] for file in listed} | {WORK}
    foreign = sorted(f.name for f in out.iterdir() if f.name.removesuffix(".part") not in of_the_set)
    if known or foreign:
        what = "another set" if known else f"other files ({', '.join(foreign[:4])})"
        raise HeartprintError(
            "output-not-a-set", f"{out} holds {what}, not {which.title}; it is left alone. Choose another folder."
        )


def _asked_for(path: str, which: OpenSet, only: Sequence[str]) -> bool:
    return _matches(path, which.always) or _matches(path, only or which.wanted)


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _in_words(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def _listed(which: OpenSet, out: Path) -> list[RemoteFile]:
    """The publisher's list, every path of which is safe."""
    text = _text(which.address + (SUMS if which.publisher == "physionet" else ""), out)
    return _physionet(text, which.address) if which.publisher == "physionet" else _zenodo(text, which.title)


def _text(address: str, out: Path) -> str:
    """A list, which has no checksum of its own: it is what the connection vouches for."""
    import requests

    reason = ""
    for _ in range(3):
        try:
            with new_session() as session, session.get(address, stream=True, timeout=TIMEOUT_S) as answer:
                if answer.status_code in (404, 410):
                    raise HeartprintError(
                        "not-found",
                        f"{address} is not there. The publisher may have moved the set: look for a newer Heartprint.",
                    )
                if answer.status_code in (401, 403):
                    raise HeartprintError(
                        "no-access", f"{address} wants a name and a password. Fetch the set at its publisher's site."
                    )
                answer.raise_for_status()
                data = b""
                for block in answer.iter_content(1 << 20):
                    data += block
                    if len(data) > _LONGEST_LIST:
                        raise HeartprintError("bad-list", f"{address} is no list of files: it does not end.")
                announced = answer.headers.get("Content-Length", "")
                if announced.isdecimal() and len(data) != int(announced):
                    raise requests.ConnectionError("cut short")
                return data.decode("utf-8")
        except requests.RequestException as error:
            reason = f"{type(error).__name__}: {error}"
            time.sleep(fetching.FIRST_WAIT_S)
        except UnicodeDecodeError as error:
            raise HeartprintError("bad-list", f"{address} is no list of files in UTF-8. Try again later.") from error
    raise HeartprintError(
        "download-failed",
        f"The list of files at {address} cannot be fetched ({reason}). Check the connection, then run the same command "
        "again.",
    )


def _physionet(text: str, address: str) -> list[RemoteFile]:
    files, seen = [], set()
    for line in text.splitlines():
        if not line.strip():
            continue
        found = _SUM_LINE.fullmatch(line)
        if found is None:
            raise HeartprintError(
                "bad-list", f"{address}{SUMS} has a line that is no checksum and path: '{line[:60]}'. Try again later."
            )
        path = checked_path(found[2].removeprefix("./"))
        if path not in seen:
            seen.add(path)
            files.append(RemoteFile(path, address + quote(path), f"sha256:{found[1].lower()}"))
    both = next((p for path in seen for p in map(str, PurePosixPath(path).parents) if p in seen), None)
    if both is not None:
        raise HeartprintError("bad-list", f"{address}{SUMS} names '{both[:60]}' as a file and as a folder.")
    return files


def _zenodo(text: str, title: str) -> list[RemoteFile]:
    try:
        entries = json.loads(text)["files"]
        return [_zenodo_file(entry) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HeartprintError(
            "bad-list", f"Zenodo's record of {title} is not in the form that is known ({error!r}). Try again later."
        ) from error


def _zenodo_file(entry: dict[str, Any]) -> RemoteFile:
    address, checksum = str(entry["links"]["self"]), str(entry["checksum"])
    if urlsplit(address).scheme not in ("http", "https") or not re.fullmatch("md5:[0-9a-f]{32}", checksum):
        raise ValueError(f"{address} with checksum {checksum}")
    return RemoteFile(checked_path(str(entry["key"])), address, checksum, int(entry["size"]))


class _Done:
    """What was fetched and verified before: path, checksum and size, a line each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, list[tuple[str, int]]]] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    name, checksum, made = json.loads(line)
                    self._known[name] = (checksum, [(str(p), int(n)) for p, n in made])
                except (ValueError, TypeError):
                    continue  # The last line of a killed process.

    @property
    def paths(self) -> set[str]:
        """What was fetched, as its publisher names it."""
        return set(self._known)

    def has(self, file: RemoteFile, out: Path) -> bool:
        """Whether a file, or what was unpacked from it, is there as it was verified."""
        checksum, made = self._known.get(file.path, ("", []))
        return checksum == file.checksum and all(
            (out / path).is_file() and (out / path).stat().st_size == size for path, size in made
        )

    def add(self, file: RemoteFile, made: Sequence[Path], out: Path) -> None:
        """Note a verified file and what stands for it now."""
        entry = [file.path, file.checksum, [(p.relative_to(out).as_posix(), p.stat().st_size) for p in made]]
        with self._lock, self._path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(entry) + "\n")


class _Megabytes:
    """Bytes from several threads as steps of a progress display."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._bytes = 0

    def __call__(self, n_bytes: int) -> None:
        with self._lock:
            self._bytes += n_bytes
            steps = self._bytes // 1_000_000 - self._progress.done
            if steps > 0:
                self._progress.advance(steps, note="MB")


def _fetch_one(file: RemoteFile, out: Path, done: _Done, arrived: Callable[[int], None], work: _Worker) -> None:
    target = out / file.path
    if target.is_symlink() or not target.parent.resolve().is_relative_to(out.resolve()):
        raise HeartprintError(
            "unsafe-path", f"{target} is, or lies behind, a link that leads elsewhere. Choose an empty folder."
        )
    fetch(work.session, file, target, progress=arrived, stop=work.stop)
    made = [target]
    if target.suffix == ".zip":
        made = _unpacked(target, out)
        target.unlink()
    done.add(file, made, out)


def _unpacked(archive: Path, out: Path) -> list[Path]:
    """Unpack a verified archive beside itself."""
    made = []
    try:
        with zipfile.ZipFile(archive) as handle:
            members = [m for m in handle.infolist() if not m.is_dir()]
            paths = [archive.parent / checked_path(m.filename) for m in members]
            need, free = sum(m.file_size for m in members), shutil.disk_usage(out).free
            if need > free:
                raise HeartprintError(
                    "disk-too-small",
                    f"{archive.name} needs {_in_words(need)} when unpacked, and {_in_words(free)} are free. Free some "
                    "space, then run the same command again.",
                )
            for member, path in zip(members, paths, strict=True):
                with atomic_path(path) as temporary, handle.open(member) as source, temporary.open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
                made.append(path)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise HeartprintError(
            "bad-archive", f"{archive.name} cannot be unpacked ({error}). Remove it, then run the same command again."
        ) from error
    return made


@dataclass(frozen=True)
class _Worker:
    session: Any
    stop: threading.Event


def _in_threads(files: Sequence[RemoteFile], n: int, work: Callable[[RemoteFile, _Worker], None]) -> None:
    """Do something for each file in several threads; the first error stops all of them and is raised."""
    waiting: Iterator[RemoteFile] = iter(files)
    lock, stop = threading.Lock(), threading.Event()
    errors: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

    def run() -> None:
        with new_session() as session:
            while not stop.is_set():
                with lock:
                    file = next(waiting, None)
                if file is None:
                    return
                try:
                    work(file, _Worker(session, stop))
                except Stopped:
                    return
                except BaseException as error:
                    errors.put(error)
                    stop.set()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(n, max(1, len(files))))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
    finally:
        # Ctrl-C, or an error: what has arrived is kept.
        stop.set()
        for thread in threads:
            thread.join()
    if not errors.empty():
        raise errors.get()


def _size(files: Sequence[RemoteFile], connections: int) -> tuple[int, bool]:
    """Bytes of some files, and whether that is exact; where the list does not say, from a few of each kind."""
    known = sum(file.size for file in files if file.size is not None)
    unknown: dict[str, list[RemoteFile]] = {}
    for file in files:
        if file.size is None:
            # Recordings of one kind are about equally long; other files are asked for one by one.
            kind = Path(file.path).suffix if "/" in file.path else file.path
            unknown.setdefault(kind, []).append(file)
    sizes: dict[str, list[int]] = {kind: [] for kind in unknown}
    asked = [(kind, f) for kind, some in unknown.items() for f in some[:: max(1, len(some) // _SAMPLE)][:_SAMPLE]]
    by_path = {file.path: kind for kind, file in asked}

    def ask(file: RemoteFile, work: _Worker) -> None:
        import requests

        try:
            answer = work.session.head(file.address, timeout=TIMEOUT_S, allow_redirects=True)
        except requests.RequestException:
            return  # It will be said when the file is fetched.
        length = answer.headers.get("Content-Length", "")
        if answer.status_code == 200 and length.isdecimal():
            with lock:
                sizes[by_path[file.path]].append(int(length))

    lock = threading.Lock()
    _in_threads([file for _, file in asked], connections, ask)
    total = known
    for kind, some in unknown.items():
        if sizes[kind]:
            total += round(sum(sizes[kind]) / len(sizes[kind]) * len(some))
    return total, all(len(sizes[kind]) == len(some) for kind, some in unknown.items())
