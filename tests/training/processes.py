"""Run a function of the tests in several processes that train together, as ``torchrun`` would start them."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
from pathlib import Path


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens on just now."""
    sockets = [socket.socket() for _ in range(n)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def run_processes(n: int, function: str, *arguments: object) -> list[subprocess.CompletedProcess[str]]:
    """Call ``module:name`` with texts in ``n`` processes; their results in order of rank."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "tests.training.processes", function, *map(str, arguments)]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(n), "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            command,
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=Path(__file__).parents[2],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(n)
    ]
    done = []
    try:
        for process in running:
            out, err = process.communicate(timeout=240)
            done.append(subprocess.CompletedProcess(command, process.returncode, out, err))
    finally:
        for process in running:
            process.kill()
    return done


if __name__ == "__main__":
    module, name = sys.argv[1].split(":")
    getattr(importlib.import_module(module), name)(*sys.argv[2:])
