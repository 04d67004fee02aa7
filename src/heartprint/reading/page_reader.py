"""A reader as it is used on files: made in any process, it breaks on no picture and speaks in px of the file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

import numpy as np

from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.pictures import Picture
from heartprint.reading.answer import Hints, ReadPage, Reason


class PageReader(Protocol):
    """What reads pages; `heartprint.reading.reader.Reader` is the one that comes with Heartprint."""

    @property
    def version(self) -> str:
        """Changes whenever the same picture may be read otherwise than before."""
        ...

    def read(self, image: Image, hints: Hints = ...) -> ReadPage:
        """Read ``(h, w)`` uint8, white = 255."""
        ...


ReaderMaker = Callable[[], PageReader]
"""Makes a reader, in any process: it is pickled by its name."""


def shipped_reader() -> PageReader:
    """The reader that comes with Heartprint."""
    from heartprint.reading.reader import Reader

    return Reader()


@lru_cache(maxsize=2)
def made(make: ReaderMaker) -> PageReader:
    """The reader of this process."""
    return make()


def read_one(reader: PageReader, picture: Picture, hints: Hints | None = None) -> ReadPage:
    """Read a picture; whatever goes wrong in the reader becomes an answer too.

    Args:
        reader: The reader.
        picture: The picture, shrunk or not.
        hints: What is known by hand; corners in px of the picture before it was shrunk.

    Returns:
        The answer, with all places in px of the picture before it was shrunk.
    """
    began = time.perf_counter()
    height, width = picture.pixels.shape
    shrunk = np.array([width / picture.original[1], height / picture.original[0]])
    hints = hints or Hints()
    if hints.corners is not None:
        hints = replace(hints, corners=hints.corners * shrunk)
    try:
        return _in_original(reader.read(picture.pixels, hints), picture.original, shrunk)
    except HeartprintError as error:
        return failed(error)
    except Exception as error:
        # A picture that nobody thought of must not cost the other ten thousand.
        return replace(failed(broke(error)), size=picture.original, seconds=time.perf_counter() - began)


def broke(error: Exception) -> HeartprintError:
    """What is said where the reader, or what draws its answer, broke."""
    shown = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
    return HeartprintError(
        "reading-failed",
        f"The reader broke on this picture ({shown}). Please report it, with the picture if it may be shown.",
    )


def failed(error: HeartprintError) -> ReadPage:
    """The answer where there is no picture, or none that could be read."""
    return ReadPage("failed", (Reason(error.code, error.message, refuses=True),))


def _in_original(page: ReadPage, original: tuple[int, int], shrunk: np.ndarray) -> ReadPage:
    matrix = page.homography if page.homography is None else page.homography @ np.diag([*shrunk, 1.0])
    if matrix is not None and matrix[2, 2]:
        matrix = matrix / matrix[2, 2]
    scale = float(shrunk.mean())
    return replace(
        page,
        homography=matrix,
        corners=None if page.corners is None else page.corners / shrunk,
        px_per_mm=None if page.px_per_mm is None else (page.px_per_mm[0] / scale, page.px_per_mm[1] / scale),
        size=original,
    )
