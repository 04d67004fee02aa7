"""How an ECG of a cohort becomes an image: one object for everything that learns from sheets or reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, Field
from pydantic.dataclasses import dataclass

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError
from heartprint.sheets.camera import Recipe, get_recipe, photograph, photograph_sheet
from heartprint.sheets.camera.photograph import FINER
from heartprint.sheets.layout import Layout
from heartprint.sheets.pose import MAX_ROTATION_DEG, Pose, draw_pose
from heartprint.sheets.raster import checked_size, render
from heartprint.sheets.registry import PAPER_LAYOUTS, get_layout
from heartprint.sheets.stored import fitted, turned
from heartprint.sheets.style import ECG_PLOT, Style, draw_style, get_style

Choice = TypeVar("Choice")

IMAGE = "image"
"""Stands for the layout of a cohort of images."""
RANDOM_STYLE = "random"
"""Stands for a style drawn by `draw_style`, another for every sheet."""
_OF_WAVEFORMS = ("layout", "layouts", "styles", "baseline")
"""Settings, of whatever configuration, that say how waveforms are drawn and nothing about images."""
_DEFAULTS = ({"standard"}, set(PAPER_LAYOUTS), {IMAGE})


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


LayoutName = Annotated[str, AfterValidator(_known_layout)]
"""Name or file of a layout in a configuration, like styles and recipes below checked when it is read."""
LayoutNames = Annotated[tuple[LayoutName, ...], Field(min_length=1)]
StyleNames = Annotated[tuple[Annotated[str, AfterValidator(known_style)], ...], Field(min_length=1)]
RecipeNames = Annotated[
    tuple[Annotated[str, AfterValidator(lambda name: get_recipe(name).name)], ...], Field(min_length=1)
]
Rotation = Annotated[float, Field(ge=0, le=MAX_ROTATION_DEG)]
Baseline = Literal["none", "median"]


@dataclass(frozen=True)
class SheetSampler:
    """Draws ECGs of cohorts as images of one size.

    What is stored as an image has a layout and a style of its own: it can be turned and photographed, and that is all
    that differs between two views of it. All images are ``(size, size)`` uint8, white = 255.

    Attributes:
        layouts: Layouts to choose from, each as likely as the others; one named twice is twice as likely.
        styles: Styles, likewise; ``random`` draws one from a wide mixture.
        recipes: Recipes of the camera, likewise; ``clean`` takes no picture.
        max_rotation_deg: Largest turn of a clean sheet, degrees; the camera's recipes have turns of their own.
        baseline: What is done about baseline wander, see `render`.
        size: Side of the images, px.

    Raises:
        HeartprintError: ``unknown-layout``, ``unknown-style``, ``unknown-recipe`` or ``bad-size``.
        pydantic.ValidationError: If there is nothing to choose from, or anything else is wrong.
    """

    layouts: LayoutNames = ("standard",)
    styles: StyleNames = (ECG_PLOT.name,)
    recipes: RecipeNames = ("clean",)
    max_rotation_deg: Rotation = 0.0
    baseline: Baseline = "none"
    size: Annotated[int, AfterValidator(lambda size: checked_size(size)[0])] = 300

    def sheet(
        self,
        cohort: Cohort,
        row: int,
        *,
        layout: str | Layout | None = None,
        style: str | Style = ECG_PLOT,
        pose: Pose | None = None,
        finer: int = 1,
    ) -> Image:
        """The sheet of an ECG as it is told to be, with nothing left to chance.

        Args:
            cohort: The ECGs.
            row: Which.
            layout: The layout; None = the first of `layouts`.
            style: The style.
            pose: How the sheet lies; None = upright.
            finer: How many times the size of an image.
        """
        size = finer * self.size
        if cohort.kind == "image":
            image = cohort.image(row)
            return fitted(image, size) if pose is None or pose.rotation_deg == 0 else turned(image, size, pose)
        signal, rate = cohort.signal(row), cohort.sampling_rate(row)
        return render(signal, rate, layout or self.layouts[0], size, pose=pose, baseline=self.baseline, style=style)

    def photo(
        self,
        cohort: Cohort,
        row: int,
        recipe: Recipe,
        rng: np.random.Generator,
        *,
        layout: str | Layout | None = None,
        sheet: Image | None = None,
    ) -> Image:
        """A picture taken of an upright sheet, see `photograph_sheet`; a sheet that is there already need not be drawn.

        ``sheet`` is best `FINER` times as large as the picture; the other arguments are those of `sheet` and `random`.
        """
        if cohort.kind == "image":
            height, width = cohort.image(row).shape
            sides = float(width), float(height)  # only the proportions of an image are known
        else:
            paper = get_layout(layout or self.layouts[0])
            sides = paper.width_mm, paper.height_mm
        if sheet is None:
            sheet = self.sheet(cohort, row, layout=layout, finer=FINER)
        return photograph_sheet(sheet, self.size, recipe=recipe, rng=rng, sheet_mm=sides).picture

    def random(
        self, cohort: Cohort, row: int, rng: np.random.Generator, *, layout: str | Layout | None = None
    ) -> Image:
        """An ECG at random: see `draw`; an image in a random pose, or by a recipe of the camera."""
        if cohort.kind != "image":
            return self.draw(cohort.signal(row), cohort.sampling_rate(row), rng, layout=layout)
        pose = self._pose(rng)
        recipe = get_recipe(_one(self.recipes, rng))
        return self.photo(cohort, row, recipe, rng) if recipe.ingredients else self.sheet(cohort, row, pose=pose)

    def part(
        self,
        cohort: Cohort,
        row: int,
        part: tuple[int, int],
        rng: np.random.Generator,
        *,
        layouts: Sequence[str | Layout],
    ) -> Image:
        """One of some equal parts of a waveform at random, see `draw`: ``part=(1, 2)`` is the second half."""
        leads, (which, parts) = cohort.signal(row), part
        first, last = (k * leads.shape[1] // parts for k in (which, which + 1))
        return self.draw(leads[:, first:last], cohort.sampling_rate(row), rng, layouts=layouts)

    def draw(
        self,
        leads: npt.NDArray[np.floating],
        sampling_rate: float,
        rng: np.random.Generator,
        *,
        layouts: Sequence[str | Layout] | None = None,
        layout: str | Layout | None = None,
    ) -> Image:
        """A waveform in a layout, pose, style and recipe at random.

        Args:
            leads: ``(8, n)`` or ``(12, n)`` in mV, see `render`.
            sampling_rate: Hz.
            rng: Decides everything.
            layouts: To choose from in place of `layouts`.
            layout: The layout, if it is already decided; a draw is made of it all the same.
        """
        layouts = layouts or self.layouts
        drawn = layouts[int(rng.integers(len(layouts)))]
        pose = self._pose(rng)
        name = _one(self.styles, rng)
        style: str | Style = draw_style(rng) if name == RANDOM_STYLE else name
        recipe = get_recipe(_one(self.recipes, rng))
        how: dict[str, Any] = {"baseline": self.baseline, "style": style}
        if recipe.ingredients:
            return photograph(leads, sampling_rate, layout or drawn, self.size, recipe=recipe, rng=rng, **how)
        return render(leads, sampling_rate, layout or drawn, self.size, pose=pose, **how)

    def _pose(self, rng: np.random.Generator) -> Pose | None:
        return draw_pose(rng, self.max_rotation_deg) if self.max_rotation_deg else None


def _one(choices: Sequence[Choice], rng: np.random.Generator) -> Choice:
    # Where there is nothing to choose no number is drawn: mixtures of layouts alone stay what they were.
    return choices[int(rng.integers(len(choices)))] if len(choices) > 1 else choices[0]


def layouts_of(cohort: Cohort, layouts: Iterable[str]) -> tuple[str, ...]:
    """The layouts to show ECGs in: of images `IMAGE` alone, which defaults are taken to mean.

    Raises:
        HeartprintError: ``unknown-layout``; ``needs-waveforms`` if images are to be shown in a layout.
    """
    layouts = tuple(layouts)
    if cohort.kind != "image":
        for name in layouts:
            get_layout(name)
        return layouts
    if set(layouts) not in _DEFAULTS:
        raise _stays("layout", cohort)
    return (IMAGE,)


def check_drawing(cohort: Cohort, config: BaseModel) -> None:
    """See that a configuration does not ask of images what can only be drawn: its defaults say nothing about them.

    Raises:
        HeartprintError: ``needs-waveforms``.
    """
    for name, setting in type(config).model_fields.items():
        if cohort.kind == "image" and name in _OF_WAVEFORMS and getattr(config, name) != setting.default:
            raise _stays(name, cohort)


def without_drawing(cohort: Cohort, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as they are noted: of images without those that said nothing about them."""
    return {name: value for name, value in settings.items() if cohort.kind != "image" or name not in _OF_WAVEFORMS}


def _stays(setting: str, cohort: Cohort) -> HeartprintError:
    return HeartprintError(
        "needs-waveforms",
        f"'{setting}' says how waveforms are drawn, and '{cohort.info.name}' holds images of ECGs, which stay as they "
        "are. Omit it.",
    )
