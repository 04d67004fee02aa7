"""Other papers about the sheet: below it, beside it, or reaching over its edge. Other ECGs are among them.

They are made once per process, from a fixed stream.
"""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np

from heartprint.foundation.arrays import Float32Array, Float64Array, Image
from heartprint.foundation.randomness import generator
from heartprint.sheets.camera import tiles
from heartprint.sheets.camera.looks import draw_look
from heartprint.sheets.camera.papers import furnish
from heartprint.sheets.camera.scene import Scene, grey_of
from heartprint.sheets.camera.viewpoint import Box, Viewpoint
from heartprint.sheets.raster import render
from heartprint.sheets.registry import LAYOUTS
from heartprint.sheets.style import placed

PAPERS = 14
"""How many other papers there are; two of three show an ECG."""

PX_PER_MM = 2.0


def lay(scene: Scene, rng: np.random.Generator, view: Viewpoint, page: Box, colour: bool) -> list[tuple[str, float]]:
    """Lay other papers on the backdrop, and sometimes one over the paper's edge.

    Returns:
        What happened: ``neighbour`` below and ``overlap`` above, with how many there are.
    """
    chances = rng.random(2)
    happened = []
    if chances[0] < 0.22 and scene.backdrop is not None:
        count = 1 + int(3 * rng.random() ** 2)
        height, width = view.size
        shrink = np.diag([tiles.TILE / max(height, width)] * 2 + [1.0])
        backdrop = scene.backdrop
        for _ in range(count):
            backdrop = _laid(backdrop, rng, shrink @ view.to_picture, page, colour, deep=0.35)
        scene.backdrop = backdrop
        happened.append(("neighbour", float(count)))
    if chances[1] < 0.05:
        seed = rng.integers(2**62)

        def cover(picture: Image) -> Image:
            stream = generator(int(seed), "overlap")
            return _laid(picture, stream, view.to_picture, page, picture.ndim == 3, deep=-0.12)

        scene.optics.insert(0, cover)
        happened.append(("overlap", 1.0))
    return happened


def _laid(
    picture: Image, rng: np.random.Generator, to_picture: Float64Array, page: Box, colour: bool, deep: float
) -> Image:
    """Draw one other paper into a picture, near one side of the page.

    Args:
        picture: ``(h, w)`` or ``(h, w, 3)``; left as it is.
        rng: Source of randomness.
        to_picture: From mm of the sheet to px.
        page: The paper beside which it lies, mm of the sheet.
        colour: Whether it has colours.
        deep: How far it reaches over the page's edge, as a share of the page: of what is hidden below it if positive,
            of what it hides if negative.
    """
    u = rng.random(9)
    other = paper(int(u[0] * PAPERS))
    if not colour:
        other = grey_paper(int(u[0] * PAPERS))
    height, width = other.shape[:2]
    wide, high = page[2] - page[0], page[3] - page[1]
    centre = np.array([(page[0] + page[2]) / 2, (page[1] + page[3]) / 2])
    angle = 0.5 * (u[1] - 0.5) if u[2] < 0.75 else 2 * math.pi * u[1]
    scale = (0.8 + 0.5 * u[3]) / PX_PER_MM
    side = int(u[4] * 4)
    inward = np.array([(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][side])
    half_page = np.array([wide, high]) / 2
    c, s = math.cos(angle), math.sin(angle)
    half_other = np.array([abs(c) * width + abs(s) * height, abs(s) * width + abs(c) * height]) * scale / 2
    reach = float(abs(inward) @ (half_page + half_other))
    over = abs(deep) * u[5] * float(abs(inward) @ half_page) * 2 - (30 * u[6] ** 2 if deep > 0 else 0.0)
    along = (u[7] - 0.5) * 1.2 * np.array([inward[1], inward[0]]) * half_page
    middle = centre - inward * (reach - over) + along
    place = np.array([[scale * c, -scale * s, middle[0]], [scale * s, scale * c, middle[1]], [0, 0, 1]])
    place = place @ np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    whole = to_picture @ place
    x, y, w = whole @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]])
    if w.min() < 0.3 * float(to_picture[2] @ (*centre, 1.0)):
        return picture  # it would reach behind the camera
    outline = np.stack([x / w, y / w], axis=1)
    out = picture.copy()
    shade = (0.35 + 0.25 * u[8]) * float(np.mean(picture))
    shadow = np.rint((outline + np.array([2.0, 3.0])) * 16).clip(-(2**20), 2**20).astype(np.int32)
    cv2.fillPoly(out, [shadow], (shade,) * (3 if colour else 1), cv2.LINE_AA, 4)
    # Lit as the rest is, if it is drawn over what is already lit.
    if deep < 0:
        bright = float(np.percentile(picture[::4, ::4], 90)) / 255
        other = np.asarray(cv2.convertScaleAbs(other, alpha=min(max(bright, 0.1), 1.0)), dtype=np.uint8)
    cv2.warpPerspective(
        other,
        whole,
        out.shape[1::-1],
        dst=out,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    return out


@functools.lru_cache(maxsize=PAPERS)
def paper(index: int) -> Image:
    """``(h, w, 3)`` uint8 at `PX_PER_MM`."""
    rng = generator(0, "camera-neighbour", index)
    if index % 3 == 2:
        canvas = np.full((round(297 * PX_PER_MM), round(210 * PX_PER_MM), 3), 250, dtype=np.uint8)
        furnish(canvas, rng, (0, round(20 * PX_PER_MM), canvas.shape[1], round(20 * PX_PER_MM)), PX_PER_MM)
        return canvas
    style = draw_look(rng)
    names = sorted(LAYOUTS)
    layout = LAYOUTS[names[int(rng.integers(len(names)))]]
    sheet = placed(layout, style)
    size = (round(sheet.height_mm * PX_PER_MM), round(sheet.width_mm * PX_PER_MM))
    return render(_beats(rng), 250, layout, size, style=style, colour=True)


@functools.lru_cache(maxsize=PAPERS)
def grey_paper(index: int) -> Image:
    """``(h, w)`` uint8: `paper` in grey."""
    return grey_of(paper(index))


def _beats(rng: np.random.Generator) -> Float32Array:
    """``(8, n)`` mV at 250 Hz: something like an ECG, for papers that are not read."""
    t = np.arange(2500) / 250
    beat = 0.6 + 0.5 * float(rng.random())
    phase = (t + float(rng.random())) % beat
    out = np.zeros((8, len(t)))
    for lead in range(8):
        for at, width, height in ((0.16, 0.025, 0.12), (0.29, 0.008, -0.15), (0.32, 0.011, 1.2), (0.35, 0.01, -0.3)):
            out[lead] += height * rng.uniform(-0.6, 1.3) * np.exp(-(((phase - at) / width) ** 2) / 2)
        out[lead] += rng.uniform(-0.1, 0.4) * np.exp(-(((phase - 0.56) / 0.05) ** 2) / 2)
    return out.astype(np.float32)
