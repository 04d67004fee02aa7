"""Compiled code where neither the package nor a home can be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import heartprint

PROGRAM = """
import sys, numpy as np
from heartprint.metrics.bootstrap import cluster_bootstrap
from heartprint.foundation.compiled import numba
import heartprint.signals.beats, heartprint.sheets.kernel, heartprint.sheets.camera.kernels
import heartprint.signals.measurements, heartprint.simulation.events, heartprint.metrics.retrieval
from heartprint.sheets.twins import compiled_or_numpy
assert compiled_or_numpy().__name__.endswith("kernel"), "numba is there, so it draws"
print(numba.config.CACHE_DIR)
"""


def package(tmp_path: Path) -> Path:
    """A copy of the package beside whose files nothing can be kept, whoever asks."""
    copy = tmp_path / "site" / "heartprint"
    shutil.copytree(Path(heartprint.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__", "shipped"))
    for folder in [copy, *(p for p in copy.rglob("*") if p.is_dir())]:
        (folder / "__pycache__").write_text("no folder")
    return copy.parent


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="numba looks elsewhere on Windows")
@pytest.mark.parametrize("planted", [False, True])
def test_a_read_only_package_without_a_home(planted: bool, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    own = temporary / f"heartprint-numba-{os.getuid()}"
    if planted:  # a folder that others may write: what lies in it would be unpickled
        own.mkdir()
        own.chmod(0o777)
    environment = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **environment,
            "HOME": "/dev/null/home",
            "TMPDIR": str(temporary),
            "PYTHONPATH": str(package(tmp_path)),
            "HEARTPRINT_NO_NUMBA": "",
        },
    )
    assert done.returncode == 0, done.stderr
    used = Path(done.stdout.strip())
    assert used.parent == temporary and (used == own) != planted
    assert not used.stat().st_mode & 0o077


def test_where_it_can_be_kept_nothing_changes() -> None:
    program = "from heartprint.foundation.compiled import numba; print(repr(numba.config.CACHE_DIR))"
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "''", done.stderr
