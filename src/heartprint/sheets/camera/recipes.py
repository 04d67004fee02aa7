"""Recipes: which effects a picture gets, how often and how severely. Plain data, so that users can write their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.sheets.camera.effects import checked_severity, get_effect


@dataclass(frozen=True)
class Ingredient:
    """One effect of a recipe.

    Attributes:
        effect: Name of the effect.
        probability: How often it happens, 0-1.
        severity: Least and largest severity, 1-5; drawn evenly between them, not only whole numbers.
    """

    effect: str
    probability: float
    severity: tuple[float, float]

    def __post_init__(self) -> None:
        get_effect(self.effect)
        least, most = (checked_severity(s) for s in self.severity)
        if least > most:
            raise HeartprintError(
                "bad-recipe", f"Severities of '{self.effect}' go from {least:g} to {most:g}. Write the smaller first."
            )
        _checked_share(f"The probability of '{self.effect}'", self.probability)


@dataclass(frozen=True)
class Recipe:
    """A random mixture of effects.

    Attributes:
        name: Name in configurations.
        description: One line for people.
        ingredients: What may happen, in the order in which it happens where order matters.
        grid_runs_on: How often the grid covers the whole paper and not only the sheet that was drawn.
    """

    name: str
    description: str
    ingredients: tuple[Ingredient, ...]
    grid_runs_on: float = 0.0

    def __post_init__(self) -> None:
        _checked_share("grid_runs_on", self.grid_runs_on)

    def draw(self, rng: np.random.Generator) -> tuple[tuple[str, float], ...]:
        """Draw the effects of one picture, with their severities. The same number of draws each time."""
        chances = rng.random((len(self.ingredients), 2))
        return tuple(
            (one.effect, one.severity[0] + severity * (one.severity[1] - one.severity[0]))
            for one, (chance, severity) in zip(self.ingredients, chances.tolist(), strict=True)
            if chance < one.probability
        )

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Recipe:
        """Read a recipe as YAML or JSON give it.

        Args:
            plain: ``name``, ``effects`` and perhaps ``description`` and ``grid_runs_on``. ``effects`` maps names of
                effects to ``[probability, least severity, largest severity]``.

        Raises:
            HeartprintError: ``bad-recipe``, ``unknown-effect`` or ``bad-severity``.
        """
        known = ("name", "description", "effects", "grid_runs_on")
        effects = plain.get("effects")
        if not set(plain) <= set(known) or not isinstance(plain.get("name"), str) or not isinstance(effects, Mapping):
            raise HeartprintError(
                "bad-recipe",
                "A recipe has a name and effects, and perhaps a description and grid_runs_on, not "
                f"{', '.join(map(str, plain)) or 'nothing'}. Give effects as 'blur: [0.5, 1, 3]': probability, least "
                "and largest severity.",
            )
        ingredients = []
        for name, numbers in effects.items():
            if not (isinstance(numbers, list | tuple) and len(numbers) == 3):
                raise HeartprintError(
                    "bad-recipe",
                    f"Effect '{name}' of recipe '{plain['name']}' is given as {numbers!r}. Give three numbers: "
                    "probability, least and largest severity.",
                )
            ingredients.append(Ingredient(str(name), numbers[0], (numbers[1], numbers[2])))
        description = str(plain.get("description", ""))
        return cls(plain["name"], description, tuple(ingredients), plain.get("grid_runs_on", 0.0))


def _checked_share(what: str, value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise HeartprintError("bad-recipe", f"{what} is a number from 0 to 1, not {value!r}.")


def _recipe(
    name: str, description: str, effects: dict[str, tuple[float, float, float]], grid_runs_on: float = 0.0
) -> Recipe:
    ingredients = tuple(Ingredient(effect, p, (least, most)) for effect, (p, least, most) in effects.items())
    return Recipe(name, description, ingredients, grid_runs_on)


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _recipe("clean", "the sheet as it was drawn", {}),
        _recipe(
            "scan",
            "a flatbed scanner or a copier: nearly straight, evenly lit, dusty",
            {
                "rotation": (0.7, 1, 1.6),
                "margins": (0.35, 1, 2.5),
                "crop": (0.25, 1, 1.5),
                "folds": (0.2, 1, 2),
                "faint_print": (0.25, 1, 3),
                "streaks": (0.2, 1, 3),
                "specks": (0.4, 1, 3),
                "bleed_through": (0.12, 1, 2),
                "stain": (0.06, 1, 3),
                "handwriting": (0.2, 1, 3),
                "highlighter": (0.06, 1, 2),
                "paper_texture": (0.5, 1, 2),
                "ageing": (0.25, 1, 3),
                "uneven_light": (0.3, 1, 1.5),
                "cast": (0.2, 1, 2),
                "blur": (0.5, 1, 2),
                "low_resolution": (0.25, 1, 3),
                "sharpening": (0.3, 1, 3),
                "fade": (0.3, 1, 2),
                "overexposure": (0.2, 1, 2),
                "photocopy": (0.1, 1, 2.5),
                "noise": (0.5, 1, 2),
                "few_levels": (0.04, 1, 2),
                "jpeg": (0.7, 1, 3),
            },
            grid_runs_on=0.5,
        ),
        _recipe(
            "phone",
            "a photograph of the paper, taken by hand",
            {
                "rotation": (0.7, 1, 2.6),
                "perspective": (0.7, 1, 2.4),
                "curl": (0.75, 1, 3.6),
                "folds": (0.4, 1, 3.4),
                "crop": (0.45, 1, 2.4),
                "margins": (0.45, 1, 1.8),
                "desk": (0.28, 1, 2.4),
                "faint_print": (0.2, 1, 2.5),
                "streaks": (0.05, 1, 2),
                "stain": (0.05, 1, 3),
                "handwriting": (0.2, 1, 3),
                "highlighter": (0.04, 1, 2),
                "paper_texture": (0.8, 1, 2.5),
                "crumple": (0.25, 1, 2.2),
                "ageing": (0.2, 1, 3),
                "uneven_light": (0.95, 1, 3.4),
                "shadow": (0.45, 1, 3),
                "cast": (0.8, 1, 4),
                "glare": (0.08, 1, 2),
                "blur": (0.3, 1, 2.2),
                "motion_blur": (0.08, 1, 2),
                "low_resolution": (0.08, 1, 2.5),
                "sharpening": (0.35, 1, 3),
                "underexposure": (0.65, 1, 2.4),
                "overexposure": (0.1, 1, 2),
                "fade": (0.25, 1, 2),
                "noise": (0.8, 1, 2.6),
                "jpeg": (0.4, 1, 3),
            },
            grid_runs_on=0.8,
        ),
        _recipe(
            "fax",
            "a fax, or a fax that was scanned: black and white, coarse",
            {
                "rotation": (0.5, 1, 1.4),
                "margins": (0.5, 1, 2),
                "crop": (0.2, 1, 1.5),
                "handwriting": (0.2, 1, 3),
                "specks": (0.5, 1, 3),
                "fax": (1.0, 1, 3.5),
                "streaks": (0.3, 1, 3),
                "faint_print": (0.2, 1, 2),
                "blur": (0.3, 1, 1.5),
                "photocopy": (0.3, 1, 2),
                "jpeg": (0.4, 1, 2.5),
            },
        ),
        _recipe(
            "screen",
            "a photograph of a screen",
            {
                "rotation": (0.6, 1, 2.4),
                "perspective": (0.8, 1, 2.8),
                "crop": (0.5, 1, 2.5),
                "margins": (0.4, 1, 2),
                "uneven_light": (0.8, 1, 2.5),
                "cast": (0.7, 1, 3.5),
                "glare": (0.45, 1, 2.6),
                "blur": (0.5, 1, 2.4),
                "motion_blur": (0.1, 1, 2),
                "low_resolution": (0.2, 1, 3),
                "sharpening": (0.3, 1, 3),
                "underexposure": (0.6, 1, 2.6),
                "overexposure": (0.2, 1, 2.5),
                "fade": (0.4, 1, 2.5),
                "moire": (0.75, 1, 3.6),
                "pixel_grid": (0.5, 1, 3),
                "flicker": (0.3, 1, 3),
                "noise": (0.7, 1, 2.6),
                "jpeg": (0.8, 1, 3),
            },
        ),
    )
}
"""The recipes that come with Heartprint."""


def get_recipe(recipe: str | Recipe | Mapping[str, Any]) -> Recipe:
    """Look a recipe up by name; a `Recipe` is passed through, plain data is read.

    Raises:
        HeartprintError: ``unknown-recipe``, naming the nearest known one; what `Recipe.from_plain` raises.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        return Recipe.from_plain(recipe)
    found = RECIPES.get(recipe)
    if found is None:
        raise unknown_name("recipe", str(recipe), RECIPES)
    return found
