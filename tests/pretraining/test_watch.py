"""Watching changes nothing that is learned, sees what there is to see, and stops what has collapsed."""

from __future__ import annotations

import csv
import datetime as dt
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from heartprint.cohorts import Cohort
from heartprint.cohorts.summary import GAPS
from heartprint.encoders import Seen, build_encoder, load_encoder
from heartprint.encoders.networks.encoder import Encoder
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import sha256_file
from heartprint.pretraining import PretrainConfig, pretrain
from heartprint.pretraining.batches import Batch
from heartprint.pretraining.curves import running_mean
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.methods.base import Method
from heartprint.pretraining.run_folder import Log
from heartprint.pretraining.targets import Targets
from heartprint.pretraining.watch import hold_out, watch
from heartprint.pretraining.watch.look import GAP_CLASSES, Subjects
from heartprint.pretraining.watch.patients import ECGS_PER_PATIENT
from heartprint.pretraining.watch.watch import all_alike
from heartprint.training.checkpoint import load_latest
from tests.pretraining.conftest import build, small_config

Make = Callable[..., PretrainConfig]
SHARE = {"share": 0.45, "every": 0}


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Ninety patients with two or three ECGs, six with one and two with seven; a label that half of them have."""
    made = build(tmp_path_factory.mktemp("cohorts") / "many", (2,) * 70 + (3,) * 20 + (1,) * 6 + (7,) * 2)
    tall = [float(int(i[1:]) % 2) for i in made.patient_ids.tolist()]
    return Cohort(made.path, made.info, made.records.with_columns(pl.Series("label_tall", tall, dtype=pl.Float32)))


@pytest.fixture
def watching(config: Make) -> Make:
    """Make a configuration that watches nearly half of the patients; keywords of ``watch`` are given as a mapping."""

    def make(watch: dict[str, Any] | None = None, **changes: Any) -> PretrainConfig:
        return config(**({"steps": 6, "batch_size": 8, "watch": SHARE | (watch or {})} | changes))

    return make


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures: they take longer than these runs."""
    monkeypatch.setattr(watch, "write_page", lambda *_: None)
    monkeypatch.setattr(Log, "draw_curves", lambda *_: None)


@pytest.fixture(scope="module")
def plain_run(many: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps, looked at at the start and at the end alone."""
    config = small_config(batch_size=8, steps=6, watch=SHARE)
    return pretrain(many, config, tmp_path_factory.mktemp("runs") / "plain", progress=False)


def looks(run: Path) -> list[dict[str, str]]:
    with (run / "watch.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def learned(run: Path) -> tuple[str, dict[str, torch.Tensor]]:
    found = load_latest(run / "checkpoints")
    assert found is not None
    return sha256_file(run / "encoder" / "model.safetensors"), found.tensors


def assert_same_learning(one: Path, other: Path) -> None:
    (weights, memory), (weights2, memory2) = learned(one), learned(other)
    assert weights == weights2 and memory.keys() == memory2.keys()
    assert all(torch.equal(memory[name], memory2[name]) for name in memory)


def test_hold_out_goes_by_the_patient(many: Cohort, watching: Make) -> None:
    asked = watching().watch
    learn, watched = hold_out(many, asked)
    assert not set(learn.patient_ids) & set(watched.patient_ids)
    assert set(learn.patient_ids) | set(watched.patient_ids) == set(many.patient_ids)
    assert 0.25 < watched.n_patients / many.n_patients < 0.65
    counts = np.bincount(watched.patient_codes)
    assert counts.max() <= ECGS_PER_PATIENT
    # Neither the order of the table nor the other patients decide.
    turned = many.take(np.random.default_rng(0).permutation(len(many)))
    assert hold_out(turned, asked)[1].ecg_ids.tolist() == watched.ecg_ids.tolist()
    half = many.filter(patients=np.unique(many.patient_ids)[::2].tolist())
    assert set(hold_out(half, asked)[1].patient_ids) == set(half.patient_ids) & set(watched.patient_ids)
    # Twice the share holds the same patients and more.
    small = hold_out(many, watching({"share": 0.2}).watch)[1]
    assert set(small.patient_ids) < set(watched.patient_ids)


def test_at_most_so_many_with_pairs_first(many: Cohort, watching: Make) -> None:
    learn, watched = hold_out(many, watching({"max_patients": 10}).watch)
    assert watched.n_patients == 10 and np.bincount(watched.patient_codes).min() >= 2
    assert learn.n_patients == many.n_patients - 10, "the others are learned from"


def test_watching_nobody_changes_no_cohort(many: Cohort, config: Make) -> None:
    learn, watched = hold_out(many, config().watch)
    assert learn is many and len(watched) == 0


def test_a_share_that_holds_nobody_out(single_ecgs: Cohort, config: Make) -> None:
    with pytest.raises(HeartprintError, match=r"watch\.share=0\.0001 watches none of the 5 patients") as caught:
        hold_out(single_ecgs, config(watch={"share": 0.0001}).watch)
    assert caught.value.code == "no-ecgs"


@pytest.mark.usefixtures("undrawn")
def test_watched_patients_are_never_learned_from(
    many: Cohort, watching: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in a batch, not among the targets, not among those the encoder has seen."""
    _, watched = hold_out(many, watching().watch)
    drawn: set[str] = set()
    measured: list[Cohort] = []

    def measure(cohort: Cohort, *, labels: bool = False, progress: bool = True) -> Targets:
        measured.append(cohort)
        return Targets(("one", "two"), np.zeros((len(cohort), 2), dtype=np.float32), (2,))

    from heartprint.pretraining import loop

    keep = loop.drawn_batches

    def record(method: Method, *rest: Any) -> Any:
        for batch in keep(method, *rest):
            drawn.update(method.cohort.patient_ids[batch.rows.numpy().ravel()].tolist())
            yield batch

    monkeypatch.setattr(loop, "measure_targets", measure)
    monkeypatch.setattr(loop, "drawn_batches", record)
    run = pretrain(many, watching(method="bcl_measured"), tmp_path / "run", progress=False)
    forbidden = set(watched.patient_ids.tolist())
    assert drawn and not drawn & forbidden
    assert len(measured) == 1 and not set(measured[0].patient_ids.tolist()) & forbidden
    seen = load_encoder(run / "encoder").seen
    assert not seen.overlap(many.filter(patients=forbidden)).any()
    assert len(np.intersect1d(seen.patients, Seen.of(watched).patients)) == 0
    assert seen.overlap(many).any()


@pytest.mark.usefixtures("undrawn")
def test_looking_changes_nothing_that_is_learned(plain_run: Path, many: Cohort, watching: Make, tmp_path: Path) -> None:
    state = torch.get_rng_state()
    often = pretrain(many, watching({"every": 1}), tmp_path / "often", progress=False)
    assert torch.equal(torch.get_rng_state(), state)
    assert_same_learning(often, plain_run)
    assert [int(row["step"]) for row in looks(often)] == list(range(7))
    assert [int(row["step"]) for row in looks(plain_run)] == [0, 6]
    assert looks(often)[0] == looks(plain_run)[0] and looks(often)[-1] == looks(plain_run)[-1]
    with (often / "log.csv").open() as one, (plain_run / "log.csv").open() as other:
        assert [row["loss"] for row in csv.DictReader(one)] == [row["loss"] for row in csv.DictReader(other)]


def test_a_look_leaves_the_encoder_as_it_was(many: Cohort, watching: Make) -> None:
    encoder = build_encoder("small").train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    state = torch.get_rng_state()
    _, watched = hold_out(many, watching().watch)
    Subjects(watched, watching()).look(encoder, 0)
    assert encoder.training and all(module.training for module in encoder.modules())
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_resuming_is_exact_and_may_look_at_other_steps(
    plain_run: Path, many: Cohort, watching: Make, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    pretrain(many, watching({"every": 2}, workers=1), run, stop_after_steps=3, progress=False)
    assert [int(row["step"]) for row in looks(run)] == [0, 2], "stopping is no reason to look"
    assert "The last look, at step 2" in (run / "run.html").read_text()
    pretrain(many, watching({"every": 5, "stop_on_collapse": False}), run, resume=True, progress=False)
    assert [int(row["step"]) for row in looks(run)] == [0, 2, 5, 6]
    assert_same_learning(run, plain_run)
    assert looks(run)[-1] == looks(plain_run)[-1]
    with pytest.raises(HeartprintError, match=r"watch\.share was 0\.45, is 0\.3") as caught:
        pretrain(many, watching({"share": 0.3}), run, resume=True, progress=False)
    assert caught.value.code == "config-changed"


@pytest.mark.usefixtures("undrawn")
def test_a_killed_run_goes_back_to_its_checkpoint(
    plain_run: Path, many: Cohort, watching: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies in step 4, the last checkpoint is of step 2; what was seen afterwards is seen again."""
    run, chosen, step = tmp_path / "run", watching({"every": 1}, checkpoint_every=2), Learner.step

    def die(self: Learner, batch: Batch) -> Any:
        if batch.key.step == 3:
            raise SystemError("killed")
        return step(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", die)
        with pytest.raises(SystemError):
            pretrain(many, chosen, run, progress=False)
    before = looks(run)
    assert len(before) == 4
    with (run / "watch.csv").open("a") as handle:
        handle.write("4,0.1")
    pretrain(many, chosen, run, resume=True, progress=False)
    assert looks(run)[:4] == before and [int(row["step"]) for row in looks(run)] == list(range(7))
    assert_same_learning(run, plain_run)


def test_what_a_look_tells(plain_run: Path, many: Cohort, watching: Make) -> None:
    first, last = looks(plain_run)
    for name in ("rank_1", "rank_5", "equal_error_rate", "same_layout_rank_1", "probe_auroc_tall", "knn_auroc_tall"):
        for row in (first, last):
            assert 0 <= float(row[f"{name}_low"]) <= float(row[name]) <= float(row[f"{name}_high"]) <= 1
    # One layout is easier than two: these patients' signals repeat.
    assert float(last["same_layout_rank_1"]) > float(last["rank_1"])
    assert last["tar_far_0_1pct"] == "", "too few comparisons to resolve it"
    assert 2 < float(last["effective_rank"]) < 100 and last["effective_rank_low"] == ""
    # Visits are a year apart, which is 366 days from 2000 to 2001: no pair has a shorter gap.
    assert last["equal_error_rate_gap_same_day"] == "" and float(last["equal_error_rate_gap_over_1_year"]) > 0
    _, watched = hold_out(many, watching().watch)
    subjects = Subjects(watched, watching())
    assert set(last) == {"step", *(f"{n}{end}" for n in subjects.names for end in ("", "_low", "_high"))}


def test_gaps(many: Cohort, config: Make) -> None:
    dates = ("2001-01-01 09:00", "2001-01-01 18:00", "2001-01-08", "2001-01-09", "2001-01-31", "2002-01-01")
    at = [*(dt.datetime.fromisoformat(day) for day in dates), None]
    few = many.take(range(len(at)))
    few = Cohort(few.path, few.info, few.records.with_columns(pl.Series("recorded_at", at, dtype=pl.Datetime("us"))))
    subjects = Subjects(few, config())
    assert [subjects.gap(0, k) for k in range(7)] == [
        "same_day", "same_day", "up_to_1_week", "up_to_1_month", "up_to_1_month", "up_to_1_year", "unknown"
    ]  # fmt: skip
    assert subjects.gap(5, 1) == "up_to_1_year" and list(GAP_CLASSES)[: len(GAPS)] == list(GAPS)


def test_hardest_pairs_by_hand(many: Cohort, config: Make) -> None:
    rows = [int(np.flatnonzero(many.patient_ids == p)[k]) for p, k in (("p0", 0), ("p0", 1), ("p1", 0), ("p1", 1))]
    subjects = Subjects(many.take(rows), config())
    similarity = np.array([[1.0, 0.2, 0.9, 0.1], [0.6, 1, 0.1, 0.5], [0, 0, 1, 0.8], [0.3, 0.7, 0.8, 1]])
    first, second = subjects._hardest(similarity)
    assert (first.probe, first.mate, first.impostor) == (0, 1, 2)
    assert (first.similarity, first.impostor_similarity) == (0.2, 0.9)
    assert (second.probe, second.mate, second.impostor) == (3, 2, 1), "one of each patient"


def test_unknown_labels_are_refused_before_anything_is_written(many: Cohort, watching: Make, tmp_path: Path) -> None:
    for task, code in (("small", "unknown-task"), ("lvef_below_40", "label-missing")):
        with pytest.raises(HeartprintError) as caught:
            pretrain(many, watching({"tasks": [task]}), tmp_path / "run", progress=False)
        assert caught.value.code == code and not (tmp_path / "run").exists()


def test_a_label_too_rare_has_a_reason(many: Cohort, watching: Make) -> None:
    rare = np.where(np.arange(len(many)) < 2, 1.0, 0.0)
    cohort = Cohort(many.path, many.info, many.records.with_columns(pl.Series("label_rare", rare)))
    _, watched = hold_out(cohort, watching().watch)
    assert list(Subjects(watched, watching()).tasks) == ["tall"]
    asked = Subjects(watched, watching({"tasks": ["rare"]}))
    estimate = asked.look(build_encoder("small"), 0).estimates["probe_auroc_rare"]
    assert estimate.interval is None and "10 of each" in estimate.reason


def constant(self: Encoder, x: torch.Tensor) -> torch.Tensor:
    """An encoder that has collapsed: every page gives the same embedding, but for noise on the last digits."""
    still: torch.Tensor = self.network(x)
    return torch.ones_like(still) + 1e-9 * still


def one_direction(self: Encoder, x: torch.Tensor) -> torch.Tensor:
    """An encoder that kept one number of every page."""
    still: torch.Tensor = self.network(x)
    return still[:, :1] * torch.linspace(-1, 1, still.shape[1])


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("forward", [constant, one_direction])
def test_a_collapsed_run_stops(
    forward: Any, many: Cohort, watching: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Encoder, "forward", forward)
    run, chosen = tmp_path / "run", watching({"every": 1}, steps=10, warmup_share=0.2, checkpoint_every=3)
    with pytest.raises(HeartprintError, match="At step 4") as caught:
        pretrain(many, chosen, run, progress=False)
    assert caught.value.code == "collapsed" and "watch.stop_on_collapse=false" in caught.value.message
    found = load_latest(run / "checkpoints")
    assert found is not None and found.step == 3 and not (run / "encoder").exists()
    # Steps 1 and 2 are warm-up; 3 and 4 are two looks in a row.
    assert [int(row["step"]) for row in looks(run)] == [0, 1, 2, 3, 4]
    with pytest.raises(HeartprintError, match="At step 4"):
        pretrain(many, chosen, run, resume=True, progress=False)
    on = watching({"every": 1, "stop_on_collapse": False}, steps=10, warmup_share=0.2, checkpoint_every=3)
    pretrain(many, on, run, resume=True, stop_after_steps=2, progress=False)
    assert len(looks(run)) == 6


def test_two_looks_make_a_collapse() -> None:
    well = {"effective_rank": 8.0, "mean_cosine": 0.9991}
    flat, alike = well | {"effective_rank": 1.4}, well | {"mean_cosine": 0.9999999}
    assert all_alike([flat, alike]) and all_alike([flat, flat])
    assert not all_alike([well, flat]) and not all_alike([flat, well]) and not all_alike([flat])


def test_the_page_is_whole_and_names_nobody(plain_run: Path, many: Cohort) -> None:
    page = (plain_run / "run.html").read_text()
    words = re.sub(r"data:image/svg\+xml;base64,[^\"]+", "", page)
    assert "SIMULATED" in words and "finished" in words and "6 of 6" in words
    assert "Identification rate, rank 1" in words and "Hardest pairs" in words and "&gt; 1 year" in words
    assert not re.search(r"(src|href)=\"(?!#|data:|\")", page.replace('src="data', "")), "nothing is fetched"
    assert page.count("data:image/svg+xml") == 3
    for patient in set(many.patient_ids.tolist()):
        assert not re.search(rf"\b{patient}\b", words) and f"{patient}v" not in words


def test_a_page_without_watching(cohort: Cohort, config: Make, tmp_path: Path) -> None:
    run = pretrain(cohort, config(steps=2), tmp_path / "run", progress=False)
    page = (run / "run.html").read_text()
    assert "Nobody is watched" in page and "watch.share=0.1" in page and page.count("data:image/svg+xml") == 1
    assert not (run / "watch.csv").exists()


@pytest.mark.usefixtures("undrawn")
def test_the_look_is_said(many: Cohort, watching: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pretrain(many, watching(steps=1), tmp_path / "run", progress=True)
    assert re.search(
        r"Watched at step 0: rank-1 \d+%, EER 0\.\d\d, effective rank .*tall AUROC", capsys.readouterr().err
    )


def test_tensorboard_is_asked_for_in_one_sentence(
    cohort: Cohort, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(HeartprintError, match=r"heartprint\[tensorboard\]") as caught:
        pretrain(cohort, config(watch={"tensorboard": True}), tmp_path / "run", progress=False)
    assert caught.value.code == "tensorboard-missing" and not (tmp_path / "run").exists()


@pytest.mark.usefixtures("undrawn")
def test_tensorboard_gets_every_number(plain_run: Path, many: Cohort, watching: Make, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tmp_path / "run"
    chosen = watching({"tensorboard": True})
    pretrain(many, chosen, run, stop_after_steps=3, progress=False)
    pretrain(many, chosen, run, resume=True, progress=False)
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in events.Scalars("watched/effective_rank")] == [0, 6]
    assert_same_learning(run, plain_run)


def test_running_mean() -> None:
    values = np.random.default_rng(0).normal(size=60)
    values[7] = np.nan
    smooth = running_mean(values)
    assert smooth is not None
    for k in (0, 6, 30, 59):
        assert smooth[k] == pytest.approx(np.nanmean(values[max(0, k - 4) : k + 5]))
    assert running_mean(values[:10]) is None
