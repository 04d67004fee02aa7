"""What lies on a paper and hides a part of it: fingers, pens, clips. They are drawn onto the picture, before the lens.

Nothing here moves the paper. Every cover is drawn near the frame's border or the paper's edge, as people hold it.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.sheets.camera.scene import Pass, Scene
from heartprint.sheets.camera.viewpoint import Box, Viewpoint
from heartprint.sheets.look import LUMA

SKINS = ((236, 196, 170), (222, 170, 138), (186, 130, 98), (130, 86, 62), (84, 56, 42))


def lay(scene: Scene, rng: np.random.Generator, severity: float, page: Box, view: Viewpoint) -> list[tuple[str, float]]:
    """Lay covers over a scene, some of the time.

    Returns:
        What happened, with severities.
    """
    chances = rng.random(3)
    made = []
    if chances[0] < 0.03 + 0.05 * severity:
        made.append(("fingers", draw_fingers(rng)))
    if chances[1] < 0.02 + 0.015 * severity:
        made.append(("pen", draw_pen(rng)))
    if chances[2] < 0.05:
        u = rng.random(2)
        edge = (page[0] + u[0] * (page[2] - page[0]), page[3] if u[1] < 0.3 else page[1], 1.0)
        middle = ((page[0] + page[2]) / 2, (page[1] + page[3]) / 2, 1.0)
        points = np.stack([view.to_picture @ edge, view.to_picture @ middle])
        if (points[:, 2] > 0).all():
            made.append(("clip", draw_clip(rng, points[:, :2] / points[:, 2:])))
    for _, cover in made:
        scene.optics.insert(0, cover)
    return [(name, severity) for name, _ in made]


def draw_fingers(rng: np.random.Generator) -> Pass:
    """A hand that reaches in over the border: one to four fingers, or a thumb."""
    u, each = rng.random(8), rng.random((4, 4))
    skin = np.array(SKINS[int(u[0] * len(SKINS))]) * (0.65 + 0.4 * u[1])
    count = 1 + int(4 * u[2] ** 1.5)

    def cover(picture: Image) -> Image:
        height, width = picture.shape[:2]
        longer = max(height, width)
        thick = longer * (0.05 + 0.07 * u[3])
        side, along = int(u[4] * 4), 0.1 + 0.8 * u[5]
        base, inward = _border(side, along, height, width)
        lean = 0.9 * (u[6] - 0.5)
        c, s = math.cos(lean), math.sin(lean)
        inward = np.array([c * inward[0] - s * inward[1], s * inward[0] + c * inward[1]])
        across = np.array([-inward[1], inward[0]])
        shapes = []
        for k in range(count):
            start = base + across * (k - (count - 1) / 2) * thick * 1.08 - inward * thick
            reach = thick * (1.6 + 2.6 * each[k, 0] * (0.6 + u[7]))
            bend = across * thick * 0.5 * (each[k, 1] - 0.5)
            shapes.append((start, start + inward * reach + bend, thick * (0.92 + 0.16 * each[k, 2])))
        return _nails(_limbs(picture, shapes, skin), shapes, skin) if u[1] < 0.6 else _limbs(picture, shapes, skin)

    return cover


def draw_pen(rng: np.random.Generator) -> Pass:
    """A pen, a pencil or a cable across the picture's border."""
    u = rng.random(10)
    colour = 20 + 220 * u[:3] ** (1.5 if u[3] < 0.7 else 0.6)

    def cover(picture: Image) -> Image:
        height, width = picture.shape[:2]
        longer = max(height, width)
        base, inward = _border(int(u[4] * 4), u[5], height, width)
        lean = 1.6 * (u[6] - 0.5)
        c, s = math.cos(lean), math.sin(lean)
        inward = np.array([c * inward[0] - s * inward[1], s * inward[0] + c * inward[1]])
        end = base + inward * longer * (0.06 + 0.3 * u[7] ** 1.5)
        return _limbs(picture, [(base - inward * 20, end, longer * (0.012 + 0.02 * u[8]))], colour)

    return cover


def draw_clip(rng: np.random.Generator, at: Float64Array) -> Pass:
    """A clip or the corner of a holder on the paper's edge.

    Args:
        rng: Source of randomness.
        at: ``(2, 2)``: where it sits and where the paper's middle is, px of the picture.
    """
    u = rng.random(6)
    colour = np.full(3, 30 + 190 * u[0]) * (1 + 0.15 * (u[1:4] - 0.5))

    def cover(picture: Image) -> Image:
        inward = at[1] - at[0]
        inward = inward / max(float(np.hypot(*inward)), 1.0)
        across = np.array([-inward[1], inward[0]])
        size = max(picture.shape[:2]) * (0.02 + 0.05 * u[4])
        half = across * size * (0.8 + 1.5 * u[5])
        corners = (at[0] - inward * size - half, at[0] - inward * size + half)
        far = (at[0] + inward * size + half * 0.8, at[0] + inward * size - half * 0.8)
        return _filled(picture, np.array([*corners, *far]), colour)

    return cover


def _border(side: int, along: float, height: int, width: int) -> tuple[Float64Array, Float64Array]:
    """A point on the picture's border and the direction into the picture."""
    if side % 2:
        return np.array([0.0 if side == 1 else width, along * height]), np.array([1.0 if side == 1 else -1.0, 0.0])
    return np.array([along * width, 0.0 if side == 0 else height]), np.array([0.0, 1.0 if side == 0 else -1.0])


def _limbs(picture: Image, shapes: list[tuple[Float64Array, Float64Array, float]], colour: Float64Array) -> Image:
    """Draw rounded bars (from, to, thickness) that are lit from above and throw a shadow."""
    mask = np.zeros(picture.shape[:2], dtype=np.uint8)
    light = np.full(picture.shape[:2], 130, dtype=np.uint8)
    for start, end, thick in shapes:
        a, b = (tuple(int(v) for v in np.rint(p * 16)) for p in (start, end))
        cv2.line(mask, a, b, (255,), max(round(thick), 1), cv2.LINE_AA, 4)
        cv2.line(light, a, b, (165,), max(round(thick * 0.9), 1), cv2.LINE_AA, 4)
        cv2.line(light, a, b, (235,), max(round(thick * 0.45), 1), cv2.LINE_AA, 4)
    soft = max(shapes[0][2] * 0.14, 0.7)
    return _blended(
        picture, mask, np.asarray(cv2.GaussianBlur(light, (0, 0), soft), dtype=np.uint8), colour, shapes[0][2]
    )


def _nails(picture: Image, shapes: list[tuple[Float64Array, Float64Array, float]], colour: Float64Array) -> Image:
    """Lighten the ends of fingers that are seen from their backs."""
    level = np.clip(colour * 1.15 + 12, 0, 255)
    ink = (float(np.dot(LUMA, level)),) if picture.ndim == 2 else tuple(level.tolist())
    nails = picture.copy()
    for start, end, thick in shapes:
        along = (end - start) / max(float(np.hypot(*(end - start))), 1.0)
        middle = tuple(int(v) for v in np.rint((end + along * thick * 0.18) * 16))
        axes = (max(int(thick * 0.25 * 16), 16), max(int(thick * 0.2 * 16), 16))
        turn = math.degrees(math.atan2(along[1], along[0]))
        cv2.ellipse(nails, middle, axes, turn, 0, 360, ink, cv2.FILLED, cv2.LINE_AA, 4)
    return np.asarray(cv2.addWeighted(picture, 0.5, nails, 0.5, 0), dtype=np.uint8)


def _filled(picture: Image, corners: Float64Array, colour: Float64Array) -> Image:
    mask = np.zeros(picture.shape[:2], dtype=np.uint8)
    cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    light = np.full(picture.shape[:2], 220, dtype=np.uint8)
    return _blended(picture, mask, light, colour, max(picture.shape[:2]) * 0.02)


def _blended(picture: Image, mask: Image, light: Image, colour: Float64Array, reach: float) -> Image:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return picture
    far = max(round(reach * 0.8), 2)
    window = np.s_[max(rows[0] - far, 0) : rows[-1] + far + 1, max(columns[0] - far, 0) : columns[-1] + far + 1]
    shape = mask[window].astype(np.float32) / 255
    shadow = cv2.GaussianBlur(shape, (0, 0), max(reach * 0.22, 0.6))
    down = max(round(reach * 0.12), 1)
    shadow = np.concatenate([shadow[:1].repeat(down, axis=0), shadow[:-down]]) if down < len(shadow) else shadow
    lit = light[window].astype(np.float32) / 255
    out = picture.copy()
    patch = out[window]
    for c in range(1 if picture.ndim == 2 else 3):
        plane = patch if picture.ndim == 2 else patch[..., c]
        own = float(np.dot(LUMA, colour)) if picture.ndim == 2 else float(colour[c])
        below = plane * (1 - 0.5 * shadow)
        plane[:] = np.clip(below + (lit * own - below) * shape + 0.5, 0, 255).astype(np.uint8)
    return out
