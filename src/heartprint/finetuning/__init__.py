"""From an encoder and a few labels to a model: linear probes and full fine-tuning.

The names below are imported when they are first used: torch takes seconds to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heartprint.foundation.lazily import names_of

if TYPE_CHECKING:
    from heartprint.finetuning.config import FinetuneConfig
    from heartprint.finetuning.full import train_full, train_to_rank
    from heartprint.finetuning.probe import train_probe
    from heartprint.finetuning.run import finetune, parse_budget
    from heartprint.finetuning.scoring import score_cohort

__all__ = [
    "FinetuneConfig",
    "finetune",
    "parse_budget",
    "score_cohort",
    "train_full",
    "train_probe",
    "train_to_rank",
]

__getattr__ = names_of(
    __name__,
    {
        "config": "FinetuneConfig",
        "full": "train_full train_to_rank",
        "probe": "train_probe",
        "run": "finetune parse_budget",
        "scoring": "score_cohort",
    },
)
