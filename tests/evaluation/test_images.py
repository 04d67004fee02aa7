"""From image files to a report: everything that runs on waveforms runs on images, or says why not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from heartprint.cohorts import Cohort
from heartprint.encoders import embed_cohort, load_encoder, load_model, resolve_encoder
from heartprint.evaluation.evaluate import evaluate
from heartprint.evaluation.predict import predict
from heartprint.evaluation.study import run as study
from heartprint.evaluation.study.config import StudyConfig
from heartprint.finetuning import FinetuneConfig, finetune
from heartprint.foundation.config import validate_config
from heartprint.foundation.errors import HeartprintError
from heartprint.pretraining import PretrainConfig, pretrain
from heartprint.pretraining.contact import save_contact
from heartprint.pretraining.methods import METHODS, get_method
from tests.finetuning.tiny import make_cohort
from tests.readers.pictures import image_cohort

SETTINGS = {"image_size": 32, "steps": 2, "batch_size": 6, "recipes": ("clean", "phone"), "checkpoint_every": 1}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    torch.set_num_threads(1)
    return image_cohort(tmp_path_factory.mktemp("images"), 20, 2)


@pytest.fixture(scope="module")
def run(cohort: Cohort) -> Path:
    return pretrain(cohort, PretrainConfig(**SETTINGS, workers=0), cohort.path.parent / "run", progress=False)


def weights(run: Path) -> bytes:
    return (run / "encoder" / "model.safetensors").read_bytes()


def test_workers_and_interruptions_change_nothing(cohort: Cohort, run: Path, tmp_path: Path) -> None:
    config = PretrainConfig(**SETTINGS, workers=2)
    pretrain(cohort, config, tmp_path / "run", stop_after_steps=1, progress=False)
    pretrain(cohort, config, tmp_path / "run", resume=True, progress=False)
    assert weights(tmp_path / "run") == weights(run)


def test_an_encoder_notes_no_layout_that_was_never_drawn(run: Path) -> None:
    config = load_encoder(run / "encoder").config
    assert config.layouts == () and config.pretraining is not None
    assert not {"layouts", "styles", "stretch_layouts"} & set(config.pretraining.settings)
    assert "layouts: those of the images" in (run / "encoder" / "README.md").read_text()


@pytest.mark.parametrize("method", METHODS)
def test_methods_that_need_waveforms_say_so(method: str, cohort: Cohort) -> None:
    config = PretrainConfig(method=method, **SETTINGS)
    if method in ("bcl", "bcl_several", "vicreg", "byol", "simclr"):
        views = get_method(method)(cohort, config).draw(0, 1)
        assert all(view.image.shape == (32, 32) for view in views)
        return
    with pytest.raises(HeartprintError) as caught:
        get_method(method)(cohort, config)
    assert caught.value.code == ("not-simulated" if method == "simulation_supervised" else "needs-waveforms")


@pytest.mark.parametrize(
    "settings",
    [
        {"layouts": ("standard",)},
        {"styles": ("random",)},
        {"method": {"name": "bcl", "pairs": {"single": "stretches"}}},
    ],
)
def test_settings_that_need_waveforms_say_so(settings: dict[str, object], cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(HeartprintError) as caught:
        pretrain(cohort, PretrainConfig(**SETTINGS, **settings), tmp_path / "run", progress=False)
    assert caught.value.code == "needs-waveforms"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mode", ["probe", "full"])
def test_a_model_of_images_is_made_evaluated_and_used(mode: str, cohort: Cohort, run: Path, tmp_path: Path) -> None:
    config = FinetuneConfig(
        mode=mode, train_share=0.6, min_steps=2, epochs=1, head_views=1, cross_fit_folds=2, recipes=("clean", "scan")
    )
    finetune(cohort, task="tall", init=run, labels="all", out=tmp_path / "model", config=config, progress=False)
    assert "layout" not in load_model(tmp_path / "model").config.finetuning.settings
    with pytest.raises(HeartprintError, match="took part"):
        evaluate(tmp_path / "model", cohort, tmp_path / "out", progress=False)
    fresh = image_cohort(tmp_path / "fresh", 10, 1, seed=1, prefix="q")
    battery = mode == "probe"
    result = evaluate(tmp_path / "model", fresh, tmp_path / "out", resamples=100, battery=battery, progress=False)
    assert list(result["layouts"]) == ["image"] and result["counts"]["evaluated_ecgs"] == 10
    if battery:
        tried = pl.read_csv(tmp_path / "out" / "battery.csv")
        assert set(tried["kind"]) == {"clean", "effect", "recipe"}
        assert tried.filter(pl.col("name") == "phone")["seen"].item()
        assert (tmp_path / "out" / "battery.png").stat().st_size > 10_000
    table = predict(tmp_path / "model", fresh, tmp_path / "scores.csv", progress=False)
    # Its encoder learned from too few images to say what it knows.
    assert table["status"].to_list() == ["warned"] * 10 and table["distance"].is_null().all()
    scores = pl.read_csv(tmp_path / "out" / "scores.csv")
    np.testing.assert_allclose(table["probability"], scores["probability"], rtol=1e-9)
    for wrong in (lambda: predict(tmp_path / "model", fresh, tmp_path / "no.csv", layout="alternate", progress=False),):
        with pytest.raises(HeartprintError) as caught:
            wrong()
        assert caught.value.code == "needs-waveforms"
    assert not (tmp_path / "no.csv").exists()


def test_an_encoder_of_waveforms_reads_images(cohort: Cohort) -> None:
    loaded = resolve_encoder("random", image_size=32)
    embedding = embed_cohort(loaded, cohort, progress=False)
    assert embedding.shape == (40, loaded.encoder.embedding_dim)
    backwards = embed_cohort(loaded, cohort.take(np.arange(40)[::-1]), batch_size=7, progress=False)
    np.testing.assert_allclose(embedding, backwards[::-1], atol=1e-5)


def test_a_contact_page_shows_images(cohort: Cohort, tmp_path: Path) -> None:
    assert save_contact(cohort, PretrainConfig(**SETTINGS), tmp_path / "page.png", n=3).stat().st_size > 1000


def test_the_command_that_the_docs_print_shows_images(tmp_path: Path) -> None:
    """Also where every patient has one image alone."""
    from typer.testing import CliRunner

    from heartprint.cli import main

    main._register()
    for ecgs_each in (1, 2):
        few = image_cohort(tmp_path / str(ecgs_each), 3, ecgs_each)
        arguments = ["contact", str(few.path), "--out", str(tmp_path / f"{ecgs_each}.png")]
        done = CliRunner().invoke(main.app, arguments, catch_exceptions=False)
        assert done.exit_code == 0 and (tmp_path / f"{ecgs_each}.png").is_file()


@pytest.mark.parametrize("home", ["images", pytest.param("waveforms", marks=pytest.mark.slow)])
def test_a_study_runs_on_images(home: str, cohort: Cohort, tmp_path: Path) -> None:
    waveforms = make_cohort(tmp_path / "waveforms", 30, 2, prefix="w")
    other = "waveforms" if home == "images" else "images"
    # The encoder of a study at home among waveforms learns from the images that it is tested on.
    named = {"transductive": True} if home == "waveforms" else {}
    config = validate_config(
        {
            "title": "Images",
            "question": "Do they run?",
            "cohorts": {"images": {"path": str(cohort.path)}, "waveforms": {"path": str(waveforms.path)}},
            "home": home,
            "external": [other],
            "protocol": {"split": 0.4},
            "tasks": ["tall"],
            "budgets": ["all"],
            "draws": 1,
            "groups": {"small": {"backbone": "small", "image_size": 32, "pretraining": {"steps": 2, "batch_size": 4}}},
            "encoders": [
                {"name": "bcl", "group": "small", "pretrain": {"cohort": "images", "method": "bcl"}, **named},
                {"name": "random", "group": "small", "init": "random", **named},
            ],
            "reference": "bcl",
            "resamples": 100,
        },
        StudyConfig,
    )
    result = study.run_study(config, tmp_path / "study", progress=False)
    rows = set(zip(result.results["encoder"], result.results["cohort"], strict=True))
    assert {("bcl", "images"), ("bcl", "waveforms"), ("random", "images"), ("random", "waveforms")} <= rows
    features = {cohort for encoder, cohort in rows if encoder == "features"}
    assert features == (set() if home == "images" else {"waveforms"})
    report = (tmp_path / "study" / "report.html").read_text()
    assert "no row of waveform features" in report
    assert json.loads((tmp_path / "study" / "report.json").read_text())
