"""Whole photographs: the mapping is exact, the geometry is what it says, and the same stream gives the same bytes."""

from __future__ import annotations

import importlib
import math
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.sheets.camera import Snapshot, backdrops, circumstances, covers, neighbours, snapshot, snapshot_of_image
from heartprint.sheets.camera.circumstances import Source
from heartprint.sheets.registry import LAYOUTS
from heartprint.sheets.style import STYLES
from tests.sheets.reference import synthetic_ecg

camera = importlib.import_module("heartprint.sheets.camera.snapshot")  # its name is also that of a function

BENT = Source("bent", 1.0, False, {"curl": (1.0, 1.0, 5.0), "folds": (1.0, 1.0, 5.0)})
"""All that moves paper, and nothing that hides a mark."""
PLAIN = Source("plain", 1.0, True, {})
MARKS = np.stack(np.meshgrid(np.linspace(0.06, 0.94, 6), np.linspace(0.12, 0.88, 4)), axis=-1).reshape(-1, 2)
"""Where marks are, shares of width and height."""
HALF_MM = 3.0


def marked(height: int, width: int, sides: tuple[float, float]) -> np.ndarray:
    """A white sheet with black squares, whose sides may lie within pixels."""
    cover = []
    for length, mm, middles in ((height, sides[1], MARKS[:, 1]), (width, sides[0], MARKS[:, 0])):
        scale, edges = length / mm, np.arange(length + 1)
        ends = (middles[:, None] * mm + np.array([-HALF_MM, HALF_MM])) * scale
        cover.append(np.diff(np.clip(edges, ends[:, :1], ends[:, 1:]), axis=1))
    ink = np.max(cover[0][:, :, None] * cover[1][:, None, :], axis=0)
    return np.rint(255 * (1 - ink)).astype(np.uint8)


def misses(shot: Snapshot) -> list[float]:
    """How far each mark is seen from where the mapping says, px."""
    sides = np.array(shot.mapping.sheet_mm)
    grid = (np.arange(5) + 0.5) / 5 * 2 - 1
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2) * HALF_MM
    step, found = 0.01, []
    for mark in MARKS * sides:
        # Under perspective the centre of what is seen is that of the mark's points, each as heavy as it is seen large.
        nearby = (mark + points)[:, None] + np.array([[0, 0], [step, 0], [0, step]])
        places = shot.mapping.picture_from_sheet(nearby)
        dx, dy = places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]
        weights = np.abs(dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0])
        told = weights @ places[:, 0] / weights.sum()
        reach = int(np.abs(places[:, 0] - told).max() + 3)
        left, top = int(told[0]) - reach, int(told[1]) - reach
        if left < 0 or top < 0 or left + 2 * reach > shot.picture.shape[1] or top + 2 * reach > shot.picture.shape[0]:
            continue
        window = shot.picture[top : top + 2 * reach, left : left + 2 * reach]
        ink = np.maximum(150.0 - window, 0.0)  # creases are no marks
        at = np.arange(2 * reach) + 0.5
        seen = np.array([left, top]) + np.array([ink.sum(0) @ at, ink.sum(1) @ at]) / ink.sum()
        found.append(float(np.hypot(*(seen - told))))
    return found


@pytest.fixture
def only_bent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every picture is taken through a lens, of paper that is bent and folded, and nothing else happens."""
    monkeypatch.setattr(camera, "draw_source", lambda rng: BENT)
    monkeypatch.setattr(circumstances, "vignette", lambda *given: 1.0)
    monkeypatch.setattr(circumstances, "saved_before", lambda *given: None)
    for place in (neighbours, covers):
        monkeypatch.setattr(place, "lay", lambda *given: [])


@pytest.mark.usefixtures("only_bent")
@pytest.mark.parametrize("severity", [1.0, 3.0, 5.0])
def test_marks_lie_where_the_mapping_says(severity: float) -> None:
    page = marked(960, 2000, (250.0, 120.0))
    found = []
    for k in range(8):
        rng = generator(0, "marks", k)
        found += misses(snapshot_of_image(page, 8.0, severity=severity, rng=rng, mirrored=k % 3 == 0, turn=40.0 * k))
    assert len(found) > 50
    assert max(found) < 0.3
    assert np.median(found) < 0.04


@pytest.mark.usefixtures("only_bent")
@pytest.mark.parametrize("kind", ["page", "runs_on", "bare"])
def test_marks_lie_there_too_on_a_page(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    style = STYLES["no_grid"]
    layout = LAYOUTS["3x4_ii"]

    def draw(leads: Any, rate: Any, name: Any, size: tuple[int, int], **given: Any) -> np.ndarray:
        return marked(*size, (layout.width_mm, layout.height_mm))

    def nothing(*given: Any) -> None:
        return None

    monkeypatch.setattr(camera, "render", draw)
    monkeypatch.setattr(camera, "_kind", lambda *given: kind)
    for name in ("print_letters", "separate", "furnish", "redact"):
        monkeypatch.setattr(camera, name, nothing)
    found, larger = [], 0
    for k in range(7):
        shot = snapshot(
            synthetic_ecg(0), 500, layout, severity=4.0, rng=generator(0, "pages", k), style=style, turn=50.0 * k
        )
        found += misses(shot)
        left, top, right, bottom = shot.page_mm
        assert left <= 0 and top <= 0 and right >= layout.width_mm and bottom >= layout.height_mm
        larger += right - left > layout.width_mm + 1
    assert len(found) > 30 and larger > 3
    assert max(found) < 0.3


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turn", [0.0, 45.0, 90.0, 200.0, 331.5])
def test_turn_and_mirror_are_what_is_asked_for(turn: float, mirrored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "draw_source", lambda rng: PLAIN)
    shot = snapshot(
        synthetic_ecg(0), 500, severity=2, rng=generator(0, "turn", 1), mirrored=mirrored, turn=turn, longest_side=200
    )
    assert shot.mirrored == mirrored
    assert max(shot.picture.shape) == 200
    origin, along, down = shot.mapping.picture_from_sheet([[50.0, 50.0], [51.0, 50.0], [50.0, 51.0]])
    along, down = along - origin, down - origin
    if mirrored:
        along, down = along * (-1, 1), down * (-1, 1)
    assert math.degrees(math.atan2(along[1], along[0])) % 360 == pytest.approx(turn, abs=1e-6)
    # Square pixels, and right angles: nothing is stretched.
    assert np.hypot(*along) == pytest.approx(np.hypot(*down), rel=1e-9)
    assert along @ down == pytest.approx(0, abs=1e-9)


def small(k: int, **given: Any) -> Snapshot:
    names = sorted(LAYOUTS)
    rng = generator(0, "small", k)
    return snapshot(synthetic_ecg(k % 3), 500, names[k % len(names)], severity=1 + k % 5, rng=rng, **given)


def test_the_same_stream_gives_the_same_bytes_in_another_process_too() -> None:
    shots = [small(k, longest_side=160) for k in range(10)]
    code = (
        "import zlib\nfrom tests.sheets.test_snapshot import small\n"
        "print([zlib.crc32(small(k, longest_side=160).picture.tobytes()) for k in reversed(range(10))])"
    )
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    here = [zlib.crc32(shot.picture.tobytes()) for shot in shots]
    assert there.stdout.strip() == str(here[::-1])
    assert len(set(here)) == 10


def test_what_is_told_fits_the_picture() -> None:
    for k in range(40):
        shot = small(k, longest_side=128, colour=k % 4 == 0)
        assert shot.picture.dtype == np.uint8 and shot.picture.flags.c_contiguous
        assert shot.picture.shape[:2] == shot.mapping.size and max(shot.mapping.size) == 128
        assert shot.picture.ndim == (3 if k % 4 == 0 else 2)
        assert shot.layout is not None and shot.style is not None
        assert shot.mapping.sheet_mm == (shot.layout.width_mm, shot.layout.height_mm)
        if shot.grid_mm is not None:
            inside = [a >= b - 1e-9 for a, b in zip(shot.grid_mm[:2], shot.page_mm[:2], strict=True)]
            inside += [a <= b + 1e-9 for a, b in zip(shot.grid_mm[2:], shot.page_mm[2:], strict=True)]
            assert all(inside)
        else:
            assert shot.style.major is None and shot.style.minor is None
        there_and_back = shot.mapping.picture_from_sheet(shot.mapping.sheet_from_picture([[60.0, 60.0]]))
        assert there_and_back == pytest.approx(np.array([[60.0, 60.0]]), abs=1e-3)


def drawn_view(severity: float, k: int) -> tuple[np.ndarray, Any, Source]:
    """Corners of a sheet in a picture that is not taken, how it is seen, and by what."""
    rng = generator(3, "views", int(severity), k)
    sheet = LAYOUTS[sorted(LAYOUTS)[k % len(LAYOUTS)]]
    style = STYLES["red"]
    own = (0.0, 0.0, sheet.width_mm, sheet.height_mm)
    source = circumstances.draw_source(rng)
    paper = camera.draw_paper(rng, sheet, style, camera._kind(rng, style))
    view, _ = camera._viewpoint(rng, severity, 512, own, paper, source, None, None)
    x, y, w = view.to_picture @ np.array([[0, own[2], own[2], 0], [0, 0, own[3], own[3]], [1, 1, 1, 1]])
    assert w.min() > 0
    return np.stack([x / w, y / w], axis=1), view, source


@pytest.mark.parametrize("severity", [1.0, 3.0, 5.0])
def test_views_are_spread_as_they_should_be(severity: float) -> None:
    cut, shares, tilts, turns = [], [], [], []
    for k in range(300):
        corners, view, source = drawn_view(severity, k)
        size = np.array(view.size[::-1])
        cut.append((corners < -0.01).any() or (corners > size + 0.01).any())
        shares.append(float((np.ptp(corners, axis=0) / size).max()))
        tilts.append(view.tilt)
        turns.append(view.turn)
        assert not (source.flat and view.tilt)
    assert 0.55 < np.mean(cut) < 0.78
    assert min(shares) > 0.349 and max(shares) < 1.301
    assert max(tilts) <= 8 + 37 * (severity - 1) / 4
    assert max(tilts) > 0.6 * (8 + 37 * (severity - 1) / 4)
    quarters = np.bincount(np.rint(np.array(turns) / 90).astype(int) % 4, minlength=4)
    assert quarters.min() > 30  # each of the four turns, upright more often than the others
    assert quarters.argmax() == 0


@pytest.mark.parametrize("colour", [False, True])
def test_photographs_are_lain_upon(colour: bool) -> None:
    grey = np.full((90, 140), 77, dtype=np.uint8)
    tinted = np.full((300, 200, 3), (200, 77, 20), dtype=np.uint8)
    seen = set()
    for k in range(30):
        made = backdrops.draw_backdrop(generator(0, "b", k), [grey, tinted], colour)
        assert made.shape == ((512, 512, 3) if colour else (512, 512))
        if np.ptp(made.reshape(-1, made.shape[-1] if colour else 1), axis=0).max() == 0:
            seen.add(tuple(np.atleast_1d(made[0, 0]).tolist()))
    assert seen == ({(77, 77, 77), (200, 77, 20)} if colour else {(77,), (107,)})


COVERS: list[Callable[[np.random.Generator], Any]] = [covers.draw_fingers, covers.draw_pen]


@pytest.mark.parametrize("draw", COVERS)
def test_covers_touch_the_border_and_leave_most_of_the_picture(draw: Callable[[np.random.Generator], Any]) -> None:
    picture = np.full((200, 300), 140, dtype=np.uint8)
    picture.setflags(write=False)
    for k in range(20):
        changed = draw(generator(0, "cover", k))(picture) != picture
        assert 0 < changed.mean() < 0.5
        # One piece, whose shadow lies on it: nothing turns up on the other side of the picture.
        assert cv2.connectedComponents(cv2.dilate(changed.astype(np.uint8), np.ones((9, 9))))[0] <= 5
        border = np.concatenate([changed[0], changed[-1], changed[:, 0], changed[:, -1]])
        assert border.any()


def test_mistakes_are_told() -> None:
    rng = generator(0, "m")
    with pytest.raises(HeartprintError, match="severity"):
        snapshot(synthetic_ecg(0), 500, severity=6, rng=rng)
    with pytest.raises(HeartprintError, match="px per mm"):
        snapshot_of_image(np.zeros((50, 50), dtype=np.float64), 4.0, severity=2, rng=rng)
    with pytest.raises(HeartprintError, match="px per mm"):
        snapshot_of_image(np.zeros((50, 50), dtype=np.uint8), 0.0, severity=2, rng=rng)
