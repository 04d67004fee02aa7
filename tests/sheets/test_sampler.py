"""Sheets at random: the mixture that networks are trained on."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from heartprint.encoders import EncoderConfig
from heartprint.finetuning import FinetuneConfig
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.pretraining.config import PretrainConfig
from heartprint.sheets import PAPER_LAYOUTS, Pose, SheetSampler, draw_pose, draw_style, render
from heartprint.sheets.camera import photograph
from heartprint.sheets.sampler import known_style
from tests.finetuning.tiny import make_cohort
from tests.sheets.reference import synthetic_ecg

LAYOUTS = ("standard", "alternate", "two_rhythm")


@pytest.fixture(scope="module")
def leads() -> np.ndarray:
    return synthetic_ecg(3)


@pytest.mark.parametrize("turn", [0.0, 10.0])
def test_layouts_alone_are_drawn_as_they_ever_were(leads: np.ndarray, turn: float) -> None:
    """Runs of earlier versions go on, and studies are had again, only if not one random number more is drawn."""
    sampler = SheetSampler(LAYOUTS, max_rotation_deg=turn, size=96)
    for seed in range(4):
        rng = generator(seed, "view")
        layout = LAYOUTS[int(rng.integers(3))]
        pose = draw_pose(rng, turn) if turn else None
        expected = render(leads, 500, layout, 96, pose=pose)
        drawn = sampler.draw(leads, 500, generator(seed, "view"))
        assert np.array_equal(drawn, expected)


def test_what_is_drawn_is_what_was_chosen(leads: np.ndarray) -> None:
    rng = generator(5, "view")
    rng.integers(1)
    expected = render(leads, 500, "alternate", 96, style=draw_style(rng))
    drawn = SheetSampler(("alternate",), ("random",), size=96).draw(leads, 500, generator(5, "view"))
    assert np.array_equal(drawn, expected)
    rng = generator(5, "view")
    rng.integers(3)
    expected = photograph(leads, 500, "shuffled", 96, recipe="fax", rng=rng, style="green")
    sampler = SheetSampler(LAYOUTS, ("green",), ("fax",), size=96)
    drawn = sampler.draw(leads, 500, generator(5, "view"), layout="shuffled")
    assert np.array_equal(drawn, expected)


def test_everything_that_may_occur_does(leads: np.ndarray) -> None:
    grey, camera = 0, 0
    sampler = SheetSampler(styles=("no_grid", "no_grid", "ecg_plot"), recipes=("clean", "phone"), size=64)
    for k in range(60):
        page = sampler.draw(leads, 500, generator(k, "view"))
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
    several: tuple[dict[str, Any], ...] = (
        *({"styles": ("thermic",)}, {"recipes": ("phones",)}, {"layouts": ("standart",)}),
        *({"styles": ()}, {"recipes": ()}, {"layouts": ()}, {"max_rotation_deg": 46.0}, {"max_rotation_deg": -1.0}),
    )
    for configured in (PretrainConfig, FinetuneConfig, SheetSampler):
        for wrong in several:
            with pytest.raises((ValidationError, HeartprintError)):
                configured(**wrong)
    for wrong in ({"size": 31}, {"size": 9000}, {"baseline": "mean"}):
        with pytest.raises((ValidationError, HeartprintError)):
            SheetSampler(**wrong)


def test_a_sampler_stays_what_it_was_checked_to_be() -> None:
    sampler = SheetSampler()
    with pytest.raises(FrozenInstanceError):
        sampler.size = 5  # type: ignore[misc]
    with pytest.raises(HeartprintError) as caught:
        replace(sampler, layouts=("standart",))
    assert caught.value.code == "unknown-layout"


def test_ecgs_of_a_cohort_are_drawn_as_their_waveforms_are(tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path / "c", 2, 1)
    signal, rate = cohort.signal(1), cohort.sampling_rate(1)
    plain = SheetSampler(("two_rhythm",), baseline="median", size=64)
    for told in ({"layout": "alternate"}, {"pose": Pose(5.0)}, {"style": "green"}, {}):
        expected = render(signal, rate, **({"layout": "two_rhythm", "size": 64, "baseline": "median"} | told))  # type: ignore[arg-type]
        assert np.array_equal(plain.sheet(cohort, 1, **told), expected)  # type: ignore[arg-type]
    assert np.array_equal(plain.sheet(cohort, 1, finer=2), render(signal, rate, "two_rhythm", 128, baseline="median"))
    mixed = SheetSampler(PAPER_LAYOUTS, ("random",), ("clean", "phone"), 9.0, size=64)
    for k in range(4):
        expected = mixed.draw(signal, rate, generator(k, "view"))
        assert np.array_equal(mixed.random(cohort, 1, generator(k, "view")), expected)
    short = ("short_six_rows", "short_three_rows")
    for k, samples in ((0, slice(500)), (1, slice(500, None))):
        expected = replace(mixed, layouts=short).draw(signal[:, samples], rate, generator(k, "half"))
        assert np.array_equal(mixed.part(cohort, 1, (k, 2), generator(k, "half"), layouts=short), expected)


def test_configurations_give_their_sampler() -> None:
    drawing: dict[str, Any] = {"layouts": ("alternate",), "styles": ("random",), "recipes": ("fax",)}
    run = PretrainConfig(**drawing, max_rotation_deg=3, baseline="median", image_size=96)
    assert run.images == SheetSampler(**drawing, max_rotation_deg=3, baseline="median", size=96)
    encoder = EncoderConfig.new("small", image_size=64, layouts=("elsewhere.yaml",), baseline="median")
    assert encoder.images == SheetSampler(baseline="median", size=64)
    tuned = FinetuneConfig(**drawing, max_rotation_deg=4).images(encoder)
    assert tuned == SheetSampler(**drawing, max_rotation_deg=4, baseline="median", size=64)
