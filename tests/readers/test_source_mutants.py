"""Sources whose tables, headers or arrays are damaged: typed errors only, and nothing hangs.

Single files of every format are mutated in ``test_formats.py``.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest

from heartprint.download.download import _physionet, _zenodo
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import READERS, Reader
from heartprint.readers.ingestion import _checked
from heartprint.readers.source import ImageRecording
from heartprint.tables.delimited import read_frame
from tests.readers.sources import EXAMPLES
from tests.readers.test_formats import mutant

NAMES = sorted(set(READERS) - {"files"})
MANY = 20_000
_LARGEST = 400_000
TEXTS = (".csv", ".hea")


def read_all(reader: Reader, src: Path, changed: Path) -> None:
    """Do what ingestion does with a source, without its net for what nobody thought of."""
    for row in reader.open(src).rows:
        # What another record's file says has not changed.
        if changed.suffix != ".csv" and Path(row.path).stem != changed.stem:
            continue
        try:
            row.details()
            recording = row.recording()
            array = recording.pixels if isinstance(recording, ImageRecording) else recording.signal
            assert array.ndim == 2
        except HeartprintError as error:
            check(error)


def test_a_table_with_a_thousand_long_columns_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "exams.csv").write_text(",".join(f"column {i} {'x' * 200}" for i in range(1000)) + "\n")
    with pytest.raises(HeartprintError, match="and 980 more") as caught:
        read_frame(tmp_path / "exams.csv", ["age"], [])
    assert len(caught.value.message) < 1500


def check(error: HeartprintError) -> None:
    assert error.message.endswith("."), error.message
    assert len(error.message) < 1000 and "\n" not in error.message, error.message


def fuzz(name: str, folder: Path, n: int) -> None:
    example = EXAMPLES[name](folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size < _LARGEST)
    # Tables and headers say what everything else means: they get most of the damage.
    files = [p for p in files if p.suffix in TEXTS] * 3 + [p for p in files if p.suffix not in TEXTS]
    good = {path: path.read_bytes() for path in files}
    rng = np.random.default_rng(0)
    slowest, outcomes = 0.0, {"opened": 0, "refused": 0}
    for i in range(n):
        path = files[i % len(files)]
        path.write_bytes(mutant(good[path], rng))
        start = time.process_time()
        try:
            read_all(example.reader, example.src, path)
            outcomes["opened"] += 1
        except HeartprintError as error:
            check(error)
            outcomes["refused"] += 1
        slowest = max(slowest, time.process_time() - start)
        path.write_bytes(good[path])
    assert slowest < 5
    assert all(outcomes.values()) or name in ("challenge", "ludb", "ptb"), outcomes


@pytest.mark.parametrize("name", NAMES)
def test_mutants_of_sources(name: str, tmp_path: Path) -> None:
    fuzz(name, tmp_path, 40)


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_many_mutants_of_sources(name: str, tmp_path: Path) -> None:
    fuzz(name, tmp_path, MANY)


LISTS = {
    "physionet": "".join(f"{i:064x} files/p{i}/s{i}/{i}.dat\n" for i in range(20)).encode(),
    "zenodo": b'{"files": [{"key": "exams.csv", "size": 12, "checksum": "md5:' + b"0" * 32 + b'", '
    b'"links": {"self": "https://zenodo.org/api/records/1/files/exams.csv/content"}}]}',
}


def fuzz_list(name: str, n: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(n):
        text = mutant(LISTS[name], rng).decode("utf-8", errors="replace")
        try:
            files = _physionet(text, "https://h/") if name == "physionet" else _zenodo(text, "a set")
        except HeartprintError as error:
            check(error)
            continue
        for file in files:
            place = (Path("/set") / file.path).as_posix()
            assert place.startswith("/set/") and "/../" not in f"{place}/", file.path


@pytest.mark.parametrize("name", sorted(LISTS))
def test_mutants_of_lists(name: str) -> None:
    fuzz_list(name, 2000)


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.parametrize("name", sorted(LISTS))
def test_many_mutants_of_lists(name: str) -> None:
    fuzz_list(name, MANY)


def test_mutants_of_the_journal_are_never_believed() -> None:
    text = b'{"rows": [{"refused": ["7", "a.dat", "flat-lead", "Lead I is flat."]}]}'
    line = hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"
    assert _checked(line) == {"rows": [{"refused": ["7", "a.dat", "flat-lead", "Lead I is flat."]}]}
    rng = np.random.default_rng(0)
    for _ in range(MANY):
        other = mutant(line, rng)
        assert other == line or _checked(other) is None
