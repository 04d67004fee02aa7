"""Views, losses, methods and the loop by which an encoder learns without labels.

The names below are imported when they are first used: torch takes seconds to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heartprint.foundation.lazily import names_of

if TYPE_CHECKING:
    from heartprint.pretraining.augment import AugmentConfig
    from heartprint.pretraining.config import PretrainConfig
    from heartprint.pretraining.loop import pretrain
    from heartprint.pretraining.losses import nt_xent
    from heartprint.pretraining.methods import METHODS, get_method

__all__ = ["METHODS", "AugmentConfig", "PretrainConfig", "get_method", "nt_xent", "pretrain"]

__getattr__ = names_of(
    __name__,
    {
        "augment": "AugmentConfig",
        "config": "PretrainConfig",
        "loop": "pretrain",
        "losses": "nt_xent",
        "methods": "METHODS get_method",
    },
)
