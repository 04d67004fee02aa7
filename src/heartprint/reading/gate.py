"""The gate: what is read, what is read with a warning, and what is not read at all."""

from __future__ import annotations

import numpy as np

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.reading.answer import Hints, Reason, Status
from heartprint.reading.arrangement import not_twelve
from heartprint.reading.find import Found, px_per_mm
from heartprint.reading.layouts import LayoutMatch
from heartprint.reading.looks import Glance
from heartprint.reading.placing import at_border, may_go_on
from heartprint.reading.plane import jacobian
from heartprint.reading.warp import outside_share_map

MESSAGES: dict[str, str] = {
    "not-an-ecg": "The picture shows no ECG. Give a photograph or scan of a 12-lead ECG.",
    "not-twelve-leads": "The picture shows no complete page of 12 leads: a strip, a part of a page, or several ECGs. "
    "Give one whole page.",
    "no-sheet": "No sheet of an ECG was found in the picture. Photograph the whole page from straight above, in good "
    "light, so that it fills the picture.",
    "unsure": "How the sheet lies in the picture could not be told for certain. Photograph it from straight above, or "
    "give its corners (--corners).",
    "too-small": "The sheet has too few pixels to be read. Photograph it from nearer, or scan it at 100 dpi or more.",
    "cut-off": "Too much of the sheet lies outside the picture. Photograph the whole page.",
    "edge-cut": "A part of the sheet lies outside the picture and was left blank.",
    "mirrored": "The picture is a mirror image; it was mirrored back.",
    "coarse": "The sheet has few pixels: small waves may be lost.",
    "unsure-edges": "Where the sheet ends is uncertain. Look at the check picture, or give its corners (--corners).",
    "unsure-pose": "How the sheet lies is less certain than usual. Look at the check picture.",
    "lattice-disagrees": "The paper's grid does not agree with how the sheet seems to lie. Look at the check picture.",
    "unsure-ecg": "It is not certain that this is a page of a 12-lead ECG. Look at the check picture.",
}

NOT_ECG, MAYBE_NOT_ECG = 0.5, 0.15
SURELY_NOT_ECG, MANY_LEADS = 0.97, 9
LEAST_UPRIGHT, LESS_UPRIGHT = 0.6, 0.9
LEGIBLE, LEGIBLE_UPRIGHT = 4, 0.95
ROWS_FIT = 0.95
MUCH_BESIDE = 0.6
FEWEST_AGREEING, FEW_AGREEING = 0.35, 0.7
LARGEST_CHANGE, LARGE_CHANGE = 0.25, 0.06
MOST_OUTSIDE, MUCH_OUTSIDE = 0.4, 0.15
FEWEST_PX_PER_MM, FEW_PX_PER_MM = 0.8, 1.5
LARGEST_SPREAD_MM, LARGE_SPREAD_MM = 25.0, 4.0
LARGE_FRAME_MM = 8.0


def refusal(code: str, glance: Glance | None = None) -> Reason:
    """The reason for not reading a picture; where it looks like no ECG at all, that is the reason."""
    if glance is not None:
        if glance.page["other"] > NOT_ECG:
            code = "not-an-ecg"
        elif glance.page["nearly"] > NOT_ECG:
            code = "not-twelve-leads"
    return Reason(code, MESSAGES[code], refuses=True)


def judge(
    found: Found, picture: Image, match: LayoutMatch | None, hints: Hints, frame_mm: float
) -> tuple[Status, tuple[Reason, ...], dict[str, float]]:
    """Decide what is said of a sheet that was found.

    Args:
        found: The sheet.
        picture: Where it was found.
        match: Its layout; None = unknown.
        hints: What a person said, which is not doubted.
        frame_mm: How far edges and names differ about how large the sheet is.

    Returns:
        Status, reasons (the gravest first), and what was measured.
    """
    hidden = at_border(found.sheet, picture.shape)
    checks = measured(found, picture) | {"frame_mm": frame_mm}
    checks["may_go_on"] = float(sum(may_go_on(found.close, match, hidden)))
    if match is not None:
        checks["layout_score"] = match.score
    refused: list[str] = []
    warned: list[str] = []

    def grade(value: float, refuse_above: float, warn_above: float, refuses: str, warns: str) -> None:
        if value > refuse_above:
            refused.append(refuses)
        elif value > warn_above:
            warned.append(warns)

    # A page on which most leads' names can be read is one of an ECG, whatever it looks like from afar; whether of one
    # ECG alone and of all its leads, names themselves tell.
    named = checks["leads"] >= MANY_LEADS
    doubt = SURELY_NOT_ECG if named else NOT_ECG
    if checks["other"] > doubt:
        refused.append("not-an-ecg")
    elif (
        checks["beside"] > MUCH_BESIDE
        or checks["nearly"] > doubt
        or not_twelve(found.close, found.sheet.size_mm[0], hidden)
    ):
        refused.append("not-twelve-leads")
    elif checks["other"] + checks["nearly"] > MAYBE_NOT_ECG and not named:
        warned.append("unsure-ecg")
    grade(-checks["upright"], -LEAST_UPRIGHT, -LESS_UPRIGHT, "unsure", "unsure-pose")
    grade(-checks["agreeing"], -FEWEST_AGREEING, -FEW_AGREEING, "unsure", "unsure-pose")
    # Where a grid was found it decides; the network that saw something else then is a reason to look.
    seen = "lattice-disagrees" if checks.get("lattice") else "unsure-pose"
    grade(checks["change"], LARGEST_CHANGE, LARGE_CHANGE, "unsure", seen)
    grade(checks["edges_mm"], LARGEST_SPREAD_MM, LARGE_SPREAD_MM, "unsure", "unsure-edges")
    # Mm that no grid has confirmed are the network's, unless those of a layout fit all that is printed.
    fits = match is not None and match.in_place >= MANY_LEADS and match.rows_score >= ROWS_FIT and checks["rows"] > 1
    if not checks.get("lattice") and not fits:
        warned.append("unsure-pose")
    # Edges that were seen need no confirmation; those of a layout must agree with what was told from afar, and what was
    # told from afar alone is never sure.
    edges_seen = checks["rows"] > 1 and checks["borders"] > 1
    confirmed = edges_seen or (match is not None and frame_mm <= LARGE_FRAME_MM)
    if hints.crop_mm is None and (checks["may_go_on"] or not confirmed):
        warned.append("unsure-edges")
    grade(checks["outside"], MOST_OUTSIDE, MUCH_OUTSIDE, "cut-off", "edge-cut")
    grade(-checks["px_per_mm"], -FEWEST_PX_PER_MM, -FEW_PX_PER_MM, "too-small", "coarse")
    if np.linalg.det(back_of(found)) < 0 and not hints.mirrored:
        warned.append("mirrored")
    codes = list(dict.fromkeys(refused)) or list(dict.fromkeys(warned))
    status: Status = "refused" if refused else "warned" if warned else "ok"
    return status, tuple(Reason(code, MESSAGES[code], refuses=bool(refused)) for code in codes), checks


def measured(found: Found, picture: Image) -> dict[str, float]:
    """What the reader measures of its own work.

    Returns:
        ``agreeing`` and ``agreeing_first``: share of cells that agree with the plane; ``error``: of their lengths;
        ``beside``: how much more of a sheet was seen, beyond this one, as a share of it;
        ``change``: how far the scale was off in the last look; ``upright``: how sure the last looks are that the sheet
        stands upright, names included; ``chosen``: how sure the one before was of its turn; ``edges_mm``: how far the
        worst edge may be off; ``outside``: share of the sheet beyond the picture; ``at_border``: how many of its edges
        lie at the picture's, or beyond; ``px_per_mm``: along the coarser axis; ``other`` and ``nearly``: how much it
        looks like no ECG; ``names``, ``leads``, ``rows``, ``borders``: lead names, different ones, baselines, and of
        the left and right edge those found; ``lattice``, ``lattice_*``: what the grid said.
    """
    sheet = found.sheet
    back = np.linalg.inv(sheet.mm_from_picture)
    grid = (40, 40)
    to_mm = np.diag([sheet.size_mm[0] / grid[1], sheet.size_mm[1] / grid[0], 1.0])
    last, first = found.planes[-1], found.planes[0]
    # Names are read in an upright sheet alone, but for strokes: I, II and III look alike from other sides.
    leads = {name.lead for name in found.names}
    legible = len(leads - {"I", "II", "III"}) >= LEGIBLE
    checks = {
        "agreeing": last.agreeing,
        "agreeing_first": first.agreeing,
        "error": last.error,
        "beside": found.beside,
        "change": found.change,
        "upright": max(found.upright, LEGIBLE_UPRIGHT if legible else 0.0),
        "chosen": found.chosen,
        "edges_mm": max(sheet.spread_mm),
        "outside": float(outside_share_map(picture.shape, back @ to_mm, grid).mean()),
        "at_border": float(sum(at_border(sheet, picture.shape))),
        "px_per_mm": min(px_per_mm(sheet.mm_from_picture, (0.0, 0.0, *sheet.size_mm))),
        "other": max(found.first.page["other"], found.last.page["other"]),
        "nearly": max(found.first.page["nearly"], found.last.page["nearly"]),
        "names": float(len(found.names)),
        "leads": float(len(leads)),
        "rows": float(len(found.close.rows)),
        "borders": float(bool(len(found.close.left))) + float(bool(len(found.close.right))),
        "cells": float(len(found.last.looks)),
    }
    lattice = found.lattice
    if lattice is not None:
        checks["lattice"] = float(lattice.found)
        checks["lattice_coverage"] = lattice.coverage
        if lattice.agreement is not None:
            checks["lattice_scale"] = lattice.agreement.scale
            checks["lattice_turn_deg"] = lattice.agreement.turn_deg
            checks["lattice_corner_mm"] = lattice.agreement.corner_mm
            checks["lattice_residual_mm"] = lattice.residual_mm
    return checks


def back_of(found: Found) -> Float64Array:
    """``(2, 2)``: px of the picture per mm at the middle of the sheet."""
    middle = np.array([found.sheet.size_mm]) / 2
    return np.asarray(jacobian(np.linalg.inv(found.sheet.mm_from_picture), middle)[0])
