from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from heartprint.cohorts import Cohort, get_task
from heartprint.encoders import LoadedModel, resolve_encoder
from heartprint.evaluation.predict import PREDICTION_COLUMNS, predict
from heartprint.finetuning import score_cohort, train_probe
from heartprint.foundation.errors import HeartprintError
from tests.finetuning.tiny import make_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("cohort") / "tiny", 15, 2, blank=(5, 29))


@pytest.fixture(scope="module")
def model(cohort: Cohort) -> LoadedModel:
    torch.set_num_threads(1)
    part = cohort.take([r for r in range(len(cohort)) if r not in (5, 29)])
    encoder = resolve_encoder("random", backbone="small", image_size=64)
    return train_probe(encoder, part, part.labels("tall"), task=get_task("tall", part.records), progress=False)


def test_every_ecg_ends_in_a_row(model: LoadedModel, cohort: Cohort, tmp_path: Path) -> None:
    predict(model, cohort, tmp_path / "p.csv", batch_size=4, progress=False)
    table = pl.read_csv(tmp_path / "p.csv")
    assert table.columns == list(PREDICTION_COLUMNS)
    assert table["ecg_id"].to_list() == cohort.ecg_ids.tolist()
    assert table["patient_id"].to_list() == cohort.patient_ids.tolist()
    refused = table["status"] == "refused"
    assert np.flatnonzero(refused).tolist() == [5, 29]
    bad = table.filter(refused)
    assert bad.select(pl.col("probability", "logit", "above_threshold").is_null().all()).row(0) == (True, True, True)
    assert all(r.startswith("no-signal: ") for r in bad["reason"])
    good = table.filter(~refused)
    logits, probabilities = score_cohort(model, cohort.take(np.flatnonzero(~refused)), progress=False)
    np.testing.assert_allclose(good["logit"], logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(good["probability"], probabilities, atol=1e-4)
    assert (good["above_threshold"] == (good["probability"] >= model.threshold)).all()
    # A model in memory that was never shown what it knows cannot tell, and says so of every answer.
    assert good["status"].to_list() == ["warned"] * 28
    assert good["distance"].is_null().all()
    assert all(r.startswith("no-distance: ") for r in good["reason"])


def test_batch_size_changes_nothing(model: LoadedModel, cohort: Cohort, tmp_path: Path) -> None:
    one = predict(model, cohort, tmp_path / "1.csv", batch_size=1, progress=False)
    two = predict(model, cohort, tmp_path / "2.csv", batch_size=64, progress=False)
    np.testing.assert_allclose(
        one["logit"].fill_null(0).to_numpy(), two["logit"].fill_null(0).to_numpy(), rtol=1e-4, atol=1e-5
    )


def test_a_failure_leaves_the_old_file(
    model: LoadedModel, cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "p.csv"
    target.write_text("old")
    monkeypatch.setattr(pl.DataFrame, "write_csv", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(HeartprintError) as caught:
        predict(model, cohort, target, progress=False)
    assert caught.value.code == "disk-full"
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["p.csv"]


def test_unknown_names_are_refused(model: LoadedModel, cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(HeartprintError) as caught:
        predict(model, cohort, tmp_path / "p.csv", layout="alternat", progress=False)
    assert caught.value.code == "unknown-layout"
    with pytest.raises(HeartprintError) as caught:
        predict(tmp_path / "none", cohort, tmp_path / "p.csv", progress=False)
    assert caught.value.code == "model-missing"
    assert not (tmp_path / "p.csv").exists()
