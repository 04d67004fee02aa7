"""Pages of an EEG.

Training: noise shaped by the FFT on longitudinal bipolar montages, printed on white paper with lines each second.
Test: noise-driven oscillators with seizures of spikes and waves on referential and transverse montages, in colours for
each side, on ruled chart paper or as a screen, with plotter's letters.
"""

from __future__ import annotations

import numpy as np

from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.fonts import Face
from heartprint.lookalikes.canvas import Box, Canvas
from heartprint.lookalikes.choices import (
    between,
    chance,
    dark,
    light,
    one_of,
    vivid,
    whole,
    words,
)
from heartprint.lookalikes.waves import band_noise, coloured_noise, envelope, resonator, walk
from heartprint.sheets.style import BLACK, Colour

RATE = 200.0

LONGITUDINAL = [
    "Fp1-F7",
    "F7-T3",
    "T3-T5",
    "T5-O1",
    "Fp2-F8",
    "F8-T4",
    "T4-T6",
    "T6-O2",
    "Fp1-F3",
    "F3-C3",
    "C3-P3",
    "P3-O1",
    "Fp2-F4",
    "F4-C4",
    "C4-P4",
    "P4-O2",
    "Fz-Cz",
    "Cz-Pz",
]
TRANSVERSE = [
    "F7-F3",
    "F3-Fz",
    "Fz-F4",
    "F4-F8",
    "A1-T7",
    "T7-C3",
    "C3-Cz",
    "Cz-C4",
    "C4-T8",
    "T8-A2",
    "P7-P3",
    "P3-Pz",
    "Pz-P4",
    "P4-P8",
]
ELECTRODES = [
    "Fp1",
    "Fp2",
    "F3",
    "F4",
    "C3",
    "C4",
    "P3",
    "P4",
    "O1",
    "O2",
    "F7",
    "F8",
    "T7",
    "T8",
    "P7",
    "P8",
    "Fz",
    "Cz",
    "Pz",
]


def _frontal(name: str) -> float:
    return 1.0 if name.startswith("Fp") else 0.35 if name.startswith("F") else 0.0


def _posterior(name: str) -> float:
    return 1.0 if "O" in name else 0.6 if "P" in name.replace("Fp", "") or name.startswith("T5") else 0.15


def eeg_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Longitudinal montage on plain paper."""
    canvas.fill(light(rng, 0.94))
    names = LONGITUDINAL[: one_of(rng, (8, 10, 12, 16, 16, 16, 18))]
    face: Face = one_of(rng, ("sans", "serif"))
    top = between(rng, 6, 16)
    box = (between(rng, 12, 20), top, canvas.width_mm - between(rng, 2, 8), canvas.height_mm - between(rng, 5, 14))
    seconds = max(2.0, (box[2] - box[0]) / one_of(rng, (15.0, 25.0, 30.0, 30.0)))
    n = round(seconds * RATE)
    second_mm = (box[2] - box[0]) / seconds
    grey = between(rng, 0.55, 0.88)
    line: Colour = (grey, grey, grey) if chance(rng, 0.6) else (grey * 0.8, grey, 1.0)
    if chance(rng, 0.9):
        canvas.lines(box, line, 0.15, x_mm=np.arange(box[0], box[2], second_mm))
    if chance(rng, 0.5):
        canvas.lines(box, (0.93, 0.93, 0.93), 0.1, x_mm=np.arange(box[0], box[2], second_mm / 5))
    shared = coloured_noise(rng, n, RATE, 1.6, 0.7)
    alpha_hz, alpha = between(rng, 8, 11.5), envelope(rng, n, RATE, 0.6, between(rng, 0.8, 3.0))
    rhythm = band_noise(rng, n, RATE, alpha_hz - 0.5, alpha_hz + 0.5) * alpha
    blinks = envelope(rng, n, RATE, between(rng, 0, 0.5), 0.3)
    spindles = envelope(rng, n, RATE, between(rng, 0, 0.3), 0.8) * band_noise(rng, n, RATE, 12, 14)
    sharp = _spikes(rng, n, between(rng, 0, 0.5))
    focus = whole(rng, 0, len(names) - 1)
    muscle = between(rng, 0, 0.5) * envelope(rng, n, RATE, 0.3, 1.5)
    row_mm, ink, pen = (box[3] - box[1]) / len(names), dark(rng), between(rng, 0.1, 0.22)
    gain = between(rng, 0.16, 0.4) * row_mm
    for i, name in enumerate(names):
        own = coloured_noise(rng, n, RATE, between(rng, 1.0, 1.8), 0.8)
        wave = 0.7 * own + 0.35 * shared + 1.5 * _posterior(name) * rhythm * between(rng, 0.7, 1.2)
        wave += 5.0 * _frontal(name) * blinks * (1 if "Fp" in name else -0.6) + 0.6 * spindles * (i % 4 in (1, 2))
        wave += muscle * ("T" in name or "F7" in name) * band_noise(rng, n, RATE, 25, 70)
        wave += 3.0 * sharp * np.exp(-abs(i - focus)) * (-1 if i > focus else 1)
        y = box[1] + (i + 0.5) * row_mm
        canvas.trace((box[0], y - 2.5 * row_mm, box[2], y + 2.5 * row_mm), gain * wave, ink, pen)
        canvas.write(2.0, y + 1.0, name, min(2.8, 0.6 * row_mm + 0.6), BLACK, face=face)
    _scale_mark(canvas, box, second_mm, 7.0, f"{one_of(rng, (50, 70, 100))} uV", ink)
    if chance(rng, 0.7):
        canvas.write(
            box[0],
            top - 2.0,
            f"{words(rng, 2).title()}   {whole(rng, 10, 23)}:{whole(rng, 10, 59)}:{whole(rng, 10, 59)}",
            2.8,
        )
    if chance(rng, 0.7):
        low, high = one_of(rng, ("0.5", "1", "1.6")), one_of(rng, (35, 70))
        filters = f"LFF {low} Hz   HFF {high} Hz   {one_of(rng, (7, 10))} uV/mm   30 mm/s"
        canvas.write(box[0], canvas.height_mm - 1.8, filters, 2.4)


def eeg_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """Referential or transverse montage in two colours, on ruled paper or a screen."""
    screen = chance(rng, 0.35)
    canvas.fill(
        (0.06, 0.07, 0.1) if screen and chance(rng, 0.5) else (0.97, 0.96, 0.9) if chance(rng, 0.5) else (1, 1, 1)
    )
    night = canvas.pixels[0, 0, 0] < 100
    reference = one_of(rng, ("-Avg", "-A1", "", "-Ref"))
    names = TRANSVERSE if chance(rng, 0.4) else [f"{e}{reference}" for e in ELECTRODES[: one_of(rng, (10, 16, 19))]]
    left = chance(rng, 0.7)
    box: Box = (13.0 if left else 3.0, 8.0, canvas.width_mm - (3.0 if left else 14.0), canvas.height_mm - 6.0)
    seconds = max(2.0, (box[2] - box[0]) / between(rng, 12, 34))
    n, second_mm = round(seconds * RATE), (box[2] - box[0]) / seconds
    row_mm = (box[3] - box[1]) / len(names)
    if chance(rng, 0.5):  # chart paper: finely ruled along time, coarsely across
        rule: Colour = one_of(rng, ((0.7, 0.85, 0.72), (0.92, 0.75, 0.7), (0.75, 0.8, 0.92)))
        canvas.grid(box, rule, 0.12, second_mm / 5, pitch_y_mm=row_mm)
        canvas.lines(box, rule, 0.35, x_mm=np.arange(box[0], box[2], second_mm))
    else:
        for x in np.arange(box[0], box[2], second_mm):
            for y in np.arange(box[1], box[3], 2.0):
                canvas.curve([(x, y), (x, y + 1.0)], (0.5, 0.5, 0.55), 0.12)
    common = sum(w * resonator(rng, n, RATE, hz, d) for hz, d, w in ((2, 6, 1.0), (6, 8, 0.6), (10, 3, 0.5)))
    seizure = _spike_waves(rng, n) if chance(rng, 0.4) else np.zeros(n)
    slow = between(rng, 0, 1.2)
    inks = (BLACK, BLACK) if chance(rng, 0.3) else (vivid(rng), vivid(rng))
    if night:
        inks = ((0.95, 0.9, 0.4), (0.5, 0.9, 1.0))
    pen, gain, hershey = between(rng, 0.12, 0.28), between(rng, 0.1, 0.3) * row_mm, chance(rng, 0.5)
    for i, name in enumerate(names):
        wave = 0.5 * np.asarray(common) + resonator(rng, n, RATE, between(rng, 8, 12), 4) * (0.4 + _posterior(name))
        wave = wave + 0.5 * resonator(rng, n, RATE, between(rng, 16, 24), 20) + slow * walk(rng, n, RATE)
        wave = wave + 3.5 * seizure * (0.6 + _frontal(name)) + 0.15 * rng.standard_normal(n)
        y = box[1] + (i + 0.5) * row_mm
        ink = inks[0] if name[:2].rstrip("z")[-1:] in "13579" else inks[1]
        canvas.trace((box[0], y - 2 * row_mm, box[2], y + 2 * row_mm), gain * wave, ink, pen)
        text: Colour = (0.85, 0.85, 0.85) if night else BLACK
        x = 1.0 if left else box[2] + 1.0
        if hershey:
            canvas.plot_text(x, y + 0.8, name, min(2.6, 0.7 * row_mm + 0.4), text, 0.15)
        else:
            canvas.write(x, y + 0.8, name, min(2.4, 0.7 * row_mm + 0.4), text, face="mono")
    ticks: Colour = (0.8, 0.8, 0.8) if night else (0.2, 0.2, 0.2)
    start = whole(rng, 0, 3000)
    for k in range(int(seconds) + 1):
        clock = f"{(start + k) // 3600:02d}:{(start + k) // 60 % 60:02d}:{(start + k) % 60:02d}"
        if second_mm > 16 or k % 2 == 0:
            canvas.write(box[0] + k * second_mm, canvas.height_mm - 2.0, clock, 2.0, ticks, face="mono")
    for _ in range(whole(rng, 0, 3)):
        x = between(rng, box[0], box[2])
        canvas.lines(box, (0.8, 0.1, 0.1), 0.25, x_mm=[x])
        canvas.write(x + 0.5, 6.5, words(rng, 2, "test"), 2.4, (0.8, 0.1, 0.1), face="mono")


def _spikes(rng: np.random.Generator, n: int, per_s: float) -> Float64Array:
    """Sharp waves, each followed by a slow one."""
    t, out = np.arange(n) / RATE, np.zeros(n)
    for _ in range(int(rng.poisson(per_s * n / RATE))):
        at = between(rng, 0, n / RATE)
        out += np.exp(-(((t - at) / 0.025) ** 2)) - 0.45 * np.exp(-(((t - at - 0.18) / 0.1) ** 2))
    return out


def _spike_waves(rng: np.random.Generator, n: int) -> Float64Array:
    """Three spikes and waves a second, for a while."""
    t = np.arange(n) / RATE
    begin, length, hz = between(rng, -1, n / RATE * 0.6), between(rng, 2, 6), between(rng, 2.6, 3.6)
    phase = (hz * (t - begin)) % 1.0
    wave = np.exp(-(((phase - 0.15) / 0.05) ** 2)) - 0.9 * np.sin(np.pi * np.clip((phase - 0.25) / 0.75, 0, 1))
    return np.asarray(wave * (t > begin) * (t < begin + length))


def _scale_mark(canvas: Canvas, box: Box, second_mm: float, height_mm: float, text: str, ink: Colour) -> None:
    x, y = box[2] - second_mm - 8.0, canvas.height_mm - 2.0
    canvas.curve([(x, y - height_mm / 2), (x, y), (x + second_mm, y)], ink, 0.25)
    canvas.write(x - 1.0, y, text, 2.2, anchor="rs")
    canvas.write(x + second_mm / 2, y - 0.5, "1 s", 2.2)
