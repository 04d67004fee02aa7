"""Encoder and model folders, written and read: everything a trained network needs, checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from heartprint.encoders.bundle.config import EncoderConfig, ModelConfig
from heartprint.encoders.bundle.distance import Distance
from heartprint.encoders.bundle.files import (
    damaged,
    read_config,
    read_known,
    read_sample,
    read_seen,
    read_weights,
    write_folder,
)
from heartprint.encoders.bundle.float16 import halved
from heartprint.encoders.bundle.known_sheets import fit_distance
from heartprint.encoders.bundle.loaded import LoadedEncoder, LoadedModel, embed_images
from heartprint.encoders.bundle.sample import SAMPLE_RATE, sample_leads
from heartprint.encoders.bundle.seen_patients import Seen
from heartprint.encoders.bundle.shipped import SHIPPED, SHIPPED_NAMES, shipped_folder
from heartprint.encoders.networks.classifier import TaskModel
from heartprint.encoders.networks.encoder import Encoder, build_encoder
from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError

if TYPE_CHECKING:
    pass

_SAMPLE_VALUES = 8
_SAMPLE_TOLERANCE = 1e-3


def save_encoder(
    folder: str | Path,
    encoder: Encoder,
    config: EncoderConfig,
    *,
    seen: Seen | None = None,
    half: bool = False,
    card: str = "",
    distance: bool = False,
    progress: bool = False,
) -> Path:
    """Write an encoder folder; it appears, or replaces the old one, only when it is whole.

    With ``half``, weights are stored as float16 where that does not show (see `heartprint.encoders.bundle.float16`);
    the sample holds what the rounded weights give.

    Args:
        folder: Where to.
        encoder: The encoder; neither changed nor moved.
        config: Description; weights hash, versions and sample are filled in here.
        seen: Who took part in pretraining.
        half: Whether to store weights as float16, in about half the space. They are float32 again when loaded.
        card: What a person has written about the encoder, in Markdown; goes to the end of the card.
        distance: Whether to store how unlike known sheets a picture is, too; the encoder is shown some for it.
        progress: Whether to show progress of that.

    Returns:
        The folder.

    Raises:
        HeartprintError: ``output-not-a-model`` if something else is there, ``not-finite`` if a weight is no
            number, ``disk-full``.
    """
    _check_match(encoder, config)
    state = _state(encoder)
    fresh = _encoder_from(state, config, Seen(), str(folder))
    sheet = fresh.draw(sample_leads(), SAMPLE_RATE)
    if half:
        state = halved(fresh, sheet)
        _fill(fresh.encoder, state, str(folder))
    expected = _encoder_sample(fresh, sheet)
    known = fit_distance(fresh, progress=progress) if distance else None
    return write_folder(Path(folder), config, state, seen or Seen(), sheet, expected, distance=known, card_text=card)


def save_model(
    folder: str | Path,
    model: TaskModel,
    config: ModelConfig,
    *,
    seen: Seen | None = None,
    distance: Distance | None = None,
) -> Path:
    """Write a model folder; it appears, or replaces the old one, only when it is whole.

    Args:
        folder: Where to.
        model: Encoder and head; neither changed nor moved.
        config: Description; weights hash, versions and sample are filled in here.
        seen: Who took part in pretraining or fine-tuning.
        distance: How unlike the sheets that its encoder knows a picture is; without it every answer is in doubt.

    Returns:
        The folder.

    Raises:
        HeartprintError: ``output-not-a-model`` if something else is there, ``not-finite`` if a weight is no
            number, ``disk-full``.
    """
    _check_match(model.encoder, config.encoder)
    state = _state(model)
    fresh = _model_from(state, config, Seen(), str(folder))
    sheet = fresh.encoder.draw(sample_leads(), SAMPLE_RATE)
    expected = _model_sample(fresh, sheet)
    return write_folder(Path(folder), config, state, seen or Seen(), sheet, expected, distance=distance)


def load_encoder(name_or_path: str | Path = SHIPPED, *, verify: bool = False) -> LoadedEncoder:
    """Load an encoder that comes with Heartprint, an encoder folder, or the encoder of a model folder, on the CPU.

    Checksums are always checked; nothing is unpickled; weights are float32 however they are stored.

    Args:
        name_or_path: ``heartprint`` or ``heartprint-photo``, or a folder that `save_encoder` or `save_model` wrote. A
            name wins over a folder called like it in the working directory: write ``./heartprint``, or a `Path`, for
            the folder.
        verify: Whether to embed the sample sheet and compare with what it gave when the folder was written.

    Returns:
        The encoder in eval mode.

    Raises:
        HeartprintError: ``shipped-encoder-missing``, ``model-missing``, ``not-a-model``, ``model-incomplete``,
            ``model-version``, ``model-damaged`` or ``sample-differs``.
    """
    if isinstance(name_or_path, str) and name_or_path in SHIPPED_NAMES:
        with shipped_folder(name_or_path) as folder:
            return _load_encoder(folder, name_or_path, verify)
    return _load_encoder(Path(name_or_path), str(name_or_path), verify)


def load_model(folder: str | Path, *, verify: bool = False) -> LoadedModel:
    """Load a model folder on the CPU.

    Checksums are always checked; nothing is unpickled.

    Args:
        folder: What `save_model` wrote.
        verify: Whether to score the sample sheet and compare with what it gave when the folder was written.

    Raises:
        HeartprintError: ``model-missing``, ``not-a-model``, ``model-incomplete``, ``model-version``,
            ``model-damaged`` or ``sample-differs``.
    """
    shipped = str(folder) in SHIPPED_NAMES and not Path(folder).exists()
    config = None if shipped else read_config(Path(folder))
    if config is None or isinstance(config, EncoderConfig):
        raise HeartprintError(
            "not-a-model",
            f"{folder} holds an encoder, which answers no task yet. Make a model of it with "
            f"'heartprint finetune COHORT --task af --init {folder} --out MODEL'.",
        )
    loaded = _model_from(read_weights(Path(folder)), config, read_seen(Path(folder), config), str(folder))
    encoder = replace(loaded.encoder, distance=read_known(Path(folder), loaded.encoder.encoder))
    loaded = replace(loaded, encoder=encoder)
    if verify:
        _verify(Path(folder), config, loaded.encoder, lambda sheet: _model_sample(loaded, sheet))
    return loaded


def _load_encoder(folder: Path, name: str, verify: bool) -> LoadedEncoder:
    config = read_config(folder)
    if isinstance(config, ModelConfig):
        return load_model(folder, verify=verify).encoder
    loaded = _encoder_from(read_weights(folder), config, read_seen(folder, config), name)
    loaded = replace(loaded, distance=read_known(folder, loaded.encoder))
    if verify:
        _verify(folder, config, loaded, lambda sheet: _encoder_sample(loaded, sheet))
    return loaded


def _check_match(encoder: Encoder, config: EncoderConfig) -> None:
    have = (encoder.backbone, encoder.embedding_dim, encoder.channels)
    said = (config.backbone, config.embedding_dim, config.page_to_tensor.channels)
    if have != said:
        raise ValueError(f"the configuration describes another encoder: {said}, not {have}")


def _state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    bad = [name for name, value in state.items() if not bool(torch.isfinite(value).all())]
    if bad:
        raise HeartprintError(
            "not-finite",
            f"The weights are not all finite numbers ({bad[0]}): training diverged, nothing was saved. Train again "
            "with a lower learning rate.",
        )
    return state


def _encoder_from(state: dict[str, torch.Tensor], config: EncoderConfig, seen: Seen, name: str) -> LoadedEncoder:
    encoder = build_encoder(config.backbone)
    _fill(encoder, state, name)
    return LoadedEncoder(encoder.eval(), config, seen, name)


def _model_from(state: dict[str, torch.Tensor], config: ModelConfig, seen: Seen, name: str) -> LoadedModel:
    model = TaskModel(build_encoder(config.encoder.backbone), len(config.heads))
    _fill(model, state, name)
    return LoadedModel(
        encoder=LoadedEncoder(model.encoder.eval(), config.encoder, seen, name),
        weights=model.head.weight.detach().numpy().copy(),
        bias=model.head.bias.detach().numpy().astype(np.float64),
        config=config,
        seen=seen,
        name=name,
    )


def _fill(module: torch.nn.Module, state: dict[str, torch.Tensor], name: str) -> None:
    try:
        # Copies into the module's own float32 tensors, whatever the type in the file.
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise damaged(Path(name), "its weights do not fit its config.json") from error


def _encoder_sample(loaded: LoadedEncoder, sheet: Image) -> tuple[float, ...]:
    return tuple(float(v) for v in embed_images(loaded, sheet[None])[0, :_SAMPLE_VALUES])


def _model_sample(loaded: LoadedModel, sheet: Image) -> tuple[float, ...]:
    return loaded.sample(sheet)


def _verify(
    folder: Path,
    config: EncoderConfig | ModelConfig,
    encoder: LoadedEncoder,
    measure: Callable[[Image], tuple[float, ...]],
) -> None:
    """Read the sample twice: from the sheet in the folder, and drawn as an ECG of a cohort is drawn."""
    if config.sample is None:
        raise damaged(folder, "its config.json does not say what the sample sheet gives")
    expected = np.array(config.sample.expected)
    stored = read_sample(folder, encoder.config.image_size)
    # Other processors add in another order, which moves the last float32 digits and no more.
    allowed = _SAMPLE_TOLERANCE * max(1e-6, float(np.abs(expected).max()))
    for what, sheet in (
        ("does not read its sample sheet", stored),
        ("does not draw its sample sheet", encoder.draw(sample_leads(), SAMPLE_RATE)),
    ):
        found = np.array(measure(sheet))
        if expected.shape != found.shape or not np.allclose(found, expected, rtol=0, atol=allowed):
            raise HeartprintError(
                "sample-differs",
                f"{folder} {what} as it did when it was written (expected {expected.round(5)}, found "
                f"{found.round(5)}). It was written by {config.versions}: install these versions.",
            )
