"""Printed words are painted over, and nothing else."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from heartprint.foundation.pictures import read_picture
from heartprint.foundation.randomness import generator
from heartprint.reading.printed_text import without_text
from heartprint.reading.reader import Reader
from heartprint.sheets import render
from heartprint.sheets.registry import LAYOUTS, get_layout
from heartprint.sheets.style import draw_style, get_style, placed

PX_PER_MM = 4.0


def sheets(number: int) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """A scan with the texts that machines print, the same without, and the heights of its rows, px."""
    rng = generator(11, "printed text", number)
    leads = rng.normal(0, 0.1, (8, 5000)).cumsum(axis=1).astype(np.float32) / 20
    style = dataclasses.replace(get_style("red"), margin_mm=(5.0, 20.0, 5.0, 8.0), patient=number, footer=True)
    plain = dataclasses.replace(style, patient=None, footer=False)
    layout = placed(get_layout(("standard", "6x2_ii", "12x1")[number % 3]), style)
    size = (round(layout.height_mm * PX_PER_MM), round(layout.width_mm * PX_PER_MM))
    name = ("standard", "6x2_ii", "12x1")[number % 3]
    written, blank = (render(leads, 500, name, size, style=one) for one in (style, plain))
    return written, blank, sorted({strip.baseline_mm * PX_PER_MM for strip in layout.strips})


@pytest.mark.parametrize("number", range(6))
def test_a_header_and_a_footer_go_and_traces_and_names_stay(number: int) -> None:
    written, blank, rows = sheets(number)
    text = blank.astype(int) - written > 60
    assert text.sum() > 500
    out, boxes = without_text(written, PX_PER_MM, rows)
    assert len(boxes) >= 8
    left = (blank.astype(int) - out > 60) & text
    assert left.sum() <= 0.05 * text.sum()
    inside = np.zeros(out.shape, dtype=bool)
    for x0, y0, x1, y1 in boxes:
        inside[int(y0) : int(y1), int(x0) : int(x1)] = True
    np.testing.assert_array_equal(out[~inside], written[~inside])
    first, last = int(rows[0] - 0.3 * (rows[1] - rows[0])), int(rows[-1] + 0.3 * (rows[1] - rows[0]))
    assert not inside[first:last].any()


def test_a_sheet_without_words_is_left_as_it_is() -> None:
    _, blank, rows = sheets(0)
    out, boxes = without_text(blank, PX_PER_MM, rows)
    assert boxes == () and out is blank
    for level in (0, 128, 255):
        page = np.full((300, 600), level, dtype=np.uint8)
        assert without_text(page, PX_PER_MM)[1] == ()


def test_a_bar_code_goes_upright_and_on_its_side() -> None:
    rng = generator(12, "bars")
    page = np.full((480, 1000), 235, dtype=np.uint8)
    code = np.repeat(np.where(rng.random(50) < 0.5, 30, 235), 2)[None].repeat(36, axis=0)
    page[8:44, 700:800] = code
    out, boxes = without_text(page, PX_PER_MM)
    assert len(boxes) == 1 and out.min() > 200
    page = np.full((1000, 480), 235, dtype=np.uint8)
    page[20:120, 400:436] = code.T
    assert without_text(page, PX_PER_MM)[0].min() > 200


def test_too_coarse_a_sheet_is_left() -> None:
    written, _, _ = sheets(0)
    assert without_text(written, 1.0) == (written, ())


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_no_wave_is_taken_for_a_letter(name: str) -> None:
    """Faint traces fall apart, and an R wave is a stroke: what is not tied to words stays, in every layout."""
    cohort_like = generator(14, "waves", sorted(LAYOUTS).index(name))
    beats = np.zeros((8, 5000), dtype=np.float32)
    for k in range(8):
        at = np.arange(200 + 10 * k, 4900, 400)
        for shift, tall in ((-9, -0.2), (0, float(cohort_like.uniform(0.5, 2.4))), (9, -0.5), (120, 0.25)):
            beats[k, at + shift] = tall
    kernel = np.hanning(15) / np.hanning(15).max()
    leads = np.stack([np.convolve(row, kernel, mode="same") for row in beats]).astype(np.float32)
    for number in range(4):
        rng = generator(15, "waves", number)
        style = dataclasses.replace(draw_style(rng), patient=None, footer=False)
        layout = placed(LAYOUTS[name], style)
        k = float(rng.uniform(2.0, 6.0))
        page = render(leads, 500, name, (round(layout.height_mm * k), round(layout.width_mm * k)), style=style)
        painted, boxes = without_text(page, k, [strip.baseline_mm * k for strip in layout.strips])
        share = float((painted != page).mean())
        assert share < 2e-4, (name, number, len(boxes), share)


def test_no_wave_of_a_real_photograph_is_painted_over(shared_data: Path) -> None:
    folder = shared_data / "photos"
    if not folder.is_dir():
        pytest.skip(f"no photographs here: {folder} is absent")
    with (Path(__file__).parent / "photographs_facts.csv").open(encoding="utf-8", newline="") as file:
        without = [row["file"] for row in csv.DictReader(file) if row["header_text"] == "no"]
    assert len(without) > 15
    reader = Reader()
    for name in without[::3]:
        page = reader.read(read_picture(folder / name, longest_side=1200).pixels)
        assert page.sheet is not None, name
        area = sum((right - left) * (bottom - top) for left, top, right, bottom in page.text_boxes)
        assert area < 1e-3 * page.sheet.size, (name, page.text_boxes)
