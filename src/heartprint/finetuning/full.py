"""Full fine-tuning: first the head on the frozen encoder, then all weights."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from heartprint.cohorts import Cohort, Task
from heartprint.encoders import LoadedEncoder, LoadedModel, Seen, embed_cohort, embed_images
from heartprint.finetuning.assemble import assemble
from heartprint.finetuning.config import FinetuneConfig
from heartprint.finetuning.network import Network, settle
from heartprint.finetuning.parts import Rows, batches, cross_fit_parts, validation_part
from heartprint.finetuning.views import drawn_ahead
from heartprint.foundation.arrays import Float64Array, Images
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.progress import Progress
from heartprint.metrics.calibration import PlattScaling
from heartprint.metrics.probe import fit_probe
from heartprint.training.optim import param_groups, warmup_cosine
from heartprint.training.out_of_memory import memory_explained

_TOO_FEW = ("too-few-patients", "one-class-only")


def train_full(
    loaded: LoadedEncoder,
    cohort: Cohort,
    labels: npt.NDArray[np.floating],
    *,
    task: Task,
    config: FinetuneConfig | None = None,
    progress: bool = True,
) -> LoadedModel:
    """Train all weights of an encoder and a linear head.

    The head starts as the linear probe of the frozen encoder, fitted on several views of each ECG (Kumar et al. 2022:
    a head that starts anywhere else first distorts what the encoder knows); then all weights
    learn with AdamW and class-balanced cross-entropy, each view in a layout and pose of its own. Validation patients
    from inside the budget choose the step that is kept (the untouched start is one candidate), the calibration and
    the threshold. A budget too small for them is trained to the end on all its labels and calibrated on the
    scores of models that were trained the same way without the patients they score.

    Args:
        loaded: The encoder, on the device it is to use; not changed.
        cohort: The ECGs of the label budget and no others.
        labels: ``(n,)`` 0 or 1 in the cohort's order.
        task: The task that the labels answer.
        config: Settings.
        progress: Whether to show progress.

    Returns:
        The model in memory, with an encoder of its own.

    Raises:
        HeartprintError: ``one-class-only``, ``too-few-patients``, ``not-finite``, ``out-of-memory``.
    """
    trainer = _Trainer(loaded, cohort, labels, config or FinetuneConfig(), progress)
    positive, config = trainer.positive, trainer.config
    with memory_explained(config.batch_size):
        fitted, validation = trainer.train_whole()
        if validation is not None:
            scores, calibrated_on = fitted.validation_scores, "validation patients"
        else:
            validation, (scores, calibrated_on) = np.arange(len(cohort)), trainer.cross_fitted(fitted)
    learned = {"labels_learned": loaded.config.labels_learned + len(labels)}
    return assemble(
        dataclasses.replace(fitted.encoder, config=fitted.encoder.config.model_copy(update=learned)),
        fitted.weights,
        fitted.bias,
        task=task,
        validation_labels=positive[validation].astype(np.float64),
        validation_scores=scores,
        config=config,
        cohort=cohort,
        labels=labels,
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
    trainer = _Trainer(loaded, cohort, labels, config or FinetuneConfig(), progress)
    with memory_explained(trainer.config.batch_size):
        fitted, _ = trainer.train_whole()
    return fitted.encoder, fitted.weights, fitted.bias


@dataclasses.dataclass(frozen=True, eq=False)
class _Fitted:
    """A trained network: encoder and linear rule.

    Attributes:
        head_scores: ``(n,)`` out-of-fold logits of the frozen stage for the ECGs trained on.
        validation_scores: ``(v,)`` logits of the validation ECGs; none without them.
        steps: Optimiser steps taken.
        steps_kept: The step whose weights these are.
    """

    encoder: LoadedEncoder
    weights: Float64Array
    bias: float
    head_scores: Float64Array
    validation_scores: Float64Array
    steps: int
    steps_kept: int


class _Trainer:
    """Trains on parts of one label budget."""

    def __init__(
        self,
        loaded: LoadedEncoder,
        cohort: Cohort,
        labels: npt.NDArray[np.floating],
        config: FinetuneConfig,
        progress: bool,
    ) -> None:
        self.loaded = loaded
        self.cohort = cohort
        self.positive: npt.NDArray[np.bool_] = np.asarray(labels) == 1
        self.config = config.model_copy(update={"mode": "full"})
        self.progress = progress
        self.device = next(loaded.encoder.parameters()).device

    def train_whole(self) -> tuple[_Fitted, Rows | None]:
        """Train on the budget: what came of it, and its ECGs that chose the step (None: too few to spare any)."""
        held_out = validation_part(self.cohort.patient_codes, self.positive, self.config)
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
        model, head_scores = self._frozen_stage(own, rows)
        n_epochs = max(config.epochs, math.ceil(config.min_steps / math.ceil(len(rows) / config.batch_size)))
        plan = [b for e in range(n_epochs) for b in batches(self.positive, rows, e, config)]
        total = len(plan)
        parts = ((model.encoder, config.learning_rate), (model.head, config.head_learning_rate))
        optimiser = torch.optim.AdamW(
            [g for part, lr in parts for g in param_groups(part.parameters(), config.weight_decay, lr=lr)]
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: warmup_cosine(step, total, config.warmup_share)
        )
        balance = _balance(self.positive, rows)
        checks = {round(total * (k + 1) / config.checks) for k in range(config.checks)}
        best = _Best(model)
        if validation is not None:
            best.offer(0, self._scores(own, validation, *model.rule()), self.positive[validation])
        what = f"Fine-tuning without part {part}" if part else "Fine-tuning"
        with Progress(what, total) if self.progress else contextlib.nullcontext() as shown:
            drawn = drawn_ahead(config.images(own.config), self.cohort, plan, config, part=part)
            for step, ((_, chosen), images) in enumerate(zip(plan, drawn, strict=True), start=1):
                loss = self._step(model, optimiser, images, chosen, balance)
                schedule.step()
                if validation is not None and step in checks:
                    best.offer(step, self._scores(own, validation, *model.rule()), self.positive[validation])
                if shown is not None:
                    shown.advance(note=f"loss {loss:.3f}")
        kept = best.restore(model) if validation is not None else total
        model.eval()
        weights, bias = model.rule()
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
        """``(n,)`` logit of each ECG by a model trained without its patient, and what to call them."""
        scores = np.empty(len(self.cohort))
        try:
            for part, (rows, left_out) in enumerate(
                cross_fit_parts(self.cohort.patient_codes, self.positive, self.config), start=1
            ):
                other = self.train(rows, None, part=part)
                scores[left_out] = self._scores(other.encoder, left_out, other.weights, other.bias)
        except HeartprintError as error:
            if error.code not in _TOO_FEW:
                raise
            # Two patients of a class cannot be parted and still be learned from; the frozen stage was fitted out of
            # fold in closed form and is in the same unit.
            return fitted.head_scores, "out-of-fold scores of the frozen stage"
        return scores, "out-of-fold scores"

    def _frozen_stage(self, own: LoadedEncoder, rows: Rows) -> tuple[Network, Float64Array]:
        """Fit the head on the frozen encoder: the network and ``(len(rows),)`` out-of-fold logits."""
        config = self.config
        # Several views make up for few ECGs; with many ECGs they would only cost time and memory.
        views = min(config.head_views, max(1, config.head_sheets // len(rows)))
        plan = [b for view in range(views) for b in batches(self.positive, rows, view, config)]
        # The first view is the upright one that is scored in the end, so that the start is no worse than a probe.
        upright = dataclasses.replace(own.config.images, layouts=(config.layout,))
        first, others = [b for b in plan if b[0] == 0], [b for b in plan if b[0] > 0]

        def drawn() -> Iterator[Images]:
            yield from drawn_ahead(upright, self.cohort, first, config)
            yield from drawn_ahead(config.images(own.config), self.cohort, others, config, purpose="head view")

        settle(own, drawn())
        embedding = np.concatenate([embed_images(own, images, batch_size=config.batch_size) for images in drawn()])
        order = np.concatenate([chosen for _, chosen in plan])
        labels = self.positive[order].astype(np.float64)
        probe = fit_probe(embedding, labels, self.cohort.patient_codes[order], seed=config.seed)
        # Ridge scores lie between the targets -1 and 1; the loss reads logits.
        slope = PlattScaling.fit(probe.cross_fitted_scores, labels).a or 1.0
        sums = np.bincount(order, weights=slope * probe.cross_fitted_scores, minlength=len(self.positive))
        return Network(own.encoder, probe, slope).to(self.device), sums[rows] / views

    def _step(
        self,
        model: Network,
        optimiser: torch.optim.Optimizer,
        images: Images,
        chosen: Rows,
        balance: tuple[float, float],
    ) -> float:
        model.train()
        x = self.loaded.page_to_tensor(images, device=self.device)
        target = torch.from_numpy(self.positive[chosen].astype(np.float32)).to(self.device)
        weight = torch.where(target == 1, balance[1], balance[0])
        optimiser.zero_grad(set_to_none=True)
        loss = nn.functional.binary_cross_entropy_with_logits(model(x), target, weight=weight)
        if not bool(torch.isfinite(loss)):
            raise HeartprintError(
                "not-finite", "The loss is no longer a finite number. Lower the learning rate (-o learning_rate=1e-4)."
            )
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return float(loss.detach())

    def _scores(self, encoder: LoadedEncoder, rows: Rows, weights: Float64Array, bias: float) -> Float64Array:
        config = self.config
        embedding = embed_cohort(
            encoder, self.cohort.take(rows), layout=config.layout, batch_size=config.batch_size, progress=False
        )
        logits: Float64Array = embedding.astype(np.float64) @ weights + bias
        return logits


class _Best:
    """The step that explains the validation patients best.

    Steps are compared by cross-entropy after Platt scaling: unlike the plain loss it does not take a network for
    worse because it is surer of itself, and unlike the AUROC it moves smoothly with few patients.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._state: dict[str, torch.Tensor] = {}
        self._loss = math.inf
        self._step = 0
        self.scores: Float64Array = np.empty(0)

    def offer(self, step: int, scores: Float64Array, positive: npt.NDArray[np.bool_]) -> None:
        p = np.clip(PlattScaling.fit(scores, positive.astype(np.float64))(scores), 1e-12, 1 - 1e-12)
        loss = -float(np.mean(np.where(positive, np.log(p), np.log1p(-p))))
        if loss < self._loss:
            self._loss, self._step, self.scores = loss, step, scores
            self._state = {k: v.detach().cpu().clone() for k, v in self._model.state_dict().items()}

    def restore(self, model: nn.Module) -> int:
        model.load_state_dict(self._state)
        return self._step


def _balance(positive: npt.NDArray[np.bool_], rows: Rows) -> tuple[float, float]:
    """Weights of a negative and of a positive ECG, so that both classes weigh the same."""
    n_positive = int(positive[rows].sum())
    return len(rows) / (2 * (len(rows) - n_positive)), len(rows) / (2 * n_positive)
