"""Idle threads sleep, unless the environment says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from heartprint._threads import small_matrices

SAY = "import heartprint, os; print(os.environ['OMP_WAIT_POLICY'], os.environ['KMP_BLOCKTIME'])"


@pytest.mark.parametrize(
    ("said", "expected"),
    [({}, "PASSIVE 0"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE 0"), ({"KMP_BLOCKTIME": "200"}, "PASSIVE 200")],
)
def test_threads_sleep_unless_told_otherwise(said: dict[str, str], expected: str) -> None:
    bare = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "KMP_BLOCKTIME")}
    done = subprocess.run([sys.executable, "-c", SAY], env=bare | said, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


def test_small_matrices_take_one_thread() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))
    before = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    with small_matrices():
        assert all(pool["num_threads"] == 1 for pool in threadpool_info() if pool["user_api"] == "blas")
    assert [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"] == before
