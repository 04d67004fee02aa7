"""Where the sheet lies.

One network finds the paper, its grid is measured, another says which side is up and where the sheet ends.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.reading.close_look import CloseLook, look_closely, straightened
from heartprint.reading.lattice import Lattice, refine
from heartprint.reading.layouts import Box
from heartprint.reading.looks import Glance, Name, glance
from heartprint.reading.network import CELL, TURNS, PageNet
from heartprint.reading.outline import with_outline
from heartprint.reading.plane import Plane, Sheet, find_sheet, fit_plane, jacobian, mapped
from heartprint.reading.rectified import LONGEST_PX, view_of_box
from heartprint.reading.strip_network import PX_PER_MM, StripNet
from heartprint.reading.turns import turned, upright_copy, voted
from heartprint.reading.warp import shrunk, warped

_ROOM = 0.05
"""Paper about the sheet that is looked at, as a share of its sides."""
_CLOSE_ROOM, _CLOSEST_PX = 0.08, 1408
"""The same of close looks, which show where the sheet ends, and their longest side."""
_BESIDE_MM = 15.0
"""What is so far beyond a sheet is another one."""
_STRAIGHTENED = 2
"""Times that a sheet without a grid is set straight by its rows and borders."""
_SHEET_MM = (30.0, 700.0)
"""Sides of a sheet are between these."""
_MOST_LOOKS = 3
_SURE_NAME = 0.7
_LEAST_FAR, _LEAST_CLOSE = 1e-2, 1e-2
"""No turn is less likely than this by a look from afar, or a close one."""
_BENEFIT = 0.25
"""A sheet is at most so much surer to stand upright than both looks are on average."""
_PLAIN, _PLAIN_NAMES = 0.95, 5
"""So sure, and with so many lead names read, no more copies are asked how the sheet is turned."""
_SCALES = (1.0, 0.88, 1.13)
"""A grid is found where its scale is right to 6 %; a network may be off by more. Farther off, what is found may be the
half or the double of it."""
_SETTLED = 0.03
"""A scale that is off by no more than this need not be looked at again."""


@dataclass(frozen=True)
class Networks:
    """Those that come with Heartprint, or others: for whole pictures, for rectified sheets, and for their strips."""

    finder: PageNet
    reader: PageNet
    strips: StripNet


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
        close: What a close look at it told, in mm from its upper left corner.
        beside: How much more of a sheet the finder saw, beyond this one, as a share of what it saw of it.
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
    close: CloseLook
    beside: float

    @property
    def names(self) -> tuple[Name, ...]:
        """Lead names, at their places in mm from the sheet's upper left corner."""
        return self.close.names


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
    first, to_first = glance(networks.finder, view), to_view
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
    looker = _Closely(networks, picture, to_mm, box, to_view, seen)
    shares = np.eye(len(TURNS))[0] if turn == 0 else looker.turn()
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
    trusted = lattice is not None and lattice.found
    if which != 0:
        looker = _Closely(networks, picture, to_mm, box, to_view, seen)
    sheet, close = _closely(looker, sheet, trusted)
    # Looks that contradict each other are a reason for doubt, however sure one of them is.
    sure = min(float(_agreed(seen.turns, close.turns)[0]), (seen.turns[0] + close.turns[0]) / 2 + _BENEFIT)
    chosen = float(shares[which])
    return Found(
        sheet,
        first,
        seen,
        to_view,
        tuple(planes),
        which,
        sure,
        chosen,
        change,
        lattice,
        close,
        _beside(first, to_first, sheet),
    )


def _beside(first: Glance, to_first: Float64Array, sheet: Sheet) -> float:
    """How much of a sheet was seen in the whole picture beyond one, as a share of what was seen of it."""
    rows, columns = np.nonzero(first.sheet_share > 0.5)
    at = np.column_stack([(columns + 0.5) * CELL, (rows + 0.5) * CELL])
    place = mapped(sheet.mm_from_picture @ np.linalg.inv(to_first), at.astype(np.float64))
    width, height = sheet.size_mm
    room = _BESIDE_MM
    outside = (place < -room).any(1) | (place[:, 0] > width + room) | (place[:, 1] > height + room)
    return float(outside.sum() / max((~outside).sum(), 1))


def _closely(looker: _Closely, sheet: Sheet, trusted: bool) -> tuple[Sheet, CloseLook]:
    """What a close look tells of a sheet; where no grid has done so, it is set straight by it, and looked at again."""
    for _ in range(0 if trusted else _STRAIGHTENED):
        close = looker.look_at(sheet)
        straight = straightened(close, sheet.size_mm)
        sheet = dataclasses.replace(sheet, mm_from_picture=straight @ sheet.mm_from_picture)
        looker = looker.on(sheet)
    return sheet, looker.look_at(sheet)


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


class _Closely:
    """Looks closely at the eight turned copies of a view, as far as they are asked for, and remembers what it saw."""

    def __init__(
        self, networks: Networks, picture: Image, to_mm: Float64Array, box: Box, to_view: Float64Array, seen: Glance
    ) -> None:
        self._networks, self._picture, self._box = networks, picture, _wider(box, _CLOSE_ROOM)
        self.to_mm = to_mm
        self._to_view, self._size = to_view, seen.size
        self._seen = {0: seen}
        self._close: dict[int, CloseLook] = {}

    def look(self, copy: int) -> CloseLook:
        """Look closely at a copy; places are in mm of the plane, and mean something of the first copy alone."""
        if copy not in self._close:
            to_close, size = view_of_box(self.to_mm, self._box, PX_PER_MM, _CLOSEST_PX, finest=PX_PER_MM)
            k = float(np.abs(to_close @ np.linalg.inv(self.to_mm))[0, 0])
            spin, turned_size = turned(copy, size)
            view = warped(self._picture, spin @ to_close, turned_size)
            self._close[copy] = look_closely(self._networks.strips, view, self._box[:2], k)
        return self._close[copy]

    def look_at(self, sheet: Sheet) -> CloseLook:
        """Look closely at a sheet that lies on the plane, and tell it in mm from its upper left corner."""
        to_sheet = sheet.mm_from_picture @ np.linalg.inv(self.to_mm)
        to_sheet /= to_sheet[2, 2]
        return self.look(0).shifted(-float(to_sheet[0, 2]), -float(to_sheet[1, 2]))

    def on(self, sheet: Sheet) -> _Closely:
        """The same of another plane, on which a sheet lies."""
        box = (0.0, 0.0, *sheet.size_mm)
        return _Closely(self._networks, self._picture, sheet.mm_from_picture, box, self._to_view, self._seen[0])

    def turn(self) -> Float64Array:
        """``(8,)`` shares of `TURNS`: how the sheet lies in the view.

        It is asked of the view, and of the copy that would then stand upright; only if both do not settle it, of all
        eight turned copies.
        """
        names: dict[int, float] = {}
        told: dict[int, Float64Array] = {}

        def ask(copy: int) -> None:
            if copy in names:
                return
            if copy not in self._seen:
                spin, turned_size = turned(copy, self._size)
                view = warped(self._picture, spin @ self._to_view, turned_size)
                self._seen[copy] = glance(self._networks.reader, view)
            far, close = self._seen[copy].turns, self.look(copy)
            assert far is not None
            names[copy] = float(sum(name.sure > _SURE_NAME for name in close.names))
            told[copy] = _agreed(far, close.turns)

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


def _agreed(far: Float64Array, close: Float64Array) -> Float64Array:
    """Shares of `TURNS` that two looks give together; neither is ever quite sure."""
    both = np.maximum(far, _LEAST_FAR) * np.maximum(close, _LEAST_CLOSE)
    return np.asarray(both / both.sum())


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


def _wider(box: Box, room: float = _ROOM) -> Box:
    left, top, right, bottom = box
    wide, high = room * (right - left), room * (bottom - top)
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
