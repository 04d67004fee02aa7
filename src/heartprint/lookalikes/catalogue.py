"""All kinds of lookalikes, and the function that draws one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.foundation.fonts import Face
from heartprint.lookalikes import (
    charts,
    codes,
    drawings,
    eeg,
    forms,
    interfaces,
    music,
    papers,
    pulses,
    recorders,
    tables,
    texts,
    textures,
)
from heartprint.lookalikes.canvas import Canvas
from heartprint.lookalikes.choices import (
    between,
    chance,
    one_of,
)
from heartprint.lookalikes.page import Page
from heartprint.sheets.camera.scene import grey_of

Variant = Literal["training", "test"]
VARIANTS: tuple[Variant, ...] = ("training", "test")

Drawing = Callable[[Canvas, np.random.Generator], None]
Shape = Literal["page", "strip", "screen"]

SMALLEST_PX_PER_MM, LARGEST_PX_PER_MM = 1.0, 12.0


@dataclass(frozen=True)
class Lookalike:
    """A kind of picture that is no ECG.

    Attributes:
        name: Its name.
        description: One line for people.
        training: Draws one to learn from.
        test: Draws one to test with: by other ideas, with other fonts, in other ranges; its module says which.
        shape: Whether it is a page, a strip or a screen, which decides its sizes.
    """

    name: str
    description: str
    training: Drawing
    test: Drawing
    shape: Shape = "page"

    def draw(
        self,
        rng: np.random.Generator,
        px_per_mm: float | None = None,
        *,
        variant: Variant = "training",
        size_mm: tuple[float, float] | None = None,
        colour: bool | None = None,
    ) -> Page:
        """Draw one.

        Args:
            rng: Decides everything that is not given.
            px_per_mm: Resolution, px per mm; None = from 2 to 6.
            variant: Which face of generators draws.
            size_mm: Width and height, mm; None = one that the kind can have.
            colour: Whether in colour; None = mostly.

        Raises:
            HeartprintError: ``bad-size`` or ``unknown-variant``.
        """
        if variant not in VARIANTS:
            raise unknown_name("variant", str(variant), VARIANTS)
        size = _draw_size(rng, self.shape) if size_mm is None else size_mm
        scale = between(rng, 2.0, 6.0) if px_per_mm is None else px_per_mm
        if not (SMALLEST_PX_PER_MM <= scale <= LARGEST_PX_PER_MM and min(size) >= 40 and max(size) <= 500):
            raise HeartprintError(
                "bad-size",
                f"A lookalike has {SMALLEST_PX_PER_MM:g} to {LARGEST_PX_PER_MM:g} px per mm and sides of 40 to 500 mm, "
                f"not {scale:g} and {size}.",
            )
        coloured = chance(rng, 0.75) if colour is None else colour
        face: Face = "sans" if variant == "training" else one_of(rng, ("times", "mono"))
        canvas = Canvas(*size, scale, face=face)
        (self.training if variant == "training" else self.test)(canvas, rng)
        image = canvas.finished()
        return Page(image if coloured else grey_of(image), scale, self.name)


def _draw_size(rng: np.random.Generator, shape: Shape) -> tuple[float, float]:
    """Width and height, mm."""
    if shape == "page":
        short, long = one_of(rng, ((210.0, 297.0), (215.9, 279.4), (148.0, 210.0), (182.0, 257.0)))
        return (long, short) if chance(rng, 0.5) else (short, long)
    if shape == "strip":
        wide = between(rng, 150, 300)
        return wide, max(wide * between(rng, 0.25, 0.8), 50.0)
    return one_of(rng, ((280.0, 157.5), (260.0, 195.0), (100.0, 210.0), (240.0, 150.0)))


def _kinds() -> tuple[Lookalike, ...]:
    return (
        Lookalike("ecg_paper", "ECG paper without trace", papers.ecg_paper_training, papers.ecg_paper_test, "strip"),
        Lookalike("eeg", "an EEG of many channels", eeg.eeg_training, eeg.eeg_test, "strip"),
        Lookalike("ppg", "pulse waves of an oximeter", pulses.ppg_training, pulses.ppg_test, "strip"),
        Lookalike("pressure", "blood pressures", pulses.pressure_training, pulses.pressure_test, "strip"),
        Lookalike("ctg", "a fetus's heart rate and the womb", recorders.ctg_training, recorders.ctg_test, "strip"),
        Lookalike("recorder", "other recorders", recorders.recorder_training, recorders.recorder_test, "strip"),
        Lookalike("millimetre", "graph paper", papers.millimetre_training, papers.millimetre_test),
        Lookalike("ruled", "ruled and squared paper", papers.ruled_training, papers.ruled_test),
        Lookalike("table", "tables and spreadsheets", tables.table_training, tables.table_test),
        Lookalike("text", "pages of text", texts.text_training, texts.text_test),
        Lookalike("form", "calendars and forms", forms.form_training, forms.form_test),
        Lookalike("chart", "charts", charts.chart_training, charts.chart_test, "strip"),
        Lookalike("interface", "screens", interfaces.interface_training, interfaces.interface_test, "screen"),
        Lookalike("drawing", "maps and plans", drawings.drawing_training, drawings.drawing_test),
        Lookalike("music", "sheets of music", music.music_training, music.music_test),
        Lookalike("code", "QR and bar codes", codes.code_training, codes.code_test, "strip"),
        Lookalike("smooth_noise", "smooth noise", textures.smooth_noise_training, textures.smooth_noise_test),
        Lookalike("white_noise", "independent pixels", textures.white_noise_training, textures.white_noise_test),
        Lookalike("blank", "blank paper and gradients", textures.blank_training, textures.blank_test),
    )


LOOKALIKES: dict[str, Lookalike] = {kind.name: kind for kind in _kinds()}
"""All kinds, by name."""


def draw_lookalike(
    name: str,
    rng: np.random.Generator,
    px_per_mm: float | None = None,
    *,
    variant: Variant = "training",
    size_mm: tuple[float, float] | None = None,
    colour: bool | None = None,
) -> Page:
    """Draw a picture that is no ECG, see `Lookalike.draw`.

    Raises:
        HeartprintError: ``unknown-lookalike``, ``bad-size`` or ``unknown-variant``.
    """
    kind = LOOKALIKES.get(name)
    if kind is None:
        raise unknown_name("lookalike", name, LOOKALIKES)
    return kind.draw(rng, px_per_mm, variant=variant, size_mm=size_mm, colour=colour)
