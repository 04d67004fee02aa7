"""Random views of ECGs: each a pure function of seed, epoch, ECG and number of the view."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort
from heartprint.foundation.randomness import generator, stable_hash
from heartprint.pretraining.config import PretrainConfig
from heartprint.sheets import draw_pose, render

Page = npt.NDArray[np.uint8]


class Views:
    """Draws the sheets that a network is pretrained on.

    Args:
        cohort: The ECGs.
        config: ``image_size``, ``layouts``, ``max_rotation_deg``, ``baseline``, ``seed``.
    """

    def __init__(self, cohort: Cohort, config: PretrainConfig) -> None:
        self.cohort = cohort
        self.config = config
        self._ecg_ids = cohort.ecg_ids

    def rng(self, purpose: str, row: int, epoch: int, view: int) -> np.random.Generator:
        """The random stream of one ECG, epoch and view; it follows the ecg_id, wherever the ECG stands."""
        return generator(self.config.seed, purpose, epoch, stable_hash(str(self._ecg_ids[row])), view)

    def sheet(self, row: int, epoch: int, view: int, *, layout: str | None = None) -> Page:
        """Draw an ECG in a random layout and pose.

        Args:
            row: Row of the ECG.
            epoch: Number of the pass.
            view: Number of the view.
            layout: The layout, if it is already decided.

        Returns:
            ``(S, S)`` uint8, white = 255.
        """
        config = self.config
        rng = self.rng("view", row, epoch, view)
        drawn = config.layouts[int(rng.integers(len(config.layouts)))]
        pose = draw_pose(rng, config.max_rotation_deg) if config.max_rotation_deg else None
        return render(
            self.cohort.signal(row),
            self.cohort.sampling_rate(row),
            layout or drawn,
            config.image_size,
            pose=pose,
            baseline=config.baseline,
        )
