"""What is drawn: a page and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from heartprint.foundation.arrays import Image
from heartprint.lookalikes.canvas import Box


@dataclass(frozen=True)
class Page:
    """A piece of paper, or a screen, as an image.

    Attributes:
        image: ``(h, w, 3)`` or ``(h, w)`` uint8.
        px_per_mm: Px per mm, the same along both axes.
        kind: Name in `LOOKALIKES` or `NEARLY`.
        sheets: Left, top, right and bottom of each sheet with an ECG on it, mm from the page's upper left corner, what
            is cut away included; a lookalike has none.
    """

    image: Image
    px_per_mm: float
    kind: str
    sheets: tuple[Box, ...] = ()
