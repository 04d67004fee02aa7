"""The robustness battery: the same pictures for everybody, figures equal to those of a slow twin."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from heartprint.cli.evaluate import evaluate as evaluate_verb
from heartprint.cohorts import Cohort
from heartprint.encoders import LoadedModel
from heartprint.encoders.bundle.config import PretrainingSummary
from heartprint.evaluation.evaluate import evaluate
from heartprint.evaluation.robustness import (
    BATTERY_COLUMNS,
    Condition,
    choose_ecgs,
    conditions,
    draw_condition,
    run_battery,
    summarise_battery,
)
from heartprint.metrics.auroc import auroc
from heartprint.sheets import LAYOUTS, STYLES, render
from heartprint.sheets.camera import EFFECTS, RECIPES
from tests.finetuning.tiny import make_cohort


@pytest.fixture(scope="module")
def fresh(folder: Path) -> Cohort:
    return make_cohort(folder / "fresh", 12, 1, seed=5, prefix="q")


@pytest.fixture(scope="module")
def table(model: LoadedModel, fresh: Cohort) -> pl.DataFrame:
    return run_battery(model, fresh, fresh.labels("tall"), resamples=50, batch_size=128, progress=False)


def test_every_effect_layout_and_style_is_tried() -> None:
    tried = conditions("alternate")
    assert tried[0] == Condition("clean", "alternate")
    assert len(set(tried)) == len(tried)
    kinds = {kind: [c for c in tried if c.kind == kind] for kind in ("effect", "recipe", "layout", "style")}
    assert len(kinds["effect"]) == 5 * len(EFFECTS) >= 5 * 24
    assert {c.name for c in kinds["recipe"]} == set(RECIPES) - {"clean"}
    assert {c.name for c in kinds["layout"]} == set(LAYOUTS) - {"alternate"}
    assert {c.name for c in kinds["style"]} == set(STYLES) - {"ecg_plot"}


def test_figures_are_those_of_a_slow_twin(model: LoadedModel, fresh: Cohort, table: pl.DataFrame) -> None:
    assert dict(table.schema) == BATTERY_COLUMNS
    assert len(table) == len(conditions("standard"))
    answers = fresh.labels("tall")

    def slowly(condition: Condition) -> float:
        pages = [draw_condition(model.encoder, fresh, row, condition, "standard") for row in range(len(fresh))]
        return auroc(answers, model.score(np.stack(pages))[0])

    clean = slowly(Condition("clean", "standard"))
    for condition in (
        Condition("effect", "jpeg", 5),
        Condition("effect", "rotation", 2),
        Condition("recipe", "phone"),
        Condition("layout", "shuffled"),
        Condition("style", "thermal"),
    ):
        row = table.filter(
            (pl.col("kind") == condition.kind)
            & (pl.col("name") == condition.name)
            & (pl.col("severity") == condition.severity)
        ).row(0, named=True)
        expected = slowly(condition)
        assert row["auroc"] == pytest.approx(expected, abs=1e-9)
        assert row["drop"] == pytest.approx(clean - expected, abs=1e-9)
        assert row["low"] <= row["auroc"] <= row["high"]
    assert np.array_equal(
        draw_condition(model.encoder, fresh, 0, Condition("clean", "standard"), "standard"),
        render(fresh.signal(0), fresh.sampling_rate(0), "standard", 64),
    )


def test_pictures_depend_on_nothing_but_ecg_and_condition(
    model: LoadedModel, fresh: Cohort, table: pl.DataFrame
) -> None:
    backwards = fresh.take(np.arange(len(fresh))[::-1])
    again = run_battery(
        model, backwards, backwards.labels("tall"), resamples=50, batch_size=7, workers=1, seed=9, progress=False
    )
    assert np.allclose(again["auroc"], table["auroc"], atol=1e-12)


def test_what_the_model_has_seen_is_marked(model: LoadedModel, fresh: Cohort) -> None:
    encoder = model.config.encoder
    how = PretrainingSummary(
        method="bcl",
        steps=1,
        batch_size=2,
        temperature=0.1,
        max_rotation_deg=0,
        seed=0,
        cohort=model.config.finetuning.cohort,
        settings={"layouts": ["alternate"], "styles": ["thermal"], "recipes": ["clean", "fax"]},
    )
    taught = model.config.model_copy(update={"encoder": encoder.model_copy(update={"pretraining": how})})
    changed = LoadedModel(**{**vars(model), "config": taught})
    few = fresh.take(choose_ecgs(fresh, fresh.labels("tall"), 4))
    table = run_battery(changed, few, few.labels("tall"), resamples=5, progress=False)
    seen = table.filter(pl.col("seen"))
    assert set(seen.filter(pl.col("kind") == "layout")["name"]) == {"alternate", *encoder.layouts} - {"standard"}
    assert set(seen.filter(pl.col("kind") == "style")["name"]) == {"thermal"}
    assert set(seen.filter(pl.col("kind") == "recipe")["name"]) == {"fax"}
    assert set(seen.filter(pl.col("kind") == "effect")["name"]) == {i.effect for i in RECIPES["fax"].ingredients}
    assert summarise_battery(table)["recipe"]["conditions"] == len(RECIPES) - 2  # neither clean nor fax


def test_cases_and_controls_are_chosen_evenly_and_by_id(fresh: Cohort) -> None:
    answers = np.zeros(len(fresh))
    answers[:3] = 1
    some = choose_ecgs(fresh, answers, 10)
    assert len(some) == 10
    assert answers[some].sum() == 3  # all there are
    few = choose_ecgs(fresh, answers, 4)
    assert answers[few].sum() == 2
    order = np.arange(len(fresh))[::-1]
    turned = choose_ecgs(fresh.take(order), answers[order], 4)
    assert set(fresh.ecg_ids[few]) == set(fresh.take(order).ecg_ids[turned])
    assert len(choose_ecgs(fresh, answers, 1000)) == len(fresh)


def test_it_says_how_long_it_takes(model: LoadedModel, fresh: Cohort, capsys: pytest.CaptureFixture[str]) -> None:
    run_battery(model, fresh.take(np.arange(6)), np.tile([0.0, 1.0], 3), resamples=100)
    said = capsys.readouterr().err
    assert f"The battery draws 6 ECGs in {len(conditions('standard'))} ways each: about " in said
    assert said.index("about") < said.index("Battery: 6/6")


def test_evaluate_writes_table_and_picture(folder: Path, fresh: Cohort, tmp_path: Path) -> None:
    out = tmp_path / "e"
    app = typer.Typer()
    app.command()(evaluate_verb)
    arguments = ("--layout", "standard", "--resamples", "100", "--battery", "--battery-ecgs", "20")
    said = CliRunner().invoke(
        app, [str(folder / "model"), str(folder / "fresh"), "--out", str(out), *arguments], catch_exceptions=False
    )
    assert said.exit_code == 0, said.output
    assert "Battery: 12 ECGs" in said.output
    assert len(pl.read_csv(out / "battery.csv")) == len(conditions("standard"))
    assert json.loads((out / "metrics.json").read_text())["battery"]["ecgs"] == 12
    picture = Image.open(out / "battery.png")
    assert min(picture.size) > 500
    plain = evaluate(folder / "model", fresh, tmp_path / "p", resamples=20, layouts=("standard",), progress=False)
    assert "battery" not in plain
    assert not (tmp_path / "p" / "battery.csv").exists()
