"""Biometric contrastive learning: two ECGs of one patient, taken at different times."""

from __future__ import annotations

import numpy as np

from heartprint.cohorts import Cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator, stable_hash
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.methods.base import Ints, Method, View


class Bcl(Method):
    """Two ECGs of one patient at different times, each in a layout and a pose of its own (Sangha et al. 2024).

    Items are the patients with two or more ECGs. In every epoch each gives two of its ECGs, drawn at random; another
    ecg_id is another time. No other ECG of the patient is ever a negative.

    Raises:
        HeartprintError: ``no-pairs`` if no patient has two ECGs.
    """

    name = "bcl"
    description = "two ECGs of one patient, different times, layouts and poses"
    item = "patients with two or more ECGs"

    def __init__(self, cohort: Cohort, config: PretrainConfig) -> None:
        super().__init__(cohort, config)
        codes = cohort.patient_codes
        order = np.argsort(codes, kind="stable")
        counts = np.bincount(codes)
        starts = np.cumsum(counts) - counts
        chosen = counts >= 2
        if not chosen.any():
            raise HeartprintError(
                "no-pairs",
                f"None of the {len(counts):,} patients of '{cohort.info.name}' has two ECGs (in the period asked for), "
                "so there are no pairs. Use --method layouts or simclr, which need one ECG per patient, or add ECGs.",
            )
        # Patients in the order of their ids, and each patient's ECGs in the order of theirs, so that shuffling the
        # cohort's rows changes no pair.
        self._patients = np.flatnonzero(chosen)
        self._starts, self._counts = starts[chosen], counts[chosen]
        ids = cohort.ecg_ids
        self._order = order[np.lexsort((ids[order], codes[order]))]
        self._first = cohort.patient_ids[self._order[self._starts]]
        self.rows = np.flatnonzero(chosen[codes])
        self.n_items = len(self._patients)

    def groups(self, items: Ints) -> Ints:
        """The patient is the group."""
        return self._patients[items]

    def pair(self, epoch: int, item: int) -> tuple[int, int]:
        """Rows of the two different ECGs that a patient gives in an epoch; each ordered pair is as likely."""
        rng = generator(self.config.seed, "pair", epoch, stable_hash(str(self._first[item])))
        n, start = int(self._counts[item]), int(self._starts[item])
        one, other = int(rng.integers(n)), int(rng.integers(n - 1))
        other += other >= one
        return int(self._order[start + one]), int(self._order[start + other])

    def draw(self, epoch: int, item: int) -> tuple[View, ...]:
        """One sheet of each of the two ECGs."""
        one, other = self.pair(epoch, item)
        return View(self.views.sheet(one, epoch, 0), one), View(self.views.sheet(other, epoch, 1), other)
