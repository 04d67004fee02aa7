"""The grid of ECG paper found without being told anything: pitch and direction from whole spectra of tiles.

This is slower and coarser than `heartprint.reading.lattice.refine`, which needs a rough homography; it stands in for
one where a network is to be checked, or compared.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.reading.lattice import STRONG, Lattice, refine
from heartprint.reading.lattice_tiles import even_contrast

LONGEST_PX = 1200
"""Larger pictures are shrunk to this."""

SURE = 0.5
"""Coverage times fifths times periods that a lattice needs which nobody has told of."""

_TILE, _HOP = 128, 64
_PITCHES = np.geomspace(2.4, 32.0, 78)
"""Px; 3.4 % apart, a tile's resolution at 4 px."""
_ANGLES = np.arange(0.0, 90.0, 1.5)
_TRIED = 6
"""Candidates that are looked at more closely."""


@dataclass(frozen=True)
class FoundLattice:
    """A lattice that was found without help.

    Attributes:
        found: Whether there is one.
        coverage: Share of the picture's tiles in which it was seen.
        pitch_px: Px from one mm to the next in the middle of the picture; NaN if nothing was found.
        angle_deg: Turn of the lines in the picture, degrees in [-45, 45): which of the two axes is time, lines cannot
            tell. Positive where the sheet's x axis points down to the right.
        lattice: The refined homography and its evidence, as `refine` gives them; None if there was no candidate.
    """

    found: bool
    coverage: float
    pitch_px: float
    angle_deg: float
    lattice: Lattice | None


def find_lattice(picture: Image) -> FoundLattice:
    """Look for the lattice of ECG paper at any turn and any pitch from 2.2 to 14 px per mm (of 1,200 px at most).

    The spectrum of each tile is whitened ring by ring, so that 1 is what noise has, and read along pitches and angles.
    A tile votes for a pitch and an angle by how strong both that wave and the one at a right angle to it are; what
    most votes are for is tried as the 1-mm lines, and as one of the overtones of the 5-mm lines, with `refine`. Only
    lines 1 mm apart count: without help, tables and charts fit the overtones of 5 mm at some pitch.

    Args:
        picture: ``(H, W)`` uint8, white = 255.
    """
    scale = min(1.0, LONGEST_PX / max(picture.shape))
    small = picture
    if scale < 1:
        size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    votes = _votes(small)
    best: Lattice | None = None
    for pitch, angle in _candidates(votes):
        # The wave may be that of the 1-mm lines, or one of the overtones of the 5-mm lines, of which it is the fifth.
        for overtone in (5, 1, 2, 3, 4):
            px_per_mm = pitch * overtone / 5
            if not 2.0 <= px_per_mm <= 14.0:
                continue
            result = refine(picture, _turned(angle, px_per_mm / scale), fine_only=True)
            if result.found and _sureness(result) > SURE and (best is None or _sureness(result) > _sureness(best)):
                best = result
        if best is not None and _sureness(best) > 0.65:
            break
    if best is None:
        return FoundLattice(False, 0.0, math.nan, math.nan, None)
    # Where lines cross they make a lattice of diagonals too, finer by the root of 2; the diagonals of that are not one.
    middle = np.array([picture.shape[1] / 2, picture.shape[0] / 2, 1.0])
    angle = _angle(best.mm_from_picture, middle)
    straight = refine(picture, _turned(angle + 45.0, best.pitch_px * math.sqrt(2.0)), fine_only=True)
    if straight.found and _sureness(straight) > SURE:
        best = straight
    angle = _angle(best.mm_from_picture, middle)
    return FoundLattice(True, best.coverage, best.pitch_px, angle, best)


def _turned(angle: float, px_per_mm: float) -> Float64Array:
    """``(3, 3)`` from px to mm of a sheet whose x axis is turned by so many degrees in the picture."""
    c, s = math.cos(math.radians(angle)) / px_per_mm, math.sin(math.radians(angle)) / px_per_mm
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def _sureness(lattice: Lattice) -> float:
    """0-1. What is tried at all pitches must be surer than what a network has told: tables fit some pitch by chance."""
    return lattice.coverage * lattice.fifths * lattice.periods


def _angle(mm_from_picture: Float64Array, middle: Float64Array) -> float:
    """Direction of the sheet's x axis in the picture, degrees, modulo 90 in [-45, 45)."""
    picture_from_mm = np.linalg.inv(mm_from_picture)
    at = mm_from_picture @ middle
    ends = [picture_from_mm @ (at / at[2] + np.array([step, 0.0, 0.0])) for step in (0.0, 1.0)]
    x, y = ends[1][:2] / ends[1][2] - ends[0][:2] / ends[0][2]
    return (math.degrees(math.atan2(y, x)) + 45.0) % 90.0 - 45.0


def _votes(picture: Image) -> Float64Array:
    """``(pitches, angles)``: logarithm of the strength of the weaker wave, 0 where it is weak; mean of the tiles."""
    height, width = picture.shape
    even = even_contrast(picture, 6.0).astype(np.float32) - np.float32(128.0)
    pad = max(0, _TILE - height), max(0, _TILE - width)
    even = np.pad(even, ((0, pad[0]), (0, pad[1])))
    cut = np.lib.stride_tricks.sliding_window_view(even, (_TILE, _TILE))[::_HOP, ::_HOP].reshape(-1, _TILE, _TILE)
    window = np.hanning(_TILE + 2)[1:-1].astype(np.float32)
    spectrum = np.fft.rfft2(cut * window * window[:, None])
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    rings = _rings()
    around = np.empty((len(power), int(rings.max()) + 1), dtype=np.float32)
    flat = power.reshape(len(power), -1)
    for ring in range(around.shape[1]):
        around[:, ring] = np.median(flat[:, rings.ravel() == ring], axis=1) / np.log(2.0)
    white = (flat / (around[:, rings.ravel()] + np.float32(1e-3))).reshape(power.shape)
    # The peak lies within one bin of where it is looked for.
    white = np.stack([cv2.dilate(one, np.ones((3, 3), np.uint8)) for one in white])
    first, second = _places()
    both = np.minimum(white.reshape(len(white), -1)[:, first], white.reshape(len(white), -1)[:, second])
    return np.asarray(np.log(np.maximum(both / STRONG, 1.0)).mean(axis=0, dtype=np.float64))


@functools.cache
def _rings() -> npt.NDArray[np.int64]:
    """``(tile, tile / 2 + 1)``: number of the ring, 4 bins wide, of each bin."""
    y, x = np.fft.fftfreq(_TILE, 1 / _TILE), np.arange(_TILE // 2 + 1)
    return np.asarray((np.hypot(y[:, None], x) / 4).astype(np.int64))


@functools.cache
def _places() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """``(pitches, angles)``: number of the bin of a wave, and of the one at a right angle to it."""
    angle = np.radians(_ANGLES)
    bins = _TILE / _PITCHES[:, None]
    out = []
    for x, y in ((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))):
        # Of a real picture, bins at -x are those at +x and -y.
        sign = np.where(x < -1e-9, -1.0, 1.0)
        column = np.rint(bins * x * sign).astype(np.int64)
        row = np.rint(bins * y * sign).astype(np.int64) % _TILE
        out.append(row * (_TILE // 2 + 1) + column)
    return out[0], out[1]


def _candidates(votes: Float64Array) -> list[tuple[float, float]]:
    """Pitch, px, and angle, degrees, of the highest hills of votes, highest first, and of their fifths and overtones.

    Votes of neighbours are added: tilt spreads a lattice over several pitches and angles.
    """
    wrapped = np.pad(np.pad(votes, ((0, 0), (3, 3)), mode="wrap"), ((3, 3), (0, 0)))
    # Straight edges are strong at all pitches along one direction: what counts is what stands out from them.
    plain = cv2.blur(votes.astype(np.float32), (1, 15), borderType=cv2.BORDER_REPLICATE)
    hills = cv2.blur(wrapped.astype(np.float32), (5, 3))[3:-3, 3:-3] - 0.7 * plain
    found: list[tuple[float, float]] = []
    for _ in range(_TRIED):
        row, column = np.unravel_index(int(hills.argmax()), hills.shape)
        if hills[row, column] < 0.02:
            break
        found.append((float(_PITCHES[row]), float(_ANGLES[column])))
        near = np.abs(np.arange(len(_ANGLES)) - column)
        near = np.minimum(near, len(_ANGLES) - near) <= 4
        hills[max(0, row - 4) : row + 5, near] = 0.0
    return found
