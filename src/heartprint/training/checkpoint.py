"""Checkpoints: safetensors and JSON, on disk as a whole or not at all, checked when they are read."""

from __future__ import annotations

import os
import shutil
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from heartprint.foundation.bounded import plain_size, read_json
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_folder, sha256_file, write_json
from heartprint.training.distributed import Distributed

STATE_FILE = "state.safetensors"
NOTE_FILE = "checkpoint.json"
KEPT = 2
_VERSION = 1
_MAX_STATE_BYTES = 2**34
_PREFIX = "step-"


@dataclass(frozen=True)
class Checkpoint:
    """A training between two steps.

    Attributes:
        step: Steps done.
        tensors: State of all that learns.
        seconds: Time spent so far, s.
    """

    step: int
    tensors: dict[str, Tensor]
    seconds: float


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint and remove all but the last two.

    The older ones are removed only after the new one lies safely on the disk.

    Args:
        folder: Folder of the training's checkpoints.
        checkpoint: What to keep.

    Raises:
        HeartprintError: ``disk-full``; the older checkpoints stay.
    """
    target = folder / f"{_PREFIX}{checkpoint.step:08d}"
    with atomic_folder(target) as new:
        safetensors.torch.save_file(checkpoint.tensors, new / STATE_FILE)
        note = {
            "format_version": _VERSION,
            "step": checkpoint.step,
            "seconds": round(checkpoint.seconds, 3),
            "sha256": sha256_file(new / STATE_FILE),
        }
        write_json(new / NOTE_FILE, note)
        for path in (new / STATE_FILE, new / NOTE_FILE, new):
            _flush(path)
    _flush(folder)
    for old in checkpoints(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_latest(folder: Path, group: Distributed | None = None) -> Checkpoint | None:
    """Read the latest whole checkpoint; a damaged one is passed over with a sentence.

    Args:
        folder: Folder of the training's checkpoints, as the main process sees it.
        group: Processes that resume together. The main one reads and sends: the others may see another disk.

    Returns:
        None if there is no checkpoint yet.

    Raises:
        HeartprintError: ``checkpoint-damaged`` if there are checkpoints and none is whole.
    """
    if group is None or group.world_size == 1:
        return _load_latest(folder)
    found = group.run_on_main(_load_latest, folder)
    head = struct.Struct("<qd")
    data = group.broadcast(
        head.pack(found.step, found.seconds) + safetensors.torch.save(found.tensors) if found else b""
    )
    if not data:
        return None
    step, seconds = head.unpack_from(data)
    return Checkpoint(step, safetensors.torch.load(data[head.size :]), seconds)


def _load_latest(folder: Path) -> Checkpoint | None:
    for torn in folder.glob(f".{_PREFIX}*"):
        shutil.rmtree(torn, ignore_errors=True)
    folders = checkpoints(folder)
    for path in reversed(folders):
        try:
            return _read(path)
        except _DAMAGED as error:
            print(f"heartprint: checkpoint {path} is damaged ({error}); trying the one before.", file=sys.stderr)
    if folders:
        raise HeartprintError(
            "checkpoint-damaged",
            f"No checkpoint in {folder} is whole. Start the run again in a new folder.",
        )
    return None


_DAMAGED = (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint.

    Raises:
        HeartprintError: ``checkpoint-damaged``.
    """
    try:
        return _read(path)
    except _DAMAGED as error:
        raise HeartprintError(
            "checkpoint-damaged", f"The checkpoint {path} is damaged ({error}). Delete it, and resume the run."
        ) from error


def _read(path: Path) -> Checkpoint:
    note: dict[str, Any] = read_json(path / NOTE_FILE)
    if type(note["format_version"]) is not int or note["format_version"] != _VERSION:
        raise ValueError(f"format {note['format_version']!r}, not {_VERSION}")
    step, seconds = note["step"], note["seconds"]
    if type(step) is not int or type(seconds) not in (int, float) or min(step, seconds) < 0:
        raise ValueError("its step or time is not a number of steps or seconds")
    plain_size(path / STATE_FILE, _MAX_STATE_BYTES)
    if sha256_file(path / STATE_FILE) != note["sha256"]:
        raise ValueError("its checksum is wrong")
    tensors = safetensors.torch.load_file(path / STATE_FILE)
    strange = [name for name, value in tensors.items() if not bool(torch.isfinite(value).all())]
    if strange:
        raise ValueError(f"'{strange[0]}' in it is not finite")
    return Checkpoint(step, tensors, float(seconds))


def checkpoints(folder: Path) -> list[Path]:
    """Folders of the checkpoints in a folder, the earliest first."""
    return sorted(path for path in folder.glob(f"{_PREFIX}*") if path.is_dir())


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
