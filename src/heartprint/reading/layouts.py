"""Which layout a sheet has: the lead names that were found, held against every layout that is known."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from heartprint.foundation.arrays import Float64Array
from heartprint.reading.looks import Name
from heartprint.sheets.layout import Layout
from heartprint.sheets.registry import LAYOUTS, get_layout

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, mm."""

NEAR_MM = 4.0
"""A name is where a layout has it if it is within this, once all have been shifted alike."""
_OFFSETS_MM = ((-4.0, 8.0), (-20.0, 12.0))
"""Where names may stand from the beginning of their strip and from its baseline, less what the edges are off."""
_USUAL_X_MM = 3.5
"""How far the middle of a name usually stands from the beginning of its strip."""
_SIZE_MM = 30.0
"""A sheet's size may be found so far off: names tell layouts apart, edges only which of two that fit."""
_MISFIT_MM, _MISFIT = 36.0, 0.1
"""A layout whose size is as far off as this loses so much of its score: what two names say weighs as much."""
_LEAST = 0.62
"""Share of names that must be where a layout has them for it to be named."""
_FEWEST_NAMES = 6


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
    """

    layout: Layout
    score: float
    shift_mm: tuple[float, float]
    in_place: int = 0
    alike: tuple[str, ...] = ()
    stretch: tuple[float, float] = (1.0, 1.0)


def traced_box(layout: Layout) -> Box:
    """The part of a layout that its rows fill, from half a row above the first baseline to half a row below the last.

    It can be told from what is printed, which a layout's own edges cannot where paper goes on beyond them.
    """
    rows = sorted({strip.baseline_mm for strip in layout.strips})
    if len(rows) < 2:
        return 0.0, 0.0, layout.width_mm, layout.height_mm
    top, bottom = rows[0] - (rows[1] - rows[0]) / 2, rows[-1] + (rows[-1] - rows[-2]) / 2
    return 0.0, top, layout.width_mm, bottom


def match_layout(
    names: Sequence[Name],
    size_mm: tuple[float, float],
    layouts: Iterable[str | Layout] | None = None,
    *,
    scaled: bool = True,
) -> LayoutMatch | None:
    """Find the layout of a sheet.

    Args:
        names: Lead names found, their places in mm from the upper left corner of the part that rows fill.
        size_mm: Width and height of that part as it was found.
        layouts: To choose from; None = all that have a name.
        scaled: Whether a mm of the sheet is known to be one, from its grid; else rows and columns of a layout may stand
            somewhat closer or farther apart than the names found.

    Returns:
        None if no layout explains the names: the sheet's layout is unknown.
    """
    if len(names) < _FEWEST_NAMES:
        return None
    candidates = [get_layout(one) for one in (LAYOUTS if layouts is None else layouts)]
    found = [match for layout in candidates if (match := _match(names, size_mm, layout, scaled)) is not None]
    if not found:
        return None
    best = max(found, key=lambda match: match.score)
    if best.score < _LEAST:
        return None
    # Names cannot tell 25 from 50 mm/s, nor a layout from one that has a row more whose name was not read.
    alike = sorted(match.layout.name for match in found if match is not best and match.in_place >= best.in_place)
    return dataclasses.replace(best, alike=tuple(alike))


@functools.lru_cache(maxsize=256)
def _places(layout: Layout) -> tuple[tuple[str, float, float], ...]:
    """Lead, beginning and baseline of every strip that is named, mm from the corner of the layout's `traced_box`."""
    _, top, _, _ = traced_box(layout)
    return tuple((strip.lead, strip.left_mm, strip.baseline_mm - top) for strip in layout.strips if strip.named)


def _match(names: Sequence[Name], size_mm: tuple[float, float], layout: Layout, scaled: bool) -> LayoutMatch | None:
    left, top, right, bottom = traced_box(layout)
    stretch = (1.0, 1.0) if scaled else _stretch(names, layout)
    if stretch is None:
        return None
    size_mm = (size_mm[0] * stretch[0], size_mm[1] * stretch[1])
    names = [dataclasses.replace(one, at=(one.at[0] * stretch[0], one.at[1] * stretch[1])) for one in names]
    wider, higher = size_mm[0] - (right - left), size_mm[1] - (bottom - top)
    room = 15.0  # calibration pulses, which a style may add
    if not (-_SIZE_MM <= wider <= _SIZE_MM + room and abs(higher) <= _SIZE_MM):
        return None
    places = _places(layout)
    shifts = np.array(
        [
            (name.at[0] - left, name.at[1] - baseline)
            for name in names
            for lead, left, baseline in places
            if lead == name.lead
        ]
    )
    if not len(shifts):
        return None
    (least_x, most_x), (least_y, most_y) = _OFFSETS_MM
    allowed = (shifts[:, 0] > least_x - _SIZE_MM) & (shifts[:, 0] < most_x + _SIZE_MM + room)
    allowed &= (shifts[:, 1] > least_y - _SIZE_MM) & (shifts[:, 1] < most_y + _SIZE_MM)
    shifts = shifts[allowed]
    if not len(shifts):
        return None
    agreeing = (np.abs(shifts[:, None] - shifts[None]) < NEAR_MM).all(-1)
    winner = int(agreeing.sum(1).argmax())
    shift = np.median(shifts[agreeing[winner]], axis=0)
    taken: set[int] = set()
    for name in names:
        for number, (lead, left, baseline) in enumerate(places):
            near = abs(name.at[0] - left - shift[0]) < NEAR_MM and abs(name.at[1] - baseline - shift[1]) < NEAR_MM
            if number not in taken and lead == name.lead and near:
                taken.add(number)
                break
    score = 2 * len(taken) / (len(names) + len(places))
    # Among layouts that explain the names equally well, the one whose size fits better, and whose strips begin where
    # their names do.
    misfit = (abs(higher) + min(abs(wider), abs(wider - 10)) + abs(float(shift[0]) - _USUAL_X_MM)) / _MISFIT_MM
    score -= _MISFIT * min(misfit, 1.0)
    return LayoutMatch(layout, float(score), (float(shift[0]), float(shift[1])), len(taken), stretch=stretch)


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


def steps_of(places: Float64Array) -> Steps | None:
    """Equal steps through rows, or columns: of all names' places along one axis, mm; None if they are not equal."""
    groups: list[list[float]] = []
    for place in sorted(places.tolist()):
        if groups and place - float(np.median(groups[-1])) < _SAME_MM:
            groups[-1].append(place)
        else:
            groups.append([place])
    middles = np.array([np.median(group) for group in groups])
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
