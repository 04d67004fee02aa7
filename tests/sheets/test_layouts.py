"""Every layout: what it claims to show lies where it claims, to the pixel; and layouts that users write."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from heartprint.foundation.errors import HeartprintError
from heartprint.sheets import (
    LAYOUTS,
    PAPER_LAYOUTS,
    STYLES,
    Layout,
    Names,
    Pulse,
    Strip,
    Style,
    get_layout,
    layout_file_digests,
    render,
)
from heartprint.sheets.layout import columns_layout, with_pulses
from heartprint.signals.leads import LEADS_12
from tests.sheets.reference import synthetic_ecg

FS = 500.0
BLANK = Style(
    name="blank", major=None, minor=None, frame=None, ink=(0.0, 0.0, 0.0), names=Names(form="none"), separator="none"
)
"""White paper and nothing on it but traces."""

PX_PER_MM = 3


def drawn(leads: np.ndarray, layout: Layout, style: Style = BLANK) -> np.ndarray:
    """Ink in 0-255 at 3 px per mm."""
    size = (round(layout.height_mm * PX_PER_MM), round(layout.width_mm * PX_PER_MM))
    return 255 - render(leads, FS, layout, size, style=style).astype(int)


def alone(layout: Layout, strip: Strip) -> Layout:
    return dataclasses.replace(layout, strips=(strip,), pulses=())


# --- geometry, for every strip of every layout ----------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_peaks_lie_within_a_pixel_of_their_millimetres(name: str) -> None:
    """Each strip is drawn alone, with two peaks of known time and height in its lead."""
    layout = LAYOUTS[name]
    for strip in layout.strips:
        leads = np.zeros((12, round(FS * layout.needs_s)), dtype=np.float32)
        peaks = []
        for share, height_mv in ((0.3, 0.7), (0.8, -0.4)):
            at = round((strip.start_s + share * strip.duration_s) * FS)
            half = 20  # samples, so that the tip of 1 mV is some pixels wide
            shape = 1 - np.abs(np.arange(-half, half + 1)) / (half + 1)
            leads[LEADS_12.index(strip.lead), at - half : at + half + 1] = height_mv * shape
            peaks.append((at / FS, height_mv))
        ink = drawn(leads, alone(layout, strip))
        for at_s, height_mv in peaks:
            x = (strip.left_mm + (at_s - strip.start_s) * strip.speed_mm_per_s) * PX_PER_MM
            sign = -1 if strip.inverted else 1
            y = (strip.baseline_mm - sign * height_mv * strip.gain_mm_per_mv) * PX_PER_MM
            near = slice(round(x) - 6, round(x) + 7)
            rows = np.flatnonzero((ink[:, near] > 64).any(axis=1))
            up = sign * height_mv > 0
            tip = rows.min() if up else rows.max() + 1
            # The pen's half-width lies beyond the tip.
            pen = BLANK.trace_mm / 2 * PX_PER_MM * (-1 if up else 1)
            assert abs(tip - (y + pen)) <= 1, (strip.label, height_mv)
            columns = np.flatnonzero(ink[rows.min() if up else rows.max(), near] > 32) + near.start
            assert abs(columns.mean() + 0.5 - x) <= 1, (strip.label, height_mv)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_lead_is_seen_where_the_layout_claims_it_and_nowhere_else(name: str) -> None:
    """One lead has a step of 0.5 mV, the rest is missing: ink lies at its strips' heights only."""
    layout = LAYOUTS[name]
    for lead in layout.leads:
        leads = np.full((12, round(FS * layout.needs_s)), np.nan, dtype=np.float32)
        leads[LEADS_12.index(lead)] = 0.5
        ink = drawn(leads, dataclasses.replace(layout, pulses=()))
        allowed = np.zeros_like(ink, dtype=bool)
        for strip in layout.strips:
            if strip.lead == lead:
                y = strip.baseline_mm + (0.5 if strip.inverted else -0.5) * strip.gain_mm_per_mv
                rows = slice(round(y * PX_PER_MM) - 2, round(y * PX_PER_MM) + 2)
                left, right = round(strip.left_mm * PX_PER_MM), round(strip.right_mm * PX_PER_MM)
                assert (ink[rows, left + 1 : right - 1].max(axis=0) > 64).all(), (lead, strip)
                allowed[rows, max(left - 1, 0) : right + 1] = True
        assert not ink[~allowed].any(), lead


@pytest.mark.parametrize("name", LAYOUTS)
def test_registered_layouts_are_sound(name: str) -> None:
    layout = LAYOUTS[name]
    assert set(layout.leads) == set(LEADS_12)
    assert layout.description
    assert layout.needs_s <= 10.0 + 1e-9
    for strip in layout.strips:
        assert strip.left_mm >= -1e-9 and strip.right_mm <= layout.width_mm + 1e-9
        assert strip.gain_mm_per_mv <= strip.baseline_mm <= layout.height_mm
    # Strips of one row do not overlap, whatever their speed.
    for row in {s.baseline_mm for s in layout.strips}:
        ends = sorted((s.left_mm, s.right_mm) for s in layout.strips if s.baseline_mm == row)
        assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(ends))
    for pulse in layout.pulses:
        assert all(
            pulse.left_mm + pulse.plateau_mm + 4 <= s.left_mm or pulse.left_mm >= s.right_mm - 1e-9
            for s in layout.strips
            if s.baseline_mm == pulse.baseline_mm
        )


def test_the_registry_has_what_paper_has() -> None:
    speeds = {speed for layout in LAYOUTS.values() for speed in layout.speeds_mm_per_s}
    gains = {gain for layout in LAYOUTS.values() for gain in layout.gains_mm_per_mv}
    assert {25.0, 50.0} <= speeds and {5.0, 10.0, 20.0} <= gains
    assert len(LAYOUTS) >= 25 and set(PAPER_LAYOUTS) <= set(LAYOUTS)
    assert any(len(layout.speeds_mm_per_s) > 1 for layout in LAYOUTS.values())
    cabrera = [s.label for s in get_layout("6x2_cabrera").strips][:6]
    assert cabrera == ["aVL", "I", "-aVR", "II", "aVF", "III"]


def test_cabrera_draws_avr_upside_down_from_eight_leads_too() -> None:
    layout = get_layout("12x1_cabrera")
    leads = synthetic_ecg(1)
    only = alone(layout, next(s for s in layout.strips if s.inverted))
    upright = alone(layout, dataclasses.replace(only.strips[0], inverted=False))
    assert np.array_equal(drawn(leads, only), drawn(-leads, upright))
    eight = np.ascontiguousarray(leads[[0, 1, 6, 7, 8, 9, 10, 11]])
    assert np.abs(drawn(eight, only) - drawn(leads, only)).max() <= 2


@pytest.mark.parametrize("name", [n for n, layout in LAYOUTS.items() if layout.pulses])
def test_pulses_are_a_millivolt_high_and_a_fifth_of_a_second_long(name: str) -> None:
    layout = LAYOUTS[name]
    empty = drawn(np.full((12, 5000), np.nan, dtype=np.float32), layout)
    for pulse in layout.pulses:
        gain = max(pulse.gains_mm_per_mv)
        right = pulse.left_mm + pulse.plateau_mm + 4
        x0, x1 = round(pulse.left_mm * PX_PER_MM), round(right * PX_PER_MM)
        top = round((pulse.baseline_mm - gain) * PX_PER_MM)
        rise = empty[top + 4 : round(pulse.baseline_mm * PX_PER_MM) - 4, x0:x1]
        flanks = np.flatnonzero(rise.min(axis=0) > 60 if len(pulse.gains_mm_per_mv) == 1 else rise[:4].min(axis=0) > 60)
        plateau = empty[top - 1 : top + 1, x0:x1].sum(axis=0) > 60
        assert abs(plateau.sum() / PX_PER_MM - pulse.plateau_mm / len(pulse.gains_mm_per_mv)) < 0.7
        if len(pulse.gains_mm_per_mv) == 1:
            assert abs(np.ptp(flanks) / PX_PER_MM - pulse.plateau_mm) < 0.4


def test_a_pulse_has_as_much_ink_as_a_trace_of_its_height() -> None:
    layout = get_layout("3x4_ii")
    ink = drawn(np.zeros((12, 5000), dtype=np.float32), layout)
    baseline = round(layout.strips[0].baseline_mm * PX_PER_MM)
    plateau = ink[: baseline - 10, round(4.5 * PX_PER_MM)].sum()
    assert plateau == pytest.approx(ink[baseline - 10 : baseline + 10, 400].sum(), rel=0.05)


@pytest.mark.parametrize("kind", ["mark", "tick", "line", "none"])
def test_separators_stand_between_columns(kind: str) -> None:
    layout = dataclasses.replace(get_layout("alternate"), separator=kind)
    ink = drawn(np.zeros((12, 5000), dtype=np.float32), layout, dataclasses.replace(BLANK, separator=None))
    tall = {"mark": 6.2, "tick": 6.0, "line": 22.0, "none": 0.2}[kind] * PX_PER_MM
    column = ink[: 30 * PX_PER_MM, 125 * PX_PER_MM - 1 : 125 * PX_PER_MM + 1].sum(axis=1)
    assert abs((column > 60).sum() - tall) <= 2


# --- short ECGs, gaps, large amplitudes -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["3x4_ii", "6x2_50_rhythm_25", "12x1"])
def test_an_ecg_that_is_too_short_leaves_the_rest_blank(name: str) -> None:
    layout = get_layout(name)
    leads = synthetic_ecg(2, FS, 1.0)
    ink = drawn(leads, dataclasses.replace(layout, pulses=()))
    for strip in layout.strips:
        band = slice(round((strip.baseline_mm - 5) * PX_PER_MM), round((strip.baseline_mm + 5) * PX_PER_MM))
        shown_s = min(max(1.0 - strip.start_s, 0.0), strip.duration_s)
        end = strip.left_mm + shown_s * strip.speed_mm_per_s
        assert not ink[band, round(end * PX_PER_MM) + 2 : round(strip.right_mm * PX_PER_MM) - 2].any()
        if shown_s:
            assert ink[:, round(strip.left_mm * PX_PER_MM) : round(end * PX_PER_MM)].any()


def test_what_runs_off_the_sheet_is_cut_and_the_rest_stays() -> None:
    leads = np.zeros((12, 5000), dtype=np.float32)
    leads[0, 300:400] = 50.0
    ink = drawn(leads, get_layout("3x4"))
    calm = drawn(np.zeros_like(leads), get_layout("3x4"))
    right = round((10 + 400 / FS * 25 + 1) * PX_PER_MM)
    assert np.array_equal(ink[:, right:], calm[:, right:])


# --- layouts that users write ---------------------------------------------------------------------------------------

SHORT = """
name: ward
rows: 3
columns: 4
rhythm: [II, v5]
order: cabrera
simultaneous: true
chest_gain: 5
rhythm_speed: 12.5
pulse: left
"""

LONG = """
width_mm: 120
height_mm: 60
strips:
  - {lead: II, left_mm: 10, baseline_mm: 20, duration_s: 4}
  - {lead: -avr, left_mm: 10, baseline_mm: 45, start_s: 1, duration_s: 2, speed: 50, gain: 20, named: false}
pulses:
  - {left_mm: 0, baseline_mm: 20}
names: {size_mm: 4, bold: true}
"""


def test_short_form(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(SHORT)
    layout = get_layout(str(file))
    assert layout.name == "ward"
    assert [s.label for s in layout.strips][:4] == ["aVL", "I", "-aVR", "II"]
    assert [s.label for s in layout.strips][-2:] == ["II", "V5"]
    assert {s.start_s for s in layout.strips} == {0.0}
    assert {s.lead: s.gain_mm_per_mv for s in layout.strips}["V3"] == 5.0
    assert layout.strips[-1].duration_s == 20.0
    assert len(layout.pulses) == 5
    assert render(synthetic_ecg(0), FS, str(file), 96).shape == (96, 96)


def test_long_form_takes_its_name_from_the_file_and_is_read_again_when_changed(tmp_path: Path) -> None:
    file = tmp_path / "strip.yml"
    file.write_text(LONG)
    layout = get_layout(str(file))
    assert layout == Layout(
        "strip",
        "2 strips",
        120.0,
        60.0,
        (
            Strip("II", 10.0, 20.0, 0.0, 4.0),
            Strip("aVR", 10.0, 45.0, 1.0, 2.0, False, 50.0, 20.0, inverted=True),
        ),
        (Pulse(0.0, 20.0),),
        "tick",
        Names(size_mm=4.0, bold=True),
    )
    file.write_text(LONG.replace("width_mm: 120", "width_mm: 130"))
    import os

    os.utime(file, ns=(1, 1))
    assert get_layout(str(file)).width_mm == 130


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("rows: 3\ncolumns: 3\n", "bad-config", "room for 9 leads, and order has 12"),
        ("rows: 3\ncolums: 4\n", "bad-config", "Did you mean 'columns'"),
        ("rows: 3\ncolumns: 4\nrhythm: V7\n", "bad-config", "no lead 'V7'"),
        ("rows: 3\ncolumns: 4\nspeed: 0\n", "bad-config", "speed"),
        ("rows: 3\ncolumns: 4\npulse: both\n", "bad-config", "pulse"),
        (LONG.replace("duration_s: 4", "duration_s: 9"), "bad-config", "the page is 120 x 60 mm"),
        (LONG.replace("lead: II", "lead: IV"), "bad-config", "no lead 'IV'"),
        (LONG.replace("baseline_mm: 45", "basline_mm: 45"), "bad-config", "baseline_mm"),
        ("width_mm: 3\nheight_mm: 3\nstrips: []\n", "bad-config", "strips"),
        ("just words", "config-damaged", "settings"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, text: str, code: str, told: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(HeartprintError) as caught:
        get_layout(str(file))
    assert caught.value.code == code
    assert told in caught.value.message


def test_a_missing_file_and_impossible_strips_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HeartprintError) as caught:
        get_layout(str(tmp_path / "none.yaml"))
    assert caught.value.code == "layout-missing"
    good = get_layout("3x4")
    for change in ({"duration_s": 0.0}, {"speed_mm_per_s": -25.0}, {"gain_mm_per_mv": np.nan}, {"start_s": -1.0}):
        with pytest.raises(HeartprintError) as caught:
            dataclasses.replace(good, strips=(dataclasses.replace(good.strips[0], **change),))
        assert caught.value.code == "bad-layout"
    with pytest.raises(HeartprintError) as caught:
        dataclasses.replace(good, separator="dash")
    assert caught.value.code == "unknown-separator"


def test_pulses_on_the_right_move_nothing() -> None:
    plain = columns_layout("x", "", (("I", "II"), ("III", "aVF")))
    right, left = with_pulses(plain, "right"), with_pulses(plain, "left")
    assert right.strips == plain.strips
    assert [s.left_mm - 10 for s in left.strips] == [s.left_mm for s in plain.strips]
    assert right.width_mm == left.width_mm == plain.width_mm + 10


def test_verb_lists_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    from heartprint.cli.layouts import layouts
    from heartprint.sheets.camera import EFFECTS
    from heartprint.sheets.gallery import save_gallery

    layouts(out=None, styles=False, effects=False, as_json=True)
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(LAYOUTS)
    assert rows[0]["needs_s"] == 10.0
    layouts(out=None, styles=True, effects=False, as_json=False)
    listed = capsys.readouterr().out
    assert all(style in listed for style in STYLES)
    monkeypatch.setattr("heartprint.sheets.gallery.EFFECTS_PX", 80)
    layouts(out=tmp_path / "effects.png", styles=False, effects=True, as_json=True)
    effects = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in effects] == list(EFFECTS)
    with Image.open(tmp_path / "effects.png") as picture:
        assert picture.size[1] > 80 * len(EFFECTS)
    with pytest.raises(HeartprintError, match="one of them"):
        layouts(out=None, styles=True, effects=True, as_json=False)
    out = save_gallery(tmp_path / "some.png", [LAYOUTS["3x4"], LAYOUTS["12x1"]])
    with Image.open(out) as picture:
        assert picture.size[0] > 600
    with pytest.raises(HeartprintError, match="ends in"):
        save_gallery(tmp_path / "some.gif", [LAYOUTS["3x4"]])


def test_layouts_given_by_file_are_told_apart_by_what_they_define(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("rows: 3\ncolumns: 4\n")
    assert layout_file_digests(["standard", "3x4"]) == {}
    first = layout_file_digests(["standard", str(file)])
    assert list(first) == [str(file)]
    file.write_text("# a remark\nrows: 3\ncolumns: 4\n")
    assert layout_file_digests([str(file)]) == first
    file.write_text("rows: 3\ncolumns: 4\ngain: 5\n")
    assert layout_file_digests([str(file)]) != first
