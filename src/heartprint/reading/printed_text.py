"""Printed words on a sheet: names, numbers, dates and bar codes are found and painted over.

A network that learns to know patients again reads a printed name better than any heartbeat. Nothing is recognised here:
whatever looks like a row of five letters or more, or like a bar code, goes, upright or on its side, where no trace is
expected: faint traces fall apart into pieces that look like letters. Names of leads are shorter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Image

Box = tuple[float, float, float, float]

FINEST_PX_PER_MM = 4.0
"""Words are looked for at no more than this."""
LEAST_PX_PER_MM = 1.2
"""Below this no letter can be told from another."""
_BACKGROUND_MM = 2.6
"""Paper is the brightest within this: strokes of letters are thinner, and rules of the grid."""
_INK = 0.42
"""Of the darkness of the darkest ink on the sheet, so dark is ink; a grid is lighter."""
_TALL_MM, _WIDE_MM = (0.8, 6.0), (0.15, 40.0)
"""Sides of a letter, or of some that touch."""
_FILLED = 0.26
"""Letters that touch fill so much of their box; a trace that is as low and as long fills less."""
_BAR_MM = (2.5, 16.0)
_RULE_MM = 18.0
"""A straight line that is longer is ruled."""
_GAP_MM = 1.4
"""Letters of a word, and words of a line, are no farther apart."""
_FEWEST, _SHORTEST_MM = 5, 10.5
"""Letters of a line of text, and its length; names of leads are shorter, large bold ones too."""
_APART = {"text": 2, "bars": 10}
"""So many pieces of ink at least stand apart; fewer, or on its side fewer than `_FEWEST`, may be a piece of a trace."""
_FAINT = 0.5
"""What is tied to a trace by ink of so much less darkness is a part of it."""
_LIKE = 2.5
"""Letters of a line are no more than so many times as tall as the middle one of them."""
_LEVEL = 0.45
"""Most of them end within so much of their height of the line they stand on."""
_MOST = 0.7
_EDGE_MM = 0.4
_ABOVE, _BELOW = 0.14, 0.91
"""Shares of the height above and below which no baseline is expected, where they are not known."""
_REACH = 0.28
"""Of the way from row to row: so far from a baseline letters may stand."""


def without_text(
    sheet: Image, px_per_mm: float, baselines: Sequence[float] | None = None
) -> tuple[Image, tuple[Box, ...]]:
    """Paint over printed words.

    Args:
        sheet: ``(h, w)`` uint8, white = 255: upright.
        px_per_mm: Its px per mm.
        baselines: Heights of the rows on it, px; None = not known: words are then looked for at its upper and lower
            edge alone.

    Returns:
        The sheet, a copy where something was painted over, and the left, top, right and bottom of what was, px.
    """
    if px_per_mm < LEAST_PX_PER_MM:
        return sheet, ()
    k = min(px_per_mm, FINEST_PX_PER_MM)
    small = sheet
    if k < px_per_mm:
        size = (max(round(sheet.shape[1] * k / px_per_mm), 1), max(round(sheet.shape[0] * k / px_per_mm), 1))
        small = np.asarray(cv2.resize(sheet, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    paper = _paper(small, k)
    free = _free(small.shape[0], sheet.shape[0], baselines)
    pieces = _letters(paper, small, k, _INK)
    found = _words(pieces, k, _tied(pieces[0], _letters(paper, small, k, _FAINT * _INK), free))
    if not found:
        return sheet, ()
    out = sheet.copy()
    across, down = sheet.shape[1] / small.shape[1], sheet.shape[0] / small.shape[0]
    boxes = []
    edge = max(round(_EDGE_MM * k), 1)
    for letters in found:
        rows, columns = np.nonzero(letters)
        upper, lower = max(rows.min() - edge, 0), min(rows.max() + 1 + edge, small.shape[0])
        first, last = max(columns.min() - edge, 0), min(columns.max() + 1 + edge, small.shape[1])
        box = (first * across, upper * down, last * across, lower * down)
        left, top, right, bottom = (round(side) for side in box)
        around = paper[max(upper - 4 * edge, 0) : lower + 4 * edge, max(first - 4 * edge, 0) : last + 4 * edge]
        out[top:bottom, left:right] = int(np.percentile(around, 70))
        boxes.append((float(left), float(top), float(right), float(bottom)))
    return out, tuple(boxes)


def _free(height: int, whole: int, baselines: Sequence[float] | None) -> npt.NDArray[np.bool_]:
    """``(height,)``: whether words may stand there."""
    y = (np.arange(height) + 0.5) / height
    if baselines is None:
        return (y < _ABOVE) | (y > _BELOW)
    rows = np.unique(baselines) / whole
    gap = float(np.diff(rows).min()) if len(rows) > 1 else 0.5
    return np.asarray((np.abs(y[:, None] - rows) > _REACH * gap).all(axis=1))


def _paper(sheet: Image, k: float) -> Image:
    """How bright the paper is everywhere."""
    closed = cv2.morphologyEx(sheet, cv2.MORPH_CLOSE, _rectangle(_BACKGROUND_MM * k, _BACKGROUND_MM * k))
    return np.asarray(cv2.blur(closed, _size(2 * _BACKGROUND_MM * k, 2 * _BACKGROUND_MM * k)), dtype=np.uint8)


def _letters(paper: Image, sheet: Image, k: float, least: float) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """``(h, w)`` numbers of all pieces of ink, 0 = none, and ``(n, 5)`` left, top, width, height, area of each.

    ``least``: how dark ink is, as a share of the darkest.
    """
    dark = cv2.subtract(paper, sheet)
    most = float(np.percentile(dark[:: max(int(k), 1)], 99.7))
    ink = np.asarray(dark > max(least * most, 12.0), dtype=np.uint8)
    # The rules of a dark grid would tie all letters together.
    across, down = (
        np.asarray(cv2.morphologyEx(ink, cv2.MORPH_OPEN, rule), dtype=np.uint8)
        for rule in (_rectangle(_RULE_MM * k, 1), _rectangle(1, _RULE_MM * k))
    )
    ink = ink & ~across & ~down
    # A faint trace falls apart into pieces end to end; letters stand apart.
    whole = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((2, 2), dtype=np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=8)
    return labels.astype(np.int32), stats.astype(np.int32)


Pieces = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]


def _tied(labels: npt.NDArray[np.int32], faint: Pieces, free: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """``(n,)``: which pieces of ink reach, by fainter ink, to where words do not stand."""
    faint_labels, stats = faint
    barred = np.concatenate([[0], np.cumsum(~free)])
    reaches = barred[stats[:, 1] + stats[:, 3]] > barred[stats[:, 1]]
    reaches[0] = False
    tied = np.zeros(int(labels.max()) + 1, dtype=bool)
    tied[np.unique(labels[reaches[faint_labels]])] = True
    return tied


def _words(pieces: Pieces, k: float, taken: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.bool_]]:
    """Masks of the lines of text and the bar codes of pieces that are not ``taken``."""
    labels, stats = pieces
    found = []
    taken = taken.copy()
    for kind, upright in (("bars", True), ("bars", False), ("text", True), ("text", False)):
        wide, tall = (stats[:, 2] / k, stats[:, 3] / k) if upright else (stats[:, 3] / k, stats[:, 2] / k)
        if kind == "text":
            filled = stats[:, 4] / np.maximum(stats[:, 2] * stats[:, 3], 1)
            likely = (tall >= _TALL_MM[0]) & (tall <= _TALL_MM[1]) & (wide >= _WIDE_MM[0]) & (wide <= _WIDE_MM[1])
            likely &= (wide <= 1.3 * tall) | (filled >= _FILLED)
        else:
            likely = (tall >= _BAR_MM[0]) & (tall <= _BAR_MM[1]) & (wide <= 3.0) & (tall > 2 * wide)
        likely &= ~taken
        likely[0] = False
        apart = (_GAP_MM if kind == "text" else 2 * _GAP_MM) * 2 * k
        gap = _rectangle(apart, 1.0) if upright else _rectangle(1.0, apart)
        joined = cv2.morphologyEx(likely[labels].astype(np.uint8), cv2.MORPH_CLOSE, gap)
        _, groups = cv2.connectedComponents(joined, connectivity=8)
        for members in _members(groups.astype(np.int32), labels, likely):
            heights = tall[members]
            middle = float(np.median(heights))
            near = members[(heights <= _LIKE * middle) & (heights >= middle / _LIKE)]
            # Letters that touch count for what they are wide.
            if len(near) < max(_APART[kind], 0 if upright else _FEWEST):
                continue
            letters = np.maximum(wide[near] / (0.7 * middle), 1.0).sum()
            if letters < _FEWEST:
                continue
            stands = (stats[near, 1] + stats[near, 3] if upright else stats[near, 0] + stats[near, 2]) / k
            if (np.abs(stands - np.median(stands)) <= _LEVEL * middle).mean() < _MOST:
                continue
            first, length = (0, 2) if upright else (1, 3)
            begin, end = stats[near, first].min(), (stats[near, first] + stats[near, length]).max()
            if (end - begin) / k < _SHORTEST_MM:
                continue
            taken[near] = True
            found.append(np.isin(labels, near))
    return found


def _members(
    groups: npt.NDArray[np.int32], labels: npt.NDArray[np.int32], likely: npt.NDArray[np.bool_]
) -> Iterator[npt.NDArray[np.intp]]:
    """The letters of each group."""
    at = likely[labels]
    pairs = np.unique(np.stack([groups[at], labels[at]]), axis=1)
    for number in np.unique(pairs[0]):
        yield pairs[1][pairs[0] == number].astype(np.intp)


def _size(wide: float, high: float) -> tuple[int, int]:
    return max(round(wide) | 1, 1), max(round(high) | 1, 1)


def _rectangle(wide: float, high: float) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_RECT, _size(wide, high)), dtype=np.uint8)
