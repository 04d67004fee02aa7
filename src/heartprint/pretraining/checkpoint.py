"""Checkpoints: safetensors and JSON, on disk as a whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_folder, sha256_file, write_json

STATE_FILE = "state.safetensors"
NOTE_FILE = "checkpoint.json"
KEPT = 2
_VERSION = 1
_PREFIX = "step-"
_HEAD = "<qd"


@dataclass(frozen=True)
class Checkpoint:
    """A run between two steps.

    Attributes:
        step: Steps done.
        tensors: State of the learner.
        seconds: Time spent so far, s.
    """

    step: int
    tensors: dict[str, Tensor]
    seconds: float

    def to_bytes(self) -> bytes:
        """The checkpoint for a process that does not see its folder."""
        return struct.pack(_HEAD, self.step, self.seconds) + safetensors.torch.save(self.tensors)

    @classmethod
    def told(cls, data: bytes) -> Checkpoint | None:
        """What `to_bytes` said; None of no bytes."""
        if not data:
            return None
        step, seconds = struct.unpack_from(_HEAD, data)
        return cls(step, safetensors.torch.load(data[struct.calcsize(_HEAD) :]), seconds)


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint and remove all but the last two.

    The older ones are removed only after the new one lies safely on the disk.

    Args:
        folder: The run's ``checkpoints`` folder.
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
    for old in _folders(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_latest(folder: Path) -> Checkpoint | None:
    """Read the latest whole checkpoint; a damaged one is passed over with a sentence.

    Returns:
        None if there is no checkpoint yet.

    Raises:
        HeartprintError: ``checkpoint-damaged`` if there are checkpoints and none is whole.
    """
    for torn in folder.glob(f".{_PREFIX}*"):
        shutil.rmtree(torn, ignore_errors=True)
    folders = _folders(folder)
    for path in reversed(folders):
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
            print(f"heartprint: checkpoint {path} is damaged ({error}); trying the one before.", file=sys.stderr)
    if folders:
        raise HeartprintError(
            "checkpoint-damaged",
            f"No checkpoint in {folder} is whole. Start the run again in a new folder.",
        )
    return None


def _read(path: Path) -> Checkpoint:
    note: dict[str, Any] = json.loads((path / NOTE_FILE).read_text(encoding="utf-8"))
    if note["format_version"] != _VERSION:
        raise ValueError(f"format {note['format_version']}, not {_VERSION}")
    if sha256_file(path / STATE_FILE) != note["sha256"]:
        raise ValueError("its checksum is wrong")
    return Checkpoint(int(note["step"]), safetensors.torch.load_file(path / STATE_FILE), float(note["seconds"]))


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"{_PREFIX}*") if path.is_dir())


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
