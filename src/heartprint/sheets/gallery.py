"""All layouts, all styles or all effects of the camera in one picture, each with the same simulated ECG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float32Array, Image
from heartprint.pages.contact_sheet import CELL_PX, Section, checked_png, save_contact_page
from heartprint.sheets.layout import Layout
from heartprint.sheets.raster import render
from heartprint.sheets.registry import get_layout
from heartprint.sheets.style import ECG_PLOT, Style, placed

RATE = 500

EFFECTS_PX = 400
"""Width of the pictures of effects."""


def example_ecg(seed: int = 3) -> Float32Array:
    """A simulated ECG: ``(8, 5000)`` mV at 500 Hz."""
    from heartprint.simulation.effects import HOSPITALS
    from heartprint.simulation.simulate import machine_of, make_block, samples_of

    hospital = HOSPITALS["lifelike"]
    block = make_block(seed, 0, hospital)
    samples, _ = samples_of(block, 0, 0, seed=seed, hospital=hospital, rate=RATE)
    return samples.astype(np.float32) * np.float32(machine_of(block, 0, 0, hospital).uv_per_bit / 1000.0)


def gallery(
    shown: Sequence[tuple[Layout, Style, str]], leads: npt.NDArray[np.floating], sampling_rate: float
) -> Section:
    """Draw one ECG in several layouts and styles, each in its true proportions.

    Args:
        shown: Layout, style and caption (``name: description``) of each sheet.
        leads: ``(8, n)`` or ``(12, n)`` mV.
        sampling_rate: Hz.
    """
    sheets = []
    for layout, style, _ in shown:
        paper = placed(layout, style)
        scale = min(CELL_PX[0] / paper.width_mm, CELL_PX[1] / paper.height_mm)
        size = (round(paper.height_mm * scale), round(paper.width_mm * scale))
        sheets.append(render(leads, sampling_rate, layout, size, style=style, colour=True))
    columns = max(1, round((len(shown) / 1.6) ** 0.5))
    return Section(sheets, [caption for _, _, caption in shown], columns=columns)


def save_gallery(out: str | Path, layouts: Sequence[Layout], styles: Sequence[Style] = (ECG_PLOT,)) -> Path:
    """Draw every layout in every style with a simulated ECG and save it as a PNG file.

    Args:
        out: The file. Written whole or not at all.
        layouts: The layouts.
        styles: The styles.

    Raises:
        HeartprintError: ``bad-path``.
    """
    target, several = checked_png(out), len(styles) > 1
    shown = [
        (layout, style, f"{style.name}: {style.description}" if several else f"{layout.name}: {layout.description}")
        for layout in layouts
        for style in styles
    ]
    return save_contact_page([gallery(shown, example_ecg(), RATE)], target)


def save_effects(out: str | Path) -> Path:
    """Draw every effect of the camera at all severities, and six pictures of every recipe, and save it as a PNG file.

    Args:
        out: The file. Written whole or not at all.

    Raises:
        HeartprintError: ``bad-path``.
    """
    from heartprint.foundation.randomness import generator
    from heartprint.sheets.camera import EFFECTS, RECIPES, SEVERITIES, Ingredient, Recipe, photograph_sheet

    target, layout = checked_png(out), get_layout("3x4_ii")
    sheet_mm = (layout.width_mm, layout.height_mm)
    wide = EFFECTS_PX
    size = (round(wide * layout.height_mm / layout.width_mm), wide)
    sheet = render(example_ecg(), RATE, layout, (2 * size[0], 2 * size[1]), colour=True)

    def taken(recipe: Recipe, seed: int) -> Image:
        return photograph_sheet(sheet, size, recipe=recipe, rng=generator(seed, "gallery"), sheet_mm=sheet_mm).picture

    pictures, captions = [], []
    for effect in EFFECTS.values():
        for severity in SEVERITIES:
            one = Recipe(effect.name, "", (Ingredient(effect.name, 1.0, (severity, severity)),))
            pictures.append(taken(one, severity))
            more = effect.description if severity == SEVERITIES[0] else f"{effect.level(severity):g} {effect.unit}"
            captions.append(f"{effect.name} {severity}: {more}")
    sections = [Section(pictures, captions, "Effects", len(SEVERITIES), (wide, wide))]
    for recipe in RECIPES.values():
        if recipe.ingredients:
            shots = [taken(recipe, seed) for seed in range(2 * len(SEVERITIES))]
            title = f"Recipe '{recipe.name}': {recipe.description}"
            sections.append(Section(shots, [str(k) for k in range(len(shots))], title, len(SEVERITIES), (wide, wide)))
    return save_contact_page(sections, target)
