"""Processes that work for another one leave with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import sys, time
from joblib import Parallel, delayed
from heartprint.foundation.parallel import tied_workers

def work(size):
    time.sleep(0.05)
    return bytes(size)

if __name__ == "__main__":
    print("begun", flush=True)
    done = Parallel(n_jobs=2, return_as="generator", **tied_workers())(delayed(work)(1_000_000) for _ in range(1000))
    next(done)
    print("working", flush=True)
    time.sleep(60)
"""


def workers_of(pid: int) -> list[int]:
    """Joblib's processes that it has started, as /proc tells."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"LokyProcess" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to see processes in")
@pytest.mark.parametrize("working", [True, False])
def test_workers_leave_when_their_master_is_killed(tmp_path: Path, working: bool) -> None:
    """Without it they hang on their results, which nobody fetches any more."""
    (tmp_path / "program.py").write_text(PROGRAM)
    master = subprocess.Popen(
        [sys.executable, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert master.stdout is not None and master.stdout.readline() == b"begun\n"
    if working:
        assert master.stdout.readline() == b"working\n"
        time.sleep(1)
    until = time.monotonic() + 30
    while len(theirs := workers_of(master.pid)) < 2 and time.monotonic() < until:
        time.sleep(0.002)
    os.kill(master.pid, signal.SIGKILL)
    master.wait()
    assert len(theirs) == 2
    until = time.monotonic() + 30
    while any(map(running, theirs)) and time.monotonic() < until:
        time.sleep(0.2)
    assert not any(map(running, theirs))
