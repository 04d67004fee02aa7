"""Full fine-tuning: first the heads on the frozen encoder, then all weights."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from heartprint.cohorts import AnyTask, Cohort
from heartprint.cohorts.tasks import TASKS
from heartprint.encoders import LoadedEncoder, LoadedModel, Seen, embed_cohort, embed_images
from heartprint.finetuning.assemble import Rule, assemble
from heartprint.finetuning.config import FinetuneConfig
from heartprint.finetuning.loss import HeadsLoss, validation_loss
from heartprint.finetuning.network import Network, alike, settle
from heartprint.finetuning.parts import Rows, batches, cross_fit_parts_of_heads, validation_part_of_heads
from heartprint.finetuning.targets import Target, strata, targets_of
from heartprint.finetuning.views import drawn_ahead
from heartprint.foundation.arrays import Float64Array, Images
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.progress import Progress
from heartprint.metrics.calibration import PlattScaling
from heartprint.metrics.probe import LinearProbe, fit_probe, fit_regression
from heartprint.training.optim import param_groups, warmup_cosine
from heartprint.training.out_of_memory import memory_explained

_TOO_FEW = ("too-few-patients", "one-class-only", "constant-target")
_ANY_CLASSES = TASKS["af"]
"""To rank, it does not matter what classes are called."""


def train_full(
    loaded: LoadedEncoder,
    cohort: Cohort,
    labels: npt.NDArray[np.floating] | Sequence[npt.NDArray[np.floating]],
    *,
    task: AnyTask | Sequence[AnyTask],
    config: FinetuneConfig | None = None,
    progress: bool = True,
) -> LoadedModel:
    """Train all weights of an encoder and a linear head for each task.

    The heads start as linear probes of the frozen encoder, fitted on several views of each ECG (Kumar et al. 2022:
    a head that starts anywhere else first distorts what the encoder knows); then all weights learn with AdamW and
    `HeadsLoss`, each view in a layout and pose of its own. Validation patients
    from inside the budget choose the step that is kept (the untouched start is one candidate), the calibration and
    the threshold. A budget too small for them is trained to the end on all its labels and calibrated on the
    scores of models that were trained the same way without the patients they score.

    Args:
        loaded: The encoder, on the device it is to use; not changed.
        cohort: The ECGs of the label budget and no others.
        labels: ``(n,)`` 0 or 1, or numbers, in the cohort's order; of several tasks ``(H, n)``, NaN where an ECG has
            no label of a task.
        task: The task that the labels answer, or several.
        config: Settings.
        progress: Whether to show progress.

    Returns:
        The model in memory, with an encoder of its own.

    Raises:
        HeartprintError: ``one-class-only``, ``constant-target``, ``too-few-patients``, ``not-finite``,
            ``out-of-memory``.
    """
    targets = targets_of(labels, task)
    trainer = _Trainer(loaded, cohort, targets, config or FinetuneConfig(), progress)
    config = trainer.config
    with memory_explained(config.batch_size):
        fitted, validation = trainer.train_whole()
        if validation is not None:
            scores, calibrated_on = fitted.validation_scores, "validation patients"
        else:
            validation, (scores, calibrated_on) = np.arange(len(cohort)), trainer.cross_fitted(fitted)
    learned = {"labels_learned": loaded.config.labels_learned + sum(int(t.known.sum()) for t in targets)}
    rules = [
        Rule(target, weights, float(bias), target.labels[validation], of_head)
        for target, weights, bias, of_head in zip(targets, fitted.weights, fitted.bias, scores, strict=True)
    ]
    return assemble(
        dataclasses.replace(fitted.encoder, config=fitted.encoder.config.model_copy(update=learned)),
        rules,
        config=config,
        cohort=cohort,
        notes={"calibrated_on": calibrated_on, "steps": fitted.steps, "steps_kept": fitted.steps_kept},
        seen=loaded.seen | Seen.of(cohort),
    )


def train_to_rank(
    loaded: LoadedEncoder,
    cohort: Cohort,
    labels: npt.NDArray[np.floating],
    *,
    config: FinetuneConfig | None = None,
    progress: bool = True,
) -> tuple[LoadedEncoder, Float64Array, float]:
    """Train as `train_full` does, without the trainings that only calibration needs: for AUROC, which asks for ranks.

    Args:
        loaded: As in `train_full`.
        cohort: As in `train_full`.
        labels: As in `train_full`.
        config: As in `train_full`.
        progress: As in `train_full`.

    Returns:
        The encoder, ``(d,)`` weights and the bias of the linear rule on its embeddings.

    Raises:
        HeartprintError: As in `train_full`.
    """
    trainer = _Trainer(loaded, cohort, targets_of(labels, _ANY_CLASSES), config or FinetuneConfig(), progress)
    with memory_explained(trainer.config.batch_size):
        fitted, _ = trainer.train_whole()
    return fitted.encoder, fitted.weights[0], float(fitted.bias[0])


@dataclasses.dataclass(frozen=True, eq=False)
class _Fitted:
    """A trained network: encoder and linear rules, which give logits or numbers in their unit.

    Attributes:
        weights: ``(H, D)`` of the rules for embeddings as they are.
        bias: ``(H,)`` their offsets.
        head_scores: ``(H, n)`` out-of-fold scores of the frozen stage for the ECGs trained on.
        validation_scores: ``(H, v)`` scores of the validation ECGs; none without them.
        steps: Optimiser steps taken.
        steps_kept: The step whose weights these are.
    """

    encoder: LoadedEncoder
    weights: Float64Array
    bias: Float64Array
    head_scores: Float64Array
    validation_scores: Float64Array
    steps: int
    steps_kept: int


class _Trainer:
    """Trains on parts of the label budgets of a model."""

    def __init__(
        self,
        loaded: LoadedEncoder,
        cohort: Cohort,
        targets: Sequence[Target],
        config: FinetuneConfig,
        progress: bool,
    ) -> None:
        self.loaded = loaded
        self.cohort = cohort
        self.targets = targets
        self.strata = strata(targets)
        self.config = config.model_copy(update={"mode": "full"})
        self.progress = progress
        self.device = next(loaded.encoder.parameters()).device

    def train_whole(self) -> tuple[_Fitted, Rows | None]:
        """Train on the budget: what came of it, and its ECGs that chose the step (None: too few to spare any)."""
        held_out = validation_part_of_heads(self.cohort.patient_codes, self.targets, self.config)
        if held_out is None:
            return self.train(np.arange(len(self.cohort)), None), None
        validation = np.flatnonzero(held_out)
        return self.train(np.flatnonzero(~held_out), validation), validation

    def train(self, rows: Rows, validation: Rows | None, *, part: int = 0) -> _Fitted:
        """Train on some rows and choose the step by others.

        Args:
            rows: ECGs to learn from.
            validation: ECGs that choose; without them the last step is kept.
            part: Number of the training within the run, for the random views.
        """
        config = self.config
        # A copy, so that one encoder can serve many budgets and folds.
        own = dataclasses.replace(self.loaded, encoder=copy.deepcopy(self.loaded.encoder), distance=None)
        loss = HeadsLoss(self.targets, rows)
        model, head_scores = self._frozen_stage(own, rows, loss)
        n_epochs = max(config.epochs, math.ceil(config.min_steps / math.ceil(len(rows) / config.batch_size)))
        plan = [b for e in range(n_epochs) for b in batches(self.strata, rows, e, config)]
        total = len(plan)
        parts = ((model.encoder, config.learning_rate), (model.head, config.head_learning_rate))
        optimiser = torch.optim.AdamW(
            [g for part, lr in parts for g in param_groups(part.parameters(), config.weight_decay, lr=lr)]
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: warmup_cosine(step, total, config.warmup_share)
        )
        checks = {round(total * (k + 1) / config.checks) for k in range(config.checks)}
        best = _Best(model)
        if validation is not None:
            self._offer(best, 0, own, model, loss, validation)
        what = f"Fine-tuning without part {part}" if part else "Fine-tuning"
        with Progress(what, total) if self.progress else contextlib.nullcontext() as shown:
            drawn = drawn_ahead(config.images(own.config), self.cohort, plan, config, part=part)
            for step, ((_, chosen), images) in enumerate(zip(plan, drawn, strict=True), start=1):
                now = self._step(model, optimiser, images, chosen, loss)
                schedule.step()
                if validation is not None and step in checks:
                    self._offer(best, step, own, model, loss, validation)
                if shown is not None:
                    shown.advance(note=f"loss {now:.3f}")
        kept = best.restore(model) if validation is not None else total
        model.eval()
        weights, bias = _in_units(model, loss)
        return _Fitted(
            encoder=own,
            weights=weights,
            bias=bias,
            head_scores=head_scores,
            validation_scores=best.scores,
            steps=total,
            steps_kept=kept,
        )

    def cross_fitted(self, fitted: _Fitted) -> tuple[Float64Array, str]:
        """``(H, n)`` scores of each ECG by a model trained without its patient, and what to call them."""
        scores = np.empty((len(self.targets), len(self.cohort)))
        try:
            for part, (rows, left_out) in enumerate(
                cross_fit_parts_of_heads(self.cohort.patient_codes, self.targets, self.config), start=1
            ):
                other = self.train(rows, None, part=part)
                scores[:, left_out] = _scored(self._embedded(other.encoder, left_out), other.weights, other.bias)
        except HeartprintError as error:
            if error.code not in _TOO_FEW:
                raise
            # Two patients of a class cannot be parted and still be learned from; the frozen stage was fitted out of
            # fold in closed form and is in the same unit.
            return fitted.head_scores, "out-of-fold scores of the frozen stage"
        return scores, "out-of-fold scores"

    def _frozen_stage(self, own: LoadedEncoder, rows: Rows, loss: HeadsLoss) -> tuple[Network, Float64Array]:
        """Fit the heads on the frozen encoder: the network and ``(H, len(rows))`` out-of-fold scores."""
        config = self.config
        # Several views make up for few ECGs; with many ECGs they would only cost time and memory.
        views = min(config.head_views, max(1, config.head_sheets // len(rows)))
        plan = [b for view in range(views) for b in batches(self.strata, rows, view, config)]
        # The first view is the upright one that is scored in the end, so that the start is no worse than a probe.
        upright = dataclasses.replace(own.config.images, layouts=(config.layout,))
        first, others = [b for b in plan if b[0] == 0], [b for b in plan if b[0] > 0]

        def drawn() -> Iterator[Images]:
            yield from drawn_ahead(upright, self.cohort, first, config)
            yield from drawn_ahead(config.images(own.config), self.cohort, others, config, purpose="head view")

        settle(own, drawn())
        embedding = np.concatenate([embed_images(own, images, batch_size=config.batch_size) for images in drawn()])
        order = np.concatenate([chosen for _, chosen in plan])
        probes: list[LinearProbe] = []
        slopes: list[float] = []
        scores = np.empty((len(self.targets), len(rows)))
        for k, target in enumerate(self.targets):
            labels = (target.labels[order] - loss.centre[k]) / loss.spread[k]
            fit = fit_regression if target.is_number else fit_probe
            probe = fit(embedding, labels, self.cohort.patient_codes[order], seed=config.seed)
            # Ridge scores lie between the targets -1 and 1; the loss reads logits.
            slope = 1.0 if target.is_number else PlattScaling.fit(probe.cross_fitted_scores, labels).a or 1.0
            sums = np.bincount(order, weights=slope * probe.cross_fitted_scores, minlength=len(target.labels))
            scores[k] = loss.centre[k] + loss.spread[k] * (sums[rows] / views)
            probes.append(probe)
            slopes.append(slope)
        return Network(own.encoder, alike(probes, embedding), slopes).to(self.device), scores

    def _step(
        self,
        model: Network,
        optimiser: torch.optim.Optimizer,
        images: Images,
        chosen: Rows,
        heads_loss: HeadsLoss,
    ) -> float:
        model.train()
        x = self.loaded.page_to_tensor(images, device=self.device)
        labels = heads_loss.labels(chosen).to(self.device)
        optimiser.zero_grad(set_to_none=True)
        loss: torch.Tensor = heads_loss(model(x), labels)
        if not bool(torch.isfinite(loss)):
            raise HeartprintError(
                "not-finite", "The loss is no longer a finite number. Lower the learning rate (-o learning_rate=1e-4)."
            )
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return float(loss.detach())

    def _embedded(self, encoder: LoadedEncoder, rows: Rows) -> npt.NDArray[np.float32]:
        config = self.config
        return embed_cohort(
            encoder, self.cohort.take(rows), layout=config.layout, batch_size=config.batch_size, progress=False
        )

    def _offer(self, best: _Best, step: int, own: LoadedEncoder, model: Network, loss: HeadsLoss, rows: Rows) -> None:
        scores = _scored(self._embedded(own, rows), *_in_units(model, loss))
        best.offer(step, scores, validation_loss(self.targets, rows, scores))


def _in_units(model: Network, loss: HeadsLoss) -> tuple[Float64Array, Float64Array]:
    """The rules ``(H, D)`` and ``(H,)`` of a network, those of numbers in their unit."""
    weights, bias = model.rules()
    return weights * loss.spread[:, None], bias * loss.spread + loss.centre


def _scored(embedding: npt.NDArray[np.float32], weights: Float64Array, bias: Float64Array) -> Float64Array:
    """``(H, n)`` scores of embeddings ``(n, D)``, a head at a time: one does not depend on the others."""
    features = embedding.astype(np.float64)
    return np.stack([features @ w + b for w, b in zip(weights, bias, strict=True)])


class _Best:
    """The step that explains the validation patients best, by `validation_loss`."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._state: dict[str, torch.Tensor] = {}
        self._loss = math.inf
        self._step = 0
        self.scores: Float64Array = np.empty(0)

    def offer(self, step: int, scores: Float64Array, loss: float) -> None:
        if loss < self._loss:
            self._loss, self._step, self.scores = loss, step, scores
            self._state = {k: v.detach().cpu().clone() for k, v in self._model.state_dict().items()}

    def restore(self, model: nn.Module) -> int:
        model.load_state_dict(self._state)
        return self._step
