"""Out of memory, said in words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from heartprint.foundation.errors import HeartprintError

_CPU_SIGNS = ("can't allocate memory", "not enough memory", "std::bad_alloc")


@contextlib.contextmanager
def memory_explained(batch_size: int) -> Iterator[None]:
    """Turn "out of memory", of a GPU or of the machine, into a sentence that names the option to lower.

    Raises:
        HeartprintError: ``out-of-memory``.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _explained(batch_size) from error
    except RuntimeError as error:
        if any(sign in str(error) for sign in _CPU_SIGNS):
            raise _explained(batch_size) from error
        raise


def _explained(batch_size: int) -> HeartprintError:
    return HeartprintError(
        "out-of-memory",
        f"The memory does not hold {batch_size} sheets at a time. Lower batch_size "
        f"(-o batch_size={max(1, batch_size // 2)}), or use a smaller image_size or backbone.",
    )
