"""Is it ECG paper? What repeats every 5 mm, looked for over all tiles at once, with the lines counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.reading.lattice_tiles import PX_PER_PITCH, TileGrid, Tiles, patches_of


@dataclass(frozen=True)
class Heavy:
    """What repeats every 5 mm.

    Attributes:
        fifths: How alike it lies in all tiles, 0-1.
        periods: Share of all stretches of 5 mm, in the worse axis, that look like their mean.
        at_mm: ``(2,)`` where the heavy lines lie: count of lines, in mm from 0, modulo 5 mm.
        wider: How much repeats every 10 or 15 mm and not every 5, 0-1: then what is taken for 5 mm is a half or a third
            of that, of lines that are sharp enough to have strong overtones.
    """

    fifths: float
    periods: float
    at_mm: Float64Array
    wider: float


def heavy_lines(flat: Image, tiles: Tiles, places_mm: Float64Array, grid: TileGrid) -> Heavy:
    """Compare what repeats every 5 mm in all tiles.

    In each tile the sums along the lines are compared with waves of 5/1, 5/2, 5/3 and 5/4 mm (5/1 and 5/3 where 5/2 mm
    is the pitch itself), with phases that count from the sheet's zero, by the lines counted. If every fifth line is
    another than the rest, all tiles agree. Tiles are not a multiple of 5 mm apart: what repeats otherwise does not.

    Args:
        flat: The flat picture from which the tiles were cut.
        tiles: The tiles.
        places_mm: ``(n, 2)`` where they lie by their lines, in one count; NaN where unknown.
        grid: How it was cut.
    """
    at = np.arange(grid.px) + 0.5 - grid.px / 2
    window = 0.5 + 0.5 * np.cos(2 * np.pi * at / grid.px)
    patches = patches_of(flat, tiles.cells, grid)
    mm_per_px = grid.pitch_mm / PX_PER_PITCH
    n = np.arange(1, 5) if grid.pitch_mm == 1.0 else np.array([1, 3])
    odd = np.array([1 / 2, 3 / 2, 1 / 3, 2 / 3])
    wave = np.exp(-2j * np.pi * np.outer(at * mm_per_px, n) / 5) * window[:, None]
    odd_wave = np.exp(-2j * np.pi * np.outer(at * mm_per_px, odd) / 5) * window[:, None]
    steps = np.arange(round(5 / grid.pitch_mm)) * grid.pitch_mm
    alike, shares, places, wider = [], [], [], []
    for axis in (0, 1):
        known = np.isfinite(places_mm[:, axis])
        profile = np.tensordot(patches[known], window.astype(np.float32), axes=(1 if axis == 0 else 2, 0))
        z = (profile @ wave) * np.exp(-2j * np.pi * np.outer(places_mm[known, axis], n) / 5)
        alike.append(np.abs(z.sum(axis=0)) / np.maximum(np.abs(z).sum(axis=0), 1e-9))
        z_odd = (profile @ odd_wave) * np.exp(-2j * np.pi * np.outer(places_mm[known, axis], odd) / 5)
        seldom, often = np.abs(z_odd.sum(axis=0)).sum(), np.abs(z.sum(axis=0)).sum()
        wider.append(float(seldom / max(seldom + often, 1e-9)))
        # Heavy lines are dark where the waves of all their overtones are.
        darkness = -(z.sum(axis=0) * np.exp(2j * np.pi * np.outer(steps, n) / 5)).real.sum(axis=1)
        places.append(steps[int(darkness.argmax())])
        shares.append(share_of_periods(profile, places_mm[known, axis] - places[-1], mm_per_px))
    return Heavy(float(np.mean(alike)), min(shares), np.array(places), max(wider))


def share_of_periods(profiles: npt.NDArray[np.floating], places_mm: Float64Array, mm_per_px: float) -> float:
    """Share of stretches of 5 mm that look like the mean of them all, rather than like its negative.

    A table has its lines too far apart, so that only some stretches have one; in the others chance decides.

    Args:
        profiles: ``(n, s)`` mean brightness along the lines of each tile, at each place across them.
        places_mm: ``(n,)`` where the tiles' centres lie, counted from a heavy line.
        mm_per_px: Length of a step.
    """
    n, side = profiles.shape
    bins = 10 if mm_per_px < 0.3 else 5
    # The heavy line lies in the middle of a bin in the middle of its stretch: no hair's breadth moves it to the next.
    middle = (bins // 2 + 0.5) * 5 / bins
    at = places_mm[:, None] + middle + (np.arange(side) + 0.5 - side / 2) * mm_per_px
    period = np.floor(at / 5).astype(np.int64)
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
