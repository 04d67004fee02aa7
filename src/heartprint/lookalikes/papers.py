"""Papers without a recording: ECG paper, millimetre paper, ruled and squared paper.

Training: ECG paper is a sheet of our own renderer whose ECG is missing, plain or with texts; millimetre and squared
paper has the common pitches, sometimes with a curve or handwriting.
Test: ECG paper is drawn here, with other colours, heavier lines each 25 mm, ticks, torn and dotted borders and lead
names at places where none is; graph paper is logarithmic, polar, isometric or in inches; ruled paper has dots, the
lines of school books (Seyes), of ledgers, of notes with margins.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from heartprint.lookalikes.canvas import Box, Canvas
from heartprint.lookalikes.choices import (
    between,
    chance,
    dark,
    light,
    mixed,
    one_of,
    whole,
    words,
)
from heartprint.lookalikes.waves import walk
from heartprint.sheets.layout import Names
from heartprint.sheets.raster import render
from heartprint.sheets.registry import LAYOUTS
from heartprint.sheets.style import BLACK, STYLES, WHITE, Colour, Style, draw_style, placed
from heartprint.signals.leads import LEADS_12

_NO_ECG = np.full((12, 500), np.nan, dtype=np.float32)


def ecg_paper_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """A sheet in any style, without trace, names or pulses."""
    style: Style = draw_style(rng) if chance(rng, 0.6) else one_of(rng, tuple(STYLES.values()))
    while style.major is None and style.minor is None:
        style = draw_style(rng)
    style = dataclasses.replace(style, names=Names(form="none"), separator="none", pulse="none")
    if chance(rng, 0.5):
        style = dataclasses.replace(style, patient=None, footer=False)
    # The sheet is as large as the canvas, whose grid would be off by a stretch otherwise.
    left, top, right, bottom = style.margin_mm
    wide, high = canvas.width_mm - left - right, canvas.height_mm - top - bottom
    if min(wide, high) < 20:
        left, top, right, bottom = 0.0, 0.0, 0.0, 0.0
        style = dataclasses.replace(style, margin_mm=(left, top, right, bottom), patient=None, footer=False)
        wide, high = canvas.width_mm, canvas.height_mm
    layout = dataclasses.replace(
        one_of(rng, tuple(LAYOUTS.values())), name="paper", width_mm=wide, height_mm=high, pulses=()
    )
    strip = dataclasses.replace(layout.strips[0], left_mm=0.0, baseline_mm=high / 2, named=False)
    paper = placed(dataclasses.replace(layout, strips=(strip,)), style)
    assert abs(paper.width_mm - canvas.width_mm) < 1e-6
    canvas.put(
        render(_NO_ECG, 500, dataclasses.replace(layout, strips=(strip,)), canvas.size, style=style, colour=True)
    )


def ecg_paper_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """ECG paper of other makers."""
    red, green, blue = (between(rng, 0.25, 1.0) for _ in range(3))
    rule: Colour = one_of(
        rng, ((0.9, 0.35, 0.3), (0.95, 0.5, 0.6), (0.35, 0.65, 0.4), (0.3, 0.5, 0.85), (red, green, blue))
    )
    paper = light(rng, 0.9)
    canvas.fill(paper)
    pale = mixed(rule, paper, between(rng, 0.4, 0.75))
    box = canvas.inner(between(rng, 0, 10)) if chance(rng, 0.6) else canvas.box
    look = one_of(rng, ("lines", "lines", "dots", "major"))
    if look == "dots":
        for x in np.arange(box[0], box[2], 1.0):
            for y in np.arange(box[1], box[3], 1.0):
                canvas.disc(float(x), float(y), 0.12, pale)
    elif look == "lines":
        canvas.grid(box, pale, between(rng, 0.08, 0.16), 1.0)
    canvas.grid(box, rule, between(rng, 0.15, 0.3), 5.0)
    if chance(rng, 0.4):
        canvas.grid(box, mixed(rule, BLACK, 0.2), between(rng, 0.35, 0.5), 25.0)
    ink = dark(rng, 0.3)
    if chance(rng, 0.4):  # a time mark each 75 mm, as old rolls have
        for x in np.arange(box[0], box[2], 75.0):
            canvas.polygon([(x - 1, box[1]), (x + 1, box[1]), (x, box[1] + 2.5)], mixed(rule, BLACK, 0.4))
    if chance(rng, 0.4):
        rows, columns = whole(rng, 1, 6), whole(rng, 1, 4)
        for i, name in enumerate(LEADS_12[: rows * columns]):
            x = box[0] + (i // rows) * (box[2] - box[0]) / columns + 2
            canvas.write(x, box[1] + (i % rows + 0.4) * (box[3] - box[1]) / rows, name, between(rng, 2.5, 4), ink)
    if chance(rng, 0.4):
        canvas.write(
            box[2] - 2,
            box[3] - 1,
            f"{words(rng, 1, 'test').upper()} {whole(rng, 1000, 9999)}-A4",
            2.4,
            rule,
            anchor="rs",
        )
    if chance(rng, 0.25):
        for y in np.arange(3.0, canvas.height_mm, 6.0):
            canvas.disc(2.5, float(y), 1.2, (0.4, 0.4, 0.4))


def millimetre_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Lines 1, 5 and 10 mm apart; sometimes a curve with axes is drawn by hand."""
    paper = light(rng, 0.93)
    canvas.fill(paper)
    rule: Colour = one_of(
        rng, ((0.9, 0.5, 0.3), (0.4, 0.65, 0.5), (0.45, 0.6, 0.9), (0.5, 0.5, 0.5), (0.85, 0.5, 0.55))
    )
    box = canvas.inner(between(rng, 0, 12))
    for pitch, share, pen in ((1.0, 0.6, 0.1), (5.0, 0.35, 0.18), (10.0, 0.0, 0.3)):
        if pitch != 5.0 or chance(rng, 0.6):
            canvas.grid(box, mixed(rule, paper, share), pen, pitch)
    if chance(rng, 0.4):
        _axes_and_curve(canvas, rng, box)


def _axes_and_curve(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    ink, x0, y0 = dark(rng, 0.5), box[0] + 10.0, box[3] - 15.0
    canvas.curve([(x0, box[1] + 5), (x0, y0), (box[2] - 5, y0)], ink, 0.4)
    for _ in range(whole(rng, 1, 3)):
        n = 300
        x = np.linspace(x0, box[2] - between(rng, 5, 30), n)
        wave = walk(rng, n, between(rng, 40, 200))
        wave = np.convolve(wave, np.hanning(41) / np.hanning(41).sum(), mode="same")
        y = y0 - (wave - wave.min()) / np.ptp(wave) * between(rng, 0.3, 0.9) * (y0 - box[1] - 8)
        if chance(rng, 0.4):
            for px, py in zip(x[::20], y[::20], strict=True):
                canvas.curve([(px - 1, py - 1), (px + 1, py + 1)], ink, 0.3)
                canvas.curve([(px - 1, py + 1), (px + 1, py - 1)], ink, 0.3)
        else:
            canvas.curve(np.column_stack([x, y]), dark(rng, 0.6), 0.4)


def millimetre_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """Logarithmic, polar, isometric graph paper, or that in inches and half centimetres."""
    paper = light(rng, 0.88)
    canvas.fill(paper)
    rule: Colour = one_of(rng, ((0.2, 0.55, 0.3), (0.3, 0.65, 0.75), (0.75, 0.35, 0.15), (0.5, 0.4, 0.7)))
    box, pale = canvas.inner(between(rng, 2, 15)), mixed(rule, paper, 0.5)
    look = one_of(rng, ("log", "semilog", "polar", "isometric", "inches", "two"))
    if look in ("log", "semilog"):
        decades = whole(rng, 2, 5)
        steps = np.concatenate([[d + np.log10(m) for m in np.arange(1, 10, 0.5)] for d in range(decades)]) / decades
        y = box[3] - steps * (box[3] - box[1])
        x = box[0] + steps * (box[2] - box[0]) if look == "log" else np.arange(box[0], box[2], 2.0)
        canvas.lines(box, pale, 0.1, x_mm=x, y_mm=y)
        canvas.lines(
            box, rule, 0.3, x_mm=np.linspace(box[0], box[2], decades + 1), y_mm=np.linspace(box[1], box[3], decades + 1)
        )
    elif look == "polar":
        x0, y0 = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        for i, radius in enumerate(np.arange(2.0, max(canvas.width_mm, canvas.height_mm), 2.0)):
            canvas.disc(x0, y0, float(radius), rule if i % 5 == 4 else pale, 0.15)
        for k in range(72):
            a, far = np.pi * k / 36, canvas.width_mm + canvas.height_mm
            canvas.curve([(x0, y0), (x0 + far * np.cos(a), y0 + far * np.sin(a))], rule if k % 6 == 0 else pale, 0.12)
    elif look == "isometric":
        pitch, reach = between(rng, 3, 8), canvas.width_mm + 2 * canvas.height_mm
        canvas.lines(canvas.box, pale, 0.15, x_mm=np.arange(0, canvas.width_mm, pitch * 0.866))
        for start in np.arange(-reach, reach, pitch):
            for lean in (0.577, -0.577):
                canvas.curve([(0, start), (canvas.width_mm, start + lean * canvas.width_mm)], pale, 0.15)
    elif look == "inches":
        canvas.grid(box, pale, 0.12, 2.54)
        canvas.grid(box, rule, 0.35, one_of(rng, (12.7, 25.4)))
    else:
        canvas.grid(box, pale, 0.15, 2.0)
        canvas.grid(box, rule, 0.3, 20.0)
    if chance(rng, 0.4):
        for k in range(0, 11):
            canvas.write(box[0] - 1, box[3] - k * (box[3] - box[1]) / 10, str(k), 2.4, rule, face="mono", anchor="rs")


def ruled_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Lined or squared paper with a margin, sometimes written on."""
    canvas.fill(light(rng, 0.92))
    rule: Colour = one_of(rng, ((0.6, 0.72, 0.9), (0.7, 0.7, 0.75), (0.55, 0.75, 0.7)))
    pitch = between(rng, 7, 10)
    squared = chance(rng, 0.5)
    box = canvas.box if chance(rng, 0.6) else canvas.inner(6.0)
    if squared:
        pitch = one_of(rng, (4.0, 5.0, 5.0, 7.0, 10.0))
        canvas.grid(box, rule, between(rng, 0.12, 0.3), pitch)
    else:
        canvas.lines(box, rule, between(rng, 0.15, 0.3), y_mm=np.arange(box[1] + 15, box[3], pitch))
    if chance(rng, 0.5):
        canvas.lines(box, (0.9, 0.4, 0.45), 0.3, x_mm=[between(rng, 15, 35)])
    if chance(rng, 0.6):
        size = pitch if not squared else 2 * pitch
        ink = one_of(rng, ((0.1, 0.15, 0.5), (0.15, 0.15, 0.15)))
        for y in np.arange(15 + size, canvas.height_mm * between(rng, 0.3, 1), size):
            scrawl(canvas, rng, 22.0, float(y), canvas.width_mm - between(rng, 8, 60), 0.32 * size, ink)


def ruled_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """Dots, French school ruling, ledgers, notes with margins, staves to write letters on."""
    canvas.fill(light(rng, 0.86))
    rule: Colour = one_of(rng, ((0.65, 0.55, 0.8), (0.45, 0.6, 0.85), (0.75, 0.6, 0.5), (0.5, 0.7, 0.5)))
    look = one_of(rng, ("dots", "seyes", "ledger", "notes", "writing"))
    wide, high = canvas.width_mm, canvas.height_mm
    if look == "dots":
        pitch = one_of(rng, (4.0, 5.0, 6.0, 8.0))
        for x in np.arange(pitch, wide, pitch):
            for y in np.arange(pitch, high, pitch):
                canvas.disc(float(x), float(y), between(rng, 0.2, 0.25), rule)
    elif look == "seyes":
        canvas.lines(canvas.box, rule, 0.12, y_mm=np.arange(0, high, 2.0))
        canvas.lines(canvas.box, rule, 0.25, x_mm=np.arange(0, wide, 8.0), y_mm=np.arange(0, high, 8.0))
    elif look == "ledger":
        canvas.lines(canvas.box, rule, 0.15, y_mm=np.arange(20, high, 6.0))
        columns = np.cumsum(rng.uniform(8, 35, 12))
        canvas.lines((0, 20, wide, high), (0.85, 0.4, 0.4), 0.25, x_mm=np.concatenate([columns, columns + 0.8]))
    elif look == "notes":
        canvas.lines((0, 20, wide, 0.82 * high), rule, 0.2, y_mm=np.arange(20, high, 7.1))
        canvas.lines((0, 20, wide, 0.82 * high), rule, 0.6, x_mm=[0.28 * wide])
        canvas.lines(canvas.box, rule, 0.6, y_mm=[20, 0.82 * high])
    else:
        for y in np.arange(12, high, 16.0):
            canvas.lines((8, 0, wide - 8, high), rule, 0.15, y_mm=[y, y + 8])
            canvas.lines((8, 0, wide - 8, high), mixed(rule, WHITE, 0.5), 0.15, y_mm=[y + 3, y + 5])
    if chance(rng, 0.5):
        ink = one_of(rng, ((0.5, 0.1, 0.1), (0.1, 0.3, 0.2), (0.2, 0.2, 0.25)))
        for _ in range(whole(rng, 2, 14)):
            y, x = between(rng, 15, high - 5), between(rng, 5, wide / 2)
            scrawl(canvas, rng, x, y, x + between(rng, 20, wide / 2), between(rng, 2, 4.5), ink, upright=True)


def scrawl(
    canvas: Canvas,
    rng: np.random.Generator,
    x_mm: float,
    y_mm: float,
    end_mm: float,
    size_mm: float,
    ink: Colour,
    *,
    upright: bool = False,
) -> None:
    """Something like handwriting on a line: loops of changing height in words."""
    while x_mm < end_mm:
        letters = whole(rng, 2, 9)
        n = letters * 12
        phase = np.linspace(0, 2 * np.pi * letters, n)
        tall = np.repeat(rng.choice([0.5, 0.55, 0.6, 1.1, -0.7], letters), 12)
        tall = np.convolve(np.pad(tall, 4, mode="edge"), np.ones(9) / 9, mode="valid")
        y = y_mm - size_mm * (0.45 + tall * 0.5 * np.sin(phase) * (1 + 0.2 * rng.standard_normal(n) * upright))
        x = x_mm + np.linspace(0, letters * 0.75 * size_mm, n) + 0.22 * size_mm * np.cos(phase + 0.6)
        if not upright:
            x = x + 0.25 * (y_mm - y)
        canvas.curve(np.column_stack([x, y]), ink, 0.3)
        x_mm = float(x[-1]) + 0.9 * size_mm
