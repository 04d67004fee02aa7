"""A layout is told by where lead names stand; what is not known is not named."""

from __future__ import annotations

import numpy as np
import pytest

from heartprint.reading.layouts import match_layout
from heartprint.reading.looks import Name
from heartprint.reading.plane import Sheet
from heartprint.reading.reader import _leads
from heartprint.sheets.layout import Layout, columns_layout
from heartprint.sheets.lead_order import dealt
from heartprint.sheets.registry import LAYOUTS


def _names(layout: Layout, shift: tuple[float, float] = (2.0, -7.0), noise: float = 0.0, seed: int = 0) -> list[Name]:
    rng = np.random.default_rng(seed)
    return [
        Name(
            strip.lead,
            (
                strip.left_mm + shift[0] + rng.normal(0, noise) if noise else strip.left_mm + shift[0],
                strip.baseline_mm + shift[1] + rng.normal(0, noise) if noise else strip.baseline_mm + shift[1],
            ),
            0.9,
        )
        for strip in layout.strips
        if strip.named
    ]


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_every_layout_is_told_by_its_names(name: str) -> None:
    layout = LAYOUTS[name]
    match = match_layout(_names(layout, noise=0.7), (layout.width_mm + 1, layout.height_mm - 1))
    assert match is not None
    assert name == match.layout.name or name in match.alike
    assert match.score > 0.9


@pytest.mark.parametrize("name", ["standard", "3x4_ii", "6x2", "12x1"])
def test_some_names_may_be_missing_and_others_wrong(name: str) -> None:
    layout = LAYOUTS[name]
    names = _names(layout)
    names = [names[0], names[2], *names[4:], Name("V3", (layout.width_mm / 2, 3.0), 0.6)]
    match = match_layout(names, (layout.width_mm, layout.height_mm))
    assert match is not None
    assert name == match.layout.name or name in match.alike


def test_a_layout_that_nobody_knows_is_unknown() -> None:
    for columns, row_mm, seconds in ((2, 17.0, 6.4), (4, 41.0, 10.0), (3, 33.0, 11.0), (6, 22.0, 7.0)):
        layout = columns_layout("new", "", dealt(columns), row_mm=row_mm, seconds=seconds)
        assert match_layout(_names(layout), (layout.width_mm, layout.height_mm)) is None


def test_names_in_another_order_are_another_layout() -> None:
    layout = LAYOUTS["3x4"]
    names = _names(layout)
    leads = [name.lead for name in names]
    mixed = [Name(lead, name.at, 0.9) for lead, name in zip(leads[::-1], names, strict=True)]
    assert match_layout(mixed, (layout.width_mm, layout.height_mm)) is None


def test_few_names_tell_nothing() -> None:
    layout = LAYOUTS["3x4"]
    assert match_layout(_names(layout)[:5], (layout.width_mm, layout.height_mm)) is None


@pytest.mark.parametrize("name", sorted(LAYOUTS))
@pytest.mark.parametrize("lost", [(), ("II",), ("V1", "II")])
@pytest.mark.parametrize("wider_mm", [-12.0, 0.0, 10.0])
def test_a_speed_or_gain_that_names_cannot_tell_is_not_told(name: str, lost: tuple[str, ...], wider_mm: float) -> None:
    """12x1 and 12x1_50 differ by where the first name stands, 3x4_50 with its last name unread is a page of three rows:
    what is said must be true of every layout, or left open."""
    layout = LAYOUTS[name]
    names = [one for k, one in enumerate(_names(layout)) if not (one.lead in lost and k > 5)]
    match = match_layout(names, (layout.width_mm + wider_mm, layout.height_mm), scaled=True)
    if match is None:
        return
    matrix = np.diag([1 / 4, 1 / 4, 1.0])
    sheet = Sheet(matrix, (match.layout.width_mm, match.layout.height_mm), (1.0, 1.0, 1.0, 1.0))
    leads, speed, gain = _leads(match, 4.0, sheet)
    assert speed is None or layout.speeds_mm_per_s == (speed,)
    assert gain is None or layout.gains_mm_per_mv == (gain,)
    if all(lead.start_s is not None for lead in leads):
        assert match.layout.name == name
