"""What a pretraining configuration may say."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from heartprint.encoders.networks.registry import get_backbone
from heartprint.foundation.config import validate_config
from heartprint.foundation.errors import HeartprintError
from heartprint.pretraining.methods import get_method
from heartprint.pretraining.settings import MethodSettings
from heartprint.sheets import PAPER_LAYOUTS, SheetSampler
from heartprint.sheets.sampler import Baseline, LayoutNames, RecipeNames, Rotation, StyleNames

DEFAULT_METHOD = "bcl"
CHANGEABLE = frozenset(
    {"device", "workers", "checkpoint_every", "watch.every", "watch.stop_on_collapse", "watch.tensorboard"}
)
"""Settings, by dotted name, that may differ when a run is resumed: they say how it runs, not what it computes."""
_OF_THE_METHOD = (
    *("augment", "contrast_weight", "head_dim", "head_hidden", "pairs", "stretch_layouts"),
    *("target_weight", "temperature"),
)
"""Settings that once were the run's and now are its method's."""


class WatchConfig(BaseModel):
    """How a run is watched on patients that it does not learn from (see `heartprint.pretraining.watch`).

    Attributes:
        share: Share of the patients, by hash of their ids, that are held out to watch; 0 watches nobody.
        max_patients: Most patients held out, those with two or more ECGs first; the others are learned from.
        every: Steps between two looks; 0 looks only at the start and at the end.
        tasks: Labels that are to be read off the embeddings; None = those that enough watched patients have.
        stop_on_collapse: Whether a run ends when its embeddings have become alike.
        tensorboard: Whether to write what is seen to ``tensorboard/`` in the run's folder too; needs the package.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    max_patients: Annotated[int, Field(ge=1)] = 500
    every: Annotated[int, Field(ge=0)] = 200
    tasks: tuple[str, ...] | None = None
    stop_on_collapse: bool = True
    tensorboard: bool = False


class PretrainConfig(BaseModel):
    """How an encoder is pretrained.

    Attributes:
        method: Name in ``METHODS``, or its name and settings of its own: ``{name: bcl, temperature: 0.2}``. Which it
            has, its class says (`Bcl.Settings`, for example).
        backbone: Name in ``BACKBONES``.
        init: Weights to start from: ``random``, ``imagenet``, ``heartprint`` or ``heartprint-photo`` (shipped), or a
            run, encoder or model folder, whose backbone must be the same.
        image_size: Side of the images in px; 0 stands for the backbone's own.
        layouts: Layouts that the views are drawn in, each as likely as the others; one named twice is twice as likely.
        styles: Styles that the views are drawn in, likewise; ``random`` draws another one for every view.
        recipes: Recipes of the camera by which pictures of the views are taken, likewise; ``clean`` takes none.
        max_rotation_deg: Largest turn of a clean sheet, degrees; the camera's recipes have turns of their own.
        baseline: What is done about baseline wander before drawing.
        batch_size: Items in a batch: patients or ECGs, each with one to four sheets (see the method). With several
            processes it is the batch of all together.
        chunk_size: Items whose activations are held at a time, in each process; 0 = all. A batch of any size then
            fits: of the rest only the embeddings are kept, and the encoder computes everything twice. The gradient is
            that of the whole batch; batch normalisation in the encoder sees a chunk at a time, which is not the same.
        epochs: Passes over the items (patients or ECGs, see the method).
        steps: Number of optimiser steps; 0 means that ``epochs`` decides.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Of AdamW; not on biases and normalisation.
        warmup_share: Share of the steps in which the learning rate rises; it falls as a cosine afterwards.
        seed: Seed of everything that is drawn.
        since: First day whose ECGs are learned from, inclusive.
        until: Last day whose ECGs are learned from, inclusive.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        precision: ``auto`` is bfloat16 on a GPU and float32 elsewhere; the loss is always float32.
        workers: Processes that draw sheets; 0 draws them in between the steps.
        checkpoint_every: Steps from one checkpoint to the next.
        watch: Patients that are watched and not learned from; nobody unless ``watch.share`` is set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: SerializeAsAny[MethodSettings] = Field(default_factory=lambda: get_method(DEFAULT_METHOD).settings())
    backbone: str = "small"
    init: str = "random"
    image_size: Annotated[int, Field(ge=0, validate_default=True)] = 0
    layouts: LayoutNames = PAPER_LAYOUTS
    styles: StyleNames = ("ecg_plot",)
    recipes: RecipeNames = ("clean",)
    max_rotation_deg: Rotation = 10.0
    baseline: Baseline = "none"
    batch_size: Annotated[int, Field(ge=2)] = 256
    chunk_size: Annotated[int, Field(ge=0)] = 0
    epochs: Annotated[int, Field(ge=1)] = 20
    steps: Annotated[int, Field(ge=0)] = 0
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    seed: Annotated[int, Field(ge=0)] = 0
    since: dt.date | None = None
    until: dt.date | None = None
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    workers: Annotated[int, Field(ge=0)] = 1
    checkpoint_every: Annotated[int, Field(ge=1)] = 200
    watch: WatchConfig = WatchConfig()

    @model_validator(mode="before")
    @classmethod
    def _where_settings_went(cls, values: Any) -> Any:
        moved = [name for name in _OF_THE_METHOD if isinstance(values, Mapping) and name in values]
        if moved:
            raise HeartprintError(
                "bad-config",
                f"'{moved[0]}' is a setting of the method: write method.{moved[0]} "
                f"(-o method.{moved[0]}=..., or in a file 'method: {{name: bcl, {moved[0]}: ...}}').",
            )
        return values

    @field_validator("method", mode="before")
    @classmethod
    def _settings_of_the_method(cls, value: Any) -> MethodSettings:
        if isinstance(value, MethodSettings):
            return value
        given = {"name": value} if isinstance(value, str) else value
        if not isinstance(given, Mapping):
            raise ValueError("give the name of a method, or its name and settings")
        given = {"name": DEFAULT_METHOD, **given}
        return validate_config(given, get_method(str(given["name"])).Settings, within="method")

    @classmethod
    def expanded(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Settings with the method as a group, so that single settings of it can be put on top."""
        method = values.get("method")
        return {**values, "method": {"name": method}} if isinstance(method, str) else dict(values)

    @field_validator("backbone")
    @classmethod
    def _known_backbone(cls, value: str) -> str:
        get_backbone(value)
        return value

    @field_validator("image_size")
    @classmethod
    def _own_image_size(cls, value: int, info: ValidationInfo) -> int:
        if "backbone" not in info.data:
            return value
        backbone = get_backbone(info.data["backbone"])
        backbone.page_to_tensor(value or None)  # refuses a size that the network cannot read
        return value or backbone.image_size

    @property
    def all_layouts(self) -> tuple[str, ...]:
        """Every layout that may be drawn, those of the method included."""
        return (*self.layouts, *self.method.layouts)

    @property
    def images(self) -> SheetSampler:
        """What draws the views."""
        return SheetSampler(
            self.layouts, self.styles, self.recipes, self.max_rotation_deg, self.baseline, self.image_size
        )

    def recipe(self) -> str:
        """All that decides what is computed, as JSON."""
        return json.dumps(decisive(self))


def decisive(config: PretrainConfig) -> dict[str, Any]:
    """The settings that decide what a run computes, by dotted name, as plain values: all but `CHANGEABLE`."""
    flat = _flat(config.model_dump(mode="json"))
    return {name: value for name, value in flat.items() if name not in CHANGEABLE}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in values.items():
        out |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return out
