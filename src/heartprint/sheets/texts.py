"""Texts about the ECG, as machines print them: invented patients above, speed and gain below."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from heartprint.foundation.randomness import generator
from heartprint.sheets.layout import Layout
from heartprint.sheets.style import FOOTER_MM, HEADER_MM, Margin

SIZE_MM, PITCH_MM = 2.6, 3.3
"""Size of the font and distance between lines."""

NARROW_MM = 160.0
"""A narrower sheet has room for the first column of texts only."""

_BEGINNINGS = ("Bar", "Cor", "Del", "Fen", "Gal", "Hol", "Kes", "Lor", "Mar", "Nor", "Pel", "Quin", "Sol", "Tav", "Wes")
_ENDINGS = ("adin", "beck", "dorn", "elli", "grave", "hurst", "isto", "lund", "mere", "oven", "rath", "sley", "tova")
_GIVEN = (
    "Adri",
    "Benno",
    "Caro",
    "Dana",
    "Elis",
    "Fabi",
    "Gerri",
    "Ines",
    "Jona",
    "Kim",
    "Lenn",
    "Miro",
    "Nele",
    "Ravi",
)


@dataclass(frozen=True)
class Line:
    """A line of text on the sheet: where its letters begin and stand, mm from the upper left corner."""

    text: str
    x_mm: float
    y_mm: float
    bold: bool = False


@functools.lru_cache(maxsize=256)
def invented_patient(number: int) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Three columns of texts about a patient who does not exist.

    Everything is drawn at random, the measurements too: none has to do with the ECG on the sheet, and no diagnosis is
    among them, so that nothing can be learned from them.
    """
    rng = generator(number, "invented patient")

    def some(names: tuple[str, ...]) -> str:
        return names[int(rng.integers(len(names)))]

    def between(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    name = f"{some(_BEGINNINGS)}{some(_ENDINGS)}, {some(_GIVEN)}"
    when = f"{between(1, 28):02d}.{between(1, 12):02d}.{between(1998, 2024)}  {between(0, 23):02d}:{between(0, 59):02d}"
    qt, rate = between(330, 470), between(48, 118)
    return (
        (name, f"ID {between(10_000, 9_999_999)}", when, f"{between(18, 95)} years"),
        (
            f"Rate {rate} /min",
            f"PR {between(110, 240)} ms",
            f"QRS {between(70, 160)} ms",
            f"QT/QTc {qt}/{round(qt * (rate / 60) ** 0.5)} ms",
        ),
        (
            f"P axis {between(-20, 80)}",
            f"QRS axis {between(-90, 120)}",
            f"T axis {between(-60, 150)}",
            f"Unit {between(1, 40)}, room {between(100, 499)}",
        ),
    )


def header_lines(width_mm: float, margin_mm: Margin, patient: int) -> tuple[Line, ...]:
    """The lines about an invented patient on a sheet of this width."""
    left, top, right, _ = margin_mm
    inner_mm = width_mm - left - right
    columns = invented_patient(patient)
    return tuple(
        Line(text, left + 3.0 + k * inner_mm / 3.0, top - HEADER_MM + 3.0 + row * PITCH_MM, bold=k + row == 0)
        for k, column in enumerate(columns if inner_mm >= NARROW_MM else columns[:1])
        for row, text in enumerate(column)
    )


def footer_line(layout: Layout, margin_mm: Margin) -> Line:
    """Speeds and gains of a sheet that `heartprint.sheets.style.placed` has made, and a filter."""
    speeds = ", ".join(f"{speed:g} mm/s" for speed in layout.speeds_mm_per_s)
    gains = " / ".join(f"{gain:g} mm/mV" for gain in layout.gains_mm_per_mv)
    y_mm = layout.height_mm - margin_mm[3] + FOOTER_MM - 1.5
    return Line(f"{speeds}   {gains}   0.05-150 Hz", margin_mm[0] + 3.0, y_mm)
