"""Styles: what a sheet looks like apart from where its strips lie - paper, grid, pens, names, printed texts."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.sheets import look
from heartprint.sheets.layout import Layout, Names, Pulse, Separator, Strip, with_pulses
from heartprint.sheets.registry import ABOVE, CLOSE

T = TypeVar("T", Strip, Pulse)
Colour = tuple[float, float, float]
"""Red, green and blue in 0-1."""

Margin = tuple[float, float, float, float]
"""Left, top, right and bottom, mm."""

WHITE: Colour = (1.0, 1.0, 1.0)
BLACK: Colour = (0.0, 0.0, 0.0)

N_PATIENTS = 8
"""Invented patients whose texts `draw_style` prints; few, so that their drawn texts are soon all in memory."""


@dataclass(frozen=True)
class Style:
    """What a sheet looks like. The defaults are those of ecg_plot.

    Attributes:
        name: Name on the command line.
        description: One line for people.
        paper: Colour of the paper under the grid.
        major: Colour of the lines 5 mm apart; None = none.
        minor: Colour of the lines 1 mm apart; None = none.
        dots: Whether the lines 1 mm apart are dots where they cross. There is no frame then.
        frame: Colour of the frame about the grid; None = none.
        ink: Colour of traces, pulses and separators.
        text: Colour of names and texts.
        trace_mm: Width of the pen that draws traces.
        major_mm: Width of the lines 5 mm apart.
        minor_mm: Width of the lines 1 mm apart, or of their dots.
        frame_mm: Width of the frame.
        margin_mm: Room about the plotting area: left, top, right, bottom.
        grid_everywhere: Whether the grid covers the margin too, as on the paper of a machine.
        names: How leads are named; None = as the layout says.
        separator: What stands between columns; None = as the layout says.
        pulse: Calibration pulses: as the ``layout`` says, ``none``, or added on the ``left`` or ``right`` where the
            layout has none.
        patient: Number of the invented patient whose name, date and measurements stand above the ECG; None = no such
            text. It needs a margin of 15 mm above.
        footer: Whether speed, gain and filter stand below the ECG. It needs a margin of 5 mm below.
    """

    name: str = "ecg_plot"
    description: str = "red grid, dark blue ink, frame: what ecg_plot draws"
    paper: Colour = WHITE
    major: Colour | None = (1.0, 0.0, 0.0)
    minor: Colour | None = (1.0, 0.7, 0.7)
    dots: bool = False
    frame: Colour | None = BLACK
    ink: Colour = (0.0, 0.0, 0.7)
    text: Colour = BLACK
    trace_mm: float = look.PEN_MM
    major_mm: float = look.PEN_MM
    minor_mm: float = look.PEN_MM
    frame_mm: float = look.FRAME_MM
    margin_mm: Margin = (0.0, 0.0, 0.0, 0.0)
    grid_everywhere: bool = False
    names: Names | None = None
    separator: Separator | None = None
    pulse: Literal["layout", "none", "left", "right"] = "layout"
    patient: int | None = None
    footer: bool = False

    def __post_init__(self) -> None:
        for colour in (self.paper, self.major, self.minor, self.frame, self.ink, self.text):
            if colour is not None and not (len(colour) == 3 and min(colour) >= 0 and max(colour) <= 1):
                raise self._bad(f"{colour} is no colour: give red, green and blue from 0 to 1")
        widths = (self.trace_mm, self.major_mm, self.minor_mm, self.frame_mm)
        if not (min(widths) >= 0.02 and max(widths) <= 1.0):
            raise self._bad(f"a pen is 0.02 to 1 mm wide, these are {widths}")
        if not (len(self.margin_mm) == 4 and min(self.margin_mm) >= 0 and max(self.margin_mm) <= 100):
            raise self._bad(f"a margin is 0 to 100 mm wide on each of four sides, not {self.margin_mm}")
        if self.dots and self.frame is not None:
            raise self._bad("dots go without a frame: set frame to None")
        if self.patient is not None and (self.patient < 0 or self.margin_mm[1] < HEADER_MM):
            raise self._bad(f"the texts above need margin_mm[1] >= {HEADER_MM:g} and a patient's number >= 0")
        if self.footer and self.margin_mm[3] < FOOTER_MM:
            raise self._bad(f"the text below needs margin_mm[3] >= {FOOTER_MM:g}")

    def _bad(self, why: str) -> HeartprintError:
        return HeartprintError("bad-style", f"Style '{self.name}' cannot be drawn: {why}.")

    def __hash__(self) -> int:
        # A style is looked up for every sheet: hashing all of it would take longer than finding it.
        return hash((self.name, self.major, self.ink, self.trace_mm, self.margin_mm, self.patient))


HEADER_MM, FOOTER_MM = 15.0, 5.0
"""Room that the texts above and below the ECG need."""

ECG_PLOT = Style()
"""The default."""


def placed(layout: Layout, style: Style) -> Layout:
    """The layout as a style prints it: with its margin about it, its pulses, names and separators.

    A style that changes nothing gives the layout itself; equal arguments give the same object.
    """
    return _placed(layout, style.pulse, style.names, style.separator, style.margin_mm)


@functools.lru_cache(maxsize=4096)
def _placed(
    layout: Layout,
    pulse: Literal["layout", "none", "left", "right"],
    names: Names | None,
    separator: Separator | None,
    margin_mm: Margin,
) -> Layout:
    sheet = layout
    if pulse == "none":
        sheet = dataclasses.replace(sheet, pulses=())
    elif pulse != "layout" and not sheet.pulses:
        sheet = with_pulses(sheet, pulse)
    if names is not None:
        sheet = dataclasses.replace(sheet, names=names)
    if separator is not None:
        sheet = dataclasses.replace(sheet, separator=separator)
    left, top, right, bottom = margin_mm
    if not any(margin_mm):
        return sheet
    return dataclasses.replace(
        sheet,
        width_mm=sheet.width_mm + left + right,
        height_mm=sheet.height_mm + top + bottom,
        strips=tuple(moved(strip, left, top) for strip in sheet.strips),
        pulses=tuple(moved(item, left, top) for item in sheet.pulses),
    )


def moved(item: T, right_mm: float, down_mm: float) -> T:
    """A strip or pulse elsewhere on the sheet."""
    return dataclasses.replace(item, left_mm=item.left_mm + right_mm, baseline_mm=item.baseline_mm + down_mm)


# --- grids and pens -----------------------------------------------------------------------------------------------

GRIDS: dict[str, tuple[Colour | None, Colour | None]] = {
    "red": ((1.0, 0.0, 0.0), (1.0, 0.7, 0.7)),
    "pale red": ((0.95, 0.6, 0.6), (0.98, 0.84, 0.84)),
    "pink": ((0.93, 0.55, 0.68), (0.98, 0.82, 0.88)),
    "orange": ((0.95, 0.6, 0.3), (0.99, 0.85, 0.7)),
    "green": ((0.3, 0.7, 0.4), (0.75, 0.92, 0.78)),
    "blue": ((0.35, 0.55, 0.9), (0.78, 0.86, 0.98)),
    "grey": ((0.6, 0.6, 0.6), (0.85, 0.85, 0.85)),
    "dark grey": ((0.35, 0.35, 0.35), (0.72, 0.72, 0.72)),
    "black and white": ((0.0, 0.0, 0.0), None),
    "major only": ((0.9, 0.5, 0.5), None),
    "none": (None, None),
}
"""Colours of the lines 5 mm and 1 mm apart."""

INKS: dict[str, Colour] = {
    "black": BLACK,
    "blue-black": (0.08, 0.08, 0.24),
    "dark blue": (0.0, 0.0, 0.7),
    "dark grey": (0.25, 0.25, 0.25),
}


def _styles() -> tuple[Style, ...]:
    def coloured(name: str, description: str, grid: str, ink: str = "black", **more: Any) -> Style:
        major, minor = GRIDS[grid]
        return dataclasses.replace(
            ECG_PLOT, name=name, description=description, major=major, minor=minor, ink=INKS[ink], **more
        )

    around = (5.0, 5.0, 5.0, 5.0)
    texts = (5.0, 20.0, 5.0, 10.0)
    thin, thick = 0.1, 0.3
    return (
        ECG_PLOT,
        coloured("red", "red grid, black ink, frame", "red"),
        coloured("pink", "pink grid, black ink, no frame", "pink", frame=None, major_mm=0.2, minor_mm=thin),
        coloured("orange", "orange grid, blue-black ink, white margin", "orange", "blue-black", margin_mm=around),
        coloured("green", "green grid, black ink", "green", frame=None),
        coloured("blue", "blue grid, dark blue ink", "blue", "dark blue", frame=None),
        coloured("grey", "grey grid, black ink", "grey", frame=(0.4, 0.4, 0.4)),
        coloured(
            "black_and_white",
            "thin black lines 5 mm apart, thick ink",
            "black and white",
            major_mm=thin,
            trace_mm=thick,
        ),
        coloured("no_grid", "white paper, black ink", "none", frame=None),
        coloured("dots", "lines 5 mm apart, dots 1 mm apart", "pale red", dots=True, frame=None, minor_mm=0.3),
        coloured(
            "thermal",
            "pink grid over the whole paper with texts printed on it, thick ink, as a machine prints",
            "pink",
            frame=None,
            paper=(1.0, 0.97, 0.96),
            margin_mm=texts,
            grid_everywhere=True,
            trace_mm=0.25,
            pulse="left",
            patient=0,
            footer=True,
        ),
        coloured(
            "report",
            "pale red grid in a frame, texts on white margins, thin ink",
            "pale red",
            frame=(0.8, 0.3, 0.3),
            margin_mm=(10.0, 25.0, 10.0, 10.0),
            trace_mm=0.15,
            pulse="left",
            names=ABOVE,
            patient=1,
            footer=True,
        ),
        coloured(
            "photocopy",
            "grey everything, thick ink, as copied",
            "grey",
            "dark grey",
            frame=None,
            paper=(0.95, 0.95, 0.95),
            minor_mm=thin,
            trace_mm=0.35,
            margin_mm=around,
            grid_everywhere=True,
        ),
        coloured(
            "buff",
            "orange grid on buff paper, capital names",
            "orange",
            frame=None,
            paper=(1.0, 0.97, 0.88),
            margin_mm=around,
            grid_everywhere=True,
            names=dataclasses.replace(ABOVE, form="AVR"),
        ),
        coloured(
            "no_names",
            "grey grid, no names, no separators",
            "grey",
            frame=None,
            names=Names(form="none"),
            separator="none",
        ),
    )


STYLES: dict[str, Style] = {style.name: style for style in _styles()}
"""The styles that have a name."""


def get_style(name: str | Style) -> Style:
    """Look a style up by name; a `Style` is passed through.

    Raises:
        HeartprintError: ``unknown-style``, naming the nearest known one.
    """
    if isinstance(name, Style):
        return name
    found = STYLES.get(name)
    if found is None:
        raise unknown_name("style", str(name), STYLES)
    return found


# --- styles at random ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _House:
    """What stays the same on all sheets of a machine: few of them, so that what they print is soon in memory."""

    margin_mm: Margin = (0.0, 0.0, 0.0, 0.0)
    grid_everywhere: bool = False
    framed: bool = False
    dots: bool = False
    names: Names | None = None
    separator: Separator | None = None
    pulse: Literal["layout", "none", "left", "right"] = "layout"
    header: bool = False
    footer: bool = False


_HOUSES = (
    _House(framed=True),
    _House(framed=True, names=ABOVE, separator="tick"),
    _House(names=CLOSE, separator="line"),
    _House(dots=True, names=ABOVE, pulse="left"),
    _House((5.0, 5.0, 5.0, 5.0), framed=True, pulse="left"),
    _House((5.0, 5.0, 5.0, 5.0), grid_everywhere=True, names=dataclasses.replace(ABOVE, form="AVR")),
    _House((5.0, 20.0, 5.0, 10.0), grid_everywhere=True, pulse="left", header=True, footer=True),
    _House((5.0, 20.0, 5.0, 5.0), names=ABOVE, separator="tick", pulse="right", header=True),
    _House((10.0, 25.0, 10.0, 10.0), framed=True, names=ABOVE, pulse="left", header=True, footer=True),
    _House((0.0, 15.0, 0.0, 5.0), grid_everywhere=True, dots=True, separator="tick", header=True, footer=True),
    _House((5.0, 5.0, 5.0, 10.0), grid_everywhere=True, names=Names(form="none"), separator="none", footer=True),
    _House(names=dataclasses.replace(ABOVE, size_mm=4.0, form="AVR"), separator="none", pulse="none"),
)
_SHADES = (0.0, 0.25, 0.5)
_TRACE_MM = (0.12, look.PEN_MM, 0.25, 0.35)
_GRID_MM = ((look.PEN_MM, look.PEN_MM), (0.22, 0.1))
_PAPERS: tuple[Colour, ...] = (WHITE, WHITE, WHITE, (1.0, 0.97, 0.95), (0.95, 0.95, 0.95), (1.0, 0.98, 0.9))


def draw_style(rng: np.random.Generator) -> Style:
    """Draw a style at random: grid, its shade and pens, paper, ink, and the house that it comes from.

    All is drawn from short lists, each evenly, and what is drawn for one sheet helps the next: 12 houses (margin,
    names, separators, pulses, texts of one of 8 invented patients) x 11 grids x 3 shades x 2 grid pens x 4 papers x
    4 inks x 4 pens.

    Args:
        rng: Source of randomness (`heartprint.foundation.randomness.generator`). Eight numbers are drawn.
    """
    u = rng.random(8).tolist()
    house = _HOUSES[int(u[0] * len(_HOUSES))]
    major, minor = _GRID_LIST[int(u[1] * len(_GRID_LIST))]
    shade = _SHADES[int(u[2] * len(_SHADES))]
    major_mm, minor_mm = _GRID_MM[int(u[3] * len(_GRID_MM))]
    return Style(
        name="random",
        description="",
        paper=_PAPERS[int(u[4] * len(_PAPERS))],
        major=major and _paler(major, shade),
        minor=minor and _paler(minor, shade),
        dots=house.dots,
        frame=BLACK if house.framed else None,
        ink=_INK_LIST[int(u[5] * len(_INK_LIST))],
        trace_mm=_TRACE_MM[int(u[6] * len(_TRACE_MM))],
        major_mm=major_mm,
        minor_mm=0.3 if house.dots else minor_mm,
        margin_mm=house.margin_mm,
        grid_everywhere=house.grid_everywhere,
        names=house.names,
        separator=house.separator,
        pulse=house.pulse,
        patient=int(u[7] * N_PATIENTS) if house.header else None,
        footer=house.footer,
    )


_GRID_LIST, _INK_LIST = tuple(GRIDS.values()), tuple(INKS.values())


def _paler(colour: Colour, shade: float) -> Colour:
    """Mix a colour with white."""
    red, green, blue = (c + shade * (1.0 - c) for c in colour)
    return red, green, blue
