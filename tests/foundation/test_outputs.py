from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_folder, atomic_path, clear_leftovers, remove_whole
from heartprint.foundation.outputs import Output, claim_output

KIND = Output(what="a thing", code="output-not-a-thing", marker="thing.json", names=("thing.json", "part-*.bin"))
NAMES = st.text("abc.-_ Ü", min_size=1, max_size=8).filter(lambda name: name.strip(". ") == name)


def refused(out: Path, **options: object) -> str:
    with pytest.raises(HeartprintError) as caught:
        claim_output(out, KIND, **options)  # type: ignore[arg-type]
    return caught.value.code


def written(out: Path, *more: str) -> Path:
    out.mkdir(parents=True)
    for name in ("thing.json", *more):
        (out / name).write_text(name)
    return out


def test_what_is_not_there_may_be_written(tmp_path: Path) -> None:
    claim_output(tmp_path / "deep" / "out", KIND)
    (tmp_path / "empty").mkdir()
    claim_output(tmp_path / "empty", KIND)
    assert [p.name for p in tmp_path.iterdir()] == ["empty"], "nothing is made"


def test_the_rule(tmp_path: Path) -> None:
    out = written(tmp_path / "out", "part-1.bin", ".DS_Store")
    recipe = {"task": "af", "layouts": ("standard",), "seed": 0}
    same, other = (lambda _: {"task": "af", "layouts": ["standard"]}), (lambda _: {"task": "sex", "seed": 0})
    assert refused(out, recipe=recipe, recipe_of=same) == "output-exists"
    claim_output(out, KIND, recipe=recipe, recipe_of=same, overwrite=True)
    claim_output(out, KIND, recipe=recipe, recipe_of=same, resumes=True)
    assert refused(out, recipe=recipe, recipe_of=other, overwrite=True) == "output-differs"
    assert refused(out, recipe=recipe, recipe_of=other, resumes=True) == "output-differs"
    claim_output(out, KIND, recipe=recipe, recipe_of=other, resumes=True, overwrite=True)
    assert refused(out, recipe=recipe, recipe_of=lambda _: None, overwrite=True) == "output-differs"
    with pytest.raises(HeartprintError, match="task was sex, is af"):
        claim_output(out, KIND, recipe=recipe, recipe_of=other)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(name=NAMES, folder=st.booleans())
def test_whatever_else_lies_there_is_kept(tmp_path_factory: pytest.TempPathFactory, name: str, folder: bool) -> None:
    out = tmp_path_factory.mktemp("outputs") / "out"
    for marker in (True, False):
        place = written(out / str(marker)) if marker else out / str(marker)
        mine = place / name
        mine.mkdir(parents=True) if folder else (place.mkdir(exist_ok=True), mine.write_text("mine"))
        assert refused(place, overwrite=True) == ("output-has-other-files" if marker else "output-not-a-thing")
        assert mine.exists()


@pytest.mark.parametrize("what", ["a file", "a link that leads nowhere"])
def test_a_file_is_not_a_folder(what: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("mine") if what == "a file" else out.symlink_to(tmp_path / "gone")
    assert refused(out, overwrite=True) == "output-not-a-thing"
    assert out.is_symlink() or out.read_text() == "mine"


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("way", ["file", "folder", "claim"])
def test_what_killed_processes_left_is_removed_and_what_runs_is_not(way: str, tmp_path: Path) -> None:
    pid, target = dead_pid(), tmp_path / "out"
    (tmp_path / f".out.{pid}.tmp").write_text("half")
    written(tmp_path / f".out.{pid + 10_000_000}.tmp")
    running = tmp_path / f".out.{os.getppid()}.tmp"
    others = [tmp_path / f".other.{pid}.tmp", tmp_path / f".out.{pid}.tmp.bak", tmp_path / ".out.tmp"]
    for file in (running, *others):
        file.write_text("kept")
    if way == "file":
        with atomic_path(target) as path:
            path.write_text("whole")
    elif way == "folder":
        with atomic_folder(target):
            pass
    else:
        claim_output(target, KIND)
    found = sorted(p.name for p in tmp_path.iterdir() if p.name != "out")
    assert found == sorted(p.name for p in (running, *others))


def test_what_was_moved_away_comes_back(tmp_path: Path) -> None:
    """A process was killed when the old folder had its other name, and the new one was not yet in its place."""
    old = written(tmp_path / f".out.{dead_pid()}.old")
    clear_leftovers(tmp_path / "out")
    assert (tmp_path / "out" / "thing.json").is_file() and not old.exists()
    written(tmp_path / f".out.{dead_pid()}.old")
    clear_leftovers(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    remove_whole(tmp_path / "out")
    assert not list(tmp_path.iterdir())
