"""How the threads of numerical libraries wait for work: asleep, not spinning."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
"""What OpenMP's runtimes (GNU's; LLVM's and Intel's) are told, unless the environment says something else."""


def wait_asleep() -> None:
    """Let idle threads of torch sleep instead of spin; to be called before torch is imported.

    Between two pieces of work an OpenMP thread spins for a while by default. Where other processes want the same cores
    (workers that draw sheets, a second training, the rest of a laptop) every thread then waits for one that is not
    running: a single image took 608 ms instead of 4.2 ms, a short pretraining 99 s instead of 33 s, with the same
    bytes. Alone on the machine it costs nothing that was seen. What the environment says already is left alone.
    """
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)


@contextlib.contextmanager
def small_matrices() -> Iterator[None]:
    """One thread for matrices of some hundred rows: several of them only wait for each other.

    On busy cores a probe took twenty times as long with two threads as with one.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
