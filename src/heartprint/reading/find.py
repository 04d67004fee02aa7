"""Where the sheet lies: the network looks twice, the grid is measured, the edges are found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.reading.lattice import Lattice, refine
from heartprint.reading.looks import Glance, Name, glance, moved
from heartprint.reading.network import PageNet
from heartprint.reading.plane import Looks, Plane, Sheet, find_sheet, fit_plane, jacobian, mapped
from heartprint.reading.warp import shrunk, warped

LONGEST_PX = 512
"""Longest side of what the network looks at."""
_ROOM = 0.06
"""Paper about the sheet that is looked at the second time, as a share of its longer side."""
_FINER = 1.25
"""The second look is at no more than so many px per px of the picture."""
_SHEET_MM = (30.0, 700.0)
"""Sides of a sheet are between these."""
_MOST_LOOKS = 3


@dataclass(frozen=True)
class Found:
    """A sheet in a picture.

    Attributes:
        sheet: Where it lies.
        first: What the network saw in the whole picture.
        second: What it saw in the upright view.
        to_view: ``(3, 3)`` from px of the picture to px of that view.
        planes: What the cells of each look agreed on.
        change: How far the sheet's corners moved with the second look, as a share of its width.
        sides_changed: How often a look said that the one before had taken another side of the paper for the upper one.
        lattice: What the grid said; None if it was not asked.
        names: Lead names, at their places in mm from the sheet's upper left corner.
    """

    sheet: Sheet
    first: Glance
    second: Glance
    to_view: Float64Array
    planes: tuple[Plane, ...]
    change: float
    sides_changed: int
    lattice: Lattice | None
    names: tuple[Name, ...]


@dataclass(frozen=True)
class NotFound:
    """Why there is no sheet: ``code`` is ``no-sheet`` or ``unsure``."""

    code: str
    first: Glance


def find(
    network: PageNet,
    picture: Image,
    *,
    use_lattice: bool = True,
    prior: Float64Array | None = None,
    looks_twice: bool = True,
) -> Found | NotFound:
    """Find the sheet in a picture.

    Args:
        network: Looks at pictures.
        picture: ``(H, W)`` uint8.
        use_lattice: Whether the grid refines what the network found.
        prior: ``(3, 3)`` from px of the picture to one that stands upright, where a person has said how; the first
            look is at that.
        looks_twice: Whether the network looks again, at an upright view.
    """
    small, _ = shrunk(picture, LONGEST_PX)
    if prior is None:
        to_view = np.diag([small.shape[1] / picture.shape[1], small.shape[0] / picture.shape[0], 1.0])
        view = small
    else:
        to_view, size = _fitted(prior, picture.shape)
        view = warped(picture, to_view, size)
    first = seen = glance(network, view)
    sheet, plane = _understood(seen, to_view)
    if sheet is None or plane is None:
        return NotFound("no-sheet", first)
    planes, changes, change = [plane], 0, 0.0
    for _ in range(_MOST_LOOKS - 1 if looks_twice else 0):
        if not _possible(sheet, picture.shape):
            return NotFound("unsure", first)
        to_view, size = _upright(sheet, picture.shape)
        seen = glance(network, warped(picture, to_view, size))
        again, plane = _understood(seen, to_view)
        if again is None or plane is None or not _possible(again, picture.shape):
            return NotFound("unsure", first)
        planes.append(plane)
        width = float(np.linalg.norm(again.corners[1] - again.corners[0]))
        change = float(np.linalg.norm(again.corners - sheet.corners, axis=1).max()) / max(width, 1.0)
        side = _other_side(plane, to_view, seen.looks.at)
        sheet = again
        if not side:
            break
        changes += 1
    lattice = None
    if use_lattice:
        lattice = refine(picture, sheet.mm_from_picture, _within(sheet.corners, picture.shape))
        if lattice.found:
            refined = find_sheet(_at(seen.looks, np.linalg.inv(to_view)), lattice.mm_from_picture)
            sheet = refined or sheet
    to_mm = sheet.mm_from_picture @ np.linalg.inv(to_view)
    return Found(sheet, first, seen, to_view, tuple(planes), change, changes, lattice, moved(seen.names, to_mm))


def _understood(seen: Glance, to_view: Float64Array) -> tuple[Sheet | None, Plane | None]:
    """Sheet and plane in the picture, from what was seen in a view of it."""
    plane = fit_plane(seen.looks)
    if plane is None:
        return None, None
    sheet = find_sheet(seen.looks, plane.mm_from_picture)
    if sheet is None:
        return None, plane
    return Sheet(sheet.mm_from_picture @ to_view, sheet.size_mm, sheet.spread_mm), plane


def _upright(sheet: Sheet, picture_size: tuple[int, ...]) -> tuple[Float64Array, tuple[int, int]]:
    """From px of the picture to an upright view of the sheet with some room about it, and the view's size."""
    width, height = sheet.size_mm
    room = _ROOM * max(width, height)
    native = px_per_mm(sheet)
    k = min(LONGEST_PX / (max(width, height) + 2 * room), _FINER * max(native))
    view = np.array([[k, 0.0, k * room], [0.0, k, k * room], [0.0, 0.0, 1.0]])
    size = (max(round(k * (height + 2 * room)), 32), max(round(k * (width + 2 * room)), 32))
    return view @ sheet.mm_from_picture, size


def px_per_mm(sheet: Sheet) -> tuple[float, float]:
    """Px of the picture per mm along time and along amplitude, at the middle of the sheet."""
    back = np.linalg.inv(sheet.mm_from_picture)
    frame = jacobian(back, np.array([sheet.size_mm]) / 2)[0]
    return float(np.hypot(*frame[:, 0])), float(np.hypot(*frame[:, 1]))


def _possible(sheet: Sheet, picture_size: tuple[int, ...]) -> bool:
    """Whether a sheet can lie like this: of a likely size, in front of the camera, and in the picture."""
    least, most = _SHEET_MM
    if not all(least <= side <= most for side in sheet.size_mm):
        return False
    width, height = sheet.size_mm
    on_sheet = np.array([(0.0, 0.0, 1.0), (width, 0.0, 1.0), (width, height, 1.0), (0.0, height, 1.0)])
    depth = on_sheet @ np.linalg.inv(sheet.mm_from_picture)[2]
    if depth.min() * depth.max() <= 0 or np.abs(depth).min() < 0.1 * np.abs(depth).max():
        return False
    corners = sheet.corners
    reach = max(picture_size[:2])
    return bool(np.isfinite(corners).all() and np.abs(corners - reach / 2).max() < 4 * reach)


def _other_side(plane: Plane, to_view: Float64Array, at: Float64Array) -> bool:
    """Whether the look at an upright view says that it does not stand upright."""
    middle = at.mean(axis=0, keepdims=True)
    frame = np.linalg.inv(jacobian(plane.mm_from_picture, middle)[0])
    return bool(plane.mirrored or frame[0, 0] < abs(frame[1, 0]))


def _at(looks: Looks, matrix: Float64Array) -> Looks:
    """The looks with their places moved; vectors stay those of the view, which `find_sheet` does not use."""
    return Looks(
        mapped(matrix, looks.at),
        looks.time,
        looks.amplitude,
        looks.spread,
        looks.edges,
        looks.edge_spread,
        looks.weight,
    )


def _within(corners: Float64Array, picture_size: tuple[int, ...]) -> Float64Array:
    """The part of the sheet that is in the picture, as a polygon ``(n, 2)``, px."""
    height, width = picture_size[:2]
    polygon = corners
    for axis, bound, sign in ((0, 0.0, 1.0), (0, float(width), -1.0), (1, 0.0, 1.0), (1, float(height), -1.0)):
        kept = []
        for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            da, db = sign * (a[axis] - bound), sign * (b[axis] - bound)
            if da >= 0:
                kept.append(a)
            if da * db < 0:
                kept.append(a + (b - a) * da / (da - db))
        polygon = np.array(kept)
        if len(polygon) < 3:
            return corners
    return np.asarray(polygon)


def _fitted(prior: Float64Array, picture_size: tuple[int, ...]) -> tuple[Float64Array, tuple[int, int]]:
    """A view of the whole picture through a prior, shrunk to `LONGEST_PX`."""
    height, width = picture_size[:2]
    corners = mapped(prior, np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]))
    low, high = corners.min(axis=0), corners.max(axis=0)
    k = min(LONGEST_PX / float((high - low).max()), 1.0)
    view = np.array([[k, 0.0, -k * low[0]], [0.0, k, -k * low[1]], [0.0, 0.0, 1.0]])
    size = tuple(max(round(k * side), 32) for side in (high - low)[::-1])
    return view @ prior, (size[0], size[1])
