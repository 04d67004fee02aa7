"""Work that splits: on the cores of this machine, or on a Dask cluster, by joblib."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from heartprint.foundation.errors import HeartprintError

_CONNECT_S = 30
_LOOK_S = 0.5


@contextlib.contextmanager
def on_cluster(scheduler: str) -> Iterator[None]:
    """Let joblib send its work to a Dask cluster.

    Args:
        scheduler: Address of the scheduler (``tcp://10.0.0.1:8786``), or the scheduler file that it has written.

    Raises:
        HeartprintError: ``dask-missing`` without Dask, ``cluster-unreachable``.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise HeartprintError(
            "dask-missing", "A cluster needs Dask. Install it: pip install 'heartprint[dask]'."
        ) from error
    import joblib

    where = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
    try:
        client: Any = Client(**where, timeout=_CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError, ImportError) as error:
        raise HeartprintError(
            "cluster-unreachable",
            f"No Dask scheduler answers at {scheduler} ({type(error).__name__}). Start one with 'dask scheduler' and "
            "workers with 'dask worker ADDRESS', then give its address, e.g. tcp://10.0.0.1:8786.",
        ) from error
    with client, joblib.parallel_config(backend="dask", client=client, wait_for_workers_timeout=_CONNECT_S):
        yield


def backend_chosen() -> bool:
    """Whether somebody has chosen another way to work than joblib's own processes, such as a Dask cluster."""
    from joblib._parallel_backends import LokyBackend
    from joblib.parallel import get_active_backend

    return not isinstance(get_active_backend()[0], LokyBackend)


def tied_workers() -> dict[str, Any]:
    """Settings of `joblib.Parallel`: the processes that it starts leave within a second when this one is gone.

    However it went: workers whose master was killed may else wait for ever for somebody to take their results. Empty
    where `backend_chosen`.
    """
    return {} if backend_chosen() else {"initializer": tie_to, "initargs": (os.getpid(),)}


def tie_to(master: int) -> None:
    """Let this process leave soon after the one that started it; Ctrl-C, which reaches both, is for that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(master,), daemon=True).start()


def _leave_with(master: int) -> None:
    while os.getppid() == master:
        time.sleep(_LOOK_S)
    os._exit(1)


@contextlib.contextmanager
def lost_worker_explained() -> Iterator[None]:
    """Turn the death of a worker process into a sentence; everything else passes unchanged."""
    from concurrent.futures.process import BrokenProcessPool

    try:
        yield
    except BrokenProcessPool as error:
        raise HeartprintError(
            "worker-died",
            "A worker process was killed or ran out of memory. Run the same command again with fewer --workers.",
        ) from error
    except TimeoutError as error:
        raise HeartprintError(
            "cluster-unreachable", "The Dask cluster has no worker. Start some with 'dask worker ADDRESS'."
        ) from error
    except Exception as error:
        if not type(error).__module__.startswith("distributed"):
            raise
        raise HeartprintError(
            "worker-died",
            f"The Dask cluster gave up ({type(error).__name__}). See to its workers, then run the same command again.",
        ) from error
