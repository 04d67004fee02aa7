"""Downloads against a local server that does what servers on the internet do."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import typer.testing

from heartprint.cli.download import download as command
from heartprint.download import CLOSED, SETS, OpenSet, download, fetch
from heartprint.download.download import _asked_for
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import READERS, ingest
from tests.readers.sources import EXAMPLES

ROOT = Path(__file__).parents[2]
FILES = {
    "ptbxl_database.csv": b"ecg_id\n1\n",
    "records100/00000/1.dat": np.random.default_rng(0).bytes(700_000),
    "records100/00000/1.hea": b"header one",
    "records100/00000/2.dat": np.random.default_rng(1).bytes(300_000),
    "records500/00000/1.dat": b"five hundred",
}
Behaviour = Callable[["Handler", bytes], bool]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.odd: dict[str, list[Behaviour]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.ranges = True
        self.at_once, self.most_at_once = 0, 0
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def offer(self, files: dict[str, bytes], prefix: str = "") -> None:
        sums = "".join(f"{hashlib.sha256(data).hexdigest()} {path}\n" for path, data in files.items())
        self.files |= {f"/{prefix}{path}": data for path, data in files.items()}
        self.files[f"/{prefix}SHA256SUMS.txt"] = sums.encode()

    def times(self, path: str) -> int:
        return Counter(p for method, p, _ in self.asked if method == "GET")[path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.server.asked.append(("HEAD", self.path, ""))
        data = self.server.files.get(self.path)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(("GET", self.path, self.headers.get("Range", "")))
        with server.lock:
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            data = server.files.get(self.path)
            odd = server.odd.get(self.path, [])
            if odd and odd.pop(0)(self, data or b""):
                return
            if data is None:
                return self.say(404)
            self.give(data)
        finally:
            with server.lock:
                server.at_once -= 1

    def say(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def give(self, data: bytes, *, cut: int | None = None) -> None:
        start = int(self.headers.get("Range", "bytes=0-")[6:-1]) if self.server.ranges else 0
        if start and start >= len(data):
            return self.say(416, Content_Range=f"bytes */{len(data)}")
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start : None if cut is None else start + cut])
        if cut is not None:
            self.close_connection = True


def status(code: int, **headers: str) -> Behaviour:
    def act(handler: Handler, _: bytes) -> bool:
        handler.say(code, **headers)
        return True

    return act


def cut(after: int) -> Behaviour:
    def act(handler: Handler, data: bytes) -> bool:
        handler.give(data, cut=after)
        return True

    return act


def instead(other: bytes) -> Behaviour:
    def act(handler: Handler, _: bytes) -> bool:
        handler.give(other)
        return True

    return act


def plainly(_: Handler, __: bytes) -> bool:
    return False


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(fetch, "LONGEST_WAIT_S", 0.05)
    monkeypatch.setenv("NO_PROXY", "*")
    one = Server()
    one.offer(FILES)
    thread = threading.Thread(target=one.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield one
    one.shutdown()
    one.server_close()


@pytest.fixture
def ptb_xl(server: Server) -> OpenSet:
    return dataclasses.replace(SETS["ptb-xl"], address=server.address)


def there(folder: Path) -> dict[str, bytes]:
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {path: data for path, data in found.items() if not path.startswith(".heartprint-download/")}


WANTED = {path: data for path, data in FILES.items() if not path.startswith("records500")}
BIG = "/records100/00000/1.dat"


def refused(which: OpenSet | str, out: Path, **options: object) -> HeartprintError:
    with pytest.raises(HeartprintError) as caught:
        download(which, out, **options)
    assert caught.value.message.endswith(".") and "\n" not in caught.value.message
    return caught.value


def test_what_asked_for_comes_and_only_once(server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    said: list[str] = []
    done = download(ptb_xl, tmp_path / "deep" / "set", say=said.append)
    assert there(tmp_path / "deep" / "set") == WANTED
    assert (done.files, done.fetched, done.n_bytes) == (4, 4, sum(map(len, WANTED.values())))
    free = shutil.disk_usage(tmp_path).free
    assert said[0].startswith("PTB-XL 1.0.3 (CC BY 4.0, doi:10.13026/kfzx-aw45): 4 of 4 files to fetch, 1.0 MB; ")
    assert abs(float(said[0].split("; ")[1].split(" GB free")[0]) - free / 1e9) < 5
    n = len([a for a in server.asked if a[0] == "GET"])
    assert download(ptb_xl, tmp_path / "deep" / "set").fetched == 0
    assert len([a for a in server.asked if a[0] == "GET"]) == n + 1, "only the list is asked for again"
    # What the user has removed or spoilt is fetched again.
    (tmp_path / "deep/set/records100/00000/2.dat").unlink()
    (tmp_path / "deep/set/records100/00000/1.hea").write_bytes(b"half")
    assert download(ptb_xl, tmp_path / "deep" / "set").fetched == 2
    assert there(tmp_path / "deep" / "set") == WANTED
    # So is what the publisher has corrected.
    server.offer({**FILES, "records100/00000/1.hea": b"header 1.1"})
    assert download(ptb_xl, tmp_path / "deep" / "set").fetched == 1
    assert (tmp_path / "deep/set/records100/00000/1.hea").read_bytes() == b"header 1.1"


def test_a_folder_of_other_things_is_left_alone(server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(HeartprintError, match=r"thesis\.txt") as caught:
        download(ptb_xl, tmp_path)
    assert caught.value.code == "output-not-a-set"
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    done = tmp_path / "set" / ".heartprint-download" / "done"
    done.parent.mkdir(parents=True)
    done.write_text('["exams.csv", "md5:00", []]\n')
    with pytest.raises(HeartprintError, match="another set"):
        download(ptb_xl, tmp_path / "set")


def test_patterns(server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    download(ptb_xl, tmp_path / "a", only=["records500/*"])
    assert set(there(tmp_path / "a")) == {"ptbxl_database.csv", "records500/00000/1.dat"}
    assert refused(ptb_xl, tmp_path / "b", only=["record50/*"]).code == "nothing-matches"
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("ranges", [True, False])
def test_broken_connections(ranges: bool, server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    server.ranges = ranges
    server.odd[BIG] = [cut(100_000), cut(0), cut(400_000), status(503), plainly]
    download(ptb_xl, tmp_path, connections=1)
    assert there(tmp_path) == WANTED
    asked = [a[2] for a in server.asked if a[:2] == ("GET", BIG)]
    # A chunk of 32,768 bytes that has not come whole is lost.
    third, rest = ("bytes=98304-", "bytes=491520-") if ranges else ("", "bytes=393216-")
    assert asked == ["", "bytes=98304-", third, rest, rest]


def test_a_part_from_before_is_gone_on_with(server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    part = tmp_path / "records100/00000/1.dat.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(FILES[BIG[1:]][:650_000])
    download(ptb_xl, tmp_path)
    assert there(tmp_path) == WANTED
    assert [a[2] for a in server.asked if a[:2] == ("GET", BIG)] == ["bytes=650000-"]


@pytest.mark.parametrize("length", [700_000, 700_001, 900_000])
def test_parts_of_another_version(length: int, server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    part = tmp_path / "records100/00000/1.dat.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"\0" * length)
    download(ptb_xl, tmp_path)
    assert there(tmp_path) == WANTED


def test_a_wrong_checksum_is_not_kept(server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    server.odd[BIG] = [instead(b"x" * 700_000)]
    download(ptb_xl, tmp_path / "mended")
    assert there(tmp_path / "mended") == WANTED and server.times(BIG) == 2
    server.files[BIG] = b"y" * 700_000
    error = refused(ptb_xl, tmp_path / "bad")
    assert error.code == "bad-checksum" and "1.dat" in error.message
    assert BIG[1:] not in there(tmp_path / "bad") and f"{BIG[1:]}.part" not in there(tmp_path / "bad")


def test_servers_that_are_busy(server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    server.odd[BIG] = [status(503), status(429, Retry_After="0"), status(500), plainly]
    server.odd["/SHA256SUMS.txt"] = [status(502), cut(30), plainly]
    download(ptb_xl, tmp_path / "a")
    assert there(tmp_path / "a") == WANTED
    server.odd[BIG] = [status(503)] * 50
    error = refused(ptb_xl, tmp_path / "b")
    assert error.code == "download-failed" and "503" in error.message
    assert 50 - len(server.odd[BIG]) == fetch.TRIES
    server.odd.clear()
    download(ptb_xl, tmp_path / "b")
    assert there(tmp_path / "b") == WANTED


@pytest.mark.parametrize(("code", "expected"), [(404, "not-found"), (403, "no-access"), (418, "download-failed")])
@pytest.mark.parametrize("path", [BIG, "/SHA256SUMS.txt"])
def test_what_is_not_there(
    path: str, code: int, expected: str, server: Server, ptb_xl: OpenSet, tmp_path: Path
) -> None:
    server.odd[path] = [status(code)] * 9
    assert refused(ptb_xl, tmp_path / "set", connections=1).code == expected
    assert (tmp_path / "set").exists() == (path == BIG)
    assert server.times(path) == (1 if (path == BIG or code != 418) else 3)


def test_redirects_are_followed_and_loops_are_not(server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    server.files["/elsewhere/1.dat"] = FILES[BIG[1:]]
    to = f"{server.address}elsewhere/1.dat"
    server.odd[BIG] = [status(302, Location=to), status(307, Location=to)]
    server.odd["/elsewhere/1.dat"] = [cut(32_768)]
    download(ptb_xl, tmp_path / "a")
    assert there(tmp_path / "a") == WANTED
    assert ("GET", "/elsewhere/1.dat", "bytes=32768-") in server.asked
    server.odd[BIG] = [status(302, Location=BIG)] * 100
    assert refused(ptb_xl, tmp_path / "b").code == "download-failed"


@pytest.mark.parametrize(
    "path",
    [
        "../evil",
        "a/../../evil",
        "/etc/evil",
        "a//b",
        "./../x",
        "a/./b",
        "..",
        "C:\\evil",
        "a\\..\\b",
        "a\x07b",
        ".heartprint-download/done",
        "a/.heartprint-download/x",
    ],
)
def test_paths_that_lead_out_of_the_folder(path: str, server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    server.files["/SHA256SUMS.txt"] += f"{'0' * 64} {path}\n".encode()
    assert refused(ptb_xl, tmp_path / "in" / "set").code == "unsafe-path"
    assert not list(tmp_path.iterdir())


def test_links_that_lead_out_of_the_folder(server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "records100").symlink_to(tmp_path / "outside")
    assert refused(ptb_xl, tmp_path / "set").code == "unsafe-path"
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize("text", [b"<html>no</html>", b"\xff\xfe", b"0 a\n", b"0" * 64 + b" a\n" + b"1" * 64 + b" a/b"])
def test_lists_that_are_none(text: bytes, server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    server.files["/SHA256SUMS.txt"] = text
    assert refused(ptb_xl, tmp_path / "set").code == "bad-list"
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_too_small(
    server: Server, ptb_xl: OpenSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    said: list[str] = []
    error = refused(ptb_xl, tmp_path / "set", say=said.append)
    assert error.code == "disk-too-small" and "1.0 MB are free" in error.message and "1.0 MB free" in said[0]
    assert server.times(BIG) == 0 and not list(tmp_path.iterdir())


def test_several_at_a_time(server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    server.offer({f"records100/{i}.dat": bytes([i]) * 1000 for i in range(40)})

    def slowly(handler: Handler, _: bytes) -> bool:
        time.sleep(0.03)
        return False

    server.odd = {f"/records100/{i}.dat": [slowly] for i in range(40)}
    download(ptb_xl, tmp_path, connections=5)
    assert len(there(tmp_path)) == 40
    assert 3 <= server.most_at_once <= 5
    # Forty files of one kind: eight were asked for their size.
    assert len([a for a in server.asked if a[0] == "HEAD"]) == 8


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as handle:
        for name, data in files.items():
            handle.writestr(name, data)
    return buffer.getvalue()


def offer_zenodo(server: Server, files: dict[str, bytes], **changes: object) -> OpenSet:
    entries = []
    for key, data in files.items():
        server.files[f"/api/records/1/files/{key}/content"] = data
        link = f"{server.address}api/records/1/files/{key}/content"
        checksum = f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}"
        entries.append({"key": key, "size": len(data), "checksum": checksum, "links": {"self": link}, **changes})
    server.files["/api/records/1"] = json.dumps({"files": entries}).encode()
    return dataclasses.replace(SETS["code-15"], address=f"{server.address}api/records/1")


def test_zenodo_and_its_archives(server: Server, tmp_path: Path) -> None:
    tracings = {f"exams_part{i}.hdf5": np.random.default_rng(i).bytes(50_000 + i) for i in range(3)}
    archives = {name.replace("hdf5", "zip"): zipped(**{name: data}) for name, data in tracings.items()}
    code_15 = offer_zenodo(server, {"exams.csv": b"exam_id\n1\n", **archives, "README.md": b"not asked for"})
    server.odd["/api/records/1/files/exams_part1.zip/content"] = [cut(40_000)]
    done = download(code_15, tmp_path)
    assert there(tmp_path) == {"exams.csv": b"exam_id\n1\n", **tracings}
    assert done.fetched == 4
    assert download(code_15, tmp_path).fetched == 0
    (tmp_path / "exams_part2.hdf5").unlink()
    assert download(code_15, tmp_path).fetched == 1
    assert there(tmp_path) == {"exams.csv": b"exam_id\n1\n", **tracings}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"checksum": "md5:0"}, "bad-list"),
        ({"checksum": "crc32:00000000"}, "bad-list"),
        ({"links": {"self": "file:///etc/passwd"}}, "bad-list"),
        ({"key": "../evil"}, "unsafe-path"),
        ({"size": "many"}, "bad-list"),
        ({"links": None}, "bad-list"),
    ],
)
def test_zenodo_records_that_are_wrong(changes: dict[str, object], code: str, server: Server, tmp_path: Path) -> None:
    code_15 = offer_zenodo(server, {"exams.csv": b"x", "exams_part0.zip": zipped(a=b"b")}, **changes)
    assert refused(code_15, tmp_path / "set").code == code
    assert not list(tmp_path.iterdir())


def test_archives_that_are_wrong(server: Server, tmp_path: Path) -> None:
    for data, code in (
        (b"no archive at all", "bad-archive"),
        (zipped(**{"../../evil": b"x"}), "unsafe-path"),
        (zipped(**{"/etc/evil": b"x"}), "unsafe-path"),
    ):
        out = tmp_path / "in" / "set"
        assert refused(offer_zenodo(server, {"exams_part0.zip": data}), out).code == code
        assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("name", sorted(set(SETS) & set(EXAMPLES)))
def test_all_that_its_reader_needs_is_fetched(name: str, tmp_path: Path) -> None:
    """The examples lie as the publishers ship them: what a set's patterns leave out, its reader must do without."""
    which = SETS[name]
    example = EXAMPLES[name](tmp_path)
    if not isinstance(which, OpenSet) or which.publisher != "physionet":
        pytest.skip("fetched as a whole")
    for path in sorted(p for p in example.src.rglob("*") if p.is_file()):
        place = path.relative_to(example.src).as_posix()
        if not _asked_for(place, which, ()):
            path.unlink()
    cohort = ingest(example.reader, example.src, tmp_path / "out")
    assert cohort.ecg_ids.tolist() == [known.ecg_id for known in example.known]


def test_sets_that_are_not_open_say_what_to_do(tmp_path: Path) -> None:
    for name in CLOSED:
        error = refused(name, tmp_path / "set")
        assert error.code == "needs-agreement" and "physionet.org" in error.message
    error = refused("ptbxl", tmp_path / "set")
    assert error.code == "unknown-set" and "Did you mean 'ptb-xl'?" in error.message
    assert refused("ptb-xl", tmp_path / "set", connections=0).code == "bad-options"
    assert not list(tmp_path.iterdir())
    assert all(s.reader in READERS and s.address.startswith("https://") for s in SETS.values())


KILLED = """
import dataclasses, sys
from heartprint.download import SETS, download, fetch
fetch.FIRST_WAIT_S = 0.01
download(dataclasses.replace(SETS["ptb-xl"], address=sys.argv[1]), sys.argv[2])
"""


def test_killed_and_gone_on_with(server: Server, ptb_xl: OpenSet, tmp_path: Path) -> None:
    half = threading.Event()

    def stuck(handler: Handler, data: bytes) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:400_000])
        handler.wfile.flush()
        half.wait(20)
        handler.close_connection = True
        return True

    server.odd[BIG] = [stuck]
    part = tmp_path / f"{BIG[1:]}.part"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, server.address, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 30
    while not (part.is_file() and part.stat().st_size >= 262_144) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    half.set()
    had = part.stat().st_size
    assert had >= 262_144 and not (tmp_path / BIG[1:]).exists()
    download(ptb_xl, tmp_path)
    assert there(tmp_path) == WANTED
    assert ("GET", BIG, f"bytes={had}-") in server.asked


def test_the_command(server: Server, ptb_xl: OpenSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import heartprint.download as room

    patched = {**SETS, "ptb-xl": ptb_xl}
    monkeypatch.setattr(room, "SETS", patched)
    monkeypatch.setattr(sys.modules["heartprint.download.download"], "SETS", patched)
    app = typer.Typer()
    app.command()(command)
    runner = typer.testing.CliRunner()
    done = runner.invoke(app, ["ptb-xl", str(tmp_path / "set")])
    assert done.exit_code == 0, done.output
    assert f"Next: heartprint ingest ptb-xl {tmp_path / 'set'} cohorts/ptb-xl" in done.output
    done = runner.invoke(app, ["ptb-xl", str(tmp_path / "set"), "--json"])
    assert json.loads(done.stdout.splitlines()[-1])["fetched"] == 0
    said = runner.invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    assert "Example: heartprint download ptb-xl downloads/ptb-xl" in said
    assert all(name in said for name in SETS)
