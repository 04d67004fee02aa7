"""Layouts: where each lead's strip lies on the paper, in millimetres."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.foundation.fonts import Face
from heartprint.sheets.look import LETTER_MM, NAME_X_MM, NAME_Y_MM
from heartprint.signals.leads import LEADS_12

PAPER_SPEED_MM_PER_S = 25.0
GAIN_MM_PER_MV = 10.0

ROW_MM = 30.0
"""Distance between rows; the first baseline lies half of it below the upper edge."""

PAGE_S = 10.0
"""Seconds of an ECG that a sheet shows."""

PULSE_S = 0.2
"""Length of the calibration pulse; its height is 1 mV."""

PULSE_LEAD_MM = 2.0
"""From the beginning of a pulse's room to its rise, and baseline drawn behind its fall."""

Side = Literal["none", "left", "right"]
Separator = Literal["mark", "tick", "line", "none"]
SEPARATORS: tuple[Separator, ...] = ("mark", "tick", "line", "none")


@dataclass(frozen=True)
class Names:
    """How the names of the leads are printed.

    Attributes:
        x_mm: Where a name begins, from its strip's beginning.
        y_mm: Where its letters stand, from its strip's baseline, downwards.
        size_mm: Size of the font.
        bold: Whether it is bold.
        form: ``aVR``, ``AVR`` or ``none`` at all.
        face: See `heartprint.foundation.fonts.font`.
    """

    x_mm: float = NAME_X_MM
    y_mm: float = NAME_Y_MM
    size_mm: float = LETTER_MM
    bold: bool = False
    form: Literal["aVR", "AVR", "none"] = "aVR"
    face: Face = "sans"


@dataclass(frozen=True)
class Strip:
    """A stretch of one lead on the sheet.

    Attributes:
        lead: Name in `LEADS_12`.
        left_mm: Where the stretch begins, from the left edge of the sheet.
        baseline_mm: Where 0 mV lies, from the top edge of the sheet.
        start_s: First moment of the ECG that is shown, s.
        duration_s: Length of the stretch, s.
        named: Whether the lead's name is printed at its left end.
        speed_mm_per_s: Paper speed.
        gain_mm_per_mv: Height of 1 mV.
        inverted: Whether the lead is shown upside down, as -aVR in the Cabrera order.
        divided: Whether another column ends where the stretch begins: there the layout's separator stands.
    """

    lead: str
    left_mm: float
    baseline_mm: float
    start_s: float
    duration_s: float
    named: bool = True
    speed_mm_per_s: float = PAPER_SPEED_MM_PER_S
    gain_mm_per_mv: float = GAIN_MM_PER_MV
    inverted: bool = False
    divided: bool = False

    @property
    def label(self) -> str:
        """The lead's name, with the sign of an inverted one."""
        return f"-{self.lead}" if self.inverted else self.lead

    @property
    def right_mm(self) -> float:
        """Where the stretch ends, from the left edge of the sheet."""
        return self.left_mm + self.duration_s * self.speed_mm_per_s


@dataclass(frozen=True)
class Pulse:
    """A calibration pulse: 1 mV for 0.2 s.

    Attributes:
        left_mm: Where its room begins, from the left edge of the sheet.
        baseline_mm: Where 0 mV lies, from the top edge of the sheet.
        speed_mm_per_s: Paper speed.
        gains_mm_per_mv: Its height; several make it a staircase, as where limb and precordial leads differ.
    """

    left_mm: float
    baseline_mm: float
    speed_mm_per_s: float = PAPER_SPEED_MM_PER_S
    gains_mm_per_mv: tuple[float, ...] = (GAIN_MM_PER_MV,)

    @property
    def plateau_mm(self) -> float:
        """Width of the raised part."""
        return PULSE_S * self.speed_mm_per_s


@dataclass(frozen=True)
class Layout:
    """A sheet: its size and its strips, in the order in which they are printed.

    Attributes:
        name: Name on the command line.
        description: One line for people.
        width_mm: Width of the sheet.
        height_mm: Height of the sheet.
        strips: The strips, column after column.
        pulses: The calibration pulses.
        separator: What stands between two columns: ``mark`` (at the height of a trace, as ecg_plot has it), ``tick``
            (a short line about the baseline), ``line`` (a long one) or ``none``.
        names: How the names of the leads are printed.
    """

    name: str
    description: str
    width_mm: float
    height_mm: float
    strips: tuple[Strip, ...]
    pulses: tuple[Pulse, ...] = ()
    separator: Separator = "mark"
    names: Names = Names()

    def __post_init__(self) -> None:
        unknown = [strip.lead for strip in self.strips if strip.lead not in LEADS_12]
        if unknown:
            raise unknown_name("lead", unknown[0], LEADS_12)
        if not self.strips or not (self.width_mm > 0 and self.height_mm > 0):
            raise HeartprintError("bad-layout", f"Layout '{self.name}' needs a positive size and at least one strip.")
        if self.separator not in SEPARATORS:
            raise unknown_name("separator", str(self.separator), SEPARATORS)
        for strip in self.strips:
            positive = (strip.duration_s, strip.speed_mm_per_s, strip.gain_mm_per_mv)
            placed = (strip.left_mm, strip.baseline_mm, strip.start_s)
            if not (all(map(math.isfinite, (*positive, *placed))) and min(positive) > 0 and strip.start_s >= 0):
                raise HeartprintError(
                    "bad-layout",
                    f"In layout '{self.name}' the strip of {strip.label} has an impossible number: duration, speed and "
                    "gain must be above 0, its start not before 0 s.",
                )

    def __hash__(self) -> int:
        # A layout is looked up for every sheet: hashing all its strips would take longer than finding it.
        return hash((self.name, self.width_mm, self.height_mm, self.separator))

    @property
    def needs_s(self) -> float:
        """How long an ECG must be for the sheet to be full, s."""
        return max(strip.start_s + strip.duration_s for strip in self.strips)

    @property
    def leads(self) -> tuple[str, ...]:
        """The leads that the sheet shows, in `LEADS_12` order."""
        shown = {strip.lead for strip in self.strips}
        return tuple(lead for lead in LEADS_12 if lead in shown)

    @property
    def speeds_mm_per_s(self) -> tuple[float, ...]:
        """The paper speeds that occur, in order of appearance."""
        return tuple(dict.fromkeys(strip.speed_mm_per_s for strip in self.strips))

    @property
    def gains_mm_per_mv(self) -> tuple[float, ...]:
        """The gains that occur, in order of appearance."""
        return tuple(dict.fromkeys(strip.gain_mm_per_mv for strip in self.strips))


def columns_layout(
    name: str,
    description: str,
    columns: tuple[tuple[str, ...], ...],
    rhythm: tuple[str, ...] = (),
    *,
    starts_s: tuple[float, ...] | None = None,
    seconds: float = PAGE_S,
    speed_mm_per_s: float = PAPER_SPEED_MM_PER_S,
    gain_mm_per_mv: float = GAIN_MM_PER_MV,
    chest_gain_mm_per_mv: float | None = None,
    rhythm_speed_mm_per_s: float | None = None,
    cut_rhythm: bool = False,
    row_mm: float = ROW_MM,
    edge_mm: tuple[float, float] = (0.0, 0.0),
    pulse: Side = "none",
    separator: Separator = "mark",
    names: Names | None = None,
) -> Layout:
    """A sheet of columns with rhythm strips below.

    Usually each column shows the part of the ECG that follows the column before it, so that the beats of all columns
    and those of the rhythm strip stand below each other.

    Args:
        name: Name on the command line.
        description: One line for people.
        columns: Leads of each column, top to bottom; ``-aVR`` is aVR upside down.
        rhythm: Leads printed over the whole width below the columns.
        starts_s: First moment that each column shows, s, where columns show the same moments again (simultaneous
            columns).
        seconds: What all columns together are wide, s.
        speed_mm_per_s: Paper speed.
        gain_mm_per_mv: Height of 1 mV.
        chest_gain_mm_per_mv: The same for V1 to V6; None = as all.
        rhythm_speed_mm_per_s: Paper speed of the rhythm strips, which are as wide as the sheet whatever it is; None =
            that of the columns.
        cut_rhythm: Whether rhythm strips are cut where columns end, as the paper's laboratory has them.
        row_mm: Distance between rows.
        edge_mm: Room above the first row and below the last, beyond half of that distance.
        pulse: On which side calibration pulses stand.
        separator: See `Layout`.
        names: See `Layout`.
    """
    duration = seconds / len(columns)
    depth = max(map(len, columns))
    width_mm = seconds * speed_mm_per_s

    def strip(label: str, row: int, left_mm: float, start_s: float, duration_s: float, speed: float) -> Strip:
        lead = label.removeprefix("-")
        chest = chest_gain_mm_per_mv is not None and lead.startswith("V")
        return Strip(
            lead,
            left_mm=left_mm,
            baseline_mm=edge_mm[0] + (row + 0.5) * row_mm,
            start_s=start_s,
            duration_s=duration_s,
            speed_mm_per_s=speed,
            gain_mm_per_mv=chest_gain_mm_per_mv if chest and chest_gain_mm_per_mv else gain_mm_per_mv,
            inverted=label.startswith("-"),
            divided=left_mm > 0,
        )

    strips = []
    for k, column in enumerate(columns):
        start_s = k * duration if starts_s is None else starts_s[k]
        for row, label in enumerate((*column, *rhythm) if cut_rhythm else column):
            one = strip(label, row, k * duration * speed_mm_per_s, start_s, duration, speed_mm_per_s)
            strips.append(dataclasses.replace(one, named=row < len(column) or k == 0))
    if not cut_rhythm:
        speed = rhythm_speed_mm_per_s or speed_mm_per_s
        strips += [strip(label, depth + i, 0.0, 0.0, width_mm / speed, speed) for i, label in enumerate(rhythm)]
    layout = Layout(
        name,
        description,
        width_mm,
        (depth + len(rhythm)) * row_mm + sum(edge_mm),
        tuple(strips),
        separator=separator,
        names=Names() if names is None else names,
    )
    return layout if pulse == "none" else with_pulses(layout, pulse)


def with_pulses(layout: Layout, side: Literal["left", "right"]) -> Layout:
    """Widen a sheet on one side and put a calibration pulse before, or behind, each row."""
    outermost: dict[float, Strip] = {}
    for strip in layout.strips:
        known = outermost.setdefault(strip.baseline_mm, strip)
        if (strip.left_mm < known.left_mm) == (side == "left") and strip.left_mm != known.left_mm:
            outermost[strip.baseline_mm] = strip
    room_mm = 5.0 * math.ceil(max(PULSE_S * s.speed_mm_per_s for s in outermost.values()) / 5.0) + 5.0
    shift_mm = room_mm if side == "left" else 0.0
    strips = tuple(dataclasses.replace(s, left_mm=s.left_mm + shift_mm) for s in layout.strips)
    pulses = []
    for baseline_mm, strip in sorted(outermost.items()):
        gains = {s.gain_mm_per_mv for s in layout.strips if s.baseline_mm == baseline_mm}
        pulses.append(
            Pulse(
                0.0 if side == "left" else layout.width_mm,
                baseline_mm,
                strip.speed_mm_per_s,
                tuple(sorted(gains, reverse=True)),
            )
        )
    return dataclasses.replace(layout, width_mm=layout.width_mm + room_mm, strips=strips, pulses=tuple(pulses))
