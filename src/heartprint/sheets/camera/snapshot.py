"""Whole photographs: a camera that sees an ECG as it lies about, in square pixels, and knows where everything is.

`photograph` stretches one sheet to the picture that an encoder reads. `snapshot` gives what people send: the sheet on a
page, on a desk, turned, tilted, cut off, mirrored, beside other papers, in the proportions of a phone or a scanner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.foundation.errors import HeartprintError
from heartprint.sheets.camera import circumstances, covers
from heartprint.sheets.camera.backdrops import draw_backdrop
from heartprint.sheets.camera.circumstances import Source, draw_source
from heartprint.sheets.camera.effects import checked_severity, get_effect
from heartprint.sheets.camera.geometry import RIDGE_FIELDS, WAVE_FIELDS, Mapping
from heartprint.sheets.camera.papers import Kind, Paper, draw_paper, furnish, redact, separate
from heartprint.sheets.camera.photograph import grid_beyond
from heartprint.sheets.camera.scene import Scene, Surround
from heartprint.sheets.camera.viewpoint import Box, Viewpoint, draw_turn, draw_viewpoint
from heartprint.sheets.layout import Layout
from heartprint.sheets.raster import checked_size, render
from heartprint.sheets.registry import get_layout
from heartprint.sheets.style import Style, draw_style, get_style, placed

MIRRORED = 0.08
"""How often a picture is mirrored."""

FINER = 2
"""How many px a side each px of the picture is exposed with, and how many the sheet is drawn with."""

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
    look_of = draw_style(rng) if style == "random" else get_style(style)
    sheet = placed(get_layout(layout), look_of)
    source = draw_source(rng)
    paper = draw_paper(rng, sheet, look_of, _kind(rng, look_of))
    own = (0.0, 0.0, sheet.width_mm, sheet.height_mm)
    view, mirror = _viewpoint(rng, severity, longest_side, own, paper, source, mirrored, turn)
    scale = _drawn_scale(view, own)
    height, width = (max(round(mm * scale), 48) for mm in (sheet.height_mm, sheet.width_mm))
    checked_size((height, width))
    drawn = render(leads, sampling_rate, layout, (height, width), style=look_of, colour=colour)
    kx, ky = width / sheet.width_mm, height / sheet.height_mm
    if rng.random() < 0.12:
        separate(drawn, rng, sheet, look_of, np.array([kx, ky, 0.0, 0.0]))
    if look_of.patient is not None and rng.random() < 0.3:
        redact(drawn, rng, (0, 0, width, round(look_of.margin_mm[1] * ky)), ky, 1 + int(4 * rng.random()))
    canvas, page, left, top, surround = _on_paper(rng, drawn, sheet, look_of, paper, kx, ky)
    return _taken(
        rng,
        canvas,
        view,
        source,
        severity,
        kx,
        ky,
        (left, top),
        (sheet.width_mm, sheet.height_mm),
        page,
        surround,
        backgrounds,
        layout=sheet,
        style=look_of,
        grid=_grid(sheet, look_of, page if surround is not None else own),
        mirrored=mirror,
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
    return _taken(
        rng,
        drawn,
        view,
        source,
        severity,
        wanted[0] / sides[0],
        wanted[1] / sides[1],
        (0, 0),
        sides,
        own,
        None,
        backgrounds,
        layout=None,
        style=None,
        grid=None,
        mirrored=mirror,
    )


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
    rng: np.random.Generator, drawn: Image, sheet: Layout, style: Style, paper: Paper, kx: float, ky: float
) -> tuple[Image, Box, int, int, Surround | None]:
    """Lay the sheet on its paper.

    Returns:
        What is drawn; the paper to the pixel, mm of the sheet; left and top of the sheet on what is drawn, px; the
        grid that runs on.
    """
    height, width = drawn.shape[:2]
    if paper.kind == "runs_on":
        surround = grid_beyond(sheet, style, height, width, colour=drawn.ndim == 3)
        if surround is not None:
            return drawn, paper.box, 0, 0, surround
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
    return canvas, page, left, top, None


def _grid(sheet: Layout, style: Style, everywhere: Box) -> Box | None:
    if style.major is None and style.minor is None:
        return None
    if style.grid_everywhere or not any(style.margin_mm):
        return everywhere
    left, top, right, bottom = style.margin_mm
    return left, top, sheet.width_mm - right, sheet.height_mm - bottom


def _taken(
    rng: np.random.Generator,
    canvas: Image,
    view: Viewpoint,
    source: Source,
    severity: float,
    kx: float,
    ky: float,
    origin: tuple[int, int],
    sheet_mm: tuple[float, float],
    page: Box,
    surround: Surround | None,
    backgrounds: Sequence[Image] | None,
    *,
    layout: Layout | None,
    style: Style | None,
    grid: Box | None,
    mirrored: bool,
) -> Snapshot:
    """Take the picture of what is drawn: `canvas`, whose upper left corner lies at `origin` px before the sheet's."""
    height, width = canvas.shape[:2]
    left, top = -origin[0] / kx, -origin[1] / ky
    plane = (left, top, left + width / kx, top + height / ky)
    wide, high = plane[2] - plane[0], plane[3] - plane[1]
    back = np.asarray(np.linalg.inv(view.to_picture), dtype=np.float64)
    scene = Scene(wide / high, view=_frame_to(plane, back, view.size), finer=FINER)
    # A grid that runs on: the paper reaches beyond what is drawn.
    scene.paper = (
        (plane[0] - page[0]) / high,
        (plane[1] - page[1]) / high,
        (page[2] - plane[2]) / high,
        (page[3] - plane[3]) / high,
    )
    effects: list[tuple[str, float]] = [("turn", view.turn), ("tilt", view.tilt)]
    for name, strength in source.draw(rng, severity):
        chosen = get_effect(name)
        chosen.write(scene, chosen.level(strength), rng)
        effects.append((name, strength))
    _calmed(scene, sheet_mm[1] / high)
    if not source.flat:
        effects.append(("vignette", circumstances.vignette(scene, rng, severity)))
    if source.name == "phone" and rng.random() < 0.35:
        circumstances.noise_reduction(scene, rng, severity)
        effects.append(("noise_reduction", severity))
    if rng.random() < 0.1 + 0.06 * severity:
        circumstances.saved_before(scene, rng, severity)
        effects.append(("saved_before", severity))
    dpi = 50 * 6.0 ** rng.random()
    circumstances.coarse(scene, view.px_per_mm(sheet_mm[0] / 2, sheet_mm[1] / 2), dpi)
    _covered(scene, rng, severity, source, page, view, effects)
    if source.name in ("scan", "copy", "file"):
        level = 255 if rng.random() < 0.75 else int(255 * rng.random())
        scene.backdrop = np.full((512, 512, 3)[: canvas.ndim], level, dtype=np.uint8)
    else:
        scene.backdrop = draw_backdrop(rng, backgrounds, canvas.ndim == 3)
    picture = scene.take(canvas, view.size, surround)
    mapping = _of_sheet(scene, plane, sheet_mm, back, view.size)
    return Snapshot(picture, mapping, layout, style, page, grid, mirrored, float(severity), tuple(effects), source.name)


def _covered(
    scene: Scene,
    rng: np.random.Generator,
    severity: float,
    source: Source,
    page: Box,
    view: Viewpoint,
    effects: list[tuple[str, float]],
) -> None:
    chances = rng.random(3)
    if source.name != "phone":
        return
    made = []
    if chances[0] < 0.03 + 0.05 * severity:
        made.append(("fingers", covers.draw_fingers(rng)))
    if chances[1] < 0.02 + 0.015 * severity:
        made.append(("pen", covers.draw_pen(rng)))
    if chances[2] < 0.05:
        u = rng.random(2)
        edge = np.array([page[0] + u[0] * (page[2] - page[0]), page[1], 1.0])
        if u[1] < 0.3:
            edge[1] = page[3]
        middle = np.array([(page[0] + page[2]) / 2, (page[1] + page[3]) / 2, 1.0])
        points = np.stack([view.to_picture @ edge, view.to_picture @ middle])
        if (points[:, 2] > 0).all():
            made.append(("clip", covers.draw_clip(rng, points[:, :2] / points[:, 2:])))
    for name, cover in made:
        scene.optics.insert(0, cover)
        effects.append((name, severity))


def _calmed(scene: Scene, share: float) -> None:
    """Bend a page that is higher than its sheet no more, in mm, than the sheet would be bent."""
    if share >= 1:
        return
    scene.waves = [(ax * share, ay * share, *rest) for ax, ay, *rest in scene.waves]
    scene.ridges = [(*line[:3], line[3], line[4] * share, line[5] * share, line[6]) for line in scene.ridges]


def _frame_to(plane: Box, back: Float64Array, size: tuple[int, int]) -> Float64Array:
    """From the frame of a plane (see `Mapping`) to its points in heights from its centre; ``back``: px to mm."""
    height, width = size
    left, top, right, bottom = plane
    wide, high = right - left, bottom - top
    pixels = np.array([[width * high / wide, 0, width / 2], [0, height, height / 2], [0, 0, 1]])
    centred = np.array([[1, 0, -(left + right) / 2], [0, 1, -(top + bottom) / 2], [0, 0, high]]) / high
    return np.asarray(centred @ back @ pixels)


def _of_sheet(
    scene: Scene, plane: Box, sheet_mm: tuple[float, float], back: Float64Array, size: tuple[int, int]
) -> Mapping:
    """The mapping of the sheet, from what the scene knows about the plane on which it lies."""
    wide, high = sheet_mm
    scale = (plane[3] - plane[1]) / high
    # A point in heights of the plane is (one in heights of the sheet + offset) / scale.
    offset = np.array([(wide - plane[0] - plane[2]) / 2, (high - plane[1] - plane[3]) / 2]) / high
    waves = np.array(scene.waves, dtype=np.float64).reshape(-1, WAVE_FIELDS)
    ridges = np.array(scene.ridges, dtype=np.float64).reshape(-1, RIDGE_FIELDS)
    waves[:, 2:4] /= scale
    waves[:, 4] += waves[:, 2:4] @ offset
    waves[:, :2] *= scale
    ridges[:, 2] = ridges[:, 2] * scale - ridges[:, :2] @ offset
    ridges[:, 3:6] *= scale
    return Mapping(_frame_to((0.0, 0.0, wide, high), back, size), waves, ridges, wide / high, size, sheet_mm)
