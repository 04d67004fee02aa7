"""Whether a run has learned, beside chance."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from heartprint.cohorts import Cohort
from heartprint.pretraining import pretrain
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.methods import METHODS, get_method
from heartprint.pretraining.objectives import Contrast, ContrastiveObjective, ContrastSettings, Embedded, Start
from heartprint.pretraining.outcome import FOUND, Outcome, chance_of_partner, outcome_of, percent
from heartprint.pretraining.run_folder import LogRow

Make = Callable[..., PretrainConfig]


@pytest.mark.parametrize("views", [2, 3, 4])
def test_chance_is_what_embeddings_without_any_meaning_reach(views: int) -> None:
    torch.manual_seed(0)
    batch, found, contrasts = 8, [], [Contrast("views", tuple(range(views)))]
    objective = ContrastiveObjective(Start(width=16, seed=0), contrasts, ContrastSettings(name="bcl"))
    for _ in range(400):
        noise = Embedded(torch.randn(views, batch, 16), torch.arange(batch), torch.zeros(views, batch))
        with torch.no_grad():
            found.append(float(objective(noise).named[FOUND]))
    error = math.sqrt(0.25 / (400 * views * batch))
    expected = chance_of_partner(contrasts, batch)
    assert sum(found) / len(found) == pytest.approx(expected, abs=4 * error)
    if views == 2:
        assert expected == 1 / (2 * batch - 1)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_chance_or_no_contrast(method: str) -> None:
    contrasts = get_method(method).contrasts
    chance = chance_of_partner(contrasts, 256)
    assert math.isnan(chance) if not contrasts else 1 / 511 <= chance < 0.01


def rows(*found: float) -> list[LogRow]:
    return [LogRow(k + 1, 0, 1.0, 1e-3, 1.0, 0.0, {FOUND: share}) for k, share in enumerate(found)]


def test_the_last_tenth_decides() -> None:
    pair = (Contrast("views", (0, 1)),)
    outcome = outcome_of(rows(*[0.9] * 180, *[0.004] * 20), pair, 128)
    assert outcome is not None and outcome.steps == 20
    assert not outcome.learned and "NOT LEARNED" in outcome.warning()
    assert "partner found 0.4% in the last 20 steps; chance is 0.39%" in outcome.text()
    outcome = outcome_of(rows(*[0.004] * 180, *[0.3] * 20), pair, 128)
    assert outcome is not None and outcome.learned
    assert outcome_of(rows(0.1, 0.1, 0.1), (), 128) is None


@pytest.mark.parametrize(
    ("found", "batch", "learned"), [(0.03, 512, True), (0.03, 24, False), (0.5, 2, False), (1, 2, True)]
)
def test_three_times_chance_or_half_of_the_way(found: float, batch: int, learned: bool) -> None:
    assert Outcome(found, 1 / (2 * batch - 1), 10).learned == learned


def test_percent() -> None:
    assert [percent(v) for v in (0.5, 0.0321, 0.00196, 1)] == ["50%", "3.2%", "0.2%", "100%"]


@pytest.mark.parametrize("rate", [1e-12, 1e-2])
def test_a_run_says_how_it_ended(
    rate: float, cohort: Cohort, config: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = config(
        steps=150 if rate > 1e-6 else 12,
        batch_size=8,
        learning_rate=rate,
        max_rotation_deg=0,
        temperature=0.2,
    )
    pretrain(cohort, chosen, tmp_path / "run")
    note = json.loads((tmp_path / "run" / "run.json").read_text())
    assert note["chance"] == pytest.approx(1 / 15, abs=1e-6)
    page, said = (tmp_path / "run" / "run.html").read_text(), capsys.readouterr().err
    assert "chance is 6.7%" in page and "(chance 6.7%)" in said
    assert ("NOT LEARNED" in said) == ("NOT LEARNED" in page) == (not note["learned"])
    assert note["learned"] == (rate > 1e-6)
