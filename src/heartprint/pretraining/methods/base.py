"""What a pretraining method decides: what an item is, and how its two views are drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.views import Page, Views

Ints = npt.NDArray[np.int64]


class Method(ABC):
    """A way to get two views that belong together out of a cohort.

    Args:
        cohort: What is learned from.
        config: The run's configuration.

    Attributes:
        name: Name on the command line.
        description: One line for people.
        item: What an item is, in the plural, for messages.
        rows: Rows of the cohort that can be drawn, ascending.
        n_items: Number of items; an epoch visits each at most once.
        views: Draws sheets.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    item: ClassVar[str]

    rows: Ints
    n_items: int

    def __init__(self, cohort: Cohort, config: PretrainConfig) -> None:
        self.cohort = cohort
        self.config = config
        self.views = Views(cohort, config)

    @abstractmethod
    def groups(self, items: Ints) -> Ints:
        """``(b,)`` groups of items: views of equal group are never each other's negatives."""

    @abstractmethod
    def draw(self, epoch: int, item: int) -> tuple[Page, Page]:
        """Draw the two views of an item: a pure function of the seed, the epoch and the item's own ids."""


class EcgMethod(Method):
    """A method without knowledge of patients: its items are ECGs, and any other ECG is a negative."""

    item = "ECGs"

    def __init__(self, cohort: Cohort, config: PretrainConfig) -> None:
        super().__init__(cohort, config)
        self.rows = np.arange(len(cohort), dtype=np.int64)
        self.n_items = len(cohort)

    def groups(self, items: Ints) -> Ints:
        """Every item is a group of its own."""
        return items
