"""Random views of ECGs: each a pure function of seed, epoch, ECG and number of the view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort
from heartprint.foundation.randomness import generator, stable_hash
from heartprint.sheets import draw_sheet, random_sheet_of

if TYPE_CHECKING:
    from heartprint.pretraining.config import PretrainConfig

Page = npt.NDArray[np.uint8]
OF_DRAWING = ("layouts", "styles", "baseline")
"""Settings of a run that say how waveforms are drawn, and nothing about images."""


class Views:
    """Draws the sheets that a network is pretrained on.

    Args:
        cohort: The ECGs.
        config: ``image_size``, ``layouts``, ``styles``, ``recipes``, ``max_rotation_deg``, ``baseline``, ``seed``.
    """

    def __init__(self, cohort: Cohort, config: PretrainConfig) -> None:
        self.cohort = cohort
        self.config = config
        self._ecg_ids = cohort.ecg_ids
        self._look: dict[str, Any] = {
            "styles": config.styles,
            "recipes": config.recipes,
            "max_rotation_deg": config.max_rotation_deg,
            "baseline": config.baseline,
        }

    def rng(self, purpose: str, row: int, epoch: int, view: int) -> np.random.Generator:
        """The random stream of one ECG, epoch and view; it follows the ecg_id, wherever the ECG stands."""
        return generator(self.config.seed, purpose, epoch, stable_hash(str(self._ecg_ids[row])), view)

    def sheet(self, row: int, epoch: int, view: int, *, layout: str | None = None) -> Page:
        """Draw an ECG in a random layout and pose; an image in a random pose.

        Args:
            row: Row of the ECG.
            epoch: Number of the pass.
            view: Number of the view.
            layout: The layout, if it is already decided.

        Returns:
            ``(S, S)`` uint8, white = 255.
        """
        config, rng = self.config, self.rng("view", row, epoch, view)
        return random_sheet_of(
            self.cohort, row, config.image_size, rng, layouts=config.layouts, layout=layout, **self._look
        )

    def half(self, row: int, epoch: int, view: int, layouts: tuple[str, ...]) -> Page:
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
        signal = self.cohort.signal(row)
        middle = signal.shape[1] // 2
        part = signal[:, middle:] if later else signal[:, :middle]
        config, rng = self.config, self.rng("half", row, epoch, view)
        rate = self.cohort.sampling_rate(row)
        return draw_sheet(part, rate, config.image_size, rng, layouts=layouts, **self._look)
