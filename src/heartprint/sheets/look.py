"""What a sheet looks like: pens, greys and letters of ecg_plot 0.2.8, in millimetres of ECG paper.

ecg_plot draws one second to the inch, so its inch is 25 mm of ECG paper and its point 25/72 mm. Colours are turned to
grey with the ITU-R BT.601 weights.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from heartprint.foundation.fonts import Face, font

SUB_COLUMNS = 16
"""Vertical lines per column of pixels whose ink is averaged."""

GROUPS = 4
"""Parts of a column of pixels that a turn moves each as a whole."""

FAR = 1e9
"""Stands for a height where there is no trace, px."""

POINT_MM = 25.0 / 72.0
LUMA = (0.299, 0.587, 0.114)


def luma(rgb: tuple[float, float, float]) -> float:
    """Grey (0-255) of a colour given in 0-1."""
    return 255.0 * sum(w * c for w, c in zip(LUMA, rgb, strict=True))


WHITE = 255.0

PEN_MM = 0.5 * POINT_MM
"""Width of the pen that draws traces, marks and grid."""

FRAME_MM = 0.8 * POINT_MM
"""Width of the black frame; half of it lies outside the sheet."""

FRAME_SHIFT_MM = 0.5 * 25.0 / 600.0
"""The reference's renderer moves the frame by half a pixel, right and down, at 600 dpi."""

MARK_MM = 3.0
"""Half the height of the mark between two columns."""

LETTER_MM = 9.0 * POINT_MM
"""Font size of lead names."""

NAME_X_MM = 0.07 * 25.0
NAME_Y_MM = 5.0
"""Where a name's baseline begins, from the strip's beginning on its baseline."""

LETTER_FINENESS = 24
"""Pixels per mm at which names are rendered before they are area-averaged (600 dpi of the reference)."""


@lru_cache(maxsize=512)
def letters(
    text: str, size_mm: float = LETTER_MM, bold: bool = False, fineness: int = LETTER_FINENESS, face: Face = "sans"
) -> tuple[npt.NDArray[np.float32], float, float]:
    """Render a short text finely.

    Args:
        text: The text.
        size_mm: Size of the font.
        bold: Whether to take the bold cut.
        fineness: Px per mm.
        face: See `heartprint.foundation.fonts.font`.

    Returns:
        Coverage ``(h, w)`` in 0-1, and where its left and upper edge lie from the
        beginning of the text's baseline, in mm.
    """
    from PIL import Image, ImageDraw

    cut = font(round(size_mm * fineness), bold=bold, face=face)
    left, top, right, bottom = (int(v) for v in cut.getbbox(text, anchor="ls"))
    picture = Image.new("L", (right - left + 2, bottom - top + 2), 0)
    ImageDraw.Draw(picture).text((1 - left, 1 - top), text, fill=255, font=cut, anchor="ls")
    coverage = np.asarray(picture, dtype=np.float32) / np.float32(255.0)
    return coverage, (left - 1) / fineness, (top - 1) / fineness
