"""Two disjoint stretches of one ECG: what they share is the patient, and the state the patient is in."""

from __future__ import annotations

from heartprint.pretraining.methods.base import EcgMethod, View
from heartprint.pretraining.methods.contrastive import Contrastive
from heartprint.pretraining.objectives import ContrastSettings
from heartprint.pretraining.settings import HalvesSettings


class SegmentsSettings(ContrastSettings, HalvesSettings):
    """Settings of ``segments``."""


class Segments(EcgMethod, Contrastive):
    """The two halves of one ECG, each in a layout that needs no more than it has (``stretch_layouts``).

    After CLOCS (Kiyasseh et al. 2021), which finds segments of one recording. Two ECGs of a patient share who the
    patient is; two halves of one ECG also share what passes: rhythm, ischaemia, a fever. The halves have no sample in
    common, so noise and the very shape of a single beat do not give them away. Other ECGs of the same patient are
    negatives like any other: what tells them apart is the state.
    """

    name = "segments"
    description = "two disjoint stretches of one ECG, each in a layout that needs no more than it has"
    Settings = SegmentsSettings
    needs_waveforms = True

    def draw(self, epoch: int, item: int) -> tuple[View, ...]:
        """A sheet of each half, in random order."""
        short = self.config.method.layouts
        return tuple(View(self.views.half(item, epoch, view, short), item) for view in (0, 1))
