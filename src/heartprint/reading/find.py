"""Where the sheet lies.

One network finds the paper, its grid is measured, another says which side is up and where the sheet ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.reading.lattice import Lattice, refine
from heartprint.reading.layouts import Box
from heartprint.reading.looks import Glance, Name, glance, moved
from heartprint.reading.network import TURNS, PageNet
from heartprint.reading.outline import with_outline
from heartprint.reading.plane import Plane, Sheet, find_sheet, fit_plane, jacobian, mapped
from heartprint.reading.rectified import LONGEST_PX, view_of_box
from heartprint.reading.turns import turned, upright_copy, voted
from heartprint.reading.warp import shrunk, warped

_ROOM = 0.05
"""Paper about the sheet that is looked at, as a share of its sides."""
_SHEET_MM = (30.0, 700.0)
"""Sides of a sheet are between these."""
_MOST_LOOKS = 3
_SURE_NAME = 0.7
_PLAIN, _PLAIN_NAMES = 0.999, 5
"""So sure, and with so many lead names read, no more copies are asked how the sheet is turned."""
_SCALES = (1.0, 0.88, 1.13)
"""A grid is found where its scale is right to 6 %; a network may be off by more. Farther off, what is found may be the
half or the double of it."""
_SETTLED = 0.03
"""A scale that is off by no more than this need not be looked at again."""


@dataclass(frozen=True)
class Networks:
    """Those that come with Heartprint, or others: one for whole pictures, one for rectified sheets."""

    finder: PageNet
    reader: PageNet


@dataclass(frozen=True)
class Found:
    """A sheet in a picture.

    Attributes:
        sheet: Where it lies.
        first: What the finder saw in the whole picture.
        last: What the reader saw in the upright view.
        to_view: ``(3, 3)`` from px of the picture to px of that view.
        planes: What the cells of each look agreed on.
        turn: Index into `TURNS`: how the view was seen turned before it was set upright.
        upright: How sure the last look is that the sheet stands upright, 0-1.
        chosen: How sure the look before was of the turn, 0-1.
        change: How far the scale was off in the last look, as a share.
        lattice: What the grid said; None if it was not asked.
        names: Lead names, at their places in mm from the sheet's upper left corner.
    """

    sheet: Sheet
    first: Glance
    last: Glance
    to_view: Float64Array
    planes: tuple[Plane, ...]
    turn: int
    upright: float
    chosen: float
    change: float
    lattice: Lattice | None
    names: tuple[Name, ...]


@dataclass(frozen=True)
class NotFound:
    """Why there is no sheet: ``code`` is ``no-sheet`` or ``unsure``."""

    code: str
    first: Glance


def find(
    networks: Networks,
    picture: Image,
    *,
    use_lattice: bool = True,
    prior: Float64Array | None = None,
    turn: int | None = None,
) -> Found | NotFound:
    """Find the sheet in a picture.

    Args:
        networks: Look at pictures.
        picture: ``(H, W)`` uint8.
        use_lattice: Whether the grid refines what the networks find.
        prior: ``(3, 3)`` from px of the picture to px of one that stands nearly upright, where a person has said how.
        turn: Index into `TURNS`, with a prior: the turn that is then not looked for.
    """
    if prior is None:
        view, _ = shrunk(picture, LONGEST_PX)
        to_view = np.diag([view.shape[1] / picture.shape[1], view.shape[0] / picture.shape[0], 1.0])
    else:
        to_view, size = _fitted(prior, picture.shape)
        view = warped(picture, to_view, size)
    first = glance(networks.finder, view)
    laid = _laid(first, to_view, picture.shape)
    if laid is None:
        return NotFound("no-sheet", first)
    plane, to_mm, box = laid
    planes = [plane]
    lattice, seen, change = None, first, 0.0
    for _ in range(_MOST_LOOKS):
        settled = _look(networks, picture, to_mm, box, use_lattice)
        if settled is None:
            return NotFound("unsure", first)
        seen, plane, to_mm, box, to_view, lattice, change = settled
        planes.append(plane)
        if (lattice is not None and lattice.found) or change < _SETTLED:
            break
    shares = np.eye(len(TURNS))[0] if turn == 0 else _turn(networks.reader, picture, to_view, seen.size)
    which = int(shares.argmax())
    if which != 0:
        to_mm, box = _set_upright(to_mm, box, which)
        settled = _look(networks, picture, to_mm, box, use_lattice and lattice is not None and lattice.found)
        if settled is None:
            return NotFound("unsure", first)
        seen, plane, to_mm, box, to_view, again, change = settled
        lattice = again or lattice
        planes.append(plane)
    assert seen.edges is not None and seen.turns is not None
    back = np.linalg.inv(to_view)
    edges = seen.edges
    sheet = find_sheet(to_mm, mapped(back, edges.at), edges.away_mm, edges.spread_mm, edges.weight)
    if sheet is not None:
        sheet = with_outline(sheet, seen.sheet_share, to_view, picture.shape)
    if sheet is None or not _possible(sheet.mm_from_picture, (0.0, 0.0, *sheet.size_mm), picture.shape):
        return NotFound("unsure", first)
    names = moved(seen.names, sheet.mm_from_picture @ back)
    sure = float(seen.turns[0])
    chosen = float(shares[which])
    return Found(sheet, first, seen, to_view, tuple(planes), which, sure, chosen, change, lattice, names)


Look = tuple[Glance, Plane, Float64Array, Box, Float64Array, Lattice | None, float]
"""What was seen, the plane, px of the picture to mm, where the sheet is on it, px of the picture to px of the view, the
grid, and by how much the scale was off."""


def _look(networks: Networks, picture: Image, to_mm: Float64Array, box: Box, use_lattice: bool) -> Look | None:
    """Measure the grid, look at the rectified sheet, and correct the plane by whichever knows better."""
    if not _possible(to_mm, box, picture.shape):
        return None
    lattice = None
    if use_lattice:
        lattice, box = _grid(picture, to_mm, box)
    trusted = lattice is not None and lattice.found
    if lattice is not None and lattice.found:
        to_mm = lattice.mm_from_picture
    to_view, size = view_of_box(to_mm, _wider(box), max(px_per_mm(to_mm, box)))
    seen = glance(networks.reader, warped(picture, to_view, size))
    laid = _laid(seen, to_view, picture.shape)
    if laid is None:
        return None
    plane, again, box = laid
    change = _off(to_mm, again, box)
    if trusted:
        # The grid is exact where it is seen; the network only says where the sheet is.
        return seen, plane, to_mm, _box_of(seen, to_view, to_mm), to_view, lattice, change
    return seen, plane, again, box, to_view, lattice, change


def _grid(picture: Image, to_mm: Float64Array, box: Box) -> tuple[Lattice, Box]:
    """The grid, looked for at the scale that the network says and at some beside it, and the box in its mm."""
    first: Lattice | None = None
    for factor in _SCALES:
        scaled = np.diag([factor, factor, 1.0]) @ to_mm
        part = (factor * box[0], factor * box[1], factor * box[2], factor * box[3])
        lattice = refine(picture, scaled, _within(_corners(scaled, part), picture.shape))
        if lattice.found:
            return lattice, part
        first = first or lattice
    assert first is not None
    return first, box


def _turn(reader: PageNet, picture: Image, to_view: Float64Array, size: tuple[int, int]) -> Float64Array:
    """``(8,)`` shares of `TURNS`: how the sheet lies in a view.

    It is asked of the view, and of the copy that would then stand upright; only if both do not settle it, of all eight
    turned copies.
    """
    told: dict[int, Float64Array] = {}
    names: dict[int, float] = {}

    def ask(copy: int) -> None:
        if copy not in told:
            spin, turned_size = turned(copy, size)
            seen = glance(reader, warped(picture, spin @ to_view, turned_size))
            assert seen.turns is not None
            told[copy] = seen.turns
            names[copy] = float(sum(name.sure > _SURE_NAME for name in seen.names))

    ask(0)
    upright = upright_copy(int(voted(told, {}).argmax()))
    ask(upright)
    shares = voted(told, {})
    agreed = shares.max() > _PLAIN and upright_copy(int(shares.argmax())) == upright
    if agreed and names[upright] >= _PLAIN_NAMES and (upright == 0 or names[0] < names[upright]):
        return shares
    for copy in range(len(TURNS)):
        ask(copy)
    return voted(told, names)


def _laid(seen: Glance, to_view: Float64Array, size: tuple[int, ...]) -> tuple[Plane, Float64Array, Box] | None:
    """The plane, from px of the picture to mm, and the part of it on which the sheet was seen."""
    plane = fit_plane(seen.looks)
    if plane is None:
        return None
    to_mm = plane.mm_from_picture @ to_view
    return plane, to_mm, _box_of(seen, to_view, to_mm)


def _box_of(seen: Glance, to_view: Float64Array, to_mm: Float64Array) -> Box:
    at = mapped(to_mm @ np.linalg.inv(to_view), seen.on_sheet)
    (left, top), (right, bottom) = np.percentile(at, [1, 99], axis=0)
    return float(left), float(top), float(right), float(bottom)


def _wider(box: Box) -> Box:
    left, top, right, bottom = box
    wide, high = _ROOM * (right - left), _ROOM * (bottom - top)
    least = 0.02 * max(right - left, bottom - top)
    wide, high = max(wide, least), max(high, least)
    return left - wide, top - high, right + wide, bottom + high


def _set_upright(to_mm: Float64Array, box: Box, turn: int) -> tuple[Float64Array, Box]:
    """The plane with another of its eight sides up."""
    left, top, right, bottom = box
    seen = (bottom - top, right - left)
    upright = seen[::-1] if TURNS[turn][0] % 2 else seen
    spin, _ = turned(turn, upright)  # type: ignore[arg-type]  # mm, not px
    shift = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
    return np.linalg.inv(spin) @ shift @ to_mm, (0.0, 0.0, upright[1], upright[0])


def _off(before: Float64Array, after: Float64Array, box: Box) -> float:
    """By how much the scale of two planes differs, at the middle of a part of the later one."""
    middle = mapped(np.linalg.inv(after), np.array([[(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]]))
    a, b = (np.abs(np.linalg.svd(jacobian(matrix, middle)[0], compute_uv=False)) for matrix in (before, after))
    return float(np.abs(np.log(a / b)).max())


def px_per_mm(to_mm: Float64Array, box: Box) -> tuple[float, float]:
    """Px of the picture per mm along both axes, at the middle of a part of the plane."""
    middle = np.array([[(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]])
    frame = jacobian(np.linalg.inv(to_mm), middle)[0]
    return float(np.hypot(*frame[:, 0])), float(np.hypot(*frame[:, 1]))


def _corners(to_mm: Float64Array, box: Box) -> Float64Array:
    left, top, right, bottom = box
    return mapped(np.linalg.inv(to_mm), np.array([(left, top), (right, top), (right, bottom), (left, bottom)]))


def _possible(to_mm: Float64Array, box: Box, picture_size: tuple[int, ...]) -> bool:
    """Whether a sheet can lie like this: of a likely size, in front of the camera, and in the picture."""
    least, most = _SHEET_MM
    left, top, right, bottom = box
    if not (least <= right - left <= most and least / 2 <= bottom - top <= most):
        return False
    on_sheet = np.array([(left, top, 1.0), (right, top, 1.0), (right, bottom, 1.0), (left, bottom, 1.0)])
    depth = on_sheet @ np.linalg.inv(to_mm)[2]
    if depth.min() * depth.max() <= 0 or np.abs(depth).min() < 0.1 * np.abs(depth).max():
        return False
    corners = _corners(to_mm, box)
    reach = max(picture_size[:2])
    return bool(np.isfinite(corners).all() and np.abs(corners - reach / 2).max() < 4 * reach)


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
