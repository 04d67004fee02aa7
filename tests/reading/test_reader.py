"""The reader that comes with Heartprint: whatever it is shown, it answers; a plain page it reads."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from heartprint.foundation.arrays import Image
from heartprint.reading.answer import Hints, ReadPage
from heartprint.reading.plane import mapped
from heartprint.reading.reader import Reader
from heartprint.sheets import render
from heartprint.sheets.registry import get_layout

LAYOUT = get_layout("3x4_ii")
SIZE = (round(4 * LAYOUT.height_mm), round(4 * LAYOUT.width_mm))
ROOM = 60


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def plain_page() -> Image:
    """A clean sheet in a usual layout, with some paper about it."""
    rng = np.random.default_rng(5)
    time = np.arange(1000) / 100
    beats = sum(np.exp(-(((time - at) / 0.02) ** 2)) for at in np.arange(0.4, 10, 0.83))
    tails = sum(0.25 * np.exp(-(((time - at - 0.3) / 0.06) ** 2)) for at in np.arange(0.4, 10, 0.83))
    leads = rng.uniform(0.4, 1.2, (8, 1)) * (beats + tails) + 0.01 * rng.normal(size=(8, 1000))
    sheet = render(leads, 100.0, LAYOUT.name, SIZE, style="red")
    return np.pad(sheet, ROOM, constant_values=255)


STRANGE: dict[str, Image] = {
    "one px": np.zeros((1, 1), dtype=np.uint8),
    "a line": np.full((1, 5000), 90, dtype=np.uint8),
    "just too small": np.full((31, 400), 255, dtype=np.uint8),
    "just large enough": np.full((32, 32), 200, dtype=np.uint8),
    "a ribbon": np.tile(np.arange(256, dtype=np.uint8), (40, 16)),
    "a column": np.tile(np.arange(256, dtype=np.uint8)[:, None], (16, 40)),
    "white": np.full((700, 900), 255, dtype=np.uint8),
    "black": np.zeros((700, 900), dtype=np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (600, 800), dtype=np.uint8),
    "a chessboard": ((np.indices((640, 640)) // 8).sum(0) % 2 * 255).astype(np.uint8),
    "half black": np.repeat([0, 255], 300)[None].repeat(400, 0).astype(np.uint8),
    "one dot": np.where((np.indices((500, 500)) == 250).all(0), 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_page_is_refused_and_never_raises(reader: Reader, kind: str) -> None:
    page = reader.read(STRANGE[kind])
    assert page.status == "refused" and page.sheet is None, page.reasons
    assert page.reasons and all(reason.refuses and reason.message for reason in page.reasons)
    assert page.size == STRANGE[kind].shape


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_plain_page_is_read_whichever_way_it_lies(reader: Reader, turn: int) -> None:
    """Turned pictures come back as one sheet."""
    image = np.ascontiguousarray(np.rot90(plain_page(), turn // 90))
    page = reader.read(image)
    assert page.status in ("ok", "warned"), page.reasons
    assert page.sheet is not None and page.corners is not None
    assert (page.turn_deg, page.mirrored) == (turn, False)
    assert page.layout is not None and "3x4" in page.layout
    height, width = SIZE
    corners = ROOM + np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])
    size = np.array([width + 2.0 * ROOM, height + 2.0 * ROOM])
    for _ in range(turn // 90):  # as numpy turns: counter-clockwise
        corners = np.column_stack([corners[:, 1], size[0] - corners[:, 0]])
        size = size[::-1]
    off = np.linalg.norm(page.corners - corners, axis=1).max() / width
    assert off < 0.015, off


def test_the_same_picture_gives_the_same_bytes_in_another_process(reader: Reader, tmp_path: Path) -> None:
    image = plain_page()
    np.save(tmp_path / "page.npy", image)
    page = reader.read(image)
    assert page.sheet is not None and page.homography is not None
    here = hashlib.sha256(page.sheet.tobytes() + page.homography.tobytes()).hexdigest()
    program = (
        "import sys, hashlib, numpy as np\n"
        "from heartprint.reading.reader import Reader\n"
        "page = Reader().read(np.load(sys.argv[1]))\n"
        "print(hashlib.sha256(page.sheet.tobytes() + page.homography.tobytes()).hexdigest())"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "page.npy")]
    there = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert there.stdout.strip() == here


def in_picture(page: ReadPage, number: int) -> np.ndarray:
    """Corners of a strip's box in the picture, px."""
    assert page.homography is not None
    left, top, right, bottom = page.leads[number].box
    return mapped(
        np.linalg.inv(page.homography), np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    )


def test_what_a_person_crops_is_cropped_from_the_sheet_that_was_shown(reader: Reader) -> None:
    image = plain_page()
    before = reader.read(image)
    after = reader.read(image, Hints(crop_mm=(3.0, 4.0, -5.0, -6.0)))
    assert before.sheet_mm is not None and after.sheet_mm is not None
    assert after.sheet_mm == pytest.approx((before.sheet_mm[0] - 2.0, before.sheet_mm[1] - 2.0), abs=0.01)
    assert before.corners is not None and after.corners is not None
    moved = np.array([(-3.0, -4.0), (-5.0, -4.0), (-5.0, -6.0), (-3.0, -6.0)]) * 4.0
    assert after.corners - before.corners == pytest.approx(moved, abs=0.5)
    assert len(after.leads) == len(before.leads) == 13
    # A strip in the middle is where it was, whatever was done at the sides.
    assert in_picture(after, 4) == pytest.approx(in_picture(before, 4), abs=0.5)
    # Of what was cropped away nothing is told.
    height, width = after.sheet.shape if after.sheet is not None else (0, 0)
    assert all(
        0 <= x <= width + 1 and 0 <= y <= height + 1 for lead in after.leads for x, y in (lead.box[:2], lead.box[2:])
    )


def test_a_layout_that_a_person_names_is_believed(reader: Reader) -> None:
    """Even where names tell another, or none were read."""
    page = reader.read(plain_page(), Hints(layout="6x2"))
    assert page.layout == "6x2" and page.layout_confidence == 0.0
    assert len(page.leads) == 12


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_turn_that_a_person_gives_is_not_doubted(reader: Reader, turn: int) -> None:
    image = np.ascontiguousarray(np.rot90(plain_page(), turn // 90))
    page = reader.read(image, Hints(turn_deg=turn, mirrored=False))
    assert (page.turn_deg, page.mirrored) == (turn, False)
    assert page.layout is not None


def test_a_page_without_a_grid_gives_the_same_bytes_twice(reader: Reader) -> None:
    """It is set straight by a fit that begins anew each time."""
    image = np.where(plain_page() < 120, 0, 255).astype(np.uint8)
    first, second = reader.read(image), reader.read(image)
    assert first.checks["lattice"] == 0
    assert first.homography is not None and second.homography is not None
    assert first.homography.tobytes() == second.homography.tobytes()
