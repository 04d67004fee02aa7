"""Reading a sheet: the measurements of the waveform that it was drawn from, without any contrast."""

from __future__ import annotations

from heartprint.pretraining.methods.base import EcgMethod, View
from heartprint.pretraining.objectives import Objective, RegressionObjective, Start
from heartprint.pretraining.settings import MethodSettings


class Measured(EcgMethod):
    """Every sheet is to tell the measurements of the waveform that it was drawn from (see `targets`); no contrast.

    An item gives one sheet, so a batch holds as many different ECGs as it has sheets.
    """

    name = "measured"
    description = "one sheet of an ECG; learns to read the waveform's own measurements off it"
    n_views = 1
    learns_measurements = True
    needs_waveforms = True

    @classmethod
    def objective(cls, settings: MethodSettings, start: Start) -> Objective:
        """The error of the measurements."""
        return RegressionObjective(start)

    def draw(self, epoch: int, item: int) -> tuple[View, ...]:
        """One sheet of the ECG."""
        return (View(self.views.sheet(item, epoch, 0), item),)
