"""A reader for tests of what stands around it: it takes the whole picture for the sheet, by rules that are plain."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.reading.answer import Hints, ReadLead, ReadPage, Reason

DARK, BREAKS, KILLS = 60, 70, 80
"""Pictures that are all but uniform, by their level: refused, break the reader, kill its process."""

NAMES = ("I", "aVR", "V1", "V4", "II", "aVL", "V2", "V5", "III", "aVF", "V3", "V6")


class FakeReader:
    """Reads any picture as one sheet of 250 x 180 mm, upright unless a hint says otherwise.

    A picture whose median is at or below `DARK` is refused; one that is taller than wide is warned of and turned.
    """

    version = "fake-1"

    def read(self, image: npt.NDArray[np.uint8], hints: Hints = Hints()) -> ReadPage:  # noqa: B008
        note(image)
        level = int(np.median(image))
        if level == BREAKS:
            raise ValueError("nobody thought of this")
        if level == KILLS:
            os._exit(9)
        height, width = image.shape
        if level <= DARK:
            reason = Reason("too-dark", "The picture is too dark. Take it again with more light.", refuses=True)
            return ReadPage("refused", (reason,), size=(height, width))
        turn = hints.turn_deg if hints.turn_deg is not None else 90 if height > width else 0
        corners = hints.corners
        if corners is None:
            corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64)
            corners = np.roll(corners, turn // 90, axis=0)
        upright = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
        wide, high = round(upright[0]), round(upright[1])
        target = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], dtype=np.float32)
        matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
        sheet = cv2.warpPerspective(image, matrix, (wide, high), flags=cv2.INTER_LINEAR, borderValue=255)
        answer = ReadPage(
            "ok",
            sheet=np.asarray(sheet, dtype=np.uint8),
            homography=np.asarray(matrix, dtype=np.float64),
            corners=corners,
            turn_deg=turn,
            mirrored=bool(hints.mirrored),
            px_per_mm=(wide / 250, high / 180),
            sheet_mm=(250.0, 180.0),
            speed_mm_per_s=25.0,
            gain_mm_per_mv=10.0,
            layout=hints.layout or "standard",
            layout_confidence=0.97,
            leads=tuple(ReadLead(name, _cell(k, wide / 4, high / 4)) for k, name in enumerate(NAMES)),
            text_boxes=((5.0, 5.0, wide * 0.3, high * 0.08),),
            checks={"inliers": 0.9},
            size=(height, width),
            seconds=0.001,
        )
        if height > width:
            warning = Reason("low-agreement", "Grid and print do not agree. Look at the check picture.")
            return replace(answer, status="warned", reasons=(warning,))
        return answer


def _cell(k: int, wide: float, high: float) -> tuple[float, float, float, float]:
    return wide * (k % 4), high * (k // 4), wide * (k % 4 + 1), high * (k // 4 + 1)


def note(image: npt.NDArray[np.uint8]) -> None:
    """Count what is read, where a test wants to know: one line a picture."""
    place = os.environ.get("HEARTPRINT_TEST_READS")
    if place:
        with Path(place).open("a") as handle:
            handle.write(f"{image.shape}\n")
