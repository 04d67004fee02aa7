"""Heartprint: models that read 12-lead ECG images from few labels, by biometric contrastive learning.

The names below are imported when they are first used, so that ``import heartprint`` stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heartprint import _threads
from heartprint.foundation.lazily import names_of

__version__ = "0.1.0"

_threads.wait_asleep()

if TYPE_CHECKING:
    from heartprint.cohorts import Cohort, split_by_patient
    from heartprint.encoders import load_encoder
    from heartprint.foundation.errors import HeartprintError
    from heartprint.sheets import render

__all__ = ["Cohort", "HeartprintError", "__version__", "load_encoder", "render", "split_by_patient"]

__getattr__ = names_of(
    __name__,
    {
        "cohorts": "Cohort split_by_patient",
        "encoders": "load_encoder",
        "foundation.errors": "HeartprintError",
        "sheets": "render",
    },
)
