"""Ctrl-C ends any verb with 130, one sentence, and nothing half-written."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path


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
    assert list(tmp_path.iterdir()) == []
