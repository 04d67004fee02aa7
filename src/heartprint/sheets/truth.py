"""The truth about a sheet, which the drawing has for nothing: whose ink lies where, and at what height, in pixels."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float32Array, Float64Array, Image
from heartprint.sheets import look
from heartprint.sheets.background import TABLE_MARGIN, TABLE_STEPS, name_pictures
from heartprint.sheets.layout import Layout
from heartprint.sheets.pose import Pose
from heartprint.sheets.raster import Plan, checked_size, plan_sheet, prepared, render
from heartprint.sheets.registry import get_layout
from heartprint.sheets.style import ECG_PLOT, Style, get_style, placed
from heartprint.sheets.twins import compiled_or_numpy
from heartprint.signals.leads import LEADS_12

Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """What a sheet shows.

    Places are in px of the picture: x to the right, y down, (0, 0) at the upper left corner of the upper left pixel,
    so that pixel (row, column) has its centre at (column + 0.5, row + 0.5).

    Attributes:
        layout: The image as it was drawn, in mm: the layout with the style's margin, pulses and names.
        leads: ``s`` names, one for each strip, in the layout's order.
        masks: ``(s, H, W)`` bool: pixels in which a strip's trace has ink.
        traces: For each strip ``(m, 2)`` float64: x and y of each of its samples, NaN where the ECG has a gap. What
            runs off the picture has its place outside of it.
        heights: ``(s, W)`` float64: y of each strip's trace at the middle of each column of pixels, NaN where there is
            none; the mean, where a steep flank of a turned sheet passes a column more than once.
        strips: ``(s, 4, 2)`` float64: corners of each strip's box, clockwise from the upper left one. It reaches
            halfway to the neighbouring rows.
        names: ``(s, 4, 2)`` float64: the same of each printed name; NaN where a strip has none.
        px_per_mm: Along the width and along the height of the paper.
        px_per_s: ``(s,)`` along the width of the paper.
        px_per_mv: ``(s,)`` along the height of the paper; negative for a lead that is shown upside down.
        to_picture: ``(2, 3)``: (x, y) in the picture = this @ (x, y, 1), x and y in mm of the paper.
    """

    layout: Layout
    leads: tuple[str, ...]
    masks: Masks
    traces: tuple[Float64Array, ...]
    heights: Float64Array
    strips: Float64Array
    names: Float64Array
    px_per_mm: tuple[float, float]
    px_per_s: Float64Array
    px_per_mv: Float64Array
    to_picture: Float64Array

    @property
    def lead_masks(self) -> Masks:
        """``(12, H, W)`` bool in `LEADS_12` order: pixels in which a lead has ink in any strip."""
        out = np.zeros((len(LEADS_12), *self.masks.shape[1:]), dtype=np.bool_)
        for lead, mask in zip(self.leads, self.masks, strict=True):
            out[LEADS_12.index(lead)] |= mask
        return out


def boxes(corners: Float64Array) -> Float64Array:
    """Upright boxes about corners.

    Args:
        corners: ``(..., 4, 2)``.

    Returns:
        ``(..., 4)``: least x, least y, greatest x, greatest y.
    """
    return np.concatenate([corners.min(axis=-2), corners.max(axis=-2)], axis=-1)


def render_with_truth(
    leads: npt.NDArray[np.floating],
    sampling_rate: float,
    layout: str | Layout = "standard",
    size: int | tuple[int, int] = 300,
    *,
    pose: Pose | None = None,
    baseline: Literal["none", "median"] = "none",
    style: str | Style = ECG_PLOT,
    colour: bool = False,
) -> tuple[Image, Truth]:
    """Draw an ECG as a sheet and tell what lies where on it.

    Arguments as for `heartprint.sheets.render`.

    Returns:
        The sheet that `render` draws, to the byte, and the truth about it.

    Raises:
        HeartprintError: As `render` does.
    """
    image = render(leads, sampling_rate, layout, size, pose=pose, baseline=baseline, style=style, colour=colour)
    height, width = checked_size(size)
    look_of = get_style(style)
    sheet = placed(get_layout(layout), look_of)
    signals = prepared(leads, sampling_rate, baseline)
    plan = plan_sheet(sheet, height, width, *signals.shape, float(sampling_rate), look_of.trace_mm)
    turn = _turn(height, width, pose)
    kx, ky = width / sheet.width_mm, height / sheet.height_mm
    traces = tuple(_moved(_trace(signals, strip), turn) for strip in plan.strips)
    return image, Truth(
        layout=sheet,
        leads=tuple(strip.lead for strip in sheet.strips),
        masks=np.stack([_ink(signals, plan, k, height, width, pose) for k in range(len(sheet.strips))]),
        traces=traces,
        heights=np.stack([_heights(trace, width) for trace in traces]),
        strips=_moved(_strip_corners(sheet) * (kx, ky), turn),
        names=_moved(_name_corners(sheet) * (kx, ky), turn),
        px_per_mm=(kx, ky),
        px_per_s=np.array([kx * strip.speed_mm_per_s for strip in sheet.strips]),
        px_per_mv=np.array([ky * strip.gain_mm_per_mv * (-1 if strip.inverted else 1) for strip in sheet.strips]),
        to_picture=turn @ np.diag([kx, ky, 1.0]),
    )


def _turn(height: int, width: int, pose: Pose | None) -> Float64Array:
    """``(2, 3)``: from the upright sheet to the picture, both in px."""
    angle = math.radians(pose.rotation_deg) if pose is not None else 0.0
    linear = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    centre = np.array([0.5 * width, 0.5 * height])
    return np.column_stack([linear, centre - linear @ centre])


def _moved(points: Float64Array, by: Float64Array) -> Float64Array:
    return np.asarray(points @ by[:, :2].T + by[:, 2])


def _trace(signals: Float32Array, strip: Float64Array) -> Float64Array:
    """Places of a strip's samples on the upright sheet; ``strip`` is a row of the plan's table."""
    first, last = int(strip[4]), int(strip[5])
    if last < first:
        return np.empty((0, 2))
    millivolts = strip[1] * signals[int(strip[0]), first : last + 1].astype(np.float64)
    if strip[3]:
        millivolts += strip[3] * signals[int(strip[2]), first : last + 1]
    px_per_sample = 1.0 / (strip[9] * look.SUB_COLUMNS)
    return np.column_stack([strip[6] + np.arange(len(millivolts)) * px_per_sample, strip[7] - strip[10] * millivolts])


def _heights(trace: Float64Array, width: int) -> Float64Array:
    """Mean height at which a trace passes the middle of each column."""
    (x0, y0), (x1, y1) = trace[:-1].T, trace[1:].T
    ok = np.isfinite(y0) & np.isfinite(y1) & (x0 != x1)
    x0, y0, x1, y1 = x0[ok], y0[ok], x1[ok], y1[ok]
    # Columns whose middle lies in [least x, greatest x) of each piece of the trace.
    first = np.clip(np.ceil(np.minimum(x0, x1) - 0.5), 0, width).astype(int)
    after = np.clip(np.ceil(np.maximum(x0, x1) - 0.5), 0, width).astype(int)
    count = np.maximum(after - first, 0)
    piece = np.repeat(np.arange(len(count)), count)
    column = np.repeat(first, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    y = y0[piece] + (y1[piece] - y0[piece]) * (column + 0.5 - x0[piece]) / (x1[piece] - x0[piece])
    passes = np.bincount(column, minlength=width)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(column, weights=y, minlength=width) / np.where(passes, passes, np.nan))


def _ink(signals: Float32Array, plan: Plan, number: int, height: int, width: int, pose: Pose | None) -> Masks:
    """Where one strip has ink, without the mark before it."""
    strips = plan.strips[number : number + 1].copy()
    strips[:, 8] = 0
    kernel = compiled_or_numpy()
    if pose is None or pose.rotation_deg == 0:
        out = np.full((height, width), 255, dtype=np.uint8)
        kernel.draw_upright(out, signals, strips, plan.pen, plan.mark, 0.0)
    else:
        out = np.empty((height, width), dtype=np.uint8)
        blank_x, blank_y = (
            np.zeros((3, (n + 2 * TABLE_MARGIN) * TABLE_STEPS + 1), dtype=np.float32) for n in (width, height)
        )
        kernel.draw_turned(
            out,
            signals,
            strips,
            plan.pen,
            plan.mark,
            0.0,
            math.radians(pose.rotation_deg),
            blank_x,
            blank_y,
            TABLE_STEPS,
            TABLE_MARGIN,
            np.empty((0, 3), dtype=np.float32),
            0.0,
        )
    return out < 255


def _strip_corners(layout: Layout) -> Float64Array:
    """``(s, 4, 2)`` in mm of the upright sheet; a box reaches halfway to the rows above and below."""
    rows = sorted({strip.baseline_mm for strip in layout.strips})
    edges = [0.0, *((a + b) / 2 for a, b in itertools.pairwise(rows)), layout.height_mm]
    # The outer rows reach as far outwards as inwards, so that no box covers a margin.
    if len(rows) > 1:
        edges[0] = max(0.0, 2 * rows[0] - edges[1])
        edges[-1] = min(layout.height_mm, 2 * rows[-1] - edges[-2])
    found = []
    for strip in layout.strips:
        row = rows.index(strip.baseline_mm)
        found.append(_corners(strip.left_mm, edges[row], strip.right_mm, edges[row + 1]))
    return np.array(found)


def _name_corners(layout: Layout) -> Float64Array:
    out = np.full((len(layout.strips), 4, 2), np.nan)
    for number, picture in name_pictures(layout):
        down, along = (np.flatnonzero(picture.coverage.any(axis=axis)) / picture.fineness for axis in (1, 0))
        x_mm, y_mm, pixel = picture.left_mm, picture.top_mm, 1.0 / picture.fineness
        out[number] = _corners(x_mm + along[0], y_mm + down[0], x_mm + along[-1] + pixel, y_mm + down[-1] + pixel)
    return out


def _corners(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
