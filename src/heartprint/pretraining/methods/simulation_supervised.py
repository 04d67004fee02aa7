"""Labels of simulated patients: what a simulator knows and an archive does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heartprint.cohorts import Cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.pretraining.methods.measured import Measured

if TYPE_CHECKING:
    from heartprint.pretraining.config import PretrainConfig


class SimulationSupervised(Measured):
    """`Measured`, and every sheet is also to tell the simulated patient's sex, age, rhythm, LVEF and other labels.

    Not self-supervised: an encoder that learned this has learned the tasks themselves, on simulated patients. It
    stands in a group of its own, with what it knows of each task before it has seen any real label.

    Raises:
        HeartprintError: ``not-simulated`` for a cohort of real patients.
    """

    name = "simulation_supervised"
    description = "one sheet of a simulated ECG; learns its measurements and the simulated patient's labels"
    learns_labels = True

    def __init__(self, cohort: Cohort, config: PretrainConfig) -> None:
        if not cohort.info.simulated:
            raise HeartprintError(
                "not-simulated",
                f"'{cohort.info.name}' holds real patients. Method simulation_supervised learns the labels of "
                "simulated patients only, so that no real label gets into an encoder; use bcl or measured.",
            )
        super().__init__(cohort, config)
