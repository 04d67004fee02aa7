"""BCL that keeps the state: one projection head for the patient, another for what two stretches of an ECG share."""

from __future__ import annotations

from heartprint.pretraining.methods.base import View
from heartprint.pretraining.methods.bcl import Bcl
from heartprint.pretraining.objectives import Contrast


class BclState(Bcl):
    """`Bcl` and `Segments` at once, each with a projection head of its own.

    An item gives three sheets: the two halves of one ECG, and another ECG of the patient. The halves find each other
    in the head ``state``, the first half and the other ECG in the head ``patient``. Identity need not be kept where
    state is compared, nor state where identity is; the encoder below both heads has to keep the two.

    A patient who has no pair and gives two stretches (``pairs.single``) has no other ECG to show: the second half
    stands in for it, in a layout and a pose of its own.
    """

    name = "bcl_state"
    description = "two ECGs of one patient, and two stretches of one ECG, each with a projection head of its own"
    n_views = 3
    needs_waveforms = True
    contrasts = (Contrast("patient", (0, 2)), Contrast("state", (0, 1)))

    def draw(self, epoch: int, item: int) -> tuple[View, ...]:
        """Two halves of the one ECG, and a sheet of the other (or of the second half again)."""
        one, other = self.pair(epoch, item)
        halves = (self.shown(one, epoch, view, half=True) for view in (0, 1))
        return *halves, self.shown(other, epoch, 2, half=one == other)
