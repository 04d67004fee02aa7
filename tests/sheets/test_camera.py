"""The camera: seeds, severities, recipes, and what every effect must obey."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.sheets import render
from heartprint.sheets.camera import (
    EFFECTS,
    RECIPES,
    SEVERITIES,
    Ingredient,
    Recipe,
    apply_effect,
    apply_effects,
    get_recipe,
    photograph,
    photograph_sheet,
    take_photo,
)
from tests.sheets.reference import synthetic_ecg

SHEET_MM = (250.0, 120.0)
GEOMETRIC = ("rotation", "perspective", "curl", "folds", "crop", "margins", "desk")


@pytest.fixture(scope="module")
def leads() -> np.ndarray:
    return synthetic_ecg(3)


@pytest.fixture(scope="module")
def page(leads: np.ndarray) -> np.ndarray:
    sheet = render(leads, 500, "standard", 300)
    sheet.setflags(write=False)  # no effect may write into what it was given
    return sheet


def test_there_are_enough_effects_for_a_battery() -> None:
    assert len(EFFECTS) >= 24
    for name, effect in EFFECTS.items():
        assert effect.name == name
        assert effect.description
        assert effect.unit
        assert len(effect.levels) == len(SEVERITIES)
        assert effect.level(2.5) == pytest.approx((effect.levels[1] + effect.levels[2]) / 2)


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_same_seed_same_bytes_and_shape_kept(name: str, page: np.ndarray) -> None:
    colour = np.stack([page, page, np.minimum(page, 250)], axis=-1)
    for given in (page, page[:200], colour[:120, :180]):
        one, two = (apply_effect(given, name, 3, generator(1, "camera")) for _ in range(2))
        assert one.shape == given.shape
        assert one.dtype == np.uint8
        assert one.flags.writeable
        assert np.array_equal(one, two)
    other = apply_effect(page, name, 3, generator(2, "camera"))
    assert not np.array_equal(apply_effect(page, name, 3, generator(1, "camera")), page)
    assert other.shape == page.shape


def moved_px(page: np.ndarray, name: str, severity: float, seed: int) -> float:
    """How far a lattice of points has moved, on average, px."""
    photo = apply_effects(page, [(name, severity)], generator(seed, "camera"), sheet_mm=SHEET_MM)
    x, y = np.meshgrid(np.linspace(5, 245, 13), np.linspace(5, 115, 9))
    at = np.stack([x, y], axis=-1)
    still = at / SHEET_MM * np.array([300, 300])
    return float(np.hypot(*np.moveaxis(photo.mapping.picture_from_sheet(at) - still, -1, 0)).mean())


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_more_severe_changes_more(name: str, page: np.ndarray) -> None:
    change = []
    for severity in SEVERITIES:
        if name in GEOMETRIC:
            change.append(np.mean([moved_px(page, name, severity, seed) for seed in range(6)]))
        else:
            pictures = [apply_effect(page, name, severity, generator(seed, "camera")) for seed in range(6)]
            change.append(np.mean([np.abs(p.astype(float) - page).mean() for p in pictures]))
    assert change[0] > 0
    assert all(b > a * 1.03 for a, b in itertools.pairwise(change)), change


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_white_stays_nearly_white_when_mild(name: str) -> None:
    white = np.full((160, 160), 255, dtype=np.uint8)
    picture = apply_effect(white, name, 1, generator(5, "camera"))
    assert np.median(picture) >= 225
    if name not in ("desk", "handwriting", "specks", "stain", "highlighter", "noise", "fade", "shadow"):
        assert picture.min() >= 215


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_recipes_are_reproducible_and_differ(recipe: str, leads: np.ndarray) -> None:
    pictures = [
        photograph(leads, 500, "alternate", (120, 200), recipe=recipe, rng=generator(0, "r", k)) for k in (0, 1)
    ]
    again = photograph(leads, 500, "alternate", (120, 200), recipe=recipe, rng=generator(0, "r", 0))
    assert np.array_equal(pictures[0], again)
    assert pictures[0].shape == (120, 200)
    assert np.array_equal(pictures[0], pictures[1]) == (recipe == "clean")
    assert pictures[0].std() > 3  # something is still to be seen


def test_clean_is_the_sheet_itself(leads: np.ndarray) -> None:
    assert np.array_equal(
        photograph(leads, 500, "standard", 200, recipe="clean", rng=generator(0, "r")), render(leads, 500, size=200)
    )


def test_missing_leads_leave_no_holes_in_the_picture() -> None:
    nothing = np.full((12, 5000), np.nan, dtype=np.float32)
    for recipe in RECIPES:
        assert photograph(nothing, 500, "standard", 96, recipe=recipe, rng=generator(3, "r")).mean() > 20


def test_threads_change_nothing_and_are_given_back(leads: np.ndarray) -> None:
    before = cv2.getNumThreads()
    try:
        pictures = []
        for threads in (1, 3):
            cv2.setNumThreads(threads)
            pictures.append([photograph(leads, 500, size=160, rng=generator(0, "t", k)) for k in range(6)])
            assert cv2.getNumThreads() == threads
        assert all(np.array_equal(a, b) for a, b in zip(*pictures, strict=True))
        with ThreadPoolExecutor(4) as pool:
            shots = list(pool.map(lambda k: photograph(leads, 500, size=160, rng=generator(0, "t", k % 6)), range(24)))
        assert cv2.getNumThreads() == 3
        assert all(np.array_equal(shot, pictures[0][k % 6]) for k, shot in enumerate(shots))
    finally:
        cv2.setNumThreads(before)


def test_another_process_with_other_thread_settings_takes_the_same_pictures(leads: np.ndarray) -> None:
    code = (
        "import zlib\n"
        "from heartprint.foundation.randomness import generator\n"
        "from heartprint.sheets.camera import photograph\n"
        "from tests.sheets.reference import synthetic_ecg\n"
        "print([zlib.crc32(photograph(synthetic_ecg(3), 500, size=160, rng=generator(0, 't', k)).tobytes())"
        " for k in range(6)])"
    )
    import zlib

    here = [zlib.crc32(photograph(leads, 500, size=160, rng=generator(0, "t", k)).tobytes()) for k in range(6)]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "4",
        "NUMBA_NUM_THREADS": "2",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    there = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(here)


def test_a_colour_sheet_stays_in_colour_and_a_fax_does_not() -> None:
    page = np.full((200, 300, 3), 255, dtype=np.uint8)
    page[:, ::10] = (240, 150, 150)
    tinted = photograph_sheet(page, (100, 150), recipe="phone", rng=generator(1, "c")).picture
    assert tinted.shape == (100, 150, 3)
    assert np.abs(np.diff(tinted.astype(int), axis=2)).max() > 10
    fax = photograph_sheet(page, (100, 150), recipe="fax", rng=generator(1, "c")).picture
    assert np.ptp(fax, axis=2).max() <= 2  # what JPEG makes of grey


# --- recipes are plain data ---------------------------------------------------------------------------------------


def test_own_recipe_from_plain_data(leads: np.ndarray) -> None:
    mine = {"name": "mine", "effects": {"blur": [1, 2, 2], "jpeg": [0.0, 1, 5]}}
    photo = take_photo(leads, 500, size=96, recipe=mine, rng=generator(0, "r"))
    assert photo.effects == (("blur", 2.0),)
    assert get_recipe(mine) == Recipe("mine", "", (Ingredient("blur", 1, (2, 2)), Ingredient("jpeg", 0.0, (1, 5))))


def test_recipes_draw_what_they_say() -> None:
    phone = RECIPES["phone"]
    drawn = [phone.draw(generator(0, "d", k)) for k in range(400)]
    counts = {i.effect: 0 for i in phone.ingredients}
    for effects in drawn:
        for name, severity in effects:
            counts[name] += 1
            least, most = next(i.severity for i in phone.ingredients if i.effect == name)
            assert least <= severity <= most
    for ingredient in phone.ingredients:
        assert counts[ingredient.effect] / 400 == pytest.approx(ingredient.probability, abs=0.09)


def test_a_recipe_may_draw_everything_at_its_worst(leads: np.ndarray) -> None:
    worst = {"name": "worst", "effects": {name: [1, 5, 5] for name in EFFECTS}, "grid_runs_on": 1}
    assert photograph(leads, 500, size=(90, 150), recipe=worst, rng=generator(0, "w")).shape == (90, 150)


# --- wrong input --------------------------------------------------------------------------------------------------


def test_mistakes_are_told(page: np.ndarray, leads: np.ndarray) -> None:
    rng = generator(0, "e")
    with pytest.raises(HeartprintError, match="Did you mean 'motion_blur'") as caught:
        apply_effect(page, "motionblur", 2, rng)
    assert caught.value.code == "unknown-effect"
    with pytest.raises(HeartprintError, match="Did you mean 'phone'") as caught:
        photograph(leads, 500, recipe="phones", rng=rng)
    assert caught.value.code == "unknown-recipe"
    for severity in (0, 6, float("nan"), True, "3"):
        with pytest.raises(HeartprintError, match="from 1") as caught:
            apply_effect(page, "blur", severity, rng)  # type: ignore[arg-type]
        assert caught.value.code == "bad-severity"
    for wrong in (page.astype(np.float32), page[None], np.zeros((50, 50, 4), np.uint8)):
        with pytest.raises(HeartprintError, match="uint8") as caught:
            apply_effect(wrong, "blur", 2, rng)
        assert caught.value.code == "not-a-page"


@pytest.mark.parametrize(
    ("recipe", "code"),
    [
        ({"effects": {}}, "bad-recipe"),
        ({"name": "x", "effects": [1]}, "bad-recipe"),
        ({"name": "x", "effects": {"blur": 1}}, "bad-recipe"),
        ({"name": "x", "effects": {"blur": [2, 1, 2]}}, "bad-recipe"),
        ({"name": "x", "effects": {"blur": [1, 3, 2]}}, "bad-recipe"),
        ({"name": "x", "effects": {}, "grid_runs_on": "often"}, "bad-recipe"),
        ({"name": "x", "effects": {}, "effect": {}}, "bad-recipe"),
        ({"name": "x", "effects": {"blurr": [1, 1, 2]}}, "unknown-effect"),
        ({"name": "x", "effects": {"blur": [1, 0, 2]}}, "bad-severity"),
    ],
)
def test_wrong_recipes_are_told(recipe: dict[str, object], code: str) -> None:
    with pytest.raises(HeartprintError) as caught:
        get_recipe(recipe)
    assert caught.value.code == code


def test_a_picture_is_taken_of_the_style_that_is_asked_for(leads: np.ndarray) -> None:
    shots = [
        photograph(leads, 500, size=160, recipe="phone", rng=generator(0, "s"), style=style)
        for style in ("ecg_plot", "black_and_white", "thermal")
    ]
    assert not np.array_equal(shots[0], shots[1])
    assert not np.array_equal(shots[1], shots[2])
    with pytest.raises(HeartprintError) as caught:
        photograph(leads, 500, rng=generator(0, "s"), style="thermic")
    assert caught.value.code == "unknown-style"
