"""A contact page: pictures side by side at one size, with captions, for people to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path
from heartprint.sheets.look import font

GAP_PX, CAPTION_PX = 8, 18
PAPER, INK = (250, 250, 250), (30, 30, 30)


def contact_page(
    pictures: Sequence[npt.NDArray[np.uint8]],
    captions: Sequence[str],
    out: str | Path,
    *,
    cell: tuple[int, int] = (300, 300),
    columns: int = 4,
) -> Path:
    """Lay pictures out on one page and save it as PNG, whole or not at all.

    Args:
        pictures: Each ``(h, w)`` or ``(h, w, 3)`` uint8; larger ones are shrunk into their cell, smaller ones are
            not enlarged.
        captions: One line for each picture.
        out: PNG file.
        cell: Height and width of a cell, px.
        columns: Cells side by side.

    Returns:
        The file.

    Raises:
        HeartprintError: ``bad-path`` or ``bad-contact-page``.
    """
    from PIL import Image, ImageDraw

    target = Path(out)
    if target.suffix.lower() != ".png" or target.is_dir():
        raise HeartprintError("bad-path", f"{target} is no PNG file. Give a name that ends in .png.")
    if not pictures or len(pictures) != len(captions) or columns < 1:
        raise HeartprintError(
            "bad-contact-page",
            f"A contact page takes at least one picture and a caption for each, in at least one column, not "
            f"{len(pictures)} pictures, {len(captions)} captions and {columns} columns.",
        )
    high, wide = cell[0] + CAPTION_PX + GAP_PX, cell[1] + GAP_PX
    rows = math.ceil(len(pictures) / columns)
    page = Image.new("RGB", (columns * wide + GAP_PX, rows * high + GAP_PX), PAPER)
    pen = ImageDraw.Draw(page)
    for k, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = GAP_PX + k % columns * wide, GAP_PX + k // columns * high
        shown = Image.fromarray(picture).convert("RGB")
        shown.thumbnail((cell[1], cell[0]), Image.Resampling.LANCZOS)
        page.paste(shown, (left, top + CAPTION_PX))
        pen.text((left, top + CAPTION_PX - 5), caption, fill=INK, font=font(12), anchor="ls")
    with atomic_path(target) as temporary:
        page.save(temporary, format="PNG")
    return target
