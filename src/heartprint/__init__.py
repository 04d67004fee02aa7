"""Heartprint: models that read 12-lead ECG images from few labels, by biometric contrastive learning.

The names below are imported when they are first used, so that ``import heartprint`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from heartprint import _threads

__version__ = "0.1.0"

_threads.wait_asleep()

if TYPE_CHECKING:
    from heartprint.cohorts import Cohort, split_by_patient
    from heartprint.encoders import load_encoder
    from heartprint.foundation.errors import HeartprintError
    from heartprint.sheets import render

_HOME = {
    "Cohort": "heartprint.cohorts",
    "split_by_patient": "heartprint.cohorts",
    "render": "heartprint.sheets",
    "load_encoder": "heartprint.encoders",
    "HeartprintError": "heartprint.foundation.errors",
}

__all__ = ["Cohort", "HeartprintError", "__version__", "load_encoder", "render", "split_by_patient"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'heartprint' has no attribute '{name}'")
