"""The pictures in a file: one of a photograph or scan, one for each page of a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.pictures import Picture, count_pages, read_picture
from heartprint.readers.formats import FORMATS, detect

LONGEST_SIDE = 2400
"""Px along the longer side to which pictures are shrunk before they are read: a sheet that fills the picture then has
8 px a millimetre and more, twice what its lines need."""
MAX_PAGES = 999
"""Most pages of a file; what has more is an archive, or lies."""

_GIVES_UP_AFTER = 3  # pages one after the other that cost all the time or memory that there is
_COSTLY = ("too-slow", "too-much-memory", "unreadable-file")


@dataclass(frozen=True, eq=False)
class PictureIn:
    """One page of a file.

    Attributes:
        page: Its number, from 1.
        n_pages: How many the file has.
        picture: The picture; None where there is none.
        error: Why there is none.
    """

    page: int
    n_pages: int
    picture: Picture | None
    error: HeartprintError | None = None


def pictures_in(
    path: Path, *, longest_side: int = LONGEST_SIDE, wanted: Callable[[int, int], bool] = lambda page, n_pages: True
) -> Iterator[PictureIn]:
    """Open a file's pages one after the other, each within the limits of `read_picture`; every page gives an answer.

    Args:
        path: The file, of any kind that `read_picture` opens.
        longest_side: Most px along the longer side.
        wanted: Says of a page and the number of pages whether it is to be opened, where there are several.

    Yields:
        The pages, in order. One without a picture if the file cannot be opened, has more than `MAX_PAGES`, or holds a
        waveform. After three pages in a row that cost all the time or memory that a page may take the rest is not
        opened, and says so.
    """
    try:
        yield PictureIn(1, 1, read_picture(path, longest_side=longest_side))
        return
    except HeartprintError as error:
        if error.code != "several-pages":
            yield PictureIn(1, 1, None, _of_waveform(path, error))
            return
    try:
        n = count_pages(path)
        if n > MAX_PAGES:
            raise HeartprintError(
                "too-many-pages",
                f"{path.name} has more than {MAX_PAGES:,} pages. Split it, and leave out what is no ECG.",
            )
    except HeartprintError as error:
        yield PictureIn(1, 1, None, error)
        return
    in_vain = 0
    for page in (page for page in range(1, n + 1) if wanted(page, n)):
        if in_vain >= _GIVES_UP_AFTER:
            yield PictureIn(page, n, None, _not_tried(path))
            continue
        try:
            yield PictureIn(page, n, read_picture(path, page=page, longest_side=longest_side))
            in_vain = 0
        except HeartprintError as error:
            in_vain = in_vain + 1 if error.code in _COSTLY else 0
            yield PictureIn(page, n, None, error)


def waveform_format(path: Path) -> str | None:
    """The format of a file of samples, for people; None if it is none."""
    try:
        name = detect(path)
    except HeartprintError:
        return None
    return None if name is None else FORMATS[name].title


def _of_waveform(path: Path, error: HeartprintError) -> HeartprintError:
    """A better word for what is no picture because it holds an ECG's samples."""
    title = waveform_format(path) if error.code in ("unknown-format", "no-image") else None
    if title is None:
        return error
    return HeartprintError(
        "holds-waveform",
        f"{path.name} is no picture: it holds the samples of an ECG ({title}) and needs no reading. Give it to "
        "'heartprint predict' as it is, or take it in with 'heartprint ingest files'.",
    )


def _not_tried(path: Path) -> HeartprintError:
    return HeartprintError(
        "too-slow",
        f"The pages of {path.name} before this one took all the time or memory that a page may take, so it was not "
        "tried. Export the file again.",
    )
