"""BCL whose encoder also reads what a sheet shows: the ECG's own measurements are learned beside the patient."""

from __future__ import annotations

from heartprint.pretraining.methods.bcl import Bcl


class BclMeasured(Bcl):
    """`Bcl`, and every sheet is to tell the measurements of the waveform that it was drawn from (see `targets`).

    The measurements hold the state that identity lets pass (rate, rhythm, intervals, shapes), and they come from the
    waveform alone: any unlabelled archive has them.
    """

    name = "bcl_measured"
    description = "two ECGs of one patient; also learns to read each waveform's own measurements off its sheet"
    measured = True
    needs_waveforms = True
