"""The truth about a sheet agrees with its pixels, upright and turned."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from heartprint.sheets import LAYOUTS, Names, Pose, Style, get_layout, render, render_with_truth
from heartprint.sheets.truth import boxes
from heartprint.signals.leads import LEADS_12
from tests.sheets.reference import synthetic_ecg

POSES = [None, Pose(8.0), Pose(-3.0)]
WHITE = Style(
    name="white", major=None, minor=None, frame=None, ink=(0.0, 0.0, 0.0), names=Names(form="none"), separator="none"
)


def smooth(seconds: float = 10.0) -> np.ndarray:
    """Leads with one gentle hill each second, of another height in each."""
    t = np.arange(round(500 * seconds)) / 500
    hills = np.exp(-(((t % 1.0 - 0.5) / 0.12) ** 2))
    return (np.linspace(0.3, 0.9, 12)[:, None] * hills).astype(np.float32)


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("name", ["standard", "3x4_half_chest", "6x2_50_rhythm_25", "12x1_cabrera", "single_column"])
def test_masks_together_are_the_ink_of_the_traces(name: str, pose: Pose | None) -> None:
    leads = synthetic_ecg(1)
    style = dataclasses.replace(WHITE, pulse="none")
    page, truth = render_with_truth(leads, 500, name, 300, pose=pose, style=style)
    assert np.array_equal(page, render(leads, 500, name, 300, pose=pose, style=style))
    assert truth.masks.shape == (len(truth.layout.strips), 300, 300)
    union = truth.masks.any(axis=0)
    # Where two traces meet, each may have too little ink to be seen alone.
    assert (union != (page < 255)).mean() < 2e-4
    if pose is None:
        assert np.array_equal(union, page < 255)
    assert np.array_equal(truth.lead_masks.any(axis=0), union)


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("style", ["ecg_plot", "thermal", "report"])
def test_all_that_a_trace_darkens_is_in_its_mask(style: str, pose: Pose | None) -> None:
    leads = synthetic_ecg(2)
    page, truth = render_with_truth(leads, 500, "3x4_ii", 300, pose=pose, style=style)
    empty = render(np.full_like(leads, np.nan), 500, "3x4_ii", 300, pose=pose, style=style)
    # On a turned sheet the least ink can turn the rounding of a level.
    changed = np.abs(page.astype(int) - empty) > (0 if pose is None else 1)
    assert not (changed & ~truth.masks.any(axis=0)).any()
    assert changed.sum() > 0.9 * truth.masks.any(axis=0).sum()


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("pose", POSES)
def test_hills_lie_where_millimetres_say(name: str, pose: Pose | None) -> None:
    """The highest point of each strip's trace, from the truth and from mm through the turn."""
    _, truth = render_with_truth(smooth(), 500, name, 400, pose=pose, style="report")
    angle = np.deg2rad(0.0 if pose is None else pose.rotation_deg)
    kx, ky = truth.px_per_mm
    for number, strip in enumerate(truth.layout.strips):
        at_s = np.ceil(strip.start_s - 0.4) + 0.5  # the first hill that lies well within the strip
        if at_s >= strip.start_s + strip.duration_s - 0.1:
            continue
        height_mv = np.linspace(0.3, 0.9, 12)[LEADS_12.index(strip.lead)] * (-1 if strip.inverted else 1)
        x = (strip.left_mm + (at_s - strip.start_s) * strip.speed_mm_per_s) * kx - 200
        y = (strip.baseline_mm - height_mv * strip.gain_mm_per_mv) * ky - 200
        px, py = x * np.cos(angle) + y * np.sin(angle) + 200, y * np.cos(angle) - x * np.sin(angle) + 200
        sample = truth.traces[number][round((at_s - strip.start_s) * 500)]
        assert np.abs(sample - (px, py)).max() < 0.6, strip
        if 1 <= px < 399 and 1 <= py < 399:
            assert abs(truth.heights[number, int(px)] - py) <= 1, strip
            assert truth.masks[number, int(py) - 1 : int(py) + 2, int(px)].any(), strip
    assert truth.px_per_s[0] == pytest.approx(kx * truth.layout.strips[0].speed_mm_per_s)


@pytest.mark.parametrize("pose", POSES)
def test_heights_follow_the_ink(pose: Pose | None) -> None:
    _, truth = render_with_truth(smooth(), 500, "6x2", 300, pose=pose, style=WHITE)
    for mask, heights in zip(truth.masks, truth.heights, strict=True):
        there = np.flatnonzero(np.isfinite(heights))[2:-2]
        there = there[(heights[there] > 2) & (heights[there] < 298)]
        middle = np.array([np.flatnonzero(mask[:, column]).mean() + 0.5 for column in there])
        # On a steep flank the ink of a column reaches far, and its middle lies where the column is cut.
        assert np.abs(middle - heights[there]).max() <= 3
        assert np.abs(middle - heights[there]).mean() <= 0.5
        assert len(there) > 100


@pytest.mark.parametrize("pose", POSES)
def test_boxes_hold_their_traces_and_names(pose: Pose | None) -> None:
    _, truth = render_with_truth(smooth(), 500, "3x4_cabrera", 400, pose=pose, style="report")
    assert truth.strips.shape == truth.names.shape == (13, 4, 2)
    for mask, box in zip(truth.masks, boxes(truth.strips), strict=True):
        rows, columns = np.nonzero(mask)
        assert columns.min() >= box[0] - 2 and columns.max() <= box[2] + 2
        assert rows.min() >= box[1] - 2 and rows.max() <= box[3] + 2
    bare = dataclasses.replace(get_layout("3x4_cabrera"), pulses=())
    style = dataclasses.replace(WHITE, names=None)
    page, truth = render_with_truth(np.full((12, 5000), np.nan), 500, bare, 400, pose=pose, style=style)
    ink = page < 250
    for number, box in enumerate(boxes(truth.names)):
        x0, y0, x1, y1 = (max(round(v), 0) for v in box)
        assert ink[y0:y1, x0:x1].any(), truth.layout.strips[number]
        ink[max(y0 - 1, 0) : y1 + 2, max(x0 - 1, 0) : x1 + 2] = False
    assert not ink.any()


def test_gaps_and_short_ecgs_are_blank_in_the_truth_too() -> None:
    leads = smooth(4.0)
    leads[1, 500:750] = np.nan
    _, truth = render_with_truth(leads, 500, "3x4_ii", 300)
    rhythm = truth.leads.index("II", 3)
    x = np.flatnonzero(np.isfinite(truth.heights[rhythm]))
    px_per_s, left = truth.px_per_s[rhythm], truth.layout.strips[rhythm].left_mm * truth.px_per_mm[0]
    assert x.max() == pytest.approx(left + 4.0 * px_per_s, abs=1.5)
    assert not ((x > left + 1.0 * px_per_s + 1) & (x < left + 1.5 * px_per_s - 1)).any()
    last = len(truth.layout.strips) - 2  # V6, from 7.5 s on
    assert not truth.masks[last].any() and np.isnan(truth.heights[last]).all() and len(truth.traces[last]) == 0


def test_millimetres_reach_the_picture() -> None:
    _, truth = render_with_truth(smooth(), 500, get_layout("3x4"), (300, 500), pose=Pose(5.0), style="thermal")
    strip = truth.layout.strips[4]
    shown_mv = np.linspace(0.3, 0.9, 12)[LEADS_12.index(strip.lead)]  # the strip begins on top of a hill
    place = truth.to_picture @ (strip.left_mm, strip.baseline_mm - shown_mv * strip.gain_mm_per_mv, 1.0)
    assert np.abs(place - truth.traces[4][0]).max() < 0.1
