"""What is done to the samples of every ECG, whatever it was read from."""

from __future__ import annotations

import dataclasses

from heartprint.readers.pulses import without_pulses
from heartprint.readers.source import Recording
from heartprint.signals.lead_names import canonical, lead_called, require_once
from heartprint.signals.leads import LEADS_8


def as_named(recording: Recording) -> Recording:
    """A recording with its leads under their usual names and without the machine's calibration pulse.

    Doing it twice changes nothing.

    Raises:
        HeartprintError: ``duplicate-lead`` if a lead is there twice, be it under two names.
    """
    require_once(recording.lead_names, "The recording")
    signal, cautions = recording.signal, recording.cautions
    if not recording.standardised and signal.ndim == 2 and len(signal) == len(recording.lead_names):
        # Where III, aVR, aVL and aVF were computed from a pulse in I and II, theirs has another height.
        measured = [i for i, name in enumerate(recording.lead_names) if lead_called(name) in LEADS_8]
        signal, told = without_pulses(signal, recording.sampling_rate, measured)
        cautions = (*cautions, *told)
    return dataclasses.replace(recording, signal=signal, lead_names=canonical(recording.lead_names), cautions=cautions)
