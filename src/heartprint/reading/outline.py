"""Where the sheet ends, told by where cells stop showing it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.reading.network import CELL
from heartprint.reading.plane import Sheet, mapped

_OWN_MM = 2.5
"""How far an edge that is seen is usually off."""
_ROUNDS = 2
_SOME = 0.25
"""A row or column of cells is of the sheet if it shows so much of what the fullest one shows."""
_DISAGREE = 0.3
"""Of the distance between what two ways say, so much is in doubt."""


def outline(share: Float64Array) -> Float64Array | None:
    """The rectangle that the sheet fills in an upright view.

    From the middle outwards the shares of sheet of all cells are added up, row by row; the median of the rows is where
    it ends. That is finer than a cell, because the share of a cell that an edge divides is between 0 and 1.

    Args:
        share: ``(h, w)`` how surely each cell shows the sheet, 0-1.

    Returns:
        Left, top, right, bottom, px of the view; None if nothing is there.
    """
    rows, columns = (np.flatnonzero(share.mean(axis) > _SOME * share.mean(axis).max()) for axis in (1, 0))
    if share.max() <= 0 or not len(rows) or not len(columns):
        return None
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    for _ in range(_ROUNDS):
        across, down = share[_slice(top, bottom)], share[:, _slice(left, right)]
        middle_x, middle_y = int(left + right) // 2, int(top + bottom) // 2
        left = middle_x - float(np.median(across[:, :middle_x].sum(1)))
        right = middle_x + float(np.median(across[:, middle_x:].sum(1)))
        top = middle_y - float(np.median(down[:middle_y].sum(0)))
        bottom = middle_y + float(np.median(down[middle_y:].sum(0)))
    return np.array([left, top, right, bottom]) * CELL


def _slice(begin: float, end: float) -> slice:
    first = max(round(begin), 0)
    return slice(first, max(round(end), first + 1))


def with_outline(
    sheet: Sheet,
    share: Float64Array,
    to_view: npt.NDArray[np.floating],
    picture_size: tuple[int, ...],
) -> Sheet:
    """A sheet whose edges were told from afar, set right where its outline is seen in the picture.

    Args:
        sheet: As cells said how far its edges are.
        share: See `outline`.
        to_view: ``(3, 3)`` from px of the picture to px of the view.
        picture_size: Height and width, px.
    """
    found = outline(share)
    if found is None:
        return sheet
    left, top, right, bottom = found
    back = np.linalg.inv(to_view)
    to_mm = sheet.mm_from_picture @ back
    x, y = (left + right) / 2, (top + bottom) / 2
    said = mapped(to_mm, np.array([(left, y), (x, top), (right, y), (x, bottom)]))
    height, width = picture_size[:2]
    now = (0.0, 0.0, *sheet.size_mm)
    edges, spread = list(now), list(sheet.spread_mm)
    along = np.linspace(0.1, 0.9, 9)
    for edge in range(4):
        axis = edge % 2
        across = found[edge] + (-1 if edge < 2 else 1) * CELL
        run = (top + along * (bottom - top)) if axis == 0 else (left + along * (right - left))
        beyond = np.stack([np.full(9, across), run][:: 1 if axis == 0 else -1], axis=-1)
        at = mapped(back, beyond)
        if ((at >= 0) & (at <= (width, height))).all(-1).mean() < 0.5:
            continue  # cut off by the picture's edge: what lies beyond was not seen
        place = float(said[edge, axis])
        trust, own = 1 / max(spread[edge], 1.0) ** 2, 1 / _OWN_MM**2
        edges[edge] = (trust * now[edge] + own * place) / (trust + own)
        spread[edge] = max((trust + own) ** -0.5, _DISAGREE * abs(place - now[edge]))
    shift = np.array([[1.0, 0.0, -edges[0]], [0.0, 1.0, -edges[1]], [0.0, 0.0, 1.0]])
    size = (edges[2] - edges[0], edges[3] - edges[1])
    if min(size) <= 10.0:
        return sheet
    return Sheet(shift @ sheet.mm_from_picture, size, (spread[0], spread[1], spread[2], spread[3]))
