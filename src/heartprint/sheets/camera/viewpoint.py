"""Where the camera stands: a pinhole above the paper, any turn, tilted, near or far, and the frame that is kept.

The paper is the plane z = 0 in mm of the sheet, x to the right, y down, as on the sheet itself. A point is turned about
the sheet's centre, tilted away from the camera about an axis in the paper, projected, mirrored where the picture is
(a front camera, a film seen from behind), and then the frame is laid: where a photograph is cropped afterwards, or the
camera is aimed beside the sheet, the frame's centre is not the lens's. All of it is one homography.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from heartprint.foundation.arrays import Float64Array

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, mm of the sheet."""

FRAMES = (3 / 4, 9 / 16, 2 / 3, 1.0)
"""Shorter over longer side of what phones and cameras take."""

LEAST_SHARE, LARGEST_SHARE = 0.35, 1.3
"""Of the frame's width or height, whichever is filled more, that the sheet's outline takes."""

_HORIZON = 0.25
"""Least depth, as a share of that of the sheet's centre, of anything that is in the frame."""


@dataclass(frozen=True)
class Viewpoint:
    """How a plane is seen.

    Attributes:
        size: Height and width of the picture, px.
        to_picture: ``(3, 3)`` homography from mm of the sheet to px of the picture.
        turn: By how many degrees the sheet is seen turned clockwise (before mirroring), 0-360.
        tilt: Degrees between the line of sight and the paper's normal.
        mirrored: Whether left and right of the picture are exchanged.
    """

    size: tuple[int, int]
    to_picture: Float64Array
    turn: float
    tilt: float
    mirrored: bool

    def px_per_mm(self, x_mm: float, y_mm: float) -> float:
        """How large the paper is seen at a point of it: the geometric mean over directions, px per mm."""
        w = float(self.to_picture[2] @ (x_mm, y_mm, 1.0))
        return math.sqrt(abs(float(np.linalg.det(self.to_picture)) / w**3))


def draw_turn(rng: np.random.Generator, severity: float) -> float:
    """Draw a turn: mostly near a multiple of 90 degrees, upright twice as often as each other; sometimes any.

    Returns:
        Degrees, 0-360.
    """
    u = rng.random(3)
    if u[0] < 0.04 + 0.06 * (severity - 1):
        return float(360 * u[1])
    quarter = max(int(u[1] * 5) - 1, 0)
    return float(90 * quarter + (1.0 + 1.7 * (severity - 1)) * _normal(u[2])) % 360


def draw_viewpoint(
    rng: np.random.Generator,
    severity: float,
    longest_side: int,
    sheet: Box,
    target: Box,
    *,
    turn: float,
    mirrored: bool,
    flat: bool = False,
    cut: float = 0.8,
) -> Viewpoint:
    """Draw where the camera stands and what it keeps.

    Args:
        rng: Source of randomness.
        severity: 1-5: tilt up to 8-45 degrees, cuts of up to 10-25 % of a side.
        longest_side: Of the picture, px.
        sheet: The sheet.
        target: What the photographer aims at, the sheet or the page about it.
        turn: See `Viewpoint`.
        mirrored: See `Viewpoint`.
        flat: Whether there is no lens: a scanner, a file.
        cut: How often the target's edges are cut.
    """
    u = rng.random(6)
    tilt = 0.0 if flat else (8 + 37 * (severity - 1) / 4) * u[0] ** 1.4
    away = 2 * math.pi * u[1]
    reach = max(math.hypot(box[2] - box[0], box[3] - box[1]) for box in (sheet, target))
    distance = reach * (0.75 + 1.3 * u[2])
    sides = rng.random((4, 3))
    frame = rng.random(5)
    # A frame in which the plane ends at its horizon is no photograph of a sheet: the camera is tilted less then.
    for _ in range(12):
        seen = _projection(sheet, turn, tilt, away, distance, mirrored)
        box, aims = _outline(seen, sheet), _outline(seen, target)
        size = _frame(frame, (aims[2] - aims[0]) / (aims[3] - aims[1]), longest_side, flat)
        to_picture = _framed(seen, box, aims, size, sides, u[3:], severity, cut)
        if _in_front(to_picture, sheet, size):
            break
        tilt *= 0.8
    return Viewpoint(size, to_picture, turn, tilt, mirrored)


def _normal(u: float) -> float:
    """A number of a bell-shaped distribution within -2.5 and 2.5 from one that is even in 0-1."""
    return max(min(math.copysign(math.sqrt(-1.6 * math.log(1 - abs(2 * u - 1) + 1e-9)), u - 0.5), 2.5), -2.5)


def _projection(sheet: Box, turn: float, tilt: float, away: float, distance: float, mirrored: bool) -> Float64Array:
    """From mm to a plane at the distance 1 before the lens."""
    centre = np.array([[1, 0, -(sheet[0] + sheet[2]) / 2], [0, 1, -(sheet[1] + sheet[3]) / 2], [0, 0, 1]])
    angle = math.radians(turn)
    c, s = math.cos(angle), math.sin(angle)
    turned = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    # The axis of the tilt is at a right angle to the direction that leans away; Rodrigues' formula in the plane z = 0.
    ax, ay = -math.sin(away), math.cos(away)
    cos, sin = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    tilted = np.array(
        [
            [cos + ax * ax * (1 - cos), ax * ay * (1 - cos), 0],
            [ax * ay * (1 - cos), cos + ay * ay * (1 - cos), 0],
            [-ay * sin, ax * sin, distance],
        ]
    )
    flip = np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0])
    return np.asarray(flip @ tilted @ turned @ centre)


def _corners(homography: Float64Array, box: Box) -> Float64Array:
    """``(3, 4)``: where the corners of a box come to lie; the third row tells what is before the camera."""
    left, top, right, bottom = box
    return np.asarray(homography @ np.array([[left, right, right, left], [top, top, bottom, bottom], [1, 1, 1, 1]]))


def _outline(homography: Float64Array, box: Box) -> Box:
    x, y, w = _corners(homography, box)
    w = np.maximum(w, 0.2 * w.max())  # what lies behind the camera is not aimed at
    x, y = x / w, y / w
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _frame(u: Float64Array, aspect: float, longest_side: int, flat: bool) -> tuple[int, int]:
    """Height and width: cut to what is photographed, or as the camera gives it."""
    if flat or u[0] < 0.5:
        wide_over_high = min(max(aspect * math.exp(0.14 * _normal(u[1])), 0.45), 2.8)
    else:
        short = FRAMES[int(u[2] * len(FRAMES))]
        lengthwise = (aspect > 1) == (u[3] < 0.75)
        wide_over_high = 1 / short if lengthwise else short
    longer = longest_side / max(wide_over_high, 1.0)
    return max(round(longer), 32), max(round(longer * wide_over_high), 32)


def _framed(
    seen: Float64Array,
    sheet: Box,
    aims: Box,
    size: tuple[int, int],
    sides: Float64Array,
    u: Float64Array,
    severity: float,
    cut: float,
) -> Float64Array:
    """Lay the frame: scale and shift what is seen so that the target has its margins and cuts."""
    how_many = min(int(u[0] / cut * 5), 4) or 1 if u[0] < cut else 0
    order = np.argsort(sides[:, 0])
    cuts, margins = np.zeros(4), np.zeros(4)
    far = u[1] < 0.25
    for rank, k in enumerate(order):
        if rank < how_many:
            cuts[k] = (0.09 + 0.04 * (severity - 1)) * sides[k, 1] ** 1.3 + 0.004
        else:
            margins[k] = 0.33 * sides[k, 1] if far else 0.11 * sides[k, 1] ** 1.6 + 0.003
    height, width = size
    across = np.array([aims[2] - aims[0], aims[3] - aims[1]])
    room = np.array([width, height], dtype=np.float64)
    # Share of the frame that the target's outline takes along each axis, if that axis alone decided.
    wanted = np.array([1 - margins[k] - margins[k + 2] for k in (0, 1)])
    wanted /= [1 - cuts[k] - cuts[k + 2] for k in (0, 1)]
    scales = wanted * room / across
    scale = float(scales.min() if u[2] < 0.8 else scales.max())
    own = np.array([sheet[2] - sheet[0], sheet[3] - sheet[1]])
    share = float((own * scale / room).max())
    scale *= min(max(share, LEAST_SHARE), LARGEST_SHARE) / share
    taken = across * scale / room
    start = np.empty(2)
    for k in (0, 1):
        low, high = cuts[k] * taken[k], cuts[k + 2] * taken[k]
        free = 1 - taken[k]
        if low and high:
            start[k] = free * low / (low + high) if free < 0 else free * sides[k, 2]
        elif low or high:
            start[k] = -low if low else free + high
        else:
            start[k] = free * sides[k, 2]
    shift = start * room - scale * np.array(aims[:2])
    return np.asarray(np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1]]) @ seen)


def _in_front(to_picture: Float64Array, sheet: Box, size: tuple[int, int]) -> bool:
    """Whether the paper's plane fills the frame and nothing in it is too near or beyond the horizon."""
    height, width = size
    back = np.asarray(np.linalg.inv(to_picture), dtype=np.float64)
    depth = to_picture[2] @ ((sheet[0] + sheet[2]) / 2, (sheet[1] + sheet[3]) / 2, 1.0)
    # The inverse's third coordinate is one over the depth, up to the sign that the centre has.
    nearness = _corners(back, (0.0, 0.0, float(width), float(height)))[2] * depth
    return bool(nearness.min() > _HORIZON and nearness.max() < 1 / _HORIZON)
