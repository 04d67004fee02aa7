from __future__ import annotations

import pytest
import torch

from heartprint.foundation.errors import HeartprintError
from heartprint.training.out_of_memory import memory_explained


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_out_of_memory_names_the_option(error: Exception) -> None:
    with pytest.raises(HeartprintError) as caught, memory_explained(64):
        raise error
    assert caught.value.code == "out-of-memory"
    assert "-o batch_size=32" in caught.value.message


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shape"), memory_explained(64):
        raise RuntimeError("shape mismatch")
