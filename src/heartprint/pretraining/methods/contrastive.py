"""What methods have in common whose views are to find each other."""

from __future__ import annotations

from typing import Any, ClassVar

from heartprint.pretraining.methods.base import Method
from heartprint.pretraining.objectives import (
    Contrast,
    ContrastiveObjective,
    ContrastSettings,
    Objective,
    Start,
    similarity_bytes,
)


class Contrastive(Method):
    """A method whose views find each other among the views of a batch (NT-Xent; see `ContrastiveObjective`)."""

    Settings = ContrastSettings
    contrasts: ClassVar[tuple[Contrast, ...]] = (Contrast("views", (0, 1)),)

    @classmethod
    def objective(cls, settings: Any, start: Start) -> Objective:
        """NT-Xent of the contrasts."""
        return ContrastiveObjective(start, cls.contrasts, settings)

    @classmethod
    def objective_bytes(cls, settings: Any, batch_size: int) -> int:
        """The similarities."""
        return similarity_bytes(cls.contrasts, batch_size)
