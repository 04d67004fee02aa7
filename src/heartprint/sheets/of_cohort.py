"""The sheet of an ECG of a cohort: drawn where there is a waveform, the image itself where there is one.

Everything that learns from a cohort or reads it gets its sheets here. An image has no layout and no style to choose: it
can be turned and photographed, and that is all that differs between two views of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.sheets.camera import get_recipe, photograph_sheet
from heartprint.sheets.camera.scene import one_thread
from heartprint.sheets.layout import Layout
from heartprint.sheets.mix import draw_sheet
from heartprint.sheets.pose import Pose, draw_pose
from heartprint.sheets.raster import render
from heartprint.sheets.registry import PAPER_LAYOUTS, get_layout
from heartprint.sheets.style import ECG_PLOT, Style

if TYPE_CHECKING:
    from pydantic import BaseModel

Page = npt.NDArray[np.uint8]

IMAGE = "image"
"""Stands for the layout of a cohort of images."""
_FINER = 2  # than the picture that a camera takes
_DEFAULTS = ({"standard"}, set(PAPER_LAYOUTS), {IMAGE})


def sheet_of(
    cohort: Cohort,
    row: int,
    size: int,
    *,
    layout: str | Layout = "standard",
    pose: Pose | None = None,
    baseline: Literal["none", "median"] = "none",
    style: str | Style = ECG_PLOT,
) -> Page:
    """The sheet of an ECG; layout, baseline and style say nothing about an image.

    An image is brought to the square by averaging over areas, as drawn sheets fill it whatever their proportions.

    Args:
        cohort: The ECGs.
        row: Which.
        size: Side of the picture, px.
        layout: See `render`.
        pose: How the sheet lies; an image is turned and brought to its size in one step. None = upright.
        baseline: See `render`.
        style: See `render`.

    Returns:
        ``(size, size)`` uint8, white = 255.
    """
    if cohort.kind == "image":
        image = cohort.image(row)
        return fitted(image, size) if pose is None or pose.rotation_deg == 0 else turned(image, size, pose)
    signal, rate = cohort.signal(row), cohort.sampling_rate(row)
    return render(signal, rate, layout, size, pose=pose, baseline=baseline, style=style)


def random_sheet_of(
    cohort: Cohort,
    row: int,
    size: int,
    rng: np.random.Generator,
    *,
    layouts: Sequence[str | Layout],
    styles: Sequence[str] = ("ecg_plot",),
    recipes: Sequence[str] = ("clean",),
    max_rotation_deg: float = 0.0,
    baseline: Literal["none", "median"] = "none",
    layout: str | Layout | None = None,
) -> Page:
    """A sheet of an ECG at random: see `draw_sheet`; of an image in a random pose, or by a recipe of the camera.

    Args:
        cohort: The ECGs.
        row: Which.
        size: Side of the picture, px.
        rng: Decides everything.
        layouts: See `draw_sheet`; they say nothing about an image, nor do styles and baseline.
        styles: Likewise.
        recipes: Names of recipes of the camera; ``clean`` is the sheet itself.
        max_rotation_deg: Largest turn of a clean sheet, degrees.
        baseline: See `draw_sheet`.
        layout: The layout, if it is already decided.

    Returns:
        ``(size, size)`` uint8, white = 255.
    """
    if cohort.kind != "image":
        return draw_sheet(
            cohort.signal(row),
            cohort.sampling_rate(row),
            size,
            rng,
            layouts=layouts,
            styles=styles,
            recipes=recipes,
            max_rotation_deg=max_rotation_deg,
            baseline=baseline,
            layout=layout,
        )
    pose = draw_pose(rng, max_rotation_deg) if max_rotation_deg else None
    recipe = get_recipe(recipes[int(rng.integers(len(recipes)))] if len(recipes) > 1 else recipes[0])
    if not recipe.ingredients:
        return sheet_of(cohort, row, size, pose=pose)
    fine = sheet_of(cohort, row, _FINER * size)
    return photograph_sheet(fine, size, recipe=recipe, rng=rng, sheet_mm=sheet_mm(cohort, row)).picture


def sheet_mm(cohort: Cohort, row: int, layout: str | Layout = "standard") -> tuple[float, float]:
    """Width and height of a sheet in mm; of an image in px, for only its proportions are known."""
    if cohort.kind == "image":
        height, width = cohort.image(row).shape
        return float(width), float(height)
    plan = get_layout(layout)
    return plan.width_mm, plan.height_mm


def fitted(image: Page, size: int) -> Page:
    """Bring ``(h, w)`` to ``(size, size)``: averaged over areas where it shrinks, linear where it grows."""
    import cv2

    height, width = image.shape
    with one_thread():
        if height > size or width > size:
            # Each axis by itself: where one of them grows, OpenCV would not average along the other.
            image = np.asarray(cv2.resize(image, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA))
        if image.shape != (size, size):
            image = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR))
    return np.array(image, dtype=np.uint8)


def turned(image: Page, size: int, pose: Pose) -> Page:
    """Turn ``(h, w)`` about its centre within ``(size, size)``, white around, sampled once.

    It is sampled at least as finely as it is stored, then averaged over areas; its pose means what it means to
    `render`: the square picture is turned.
    """
    import cv2

    height, width = image.shape
    wide, high = (size * max(2, math.ceil(n / size)) for n in (width, height))
    angle = math.radians(pose.rotation_deg)
    # From pixels of the fine picture to its centre, turned back, to pixels of the image.
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = np.diag([width, height]) @ turn @ np.diag([1 / wide, 1 / high])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre - matrix @ np.array([(wide - 1) / 2, (high - 1) / 2])
    with one_thread():
        fine = cv2.warpAffine(
            image,
            np.column_stack([matrix, offset]),
            (wide, high),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=255,
        )
        return np.asarray(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def layouts_of(cohort: Cohort, layouts: Sequence[str]) -> tuple[str, ...]:
    """The layouts to show ECGs in: of images `IMAGE` alone, which defaults are taken to mean.

    Raises:
        HeartprintError: ``unknown-layout``; ``needs-waveforms`` if images are to be shown in a layout.
    """
    if cohort.kind != "image":
        for name in layouts:
            get_layout(name)
        return tuple(layouts)
    if set(layouts) not in _DEFAULTS:
        raise _stays("layout", cohort)
    return (IMAGE,)


def check_drawing(cohort: Cohort, config: BaseModel, names: Sequence[str]) -> None:
    """See that settings of drawing are not asked of images: at their defaults they say nothing about them.

    Args:
        cohort: The ECGs.
        config: Settings.
        names: Those among them that say how a waveform is drawn.

    Raises:
        HeartprintError: ``needs-waveforms``.
    """
    for name in names:
        if cohort.kind == "image" and getattr(config, name) != type(config).model_fields[name].default:
            raise _stays(name, cohort)


def without_drawing(cohort: Cohort, settings: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Settings as they are noted: of images without those that said nothing about them."""
    return {name: value for name, value in settings.items() if cohort.kind != "image" or name not in names}


def _stays(setting: str, cohort: Cohort) -> HeartprintError:
    return HeartprintError(
        "needs-waveforms",
        f"'{setting}' says how waveforms are drawn, and '{cohort.info.name}' holds images of ECGs, which stay as they "
        "are. Leave it away.",
    )
