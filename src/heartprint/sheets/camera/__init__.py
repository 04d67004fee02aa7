"""The camera: what happens to a drawn sheet on its way to a file."""

from heartprint.sheets.camera.effects import EFFECTS, SEVERITIES, Effect, get_effect
from heartprint.sheets.camera.geometry import Mapping
from heartprint.sheets.camera.photograph import (
    Photo,
    apply_effect,
    apply_effects,
    photograph,
    photograph_sheet,
    take_photo,
)
from heartprint.sheets.camera.recipes import RECIPES, Ingredient, Recipe, get_recipe
from heartprint.sheets.camera.scene import Surround
from heartprint.sheets.camera.snapshot import Snapshot, snapshot, snapshot_of_image

__all__ = [
    "EFFECTS",
    "RECIPES",
    "SEVERITIES",
    "Effect",
    "Ingredient",
    "Mapping",
    "Photo",
    "Recipe",
    "Snapshot",
    "Surround",
    "apply_effect",
    "apply_effects",
    "get_effect",
    "get_recipe",
    "photograph",
    "photograph_sheet",
    "snapshot",
    "snapshot_of_image",
    "take_photo",
]
