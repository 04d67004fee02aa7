"""Sheets placed by the lead names on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartprint.reading.close_look import NO_LINES, CloseLook, Lines
from heartprint.reading.layouts import Seen, match_layout, steps_of, traced_box
from heartprint.reading.looks import Name
from heartprint.reading.placing import placed
from heartprint.reading.plane import Sheet, mapped
from heartprint.sheets.layout import Layout, columns_layout, with_pulses
from heartprint.sheets.lead_order import dealt
from heartprint.sheets.registry import LAYOUTS

OFFSET = (3.0, -6.0)
"""Of names from the beginning of their strips and from their baselines, mm."""


OPEN, CUT = (False,) * 4, (True,) * 4
"""Edges in the picture, and all at its border."""


def lines(*at: float) -> Lines:
    return Lines(np.array(at), np.full(len(at), 0.4), np.full(len(at), 50.0), 0.0)


def look(names: Sequence[Name], **seen: Lines) -> CloseLook:
    """A close look at which names were read, and whatever else is told."""
    nothing = dict.fromkeys(("rows", "left", "right", "columns"), NO_LINES)
    return CloseLook(tuple(names), np.eye(8)[0], **{**nothing, **seen})


def found(layout: Layout, wrong: tuple[float, float, float, float], scale: float = 1.0) -> tuple[Sheet, list[Name]]:
    """What rows fill, its edges moved outwards by some mm, seen in a picture of ``scale`` px per mm taken for mm."""
    left, top, right, bottom = traced_box(layout)
    edges = (left - wrong[0], top - wrong[1], right + wrong[2], bottom + wrong[3])
    names = [
        Name(s.lead, ((s.left_mm + OFFSET[0] - edges[0]) * scale, (s.baseline_mm + OFFSET[1] - edges[1]) * scale), 0.9)
        for s in layout.strips
        if s.named
    ]
    shift = np.array([[1.0, 0.0, -edges[0] * scale], [0.0, 1.0, -edges[1] * scale], [0.0, 0.0, 1.0]])
    size = ((edges[2] - edges[0]) * scale, (edges[3] - edges[1]) * scale)
    return Sheet(shift, size, tuple(2.0 + abs(w) for w in wrong)), names  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["standard", "3x4_ii", "6x2", "12x1", "4x3"])
@pytest.mark.parametrize("wrong", [(0.0, 0.0, 0.0, 0.0), (-2.0, 8.0, 5.0, 0.0), (0.0, -7.0, 12.0, -6.0)])
def test_a_known_layout_lies_where_names_and_the_better_edges_say(
    name: str, wrong: tuple[float, float, float, float]
) -> None:
    layout = LAYOUTS[name]
    sheet, names = found(layout, wrong)
    match = match_layout(names, sheet.size_mm)
    assert match is not None
    better = placed(sheet, look(names), match, OPEN)
    assert better.size_mm == (layout.width_mm, layout.height_mm)
    origin = mapped(better.mm_from_picture, np.zeros((1, 2)))[0]
    assert np.abs(origin).max() <= 3.0, "mm of the layout's own frame"
    assert np.linalg.norm(wrong) == 0 or np.abs(origin).max() < np.abs(wrong).max() / 2


def test_a_layout_without_a_name_gets_its_size_from_rows_and_columns() -> None:
    layout = columns_layout("new", "", dealt(3), rhythm=("II",), row_mm=33.0, seconds=11.0)
    sheet, names = found(layout, (4.0, 9.0, -6.0, -8.0))
    assert match_layout(names, sheet.size_mm) is None
    better = placed(sheet, look(names), None, OPEN)
    left, top, right, bottom = traced_box(layout)
    assert better.size_mm == pytest.approx((right - left, bottom - top), abs=0.1)
    assert max(better.spread_mm) < max(sheet.spread_mm)


def test_few_names_move_nothing() -> None:
    sheet, names = found(LAYOUTS["standard"], (0.0, 5.0, 0.0, 0.0))
    same = placed(sheet, look(names[:5]), None, OPEN)
    assert same.size_mm == pytest.approx(sheet.size_mm)
    assert same.mm_from_picture == pytest.approx(sheet.mm_from_picture)


WRONG = [(0.0, 0.0, 0.0, 0.0), (-6.0, 11.0, 8.0, -9.0), (12.0, -8.0, -12.0, 10.0)]


def all_seen(layout: Layout, wrong: tuple[float, ...]) -> dict[str, Lines]:
    """Rows and borders of a layout, told from where a sheet's edges were found."""
    left, top, right, _ = traced_box(layout)
    x, y = wrong[0] - left, wrong[1] - top
    begins = sorted({s.left_mm + x for s in layout.strips if s.left_mm > 1.0})
    rows = sorted({s.baseline_mm + y for s in layout.strips})
    return {"rows": lines(*rows), "left": lines(left + x), "right": lines(right + x), "columns": lines(*begins)}


@pytest.mark.parametrize("name", [*LAYOUTS, "new", "pulses left", "pulses right"])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_seen_closely_decides(name: str, wrong: tuple[float, float, float, float]) -> None:
    """Of a layout that is known, and of the same layout if it were not."""
    if name in LAYOUTS:
        layout = LAYOUTS[name]
    else:
        layout = columns_layout("new", "", dealt(3), rhythm=("II",), row_mm=33.0, seconds=11.0)
        if name != "new":
            layout = with_pulses(layout, "left" if name == "pulses left" else "right")
    sheet, names = found(layout, wrong)
    seen = all_seen(layout, wrong)
    for match in (None, match_layout(names, sheet.size_mm, seen=Seen(seen["rows"].at))):
        if match is not None and match.layout.name != layout.name:
            continue
        better = placed(sheet, look(names, **seen), match, OPEN)
        left, top, right, bottom = (0.0, 0.0, layout.width_mm, layout.height_mm) if match else traced_box(layout)
        if len(seen["rows"]) < 2 and match is None:
            continue  # one row does not tell how high it is
        true = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        corners = mapped(better.mm_from_picture, true)
        expected = true - true[0]
        assert corners == pytest.approx(expected, abs=0.6), (match, better.size_mm)
        assert better.size_mm == pytest.approx(tuple(expected[2]), abs=0.6)
        assert max(better.spread_mm) <= 1.5


def test_rows_beyond_the_picture_are_believed_in_and_those_in_it_are_not() -> None:
    layout = LAYOUTS["6x2"]
    sheet, _ = found(layout, (0.0, 0.0, 0.0, 0.0))
    seen = all_seen(layout, (0.0, 0.0, 0.0, 0.0))
    four = seen["rows"].at[:4]
    step = four[1] - four[0]
    within = placed(sheet, look([], **{**seen, "rows": lines(*four)}), None, OPEN)
    beyond = placed(sheet, look([], **{**seen, "rows": lines(*four)}), None, CUT)
    assert within.size_mm[1] == pytest.approx(4 * step, abs=0.5)
    assert beyond.size_mm[1] == pytest.approx(6 * step, abs=0.5)


@pytest.mark.parametrize("missing", ["left", "right"])
def test_columns_tell_where_an_edge_would_be_that_is_not_seen(missing: str) -> None:
    layout = columns_layout("new", "", dealt(4), rhythm=("II",), row_mm=33.0, seconds=11.0)
    sheet, names = found(layout, (9.0, 0.0, -9.0, 0.0))
    seen = all_seen(layout, (9.0, 0.0, -9.0, 0.0))
    better = placed(sheet, look(names, **{**seen, missing: NO_LINES}), None, OPEN)
    assert better.size_mm[0] == pytest.approx(layout.width_mm, abs=3.0)
    assert mapped(better.mm_from_picture, np.zeros((1, 2)))[0, 0] == pytest.approx(0.0, abs=3.0)


@pytest.mark.parametrize("scale", [0.9, 1.08])
def test_where_no_grid_tells_the_scale_names_do(scale: float) -> None:
    layout = LAYOUTS["6x2"]
    sheet, names = found(layout, (0.0, 0.0, 0.0, 0.0), scale)
    assert match_layout(names, sheet.size_mm) is None
    match = match_layout(names, sheet.size_mm, scaled=False)
    assert match is not None and match.layout.name == "6x2"
    assert match.stretch == pytest.approx((1 / scale, 1 / scale), rel=1e-3)
    back = np.linalg.inv(placed(sheet, look(names), match, OPEN).mm_from_picture)
    assert np.diag(back)[:2] == pytest.approx((scale, scale), rel=1e-3)


@given(
    st.floats(0, 50), st.floats(12, 70), st.integers(2, 12), st.lists(st.floats(-0.8, 0.8), min_size=24, max_size=24)
)
def test_equal_steps_are_found_and_others_are_not(first: float, step: float, count: int, noise: list[float]) -> None:
    at = np.array([first + step * (k // 2) + noise[k] for k in range(2 * count)])
    steps = steps_of(at)
    assert steps is not None and steps.count == count
    assert steps.step == pytest.approx(step, abs=1.7) and steps.first == pytest.approx(first, abs=1.0)
    if count > 3:
        at[-2:] += step / 2
        assert steps_of(at) is None
    assert steps_of(at[:2]) is None


def test_a_name_in_the_middle_of_nowhere_leaves_rows_uneven() -> None:
    sheet, names = found(LAYOUTS["standard"], (0.0, 0.0, 0.0, 0.0))
    stray = dataclasses.replace(names[0], at=(names[0].at[0], names[0].at[1] + 11.0))
    assert steps_of(np.array([name.at[1] for name in [*names, stray]])) is None
    assert placed(sheet, look([*names, stray]), None, OPEN).size_mm[1] == sheet.size_mm[1]
