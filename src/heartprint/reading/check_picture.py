"""The check picture: what the reader found, drawn on the picture as it came, for a person to look at once."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.foundation.fonts import font
from heartprint.reading.answer import ReadPage, Status

LONGEST_SIDE = 1200
"""Px along the longer side of the picture in it."""

_COLOURS: dict[Status, tuple[int, int, int]] = {
    "ok": (21, 115, 71),
    "warned": (176, 98, 0),
    "refused": (176, 32, 32),
    "failed": (90, 96, 104),
}
_LEAD = (24, 84, 168)
_INK, _MUTED, _WHITE = (31, 41, 51), (90, 96, 104), (255, 255, 255)
_PAD, _LINE = 16, 24
_NARROWEST = 560  # px that the words need
_WIDEST_MARGIN, _MARGIN = 0.25, 236  # of the picture's side, for corners beyond it; its grey
_OUTSIDE = 0.55  # how light what lies outside the sheet is made


def check_picture(picture: Image, page: ReadPage, title: str) -> Image:
    """Draw what was found on a picture: the sheet, its upper edge, the leads, what was painted over, and the verdict.

    Args:
        picture: ``(h, w)`` uint8, as it came; shrunk or not. It gets a margin where corners lie outside it.
        page: The answer, places in px of the picture as its ``size`` says.
        title: Name of the file, and of the page.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    small = _shown(picture)
    # Places are told in px of the file; the picture here may be smaller.
    size = page.size or picture.shape
    scale = np.array([small.shape[1] / size[1], small.shape[0] / size[0]])
    shown, offset = _with_margin(small, None if page.corners is None else page.corners * scale)
    canvas = _with_findings(shown, page, lambda places: places * scale + offset)
    width = max(shown.shape[1], _NARROWEST)
    lines = _words(page, width)
    head = 2 * _PAD + 30 + _LINE * len(lines)
    out = Pillow.new("RGB", (width, head + shown.shape[0]), _WHITE)
    out.paste(canvas, ((width - shown.shape[1]) // 2, head))
    pen = ImageDraw.Draw(out)
    colour = _COLOURS[page.status]
    pen.rectangle((0, 0, 7, head), fill=colour)
    chip = page.status.upper()
    wide = pen.textlength(chip, font=font(17, bold=True))
    pen.rounded_rectangle((_PAD + 6, _PAD, _PAD + 26 + wide, _PAD + 28), radius=6, fill=colour)
    pen.text((_PAD + 16, _PAD + 14), chip, fill=_WHITE, font=font(17, bold=True), anchor="lm")
    left = _PAD + 40 + wide
    pen.text(
        (left, _PAD + 14),
        _fitting(pen, " ".join(title.split()), width - left - _PAD),
        fill=_INK,
        font=font(17),
        anchor="lm",
    )
    for k, (text, of_reason) in enumerate(lines):
        place = (_PAD + 6, _PAD + 30 + _LINE * k + _LINE // 2 + 4)
        pen.text(place, text, fill=colour if of_reason else _MUTED, font=font(15), anchor="lm")
    return np.asarray(out)


def _shown(picture: Image) -> Image:
    import cv2

    longest = max(picture.shape)
    if longest <= LONGEST_SIDE:
        return picture
    size = tuple(max(1, round(side * LONGEST_SIDE / longest)) for side in picture.shape[::-1])
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _with_margin(shown: Image, corners: Float64Array | None) -> tuple[Image, Float64Array]:
    """The picture with room for corners that lie outside it, up to a point, and where its own upper left is then."""
    import cv2

    if corners is None:
        return shown, np.zeros(2)
    size = np.array(shown.shape[::-1], dtype=np.float64)
    most = _WIDEST_MARGIN * size
    before = np.clip(_PAD - corners.min(axis=0), 0, most) * (corners.min(axis=0) < -1)
    after = np.clip(corners.max(axis=0) - size + _PAD, 0, most) * (corners.max(axis=0) > size + 1)
    (left, top), (right, bottom) = (np.ceil(side).astype(int).tolist() for side in (before, after))
    padded = cv2.copyMakeBorder(shown, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(_MARGIN,))
    return np.asarray(padded, dtype=np.uint8), np.array([left, top], dtype=np.float64)


def _with_findings(shown: Image, page: ReadPage, placed: Callable[[Float64Array], Float64Array]) -> Any:
    """The picture with what was found, as a Pillow image; drawn by OpenCV, which smooths lines."""
    import cv2
    from PIL import Image as Pillow
    from PIL import ImageDraw

    height, width = shown.shape
    canvas = cv2.cvtColor(shown, cv2.COLOR_GRAY2RGB)
    if page.corners is None:
        if page.status in ("refused", "failed"):
            canvas = _lightened(canvas)
        return Pillow.fromarray(canvas)
    colour = _COLOURS[page.status]
    corners = placed(page.corners)
    inside = np.zeros((height, width), dtype=np.uint8)
    cv2.fillPoly(inside, [_fixed(corners)], 255, shift=_SHIFT)
    canvas = np.where(inside[..., None] > 0, canvas, _lightened(canvas))
    back = None if page.homography is None else _inverse(page.homography)
    thick = max(1, round(max(height, width) / 900))
    letters = font(max(12, round(max(height, width) / 75)), bold=True)
    labels: list[tuple[Float64Array, str]] = []
    if back is not None:
        for box in page.text_boxes:
            _hatch(canvas, placed(_carried(back, box)))
        for lead in page.leads:
            outline = placed(_carried(back, lead.box))
            cv2.polylines(canvas, [_fixed(outline)], True, _LEAD, thick, cv2.LINE_AA, _SHIFT)
            labels.append((_within(outline, float(letters.size)), lead.name))
    cv2.polylines(canvas, [_fixed(corners)], True, colour, 3 * thick, cv2.LINE_AA, _SHIFT)
    for corner in corners:
        centre = tuple(int(v) for v in _fixed(corner[None])[0])
        cv2.circle(canvas, centre, (6 * thick) << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)
    said = _arrow(canvas, corners, colour, thick)
    out = Pillow.fromarray(canvas)
    pen = ImageDraw.Draw(out)
    for place, name, ink in (*((place, name, _LEAD) for place, name in labels), (said, "top", colour)):
        left, top, right, bottom = pen.textbbox(tuple(place), name, font=letters, anchor="mm")
        pen.rounded_rectangle((left - 3, top - 2, right + 3, bottom + 2), radius=3, fill=_WHITE)
        pen.text(tuple(place), name, fill=ink, font=letters, anchor="mm")
    return out


def _within(outline: Float64Array, letter: float) -> Float64Array:
    """The middle of a name that stands in the upper left corner of a box, however the box lies."""
    along, down = outline[1] - outline[0], outline[3] - outline[0]
    lengths = np.maximum(np.linalg.norm([along, down], axis=1), 1e-9)
    return np.asarray(outline[0] + along * min(0.5, 1.8 * letter / lengths[0]) + down * min(0.5, letter / lengths[1]))


_SHIFT = 4  # fractional bits of OpenCV's coordinates


def _fixed(points: Float64Array) -> Any:
    # OpenCV's (0, 0) is the middle of a pixel, the reader's its corner; places far outside stay representable.
    return np.clip(np.rint((points - 0.5) * (1 << _SHIFT)), -(2**24), 2**24).astype(np.int32)


def _inverse(matrix: Float64Array) -> Float64Array | None:
    try:
        return np.asarray(np.linalg.inv(matrix))
    except np.linalg.LinAlgError:
        return None


def _carried(back: Float64Array, box: tuple[float, float, float, float]) -> Float64Array:
    """Corners of a box on the sheet, in px of the picture: ``(4, 2)``, from the upper left clockwise on the sheet."""
    left, top, right, bottom = box
    corners = np.array([(left, top, 1), (right, top, 1), (right, bottom, 1), (left, bottom, 1)], dtype=np.float64)
    moved = corners @ back.T
    return np.asarray(moved[:, :2] / np.where(np.abs(moved[:, 2:]) < 1e-9, 1e-9, moved[:, 2:]))


def _lightened(canvas: Any) -> Any:
    return (canvas * (1 - _OUTSIDE) + 255 * _OUTSIDE).astype(np.uint8)


def _hatch(canvas: Any, outline: Float64Array) -> None:
    """Cover printed text that was painted over."""
    import cv2

    cv2.fillPoly(canvas, [_fixed(outline)], (225, 228, 232), cv2.LINE_AA, _SHIFT)
    cv2.polylines(canvas, [_fixed(outline)], True, _MUTED, 1, cv2.LINE_AA, _SHIFT)
    for one, other in ((outline[0], outline[2]), (outline[1], outline[3])):
        ends = _fixed(np.stack([one, other]))
        cv2.line(canvas, ends[0].tolist(), ends[1].tolist(), _MUTED, 1, cv2.LINE_AA, _SHIFT)


def _arrow(canvas: Any, corners: Float64Array, colour: tuple[int, int, int], thick: int) -> Float64Array:
    """Draw an arrow that points at the upper edge of the sheet.

    Returns:
        ``(2,)`` where it begins: there it is named.
    """
    import cv2

    middle, top = corners.mean(axis=0), corners[:2].mean(axis=0)
    foot = top + 0.42 * (middle - top)
    ends = _fixed(np.stack([foot, top + 0.05 * (middle - top)]))
    for pen, width in ((_WHITE, 8 * thick), (colour, 4 * thick)):
        cv2.arrowedLine(canvas, ends[0].tolist(), ends[1].tolist(), pen, width, cv2.LINE_AA, _SHIFT, 0.3)
    return np.asarray(foot)


def _words(page: ReadPage, width: int) -> list[tuple[str, bool]]:
    """Lines under the title, and whether each is a reason."""
    wide = max(40, int((width - 3 * _PAD) / 8.2))
    told = [line for line in (_geometry(page), _contents(page)) if line]
    lines = [(line, False) for whole in told for line in textwrap.wrap(whole, wide)]
    for reason in page.reasons:
        lines += [(line, True) for line in textwrap.wrap(f"{reason.message} [{reason.code}]", wide)[:4]]
    return lines


def _geometry(page: ReadPage) -> str:
    parts = []
    if page.turn_deg is not None:
        parts.append("upright as it came" if page.turn_deg == 0 else f"to be turned {page.turn_deg} degrees clockwise")
    if page.mirrored:
        parts.append("mirrored")
    if page.px_per_mm is not None:
        parts.append(f"{page.px_per_mm[0]:.1f} x {page.px_per_mm[1]:.1f} px/mm")
    if page.sheet_mm is not None:
        parts.append(f"sheet {page.sheet_mm[0]:.0f} x {page.sheet_mm[1]:.0f} mm")
    return ", ".join(parts)


def _contents(page: ReadPage) -> str:
    if page.sheet is None:
        return ""
    speed = "speed unknown" if page.speed_mm_per_s is None else f"{page.speed_mm_per_s:g} mm/s"
    gain = "gain unknown" if page.gain_mm_per_mv is None else f"{page.gain_mm_per_mv:g} mm/mV"
    layout = "layout unknown" if page.layout is None else f"layout {page.layout} ({page.layout_confidence:.0%})"
    n = len(page.text_boxes)
    painted = f", {n} {'area' if n == 1 else 'areas'} of text painted over" if n else ""
    return f"{speed}, {gain}, {layout}, {len(page.leads)} {'lead' if len(page.leads) == 1 else 'leads'}{painted}"


def _fitting(pen: Any, text: str, width: float) -> str:
    """A text cut in its middle until it fits."""
    kept = text
    while len(kept) > 8 and pen.textlength(kept, font=font(17)) > width:
        half = (len(kept) - 3) // 2
        kept = f"{kept[:half]}\N{HORIZONTAL ELLIPSIS}{kept[-half:]}"
    return kept
