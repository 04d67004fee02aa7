"""The files of an encoder or model folder: written whole, checked when read, nothing pickled."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import pydantic
import safetensors
import safetensors.numpy
import safetensors.torch
import torch

import heartprint
from heartprint.encoders.card import card
from heartprint.encoders.config import FOLDER_VERSION, EncoderConfig, ModelConfig, Sample
from heartprint.encoders.seen import Seen, SimulatedSource
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_folder, sha256_file, write_json, write_text
from heartprint.foundation.outputs import Output, refuse_foreign

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
SEEN_FILE = "seen.safetensors"
SAMPLE_FILE = "sample_sheet.png"
CARD_FILE = "README.md"
CHECKSUMS_FILE = "CHECKSUMS"
"""Lines of ``sha256sum``, so that ``sha256sum -c CHECKSUMS`` checks a folder without Heartprint."""

CHECKED_FILES = (CONFIG_FILE, WEIGHTS_FILE, SEEN_FILE, SAMPLE_FILE, CARD_FILE)

MODEL_OUTPUT = Output(
    what="an encoder or model folder",
    code="output-not-a-model",
    marker=CONFIG_FILE,
    names=(*CHECKED_FILES, CHECKSUMS_FILE, "distance.safetensors"),
)

_SOURCES = "simulated"
"""Key of the simulated sources in the header of `SEEN_FILE`."""

Config = EncoderConfig | ModelConfig
C = TypeVar("C", EncoderConfig, ModelConfig)


def write_folder(
    folder: Path,
    config: C,
    state: dict[str, torch.Tensor],
    seen: Seen,
    sheet: npt.NDArray[np.uint8],
    expected: tuple[float, ...],
    *,
    card_text: str = "",
) -> Path:
    """Write a folder, all of it or nothing.

    Args:
        folder: Where to.
        config: Description; weights hash, versions and sample are filled in.
        state: Contiguous tensors on the CPU.
        seen: Who took part.
        sheet: ``(S, S)`` uint8 sample sheet.
        expected: What the sample sheet gives.
        card_text: What a person has written for the card, in Markdown.

    Raises:
        HeartprintError: ``output-not-a-model``, ``output-has-other-files`` or ``disk-full``.
    """
    refuse_foreign(folder, MODEL_OUTPUT)
    with atomic_folder(folder) as new:
        safetensors.torch.save_file(state, new / WEIGHTS_FILE)
        complete = config.model_copy(
            update={
                "weights_sha256": sha256_file(new / WEIGHTS_FILE),
                "versions": _versions(),
                "sample": Sample(sheet=SAMPLE_FILE, expected=expected),
            }
        )
        write_json(new / CONFIG_FILE, complete.model_dump(mode="json"))
        sources = json.dumps([dataclasses.asdict(source) for source in seen.simulated])
        safetensors.numpy.save_file(
            {"patients": seen.patients, "ecgs": seen.ecgs},
            new / SEEN_FILE,
            {_SOURCES: sources} if seen.simulated else None,
        )
        (new / SAMPLE_FILE).write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
        half = any(value.dtype == torch.float16 for value in state.values())
        write_text(new / CARD_FILE, card(complete, half=half, by_source=bool(seen.simulated), text=card_text))
        lines = [f"{sha256_file(new / name)}  {name}\n" for name in CHECKED_FILES]
        write_text(new / CHECKSUMS_FILE, "".join(lines))
        for file in new.iterdir():
            file.chmod(0o644)  # safetensors lets nobody but the owner read: an installed encoder is for everybody
    return folder


def recipe_in(folder: Path) -> dict[str, Any] | None:
    """What a folder says of how it was made, by the names of `recipe_of`; None if it cannot be read."""
    try:
        raw = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        kinds: dict[str, type[Config]] = {"encoder": EncoderConfig, "model": ModelConfig}
        return recipe_of(kinds[raw["kind"]].model_validate(raw))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def recipe_of(config: Config) -> dict[str, Any]:
    """What decides an encoder or a model, by the names that people know; the weights themselves are not in it."""
    if isinstance(config, ModelConfig):
        tuned = config.finetuning
        own: dict[str, Any] = {
            "task": config.task.name,
            "definition": config.task.to_json(),
            "cohort": tuned.cohort.name,
            "labels": tuned.n_labels,
            **{name: getattr(tuned, name) for name in ("mode", "seed", "draw")},
            **tuned.settings,
        }
        return {"kind": "model", **own, **{f"encoder's {k}": v for k, v in recipe_of(config.encoder).items()}}
    stages = [stage.model_dump(mode="json", exclude={"after"}) for stage in config.stages]
    return {
        "kind": "encoder",
        "backbone": config.backbone,
        "image_size": config.image_size,
        "pretraining": [stage["method"] for stage in stages] or config.initial_weights,
        "seed": stages[0]["seed"] if stages else config.initial_seed,
        "cohort": stages[0]["cohort"]["name"] if stages else None,
        "settings": stages,
    }


def read_config(folder: Path) -> Config:
    """Check a folder's files against its checksums and read its description.

    Raises:
        HeartprintError: ``model-missing``, ``not-a-model``, ``model-incomplete``, ``model-version`` or
            ``model-damaged``.
    """
    if not folder.is_dir():
        raise HeartprintError(
            "model-missing",
            f"There is no encoder or model folder at {folder}. Make one with 'heartprint pretrain' or "
            "'heartprint finetune'.",
        )
    names = (*CHECKED_FILES, CHECKSUMS_FILE)
    absent = [name for name in names if not (folder / name).is_file()]
    if CONFIG_FILE in absent and WEIGHTS_FILE in absent:
        raise _not_a_model(folder)
    if CONFIG_FILE not in absent:
        # Before the other files: another version may well have other files.
        raw = _parse(folder)
        if raw["format_version"] != FOLDER_VERSION:
            raise HeartprintError(
                "model-version",
                f"{folder} has model format {raw['format_version']}; this Heartprint reads format {FOLDER_VERSION}. "
                "Install the version of Heartprint that wrote it, or train it again with this one.",
            )
    if absent:
        raise HeartprintError(
            "model-incomplete", f"{folder} is not whole: {', '.join(absent)} is missing. Copy or train it again."
        )
    for name, expected in _checksums(folder).items():
        if sha256_file(folder / name) != expected:
            raise damaged(folder, f"the checksum of {name} is wrong")
    kinds: dict[str, type[Config]] = {"encoder": EncoderConfig, "model": ModelConfig}
    kind = kinds.get(str(raw["kind"]))
    if kind is None:
        raise _not_a_model(folder)
    try:
        config = kind.model_validate(raw)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise damaged(folder, f"its {CONFIG_FILE} cannot be read ({where}: {first['msg']})") from error
    if config.weights_sha256 != _checksums(folder)[WEIGHTS_FILE]:
        raise damaged(folder, f"its {CONFIG_FILE} belongs to other weights")
    return config


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a folder that `read_config` has checked, as they are stored (float16 or float32)."""
    try:
        return safetensors.torch.load_file(folder / WEIGHTS_FILE)
    except safetensors.SafetensorError as error:
        raise damaged(folder, f"{WEIGHTS_FILE} cannot be read") from error


def read_seen(folder: Path) -> Seen:
    """Read who took part, from a folder that `read_config` has checked."""
    try:
        lists = safetensors.numpy.load_file(folder / SEEN_FILE)
        with safetensors.safe_open(folder / SEEN_FILE, framework="numpy") as file:
            sources = json.loads((file.metadata() or {}).get(_SOURCES, "[]"))
        return Seen(
            patients=lists["patients"],
            ecgs=lists["ecgs"],
            simulated=tuple(SimulatedSource(**source) for source in sources),
        )
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise damaged(folder, f"{SEEN_FILE} cannot be read") from error


def read_sample(folder: Path) -> npt.NDArray[np.uint8]:
    """Read the sample sheet: ``(S, S)`` uint8."""
    sheet = cv2.imread(str(folder / SAMPLE_FILE), cv2.IMREAD_GRAYSCALE)
    if sheet is None:
        raise damaged(folder, f"{SAMPLE_FILE} cannot be read")
    return np.asarray(sheet, dtype=np.uint8)


def damaged(folder: Path, what: str) -> HeartprintError:
    """The error for a folder whose files are there but wrong."""
    return HeartprintError("model-damaged", f"{folder} is damaged: {what}. Copy it again from its source.")


def _not_a_model(folder: Path) -> HeartprintError:
    return HeartprintError(
        "not-a-model",
        f"{folder} is no encoder or model folder. Give the folder that 'heartprint pretrain' or "
        "'heartprint finetune' wrote.",
    )


def _parse(folder: Path) -> dict[str, object]:
    try:
        raw = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged(folder, f"its {CONFIG_FILE} is not JSON") from error
    if not isinstance(raw, dict) or not {"kind", "format_version"} <= raw.keys():
        raise _not_a_model(folder)
    return raw


def _checksums(folder: Path) -> dict[str, str]:
    lines = (folder / CHECKSUMS_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    found = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if set(found) != set(CHECKED_FILES):
        raise damaged(folder, f"{CHECKSUMS_FILE} does not name its files")
    return found


def _versions() -> dict[str, str]:
    return {
        "heartprint": heartprint.__version__,
        "python": platform.python_version(),
        # Not timm.__version__: importing timm takes seconds, and the small encoder does without it.
        **{package: importlib.metadata.version(package) for package in ("torch", "timm")},
    }
