"""What every kind of picture is held to: limits, pages, how deep grey becomes eight bits, and what counts as blank."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]

MAX_BYTES = 256 * 2**20
"""Largest file that is opened."""
MAX_PIXELS = 50 * 2**20
"""Most pixels of a picture, by its header: a page of A4 at 600 dpi has 35 million."""
STRIP = 256
"""Rows that are made grey at a time: of the largest pictures there cannot be two in memory."""
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""

_STRAY = 1e-4  # share of pixels that may be brighter than white: dead pixels of a scanner
_INK = 1e-3  # of a page of 1,200 px, a single lead in a line of one pixel has more
_SURROUNDINGS = 31  # px
_JUST_VISIBLE = 4  # of 255 levels; JPEG leaves one or two on an empty page
_NOISE = 4.5  # standard deviations that noise does not reach in a thousandth of the pixels


class Refused(Exception):
    """A picture that is not taken: a reason code and a sentence."""


def check_pixels(name: str, width: float, height: float) -> None:
    """Refuse a picture (``image-too-large``) by the size that its header claims, in px."""
    if width * height > MAX_PIXELS:
        raise Refused(
            "image-too-large",
            f"{name} says that it has {width:,} x {height:,} px; up to {MAX_PIXELS / 1e6:.0f} million are read. "
            "Export it smaller, or check that it is a picture of an ECG.",
        )


def chosen_page(name: str, page: int | None, n_pages: int, *, or_more: bool = False) -> int:
    """Index of the page to take, of pages that are numbered from 1.

    Args:
        name: For the message.
        page: What the row says, or None.
        n_pages: How many there are.
        or_more: Whether more may follow, which were not counted.

    Raises:
        Refused: ``several-pages`` if none is named and there are several, or ``no-such-page``.
    """
    if page is None and n_pages > 1:
        many = f"{n_pages:,} pages or more" if or_more else f"{n_pages:,} pages"
        raise Refused(
            "several-pages", f"{name} has {many}. Name the one to take in a column 'page', with a row for each."
        )
    if page is not None and not 1 <= page <= n_pages:
        pages = "1 page" if n_pages == 1 else f"{n_pages:,} pages"
        raise Refused("no-such-page", f"{name} has {pages}, and no page {page}. Correct the column 'page'.")
    return (page or 1) - 1


def shrunk(grey: Grey, longest_side: int) -> Grey:
    """Average over areas until the longer side has at most so many pixels; the shape keeps its proportions."""
    import cv2

    height, width = grey.shape
    if max(height, width) <= longest_side:
        return np.ascontiguousarray(grey)
    scale = longest_side / max(height, width)
    target = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(grey, target, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def highest_level(levels: npt.NDArray[np.integer]) -> int:
    """The level that hardly any pixel exceeds (one in 10,000), of ``(h, w)`` or ``(h, w, 3)`` whole numbers >= 0."""
    counts = np.zeros(1, dtype=np.int64)
    for top in range(0, len(levels), STRIP):
        more = np.bincount(levels[top : top + STRIP].reshape(-1))
        longer = np.zeros(max(len(counts), len(more)), dtype=np.int64)
        longer[: len(counts)] += counts
        longer[: len(more)] += more
        counts = longer
    brighter = np.cumsum(counts[::-1])[::-1]
    return int(np.flatnonzero(brighter > _STRAY * levels.size)[-1])


def white_of(highest: int, bits: int) -> int:
    """The level that is white, in pictures of more than eight bits.

    Machines write 10 or 12 bits into 16 and say 16, or nothing: what they use is told by the highest level. Fewer than
    eight bits are not believed, for a black page would be made bright by its noise.

    Args:
        highest: See `highest_level`.
        bits: How many the file states.
    """
    used = max(highest.bit_length(), 1)
    return (1 << (max(used, 8) if bits > 8 else max(used, bits))) - 1


def is_blank(grey: Grey) -> bool:
    """Whether hardly any pixel (one in 1,000) differs from its surroundings by more than noise does.

    Faint lines count if they differ by more than 4 of 255 levels and 4.5 standard deviations of the noise, or if they
    still differ by 4 levels when each pixel is averaged with its neighbours, in which noise vanishes. What changes
    slowly, such as the light of a photograph, does not count.

    Args:
        grey: ``(h, w)`` as it is kept.
    """
    import cv2

    size = min(_SURROUNDINGS, *(max(1, side - 1 + side % 2) for side in grey.shape))
    apart = cv2.subtract(grey, cv2.blur(grey, (size, size)), dtype=cv2.CV_16S)
    return _hardly_any(apart, max(_JUST_VISIBLE, _NOISE * _noise(grey))) and _hardly_any(
        cv2.blur(apart, (3, 3)), _JUST_VISIBLE
    )


def _hardly_any(apart: npt.NDArray[Any], least: float) -> bool:
    return bool(np.count_nonzero(np.abs(apart) > least) < _INK * apart.size)


def _noise(grey: Grey) -> float:
    """Standard deviation of the noise, in levels, from the median of second differences along the rows."""
    if grey.shape[1] < 3:
        return 0.0
    rows = grey.astype(np.int16)
    second = np.abs(2 * rows[:, 1:-1] - rows[:, :-2] - rows[:, 2:])
    # A normal variable's median magnitude is 0.6745 standard deviations; the difference has sqrt(6) of them.
    return float(np.median(second)) / 0.6745 / 6**0.5
