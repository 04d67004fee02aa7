"""A disk that becomes full is a sentence, and leaves what was there."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from heartprint.foundation.files import is_disk_full
from tests.cli.killed import tree
from tests.finetuning.tiny import make_cohort

TUNE = ["finetune", "c", "--task", "tall", "--init", "random", "--backbone", "small", "--image-size", "32"]
TRAIN = [
    *("pretrain", "c", "-o", "image_size=32", "-o", "batch_size=4", "-o", "steps=3", "-o", "workers=0"),
    *("-o", "device=cpu", "-o", "method.head_hidden=16"),
]


def run(words: list[str], folder: Path, largest: int | None = None) -> subprocess.CompletedProcess[str]:
    """A verb, in a process whose files cannot grow beyond some bytes: the system then says so as of a full disk."""
    program = (
        "import sys; from heartprint.cli.main import main; from heartprint.encoders.bundle import known_sheets;"
        # Models are shown few sheets, as in all tests.
        " known_sheets.FITTED, known_sheets.HELD_OUT = 60, 40; sys.argv[0] = 'heartprint'; main()"
    )
    if largest is not None:
        # Compiled code is kept in files too: what is to be limited comes after all that.
        program = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest}, {largest})); {program}"
    return subprocess.run([sys.executable, "-c", program, *words], cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["finetune again", "pretrain"])
def test_it_is_one_sentence_and_nothing_is_half_written(verb: str, tmp_path: Path) -> None:
    make_cohort(tmp_path / "c", 12, 2)
    words = [*(TRAIN if verb == "pretrain" else [*TUNE, "--labels", "8"]), "--out", "out"]
    if verb == "finetune again":
        assert run(words, tmp_path).returncode == 0
        words.append("--overwrite")
    before = tree(tmp_path / "out")
    done = run(words, tmp_path, 100_000)
    assert done.returncode == 2, done.stderr
    assert done.stderr.rstrip().endswith("[disk-full]") and "Traceback" not in done.stderr
    assert not list(tmp_path.rglob(".*.tmp"))
    if verb == "pretrain":
        assert not (tmp_path / "out" / "encoder").exists() and "--resume" in done.stderr
        done = run([*words, "--resume"], tmp_path)
    else:
        assert tree(tmp_path / "out") == before
        done = run(words, tmp_path)
    assert done.returncode == 0, done.stderr


def test_it_is_known_in_the_words_of_every_library() -> None:
    import polars as pl
    from safetensors import SafetensorError

    full = [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("No space left on device (os error 28)"),
        OSError("40000 requested and 3000 written"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        pl.exceptions.ComputeError("File too large (os error 27)"),
    ]
    assert all(map(is_disk_full, full))
    assert not any(map(is_disk_full, [OSError(errno.EACCES, "no"), ValueError("bad"), SafetensorError("bad header")]))
