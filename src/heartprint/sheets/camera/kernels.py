"""What touches every pixel, compiled with numba: mapping, paper, desk and light in one pass, the sensor in another.

The mapping and the light are smooth. They are computed at nodes some pixels apart and are linear between them, which
makes the inner loop two additions and a fetch.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float32Array, Float64Array, Image
from heartprint.foundation.compiled import numba
from heartprint.sheets.camera.tiles import TILE, UNIT

Bytes = npt.NDArray[np.int8]

STEP = 8
"""Px between nodes."""

EDGE_SHADOW = 0.03
"""How far the paper's shadow on the desk reaches, sheet heights."""

_MASK = TILE - 1
_FAR = np.float32(1e9)
_PER_UNIT = np.float32(1.0 / UNIT)
_ONE, _HALF, _ZERO, _WHITE = np.float32(1.0), np.float32(0.5), np.float32(0.0), np.float32(255.0)

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def survey(
    height: int,
    width: int,
    source_height: int,
    source_width: int,
    to_paper: Float64Array,
    aspect: float,
    waves: Float64Array,
    ridges: Float64Array,
    slopes: Float64Array,
    shadows: Float64Array,
    blobs: Float64Array,
    nodes: Float32Array,
) -> None:
    """Compute mapping and light at the nodes.

    Args:
        height: Of the picture, px.
        width: Of the picture, px.
        source_height: Of the sheet as drawn, px.
        source_width: Of the sheet as drawn, px.
        to_paper: See `Mapping`.
        aspect: See `Mapping`.
        waves: See `Mapping`.
        ridges: See `Mapping`.
        slopes: ``(k, 7)``: direction x and y, depth, vignette, angular frequency x and y, phase: light that falls off.
        shadows: ``(k, 5)``: normal x and y, distance, softness, depth: straight edges of shadow.
        blobs: ``(k, 7)``: centre x and y, radius x and y, cosine and sine of the turn, strength: glare above 0,
            shadow below.
        nodes: ``(4, rows, columns)`` written: x and y on the sheet as drawn, px; the light's factor; the share of the
            way to white that glare adds.
    """
    for j in range(nodes.shape[1]):
        fy = j * STEP / height - 0.5
        for i in range(nodes.shape[2]):
            fx = i * STEP / width - 0.5
            x, y = fx * aspect, fy
            w = to_paper[2, 0] * x + to_paper[2, 1] * y + to_paper[2, 2]
            p = (to_paper[0, 0] * x + to_paper[0, 1] * y + to_paper[0, 2]) / w
            q = (to_paper[1, 0] * x + to_paper[1, 1] * y + to_paper[1, 2]) / w
            u, v, gain, lift = p, q, 1.0, 0.0
            for k in range(len(waves)):
                swing = math.sin(waves[k, 2] * p + waves[k, 3] * q + waves[k, 4])
                u += waves[k, 0] * swing
                v += waves[k, 1] * swing
            for k in range(len(ridges)):
                side = ridges[k, 0] * p + ridges[k, 1] * q - ridges[k, 2]
                tent = 1.0 - abs(side) / ridges[k, 3]
                if tent > 0.0:
                    u += ridges[k, 4] * tent
                    v += ridges[k, 5] * tent
                    gain *= 1.0 + ridges[k, 6] * tent * min(max(side / 0.01, -1.0), 1.0)
            for k in range(len(slopes)):
                fall = 0.5 + 0.7 * (slopes[k, 0] * fx + slopes[k, 1] * fy)
                fall += slopes[k, 3] * (fx * fx + fy * fy)
                fall += 0.12 * math.sin(slopes[k, 4] * fx + slopes[k, 5] * fy + slopes[k, 6])
                gain *= 1.0 - slopes[k, 2] * min(max(fall, 0.0), 1.3)
            for k in range(len(shadows)):
                s = (shadows[k, 0] * fx + shadows[k, 1] * fy - shadows[k, 2]) / shadows[k, 3] + 0.5
                s = min(max(s, 0.0), 1.0)
                gain *= 1.0 - shadows[k, 4] * s * s * (3.0 - 2.0 * s)
            for k in range(len(blobs)):
                dx, dy = (fx - blobs[k, 0]) * aspect, fy - blobs[k, 1]
                a = (blobs[k, 4] * dx + blobs[k, 5] * dy) / blobs[k, 2]
                b = (blobs[k, 4] * dy - blobs[k, 5] * dx) / blobs[k, 3]
                inside = 1.0 - a * a - b * b
                if inside > 0.0:
                    strength = blobs[k, 6] * inside * inside
                    if strength > 0.0:
                        lift = 1.0 - (1.0 - lift) * (1.0 - min(strength, 1.0))
                    else:
                        gain *= 1.0 + strength
            nodes[0, j, i] = (u / aspect + 0.5) * source_width
            nodes[1, j, i] = (v + 0.5) * source_height
            nodes[2, j, i] = gain
            nodes[3, j, i] = lift


@_compiled
def _fetch(source: Image, x: np.float32, y: np.float32) -> np.float32:
    """Interpolate between the four nearest pixels; the outermost continue for ever."""
    height, width = source.shape
    x = min(max(x - _HALF, _ZERO), np.float32(width - 1))
    y = min(max(y - _HALF, _ZERO), np.float32(height - 1))
    i, j = min(int(x), width - 2), min(int(y), height - 2)
    fx, fy = x - np.float32(i), y - np.float32(j)
    top = np.float32(source[j, i]) * (_ONE - fx) + np.float32(source[j, i + 1]) * fx
    low = np.float32(source[j + 1, i]) * (_ONE - fx) + np.float32(source[j + 1, i + 1]) * fx
    return top + (low - top) * fy


@_compiled
def _beyond(
    source: Image,
    us: Float32Array,
    vs: Float32Array,
    first: int,
    end: int,
    ink_x: Float32Array,
    ink_y: Float32Array,
    edge: Float32Array,
    blank: Image,
    cell: Float32Array,
    desk: Image,
    desk_row: int,
    pace: np.float32,
    greys: Float32Array,
    papers: Float32Array,
    shade: np.float32,
) -> None:
    """Find what is seen where the drawn sheet may have ended: the sheet, its margin or the desk; see `expose`."""
    height, width = source.shape
    wide, high = np.float32(width), np.float32(height)
    reach = np.float32(EDGE_SHADOW) * high
    for k in range(first, end):
        x, y = us[k], vs[k]
        inside = _FAR
        if len(desk) > 0:
            # Px on the drawn sheet between here and the paper's edge; a pixel of the picture covers about two.
            inside = min(min(x - edge[0], edge[2] - x), min(y - edge[1], edge[3] - y))
        grey = _WHITE
        papers[k] = _ONE
        if inside > -_ONE:
            if x >= _ZERO and y >= _ZERO and x <= wide and y <= high:
                grey = _fetch(source, x, y)
            elif len(blank) > 0:
                gx = cell[0] + x - cell[2] * np.float32(math.floor(x / cell[2]))
                gy = cell[1] + y - cell[3] * np.float32(math.floor(y / cell[3]))
                grey = _fetch(blank, gx, gy)
            c, r = min(max(int(x - _HALF), 0), width - 1), min(max(int(y - _HALF), 0), height - 1)
            grey = _WHITE - (_WHITE - grey) * (ink_x[c] * ink_y[r])
        if inside < _ONE:
            near = max(_ZERO, _ONE + min(inside, _ZERO) / reach)
            wood = np.float32(desk[desk_row, int(np.float32(k) * pace) & _MASK]) * (_ONE - shade * near * near)
            share = min(max(_HALF + _HALF * inside, _ZERO), _ONE)
            grey = wood + (grey - wood) * share
            papers[k] = share
        greys[k] = grey


@_compiled
def expose(
    source: Image,
    nodes: Float32Array,
    ink_x: Float32Array,
    ink_y: Float32Array,
    edge: Float32Array,
    blank: Image,
    cell: Float32Array,
    desk: Image,
    pace: np.float32,
    textures: Bytes,
    kinds: npt.NDArray[np.int64],
    strengths: Float32Array,
    starts: npt.NDArray[np.int64],
    tint: np.float32,
    desk_bare: bool,
    shade: np.float32,
    out: Image,
) -> None:
    """Fetch every pixel of the picture through the mapping and light it.

    Args:
        source: ``(h, w)`` the sheet as drawn.
        nodes: See `survey`.
        ink_x: ``(w,)`` how much of the ink each column of the sheet got, 0-1.
        ink_y: ``(h,)`` how much each row got.
        edge: Left, upper, right, lower edge of the paper on the sheet as drawn, px.
        blank: A sheet without ECG, of which the margin is made; ``(0, 0)``: the margin is white.
        cell: Left, upper, width, height of the cell of ``blank`` that repeats in the margin, px.
        desk: ``(512, 512)``, or ``(0, 0)``: the paper has no end.
        pace: Px of the desk per px of the picture.
        textures: ``(n, 512, 512)`` what the light does on papers, standard deviation `UNIT`.
        kinds: ``(k,)`` which textures this paper has.
        strengths: ``(k,)`` how much of each.
        starts: ``(k, 2)`` where each texture is cropped: row, column.
        tint: Factor.
        desk_bare: Whether the desk is spared the textures.
        shade: How much of the light the desk loses at the paper's edge.
        out: ``(H, W)`` written.
    """
    height, width = out.shape
    source_height, source_width = source.shape
    columns = nodes.shape[2]
    flat = source.reshape(-1)
    # One row of nodes and one of pixels at a time: the loops over a row are simple enough for the compiler to take
    # eight pixels at once.
    node = np.empty((4, columns), dtype=np.float32)
    padded = (columns - 1) * STEP
    us, vs = np.empty(padded, dtype=np.float32), np.empty(padded, dtype=np.float32)
    gains, lifts = np.empty(padded, dtype=np.float32), np.zeros(padded, dtype=np.float32)
    greys, papers = np.empty(padded, dtype=np.float32), np.ones(padded, dtype=np.float32)
    glare, badly = nodes[3].max() > _ZERO, min(ink_x.min(), ink_y.min()) < _ONE
    left, top = max(edge[0], _ZERO) + _ONE, max(edge[1], _ZERO) + _ONE
    right = min(edge[2], np.float32(source_width)) - _ONE
    bottom = min(edge[3], np.float32(source_height)) - _ONE
    for y in range(height):
        j = y // STEP
        b = np.float32((y - j * STEP + 0.5) / STEP)
        for k in range(4 if glare else 3):
            _blend(nodes[k, j], nodes[k, j + 1], b, node[k])
        _between(node[0], us)
        _between(node[1], vs)
        _between(node[2], gains)
        if glare:
            _between(node[3], lifts)
        begin, desk_row = 0, int(y * pace) & _MASK
        for i in range(columns):
            # Coordinates are linear within a cell, so its ends say whether all of it is safely on the sheet.
            safe = (
                i < columns - 1
                and min(node[0, i], node[0, i + 1]) >= left
                and max(node[0, i], node[0, i + 1]) < right
                and min(node[1, i], node[1, i + 1]) >= top
                and max(node[1, i], node[1, i + 1]) < bottom
            )
            if safe:
                continue
            # A run of safe cells has ended before this one.
            first, end = min(i * STEP, width), min(i * STEP + STEP, width)
            if begin < first:
                _inside(flat, source_width, us, vs, ink_x, ink_y, badly, begin, first, greys)
                if desk_bare:
                    papers[begin:first] = _ONE
            _beyond(
                source, us, vs, first, end, ink_x, ink_y, edge, blank, cell, desk, desk_row, pace, greys, papers, shade
            )
            begin = first + STEP
        for k in range(len(strengths)):
            grown, start = textures[kinds[k], (y + starts[k, 0]) & _MASK], starts[k, 1] & _MASK
            x = 0
            while x < width:
                run = min(width - x, TILE - start)
                strength = strengths[k] * _PER_UNIT
                if desk_bare:
                    _vary_paper(gains[x : x + run], grown[start : start + run], strength, papers[x : x + run])
                else:
                    _vary(gains[x : x + run], grown[start : start + run], strength)
                x, start = x + run, 0
        _brighten(greys, gains, lifts, tint, out[y])


@_compiled
def _blend(above: Float32Array, below: Float32Array, b: np.float32, out: Float32Array) -> None:
    """Interpolate one row between two rows of nodes."""
    for i in range(len(out)):
        out[i] = above[i] + (below[i] - above[i]) * b


@_compiled
def _between(node: Float32Array, out: Float32Array) -> None:
    """Fill the pixels between nodes linearly; values are taken at the pixels' centres."""
    for i in range(len(node) - 1):
        start, rise = node[i], (node[i + 1] - node[i]) * np.float32(1.0 / STEP)
        for k in range(STEP):
            out[i * STEP + k] = start + rise * (np.float32(k) + _HALF)


@_compiled
def _inside(
    flat: Image,
    stride: int,
    us: Float32Array,
    vs: Float32Array,
    ink_x: Float32Array,
    ink_y: Float32Array,
    badly: bool,
    first: int,
    end: int,
    greys: Float32Array,
) -> None:
    """Interpolate between the four nearest pixels of the sheet, where all four are there."""
    # Unsigned, so that no thought is given to negative indices.
    wide, one = np.uint32(stride), np.uint32(1)
    for x in range(np.uint32(first), np.uint32(end)):
        u, v = us[x] - _HALF, vs[x] - _HALF
        c, r = np.uint32(np.int32(u)), np.uint32(np.int32(v))
        fu, fv = u - np.float32(np.int32(u)), v - np.float32(np.int32(v))
        at = r * wide + c
        below = at + wide
        a, b = np.float32(flat[at]), np.float32(flat[at + one])
        high = a + (b - a) * fu
        a, b = np.float32(flat[below]), np.float32(flat[below + one])
        grey = high + (a + (b - a) * fu - high) * fv
        greys[x] = _WHITE - (_WHITE - grey) * (ink_x[c] * ink_y[r]) if badly else grey


@_compiled
def _vary(gains: Float32Array, grown: Bytes, strength: np.float32) -> None:
    """Multiply one row of a texture into the light."""
    for x in range(len(gains)):
        gains[x] *= _ONE + strength * np.float32(grown[x])


@_compiled
def _vary_paper(gains: Float32Array, grown: Bytes, strength: np.float32, papers: Float32Array) -> None:
    """`_vary` as far as there is paper."""
    for x in range(len(gains)):
        gains[x] *= _ONE + strength * np.float32(grown[x]) * papers[x]


@_compiled
def _brighten(greys: Float32Array, gains: Float32Array, lifts: Float32Array, tint: np.float32, out: Image) -> None:
    """Light one row of pixels and round it."""
    for x in range(len(out)):
        grey = greys[x] * (gains[x] * tint)
        grey += lifts[x] * (_WHITE - grey)
        # By way of 32 bits, for which there is a vector instruction.
        out[x] = np.uint8(np.int32(min(max(grey, _ZERO), _WHITE) + _HALF))


@_compiled
def sense(
    picture: Image, tone: Float32Array, noise: Float32Array, grain: Bytes, start_row: int, start_column: int, out: Image
) -> None:
    """Turn light into numbers: tone curve and noise.

    Args:
        picture: ``(H, W)``.
        tone: ``(256,)`` level of each level.
        noise: ``(256,)`` standard deviation of the noise at each level.
        grain: ``(512, 512)`` noise of standard deviation `UNIT`.
        start_row: Where the grain is cropped.
        start_column: Where the grain is cropped.
        out: ``(H, W)`` written; may be ``picture``.
    """
    width = picture.shape[1]
    scaled = noise * _PER_UNIT
    for y in range(picture.shape[0]):
        row, start = grain[(y + start_row) & _MASK], start_column & _MASK
        x = 0
        while x < width:
            run = min(width - x, TILE - start)
            _sense_run(picture[y, x : x + run], tone, scaled, row[start : start + run], out[y, x : x + run])
            x, start = x + run, 0


@_compiled
def _sense_run(picture: Image, tone: Float32Array, noise: Float32Array, grain: Bytes, out: Image) -> None:
    for x in range(len(picture)):
        level = picture[x]
        grey = tone[level] + noise[level] * np.float32(grain[x])
        out[x] = np.uint8(np.int32(min(max(grey, _ZERO), _WHITE) + _HALF))


@_compiled
def interfere(
    picture: Image, cos_x: Float32Array, sin_x: Float32Array, cos_y: Float32Array, sin_y: Float32Array
) -> None:
    """Multiply stripes into a picture, in place.

    The stripes are cosines of a function of x plus a function of y, and so products of functions of one axis.

    Args:
        picture: ``(H, W)``.
        cos_x: ``(k, W)`` for each system of stripes; its strength is in here.
        sin_x: ``(k, W)`` likewise.
        cos_y: ``(k, H)``.
        sin_y: ``(k, H)``.
    """
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            factor = _ONE
            for k in range(len(cos_x)):
                factor += cos_x[k, x] * cos_y[k, y] - sin_x[k, x] * sin_y[k, y]
            grey = np.float32(picture[y, x]) * factor
            picture[y, x] = np.uint8(np.int32(min(max(grey, _ZERO), _WHITE) + _HALF))


@_compiled
def soak(
    image: Image, stain: Float32Array, centre_x: float, centre_y: float, radius_x: float, radius_y: float, c: float
) -> None:
    """Multiply a stain into an image, in place.

    Args:
        image: ``(h, w)``.
        stain: ``(s, s)`` 0-1.
        centre_x: Px.
        centre_y: Px.
        radius_x: Px.
        radius_y: Px.
        c: Strength: share of the light that the stain's darkest place swallows.
    """
    height, width = image.shape
    side = len(stain)
    for y in range(max(int(centre_y - radius_y), 0), min(int(centre_y + radius_y) + 1, height)):
        j = int((y + 0.5 - centre_y + radius_y) / (2.0 * radius_y) * side)
        if j < 0 or j >= side:
            continue
        for x in range(max(int(centre_x - radius_x), 0), min(int(centre_x + radius_x) + 1, width)):
            i = int((x + 0.5 - centre_x + radius_x) / (2.0 * radius_x) * side)
            if 0 <= i < side:
                image[y, x] = np.uint8(image[y, x] * (1.0 - c * stain[j, i]) + 0.5)


@_compiled
def shine_through(image: Image, strength: float) -> None:
    """Darken an image by its own mirror image, in place: the next sheet's print, seen through the paper."""
    height, width = image.shape
    for y in range(height):
        for x in range((width + 1) // 2):
            a, b = float(image[y, x]), float(image[y, width - 1 - x])
            image[y, x] = np.uint8(a * (1.0 - strength * (255.0 - b) / 255.0) + 0.5)
            image[y, width - 1 - x] = np.uint8(b * (1.0 - strength * (255.0 - a) / 255.0) + 0.5)


@_compiled
def crease(image: Image, x0: float, y0: float, x1: float, y1: float, width: float, strength: float) -> None:
    """Lighten or darken an image along a straight line, in place: the broken fibres of a fold.

    Args:
        image: ``(h, w)``.
        x0: Px; like the others.
        y0: Px.
        x1: Px.
        y1: Px.
        width: Half-width of the line, px.
        strength: Above 0 towards white, below 0 towards black.
    """
    height, across = image.shape
    length = math.hypot(x1 - x0, y1 - y0)
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    upright = abs(dy) > abs(dx)
    reach = math.ceil(width * 1.5) + 1
    for t in range(height if upright else across):
        middle = x0 + (t + 0.5 - y0) * dx / dy if upright else y0 + (t + 0.5 - x0) * dy / dx
        for s in range(max(int(middle) - reach, 0), min(int(middle) + reach + 1, across if upright else height)):
            share = 1.0 - abs((s + 0.5 - middle) * (dy if upright else dx)) / width
            if share > 0.0:
                y, x = (t, s) if upright else (s, t)
                goal = 255.0 if strength > 0.0 else 0.0
                image[y, x] = np.uint8(image[y, x] + (goal - image[y, x]) * abs(strength) * share + 0.5)
