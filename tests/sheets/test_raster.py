"""The sheet: against ecg_plot, against its NumPy twin, and against what a drawing must obey."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.sheets import (
    LAYOUTS,
    PAPER_LAYOUTS,
    STYLES,
    Layout,
    Pose,
    Strip,
    baseline,
    draw_pose,
    get_layout,
    raster,
    render,
)
from heartprint.sheets import background as backgrounds
from heartprint.sheets import kernel_numpy as twin
from heartprint.sheets.background import background
from heartprint.signals.leads import LEADS_8, LEADS_12
from tests.sheets.reference import COLUMNS, real_ecgs, reference_sheet, similarity, synthetic_ecg

kernel = pytest.importorskip("heartprint.sheets.kernel")


def with_kernel(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    background.cache_clear()
    for place in (raster, baseline, backgrounds):
        monkeypatch.setattr(place, "compiled_or_numpy", lambda: module)


def ink(sheet: np.ndarray, layout: str = "standard") -> np.ndarray:
    """Where a sheet is darker than its background."""
    return background(get_layout(layout), *sheet.shape).image.astype(int) - sheet.astype(int)


# --- against ecg_plot ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layout", "seed"), [("standard", 0), ("alternate", 1)])
def test_sheet_equals_ecg_plot_at_600_dpi_area_averaged(layout: str, seed: int) -> None:
    leads = synthetic_ecg(seed)
    ssim, psnr = similarity(reference_sheet(leads, 500, layout), render(leads, 500, layout))
    assert ssim >= 0.995
    assert psnr >= 38


@pytest.mark.slow
@pytest.mark.parametrize("layout", PAPER_LAYOUTS)
def test_sheet_equals_ecg_plot_on_real_ecgs(layout: str, shared_data: Path) -> None:
    for leads in real_ecgs(shared_data, 2):
        ssim, psnr = similarity(reference_sheet(leads, 500, layout), render(leads, 500, layout))
        assert ssim >= 0.995
        assert psnr >= 38


def test_turned_sheet_keeps_what_turning_a_finished_image_loses() -> None:
    import cv2

    leads = synthetic_ecg(2)
    ideal = reference_sheet(leads, 500, "standard", rotation_deg=9.0)
    turn = cv2.getRotationMatrix2D((149.5, 149.5), 9.0, 1.0)
    finished = cv2.warpAffine(render(leads, 500), turn, (300, 300), borderValue=(255.0,))
    ours, plain = (similarity(ideal, image)[0] for image in (render(leads, 500, pose=Pose(9.0)), finished))
    assert ours >= 0.99
    assert plain < 0.9


# --- against the twin ---------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    layout=st.sampled_from(sorted(LAYOUTS)),
    style=st.sampled_from(sorted(STYLES)),
    size=st.sampled_from([32, 96, 300, (120, 333)]),
    rotation=st.sampled_from([None, -10.0, -0.01, 3.0, 10.0]),
    fs=st.sampled_from([100.0, 257.0, 500.0]),
    seconds=st.sampled_from([0.1, 4.0, 10.0, 12.0]),
    gaps=st.booleans(),
    wander=st.sampled_from(["none", "median"]),
)
def test_numpy_twin_draws_the_same(seed, layout, style, size, rotation, fs, seconds, gaps, wander) -> None:  # type: ignore[no-untyped-def]
    leads = synthetic_ecg(seed, fs, seconds)
    if gaps:
        rng = np.random.default_rng(seed)
        for _ in range(4):
            start = rng.integers(0, leads.shape[1])
            leads[rng.integers(0, 12), start : start + rng.integers(1, leads.shape[1] // 2 + 2)] = np.nan
    pose = None if rotation is None else Pose(rotation)
    with pytest.MonkeyPatch.context() as patch:
        with_kernel(patch, kernel)
        fast = render(leads, fs, layout, size, pose=pose, baseline=wander, style=style).astype(int)
        with_kernel(patch, twin)
        slow = render(leads, fs, layout, size, pose=pose, baseline=wander, style=style).astype(int)
    # Sums in another order may round to the neighbouring level, and no more than that.
    assert np.abs(fast - slow).max() <= 1
    # Black lines that cover half a pixel lie between two levels all over a sheet: those may round either way.
    assert (fast != slow).mean() < 2e-3 or style == "black_and_white"


def test_without_numba_the_twin_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from heartprint.sheets.twins import compiled_or_numpy

    monkeypatch.setenv("HEARTPRINT_NO_NUMBA", "1")
    assert compiled_or_numpy.__wrapped__() is twin
    monkeypatch.setenv("HEARTPRINT_NO_NUMBA", "0")
    assert compiled_or_numpy.__wrapped__() is kernel


# --- what a drawing must obey -------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    at=st.integers(80, 1150),
    height=st.floats(-1.4, 1.4),
    size=st.sampled_from([128, 300, 512]),
    column=st.integers(0, 3),
)
def test_peak_lies_within_a_pixel_of_its_millimetres(at: int, height: float, size: int, column: int) -> None:
    leads = np.zeros((12, 5000), dtype=np.float32)
    lead = column * 3 + 1  # the second row
    sample = column * 1250 + at
    leads[lead, sample - 12 : sample + 13] = height * (1 - np.abs(np.arange(-12, 13)) / 13)
    dark = ink(render(leads, 500, "standard", size)) - ink(render(np.zeros_like(leads), 500, "standard", size))
    if abs(height) * 10 * size / 120 < 4:
        return
    rows = np.flatnonzero((dark > 6).any(axis=1))
    y = (45 - 10 * height) * size / 120
    tip = rows.min() if height > 0 else rows.max() + 1
    # The pen rounds the tip by half its width; a tip narrower than a pixel leaves the first row almost white.
    assert abs(tip - y) <= 1.0 + 2.5 * size / 300
    columns = np.flatnonzero((dark > 6).any(axis=0))
    x = sample / 500 * 25 * size / 250
    assert columns.min() - 1 <= x <= columns.max() + 2


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), rotation=st.sampled_from([0.0, 6.0]), scale=st.floats(0.0, 20.0))
def test_ink_lies_between_background_and_black(seed: int, rotation: float, scale: float) -> None:
    leads = synthetic_ecg(seed) * np.float32(scale)
    blank = np.full_like(leads, np.nan)
    for layout in ("standard", "alternate"):
        drawn, empty = (render(x, 500, layout, 128, pose=Pose(rotation)) for x in (leads, blank))
        # Letters are darker than the trace, which greys what it crosses of them by 20 levels.
        assert (drawn.astype(int) <= np.maximum(empty, 21)).all()


def test_gaps_are_drawn_as_nothing() -> None:
    leads = synthetic_ecg(3)
    empty = render(np.full_like(leads, np.nan), 500)
    assert np.array_equal(empty, background(get_layout("standard"), 300, 300).image)
    leads[:, 1500:2000] = np.nan  # columns 90 to 120
    gap = render(leads, 500)
    assert np.array_equal(gap[:, 92:118], empty[:, 92:118])
    assert not np.array_equal(gap[:, 80:90], empty[:, 80:90])


def test_shorter_ecg_is_drawn_shorter_and_longer_ends_at_ten_seconds() -> None:
    leads = synthetic_ecg(4, seconds=14.0)
    assert np.array_equal(render(leads, 500), render(leads[:, :5000], 500))
    short = render(leads[:, :2000], 500)
    empty = render(np.full_like(leads, np.nan), 500)
    assert np.array_equal(short[:, 122:], empty[:, 122:])
    assert np.array_equal(short[:, :118], render(leads, 500)[:, :118])


def test_raising_a_signal_by_a_millivolt_raises_its_trace_by_ten_millimetres() -> None:
    leads = np.full((12, 5000), np.nan, dtype=np.float32)
    leads[1] = synthetic_ecg(5)[1] * 0.3
    low = ink(render(leads, 500, "standard", 600))
    high = ink(render(leads + 0.8, 500, "standard", 600))  # 8 mm = 40 px: whole squares of the grid
    row = slice(160, 300)
    trace = (slice(row.start - 40, row.stop - 40), slice(20, 148))
    assert np.abs(high[trace] - low[row, 20:148]).max() <= 60  # the grid below differs
    assert np.corrcoef(high[trace].ravel(), low[row, 20:148].ravel())[0, 1] > 0.97


def test_eight_leads_draw_as_twelve() -> None:
    twelve = synthetic_ecg(6)
    eight = np.ascontiguousarray(twelve[[LEADS_12.index(lead) for lead in LEADS_8]])
    for layout in LAYOUTS:
        assert np.abs(render(eight, 500, layout).astype(int) - render(twelve, 500, layout)).max() <= 2


def test_the_same_time_at_another_rate_is_the_same_sheet() -> None:
    t = np.arange(5000) / 500
    leads = np.tile(np.sin(2 * np.pi * 1.3 * t).astype(np.float32), (12, 1))
    ssim, psnr = similarity(render(leads, 500), render(leads[:, ::5], 100))
    assert ssim > 0.995
    assert psnr > 35


def test_result_is_fresh_and_repeatable_and_leaves_its_input_alone() -> None:
    leads = synthetic_ecg(7)
    before = leads.copy()
    leads.setflags(write=False)
    first = render(leads, 500, baseline="median", pose=Pose(2.0))
    first[:] = 0
    again = render(leads, 500, baseline="median", pose=Pose(2.0))
    assert again.max() > 0
    assert np.array_equal(again, render(before.astype(np.float64), 500, baseline="median", pose=Pose(2.0)))
    upright = render(leads, 500)
    upright[:] = 0
    assert render(leads, 500).max() > 0
    assert np.array_equal(leads, before)


def test_median_removes_a_wander_and_keeps_the_beats() -> None:
    leads = synthetic_ecg(8)
    t = np.arange(5000) / 500
    level = baseline.subtract_median(leads, 500)
    wandering = baseline.subtract_median(leads + (0.8 * np.sin(2 * np.pi * 0.1 * t) + 0.5).astype(np.float32), 500)
    assert np.abs(wandering - level).max() < 0.2
    assert np.abs(np.median(wandering, axis=1)).max() < 0.02
    assert np.ptp(wandering[1]) > 0.8 * np.ptp(leads[1])


def test_median_against_the_literal_one() -> None:
    rng = np.random.default_rng(0)
    leads = rng.standard_normal((8, 120)).astype(np.float32)
    leads[2, 30:90] = np.nan
    ours = baseline.subtract_median(leads, 50)  # all samples count
    for lead in range(8):
        for i in range(120):
            window = leads[lead, max(0, i - 25) : i + 26]
            expected = leads[lead, i] - np.nanmedian(window) if np.isfinite(leads[lead, i]) else np.nan
            assert ours[lead, i] == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_laboratory_order_of_leads() -> None:
    for name, (columns, rhythm) in COLUMNS.items():
        sheet = get_layout(name)
        drawn = [s.lead for s in sheet.strips]
        assert drawn == [lead for column in columns for lead in (*column, *rhythm)]
        assert set(sheet.leads) == set(LEADS_12)


# --- poses --------------------------------------------------------------------------------------------------------


def test_poses_are_drawn_within_bounds_and_repeatably() -> None:
    drawn = [draw_pose(generator(1, "pose", i), 10.0).rotation_deg for i in range(400)]
    assert min(drawn) < -9 and max(drawn) > 9
    assert max(map(abs, drawn)) <= 10
    assert drawn == [draw_pose(generator(1, "pose", i), 10.0).rotation_deg for i in range(400)]


def test_positive_rotation_turns_counter_clockwise_and_fills_with_white() -> None:
    blank = np.full((12, 5000), np.nan, dtype=np.float32)
    leads = blank.copy()
    leads[[1, 4, 7, 10]] = 0  # the second row, whose baseline lies at 112.5 px
    sheet, empty = (render(x, 500, pose=Pose(10.0)) for x in (leads, blank))
    assert (sheet[:3, :10] == 255).all()
    assert (sheet[-3:, -10:] == 255).all()
    sin, cos = np.sin(np.deg2rad(10.0)), np.cos(np.deg2rad(10.0))
    for x in (60, 240):
        row = np.argmax(empty[:, x].astype(int) - sheet[:, x])
        assert row + 0.5 == pytest.approx(150 + (112.5 - 150 - (x + 0.5 - 150) * sin) / cos, abs=1)


# --- mistakes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"layout": "standart"}, "unknown-layout"),
        ({"size": 31}, "bad-size"),
        ({"size": (300, 9000)}, "bad-size"),
        ({"size": 300.5}, "bad-size"),
        ({"size": True}, "bad-size"),
        ({"size": (1, 2, 3)}, "bad-size"),
        ({"leads": np.zeros((3, 100), dtype=np.float32)}, "bad-leads"),
        ({"leads": np.zeros(100)}, "bad-leads"),
        ({"leads": np.zeros((12, 9), dtype=complex)}, "bad-leads"),
        ({"sampling_rate": 0.0}, "bad-leads"),
        ({"sampling_rate": float("nan")}, "bad-leads"),
        ({"baseline": "mean"}, "unknown-baseline"),
    ],
)
def test_mistakes_are_named(change: dict[str, object], code: str) -> None:
    given_ = {"leads": np.zeros((8, 1000), dtype=np.float32), "sampling_rate": 100.0, **change}
    with pytest.raises(HeartprintError) as caught:
        render(**given_)  # type: ignore[arg-type]
    assert caught.value.code == code
    if code == "unknown-layout":
        assert "'standard'" in caught.value.message


@pytest.mark.parametrize("angle", [46.0, -90.0, float("nan"), float("inf")])
def test_a_pose_beyond_all_bounds_is_refused(angle: float) -> None:
    with pytest.raises(HeartprintError, match="turned") as caught:
        Pose(angle)
    assert caught.value.code == "bad-pose"


def test_own_layout_is_checked_and_drawn() -> None:
    sheet = get_layout("standard")
    with pytest.raises(HeartprintError) as caught:
        dataclasses.replace(sheet, strips=(Strip("V7", 0, 15, 0, 10),))
    assert caught.value.code == "unknown-lead"
    with pytest.raises(HeartprintError) as caught:
        Layout("empty", "", 10, 10, ())
    assert caught.value.code == "bad-layout"
    own = Layout("one", "lead II alone", 250, 30, (Strip("II", 0, 15, 0, 10),))
    assert render(synthetic_ecg(0), 500, own, (60, 500)).shape == (60, 500)


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("pose", [None, Pose(5.0)])
def test_almost_no_samples(n: int, pose: Pose | None) -> None:
    leads = np.zeros((8, n), dtype=np.float32)
    for wander in ("none", "median"):
        assert render(leads, 500, size=64, pose=pose, baseline=wander).shape == (64, 64)  # type: ignore[arg-type]


def test_infinite_and_huge_values_stay_on_the_sheet() -> None:
    leads = synthetic_ecg(9)
    leads[0, 100:200] = np.inf
    leads[3, 10:20] = -np.inf
    leads[7] *= np.float32(1e6)
    for pose in (None, Pose(-8.0)):
        sheet = render(leads, 500, pose=pose)
        assert sheet.shape == (300, 300)
        assert sheet.mean() > 100
