"""A page for people: an ECG in colour, at true millimetres."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.foundation.fonts import font
from heartprint.pages.contact_sheet import checked_png, png_info
from heartprint.sheets.background import line_coverage, pulse_coverage
from heartprint.sheets.baseline import subtract_median
from heartprint.sheets.layout import Layout, with_pulses
from heartprint.sheets.raster import BASELINES, checked_leads, draw_ink
from heartprint.sheets.registry import get_layout
from heartprint.sheets.style import moved

MM_PER_INCH = 25.4
SMALLEST_DPI, LARGEST_DPI = 50, 1200

PAPER_MM = (297.0, 210.0)
"""A4 across; larger where a layout needs it."""

TOP_MM, BOTTOM_MM, SIDE_MM = 15.0, 15.0, 13.0
TRACE_MM, GRID_MM = 0.3, 0.1
INK = (20.0, 20.0, 60.0)
MAJOR, MINOR, RIM = (236.0, 150.0, 150.0), (250.0, 214.0, 214.0), (214.0, 100.0, 100.0)
TEXT, FAINT, WARNING = (20, 20, 60), (110, 110, 120), (200, 0, 0)


def render_page(
    leads: npt.NDArray[np.floating],
    sampling_rate: float,
    layout: str | Layout = "standard",
    dpi: int = 200,
    *,
    title: str | None = None,
    simulated: bool = False,
    unit: Literal["uV", "z"] = "uV",
    baseline: Literal["none", "median"] = "none",
) -> Image:
    """Draw an ECG as a page for people at the layout's millimetres, with grid, lead names and calibration pulses.

    Args:
        leads: ``(8, n)`` or ``(12, n)`` in mV; NaN = missing, a gap.
        sampling_rate: Hz.
        layout: Name of a layout, or a `Layout`.
        dpi: Pixels per inch of paper; printed at that resolution, a millimetre is a millimetre.
        title: A line above the ECG.
        simulated: Whether to say on the page that the ECG is simulated.
        unit: ``"z"`` where leads were standardised one by one: the page says so and has no calibration.
        baseline: ``"median"`` subtracts a running one-second median from each lead.

    Returns:
        ``(H, W, 3)`` uint8, red, green, blue. A4 across, or larger where the layout needs it.

    Raises:
        HeartprintError: ``unknown-layout``, ``bad-dpi``, ``bad-leads`` or ``unknown-baseline``.
    """
    from PIL import Image, ImageDraw

    if isinstance(dpi, bool) or not isinstance(dpi, int) or not SMALLEST_DPI <= dpi <= LARGEST_DPI:
        raise HeartprintError(
            "bad-dpi", f"--dpi must be a whole number from {SMALLEST_DPI} to {LARGEST_DPI}, not {dpi}."
        )
    if baseline not in BASELINES:
        raise unknown_name("baseline", str(baseline), BASELINES)
    sheet = get_layout(layout)
    signals = checked_leads(leads, sampling_rate)
    if baseline == "median":
        signals = subtract_median(signals, sampling_rate)
    sheet = sheet if sheet.pulses else with_pulses(sheet, "left")
    if unit == "z":
        sheet = dataclasses.replace(sheet, pulses=())
    width_mm = max(PAPER_MM[0], sheet.width_mm + 2 * SIDE_MM)
    height_mm = max(PAPER_MM[1], sheet.height_mm + TOP_MM + BOTTOM_MM)
    left = (width_mm - sheet.width_mm) / 2
    top = TOP_MM + (height_mm - TOP_MM - BOTTOM_MM - sheet.height_mm) / 2
    scale = dpi / MM_PER_INCH
    height, width = round(height_mm * scale), round(width_mm * scale)

    paper = np.full((height, width, 3), 255.0, dtype=np.float32)
    _draw_grid(paper, left, top, sheet.width_mm, sheet.height_mm, scale)
    on_page = dataclasses.replace(
        sheet,
        width_mm=width / scale,
        height_mm=height / scale,
        strips=tuple(moved(strip, left, top) for strip in sheet.strips),
        pulses=tuple(moved(pulse, left, top) for pulse in sheet.pulses),
        separator="tick" if sheet.separator == "mark" else sheet.separator,
    )
    page = Image.fromarray(np.clip(np.rint(paper), 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(page)

    def write(x: float, y: float, text: str, mm: float, colour: tuple[int, int, int], anchor: str, bold: bool) -> None:
        face = font(max(round(mm * scale), 6), bold=bold)
        halo = max(round(0.35 * scale), 1)
        pen.text(
            (x * scale, y * scale), text, fill=colour, font=face, anchor=anchor, stroke_width=halo, stroke_fill="white"
        )

    write(left, top - 3.0, title or "12-lead ECG", 4.6, TEXT, "ls", True)
    if simulated:
        write(left + sheet.width_mm, top - 3.0, "SIMULATED", 6.0, WARNING, "rs", True)
    speeds = ", ".join(f"{speed:g}" for speed in sheet.speeds_mm_per_s)
    gains = " / ".join(f"{gain:g}" for gain in sheet.gains_mm_per_mv) + " mm/mV"
    calibration = "each lead in its own standard deviations (10 mm = 1)" if unit == "z" else gains
    filtered = "   one-second median subtracted" if baseline == "median" else ""
    note = f"{speeds} mm/s   {calibration}   {sampling_rate:g} Hz   layout {sheet.name}{filtered}"
    write(left, top + sheet.height_mm + 6.0, note, 3.2, FAINT, "ls", False)
    write(
        left + sheet.width_mm,
        top + sheet.height_mm + 6.0,
        "Heartprint: research software, not a medical device",
        3.2,
        FAINT,
        "rs",
        False,
    )
    rows = sorted({strip.baseline_mm for strip in sheet.strips})
    raised_mm = min(9.0, 0.32 * min((b - a for a, b in itertools.pairwise(rows)), default=30.0))
    for strip in on_page.strips:
        if strip.named:
            write(strip.left_mm + 1.5, strip.baseline_mm - raised_mm, strip.label, 3.6, TEXT, "ls", True)
    # Traces lie over all letters, so that no letter hides a beat.
    paper = np.asarray(page, dtype=np.float32)
    ink = draw_ink(signals, sampling_rate, on_page, height, width, pen_mm=TRACE_MM)
    ink = np.maximum(ink, pulse_coverage(on_page, TRACE_MM, height, width))
    return np.rint(paper + ink[:, :, None] * (np.array(INK, dtype=np.float32) - paper)).astype(np.uint8)


def _draw_grid(
    paper: npt.NDArray[np.float32], left: float, top: float, width_mm: float, height_mm: float, scale: float
) -> None:
    """Draw millimetre paper into a box given in mm."""
    height, width = paper.shape[:2]
    columns = (np.arange(width) + 0.5) / scale
    rows = (np.arange(height) + 0.5) / scale
    across, down = ((columns >= left) & (columns <= left + width_mm)), ((rows >= top) & (rows <= top + height_mm))
    for colour, every, pen in ((MINOR, 1, GRID_MM), (MAJOR, 5, 2 * GRID_MM)):
        x = line_coverage(left + np.arange(0, width_mm + 0.5, every), pen, scale, width) * across
        y = line_coverage(top + np.arange(0, height_mm + 0.5, every), pen, scale, height) * down
        for lines in (x[None, :] * down[:, None], y[:, None] * across[None, :]):
            paper += lines[:, :, None] * (np.array(colour, dtype=np.float32) - paper)
    rim = np.array(RIM, dtype=np.float32)
    x = line_coverage(np.array([left, left + width_mm]), 3 * GRID_MM, scale, width)
    y = line_coverage(np.array([top, top + height_mm]), 3 * GRID_MM, scale, height)
    grown_x = (columns >= left - GRID_MM) & (columns <= left + width_mm + GRID_MM)
    grown_y = (rows >= top - GRID_MM) & (rows <= top + height_mm + GRID_MM)
    for lines in (x[None, :] * grown_y[:, None], y[:, None] * grown_x[None, :]):
        paper += lines[:, :, None] * (rim - paper)


def save_page(
    cohort: str | Path,
    ecg_id: str,
    out: str | Path | None = None,
    *,
    layout: str = "standard",
    dpi: int = 200,
    baseline: str = "none",
) -> Path:
    """Draw one ECG of a cohort and save it as a PNG file that prints at true size.

    Args:
        cohort: A cohort folder.
        ecg_id: The ECG.
        out: PNG file; ``ECG_LAYOUT.png`` in the working folder if None. Written whole or not at all.
        layout: Name of a layout, or path of a layout's ``.yaml`` file.
        dpi: Pixels per inch of paper.
        baseline: ``none`` or ``median``.

    Returns:
        The file.

    Raises:
        HeartprintError: ``unknown-ecg``, ``bad-path``, ``unknown-layout``, ``bad-dpi``, ``unknown-baseline``, or what
            opening the cohort raises.
    """
    from PIL import Image

    from heartprint.cohorts.cohort import Cohort
    from heartprint.foundation.files import atomic_path

    target = page_file(ecg_id, out, layout)
    opened = Cohort.open(cohort)
    row = _row(opened.ecg_ids, ecg_id, opened.info.name)
    record: dict[str, Any] = opened.records.row(row, named=True)
    if record["kind"] != "waveform":
        raise HeartprintError("no-waveform", f"ECG '{ecg_id}' is an image already: there is no waveform to draw.")
    when = record["recorded_at"]
    page = render_page(
        opened.signal(row),
        opened.sampling_rate(row),
        layout,
        dpi,
        title=f"ECG {ecg_id}   {opened.info.name}" + (f"   {when:%Y-%m-%d %H:%M}" if when else ""),
        simulated=opened.info.simulated,
        unit="z" if record["unit"] == "z" else "uV",
        baseline="median" if baseline == "median" else _none(baseline),
    )
    with atomic_path(target) as temporary:
        Image.fromarray(page).save(temporary, format="PNG", dpi=(dpi, dpi), pnginfo=png_info())
    return target


def page_file(ecg_id: str, out: str | Path | None, layout: str) -> Path:
    """The PNG file of a page: what was asked for, or ``ECG_LAYOUT.png``.

    Raises:
        HeartprintError: ``bad-path`` or ``unknown-layout``.
    """
    name = re.sub(r"[^\w.-]+", "_", ecg_id).strip("._") or "ecg"
    return checked_png(out if out is not None else f"{name}_{get_layout(layout).name}.png")


def _none(baseline: str) -> Literal["none"]:
    if baseline != "none":
        raise unknown_name("baseline", baseline, BASELINES)
    return "none"


def _row(ecg_ids: npt.NDArray[np.str_], ecg_id: str, cohort: str) -> int:
    found = np.flatnonzero(ecg_ids == ecg_id)
    if len(found):
        return int(found[0])
    near = difflib.get_close_matches(ecg_id, ecg_ids.tolist(), n=1, cutoff=0.0)
    hint = f"The nearest is '{near[0]}'." if near else "It holds no ECG."
    raise HeartprintError("unknown-ecg", f"Cohort {cohort} has no ECG '{ecg_id}'. {hint}")
