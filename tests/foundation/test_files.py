from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import (
    atomic_folder,
    atomic_path,
    check_target,
    claimed,
    sha256_file,
    write_json,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.txt"
    write_text(target, "old")
    with atomic_path(target) as path:
        path.write_text("new")
        assert target.read_text() == "old"
        assert path.parent == target.parent  # a rename across devices would not be atomic
    assert target.read_text() == "new"
    assert names(target.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_file_is_unchanged_after_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(error), atomic_path(target) as path:
        path.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_folder_is_unchanged_after_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "d"
    with atomic_folder(target) as folder:
        (folder / "x").write_text("old")
    with pytest.raises(error), atomic_folder(target) as folder:
        (folder / "x").write_text("half")
        raise error
    assert (target / "x").read_text() == "old"
    assert names(tmp_path) == ["d"]


def test_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "d"
    with atomic_folder(target) as folder:
        (folder / "one").write_text("1")
        assert not target.exists()
    with atomic_folder(target) as folder:
        (folder / "two").write_text("2")
        assert names(target) == ["one"]
    assert names(target) == ["two"]
    assert names(tmp_path) == ["d"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("what", [atomic_path, atomic_folder])
def test_full_disk_is_a_sentence(tmp_path: Path, number: int, what) -> None:
    with pytest.raises(HeartprintError) as caught, what(tmp_path / "x"):
        raise OSError(number, "full")
    assert caught.value.code == "disk-full"
    assert names(tmp_path) == []


def test_other_errors_of_the_system_pass(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), atomic_path(tmp_path / "x"):
        raise PermissionError(errno.EACCES, "no")


def test_json_and_checksum(tmp_path: Path) -> None:
    value = {"b": 1, "a": ["µV", None, 0.1]}
    write_json(tmp_path / "x.json", value)
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert list(json.loads(text).items()) == list(value.items())
    assert "µV" in text
    assert sha256_file(tmp_path / "x.json") == hashlib.sha256(text.encode()).hexdigest()


def test_what_is_written_may_be_read_by_colleagues(tmp_path: Path) -> None:
    """Writers of tensors make files that are their owner's alone; the umask decides, as for any file."""
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    with atomic_path(tmp_path / "file") as path:
        path.unlink(missing_ok=True)
        path.touch(0o600)
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch(0o600)
    for file in (tmp_path / "file", tmp_path / "folder" / "deep" / "file"):
        assert file.stat().st_mode == ordinary.stat().st_mode


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    with claimed(tmp_path / "new"):
        with pytest.raises(HeartprintError) as caught, claimed(tmp_path / "new"):
            pass
        assert caught.value.code == "output-busy"
        assert not any((tmp_path / "new").iterdir())
    assert not (tmp_path / "new").exists()
    (tmp_path / "mine").mkdir()
    with claimed(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").exists()


def test_forked_workers_hold_no_claim(tmp_path: Path) -> None:
    """Such as a data loader's, which may outlive a master that was killed."""
    context = multiprocessing.get_context("fork")
    meeting = context.Barrier(2, timeout=60)
    claim = claimed(tmp_path)
    claim.__enter__()
    worker = context.Process(target=_two_meetings, args=(meeting,))
    worker.start()
    meeting.wait()
    try:
        with pytest.raises(HeartprintError), claimed(tmp_path):
            pass
        claim.__exit__(None, None, None)
        with claimed(tmp_path):
            pass
    finally:
        meeting.wait()
        worker.join()


def _two_meetings(barrier: Any) -> None:
    barrier.wait()
    barrier.wait()


def test_a_file_that_could_not_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    check_target(tmp_path / "new" / "deeper" / "out.csv")
    (tmp_path / "file").write_text("mine")
    check_target(tmp_path / "file")
    for target in (tmp_path, tmp_path / "file" / "out.csv", tmp_path / "file" / "deeper" / "out.csv"):
        with pytest.raises(HeartprintError) as caught:
            check_target(target)
        assert caught.value.code == "output-not-writable"
    check_target(tmp_path, folder=True)
    with pytest.raises(HeartprintError):
        check_target(tmp_path / "file" / "folder", folder=True)
    assert not (tmp_path / "new").exists()
