"""What the reader says of a page: an upright sheet and how it was found, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.foundation.errors import HeartprintError

Status = Literal["ok", "warned", "refused", "failed"]
"""``ok``: read, and every check agrees. ``warned``: read, with a reason to look at it. ``refused``: a picture that is
no ECG that can be read. ``failed``: no picture at all, or one that cannot be opened."""

TURNS = (0, 90, 180, 270)


@dataclass(frozen=True)
class Reason:
    """Why a page is not simply ``ok``.

    Attributes:
        code: Stable kebab-case code, see ``docs/reference/reason-codes.md``.
        message: One clear sentence: what was seen, and what to do about it.
        refuses: Whether it keeps the page from being read; else it warns.
    """

    code: str
    message: str
    refuses: bool = False


@dataclass(frozen=True)
class ReadLead:
    """A strip of one lead on the sheet.

    Attributes:
        name: Name in `heartprint.signals.leads.LEADS_12`; ``-aVR`` where it is printed upside down.
        box: Left, top, right, bottom on the upright sheet, px.
        start_s: First moment shown, s; None = not known.
        duration_s: Seconds shown; None = not known.
    """

    name: str
    box: tuple[float, float, float, float]
    start_s: float | None = None
    duration_s: float | None = None


@dataclass(frozen=True)
class Hints:
    """What a person says of a picture, which the reader then does not look for.

    Attributes:
        turn_deg: How far the picture must be turned clockwise to stand upright: 0, 90, 180 or 270. The reader then only
            looks for smaller turns.
        mirrored: Whether the picture is a mirror image.
        corners: ``(4, 2)`` corners of the sheet in the picture, px: upper left, upper right, lower right, lower left of
            the upright sheet. They decide everything that is geometry.
        crop_mm: Left, top, right, bottom that are to be added to the sheet found (below 0: taken away), mm; not where
            corners are given.
        layout: Name of the layout, or path of a layout file. It is believed, whatever names were read.
        keep_text: Whether printed words stay on the sheet; else they are painted over.

    Raises:
        HeartprintError: ``bad-hint``.
    """

    turn_deg: int | None = None
    mirrored: bool | None = None
    corners: Float64Array | None = None
    crop_mm: tuple[float, float, float, float] | None = None
    layout: str | None = None
    keep_text: bool = False

    @property
    def of_one_picture(self) -> bool:
        """Whether something is said that holds for one picture only."""
        return self != Hints(keep_text=self.keep_text)

    def __post_init__(self) -> None:
        if self.turn_deg is not None and self.turn_deg not in TURNS:
            raise HeartprintError("bad-hint", f"A turn is 0, 90, 180 or 270 degrees clockwise, not {self.turn_deg!r}.")
        if self.corners is not None:
            corners = np.asarray(self.corners, dtype=np.float64)
            if corners.shape != (4, 2) or not np.isfinite(corners).all() or not _convex(corners):
                raise HeartprintError(
                    "bad-hint",
                    "Corners are four points x,y in px of the picture: upper left, upper right, lower right and lower "
                    "left of the sheet as it reads upright, so that they enclose it.",
                )
            object.__setattr__(self, "corners", corners)
            if self.crop_mm is not None:
                raise HeartprintError(
                    "bad-hint", "Corners say where the sheet ends; there is nothing to add to it. Give one of both."
                )


def _convex(corners: Float64Array) -> bool:
    sides = np.roll(corners, -1, axis=0) - corners
    following = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    return bool((turns > 0).all() or (turns < 0).all())


@dataclass(frozen=True, eq=False)
class ReadPage:
    """A page as the reader saw it.

    Places in the picture are px: x to the right, y down, (0, 0) at the upper left corner of the upper left pixel.

    Attributes:
        status: See `Status`.
        reasons: Why it is not ``ok``, the gravest first.
        sheet: ``(h, w)`` uint8, white = 255: the upright sheet; None where there is none.
        homography: ``(3, 3)`` from px of the picture to px of the sheet.
        corners: ``(4, 2)`` corners of the sheet in the picture, px: upper left, upper right, lower right, lower left.
        turn_deg: How far the picture has to be turned clockwise to stand upright, to the nearest of 0, 90, 180, 270.
        mirrored: Whether the picture is a mirror image.
        px_per_mm: In the picture, at the middle of the sheet: along time and along amplitude.
        sheet_mm: Width and height of the sheet, mm; None where its scale is not known.
        speed_mm_per_s: Paper speed; None = not known.
        gain_mm_per_mv: Height of 1 mV; None = not known.
        layout: Name of the layout; None = none that is known.
        layout_confidence: 0-1.
        layout_alike: Names of other layouts that the lead names fit as well.
        leads: The strips that were recognised.
        text_boxes: Left, top, right, bottom of printed text that was painted over in the sheet, px of the sheet.
        checks: What the reader measured of its own work, by name (see ``docs/explanation/how-a-page-is-read.md``).
        size: Height and width of the picture, px.
        seconds: Time spent.
    """

    status: Status
    reasons: tuple[Reason, ...] = ()
    sheet: Image | None = None
    homography: Float64Array | None = None
    corners: Float64Array | None = None
    turn_deg: int | None = None
    mirrored: bool | None = None
    px_per_mm: tuple[float, float] | None = None
    sheet_mm: tuple[float, float] | None = None
    speed_mm_per_s: float | None = None
    gain_mm_per_mv: float | None = None
    layout: str | None = None
    layout_confidence: float = 0.0
    layout_alike: tuple[str, ...] = ()
    leads: tuple[ReadLead, ...] = ()
    text_boxes: tuple[tuple[float, float, float, float], ...] = ()
    checks: dict[str, float] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """All but the sheet, as JSON writes it; equal readings give equal text but for ``seconds``."""

        def plain(value: npt.NDArray[Any] | None, digits: int) -> list[Any] | None:
            return None if value is None else np.round(value, digits).tolist()

        return {
            "status": self.status,
            "reasons": [{"code": one.code, "message": one.message, "refuses": one.refuses} for one in self.reasons],
            "size": self.size,
            "homography": None if self.homography is None else self.homography.tolist(),
            "corners": plain(self.corners, 3),
            "turn_deg": self.turn_deg,
            "mirrored": self.mirrored,
            "px_per_mm": self.px_per_mm,
            "sheet_mm": self.sheet_mm,
            "sheet_size": None if self.sheet is None else list(self.sheet.shape),
            "speed_mm_per_s": self.speed_mm_per_s,
            "gain_mm_per_mv": self.gain_mm_per_mv,
            "layout": {
                "name": self.layout,
                "confidence": round(self.layout_confidence, 4),
                "alike": list(self.layout_alike),
            },
            "leads": [
                {
                    "name": lead.name,
                    "box": [round(side, 2) for side in lead.box],
                    "start_s": lead.start_s,
                    "duration_s": lead.duration_s,
                }
                for lead in self.leads
            ],
            "text_boxes": [[round(side, 2) for side in box] for box in self.text_boxes],
            "checks": {name: round(value, 6) for name, value in self.checks.items()},
            "seconds": round(self.seconds, 4),
        }
