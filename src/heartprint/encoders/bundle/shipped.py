"""The encoders that come with the package: encoder folders like any other, found by name."""

from __future__ import annotations

import contextlib
import importlib.resources
import tempfile
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from heartprint.encoders.bundle.files import CHECKED_FILES, CHECKSUMS_FILE, CONFIG_FILE, OPTIONAL_FILES
from heartprint.foundation.errors import HeartprintError

SHIPPED = "heartprint"
"""The one that is taken where none is named: for clean sheets."""

SHIPPED_NAMES = (SHIPPED, "heartprint-photo")
"""Their names wherever an encoder is asked for; ``heartprint-photo`` reads photographs, scans and more layouts."""

SHIPPED_OR = ", ".join(f"'{name}'" for name in SHIPPED_NAMES)
"""The names for a sentence."""


def location(name: str) -> Traversable:
    """Where the package keeps one of them; it need not be there."""
    return importlib.resources.files("heartprint.encoders").joinpath("shipped").joinpath(name)


def is_shipped(name: str) -> bool:
    """Whether this installation has it."""
    return location(name).joinpath(CONFIG_FILE).is_file()


@contextlib.contextmanager
def shipped_folder(name: str) -> Iterator[Path]:
    """Give a shipped folder as a path; what is wrong with it is told with the remedy for an installation.

    Args:
        name: One of `SHIPPED_NAMES`.

    Raises:
        HeartprintError: ``shipped-encoder-missing``, and what the block raises.
    """
    source = location(name)
    if not is_shipped(name):
        raise HeartprintError(
            "shipped-encoder-missing",
            f"This installation of Heartprint lacks the encoder '{name}' (there is none at {source}). Install the "
            "package again (pip install --force-reinstall --no-deps heartprint), or name another encoder: a run "
            f"folder, an encoder folder (./{name} if that is what it is called), 'imagenet' or 'random'.",
        )
    with contextlib.ExitStack() as stack:
        if isinstance(source, Path):
            folder = source
        else:
            # Inside a zip file. importlib.resources.as_file gives out folders from Python 3.12 on only.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heartprint-")))
            for part in (*CHECKED_FILES, *OPTIONAL_FILES, CHECKSUMS_FILE):
                if (file := source.joinpath(part)).is_file():
                    (folder / part).write_bytes(file.read_bytes())
        try:
            yield folder
        except HeartprintError as error:
            if not error.code.startswith("model-"):
                raise
            raise HeartprintError(
                error.code,
                f"{error.message} This is the encoder that came with Heartprint: install the package again "
                "(pip install --force-reinstall --no-deps heartprint).",
            ) from error
