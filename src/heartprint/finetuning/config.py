"""What a fine-tuning configuration may say."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from heartprint.sheets import PAPER_LAYOUTS, SheetSampler
from heartprint.sheets.sampler import LayoutName, LayoutNames, RecipeNames, Rotation, StyleNames

if TYPE_CHECKING:
    from heartprint.encoders import EncoderConfig


class FinetuneConfig(BaseModel):
    """How a model is made from an encoder and labels.

    Attributes:
        mode: ``probe`` (linear classifier on embeddings of upright sheets) or ``full`` (all weights).
        seed: Seed of everything that is drawn: labels, folds, views.
        draw: Number of the label draw; draws with the same seed are independent.
        since: First day whose ECGs are learned from, inclusive.
        until: Last day whose ECGs are learned from, inclusive.
        train_share: Share of the patients, by hash of the patient id, that labels may come from. The others stay
            unseen for ``heartprint evaluate --exclude-seen``.
        sensitivity: Sensitivity that the stored threshold reaches on the labels it is chosen on.
        layout: Layout of the sheets that a probe reads.
        batch_size: Sheets at a time; the one to lower when memory runs out.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        layouts: Layouts that full fine-tuning draws from, one for each view.
        styles: Styles, likewise; ``random`` draws another one for every view.
        recipes: Recipes of the camera, likewise; ``clean`` takes no picture.
        max_rotation_deg: Largest turn of a clean sheet in full fine-tuning, degrees.
        head_views: Views of each ECG that the head is first fitted on, the encoder frozen.
        head_sheets: Sheets in all for that, above which there are fewer views of each ECG (but at least one).
        epochs: Passes over the labels with all weights learning.
        min_steps: Least number of optimiser steps, for budgets so small that an epoch is a step or two.
        learning_rate: Peak learning rate of the encoder.
        head_learning_rate: Peak learning rate of the head, which is small and already fitted.
        weight_decay: Of AdamW; not on biases and normalisation.
        warmup_share: Share of the steps in which the learning rates rise; they fall as a cosine afterwards.
        validation_share: Share of the budget's patients that choose the step to keep, calibration and threshold.
        min_validation: Least number of validation patients of each class. A budget that cannot give them is trained
            for the whole number of steps on all labels, and calibrated on out-of-fold scores.
        cross_fit_folds: Folds behind those out-of-fold scores; each costs one more training.
        checks: How often the validation patients are looked at.
        workers: Threads that draw sheets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["probe", "full"] = "probe"
    seed: Annotated[int, Field(ge=0)] = 0
    draw: Annotated[int, Field(ge=0)] = 0
    since: dt.date | None = None
    until: dt.date | None = None
    train_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    sensitivity: Annotated[float, Field(gt=0, le=1)] = 0.9
    layout: LayoutName = "standard"
    batch_size: Annotated[int, Field(ge=1)] = 64
    device: str = "auto"
    layouts: LayoutNames = PAPER_LAYOUTS
    styles: StyleNames = ("ecg_plot",)
    recipes: RecipeNames = ("clean",)
    max_rotation_deg: Rotation = 10.0
    head_views: Annotated[int, Field(ge=1)] = 4
    head_sheets: Annotated[int, Field(ge=1)] = 4000
    epochs: Annotated[int, Field(ge=1)] = 10
    min_steps: Annotated[int, Field(ge=1)] = 60
    learning_rate: Annotated[float, Field(gt=0)] = 3e-4
    head_learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    validation_share: Annotated[float, Field(gt=0, lt=1)] = 0.25
    min_validation: Annotated[int, Field(ge=2)] = 5
    cross_fit_folds: Annotated[int, Field(ge=2)] = 3
    checks: Annotated[int, Field(ge=1)] = 10
    workers: Annotated[int, Field(ge=1)] = 2

    def images(self, encoder: EncoderConfig) -> SheetSampler:
        """What draws the views of full fine-tuning, in the size and with the baseline that the encoder reads."""
        return replace(
            encoder.images,
            layouts=self.layouts,
            styles=self.styles,
            recipes=self.recipes,
            max_rotation_deg=self.max_rotation_deg,
        )
