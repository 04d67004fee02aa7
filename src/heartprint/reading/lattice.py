"""The grid of ECG paper as a measure: where a sheet lies is refined by the phase of its lines, or left as it was.

A network, or a person, says roughly how a sheet lies in a picture: a homography whose scale is right within some 6 %.
ECG paper is ruled every 1 mm, and more heavily every 5 mm. Seen through the rough homography, its lines are a little
too wide apart, a little turned, and drift; how much, is what has to be corrected. In five steps:

1. The picture is freed of shadows, its traces cut down to the contrast of lines (`even_contrast`), and warped to 4 px
   from line to line.
2. In each tile of 16 lines the waves of both sets of lines are measured (`tiles_of`): pitch, direction, phase and
   strength.
3. A first homography makes all pitches and directions right (`homography_from_waves`). Phases are not needed for that,
   so there are no lines to be counted wrongly.
4. Warped again with it, lines are counted from tile to tile (`unwrap`), and a homography is fitted to where the lines
   are (`homography_from_places`); and once more if it still moves.
5. It is believed only if enough tiles, spread over the region, have strong waves in both axes that are in step with
   their neighbours, if every fifth line is another than the rest in the same places all over the sheet, and if nearly
   all stretches of 5 mm show it. Blank paper and noise have peaks too, but low ones; text has lines in one axis; a
   printer's screen has no fifth lines; a table has its lines too far apart.

Where a picture has less than 2.2 px per mm, or 1-mm lines are not printed, too faint or blurred, the same is done with
the first overtone of the 5-mm lines, a wave of 2.5 mm, down to 0.9 px per mm.

The grid knows nothing of what a network saw: that both agree is evidence, see `Agreement`.

Places in pictures are in px with pixel edges at whole numbers (the centre of the first pixel is at 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.reading import lattice_fit as fit
from heartprint.reading.lattice_evidence import Heavy, heavy_lines
from heartprint.reading.lattice_tiles import PX_PER_PITCH, TileGrid, Tiles, tile_counts, tiles_of
from heartprint.reading.lattice_view import View, checked_homography, px_per_mm_at, region_mask

FINEST_PX = 2.2
"""Px that a picture must have from line to line: at 2 the lines would vanish between the pixels."""

STRONG = 6.0
"""Power of a wave over the mean around it. In noise a few tiles in a hundred have as much, in one axis."""

ENOUGH = 0.3
"""Share of the region's tiles that must show the lattice."""

FEWEST = 24
"""Tiles that must show it."""

SPREAD = 0.7
"""How far, on average, tiles with lines must lie from their middle, as a part of how far all tiles lie from theirs."""

FIFTHS = 0.65
"""How alike, from 0 to 1, what repeats every 5 mm must lie in all tiles."""

PERIODS = {1.0: 0.68, 2.5: 0.85}
"""Share of stretches of 5 mm in which the lines must be found, for waves of 1 and of 2.5 mm: more than chance and the
few lines of a table give. Tables fit 2.5 mm more easily: of lines wide apart, some overtone is always near."""

WIDER = 0.35
"""Of what repeats every 5, 10 or 15 mm, the share that does not every 5: more, and the scale is a half or a third."""

LARGEST_CHANGE = 0.12
"""More than this, in scale, turn (radians) or shear, is no refinement: other lines were seen than the sheet's."""

_FINE = (TileGrid(1.0, 16, 16, 2), TileGrid(1.0, 16, 11, 2))
_COARSE = (TileGrid(2.5, 10, 8, 1), TileGrid(2.5, 10, 5, 1))

Reason = Literal[
    "ok",
    "bad-homography",
    "too-small",
    "too-coarse",
    "weak-lines",
    "out-of-step",
    "seen-in-part",
    "too-different",
    "no-fifth-lines",
    "lines-missing",
    "farther-apart",
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
        lines_mm: Pitch of the waves that were used: 1 mm, or 2.5 mm, the first overtone of the 5-mm lines.
        fifths: How alike what repeats every 5 mm lies in all tiles, 0-1; NaN if it came not so far.
        periods: Share of all stretches of 5 mm, in the worse axis, that look like their mean; NaN likewise.
        line_at_mm: Where a heavy line crosses x, and where one crosses y, mm in the sheet's frame, modulo 5 mm.
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


def refine(
    picture: Image,
    mm_from_picture: npt.ArrayLike,
    region: npt.ArrayLike | None = None,
    *,
    fine_only: bool = False,
) -> Lattice:
    """Refine how a sheet lies in a picture by the lines of its paper.

    Args:
        picture: ``(H, W)`` uint8, white = 255.
        mm_from_picture: ``(3, 3)`` homography from px of the picture to mm of the sheet: scale within 6 %, directions
            within 3 degrees; its origin does not matter.
        region: Where the paper is: ``(n, 2)`` corners of a polygon in px, or an ``(H, W)`` bool mask; None =
            everywhere.
        fine_only: Whether only lines 1 mm apart count: the surer evidence.

    Returns:
        What was found; with ``found=False`` and the homography as it was given where there is not enough evidence.

    Raises:
        HeartprintError: ``not-a-page``, ``bad-homography`` (not 3x3, not finite, singular) or ``bad-region``.
    """
    given = checked_homography(picture, mm_from_picture)
    view = View.of(picture, given, region_mask(picture, region))
    if isinstance(view, str):
        return _refused(given, view)
    first: Lattice | None = None
    for grids in (_FINE,) if fine_only else (_FINE, _COARSE):
        result = _Refinement(view, given, grids).run()
        if result.found:
            return result
        # Of two refusals the one that saw more is told.
        if first is None or result.coverage > first.coverage:
            first = result
    assert first is not None
    return first


class _Refinement:
    """One attempt, with the lines of one pitch."""

    def __init__(self, view: View, given: Float64Array, grids: tuple[TileGrid, TileGrid]) -> None:
        self.pitch = grids[0].pitch_mm
        self.view, self.given, self.grids = view.for_pitch(self.pitch), given, grids
        self.coverage, self.heavy = 0.0, Heavy(math.nan, math.nan, np.full(2, math.nan), math.nan)

    def run(self) -> Lattice:
        if self.view.px_per_mm * self.pitch < 0.8 * FINEST_PX:
            return self._no("too-coarse")
        homography = self.given
        tiles = self._look(homography, self.grids[0])
        if tiles is None:
            return self._no("too-coarse")
        strong = tiles.strengths > STRONG
        if min(strong.sum(axis=0)) < max(6, 0.15 * len(strong)):
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
            parts = [fit.unwrap(tiles, seen, axis) for axis in (0, 1)]
            counted = np.stack([self._of_largest_part(tiles, axis, *parts[axis]) for axis in (0, 1)], axis=1)
            if not self._spread_enough(tiles, counted):
                return self._no("seen-in-part")
            places = self._with_other_parts(tiles, counted, parts)
            step = fit.homography_from_places(tiles.centres_mm, places, np.eye(3))
            last, homography = homography, step @ homography
            moved = fit.applied(step, tiles.centres_mm) - tiles.centres_mm
            if turn > 0 or np.ptp(moved, axis=0).max() < 0.5 * self.pitch:
                break
        self.heavy = heavy_lines(self.flat, tiles, counted, self.grids[1])
        if self.heavy.fifths < FIFTHS:
            return self._no("no-fifth-lines")
        if self.heavy.periods < PERIODS[self.pitch]:
            return self._no("lines-missing")
        if self.heavy.wider > WIDER:
            return self._no("farther-apart")
        return self._yes(homography, last, tiles, places)

    def _look(self, homography: Float64Array, grid: TileGrid) -> Tiles | None:
        """Warp with a homography and measure all tiles of the region that have the px for it."""
        view, mm_per_px = self.view, grid.pitch_mm / PX_PER_PITCH
        low, high = view.bounds_mm(homography)
        width, height = np.maximum(np.ceil((high - low) / mm_per_px).astype(int), grid.px).tolist()
        # From the flat picture's px, counted from centres, to the picture's.
        to_mm = np.array([[mm_per_px, 0, low[0]], [0, mm_per_px, low[1]], [0, 0, 1.0]])
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
        self.in_region, self.spread_mm = len(cells), grid.centres_mm(cells, low).std(axis=0)
        fine = px_per_mm_at(homography, grid.centres_mm(cells, low)) * grid.pitch_mm >= FINEST_PX
        if not fine.any():
            return None
        self.flat = flat.astype(np.uint8, copy=False)
        return tiles_of(self.flat, cells[fine], low, grid)

    def _spread_enough(self, tiles: Tiles, places: Float64Array) -> bool:
        """Whether both axes are seen over most of the region, in one piece: no homography is stretched far beyond."""
        for axis in (0, 1):
            at = tiles.centres_mm[np.isfinite(places[:, axis])]
            if len(at) < FEWEST or (at.std(axis=0) < SPREAD * self.spread_mm).any():
                return False
        return True

    def _of_largest_part(
        self, tiles: Tiles, axis: int, counted: Float64Array, part: npt.NDArray[np.int64]
    ) -> Float64Array:
        """``(n,)`` where tiles of the largest connected part lie by their lines, mm; NaN for all others."""
        largest = part == 0
        places = np.full(len(part), np.nan)
        if largest.any():
            shift = np.round(np.median(counted[largest] - tiles.centres_mm[largest, axis] / self.pitch))
            places[largest] = (counted[largest] - shift) * self.pitch
        return places

    def _with_other_parts(
        self, tiles: Tiles, counted: Float64Array, parts: list[tuple[Float64Array, npt.NDArray[np.int64]]]
    ) -> Float64Array:
        """Places of all tiles ``(n, 2)``: what is not connected lies where the largest part says, to the next line."""
        if all(part.max() <= 0 for _, part in parts):
            return counted
        places = counted.copy()
        rough = fit.applied(fit.homography_from_places(tiles.centres_mm, counted, np.eye(3)), tiles.centres_mm)
        for axis, (count, part) in enumerate(parts):
            for number in range(1, int(part.max()) + 1):
                these = part == number
                off = count[these] - rough[these, axis] / self.pitch
                places[these, axis] = (count[these] - np.round(np.median(off))) * self.pitch
        return places

    def _no(self, reason: Reason) -> Lattice:
        return _refused(
            self.given, reason, self.coverage, self.view.px_per_mm, self.pitch, self.heavy.fifths, self.heavy.periods
        )

    def _yes(self, refined: Float64Array, before: Float64Array, tiles: Tiles, places: Float64Array) -> Lattice:
        known = np.isfinite(places)
        any_axis = known.any(axis=1)
        # Tiles were seen in the frame of the last warp; all is told in the one that is returned.
        now = fit.applied(np.asarray(refined @ np.linalg.inv(before)), tiles.centres_mm)
        off = places - now
        offset = np.asarray(np.nanmedian(off, axis=0), dtype=np.float64)
        off -= offset
        middle = np.asarray(now[any_axis].mean(axis=0), dtype=np.float64)
        seen_at = fit.applied(np.asarray(np.linalg.inv(refined), dtype=np.float64), middle[None])
        shift = np.eye(3)
        shift[:2, 2] = fit.applied(self.given, seen_at)[0] - middle
        refined = np.asarray(shift @ refined / refined[2, 2], dtype=np.float64)
        change = refined @ np.linalg.inv(self.given)
        agreement = _agreement(change, middle + shift[:2, 2], *self.view.bounds_mm(self.given))
        if max(abs(agreement.scale), agreement.shear, abs(math.radians(agreement.turn_deg))) > LARGEST_CHANGE:
            return self._no("too-different")
        line_at = (self.heavy.at_mm + shift[:2, 2] - offset) % 5.0
        return Lattice(
            mm_from_picture=refined,
            found=True,
            reason="ok",
            coverage=self.coverage,
            agreement=agreement,
            residual_mm=float(1.4826 * np.median(np.abs(off[known]))),
            pitch_px=float(px_per_mm_at(refined, (middle + shift[:2, 2])[None])[0]),
            lines_mm=self.pitch,
            fifths=self.heavy.fifths,
            periods=self.heavy.periods,
            line_at_mm=(float(line_at[0]), float(line_at[1])),
            centres_mm=now[any_axis] + shift[:2, 2],
            residuals_mm=off[any_axis],
        )


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


__all__ = ["Agreement", "Lattice", "refine"]
