"""Layouts: where each lead's strip lies on the paper, in millimetres."""

from __future__ import annotations

from dataclasses import dataclass

from heartprint.cohorts.leads import LEADS_12
from heartprint.foundation.errors import HeartprintError, unknown_name

PAPER_SPEED_MM_PER_S = 25.0
GAIN_MM_PER_MV = 10.0

ROW_MM = 30.0
"""Distance between rows; the first baseline lies half of it below the upper edge."""

PAGE_S = 10.0
"""Seconds of an ECG that a sheet shows."""


@dataclass(frozen=True)
class Strip:
    """A stretch of one lead on the page.

    Attributes:
        lead: Name in `LEADS_12`.
        left_mm: Where the stretch begins, from the left edge of the page.
        baseline_mm: Where 0 mV lies, from the top edge of the page.
        start_s: First moment of the ECG that is shown, s.
        duration_s: Length of the stretch, s.
        named: Whether the lead's name is printed at its left end.
    """

    lead: str
    left_mm: float
    baseline_mm: float
    start_s: float
    duration_s: float
    named: bool = True

    @property
    def divided(self) -> bool:
        """Whether an upright mark stands before the stretch, because another column ends there."""
        return self.left_mm > 0


@dataclass(frozen=True)
class Layout:
    """A page: its size and its strips, in the order in which they are printed.

    Attributes:
        name: Name on the command line.
        description: One line for people.
        width_mm: Width of the page.
        height_mm: Height of the page.
        strips: The strips, column after column.
    """

    name: str
    description: str
    width_mm: float
    height_mm: float
    strips: tuple[Strip, ...]

    def __post_init__(self) -> None:
        unknown = [strip.lead for strip in self.strips if strip.lead not in LEADS_12]
        if unknown:
            raise unknown_name("lead", unknown[0], LEADS_12)
        if not self.strips or not (self.width_mm > 0 and self.height_mm > 0):
            raise HeartprintError("bad-layout", f"Layout '{self.name}' needs a positive size and at least one strip.")

    def __hash__(self) -> int:
        # A layout is looked up for every sheet: hashing all its strips would take longer than finding it.
        return hash((self.name, self.width_mm, self.height_mm))

    @property
    def needs_s(self) -> float:
        """How long an ECG must be for the page to be full, s."""
        return max(strip.start_s + strip.duration_s for strip in self.strips)

    @property
    def leads(self) -> tuple[str, ...]:
        """The leads that the page shows, in `LEADS_12` order."""
        shown = {strip.lead for strip in self.strips}
        return tuple(lead for lead in LEADS_12 if lead in shown)


def columns_layout(
    name: str,
    description: str,
    columns: tuple[tuple[str, ...], ...],
    rhythm: tuple[str, ...] = (),
    *,
    starts_s: tuple[float, ...] | None = None,
) -> Layout:
    """A page of columns with rhythm strips below, 10 s wide.

    Usually each column shows the part of the ECG that follows the column before it, so that the beats of all columns
    and those of the rhythm strip stand below each other.

    Args:
        name: Name on the command line.
        description: One line for people.
        columns: Leads of each column, top to bottom.
        rhythm: Leads printed over the whole width below the columns.
        starts_s: First moment that each column shows, s, where columns show the same moments again (simultaneous
            columns).
    """
    duration = PAGE_S / len(columns)
    rows = max(map(len, columns)) + len(rhythm)
    strips = [
        Strip(
            lead,
            left_mm=k * duration * PAPER_SPEED_MM_PER_S,
            baseline_mm=(row + 0.5) * ROW_MM,
            start_s=k * duration if starts_s is None else starts_s[k],
            duration_s=duration,
            named=row < len(column) or k == 0,
        )
        for k, column in enumerate(columns)
        for row, lead in enumerate((*column, *rhythm))
    ]
    return Layout(name, description, PAGE_S * PAPER_SPEED_MM_PER_S, rows * ROW_MM, tuple(strips))


_LIMB = (("I", "II", "III"), ("aVR", "aVL", "aVF"))
_CHEST = (("V1", "V2", "V3"), ("V4", "V5", "V6"))

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        columns_layout("standard", "3 rows x 4 columns of 2.5 s, rhythm strip I", _LIMB + _CHEST, ("I",)),
        columns_layout(
            "two_rhythm", "3 rows x 4 columns of 2.5 s, rhythm strips I and II", _LIMB + _CHEST, ("I", "II")
        ),
        columns_layout(
            "alternate",
            "6 rows x 2 columns of 5 s, limb leads left, precordial leads right",
            (_LIMB[0] + _LIMB[1], _CHEST[0] + _CHEST[1]),
        ),
        columns_layout(
            "shuffled", "3 rows x 4 columns of 2.5 s, precordial columns first, rhythm strip I", _CHEST + _LIMB, ("I",)
        ),
        columns_layout(
            "short_six_rows",
            "6 rows x 2 columns of the same 5 s, limb leads left, precordial leads right",
            (_LIMB[0] + _LIMB[1], _CHEST[0] + _CHEST[1]),
            starts_s=(0.0, 0.0),
        ),
        columns_layout(
            "short_three_rows",
            "3 rows x 4 columns of 2.5 s, limb leads and precordial leads showing the same 5 s",
            _LIMB + _CHEST,
            starts_s=(0.0, 2.5, 0.0, 2.5),
        ),
    )
}
"""The four layouts of the paper's laboratory, and two that need only 5 s of an ECG."""

PAPER_LAYOUTS = ("standard", "two_rhythm", "alternate", "shuffled")
"""Those of the paper's laboratory (see ``docs/results/drawing.md``)."""


def get_layout(name: str | Layout) -> Layout:
    """Look a layout up by name; a `Layout` is passed through.

    Raises:
        HeartprintError: ``unknown-layout``, naming the nearest known one.
    """
    if isinstance(name, Layout):
        return name
    found = LAYOUTS.get(name)
    if found is None:
        raise unknown_name("layout", str(name), LAYOUTS)
    return found
