"""SimCLR: two augmentations of one image, without knowledge of ECGs or patients."""

from __future__ import annotations

from heartprint.pretraining.augment import augment
from heartprint.pretraining.methods.base import EcgMethod, View


class SimClr(EcgMethod):
    """Two general-purpose augmentations of one ECG's sheet (Chen et al. 2020); see `AugmentConfig`.

    The sheet is drawn once per epoch, with layout and pose from the distribution that ``bcl`` draws from.
    """

    name = "simclr"
    description = "two random crops, intensities and blurs of one ECG's sheet"

    def draw(self, epoch: int, item: int) -> tuple[View, ...]:
        """Two augmentations of one sheet."""
        sheet = self.views.sheet(item, epoch, 0)
        one, other = (
            augment(sheet, self.views.rng("augmentation", item, epoch, view), self.config.augment) for view in (0, 1)
        )
        return View(one, item), View(other, item)
