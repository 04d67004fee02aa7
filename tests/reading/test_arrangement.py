"""What is seen of twelve leads tells where the others are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartprint.reading.arrangement import Arrangement, arrangement_of, not_twelve
from heartprint.reading.close_look import CloseLook
from heartprint.reading.layouts import traced_box
from heartprint.reading.looks import Name
from heartprint.reading.placing import placed
from heartprint.reading.plane import Sheet, mapped
from heartprint.sheets.layout import columns_layout
from heartprint.sheets.lead_order import CABRERA, EINTHOVEN, dealt
from tests.reading.test_placing import lines, look

ORDERS = {
    "standard": EINTHOVEN,
    "cabrera": tuple(lead.removeprefix("-") for lead in CABRERA),
    "chest first": EINTHOVEN[6:] + EINTHOVEN[:6],
}


def seen_of(
    order: tuple[str, ...], rows: int, columns: range, row_range: range
) -> tuple[list[Name], list[int], list[int]]:
    """Names in some columns and rows of leads that are dealt to columns, counted from the first that are seen."""
    names, column, row = [], [], []
    for c in columns:
        for r in row_range:
            names.append(Name(order[c * rows + r], (0.0, 0.0), 0.9))
            column.append(c - columns[0])
            row.append(r - row_range[0])
    return names, column, row


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("rows", [2, 3, 4, 6, 12])
def test_a_column_or_row_less_is_told(order: str, rows: int) -> None:
    columns = 12 // rows
    for first in range(min(columns, 3)):
        for stop in range(first + 1, columns + 1):
            names, c, r = seen_of(ORDERS[order], rows, range(first, stop), range(rows))
            if len(names) < 6 or (stop - first < 2 and columns > 1):
                continue  # one of two columns of six may as well be half of one of twelve
            if order == "chest first" and (first > 0 or all(name.lead.startswith("V") for name in names)):
                continue  # of limb leads, or precordial ones, alone it is not told which come first
            assert arrangement_of(names, c, r) == Arrangement(columns, rows, first, 0, len(names)), (first, stop)
    if rows > 2 and columns > 1:
        names, c, r = seen_of(ORDERS[order], rows, range(columns), range(1, rows))
        assert arrangement_of(names, c, r) == Arrangement(columns, rows, 0, 1, len(names))


def test_rhythm_strips_and_a_wrong_name_do_not_matter() -> None:
    names, c, r = seen_of(EINTHOVEN, 3, range(4), range(3))
    names += [Name("II", (0.0, 0.0), 0.9), Name("V5", (0.0, 0.0), 0.9)]
    assert arrangement_of(names, [*c, 0, 0], [*r, 3, 4]) == Arrangement(4, 3, 0, 0, 12)
    names[4] = Name("V6", (0.0, 0.0), 0.9)
    found = arrangement_of(names, [*c, 0, 0], [*r, 3, 4])
    assert found is not None and (found.columns, found.first_column, found.explained) == (4, 0, 11)


@given(st.permutations(EINTHOVEN), st.sampled_from([2, 3, 4, 6]))
def test_leads_in_no_order_are_not_explained(order: list[str], rows: int) -> None:
    names, c, r = seen_of(tuple(order), rows, range(12 // rows), range(rows))
    found = arrangement_of(names, c, r)
    if found is not None:
        assert found.explained >= 0.8 * 12, "an order that explains nearly all"


def test_few_names_are_not_explained() -> None:
    names, c, r = seen_of(EINTHOVEN, 4, range(1), range(4))
    assert arrangement_of(names, c, r) is None


@pytest.mark.parametrize("cut", ["left", "right", "top", "bottom"])
def test_a_sheet_that_is_cut_gets_the_place_of_what_is_missing(cut: str) -> None:
    layout = columns_layout("new", "", dealt(3), row_mm=33.0, seconds=11.0)
    left, top, right, bottom = traced_box(layout)
    wide, high = right / 3, 33.0
    box = {
        "left": (wide, top, right, bottom),
        "right": (left, top, right - wide, bottom),
        "top": (left, top + high, right, bottom),
        "bottom": (left, top, right, bottom - high),
    }[cut]
    strips = [s for s in layout.strips if box[0] - 0.1 <= s.left_mm < box[2] - 0.1 and box[1] < s.baseline_mm < box[3]]
    names = [Name(s.lead, (s.left_mm + 3.0 - box[0], s.baseline_mm - 6.0 - box[1]), 0.9) for s in strips]
    rows = sorted({s.baseline_mm - box[1] for s in strips})
    begins = sorted({s.left_mm - box[0] for s in strips if s.left_mm > box[0] + 1.0})
    seen = {"rows": lines(*rows), "columns": lines(*begins)}
    if cut != "left":
        seen["left"] = lines(0.0)
    if cut != "right":
        seen["right"] = lines(box[2] - box[0])
    hidden = [side == cut for side in ("left", "top", "right", "bottom")]
    sheet = Sheet(np.eye(3), (box[2] - box[0], box[3] - box[1]), (4.0, 4.0, 4.0, 4.0))
    better = placed(sheet, look(names, **seen), None, hidden)
    assert better.size_mm == pytest.approx((right - left, bottom - top), abs=2.0)
    corner = mapped(better.mm_from_picture, np.array([[left - box[0], top - box[1]]]))[0]
    assert corner == pytest.approx((0.0, 0.0), abs=2.0)


def page(columns: int, rows: int, rhythm: int = 0, order: tuple[str, ...] = EINTHOVEN, named: bool = True) -> CloseLook:
    """A page of 60-mm columns and 25-mm rows whose strips are all seen."""
    names = [
        Name(order[c * rows + r], (60.0 * c + 3.0, 25.0 * r + 6.0), 0.9)
        for c in range(columns)
        for r in range(rows)
        if c * rows + r < len(order)
    ]
    names += [Name(lead, (3.0, 25.0 * (rows + k) + 6.0), 0.9) for k, lead in enumerate(("II", "V1", "V5")[:rhythm])]
    seen = {
        "rows": lines(*(25.0 * r + 12.5 for r in range(rows + rhythm))),
        "columns": lines(*(60.0 * c for c in range(1, columns))),
        "left": lines(0.0),
        "right": lines(60.0 * columns),
    }
    return look(names if named else [], **seen)


WHOLE, CUT_RIGHT = (False,) * 4, (False, False, True, False)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    ("columns", "rows", "rhythm"), [(4, 3, 0), (4, 3, 1), (4, 3, 3), (2, 6, 1), (1, 12, 0), (6, 2, 1)]
)
def test_a_page_of_twelve_is_none_of_fewer(columns: int, rows: int, rhythm: int, named: bool) -> None:
    assert not not_twelve(page(columns, rows, rhythm, named=named), 60.0 * columns, WHOLE)


def test_fewer_leads_or_two_ecgs_are_told() -> None:
    assert not_twelve(page(1, 1), 60.0, WHOLE), "one strip"
    assert not_twelve(page(1, 3), 60.0, WHOLE), "three strips"
    assert not_twelve(page(2, 3), 120.0, WHOLE), "half a page"
    assert not_twelve(page(2, 3, 1), 120.0, WHOLE), "half a page above a rhythm strip"
    assert not_twelve(page(3, 3), 180.0, WHOLE), "no V4 to V6"
    assert not_twelve(page(3, 3, 1), 180.0, WHOLE), "no V4 to V6 above a rhythm strip"
    assert not not_twelve(page(3, 3, 1), 180.0, CUT_RIGHT), "they may be beyond the picture"
    assert not_twelve(page(1, 6, order=("II",) * 6), 60.0, WHOLE), "six rows of one lead"
    assert not_twelve(page(3, 3, 1, order=EINTHOVEN[:6] + EINTHOVEN[9:]), 180.0, WHOLE), "no V1 to V3, in no order"
    two = page(4, 3)
    lower = [dataclasses.replace(name, at=(name.at[0], name.at[1] + 100.0)) for name in two.names]
    assert not_twelve(look([*two.names, *lower], rows=lines(*(25.0 * k for k in range(8)))), 240.0, WHOLE)


def test_names_that_were_not_read_are_not_missing_leads() -> None:
    whole = page(4, 3)
    some = look(whole.names[:9], rows=whole.rows, columns=whole.columns, left=whole.left, right=whole.right)
    assert not not_twelve(some, 240.0, WHOLE), "there is room for the fourth column"
    one = page(1, 12)
    some = look(one.names[2:], rows=one.rows, left=one.left, right=one.right)
    assert not not_twelve(some, 60.0, WHOLE), "there are rows whose names were not read"
    assert not not_twelve(look([], rows=lines(10.0, 35.0, 60.0)), 240.0, WHOLE), "nothing is known of columns"
