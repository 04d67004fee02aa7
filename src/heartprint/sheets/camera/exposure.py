"""Taking a photograph of what is laid out: light, lens, file, what lies below and above, and the exact mapping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.sheets.camera import circumstances, covers, neighbours, tiles
from heartprint.sheets.camera.backdrops import draw_backdrop
from heartprint.sheets.camera.circumstances import Source
from heartprint.sheets.camera.effects import get_effect
from heartprint.sheets.camera.geometry import RIDGE_FIELDS, WAVE_FIELDS, Mapping
from heartprint.sheets.camera.scene import Scene, Surround
from heartprint.sheets.camera.viewpoint import Box, Viewpoint

FINER = 2
"""How many px a side each px of the picture is exposed with, and how many the sheet is drawn with."""

Effects = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Laid:
    """What is drawn and lies before the camera.

    Attributes:
        canvas: ``(h, w)`` or ``(h, w, 3)`` uint8.
        kx: Its px per mm of the sheet along x.
        ky: Likewise along y.
        origin: Where the sheet's upper left corner lies on it, px.
        sheet_mm: Width and height of the sheet.
        page_mm: The paper, mm of the sheet.
        surround: The grid that runs on between the canvas and the paper's edge; None = the canvas holds all.
        endless: Whether nothing lies beside the canvas: a screen.
    """

    canvas: Image
    kx: float
    ky: float
    origin: tuple[int, int]
    sheet_mm: tuple[float, float]
    page_mm: Box
    surround: Surround | None = None
    endless: bool = False

    @property
    def plane_mm(self) -> Box:
        """The canvas, mm of the sheet."""
        height, width = self.canvas.shape[:2]
        left, top = -self.origin[0] / self.kx, -self.origin[1] / self.ky
        return left, top, left + width / self.kx, top + height / self.ky


def take(
    rng: np.random.Generator,
    laid: Laid,
    view: Viewpoint,
    source: Source,
    severity: float,
    backgrounds: Sequence[Image] | None,
) -> tuple[Image, Mapping, Effects]:
    """Take the picture.

    Returns:
        The picture, where the sheet lies in it, and what happened, with severities.
    """
    plane, page = laid.plane_mm, laid.page_mm
    wide, high = plane[2] - plane[0], plane[3] - plane[1]
    back = np.asarray(np.linalg.inv(view.to_picture), dtype=np.float64)
    scene = Scene(wide / high, view=_frame_to(plane, back, view.size), finer=FINER)
    if not laid.endless:
        beyond = (plane[0] - page[0], plane[1] - page[1], page[2] - plane[2], page[3] - plane[3])
        left, up, right, down = (mm / high for mm in beyond)
        scene.paper = (left, up, right, down)
    effects: list[tuple[str, float]] = [("turn", view.turn), ("tilt", float(view.tilt))]
    for name, strength in source.draw(rng, severity):
        chosen = get_effect(name)
        chosen.write(scene, chosen.level(strength), rng)
        effects.append((name, strength))
    _calm(scene, laid.sheet_mm[1] / high)
    effects += circumstances.write(scene, rng, severity, source)
    middle = (laid.sheet_mm[0] / 2, laid.sheet_mm[1] / 2)
    circumstances.coarse(scene, view.px_per_mm(*middle), 50 * 6.0 ** rng.random())
    scene.edge_shade = float(rng.random()) * (0.25 if source.flat else 0.55)
    colour = laid.canvas.ndim == 3
    if source.flat:
        level = 255 if rng.random() < 0.75 else int(255 * rng.random())
        scene.backdrop = np.full((tiles.TILE, tiles.TILE, 3)[: laid.canvas.ndim], level, dtype=np.uint8)
    else:
        scene.backdrop = draw_backdrop(rng, backgrounds, colour)
    if source.name in ("phone", "scan"):
        effects += neighbours.lay(scene, rng, view, page, colour)
    if source.name == "phone":
        effects += covers.lay(scene, rng, severity, page, view)
    picture = scene.take(laid.canvas, view.size, laid.surround)
    return picture, _of_sheet(scene, plane, laid.sheet_mm, back, view.size), tuple(effects)


def _calm(scene: Scene, share: float) -> None:
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
