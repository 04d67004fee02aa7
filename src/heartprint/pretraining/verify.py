"""Is the folder of a pretraining run sound, as far as that can be seen?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from heartprint.encoders.bundle.resolve import RUN_ENCODER
from heartprint.encoders.bundle.verify import verify_model
from heartprint.foundation.bounded import MAX_TEXT_BYTES, BadFile, plain_size
from heartprint.foundation.checks import Check
from heartprint.foundation.config import load_config
from heartprint.foundation.errors import HeartprintError
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.readout import READOUT_FILE, Readout
from heartprint.pretraining.run_folder import CHECKPOINTS, CONFIG_FILE, NOTE_FILE, TARGETS_FILE, read_note
from heartprint.pretraining.targets import Targets
from heartprint.training.checkpoint import checkpoints, read_checkpoint


def verify_run(folder: str | Path) -> Iterator[Check]:
    """Check a run folder: settings, notes, every checkpoint, targets, and the encoder if it is written.

    Args:
        folder: The run.

    Yields:
        One check after the other.
    """
    folder = Path(folder)
    try:
        plain_size(folder / CONFIG_FILE, MAX_TEXT_BYTES)
        config = load_config(folder / CONFIG_FILE, [], PretrainConfig)
        yield Check("settings", True, f"{config.method.name} with {config.backbone} at {config.image_size} px")
    except (BadFile, FileNotFoundError) as error:
        yield Check.failed("settings", _not_a_run(folder, CONFIG_FILE, error))
    except HeartprintError as error:
        yield Check.failed("settings", error)
    note, finished, n_ecgs = None, False, None
    try:
        note = read_note(folder)
        finished, n_ecgs = note["status"] == "finished", note["cohort"]["n_ecgs"]
        yield Check("notes", True, f"{note['status']}, learns from {n_ecgs:,} ECGs of '{note['cohort']['name']}'")
    except (OSError, ValueError) as error:
        yield Check.failed("notes", _not_a_run(folder, NOTE_FILE, error))
    for path in checkpoints(folder / CHECKPOINTS):
        try:
            found = read_checkpoint(path)
            yield Check(path.name, True, f"step {found.step:,}, {len(found.tensors)} tensors agree with their checksum")
        except HeartprintError as error:
            yield Check.failed(path.name, error)
    if (folder / TARGETS_FILE).exists():
        try:
            targets = Targets.load(folder / TARGETS_FILE)
            yield Check("targets", True, f"{len(targets.names)} numbers of {len(targets.values):,} ECGs")
        except HeartprintError as error:
            yield Check.failed("targets", error)
    if (folder / READOUT_FILE).exists():
        try:
            yield Check("readout", True, f"reads {len(Readout.load(folder / READOUT_FILE).names)} numbers")
        except HeartprintError as error:
            yield Check.failed("readout", error)
    if (folder / RUN_ENCODER).exists() or finished:
        for check in verify_model(folder / RUN_ENCODER):
            yield check._replace(name=f"encoder {check.name}")


def _not_a_run(folder: Path, name: str, error: Exception) -> HeartprintError:
    return HeartprintError(
        "not-a-run", f"{folder / name} cannot be read ({error}). Copy the run again from its source, or repeat it."
    )
