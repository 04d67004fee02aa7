"""Several tasks in one model: masked loss, budgets of their own, one embedding, and each head as if it were alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from typer.testing import CliRunner

from heartprint.cli.main import _register, app
from heartprint.cohorts import TASKS, Cohort, get_task
from heartprint.cohorts.tasks import REGRESSIONS
from heartprint.encoders import LoadedEncoder, embed_cohort, load_model, resolve_encoder
from heartprint.encoders.bundle.heads import NumberHead
from heartprint.evaluation.evaluate import evaluate
from heartprint.evaluation.predict import predict, prediction_columns
from heartprint.finetuning import FinetuneConfig, finetune, train_full, train_probe
from heartprint.finetuning.loss import HeadsLoss, validation_loss
from heartprint.finetuning.parts import cross_fit_parts_of_heads, validation_part_of_heads
from heartprint.finetuning.targets import Target
from heartprint.foundation.errors import HeartprintError
from heartprint.simulation import simulate

NAN = float("nan")
FAST = FinetuneConfig(mode="full", min_steps=6, epochs=1, batch_size=16, head_views=2, checks=3, workers=1)
THREE = ("af", "female", "lvef")
QUICK = ("--resamples", 100, "--layout", "standard")
SMALL = {"backbone": "small", "image_size": 64, "progress": False}


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cohort, Cohort]:
    """Simulated patients to learn from, and others."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("hospital")
    found = [
        simulate(root / name, n, hospital="cardiology", seed=seed, progress=False)
        for name, n, seed in (("train", 60, 11), ("test", 40, 12))
    ]
    return found[0], found[1]


@pytest.fixture(scope="module")
def encoder() -> LoadedEncoder:
    torch.set_num_threads(1)
    return resolve_encoder("random", backbone="small", image_size=64, seed=3)


# -- the loss ---------------------------------------------------------------------------------------------------------


def some_targets(n: int = 40, seed: int = 0) -> tuple[Target, Target, Target]:
    rng = np.random.default_rng(seed)
    af, sex = (rng.random(n) < 0.3).astype(float), (rng.random(n) < 0.5).astype(float)
    lvef = rng.normal(50, 10, n)
    af[::3], sex[1::4], lvef[rng.random(n) < 0.4] = NAN, NAN, NAN
    return Target(TASKS["af"], af), Target(TASKS["female"], sex), Target(REGRESSIONS["lvef"], lvef)


def literal_loss(outputs: np.ndarray, targets: tuple[Target, ...], rows: np.ndarray, chosen: np.ndarray) -> float:
    total = 0.0
    for k, target in enumerate(targets):
        y = [target.labels[r] for r in rows if not np.isnan(target.labels[r])]
        share = len(y) / len(rows)
        for place, row in enumerate(chosen):
            label, output = target.labels[row], outputs[place, k]
            if np.isnan(label):
                continue
            if target.is_number:
                one = (output - (label - np.mean(y)) / np.std(y)) ** 2
            else:
                weight = len(y) / (2 * sum(v == label for v in y))
                p = 1 / (1 + np.exp(-output))
                one = -weight * np.log(p if label == 1 else 1 - p)
            total += one / (len(chosen) * share)
    return total / len(targets)


@pytest.mark.parametrize("seed", [0, 1])
def test_loss_equals_a_slow_loop(seed: int) -> None:
    targets, rows = some_targets(seed=seed), np.arange(5, 40)
    outputs = np.random.default_rng(seed).normal(size=(12, 3))
    chosen = rows[::3]
    loss = HeadsLoss(targets, rows)
    leaf = torch.tensor(outputs, dtype=torch.float64, requires_grad=True)
    found = loss(leaf, loss.labels(chosen).double())
    assert found.item() == pytest.approx(literal_loss(outputs, targets, rows, chosen), rel=1e-5)
    found.backward()
    assert leaf.grad is not None
    for k, target in enumerate(targets):  # nothing is learned where there is no label
        np.testing.assert_array_equal(leaf.grad[:, k].numpy() == 0, np.isnan(target.labels[chosen]))


def test_every_label_weighs_the_same_over_an_epoch() -> None:
    targets, rows = some_targets(), np.arange(40)
    loss, outputs = HeadsLoss(targets, rows), torch.randn(40, 3, generator=torch.Generator().manual_seed(1))
    whole = loss(outputs, loss.labels(rows)).item()
    parts = [rows[:10], rows[10:20], rows[20:30], rows[30:]]
    mean = np.mean([loss(outputs[torch.from_numpy(p)], loss.labels(p)).item() for p in parts])
    assert mean == pytest.approx(whole, rel=1e-5)


def test_a_batch_without_labels_of_a_head_does_no_harm() -> None:
    target = Target(TASKS["af"], np.array([1.0, 0.0, NAN, NAN]))
    loss = HeadsLoss([target], np.arange(4))
    assert loss(torch.ones(2, 1), loss.labels(np.array([2, 3]))).item() == 0


def test_steps_are_compared_on_one_scale() -> None:
    """A head that says nothing counts 1, whatever its unit and its prevalence."""
    targets, rows = some_targets(400), np.arange(400)
    nothing = np.zeros((3, 400))
    assert validation_loss(targets, rows, nothing) == pytest.approx(1, abs=0.02)
    for k, target in enumerate(targets):
        knowing = nothing.copy()
        knowing[k] = np.nan_to_num(target.labels) * (1 if not target.is_number else 3)
        assert validation_loss(targets, rows, knowing) < 0.75


# -- parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_parts_leave_patients_whole_and_every_head_something(seed: int) -> None:
    targets, patients = some_targets(300, seed), np.arange(300) // 2
    part = validation_part_of_heads(patients, targets, FinetuneConfig(seed=seed))
    assert part is not None
    assert not set(patients[part]) & set(patients[~part])
    assert abs(len(set(patients[part])) - 0.25 * 150) <= 1
    for target in targets:
        for side in (part, ~part):
            assert len(np.unique(target.labels[side & target.known])) >= 2
    left_out = np.concatenate([out for _, out in cross_fit_parts_of_heads(patients, targets, FinetuneConfig())])
    assert sorted(left_out.tolist()) == list(range(300))
    for kept, out in cross_fit_parts_of_heads(patients, targets, FinetuneConfig()):
        assert not set(patients[kept]) & set(patients[out])
    few = tuple(Target(t.task, t.labels[:20]) for t in targets)
    assert validation_part_of_heads(patients[:20], few, FinetuneConfig()) is None


# -- models -----------------------------------------------------------------------------------------------------------


def test_heads_of_a_probe_are_those_that_it_would_have_alone(cohorts: tuple[Cohort, Cohort], tmp_path: Path) -> None:
    train, test = cohorts
    model = finetune(train, task=THREE, init="random", labels=40, out=tmp_path / "m", **SMALL)
    assert [head.task.name for head in model.heads] == list(THREE)
    embedding = embed_cohort(model.encoder, test, progress=False)
    for k, name in enumerate(THREE):
        alone = finetune(train, task=name, init="random", labels=40, out=tmp_path / name, **SMALL)
        np.testing.assert_allclose(model.weights[k], alone.weights[0], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(model.outputs(embedding)[k], alone.outputs(embedding)[0], rtol=1e-3, atol=1e-3)
        assert model.heads[k].n_labels == alone.heads[0].n_labels == 40
        np.testing.assert_array_equal(model.of_tasks(name).outputs(embedding)[0], model.outputs(embedding)[k])
    tuned = model.config.finetuning
    assert tuned.n_labels == 120 and 40 <= tuned.cohort.n_ecgs <= 120
    assert (tmp_path / "m" / "README.md").read_text().count("learned by linear probe") == 3
    for title in ("Atrial fibrillation", "Female sex", "Left ventricular ejection fraction"):
        assert title in repr(model) and title in (tmp_path / "m" / "README.md").read_text()


def test_full_fine_tuning_moves_all_heads(cohorts: tuple[Cohort, Cohort], encoder: LoadedEncoder) -> None:
    train, test = cohorts[0].take(np.arange(70)), cohorts[1].take(np.arange(20))
    tasks = [get_task(name, train.records) for name in ("female", "lvef")]
    labels = np.stack([task.labels(train.records).astype(float) for task in tasks])
    labels[1, ::3] = NAN
    before = {k: v.clone() for k, v in encoder.encoder.state_dict().items()}
    config = FAST.model_copy(update={"min_validation": 2})
    model = train_full(encoder, train, labels, task=tasks, config=config, progress=False)
    assert all(torch.equal(before[k], v) for k, v in encoder.encoder.state_dict().items())
    assert model.config.finetuning.settings["calibrated_on"] == "validation patients"
    assert model.config.encoder.labels_learned == (~np.isnan(labels)).sum() == model.config.finetuning.n_labels
    assert model.weights.shape == (2, encoder.config.embedding_dim)
    number = model.heads[1]
    assert isinstance(number, NumberHead)
    values, low, high = number.values(model.outputs(embed_cohort(model.encoder, test, progress=False))[1])
    assert ((low <= values) & (values <= high)).all() and low.min() >= 5 and high.max() <= 95
    again = train_full(encoder, train, labels, task=tasks, config=config, progress=False)
    np.testing.assert_array_equal(model.weights, again.weights)


def test_few_labels_are_calibrated_out_of_fold(cohorts: tuple[Cohort, Cohort], encoder: LoadedEncoder) -> None:
    train, _ = cohorts
    tasks = [get_task(name, train.records) for name in ("female", "lvef")]
    part = train.take(np.arange(30))
    labels = np.stack([task.labels(part.records).astype(float) for task in tasks])
    config = FAST.model_copy(update={"min_steps": 2})
    model = train_full(encoder, part, labels, task=tasks, config=config, progress=False)
    assert "out-of-fold" in model.config.finetuning.settings["calibrated_on"]
    assert all(head.notes["n_validation"] == head.n_labels for head in model.heads)


def test_one_embedding_per_ecg(
    cohorts: tuple[Cohort, Cohort], encoder: LoadedEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test = cohorts[0], cohorts[1].take(np.arange(60))
    tasks = [get_task(name, train.records) for name in THREE]
    labels = np.stack([task.labels(train.records).astype(float) for task in tasks])
    model = train_probe(encoder, train, labels, task=tasks, progress=False)
    seen = 0
    inner = encoder.encoder.forward

    def counted(x: torch.Tensor) -> torch.Tensor:
        nonlocal seen
        seen += len(x)
        return inner(x)

    monkeypatch.setattr(encoder.encoder, "forward", counted)
    table = predict(model, test, tmp_path / "p.csv", progress=False)
    assert seen == len(test)
    assert table.columns == list(prediction_columns(model.heads))
    seen = 0
    evaluate(model, test, tmp_path / "e", layouts=("standard", "shuffled"), resamples=100, progress=False)
    assert seen == 2 * len(test)


# -- the command line -------------------------------------------------------------------------------------------------


def run(*words: object) -> str:
    _register()
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_three_heads_by_the_command_line(cohorts: tuple[Cohort, Cohort], tmp_path: Path) -> None:
    train, test = cohorts
    tasks = [word for name in THREE for word in ("--task", name)]
    random = ("--init", "random", "--backbone", "small", "--image-size", 64)
    said = run("finetune", train.path, *tasks, *random, "--labels", "50", "--out", tmp_path / "m")
    assert "3 tasks" in said and "residual SD" in said and said.count("threshold") == 2
    raw = json.loads((tmp_path / "m" / "config.json").read_text())
    assert [head["kind"] for head in raw["heads"]] == ["classes", "classes", "regression"]
    assert run("check", tmp_path / "m")
    found = run("evaluate", tmp_path / "m", test.path, "--out", tmp_path / "e", *QUICK, "--json")
    result = json.loads(found)
    assert result == json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert list(result["tasks"]) == list(THREE)
    number = result["tasks"]["lvef"]["layouts"]["standard"]
    assert number["mae"]["low"] <= number["mae"]["estimate"] <= number["mae"]["high"]
    page = (tmp_path / "e" / "report.html").read_text()
    plots = re.findall(r'<img src="([^"]+)"', page)
    assert len(plots) == 9 and all((tmp_path / "e" / plot).is_file() for plot in plots) and "SIMULATED" in page
    scores = pl.read_csv(tmp_path / "e" / "scores.csv")
    one = scores.filter((pl.col("layout") == "standard") & pl.col("lvef_label").is_not_null())
    mae = (one["lvef_value"] - one["lvef_label"]).abs().mean()
    assert number["mae"]["estimate"] == pytest.approx(mae, rel=1e-6)
    assert "Mean absolute error" in run(
        *("evaluate", tmp_path / "m", test.path, "--out", tmp_path / "e", *QUICK, "--overwrite")
    )
    run("predict", tmp_path / "m", test.path, "--out", tmp_path / "p.csv")
    table = pl.read_csv(tmp_path / "p.csv")
    assert table.columns == [
        *("ecg_id", "patient_id", "af_probability", "af_logit", "af_above_threshold"),
        *("female_probability", "female_logit", "female_above_threshold", "lvef_value", "lvef_low", "lvef_high"),
        *("distance", "status", "reason"),
    ]
    assert len(table) == len(test) and table["lvef_value"].is_between(5, 95).all()
    # One task of three is evaluated as a model of that task is: the same files, the same form.
    run("evaluate", tmp_path / "m", test.path, "--task", "af", "--out", tmp_path / "a", *QUICK)
    alone = json.loads((tmp_path / "a" / "metrics.json").read_text())
    assert alone["layouts"]["standard"]["auroc"] == result["tasks"]["af"]["layouts"]["standard"]["auroc"]
    assert (tmp_path / "a" / "roc.png").is_file() and "threshold" in alone["model"]


def test_a_number_alone(cohorts: tuple[Cohort, Cohort], tmp_path: Path) -> None:
    train, test = cohorts
    model = finetune(train, task="lvef", init="random", labels="all", out=tmp_path / "m", **SMALL)
    again = load_model(tmp_path / "m", verify=True)
    assert "validation_r2" in again.config.finetuning.settings and again.heads == model.heads
    table = predict(again, test, tmp_path / "p.csv", progress=False)
    assert table.columns[2:5] == ["lvef_value", "lvef_low", "lvef_high"]
    result = evaluate(again, test, tmp_path / "e", layouts=("standard",), resamples=100, progress=False)
    assert list(result["tasks"]) == ["lvef"]
    with pytest.raises(HeartprintError) as caught:
        again.score(np.full((1, 64, 64), 255, dtype=np.uint8))
    assert caught.value.code == "needs-classes"


# -- bad input --------------------------------------------------------------------------------------------------------


def with_column(cohort: Cohort, **columns: object) -> Cohort:
    added = [pl.lit(value, dtype=pl.Float32).alias(f"label_{name}") for name, value in columns.items()]
    return Cohort(cohort.path, cohort.info, cohort.records.with_columns(added))


@pytest.mark.parametrize(
    ("tasks", "config", "code", "words"),
    [
        (("af", "femal", "lvef"), {}, "unknown-task", "Did you mean 'female'"),
        (("af", "female", "af"), {}, "task-twice", "'af'"),
        (("af", "empty"), {}, "no-labels", "'empty'"),
        (("af", "constant.yaml"), {}, "constant-target", "never changes"),
        (("outside.yaml",), {}, "no-labels", "outside the range"),
        (("lvef",), {"sensitivity": 0.9}, "no-threshold", "'lvef'"),
        ((), {}, "too-many-tasks", "0 are named"),
        (("text.yaml",), {}, "bad-task", "does not hold numbers"),
    ],
)
def test_mistakes_are_one_sentence(
    cohorts: tuple[Cohort, Cohort],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tasks: tuple[str, ...],
    config: dict[str, float],
    code: str,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, column in (("constant", "same"), ("outside", "same"), ("text", "sex")):
        low = 8 if name == "outside" else 0
        Path(f"{name}.yaml").write_text(f"kind: regression\ncolumn: {column}\nlowest: {low}\nhighest: 9\n")
    cohort = with_column(cohorts[0], empty=None, same=7.0)
    settings = FinetuneConfig.model_validate(config)
    with pytest.raises(HeartprintError) as caught:
        finetune(cohort, task=tasks, init="random", labels="40", out=tmp_path / "m", config=settings, **SMALL)
    assert caught.value.code == code and words in caught.value.message
    assert "\n" not in caught.value.message and not (tmp_path / "m").exists()


def test_what_needs_one_task_of_classes_says_so(cohorts: tuple[Cohort, Cohort], tmp_path: Path) -> None:
    train, test = cohorts
    tasks = [get_task(name, train.records) for name in ("af", "lvef")]
    labels = np.stack([task.labels(train.records).astype(float) for task in tasks])
    encoder = resolve_encoder("random", backbone="small", image_size=32)
    model = train_probe(encoder, train, labels, task=tasks, progress=False)
    for chosen, code in (((), "several-heads"), (("lvef",), "needs-classes"), (("lvf",), "unknown-task")):
        with pytest.raises(HeartprintError) as caught:
            evaluate(model, test, tmp_path / "e", tasks=chosen, battery=True, progress=False)
        assert caught.value.code == code
    nobody = with_column(test, lvef=None)
    with pytest.raises(HeartprintError, match="--task") as caught:
        evaluate(model, nobody, tmp_path / "e", progress=False)
    assert caught.value.code == "no-labels"
    assert not (tmp_path / "e").exists()
