"""Ctrl-C ends any verb with 130, one sentence, and nothing half-written."""

from __future__ import annotations

import functools
import importlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from heartprint.cli import main
from tests.cli.test_help import COMMANDS, example


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    process = subprocess.Popen(
        [sys.executable, "-m", "heartprint.cli.main", "simulate", str(out), "--patients", "10000000"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "10000000" in line.replace(",", ""):  # the progress is shown: the work has begun
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors + output
    assert errors.splitlines()[-1].startswith("heartprint: Interrupted; ") and errors.count("Interrupted") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_verb_says_that_it_was_interrupted(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = name.split()
    module = importlib.import_module(f"heartprint.cli.{words[0].replace('-', '_')}")

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    if len(words) == 2:
        monkeypatch.setattr(module, "_ingest", interrupted)
    else:
        monkeypatch.setattr(module, words[0], functools.wraps(getattr(module, words[0]))(interrupted))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # `main` sets it for good
    monkeypatch.setattr(sys, "argv", shlex.split(example(name), comments=True))
    with pytest.raises(SystemExit) as ended:
        main.main()
    said = capsys.readouterr()
    assert ended.value.code == 130
    assert said.err.startswith("heartprint: Interrupted; ") and said.err.count("\n") == 1
    resumes = "run the same command again to resume" in said.err
    assert resumes == (words[0] in ("demo", "download", "ingest", "read", "study"))
    assert said.out == ""


def test_an_import_that_ctrl_c_breaks_off_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from heartprint.cli import info

    @functools.wraps(info.info)
    def interrupted(*_: Any, **__: Any) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("numpy cannot be imported") from error

    monkeypatch.setattr(info, "info", interrupted)
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.setattr(sys, "argv", ["heartprint", "info", "c"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 130
    assert "Interrupted" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_ctrl_c_reaches_worker_processes_too(tmp_path: Path) -> None:
    """A terminal sends it to all of them; one sentence is said, and nobody is left."""
    from heartprint.simulation import simulate
    from tests.cli.killed import left, left_after

    simulate(tmp_path / "c", 300, seed=1, rate=500, progress=False)
    options = ("image_size=64", "batch_size=16", "steps=500", "device=cpu", "method=bcl_measured", "workers=1")
    process = subprocess.Popen(
        [sys.executable, "-m", "heartprint", "pretrain", "c", "--out", "r", *(w for o in options for w in ("-o", o))],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    end = time.monotonic() + 90
    while len(left(process.pid)) < 3 and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(4.0)  # until the workers have been told to leave Ctrl-C to their master
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors + output
    assert "--resume" in errors or "Interrupted" in errors
    assert left_after(process.pid) == []
