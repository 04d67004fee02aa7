"""Strips of a fetus's heart and the womb (CTG), and of recorders that have nothing to do with hearts.

Training: CTG at 1 cm a minute on European paper (50-210 /min), seismographs' drums and sleep studies.
Test: CTG at 3 cm a minute on American paper (30-240 /min, bold each 30), some with coloured zones; thermographs on
curved weekly charts, spirometry, nerve conduction and oscilloscopes.
"""

from __future__ import annotations

import numpy as np

from heartprint.lookalikes import waves
from heartprint.lookalikes.canvas import Box, Canvas
from heartprint.lookalikes.choices import (
    between,
    chance,
    dark,
    light,
    mixed,
    one_of,
    vivid,
    whole,
    words,
)
from heartprint.sheets.style import BLACK, WHITE, Colour

CTG_COLOURS: tuple[Colour, ...] = (
    (0.95, 0.6, 0.45),
    (0.55, 0.75, 0.55),
    (0.6, 0.6, 0.6),
    (0.95, 0.6, 0.7),
    (0.6, 0.7, 0.95),
)


def ctg_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """European paper."""
    _ctg(canvas, rng, one_of(rng, (10.0, 10.0, 20.0)), (50, 210), 20, one_of(rng, CTG_COLOURS), light(rng, 0.94))


def ctg_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """American paper, or a screen."""
    colour = mixed(one_of(rng, CTG_COLOURS), vivid(rng), 0.5)
    zones = chance(rng, 0.5)
    _ctg(canvas, rng, one_of(rng, (30.0, 15.0)), (30, 240), 30, colour, light(rng, 0.9), zones=zones, american=True)


def _ctg(
    canvas: Canvas,
    rng: np.random.Generator,
    minute_mm: float,
    limits: tuple[int, int],
    every: int,
    rule: Colour,
    paper: Colour,
    *,
    zones: bool = False,
    american: bool = False,
) -> None:
    canvas.fill(paper)
    low, high = limits
    usable = canvas.height_mm - between(rng, 6, 14)
    y0, gap = (canvas.height_mm - usable) / 2, 0.07 * usable
    upper: Box = (0.0, y0, canvas.width_mm, y0 + 0.58 * usable)
    lower: Box = (0.0, upper[3] + gap, canvas.width_mm, y0 + usable)

    def level(value: float) -> float:
        return upper[3] - (value - low) / (high - low) * (upper[3] - upper[1])

    if zones:
        canvas.fill((0.86, 0.97, 0.86), (upper[0], level(160), upper[2], level(110)))
    faint = mixed(rule, WHITE, 0.5)
    step = minute_mm / (6 if american else 2)
    for box, fine, coarse in (
        (
            upper,
            [level(v) for v in range(low, high + 1, 10 if american else 5)],
            [level(v) for v in range(low, high + 1, every)],
        ),
        (
            lower,
            np.linspace(lower[1], lower[3], 11).tolist(),
            np.linspace(lower[1], lower[3], 5 if american else 3).tolist(),
        ),
    ):
        canvas.lines(box, faint, 0.12, x_mm=np.arange(0, canvas.width_mm, step), y_mm=fine)
        bold = 0.4 if american else 0.22
        canvas.lines(
            box, rule, bold, x_mm=np.arange(0, canvas.width_mm, minute_mm * (1 if american else 5)), y_mm=coarse
        )
    for x in np.arange(between(rng, 10, 40), canvas.width_mm, between(rng, 45, 80)):
        for value in range(low + every if american else 60, high, every):
            canvas.write(float(x), level(value), str(value), 2.3, rule, anchor="mm")
        for value in (0, 20, 40, 60, 80, 100) if not american else (25, 50, 75):
            canvas.write(float(x), lower[3] - value / 100 * (lower[3] - lower[1]), str(value), 2.3, rule, anchor="mm")
    per_min = 120.0
    n = round(canvas.width_mm / minute_mm * per_min)
    pen, ink = between(rng, 0.15, 0.35), dark(rng, 0.3)
    for twin in range(2 if chance(rng, 0.2) else 1):
        rate = waves.fetal_heart_rate(rng, n, per_min, american and chance(rng, 0.2))
        x = np.linspace(0, canvas.width_mm, n)
        y = np.clip([level(v) for v in rate], upper[1], upper[3])
        canvas.curve(np.column_stack([x, y]), ink if twin == 0 else mixed(ink, WHITE, 0.35), pen)
    toco = waves.contractions(rng, n, per_min)
    canvas.curve(
        np.column_stack([np.linspace(0, canvas.width_mm, n), lower[3] - toco / 100 * (lower[3] - lower[1])]), ink, pen
    )
    clock, day = f"{whole(rng, 0, 23):02d}:{whole(rng, 0, 59):02d}", f"{whole(rng, 1, 28)}.{whole(rng, 1, 12)}."
    stamp = f"{clock}  {day}20{whole(rng, 10, 24)}"
    canvas.write(
        between(rng, 3, 30),
        lower[1] - 0.2 * gap,
        f"{stamp}  {one_of(rng, ('US TOCO', 'FHR1 INOP', 'US1 US2', '1 cm/min'))}",
        2.4,
    )
    if american and chance(rng, 0.5):
        canvas.write(canvas.width_mm - 3, lower[1] - 0.2 * gap, words(rng, 3, "test"), 2.6, face="mono", anchor="rs")


def recorder_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """A seismograph's drum, or a night in a sleep laboratory."""
    canvas.fill(light(rng, 0.92))
    if chance(rng, 0.5):
        _drum(canvas, rng)
    else:
        _sleep(canvas, rng)


def _drum(canvas: Canvas, rng: np.random.Generator) -> None:
    box = canvas.inner(between(rng, 4, 12), top=6)
    rows = whole(rng, 8, max(9, int((box[3] - box[1]) / 4)))
    pitch, rate = (box[3] - box[1]) / rows, 40.0
    n, colours = 2400, [dark(rng, 0.8) for _ in range(one_of(rng, (1, 1, 4)))]
    quake_row, t = whole(rng, 0, rows - 1), np.arange(n) / rate
    if chance(rng, 0.4):
        canvas.lines(box, (0.85, 0.85, 0.85), 0.15, x_mm=np.linspace(box[0], box[2], whole(rng, 5, 16)))
    for i in range(rows):
        wave = between(rng, 0.15, 0.5) * waves.coloured_noise(rng, n, rate, 1.0, 0.3)
        if i == quake_row or chance(rng, 0.08):
            at = between(rng, 0, 45)
            shock = np.where(t > at, np.exp(-(t - at) / between(rng, 2, 9)) * (1 + 2 * (t > at + 4)), 0)
            wave = wave + between(rng, 3, 12) * shock * waves.band_noise(rng, n, rate, 0.5, 4)
        y = box[1] + (i + 0.5) * pitch
        canvas.trace(
            (box[0], y - 4 * pitch, box[2], y + 4 * pitch),
            0.3 * pitch * wave,
            colours[i % len(colours)],
            between(rng, 0.1, 0.2),
        )
        canvas.write(box[0] - 0.5, y + 0.7, f"{i % 24:02d}:00", min(2.2, pitch), anchor="rs")
    canvas.write(box[0], box[1] - 2, f"{words(rng, 2).title()}  BHZ  {whole(rng, 1, 366)}", 3.2)


def _sleep(canvas: Canvas, rng: np.random.Generator) -> None:
    box = (18.0, 8.0, canvas.width_mm - 3, canvas.height_mm - 5)
    names = ["E1-M2", "E2-M1", "C3-M2", "O1-M2", "Chin", "Flow", "Thor", "Abdo", "SpO2", "Leg L", "Leg R", "Snore"]
    names = names[whole(rng, 0, 2) : whole(rng, 9, 12)]
    seconds, rate = between(rng, 20, 120), 50.0
    n, pitch = round(seconds * rate), (box[3] - box[1]) / len(names)
    canvas.lines(box, (0.85, 0.87, 0.9), 0.15, x_mm=np.linspace(box[0], box[2], 11))
    for i, name in enumerate(names):
        if name in ("Flow", "Thor", "Abdo"):
            wave = 2 * waves.breathing(rng, seconds, rate, 14, "chest") - 1
            wave = wave * (1 - 0.9 * np.clip(waves.envelope(rng, n, rate, 0.03, 20), 0, 1))
        elif name == "SpO2":
            wave = np.round(2 * waves.walk(rng, n, 10 * rate)) / 4
        elif name in ("Chin", "Leg L", "Leg R", "Snore"):
            wave = (0.12 + waves.envelope(rng, n, rate, 0.05, 4)) * rng.standard_normal(n)
        else:
            wave = 0.5 * waves.coloured_noise(rng, n, rate, 1.2) + 1.5 * name.startswith("E") * waves.band_noise(
                rng, n, rate, 0.1, 0.6
            )
        y = box[1] + (i + 0.5) * pitch
        canvas.trace(
            (box[0], y - pitch, box[2], y + pitch), 0.35 * pitch * wave, vivid(rng) if chance(rng, 0.5) else BLACK, 0.15
        )
        canvas.write(1.5, y + 0.8, name, 2.6)


def recorder_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """A thermograph, a spirometer, a nerve's conduction, or an oscilloscope."""
    canvas.fill(light(rng, 0.9))
    one_of(rng, (_week, _spirometry, _nerve, _oscilloscope))(canvas, rng)


def _week(canvas: Canvas, rng: np.random.Generator) -> None:
    """Upright lines are arcs, as the pen's arm turns."""
    box = canvas.inner(between(rng, 4, 10), top=5)
    rule, bend = one_of(rng, ((0.3, 0.6, 0.4), (0.9, 0.45, 0.3), (0.35, 0.45, 0.8))), between(rng, 4, 12)
    y = np.linspace(box[1], box[3], 40)
    lean = bend * (1 - ((y - box[1]) / (box[3] - box[1]) * 2 - 1) ** 2)
    levels = whole(rng, 12, 40)
    canvas.lines(box, mixed(rule, WHITE, 0.4), 0.15, y_mm=np.linspace(box[1], box[3], levels + 1))
    columns = 7 * one_of(rng, (6, 12))
    for i in range(columns + 1):
        x = box[0] + i * (box[2] - box[0] - bend) / columns
        canvas.curve(np.column_stack([x + lean, y]), rule, 0.4 if i % (columns // 7) == 0 else 0.12)
    n = 1500
    for _ in range(whole(rng, 1, 2)):
        days = np.linspace(0, 7, n)
        wave = np.sin(2 * np.pi * days) * between(rng, 0.3, 1) + waves.walk(rng, n, 200) + 0.05 * waves.walk(rng, n, 5)
        canvas.trace(
            box,
            wave * (box[3] - box[1]) / 9 + between(rng, -10, 10),
            one_of(rng, ((0.3, 0.1, 0.5), (0.7, 0.1, 0.1), BLACK)),
            0.4,
        )
    for i, day in enumerate(("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")):
        canvas.plot_text(box[0] + (i + 0.4) * (box[2] - box[0]) / 7, box[1] - 1.5, day, 3.0, rule)


def _spirometry(canvas: Canvas, rng: np.random.Generator) -> None:
    half = canvas.width_mm / 2
    for k, box in enumerate(
        ((12.0, 12.0, half - 6, canvas.height_mm - 12), (half + 10, 12.0, canvas.width_mm - 6, canvas.height_mm - 12))
    ):
        canvas.grid(box, (0.85, 0.85, 0.85), 0.15, (box[2] - box[0]) / 8, pitch_y_mm=(box[3] - box[1]) / 8)
        canvas.frame(box)
        for _ in range(whole(rng, 1, 3)):
            u, size = np.linspace(0, 1, 200), between(rng, 0.6, 0.95)
            flow = (
                u**0.15 * (1 - u) ** between(rng, 0.8, 2.2) * 1.1 if k else size * (1 - np.exp(-between(rng, 3, 8) * u))
            )
            x, y = (
                box[0] + (size if k else 1) * u * (box[2] - box[0]),
                box[3] - np.clip(flow, 0, 1) * (box[3] - box[1]) * 0.9,
            )
            if k:
                y = (box[1] + box[3]) / 2 - (box[3] - y) / 2
                under = (box[1] + box[3]) / 2 + 0.35 * (box[3] - box[1]) * np.sqrt(np.clip(u * (1 - u) * 4, 0, 1))
                canvas.curve(np.column_stack([x, under]), vivid(rng), 0.3)
            canvas.curve(np.column_stack([x, y]), vivid(rng), 0.35)
        canvas.write(box[0], box[1] - 2, ("Volume [L] / Time [s]", "Flow [L/s] / Volume [L]")[k], 3.0, face="mono")


def _nerve(canvas: Canvas, rng: np.random.Generator) -> None:
    rows = whole(rng, 4, 9)
    box = (8.0, 10.0, canvas.width_mm - between(rng, 8, 50), canvas.height_mm - 8)
    canvas.grid(box, (0.8, 0.86, 0.8), 0.15, (box[2] - box[0]) / 10, pitch_y_mm=(box[3] - box[1]) / rows / 2)
    t = np.linspace(0, 50, 1500)
    for i in range(rows):
        y, at = box[1] + (i + 0.5) * (box[3] - box[1]) / rows, between(rng, 3, 9) + (i % 3) * 4
        wave = between(rng, 0.3, 1) * ((t - at) / 2) * np.exp(-(((t - at) / 2.5) ** 2)) * -2 + 0.4 * np.exp(
            -(((t - 1) / 0.15) ** 2)
        )
        wave = wave + 0.02 * rng.standard_normal(len(t)) + 0.1 * np.exp(-(((t - 30) / 2) ** 2)) * np.sin(3 * t)
        canvas.trace((box[0], y - 20, box[2], y + 20), -wave * 0.5 * (box[3] - box[1]) / rows, dark(rng, 0.5), 0.25)
        canvas.write(box[0] + 1, y - 2, f"A{i + 1}", 2.6, face="mono")
        if box[2] < canvas.width_mm - 20:
            canvas.write(box[2] + 3, y, f"{at:.1f} ms  {whole(rng, 1, 9)} mV", 2.6, face="mono")


def _oscilloscope(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.fill((0.25, 0.26, 0.28))
    box = canvas.inner(between(rng, 5, 12), bottom=8)
    canvas.fill(one_of(rng, ((0.03, 0.1, 0.08), (0.02, 0.02, 0.05), (0.75, 0.85, 0.8))), box)
    canvas.grid(box, (0.35, 0.42, 0.4), 0.15, (box[2] - box[0]) / 10, pitch_y_mm=(box[3] - box[1]) / 8)
    u = np.linspace(0, between(rng, 2, 25), 2000)
    for _ in range(whole(rng, 1, 4)):
        shape = one_of(rng, ("sine", "square", "saw", "ring", "pulse"))
        phase = (u + rng.random()) % 1
        wave = {
            "sine": np.sin(2 * np.pi * phase),
            "square": np.sign(phase - 0.5),
            "saw": 2 * phase - 1,
            "ring": np.exp(-4 * phase) * np.sin(40 * phase),
            "pulse": np.exp(-(((phase - 0.5) / 0.04) ** 2)),
        }[shape] + 0.03 * rng.standard_normal(len(u))
        middle = between(rng, -0.3, 0.3) * (box[3] - box[1])
        canvas.trace(box, wave * (box[3] - box[1]) / between(rng, 6, 14) + middle, vivid(rng), between(rng, 0.3, 0.6))
    canvas.plot_text(
        box[0],
        canvas.height_mm - 4,
        f"CH1 {whole(rng, 1, 9)}00mV  M {whole(rng, 1, 9)}.0ms  Trig'd",
        3.4,
        (0.9, 0.9, 0.9),
    )
