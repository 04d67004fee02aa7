"""Out of memory, said in words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from heartprint.foundation.errors import HeartprintError
from heartprint.pretraining.config import PretrainConfig

_MACHINE_SIGNS = ("can't allocate memory", "not enough memory", "std::bad_alloc", "Cannot allocate memory")
_WORKER_SIGNS = ("DataLoader worker", "insufficient shared memory", "unable to allocate shared memory")


@contextlib.contextmanager
def memory_explained(config: PretrainConfig) -> Iterator[None]:
    """Turn "out of memory", of a GPU, the machine or a drawing process, into a sentence that names what to lower.

    Raises:
        HeartprintError: ``out-of-memory``, or ``worker-died`` if a drawing process was killed.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _too_large(config) from error
    except (RuntimeError, OSError) as error:
        if any(sign in str(error) for sign in _WORKER_SIGNS):
            raise HeartprintError(
                "worker-died",
                "A process that draws sheets was ended from outside, most likely because the (shared) memory is full. "
                "Lower -o workers=0 or batch_size, then go on with --resume.",
            ) from error
        if any(sign in str(error) for sign in _MACHINE_SIGNS):
            raise _too_large(config) from error
        raise


def _too_large(config: PretrainConfig) -> HeartprintError:
    return HeartprintError(
        "out-of-memory",
        f"The memory does not hold a step of {config.batch_size} pairs of {config.image_size} px. Lower batch_size "
        f"(-o batch_size={max(2, config.batch_size // 2)}) or image_size, in a new run.",
    )
