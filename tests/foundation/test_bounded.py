from __future__ import annotations

import io
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from heartprint.foundation.bounded import BadFile, parse_json, plain_size, read_json, read_npz, read_plain


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (b"[" * 200_000, "nested"),
        (b"[" * 300 + b"]" * 300, "nested"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "finite"),
        (b"9" * 5000, "JSON"),
        (b'{"a": "\xff"}', "JSON"),
        (b"", "JSON"),
        (b"\x00" * 100, "JSON"),
    ],
)
def test_json_that_is_not_plain_is_refused(text: bytes, word: str) -> None:
    with pytest.raises(BadFile, match=word):
        parse_json(text)


def test_plain_json_is_read() -> None:
    assert parse_json(b'{"a": [1, 2.5, null, true], "b": {"a": "\xc3\xa4"}}') == {
        "a": [1, 2.5, None, True],
        "b": {"a": "ä"},
    }
    assert parse_json(b"[" * 150 + b"]" * 150)


def test_only_plain_files_of_bounded_size_are_opened(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"[1]")
    assert (plain_size(plain, 3), read_plain(plain), read_json(plain)) == (3, b"[1]", [1])
    (tmp_path / "link").symlink_to(plain)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as handle:
        handle.truncate(2**40)
    began = time.process_time()
    for name, word in (("link", "link"), ("folder", "folder"), ("pipe", "plain file"), ("huge", "more than")):
        with pytest.raises(BadFile, match=word):
            read_plain(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_plain(tmp_path / "nothing")
    assert time.process_time() - began < 1


def npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def lying_npz(header: str, data: bytes = b"") -> bytes:
    """An .npz whose one array has a header of one's own."""
    out = io.BytesIO()
    head = header.encode() + b"\n"
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("values.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data)
    return out.getvalue()


def packed() -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, values=np.zeros(10_000_000, dtype=np.float32))
    return out.getvalue()


def test_arrays_come_back(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    (tmp_path / "a.npz").write_bytes(npz(values=values, about=np.array("x")))
    about, found = read_npz(tmp_path / "a.npz", "about", "values", limit=10_000)
    np.testing.assert_array_equal(found, values)
    assert str(about) == "x"
    (again,) = read_npz(io.BytesIO(npz(values=values)), "values", limit=10_000)
    np.testing.assert_array_equal(again, values)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an archive",
        npz(other=np.zeros(3)),
        npz(values=np.array([{"a": 1}], dtype=object)),
        packed(),
        npz(values=np.zeros(100))[:-200],
        lying_npz("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000,), }"),
        lying_npz("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "-" * 9000 + "1,), }"),
        lying_npz("{'descr': '<f4', 'fortran_order': False, 'shape': (-5,), }", b"\0" * 20),
        lying_npz("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nsystem\n"),
        lying_npz("__import__('os').getcwd()"),
    ],
    ids=range(11),
)
def test_archives_of_arrays_that_lie_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(BadFile):
        read_npz(tmp_path / "a.npz", "values", limit=2**24)


def test_a_large_archive_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(npz(values=np.zeros(1000)))
    with pytest.raises(BadFile, match="more than"):
        read_npz(tmp_path / "a.npz", "values", limit=1000)
