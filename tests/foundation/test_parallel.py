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
from heartprint.foundation.parallel import Tied

def work(size):
    time.sleep(0.05)
    return bytes(size)

if __name__ == "__main__":
    done = Parallel(n_jobs=2, return_as="generator")(delayed(Tied(work))(1_000_000) for _ in range(1000))
    next(done)
    print("begun", flush=True)
    time.sleep(60)
"""


def children(pid: int) -> list[int]:
    """Processes that it has started, as /proc tells."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to see processes in")
def test_workers_leave_when_their_master_is_killed(tmp_path: Path) -> None:
    """Without it they hang on their results, which nobody fetches any more."""
    (tmp_path / "program.py").write_text(PROGRAM)
    master = subprocess.Popen(
        [sys.executable, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert master.stdout is not None and master.stdout.readline() == b"begun\n"
    time.sleep(1)
    theirs = children(master.pid)
    assert len(theirs) >= 2
    os.kill(master.pid, signal.SIGKILL)
    master.wait()
    until = time.monotonic() + 20
    while any(map(running, theirs)) and time.monotonic() < until:
        time.sleep(0.2)
    assert not any(map(running, theirs))
