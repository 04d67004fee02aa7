from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from heartprint.cohorts import TASKS, Cohort, get_task
from heartprint.encoders import LoadedEncoder, embed_cohort, resolve_encoder
from heartprint.finetuning import FinetuneConfig, score_cohort, train_full, train_probe, train_to_rank
from heartprint.finetuning.full import _Best
from heartprint.finetuning.loss import validation_loss
from heartprint.finetuning.network import Network, settle
from heartprint.finetuning.targets import Target
from heartprint.finetuning.views import draw_views, drawn_ahead
from heartprint.foundation.errors import HeartprintError
from heartprint.metrics.auroc import auroc
from heartprint.metrics.calibration import PlattScaling, threshold_at_sensitivity
from heartprint.metrics.probe import fit_probe
from tests.finetuning.tiny import make_cohort

FAST = FinetuneConfig(mode="full", min_steps=6, epochs=1, batch_size=16, head_views=2, checks=3, workers=1)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("cohort") / "tiny", 50, 2)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("other") / "tiny", 20, 1, seed=7, prefix="q")


@pytest.fixture(scope="module")
def encoder() -> LoadedEncoder:
    torch.set_num_threads(1)
    return resolve_encoder("random", backbone="small", image_size=64, seed=3)


def test_probe_is_the_probe_of_the_embeddings(cohort: Cohort, encoder: LoadedEncoder, other: Cohort) -> None:
    labels, task = cohort.labels("tall"), get_task("tall", cohort.records)
    model = train_probe(encoder, cohort, labels, task=task, progress=False)
    embedding = embed_cohort(encoder, cohort, progress=False)
    probe = fit_probe(embedding, labels, cohort.patient_codes)
    logits, probabilities = score_cohort(model, other, progress=False)
    np.testing.assert_allclose(
        logits, probe.decision(embed_cohort(encoder, other, progress=False)), rtol=1e-3, atol=1e-3
    )
    platt = PlattScaling.fit(probe.cross_fitted_scores, labels)
    np.testing.assert_allclose(probabilities, platt(logits), atol=1e-9)
    assert model.threshold == pytest.approx(
        threshold_at_sensitivity(labels, platt(probe.cross_fitted_scores), 0.9), abs=1e-9
    )
    assert model.config.finetuning.n_labels == len(cohort)
    assert model.config.finetuning.n_positive == int(labels.sum())
    assert model.seen.overlap(cohort).all()
    assert not model.seen.overlap(other).any()


def test_threshold_keeps_the_sensitivity_inside_the_budget(cohort: Cohort, encoder: LoadedEncoder) -> None:
    labels, task = cohort.labels("tall"), get_task("tall", cohort.records)
    thresholds = [
        train_probe(encoder, cohort, labels, task=task, config=FinetuneConfig(sensitivity=s), progress=False).threshold
        for s in (0.5, 0.9, 1.0)
    ]
    assert thresholds[0] >= thresholds[1] >= thresholds[2]


def test_full_fine_tuning_learns_and_leaves_the_encoder_alone(
    cohort: Cohort, encoder: LoadedEncoder, other: Cohort
) -> None:
    before = {k: v.clone() for k, v in encoder.encoder.state_dict().items()}
    labels, task = cohort.labels("tall"), get_task("tall", cohort.records)
    config = FAST.model_copy(update={"min_steps": 24, "layouts": ("standard", "shuffled")})
    model = train_full(encoder, cohort, labels, task=task, config=config, progress=False)
    assert all(torch.equal(before[k], v) for k, v in encoder.encoder.state_dict().items())
    settings = model.config.finetuning.settings
    assert settings["calibrated_on"] == "validation patients"
    assert settings["n_validation"] < len(cohort)
    assert model.config.finetuning.n_labels == len(cohort)  # validation labels are counted
    logits, _ = score_cohort(model, other, progress=False)
    assert auroc(other.labels("tall"), logits) > 0.8
    assert model.config.finetuning.mode == "full"
    assert not model.encoder.encoder.training


def test_full_fine_tuning_repeats_itself(cohort: Cohort, encoder: LoadedEncoder) -> None:
    labels, task = cohort.labels("tall"), get_task("tall", cohort.records)
    one, two = (
        train_full(
            encoder,
            cohort,
            labels,
            task=task,
            config=FAST.model_copy(update={"workers": workers}),
            progress=False,
        )
        for workers in (1, 3)
    )
    np.testing.assert_array_equal(one.weights, two.weights)
    assert one.threshold == two.threshold
    assert one.platt == two.platt


@pytest.mark.parametrize(("n_positive", "calibrated_on"), [(3, "out-of-fold scores"), (2, "frozen stage")])
def test_few_labels_are_all_trained_on_and_calibrated_out_of_fold(
    cohort: Cohort, encoder: LoadedEncoder, n_positive: int, calibrated_on: str
) -> None:
    labels = cohort.labels("tall")
    rows = np.concatenate([np.flatnonzero(labels == 1)[: 2 * n_positive : 2], np.flatnonzero(labels == 0)[:12:2]])
    part, task = cohort.take(rows), get_task("tall", cohort.records)
    model = train_full(encoder, part, labels[rows], task=task, config=FAST, progress=False)
    settings = model.config.finetuning.settings
    assert calibrated_on in settings["calibrated_on"]
    assert settings["steps_kept"] == settings["steps"] == FAST.min_steps
    assert settings["n_validation"] == len(rows) == model.config.finetuning.n_labels
    assert 0 < model.threshold < 1
    _, weights, bias = train_to_rank(encoder, part, labels[rows], config=FAST, progress=False)
    np.testing.assert_array_equal(weights.astype(model.weights.dtype), model.weights[0])
    assert bias == pytest.approx(model.bias[0])


def test_the_smallest_batch_still_trains(cohort: Cohort, encoder: LoadedEncoder) -> None:
    rows = np.concatenate([np.arange(0, 6, 2), np.arange(80, 84, 2)])
    part, task = cohort.take(rows), get_task("tall", cohort.records)
    config = FAST.model_copy(update={"batch_size": 1, "min_steps": 2})
    model = train_full(encoder, part, part.labels("tall"), task=task, config=config, progress=False)
    assert np.isfinite(model.weights).all()


def test_the_network_starts_as_the_probe(cohort: Cohort, encoder: LoadedEncoder) -> None:
    labels = cohort.labels("tall")
    embedding = embed_cohort(encoder, cohort, progress=False)
    embedding[:, 3] = 7.0  # a dead feature
    probe = fit_probe(embedding, labels, cohort.patient_codes)
    network = Network(copy.deepcopy(encoder.encoder), [probe], [2.5]).eval()
    (weights,), (bias,) = network.rules()
    np.testing.assert_allclose(embedding @ weights + bias, 2.5 * probe.decision(embedding), rtol=1e-3, atol=1e-3)
    assert weights[3] == 0
    x = encoder.page_to_tensor(draw_views(FAST.images(encoder.config), cohort, np.arange(4), 0, FAST))
    with torch.inference_mode():
        direct = network.encoder(x).numpy().astype(float) @ weights + bias
        np.testing.assert_allclose(network(x).numpy()[:, 0], direct, rtol=1e-3, atol=1e-3)


def test_settling_makes_the_resting_encoder_agree_with_the_training_one(cohort: Cohort, encoder: LoadedEncoder) -> None:
    own = dataclasses.replace(encoder, encoder=copy.deepcopy(encoder.encoder))
    pages = draw_views(FAST.images(encoder.config), cohort, np.arange(40), 0, FAST)
    x = own.page_to_tensor(pages)

    def apart() -> float:
        with torch.no_grad():
            training = copy.deepcopy(own.encoder).train()(x)
            return float((training - own.encoder(x)).abs().mean() / training.std())

    before, weights = apart(), [p.clone() for p in own.encoder.parameters()]
    settle(own, [pages])
    assert apart() < min(0.05, before / 3)
    assert all(torch.equal(a, b) for a, b in zip(weights, own.encoder.parameters(), strict=True))
    assert not own.encoder.training


def test_one_class_is_refused(cohort: Cohort, encoder: LoadedEncoder) -> None:
    part = cohort.take(np.flatnonzero(cohort.labels("tall") == 1))
    for train, config in ((train_probe, FinetuneConfig()), (train_full, FAST)):
        with pytest.raises(HeartprintError) as caught:
            train(
                encoder,
                part,
                part.labels("tall"),
                task=get_task("tall", part.records),
                config=config,
                progress=False,
            )
        assert caught.value.code == "one-class-only"


def test_a_diverging_run_says_so(cohort: Cohort, encoder: LoadedEncoder) -> None:
    config = FAST.model_copy(update={"learning_rate": 1e30, "head_learning_rate": 1e30})
    with pytest.raises(HeartprintError) as caught:
        train_full(
            encoder,
            cohort,
            cohort.labels("tall"),
            task=get_task("tall", cohort.records),
            config=config,
            progress=False,
        )
    assert caught.value.code == "not-finite"
    assert "learning rate" in caught.value.message


def test_views_depend_on_the_ecg_and_the_epoch_and_nothing_else(cohort: Cohort, encoder: LoadedEncoder) -> None:
    images = FAST.images(encoder.config)
    one = draw_views(images, cohort, np.array([4, 7, 9]), 0, FAST)
    two = draw_views(images, cohort.take([9, 3, 4]), np.array([2, 0]), 0, FAST)
    np.testing.assert_array_equal(one[[0, 2]], two)
    assert not np.array_equal(one, draw_views(images, cohort, np.array([4, 7, 9]), 1, FAST))
    assert not np.array_equal(
        one, draw_views(images, cohort, np.array([4, 7, 9]), 0, FAST.model_copy(update={"seed": 1}))
    )


def test_drawing_ahead_keeps_the_order(cohort: Cohort, encoder: LoadedEncoder) -> None:
    parts = [(e, np.array([e, e + 10])) for e in range(9)]
    config = FAST.model_copy(update={"workers": 3})
    images = config.images(encoder.config)
    for (epoch, rows), pages in zip(parts, drawn_ahead(images, cohort, parts, config), strict=True):
        np.testing.assert_array_equal(pages, draw_views(images, cohort, rows, epoch, config))


def test_the_best_step_is_the_one_that_explains_validation_best() -> None:
    positive = np.arange(40) < 20
    good = np.where(positive, 1.0, -1.0) + np.linspace(-1.5, 1.5, 40) * np.tile([1, -1], 20)
    target = Target(TASKS["af"], positive.astype(float))
    layer = torch.nn.Linear(1, 1)
    best = _Best(layer)
    for step, scores in ((0, 0.1 * good[::-1]), (1, 100 * good), (2, np.zeros(40))):
        torch.nn.init.constant_(layer.weight, step)
        best.offer(step, scores, validation_loss([target], np.arange(40), scores[None]))
    assert best.restore(layer) == 1
    assert layer.weight.item() == 1
    np.testing.assert_array_equal(best.scores, 100 * good)
