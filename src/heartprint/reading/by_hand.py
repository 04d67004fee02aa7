"""What a person says of a picture on the command line, as `Hints`."""

from __future__ import annotations

import re

import numpy as np

from heartprint.foundation.errors import HeartprintError
from heartprint.reading.answer import Hints

_BETWEEN = re.compile(r"[\s,;]+")


def hints_of(
    *,
    turn: int | None = None,
    mirrored: bool | None = None,
    corners: str | None = None,
    crop: str | None = None,
    layout: str | None = None,
    keep_text: bool = False,
) -> Hints | None:
    """Turn words into hints; None if nothing is said.

    Args:
        turn: Degrees clockwise until the picture stands upright: 0, 90, 180 or 270.
        mirrored: Whether the picture is a mirror image.
        corners: Eight numbers, px of the picture: x and y of the sheet's upper left, upper right, lower right and lower
            left corner as it reads upright.
        crop: Four numbers, mm to be added at the left, top, right and bottom of the sheet; below 0 to be taken away.
        layout: Name of a layout, or path of a layout file.
        keep_text: Whether printed words stay on the sheet.

    Raises:
        HeartprintError: ``bad-hint`` or ``unknown-layout``.
    """
    if turn is None and mirrored is None and corners is None and crop is None and layout is None and not keep_text:
        return None
    if layout is not None:
        from heartprint.sheets import get_layout

        get_layout(layout)
    points = None if corners is None else np.reshape(_numbers(corners, 8, "--corners"), (4, 2))
    sides = None if crop is None else _numbers(crop, 4, "--crop")
    return Hints(
        turn_deg=turn,
        mirrored=mirrored,
        corners=points,
        crop_mm=None if sides is None else (sides[0], sides[1], sides[2], sides[3]),
        layout=layout,
        keep_text=keep_text,
    )


def _numbers(text: str, n: int, option: str) -> list[float]:
    words = [word for word in _BETWEEN.split(text.strip()) if word]
    try:
        found = [float(word) for word in words]
    except ValueError:
        found = []
    if len(found) != n or not np.isfinite(found).all():
        example = "120,80 1900,95 1880,1400 110,1380" if n == 8 else "0,0,-5,0"
        raise HeartprintError("bad-hint", f"{option} takes {n} numbers, as in '{example}', not '{text[:60]}'.")
    return found
