"""Taking the picture: from an ECG, or from a sheet that is already drawn."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError
from heartprint.sheets import look
from heartprint.sheets.background import Background
from heartprint.sheets.camera import geometry
from heartprint.sheets.camera.effects import get_effect
from heartprint.sheets.camera.recipes import Recipe, get_recipe
from heartprint.sheets.camera.scene import Scene, Surround
from heartprint.sheets.layout import Layout, Strip
from heartprint.sheets.raster import CHANNELS, LARGEST_PX, checked_size, render
from heartprint.sheets.registry import get_layout
from heartprint.sheets.style import ECG_PLOT, Style, get_style, placed

FINER = 2
"""How much finer than the picture a sheet is drawn that will be resampled."""

CELL_MM = 5.0
"""The grid repeats itself every so many mm."""


@dataclass(frozen=True)
class Photo:
    """A picture and how it came about.

    Attributes:
        picture: ``(H, W)`` or ``(H, W, 3)`` uint8, white = 255.
        mapping: Where the points of the sheet lie in it.
        effects: What happened, with severities, in order.
    """

    picture: Image
    mapping: geometry.Mapping
    effects: tuple[tuple[str, float], ...]


def photograph(
    leads: npt.NDArray[np.floating],
    sampling_rate: float,
    layout: str | Layout = "standard",
    size: int | tuple[int, int] = 300,
    *,
    recipe: str | Recipe | Mapping[str, Any] = "phone",
    rng: np.random.Generator,
    baseline: Literal["none", "median"] = "none",
    style: str | Style = ECG_PLOT,
) -> Image:
    """Draw an ECG and take a picture of it.

    Args:
        leads: ``(8, n)`` or ``(12, n)`` in mV, see `heartprint.sheets.render`.
        sampling_rate: Hz.
        layout: Name of a layout, or a `Layout`.
        size: Side of the picture in px, or ``(height, width)``.
        recipe: Name of a recipe, a `Recipe`, or one as plain data.
        rng: Decides everything (`heartprint.foundation.randomness.generator`): the same stream, the same bytes.
        baseline: See `heartprint.sheets.render`.
        style: Name of a style, or a `Style`.

    Returns:
        ``(height, width)`` uint8, white = 255.

    Raises:
        HeartprintError: ``unknown-recipe``, ``bad-recipe``, ``unknown-effect``, ``bad-severity``, or what `render`
            raises.
    """
    return take_photo(
        leads, sampling_rate, layout, size, recipe=recipe, rng=rng, baseline=baseline, style=style
    ).picture


def take_photo(
    leads: npt.NDArray[np.floating],
    sampling_rate: float,
    layout: str | Layout = "standard",
    size: int | tuple[int, int] = 300,
    *,
    recipe: str | Recipe | Mapping[str, Any] = "phone",
    rng: np.random.Generator,
    baseline: Literal["none", "median"] = "none",
    style: str | Style = ECG_PLOT,
) -> Photo:
    """Do what `photograph` does, and tell where everything is and what happened."""
    chosen, look_of = get_recipe(recipe), get_style(style)
    sheet = placed(get_layout(layout), look_of)
    height, width = checked_size(size)
    runs_on = rng.random() < chosen.grid_runs_on
    effects = chosen.draw(rng)
    scene = _scene(sheet.width_mm / sheet.height_mm, effects, rng)
    # What is not moved need not be resampled; what is drawn upon should be fine enough to be drawn upon.
    finer = FINER if scene.moves or scene.marks else 1
    drawn = min(height * finer, LARGEST_PX), min(width * finer, LARGEST_PX)
    image = render(leads, sampling_rate, layout, drawn, baseline=baseline, style=look_of)
    surround = grid_beyond(sheet, look_of, *drawn) if runs_on and scene.moves else None
    picture = scene.take(image, (height, width), surround)
    return Photo(picture, scene.mapping((height, width), (sheet.width_mm, sheet.height_mm)), effects)


def photograph_sheet(
    sheet: Image,
    size: int | tuple[int, int] | None = None,
    *,
    recipe: str | Recipe | Mapping[str, Any] = "phone",
    rng: np.random.Generator,
    sheet_mm: tuple[float, float] | None = None,
    surround: Surround | None = None,
) -> Photo:
    """Take a picture of a sheet that is already drawn, in grey or in colour.

    Args:
        sheet: ``(h, w)`` or ``(h, w, 3)`` uint8 (red, green, blue), white = 255; best about twice as large as the
            picture.
        size: Side of the picture in px, or ``(height, width)``; None = half the sheet's.
        recipe: Name of a recipe, a `Recipe`, or one as plain data.
        rng: Decides everything.
        sheet_mm: Width and height of the sheet, mm; None = its pixels are square and `Photo.mapping` counts the
            sheet's own pixels.
        surround: What the paper shows beyond the sheet; None = nothing.

    Raises:
        HeartprintError: ``not-a-page``, ``bad-size``, or what `photograph` raises.
    """
    chosen = get_recipe(recipe)
    pixels = _checked_image(sheet)
    target = (max(pixels[0] // 2, 1), max(pixels[1] // 2, 1)) if size is None else size
    runs_on = rng.random() < chosen.grid_runs_on
    effects = chosen.draw(rng)
    return _take(sheet, effects, rng, checked_size(target), sheet_mm, surround if runs_on else None)


def apply_effects(
    image: Image,
    effects: Iterable[tuple[str, float]],
    rng: np.random.Generator,
    *,
    sheet_mm: tuple[float, float] | None = None,
) -> Photo:
    """Let effects happen to a finished picture, whose size stays as it is.

    Args:
        image: ``(h, w)`` or ``(h, w, 3)`` uint8, white = 255.
        effects: Names and severities, 1-5.
        rng: Decides what severities leave open.
        sheet_mm: Width and height of the sheet, mm: matters to an image that was stretched, when it is turned. None =
            its pixels are square.

    Raises:
        HeartprintError: ``unknown-effect``, ``bad-severity`` or ``not-a-page``.
    """
    return _take(image, tuple(effects), rng, _checked_image(image), sheet_mm, None)


def apply_effect(
    image: Image,
    name: str,
    severity: float,
    rng: np.random.Generator,
    *,
    sheet_mm: tuple[float, float] | None = None,
) -> Image:
    """Let one effect happen to a finished picture: see `apply_effects`.

    Returns:
        uint8 of the image's shape, a fresh array.
    """
    return apply_effects(image, [(name, severity)], rng, sheet_mm=sheet_mm).picture


def _take(
    sheet: Image,
    effects: tuple[tuple[str, float], ...],
    rng: np.random.Generator,
    size: tuple[int, int],
    sheet_mm: tuple[float, float] | None,
    surround: Surround | None,
) -> Photo:
    width, height = sheet_mm or (float(sheet.shape[1]), float(sheet.shape[0]))
    scene = _scene(width / height, effects, rng)
    return Photo(scene.take(sheet, size, surround), scene.mapping(size, (width, height)), effects)


def _scene(aspect: float, effects: Iterable[tuple[str, float]], rng: np.random.Generator) -> Scene:
    scene = Scene(aspect)
    for name, severity in effects:
        chosen = get_effect(name)
        chosen.write(scene, chosen.level(severity), rng)
    return scene


def grid_beyond(layout: Layout, style: Style, height: int, width: int, *, colour: bool = False) -> Surround | None:
    """The grid as it runs on beyond a sheet; None where the style gives it an end.

    Args:
        layout: As `placed` by the style.
        style: The style.
        height: Of the sheet as drawn, px.
        width: Likewise.
        colour: Whether it is drawn in colours.
    """
    if any(style.margin_mm) and not style.grid_everywhere:
        return None
    # What is printed about the ECG is not repeated: it must not make of one grid many.
    plain = dataclasses.replace(style, frame=None, margin_mm=(0.0, 0.0, 0.0, 0.0), patient=None, footer=False)
    return _grid_alone(plain, width / layout.width_mm, height / layout.height_mm, round(layout.height_mm), colour)


@functools.lru_cache(maxsize=256)
def _grid_alone(style: Style, kx: float, ky: float, lowest_line: int, colour: bool) -> Surround:
    """A patch of grid and the cell of it that continues a sheet, upright.

    Args:
        style: Without frame, margin and texts.
        kx: Px per mm along x.
        ky: Likewise along y.
        lowest_line: Number of the sheet's lowest line, counted from above: thick lines are counted from there.
        colour: Whether it is drawn in colours.
    """
    width, height = (math.ceil(4 * CELL_MM * k) + 8 for k in (kx, ky))
    empty = Layout("grid", "", width / kx, height / ky, (Strip("I", 0.0, 0.0, 0.0, 1.0, named=False),))
    kinds = CHANNELS if colour else (look.LUMA,)
    planes = [Background(empty, height, width, style, weights).image for weights in kinds]
    blank = np.stack(planes, axis=-1) if colour else planes[0]
    top_mm = CELL_MM + (round(empty.height_mm) - lowest_line) % CELL_MM
    return Surround(blank, (CELL_MM * kx, top_mm * ky, CELL_MM * kx, CELL_MM * ky))


def _checked_image(image: Image) -> tuple[int, int]:
    """Height and width of an image.

    Raises:
        HeartprintError: ``not-a-page``.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise HeartprintError(
            "not-a-page",
            f"A camera takes images of shape (h, w) or (h, w, 3) and type uint8, not {array.dtype} {array.shape}. "
            "Scale levels to 0-255, white = 255.",
        )
    return checked_size((int(array.shape[0]), int(array.shape[1])))
