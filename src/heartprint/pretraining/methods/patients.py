"""Methods whose items are patients: two ECGs of one patient, taken at different times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heartprint.cohorts import Cohort, PairPolicy, Pairs
from heartprint.foundation.randomness import generator
from heartprint.pretraining.methods.base import Ints, Method, View
from heartprint.pretraining.settings import HalvesSettings

if TYPE_CHECKING:
    from heartprint.pretraining.config import PretrainConfig


class PairSettings(HalvesSettings):
    """Settings of methods that learn from pairs of ECGs of a patient.

    Attributes:
        pairs: Which two ECGs of a patient make a pair.
    """

    pairs: PairPolicy = PairPolicy()


class PatientMethod(Method):
    """Two ECGs of one patient at different times, each in a layout and a pose of its own (Sangha et al. 2024).

    Items are the patients with two or more ECGs that the pair policy (``method.pairs``) allows to meet. In every epoch
    each gives two of its ECGs, drawn at random; another ecg_id is another time. No other ECG of the patient is ever a
    negative, whatever the policy says of it.

    Where the policy says so (``pairs.single``), patients without such a pair are items too, and give the two halves of
    one ECG, drawn at random in every epoch.

    Raises:
        HeartprintError: ``no-pairs`` if no patient has two ECGs, or none that the policy allows.
    """

    item = "patients with two or more ECGs"
    Settings = PairSettings

    def __init__(self, cohort: Cohort, config: PretrainConfig) -> None:
        super().__init__(cohort, config)
        settings = config.method
        assert isinstance(settings, PairSettings)
        self.policy, self._short = settings.pairs, settings.stretch_layouts
        if self.policy.single == "stretches":
            cohort.need_waveforms("'method.pairs.single=stretches' draws halves of waveforms")
        self.pairs = Pairs(cohort, self.policy)
        self.pairs.require_any(cohort.info.name)
        if self.policy.single == "stretches":
            self.item = "patients"
        elif self.policy.rules:
            self.item = "patients with a pair that the policy allows"
        self.rows = self.pairs.rows
        self.n_items = len(self.pairs)

    def facts(self) -> dict[str, Any]:
        """What each rule of the pair policy leaves."""
        return {"pair_flow": [row.to_json() for row in self.pairs.flow]}

    def groups(self, items: Ints) -> Ints:
        """The patient is the group."""
        return self.pairs.patients[items]

    def pair(self, epoch: int, item: int) -> tuple[int, int]:
        """Rows of the two ECGs that a patient gives in an epoch; each allowed ordered pair is as likely.

        They are the same ECG if the patient has no pair and gives two stretches.
        """
        return self.pairs.draw(item, generator(self.config.seed, "pair", epoch, int(self.pairs.keys[item])))

    def draw(self, epoch: int, item: int) -> tuple[View, ...]:
        """One sheet of each of the two ECGs, or of each half of the one."""
        one, other = self.pair(epoch, item)
        return self.shown(one, epoch, 0, half=one == other), self.shown(other, epoch, 1, half=one == other)

    def shown(self, row: int, epoch: int, view: int, *, half: bool) -> View:
        """A sheet of an ECG, or of the half of it that this view shows (see `Views.half`)."""
        image = self.views.half(row, epoch, view, self._short) if half else self.views.sheet(row, epoch, view)
        return View(image, row)
