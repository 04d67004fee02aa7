"""The waves that the lines of ECG paper make in small tiles of a picture: pitch, direction, phase and strength.

A tile of ruled paper is nearly a sum of two plane waves, one for each set of parallel lines. A Fourier transform shows
each as a peak: its place is the wave vector (lines per mm, and in which direction), its phase says where the lines lie,
and its height against the ring around it says whether there are lines at all: noise has peaks too, but low ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float32Array, Float64Array, Image

PX_PER_PITCH = 4
"""Px from line to line in a flat picture."""

RING = 4
"""Peaks are compared with all that is at most so many bins away in both directions."""

CLIP = 2.5
"""Ink further than this from the paper around it, in mean deviations, is taken for this: traces and letters are darker
than lines, and would otherwise outweigh them."""

WINDOW_MM = 8.0
"""Side of the square whose mean is the brightness of the paper."""

LINE_SHARE = 8.0
"""Per cent of the paper that are taken to be at least as dark as its lines."""

INK = 2.5
"""What is so much darker than lines is ink, and left out."""

_GREY, _STEP = 128.0, 48.0
_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class TileGrid:
    """How a flat picture is cut into tiles.

    Attributes:
        pitch_mm: Distance of the lines that are looked for, mm: 1 or 5.
        side: Side of a tile in pitches; also the number of the Fourier bin where the lines are expected.
        hop: From tile to tile, pitches.
        reach: How far from there a peak may lie, bins.
    """

    pitch_mm: float
    side: int
    hop: int
    reach: int

    @property
    def px(self) -> int:
        """Side of a tile, px."""
        return self.side * PX_PER_PITCH

    def centres_mm(self, cells: npt.NDArray[np.int64], origin_mm: Float64Array) -> Float64Array:
        """``(n, 2)`` x and y of tiles ``(n, 2)`` [row, column] of a flat picture whose corner is at the origin."""
        return np.asarray(origin_mm + (cells[:, ::-1] * self.hop + self.side / 2) * self.pitch_mm)


@dataclass(frozen=True)
class Tiles:
    """What is seen in each tile. Axis 0 are the lines that cross x, axis 1 those that cross y.

    Attributes:
        cells: ``(n, 2)`` row and column of each tile.
        centres_mm: ``(n, 2)`` x and y.
        waves: ``(n, 2, 2)`` wave vectors of both axes, periods per mm along x and y.
        phases: ``(n, 2)`` periods in [-0.5, 0.5]: how far the tile's centre is behind a line.
        strengths: ``(n, 2)`` power of the peak over the mean power around it.
    """

    cells: npt.NDArray[np.int64]
    centres_mm: Float64Array
    waves: Float64Array
    phases: Float64Array
    strengths: Float64Array


def even_contrast(picture: Image, px_per_mm: float) -> Image:
    """Take away shadows and fading, and traces and letters, which are darker than lines and would outweigh them.

    Args:
        picture: ``(H, W)`` uint8.
        px_per_mm: Px from one mm to the next.

    Returns:
        ``(H, W)`` uint8; 128 is the brightness of the paper about, 48 steps are the mean deviation from it there.
    """
    size = 2 * round(WINDOW_MM / 2 * px_per_mm) + 1
    deviation = picture.astype(np.float32)
    deviation -= cv2.blur(deviation, (size, size), borderType=cv2.BORDER_REFLECT)
    # Lines cover a tenth of the paper and more, traces and letters less.
    every = max(1, min(picture.shape) // 150)
    line = max(-float(np.percentile(deviation[::every, ::every], LINE_SHARE)), 1.0)
    _, ink = cv2.threshold(deviation, -INK * line, 1.0, cv2.THRESH_BINARY_INV)
    deviation[cv2.dilate(ink, _SQUARE) > 0] = 0.0
    spread = cv2.blur(np.abs(deviation), (size, size), borderType=cv2.BORDER_REFLECT)
    deviation /= spread + np.float32(1.0)
    np.clip(deviation, -CLIP, CLIP, out=deviation)
    deviation *= _STEP
    deviation += np.float32(_GREY + 0.5)
    return deviation.astype(np.uint8)


def tiles_of(flat: Image, cells: npt.NDArray[np.int64], origin_mm: Float64Array, grid: TileGrid) -> Tiles:
    """Measure the waves in each tile of a flat picture.

    Args:
        flat: ``(h, w)`` uint8 from `even_contrast`, `PX_PER_PITCH` px from line to line, lines along the sides.
        cells: ``(n, 2)`` row and column of the tiles that are looked at.
        origin_mm: ``(2,)`` x and y of the corner of its first pixel.
        grid: How it is cut.
    """
    n = len(cells)
    spectra = partial_spectra(patches_of(flat, cells, grid), grid.side)
    waves, phases, strengths = np.empty((n, 2, 2)), np.empty((n, 2)), np.empty((n, 2))
    for axis, spectrum in enumerate(spectra):
        bins, phases[:, axis], strengths[:, axis] = peaks(spectrum, grid.reach)
        bins[:, axis] += grid.side
        waves[:, axis] = bins / (grid.side * grid.pitch_mm)
    return Tiles(cells, grid.centres_mm(cells, origin_mm), waves, phases, strengths)


def patches_of(flat: Image, cells: npt.NDArray[np.int64], grid: TileGrid) -> Float32Array:
    """``(n, s, s)`` float32: tiles cut from a flat picture, 0 where it is as bright as the paper."""
    step = grid.hop * PX_PER_PITCH
    cut = np.lib.stride_tricks.sliding_window_view(flat, (grid.px, grid.px))[::step, ::step]
    return np.asarray(cut[cells[:, 0], cells[:, 1]].astype(np.float32) - np.float32(_GREY))


def tile_counts(height: int, width: int, grid: TileGrid) -> tuple[int, int]:
    """Rows and columns of tiles in a flat picture of so many px."""
    step = grid.hop * PX_PER_PITCH
    return max(0, (height - grid.px) // step + 1), max(0, (width - grid.px) // step + 1)


def partial_spectra(patches: Float32Array, centre: int) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.complex64]]:
    """The two parts of a 2-D Fourier transform that hold the peaks of lines across x and across y.

    Tiles are weighted by a Hann window, and phases are counted from their centres: a wave then has the same phase
    in all bins of its peak. Written as products of matrices, it takes a third of the time of a whole transform.

    Args:
        patches: ``(n, s, s)`` float32.
        centre: Bin in which waves are expected, counted in periods per tile.

    Returns:
        Twice ``(n, 2 RING + 1, 2 RING + 1)`` complex64 [y bin, x bin]. The first is centred at (0, ``centre``), the
        second at (``centre``, 0).
    """
    n, side, _ = patches.shape
    low, near = np.arange(RING + 1), np.arange(centre - RING, centre + RING + 1)
    along_x = _kernel(side, (*low, *near))
    along_y = _kernel(side, (*range(-RING, RING + 1), *near, *(-near)))
    half = (patches.reshape(-1, side) @ along_x).reshape(n, side, -1).transpose(0, 2, 1)
    full = np.ascontiguousarray(half).reshape(-1, side) @ along_y
    full = full.reshape(n, 2, along_x.shape[1] // 2, 2, along_y.shape[1] // 2)
    # Real and imaginary parts of both transforms: (a + ib)(c + id).
    z = (full[:, 0, :, 0] - full[:, 1, :, 1]) + 1j * (full[:, 0, :, 1] + full[:, 1, :, 0])
    width = 2 * RING + 1
    first = z[:, RING + 1 :, :width].transpose(0, 2, 1)
    upper, lower = z[:, : RING + 1, width : 2 * width], z[:, 1 : RING + 1, 2 * width :]
    # Of a real picture, the bins at -x are those at +x and -y, conjugated.
    second = np.concatenate([lower[:, ::-1].conj(), upper], axis=1).transpose(0, 2, 1)
    return first, second


@functools.lru_cache(maxsize=32)
def _kernel(side: int, bins: tuple[int, ...]) -> Float32Array:
    """``(side, 2 k)`` float32: cosines, then minus sines, of a Fourier transform about the tile's centre."""
    at = np.arange(side) + 0.5 - side / 2
    window = 0.5 + 0.5 * np.cos(2 * np.pi * at / side)
    angle = 2 * np.pi * np.outer(at, bins) / side
    return np.hstack([np.cos(angle) * window[:, None], -np.sin(angle) * window[:, None]]).astype(np.float32)


def peaks(spectrum: npt.NDArray[np.complex64], reach: int) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Find the highest peak of each tile near the middle of its part of the spectrum.

    Args:
        spectrum: ``(n, 2 RING + 1, 2 RING + 1)``.
        reach: How far from the middle a peak may lie, bins.

    Returns:
        ``(n, 2)`` x and y from the middle, bins; ``(n,)`` phase in periods: 0 where a dark line runs through the
        tile's centre; ``(n,)`` power over the mean around it, which is taken from the median (ln 2 of it in noise),
        so that other peaks there do not count; 0 if it is higher next to it, out of reach.
    """
    size = np.abs(spectrum)
    n, side, _ = size.shape
    low, high = RING - reach, RING + reach + 1
    best = size[:, low:high, low:high].reshape(n, -1).argmax(axis=1)
    row, column = low + best // (2 * reach + 1), low + best % (2 * reach + 1)
    tile = np.arange(n)
    top = size[tile, row, column].astype(np.float64) + 1e-9
    beside = [size[tile, row, column + step] for step in (-1, 1)] + [size[tile, row + step, column] for step in (-1, 1)]
    x = column - RING + _between(beside[0], top, beside[1])
    y = row - RING + _between(beside[2], top, beside[3])
    phase = np.angle(-spectrum[tile, row, column].astype(np.complex128)) / (2 * np.pi)
    around = np.median(size.reshape(n, side * side), axis=1).astype(np.float64) + 1e-9
    strength = np.log(2.0) * (top / around) ** 2
    # At the border there may be but the foot of a peak that lies beyond: another overtone of the 5-mm lines.
    strength[np.max(beside, axis=0) > top] = 0.0
    return np.stack([x, y], axis=1), phase, strength


def _between(before: Float32Array, top: Float64Array, after: Float32Array) -> Float64Array:
    """Where between bins the wave lies, exactly for a Hann window (three points, after Agrez 2002)."""
    offset = 2.0 * (after.astype(np.float64) - before) / (before + 2.0 * top + after)
    return np.clip(offset, -0.5, 0.5)
