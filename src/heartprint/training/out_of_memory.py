"""Out of memory, said in words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from heartprint.foundation.errors import HeartprintError

_MACHINE_SIGNS = ("can't allocate memory", "not enough memory", "std::bad_alloc", "Cannot allocate memory")


@contextlib.contextmanager
def memory_explained(batch_size: int, *, smallest: int = 1, held: str = "") -> Iterator[None]:
    """Turn "out of memory", of a GPU or of the machine, into a sentence that names the option to lower.

    Args:
        batch_size: The batch size that was too large.
        smallest: Smallest batch size that makes sense.
        held: What the memory was to hold; ``batch_size`` sheets at a time if not given.

    Raises:
        HeartprintError: ``out-of-memory``.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError, OSError) as error:
        said = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not said and not any(sign in str(error) for sign in _MACHINE_SIGNS):
            raise
        raise HeartprintError(
            "out-of-memory",
            f"The memory does not hold {held or f'{batch_size} sheets at a time'}. Lower batch_size "
            f"(-o batch_size={max(smallest, batch_size // 2)}), or use a smaller image_size or backbone.",
        ) from error
