"""From the encoder and model folders of an earlier version to those of today, in place."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from heartprint.encoders.bundle.config import FOLDER_VERSION, EncoderConfig, layouts_by_name
from heartprint.encoders.bundle.files import (
    CHECKED_FILES,
    CHECKSUMS_FILE,
    CONFIG_FILE,
    check_files,
    checksum_lines,
    damaged,
    read_config,
    read_description,
    read_seen,
    read_weights,
)
from heartprint.foundation.files import atomic_folder, claimed, write_json, write_text

_BEFORE = 1


def upgrade_model(folder: str | Path) -> int | None:
    """Bring an encoder or model folder of version 1 up to date.

    Weights, lists of who took part, sample sheet and card stay what they are; ``config.json`` and ``CHECKSUMS`` are
    written anew. The new folder is read before it takes the place of the old one.

    Args:
        folder: The folder.

    Returns:
        The version that it had, or None if there was nothing to do.

    Raises:
        HeartprintError: What `load_model` raises; ``output-busy`` or ``disk-full``.
    """
    folder = Path(folder)
    raw = read_description(folder)
    if type(raw["format_version"]) is not int or raw["format_version"] != _BEFORE:
        read_config(folder)
        return None
    check_files(folder)
    new = _renewed(folder, raw)
    with claimed(folder), atomic_folder(folder) as fresh:
        shutil.copytree(folder, fresh, symlinks=True, dirs_exist_ok=True)
        write_json(fresh / CONFIG_FILE, new)
        write_text(fresh / CHECKSUMS_FILE, checksum_lines(fresh, CHECKED_FILES))
        config = read_config(fresh)
        read_weights(fresh)
        read_seen(fresh, config)
        for name in (CONFIG_FILE, CHECKSUMS_FILE):
            (fresh / name).chmod(0o644)
    return _BEFORE


def _renewed(folder: Path, raw: dict[str, Any]) -> dict[str, Any]:
    new = dict(raw) | {"format_version": FOLDER_VERSION}
    if raw["kind"] == "encoder":
        return _renewed_encoder(folder, new, 0)
    try:
        tuned, inner = raw["finetuning"], dict(raw["encoder"])
        # Version 1 did not say it of an encoder, but of the model: full fine-tuning taught its labels to the weights.
        learned = tuned["n_labels"] if tuned["mode"] == "full" else 0
        new["encoder"] = _renewed_encoder(folder, inner | {"format_version": FOLDER_VERSION}, learned)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(folder, f"its {CONFIG_FILE} does not describe a model") from error
    return new


def _renewed_encoder(folder: Path, raw: dict[str, Any], learned: int) -> dict[str, Any]:
    try:
        size, own = raw.pop("image_size"), raw["page_to_tensor"]["image_size"]
        raw["layouts"] = layouts_by_name(raw.get("layouts", ["standard"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise damaged(folder, f"its {CONFIG_FILE} does not describe an encoder") from error
    if type(size) is not int or size != own:
        raise damaged(folder, f"its {CONFIG_FILE} gives two image sizes, {str(size)[:20]} and {str(own)[:20]}")
    known = {"baseline": "none", "labels_learned": learned}
    # In the order of today, so that a folder brought up to date looks like one that is written.
    full = known | raw
    order = [
        *(name for name in EncoderConfig.model_fields if name in full),
        *(n for n in full if n not in EncoderConfig.model_fields),
    ]
    return {name: full[name] for name in order}
