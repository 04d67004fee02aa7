"""Where networks compute."""

from __future__ import annotations

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
