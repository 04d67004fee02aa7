"""The lattice: exact on clean grids, the same as a slow transform, silent where there is no grid."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.pictures import read_picture
from heartprint.foundation.randomness import generator
from heartprint.reading.lattice import Lattice, refine
from heartprint.reading.lattice_fit import applied, homography_from_places, predicted_waves
from heartprint.reading.lattice_search import find_lattice
from heartprint.reading.lattice_tiles import RING, partial_spectra, peaks

SHEET_MM = (200.0, 120.0)


def pose(px_per_mm: float, degrees: float = 0.0, tilt: tuple[float, float] = (0.0, 0.0)) -> Float64Array:
    """From px to mm: turned about the sheet's middle, which is the middle of the picture."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    centre, back = np.eye(3), np.eye(3)
    centre[:2, 2] = -np.array(SHEET_MM) / 2
    back[:2, 2] = np.array(SHEET_MM) / 2
    turn = np.array([[c, -s, 0], [s, c, 0], [*tilt, 1.0]])
    return np.asarray(back @ turn @ centre @ np.diag([1 / px_per_mm, 1 / px_per_mm, 1.0]))


def paper(mm_from_picture: Float64Array, px_per_mm: float, minor: float = 0.35, major: float = 0.7) -> Image:
    """Ruled paper seen through a homography: lines at whole mm, heavy ones at multiples of 5 mm."""
    width, height = (round(side * px_per_mm) for side in SHEET_MM)
    x, y = np.meshgrid((np.arange(2 * width) + 0.5) / 2, (np.arange(2 * height) + 0.5) / 2)
    at = applied(mm_from_picture, np.stack([x.ravel(), y.ravel()], axis=1)).reshape(2 * height, 2 * width, 2)
    dark = np.zeros(x.shape)
    for axis in (0, 1):
        for every, half, depth in ((1.0, 0.1, minor), (5.0, 0.15, major)):
            off = np.abs((at[..., axis] + every / 2) % every - every / 2)
            dark = np.maximum(dark, depth * (off < half))
    fine = np.round(255 * (1 - dark)).astype(np.uint8)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA))


def error_mm(found: Float64Array, true: Float64Array, px_per_mm: float) -> float:
    """Largest error of a corner of the picture; where the origin is, is free."""
    width, height = (side * px_per_mm for side in SHEET_MM)
    corners = np.array([[0.0, 0.0], [width, 0], [width, height], [0, height]])
    off = applied(found, corners) - applied(true, corners)
    off -= off.mean(axis=0)
    return float(np.hypot(off[:, 0], off[:, 1]).max())


@pytest.mark.parametrize(("px_per_mm", "seed"), [(2.6, 0), (2.6, 1), (4.0, 2), (4.0, 3), (6.5, 4)])
def test_clean_grids_are_recovered(px_per_mm: float, seed: int) -> None:
    rng = generator(seed, "test lattice")
    true = pose(px_per_mm, rng.uniform(-180, 180), tuple(rng.uniform(-4e-4, 4e-4, 2)))
    wrong = pose(1.0, rng.uniform(-3, 3), tuple(rng.uniform(-4e-4, 4e-4, 2)))
    given = np.diag([s := rng.uniform(0.94, 1.06), s, 1.0]) @ wrong @ true
    found = refine(paper(true, px_per_mm), given)
    assert found.found and found.reason == "ok" and found.coverage > 0.9
    assert error_mm(given, true, px_per_mm) > 2.0
    assert error_mm(found.mm_from_picture, true, px_per_mm) < 0.1
    # Of a turned sheet the stretches at its edges are incomplete: the least of these five is 0.89, refused is 0.68.
    assert found.residual_mm < 0.05 and found.fifths > 0.9 and found.periods > 0.85
    assert found.agreement is not None
    turn = (found.mm_from_picture @ np.linalg.inv(true))[1, 0]
    assert abs(turn) < 1e-3


def test_only_heavy_lines_and_too_few_px_for_thin_ones() -> None:
    for px_per_mm, minor in ((4.0, 0.0), (1.6, 0.35)):
        true = pose(px_per_mm, 4.0)
        found = refine(paper(true, px_per_mm, minor), np.diag([1.04, 1.04, 1]) @ pose(px_per_mm, 2.0))
        assert found.found
        assert error_mm(found.mm_from_picture, true, px_per_mm) < 0.3


@pytest.mark.parametrize("px_per_mm", [4.0, 6.0])
@pytest.mark.parametrize("factor", [1 / 2, 1 / 3, 2 / 3, 3 / 2, 2.0, 3.0])
@pytest.mark.parametrize("minor", [0.0, 0.35])
def test_a_multiple_of_the_scale_is_not_believed(px_per_mm: float, factor: float, minor: float) -> None:
    """Thin lines have overtones: where heavy lines alone are seen, a half of their distance looks like it."""
    true = pose(px_per_mm, 2.0)
    found = refine(paper(true, px_per_mm, minor), np.diag([factor, factor, 1.0]) @ true)
    assert not found.found, (found.reason, found.fifths, found.periods)


def test_where_heavy_lines_lie_is_told() -> None:
    true = pose(4.0, 3.0, (2e-4, 0.0))
    found = refine(paper(true, 4.0), np.diag([1.03, 1.03, 1.0]) @ true)
    # The point where heavy lines cross, as told, lies on a crossing of heavy lines of the true sheet.
    crossing = np.array([found.line_at_mm]) + 50.0
    at = applied(true @ np.linalg.inv(found.mm_from_picture), crossing)
    assert np.abs((at + 2.5) % 5 - 2.5).max() < 0.1


def test_the_middle_stays_where_it_was() -> None:
    given = np.diag([1.04, 1.04, 1.0]) @ pose(4.0, 2.0)
    found = refine(paper(pose(4.0), 4.0), given)
    middle = applied(np.linalg.inv(found.mm_from_picture), found.centres_mm.mean(axis=0)[None])
    assert np.allclose(applied(found.mm_from_picture, middle), applied(given, middle), atol=1e-6)


def test_a_region_is_kept_to() -> None:
    true = pose(4.0)
    picture = paper(true, 4.0)
    picture[:, 400:] = 255
    given = np.diag([1.03, 1.03, 1.0]) @ true
    corners = [[0, 0], [400, 0], [400, 480], [0, 480]]
    mask = np.zeros(picture.shape, dtype=bool)
    mask[:, :400] = True
    by_corners, by_mask = refine(picture, given, corners), refine(picture, given, mask)
    assert by_corners.found and by_corners.coverage > 0.85
    assert np.allclose(by_corners.mm_from_picture, by_mask.mm_from_picture, atol=1e-4)
    half = refine(picture, given)
    assert not half.found and half.reason == "seen-in-part"
    assert np.array_equal(half.mm_from_picture, given)


def without_grids() -> dict[str, Image]:
    height, width = 300, 600
    y, x = np.mgrid[:height, :width].astype(np.float64)
    rng = generator(1, "test lattice, controls")
    text = np.full((height, width), 255, dtype=np.uint8)
    for row in range(20, height, 20):
        cv2.putText(text, "".join(rng.choice(list("abcdefghij  ."), 90)), (5, row), 0, 0.5, 0, 1, cv2.LINE_AA)
    screen = np.cos(2 * np.pi * x / 4) + np.cos(2 * np.pi * y / 4)
    c, s = math.cos(0.7), math.sin(0.7)
    turned = np.cos(2 * np.pi * (c * x + s * y) / 4) + np.cos(2 * np.pi * (c * y - s * x) / 4)
    return {
        "blank": np.full((height, width), 240, dtype=np.uint8),
        "noise": rng.integers(0, 256, (height, width)).astype(np.uint8),
        "text": text,
        "stripes": (128 + 60 * np.cos(2 * np.pi * x / 4)).astype(np.uint8),
        "halftone upright": (128 + 60 * np.clip(screen, -1, 1)).astype(np.uint8),
        "halftone turned": (128 + 60 * np.clip(turned, -1, 1)).astype(np.uint8),
    }


@pytest.mark.parametrize("kind", sorted(without_grids()))
def test_nothing_is_found_where_there_is_no_grid(kind: str) -> None:
    picture = without_grids()[kind]
    for px_per_mm in (4.0, 4.0 / 2.5):
        given = np.diag([1 / px_per_mm, 1 / px_per_mm, 1.0])
        found = refine(picture, given)
        assert not found.found and found.agreement is None
        assert np.array_equal(found.mm_from_picture, given)
    assert not find_lattice(picture).found


def test_found_without_help() -> None:
    for px_per_mm, degrees in ((4.0, 0.0), (5.0, 25.0), (2.8, -40.0)):
        found = find_lattice(paper(pose(px_per_mm, degrees), px_per_mm))
        assert found.found
        assert found.pitch_px == pytest.approx(px_per_mm, rel=2e-3)
        assert abs((found.angle_deg + degrees + 45) % 90 - 45) < 0.2


def test_partial_spectra_are_those_of_a_whole_transform() -> None:
    side, centre = 40, 10
    patches = generator(2, "test lattice").normal(0, 1, (3, side, side)).astype(np.float32)
    window = 0.5 + 0.5 * np.cos(2 * np.pi * (np.arange(side) + 0.5 - side / 2) / side)
    first, second = partial_spectra(patches, centre)
    for k, patch in enumerate(patches):
        whole = np.fft.fft2(patch * window * window[:, None])
        for i, row in enumerate(range(-RING, RING + 1)):
            for j, column in enumerate(range(-RING, RING + 1)):
                for part, y, x in ((first, row, centre + column), (second, centre + row, column)):
                    # Phases are counted from the tile's centre, not from its first pixel.
                    there = np.exp(2j * np.pi * (x + y) * (side / 2 - 0.5) / side)
                    assert part[k, i, j] == pytest.approx(whole[y, x] * there, abs=1e-3)


def test_waves_and_phases_of_a_pure_wave() -> None:
    side, centre = 64, 16
    rng = generator(3, "test lattice")
    at = np.arange(side) + 0.5 - side / 2
    for _ in range(20):
        x, y, phase = centre + rng.uniform(-2, 2), rng.uniform(-2, 2), rng.uniform(-0.5, 0.5)
        wave = -np.cos(2 * np.pi * ((x * at + y * at[:, None]) / side + phase))
        bins, found, strength = peaks(partial_spectra(wave[None].astype(np.float32), centre)[0], 2)
        assert bins[0] == pytest.approx([x - centre, y], abs=0.01)
        assert abs((found[0] - phase + 0.5) % 1 - 0.5) < 0.005
        assert strength[0] > 100


def test_waves_are_the_derivative() -> None:
    homography = pose(1.0, 2.0, (3e-4, -2e-4))
    at = np.array([[20.0, 30.0], [150.0, 90.0]])
    step = 1e-4
    slow = [
        (applied(homography, at + shift) - applied(homography, at - shift)) / (2 * step)
        for shift in (np.array([step, 0]), np.array([0, step]))
    ]
    assert np.allclose(predicted_waves(homography, at), np.stack(slow, axis=2), atol=1e-6)


def test_places_with_outliers_give_the_homography() -> None:
    rng = generator(4, "test lattice")
    true = pose(1.0, 1.0, (2e-4, 3e-4))
    at = np.stack(np.meshgrid(np.arange(0, 200, 11.0), np.arange(0, 120, 11.0)), axis=-1).reshape(-1, 2)
    places = applied(true, at)
    places[rng.choice(len(at), 12, replace=False)] += rng.choice([-1.0, 1.0], (12, 2))
    places[rng.choice(len(at), 30, replace=False), 0] = np.nan
    found = homography_from_places(at, places, np.eye(3))
    assert np.abs(applied(found, at) - applied(true, at)).max() < 0.05


def test_bad_input_is_refused() -> None:
    picture = np.full((100, 200), 255, dtype=np.uint8)
    for bad in (np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(2)):
        with pytest.raises(HeartprintError) as error:
            refine(picture, bad)
        assert error.value.code == "bad-homography"
    with pytest.raises(HeartprintError) as error:
        refine(picture, np.eye(3), [[0, 0], [1, 1]])
    assert error.value.code == "bad-region"
    with pytest.raises(HeartprintError) as error:
        refine(np.zeros((4, 4, 3), dtype=np.uint8), np.eye(3))
    assert error.value.code == "not-a-page"
    # A horizon in the picture, a speck, a region of many metres: no error, but nothing found.
    horizon = np.array([[1.0, 0, 0], [0, 1, 0], [0.01, 0, -1]])
    for given, size in ((horizon, (100, 200)), (np.eye(3), (3, 5)), (np.eye(3) * [50, 50, 1], (100, 200))):
        assert not refine(np.full(size, 255, dtype=np.uint8), given).found


def test_the_same_in_another_process() -> None:
    code = (
        "from tests.reading.test_lattice import paper, pose; from heartprint.reading.lattice import refine;"
        "print(refine(paper(pose(3.0, 1.0), 3.0), pose(3.0)).mm_from_picture.tobytes().hex())"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    here: Lattice = refine(paper(pose(3.0, 1.0), 3.0), pose(3.0))
    assert runs == {here.mm_from_picture.tobytes().hex() + "\n"}


def test_real_photographs(shared_data: Path) -> None:
    for name, px_per_mm in (("ecg00019.bmp", 2.70), ("ecg00033.jpg", 4.61), ("ecg00039.jpg", 4.36)):
        picture = read_picture(shared_data / "photos" / name, longest_side=1600).pixels
        found = find_lattice(picture)
        assert found.found and found.coverage > 0.7
        assert found.pitch_px == pytest.approx(px_per_mm, rel=0.02)
