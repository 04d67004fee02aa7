"""Where the sheet lies by the lead names on it: they stand at equal distances, to a millimetre, where edges err by ten.

Names tell how far apart rows and columns are, and so how high and wide what they fill is; a known layout tells it even
better. Where it begins, edges decide together with where names usually stand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heartprint.reading.layouts import LayoutMatch, steps_of, traced_box
from heartprint.reading.looks import Name
from heartprint.reading.plane import Sheet

_PULSE_ROOM_MM = (0.0, 10.0, 15.0)
"""What a sheet may be wider than its columns: calibration pulses."""
_PULSES_UNLIKELY = 0.7
"""Negative logarithm of how often sheets have some that their layout does not speak of."""
_NAME_MM = ((3.5, 2.0), (-5.0, 6.0))
"""How far the middle of a name usually stands from the beginning of its strip and from its baseline, and how much this
differs between machines."""
_LEAST_SPREAD_MM = 1.5
_FEWEST_NAMES = 6
_ONE_MORE = 0.6
"""A row whose name was not found is believed in where what was found is higher by so much of a row."""
_DOUBT = 0.3
"""Of how far an edge was moved, so much stays in doubt."""


def placed(sheet: Sheet, names: Sequence[Name], match: LayoutMatch | None) -> Sheet:
    """The sheet with the size that names, or its layout, give it.

    Args:
        sheet: What rows fill, as its edges were found.
        names: Lead names, at their places in mm from its upper left corner.
        match: Its layout; None = unknown.

    Returns:
        What rows fill, placed better; of a known layout, the whole of the layout.
    """
    if match is not None:
        sheet = _stretched(sheet, match.stretch)
    width, height = sheet.size_mm
    (dx, more_x), (dy, more_y) = _NAME_MM
    if match is not None:
        _, above, _, below = traced_box(match.layout)
        wide = _with_pulses(match.layout.width_mm, sheet)
        begin, across = _placed((0.0, width), sheet.spread_mm[::2], wide, match.shift_mm[0] - dx, more_x)
        top, down = _placed((0.0, height), sheet.spread_mm[1::2], below - above, match.shift_mm[1] - dy, more_y)
        size = (wide, match.layout.height_mm)
        return _moved(sheet, (begin, top - above), size, (across, down, across, down))
    at = np.array([name.at for name in names]).reshape(-1, 2)
    if len(at) < _FEWEST_NAMES:
        return sheet
    columns, rows = (steps_of(at[:, axis]) for axis in (0, 1))
    spread = list(sheet.spread_mm)
    begin, top = 0.0, 0.0
    if rows is not None and rows.count > 1:
        count = rows.count
        if height > rows.step * (count + _ONE_MORE):
            count = round(height / rows.step)
        usual = rows.first - dy - rows.step / 2
        top, spread[1] = _placed((0.0, height), sheet.spread_mm[1::2], rows.step * count, usual, more_y)
        spread[3], height = spread[1], rows.step * count
    if columns is not None and columns.count > 1:
        wide = _with_pulses(columns.length, sheet)
        if abs(wide - width) < _ONE_MORE * columns.step:
            # Without pulses the first names stand at the left edge; with them it is the edges that decide.
            trusted = more_x if wide == columns.length else 1e3
            begin, spread[0] = _placed((0.0, width), sheet.spread_mm[::2], wide, columns.first - dx, trusted)
            spread[2], width = spread[0], wide
    return _moved(sheet, (begin, top), (width, height), (spread[0], spread[1], spread[2], spread[3]))


def disagreement(before: Sheet, after: Sheet, match: LayoutMatch | None) -> float:
    """How much larger or smaller `placed` made a sheet than its edges were found, mm: the farther of both sides."""
    stretch, room = (1.0, 1.0), 0.0
    if match is not None:
        _, above, _, below = traced_box(match.layout)
        stretch, room = match.stretch, match.layout.height_mm - (below - above)
    return max(
        abs(after.size_mm[0] - stretch[0] * before.size_mm[0]),
        abs(after.size_mm[1] - room - stretch[1] * before.size_mm[1]),
    )


def _with_pulses(length: float, sheet: Sheet) -> float:
    """How wide a sheet is whose columns are so long: with room for pulses where edges say so more surely than not."""
    doubt = float(np.hypot(*np.maximum(sheet.spread_mm[::2], _LEAST_SPREAD_MM)))

    def unlikely(room: float) -> float:
        return ((sheet.size_mm[0] - length - room) / doubt) ** 2 / 2 + (_PULSES_UNLIKELY if room else 0.0)

    return length + min(_PULSE_ROOM_MM, key=unlikely)


def _placed(
    edges: tuple[float, float], spread: tuple[float, ...], size: float, usual: float, differs: float
) -> tuple[float, float]:
    """Where what has a known size begins, and how sure that is, mm.

    Args:
        edges: Where it was found to begin and to end.
        spread: How sure either is.
        size: Its size.
        usual: Where it begins if names stand where they usually do.
        differs: How sure that is.
    """
    said = np.array([edges[0], edges[1] - size, usual])
    weights = 1 / np.maximum([spread[0], spread[1], differs], _LEAST_SPREAD_MM) ** 2
    begin = float((weights * said).sum() / weights.sum())
    # Where both edges are off against each other, it is not known which of them is.
    return begin, max(float(weights.sum()) ** -0.5, _DOUBT * abs(said[1] - said[0]) / 2)


def _stretched(sheet: Sheet, stretch: tuple[float, float]) -> Sheet:
    width, height = sheet.size_mm
    size = (width * stretch[0], height * stretch[1])
    return Sheet(np.diag([*stretch, 1.0]) @ sheet.mm_from_picture, size, sheet.spread_mm)


def _moved(
    sheet: Sheet,
    origin: tuple[float, float],
    size: tuple[float, float],
    spread: tuple[float, float, float, float],
) -> Sheet:
    shift = np.array([[1.0, 0.0, -origin[0]], [0.0, 1.0, -origin[1]], [0.0, 0.0, 1.0]])
    return Sheet(shift @ sheet.mm_from_picture, size, spread)
