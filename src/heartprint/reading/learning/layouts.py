"""Layouts at random, so that a reader learns what layouts have in common and not the few that have a name."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from heartprint.sheets.layout import Layout, Names, Separator, Side, columns_layout
from heartprint.sheets.lead_order import CABRERA, EINTHOVEN, dealt

T = TypeVar("T")

HELD_OUT = (
    "3x4_v1_ii_v5",
    "3x4_half_chest",
    "6x2_cabrera",
    "6x2_50",
    "2x6",
    "4x3_ii",
    "12x1_cabrera",
    "shuffled",
)
"""Layouts with a name that no reader is trained with: what it makes of them says what it makes of others."""

_SEPARATORS: tuple[Separator, ...] = ("mark", "tick", "line", "none")
_SIDES: tuple[Side, ...] = ("none", "none", "left", "left", "right")


def random_layout(rng: np.random.Generator) -> Layout:
    """Columns, rows, order of the leads, rhythm strips, speed, gain, room and names, all at random."""
    columns = _one(rng, (1, 2, 2, 2, 3, 4, 4, 4, 4, 4, 6))
    order = list(_one(rng, (EINTHOVEN, EINTHOVEN, EINTHOVEN, CABRERA)))
    if rng.random() < 0.15:  # precordial leads first, or limb leads in threes the other way round
        order = order[6:] + order[:6]
    dealt_leads = dealt(columns, tuple(order))
    rhythm_count = 0 if columns == 1 else _one(rng, (0, 0, 1, 1, 1, 1, 2, 3))
    rhythm = tuple(_one(rng, ("II", "II", "II", "I", "V1", "V5", "III", "V2")) for _ in range(rhythm_count))
    speed = _one(rng, (25.0, 25.0, 25.0, 25.0, 25.0, 50.0))
    width_mm = float(rng.uniform(170, 290)) if rng.random() < 0.5 else _one(rng, (250.0, 240.0, 260.0))
    if columns == 1 and rng.random() < 0.2:
        width_mm = float(rng.uniform(60, 110))
    rows = len(dealt_leads[0]) + len(rhythm)
    most = 200.0 / rows
    row_mm = float(rng.uniform(min(11.0, most), min(42.0, most)))
    if rng.random() < 0.4:
        row_mm = max(10.0, round(row_mm / 2.5) * 2.5)
    seconds = width_mm / speed
    same_time = rng.random() < 0.35
    return columns_layout(
        f"random-{int(rng.integers(1 << 40))}",
        "at random",
        dealt_leads,
        rhythm,
        starts_s=(0.0,) * columns if same_time else None,
        seconds=seconds,
        speed_mm_per_s=speed,
        gain_mm_per_mv=_one(rng, (10.0, 10.0, 10.0, 10.0, 5.0, 20.0)),
        chest_gain_mm_per_mv=_one(rng, (None, None, None, None, None, 5.0)),
        cut_rhythm=bool(rng.random() < 0.15),
        row_mm=row_mm,
        edge_mm=(float(rng.uniform(0, 8)), float(rng.uniform(0, 8))) if rng.random() < 0.5 else (0.0, 0.0),
        pulse=_one(rng, _SIDES),
        separator=_one(rng, _SEPARATORS),
        names=_names(rng, row_mm),
    )


def _names(rng: np.random.Generator, row_mm: float) -> Names:
    above = rng.random() < 0.7
    names = Names(
        x_mm=float(rng.uniform(0.5, 3.0)),
        y_mm=-float(rng.uniform(3.5, min(12.0, 0.45 * row_mm + 1.0))) if above else float(rng.uniform(3.0, 7.0)),
        size_mm=float(rng.uniform(2.2, 4.2)),
        bold=bool(rng.random() < 0.4),
    )
    form = rng.random()
    return dataclasses.replace(names, form="none" if form < 0.06 else "AVR" if form < 0.25 else "aVR")


def _one(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]
