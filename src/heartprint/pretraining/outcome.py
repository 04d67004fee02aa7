"""Whether a contrast was learned: how often views found their partner, beside how often chance finds it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from heartprint.pretraining.objectives import Contrast
from heartprint.pretraining.run_folder import LogRow

FOUND = "contrastive_accuracy"
"""Column of the log: the share of the views that found their partner."""

_LAST_SHARE = 0.1
_LEAST_STEPS = 10
_TIMES_CHANCE = 3.0


def chance_of_partner(contrasts: Sequence[Contrast], batch_size: int) -> float:
    """How often a view finds a partner by chance, mean over the contrasts; NaN without any.

    Of V views of B items each chooses among V B - 1 others, V - 1 of which are its partners: 1 / (2 B - 1) for pairs.
    Items of one patient in a batch are no candidates for each other, which makes it a little more.
    """
    shares = [(len(c.views) - 1) / (len(c.views) * batch_size - 1) for c in contrasts]
    return float(np.mean(shares)) if shares else math.nan


class Outcome(NamedTuple):
    """How the last steps of a run went.

    Attributes:
        found: Share of the views that found their partner, mean over the last steps.
        chance: The same by chance, see `chance_of_partner`.
        steps: Number of these steps.
    """

    found: float
    chance: float
    steps: int

    @property
    def learned(self) -> bool:
        """Whether it is well above chance: three times it, or half of the way to all where chance is high."""
        return self.found >= min(_TIMES_CHANCE * self.chance, (1 + self.chance) / 2)

    def text(self) -> str:
        """The share beside chance, in words."""
        return f"partner found {percent(self.found)} in the last {self.steps:,} steps; chance is {percent(self.chance)}"

    def warning(self) -> str:
        """What to do about an encoder that has not learned."""
        return (
            f"This encoder has NOT LEARNED what it was asked: {self.text()}. Do not use it: train for more steps, see "
            "by 'heartprint contact' what it reads, or change learning_rate or temperature."
        )


def outcome_of(rows: Sequence[LogRow], contrasts: Sequence[Contrast], batch_size: int) -> Outcome | None:
    """The outcome of a run so far: of its last tenth, ten steps at least. None without a contrast or a step."""
    last = rows[-max(_LEAST_STEPS, round(_LAST_SHARE * len(rows))) :]
    found = [row.measures[FOUND] for row in last if FOUND in row.measures]
    if not contrasts or not found:
        return None
    return Outcome(float(np.mean(found)), chance_of_partner(contrasts, batch_size), len(found))


def percent(share: float) -> str:
    """A share in per cent, with as many digits as a small one needs."""
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}" if share >= 0.01 else f"{100 * share:.2g}%"
