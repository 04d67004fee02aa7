"""The grid of ECG paper as a measure: where a sheet lies is refined by the phase of its lines, or left as it was.

A network, or a person, says roughly how a sheet lies in a picture: a homography whose scale is right within some 6 %.
ECG paper is ruled every 1 mm, and more heavily every 5 mm. Seen through the rough homography, its lines are a little
too wide apart, a little turned, and drift; how much, is what has to be corrected. In five steps:

1. The picture is freed of shadows, its traces cut down to the contrast of lines (`even_contrast`), and warped to 4 px
   from line to line.
2. In each tile of 16 lines the waves of both sets of lines are measured (`tiles_of`): pitch, direction, phase, strength.
3. A first homography makes all pitches and directions right (`homography_from_waves`). Phases are not needed for that,
   so there are no lines to be counted wrongly.
4. Warped again with it, lines are counted from tile to tile (`unwrap`), and a homography is fitted to where the lines
   are (`homography_from_places`); and once more if it still moves.
5. It is believed only if enough tiles have strong waves in both axes that are in step with their neighbours, and every
   fifth line is another than the rest in the same places all over the sheet. Blank paper and noise have peaks too, but
   low ones; text and tables have lines in one axis or at no common pitch; a printer's screen has no fifth lines.

Where a picture has less than 2.2 px per mm, or 1-mm lines are not printed or too faint, the same is done with the 5-mm
lines. The grid knows nothing of what a network saw: that both agree is evidence, see `Agreement`.

Places in pictures are in px with pixel edges at whole numbers (the centre of the first pixel is at 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.foundation.errors import HeartprintError
from heartprint.reading import lattice_fit as fit
from heartprint.reading.lattice_tiles import PX_PER_PITCH, TileGrid, Tiles, even_contrast, tile_counts, tiles_of

FINEST_PX = 2.2
"""Px that a picture must have from line to line: at 2 the lines would vanish between the pixels."""

STRONG = 6.0
"""Power of a wave over the mean around it. In noise one tile in some hundred has as much, in one axis."""

ENOUGH = 0.3
"""Share of the region's tiles that must show the lattice."""

FEWEST = 12
"""Tiles that must show it."""

SPREAD = 0.7
"""How far, on average, tiles with lines must lie from their middle, as a part of how far all tiles lie from theirs."""

FIFTHS = 0.65
"""How alike, from 0 to 1, what repeats every 5 mm must lie in all tiles."""

PERIODS = 0.8
"""Share of stretches of 5 mm in which the lines must be found: more than chance and some table lines give."""

LARGEST_CHANGE = 0.12
"""More than this, in scale or shear, is no refinement: something else than the sheet's lines was seen."""

LARGEST_MM = 700.0
"""A region may be so large; a larger one is no sheet, or was mapped wrongly."""

_FINE = (TileGrid(1.0, 16, 16, 2), TileGrid(1.0, 16, 11, 2))
_COARSE = (TileGrid(2.5, 10, 8, 1), TileGrid(2.5, 10, 5, 1))

Reason = Literal[
    "ok", "bad-homography", "too-small", "too-coarse", "weak-lines", "out-of-step", "seen-in-part", "too-different", "no-fifth-lines", "lines-missing"
]


@dataclass(frozen=True)
class Agreement:
    """How the lattice differs from the homography that was given, in the middle of the region.

    Attributes:
        scale: Relative: 0.02 = what was taken for 1 mm is 1.02 mm on the paper.
        turn_deg: How far the lines are turned against what was given, degrees.
        shear: By how much its two axes differ from equal scale and a right angle.
        corner_mm: How far the farthest corner of the region moves, relative to the middle.
    """

    scale: float
    turn_deg: float
    shear: float
    corner_mm: float


@dataclass(frozen=True)
class Lattice:
    """What the lines of the paper say.

    Attributes:
        mm_from_picture: ``(3, 3)`` from px of the picture to mm of the sheet: refined if ``found``, else as given. The
            middle of what was seen stays where it was: where the sheet's origin is, lines cannot tell.
        found: Whether the lattice was seen well enough to be believed.
        reason: ``ok``, or why not.
        coverage: Share of the region's tiles with strong lines in both axes, in step with their neighbours.
        agreement: Between what was given and what was found; None if nothing was found.
        residual_mm: Robust standard deviation of lines from the homography, mm: what is left of curls, folds and lens.
            NaN if nothing was found.
        pitch_px: Px from one mm to the next in the middle of what was seen (of the region, if nothing was found).
        lines_mm: Which lines were used, 1 or 5 mm apart.
        fifths: How alike the 5-mm lines lie in all tiles, 0-1; NaN where the 5-mm lines themselves were used.
        periods: Share of all stretches of 5 mm, in the worse axis, that look like their mean; NaN if it came not so far.
        line_at_mm: Where a line crosses x, and where one crosses y, mm in the sheet's frame; add multiples of
            ``lines_mm``.
        centres_mm: ``(n, 2)`` tiles in which lines were seen.
        residuals_mm: ``(n, 2)`` how far their lines are off; NaN where an axis was not seen. A mesh could be fitted
            to them.
    """

    mm_from_picture: Float64Array
    found: bool
    reason: Reason
    coverage: float
    agreement: Agreement | None
    residual_mm: float
    pitch_px: float
    lines_mm: float
    fifths: float
    periods: float
    line_at_mm: tuple[float, float]
    centres_mm: Float64Array
    residuals_mm: Float64Array


def refine(picture: Image, mm_from_picture: npt.ArrayLike, region: npt.ArrayLike | None = None) -> Lattice:
    """Refine how a sheet lies in a picture by the lines of its paper.

    Args:
        picture: ``(H, W)`` uint8, white = 255.
        mm_from_picture: ``(3, 3)`` homography from px of the picture to mm of the sheet: scale within 6 %, directions
            within 3 degrees; its origin does not matter.
        region: Where the paper is: ``(n, 2)`` corners of a polygon in px, or an ``(H, W)`` bool mask; None =
            everywhere.

    Returns:
        What was found; with ``found=False`` and the homography as it was given where there is not enough evidence.

    Raises:
        HeartprintError: ``not-a-page`` or ``bad-homography`` (not 3x3, not finite, singular).
    """
    given = _checked(picture, mm_from_picture)
    view = _View.of(picture, given, _mask(picture, region))
    if isinstance(view, str):
        return _refused(given, view)
    first: Lattice | None = None
    for grids in (_FINE, _COARSE):
        result = _Refinement(view, given, grids).run()
        if result.found:
            return result
        # Of two refusals the one that saw more is told.
        if first is None or result.coverage > first.coverage:
            first = result
    assert first is not None
    return first


@dataclass(frozen=True)
class _View:
    """The picture as it is looked at.

    Attributes:
        even: Of even contrast, shrunk to some 5 px per mm where it has more.
        mask: Where paper is, of the same size.
        shrink: ``(3, 3)`` from px of the picture to px of these.
        low: Least x and y of the region, mm.
        high: Greatest.
        px_per_mm: Of the picture, in the middle of the region.
    """

    even: Image
    mask: npt.NDArray[np.uint8]
    shrink: Float64Array
    low: Float64Array
    high: Float64Array
    px_per_mm: float

    @classmethod
    def of(cls, picture: Image, given: Float64Array, mask: npt.NDArray[np.uint8]) -> _View | Reason:
        """Look at a picture, or tell why there is nothing to look at."""
        every = max(1, round(max(picture.shape) / 150))
        rows, columns = np.nonzero(mask[every // 2 :: every, every // 2 :: every])
        if len(rows) < 16:
            return "too-small"
        at = np.stack([columns, rows], axis=1) * every + every // 2 + 0.5
        nearness = np.column_stack([at, np.ones(len(at))]) @ given[2]
        if nearness.min() * nearness.max() <= 0 or np.abs(nearness).min() < 0.1 * np.abs(nearness).max():
            return "bad-homography"
        placed = fit.applied(given, at)
        low, high = placed.min(axis=0), placed.max(axis=0)
        if (high - low).max() > LARGEST_MM:
            return "bad-homography"
        px_per_mm = float(_px_per_mm(given, placed.mean(axis=0)[None])[0])
        if px_per_mm * 5.0 < FINEST_PX:
            return "too-coarse"
        view = cls(picture, mask, np.eye(3), low, high, px_per_mm)
        # Somewhat more px than the flat picture has are enough; more would have to be averaged when it is warped.
        view = view._shrunk(1.2 * PX_PER_PITCH / px_per_mm)
        return replace(view, even=even_contrast(view.even, min(px_per_mm, 1.2 * PX_PER_PITCH)))

    def for_pitch(self, pitch_mm: float) -> _View:
        """Shrunk to what is needed for lines so far apart: traces were cut down before they are averaged with paper."""
        return self._shrunk(1.2 * PX_PER_PITCH / (self.px_per_mm * self.shrink[0, 0] * pitch_mm))

    def _shrunk(self, factor: float) -> _View:
        if factor > 0.8:
            return self
        height, width = self.even.shape
        size = max(1, round(width * factor)), max(1, round(height * factor))
        shrink = np.diag([size[0] / width, size[1] / height, 1.0]) @ self.shrink
        even = cv2.resize(self.even, size, interpolation=cv2.INTER_AREA)
        return replace(self, even=even, mask=cv2.resize(self.mask, size, interpolation=cv2.INTER_NEAREST), shrink=shrink)


class _Refinement:
    """One attempt, with the lines of one pitch."""

    def __init__(self, view: _View, given: Float64Array, grids: tuple[TileGrid, TileGrid]) -> None:
        self.view, self.given, self.grids, self.pitch = view.for_pitch(grids[0].pitch_mm), given, grids, grids[0].pitch_mm
        self.coverage, self.fifths, self.periods = 0.0, math.nan, math.nan

    def run(self) -> Lattice:
        if self.view.px_per_mm * self.pitch < 0.8 * FINEST_PX:
            return self._no("too-coarse")
        homography = self.given
        tiles = self._look(homography, self.grids[0])
        if tiles is None:
            return self._no("too-coarse")
        strong = tiles.strengths > STRONG
        if min(strong.sum(axis=0)) < max(FEWEST / 2, 0.15 * len(strong)):
            self.coverage = float(strong.all(axis=1).sum() / self.in_region)
            return self._no("weak-lines")
        homography = fit.homography_from_waves(tiles, self.pitch, strong) @ homography
        for turn in range(3):
            tiles = self._look(homography, self.grids[1])
            if tiles is None:
                return self._no("too-coarse")
            seen = fit.consistent(tiles, tiles.strengths > STRONG, self.pitch)
            self.coverage = float(seen.all(axis=1).sum() / self.in_region)
            if self.coverage < ENOUGH or seen.all(axis=1).sum() < FEWEST:
                return self._no("out-of-step")
            places, counted = self._places(tiles, seen)
            if not self._spread_enough(tiles, counted):
                return self._no("seen-in-part")
            step = fit.homography_from_places(tiles.centres_mm, places, np.eye(3))
            last, homography = homography, step @ homography
            moved = fit.applied(step, tiles.centres_mm) - tiles.centres_mm
            if turn > 0 or np.ptp(moved, axis=0).max() < 0.5 * self.pitch:
                break
        self.fifths = self._fifths(tiles, counted)
        if self.fifths < FIFTHS:
            return self._no("no-fifth-lines")
        if self.periods < PERIODS:
            return self._no("lines-missing")
        return self._yes(homography, last, tiles, places)

    def _look(self, homography: Float64Array, grid: TileGrid) -> Tiles | None:
        """Warp with a homography and measure all tiles of the region that have the px for it."""
        view, mm_per_px = self.view, grid.pitch_mm / PX_PER_PITCH
        width, height = np.maximum(np.ceil((view.high - view.low) / mm_per_px).astype(int), grid.px).tolist()
        # From the flat picture's px, counted from centres, to the picture's.
        to_mm = np.array([[mm_per_px, 0, view.low[0]], [0, mm_per_px, view.low[1]], [0, 0, 1.0]])
        half, back = np.eye(3), np.eye(3)
        half[:2, 2], back[:2, 2] = 0.5, -0.5
        fetch = back @ view.shrink @ np.linalg.inv(homography) @ to_mm
        flat = cv2.warpPerspective(
            view.even, fetch @ half, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=(128,)
        )
        # The region need not be known finer than to one line.
        coarse = fetch @ np.diag([PX_PER_PITCH, PX_PER_PITCH, 1.0]) @ half
        size = -(-width // PX_PER_PITCH), -(-height // PX_PER_PITCH)
        covered = cv2.warpPerspective(view.mask, coarse, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
        rows, columns = (np.arange(n) * grid.hop for n in tile_counts(height, width, grid))
        total = cv2.integral(covered)
        sums = total[rows + grid.side] - total[rows]
        inside = sums[:, columns + grid.side] - sums[:, columns] >= 0.75 * grid.side**2
        cells = np.argwhere(inside)
        if not len(cells):
            return None
        self.in_region, self.spread_mm = len(cells), grid.centres_mm(cells, view.low).std(axis=0)
        fine = _px_per_mm(homography, grid.centres_mm(cells, view.low)) * grid.pitch_mm >= FINEST_PX
        if not fine.any():
            return None
        self.flat = flat
        return tiles_of(flat, cells[fine], view.low, grid)

    def _spread_enough(self, tiles: Tiles, places: Float64Array) -> bool:
        """Whether both axes are seen over most of the region, in one piece: no homography is stretched far beyond."""
        for axis in (0, 1):
            at = tiles.centres_mm[np.isfinite(places[:, axis])]
            if len(at) < FEWEST or (at.std(axis=0) < SPREAD * self.spread_mm).any():
                return False
        return True

    def _places(self, tiles: Tiles, seen: fit.Bools) -> tuple[Float64Array, Float64Array]:
        """``(n, 2)`` where tiles lie by their lines, mm, NaN where unknown; and the counts of the largest part."""
        places = np.full(seen.shape, np.nan)
        whole = np.full(seen.shape, np.nan)
        parts = []
        for axis in (0, 1):
            counted, part = fit.unwrap(tiles, seen, axis)
            largest = part == 0
            shift = np.round(np.median(counted[largest] - tiles.centres_mm[largest, axis] / self.pitch))
            places[largest, axis] = (counted[largest] - shift) * self.pitch
            parts.append((counted, part))
        whole[:] = places
        rest = [(np.isfinite(counted) & (part > 0)) for counted, part in parts]
        if any(one.any() for one in rest):
            # What is not connected is placed by what is, to the nearest line.
            rough = fit.applied(fit.homography_from_places(tiles.centres_mm, places, np.eye(3)), tiles.centres_mm)
            for axis, (counted, part) in enumerate(parts):
                for number in range(1, int(part.max()) + 1):
                    these = part == number
                    off = counted[these] - rough[these, axis] / self.pitch
                    places[these, axis] = (counted[these] - np.round(np.median(off))) * self.pitch
        return places, whole

    def _fifths(self, tiles: Tiles, places: Float64Array) -> float:
        """How alike what repeats every 5 mm lies in all tiles.

        In each tile the sums over rows (or columns) are compared with waves of 5/1, 5/2, 5/3 and 5/4 mm, with phases
        that count from the sheet's zero, by the lines counted. If every fifth line is another, all tiles agree.
        """
        grid = self.grids[1]
        at = np.arange(grid.px) + 0.5 - grid.px / 2
        window = 0.5 + 0.5 * np.cos(2 * np.pi * at / grid.px)
        step = grid.hop * PX_PER_PITCH
        cut = np.lib.stride_tricks.sliding_window_view(self.flat, (grid.px, grid.px))[::step, ::step]
        patches = cut[tiles.cells[:, 0], tiles.cells[:, 1]].astype(np.float32) - np.float32(128.0)
        n = np.arange(1, 5) if self.pitch == 1.0 else np.array([1, 3])
        wave = np.exp(-2j * np.pi * np.outer(at * self.pitch / PX_PER_PITCH, n) / 5) * window[:, None]
        alike, shares = [], []
        for axis in (0, 1):
            profile = np.tensordot(patches, window.astype(np.float32), axes=(1 if axis == 0 else 2, 0))
            known = np.isfinite(places[:, axis])
            z = (profile[known] @ wave) * np.exp(-2j * np.pi * np.outer(places[known, axis], n) / 5)
            alike.append(np.abs(z.sum(axis=0)) / np.maximum(np.abs(z).sum(axis=0), 1e-9))
            shares.append(_share_of_periods(profile[known], places[known, axis], self.pitch / PX_PER_PITCH))
        self.periods = min(shares)
        return float(np.mean(alike))

    def _no(self, reason: Reason) -> Lattice:
        return _refused(self.given, reason, self.coverage, self.view.px_per_mm, self.pitch, self.fifths, self.periods)

    def _yes(self, refined: Float64Array, before: Float64Array, tiles: Tiles, places: Float64Array) -> Lattice:
        known = np.isfinite(places)
        any_axis = known.any(axis=1)
        # Tiles were seen in the frame of the last warp; all is told in the one that is returned.
        now = fit.applied(refined @ np.linalg.inv(before), tiles.centres_mm)
        off = places - now
        offset = np.nanmedian(off, axis=0)
        off = off - offset
        middle = now[any_axis].mean(axis=0)
        seen_at = fit.applied(np.linalg.inv(refined), middle[None])
        shift = np.eye(3)
        shift[:2, 2] = fit.applied(self.given, seen_at)[0] - middle
        refined = shift @ refined
        refined = refined / refined[2, 2]
        change = refined @ np.linalg.inv(self.given)
        agreement = _agreement(change, middle + shift[:2, 2], self.view.low, self.view.high)
        if max(abs(agreement.scale), agreement.shear, abs(math.radians(agreement.turn_deg))) > LARGEST_CHANGE:
            return self._no("too-different")
        # A line lies where the count of lines is whole.
        line_at = (shift[:2, 2] - offset) % self.pitch
        return Lattice(
            mm_from_picture=refined,
            found=True,
            reason="ok",
            coverage=self.coverage,
            agreement=agreement,
            residual_mm=float(1.4826 * np.median(np.abs(off[known]))),
            pitch_px=float(_px_per_mm(refined, (middle + shift[:2, 2])[None])[0]),
            lines_mm=self.pitch,
            fifths=self.fifths,
            periods=self.periods,
            line_at_mm=(float(line_at[0]), float(line_at[1])),
            centres_mm=now[any_axis] + shift[:2, 2],
            residuals_mm=off[any_axis],
        )


def _share_of_periods(profiles: npt.NDArray[np.floating], places_mm: Float64Array, mm_per_px: float) -> float:
    """Share of stretches of 5 mm that look like the mean of them all, rather than like its negative.

    A table has its lines too far apart, so that only some stretches have one; in the others chance decides.

    Args:
        profiles: ``(n, s)`` mean brightness along the lines of each tile, at each place across them.
        places_mm: ``(n,)`` where the tiles' centres lie.
        mm_per_px: Length of a step.
    """
    n, side = profiles.shape
    at = places_mm[:, None] + (np.arange(side) + 0.5 - side / 2) * mm_per_px
    period = np.floor(at / 5).astype(np.int64)
    bins = 10 if mm_per_px < 0.3 else 5
    place = np.floor((at / 5 - period) * bins).astype(np.int64)
    period -= period[:, :1]
    slots = int(period.max()) + 1
    key = ((np.arange(n)[:, None] * slots + period) * bins + place).ravel()
    count = np.bincount(key, minlength=n * slots * bins).reshape(-1, bins)
    total = np.bincount(key, weights=profiles.ravel(), minlength=n * slots * bins).reshape(-1, bins)
    whole = count.sum(axis=1) >= 4.9 / mm_per_px
    pieces = total[whole] / np.maximum(count[whole], 1)
    if not len(pieces):
        return 0.0
    pieces -= pieces.mean(axis=1, keepdims=True)
    return float((pieces @ pieces.mean(axis=0) > 0).mean())


def _refused(
    given: Float64Array,
    reason: Reason,
    coverage: float = 0.0,
    px_per_mm: float = math.nan,
    lines_mm: float = 1.0,
    fifths: float = math.nan,
    periods: float = math.nan,
) -> Lattice:
    nothing, nan = np.empty((0, 2)), math.nan
    return Lattice(
        given, False, reason, coverage, None, nan, px_per_mm, lines_mm, fifths, periods, (nan, nan), nothing, nothing
    )


def _agreement(change: Float64Array, middle: Float64Array, low: Float64Array, high: Float64Array) -> Agreement:
    derivative = fit.predicted_waves(change, middle[None])[0]
    scale = math.sqrt(abs(np.linalg.det(derivative)))
    turn = math.atan2(derivative[1, 0] - derivative[0, 1], derivative[0, 0] + derivative[1, 1])
    c, s = math.cos(turn), math.sin(turn)
    rest = np.array([[c, s], [-s, c]]) @ derivative / scale - np.eye(2)
    corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])])
    moved = fit.applied(change, corners) - corners - (fit.applied(change, middle[None]) - middle)
    return Agreement(
        scale - 1, math.degrees(turn), float(np.abs(rest).max()), float(np.hypot(moved[:, 0], moved[:, 1]).max())
    )


def _px_per_mm(mm_from_picture: Float64Array, at_mm: Float64Array) -> Float64Array:
    """``(n,)`` px per mm at places of the sheet, along the direction in which there are fewest."""
    derivative = fit.predicted_waves(np.linalg.inv(mm_from_picture), at_mm)
    return np.asarray(np.linalg.svd(derivative, compute_uv=False)[:, -1])


def _checked(picture: Image, mm_from_picture: npt.ArrayLike) -> Float64Array:
    if picture.dtype != np.uint8 or picture.ndim != 2 or min(picture.shape) < 1:
        raise HeartprintError(
            "not-a-page",
            f"A lattice is looked for in a grey picture of shape (h, w) and type uint8, not {picture.dtype} "
            f"{picture.shape}. Make it grey, white = 255.",
        )
    given = np.asarray(mm_from_picture, dtype=np.float64)
    if given.shape != (3, 3) or not np.isfinite(given).all() or abs(np.linalg.det(given)) < 1e-12:
        raise HeartprintError(
            "bad-homography", "The homography is not an invertible 3x3 matrix of finite numbers. Give mm from px."
        )
    return given


def _mask(picture: Image, region: npt.ArrayLike | None) -> npt.NDArray[np.uint8]:
    if region is None:
        return np.ones(picture.shape, dtype=np.uint8)
    given = np.asarray(region)
    if given.shape == picture.shape:
        return np.ascontiguousarray(given != 0).astype(np.uint8)
    if given.ndim != 2 or given.shape[1] != 2 or len(given) < 3 or not np.isfinite(given).all():
        raise HeartprintError(
            "bad-region",
            f"The region has shape {given.shape}. Give at least three corners (n, 2) in px, or a mask of shape "
            f"{picture.shape}.",
        )
    mask = np.zeros(picture.shape, dtype=np.uint8)
    # Corners may lie far outside; fillPoly takes 32-bit numbers with 3 bits for fractions.
    corners = np.clip(np.round((given - 0.5) * 8), -(2**26), 2**26).astype(np.int32)
    return np.asarray(cv2.fillPoly(mask, [corners], (1,), shift=3))


__all__ = ["Agreement", "Lattice", "refine"]
