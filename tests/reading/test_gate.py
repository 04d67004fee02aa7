"""What is said of a sheet, by what was seen of it: one thing is made wrong at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from heartprint.reading.answer import Hints
from heartprint.reading.close_look import NO_LINES
from heartprint.reading.find import Found, find
from heartprint.reading.gate import judge
from heartprint.reading.layouts import LayoutMatch, match_layout
from tests.reading.test_find import NOT_NETWORKS, _taken, _truthful

Change = Callable[[Found], Found]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> tuple[Found, np.ndarray, LayoutMatch]:
    """A page with desk around it, of which everything was seen."""
    for number in range(40):
        taken = _taken(number, turn=0.0, mirrored=False, severity=1.0)
        _truthful(monkeypatch, taken)
        found = find(NOT_NETWORKS, taken.picture)
        if not isinstance(found, Found) or found.lattice is None or not found.lattice.found:
            continue
        match = match_layout(found.names, found.sheet.size_mm)
        if match is not None and judge(found, taken.picture, match, Hints(), 0.0)[0] == "ok":
            return found, taken.picture, match
    raise AssertionError("none of the pages is ok")


def close(found: Found, **change: object) -> Found:
    return dataclasses.replace(found, close=dataclasses.replace(found.close, **change))  # type: ignore[arg-type]


def page(found: Found, **shares: float) -> Found:
    told = {"ecg": 1.0 - sum(shares.values()), "nearly": 0.0, "other": 0.0, **shares}
    return dataclasses.replace(
        found, first=dataclasses.replace(found.first, page=told), last=dataclasses.replace(found.last, page=told)
    )


def unnamed(found: Found) -> Found:
    return close(found, names=())


WRONG: dict[str, tuple[Change, str, str]] = {
    "no ECG": (lambda f: page(unnamed(f), other=0.8), "refused", "not-an-ecg"),
    "surely no ECG, whatever names say": (lambda f: page(f, other=0.99), "refused", "not-an-ecg"),
    "nearly": (lambda f: page(unnamed(f), nearly=0.8), "refused", "not-twelve-leads"),
    "perhaps none": (lambda f: page(unnamed(f), other=0.3), "warned", "unsure-ecg"),
    "another sheet beside it": (lambda f: dataclasses.replace(f, beside=0.9), "refused", "not-twelve-leads"),
    "unsure which side is up": (lambda f: dataclasses.replace(unnamed(f), upright=0.3), "refused", "unsure"),
    "less sure of it": (lambda f: dataclasses.replace(unnamed(f), upright=0.8), "warned", "unsure-pose"),
    "no rows seen": (lambda f: close(unnamed(f), rows=NO_LINES), "warned", "unsure-edges"),
    "no borders seen": (lambda f: close(unnamed(f), left=NO_LINES, right=NO_LINES), "warned", "unsure-edges"),
    "nothing seen closely": (
        lambda f: close(unnamed(f), rows=NO_LINES, left=NO_LINES, right=NO_LINES, columns=NO_LINES),
        "warned",
        "unsure-edges",
    ),
    "no grid": (lambda f: dataclasses.replace(unnamed(f), lattice=None), "warned", "unsure-pose"),
    "another scale": (lambda f: dataclasses.replace(f, change=0.1), "warned", "lattice-disagrees"),
    "edges in doubt": (
        lambda f: dataclasses.replace(f, sheet=dataclasses.replace(f.sheet, spread_mm=(1.0, 6.0, 1.0, 1.0))),
        "warned",
        "unsure-edges",
    ),
    "edges unknown": (
        lambda f: dataclasses.replace(f, sheet=dataclasses.replace(f.sheet, spread_mm=(1.0, 60.0, 1.0, 1.0))),
        "refused",
        "unsure",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_one_thing_wrong_is_told(seen: tuple[Found, np.ndarray, LayoutMatch], wrong: str) -> None:
    found, picture, match = seen
    change, status, code = WRONG[wrong]
    changed = change(found)
    told, reasons, _ = judge(changed, picture, match if changed.names else None, Hints(), 0.0)
    assert (told, reasons[0].code) == (status, code)
    assert all(reason.message for reason in reasons)


def test_names_settle_what_is_in_doubt_from_afar(seen: tuple[Found, np.ndarray, LayoutMatch]) -> None:
    found, picture, match = seen
    doubtful = dataclasses.replace(page(found, other=0.6), upright=0.3)
    assert judge(doubtful, picture, match, Hints(), 0.0)[0] == "ok"


def test_a_layout_that_fits_stands_for_the_grid(seen: tuple[Found, np.ndarray, LayoutMatch]) -> None:
    found, picture, match = seen
    bare = dataclasses.replace(found, lattice=None)
    assert judge(bare, picture, match, Hints(), 0.0)[0] == "ok"
    poor = dataclasses.replace(match, rows_score=0.9)
    assert judge(bare, picture, poor, Hints(), 0.0)[0] == "warned"


def test_edges_that_a_person_set_are_not_doubted(seen: tuple[Found, np.ndarray, LayoutMatch]) -> None:
    found, picture, _ = seen
    unseen = close(unnamed(found), rows=NO_LINES)
    assert judge(unseen, picture, None, Hints(), 0.0)[0] == "warned"
    assert judge(unseen, picture, None, Hints(crop_mm=(0.0, 0.0, 0.0, -5.0)), 0.0)[0] == "ok"
