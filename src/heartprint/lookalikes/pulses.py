"""Strips of pulse oximeters and of blood pressures, on paper or as a monitor shows them.

Training: pulses made of bells and pressures made of pieces, on millimetre paper in the colours of ECG paper or without.
Test: pulses and pressures from filters and a Windkessel, on scales of their own, dark monitors and dotted paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from heartprint.foundation.arrays import Float64Array
from heartprint.lookalikes import waves
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
from heartprint.sheets.style import BLACK, GRIDS, WHITE, Colour

RATE = 100.0

MONITOR: tuple[Colour, ...] = ((0.2, 1.0, 0.3), (1.0, 0.25, 0.25), (0.3, 0.9, 1.0), (1.0, 0.95, 0.3), (0.9, 0.9, 0.9))


def ecg_colours(canvas: Canvas, rng: np.random.Generator, box: Box) -> None:
    """Rule a box as ECG paper is."""
    major, minor = one_of(rng, tuple(GRIDS.values()))
    if minor:
        canvas.grid(box, minor, 0.12, 1.0)
    if major:
        canvas.grid(box, major, 0.2, 5.0)


def _rows(canvas: Canvas, box: Box, count: int) -> list[Box]:
    height = (box[3] - box[1]) / count
    return [(box[0], box[1] + (i + 0.1) * height, box[2], box[1] + (i + 0.9) * height) for i in range(count)]


def _plotted(canvas: Canvas, row: Box, wave: Float64Array, ink: Colour, pen_mm: float, high: float = 1.0) -> None:
    height = row[3] - row[1]
    canvas.trace(row, (np.asarray(wave) * high - 0.5) * height, ink, pen_mm)


def ppg_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """One to six rows of pulse waves made of bells, on ECG-like paper."""
    canvas.fill(light(rng, 0.93))
    box = canvas.inner(between(rng, 0, 8), top=between(rng, 0, 10), bottom=between(rng, 0, 8))
    ecg_colours(canvas, rng, box)
    seconds = (box[2] - box[0]) / one_of(rng, (6.25, 12.5, 25.0, 25.0, 50.0))
    ink, pen, rate = dark(rng), between(rng, 0.18, 0.4), between(rng, 48, 125)
    names = ("PLETH", "SpO2", "PPG", "Pulse", "Finger IR", "Red", "Ear")
    for row in _rows(canvas, box, whole(rng, 1, max(1, min(6, int((box[3] - box[1]) / 18))))):
        wave = waves.pulse_of_bells(rng, seconds, RATE, rate, between(rng, 0.01, 0.08))
        if chance(rng, 0.15):
            wave = waves.breathing(rng, seconds, RATE, between(rng, 8, 24))
        _plotted(canvas, row, wave, ink, pen, between(rng, 0.5, 1.0))
        canvas.write(row[0] + 1.5, row[1] + 1.0, one_of(rng, names), between(rng, 2.4, 3.6), bold=chance(rng, 0.5))
    text = (
        f"SpO2 {whole(rng, 85, 100)} %   PR {round(rate)} /min   {one_of(rng, ('25 mm/s', '12.5 mm/s', '6.25 mm/s'))}"
    )
    canvas.write(box[0] + 2, box[1] - 1.5 if box[1] > 5 else box[3] - 1.5, text, 2.8)


def ppg_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """Pulse waves of decays on a monitor, or on paper with a scale, with numbers beside them."""
    dark_screen = chance(rng, 0.5)
    canvas.fill((0.02, 0.02, 0.04) if dark_screen else light(rng, 0.9))
    text: Colour = (0.8, 0.85, 0.8) if dark_screen else BLACK
    side = between(rng, 18, 40) if chance(rng, 0.6) else 2.0
    box = (3.0, 6.0, canvas.width_mm - side, canvas.height_mm - 6.0)
    pitch = one_of(rng, (2.0, 4.0, 10.0, 12.7))
    rule = (0.15, 0.2, 0.18) if dark_screen else mixed(WHITE, dark(rng, 0.8), between(rng, 0.2, 0.5))
    look = one_of(rng, ("grid", "dots", "levels", "none"))
    if look == "grid":
        canvas.grid(box, rule, 0.15, pitch, pitch_y_mm=one_of(rng, (pitch, 2 * pitch)))
    elif look == "dots":
        for x in np.arange(box[0], box[2], max(pitch, 4.0)):
            for y in np.arange(box[1], box[3], max(pitch, 4.0)):
                canvas.disc(float(x), float(y), 0.2, rule)
    elif look == "levels":
        canvas.lines(box, rule, 0.2, y_mm=np.linspace(box[1], box[3], 9))
    seconds = (box[2] - box[0]) / between(rng, 8, 40)
    count = whole(rng, 1, max(1, min(5, int((box[3] - box[1]) / 22))))
    rate = between(rng, 45, 140)
    for i, row in enumerate(_rows(canvas, box, count)):
        ink = one_of(rng, MONITOR) if dark_screen else dark(rng, 0.6)
        wave = waves.pulse_of_decays(rng, seconds, RATE, rate, between(rng, 0.0, 0.12))
        if i and chance(rng, 0.3):
            wave = waves.breathing(rng, seconds, RATE, between(rng, 8, 24), "gas")
        _plotted(canvas, row, wave, ink, between(rng, 0.2, 0.6), between(rng, 0.6, 0.95))
        label = one_of(rng, ("Pleth", "SpO\u2082", "IR ch 1", "PI", "RED", "Pulse ox"))
        canvas.write(row[0] + 1, row[1], label, 2.6, ink if dark_screen else text, face="mono")
        if side > 10:
            middle = (row[1] + row[3]) / 2
            canvas.write(
                canvas.width_mm - 2, middle, str(whole(rng, 40, 100)), min(14.0, 0.35 * side), ink, anchor="rs"
            )
            canvas.write(canvas.width_mm - 2, middle + 4, one_of(rng, ("%", "bpm", "PI %")), 2.6, text, anchor="rs")
    canvas.write(box[0], 4.5, words(rng, 2, "test"), 2.6, text, face="mono")


Wave = Callable[[np.random.Generator, float, float, float, float], Float64Array]


def pressure_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Arterial, venous and pulmonary pressures made of pieces on ECG-like paper with a scale."""
    canvas.fill(light(rng, 0.93))
    box = canvas.inner(between(rng, 0, 6), top=between(rng, 0, 9))
    ecg_colours(canvas, rng, box)
    names = ("ART", "ABP", "P1", "Aorta", "PA")
    _pressures(canvas, rng, box, waves.pressure_of_pieces, names, dark(rng), one_of(rng, (12.5, 25.0, 25.0)))
    if box[1] > 5:
        canvas.write(
            box[0] + 1, box[1] - 1.5, f"{words(rng, 2).title()}  {whole(rng, 1, 28)}.{whole(rng, 1, 12)}.2019", 2.8
        )


def pressure_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """Pressures of a Windkessel on the levels of a laboratory's recorder, or a monitor."""
    night = chance(rng, 0.35)
    canvas.fill((0.03, 0.03, 0.05) if night else light(rng, 0.9))
    box = (between(rng, 10, 18), between(rng, 4, 12), canvas.width_mm - 4, canvas.height_mm - between(rng, 6, 12))
    rule: Colour = (0.2, 0.2, 0.25) if night else mixed(WHITE, dark(rng, 0.7), between(rng, 0.25, 0.6))
    canvas.lines(box, rule, 0.15, y_mm=np.linspace(box[1], box[3], one_of(rng, (6, 11, 21))))
    if chance(rng, 0.6):
        second_mm = between(rng, 9, 30)
        canvas.lines(box, rule, 0.15, x_mm=np.arange(box[0], box[2], second_mm))
    canvas.frame(box, rule, 0.3)
    names = ("Ao", "LV", "Pa mmHg", "RADIAL", "IABP", "Fem")
    ink = one_of(rng, MONITOR) if night else dark(rng, 0.6)
    _pressures(canvas, rng, box, waves.pressure_of_windkessel, names, ink, between(rng, 10, 45), night)


def _pressures(
    canvas: Canvas,
    rng: np.random.Generator,
    box: Box,
    wave_of: Wave,
    names: Sequence[str],
    ink: Colour,
    speed: float,
    night: bool = False,
) -> None:
    seconds, rate, text = (box[2] - box[0]) / speed, between(rng, 45, 130), (0.8, 0.8, 0.8) if night else BLACK
    pen = between(rng, 0.18, 0.4)
    count = whole(rng, 1, max(1, min(4, int((box[3] - box[1]) / 25))))
    for i, row in enumerate(_rows(canvas, box, count)):
        kind = "artery" if i == 0 else one_of(rng, ("artery", "vein", "breath"))
        if kind == "artery":
            wave = wave_of(rng, seconds, RATE, rate, between(rng, 0.005, 0.12))
        elif kind == "vein":
            wave = waves.venous_pressure(rng, seconds, RATE, rate)
        else:
            wave = waves.breathing(rng, seconds, RATE, between(rng, 8, 22))
        _plotted(canvas, row, 0.15 + 0.75 * wave, ink, pen)
        name = one_of(rng, names) if kind == "artery" else "CVP" if kind == "vein" else one_of(rng, ("RESP", "CO2"))
        high = whole(rng, 95, 180)
        canvas.write(row[0] + 9, row[1] + 1, f"{name}  {high}/{round(high * between(rng, 0.4, 0.7))}", 3.0, text)
        for share, level in ((0.0, "0"), (0.5, str(6 * high // 10)), (1.0, str(12 * high // 10))):
            y = row[3] - share * (row[3] - row[1])
            canvas.curve([(row[0], y), (row[0] + 2, y)], text, 0.2)
            canvas.write(
                row[0] + 2.5 if row[0] < 9 else row[0] - 1,
                y + 0.8,
                level,
                2.2,
                text,
                anchor="ls" if row[0] < 9 else "rs",
            )
