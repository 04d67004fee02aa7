"""From eight or twelve leads to a sheet: a grey image at the resolution that is wanted."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float32Array, Float64Array, Image
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.sheets import look
from heartprint.sheets.background import TABLE_MARGIN, TABLE_STEPS, Background, background
from heartprint.sheets.baseline import subtract_median
from heartprint.sheets.layout import Layout
from heartprint.sheets.pose import Pose
from heartprint.sheets.registry import get_layout
from heartprint.sheets.style import ECG_PLOT, Style, get_style, placed
from heartprint.sheets.twins import compiled_or_numpy
from heartprint.signals.leads import LEADS_8, LEADS_12, TWELVE_FROM_EIGHT

SMALLEST_PX, LARGEST_PX = 32, 8192

PLAN_FIELDS = 11
BASELINES = ("none", "median")


def render(
    leads: npt.NDArray[np.floating],
    sampling_rate: float,
    layout: str | Layout = "standard",
    size: int | tuple[int, int] = 300,
    *,
    pose: Pose | None = None,
    baseline: Literal["none", "median"] = "none",
    style: str | Style = ECG_PLOT,
    colour: bool = False,
) -> Image:
    """Draw an ECG as a sheet.

    Args:
        leads: ``(8, n)`` or ``(12, n)`` in mV, in the order of `LEADS_8` or `LEADS_12`; NaN = missing, a gap.
        sampling_rate: Hz.
        layout: Name of a layout, path of a layout's ``.yaml`` file, or a `Layout`.
        size: Side of the image in px, or ``(height, width)``. The sheet is stretched to it.
        pose: How the sheet lies; None = upright.
        baseline: ``"median"`` subtracts a running one-second median from each lead.
        style: Name of a style, or a `Style`.
        colour: Whether to draw red, green and blue instead of their grey (ITU-R BT.601 luma).

    Returns:
        ``(height, width)`` uint8, white = 255, or ``(height, width, 3)`` in colour, a fresh array. What the ECG does
        not have is left blank; what it has beyond the layout's seconds is not drawn; what runs off the sheet is cut,
        and a trace may run over its neighbours, as on paper.

    Raises:
        HeartprintError: ``unknown-layout``, ``unknown-style``, ``bad-size``, ``bad-leads`` or ``unknown-baseline``.
    """
    look_of = get_style(style)
    sheet = placed(get_layout(layout), look_of)
    height, width = checked_size(size)
    signals = prepared(leads, sampling_rate, baseline)
    plan = plan_sheet(sheet, height, width, *signals.shape, float(sampling_rate), look_of.trace_mm)
    if not colour:
        return _draw(signals, plan, background(sheet, height, width, look_of, look.LUMA), pose)
    channels = [background(sheet, height, width, look_of, weights) for weights in CHANNELS]
    return np.stack([_draw(signals, plan, paper, pose) for paper in channels], axis=2)


CHANNELS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
"""What red, green and blue weigh in each of them."""


def prepared(leads: npt.NDArray[np.floating], sampling_rate: float, baseline: str) -> Float32Array:
    """Leads as they are drawn.

    Raises:
        HeartprintError: ``bad-leads`` or ``unknown-baseline``.
    """
    signals = checked_leads(leads, sampling_rate)
    if baseline == "none":
        return signals
    if baseline not in BASELINES:
        raise unknown_name("baseline", str(baseline), BASELINES)
    return subtract_median(signals, sampling_rate)


def _draw(signals: Float32Array, plan: Plan, paper: Background, pose: Pose | None) -> Image:
    """Draw one channel of a sheet."""
    if pose is None or pose.rotation_deg == 0:
        out = paper.image.copy()
        compiled_or_numpy().draw_upright(out, signals, plan.strips, plan.pen, plan.mark, paper.trace_grey)
        return out
    out = np.empty((paper.height, paper.width), dtype=np.uint8)
    compiled_or_numpy().draw_turned(
        out,
        signals,
        plan.strips,
        plan.pen,
        plan.mark,
        paper.trace_grey,
        math.radians(pose.rotation_deg),
        paper.x_table,
        paper.y_table,
        TABLE_STEPS,
        TABLE_MARGIN,
        paper.letters,
        paper.edge_px,
    )
    return out


def draw_ink(
    leads: Float32Array, sampling_rate: float, layout: Layout, height: int, width: int, *, pen_mm: float
) -> Float32Array:
    """Draw the traces alone, without marks between columns.

    Args:
        leads: ``(8 or 12, n)`` mV, NaN = missing.
        sampling_rate: Hz.
        layout: The layout.
        height: Px.
        width: Px.
        pen_mm: Width of the pen.

    Returns:
        ``(height, width)`` ink in 0-1.
    """
    signals = checked_leads(leads, sampling_rate)
    plan = plan_sheet(layout, height, width, *signals.shape, float(sampling_rate), pen_mm)
    strips = plan.strips.copy()
    strips[:, 8] = 0
    out = np.full((height, width), 255, dtype=np.uint8)
    compiled_or_numpy().draw_upright(out, signals, strips, plan.pen, plan.mark, 0.0)
    return (255 - out).astype(np.float32) / np.float32(255)


@dataclass(frozen=True)
class Plan:
    """What the kernel needs to know of a layout at a size, for ECGs of one length and sampling rate.

    Attributes:
        strips: ``(s, 11)``: two rows of the leads and their weights, first and last sample, px of the strip's left end
            and of its baseline, whether a mark stands before it, samples from one sub-column to the next, px per mV.
        pen: ``(h + 2,)``: half the pen's width in sub-columns, then half its height at 0..h sub-columns from its
            middle, px.
        mark: Half-width and half-height of the marks between columns, px.
    """

    strips: Float64Array
    pen: Float64Array
    mark: Float64Array


@functools.lru_cache(maxsize=4096)
def plan_sheet(
    layout: Layout, height: int, width: int, n_leads: int, n_samples: int, sampling_rate: float, pen_mm: float
) -> Plan:
    """Prepare the kernel's tables (see `Plan`)."""
    kx, ky = width / layout.width_mm, height / layout.height_mm
    strips = np.zeros((len(layout.strips), PLAN_FIELDS))
    for row, strip in zip(strips, layout.strips, strict=True):
        # A sample belongs to the strip within whose time it lies; rounding keeps 2.5 s at 500 Hz at sample 1250.
        first = math.ceil(round(strip.start_s * sampling_rate, 6))
        last = math.ceil(round((strip.start_s + strip.duration_s) * sampling_rate, 6)) - 1
        late_mm = (first / sampling_rate - strip.start_s) * strip.speed_mm_per_s
        row[:4] = _lead_rows(strip.lead, n_leads)
        if strip.inverted:
            row[[1, 3]] *= -1.0
        row[4:] = (
            first,
            min(last, n_samples - 1),
            (strip.left_mm + late_mm) * kx,
            strip.baseline_mm * ky,
            strip.divided and layout.separator == "mark",
            sampling_rate / (strip.speed_mm_per_s * kx * look.SUB_COLUMNS),
            ky * strip.gain_mm_per_mv,
        )
    reach = 0.5 * pen_mm * kx * look.SUB_COLUMNS
    taps = np.arange(math.floor(reach) + 1)
    edge = 0.5 * pen_mm * ky * np.sqrt(1 - (taps / reach) ** 2)
    half_pen = 0.5 * pen_mm
    return Plan(
        strips,
        np.concatenate([[reach], edge]),
        np.array([half_pen * kx, (look.MARK_MM + half_pen) * ky]),
    )


def _lead_rows(lead: str, n_leads: int) -> tuple[float, float, float, float]:
    """Two rows of the array and the weights with which they make the lead."""
    if n_leads == len(LEADS_12):
        return LEADS_12.index(lead), 1.0, 0, 0.0
    weights = TWELVE_FROM_EIGHT[LEADS_12.index(lead)]
    rows = [int(r) for r in np.flatnonzero(weights)]
    if len(rows) == 1:
        return rows[0], float(weights[rows[0]]), 0, 0.0
    return rows[0], float(weights[rows[0]]), rows[1], float(weights[rows[1]])


def checked_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width in px.

    Raises:
        HeartprintError: ``bad-size``.
    """
    pair = size if isinstance(size, tuple | list) else (size, size)
    if (
        len(pair) == 2
        and all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in pair)
        and min(pair) >= SMALLEST_PX
        and max(pair) <= LARGEST_PX
    ):
        return int(pair[0]), int(pair[1])
    raise HeartprintError(
        "bad-size", f"A sheet can be {SMALLEST_PX} to {LARGEST_PX} whole px high and wide, not {size!r}."
    )


def checked_leads(leads: npt.NDArray[np.floating], sampling_rate: float) -> Float32Array:
    """Leads as the kernel wants them: float32, contiguous, writable (numba compiles again for others).

    Raises:
        HeartprintError: ``bad-leads``.
    """
    array = np.asarray(leads)
    if array.ndim != 2 or array.shape[0] not in (len(LEADS_8), len(LEADS_12)) or array.dtype.kind not in "fiu":
        raise HeartprintError(
            "bad-leads", f"Leads must be numbers in mV of shape (8, n) or (12, n), not {array.dtype} {array.shape}."
        )
    if not (sampling_rate > 0 and math.isfinite(sampling_rate)):
        raise HeartprintError("bad-leads", f"The sampling rate must be a positive number of Hz, not {sampling_rate}.")
    return np.require(array, dtype=np.float32, requirements=["C", "W"])
