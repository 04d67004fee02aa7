"""BCL whose encoder also reads what a sheet shows: the ECG's own measurements are learned beside the patient."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from heartprint.pretraining.methods.bcl import Bcl, BclSettings
from heartprint.pretraining.objectives import ContrastiveObjective, Objective, RegressionObjective, Start, WeightedSum


class BclMeasuredSettings(BclSettings):
    """Settings of ``bcl_measured``.

    Attributes:
        contrast_weight: Of NT-Xent in the loss.
        target_weight: Of the error of the measurements in the loss.
    """

    contrast_weight: Annotated[float, Field(ge=0)] = 1.0
    target_weight: Annotated[float, Field(ge=0)] = 1.0


class BclMeasured(Bcl):
    """`Bcl`, and every sheet is to tell the measurements of the waveform that it was drawn from (see `targets`).

    The measurements hold the state that identity lets pass (rate, rhythm, intervals, shapes), and they come from the
    waveform alone: any unlabelled archive has them.
    """

    name = "bcl_measured"
    description = "two ECGs of one patient; also learns to read each waveform's own measurements off its sheet"
    Settings = BclMeasuredSettings
    learns_measurements = True
    needs_waveforms = True

    @classmethod
    def objective(cls, settings: BclMeasuredSettings, start: Start) -> Objective:
        """NT-Xent and the error of the measurements, each with its weight."""
        return WeightedSum(
            {
                "contrastive": ContrastiveObjective(start, cls.contrasts, settings),
                "measurement": RegressionObjective(start),
            },
            {"contrastive": settings.contrast_weight, "measurement": settings.target_weight},
        )
