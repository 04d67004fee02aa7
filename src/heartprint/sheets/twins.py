"""Which of the two kernels draws: the compiled one or its NumPy twin."""

from __future__ import annotations

import functools
import os
from types import ModuleType


@functools.cache
def compiled_or_numpy() -> ModuleType:
    """`heartprint.sheets.kernel`, or its NumPy twin where numba is not to be had or not wanted.

    ``HEARTPRINT_NO_NUMBA=1`` asks for the twin.
    """
    if os.environ.get("HEARTPRINT_NO_NUMBA", "") in ("", "0"):
        try:
            from heartprint.sheets import kernel
        except ImportError:
            pass
        else:
            return kernel
    from heartprint.sheets import kernel_numpy

    return kernel_numpy
