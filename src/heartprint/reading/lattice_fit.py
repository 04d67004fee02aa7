"""From waves in tiles to one homography: unwrapping phases, and robust least squares.

Places are in mm. A homography of the plane is ``u = (A x + b) / (1 + c x)``; it is the identity where the sheet's
frame was right before.
"""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.reading.lattice_tiles import Tiles

Bools = npt.NDArray[np.bool_]

NEIGHBOUR_MISFIT = 0.15
"""Periods by which the phases of neighbours may differ from what their pitches predict."""

_ROUNDS = 10
_FLAT = 0.4
"""Weight of the wish that there be no more perspective: matters only where few tiles are seen."""


def homography_from_waves(tiles: Tiles, pitch_mm: float, seen: Bools) -> Float64Array:
    """Fit a homography whose derivative is the wave vectors: right in scale, turn and tilt before any phase is known.

    Args:
        tiles: What is seen in the tiles.
        pitch_mm: Distance of the lines, mm.
        seen: ``(n, 2)`` which waves are strong enough.

    Returns:
        ``(3, 3)``; the middle of the tiles stays where it is.
    """
    middle, reach = _frame(tiles.centres_mm[seen.any(axis=1)])
    at = (tiles.centres_mm - middle) / reach
    waves = tiles.waves * pitch_mm
    # Start from medians: a pitch that was wrong is wrong alike in all tiles.
    linear = np.stack([np.median(waves[seen[:, axis], axis], axis=0) for axis in (0, 1)])
    tilt = np.zeros(2)
    spread = 0.05
    for turn in range(_ROUNDS):
        rows, right, weights = [], [], []
        nearness = 1 + at @ tilt
        for axis in (0, 1):
            x, k = at[seen[:, axis]], waves[seen[:, axis], axis]
            near = nearness[seen[:, axis]]
            place = x @ linear[axis] / near
            off = k - (linear[axis] - place[:, None] * tilt) / near[:, None]
            weight = 1 / (1 + (off**2).sum(axis=1) / (2.5 * spread) ** 2)
            for j in (0, 1):
                # k (1 + c x) = A - u c, one row for each component of the wave vector.
                row = np.zeros((len(x), 6))
                row[:, 2 * axis + j] = 1.0
                row[:, 4:] = -k[:, j, None] * x
                row[:, 4 + j] -= place
                rows.append(row)
                right.append(k[:, j])
                weights.append(weight)
        solution = _solve(np.concatenate(rows), np.concatenate(right), np.concatenate(weights), 2, 0.02)
        linear, tilt = solution[:4].reshape(2, 2), solution[4:]
        near = (1 + at @ tilt)[:, None]
        off = np.stack(
            [waves[:, a] - (linear[a] - (at @ linear[a])[:, None] / near * tilt) / near for a in (0, 1)], axis=1
        )
        spread = max(1.48 * float(np.median(np.abs(off[seen]))), 0.002) * (2.0 if turn < 3 else 1.0)
    return _composed(linear * reach, np.zeros(2), tilt, middle, reach)


def predicted_waves(homography: Float64Array, at_mm: Float64Array) -> Float64Array:
    """Wave vectors of lines 1 mm apart in the homography's plane.

    Args:
        homography: ``(3, 3)``.
        at_mm: ``(n, 2)`` places.

    Returns:
        ``(n, 2, 2)``: derivative of x and of y.
    """
    ones = np.column_stack([at_mm, np.ones(len(at_mm))])
    u, v, w = (ones @ homography.T).T
    placed = np.stack([u / w, v / w], axis=1)
    return np.asarray(
        (homography[None, :2, :2] - placed[:, :, None] * homography[2, None, None, :2]) / w[:, None, None]
    )


def consistent(tiles: Tiles, strong: Bools, pitch_mm: float) -> Bools:
    """Which waves fit those of the tiles next to them: peaks of noise or of letters do not, however strong they are.

    Args:
        tiles: What is seen in the tiles.
        strong: ``(n, 2)`` which waves are strong enough.
        pitch_mm: Distance of the lines, mm.

    Returns:
        ``(n, 2)``: strong, and in step with at least half of its strong neighbours, and with two of them.
    """
    agree, met = np.zeros(strong.shape), np.zeros(strong.shape)
    for a, b in _neighbours(tiles.cells):
        between = tiles.centres_mm[b] - tiles.centres_mm[a]
        ahead = np.einsum("nij,nj->ni", (tiles.waves[a] + tiles.waves[b]) / 2, between)
        off = tiles.phases[b] - tiles.phases[a] - ahead
        apart = np.linalg.norm(tiles.waves[a] - tiles.waves[b], axis=2) * pitch_mm
        step = (np.abs(off - np.round(off)) < NEIGHBOUR_MISFIT) & (apart < 0.06)
        both = strong[a] & strong[b]
        for end in (a, b):
            np.add.at(agree, end, step & both)
            np.add.at(met, end, both)
    return np.asarray(strong & (agree >= 2) & (2 * agree >= met))


def unwrap(tiles: Tiles, seen: Bools, axis: int) -> tuple[Float64Array, npt.NDArray[np.int64]]:
    """Count lines from tile to tile.

    A phase tells a place only up to whole periods. Between neighbours the pitch tells how many periods lie between, so
    the count is carried from tile to tile along the steps that fit best (Prim's spanning tree), which leads around
    what disturbs.

    Args:
        tiles: What is seen in the tiles.
        seen: ``(n, 2)`` waves that may be used.
        axis: 0 or 1.

    Returns:
        ``(n,)`` periods, NaN where nothing is seen, and ``(n,)`` number of the connected part, largest first, -1 where
        nothing is seen; the parts' counts are not tied to each other.
    """
    n = len(seen)
    edges: list[list[tuple[float, int, float]]] = [[] for _ in range(n)]
    for a, b in _neighbours(tiles.cells):
        ok = seen[a, axis] & seen[b, axis]
        a, b = a[ok], b[ok]
        between = tiles.centres_mm[b] - tiles.centres_mm[a]
        ahead = ((tiles.waves[a, axis] + tiles.waves[b, axis]) / 2 * between).sum(axis=1)
        off = tiles.phases[b, axis] - tiles.phases[a, axis] - ahead
        misfit = off - np.round(off)
        change = ahead + misfit
        for i, j, cost, step in zip(a.tolist(), b.tolist(), np.abs(misfit).tolist(), change.tolist(), strict=True):
            edges[i].append((cost, j, step))
            edges[j].append((cost, i, -step))
    counted = np.full(n, np.nan)
    part = np.full(n, -1, dtype=np.int64)
    parts = 0
    for start in np.flatnonzero(seen[:, axis]).tolist():
        if part[start] >= 0:
            continue
        queue: list[tuple[float, int, float]] = [(0.0, start, float(tiles.phases[start, axis]))]
        while queue:
            _, here, place = heapq.heappop(queue)
            if part[here] >= 0:
                continue
            part[here], counted[here] = parts, place
            for cost, there, step in edges[here]:
                if part[there] < 0:
                    heapq.heappush(queue, (cost, there, place + step))
        parts += 1
    if parts:
        order = np.argsort(-np.bincount(part[part >= 0], minlength=parts), kind="stable")
        rank = np.empty(parts, dtype=np.int64)
        rank[order] = np.arange(parts)
        part[part >= 0] = rank[part[part >= 0]]
    return counted, part


def homography_from_places(at_mm: Float64Array, places_mm: Float64Array, start: Float64Array) -> Float64Array:
    """Fit a homography to where tiles lie, by least squares with weights that fall for outliers (Cauchy's).

    Args:
        at_mm: ``(n, 2)`` centres of tiles.
        places_mm: ``(n, 2)`` where they lie by their lines, NaN where an axis is not seen. Each axis has an offset of
            its own that is free.
        start: ``(3, 3)`` from which weights are first taken.

    Returns:
        ``(3, 3)``, offsets included.
    """
    known = np.isfinite(places_mm)
    middle, reach = _frame(at_mm[known.any(axis=1)])
    x = (at_mm - middle) / reach
    # The free offset goes first: the linear form below is exact only where places are near what they are called.
    offset = np.array([np.nanmedian(places_mm[:, a] - applied(start, at_mm)[:, a]) for a in (0, 1)])
    u = places_mm - offset - middle
    homography = start
    for _ in range(_ROUNDS):
        off = places_mm - offset - applied(homography, at_mm)
        spread = max(1.48 * float(np.median(np.abs(off[known]))), 0.01)
        ones = np.column_stack([at_mm, np.ones(len(at_mm))])
        near = ones @ homography[2]
        near = near / np.median(near)
        rows, right, weights = [], [], []
        for a in (0, 1):
            ok = known[:, a]
            row = np.zeros((int(ok.sum()), 8))
            row[:, 3 * a : 3 * a + 2] = x[ok]
            row[:, 3 * a + 2] = 1.0
            row[:, 6:] = -u[ok, a, None] * x[ok]
            rows.append(row)
            right.append(u[ok, a])
            weights.append(1 / (1 + (off[ok, a] / (8 * spread)) ** 2) / near[ok] ** 2)
        s = _solve(np.concatenate(rows), np.concatenate(right), np.concatenate(weights), 2, _FLAT)
        homography = _composed(s[[0, 1, 3, 4]].reshape(2, 2), s[[2, 5]], s[6:], middle, reach)
    shift = np.eye(3)
    shift[:2, 2] = offset
    return np.asarray(shift @ homography)


def applied(homography: Float64Array, at: Float64Array) -> Float64Array:
    """Points ``(n, 2)`` through a homography ``(3, 3)``."""
    moved = at @ homography[:, :2].T + homography[:, 2]
    return np.asarray(moved[:, :2] / moved[:, 2:])


def _neighbours(cells: npt.NDArray[np.int64]) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Pairs of tiles one to the right of, or one below, the other."""
    rows, columns = cells.max(axis=0) + 2
    index = np.full((rows, columns), -1, dtype=np.int64)
    index[cells[:, 0], cells[:, 1]] = np.arange(len(cells))
    out = []
    for a, b in ((index[:, :-1], index[:, 1:]), (index[:-1], index[1:])):
        ok = (a >= 0) & (b >= 0)
        out.append((a[ok], b[ok]))
    return out


def _frame(at_mm: Float64Array) -> tuple[Float64Array, float]:
    """Middle and half-length of what is seen: numbers near 1 keep the equations well conditioned."""
    low, high = at_mm.min(axis=0), at_mm.max(axis=0)
    return (low + high) / 2, max(float((high - low).max()) / 2, 1.0)


def _solve(rows: Float64Array, right: Float64Array, weights: Float64Array, last: int, flat: float) -> Float64Array:
    """Weighted least squares; the ``last`` unknowns are drawn to 0 with weight ``flat``."""
    weighted = rows * weights[:, None]
    normal = rows.T @ weighted
    diagonal = np.arange(rows.shape[1] - last, rows.shape[1])
    normal[diagonal, diagonal] += flat**2
    return np.asarray(np.linalg.solve(normal, weighted.T @ right))


def _composed(
    linear: Float64Array, offset: Float64Array, tilt: Float64Array, middle: Float64Array, reach: float
) -> Float64Array:
    """The homography in mm: scaled to the frame of the equations, solved there, and moved back by ``middle``."""
    to_frame = np.array([[1 / reach, 0, -middle[0] / reach], [0, 1 / reach, -middle[1] / reach], [0, 0, 1]])
    core = np.array([[*linear[0], offset[0]], [*linear[1], offset[1]], [*tilt, 1.0]])
    back = np.array([[1.0, 0, middle[0]], [0, 1, middle[1]], [0, 0, 1]])
    out = back @ core @ to_frame
    return np.asarray(out / out[2, 2])
