"""Sheets at random: what a network is trained on is drawn from layouts, styles and recipes of the camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator

from heartprint.sheets.camera import get_recipe, photograph
from heartprint.sheets.layout import Layout
from heartprint.sheets.pose import draw_pose
from heartprint.sheets.raster import render
from heartprint.sheets.registry import get_layout
from heartprint.sheets.style import Style, draw_style, get_style

RANDOM_STYLE = "random"
"""Stands for a style drawn by `draw_style`, another for every sheet."""


def draw_sheet(
    leads: npt.NDArray[np.floating],
    sampling_rate: float,
    size: int,
    rng: np.random.Generator,
    *,
    layouts: Sequence[str | Layout],
    styles: Sequence[str] = ("ecg_plot",),
    recipes: Sequence[str] = ("clean",),
    max_rotation_deg: float = 0.0,
    baseline: Literal["none", "median"] = "none",
    layout: str | Layout | None = None,
) -> npt.NDArray[np.uint8]:
    """Draw an ECG in one of some layouts, styles and recipes, each as likely as the others.

    Args:
        leads: ``(8, n)`` or ``(12, n)`` in mV, see `render`.
        sampling_rate: Hz.
        size: Side of the picture, px.
        rng: Decides everything.
        layouts: Layouts; one named twice is twice as likely, and so for styles and recipes.
        styles: Names of styles; ``random`` draws one from a wide mixture.
        recipes: Names of recipes of the camera; ``clean`` is the sheet itself.
        max_rotation_deg: Largest turn of a clean sheet, degrees; the camera's recipes have turns of their own.
        baseline: See `render`.
        layout: The layout, if it is already decided; a draw is made of it all the same.

    Returns:
        ``(size, size)`` uint8, white = 255.
    """
    drawn = layouts[int(rng.integers(len(layouts)))]
    pose = draw_pose(rng, max_rotation_deg) if max_rotation_deg else None
    # Where there is nothing to choose no number is drawn: mixtures of layouts alone stay what they were.
    name = styles[int(rng.integers(len(styles)))] if len(styles) > 1 else styles[0]
    style: str | Style = draw_style(rng) if name == RANDOM_STYLE else name
    recipe = get_recipe(recipes[int(rng.integers(len(recipes)))] if len(recipes) > 1 else recipes[0])
    if recipe.ingredients:
        return photograph(
            leads, sampling_rate, layout or drawn, size, recipe=recipe, rng=rng, baseline=baseline, style=style
        )
    return render(leads, sampling_rate, layout or drawn, size, pose=pose, baseline=baseline, style=style)


def known_style(name: str) -> str:
    """The name, if it is that of a style or ``random``.

    Raises:
        HeartprintError: ``unknown-style``.
    """
    return name if name == RANDOM_STYLE else get_style(name).name


def _known_layout(name: str) -> str:
    # A layout that is given as a file keeps the path: it is not known by its name.
    get_layout(name)
    return name


def _known_recipe(name: str) -> str:
    return get_recipe(name).name


LayoutName = Annotated[str, AfterValidator(_known_layout)]
"""Name or file of a layout in a configuration, like the next two checked when it is read."""
StyleName = Annotated[str, AfterValidator(known_style)]
RecipeName = Annotated[str, AfterValidator(_known_recipe)]
