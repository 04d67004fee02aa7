"""ECGs that are stored as images, through the same door as those that are drawn."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heartprint.cohorts import Cohort, write_cohort
from heartprint.finetuning import FinetuneConfig
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.sheets import (
    PAPER_LAYOUTS,
    Pose,
    SheetSampler,
    check_drawing,
    layouts_of,
    render,
)
from heartprint.sheets.camera import photograph_sheet
from heartprint.sheets.sampler import IMAGE
from heartprint.sheets.stored import fitted, turned
from tests.finetuning.tiny import RATE, beats, make_cohort

FINE = render(beats(generator(0, "picture"), False), RATE, "standard", 960)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("c") / "images"
    with write_cohort(folder, source="test", kind="image") as writer:
        writer.add_image(FINE, ecg_id="a", patient_id="p", original=FINE.shape)
    return Cohort.open(folder)


def test_an_image_fills_the_square_by_areas() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 300), dtype=np.uint8)
    blocks = image.reshape(50, 4, 50, 6).mean(axis=(1, 3))
    assert np.abs(fitted(image, 50) - blocks).max() <= 0.51
    wide = np.repeat(image[:32], 2, axis=1)[:, :256]  # one axis grows, the other shrinks
    means = wide.reshape(32, 64, 4).mean(axis=2)
    assert np.abs(fitted(wide, 64)[::2].astype(float)[2:-2].mean(axis=0) - means[1:-1].mean(axis=0)).max() < 8
    np.testing.assert_array_equal(fitted(image[:64, :64], 64), image[:64, :64])


@pytest.mark.parametrize("angle", [-10.0, 3.0, 25.0])
def test_an_image_is_turned_as_a_sheet_is(angle: float) -> None:
    drawn = render(beats(generator(0, "picture"), False), RATE, "standard", 96, pose=Pose(angle)).astype(float)
    found = turned(FINE, 96, Pose(angle)).astype(float)
    upright = fitted(FINE, 96).astype(float)
    # Where both show the sheet, not the white beyond it.
    middle = np.s_[20:76, 20:76]
    assert np.abs(found - drawn)[middle].mean() < 4
    assert np.abs(upright - drawn)[middle].mean() > 2 * np.abs(found - drawn)[middle].mean()
    if abs(angle) > 9:
        assert found[0, 0] == found[-1, -1] == 255


def test_turning_samples_once_and_averages() -> None:
    """Against a literal twin: each pixel is the mean of 16 x 16 points of the image, looked up linearly."""
    size, n, angle = 8, 16, math.radians(7.0)
    image = np.random.default_rng(3).integers(0, 256, (64, 96), dtype=np.uint8)
    expected = np.empty((size, size))
    at = (np.arange(size * n) + 0.5) / (size * n) - 0.5
    x, y = np.meshgrid(at, at)
    sx = (math.cos(angle) * x - math.sin(angle) * y + 0.5) * 96 - 0.5
    sy = (math.sin(angle) * x + math.cos(angle) * y + 0.5) * 64 - 0.5
    padded = np.pad(image.astype(float), 60, constant_values=255.0)
    ix, iy = np.floor(sx).astype(int), np.floor(sy).astype(int)
    fx, fy = sx - ix, sy - iy
    ix, iy = ix + 60, iy + 60
    upper = padded[iy, ix] * (1 - fx) + padded[iy, ix + 1] * fx
    lower = padded[iy + 1, ix] * (1 - fx) + padded[iy + 1, ix + 1] * fx
    expected = (upper * (1 - fy) + lower * fy).reshape(size, n, size, n).mean(axis=(1, 3))
    assert np.abs(turned(image, size, Pose(7.0)) - expected).max() < 2.5


def test_views_of_an_image_differ_in_pose_and_camera_only(images: Cohort) -> None:
    still = SheetSampler(PAPER_LAYOUTS, size=64)
    assert np.array_equal(still.random(images, 0, generator(1, "v")), fitted(FINE, 64))
    moving = replace(still, max_rotation_deg=10)
    posed = [moving.random(images, 0, generator(k, "v")) for k in range(3)]
    assert len({page.tobytes() for page in posed}) == 3
    assert np.array_equal(moving.random(images, 0, generator(2, "v")), posed[2])
    shot = replace(still, recipes=("phone",)).random(images, 0, generator(4, "v"))
    fine = fitted(FINE, 128)
    twin = photograph_sheet(fine, 64, recipe="phone", rng=generator(4, "v"), sheet_mm=(960.0, 960.0)).picture
    assert np.array_equal(shot, twin) and not np.array_equal(shot, fitted(FINE, 64))


def test_layouts_and_settings_of_drawing_are_refused_for_images(images: Cohort, tmp_path: Path) -> None:
    for names in (("standard",), PAPER_LAYOUTS, (IMAGE,)):
        assert layouts_of(images, names) == (IMAGE,)
    waveforms = make_cohort(tmp_path / "c", 2, 1)
    assert layouts_of(waveforms, ["alternate"]) == ("alternate",)
    check_drawing(waveforms, FinetuneConfig(styles=("random",)))
    check_drawing(images, FinetuneConfig(max_rotation_deg=3.0, recipes=("fax",)))
    for attempt in (
        lambda: layouts_of(images, ["alternate"]),
        lambda: check_drawing(images, FinetuneConfig(layout="alternate")),
        lambda: check_drawing(images, FinetuneConfig(styles=("random",))),
    ):
        with pytest.raises(HeartprintError) as caught:
            attempt()
        assert caught.value.code == "needs-waveforms"
        assert "Omit it." in caught.value.message
