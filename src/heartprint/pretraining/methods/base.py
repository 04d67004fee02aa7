"""What a pretraining method decides: what an item is, how its views are drawn, and what is minimised.

A new method is one file: a class that derives from `Method` (or from one that is near it), with settings of its own if
it needs any, and an objective from `heartprint.pretraining.objectives` or of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort
from heartprint.foundation.arrays import Image
from heartprint.pretraining.objectives import Contrast, Objective, Start
from heartprint.pretraining.settings import MethodSettings
from heartprint.pretraining.views import Views
from heartprint.sheets import check_drawing

if TYPE_CHECKING:
    from heartprint.pretraining.config import PretrainConfig

Ints = npt.NDArray[np.int64]


class View(NamedTuple):
    """A drawn sheet, ``(S, S)`` uint8, and the row of the ECG it shows."""

    image: Image
    row: int


class Method(ABC):
    """A way to get views that belong together out of a cohort, and to learn from them.

    Args:
        cohort: What is learned from.
        config: The run's configuration; ``config.method`` are the method's own settings.

    Attributes:
        name: Name on the command line.
        description: One line for people.
        Settings: What ``config.method`` may say.
        item: What an item is, in the plural, for messages.
        n_views: Sheets that an item gives, V.
        contrasts: Which of them are to find each other; none where nothing is contrasted.
        learns_measurements: Whether the objective needs the sheets' own measurements (`Start.targets`).
        learns_labels: Whether these targets hold the labels of simulated patients too.
        needs_waveforms: Whether images of ECGs do not suffice.
        rows: Rows of the cohort that can be drawn, ascending.
        n_items: Number of items; an epoch visits each at most once.
        views: Draws sheets.

    Raises:
        HeartprintError: ``needs-waveforms`` if a cohort of images is asked for what it cannot give.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    Settings: ClassVar[type[MethodSettings]] = MethodSettings
    item: str
    n_views: ClassVar[int] = 2
    contrasts: ClassVar[tuple[Contrast, ...]] = ()
    learns_measurements: ClassVar[bool] = False
    learns_labels: ClassVar[bool] = False
    needs_waveforms: ClassVar[bool] = False

    rows: Ints
    n_items: int

    def __init__(self, cohort: Cohort, config: PretrainConfig) -> None:
        if self.needs_waveforms:
            cohort.need_waveforms(f"Method {self.name} works on waveforms")
        check_drawing(cohort, config)
        self.cohort = cohort
        self.config = config
        self.views = Views(cohort, config)

    @classmethod
    def settings(cls, **values: Any) -> MethodSettings:
        """Settings of this method, the defaults where nothing else is said."""
        return cls.Settings(name=cls.name, **values)

    def facts(self) -> dict[str, Any]:
        """What the run's note is to say about the items; plain values."""
        return {}

    @abstractmethod
    def groups(self, items: Ints) -> Ints:
        """``(b,)`` groups of items: views of equal group are never each other's negatives."""

    @abstractmethod
    def draw(self, epoch: int, item: int) -> tuple[View, ...]:
        """Draw the views of an item: a pure function of the seed, the epoch and the item's own ids."""

    @classmethod
    @abstractmethod
    def objective(cls, settings: Any, start: Start) -> Objective:
        """Build what is minimised, with fresh weights.

        Args:
            settings: An instance of ``Settings``.
            start: Width of the embeddings, seed, and targets where the method learns measurements.
        """

    @classmethod
    def objective_bytes(cls, settings: Any, batch_size: int) -> int:
        """Memory that the objective needs beside the activations of the encoder, for estimates."""
        return 0


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
