"""From many small looks at the paper to one homography: where every millimetre of it lies in the picture.

Each cell of the picture says how long a millimetre is there and which way it runs, along time and down the paper: the
Jacobian of the map that is sought. A homography ``G(p) = A p / (1 + c.p)`` from px to mm has six numbers but for where
its origin lies, and each cell gives four equations, so a few cells suffice and thousands outvote those that are wrong.
Points need not be found, nor corners be in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array

_ROUNDS = 25
_SECTORS = 24
"""Directions among which the first guess is voted."""
_NEAR_DEG = 40.0
"""How far from the direction that won a cell may point to take part in the first guess."""
_LEAST_SPREAD = 0.01
"""No cell is believed more than this: 1 % of a length, or 0.6 degrees."""
_CAUCHY = 2.4
"""Errors of so many times what a cell expects count half."""
INLIER_SHARE_OF_LENGTH, INLIER_DEG = 0.06, 3.0
"""A cell agrees with a plane if both its vectors are within these."""
_FEWEST = 6


@dataclass(frozen=True)
class Looks:
    """What cells say of the paper.

    Attributes:
        at: ``(n, 2)`` middles of the cells in the picture, px.
        along: ``(n, 2)`` px per mm along one axis of the paper, a vector.
        down: ``(n, 2)`` px per mm along the other, a vector.
        spread: ``(n, 4)`` expected errors: of the logarithm of the length and of the direction (rad) of ``along``, then
            of ``down``.
        weight: ``(n,)`` how sure it is that the cell shows the sheet, 0-1.
    """

    at: Float64Array
    along: Float64Array
    down: Float64Array
    spread: Float64Array
    weight: Float64Array

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Plane:
    """The paper as it lies in the picture.

    Attributes:
        mm_from_picture: ``(3, 3)`` homography from px to mm; its origin is anywhere until `Sheet` knows the edges.
        agreeing: Share of the cells (by weight) that agree with it.
        error: Median disagreement of the agreeing cells: of lengths, as a share.
    """

    mm_from_picture: Float64Array
    agreeing: float
    error: float


def fit_plane(looks: Looks) -> Plane | None:
    """Find the homography that most cells agree with.

    Directions are voted, the winners' median is the first guess, and Levenberg-Marquardt steps on logarithms of lengths
    and on directions, reweighted each time (Cauchy; Holland & Welsch 1977), do the rest. No draw is made: the same
    cells give the same plane.

    Returns:
        None if there are too few cells, or they point everywhere.
    """
    if len(looks) < _FEWEST:
        return None
    start = _voted(looks)
    if start is None:
        return None
    middle = np.average(looks.at, axis=0, weights=looks.weight)
    scale = max(float(np.abs(looks.at - middle).max()), 1.0)
    at = (looks.at - middle) / scale
    said = _described(looks.along, looks.down)
    spread = np.maximum(looks.spread, _LEAST_SPREAD)[:, [0, 1, 2, 3]]
    sure = np.sqrt(looks.weight)[:, None]
    # In coordinates of about -1 to 1: mm per unit is mm per px times the scale.
    theta = np.array([*(start * scale).ravel(), 0.0, 0.0])
    damping = 1e-3
    error = _residual(theta, at, said, scale)
    for _ in range(_ROUNDS):
        weights = sure / spread / np.sqrt(1 + (error / (spread * _CAUCHY)) ** 2)
        step_by = _derivative(theta, at, said, scale)
        rows = (weights[:, :, None] * step_by).reshape(-1, 6)
        right = (weights * error).ravel()
        normal = rows.T @ rows
        now = float(right @ right)
        for _ in range(6):
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-12), -rows.T @ right)
            tried = _residual(theta + step, at, said, scale)
            if np.isfinite(tried).all() and float(((weights * tried) ** 2).sum()) <= now:
                theta, error, damping = theta + step, tried, max(damping / 5, 1e-9)
                break
            damping *= 8
        else:
            break
        if np.abs(step).max() < 1e-7 * np.abs(theta[:4]).max():
            break
    good = (np.abs(error[:, [0, 2]]) < INLIER_SHARE_OF_LENGTH).all(1)
    good &= (np.abs(error[:, [1, 3]]) < np.radians(INLIER_DEG)).all(1)
    share = float(looks.weight[good].sum() / looks.weight.sum())
    length = float(np.median(np.abs(error[good][:, [0, 2]]))) if good.any() else float("inf")
    matrix = np.array([[theta[0], theta[1], 0.0], [theta[2], theta[3], 0.0], [theta[4], theta[5], 1.0]])
    to_unit = np.array([[1 / scale, 0.0, -middle[0] / scale], [0.0, 1 / scale, -middle[1] / scale], [0.0, 0.0, 1.0]])
    return Plane(matrix @ to_unit, share, length)


def _voted(looks: Looks) -> Float64Array | None:
    """``(2, 2)`` mm per px of the direction and handedness that most cells are for."""
    determinant = looks.along[:, 0] * looks.down[:, 1] - looks.along[:, 1] * looks.down[:, 0]
    hand = determinant < 0
    angle = np.degrees(np.arctan2(looks.along[:, 1], looks.along[:, 0]))
    sector = np.round(angle / (360 / _SECTORS)).astype(int) % _SECTORS
    votes = np.zeros((2, _SECTORS))
    np.add.at(votes, (hand.astype(int), sector), looks.weight)
    near = votes + np.roll(votes, 1, axis=1) + np.roll(votes, -1, axis=1)
    mirrored, best = np.unravel_index(int(near.argmax()), near.shape)
    away = np.abs((angle - best * 360 / _SECTORS + 180) % 360 - 180)
    chosen = (hand == bool(mirrored)) & (away < _NEAR_DEG)
    if chosen.sum() < _FEWEST:
        return None
    frame = np.column_stack([np.median(looks.along[chosen], axis=0), np.median(looks.down[chosen], axis=0)])
    if abs(np.linalg.det(frame)) < 1e-6:
        return None
    return np.linalg.inv(frame)


def _described(along: Float64Array, down: Float64Array) -> Float64Array:
    """``(n, 4)``: logarithm of the length and direction (rad) of both vectors."""
    return np.column_stack(
        [
            np.log(np.hypot(along[:, 0], along[:, 1])),
            np.arctan2(along[:, 1], along[:, 0]),
            np.log(np.hypot(down[:, 0], down[:, 1])),
            np.arctan2(down[:, 1], down[:, 0]),
        ]
    )


def jacobian(matrix: npt.NDArray[np.floating], at: npt.NDArray[np.floating]) -> Float64Array:
    """``(n, 2, 2)``: derivative of a homography at points ``(n, 2)``."""
    homogeneous = np.column_stack([at, np.ones(len(at))]) @ matrix.T
    w = homogeneous[:, 2]
    mapped = homogeneous[:, :2] / w[:, None]
    return np.asarray((matrix[None, :2, :2] - mapped[:, :, None] * matrix[2, :2][None, None]) / w[:, None, None])


def _residual(theta: Float64Array, at: Float64Array, said: Float64Array, scale: float) -> Float64Array:
    """``(n, 4)``: what the plane says less what the cells said."""
    matrix = np.array([[theta[0], theta[1], 0.0], [theta[2], theta[3], 0.0], [theta[4], theta[5], 1.0]])
    a = jacobian(matrix, at) / scale
    with np.errstate(divide="ignore", invalid="ignore"):
        determinant = a[:, 0, 0] * a[:, 1, 1] - a[:, 0, 1] * a[:, 1, 0]
        along = np.column_stack([a[:, 1, 1], -a[:, 1, 0]]) / determinant[:, None]
        down = np.column_stack([-a[:, 0, 1], a[:, 0, 0]]) / determinant[:, None]
        out = _described(along, down) - said
    out[:, [1, 3]] = (out[:, [1, 3]] + np.pi) % (2 * np.pi) - np.pi
    return np.asarray(out)


def _derivative(theta: Float64Array, at: Float64Array, said: Float64Array, scale: float) -> Float64Array:
    """``(n, 4, 6)`` by central differences."""
    columns = []
    for k in range(6):
        step = 1e-5 * (np.abs(theta[:4]).max() if k < 4 else 1.0)
        moved = np.zeros(6)
        moved[k] = step
        ahead, behind = (_residual(theta + sign * moved, at, said, scale) for sign in (1, -1))
        difference = ahead - behind
        difference[:, [1, 3]] = (difference[:, [1, 3]] + np.pi) % (2 * np.pi) - np.pi
        columns.append(difference / (2 * step))
    return np.stack(columns, axis=-1)


def mapped(matrix: npt.NDArray[np.floating], points: npt.NDArray[np.floating]) -> Float64Array:
    """Points ``(..., 2)`` through a homography."""
    flat = points.reshape(-1, 2)
    homogeneous = np.column_stack([flat, np.ones(len(flat))]) @ matrix.T
    return np.asarray((homogeneous[:, :2] / homogeneous[:, 2:]).reshape(points.shape))


def homography(source: Float64Array, target: Float64Array) -> Float64Array:
    """The homography that takes four points ``(4, 2)`` to four others."""
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    solved = np.linalg.solve(np.array(rows, dtype=np.float64), np.asarray(target, dtype=np.float64).reshape(-1))
    return np.append(solved, 1.0).reshape(3, 3)


@dataclass(frozen=True)
class Sheet:
    """A plane whose sheet is known.

    Attributes:
        mm_from_picture: ``(3, 3)`` from px to mm from the sheet's upper left corner.
        size_mm: Width and height of the sheet.
        spread_mm: How far cells disagree on its left, upper, right and lower edge: half of them are within it.
    """

    mm_from_picture: Float64Array
    size_mm: tuple[float, float]
    spread_mm: tuple[float, float, float, float]

    @property
    def corners(self) -> Float64Array:
        """``(4, 2)`` in the picture, px: upper left, upper right, lower right, lower left of the upright sheet."""
        width, height = self.size_mm
        on_sheet = np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])
        return mapped(np.linalg.inv(self.mm_from_picture), on_sheet)


def find_sheet(
    mm_from_picture: Float64Array,
    at: Float64Array,
    away_mm: Float64Array,
    spread_mm: Float64Array,
    weight: Float64Array,
) -> Sheet | None:
    """Find the edges of the sheet on a plane: each cell says how far away they are, the weighted median decides.

    Args:
        mm_from_picture: ``(3, 3)`` the plane.
        at: ``(n, 2)`` the cells in the picture, px.
        away_mm: ``(n, 4)`` how far the sheet's left, upper, right and lower edge are away.
        spread_mm: ``(n, 4)`` expected errors.
        weight: ``(n,)`` of the cells.

    Returns:
        None if the edges that were found enclose nothing.
    """
    if len(at) < _FEWEST:
        return None
    place = mapped(mm_from_picture, at)
    found, spread = [], []
    for edge, (axis, sign) in enumerate(((0, -1.0), (1, -1.0), (0, 1.0), (1, 1.0))):
        values = place[:, axis] + sign * away_mm[:, edge]
        # As of independent errors: cells next to an edge, which see it, outvote the many that guess from afar.
        weights = weight / np.maximum(spread_mm[:, edge], 0.5) ** 2
        middle = weighted_median(values, weights)
        found.append(middle)
        spread.append(weighted_median(np.abs(values - middle), weights))
    left, top, right, bottom = found
    if not (right - left > 10.0 and bottom - top > 10.0):
        return None
    shift = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
    sides = (right - left, bottom - top)
    return Sheet(shift @ mm_from_picture, sides, (spread[0], spread[1], spread[2], spread[3]))


def weighted_median(values: Float64Array, weights: Float64Array) -> float:
    """The value below and above which lie equal weights."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
