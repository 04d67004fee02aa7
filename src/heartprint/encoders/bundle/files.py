"""The files of an encoder or model folder: written whole, checked when read, nothing pickled."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
import re
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import pydantic
import safetensors
import safetensors.numpy
import safetensors.torch
import torch

import heartprint
from heartprint.cohorts.tasks import AnyTask
from heartprint.encoders.bundle.config import FOLDER_VERSION, EncoderConfig, ModelConfig, Sample
from heartprint.encoders.bundle.distance import Distance, read_distance, save_distance
from heartprint.encoders.bundle.heads import from_disk, to_disk
from heartprint.encoders.bundle.model_card import card
from heartprint.encoders.bundle.sane import oddity, unlisted
from heartprint.encoders.bundle.seen_patients import Seen, SimulatedSource
from heartprint.encoders.bundle.tensor_file import read_header
from heartprint.encoders.networks.encoder import Encoder
from heartprint.foundation.arrays import Image
from heartprint.foundation.bounded import MAX_TEXT_BYTES, BadFile, parse_json, plain_size, read_json, read_plain
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
DISTANCE_FILE = "distance.safetensors"
OPTIONAL_FILES = (DISTANCE_FILE,)
"""Files that a folder may lack; where one is there, `CHECKSUMS_FILE` names it."""

_MAX_BYTES = {WEIGHTS_FILE: 2**28, SEEN_FILE: 2**28, DISTANCE_FILE: 2**28}
"""The largest network here has 43 MB, 2^28 bytes list 33 million patients and ECGs and hold the distance of embeddings
of 8,000 numbers; all else is text or a sheet."""
_WEIGHT_TYPES = ("F32", "F16", "I64")
_DIGEST = re.compile("[0-9a-f]{64}")
_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

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
KINDS: dict[str, type[Config]] = {"encoder": EncoderConfig, "model": ModelConfig}
_MUST_SAY = ("layouts", "baseline", "labels_learned")
"""What has a default in memory and must not have one in the ``config.json`` of an encoder."""
_SEEN_SOURCES = pydantic.TypeAdapter(tuple[SimulatedSource, ...])


def write_folder(
    folder: Path,
    config: C,
    state: dict[str, torch.Tensor],
    seen: Seen,
    sheet: Image,
    expected: tuple[float, ...],
    *,
    distance: Distance | None = None,
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
        distance: How unlike the sheets that the encoder knows a picture is.
        card_text: What a person has written for the card, in Markdown.

    Raises:
        HeartprintError: ``output-not-a-model``, ``output-has-other-files`` or ``disk-full``.
    """
    refuse_foreign(folder, MODEL_OUTPUT)
    if (what := oddity(config)) is not None:
        raise HeartprintError("bad-config", f"{folder} cannot be written: of its description, {what}. Rename that.")
    if (what := unlisted(config, seen)) is not None:
        raise ValueError(f"the lists of who took part are not those of the configuration: {what}")
    with atomic_folder(folder) as new:
        safetensors.torch.save_file(state, new / WEIGHTS_FILE)
        complete = config.model_copy(
            update={
                "weights_sha256": sha256_file(new / WEIGHTS_FILE),
                "versions": _versions(),
                "sample": Sample(sheet=SAMPLE_FILE, expected=expected),
            }
        )
        description = complete.model_dump(mode="json")
        write_json(new / CONFIG_FILE, to_disk(description) if isinstance(complete, ModelConfig) else description)
        sources = json.dumps([dataclasses.asdict(source) for source in seen.simulated])
        safetensors.numpy.save_file(
            {"patients": seen.patients, "ecgs": seen.ecgs},
            new / SEEN_FILE,
            {_SOURCES: sources} if seen.simulated else None,
        )
        (new / SAMPLE_FILE).write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
        if distance is not None:
            save_distance(distance, new / DISTANCE_FILE)
        half = any(value.dtype == torch.float16 for value in state.values())
        text = card(complete, half=half, by_source=bool(seen.simulated), distance=distance, text=card_text)
        write_text(new / CARD_FILE, text)
        written = [name for name in (*CHECKED_FILES, *OPTIONAL_FILES) if (new / name).is_file()]
        write_text(new / CHECKSUMS_FILE, checksum_lines(new, written))
        for file in new.iterdir():
            file.chmod(0o644)  # safetensors lets nobody but the owner read: an installed encoder is for everybody
    return folder


def checksum_lines(folder: Path, names: Iterable[str]) -> str:
    """What `CHECKSUMS_FILE` of a folder says of these files of it."""
    return "".join(f"{sha256_file(folder / name)}  {name}\n" for name in names)


def recipe_in(folder: Path) -> dict[str, Any] | None:
    """What a folder says of how it was made, by the names of `recipe_of`; None if it cannot be read."""
    try:
        raw = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        return recipe_of(KINDS[raw["kind"]].model_validate(from_disk(raw) if raw["kind"] == "model" else raw))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def recipe_of(config: Config) -> dict[str, Any]:
    """What decides an encoder or a model, by the names that people know; the weights themselves are not in it."""
    if isinstance(config, ModelConfig):
        tuned = config.finetuning
        own: dict[str, Any] = {
            **tasks_of([head.task for head in config.heads]),
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


def tasks_of(tasks: Sequence[AnyTask]) -> dict[str, Any]:
    """What a recipe says of the tasks of a model."""
    definitions = [task.to_json() for task in tasks]
    return {
        "task": ", ".join(task.name for task in tasks),
        "definition": definitions[0] if len(definitions) == 1 else definitions,
    }


def read_config(folder: Path) -> Config:
    """Check a folder's files against its checksums and read its description.

    Raises:
        HeartprintError: ``model-missing``, ``not-a-model``, ``model-incomplete``, ``model-version``,
            ``model-damaged`` or ``unknown-backbone``.
    """
    raw = read_description(folder)
    _refuse_version(folder, raw["format_version"])
    checked = check_files(folder)
    kind = KINDS.get(str(raw["kind"]))
    if kind is None:
        raise _not_a_model(folder)
    if kind is ModelConfig:
        raw = from_disk(raw)
    elif lacking := [name for name in _MUST_SAY if name not in raw]:
        raise damaged(folder, f"its {CONFIG_FILE} does not say {', '.join(lacking)}")
    try:
        # As JSON, whose lists may become tuples while "1", 1.0 and true are no whole numbers.
        config = kind.model_validate_json(json.dumps(raw), strict=True)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise damaged(folder, f"its {CONFIG_FILE} cannot be read ({where[:200]}: {first['msg']})") from error
    except HeartprintError as error:
        raise damaged(folder, f"its {CONFIG_FILE} cannot be read ({error.message.rstrip('.')})") from error
    if (what := oddity(config)) is not None:
        raise damaged(folder, f"its {CONFIG_FILE} cannot be right: {what}")
    if config.weights_sha256 != checked[WEIGHTS_FILE]:
        raise damaged(folder, f"its {CONFIG_FILE} belongs to other weights")
    return config


def read_description(folder: Path) -> dict[str, object]:
    """Read ``config.json`` as it stands, of whatever version: some object with a kind and a version.

    Raises:
        HeartprintError: ``model-missing``, ``not-a-model``, ``model-incomplete`` or ``model-damaged``.
    """
    if not folder.is_dir():
        raise HeartprintError(
            "model-missing",
            f"There is no encoder or model folder at {folder}. Make one with 'heartprint pretrain' or "
            "'heartprint finetune'.",
        )
    if not _there(folder, CONFIG_FILE):
        raise _incomplete(folder, CONFIG_FILE) if _there(folder, WEIGHTS_FILE) else _not_a_model(folder)
    try:
        raw = read_json(folder / CONFIG_FILE)
    except BadFile as error:
        raise damaged(folder, f"its {CONFIG_FILE} {error}") from error
    if not isinstance(raw, dict) or not {"kind", "format_version"} <= raw.keys():
        raise _not_a_model(folder)
    return raw


def check_files(folder: Path) -> dict[str, str]:
    """Check that a folder's files are all there, plain files of sane size, and those that its checksums name.

    Returns:
        SHA-256 by name.

    Raises:
        HeartprintError: ``model-incomplete`` or ``model-damaged``.
    """
    absent = [name for name in (*CHECKED_FILES, CHECKSUMS_FILE) if not _there(folder, name)]
    if absent:
        raise _incomplete(folder, *absent)
    present = [*CHECKED_FILES, *(name for name in OPTIONAL_FILES if _there(folder, name))]
    for name in (*present, CHECKSUMS_FILE):
        try:
            plain_size(folder / name, _MAX_BYTES.get(name, MAX_TEXT_BYTES))
        except BadFile as error:
            raise damaged(folder, f"its {name} {error}") from error
    expected = _checksums(folder)
    for name in OPTIONAL_FILES:
        if (name in expected) != (name in present):
            raise damaged(folder, f"{name} is {'missing' if name in expected else f'not in its {CHECKSUMS_FILE}'}")
    if set(expected) != set(present):
        raise damaged(folder, f"{CHECKSUMS_FILE} does not name its files")
    for name, digest in expected.items():
        if sha256_file(folder / name) != digest:
            raise damaged(folder, f"the checksum of {name} is wrong")
    return expected


def _there(folder: Path, name: str) -> bool:
    return (folder / name).is_symlink() or (folder / name).exists()


def _incomplete(folder: Path, *absent: str) -> HeartprintError:
    return HeartprintError(
        "model-incomplete", f"{folder} is not whole: {', '.join(absent)} is missing. Copy or train it again."
    )


def _refuse_version(folder: Path, version: object) -> None:
    if type(version) is int and version == FOLDER_VERSION:
        return
    if type(version) is int and 1 <= version < FOLDER_VERSION:
        remedy = f"Bring it up to date with 'heartprint check {folder} --upgrade'."
    elif type(version) is int and version > FOLDER_VERSION:
        remedy = "Install a newer version of Heartprint."
    else:
        remedy = "No version of Heartprint wrote this; train it again."
    raise HeartprintError(
        "model-version",
        f"{folder} has model format {repr(version)[:40]}; this Heartprint reads format {FOLDER_VERSION}. {remedy}",
    )


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a folder that `read_config` has checked, as they are stored (float16 or float32).

    Raises:
        HeartprintError: ``model-damaged`` if they cannot be the weights of a network: other types, numbers that are
            not finite, variances below 0.
    """
    path = folder / WEIGHTS_FILE
    try:
        stored, _ = read_header(path, _MAX_BYTES[WEIGHTS_FILE])
        strange = [name for name, tensor in stored.items() if tensor.dtype not in _WEIGHT_TYPES]
        if strange:
            raise BadFile(f"stores '{strange[0][:60]}' as {stored[strange[0]].dtype}")
        state = safetensors.torch.load_file(path)
    except (BadFile, safetensors.SafetensorError) as error:
        raise damaged(folder, f"{WEIGHTS_FILE} cannot be read ({error})") from error
    for name, value in state.items():
        if not bool(torch.isfinite(value).all()):
            raise damaged(folder, f"its weights are not all finite numbers ({name[:60]})")
        if name.endswith("running_var") and bool((value < 0).any()):
            raise damaged(folder, f"a variance among its weights is negative ({name[:60]})")
    return state


def read_seen(folder: Path, config: Config) -> Seen:
    """Read who took part, from a folder that `read_config` has checked. In doubt it is refused, never taken as nobody.

    Raises:
        HeartprintError: ``model-damaged``.
    """
    path = folder / SEEN_FILE
    try:
        stored, notes = read_header(path, _MAX_BYTES[SEEN_FILE])
        if stored.keys() != {"patients", "ecgs"} or notes.keys() - {_SOURCES}:
            raise BadFile("does not hold the lists of patients and ECGs")
        if any(tensor.dtype != "U64" or len(tensor.shape) != 1 for tensor in stored.values()):
            raise BadFile("holds lists of another type")
        lists = safetensors.numpy.load_file(path)
        if any((values[1:] <= values[:-1]).any() for values in lists.values()):
            raise BadFile("holds lists that are not sorted")
        sources = _SEEN_SOURCES.validate_json(json.dumps(parse_json(notes.get(_SOURCES, "[]").encode())), strict=True)
    except (BadFile, safetensors.SafetensorError, pydantic.ValidationError) as error:
        raise damaged(folder, f"{SEEN_FILE} cannot be read ({str(error).splitlines()[0]})") from error
    seen = Seen(patients=lists["patients"], ecgs=lists["ecgs"], simulated=sources)
    if (what := unlisted(config, seen)) is not None:
        raise damaged(folder, f"{SEEN_FILE} does not name everybody: {what}")
    return seen


def read_sample(folder: Path, image_size: int) -> Image:
    """Read the sample sheet: ``(S, S)`` uint8, S being what the encoder reads.

    Raises:
        HeartprintError: ``model-damaged``.
    """
    try:
        content = read_plain(folder / SAMPLE_FILE, MAX_TEXT_BYTES)
        # Before a pixel is unpacked: some kilobytes of PNG can hold gigabytes.
        if content[:16] != _PNG_START or struct.unpack(">II", content[16:24]) != (image_size, image_size):
            raise BadFile(f"is not a PNG of {image_size} x {image_size} px")
    except (BadFile, struct.error) as error:
        raise damaged(folder, f"its {SAMPLE_FILE} {error}") from error
    sheet = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
    if sheet is None or sheet.shape != (image_size, image_size):
        raise damaged(folder, f"{SAMPLE_FILE} cannot be read")
    return np.asarray(sheet, dtype=np.uint8)


def read_known(folder: Path, encoder: Encoder) -> Distance | None:
    """Read the distance that belongs to an encoder, from a folder that `read_config` has checked; None without one."""
    if not (folder / DISTANCE_FILE).is_file():
        return None
    try:
        return read_distance(folder / DISTANCE_FILE, encoder)
    except ValueError as error:
        raise damaged(folder, f"{DISTANCE_FILE} {error}") from error


def damaged(folder: Path, what: str) -> HeartprintError:
    """The error for a folder whose files are there but wrong."""
    return HeartprintError("model-damaged", f"{folder} is damaged: {what}. Copy it again from its source.")


def _not_a_model(folder: Path) -> HeartprintError:
    return HeartprintError(
        "not-a-model",
        f"{folder} is not an encoder or model folder. Give the folder that 'heartprint pretrain' or "
        "'heartprint finetune' wrote.",
    )


def _checksums(folder: Path) -> dict[str, str]:
    lines = read_plain(folder / CHECKSUMS_FILE).decode("utf-8", errors="replace").splitlines()
    found = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if len(found) != len(lines) or not all(_DIGEST.fullmatch(digest) for digest in found.values()):
        raise damaged(folder, f"{CHECKSUMS_FILE} does not hold one checksum a line")
    return found


def _versions() -> dict[str, str]:
    return {
        "heartprint": heartprint.__version__,
        "python": platform.python_version(),
        # Not timm.__version__: importing timm takes seconds, and the small encoder does without it.
        **{package: importlib.metadata.version(package) for package in ("torch", "timm")},
    }
