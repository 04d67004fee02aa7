from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from heartprint.cohorts import Cohort
from heartprint.encoders import LoadedModel, PretrainingSummary
from heartprint.evaluation.evaluate import evaluate
from heartprint.evaluation.heads import SCORE_COLUMNS
from heartprint.evaluation.plots import PLOT_FILES
from heartprint.finetuning import score_cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.metrics.auroc import auroc, average_precision, delong_interval
from heartprint.metrics.calibration import brier_score
from heartprint.sheets import PAPER_LAYOUTS
from tests.finetuning.tiny import make_cohort

QUICK = {"layouts": ("standard",), "resamples": 100, "progress": False}


@pytest.fixture(scope="module")
def fresh(folder: Path) -> Cohort:
    return make_cohort(folder / "fresh", 30, 1, seed=5, unlabelled=(3,), blank=(4,), simulated=False, prefix="q")


def test_numbers_are_those_of_the_scores(model: LoadedModel, fresh: Cohort, tmp_path: Path) -> None:
    result = evaluate(model, fresh, tmp_path / "e", resamples=200, progress=False)
    assert json.loads((tmp_path / "e" / "metrics.json").read_text()) == result
    part = fresh.take([r for r in range(30) if r not in (3, 4)])
    labels = part.labels("tall")
    for layout in PAPER_LAYOUTS:
        logits, probabilities = score_cohort(model, part, layout=layout, progress=False)
        measured = result["layouts"][layout]
        assert measured["auroc"]["estimate"] == pytest.approx(auroc(labels, logits), abs=1e-9)
        assert measured["auprc"]["estimate"] == pytest.approx(average_precision(labels, logits), abs=1e-9)
        assert measured["brier"] == pytest.approx(brier_score(labels, probabilities), abs=1e-6)
        assert measured["auroc_delong"] == delong_interval(labels, logits).to_json()
        called = probabilities >= model.threshold
        at = measured["at_threshold"]
        assert at["true_positive"] == int((called & (labels == 1)).sum())
        assert at["false_positive"] == int((called & (labels == 0)).sum())
        assert at["threshold"] == model.threshold
    assert result["counts"] == {
        "ecgs": 30,
        "evaluated_ecgs": 28,
        "evaluated_patients": 28,
        "positive": int(labels.sum()),
        "negative": int((labels == 0).sum()),
        "without_label": 1,
        "refused": 1,
        "warned": result["layouts"]["standard"]["warned"],
        "seen_left_out": 0,
        "seen_kept": 0,
    }
    assert not result["simulated"]
    assert not result["model"]["pretrained_on_simulated"]
    assert result["model"]["labels_simulated"] and "SIMULATED LABELS" in result["notice"]


def test_every_ecg_is_in_the_score_file(model: LoadedModel, fresh: Cohort, tmp_path: Path) -> None:
    evaluate(model, fresh, tmp_path / "e", **{**QUICK, "layouts": ("alternate", "standard")})
    table = pl.read_csv(tmp_path / "e" / "scores.csv")
    assert table.columns == list(SCORE_COLUMNS)
    assert set(table["ecg_id"]) == set(fresh.ecg_ids)
    assert len(table) == 2 * 28 + 2
    assert table.filter(pl.col("ecg_id") == "q003-0")["status"].to_list() == ["no-label"]
    refused = table.filter(pl.col("ecg_id") == "q004-0")
    assert refused["status"].to_list() == ["refused"]
    assert refused["reason"][0].startswith("no-signal: ")
    scored = table.filter(pl.col("status").is_in(["scored", "warned"]))
    assert scored["distance"].is_not_null().all()
    assert model.encoder.distance is not None
    beyond = scored["distance"] > model.encoder.distance.limit
    assert ((scored["status"] == "warned") == beyond).all()
    assert scored["layout"].unique().sort().to_list() == ["alternate", "standard"]
    assert scored.select(pl.col("logit", "probability", "label").is_not_null().all()).row(0) == (True, True, True)
    assert (scored["above_threshold"] == (scored["probability"] >= model.threshold)).all()


def test_plots_are_pictures_and_say_simulated(model: LoadedModel, fresh: Cohort, folder: Path, tmp_path: Path) -> None:
    evaluate(model, fresh, tmp_path / "real", **QUICK)
    simulated = make_cohort(folder / "simulated", 12, 1, seed=6, prefix="s")
    result = evaluate(model, simulated, tmp_path / "simulated", **QUICK)
    assert result["simulated"]
    assert "SIMULATED" in result["notice"]
    for name in PLOT_FILES:
        warnings = []
        for kind in ("real", "simulated"):
            image = cv2.imread(str(tmp_path / kind / name))
            assert image is not None and min(image.shape[:2]) > 400
            blue, green, red = image[:60].astype(int).transpose(2, 0, 1)
            warnings.append(int(((red > 150) & (green < 60) & (blue < 90)).sum()))
        assert min(warnings) > 0  # simulated labels, or patients and labels


def test_real_labels_and_tests_are_not_called_simulated(model: LoadedModel, fresh: Cohort, tmp_path: Path) -> None:
    tuned = model.config.finetuning
    real = tuned.model_copy(update={"cohort": tuned.cohort.model_copy(update={"simulated": False})})
    how = {"method": "bcl", "steps": 1, "batch_size": 2, "temperature": 0.1, "max_rotation_deg": 0.0, "seed": 0}
    pretraining = PretrainingSummary(cohort=tuned.cohort, **how)
    known = model.config.encoder.model_copy(update={"pretraining": pretraining})
    config = model.config.model_copy(update={"finetuning": real, "encoder": known})
    result = evaluate(dataclasses.replace(model, config=config), fresh, tmp_path / "e", **QUICK)
    assert "SIMULATED" not in json.dumps(result) and "Encoder pretrained on simulated patients" in result["notice"]
    assert result["model"]["pretrained_on_simulated"] and not result["model"]["labels_simulated"]
    for name in PLOT_FILES:
        blue, green, red = cv2.imread(str(tmp_path / "e" / name))[:60].astype(int).transpose(2, 0, 1)
        assert not ((red > 150) & (green < 60) & (blue < 90)).any()


def test_clusters_replace_delong_where_patients_repeat(model: LoadedModel, folder: Path, tmp_path: Path) -> None:
    repeated = make_cohort(folder / "repeated", 20, 2, seed=8, prefix="r")
    measured = evaluate(model, repeated, tmp_path / "e", **QUICK)["layouts"]["standard"]
    assert measured["auroc_delong"] is None
    assert measured["auroc"]["low"] <= measured["auroc"]["estimate"] <= measured["auroc"]["high"]
    assert "too narrow" in measured["at_threshold"]["intervals"]


def test_seen_patients_are_refused_dropped_or_kept_by_name(model: LoadedModel, folder: Path, tmp_path: Path) -> None:
    train = Cohort.open(folder / "train")
    with pytest.raises(HeartprintError) as caught:
        evaluate(model, train, tmp_path / "e", **QUICK)
    assert caught.value.code == "patients-seen"
    for word in ("16 of the 30", "--exclude-seen", "--transductive"):
        assert word in caught.value.message
    assert not (tmp_path / "e").exists()
    dropped = evaluate(model, train, tmp_path / "e", exclude_seen=True, **QUICK)
    assert dropped["counts"]["seen_left_out"] == 32
    assert dropped["counts"]["evaluated_patients"] == 14
    assert not dropped["transductive"]
    table = pl.read_csv(tmp_path / "e" / "scores.csv")
    assert int((table["status"] == "seen-patient").sum()) == 32
    kept = evaluate(model, train, tmp_path / "k", transductive=True, **QUICK)
    assert kept["transductive"]
    assert kept["counts"]["evaluated_patients"] == 30
    assert kept["counts"]["seen_kept"] == 32
    with pytest.raises(HeartprintError) as caught:
        seen = train.take(np.flatnonzero(model.seen.overlap(train)))
        evaluate(model, seen, tmp_path / "n", exclude_seen=True, **QUICK)
    assert caught.value.code == "all-patients-seen"


def test_a_patient_is_recognised_in_a_renamed_copy(model: LoadedModel, folder: Path, tmp_path: Path) -> None:
    copy = make_cohort(folder / "copy", 30, 2, prefix="other")
    with pytest.raises(HeartprintError) as caught:
        evaluate(model, copy, tmp_path / "e", **QUICK)
    assert caught.value.code == "patients-seen"


def test_one_class_and_bad_options_are_refused(model: LoadedModel, fresh: Cohort, tmp_path: Path) -> None:
    positives = fresh.take(np.flatnonzero(fresh.labels("tall") == 1))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    for arguments, code in (
        ({"cohort": positives}, "one-class-only"),
        ({"exclude_seen": True, "transductive": True}, "bad-options"),
        ({"layouts": ("standart",)}, "unknown-layout"),
        ({"layouts": ()}, "bad-options"),
        ({"out": tmp_path / "mine"}, "output-not-an-evaluation"),
    ):
        with pytest.raises(HeartprintError) as caught:
            evaluate(**{"model": model, "cohort": fresh, "out": tmp_path / "e", **QUICK, **arguments})
        assert caught.value.code == code
    assert not (tmp_path / "e").exists()
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


def test_a_cohort_without_the_label_is_refused(model: LoadedModel, fresh: Cohort, tmp_path: Path) -> None:
    without = Cohort(fresh.path, fresh.info, fresh.records.drop("label_tall"))
    with pytest.raises(HeartprintError) as caught:
        evaluate(model, without, tmp_path / "e", **QUICK)
    assert caught.value.code == "label-missing"
