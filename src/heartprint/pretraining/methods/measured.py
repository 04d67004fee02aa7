"""Reading a sheet: the measurements of the waveform that it was drawn from, without any contrast."""

from __future__ import annotations

from heartprint.pretraining.methods.layouts import Layouts


class Measured(Layouts):
    """Every sheet is to tell the measurements of the waveform that it was drawn from (see `targets`); no contrast."""

    name = "measured"
    description = "one ECG in two layouts and poses; learns to read the waveform's own measurements off the sheet"
    contrasts = ()
    measured = True
