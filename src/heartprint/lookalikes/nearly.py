"""Pages that are nearly a 12-lead ECG: strips of one or three leads, halves, too few leads, two ECGs on a page.

All are drawn by the renderer of sheets, in any style. Mirrored and upside-down pages are the camera's matter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.lookalikes.canvas import Box, Canvas
from heartprint.lookalikes.choices import (
    between,
    chance,
    one_of,
    whole,
)
from heartprint.lookalikes.page import Page
from heartprint.sheets.camera.scene import grey_of
from heartprint.sheets.layout import Layout, Names, Side, columns_layout
from heartprint.sheets.raster import render
from heartprint.sheets.registry import ABOVE, CLOSE, LAYOUTS
from heartprint.sheets.style import WHITE, Style, draw_style, placed
from heartprint.signals.leads import LEADS_12

LIMB, CHEST = LEADS_12[:6], LEADS_12[6:]

MOST_LEADS_LEFT = 9
"""Leads that `leads_missing` leaves at most."""

GROUPS_OF_THREE = (
    ("I", "II", "III"),
    ("II", "V1", "V5"),
    ("I", "II", "V2"),
    ("V1", "V2", "V3"),
    ("V4", "V5", "V6"),
    ("aVR", "aVL", "aVF"),
    ("II", "aVF", "V5"),
)


@dataclass(frozen=True)
class Ecgs:
    """What there is to draw: one ECG or two, and in what layouts and styles.

    Attributes:
        leads: ``(8, n)`` or ``(12, n)`` in mV each.
        sampling_rate: Hz.
        layouts: 12-lead layouts that pages are cut and put together from.
        style: The style; None = one at random for each sheet.
        px_per_mm: Px per mm of the page.
    """

    leads: Sequence[npt.NDArray[np.floating]]
    sampling_rate: float
    layouts: Sequence[Layout]
    style: Style | None
    px_per_mm: float

    @property
    def seconds(self) -> float:
        """How long the first ECG is, s."""
        return float(self.leads[0].shape[1] / self.sampling_rate)


Drawn = tuple[Image, tuple[Box, ...]]
"""An image in colour, and where its sheets lie, mm; beyond its edges where they are cut."""


@dataclass(frozen=True)
class Nearly:
    """A kind of page that is nearly a 12-lead ECG.

    Attributes:
        name: Its name.
        description: One line for people.
        drawing: Draws one.
        leads: The most leads that are whole on one of its sheets; 12 where there are several sheets.
    """

    name: str
    description: str
    drawing: Callable[[np.random.Generator, Ecgs], Drawn]
    leads: int


def draw_nearly(
    name: str,
    ecgs: Sequence[npt.NDArray[np.floating]],
    sampling_rate: float,
    rng: np.random.Generator,
    px_per_mm: float = 4.0,
    *,
    style: Style | None = None,
    layouts: Sequence[Layout] | None = None,
    colour: bool = True,
) -> Page:
    """Draw a page that is nearly a 12-lead ECG.

    Args:
        name: One of `NEARLY`.
        ecgs: One ECG or two, ``(8, n)`` or ``(12, n)`` in mV; a page of two shows the only one twice.
        sampling_rate: Hz.
        rng: Decides everything that is not given.
        px_per_mm: Resolution, px per mm.
        style: The style; None = one at random.
        layouts: 12-lead layouts that halves and pages of two are made from; None = all that have a name.
        colour: Whether in colour.

    Returns:
        The page. Its ``sheets`` are where the sheets lie, mm from the page's upper left corner; that of half a page is
        the whole sheet's and reaches beyond the page.

    Raises:
        HeartprintError: ``unknown-nearly``, ``too-few-ecgs``, or what drawing a sheet raises.
    """
    kind = NEARLY.get(name)
    if kind is None:
        raise unknown_name("nearly", name, NEARLY)
    if not ecgs:
        raise HeartprintError("too-few-ecgs", "A page needs an ECG to show: give one or two.")
    known = tuple(LAYOUTS.values() if layouts is None else layouts)
    image, sheets = kind.drawing(rng, Ecgs(ecgs, sampling_rate, known, style, px_per_mm))
    return Page(image if colour else grey_of(image), px_per_mm, name, sheets)


def _style(rng: np.random.Generator, ecgs: Ecgs) -> Style:
    return draw_style(rng) if ecgs.style is None else ecgs.style


def _sheet(leads: npt.NDArray[np.floating], ecgs: Ecgs, layout: Layout, style: Style, shrunk: float = 1.0) -> Drawn:
    """A sheet alone, and its box."""
    paper = placed(layout, style)
    wide, high = paper.width_mm * shrunk, paper.height_mm * shrunk
    size = (round(high * ecgs.px_per_mm), round(wide * ecgs.px_per_mm))
    image = render(leads, ecgs.sampling_rate, layout, size, style=style, colour=True)
    return image, ((0.0, 0.0, wide, high),)


# --- strips ---------------------------------------------------------------------------------------------------------


def _rows(
    rng: np.random.Generator, ecgs: Ecgs, columns: tuple[tuple[str, ...], ...], row_mm: tuple[float, float]
) -> Drawn:
    """Rows of leads in columns at any speed, gain and distance."""
    speed = one_of(rng, (25.0, 25.0, 25.0, 50.0))
    longest = min(ecgs.seconds, 250.0 / speed if speed > 25 else 10.0)
    layout = columns_layout(
        "nearly",
        "",
        columns,
        starts_s=(0.0,) * len(columns) if chance(rng, 0.5) else None,
        seconds=max(2.0, longest * between(rng, 0.45, 1.0)),
        speed_mm_per_s=speed,
        gain_mm_per_mv=one_of(rng, (10.0, 10.0, 10.0, 5.0, 20.0)),
        row_mm=between(rng, *row_mm),
        pulse=_side(rng),
        separator=one_of(rng, ("tick", "line", "none")),
        names=one_of(rng, (ABOVE, CLOSE, Names())),
    )
    return _sheet(ecgs.leads[0], ecgs, layout, _style(rng, ecgs))


def _side(rng: np.random.Generator) -> Side:
    return one_of(rng, ("none", "left", "right"))


def _one_lead(rng: np.random.Generator, ecgs: Ecgs) -> Drawn:
    return _rows(rng, ecgs, ((one_of(rng, ("II", "II", "I", "V1", "V5", *LEADS_12)),),), (22.0, 60.0))


def _three_leads(rng: np.random.Generator, ecgs: Ecgs) -> Drawn:
    three = one_of(rng, GROUPS_OF_THREE)
    return _rows(rng, ecgs, (three,) if chance(rng, 0.75) else tuple((lead,) for lead in three), (18.0, 45.0))


def _six(leads: tuple[str, ...]) -> Callable[[np.random.Generator, Ecgs], Drawn]:
    def draw(rng: np.random.Generator, ecgs: Ecgs) -> Drawn:
        columns = one_of(rng, (1, 1, 2, 3))
        rows = 6 // columns
        return _rows(rng, ecgs, tuple(leads[k * rows : (k + 1) * rows] for k in range(columns)), (16.0, 32.0))

    return draw


def _rhythm_page(rng: np.random.Generator, ecgs: Ecgs) -> Drawn:
    """Rows of one lead, each from another moment: the ECG is too short for as many rows in a row."""
    lead, rows = one_of(rng, ("II", "II", "V1", "I", "V5")), whole(rng, 4, 12)
    seconds = min(ecgs.seconds, 10.0) * between(rng, 0.5, 0.9)
    row_mm = between(rng, 13.0, max(14.0, 200.0 / rows))
    layout = columns_layout(
        "nearly",
        "",
        ((lead,) * rows,),
        seconds=seconds,
        row_mm=row_mm,
        edge_mm=(4.0, 4.0),
        pulse=_side(rng),
        names=CLOSE,
    )
    all_named = chance(rng, 0.5)
    strips = tuple(
        dataclasses.replace(strip, start_s=between(rng, 0, ecgs.seconds - seconds), named=all_named or row == 0)
        for row, strip in enumerate(layout.strips)
    )
    return _sheet(ecgs.leads[0], ecgs, dataclasses.replace(layout, strips=strips), _style(rng, ecgs))


# --- parts of a 12-lead page ----------------------------------------------------------------------------------------


def _leads_missing(rng: np.random.Generator, ecgs: Ecgs) -> Drawn:
    """Whole rows or columns are not there: their paper is blank, or gone below."""
    layout = one_of(rng, ecgs.layouts)
    by_row = chance(rng, 0.6) or len({strip.left_mm for strip in layout.strips if not strip.named}) == 1
    left = list(layout.strips)
    while len({strip.lead for strip in left}) > MOST_LEADS_LEFT:
        gone = one_of(rng, left)
        rest = [s for s in left if (s.baseline_mm != gone.baseline_mm if by_row else s.left_mm != gone.left_mm)]
        # A column of rhythm strips, or the only one, is no part of an ECG that could be missing.
        left = rest or [s for s in left if s.baseline_mm != gone.baseline_mm] or left[:3]
    part = dataclasses.replace(layout, strips=tuple(left), pulses=tuple(p for p in layout.pulses if chance(rng, 0.7)))
    lowest = max(strip.baseline_mm for strip in left)
    if chance(rng, 0.5) and lowest + 15.0 < part.height_mm:
        part = dataclasses.replace(
            part, height_mm=lowest + 15.0, pulses=tuple(p for p in part.pulses if p.baseline_mm <= lowest)
        )
    return _sheet(ecgs.leads[0], ecgs, part, _style(rng, ecgs))


def _half(side: str) -> Callable[[np.random.Generator, Ecgs], Drawn]:
    """The half that remains when the sheet is cut, a bit more or less."""

    def draw(rng: np.random.Generator, ecgs: Ecgs) -> Drawn:
        across = side in ("left", "right")
        # One column cut in half still shows all of its leads.
        fit = [one for one in ecgs.layouts if not across or any(strip.divided for strip in one.strips)]
        image, ((_, _, wide, high),) = _sheet(ecgs.leads[0], ecgs, one_of(rng, fit or ecgs.layouts), _style(rng, ecgs))
        kept, scale = between(rng, 0.38, 0.55), ecgs.px_per_mm
        rows, columns = image.shape[:2]
        if across:
            cut = round(kept * columns)
            part = image[:, :cut] if side == "left" else image[:, columns - cut :]
            x = 0.0 if side == "left" else -(columns - cut) / scale
            return np.ascontiguousarray(part), ((x, 0.0, x + wide, high),)
        cut = round(kept * rows)
        part = image[:cut] if side == "top" else image[rows - cut :]
        y = 0.0 if side == "top" else -(rows - cut) / scale
        return np.ascontiguousarray(part), ((0.0, y, wide, y + high),)

    return draw


# --- several ECGs ---------------------------------------------------------------------------------------------------


def _two(beside: bool) -> Callable[[np.random.Generator, Ecgs], Drawn]:
    """Two whole ECGs above or beside each other, made smaller as a printer does, in one style or two."""

    def draw(rng: np.random.Generator, ecgs: Ecgs) -> Drawn:
        first, second = _style(rng, ecgs), _style(rng, ecgs)
        styles = (first, first if chance(rng, 0.7) else second)
        one, other = one_of(rng, ecgs.layouts), one_of(rng, ecgs.layouts)
        layouts = (one, one if chance(rng, 0.6) else other)
        sizes = [placed(layout, style) for layout, style in zip(layouts, styles, strict=True)]
        # Each is made as wide, or as high, as the other.
        aim = between(rng, 110, 200) if beside else between(rng, 150, 270)
        shrunk = [min(aim / (s.height_mm if beside and s.height_mm > s.width_mm else s.width_mm), 1.0) for s in sizes]
        margin, gap = between(rng, 0, 15), between(rng, 0, 25)
        sheets = []
        for leads, layout, style, small in zip((ecgs.leads[0], ecgs.leads[-1]), layouts, styles, shrunk, strict=True):
            sheets.append(_sheet(leads, ecgs, layout, style, small))
        boxes: list[Box] = []
        x = y = margin
        for _, ((_, _, wide, high),) in sheets:
            boxes.append((x, y, x + wide, y + high))
            x, y = (x + wide + gap, y) if beside else (x, y + high + gap)
        canvas = Canvas(
            max(b[2] for b in boxes) + margin, max(b[3] for b in boxes) + margin, ecgs.px_per_mm, fineness=1
        )
        canvas.fill(WHITE if chance(rng, 0.7) else styles[0].paper)
        moved = []
        for (image, _), (left, top, _, _) in zip(sheets, boxes, strict=True):
            row, column = round(top * ecgs.px_per_mm), round(left * ecgs.px_per_mm)
            part = canvas.pixels[row : row + image.shape[0], column : column + image.shape[1]]
            part[:] = image[: part.shape[0], : part.shape[1]]
            corner = (column / ecgs.px_per_mm, row / ecgs.px_per_mm)
            moved.append(
                (*corner, corner[0] + image.shape[1] / ecgs.px_per_mm, corner[1] + image.shape[0] / ecgs.px_per_mm)
            )
        return canvas.pixels, tuple(moved)

    return draw


NEARLY: dict[str, Nearly] = {
    kind.name: kind
    for kind in (
        Nearly("one_lead", "a strip of one lead", _one_lead, 1),
        Nearly("three_leads", "a strip of three leads", _three_leads, 3),
        Nearly("limb_leads", "the six limb leads alone", _six(LIMB), 6),
        Nearly("chest_leads", "the six precordial leads alone", _six(CHEST), 6),
        Nearly("leads_missing", "a 12-lead page with rows or columns missing", _leads_missing, MOST_LEADS_LEFT),
        Nearly("rhythm_page", "many rows of one lead", _rhythm_page, 1),
        Nearly("left_half", "the left half of a 12-lead page", _half("left"), 8),
        Nearly("right_half", "the right half of a 12-lead page", _half("right"), 8),
        Nearly("top_half", "the upper half of a 12-lead page", _half("top"), 8),
        Nearly("bottom_half", "the lower half of a 12-lead page", _half("bottom"), 8),
        Nearly("two_above", "two 12-lead ECGs above each other", _two(beside=False), 12),
        Nearly("two_beside", "two 12-lead ECGs beside each other", _two(beside=True), 12),
    )
}
"""All kinds, by name."""
