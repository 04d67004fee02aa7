"""Random views of ECGs: each a pure function of seed, epoch, ECG and number of the view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heartprint.cohorts import Cohort
from heartprint.foundation.arrays import Image
from heartprint.foundation.randomness import generator, stable_hash

if TYPE_CHECKING:
    from heartprint.pretraining.config import PretrainConfig


class Views:
    """Draws the sheets that a network is pretrained on.

    Args:
        cohort: The ECGs.
        config: Gives the sampler, and ``seed``.
    """

    def __init__(self, cohort: Cohort, config: PretrainConfig) -> None:
        self.cohort = cohort
        self.images = config.images
        self.seed = config.seed
        self._ecg_ids = cohort.ecg_ids

    def rng(self, purpose: str, row: int, epoch: int, view: int) -> np.random.Generator:
        """The random stream of one ECG, epoch and view; it follows the ecg_id, wherever the ECG stands."""
        return generator(self.seed, purpose, epoch, stable_hash(str(self._ecg_ids[row])), view)

    def sheet(self, row: int, epoch: int, view: int, *, layout: str | None = None) -> Image:
        """Draw an ECG in a random layout and pose; an image in a random pose.

        Args:
            row: Row of the ECG.
            epoch: Number of the pass.
            view: Number of the view.
            layout: The layout, if it is already decided.

        Returns:
            ``(S, S)`` uint8, white = 255.
        """
        return self.images.random(self.cohort, row, self.rng("view", row, epoch, view), layout=layout)

    def half(self, row: int, epoch: int, view: int, layouts: tuple[str, ...]) -> Image:
        """Draw one half of an ECG in a random layout that it suffices for, and a random pose.

        Args:
            row: Row of the ECG.
            epoch: Number of the pass; it decides by chance which half is view 0.
            view: Number of the view: 0 is the one half, any other number the other half.
            layouts: Layouts that half an ECG suffices for.

        Returns:
            ``(S, S)`` uint8, white = 255.
        """
        later = bool(self.rng("which half", row, epoch, 0).integers(2)) != bool(view)
        rng = self.rng("half", row, epoch, view)
        return self.images.part(self.cohort, row, (int(later), 2), rng, layouts=layouts)
