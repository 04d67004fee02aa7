"""From an encoder and a few labels to a model: linear probes and full fine-tuning.

The names below are imported when they are first used: torch takes seconds to load.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heartprint.finetuning.config import FinetuneConfig
    from heartprint.finetuning.full import train_full, train_to_rank
    from heartprint.finetuning.probe import train_probe
    from heartprint.finetuning.run import finetune, parse_budget
    from heartprint.finetuning.scoring import score_cohort

_HOME = {
    "FinetuneConfig": "config",
    "finetune": "run",
    "parse_budget": "run",
    "score_cohort": "scoring",
    "train_full": "full",
    "train_probe": "probe",
    "train_to_rank": "full",
}

__all__ = [
    "FinetuneConfig",
    "finetune",
    "parse_budget",
    "score_cohort",
    "train_full",
    "train_probe",
    "train_to_rank",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"heartprint.finetuning.{_HOME[name]}"), name)
    raise AttributeError(f"module 'heartprint.finetuning' has no attribute '{name}'")
