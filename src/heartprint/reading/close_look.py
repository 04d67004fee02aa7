"""What a close look at an upright sheet tells: names, the baselines of its rows, and where strips begin and end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.reading.layouts import Steps, steps_of
from heartprint.reading.looks import Name, moved, names_in, padded
from heartprint.reading.network import CELL, TURNS
from heartprint.reading.plane import mapped, weighted_median
from heartprint.reading.strip_network import BORDERS, PX_PER_MM, TURNS_SHOWN, StripAnswer, StripNet

_IN_STRIP = 0.5
_AT_BORDER = 0.3
_SLOPES = np.linspace(-0.035, 0.035, 29)
"""Rises per length among which that of rows, or of borders, is looked for: 2 degrees each way."""
_BIN_MM, _SMOOTH_MM = 0.5, 0.8
_NEAR_MM = 2.0
"""Votes within this of a line are for it."""
_APART_MM = 7.0
_OF_THE_BEST = 0.3
"""A line needs so much of the votes that the best one has."""
_LEAST_SPREAD_MM = 0.4
_SUPPORTERS, _FEWEST_VOTES = 60, 24
"""Votes that are kept of each line; and the fewest by which a sheet is set straight."""
_CELLS_ALIKE = 100.0
"""Cells that err together: so many of them tell about the turn what one would that errs by itself."""


@dataclass(frozen=True)
class Lines:
    """Parallel lines: baselines, or where columns begin.

    Attributes:
        at: ``(n,)`` where they cross the middle of the view, mm, in order.
        spread: ``(n,)`` how sure that is, mm.
        votes: ``(n,)`` how many cells are for each, by weight.
        slope: How far they rise (fall, on paper) per length.
        along: ``(k,)`` some of the places that voted, along the lines, mm.
        across: ``(k,)`` where they say that their line is.
        line: ``(k,)`` int: which line that is.
    """

    at: Float64Array
    spread: Float64Array
    votes: Float64Array
    slope: float
    along: Float64Array = field(default_factory=lambda: np.zeros(0))
    across: Float64Array = field(default_factory=lambda: np.zeros(0))
    line: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.at)

    def moved(self, along: tuple[float, float], across: tuple[float, float]) -> Lines:
        """The same in other coordinates: each is multiplied and then added to, along the lines and across them."""
        return replace(
            self,
            at=self.at * across[0] + across[1],
            along=self.along * along[0] + along[1],
            across=self.across * across[0] + across[1],
            slope=self.slope * across[0] / along[0],
        )


NO_LINES = Lines(np.zeros(0), np.zeros(0), np.zeros(0), 0.0)


@dataclass(frozen=True)
class CloseLook:
    """See the module; places are in mm of the sheet that was looked at.

    Attributes:
        names: Lead names, the surest first.
        turns: ``(8,)`` shares of `TURNS`.
        rows: Baselines.
        left: The left edge of what rows fill; two lines where calibration pulses leave it in doubt.
        right: Its right edge.
        columns: Where strips begin farther in.
    """

    names: tuple[Name, ...]
    turns: Float64Array
    rows: Lines
    left: Lines
    right: Lines
    columns: Lines

    def shifted(self, x_mm: float, y_mm: float) -> CloseLook:
        """The same, told from another origin."""
        return self._moved((1.0, -x_mm), (1.0, -y_mm))

    def stretched(self, by: tuple[float, float]) -> CloseLook:
        """The same, each mm taken for so many across and down."""
        return self._moved((by[0], 0.0), (by[1], 0.0))

    def _moved(self, x: tuple[float, float], y: tuple[float, float]) -> CloseLook:
        matrix = np.array([[x[0], 0.0, x[1]], [0.0, y[0], y[1]], [0.0, 0.0, 1.0]])
        across = {name: getattr(self, name).moved(y, x) for name in ("left", "right", "columns")}
        return replace(self, names=moved(self.names, matrix), rows=self.rows.moved(x, y), **across)


def look_closely(network: StripNet, view: Image, origin_mm: tuple[float, float], px_per_mm: float) -> CloseLook:
    """Look at an upright view.

    Args:
        network: The network.
        view: ``(h, w)`` uint8.
        origin_mm: Where its upper left corner lies on the sheet, mm.
        px_per_mm: Of the view: `PX_PER_MM`, but for sheets that would be too large.
    """
    with torch.inference_mode():
        pictures = padded(torch.from_numpy(np.ascontiguousarray(view))[None, None])
        answer = network(pictures.to(memory_format=torch.channels_last))
    return understood_closely(answer, view.shape, origin_mm, px_per_mm)


def understood_closely(
    answer: StripAnswer, size: tuple[int, ...], origin_mm: tuple[float, float], px_per_mm: float = PX_PER_MM
) -> CloseLook:
    """The answer to one view of ``size`` px, in NumPy."""
    h, w = -(-size[0] // CELL), -(-size[1] // CELL)

    def cells(maps: torch.Tensor) -> Float64Array:
        return maps[0, :, :h, :w].permute(1, 2, 0).numpy().astype(np.float64)

    strip = cells(torch.sigmoid(answer.strip))[..., 0]
    rows, columns = np.nonzero(strip > _IN_STRIP)
    mm = CELL / px_per_mm
    tens = 10 * PX_PER_MM / px_per_mm
    x, y = (np.asarray((np.arange(count) + 0.5) * mm, dtype=np.float64) for count in (w, h))
    told = y[rows] + tens * cells(answer.row)[rows, columns, 0]
    spread = tens * np.exp(np.clip(cells(answer.row_spread)[rows, columns, 0], -5, 1))
    sure = strip[rows, columns] / np.maximum(spread, 0.5)
    border = cells(torch.softmax(answer.border, dim=1))
    at = cells(answer.border_at)[..., 0]

    def lines(kind: str, most: int) -> Lines:
        share = border[..., BORDERS.index(kind)]
        r, c = np.nonzero(share > _AT_BORDER)
        return _lines(y[r], x[c] + at[r, c] * mm, share[r, c], h * mm / 2, most)

    shares = np.moveaxis(cells(torch.softmax(answer.name, dim=1)), -1, 0).astype(np.float32)
    names = names_in(shares, cells(answer.name_at), np.ones((h, w)))
    look = CloseLook(
        moved(names, np.diag([1 / px_per_mm, 1 / px_per_mm, 1.0])),
        _turns(cells(torch.log_softmax(answer.turn, dim=1))[rows, columns]),
        _lines(x[columns], told, sure, w * mm / 2),
        lines("left", 2),
        lines("right", 2),
        lines("column", 8),
    )
    return look.shifted(-origin_mm[0], -origin_mm[1])


def _turns(logarithms: Float64Array) -> Float64Array:
    if not len(logarithms):
        return np.full(len(TURNS), 1 / len(TURNS))
    # A cell that sees nothing says what it saw most often while it learned: that is no evidence.
    score = (logarithms - np.log(TURNS_SHOWN)).sum(0) / _CELLS_ALIKE
    shares = np.exp(score - score.max())
    return np.asarray(shares / shares.sum())


def _lines(along: Float64Array, across: Float64Array, weight: Float64Array, middle: float, most: int = 24) -> Lines:
    """Parallel lines that points lie on, each a vote: the slope that gathers them best, then where they pile up.

    Args:
        along: ``(n,)`` of points, mm.
        across: ``(n,)``.
        weight: ``(n,)``.
        middle: Where along the lines they are told.
        most: How many lines there may be.
    """
    if not len(along):
        return NO_LINES
    # Room for every slope, so that no vote is cut off.
    room = 5 * _SMOOTH_MM + float(np.abs(_SLOPES).max() * np.abs(along - middle).max())
    first = float(across.min()) - room
    bins = int((float(across.max()) + room - first) / _BIN_MM) + 1
    reach = np.arange(-6, 7) * _BIN_MM
    kernel = np.exp(-((reach / _SMOOTH_MM) ** 2) / 2)

    def piled(slope: float) -> tuple[Float64Array, Float64Array]:
        levelled = across - slope * (along - middle)
        number = ((levelled - first) / _BIN_MM).astype(int)
        heights: Float64Array = np.convolve(np.bincount(number, weight, bins).astype(np.float64), kernel, "same")
        return levelled, heights

    slope = float(max(_SLOPES, key=lambda s: float((piled(s)[1] ** 2).sum()) * (1 - 0.1 * abs(s))))
    levelled, heights = piled(slope)
    at, spread, votes = [], [], []
    supporters: list[npt.NDArray[np.int64]] = []
    left = heights.copy()
    for _ in range(most):
        peak = int(left.argmax())
        if left[peak] <= 0 or left[peak] < _OF_THE_BEST * heights.max():
            break
        place = first + (peak + 0.5) * _BIN_MM
        near = np.abs(levelled - place) <= _NEAR_MM
        if near.any():
            place = weighted_median(levelled[near], weight[near])
            at.append(place)
            spread.append(max(weighted_median(np.abs(levelled[near] - place), weight[near]), _LEAST_SPREAD_MM))
            votes.append(float(weight[near].sum()))
            chosen = np.flatnonzero(near)
            supporters.append(chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), _SUPPORTERS)).astype(int)])
        lower, upper = (int((place + side * _APART_MM - first) / _BIN_MM) for side in (-1, 1))
        left[max(min(lower, peak), 0) : max(upper, peak) + 1] = 0
    if not at:
        return NO_LINES
    order = np.argsort(at)
    chosen = np.concatenate([supporters[k] for k in order])
    line = np.repeat(np.arange(len(order)), [len(supporters[k]) for k in order])
    return Lines(
        np.array(at)[order],
        np.array(spread)[order],
        np.array(votes)[order],
        slope,
        along[chosen],
        across[chosen],
        line,
    )


def straightened(look: CloseLook, size_mm: tuple[float, float]) -> Float64Array:
    """``(3, 3)`` of mm to mm: the homography that makes rows level and borders upright.

    They stay where they cross the middle of the sheet; rows are set equally far apart if they nearly are. Robust least
    squares (soft L1) over what cells said; what lines do not tell (perspective along one row, say) stays as it was.
    """
    from scipy.optimize import least_squares

    width, height = size_mm
    middle, half = np.array([width, height]) / 2, max(width, height) / 2
    even = steps_of(look.rows.at) if len(look.rows) > 1 else None
    level = look.rows.at if even is None or even.count < 2 else _on_steps(look.rows.at, even)
    upright = [lines for lines in (look.left, look.columns, look.right) if len(lines)]
    at_rows = np.stack([look.rows.along, look.rows.across], axis=-1)
    at_sides = np.concatenate([np.stack([one.across, one.along], axis=-1) for one in upright] or [np.zeros((0, 2))])
    to_y = level[look.rows.line] if len(look.rows) else np.zeros(0)
    to_x = np.concatenate([one.at[one.line] for one in upright] or [np.zeros(0)])
    if len(to_y) + len(to_x) < _FEWEST_VOTES:
        return np.eye(3)

    def matrix(theta: Float64Array) -> Float64Array:
        inner = np.array([[1 + theta[0], theta[1], theta[2]], [theta[3], 1 + theta[4], theta[5]], [*theta[6:], 1.0]])
        to_inner = np.array([[1 / half, 0.0, -middle[0] / half], [0.0, 1 / half, -middle[1] / half], [0.0, 0.0, 1.0]])
        return np.asarray(np.linalg.inv(to_inner) @ inner @ to_inner)

    def off(theta: Float64Array) -> Float64Array:
        bent = matrix(theta)
        rows = mapped(bent, at_rows)[:, 1] - to_y
        sides = mapped(bent, at_sides)[:, 0] - to_x
        # Without evidence nothing moves: a hundredth of half a side weighs as much as one vote that is off by 1 mm.
        return np.concatenate([rows, sides, 100 * theta])

    found = least_squares(off, np.zeros(8), loss="soft_l1", f_scale=1.0, max_nfev=30)
    return matrix(found.x)


def _on_steps(places: Float64Array, steps: Steps) -> Float64Array:
    """The equal steps that places are nearest to."""
    return np.asarray(steps.first + steps.step * np.round((places - steps.first) / steps.step))
