"""SimCLR: two augmentations of one image, without knowledge of ECGs or patients."""

from __future__ import annotations

from heartprint.pretraining.augment import AugmentConfig, augment
from heartprint.pretraining.methods.base import EcgMethod, View
from heartprint.pretraining.methods.contrastive import Contrastive
from heartprint.pretraining.objectives import ContrastSettings


class SimClrSettings(ContrastSettings):
    """Settings of ``simclr``.

    Attributes:
        augment: How a sheet is cropped, lit and blurred.
    """

    augment: AugmentConfig = AugmentConfig()


class SimClr(EcgMethod, Contrastive):
    """Two general-purpose augmentations of one ECG's sheet (Chen et al. 2020); see `AugmentConfig`.

    The sheet is drawn once per epoch, with layout and pose from the distribution that ``bcl`` draws from.
    """

    name = "simclr"
    Settings = SimClrSettings
    description = "two random crops, intensities and blurs of one ECG's sheet"

    def draw(self, epoch: int, item: int) -> tuple[View, ...]:
        """Two augmentations of one sheet."""
        settings = self.config.method
        assert isinstance(settings, SimClrSettings)
        sheet = self.views.sheet(item, epoch, 0)
        one, other = (
            augment(sheet, self.views.rng("augmentation", item, epoch, view), settings.augment) for view in (0, 1)
        )
        return View(one, item), View(other, item)
