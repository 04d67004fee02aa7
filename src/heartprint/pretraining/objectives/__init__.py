"""What methods minimise: one file for each kind of objective."""

from heartprint.pretraining.objectives.base import Embedded, Losses, Objective, Start, WeightedSum
from heartprint.pretraining.objectives.contrastive import (
    Contrast,
    ContrastiveObjective,
    ContrastSettings,
    HeadSettings,
    ProjectionHead,
    similarity_bytes,
)
from heartprint.pretraining.objectives.regression import RegressionObjective

__all__ = [
    "Contrast",
    "ContrastSettings",
    "ContrastiveObjective",
    "Embedded",
    "HeadSettings",
    "Losses",
    "Objective",
    "ProjectionHead",
    "RegressionObjective",
    "Start",
    "WeightedSum",
    "similarity_bytes",
]
