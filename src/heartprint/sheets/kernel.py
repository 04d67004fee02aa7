"""The kernel: how much of each pixel the traces cover.

A trace is a function of time, so a pen swept along it cuts each vertical line of the page in one interval
[top, bottom]. The ink in a pixel is the mean, over the width of its column, of the part of its height that the
interval covers: exact area anti-aliasing at any size, without drawing a larger picture first. The interval reaches
from the least to the greatest height of the trace within the pen's half-width, widened by the pen itself.

The coverage of one interval changes in four rows only. These changes are collected, and a running sum down the rows
turns them into ink. Compiled with numba; `heartprint.sheets.kernel_numpy` is the twin that needs no compiler.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_compiled = numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")


@_compiled  # type: ignore[untyped-decorator]
def add_trace(
    changes: Floats,
    signal: Floats,
    first: int,
    last: int,
    index_at_0: float,
    index_per_sub: float,
    begin: int,
    end: int,
    offset: float,
    scale: float,
    slope: float,
    top_taps: Floats,
    bottom_taps: Floats,
    reach: float,
    lean: float,
    sub: int,
) -> None:
    """Add one trace to the changes of coverage.

    Args:
        changes: ``(H + 2, W)``; added to.
        signal: ``(n,)`` mV, without gaps from ``first`` to ``last``.
        first: First sample of the stretch.
        last: Last sample of the stretch, after the first.
        index_at_0: Position in ``signal`` that lies at the left edge of column 0.
        index_per_sub: Samples from one sub-column to the next.
        begin: First sub-column.
        end: Sub-column after the last.
        offset: Height of 0 mV at the left edge of column 0, px from the top.
        scale: Height of 1 mV, px.
        slope: Fall of the baseline from one sub-column to the next, px.
        top_taps: ``(2k + 1,)`` height of the pen's upper edge at the 2k + 1 sub-columns about its middle, px.
        bottom_taps: The same for the lower edge.
        reach: Half the width of the pen, sub-columns; its ends lie between sub-columns.
        lean: Height of the pen's right end under its middle, px; the left end lies as much above.
        sub: Sub-columns in a column.
    """
    half = len(top_taps) // 2
    wide = half + 1  # The ends of the pen need one more sub-column on either side.
    m = end - begin
    n = m + 2 * wide
    y = np.empty(n, dtype=np.float32)
    at_begin = index_at_0 + (begin - wide + 0.5) * index_per_sub
    y_begin = np.float32(offset + slope * (begin - wide + 0.5))
    fall, height_of_mv = np.float32(slope), np.float32(scale)
    # Sub-columns beyond the ends of the stretch see its first or last sample.
    i_first = min(max(int(np.ceil((first - at_begin) / index_per_sub)), 0), n)
    i_last = min(max(int(np.ceil((last - at_begin) / index_per_sub)), i_first), n)
    for i in range(i_first):
        y[i] = y_begin + fall * i - height_of_mv * signal[first]
    for i in range(i_first, i_last):
        at = at_begin + i * index_per_sub
        k = int(at)
        value = signal[k] + (signal[k + 1] - signal[k]) * np.float32(at - k)
        y[i] = y_begin + fall * i - height_of_mv * value
    for i in range(i_last, n):
        y[i] = y_begin + fall * i - height_of_mv * signal[last]

    top = np.empty(m, dtype=np.float32)
    bottom = np.empty(m, dtype=np.float32)
    part, rise = np.float32(reach - half), np.float32(lean)
    right = 2 * half + 1
    for i in range(m):
        a = y[i + 1] + (y[i] - y[i + 1]) * part - rise
        b = y[i + right] + (y[i + right + 1] - y[i + right]) * part + rise
        top[i] = min(a, b)
        bottom[i] = max(a, b)
    for t in range(2 * half + 1):
        up, down = top_taps[t], bottom_taps[t]
        for i in range(m):
            top[i] = min(top[i], y[i + t + 1] + up)
            bottom[i] = max(bottom[i], y[i + t + 1] + down)

    weight = np.float32(1.0 / sub)
    limit = np.float32(changes.shape[0] - 2)
    zero = np.float32(0)
    column, place = begin // sub, begin % sub
    for i in range(m):
        low, high = min(max(top[i], zero), limit), min(max(bottom[i], zero), limit)
        row = int(high)
        share = weight * (high - row)
        changes[row, column] += share - weight
        changes[row + 1, column] -= share
        row = int(low)
        share = weight * (low - row)
        changes[row, column] += weight - share
        changes[row + 1, column] += share
        place += 1
        if place == sub:
            place = 0
            column += 1


@_compiled  # type: ignore[untyped-decorator]
def add_bar(changes: Floats, left: float, right: float, top: float, bottom: float) -> None:
    """Add an upright bar, in columns and rows; what lies off the page is left out."""
    height, width = changes.shape[0] - 2, changes.shape[1]
    low, high = np.float32(min(max(top, 0.0), height)), np.float32(min(max(bottom, 0.0), height))
    for column in range(max(0, int(np.floor(left))), min(width, int(np.ceil(right)))):
        weight = np.float32(min(column + 1.0, right) - max(column + 0.0, left))
        row = int(high)
        share = weight * (high - row)
        changes[row, column] += share - weight
        changes[row + 1, column] -= share
        row = int(low)
        share = weight * (low - row)
        changes[row, column] += weight - share
        changes[row + 1, column] += share


@_compiled  # type: ignore[untyped-decorator]
def ink_the_page(changes: Floats, paper: Floats, trace: Floats, out: npt.NDArray[np.uint8]) -> None:
    """Turn changes into a page.

    Args:
        changes: ``(H + 2, W)``.
        paper: ``(H, W)`` grey level without ink.
        trace: ``(H, W)`` what full ink adds to it.
        out: ``(H, W)`` uint8, written.
    """
    height, width = out.shape
    zero, one, round_up = np.float32(0), np.float32(1), np.float32(0.5)
    ink = np.zeros(width, dtype=np.float32)
    for r in range(height):
        for c in range(width):
            ink[c] += changes[r, c]
        for c in range(width):
            out[r, c] = np.uint8(paper[r, c] + min(max(ink[c], zero), one) * trace[r, c] + round_up)


@_compiled  # type: ignore[untyped-decorator]
def ink_the_turned_page(
    changes: Floats,
    paper: npt.NDArray[np.uint8],
    across: float,
    down: float,
    trace_grey: float,
    fine: int,
    left: float,
    shear: float,
    out: npt.NDArray[np.uint8],
) -> None:
    """Turn changes on a page that still wants a horizontal shear into the finished, turned page.

    Args:
        changes: ``(H + 2, F)``, ``fine`` columns to a pixel.
        paper: ``(kH, kW)`` straight paper, each of its pixels averaged over the area of a pixel of the page.
        across: Pixels of ``paper`` to the right for a pixel to the right on the page: k cos(angle).
        down: Pixels of ``paper`` down for a pixel to the right on the page: k sin(angle).
        trace_grey: Grey level of full ink.
        fine: Columns of ``changes`` to a pixel.
        left: Where x = 0 of the middle row of the page lies in ``changes``, columns.
        shear: Columns by which each row lies further left in ``changes`` than the row above.
        out: ``(H, W)`` uint8, written.
    """
    height, width = out.shape
    paper_height, paper_width = paper.shape
    columns = changes.shape[1]
    zero, one, round_up = np.float32(0), np.float32(1), np.float32(0.5)
    white, grey, share = np.float32(255), np.float32(trace_grey), np.float32(1.0 / fine)
    sums = np.zeros(columns, dtype=np.float32)
    # Blank columns on both sides, as far as any pixel of the page asks.
    margin = int(abs(shear) * height / 2 + abs(left)) + 2 * fine + 2
    room = max(columns, int(left) + fine * width) + 2 * margin
    ink = np.zeros(room, dtype=np.float32)
    for r in range(height):
        for c in range(columns):
            sums[c] += changes[r, c]
        for c in range(columns):
            ink[margin + c] = min(max(sums[c], zero), one)
        y = r + 0.5 - 0.5 * height
        start = left - shear * y + margin
        k = int(start)
        part = np.float32(start - k)
        rest = one - part
        paper_x = 0.5 * paper_width - across * 0.5 * (width - 1) - down * y
        paper_y = 0.5 * paper_height - down * 0.5 * (width - 1) + across * y
        for c in range(width):
            total = rest * ink[k] + part * ink[k + fine]
            for j in range(1, fine):
                total += ink[k + j]
            k += fine
            px, py = int(np.floor(paper_x + across * c)), int(np.floor(paper_y + down * c))
            level = white
            if 0 <= px < paper_width and 0 <= py < paper_height:
                level = np.float32(paper[py, px])
            out[r, c] = np.uint8(level + total * share * (grey - level) + round_up)
