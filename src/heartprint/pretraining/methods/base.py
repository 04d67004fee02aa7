"""What a pretraining method decides: what an item is, how its views are drawn, and what is learned from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort
from heartprint.pretraining.config import OF_DRAWING, PretrainConfig
from heartprint.pretraining.views import Page, Views
from heartprint.sheets import check_drawing

Ints = npt.NDArray[np.int64]


class View(NamedTuple):
    """A drawn sheet, ``(S, S)`` uint8, and the row of the ECG it shows."""

    page: Page
    row: int


@dataclass(frozen=True)
class Contrast:
    """Views of an item that are to find each other among the views of a batch.

    Attributes:
        head: Name of the projection head in which they are compared. What one head is taught to overlook, another one
            may keep.
        views: Numbers of two or more views.
    """

    head: str
    views: tuple[int, ...]


class Method(ABC):
    """A way to get views that belong together out of a cohort.

    Args:
        cohort: What is learned from.
        config: The run's configuration.

    Attributes:
        name: Name on the command line.
        description: One line for people.
        item: What an item is, in the plural, for messages.
        n_views: Sheets that an item gives, V.
        contrasts: Which of them are to find each other; may be empty.
        measured: Whether the sheets' own measurements are learned too (see `targets`).
        labelled: Whether the labels of simulated patients are learned with them.
        needs_waveforms: Whether images of ECGs do not suffice.
        rows: Rows of the cohort that can be drawn, ascending.
        n_items: Number of items; an epoch visits each at most once.
        views: Draws sheets.

    Raises:
        HeartprintError: ``needs-waveforms`` if a cohort of images is asked for what it cannot give.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    item: str
    n_views: ClassVar[int] = 2
    contrasts: ClassVar[tuple[Contrast, ...]] = (Contrast("views", (0, 1)),)
    measured: ClassVar[bool] = False
    labelled: ClassVar[bool] = False
    needs_waveforms: ClassVar[bool] = False

    rows: Ints
    n_items: int

    def __init__(self, cohort: Cohort, config: PretrainConfig) -> None:
        if self.needs_waveforms:
            cohort.need_waveforms(f"Method {self.name} works on waveforms")
        check_drawing(cohort, config, OF_DRAWING)
        self.cohort = cohort
        self.config = config
        self.views = Views(cohort, config)

    def facts(self) -> dict[str, Any]:
        """What the run's note is to say about the items; plain values."""
        return {}

    @abstractmethod
    def groups(self, items: Ints) -> Ints:
        """``(b,)`` groups of items: views of equal group are never each other's negatives."""

    @abstractmethod
    def draw(self, epoch: int, item: int) -> tuple[View, ...]:
        """Draw the views of an item: a pure function of the seed, the epoch and the item's own ids."""


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
