"""One way to name an encoder: one that is shipped, a run, an encoder or model folder, ``imagenet`` or ``random``."""

from __future__ import annotations

from pathlib import Path

from heartprint.encoders.bundle.config import EncoderConfig
from heartprint.encoders.bundle.files import CONFIG_FILE
from heartprint.encoders.bundle.folder import load_encoder
from heartprint.encoders.bundle.loaded import LoadedEncoder
from heartprint.encoders.bundle.seen_patients import Seen
from heartprint.encoders.bundle.shipped import SHIPPED_NAMES, SHIPPED_OR
from heartprint.encoders.networks.encoder import Weights, build_encoder
from heartprint.foundation.errors import HeartprintError

RUN_ENCODER = "encoder"
"""Folder of the encoder inside a run."""

DEFAULT_BACKBONE: dict[Weights, str] = {"imagenet": "efficientnet_lite0", "random": "small"}
"""What ``imagenet`` and ``random`` mean when no backbone is named."""


def resolve_encoder(
    name_or_path: str | Path,
    *,
    backbone: str | None = None,
    image_size: int | None = None,
    seed: int = 0,
    unlabelled: bool = False,
) -> LoadedEncoder:
    """Find an encoder by name or path.

    Args:
        name_or_path: ``heartprint`` or ``heartprint-photo`` (the encoders that come with the package), a run folder, an
            encoder folder, a model folder (its encoder), ``imagenet`` or ``random``. A name wins over a folder called
            like it in the working directory: write ``./heartprint`` for the folder.
        backbone: For ``imagenet`` and ``random``: which backbone. Otherwise: which one it must be.
        image_size: For ``imagenet`` and ``random``: side of the input in px. Otherwise: what it must be.
        seed: Seed of ``random``.
        unlabelled: Refuse an encoder whose weights have learned from labels.

    Returns:
        The encoder on the CPU, in eval mode.

    Raises:
        HeartprintError: ``unknown-encoder``; ``encoder-mismatch`` if an encoder has another backbone or size than
            asked for; ``labels-seen``; what `build_encoder` and `load_encoder` raise.
    """
    if name_or_path == "imagenet" or name_or_path == "random":
        weights: Weights = "imagenet" if name_or_path == "imagenet" else "random"
        return _fresh(weights, backbone or DEFAULT_BACKBONE[weights], image_size, seed)
    loaded = load_encoder(name_or_path if name_or_path in SHIPPED_NAMES else _folder(Path(name_or_path)))
    for what, asked, is_ in (
        ("backbone", backbone, loaded.config.backbone),
        ("image size", image_size, loaded.config.image_size),
    ):
        if asked is not None and asked != is_:
            raise HeartprintError(
                "encoder-mismatch",
                f"The encoder '{loaded.name}' has {what} {is_}, not {asked}. Leave the option away, or pretrain one "
                f"with {what} {asked}.",
            )
    if unlabelled and loaded.config.labels_learned:
        raise HeartprintError(
            "labels-seen",
            f"The weights of '{loaded.name}' have learned from {loaded.config.labels_learned:,} labels, by full "
            "fine-tuning: as the start of a pretraining, or in a comparison, they would pass for weights that saw "
            "none. Name the encoder or run that it was made from.",
        )
    return loaded


def _fresh(weights: Weights, backbone: str, image_size: int | None, seed: int) -> LoadedEncoder:
    config = EncoderConfig.new(backbone, image_size=image_size, initial_weights=weights, initial_seed=seed)
    encoder = build_encoder(backbone, weights=weights, seed=seed).eval()
    return LoadedEncoder(encoder, config, Seen(), f"{weights} {backbone}")


def _folder(path: Path) -> Path:
    if (path / RUN_ENCODER / CONFIG_FILE).is_file():
        return path / RUN_ENCODER
    if path.is_dir():
        if not (path / CONFIG_FILE).is_file():
            raise HeartprintError(
                "unknown-encoder",
                f"{path} is a folder, but no run (it has no '{RUN_ENCODER}' folder; is its pretraining finished?), "
                f"no encoder folder and no model folder (it has no {CONFIG_FILE}). Give one of these, or "
                f"{SHIPPED_OR}, 'imagenet' or 'random'.",
            )
        return path
    raise HeartprintError(
        "unknown-encoder",
        f"There is no encoder '{path}'. Give a run folder of 'heartprint pretrain', an encoder folder, a model folder "
        f"of 'heartprint finetune', or {SHIPPED_OR}, 'imagenet' or 'random'.",
    )
