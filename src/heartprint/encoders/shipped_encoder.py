"""The encoder that comes with the package: an encoder folder like any other, found by the name ``heartprint``."""

from __future__ import annotations

import contextlib
import importlib.resources
import tempfile
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from heartprint.encoders.folder_files import CHECKED_FILES, CHECKSUMS_FILE, CONFIG_FILE
from heartprint.foundation.errors import HeartprintError

SHIPPED = "heartprint"
"""Its name wherever an encoder is asked for."""


def location() -> Traversable:
    """Where the package keeps it; it need not be there."""
    return importlib.resources.files("heartprint.encoders").joinpath("shipped")


def is_shipped() -> bool:
    """Whether this installation has it."""
    return location().joinpath(CONFIG_FILE).is_file()


@contextlib.contextmanager
def shipped_folder() -> Iterator[Path]:
    """Give the shipped folder as a path; what is wrong with it is told with the remedy for an installation.

    Raises:
        HeartprintError: ``shipped-encoder-missing``, and what the block raises.
    """
    source = location()
    if not is_shipped():
        raise HeartprintError(
            "shipped-encoder-missing",
            f"This installation of Heartprint lacks the encoder '{SHIPPED}' (there is none at {source}). Install the "
            "package again (pip install --force-reinstall --no-deps heartprint), or name another encoder: a run "
            f"folder, an encoder folder (./{SHIPPED} if that is what it is called), 'imagenet' or 'random'.",
        )
    with contextlib.ExitStack() as stack:
        if isinstance(source, Path):
            folder = source
        else:
            # Inside a zip file. importlib.resources.as_file gives out folders from Python 3.12 on only.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heartprint-")))
            for name in (*CHECKED_FILES, CHECKSUMS_FILE):
                if (file := source.joinpath(name)).is_file():
                    (folder / name).write_bytes(file.read_bytes())
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
