"""From eight or twelve leads to a sheet: a grey image at the resolution that is wanted."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.leads import LEADS_12, twelve_leads
from heartprint.foundation.errors import HeartprintError
from heartprint.sheets.background import LINE_MM, TRACE, background, fine_paper
from heartprint.sheets.baseline import subtract_median
from heartprint.sheets.kernel import add_bar, add_trace, ink_the_page, ink_the_turned_page
from heartprint.sheets.layout import GAIN_MM_PER_MV, PAPER_SPEED_MM_PER_S, Layout, get_layout
from heartprint.sheets.pose import Pose

Floats = npt.NDArray[np.float32]
Page = npt.NDArray[np.uint8]

SMALLEST_PX, LARGEST_PX = 32, 8192
SUB_COLUMNS = 16
FINE_COLUMNS = 3
SEPARATOR_MV = 0.3


def render(
    leads: npt.NDArray[np.floating],
    sampling_rate: float,
    layout: str | Layout = "standard",
    size: int | tuple[int, int] = 300,
    *,
    pose: Pose | None = None,
    baseline: Literal["none", "median"] = "none",
) -> Page:
    """Draw an ECG as a sheet.

    Args:
        leads: ``(8, n)`` or ``(12, n)`` in mV, in the order of `LEADS_8` or `LEADS_12`; NaN = missing, a gap.
        sampling_rate: Hz.
        layout: Name of a layout, or a `Layout`.
        size: Side of the image in px, or ``(height, width)``. The page is stretched to it.
        pose: How the page lies; None = straight.
        baseline: ``"median"`` subtracts a running one-second median from each lead.

    Returns:
        ``(height, width)`` uint8, white = 255. What the ECG does not have is left blank; what it has beyond the
        layout's 10 s is not drawn; what runs off the page is cut.

    Raises:
        HeartprintError: ``unknown-layout``, ``bad-size``, ``bad-leads`` or ``bad-pose``.
    """
    page = get_layout(layout)
    height, width = _size(size)
    signals = _leads(leads, sampling_rate)
    if baseline == "median":
        signals = subtract_median(signals, sampling_rate)
    out = np.empty((height, width), dtype=np.uint8)
    if pose is None or pose.rotation_deg == 0:
        frame = _Frame(width / page.width_mm, height / page.height_mm, 0.0, 0.0, SUB_COLUMNS)
        changes = np.zeros((height + 2, width), dtype=np.float32)
        _draw(changes, signals, sampling_rate, page, frame)
        paper = background(page, height, width)
        ink_the_page(changes, paper.paper, paper.trace, out)
        return out
    if not abs(pose.rotation_deg) <= 45:
        raise HeartprintError("bad-pose", f"A page can be turned by up to 45 degrees, not {pose.rotation_deg}.")
    angle = math.radians(pose.rotation_deg)
    # A turn is a vertical shear (with stretching), which keeps a trace a function of time and is drawn exactly,
    # followed by a horizontal shear, a shift of whole rows.
    stretch = FINE_COLUMNS / math.cos(angle)
    frame = _Frame(
        stretch * width / page.width_mm,
        math.cos(angle) * height / page.height_mm,
        -math.sin(angle) / stretch,
        0.5 * height - 0.5 * height * math.cos(angle) + 0.5 * width * math.sin(angle),
        max(1, round(SUB_COLUMNS / FINE_COLUMNS)),
    )
    columns = math.ceil(width * stretch)
    changes = np.zeros((height + 2, columns), dtype=np.float32)
    _draw(changes, signals, sampling_rate, page, frame)
    paper = fine_paper(page, height, width)
    k = paper.shape[0] / height
    ink_the_turned_page(
        changes,
        paper,
        k * math.cos(angle),
        k * math.sin(angle),
        TRACE,
        FINE_COLUMNS,
        0.5 * width * (stretch - FINE_COLUMNS),
        FINE_COLUMNS * math.tan(angle),
        out,
    )
    return out


@dataclass(frozen=True)
class _Frame:
    """Where the page lies in the picture that is drawn.

    A point x mm from the left and y mm from the top is drawn in column ``across * x`` and row
    ``shift + down * y + fall * column``.
    """

    across: float
    down: float
    fall: float
    shift: float
    sub: int


def _draw(changes: Floats, signals: Floats, sampling_rate: float, layout: Layout, frame: _Frame) -> None:
    top, bottom, reach, lean = _pen(frame.across, frame.down, frame.fall, frame.sub)
    n = signals.shape[1]
    index_per_sub = sampling_rate / (PAPER_SPEED_MM_PER_S * frame.across * frame.sub)
    mv = frame.down * GAIN_MM_PER_MV
    whole = bool(np.isfinite(signals.sum()))
    before = math.nan
    for strip in _plan(layout, float(sampling_rate)):
        offset = frame.shift + frame.down * strip.baseline_mm
        if strip.separated and math.isfinite(before):
            middle, pen = strip.left_mm * frame.across, LINE_MM / 2
            y = offset - mv * before + frame.fall * middle
            tall = mv * SEPARATOR_MV + frame.down * pen
            add_bar(changes, middle - frame.across * pen, middle + frame.across * pen, y - tall, y + tall)
        before = float(signals[strip.lead, strip.first]) if strip.first < n else math.nan
        last = min(strip.last, n - 1)
        start = strip.left_mm * frame.across * frame.sub
        for a, b in ((strip.first, last),) if whole else _runs(signals[strip.lead], strip.first, last):
            if b <= a:
                continue
            left = start + (a - strip.first) / index_per_sub
            right = start + (b - strip.first) / index_per_sub
            add_trace(
                changes,
                signals[strip.lead],
                a,
                b,
                strip.first - start * index_per_sub,
                index_per_sub,
                max(0, round(left - reach)),
                min(changes.shape[1] * frame.sub, round(right + reach)),
                offset,
                mv,
                frame.fall / frame.sub,
                top,
                bottom,
                reach,
                lean,
                frame.sub,
            )


def _runs(signal: Floats, first: int, last: int) -> list[tuple[int, int]]:
    """First and last sample of each stretch without a gap."""
    there = np.isfinite(signal[first : last + 1])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return [(first + int(a), first + int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


@dataclass(frozen=True)
class _Planned:
    lead: int
    left_mm: float
    baseline_mm: float
    first: int
    last: int
    separated: bool


@functools.lru_cache(maxsize=256)
def _plan(layout: Layout, sampling_rate: float) -> tuple[_Planned, ...]:
    return tuple(
        _Planned(
            LEADS_12.index(strip.lead),
            strip.left_mm,
            strip.baseline_mm,
            round(strip.start_s * sampling_rate),
            round((strip.start_s + strip.duration_s) * sampling_rate) - 1,
            strip.left_mm > 0,
        )
        for strip in layout.strips
    )


@functools.lru_cache(maxsize=4096)
def _pen(across: float, down: float, fall: float, sub: int) -> tuple[Floats, Floats, float, float]:
    """Upper and lower edge of the pen at the sub-columns about its middle; half its width; how much it leans."""
    reach, high = across * sub * LINE_MM / 2, down * LINE_MM / 2
    half = math.floor(reach)
    k = np.arange(-half, half + 1)
    edge = high * np.sqrt(1 - (k / reach) ** 2)
    # The trace k sub-columns on has fallen with the page; the pen that reaches back from there has not.
    lean = -fall / sub
    return (lean * k - edge).astype(np.float32), (lean * k + edge).astype(np.float32), reach, lean * reach


def _size(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if not (SMALLEST_PX <= height <= LARGEST_PX and SMALLEST_PX <= width <= LARGEST_PX):
        raise HeartprintError(
            "bad-size", f"A sheet can be {SMALLEST_PX} to {LARGEST_PX} px high and wide, not {height} x {width}."
        )
    return int(height), int(width)


def _leads(leads: npt.NDArray[np.floating], sampling_rate: float) -> Floats:
    if not (isinstance(leads, np.ndarray) and leads.ndim == 2 and leads.shape[0] in (8, 12) and leads.shape[1] >= 2):
        shape = leads.shape if isinstance(leads, np.ndarray) else type(leads).__name__
        raise HeartprintError("bad-leads", f"Leads must be an array of shape (8, n) or (12, n) in mV, not {shape}.")
    if not sampling_rate > 0:
        raise HeartprintError("bad-leads", f"The sampling rate must be positive (Hz), not {sampling_rate}.")
    return twelve_leads(np.asarray(leads, dtype=np.float32))
