"""What a pretraining configuration may say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from heartprint.cohorts import PairPolicy
from heartprint.sheets import PAPER_LAYOUTS
from heartprint.sheets.mix import LayoutName, RecipeName, StyleName

SHORT_LAYOUTS = ("short_six_rows", "short_three_rows")
CHANGEABLE = frozenset(
    {"device", "workers", "checkpoint_every", "watch.every", "watch.stop_on_collapse", "watch.tensorboard"}
)
"""Settings, by dotted name, that may differ when a run is resumed: they say how it runs, not what it computes."""
OF_DRAWING = ("layouts", "stretch_layouts", "styles", "baseline")
"""Settings that say how waveforms are drawn, and nothing about images."""
_LATER = ("pairs", "chunk_size", "watch", "styles", "recipes")
"""Settings that runs of earlier versions did not have, and that change nothing at their defaults."""

Share = Annotated[float, Field(ge=0, le=1)]


class AugmentConfig(BaseModel):
    """The image augmentations of ``simclr``, after Chen et al. 2020 (A Simple Framework for Contrastive Learning).

    Where Chen's values for photographs would spoil a sheet they are milder, so that the baseline is a fair one: a crop
    of 0.08 of a page holds two beats; a white page made brighter is blank. What has no meaning on a grey ECG sheet is
    left out: colour, and mirroring.

    Attributes:
        crop_scale: Least and largest share of the page's area that a random crop keeps (Chen: 0.08 to 1).
        crop_ratio: Least and largest width over height of the crop.
        jitter_probability: How often brightness and contrast change.
        brightness: Largest relative loss of brightness (Chen: 0.8, up or down).
        contrast: Largest relative change of contrast, up or down (Chen: 0.8).
        blur_probability: How often the page is blurred.
        blur_sigma: Least and largest standard deviation of the Gaussian blur, px at 224 px; scaled with the image.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop_scale: tuple[Share, Share] = (0.2, 1.0)
    crop_ratio: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (3 / 4, 4 / 3)
    jitter_probability: Share = 0.8
    brightness: Share = 0.4
    contrast: Share = 0.4
    blur_probability: Share = 0.5
    blur_sigma: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.1, 2.0)

    @model_validator(mode="after")
    def _ordered(self) -> AugmentConfig:
        for name in ("crop_scale", "crop_ratio", "blur_sigma"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(
                    f"{name} needs a positive least value that is not above the largest, got {low}, {high}"
                )
        return self


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
        method: Name in ``METHODS``.
        backbone: Name in ``BACKBONES``.
        init: Weights to start from: ``random``, ``imagenet``, ``heartprint`` or ``heartprint-photo`` (shipped), or a
            run, encoder or model folder, whose backbone must be the same.
        image_size: Side of the images in px; 0 stands for the backbone's own.
        layouts: Layouts that the views are drawn in, each as likely as the others; one named twice is twice as likely.
        stretch_layouts: Layouts that half an ECG is drawn in, by ``segments``, by ``bcl_state`` and for patients who by
            ``pairs.single`` give stretches; 5 s must suffice them.
        styles: Styles that the views are drawn in, likewise; ``random`` draws another one for every view.
        recipes: Recipes of the camera by which pictures of the views are taken, likewise; ``clean`` takes none.
        max_rotation_deg: Largest turn of a clean page, degrees; the camera's recipes have turns of their own.
        baseline: What is done about baseline wander before drawing.
        augment: Augmentations of ``simclr``; the other methods do not look at them.
        pairs: Which two ECGs of a patient make a pair, for ``bcl`` and the methods made of it (``bcl_several``,
            ``bcl_measured``, ``bcl_state``); the others do not look at it.
        temperature: Of NT-Xent.
        contrast_weight: Of the mean NT-Xent of a method's contrasts in the loss.
        target_weight: Of the error of the measurements in the loss, for the methods that learn them.
        head_hidden: Width of the projection head's hidden layer.
        head_dim: Width of the projection head's output.
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

    method: str = "bcl"
    backbone: str = "small"
    init: str = "random"
    image_size: Annotated[int, Field(ge=0, validate_default=True)] = 0
    layouts: Annotated[tuple[LayoutName, ...], Field(min_length=1)] = PAPER_LAYOUTS
    stretch_layouts: Annotated[tuple[LayoutName, ...], Field(min_length=1)] = SHORT_LAYOUTS
    styles: Annotated[tuple[StyleName, ...], Field(min_length=1)] = ("ecg_plot",)
    recipes: Annotated[tuple[RecipeName, ...], Field(min_length=1)] = ("clean",)
    max_rotation_deg: Annotated[float, Field(ge=0, le=45)] = 10.0
    baseline: Literal["none", "median"] = "none"
    augment: AugmentConfig = AugmentConfig()
    pairs: PairPolicy = PairPolicy()
    temperature: Annotated[float, Field(gt=0)] = 0.1
    contrast_weight: Annotated[float, Field(ge=0)] = 1.0
    target_weight: Annotated[float, Field(ge=0)] = 1.0
    head_hidden: Annotated[int, Field(ge=1)] = 512
    head_dim: Annotated[int, Field(ge=2)] = 128
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

    @field_validator("method")
    @classmethod
    def _known_method(cls, value: str) -> str:
        from heartprint.pretraining.methods import get_method

        get_method(value)
        return value

    @field_validator("backbone")
    @classmethod
    def _known_backbone(cls, value: str) -> str:
        from heartprint.encoders.backbones import get_backbone

        get_backbone(value)
        return value

    @field_validator("image_size")
    @classmethod
    def _own_image_size(cls, value: int, info: ValidationInfo) -> int:
        from heartprint.encoders.backbones import get_backbone

        return value if value or "backbone" not in info.data else get_backbone(info.data["backbone"]).image_size

    @field_validator("stretch_layouts")
    @classmethod
    def _short_layouts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from heartprint.sheets import LAYOUTS, get_layout
        from heartprint.sheets.layout import PAGE_S

        long = [name for name in value if get_layout(name).needs_s > PAGE_S / 2]
        if long:
            short = [name for name, layout in LAYOUTS.items() if layout.needs_s <= PAGE_S / 2]
            raise ValueError(f"{', '.join(long)} needs more than half an ECG; these do not: {', '.join(short)}")
        return value

    def recipe(self) -> str:
        """All that decides what is computed, as JSON; the same text for a run of a version that had fewer settings."""
        default = {name: type(self).model_fields[name].default for name in _LATER}
        same = {name for name, value in default.items() if getattr(self, name) == value}
        left_out: dict[str, Any] = {}
        for name in CHANGEABLE - same:
            group, _, setting = name.partition(".")
            if setting:
                left_out.setdefault(group, {})[setting] = True
            else:
                left_out[group] = True
        return self.model_dump_json(exclude=left_out | dict.fromkeys(same, True))


def decisive(config: PretrainConfig) -> dict[str, Any]:
    """The settings that decide what a run computes, by dotted name, as plain values: all but `CHANGEABLE`."""
    flat = _flat(config.model_dump(mode="json"))
    return {name: value for name, value in flat.items() if name not in CHANGEABLE}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in values.items():
        out |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return out
