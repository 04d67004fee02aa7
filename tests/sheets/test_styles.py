"""Styles: colours, pens, margins, texts; and styles at random."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.sheets import LAYOUTS, STYLES, Names, Pose, Style, draw_style, get_layout, get_style, render
from heartprint.sheets.background import background
from heartprint.sheets.look import LUMA
from heartprint.sheets.style import ECG_PLOT, placed
from heartprint.sheets.texts import footer_line, header_lines, invented_patient
from tests.sheets.reference import synthetic_ecg

BLANK = np.full((12, 5000), np.nan, dtype=np.float32)


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("pose", [None, Pose(6.0)])
def test_grey_is_the_luma_of_the_colours(name: str, pose: Pose | None) -> None:
    leads = synthetic_ecg(0)
    grey = render(leads, 500, "3x4_ii", 200, style=name, pose=pose)
    colour = render(leads, 500, "3x4_ii", 200, style=name, pose=pose, colour=True)
    assert colour.shape == (200, 200, 3)
    # Ink that lies over ink is blended channel by channel: equal up to rounding but for such pixels.
    difference = np.abs(colour @ np.array(LUMA) - grey)
    assert difference.max() <= 2
    assert difference.mean() < 0.5  # either is rounded


@pytest.mark.parametrize("name", STYLES)
def test_a_style_turned_by_nothing_is_the_style_upright(name: str) -> None:
    leads = synthetic_ecg(1)
    upright, turned = (render(leads, 500, "3x4_ii", 300, style=name, pose=Pose(a)).astype(int) for a in (0.0, 1e-6))
    # Names and texts are points on a turned sheet; grid and traces agree.
    assert np.abs(upright - turned).mean() < 1.0
    assert (np.abs(upright - turned) > 40).mean() < 0.01


def test_colours_come_out() -> None:
    style = Style(
        name="x",
        paper=(1.0, 0.9, 0.8),
        major=(0.0, 1.0, 0.0),
        minor=None,
        frame=None,
        major_mm=1.0,
        ink=(1.0, 0.0, 0.0),
        trace_mm=0.4,
    )
    layout = dataclasses.replace(get_layout("3x4"), names=Names(form="none"), pulses=(), separator="none")
    sheet = render(np.zeros((12, 5000), dtype=np.float32), 500, layout, (900, 2600), style=style, colour=True)
    assert sheet[5, 5].tolist() == pytest.approx([255, 229.5, 204], abs=1)
    assert sheet[25, 50].tolist() == [0, 255, 0]  # where 2.5 mm down a line stands 5 mm from the left
    assert sheet[150, 500].tolist() == [255, 0, 0]  # the baseline of the first row


def test_no_grid_is_white_paper() -> None:
    sheet = render(BLANK, 500, "3x4_v1", 300, style=dataclasses.replace(get_style("no_grid"), names=Names(form="none")))
    bars = np.unique(np.argwhere(sheet < 255)[:, 1])
    assert len(bars) <= 12  # the lines between columns


def test_dots_lie_where_thin_lines_cross() -> None:
    style = dataclasses.replace(get_style("dots"), names=Names(form="none"), separator="none", pulse="none")
    page = 255 - render(BLANK, 500, "standard", (1200, 2500), style=style).astype(int)  # 10 px per mm
    assert page[30, 30] > 20 and page[30, 35] == 0 and page[35, 30] == 0  # 3 mm from either edge
    assert page[50, 33] > 20  # a line 5 mm apart


def test_margins_hold_the_texts_and_move_the_strips() -> None:
    style = get_style("report")
    page = placed(get_layout("3x4_ii"), style)
    plain = get_layout("3x4_ii")
    left, top, right, bottom = style.margin_mm
    assert (page.width_mm, page.height_mm) == (plain.width_mm + left + right, plain.height_mm + top + bottom)
    assert all(b.left_mm - a.left_mm == left for a, b in zip(plain.strips, page.strips, strict=True))
    size = (round(page.height_mm * 3), round(page.width_mm * 3))
    sheet = render(BLANK, 500, "3x4_ii", size, style=style)
    assert (sheet[: round(top * 3) - 2] < 128).sum() > 200
    assert (sheet[-round(bottom * 3) + 2 :] < 128).sum() > 100
    without = render(BLANK, 500, "3x4_ii", size, style=dataclasses.replace(style, patient=None, footer=False))
    assert (without[: round(top * 3) - 2] == 255).all()
    for line in (*header_lines(page.width_mm, style.margin_mm, 1), footer_line(page, style.margin_mm)):
        assert 0 < line.x_mm < page.width_mm and (line.y_mm < top or line.y_mm > page.height_mm - bottom)


def test_turned_texts_have_as_much_ink_as_upright_ones() -> None:
    style = dataclasses.replace(get_style("report"), major=None, minor=None, frame=None, pulse="none")
    bare = dataclasses.replace(style, patient=None, footer=False, names=Names(form="none"))
    layout = dataclasses.replace(get_layout("3x4"), pulses=(), separator="none")
    upright, turned = (
        (255.0 - render(BLANK, 500, layout, 400, style=style, pose=pose)).sum() for pose in (None, Pose(-4.0))
    )
    assert upright > 1e5
    assert turned == pytest.approx(upright, rel=0.02)
    assert (render(BLANK, 500, layout, 400, style=bare, pose=Pose(-4.0)) == 255).all()


def test_the_same_patient_is_invented_again_and_has_no_diagnosis() -> None:
    assert invented_patient(3) == invented_patient(3) != invented_patient(4)
    words = " ".join(text for number in range(50) for column in invented_patient(number) for text in column).lower()
    assert not any(word in words for word in ("sinus", "fibrillation", "normal", "infarct", "male"))


def test_footer_tells_the_layouts_speed_and_gain() -> None:
    layout = get_layout("3x4_50_rhythm_25")
    assert footer_line(layout, (0, 0, 0, 5)).text.startswith("50 mm/s, 25 mm/s   10 mm/mV")
    assert "10 mm/mV / 5 mm/mV" in footer_line(get_layout("3x4_half_chest"), (0, 0, 0, 5)).text


def test_a_style_that_changes_nothing_gives_the_layout_itself() -> None:
    layout = get_layout("3x4_ii")
    assert placed(layout, ECG_PLOT) is layout
    assert placed(layout, STYLES["report"]) is placed(layout, dataclasses.replace(STYLES["report"], ink=(1, 0, 0)))
    assert placed(layout, dataclasses.replace(ECG_PLOT, pulse="none")).pulses == ()


def test_styles_at_random_are_repeatable_and_all_can_be_drawn() -> None:
    leads = synthetic_ecg(2)
    drawn = [draw_style(generator(1, "style", i)) for i in range(150)]
    assert drawn == [draw_style(generator(1, "style", i)) for i in range(150)]
    assert len({hash(style) for style in drawn}) > 100
    names = list(LAYOUTS)
    for i, style in enumerate(drawn):
        pose = Pose(5.0) if i % 3 == 0 else None
        sheet = render(leads, 500, names[i % len(names)], 96, style=style, pose=pose)
        assert sheet.min() < 200
        assert np.median(sheet) > 110
    for part in ("major", "ink", "paper", "names", "separator", "margin_mm", "dots", "footer", "trace_mm"):
        assert len({getattr(style, part) for style in drawn}) > 1, part


def test_backgrounds_differ_by_all_that_a_style_says() -> None:
    """The hash of a style leaves fields out: equality must not."""
    one = get_style("thermal")
    for change in ({"footer": False}, {"minor": None}, {"major_mm": 0.4}, {"text": (0.5, 0.0, 0.0)}, {"patient": 5}):
        other = dataclasses.replace(one, **change)  # type: ignore[arg-type]
        pages = [background(placed(get_layout("3x4"), s), 200, 200, s).image for s in (one, other)]
        assert not np.array_equal(*pages), change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ink": (0.0, 0.0, 2.0)}, "is no colour"),
        ({"trace_mm": 0.0}, "a pen is"),
        ({"margin_mm": (0.0, -1.0, 0.0, 0.0)}, "a margin is"),
        ({"dots": True}, "without a frame"),
        ({"patient": 1}, "margin_mm"),
        ({"footer": True}, "margin_mm"),
    ],
)
def test_impossible_styles_are_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(HeartprintError, match=told) as caught:
        Style(**change)  # type: ignore[arg-type]
    assert caught.value.code == "bad-style"


def test_unknown_style_names_the_nearest() -> None:
    with pytest.raises(HeartprintError, match="'thermal'") as caught:
        render(BLANK, 500, style="termal")
    assert caught.value.code == "unknown-style"
