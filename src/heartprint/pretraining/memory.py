"""What memory or disk a pretraining run and its drawing processes lacked, said in words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import is_disk_full
from heartprint.pretraining.config import PretrainConfig
from heartprint.training.out_of_memory import memory_explained

_WORKER_SIGNS = ("DataLoader worker", "insufficient shared memory", "unable to allocate shared memory")


@contextlib.contextmanager
def step_memory_explained(config: PretrainConfig) -> Iterator[None]:
    """Turn "out of memory", of a GPU, the machine or a drawing process, into a sentence that names what to lower.

    Raises:
        HeartprintError: ``out-of-memory``, or ``worker-died`` if a drawing process was killed.
    """
    held = f"a step of {config.batch_size} items of {config.image_size} px"
    try:
        with memory_explained(config.batch_size, smallest=2, held=held):
            yield
    except (RuntimeError, OSError) as error:
        if any(sign in str(error) for sign in _WORKER_SIGNS):
            raise HeartprintError(
                "worker-died",
                "A process that draws sheets was ended from outside, most likely because the (shared) memory is full. "
                "Lower -o workers=0 or batch_size, then go on with --resume.",
            ) from error
        raise


@contextlib.contextmanager
def disk_full_told(out: Path) -> Iterator[None]:
    """Say of a run, whatever it was writing, that its last checkpoint is whole."""
    try:
        yield
    except Exception as error:
        if not is_disk_full(error) and not (isinstance(error, HeartprintError) and error.code == "disk-full"):
            raise
        raise HeartprintError(
            "disk-full",
            f"The disk of {out} is full: the run has stopped, and its last checkpoint is whole. Free some space, then "
            "go on with --resume.",
        ) from error
