"""Biometric contrastive learning: two ECGs of one patient, taken at different times."""

from __future__ import annotations

from heartprint.pretraining.methods.contrastive import Contrastive
from heartprint.pretraining.methods.patients import PairSettings, PatientMethod
from heartprint.pretraining.objectives import ContrastSettings


class BclSettings(ContrastSettings, PairSettings):
    """Settings of ``bcl`` and of the methods made of it."""


class Bcl(PatientMethod, Contrastive):
    """Two ECGs of one patient find each other among those of all others (Sangha et al. 2024); see `PatientMethod`."""

    name = "bcl"
    description = "two ECGs of one patient, different times, layouts and poses"
    Settings = BclSettings
