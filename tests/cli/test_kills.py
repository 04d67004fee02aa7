"""Verbs that are killed at any moment, and given again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.killed import left, left_after

pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or not Path("/proc/self/stat").exists(), reason="needs Linux")
ROOT = Path(__file__).parents[2]


def killed(work: Path, verb: str, moments: int, timeout: float) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.killed", str(work), verb, str(moments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        # Threads of their own would be lost in the fork; the NumPy kernel draws the few sheets as fast as numba loads.
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "POLARS_MAX_THREADS": "1",
            "HEARTPRINT_NO_NUMBA": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
        },
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["events"] >= 3 and len(told["trials"]) == moments
    assert sum(trial["after_s"] is None for trial in told["trials"]) >= 0.7 * moments
    assert [trial for trial in told["trials"] if trial["wrong"]] == []


def test_killed_at_three_moments(tmp_path: Path) -> None:
    killed(tmp_path / "work", "label", 3, 300)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("verb", ["finetune", "study", "export", "label", "predict", "evaluate"])
def test_killed_at_twenty_moments(verb: str, tmp_path: Path) -> None:
    killed(tmp_path / "work", verb, 20, 3000)


WORKERS = """
from heartprint.simulation import simulate
from heartprint.pretraining import PretrainConfig, pretrain
cohort = simulate("cohort", 400, seed=1, rate=500, progress=False)
config = PretrainConfig(
    method={{"name": "{method}", "head_hidden": 16}}, image_size=128, batch_size=64, steps=1000, workers=2, device="cpu"
)
print("ready", flush=True)
pretrain(cohort, config, "run", progress=False)
"""


@pytest.mark.parametrize("method", ["bcl", "bcl_measured"])
def test_no_child_survives_its_master(method: str, tmp_path: Path) -> None:
    """Those that draw sheets look for their master; so do those that measure what is to be read off them."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKERS.format(method=method)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        end = time.monotonic() + 60
        while len(left(process.pid)) < 3 and time.monotonic() < end:
            time.sleep(0.1)
        assert len(left(process.pid)) >= 3, "no workers were started"
        time.sleep(1.0)  # in the middle of their work
        process.kill()
        process.wait()
        assert left_after(process.pid) == []
    finally:
        process.kill()
        for pid in left(process.pid):
            os.kill(pid, signal.SIGKILL)
