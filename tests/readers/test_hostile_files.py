"""Single files that are made to hurt: each costs itself alone, in time and memory that are bounded."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

from heartprint.cohorts.cohort import REFUSED_FILE
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import Challenge, Code15, Ludb, Ptb, Table, ingest
from heartprint.readers.formats.wfdb import read_wfdb
from heartprint.readers.tracings import Tracings
from tests.cohorts.ecgs import twelve, write_record
from tests.readers.sources import EXAMPLES

MB = 2**20


def npy(header: str) -> bytes:
    text = header.encode()
    return b"\x93NUMPY\x02\x00" + len(text).to_bytes(4, "little") + text + bytes(960)


NPY = {
    "minus.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "-" * 9000 + "1,)}\n"),
    "brackets.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 4000 + ")" * 4000 + "}\n"),
    "long.npy": npy("{'descr': '<f4', " + " " * 100_000_000 + "}\n"),
    "shape.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (12, 99999999999999)}\n"),
    "negative.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (12, -5)}\n"),
    "object.npy": npy("{'descr': '|O', 'fortran_order': False, 'shape': (12, 1000)}\n"),
}


def test_hostile_arrays_cost_their_own_row_alone(tmp_path: Path) -> None:
    for name, data in NPY.items():
        (tmp_path / name).write_bytes(data)
    np.save(tmp_path / "good.npy", twelve())
    names = [*NPY, "good.npy"]
    (tmp_path / "t.csv").write_text("path,patient_id\n" + "".join(f"{name},p{k}\n" for k, name in enumerate(names)))
    began = time.process_time()
    cohort = ingest(Table(sampling_rate=100), tmp_path / "t.csv", tmp_path / "c", workers=1)
    assert cohort.ecg_ids.tolist() == ["good"] and time.process_time() - began < 5 * len(NPY)
    assert set(pl.read_parquet(cohort.path / REFUSED_FILE)["code"]) <= {"bad-array", "file-truncated", "file-too-large"}


def test_a_row_that_runs_out_of_memory_is_one_refused_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_record(tmp_path, "a", twelve())
    np.save(tmp_path / "b.npy", twelve())
    (tmp_path / "t.csv").write_text("path,patient_id\na.hea,1\nb.npy,2\n")

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("heartprint.readers.formats.wfdb.np.fromfile", full)
    cohort = ingest(Table(sampling_rate=100), tmp_path / "t.csv", tmp_path / "c", workers=1)
    assert cohort.ecg_ids.tolist() == ["b"]
    assert pl.read_parquet(cohort.path / REFUSED_FILE)["code"].to_list() == ["too-much-memory"]


def tracings(path: Path, write: Callable[[h5py.File], object]) -> Tracings:
    with h5py.File(path, "w") as file:
        write(file)
    return Tracings(path)


def link_outside(file: h5py.File) -> None:
    with h5py.File(str(file.filename) + ".secret", "w") as secret:
        secret["t"] = np.zeros((3, 4096, 12), "f4")
    file["tracings"] = h5py.ExternalLink(str(file.filename) + ".secret", "t")


def stored_outside(file: h5py.File) -> None:
    file.create_dataset("tracings", (3, 4096, 12), "u1", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 4096, 12), "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "t", (3, 4096, 12))
    file.create_virtual_dataset("tracings", layout)


def soft_link(file: h5py.File) -> None:
    file["other"] = np.zeros((3, 4096, 12), "f4")
    file["tracings"] = h5py.SoftLink("/other")


def chunk_bomb(file: h5py.File) -> None:
    n = 20_000
    data = file.create_dataset("tracings", (n, 4096, 12), "f4", chunks=(n, 4096, 12), compression="gzip")
    packed = zlib.compressobj(9)
    data.id.write_direct_chunk((0, 0, 0), packed.compress(bytes(8 * MB)) + packed.flush())


HDF5 = {
    "a link to another file": link_outside,
    "stored in another file": stored_outside,
    "virtual": virtual,
    "a soft link": soft_link,
    "a group": lambda file: file.create_group("tracings"),
    "a loop": lambda file: file.__setitem__("tracings", h5py.SoftLink("/tracings")),
    "a chunk of four gigabytes": chunk_bomb,
    "compound numbers": lambda file: file.create_dataset("tracings", (3, 4096, 12), np.dtype([("a", "f8")])),
    "text": lambda file: file.create_dataset("tracings", (3, 4096, 12), h5py.string_dtype()),
}


@pytest.mark.parametrize("kind", HDF5)
def test_hostile_hdf5_is_refused_before_it_is_unpacked(kind: str, tmp_path: Path) -> None:
    source = tracings(tmp_path / "exams_part0.hdf5", HDF5[kind])
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(HeartprintError) as caught:
        source.recording(0)
    assert time.process_time() - began < 5 and tracemalloc.get_traced_memory()[1] < 100 * MB
    tracemalloc.stop()
    assert caught.value.code in ("unreadable-file", "bad-array", "file-truncated") and caught.value.message[-1] == "."


def test_exam_ids_are_bounded_like_tracings(tmp_path: Path) -> None:
    def write(file: h5py.File) -> None:
        file["tracings"] = np.zeros((3, 4096, 12), "f4")
        file["exam_id"] = h5py.ExternalLink("elsewhere.h5", "ids")

    with pytest.raises(HeartprintError) as caught:
        _ = tracings(tmp_path / "exams_part0.hdf5", write).row_of
    assert caught.value.code == "unreadable-file"


def test_a_hostile_part_costs_its_own_ecgs_alone(tmp_path: Path) -> None:
    example = EXAMPLES["code-15"](tmp_path)
    with h5py.File(tmp_path / "exams_part1.hdf5", "w") as file:
        chunk_bomb(file)
        file["exam_id"] = np.arange(1, 20_001)
    cohort = ingest(Code15(), example.src, tmp_path / "out", workers=1)
    assert sorted(cohort.ecg_ids.tolist()) == ["100", "900"]


@pytest.mark.parametrize("reader", [Challenge(), Ptb(), Ludb()], ids=["challenge", "ptb", "ludb"])
def test_a_huge_header_is_not_read(reader: object, tmp_path: Path) -> None:
    """In every reader of headers; the file is sparse, as a hostile one would be."""
    folder = {"Challenge": tmp_path, "Ptb": tmp_path / "patient001", "Ludb": tmp_path / "data"}[type(reader).__name__]
    folder.mkdir(exist_ok=True)
    write_record(folder, "2", twelve(), 100)
    with (folder / "1.hea").open("wb") as handle:
        handle.write(b"1 12 500 5000\n")
        handle.truncate(3 * 1024 * MB)
    tracemalloc.start()
    cohort = ingest(reader, tmp_path, tmp_path / "out", workers=1)  # type: ignore[arg-type]
    assert tracemalloc.get_traced_memory()[1] < 100 * MB
    tracemalloc.stop()
    assert cohort.ecg_ids.tolist() == ["2"]
    assert pl.read_parquet(cohort.path / REFUSED_FILE)["code"].to_list() == ["file-too-large"]


def test_a_hundred_thousand_segments_are_refused_at_once(tmp_path: Path) -> None:
    lines = "".join(f"s{k} 10\n" for k in range(60_000))
    (tmp_path / "1.hea").write_text("# a comment\n1/60000 12 500 600000\n" + lines)
    began = time.process_time()
    with pytest.raises(HeartprintError, match="60,000 segments") as caught:
        read_wfdb(tmp_path / "1.hea")
    assert caught.value.code == "unsupported-format" and time.process_time() - began < 1
