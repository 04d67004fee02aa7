"""Where the sheet lies by what a close look tells: baselines, the ends of strips and lead names stand to a millimetre.

Rows tell how high what they fill is, borders how wide; where some cannot be seen, equal steps of rows, columns or names
and, best of all, a known layout tell where they would be. Edges as they are told from afar, to some millimetres, decide
what none of these knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.reading.arrangement import NAME_DIFFERS_MM, Grid, agreeing_shift, grid_of
from heartprint.reading.close_look import CloseLook, Lines
from heartprint.reading.layouts import NAME_MM, LayoutMatch, Steps, steps_of, traced_box
from heartprint.reading.plane import Sheet, mapped
from heartprint.sheets.registry import get_layout

_PULSE_ROOM_MM = (0.0, 10.0, 15.0)
"""What a sheet may be wider than its columns: calibration pulses."""
_PULSE_MM, _NEAR_MM = 15.0, 3.0
"""The most of it, and how far a line may be off."""
_ASTRAY_MM = 7.0
"""Of a known layout, what says that it begins farther than this from where its names begin speaks of something else."""
_PULSES_UNLIKELY = 0.7
"""Negative logarithm of how often sheets have some that their layout does not speak of."""
_BORDER_MM = 4.0
_LEAST_SPREAD_MM = 1.0
_ONE_MORE = 0.6
"""A row that was not found is believed in where what was found is higher by so much of a row."""
_DOUBT = 0.3
"""Of how far two ways of telling an edge are apart, so much stays in doubt."""
_SEEN_SPREAD = 2.0
"""How many times farther off than its votes scatter a line may be."""
_EITHER = 0.4
"""Of how far two borders are apart that were seen instead of one, so much is in doubt."""
_OTHER = 4.0
"""Ways of telling that are farther from the best of them than so many of their spreads tell something else."""


@dataclass(frozen=True)
class _Told:
    """Where an edge is, by one way of telling, how sure that is, and what it may be instead, mm.

    Attributes:
        at: Where it is.
        spread: How far it may be off.
        doubt: The same if it was taken for something else: that does not make other ways of telling surer.
    """

    at: float
    spread: float
    doubt: float = 0.0


def placed(sheet: Sheet, close: CloseLook, match: LayoutMatch | None, hidden: Sequence[bool]) -> Sheet:
    """The sheet as a close look, or its layout, places it.

    Args:
        sheet: What rows fill, as its edges were found from afar.
        close: What a close look told, in mm from its upper left corner.
        match: Its layout; None = unknown.
        hidden: `at_border` of the sheet.

    Returns:
        What rows fill, placed better; of a known layout, the whole of the layout.
    """
    if match is not None:
        return _placed_by_layout(_stretched(sheet, match.stretch), close.stretched(match.stretch), match)
    grid = grid_of(close)
    left, right = _across(sheet, close, hidden, grid)
    top, bottom = _down(sheet, close, hidden, grid)
    if min(right.at - left.at, bottom.at - top.at) < 10.0:
        return sheet
    spread = (left.spread, top.spread, right.spread, bottom.spread)
    return _moved(sheet, (left.at, top.at), (right.at - left.at, bottom.at - top.at), spread)


def at_border(sheet: Sheet, picture_size: tuple[int, ...]) -> tuple[bool, ...]:
    """Of the left, upper, right and lower edge, whether the picture shows no more than a few mm beyond it.

    There may have been more of the sheet.
    """
    width, height = sheet.size_mm
    along = np.linspace(0.1, 0.9, 9)
    x, y, room = along * width, along * height, _BORDER_MM
    outside = []
    for points in (
        np.stack([np.full(9, -room), y], 1),
        np.stack([x, np.full(9, -room)], 1),
        np.stack([np.full(9, width + room), y], 1),
        np.stack([x, np.full(9, height + room)], 1),
    ):
        outside.append(bool(visible(sheet, picture_size, points).mean() < 0.5))
    return tuple(outside)


def visible(sheet: Sheet, picture_size: tuple[int, ...], points_mm: Float64Array) -> npt.NDArray[np.bool_]:
    """Which places on a sheet, ``(n, 2)`` mm, are in the picture."""
    at = mapped(np.linalg.inv(sheet.mm_from_picture), points_mm)
    return np.asarray(((at >= 0) & (at <= (picture_size[1], picture_size[0]))).all(-1))


def may_go_on(close: CloseLook, match: LayoutMatch | None, hidden: Sequence[bool]) -> tuple[bool, ...]:
    """Of the left, upper, right and lower edge, whether the sheet may go on beyond the picture, for all that is known.

    A layout says where it ends, unless others fit as well that end elsewhere; but beyond a border there may be
    calibration pulses, which are a machine's and not a layout's. Above the first lead of a usual order there is
    nothing; below the last row there may always be rhythm strips.
    """
    if match is None:
        return hidden[0], hidden[1] and grid_of(close).dealt is None, hidden[2], hidden[3]
    others = [get_layout(name) for name in match.alike]
    higher = any(other.height_mm > match.layout.height_mm + 1.0 for other in others)
    wider = not match.layout.pulses or any(other.width_mm > match.layout.width_mm + 1.0 for other in others)
    return hidden[0] and wider, False, hidden[2] and wider, hidden[3] and higher


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


def _placed_by_layout(sheet: Sheet, close: CloseLook, match: LayoutMatch) -> Sheet:
    layout = match.layout
    width, height = sheet.size_mm
    (dx, dy), (more_x, more_y) = NAME_MM, NAME_DIFFERS_MM
    _, above, _, below = traced_box(layout)
    about = match.shift_mm[0] - dx
    begins = agreeing_shift(close.columns.at, sorted({s.left_mm for s in layout.strips if s.left_mm > 1.0}), about)
    left, right = (_seen(lines) for lines in (close.left, close.right))
    if layout.pulses:
        # Of a machine that leaves pulses out, their room cannot be seen: what begins may be pulses, or strips.
        wide = layout.width_mm
        guess = about if begins is None else begins
        left = _nearest(left, (0.0, min(s.left_mm for s in layout.strips)), guess)
        right = _nearest(right, (wide, max(s.right_mm for s in layout.strips)), guess)
    else:
        seen_width = None if left is None or right is None else _Told(right.at - left.at, left.spread + right.spread)
        wide = _with_pulses(layout.width_mm, sheet, seen_width)
        right = None if right is None else _less(right, wide)
    room = wide - layout.width_mm
    ways = [_Told(0.0, sheet.spread_mm[0]), _Told(width - wide, sheet.spread_mm[2])]
    ways += [way for way in (left, right) if way is not None]
    if room > 0:  # pulses stand on one side: on which, names tell against the edges
        side = min((0.0, room), key=lambda before: abs(about - before - _best(ways).at))
        about -= side
        begins = None if begins is None else begins - side
    # Names know which lead begins where: an edge elsewhere is none, but where the picture ends.
    ways = [way for way in ways if abs(way.at - (about if begins is None else begins)) <= _ASTRAY_MM]
    ways.append(_Told(about, more_x))
    ways += [] if begins is None else [_Told(begins, _LEAST_SPREAD_MM)]
    begin = _best(ways)

    if match.row_shift_mm is not None:
        # Baselines say it to a millimetre; what edges say from afar has been heard when they were counted.
        top = _Told(match.row_shift_mm - above, _LEAST_SPREAD_MM)
    else:
        usual = match.shift_mm[1] - dy - above
        top = _best(
            [_Told(-above, sheet.spread_mm[1]), _Told(height - below, sheet.spread_mm[3]), _Told(usual, more_y)]
        )
    spread = (begin.spread, top.spread, begin.spread, top.spread)
    return _moved(sheet, (begin.at, top.at), (wide, layout.height_mm), spread)


def _across(sheet: Sheet, close: CloseLook, hidden: Sequence[bool], grid: Grid) -> tuple[_Told, _Told]:
    """The left and the right edge of a sheet of unknown layout."""
    width = sheet.size_mm[0]
    afar = _Told(0.0, sheet.spread_mm[0]), _Told(width, sheet.spread_mm[2])
    left, right = _seen(close.left), _seen(close.right)
    if left is not None and right is not None and not (hidden[0] or hidden[2]):
        return _best([afar[0], left]), _best([afar[1], right])
    begins = [afar[0]] if left is None else [afar[0], left]
    ends = [afar[1]] if right is None else [afar[1], right]
    columns = grid.columns
    if columns is None:
        return _best(begins), _best(ends)
    told = grid.dealt is not None and (hidden[0] or hidden[2])
    if told:
        # There are as many columns as leads need. A border that is seen elsewhere than at their first or last one is
        # none: it is where the picture ends.
        assert grid.dealt is not None
        columns = Steps(columns.first - grid.dealt.first_column * columns.step, columns.step, grid.dealt.columns)
        begins = [] if left is None or abs(left.at - columns.first) > _PULSE_MM + _NEAR_MM else [left]
        end = columns.first + columns.length
        ends = [] if right is None or abs(right.at - end) > _PULSE_MM + _NEAR_MM else [right]
    # As wide as its columns, or wider by a pulse; what is seen of one edge tells where the other is.
    wide = _with_pulses(columns.length, sheet)
    if told and begins and not ends:
        wide = columns.length + min(_PULSE_ROOM_MM, key=lambda room: abs(columns.first - begins[0].at - room))
    elif told:
        wide = columns.length
        if begins and ends:
            return _best(begins), _best(ends)
    elif abs(wide - (_best(ends).at - _best(begins).at)) >= _ONE_MORE * columns.step:
        return _best(begins), _best(ends)
    begins += [_less(end, wide) for end in ends]
    if wide == columns.length:
        begins.append(_Told(columns.first, grid.first_spread))
    begin = _best(begins)
    return begin, _Told(begin.at + wide, begin.spread)


def _down(sheet: Sheet, close: CloseLook, hidden: Sequence[bool], grid: Grid) -> tuple[_Told, _Told]:
    """The upper and the lower edge of a sheet of unknown layout."""
    height = sheet.size_mm[1]
    afar = _Told(0.0, sheet.spread_mm[1]), _Told(height, sheet.spread_mm[3])
    rows, spread = _rows(close.rows.at), _LEAST_SPREAD_MM
    if rows is None:
        # Rows that were seen say too little: those of names, which stand at some distance from baselines.
        rows, spread = grid.rows, NAME_DIFFERS_MM[1]
        if rows is None or rows.count < 2:
            return afar
    top, bottom = rows.first - rows.step / 2, rows.first + (rows.count - 0.5) * rows.step
    # Rows beyond the picture: those that leads need, or where the edges are farther away by most of a row.
    above = max(round((top - afar[0].at) / rows.step - _ONE_MORE + 0.5), 0) if hidden[1] else 0
    below = max(round((afar[1].at - bottom) / rows.step - _ONE_MORE + 0.5), 0) if hidden[3] else 0
    if grid.dealt is not None and grid.rows is not None:
        if hidden[1]:
            # Some of the rows above the first name may be seen, though their names were not read.
            seen = round((grid.rows.first - rows.first) / rows.step)
            above = max(grid.dealt.first_row - seen, 0)
        if hidden[3]:
            below = max(below, grid.dealt.rows - above - rows.count)
    top, bottom = top - above * rows.step, bottom + below * rows.step
    high = bottom - top
    ways = [] if above else [afar[0]]
    ways += [] if below else [_Told(afar[1].at - high, afar[1].spread)]
    begin = _best([*ways, _Told(top, spread)])
    return begin, _Told(begin.at + high, begin.spread)


def _rows(baselines: Float64Array) -> Steps | None:
    """Equal steps through baselines, or what comes nearest to it where they are not equal."""
    if len(baselines) < 2:
        return None
    even = steps_of(baselines)
    if even is not None:
        return even if even.count > 1 else None
    step = float(np.median(np.diff(baselines)))
    count = max(round(float(baselines[-1] - baselines[0]) / step), 1) + 1
    return Steps(float(baselines[0]), float(baselines[-1] - baselines[0]) / (count - 1), count)


def _less(way: _Told, mm: float) -> _Told:
    return _Told(way.at - mm, way.spread, way.doubt)


def _nearest(way: _Told | None, places: Sequence[float], guess: float) -> _Told | None:
    """Where a layout begins, from what may stand at one of several places of it: the one that fits a guess best."""
    if way is None:
        return None
    return min((_less(way, place) for place in places), key=lambda one: abs(one.at - guess))


def _seen(lines: Lines) -> _Told | None:
    """The border that was seen; where two were, the likelier one, in doubt between them."""
    if not len(lines):
        return None
    best = int(lines.votes.argmax())
    spread = max(_SEEN_SPREAD * float(lines.spread[best]), _LEAST_SPREAD_MM)
    return _Told(float(lines.at[best]), spread, _EITHER * float(np.ptp(lines.at)))


def _best(ways: Sequence[_Told]) -> _Told:
    """What the surest way tells, and the others that do not tell something else, by their sureness."""
    surest = min(ways, key=lambda way: way.spread)
    agreeing = [
        way for way in ways if abs(way.at - surest.at) <= _OTHER * max(way.spread, surest.spread, _LEAST_SPREAD_MM)
    ]
    weights = np.array([1 / max(way.spread, _LEAST_SPREAD_MM) ** 2 for way in agreeing])
    at = float(np.average([way.at for way in agreeing], weights=weights))
    # Of ways that nearly are as sure, how far they are apart says more than what each says of itself.
    peers = [way for way in ways if way.spread < 3 * max(surest.spread, _LEAST_SPREAD_MM)]
    apart = max(abs(way.at - at) for way in peers)
    doubt = max(way.doubt for way in agreeing)
    return _Told(at, max(float(weights.sum()) ** -0.5, _DOUBT * apart, doubt))


def _with_pulses(length: float, sheet: Sheet, seen: _Told | None = None) -> float:
    """How wide a sheet is whose columns are so long: with room for pulses where edges say so more surely than not."""
    doubt = float(np.hypot(*np.maximum(sheet.spread_mm[::2], 1.5 * _LEAST_SPREAD_MM)))
    width = sheet.size_mm[0]
    if seen is not None:
        width, doubt = seen.at, max(seen.spread, _LEAST_SPREAD_MM)

    def unlikely(room: float) -> float:
        return ((width - length - room) / doubt) ** 2 / 2 + (_PULSES_UNLIKELY if room else 0.0)

    return length + min(_PULSE_ROOM_MM, key=unlikely)


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
