"""Is an encoder or model folder whole, sound, and does it still read what it read when it was written?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from heartprint.encoders.bundle.config import ModelConfig
from heartprint.encoders.bundle.files import check_files, read_config, read_seen, read_weights
from heartprint.encoders.bundle.folder import load_encoder, load_model
from heartprint.foundation.checks import Check
from heartprint.foundation.errors import HeartprintError


def verify_model(folder: str | Path) -> Iterator[Check]:
    """Check an encoder or model folder: description, checksums, weights, who took part, and the sample sheet.

    Args:
        folder: The folder.

    Yields:
        One check after the other; where one fails that the next ones build upon, it is the last.
    """
    folder = Path(folder)
    name = "files"
    try:
        config = read_config(folder)
        model = isinstance(config, ModelConfig)
        yield Check(name, True, f"{len(check_files(folder))} files agree with their checksums")
        kind = "model" if model else "encoder"
        yield Check("description", True, f"{kind}, format {config.format_version}: all its values can be")
        name = "weights"
        weights = read_weights(folder)
        n = sum(value.numel() for value in weights.values())
        yield Check(name, True, f"{n:,} finite numbers in {len(weights)} tensors")
        name = "seen"
        seen = read_seen(folder, config)
        sources = f", {len(seen.simulated)} simulated sources" if seen.simulated else ""
        yield Check(name, True, f"{len(seen.patients):,} patients and {len(seen.ecgs):,} ECGs{sources}")
        name = "sample"
        (load_model if model else load_encoder)(folder, verify=True)
        yield Check(name, True, "the sample sheet is drawn and read as it was when the folder was written")
    except HeartprintError as error:
        yield Check.failed(name, error)
