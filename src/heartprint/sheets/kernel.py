"""The kernel: how much of each pixel the traces cover, compiled with numba.

A trace is a function of time, so a pen swept along it cuts each vertical line of the sheet in one interval
[top, bottom]: from the least to the greatest height of the trace within the pen's half-width, widened by the elliptic
pen. The ink in a pixel is the mean, over the sub-columns of its column, of the part of its height that the interval
covers: exact area anti-aliasing at any size, without drawing a larger picture first.

A turned sheet needs no larger picture either. Under a turn by an angle a, the vertical line at x becomes, within the
row at height y' of the picture, the place x' = x / cos a + y' tan a (from the picture's centre), so that intervals are
dealt out to the rows that they cross: exactly along y, in quarters of a column along x.

`heartprint.sheets.kernel_numpy` is the twin that needs no compiler.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float32Array, Float64Array, Image
from heartprint.foundation.compiled import numba
from heartprint.sheets.look import FAR, GROUPS, SUB_COLUMNS

_FAR = np.float32(FAR)
_ZERO, _HALF, _ONE, _WHITE = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(255.0)
_SHARE = np.float32(1.0 / SUB_COLUMNS)

_exact = numba.njit(cache=True, nogil=True, error_model="numpy")
# Sums of sixteen may be taken in any order where all terms are finite: that is what lets them run side by side.
_quick = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"nsz", "reassoc"})


@_exact
def _widest_ends(
    left: Float32Array,
    beyond_left: Float32Array,
    right: Float32Array,
    beyond_right: Float32Array,
    rest: np.float32,
    part: np.float32,
    out: Float32Array,
    up: bool,
) -> None:
    """Write the higher (``up``) or the lower of the heights at the pen's two ends."""
    if up:
        for j in range(len(out)):
            a, b = rest * left[j] + part * beyond_left[j], rest * right[j] + part * beyond_right[j]
            out[j] = a if a < b else b
    else:
        for j in range(len(out)):
            a, b = rest * left[j] + part * beyond_left[j], rest * right[j] + part * beyond_right[j]
            out[j] = a if a > b else b


@_exact
def _intervals(
    leads: Float32Array,
    strip: Float64Array,
    begin: int,
    pen: Float64Array,
    heights: Float32Array,
    upper: Float32Array,
    lower: Float32Array,
    top: Float32Array,
    bottom: Float32Array,
) -> float:
    """Find the interval that the pen covers at each sub-column from ``begin`` on.

    Args:
        leads: ``(k, n)`` mV.
        strip: One row of the plan's table.
        begin: First sub-column, from the left edge of the sheet.
        pen: See `heartprint.sheets.raster.Plan`.
        heights: Working space for as many samples as the strip has, and two.
        upper: ``(m + 2 (h + 1),)`` working space.
        lower: The same.
        top: ``(m,)`` px, written.
        bottom: ``(m,)`` px, written; where there is no trace, both are that of 0 mV.

    Returns:
        Height of the first sample; `FAR` if it is missing.
    """
    m, half = len(top), len(pen) - 2
    per_sub, px_per_mv = strip[9], strip[10]
    wide = half + 1
    first, count = int(strip[4]), int(strip[5]) - int(strip[4]) + 1
    one, offset = leads[int(strip[0])][first : first + count], np.float32(strip[7])
    scale = np.float32(-px_per_mv * strip[1])
    if strip[3] == 0.0:
        for i in range(count):
            heights[i] = offset + scale * one[i]
    else:
        two = leads[int(strip[2])][first : first + count]
        other = np.float32(-px_per_mv * strip[3])
        for i in range(count):
            heights[i] = offset + (scale * one[i] + other * two[i])
    heights[count] = heights[count - 1]
    # Sub-columns j_first to j_last - 1 lie between the first and the last sample.
    n = m + 2 * wide
    step = np.float32(per_sub)
    at_first = (begin - wide + 0.5 - strip[6] * SUB_COLUMNS) * per_sub
    j_first = min(max(math.ceil(-at_first / per_sub), 0), n)
    j_last = min(max(math.floor((count - 1 - at_first) / per_sub) + 1, j_first), n)
    start = np.float32(at_first + j_first * per_sub)
    upper[:j_first], lower[:j_first] = _FAR, -_FAR
    upper[j_last:n], lower[j_last:n] = _FAR, -_FAR
    # Slices that begin at 0 spare the compiler the thought of negative indices: that is what lets it work on eight
    # sub-columns at once.
    up, down = upper[j_first:j_last], lower[j_first:j_last]
    for j in range(j_last - j_first):
        at = max(start + np.float32(j) * step, _ZERO)
        k = np.uint32(np.int32(at))
        y = heights[k] + (heights[k + np.uint32(1)] - heights[k]) * (at - np.float32(k))
        up[j] = y
        down[j] = y
    # Most strips are whole: theirs need no look at every sub-column.
    whole = True
    for i in range(count):
        whole &= heights[i] == heights[i]
    if not whole:
        for j in range(j_last - j_first):
            up[j] = up[j] if up[j] == up[j] else _FAR
            down[j] = down[j] if down[j] == down[j] else -_FAR
    # The ends of the pen lie between sub-columns.
    part = np.float32(pen[0] - half)
    rest = _ONE - part
    right = wide + half
    _widest_ends(upper[1:], upper, upper[right:], upper[right + 1 :], rest, part, top, True)
    _widest_ends(lower[1:], lower, lower[right:], lower[right + 1 :], rest, part, bottom, False)
    for t in range(half + 1):
        # The pen is as high before its middle as behind it.
        edge = np.float32(pen[1 + t])
        up, other_up = upper[wide - t : wide - t + m], upper[wide + t : wide + t + m]
        down, other_down = lower[wide - t : wide - t + m], lower[wide + t : wide + t + m]
        for j in range(m):
            y = (up[j] if up[j] < other_up[j] else other_up[j]) - edge
            top[j] = y if y < top[j] else top[j]
        for j in range(m):
            y = (down[j] if down[j] > other_down[j] else other_down[j]) + edge
            bottom[j] = y if y > bottom[j] else bottom[j]
    for j in range(m):
        there = top[j] <= bottom[j]
        top[j] = top[j] if there else offset
        bottom[j] = bottom[j] if there else offset
    return float(heights[0]) if heights[0] == heights[0] else FAR


@_exact
def _columns(strip: Float64Array, reach: float, width: int) -> tuple[int, int]:
    """First column that a strip touches and the one after its last."""
    begin = strip[6] - reach / SUB_COLUMNS
    end = strip[6] + ((strip[5] - strip[4]) / strip[9] + reach) / SUB_COLUMNS
    return min(max(math.floor(begin), 0), width), min(max(math.ceil(end), 0), width)


@_quick
def draw_upright(
    out: Image,
    leads: Float32Array,
    strips: Float64Array,
    pen: Float64Array,
    mark: Float64Array,
    trace_grey: float,
) -> None:
    """Draw the traces of an upright sheet.

    Args:
        out: ``(H, W)``, the background; drawn on.
        leads: ``(k, n)`` mV, NaN = missing.
        strips: See `heartprint.sheets.raster.Plan`, as are the arguments up to ``mark``.
        pen: See there.
        mark: See there.
        trace_grey: Grey level of full ink.
    """
    height, width = out.shape
    subs = width * SUB_COLUMNS
    heights = np.empty(leads.shape[1] + 2, dtype=np.float32)
    top, bottom = np.empty(subs, dtype=np.float32), np.empty(subs, dtype=np.float32)
    upper, lower = np.empty(subs + 2 * len(pen), dtype=np.float32), np.empty(subs + 2 * len(pen), dtype=np.float32)
    grey, limit = np.float32(trace_grey), np.float32(height)
    before = _FAR
    for s in range(len(strips)):
        strip = strips[s]
        if strip[5] < strip[4]:
            before = _FAR
            continue
        if strip[8] != 0.0 and before < _FAR:
            y = strip[7] + before
            y0, y1 = max(y - mark[1], 0.0), min(y + mark[1], float(height))
            x0, x1 = strip[6] - mark[0], strip[6] + mark[0]
            for c in range(max(math.floor(x0), 0), min(math.ceil(x1), width)):
                along = min(x1, c + 1.0) - max(x0, float(c))
                for r in range(int(y0), min(math.ceil(y1), height)):
                    ink = np.float32(along * (min(y1, r + 1.0) - max(y0, float(r))))
                    paper = np.float32(out[r, c])
                    out[r, c] = np.uint8(paper + ink * (grey - paper) + _HALF)
        before = _FAR
        begin, end = _columns(strip, pen[0], width)
        m = (end - begin) * SUB_COLUMNS
        ours, theirs = top[:m], bottom[:m]
        y_first = _intervals(leads, strip, begin * SUB_COLUMNS, pen, heights, upper, lower, ours, theirs)
        if y_first < _FAR:
            before = np.float32(y_first - strip[7])
        for column in range(begin, end):
            start = (column - begin) * SUB_COLUMNS
            least, most = _FAR, -_FAR
            for j in range(SUB_COLUMNS):
                least = min(least, ours[start + j])
                most = max(most, theirs[start + j])
            for r in range(int(min(max(least, _ZERO), limit)), math.ceil(min(max(most, _ZERO), limit))):
                row = np.float32(r)
                ink = _ZERO
                for j in range(SUB_COLUMNS):
                    ink += min(max(theirs[start + j] - row, _ZERO), _ONE) - min(max(ours[start + j] - row, _ZERO), _ONE)
                paper = np.float32(out[r, column])
                out[r, column] = np.uint8(paper + ink * _SHARE * (grey - paper) + _HALF)


@_quick
def _turn(top: Float32Array, bottom: Float32Array, x: float, step: float, height: int, cos: float, sin: float) -> None:
    """Turn upright intervals of the sheet to where the picture's columns are cut.

    Args:
        top: ``(m,)`` px, from the sheet's upper edge; what lies beyond the sheet is cut. Overwritten.
        bottom: ``(m,)`` px; the same.
        x: Place of the first interval, from the middle of the sheet, px.
        step: From one interval to the next, px.
        height: Of sheet and picture, px.
        cos: Of the angle.
        sin: Of the angle.
    """
    limit, level = np.float32(height), np.float32(0.5 * height * (1.0 - cos) - x * sin)
    scale, slope = np.float32(cos), np.float32(step * sin)
    for j in range(len(top)):
        shift = level - np.float32(j) * slope
        low = min(max(top[j], _ZERO), limit)
        high = max(min(bottom[j], limit), low)
        top[j] = min(max(low * scale + shift, _ZERO), limit)
        bottom[j] = min(max(high * scale + shift, _ZERO), limit)


@_quick
def _deal(
    ink: Float32Array,
    top: Float32Array,
    bottom: Float32Array,
    x: float,
    step: float,
    together: int,
    cos: float,
    tan: float,
) -> None:
    """Deal turned intervals out to the rows of the picture that they cross.

    Args:
        ink: ``(H, W + 2)``, a column wider than the picture on either side; added to.
        top: ``(m,)`` px, from `_turn`.
        bottom: ``(m,)`` px.
        x: Left edge of the first interval, from the middle of the sheet, px.
        step: Width of an interval, px.
        together: Intervals that are moved as one; m is a multiple of it.
        cos: Of the angle.
        tan: Of the angle.
    """
    height, width = ink.shape
    wide = together * step / cos
    share, per_px = np.float32(step / cos), np.float32(1.0 / together)
    left = x / cos + 0.5 * (width - (height - 1) * tan)
    for start in range(0, len(top), together):
        least, most = _FAR, -_FAR
        for j in range(start, start + together):
            least, most = min(least, top[j]), max(most, bottom[j])
        place = left + int(least) * tan
        for r in range(int(least), math.ceil(most)):
            row, amount = np.float32(r), _ZERO
            for j in range(start, start + together):
                amount += min(max(bottom[j] - row, _ZERO), _ONE) - min(max(top[j] - row, _ZERO), _ONE)
            if 0.0 <= place < width - 1:
                c = np.uint32(place)
                over = np.float32(max(place + wide - (c + 1), 0.0)) * per_px
                ink[r, c] += amount * (share - over)
                ink[r, c + 1] += amount * over
            place += tan
        left += wide


@_quick
def _turned_traces(
    ink: Float32Array,
    leads: Float32Array,
    strips: Float64Array,
    pen: Float64Array,
    mark: Float64Array,
    cos: float,
    sin: float,
) -> None:
    """Add the traces of a turned sheet to ``ink``, see `_deal`."""
    height, width = ink.shape[0], ink.shape[1] - 2
    subs = width * SUB_COLUMNS
    heights = np.empty(leads.shape[1] + 2, dtype=np.float32)
    top, bottom = np.empty(subs, dtype=np.float32), np.empty(subs, dtype=np.float32)
    upper, lower = np.empty(subs + 2 * len(pen), dtype=np.float32), np.empty(subs + 2 * len(pen), dtype=np.float32)
    before = _FAR
    for s in range(len(strips)):
        strip = strips[s]
        if strip[5] < strip[4]:
            before = _FAR
            continue
        if strip[8] != 0.0 and before < _FAR:
            y = np.float32(strip[7] + before)
            n = math.ceil(2 * mark[0] * SUB_COLUMNS)
            wide, x = 2 * mark[0] / n, strip[6] - mark[0] - 0.5 * width
            ours, theirs = top[:n], bottom[:n]
            ours[:], theirs[:] = y - np.float32(mark[1]), y + np.float32(mark[1])
            _turn(ours, theirs, x + 0.5 * wide, wide, height, cos, sin)
            _deal(ink, ours, theirs, x, wide, 1, cos, sin / cos)
        begin, end = _columns(strip, pen[0], width)
        m = (end - begin) * SUB_COLUMNS
        ours, theirs = top[:m], bottom[:m]
        y_first = _intervals(leads, strip, begin * SUB_COLUMNS, pen, heights, upper, lower, ours, theirs)
        before = np.float32(y_first - strip[7]) if y_first < _FAR else _FAR
        x, step = begin - 0.5 * width, 1.0 / SUB_COLUMNS
        _turn(ours, theirs, x + 0.5 * step, step, height, cos, sin)
        _deal(ink, ours, theirs, x, step, SUB_COLUMNS // GROUPS, cos, sin / cos)


@_quick
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
    """Draw a turned sheet, background and all.

    Args:
        out: ``(H, W)``, written.
        leads: As for `draw_upright`, as are all arguments up to ``trace_grey``.
        strips: See there.
        pen: See there.
        mark: See there.
        trace_grey: See there.
        angle: Counter-clockwise, radians.
        x_table: See `heartprint.sheets.background.Background`, as are all further arguments.
        y_table: See there.
        steps: Table entries per px.
        margin: Px outside the sheet that the tables cover.
        letters: See there.
        edge: See there.
    """
    height, width = out.shape
    cos, sin = math.cos(angle), math.sin(angle)
    ink = np.zeros((height, width + 2), dtype=np.float32)
    names = np.zeros((height + 2, width + 2), dtype=np.float32)
    _turned_traces(ink, leads, strips, pen, mark, cos, sin)
    for i in range(len(letters)):
        # A letter's point is dealt out to the pixels that a box of half a pixel about it touches.
        x, y = letters[i, 0] - 0.5 * width, letters[i, 1] - 0.5 * height
        px, py = x * cos + y * sin + 0.5 * width + 0.75, y * cos - x * sin + 0.5 * height + 0.75
        if 0.0 <= px < width + 1 and 0.0 <= py < height + 1:
            c, r = int(px), int(py)
            right, below = max(2.0 * (px - c) - 1.0, 0.0), max(2.0 * (py - r) - 1.0, 0.0)
            amount = letters[i, 2]
            names[r, c] += np.float32(amount * (1.0 - right) * (1.0 - below))
            names[r, c + 1] += np.float32(amount * right * (1.0 - below))
            names[r + 1, c] += np.float32(amount * (1.0 - right) * below)
            names[r + 1, c + 1] += np.float32(amount * right * below)
    grey = np.float32(trace_grey)
    level = np.empty(width, dtype=np.float32)
    lines_y, open_y, grid_x = y_table[1], y_table[2], x_table[2]
    dx, dy = np.float32(cos * steps), np.float32(sin * steps)
    for r in range(height):
        from_y = r + 0.5 - 0.5 * height
        # Where the centre of the row's first pixel lies on the sheet; the table is read at the nearest entry.
        x0 = (0.5 - 0.5 * width) * cos - from_y * sin + 0.5 * width
        y0 = (0.5 - 0.5 * width) * sin + from_y * cos + 0.5 * height
        first, last = _inside(x0, cos, edge, width - edge, 0, width)
        first, last = _inside(y0, sin, edge, height - edge, first, last)
        x_at, y_at = np.float32((x0 + margin) * steps + 0.5), np.float32((y0 + margin) * steps + 0.5)
        for c in range(width):
            if first <= c < last:
                continue
            # Beyond the tables' ends there is nothing but white.
            i = min(max(np.int32(x_at + np.float32(c) * dx), 0), x_table.shape[1] - 1)
            k = min(max(np.int32(y_at + np.float32(c) * dy), 0), y_table.shape[1] - 1)
            dark = x_table[0, i] * y_table[0, k] + x_table[1, i] * y_table[1, k] + x_table[2, i] * y_table[2, k]
            level[c] = _WHITE - dark
        for c in range(first, last):
            at_x, at_y = np.uint32(np.int32(x_at + np.float32(c) * dx)), np.uint32(np.int32(y_at + np.float32(c) * dy))
            level[c] = _WHITE - lines_y[at_y] - grid_x[at_x] * open_y[at_y]
        for c in range(width):
            paper = max(level[c], _ZERO) * (_ONE - min(names[r + 1, c + 1], _ONE))
            out[r, c] = np.uint8(paper + min(ink[r, c + 1], _ONE) * (grey - paper) + _HALF)


@_quick
def _inside(start: float, step: float, low: float, high: float, first: int, last: int) -> tuple[int, int]:
    """Of the columns from ``first`` to ``last - 1``, those whose ``start + c step`` lies between low and high."""
    if abs(step) * (last - first) < 1e-6:
        return (first, last) if low < start < high else (first, first)
    a, b = (low - start) / step, (high - start) / step
    if a > b:
        a, b = b, a
    begin = min(max(math.ceil(a), first), last)
    return begin, min(max(math.ceil(b), begin), last)


@_exact
def draw_paper(out: Image, x_table: Float32Array, y_table: Float32Array) -> None:
    """Draw the grid of an upright sheet.

    Args:
        out: ``(H, W)``, written.
        x_table: ``(3, W)``: see `heartprint.sheets.background`; at the middle of each column.
        y_table: ``(3, H)``: the same along y.
    """
    first, second, third = x_table[0], x_table[1], x_table[2]
    for r in range(out.shape[0]):
        row, a, b, c = out[r], y_table[0, r], y_table[1, r], y_table[2, r]
        for k in range(len(row)):
            level = _WHITE - (a * first[k] + b * second[k] + c * third[k])
            row[k] = np.uint8(np.int32(np.rint(max(level, _ZERO))))


@_exact
def print_on(
    out: Image,
    x_table: Float32Array,
    y_table: Float32Array,
    places: npt.NDArray[np.int32],
    covered: Float64Array,
    darkness: float,
) -> None:
    """Print names or texts on a grid that `draw_paper` has drawn; where two meet, the darker one is seen.

    Args:
        out: ``(H, W)``, drawn on.
        x_table: As for `draw_paper`.
        y_table: The same.
        places: ``(k,)`` pixels, counted row after row.
        covered: ``(k,)`` share of each that is printed on.
        darkness: Share of the light that is then lost.
    """
    for i in range(len(places)):
        r, k = places[i] // out.shape[1], places[i] % out.shape[1]
        level = _WHITE - (y_table[0, r] * x_table[0, k] + y_table[1, r] * x_table[1, k] + y_table[2, r] * x_table[2, k])
        left = np.float32(max(level, _ZERO) * (1.0 - darkness * covered[i]))
        out[r, k] = min(np.uint8(np.rint(left)), out[r, k])


@_exact
def subtract_medians(leads: Float32Array, step: int, half: int, out: Float32Array) -> None:
    """Subtract running medians; see `heartprint.sheets.baseline.subtract_median`.

    Args:
        leads: ``(k, n)``, NaN = missing.
        step: Samples from one that counts to the next.
        half: Samples that count on either side of the middle of a window.
        out: ``(k, n)``, written.
    """
    n = leads.shape[1]
    m = (n + step - 1) // step
    window = np.empty(2 * half + 2, dtype=np.float32)
    medians = np.empty(m, dtype=np.float32)
    for lead in range(leads.shape[0]):
        one = leads[lead]
        count = 0  # The window is kept in order: one sample enters, one leaves.
        for i in range(-half, m):
            if i + half < m:
                value = one[(i + half) * step]
                if value == value:
                    j = count
                    while j > 0 and window[j - 1] > value:
                        window[j] = window[j - 1]
                        j -= 1
                    window[j] = value
                    count += 1
            if i - half - 1 >= 0:
                value = one[(i - half - 1) * step]
                if value == value:
                    j = 0
                    while window[j] != value:
                        j += 1
                    count -= 1
                    for k in range(j, count):
                        window[k] = window[k + 1]
            if i >= 0:
                medians[i] = (window[(count - 1) // 2] + window[count // 2]) * _HALF if count else np.float32(np.nan)
        for i in range(m):
            a = medians[i]
            b = medians[min(i + 1, m - 1)]
            if a != a:
                a = b
            if b != b:
                b = a
            for j in range(i * step, min((i + 1) * step, n)):
                out[lead, j] = one[j] - (a + (b - a) * (np.float32(j - i * step) / np.float32(step)))
