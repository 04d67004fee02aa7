"""Sheets at random: the mixture that networks are trained on."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from heartprint.finetuning import FinetuneConfig
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.pretraining.config import PretrainConfig
from heartprint.sheets import draw_pose, draw_sheet, draw_style, known_style, render
from heartprint.sheets.camera import photograph
from tests.sheets.reference import synthetic_ecg

LAYOUTS = ("standard", "alternate", "two_rhythm")


@pytest.fixture(scope="module")
def leads() -> np.ndarray:
    return synthetic_ecg(3)


@pytest.mark.parametrize("turn", [0.0, 10.0])
def test_layouts_alone_are_drawn_as_they_ever_were(leads: np.ndarray, turn: float) -> None:
    """Runs of earlier versions go on, and studies are had again, only if not one random number more is drawn."""
    for seed in range(4):
        rng = generator(seed, "view")
        layout = LAYOUTS[int(rng.integers(3))]
        pose = draw_pose(rng, turn) if turn else None
        expected = render(leads, 500, layout, 96, pose=pose)
        drawn = draw_sheet(leads, 500, 96, generator(seed, "view"), layouts=LAYOUTS, max_rotation_deg=turn)
        assert np.array_equal(drawn, expected)


def test_what_is_drawn_is_what_was_chosen(leads: np.ndarray) -> None:
    rng = generator(5, "view")
    rng.integers(1)
    expected = render(leads, 500, "alternate", 96, style=draw_style(rng))
    drawn = draw_sheet(leads, 500, 96, generator(5, "view"), layouts=("alternate",), styles=("random",))
    assert np.array_equal(drawn, expected)
    rng = generator(5, "view")
    rng.integers(3)
    expected = photograph(leads, 500, "shuffled", 96, recipe="fax", rng=rng, style="green")
    drawn = draw_sheet(
        *(leads, 500, 96, generator(5, "view")), layouts=LAYOUTS, styles=("green",), recipes=("fax",), layout="shuffled"
    )
    assert np.array_equal(drawn, expected)


def test_everything_that_may_occur_does(leads: np.ndarray) -> None:
    grey, camera = 0, 0
    for k in range(60):
        page = draw_sheet(
            *(leads, 500, 64, generator(k, "view")),
            layouts=("standard",),
            styles=("no_grid", "no_grid", "ecg_plot"),
            recipes=("clean", "phone"),
        )
        plain = [np.array_equal(page, render(leads, 500, "standard", 64, style=s)) for s in ("no_grid", "ecg_plot")]
        grey += plain[0]
        camera += not any(plain)
    assert 10 <= grey <= 30  # two thirds of a half: 20 on average
    assert 20 <= camera <= 40


def test_unknown_names_are_refused_before_anything_is_drawn() -> None:
    assert known_style("random") == "random"
    with pytest.raises(HeartprintError) as caught:
        known_style("randon")
    assert caught.value.code == "unknown-style"
    for config in (PretrainConfig, FinetuneConfig):
        for wrong in ({"styles": ("thermic",)}, {"recipes": ("phones",)}, {"styles": ()}, {"recipes": ()}):
            with pytest.raises((ValidationError, HeartprintError)):
                config(**wrong)
