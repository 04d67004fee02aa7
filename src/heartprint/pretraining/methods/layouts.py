"""One ECG in two layouts: what can be learned where a patient has a single ECG."""

from __future__ import annotations

from heartprint.pretraining.methods.base import EcgMethod, View
from heartprint.pretraining.methods.contrastive import Contrastive


class Layouts(EcgMethod, Contrastive):
    """One ECG drawn in two different layouts (the same if there is one only), each in a pose of its own."""

    name = "layouts"
    description = "one ECG in two layouts and poses"
    needs_waveforms = True

    def draw(self, epoch: int, item: int) -> tuple[View, ...]:
        """Two sheets of one ECG."""
        names = self.config.layouts
        rng = self.views.rng("two layouts", item, epoch, 0)
        first, shift = int(rng.integers(len(names))), int(rng.integers(1, max(2, len(names))))
        second = (first + shift) % len(names)
        return (
            View(self.views.sheet(item, epoch, 0, layout=names[first]), item),
            View(self.views.sheet(item, epoch, 1, layout=names[second]), item),
        )
