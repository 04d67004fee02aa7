"""Where networks compute, and that they compute the same thing twice."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from heartprint.foundation.errors import HeartprintError


def choose_device(name: str = "auto") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``cuda:1`` into a device that is there.

    Raises:
        HeartprintError: ``no-such-device``.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise HeartprintError(
            "no-such-device", f"Device '{name}' cannot be used here. Write auto, cpu, or cuda where there is a GPU."
        ) from error
    return device


@contextlib.contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Have torch compute the same thing twice, and leave its global state as it was."""
    was = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    cudnn = torch.backends.cudnn.benchmark
    if device.type == "cuda":
        # cuBLAS reads it when it starts; without it its sums are in no fixed order.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling what is overwritten anyway costs time and changes nothing.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(was[0], warn_only=was[1])
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
            torch.backends.cudnn.benchmark = cudnn
