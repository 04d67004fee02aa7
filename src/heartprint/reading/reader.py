"""The reader: a picture in, an upright sheet out, or a reason why not."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import math
import time
from importlib import resources
from pathlib import Path

import numpy as np

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.foundation.errors import HeartprintError
from heartprint.reading.answer import Hints, ReadLead, ReadPage
from heartprint.reading.close_look import CloseLook
from heartprint.reading.find import Found, Networks, NotFound, find, px_per_mm
from heartprint.reading.gate import judge, refusal
from heartprint.reading.layouts import LayoutMatch, Seen, assumed, match_layout
from heartprint.reading.network import TURNS, PageNet
from heartprint.reading.placing import at_border, disagreement, placed, visible
from heartprint.reading.plane import Sheet, homography, jacobian
from heartprint.reading.printed_text import Box, without_text
from heartprint.reading.strip_network import StripNet
from heartprint.reading.turns import turned
from heartprint.reading.warp import outside_share_map, warped
from heartprint.reading.weights import KINDS, load_network
from heartprint.sheets.registry import get_layout

FORMAT = 4
"""Raised whenever the same picture may be read otherwise than before though the weights are the same."""
FINEST_PX_PER_MM, LONGEST_SHEET_PX = 6.0, 1600
"""Sheets are given as finely as the picture shows them, up to these."""


class Reader:
    """Reads pages.

    Args:
        networks: Look at pictures; None = those that come with Heartprint.
        use_lattice: Whether the paper's grid refines what the networks find.
        place: Whether a close look, and the layout it tells, place the sheet; else its edges are as told from afar.
    """

    def __init__(self, networks: Networks | None = None, *, use_lattice: bool = True, place: bool = True) -> None:
        self._networks = networks or shipped_networks()
        self._use_lattice, self._place = use_lattice, place

    @functools.cached_property
    def version(self) -> str:
        """Changes whenever the same picture may be read otherwise than before."""
        digest = hashlib.sha256(f"{FORMAT} {self._use_lattice} {self._place}".encode())
        for network in (self._networks.finder, self._networks.reader, self._networks.strips):
            for name, value in sorted(network.state_dict().items()):
                digest.update(name.encode() + value.numpy().tobytes())
        return digest.hexdigest()[:12]

    def read(self, image: Image, hints: Hints | None = None) -> ReadPage:
        """Read a picture.

        Args:
            image: ``(h, w)`` uint8, white = 255.
            hints: What is known by hand.

        Raises:
            HeartprintError: ``not-a-page`` if the image is not of that kind; ``unknown-layout`` for a hint of one.
        """
        began = time.perf_counter()
        hints = hints or Hints()
        if image.dtype != np.uint8 or image.ndim != 2 or not image.size:
            raise HeartprintError(
                "not-a-page",
                f"A reader takes grey images of shape (h, w) and type uint8, not {image.dtype} {image.shape}.",
            )
        answer = self._answer(image, hints)
        return dataclasses.replace(answer, size=image.shape, seconds=time.perf_counter() - began)

    def _answer(self, image: Image, hints: Hints) -> ReadPage:
        if min(image.shape) < 32:
            return ReadPage("refused", (refusal("too-small"),))
        if hints.corners is not None:
            return self._by_hand(image, hints)
        prior, turn = _prior(image, hints)
        found = find(self._networks, image, use_lattice=self._use_lattice, prior=prior, turn=turn)
        if isinstance(found, NotFound):
            return ReadPage("refused", (refusal(found.code, found.first),))
        afar = found.sheet
        # What was seen closely places the sheet; so placed, it is held against layouts, of which one places it.
        found = self._placed(found, None, image)
        match = _match(found, image, hints)
        if match is not None:
            found = self._placed(found, match, image)
        frame_mm = disagreement(afar, found.sheet, match)
        found = _cropped(found, hints)
        status, reasons, checks = judge(found, image, match, hints, frame_mm)
        page = _page(image, found.sheet, match, hints)
        checks = {**checks, "outside": page.checks["outside"]}
        if status == "refused":
            page = dataclasses.replace(page, sheet=None)
        return dataclasses.replace(page, status=status, reasons=reasons, checks=checks)

    def _placed(self, found: Found, match: LayoutMatch | None, image: Image) -> Found:
        """The sheet as a close look, or its layout, places it."""
        if not self._place:
            return found
        sheet = placed(found.sheet, found.close, match, at_border(found.sheet, image.shape))
        return dataclasses.replace(found, sheet=sheet, close=_as_placed(found, sheet))

    def _by_hand(self, image: Image, hints: Hints) -> ReadPage:
        """The sheet whose corners a person gave: only its scale is looked for."""
        assert hints.corners is not None
        corners = hints.corners
        sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
        size = (float(sides[0] + sides[2]) / 2, float(sides[1] + sides[3]) / 2)
        layout = None
        if hints.layout is not None:
            layout = get_layout(hints.layout)
            size = (layout.width_mm, layout.height_mm)
        matrix = homography(corners, np.array([(0.0, 0.0), (size[0], 0.0), size, (0.0, size[1])]))
        sheet = Sheet(matrix, size, (0.0, 0.0, 0.0, 0.0))
        page = _page(image, sheet, None if layout is None else LayoutMatch(layout, 1.0, (0.0, 0.0)), hints)
        if layout is None:
            page = dataclasses.replace(page, sheet_mm=None, px_per_mm=None)
        return page


def _prior(image: Image, hints: Hints) -> tuple[Float64Array | None, int | None]:
    """From px of the picture to px of one that a person's turn and mirroring set upright, and the turn that is left.

    Where a person has only said one of both, the other is looked for.
    """
    if hints.turn_deg is None and not hints.mirrored:
        return None, None
    quarters = (hints.turn_deg or 0) // 90
    # The picture is as if an upright one had been turned the other way.
    upright = image.shape[::-1] if quarters % 2 else image.shape
    spin, _ = turned(TURNS.index((-quarters % 4, bool(hints.mirrored))), (upright[0], upright[1]))
    known = hints.turn_deg is not None and hints.mirrored is not None
    return np.asarray(np.linalg.inv(spin)), 0 if known else None


def _match(found: Found, image: Image, hints: Hints) -> LayoutMatch | None:
    """The layout, among all that are known or the one that a person named, which is not doubted."""
    scaled = found.lattice is not None and found.lattice.found
    hidden = at_border(found.sheet, image.shape)
    seen = Seen(found.close.rows.at, hidden, functools.partial(visible, found.sheet, image.shape))
    layouts = None if hints.layout is None else [hints.layout]
    match = match_layout(found.names, found.sheet.size_mm, layouts, scaled=scaled, seen=seen)
    if match is None and hints.layout is not None:
        return assumed(get_layout(hints.layout), found.sheet.size_mm, scaled, seen)
    return match


def _cropped(found: Found, hints: Hints) -> Found:
    """The sheet with what a person adds at its sides, or takes away."""
    if hints.crop_mm is None:
        return found
    left, top, right, bottom = hints.crop_mm
    sheet = found.sheet
    shift = np.array([[1.0, 0.0, left], [0.0, 1.0, top], [0.0, 0.0, 1.0]])
    width, height = sheet.size_mm[0] + left + right, sheet.size_mm[1] + top + bottom
    if min(width, height) < 10:
        raise HeartprintError(
            "bad-hint", f"The crop leaves {width:.0f} x {height:.0f} mm of the sheet. Take away less."
        )
    cropped = Sheet(shift @ sheet.mm_from_picture, (width, height), sheet.spread_mm)
    return dataclasses.replace(found, sheet=cropped, close=found.close.shifted(-left, -top))


def _as_placed(found: Found, sheet: Sheet) -> CloseLook:
    """What a close look told, in mm of the sheet as it was placed: moved and stretched, never turned."""
    moved = sheet.mm_from_picture @ np.linalg.inv(found.sheet.mm_from_picture)
    moved /= moved[2, 2]
    return found.close.stretched((float(moved[0, 0]), float(moved[1, 1]))).shifted(
        -float(moved[0, 2]), -float(moved[1, 2])
    )


def _page(image: Image, sheet: Sheet, match: LayoutMatch | None, hints: Hints) -> ReadPage:
    """The upright sheet and all that follows from where it lies."""
    time_px, amplitude_px = px_per_mm(sheet.mm_from_picture, (0.0, 0.0, *sheet.size_mm))
    width, height = sheet.size_mm
    k = min(max(time_px, amplitude_px), FINEST_PX_PER_MM, LONGEST_SHEET_PX / max(width, height))
    to_sheet = np.diag([k, k, 1.0]) @ sheet.mm_from_picture
    size = (max(round(k * height), 16), max(round(k * width), 16))
    to_sheet = to_sheet / to_sheet[2, 2]
    upright = warped(image, to_sheet, size)
    text: tuple[Box, ...] = ()
    if not hints.keep_text:
        above = 0.0 if hints.crop_mm is None else hints.crop_mm[1]
        rows = None if match is None else [(strip.baseline_mm + above) * k for strip in match.layout.strips]
        upright, text = without_text(upright, k, rows)
    outside = float(outside_share_map(image.shape, np.linalg.inv(to_sheet), size).mean())
    turn, mirrored = _turn(sheet)
    leads, speed, gain = _leads(match, k, sheet, hints.crop_mm or (0.0, 0.0, 0.0, 0.0))
    return ReadPage(
        "ok",
        sheet=upright,
        homography=to_sheet,
        corners=sheet.corners,
        turn_deg=turn,
        mirrored=mirrored,
        px_per_mm=(round(time_px, 4), round(amplitude_px, 4)),
        sheet_mm=(round(width, 3), round(height, 3)),
        speed_mm_per_s=speed,
        gain_mm_per_mv=gain,
        layout=None if match is None else match.layout.name,
        layout_confidence=0.0 if match is None else max(min(match.score, 1.0), 0.0),
        layout_alike=() if match is None else match.alike,
        leads=leads,
        text_boxes=text,
        checks={"outside": outside},
    )


def _turn(sheet: Sheet) -> tuple[int, bool]:
    """How far the picture is to be turned clockwise, to the nearest quarter, and whether it is a mirror image."""
    back = np.linalg.inv(sheet.mm_from_picture)
    frame = jacobian(back, np.array([sheet.size_mm]) / 2)[0]
    mirrored = bool(np.linalg.det(frame) < 0)
    x, y = frame[:, 0] * ((-1, 1) if mirrored else (1, 1))
    return round(-math.degrees(math.atan2(y, x)) / 90) % 4 * 90, mirrored


def _leads(
    match: LayoutMatch | None,
    k: float,
    sheet: Sheet,
    added_mm: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
) -> tuple[tuple[ReadLead, ...], float | None, float | None]:
    """Boxes of the layout's strips on the upright sheet, and speed and gain where all layouts that fit agree.

    Args:
        match: The layout; None = unknown.
        k: Px of the sheet per mm.
        sheet: The sheet.
        added_mm: What a person added to the layout's frame at the left, top, right and bottom.
    """
    if match is None:
        return (), None, None
    layout = match.layout
    rows = sorted({strip.baseline_mm for strip in layout.strips})
    gap = min((b - a for a, b in itertools.pairwise(rows)), default=layout.height_mm)
    width, height = sheet.size_mm
    extra = width - added_mm[0] - added_mm[2] - layout.width_mm
    dx = added_mm[0] + (extra if extra > 5 and match.shift_mm[0] > extra / 2 else 0.0)
    dy = added_mm[1]
    candidates = [layout, *map(get_layout, match.alike)]
    speeds = {speed for one in candidates for speed in one.speeds_mm_per_s}
    gains = {gain for one in candidates for gain in one.gains_mm_per_mv}
    timed = not match.alike
    leads = []
    for strip in layout.strips:
        left, right = (min(max(x + dx, 0.0), width) for x in (strip.left_mm, strip.right_mm))
        reach = max(strip.baseline_mm - gap / 2, 0.0), min(strip.baseline_mm + gap / 2, layout.height_mm)
        top, bottom = (min(max(y + dy, 0.0), height) for y in reach)
        if right > left and bottom > top:  # else it was cropped away
            box = (left * k, top * k, right * k, bottom * k)
            leads.append(
                ReadLead(
                    strip.label,
                    box,
                    strip.start_s if timed else None,
                    strip.duration_s if len(speeds) == 1 else None,
                )
            )
    return tuple(leads), speeds.pop() if len(speeds) == 1 else None, gains.pop() if len(gains) == 1 else None


@functools.cache
def shipped_networks() -> Networks:
    """The networks that come with Heartprint.

    Raises:
        HeartprintError: ``reader-missing`` or ``reader-damaged``.
    """
    with resources.as_file(resources.files("heartprint.reading") / "shipped") as folder:
        return load_networks(folder)


def load_networks(folder: Path) -> Networks:
    """Read all networks from a folder.

    Raises:
        HeartprintError: ``reader-missing`` or ``reader-damaged``.
    """
    finder, reader, strips = (load_network(folder / f"{kind}.safetensors", kind) for kind in KINDS)
    assert isinstance(finder, PageNet) and isinstance(reader, PageNet) and isinstance(strips, StripNet)
    return Networks(finder, reader, strips)
