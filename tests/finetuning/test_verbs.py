"""The three verbs from the command line, one after the other."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import torch
import typer
from typer.testing import CliRunner

from heartprint.cli import evaluate, finetune, predict
from heartprint.foundation.errors import HeartprintError
from tests.finetuning.tiny import make_cohort

app = typer.Typer()
app.command("finetune")(finetune.finetune)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_from_labels_to_scores(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    make_cohort(tmp_path / "c", 30, 1)
    options = ("--task", "tall", "--init", "random", "--backbone", "small", "--image-size", 64)
    out = tmp_path / "m"
    said = run(
        *("finetune", tmp_path / "c", *options, "--labels", "12", "--out", out),
        *("--seed", 3, "-o", "batch_size=8", "--sensitivity", 0.8),
    )
    assert "12 labels (5 positive) of 12 patients" in said
    assert "SIMULATED labels" in said
    settings = json.loads((out / "config.json").read_text())["finetuning"]
    assert (settings["seed"], settings["settings"]["sensitivity"]) == (3, 0.8)

    common = ("--layout", "standard", "--resamples", 100)
    said = run("evaluate", out, tmp_path / "c", "--out", tmp_path / "e", "--exclude-seen", *common, "--json")
    assert json.loads(said) == json.loads((tmp_path / "e" / "metrics.json").read_text())
    said = run("evaluate", out, tmp_path / "c", "--out", tmp_path / "e", "--exclude-seen", *common, "--overwrite")
    assert "12 of seen patients" in said
    assert "SIMULATED PATIENTS" in said
    assert "DeLong" in said

    said = run("predict", out, tmp_path / "c", "--out", tmp_path / "p.csv")
    assert "30 ECGs of simulated patients" in said
    assert len(pl.read_csv(tmp_path / "p.csv")) == 30


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("-o", "learning_rat=1"), "learning_rate"),
        (("-o", "epochs"), "key=value"),
        (("--train-share", 1.5), "train_share"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, options: tuple[object, ...], word: str) -> None:
    make_cohort(tmp_path / "c", 10, 1)
    with pytest.raises(HeartprintError) as caught:
        run(
            *("finetune", tmp_path / "c", "--task", "tall", "--init", "random", "--labels", "6"),
            *("--out", tmp_path / "m", *options),
        )
    assert word in caught.value.message
    assert not (tmp_path / "m").exists()
