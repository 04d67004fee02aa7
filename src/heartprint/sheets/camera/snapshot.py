"""Whole photographs: a camera that sees an ECG as it lies about, in square pixels, and knows where everything is.

`photograph` stretches one sheet to the picture that an encoder reads. `snapshot` gives what people send: the sheet on a
page, on a desk, turned, tilted, cut off, mirrored, beside other papers, in the proportions of a phone or a scanner.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError
from heartprint.sheets.camera.circumstances import Source, draw_source
from heartprint.sheets.camera.effects import checked_severity
from heartprint.sheets.camera.exposure import FINER, Laid, take
from heartprint.sheets.camera.geometry import Mapping
from heartprint.sheets.camera.looks import draw_look, print_letters, separate, without_letters
from heartprint.sheets.camera.papers import Kind, Paper, draw_paper, furnish, redact, show_on_screen
from heartprint.sheets.camera.photograph import grid_beyond
from heartprint.sheets.camera.viewpoint import Box, Viewpoint, draw_turn, draw_viewpoint
from heartprint.sheets.layout import Layout
from heartprint.sheets.raster import checked_size, render
from heartprint.sheets.registry import get_layout
from heartprint.sheets.style import Style, get_style, placed

SCREENS = ("screen", "file")
"""Sources that show a page in the window of a program."""

MIRRORED = 0.08
"""How often a picture is mirrored."""

_STEPS_PER_DOUBLING = 3
"""Sheets are drawn at few scales, so that their backgrounds are soon in memory."""


@dataclass(frozen=True)
class Snapshot:
    """A photograph and all that is known about it.

    Attributes:
        picture: ``(H, W)`` or ``(H, W, 3)`` uint8, white = 255, square pixels.
        mapping: Where the points of the sheet lie in it, exactly, folds and curl included.
        layout: The layout as placed by the style; None of a page that was given as an image.
        style: The style; None likewise.
        page_mm: The whole paper in mm of the sheet: left, top, right, bottom.
        grid_mm: Where a grid is printed, in mm of the sheet; None = there is none. Its lines are 1 mm apart.
        mirrored: Whether left and right are exchanged.
        severity: The severity that was asked for.
        effects: What happened, with severities, in order; geometry included: ``turn`` and ``tilt`` are in degrees.
        source: ``phone``, ``scan``, ``screen``, ``copy`` or ``file``.
    """

    picture: Image
    mapping: Mapping
    layout: Layout | None
    style: Style | None
    page_mm: Box
    grid_mm: Box | None
    mirrored: bool
    severity: float
    effects: tuple[tuple[str, float], ...]
    source: str


def snapshot(
    leads: npt.NDArray[np.floating],
    sampling_rate: float,
    layout: str | Layout = "standard",
    *,
    severity: float,
    rng: np.random.Generator,
    longest_side: int = 512,
    style: str | Style = "random",
    backgrounds: Sequence[Image] | None = None,
    mirrored: bool | None = None,
    turn: float | None = None,
    colour: bool = False,
) -> Snapshot:
    """Draw an ECG, lay it somewhere and take a photograph of it.

    Args:
        leads: ``(8, n)`` or ``(12, n)`` in mV, see `heartprint.sheets.render`.
        sampling_rate: Hz.
        layout: Name of a layout, or a `Layout`.
        severity: 1 (a flat scan, a good photograph) to 5 (barely readable), not only whole numbers.
        rng: Decides everything (`heartprint.foundation.randomness.generator`): the same stream, the same bytes.
        longest_side: Of the picture, px.
        style: Name of a style, a `Style`, or ``random``.
        backgrounds: ``(h, w)`` or ``(h, w, 3)`` uint8 photographs for the paper to lie on, among drawn ones; None =
            drawn ones only.
        mirrored: Whether the picture is mirrored; None = sometimes.
        turn: By how many degrees the sheet is turned clockwise in the picture (before mirroring); None = any.
        colour: Whether the picture has colours.

    Raises:
        HeartprintError: ``bad-severity``, or what `render` raises.
    """
    checked_severity(severity)
    look_of = draw_look(rng) if style == "random" else get_style(style)
    sheet = placed(get_layout(layout), look_of)
    source = draw_source(rng)
    paper = draw_paper(rng, sheet, look_of, _kind(rng, look_of))
    own = (0.0, 0.0, sheet.width_mm, sheet.height_mm)
    view, mirror = _viewpoint(rng, severity, longest_side, own, paper, source, mirrored, turn)
    scale = _drawn_scale(view, own)
    height, width = (max(round(mm * scale), 48) for mm in (sheet.height_mm, sheet.width_mm))
    checked_size((height, width))
    drawn = render(leads, sampling_rate, layout, (height, width), style=without_letters(look_of), colour=colour)
    kx, ky = width / sheet.width_mm, height / sheet.height_mm
    if rng.random() < 0.15:
        separate(drawn, rng, sheet, look_of, kx, ky)
    print_letters(drawn, sheet, look_of, kx, ky)
    if look_of.patient is not None and rng.random() < 0.3:
        redact(drawn, rng, (0, 0, width, round(look_of.margin_mm[1] * ky)), ky, 1 + int(4 * rng.random()))
    laid = _on_paper(rng, drawn, sheet, look_of, paper, kx, ky, source)
    grid = _grid(sheet, look_of, laid.page_mm if laid.surround is not None else own)
    picture, mapping, effects = take(rng, laid, view, source, severity, backgrounds)
    return Snapshot(
        picture,
        mapping,
        sheet,
        look_of,
        laid.page_mm,
        grid,
        mirror,
        float(severity),
        effects,
        source.name,
    )


def snapshot_of_image(
    page: Image,
    px_per_mm: float,
    *,
    severity: float,
    rng: np.random.Generator,
    longest_side: int = 512,
    backgrounds: Sequence[Image] | None = None,
    mirrored: bool | None = None,
    turn: float | None = None,
) -> Snapshot:
    """Take a photograph of a page that is already drawn, whatever is on it, by the same optics.

    Args:
        page: ``(h, w)`` or ``(h, w, 3)`` uint8, white = 255: the whole paper; it stands for the sheet too.
        px_per_mm: Its px per mm.
        severity: As the following, see `snapshot`.
        rng: Decides everything.
        longest_side: Of the picture, px.
        backgrounds: See `snapshot`.
        mirrored: See `snapshot`.
        turn: See `snapshot`.

    Raises:
        HeartprintError: ``bad-severity`` or ``not-a-page``.
    """
    checked_severity(severity)
    if page.dtype != np.uint8 or not (page.ndim == 2 or (page.ndim == 3 and page.shape[2] == 3)) or px_per_mm <= 0:
        raise HeartprintError(
            "not-a-page",
            f"A camera takes images of shape (h, w) or (h, w, 3) and type uint8, not {page.dtype} {page.shape}, and a "
            "positive number of px per mm. Scale levels to 0-255, white = 255.",
        )
    sides = (page.shape[1] / px_per_mm, page.shape[0] / px_per_mm)
    own = (0.0, 0.0, *sides)
    source = draw_source(rng)
    view, mirror = _viewpoint(rng, severity, longest_side, own, Paper("bare", own), source, mirrored, turn)
    scale = _drawn_scale(view, own)
    wanted = max(round(sides[0] * scale), 48), max(round(sides[1] * scale), 48)
    smaller = wanted[0] < page.shape[1]
    drawn = np.asarray(
        cv2.resize(page, wanted, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR), dtype=np.uint8
    )
    laid = Laid(drawn, wanted[0] / sides[0], wanted[1] / sides[1], (0, 0), sides, own)
    if source.name in SCREENS:
        laid = _on_screen(rng, laid)
    picture, mapping, effects = take(rng, laid, view, source, severity, backgrounds)
    return Snapshot(picture, mapping, None, None, own, None, mirror, float(severity), effects, source.name)


def _kind(rng: np.random.Generator, style: Style) -> Kind:
    u = rng.random()
    if u < 0.4:
        return "page"
    endless = style.grid_everywhere or not any(style.margin_mm)
    return "runs_on" if endless and u < 0.75 else "bare"


def _viewpoint(
    rng: np.random.Generator,
    severity: float,
    longest_side: int,
    own: Box,
    paper: Paper,
    source: Source,
    mirrored: bool | None,
    turn: float | None,
) -> tuple[Viewpoint, bool]:
    mirror = bool(rng.random() < MIRRORED) if mirrored is None else mirrored
    drawn = draw_turn(rng, severity)
    if source.name == "file":
        drawn = 90.0 * round(drawn / 90)
    whole = paper.kind == "page" and rng.random() < (0.75 if source.flat else 0.45)
    view = draw_viewpoint(
        rng,
        severity,
        longest_side,
        own,
        paper.box if whole else own,
        turn=drawn % 360 if turn is None else turn % 360,
        mirrored=mirror,
        flat=source.flat,
        cut=0.8 if not whole else 0.3,
    )
    return view, mirror


def _drawn_scale(view: Viewpoint, own: Box) -> float:
    """Px per mm at which to draw, a step of the ladder: `FINER` times what is seen in the middle of the sheet."""
    seen = view.px_per_mm((own[0] + own[2]) / 2, (own[1] + own[3]) / 2)
    step = round(math.log2(FINER * seen) * _STEPS_PER_DOUBLING)
    return math.exp2(min(max(step, -3), 4 * _STEPS_PER_DOUBLING) / _STEPS_PER_DOUBLING)


def _on_paper(
    rng: np.random.Generator,
    drawn: Image,
    sheet: Layout,
    style: Style,
    paper: Paper,
    kx: float,
    ky: float,
    source: Source,
) -> Laid:
    """Lay the sheet on its paper, and that on a screen where it is seen on one."""
    sides = (sheet.width_mm, sheet.height_mm)
    height, width = drawn.shape[:2]
    if paper.kind == "runs_on" and source.name not in SCREENS:
        surround = grid_beyond(sheet, style, height, width, colour=drawn.ndim == 3)
        if surround is not None:
            return Laid(drawn, kx, ky, (0, 0), sides, paper.box, surround)
    left, top = round(-paper.box[0] * kx), round(-paper.box[1] * ky)
    right, bottom = round((paper.box[2] - sheet.width_mm) * kx), round((paper.box[3] - sheet.height_mm) * ky)
    if paper.kind == "page" and rng.random() < 0.75:
        white = 255.0 * np.array((1.0, 1.0, 1.0))
    else:
        white = 255.0 * np.array(style.paper)
    shape = (height + top + bottom, width + left + right, *drawn.shape[2:])
    canvas = np.empty(shape, dtype=np.uint8)
    canvas[:] = white if drawn.ndim == 3 else white @ (0.299, 0.587, 0.114)
    canvas[top : top + height, left : left + width] = drawn
    if paper.kind == "page":
        at = (left, top, left + width, top + height)
        furnish(canvas, rng, at, ky / paper.shrunk)
        if rng.random() < 0.25:
            room = (0, 0, shape[1], top) if top > bottom else (0, top + height, shape[1], shape[0])
            redact(canvas, rng, room, ky, 1 + int(8 * rng.random()))
    page = (-left / kx, -top / ky, (width + right) / kx, (height + bottom) / ky)
    laid = Laid(canvas, kx, ky, (left, top), sides, page)
    return _on_screen(rng, laid) if source.name in SCREENS else laid


def _on_screen(rng: np.random.Generator, laid: Laid) -> Laid:
    """Show a page in a window."""
    canvas, left, top = show_on_screen(laid.canvas, rng)
    return dataclasses.replace(laid, canvas=canvas, origin=(laid.origin[0] + left, laid.origin[1] + top), endless=True)


def _grid(sheet: Layout, style: Style, everywhere: Box) -> Box | None:
    if style.major is None and style.minor is None:
        return None
    if style.grid_everywhere or not any(style.margin_mm):
        return everywhere
    left, top, right, bottom = style.margin_mm
    return left, top, sheet.width_mm - right, sheet.height_mm - bottom
