"""BCL with several positives: two pairs of ECGs of one patient, all of which find each other."""

from __future__ import annotations

from heartprint.foundation.randomness import generator
from heartprint.pretraining.methods.base import View
from heartprint.pretraining.methods.bcl import Bcl
from heartprint.pretraining.objectives import Contrast


class BclSeveral(Bcl):
    """`Bcl` with four sheets of each patient, every one a positive of the three others (Khosla et al. 2020).

    The sheets are those of two pairs, each drawn as `Bcl` draws it: a patient with many ECGs shows up to four at once,
    one with two shows both of them twice, in other layouts and poses. Under a pair policy with rules it is one pair
    twice, because two ECGs that the policy keeps apart must not meet here either. Of a patient who gives stretches
    (``pairs.single``) the first half is shown once and the second thrice.
    """

    name = "bcl_several"
    description = "two pairs of ECGs of one patient, all four sheets find each other"
    n_views = 4
    contrasts = (Contrast("views", (0, 1, 2, 3)),)

    def draw(self, epoch: int, item: int) -> tuple[View, ...]:
        """Two sheets of each of two pairs."""
        one, other = first_pair = self.pair(epoch, item)
        second_pair = first_pair
        if one != other and not self.policy.rules:
            again = generator(self.config.seed, "second pair", epoch, int(self.pairs.keys[item]))
            second_pair = self.pairs.draw(item, again)
        rows = (*first_pair, *second_pair)
        return tuple(self.shown(row, epoch, view, half=one == other) for view, row in enumerate(rows))
