"""The kernel's twin in NumPy: the same images without a compiler, some ten times slower.

Used where numba is not installed or not wanted (``HEARTPRINT_NO_NUMBA=1``). The two differ by one grey level at most,
where they add in another order. `heartprint.sheets.kernel` explains the method and the arguments.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float32Array, Float64Array, Image
from heartprint.sheets.look import FAR, GROUPS, SUB_COLUMNS


def _traces(
    leads: Float32Array,
    strips: Float64Array,
    pen: Float64Array,
    mark: Float64Array,
    height: int,
    width: int,
) -> Iterator[tuple[Float64Array, float, Float64Array, Float64Array, int]]:
    """Yield marks and strips in drawing order: left edge, width, top and bottom of upright intervals, px.

    A turn moves as many neighbouring intervals together as the last number says.
    """
    before = math.nan
    reach = pen[0]
    for strip in strips:
        first, last = int(strip[4]), int(strip[5])
        if last < first:
            before = math.nan
            continue
        if strip[8] and not math.isnan(before):
            y = strip[7] + before
            n = math.ceil(2 * mark[0] * SUB_COLUMNS)
            wide = 2 * mark[0] / n
            left = strip[6] - mark[0] + np.arange(n) * wide
            yield left, wide, np.full(n, y - mark[1]), np.full(n, y + mark[1]), 1
        signal = strip[1] * leads[int(strip[0]), first : last + 1].astype(np.float64)
        if strip[3]:
            signal += strip[3] * leads[int(strip[2]), first : last + 1]
        per_sub, px_per_mv = float(strip[9]), float(strip[10])
        before = -px_per_mv * float(signal[0])
        begin = max(math.floor(strip[6] - reach / SUB_COLUMNS), 0) * SUB_COLUMNS
        end = min(math.ceil(strip[6] + ((last - first) / per_sub + reach) / SUB_COLUMNS), width) * SUB_COLUMNS
        half = len(pen) - 2
        subs = np.arange(begin - half - 1, end + half + 1)
        at = (subs + 0.5 - strip[6] * SUB_COLUMNS) * per_sub
        k = np.clip(at, 0, last - first).astype(int)
        after = signal[np.minimum(k + 1, last - first)]
        y = strip[7] - px_per_mv * (signal[k] + (after - signal[k]) * (at - k))
        there = (at >= 0) & (at <= last - first) & ~np.isnan(y)
        upper, lower = np.where(there, y, FAR), np.where(there, y, -FAR)
        m, wide_pen, part = end - begin, half + 1, reach - half
        right = wide_pen + half

        def ends(
            a: Float64Array, m: int = m, part: float = part, right: int = right
        ) -> tuple[Float64Array, Float64Array]:
            return (1 - part) * a[1 : m + 1] + part * a[:m], (1 - part) * a[right : right + m] + part * a[right + 1 :]

        top, bottom = np.minimum(*ends(upper)), np.maximum(*ends(lower))
        for t in range(-half, half + 1):
            shifted = slice(wide_pen + t, wide_pen + t + m)
            top = np.minimum(top, upper[shifted] - pen[1 + abs(t)])
            bottom = np.maximum(bottom, lower[shifted] + pen[1 + abs(t)])
        yield np.arange(begin, end) / SUB_COLUMNS, 1 / SUB_COLUMNS, top, bottom, SUB_COLUMNS // GROUPS


def _crossings(
    top: Float64Array, bottom: Float64Array, height: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Float64Array, Float64Array]:
    """For each row that each interval crosses: number of the interval, row, upper and lower end within the row."""
    top, bottom = np.maximum(top, 0), np.minimum(bottom, height)
    crossed = np.flatnonzero(bottom > top)
    low = np.floor(top[crossed]).astype(np.int64)
    rows = np.ceil(bottom[crossed]).astype(np.int64) - low
    which = np.repeat(crossed, rows)
    row = np.repeat(low, rows) + np.arange(rows.sum()) - np.repeat(np.cumsum(rows) - rows, rows)
    return which, row, np.maximum(top[which], row), np.minimum(bottom[which], row + 1)


def _splat(
    shape: tuple[int, int], row: npt.NDArray[np.int64], left: Float64Array, wide: Float64Array, tall: Float64Array
) -> Float64Array:
    """Sum boxes, each within one row and narrower than a pixel, into a picture; what lies outside is left out."""
    column = np.floor(left).astype(np.int64)
    over = np.maximum(left + wide - (column + 1), 0)
    total = np.zeros(shape[0] * shape[1])
    for c, amount in ((column, (wide - over) * tall), (column + 1, over * tall)):
        ok = (c >= 0) & (c < shape[1]) & (row >= 0) & (row < shape[0])
        total += np.bincount(row[ok] * shape[1] + c[ok], weights=amount[ok], minlength=total.size)
    return total.reshape(shape)


def _blend(paper: Float64Array, ink: Float64Array, grey: float) -> Image:
    return np.asarray(paper + np.clip(ink, 0, 1) * (grey - paper) + 0.5).astype(np.uint8)


def draw_upright(
    out: Image,
    leads: Float32Array,
    strips: Float64Array,
    pen: Float64Array,
    mark: Float64Array,
    trace_grey: float,
) -> None:
    """Draw the traces of an upright sheet; see `heartprint.sheets.kernel.draw_upright`."""
    height, width = out.shape
    for left, wide, top, bottom, _ in _traces(leads, strips, pen, mark, height, width):
        which, row, low, high = _crossings(top, bottom, height)
        ink = _splat((height, width), row, left[which], np.full(len(row), wide), high - low)
        out[:] = np.where(ink > 0, _blend(out.astype(np.float64), ink, trace_grey), out)


def draw_turned(
    out: Image,
    leads: Float32Array,
    strips: Float64Array,
    pen: Float64Array,
    mark: Float64Array,
    trace_grey: float,
    angle: float,
    x_table: Float32Array,
    y_table: Float32Array,
    steps: int,
    margin: int,
    letters: Float32Array,
    edge: float,
) -> None:
    """Draw a turned sheet, background and all; see `heartprint.sheets.kernel.draw_turned`."""
    height, width = out.shape
    cos, sin = math.cos(angle), math.sin(angle)
    tan = sin / cos
    ink = np.zeros((height, width))
    for left, wide, top, bottom, together in _traces(leads, strips, pen, mark, height, width):
        shift = 0.5 * height * (1 - cos) - (left + wide / 2 - width / 2) * sin
        low, high = np.clip(top, 0, height), np.clip(bottom, 0, height)
        empty = high <= low
        which, row, y0, y1 = _crossings(
            np.where(empty, 0, low * cos + shift), np.where(empty, 0, high * cos + shift), height
        )
        spread = together * wide
        place = (left[which // together * together] - 0.5 * width) / cos
        place += 0.5 * (width - height * tan) + (row + 0.5) * tan
        ink += _splat((height, width), row, place, np.full(len(row), spread / cos), (y1 - y0) / together)
    names = np.zeros((height, width))
    x, y = letters[:, 0] - 0.5 * width, letters[:, 1] - 0.5 * height
    px, py = x * cos + y * sin + 0.5 * width - 0.25, y * cos - x * sin + 0.5 * height - 0.25
    row = np.floor(py).astype(np.int64)
    below = np.maximum(2 * (py - row) - 1, 0)
    half = np.full(len(px), 0.5)
    for r, share in ((row, 1 - below), (row + 1, below)):
        names += _splat((height, width), r, px, half, 2 * share * letters[:, 2])
    from_y = np.arange(height)[:, None] + 0.5 - 0.5 * height
    x0 = (0.5 - 0.5 * width) * cos - from_y * sin + 0.5 * width
    y0 = (0.5 - 0.5 * width) * sin + from_y * cos + 0.5 * height
    columns = np.arange(width, dtype=np.float32)
    i, k = (
        np.clip(((at + margin) * steps + 0.5).astype(np.float32) + columns * np.float32(step * steps), 0, last).astype(
            int
        )
        for at, step, last in ((x0, cos, x_table.shape[1] - 1), (y0, sin, y_table.shape[1] - 1))
    )
    dark = (x_table[:, i] * y_table[:, k]).sum(axis=0, dtype=np.float64)
    paper = np.maximum(255 - dark, 0) * (1 - np.minimum(names, 1))
    out[:] = _blend(paper, ink, trace_grey)


def draw_paper(out: Image, x_table: Float32Array, y_table: Float32Array) -> None:
    """Draw the grid of an upright sheet; see `heartprint.sheets.kernel.draw_paper`."""
    level = 255 - (y_table[:, :, None] * x_table[:, None, :]).sum(axis=0)
    out[:] = np.rint(np.maximum(level, 0)).astype(np.uint8)


def print_on(
    out: Image,
    x_table: Float32Array,
    y_table: Float32Array,
    places: npt.NDArray[np.int32],
    covered: Float64Array,
    darkness: float,
) -> None:
    """Print names or texts on a grid; see `heartprint.sheets.kernel.print_on`."""
    r, k = np.divmod(places, out.shape[1])
    level = np.maximum(255 - (y_table[:, r] * x_table[:, k]).sum(axis=0), 0)
    left = (level * (1 - darkness * covered)).astype(np.float32)
    out[r, k] = np.minimum(np.rint(left).astype(np.uint8), out[r, k])


def subtract_medians(leads: Float32Array, step: int, half: int, out: Float32Array) -> None:
    """Subtract running medians; see `heartprint.sheets.kernel.subtract_medians`."""
    n = leads.shape[1]
    coarse = np.pad(leads[:, ::step], ((0, 0), (half, half)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(coarse, 2 * half + 1, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a window without any sample has no median
        medians = np.nanmedian(windows, axis=2)
    at = np.arange(n)
    left = at // step
    a, b = medians[:, left], medians[:, np.minimum(left + 1, medians.shape[1] - 1)]
    a, b = np.where(np.isnan(a), b, a), np.where(np.isnan(b), a, b)
    out[:] = leads - (a + (b - a) * ((at - left * step) / step).astype(np.float32))
