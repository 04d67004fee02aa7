from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from heartprint.cohorts import Cohort, split_by_patient
from heartprint.encoders import load_model, resolve_encoder
from heartprint.finetuning import FinetuneConfig, finetune, parse_budget, score_cohort
from heartprint.foundation.errors import HeartprintError
from tests.finetuning.tiny import make_cohort

SMALL = {"backbone": "small", "image_size": 64, "progress": False}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    torch.set_num_threads(1)
    return make_cohort(tmp_path_factory.mktemp("cohort") / "tiny", 50, 2, unlabelled=(0, 1, 2, 99))


def test_a_model_folder_scores_as_the_model_in_memory(cohort: Cohort, tmp_path: Path) -> None:
    model = finetune(cohort, task="tall", init="random", labels="20", out=tmp_path / "m", **SMALL)
    loaded = load_model(tmp_path / "m", verify=True)
    part = cohort.take(range(10))
    for one, two in zip(
        score_cohort(model, part, progress=False), score_cohort(loaded, part, progress=False), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    assert loaded.threshold == model.threshold
    assert loaded.config.finetuning.n_labels == 20
    assert loaded.config.finetuning.cohort.n_patients == 20
    assert loaded.config.finetuning.cohort.simulated
    assert len(loaded.seen.patients) == 20
    text = (tmp_path / "m" / "config.json").read_text() + (tmp_path / "m" / "README.md").read_text()
    assert not any(p in text for p in cohort.patient_ids)


def test_full_mode_writes_a_folder(cohort: Cohort, tmp_path: Path) -> None:
    config = FinetuneConfig(mode="full", min_steps=3, epochs=1, head_views=1, checks=1)
    finetune(cohort, task="tall", init="random", labels="all", out=tmp_path / "m", config=config, **SMALL)
    loaded = load_model(tmp_path / "m", verify=True)
    assert loaded.config.finetuning.mode == "full"
    assert loaded.config.finetuning.n_labels == int((~np.isnan(cohort.labels("tall"))).sum())


def test_the_init_may_be_a_model_and_its_patients_stay_seen(cohort: Cohort, tmp_path: Path) -> None:
    finetune(cohort, task="tall", init="random", labels=10, out=tmp_path / "a", **SMALL)
    draw = FinetuneConfig(draw=1)
    finetune(cohort, task="tall", init=tmp_path / "a", labels=10, out=tmp_path / "b", config=draw, progress=False)
    first, second = load_model(tmp_path / "a").seen, load_model(tmp_path / "b").seen
    assert set(first.patients) < set(second.patients)


def test_a_train_share_leaves_patients_unseen(cohort: Cohort, tmp_path: Path) -> None:
    config = FinetuneConfig(train_share=0.6, seed=2)
    finetune(cohort, task="tall", init="random", labels="all", out=tmp_path / "m", config=config, **SMALL)
    parts = split_by_patient(cohort, {"train": 0.6, "rest": 0.4}, seed=2)
    seen = load_model(tmp_path / "m").seen.overlap(cohort)
    unseen = set(cohort.patient_ids[~seen])
    assert unseen >= set(parts["rest"].patient_ids)
    labelled = parts["train"].filter(labelled="tall")
    assert set(cohort.patient_ids[seen]) == set(labelled.patient_ids)


def test_dates_choose_the_ecgs(cohort: Cohort, tmp_path: Path) -> None:
    config = FinetuneConfig.model_validate({"until": "2015-12-31"})
    model = finetune(cohort, task="tall", init="random", labels="all", out=tmp_path / "m", config=config, **SMALL)
    assert model.config.finetuning.n_labels == 48  # one ECG a patient, two of them without a label
    with pytest.raises(HeartprintError) as caught:
        late = FinetuneConfig.model_validate({"since": "2030-01-01"})
        finetune(cohort, task="tall", init="random", labels="all", out=tmp_path / "n", config=late, **SMALL)
    assert caught.value.code == "no-ecgs"
    assert not (tmp_path / "n").exists()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"task": "tal"}, "unknown-task"),
        ({"task": "af"}, "label-missing"),
        ({"labels": "3"}, "budget-too-small"),
        ({"labels": "5000"}, "budget-too-large"),
        ({"labels": "many"}, "bad-label-budget"),
        ({"init": "somewhere"}, "unknown-encoder"),
        ({"backbone": "smal"}, "unknown-backbone"),
        ({"init": "imagenet"}, "no-offline-weights"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    cohort: Cohort, tmp_path: Path, changes: dict[str, str], code: str
) -> None:
    arguments = {"task": "tall", "init": "random", "labels": "10", "out": tmp_path / "m", **SMALL, **changes}
    with pytest.raises(HeartprintError) as caught:
        finetune(cohort, **arguments)
    assert caught.value.code == code
    assert not any(tmp_path.iterdir())


def test_a_folder_of_something_else_is_left_alone(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(HeartprintError) as caught:
        finetune(cohort, task="tall", init="random", labels="10", out=tmp_path, **SMALL)
    assert caught.value.code == "output-not-a-model"
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_loaded_encoder_will_do(cohort: Cohort, tmp_path: Path) -> None:
    loaded = resolve_encoder("random", backbone="small", image_size=64)
    finetune(cohort, task="tall", init=loaded, labels=0.5, out=tmp_path / "m", progress=False)
    assert load_model(tmp_path / "m").config.finetuning.n_labels == 24


@pytest.mark.parametrize(
    ("text", "budget"), [("150", 150), ("0.01", 0.01), ("all", "all"), ("1.0", 1.0), ("1e-1", 0.1), (7, 7), (0.5, 0.5)]
)
def test_budgets_are_read(text: str | float, budget: object) -> None:
    read = parse_budget(text)
    assert read == budget
    assert type(read) is type(budget)


@pytest.mark.parametrize("text", ["0", "-3", "1.5", "0.0", "x", "", "nan", "1%"])
def test_other_budgets_are_refused(text: str) -> None:
    with pytest.raises(HeartprintError) as caught:
        parse_budget(text)
    assert caught.value.code == "bad-label-budget"


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError):
        FinetuneConfig.model_validate({"learning_rat": 1})
    with pytest.raises(HeartprintError) as caught:
        FinetuneConfig(layouts=("standart",))
    assert caught.value.code == "unknown-layout"


def test_a_task_of_ones_own_goes_into_the_folder_whole(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(
        "title: Short T waves\ncolumn: tall\nvalue: 0\nexclude: [{column: sex, value: nobody}]\n", encoding="utf-8"
    )
    out = tmp_path / "m"
    finetune(
        cohort,
        task=str(tmp_path / "short.yaml"),
        init="random",
        labels=16,
        out=out,
        backbone="small",
        image_size=64,
        progress=False,
    )
    task = load_model(out).task
    assert (task.name, task.title) == ("short", "Short T waves")
    assert [c.column for c in task.exclude] == ["sex"]
    np.testing.assert_array_equal(task.labels(cohort.records), 1 - cohort.labels("tall"))
