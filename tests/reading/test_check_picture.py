"""The picture that a person looks at: what was found lies where it was found, and nothing breaks the drawing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heartprint.reading.answer import Hints, ReadLead, ReadPage, Reason
from heartprint.reading.check_picture import LONGEST_SIDE, check_picture
from tests.reading.fake_reader import FakeReader

GREEN = (21, 115, 71)
CORNERS = np.array([(100, 500), (90, 60), (700, 40), (720, 520)], dtype=np.float64)


@pytest.fixture
def answer() -> ReadPage:
    picture = np.full((600, 800), 200, dtype=np.uint8)
    return replace(FakeReader().read(picture, Hints(corners=CORNERS, turn_deg=90)), text_boxes=())


def coloured(shown: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """``(n, 2)`` x and y of pixels of a colour below the words."""
    y, x = np.nonzero((np.abs(shown.astype(int) - colour).max(axis=2) < 20)[shown.shape[0] - 600 :])
    return np.stack([x, y], axis=1)


def test_the_sheet_is_drawn_where_it_was_found(answer: ReadPage) -> None:
    shown = check_picture(np.full((600, 800), 200, dtype=np.uint8), answer, "a.png")
    assert shown.shape[1:] == (800, 3) and shown.shape[0] > 600
    places = coloured(shown, GREEN)
    for corner in CORNERS:
        assert np.linalg.norm(places - corner, axis=1).min() < 2
    # The arrow lies between the middle and the upper edge, which is at the left of this picture.
    middle, top = CORNERS.mean(axis=0), CORNERS[:2].mean(axis=0)
    assert np.linalg.norm(places - (top + 0.2 * (middle - top)), axis=1).min() < 2
    assert np.linalg.norm(places - (top + 1.5 * (middle - top)), axis=1).min() > 50


def test_leads_are_drawn_in_their_places(answer: ReadPage) -> None:
    assert answer.homography is not None and answer.sheet is not None
    high, wide = answer.sheet.shape
    box = (0.25 * wide, 0.25 * high, 0.75 * wide, 0.75 * high)
    one = replace(answer, leads=(ReadLead("V1", box),))
    shown = check_picture(np.full((600, 800), 200, dtype=np.uint8), one, "a.png")[-600:].astype(int)
    y, x = np.nonzero(shown[..., 2] - shown[..., 0] > 60)  # thin lines are mixed with what is under them
    places = np.stack([x, y], axis=1)
    back = np.linalg.inv(answer.homography)
    for place in ((box[0], box[1]), (box[2], box[3]), (0.5 * wide, box[3])):
        found = back @ (*place, 1)
        assert np.linalg.norm(places - found[:2] / found[2], axis=1).min() < 2.5


def test_a_large_picture_is_shown_small_and_places_follow(answer: ReadPage) -> None:
    factor = 4
    large = replace(
        answer,
        corners=CORNERS * factor,
        homography=answer.homography @ np.diag([1 / factor, 1 / factor, 1]),
        size=(600 * factor, 800 * factor),
    )
    shown = check_picture(np.full((600 * factor, 800 * factor), 200, dtype=np.uint8), large, "a.png")
    assert shown.shape[1] == LONGEST_SIDE
    picture = shown[-900:]
    y, x = np.nonzero(np.abs(picture.astype(int) - GREEN).max(axis=2) < 20)
    for corner in CORNERS * 1.5:
        assert np.hypot(x - corner[0], y - corner[1]).min() < 2


def test_corners_outside_the_picture_are_shown_in_a_margin(answer: ReadPage) -> None:
    corners = np.array([(-80, 40), (760, -50), (850, 640), (-60, 560)], dtype=np.float64)
    outside = replace(answer, corners=corners, homography=None)
    shown = check_picture(np.full((600, 800), 200, dtype=np.uint8), outside, "a.png")
    assert shown.shape[1] == 800 + 96 + 66
    y, x = np.nonzero(np.abs(shown[-(600 + 66 + 56) :].astype(int) - GREEN).max(axis=2) < 20)
    for corner in corners + np.array([96, 66]):
        assert np.hypot(x - corner[0], y - corner[1]).min() < 2
    far = replace(answer, corners=corners * 100, homography=None)
    assert check_picture(np.full((600, 800), 200, dtype=np.uint8), far, "a.png").shape[1] == 1.5 * 800


@pytest.mark.parametrize("status", ["ok", "warned", "refused", "failed"])
def test_whatever_an_answer_holds_is_drawn(status: str, answer: ReadPage) -> None:
    picture = np.full((600, 800), 200, dtype=np.uint8)
    reasons = tuple(Reason("a-reason", "A long sentence of what was seen and what to do about it. " * 9) for _ in "abc")
    for one in (
        ReadPage(status, reasons),  # type: ignore[arg-type]
        replace(answer, status=status, reasons=reasons),  # type: ignore[arg-type]
        replace(answer, homography=np.zeros((3, 3))),
        replace(answer, homography=None, sheet=None),
        replace(answer, corners=CORNERS * 1e7 - 1e8),
        replace(answer, leads=(ReadLead("V1", (5.0, 5.0, 5.0, 5.0)),)),
    ):
        assert check_picture(picture, one, "a name \n of any kind " * 20).dtype == np.uint8
    assert check_picture(np.zeros((1200, 40), np.uint8), ReadPage("ok"), "").shape[1] >= 500
