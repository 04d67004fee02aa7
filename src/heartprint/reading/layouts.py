"""Which layout a sheet has: the lead names that were found, held against every layout that is known."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.reading.looks import Name
from heartprint.sheets.layout import Layout
from heartprint.sheets.registry import LAYOUTS, get_layout

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, mm."""

NEAR_MM = 4.0
"""A name is where a layout has it if it is within this, once all have been shifted alike."""
NAME_MM = (3.5, -5.0)
"""How far the middle of a name usually stands from the beginning of its strip and from its baseline."""
_NAMES_DIFFER_MM = 12.0
"""How much the latter differs between machines."""
_ROW_MM = 1.5
"""A baseline is one of a layout if it is within this."""
_LEAST_ROWS, _ROWS_WEIGH = 0.88, 0.3
"""Share of the baselines that a layout must explain, and how much those weigh that it does not."""
_ALIKE = 0.05
"""A layout that explains baselines less well by more is another one."""
_SIZE_MM = 30.0
"""A sheet's size may be found so far off: names tell layouts apart, edges only which of two that fit."""
_MISFIT_MM, _MISFIT = 36.0, 0.1
"""A layout whose size is as far off as this loses so much of its score: what two names say weighs as much."""
_LEAST = 0.7
"""Share of names that must be where a layout has them for it to be named."""
FEWEST_NAMES = 6
"""Names that tell a layout, or rows and columns."""
_SAME_MM = 4.0
"""Names that differ by less stand in one row, or column."""
_EVEN_MM, _EVEN = 2.0, 0.08
"""Rows and columns are at equal distances within this, and within this share of their distance."""
_STRETCH = 0.15
"""Logarithm of how far a scale may be off that no grid has told."""


@dataclass(frozen=True)
class LayoutMatch:
    """A layout, and how well it explains what is printed.

    Attributes:
        layout: The layout.
        score: 0-1: share of the names in place, both of those found and of those expected.
        shift_mm: How far the layout's origin lies from the sheet's, x and y, where names stand as the layout has them.
        in_place: How many of the names found it explains.
        alike: Names of other layouts that explain as many: which of them it is, names do not tell.
        stretch: By how much x and y of the sheet were too small; 1 unless its scale was in doubt.
        rows_score: Share of the baselines that it explains, 0-1; 1 if none were seen.
        row_shift_mm: Where its `traced_box` begins by baselines, mm from the sheet's upper edge; None if too few were
            seen.
    """

    layout: Layout
    score: float
    shift_mm: tuple[float, float]
    in_place: int = 0
    alike: tuple[str, ...] = ()
    stretch: tuple[float, float] = (1.0, 1.0)
    rows_score: float = 1.0
    row_shift_mm: float | None = None


def traced_box(layout: Layout) -> Box:
    """The part of a layout that its rows fill, from half a row above the first baseline to half a row below the last.

    It can be told from what is printed, which a layout's own edges cannot where paper goes on beyond them.
    """
    rows = sorted({strip.baseline_mm for strip in layout.strips})
    if len(rows) < 2:
        return 0.0, 0.0, layout.width_mm, layout.height_mm
    top, bottom = rows[0] - (rows[1] - rows[0]) / 2, rows[-1] + (rows[-1] - rows[-2]) / 2
    return 0.0, top, layout.width_mm, bottom


@dataclass(frozen=True)
class Seen:
    """What else is known of a sheet whose names were read.

    Attributes:
        rows: ``(n,)`` baselines, mm from its upper edge, in order.
        hidden: Of the left, upper, right and lower edge, whether the picture shows nothing beyond it.
        visible: Takes ``(n, 2)`` mm and says of each place, ``(n,)``, whether it is in the picture.
    """

    rows: Float64Array = field(default_factory=lambda: np.zeros(0))
    hidden: tuple[bool, ...] = (False,) * 4
    visible: Callable[[Float64Array], npt.NDArray[np.bool_]] = field(
        default=lambda points: np.ones(len(points), dtype=bool)
    )

    def stretched(self, by: tuple[float, float]) -> Seen:
        """The same, each mm taken for so many across and down."""
        return Seen(self.rows * by[1], self.hidden, lambda points: self.visible(points / np.array(by)))


def match_layout(
    names: Sequence[Name],
    size_mm: tuple[float, float],
    layouts: Iterable[str | Layout] | None = None,
    *,
    scaled: bool = True,
    seen: Seen | None = None,
) -> LayoutMatch | None:
    """Find the layout of a sheet.

    Args:
        names: Lead names found, their places in mm from the upper left corner of the part that rows fill.
        size_mm: Width and height of that part as it was found.
        layouts: To choose from; None = all that have a name.
        scaled: Whether a mm of the sheet is known to be one, from its grid; else rows and columns of a layout may stand
            somewhat closer or farther apart than the names found.
        seen: What else is known; None = the whole sheet is in the picture.

    Returns:
        None if no layout explains the names: the sheet's layout is unknown.
    """
    if len(names) < FEWEST_NAMES:
        return None
    seen = seen or Seen()
    candidates = [get_layout(one) for one in (LAYOUTS if layouts is None else layouts)]
    found = [match for layout in candidates if (match := _match(names, size_mm, layout, scaled, seen)) is not None]
    if not found:
        return None
    best = max(found, key=lambda match: match.score)
    if best.score < _LEAST:
        return None
    # Names cannot tell 25 from 50 mm/s, nor a layout from one that has a row more whose name was not read.
    alike = sorted(
        match.layout.name
        for match in found
        if match is not best and match.in_place >= best.in_place and match.rows_score > best.rows_score - _ALIKE
    )
    return dataclasses.replace(best, alike=tuple(alike))


def assumed(layout: Layout, size_mm: tuple[float, float], scaled: bool, seen: Seen) -> LayoutMatch:
    """A layout that a person named and that names do not tell: its upper left corner is the sheet's.

    Args:
        layout: The layout.
        size_mm: Width and height of what rows fill, as it was found.
        scaled: Whether a mm of the sheet is known to be one; else its size is taken for the layout's.
        seen: What else is known.
    """
    left, top, right, bottom = traced_box(layout)
    stretch = (1.0, 1.0) if scaled else ((right - left) / size_mm[0], (bottom - top) / size_mm[1])
    rows_score, row_shift = _rows_match(layout, seen.stretched(stretch), (0.0, 0.0), right - left)
    return LayoutMatch(layout, 0.0, NAME_MM, stretch=stretch, rows_score=rows_score, row_shift_mm=row_shift)


@functools.lru_cache(maxsize=256)
def _places(layout: Layout) -> tuple[tuple[str, float, float], ...]:
    """Lead, beginning and baseline of every strip that is named, mm from the corner of the layout's `traced_box`."""
    _, top, _, _ = traced_box(layout)
    return tuple((strip.lead, strip.left_mm, strip.baseline_mm - top) for strip in layout.strips if strip.named)


def _match(
    names: Sequence[Name], size_mm: tuple[float, float], layout: Layout, scaled: bool, seen: Seen
) -> LayoutMatch | None:
    left, top, right, bottom = traced_box(layout)
    stretch = (1.0, 1.0) if scaled else _stretch(names, layout)
    if stretch is None:
        return None
    size_mm, seen = (size_mm[0] * stretch[0], size_mm[1] * stretch[1]), seen.stretched(stretch)
    names = [dataclasses.replace(one, at=(one.at[0] * stretch[0], one.at[1] * stretch[1])) for one in names]
    shift = _shift(names, layout)
    if shift is None:
        return None
    # How far the sheet's edges are beyond the layout's, where it ends in the picture.
    x, y = float(shift[0]) - NAME_MM[0], float(shift[1]) - NAME_MM[1]
    beyond = np.array([-x, -y, size_mm[0] - x - (right - left), size_mm[1] - y - (bottom - top)])
    ends = ~np.array(seen.hidden)
    room = 15.0  # calibration pulses, which a style may add
    most = _SIZE_MM + np.array([room, _NAMES_DIFFER_MM, room, _NAMES_DIFFER_MM])
    if (ends & ((beyond < -_SIZE_MM - _NAMES_DIFFER_MM) | (beyond > most))).any():
        return None
    places = _places(layout)
    taken: set[int] = set()
    for name in names:
        for number, (lead, left, baseline) in enumerate(places):
            near = abs(name.at[0] - left - shift[0]) < NEAR_MM and abs(name.at[1] - baseline - shift[1]) < NEAR_MM
            if number not in taken and lead == name.lead and near:
                taken.add(number)
                break
    expected = seen.visible(np.array([(place[1] + shift[0], place[2] + shift[1]) for place in places]))
    expected[list(taken)] = True
    score = 2 * len(taken) / (len(names) + int(expected.sum()))
    rows_score, row_shift = _rows_match(layout, seen, (x, y), (right - left))
    if rows_score < _LEAST_ROWS:
        return None
    # Among layouts that explain the names equally well, the one whose rows and size fit better, and whose strips begin
    # where their names do.
    wider, higher = (abs(beyond[k] + beyond[k + 2]) if ends[k] and ends[k + 2] else 0.0 for k in (0, 1))
    misfit = (higher + min(wider, abs(wider - 10)) + abs(x)) / _MISFIT_MM
    score -= _MISFIT * min(misfit, 1.0) + _ROWS_WEIGH * (1 - rows_score)
    return LayoutMatch(
        layout,
        float(score),
        (float(shift[0]), float(shift[1])),
        len(taken),
        stretch=stretch,
        rows_score=rows_score,
        row_shift_mm=row_shift,
    )


def _shift(names: Sequence[Name], layout: Layout) -> Float64Array | None:
    """How far names lie from the beginnings and baselines of their leads' strips: what most of them agree on."""
    shifts = np.array(
        [
            (name.at[0] - left, name.at[1] - baseline)
            for name in names
            for lead, left, baseline in _places(layout)
            if lead == name.lead
        ]
    )
    if not len(shifts):
        return None
    agreeing = (np.abs(shifts[:, None] - shifts[None]) < NEAR_MM).all(-1)
    winner = int(agreeing.sum(1).argmax())
    return np.asarray(np.median(shifts[agreeing[winner]], axis=0))


def _rows_match(layout: Layout, seen: Seen, origin: tuple[float, float], width_mm: float) -> tuple[float, float | None]:
    """How well a layout explains baselines (0-1; 1 if none were seen), and where its `traced_box` begins by them, mm.

    Args:
        layout: The layout.
        seen: What was seen.
        origin: Where the box begins by its names, x and y.
        width_mm: Of the box.
    """
    if len(seen.rows) < 2:
        return 1.0, None
    _, top, _, _ = traced_box(layout)
    own = np.array(sorted({strip.baseline_mm - top for strip in layout.strips}))
    shifts = (seen.rows[:, None] - own[None]).ravel()
    shifts = shifts[np.abs(shifts - origin[1]) <= _NAMES_DIFFER_MM + NEAR_MM]
    best, where = -1.0, None
    for shift in sorted(shifts.tolist(), key=lambda one: abs(one - origin[1])):
        near = np.abs(seen.rows[:, None] - own[None] - shift) <= _ROW_MM
        there = seen.visible(np.stack([np.full(len(own), origin[0] + width_mm / 2), own + shift], axis=-1))
        there |= near.any(axis=0)
        score = 2 * float(near.any(axis=0).sum()) / (len(seen.rows) + float(there.sum()))
        if score > best + 1e-9:
            matched = (seen.rows[:, None] - own[None])[near]
            best, where = score, float(np.median(matched))
    return max(best, 0.0), where


@dataclass(frozen=True)
class Steps:
    """Places at equal distances.

    Attributes:
        first: The first of them, mm.
        step: How far it is to the next.
        count: How many there are.
    """

    first: float
    step: float
    count: int

    @property
    def length(self) -> float:
        """What they fill, mm."""
        return self.step * self.count


def grouped(places: Float64Array) -> tuple[Float64Array, npt.NDArray[np.int64]]:
    """Rows, or columns, that places along one axis stand in: ``(k,)`` their middles, mm, and ``(n,)`` whose each is."""
    groups: list[list[int]] = []
    for place in np.argsort(places, kind="stable").tolist():
        if groups and places[place] - float(np.median(places[groups[-1]])) < _SAME_MM:
            groups[-1].append(place)
        else:
            groups.append([place])
    of = np.zeros(len(places), dtype=np.int64)
    for number, group in enumerate(groups):
        of[group] = number
    return np.array([np.median(places[group]) for group in groups]), of


def steps_of(places: Float64Array) -> Steps | None:
    """Equal steps through rows, or columns: of all names' places along one axis, mm; None if they are not equal."""
    middles, _ = grouped(places)
    if len(middles) < 2:
        return None
    step = float(np.median(np.diff(middles)))
    number = np.round((middles - middles[0]) / step)
    if (np.diff(number) < 1).any():
        return None
    slope, first = np.polyfit(number, middles, 1)
    if np.abs(middles - first - slope * number).max() > min(_EVEN_MM, _EVEN * slope):
        return None
    return Steps(float(first), float(slope), int(number[-1]) + 1)


def _stretch(names: Sequence[Name], layout: Layout) -> tuple[float, float] | None:
    """What makes rows and columns of names as far apart as a layout has them; None if that is far too much."""
    at = np.array([name.at for name in names])
    places = np.array([place[1:] for place in _places(layout)])
    found = []
    for axis in (0, 1):
        said, true = steps_of(at[:, axis]), steps_of(places[:, axis])
        ratio = 1.0 if said is None or true is None else true.step / said.step
        if abs(np.log(ratio)) > _STRETCH:
            return None
        found.append(float(ratio))
    return found[0], found[1]
