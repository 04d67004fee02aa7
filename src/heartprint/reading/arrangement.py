"""How leads are dealt to columns: there are twelve of them, so what is seen tells what lies beyond the picture."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heartprint.foundation.arrays import Float64Array
from heartprint.reading.close_look import CloseLook
from heartprint.reading.layouts import FEWEST_NAMES, NAME_MM, Steps, grouped, steps_of
from heartprint.reading.looks import Name
from heartprint.sheets.lead_order import ORDERS

NAME_DIFFERS_MM = (2.0, 6.0)
"""How much `NAME_MM` differs between machines."""
_SEEN_MM = 1.0
"""How far off a line is that was seen."""
_SURE = 0.7
_MANY_OF_ONE = 4
"""Names of one lead, where few other leads have one, that make a page of rhythm strips."""
_NEARLY_ALL = 0.85
"""Share of the strips whose names must have been read for those without a strip to be missing."""
_MOST_RHYTHM, _MOST_NAMES = 3, 16
"""Rhythm strips that a page has at most, each with a lead that stands twice; and names, of which one may be misread."""
_FEWEST_STRIPS, _NAMED = 10, 0.6
"""Of fewer strips, of which so many have a name that was read and is another's nowhere, some leads are missing."""
_EVERY = len(next(iter(ORDERS.values())))
_FEWEST = 5
"""Names that an arrangement must explain to be believed,"""
_MOST_WRONG = 0.2
"""and the share of names that it may not explain."""


@dataclass(frozen=True)
class Arrangement:
    """An order of leads, dealt to columns one after the other, as all usual layouts do.

    Attributes:
        columns: How many there are.
        rows: Leads in each.
        first_column: Which of them is the first that names were seen in.
        first_row: Which of its rows is the first that names were seen in.
        explained: How many names it explains; one that may be misread, V1 for V4, by half.
    """

    columns: int
    rows: int
    first_column: int
    first_row: int
    explained: float


def arrangement_of(names: Sequence[Name], column: Sequence[int], row: Sequence[int]) -> Arrangement | None:
    """Find the one arrangement that explains names.

    Args:
        names: Lead names that were read.
        column: The column of each, counted from the first in which there are some.
        row: The row of each, likewise.

    Returns:
        None if no arrangement explains them, or several do that differ in what is not seen.
    """
    if len(names) < _FEWEST:
        return None
    seen = {(c, r): name.lead for name, c, r in zip(names, column, row, strict=True)}
    # Rows in which the first column alone has a name may be rhythm strips, whose leads follow no order.
    wide = {r for c, r in seen if c > 0}
    dealt = {place for place in seen if not wide or place[1] in wide}
    # Limb leads come first as a rule: they are last only if that explains more.
    tiers = [_explained(orders, dealt, seen) for orders in _orders()]
    found = max(tiers, key=lambda tier: max((one.explained for one in tier), default=0))
    most = max((one.explained for one in found), default=0)
    winners = {one for one in found if one.explained == most}
    return winners.pop() if len(winners) == 1 else None


def _explained(
    orders: Sequence[tuple[str, ...]], dealt: set[tuple[int, int]], seen: dict[tuple[int, int], str]
) -> list[Arrangement]:
    """All arrangements in some orders that explain most of the names in some places."""
    scored: list[Arrangement] = []
    for order, rows in itertools.product(orders, (1, 2, 3, 4, 6, 12)):
        columns = _EVERY // rows
        for first_column, first_row in itertools.product(range(columns), range(rows)):
            right = wrong = 0.0
            for c, r in dealt:
                k, i = c + first_column, r + first_row
                if k < columns and i < rows:
                    like = _alike(order[k * rows + i], seen[c, r])
                    right, wrong = right + like, wrong + 1 - like
                else:  # of one column, what lies below may be rhythm strips
                    wrong += k >= columns or columns > 1
            if right >= _FEWEST and wrong <= _MOST_WRONG * (right + wrong):
                scored.append(Arrangement(columns, rows, first_column, first_row, right))
    return scored


def _alike(lead: str, read: str) -> float:
    """1 if a name was read rightly, a half if its last letter or digit was not."""
    if lead == read:
        return 1.0
    families = [one.rstrip("I") if set(one) == {"I"} else one[:-1] for one in (lead, read)]
    return 0.5 if families[0] == families[1] else 0.0


def _orders() -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The usual ones, and those with precordial leads first."""
    plain = [tuple(lead.removeprefix("-") for lead in order) for order in ORDERS.values()]
    return plain, [(*order[6:], *order[:6]) for order in plain]


@dataclass(frozen=True)
class Grid:
    """Rows and columns of names.

    Attributes:
        columns: Where strips begin.
        first_spread: How sure the first of them is, mm.
        rows: Baselines as names tell them: to some millimetres, all alike.
        dealt: How leads are dealt to them; None = not told.
    """

    columns: Steps | None
    first_spread: float
    rows: Steps | None
    dealt: Arrangement | None


def grid_of(close: CloseLook) -> Grid:
    """Rows and columns of the names that a close look read."""
    if len(close.names) < FEWEST_NAMES:
        return Grid(None, np.inf, None, None)
    at = np.array([one.at for one in close.names])
    (dx, dy), (spread, _) = NAME_MM, NAME_DIFFERS_MM
    columns, rows = steps_of(at[:, 0]), steps_of(at[:, 1])
    dealt = arrangement_of(close.names, _numbered(at[:, 0]), _numbered(at[:, 1]))
    if columns is not None:
        begins = Steps(columns.first - dx, columns.step, columns.count)
        shift = agreeing_shift(
            close.columns.at, [columns.step * k for k in range(columns.count)], begins.first, within=4.0
        )
        columns = begins if shift is None else Steps(shift, columns.step, columns.count)
        spread = spread if shift is None else _SEEN_MM
    if rows is not None:
        rows = Steps(rows.first - dy, rows.step, rows.count)
    return Grid(columns, spread, rows, dealt)


def not_twelve(close: CloseLook, width_mm: float, hidden: Sequence[bool]) -> bool:
    """Whether what was seen is plainly no page of one ECG's twelve leads.

    Args:
        close: What a close look told, in mm from the sheet's upper left corner.
        width_mm: Of the sheet.
        hidden: Of the left, upper, right and lower edge, whether the sheet may go on beyond the picture there.
    """
    count = Counter(name.lead for name in close.names if name.sure > _SURE)
    if sum(count.values()) > _MOST_NAMES and sum(often > 1 for often in count.values()) > _MOST_RHYTHM:
        return True  # two ECGs: more leads stand twice than a page has rhythm strips
    if len(close.rows) == 1 and len(count) < 2 and not (hidden[1] or hidden[3]):
        return True
    if max(count.values(), default=0) >= _MANY_OF_ONE and len(count) <= _MOST_RHYTHM:
        return True  # many rows of one lead
    if not any(hidden) and _all_named_and_fewer(close):
        return True
    strips = len(close.rows) * (len(close.columns) + 1)
    if 0 < strips < _FEWEST_STRIPS and _NAMED * strips <= len(count) <= strips:
        return True
    grid = grid_of(close)
    if grid.dealt is None or grid.columns is None:
        return False
    # Leads that would stand in a column for which there is no room between edges that were seen.
    room = (width_mm - grid.columns.first) / grid.columns.step
    before, behind = grid.dealt.first_column, grid.dealt.columns - grid.dealt.first_column - grid.columns.count
    no_room_behind = room < grid.columns.count + 0.5
    no_room_before = grid.columns.first < 0.5 * grid.columns.step
    return bool((behind > 0 and no_room_behind and not hidden[2]) or (before > 0 and no_room_before and not hidden[0]))


def _all_named_and_fewer(close: CloseLook) -> bool:
    """Whether nearly all strips that there are have a name that was read, and are fewer than twelve."""
    if len(close.names) < FEWEST_NAMES:
        return False
    at = np.array([one.at for one in close.names])
    columns, rows = np.array(_numbered(at[:, 0])), np.array(_numbered(at[:, 1]))
    if len(close.rows) != len(set(rows.tolist())) or len(close.columns) > columns.max():
        return False  # there are rows or columns of which no name was read
    # Rows in which the first column alone has a name are rhythm strips, unless there is but one column.
    dealt = [r for r in set(rows.tolist()) if columns.max() == 0 or (columns[rows == r] > 0).any()]
    strips = len(dealt) * (int(columns.max()) + 1)
    leads = {name.lead for name, r in zip(close.names, rows.tolist(), strict=True) if r in dealt}
    return strips < _EVERY and _NEARLY_ALL * strips <= len(leads) <= strips


def _numbered(places: Float64Array) -> list[int]:
    """Which row, or column, each place is in, from 0; one of which nothing was read between two others counts."""
    middles, group = grouped(places)
    if len(middles) < 2:
        return [0] * len(places)
    # The usual distance is that of most; where two are twice as far apart, one between them was not read.
    steps = np.diff(middles)
    number = np.concatenate([[0], np.cumsum(np.maximum(np.round(steps / np.median(steps)), 1))])
    return [int(one) for one in number[group]]


def agreeing_shift(found: Float64Array, expected: Sequence[float], about: float, within: float = 8.0) -> float | None:
    """By how much places that were found lie beyond those expected: the shift near ``about`` that most agree on."""
    if not len(found) or not len(expected):
        return None
    shifts = (found[:, None] - np.asarray(expected)[None]).ravel()
    shifts = shifts[np.abs(shifts - about) <= within]
    if not len(shifts):
        return None
    agreeing = np.abs(shifts[:, None] - shifts[None]) <= 2.0
    return float(np.median(shifts[agreeing[int(agreeing.sum(1).argmax())]]))
