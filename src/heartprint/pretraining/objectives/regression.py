"""Reading off a sheet what its own waveform measures."""

from __future__ import annotations

import torch

from heartprint.pretraining.objectives.base import Embedded, Losses, Objective, Start
from heartprint.pretraining.readout import Readout


class RegressionObjective(Objective):
    """The error with which one linear layer reads the targets off the embedding (see `Readout`).

    Args:
        start: What it is built from; it needs ``targets``.
    """

    measures = ("measurement_error",)

    def __init__(self, start: Start) -> None:
        super().__init__()
        if start.targets is None:
            raise ValueError("there is nothing to read without targets")
        with start.weights_of("readout"):
            self.readout = Readout(start.width, start.targets.names, start.targets.parts)
        # No buffer: they are the run's, not the network's, and no checkpoint holds them.
        self.targets = torch.from_numpy(start.targets.values)

    def forward(self, batch: Embedded) -> Losses:
        """The loss, and the mean squared error of all numbers, about 1 for who guesses the mean."""
        if self.targets.device != batch.views.device:
            self.targets = self.targets.to(batch.views.device)
        loss, error = self.readout.error(batch.views.flatten(0, 1), self.targets[batch.rows.flatten()])
        return Losses(loss, {"measurement_error": error})
