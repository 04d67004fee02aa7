"""Contact pages: pictures side by side with captions, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path
from heartprint.foundation.fonts import font

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

CELL_PX = (640, 480)
"""Width and height that a picture may take."""

_GAP, _TITLE, _CAPTION = 18, 34, 44
_BLACK, _GREY = (0, 0, 0), (70, 70, 70)


@dataclass(frozen=True)
class Section:
    """Pictures that belong together.

    Attributes:
        pictures: Each ``(h, w)`` or ``(h, w, 3)`` uint8. Larger ones than a cell are shrunk, smaller ones stay.
        captions: One for each picture: ``name`` or ``name: more``.
        title: One line above them; may be empty.
        columns: Pictures side by side.
        cell_px: Width and height that a picture may take.
    """

    pictures: Sequence[Image]
    captions: Sequence[str]
    title: str = ""
    columns: int = 4
    cell_px: tuple[int, int] = CELL_PX


def save_contact_page(sections: Sequence[Section], out: str | Path) -> Path:
    """Lay pictures out on one page and save it as PNG, whole or not at all.

    Args:
        sections: One below the other.
        out: PNG file.

    Returns:
        The file.

    Raises:
        HeartprintError: ``bad-path`` or ``bad-contact-page``.
    """
    from PIL import Image

    target = checked_png(out)
    page = Image.fromarray(contact_page(sections))
    with atomic_path(target) as temporary:
        page.save(temporary, format="PNG", pnginfo=png_info())
    return target


def png_info() -> PngInfo:
    """What a PNG file says of itself: by this a picture is known again that may be drawn anew."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", "Heartprint")
    return info


def checked_png(out: str | Path) -> Path:
    """A path for a PNG file.

    Raises:
        HeartprintError: ``bad-path``.
    """
    target = Path(out)
    if target.suffix.lower() != ".png" or target.is_dir():
        raise HeartprintError("bad-path", f"{target} is no PNG file. Give --out a name that ends in .png.")
    return target


def contact_page(sections: Sequence[Section]) -> Image:
    """Lay pictures out on one page.

    Args:
        sections: One below the other.

    Returns:
        ``(H, W, 3)`` uint8.

    Raises:
        HeartprintError: ``bad-contact-page``.
    """
    from PIL import Image, ImageDraw

    for section in sections:
        if not section.pictures or len(section.pictures) != len(section.captions) or section.columns < 1:
            raise HeartprintError(
                "bad-contact-page",
                "A contact page takes at least one picture and a caption for each, in at least one column, not "
                f"{len(section.pictures)} pictures, {len(section.captions)} captions and {section.columns} columns.",
            )
    placed: list[tuple[Section, int, list[tuple[Image.Image, str, int, int]]]] = []
    y, wide = _GAP, 0
    for section in sections:
        top = y
        y += _TITLE if section.title else 0
        shown = []
        cell_w = section.cell_px[0] + _GAP
        for first in range(0, len(section.pictures), section.columns):
            deep = 0
            for k, number in enumerate(range(first, min(first + section.columns, len(section.pictures)))):
                picture = Image.fromarray(section.pictures[number]).convert("RGB")
                picture.thumbnail(section.cell_px, Image.Resampling.LANCZOS)
                shown.append((picture, section.captions[number], _GAP + k * cell_w, y))
                deep = max(deep, picture.height)
            y += _CAPTION + deep + _GAP
        wide = max(wide, min(section.columns, len(section.pictures)) * cell_w + _GAP)
        placed.append((section, top, shown))
    page = Image.new("RGB", (wide, y), (255, 255, 255))
    pen = ImageDraw.Draw(page)
    for section, top, shown in placed:
        if section.title:
            pen.text((_GAP, top), section.title, fill=_BLACK, font=font(21, bold=True))
        for picture, caption, left, upper in shown:
            name, _, more = caption.partition(": ")
            # A caption without more stands next to its picture.
            pen.text((left, upper + (0 if more else 21)), name, fill=_BLACK, font=font(17, bold=True))
            pen.text((left, upper + 21), more, fill=_GREY, font=font(13))
            page.paste(picture, (left, upper + _CAPTION))
    return np.asarray(page)
