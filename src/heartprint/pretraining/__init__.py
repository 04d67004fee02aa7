"""Views, losses, methods and the loop by which an encoder learns without labels.

The names below are imported when they are first used: torch takes seconds to load.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heartprint.pretraining.augment import AugmentConfig
    from heartprint.pretraining.config import PretrainConfig
    from heartprint.pretraining.loop import pretrain
    from heartprint.pretraining.losses import nt_xent
    from heartprint.pretraining.methods import METHODS, get_method

_HOME = {
    "METHODS": "methods",
    "AugmentConfig": "augment",
    "PretrainConfig": "config",
    "get_method": "methods",
    "nt_xent": "losses",
    "pretrain": "loop",
}

__all__ = ["METHODS", "AugmentConfig", "PretrainConfig", "get_method", "nt_xent", "pretrain"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"heartprint.pretraining.{_HOME[name]}"), name)
    raise AttributeError(f"module 'heartprint.pretraining' has no attribute '{name}'")
