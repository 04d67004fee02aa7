"""What full fine-tuning minimises, and by what its steps are compared: one figure over all heads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from heartprint.finetuning.targets import Floats, Target, require_variation
from heartprint.metrics.auroc import require_both_classes
from heartprint.metrics.calibration import PlattScaling
from heartprint.metrics.regression import NumberCalibration

Rows = npt.NDArray[np.int64]


class HeadsLoss(nn.Module):
    """Mean over heads of cross-entropy (classes) and squared error of standardised numbers, of the labels there are.

    Both classes of a head weigh the same, and a number is in standard deviations of its labels, so that a head that
    knows nothing has a loss of about 1 (0.7 for classes) whatever its unit and its prevalence.

    Args:
        targets: What the heads learn.
        rows: The ECGs that are learned from; balance, unit and coverage are theirs.

    Raises:
        HeartprintError: ``one-class-only`` or ``constant-target``.

    Attributes:
        centre: ``(H,)`` mean of the labels; 0 of classes.
        spread: ``(H,)`` their standard deviation; 1 of classes.
    """

    def __init__(self, targets: Sequence[Target], rows: Rows) -> None:
        super().__init__()
        self.targets = tuple(targets)
        self.centre, self.spread = np.zeros(len(self.targets)), np.ones(len(self.targets))
        self._balance: list[tuple[float, float]] = []
        self._coverage: list[float] = []
        for k, target in enumerate(self.targets):
            known = rows[target.known[rows]]
            n, n_positive = len(known), int(target.positive[known].sum())
            self._coverage.append(n / len(rows))
            if target.is_number:
                require_variation(target, known)
                self.centre[k], self.spread[k] = target.labels[known].mean(), target.labels[known].std()
                self._balance.append((1.0, 1.0))
            else:
                require_both_classes(target.positive[known])
                self._balance.append((n / (2 * (n - n_positive)), n / (2 * n_positive)))
        self._labels = np.stack(
            [(t.labels - c) / s for t, c, s in zip(self.targets, self.centre, self.spread, strict=True)], axis=1
        ).astype(np.float32)

    def labels(self, rows: Rows) -> torch.Tensor:
        """``(b, H)`` labels as the network is to give them; NaN where there is none."""
        return torch.from_numpy(self._labels[rows])

    def forward(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of a batch.

        Args:
            outputs: ``(b, H)`` of the network.
            labels: ``(b, H)`` from `labels`.
        """
        total = outputs.new_zeros(())
        for k, target in enumerate(self.targets):
            known = ~torch.isnan(labels[:, k])
            n_known = int(known.sum())
            if n_known == 0:
                continue
            output, label = outputs[:, k][known], labels[:, k][known]
            if target.is_number:
                mean = nn.functional.mse_loss(output, label)
            else:
                negative, positive = self._balance[k]
                weight = torch.where(label == 1, positive, negative)
                mean = nn.functional.binary_cross_entropy_with_logits(output, label, weight=weight)
            # Over the labels to be expected, not over those of this batch: every label weighs the same over an epoch,
            # however they fall into batches.
            total = total + mean * (n_known / (len(labels) * self._coverage[k]))
        return total / len(self.targets)


def validation_loss(targets: Sequence[Target], rows: Rows, scores: Floats) -> float:
    """How much of the labels of some ECGs is left unexplained: mean over heads, 1 for a head that says nothing.

    Heads of classes are judged by cross-entropy after Platt scaling: unlike the plain loss it does not take a network
    for worse because it is surer of itself, and unlike the AUROC it moves smoothly with few patients. Numbers are
    judged by squared error after their calibration, likewise. A mean of the two needs one scale: each is divided by
    what is left unexplained by the best constant, the entropy of the prevalence and the variance. Otherwise a rare
    class, whose entropy is small, would have no say beside a common one.

    Args:
        targets: What the heads learn.
        rows: ``(v,)`` the ECGs.
        scores: ``(H, v)`` of them; of numbers in their unit.
    """
    parts = []
    for target, of_head in zip(targets, scores, strict=True):
        known = target.known[rows]
        found, labels = of_head[known], target.labels[rows][known]
        parts.append(_number_loss(found, labels) if target.is_number else _class_loss(found, labels))
    return float(np.mean(parts))


def _class_loss(scores: Floats, labels: Floats) -> float:
    p = np.clip(PlattScaling.fit(scores, labels)(scores), 1e-12, 1 - 1e-12)
    share = float(labels.mean())
    entropy = -share * np.log(share) - (1 - share) * np.log1p(-share)
    return -float(np.mean(np.where(labels == 1, np.log(p), np.log1p(-p)))) / float(entropy)


def _number_loss(scores: Floats, labels: Floats) -> float:
    residual = NumberCalibration.fit(scores, labels)(scores) - labels
    return float(residual @ residual) / float(np.sum((labels - labels.mean()) ** 2))
