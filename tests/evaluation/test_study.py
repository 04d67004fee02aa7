"""The study engine: configuration, plan, cells, resume, refusals, statistics."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from heartprint.cohorts import Cohort
from heartprint.evaluation.study import run as engine
from heartprint.evaluation.study.cells import RESULT_COLUMNS, CellStore, cells_of, table_of_tests
from heartprint.evaluation.study.config import FEATURES, StudyConfig
from heartprint.evaluation.study.encoders import Encoders, cached, unequal
from heartprint.evaluation.study.plan import EVERY_FOLD, all_tests, make_plan
from heartprint.evaluation.study.statistics import compute_statistics
from heartprint.foundation.config import load_config, validate_config
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import claimed
from heartprint.metrics import auroc
from tests.evaluation.fabricated import (
    encoder_summary,
    fabricate_plan,
    fabricate_result,
    study_values,
    write_patients,
)

REPOSITORY = Path(__file__).resolve().parents[2]


def make_config(**changes: Any) -> StudyConfig:
    return validate_config(study_values(**changes), StudyConfig)


class TestConfig:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"reference": "blc"}, "there is no encoder 'blc'"),
            ({"external": ["internl"]}, "there is no cohort 'internl'"),
            ({"protocol": {"split": 0.3, "cross_validation": 5}}, "exactly one"),
            ({"protocol": {}}, "exactly one"),
            ({"budgets": [20, 20]}, "twice"),
            ({"budgets": [1.5]}, "neither a number of patients nor a share"),
            ({"budgetz": [20]}, "Did you mean 'budgets'"),
            ({"cohorts": {"internal": {}, "external": {"path": "x"}}}, "needs a path"),
            ({"full": [{"encoder": "bcl", "task": "af", "budget": 77}]}, "there is no budget '77'"),
        ],
    )
    def test_mistakes_are_named(self, changes: dict[str, Any], words: str) -> None:
        with pytest.raises(HeartprintError) as error:
            make_config(**changes)
        assert error.value.code == "bad-config"
        assert words in error.value.message

    def test_an_encoder_needs_one_origin(self) -> None:
        both = {"name": "x", "group": "small", "init": "random", "pretrain": {"cohort": "internal", "method": "bcl"}}
        with pytest.raises(HeartprintError, match="exactly one of init and pretrain"):
            make_config(encoders=[both], reference="x")

    @pytest.mark.parametrize("file", sorted(p.name for p in (REPOSITORY / "configs").glob("*.yaml")))
    def test_every_packaged_configuration_is_valid(self, file: str) -> None:
        config = load_config(REPOSITORY / "configs" / file, [], StudyConfig)
        for entry in config.encoders:
            if entry.pretrain:
                plan = type("Plan", (), {"config": config})()
                made = Encoders(plan, Path("unused")).pretrain_config(entry)  # type: ignore[arg-type]
                assert made.backbone == config.groups[entry.group].backbone


class TestPlan:
    def test_nobody_is_on_both_sides(self, tmp_path: Path) -> None:
        plan = fabricate_plan(tmp_path, make_config(protocol={"cross_validation": 3}))
        view = plan.views["internal"]
        seen: list[str] = []
        for fold in range(3):
            tested = set(view.patient_ids[plan.folds == fold].tolist())
            assert not tested & set(view.patient_ids[plan.train_rows(fold)].tolist())
            seen += sorted(tested)
        assert len(seen) == len(set(seen)) == view.n_patients

    def test_budgets_are_nested_counted_and_inside_the_training_part(self, tmp_path: Path) -> None:
        plan = fabricate_plan(tmp_path, make_config())
        for draw in range(4):
            drawn = plan.draw("lvef_below_40", 0, draw)
            assert set(drawn["20"][1]) <= set(drawn["60"][1]) <= set(plan.train_rows(0))
            assert len(drawn["20"][1]) == 20
            assert ("all" in drawn) == (draw == 0)
            assert (plan.labels["lvef_below_40"][drawn["20"][1]] == 1).sum() >= 2

    def test_one_ecg_per_patient(self, tmp_path: Path) -> None:
        plan = fabricate_plan(tmp_path, make_config(ecgs_per_patient="one"))
        view, whole = plan.views["internal"], plan.cohorts["internal"]
        assert len(view) == view.n_patients == whole.n_patients == len(whole) // 2
        # A patient's ECG stays the same when others leave.
        fewer = whole.filter(patients=view.patient_ids[::2].tolist())
        again = make_plan(plan.config, {**plan.cohorts, "internal": fewer}).views["internal"]
        assert set(again.ecg_ids) <= set(view.ecg_ids)

    def test_an_impossible_budget_is_told_before_anything_runs(self, tmp_path: Path) -> None:
        with pytest.raises(HeartprintError) as error:
            fabricate_plan(tmp_path, make_config(budgets=[20, 5000]))
        assert error.value.code == "budget-too-large"
        assert "task 'af'" in error.value.message

    def test_an_external_cohort_with_home_patients_is_refused(self, tmp_path: Path) -> None:
        home = write_patients(tmp_path / "home", 200)
        part = home.take(np.arange(100))
        with pytest.raises(HeartprintError) as error:
            make_plan(make_config(), {"internal": home, "external": part})
        assert error.value.code == "patient-on-both-sides"

    def test_a_copied_waveform_is_found_under_another_name(self, tmp_path: Path) -> None:
        home, other = write_patients(tmp_path / "a", 200), write_patients(tmp_path / "b", 200, seed=1)
        hashes = other.records["waveform_hash"].to_list()
        hashes[7] = home.records["waveform_hash"][3]
        copied = Cohort(
            other.path, other.info, other.records.with_columns(pl.Series("waveform_hash", hashes, dtype=pl.UInt64))
        )
        with pytest.raises(HeartprintError, match="1 patients"):
            make_plan(make_config(), {"internal": home, "external": copied})

    def test_a_task_without_labels_elsewhere_is_noted_not_hidden(self, tmp_path: Path) -> None:
        cohorts = {
            "internal": write_patients(tmp_path / "a", 200),
            "external": write_patients(tmp_path / "b", 200, seed=1, lvef=False),
        }
        plan = make_plan(make_config(), cohorts)
        assert set(plan.absent) == {("external", "lvef_below_40")}
        assert [t.cohort for t in plan.tests["lvef_below_40", 0]] == ["internal"]


class TestCells:
    def test_the_key_follows_what_determines_the_scores(self, tmp_path: Path) -> None:
        plan = fabricate_plan(tmp_path, make_config())
        base = [c.key for c in cells_of(plan, "bcl", "small", "af", 0, "weights 1")]
        assert len(set(base)) == len(base) == 2 * 4 + 1
        assert not set(base) & {c.key for c in cells_of(plan, "bcl", "small", "af", 0, "weights 2")}
        assert not set(base) & {c.key for c in cells_of(plan, "bcl", "small", "female", 0, "weights 1")}
        again = fabricate_plan(tmp_path / "again", make_config(title="Other", budgets=["all", 20], draws=2))
        kept = [c.key for c in cells_of(again, "bcl", "small", "af", 0, "weights 1")]
        assert set(kept) <= set(base)

    def test_an_interrupted_study_goes_on_and_repeats_nothing(self, tmp_path: Path) -> None:
        plan = fabricate_plan(tmp_path, make_config())
        store = CellStore(tmp_path / "cells")
        cells = list(cells_of(plan, "bcl", "small", "af", 0, "weights"))
        ran: list[str] = []

        def compute(cell: Any) -> list[Any]:
            if len(ran) == 5:
                raise KeyboardInterrupt
            ran.append(cell.key)
            rng = np.random.default_rng(cell.draw)
            return [rng.normal(size=len(t.labels)) for t in plan.tests["af", 0]]

        with pytest.raises(KeyboardInterrupt):
            engine.run_cells(plan, store, cells, compute, None)
        assert len(store.load("bcl", "af", 0, "probe")) == 2 * 5  # two test cohorts
        ran.append("resumed")
        table, done = engine.run_cells(plan, store, cells, compute, None)
        assert done == len(cells) - 5
        assert table["key"].n_unique() == len(cells)
        assert engine.run_cells(plan, store, cells, compute, None)[1] == 0

    def test_a_damaged_cell_file_is_run_again(self, tmp_path: Path) -> None:
        store = CellStore(tmp_path)
        store.save("bcl", "af", 0, "probe", pl.DataFrame(schema=RESULT_COLUMNS))
        next(tmp_path.rglob("*.parquet")).write_bytes(b"PAR1 cut short")
        assert store.load("bcl", "af", 0, "probe").height == 0

    def test_an_array_on_disk_is_not_computed_again_and_a_damaged_one_is(self, tmp_path: Path) -> None:
        calls = []

        def compute() -> Any:
            calls.append(1)
            return np.arange(6, dtype=np.float32).reshape(2, 3)

        for _ in range(2):
            np.testing.assert_array_equal(cached(tmp_path / "a.npz", compute), compute())
        assert len(calls) == 3
        (tmp_path / "a.npz").write_bytes(b"nothing")
        assert cached(tmp_path / "a.npz", compute).shape == (2, 3)


class TestStatistics:
    def test_estimates_are_the_means_of_the_cells(self, tmp_path: Path) -> None:
        result = fabricate_result(tmp_path, make_config())
        for e in result.statistics.estimates:
            cells = result.results.filter(
                (pl.col("encoder") == e.encoder)
                & (pl.col("task") == e.task)
                & (pl.col("budget") == e.budget)
                & (pl.col("cohort") == e.cohort)
            )
            assert e.auroc.estimate == pytest.approx(cells["auroc"].mean(), abs=1e-6)
            assert e.auroc.low <= e.auroc.estimate <= e.auroc.high
            assert e.n_draws == cells.height

    def test_scores_stand_in_the_order_of_the_test_sets(self, tmp_path: Path) -> None:
        result = fabricate_result(tmp_path, make_config())
        row = result.results.filter(pl.col("cohort") == "external").row(3, named=True)
        part = result.test_sets.filter((pl.col("task") == row["task"]) & (pl.col("cohort") == "external"))
        assert auroc(part["label"].to_numpy(), np.array(row["scores"])) == pytest.approx(row["auroc"], abs=1e-6)

    def test_cross_validation_averages_within_folds(self, tmp_path: Path) -> None:
        config = make_config(protocol={"cross_validation": 3}, tasks=["female"], draws=2)
        result = fabricate_result(tmp_path, config)
        e = next(e for e in result.statistics.estimates if e.encoder == "bcl" and e.cohort == "internal")
        cells = result.results.filter(
            (pl.col("encoder") == "bcl") & (pl.col("cohort") == "internal") & (pl.col("budget") == e.budget)
        )
        assert cells.height == 3 * e.n_draws
        assert e.auroc.estimate == pytest.approx(cells["auroc"].mean(), abs=1e-6)
        external = result.test_sets.filter(pl.col("cohort") == "external")
        assert external["fold"].unique().to_list() == [EVERY_FOLD]

    def test_full_fine_tuning_is_compared_with_the_probe_of_the_same_draws(self, tmp_path: Path) -> None:
        config = make_config(full=[{"encoder": "bcl", "task": "af", "budget": 60, "draws": 2}], tasks=["af"])
        result = fabricate_result(tmp_path, config)
        found = result.statistics.full_minus_probe
        assert {(d.encoder, d.mode, d.other_mode, d.budget, d.n_draws) for d in found} == {
            ("bcl", "full", "probe", "60", 2)
        }
        assert all(d.mode == "probe" for d in result.statistics.differences)
        assert not result.statistics.full_differences

    def test_fully_fine_tuned_rows_are_compared_on_the_draws_they_share(self, tmp_path: Path) -> None:
        full = [{"encoder": name, "task": "af", "budget": 60, "draws": n} for name, n in (("bcl", 3), ("random", 2))]
        config = make_config(full=full, tasks=["af"], draws=4)
        result = fabricate_result(tmp_path, config)
        found = result.statistics.full_differences
        assert {(d.encoder, d.mode, d.other, d.other_mode, d.budget, d.n_draws) for d in found} == {
            ("bcl", "full", "random", "full", "60", 2)
        }
        d = next(d for d in found if d.cohort == "external")
        cells = result.results.filter((pl.col("mode") == "full") & (pl.col("cohort") == "external"))
        shared = cells.filter(pl.col("draw") < 2).group_by("encoder").agg(pl.col("auroc").mean())
        by = dict(zip(shared["encoder"], shared["auroc"], strict=True))
        assert d.auroc.estimate == pytest.approx(by["bcl"] - by["random"], abs=1e-6)

    def test_a_real_difference_is_clear_of_zero_and_a_missing_one_is_not(self, tmp_path: Path) -> None:
        config = make_config(tasks=["female"], budgets=[60], draws=4)
        plan = fabricate_plan(tmp_path, config)
        rng = np.random.default_rng(1)
        rows = []
        for name, strength in (("bcl", 1.5), ("simclr", 0.2), ("random", 1.5)):
            for cell in cells_of(plan, name, "small", "female", 0, name):
                scores = [t.labels * strength + rng.normal(size=len(t.labels)) for t in plan.tests["female", 0]]
                rows += engine.cell_rows(plan, cell, scores)
        results = pl.DataFrame(rows, schema=RESULT_COLUMNS)
        got = compute_statistics(config, results, table_of_tests(iter(all_tests(plan))), progress=False)
        clear = {d.other: d.auroc.low > 0 for d in got.differences if d.cohort == "external"}
        assert clear == {"simclr": True, "random": False}


def test_unequal_recipes_are_marked() -> None:
    config = make_config()
    group = [
        encoder_summary(config, "bcl"),
        encoder_summary(config, "simclr", steps=200, temperature=0.5),
        encoder_summary(config, "random", baseline="median"),
    ]
    found = unequal(group, "bcl")
    assert found["bcl"] == []
    assert found["simclr"] == ["steps 200, BCL has 120", "temperature 0.5, BCL has 0.1"]
    assert found["random"] == ["baseline median, BCL has none"]


def tiny_values(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    """A study that runs for real in seconds."""
    small = {"backbone": "small", "image_size": 32, "pretraining": {"steps": 2, "batch_size": 8, "workers": 0}}
    values = study_values(
        cohorts={
            "internal": {"simulate": {"patients": 150}},
            "external": {"simulate": {"patients": 80, "hospital": "external"}},
        },
        groups={"small": small},
        encoders=[
            {"name": "bcl", "title": "BCL", "group": "small", "pretrain": {"cohort": "internal", "method": "bcl"}},
            {"name": "random", "group": "small", "init": "random"},
        ],
        tasks=["female"],
        budgets=[20, "all"],
        draws=2,
        resamples=100,
    )
    return {**values, **changes}


class TestRun:
    @pytest.fixture(autouse=True)
    def _one_thread(self) -> None:
        import torch

        torch.set_num_threads(1)

    def test_a_study_runs_resumes_and_extends(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = validate_config(tiny_values(tmp_path), StudyConfig)
        out = tmp_path / "study"
        first = engine.run_study(config, out, progress=False)
        assert first.n_computed == 3 * 3  # bcl, random, features
        for name in ("report.html", "report.json", "results.parquet", "test_sets.parquet", "study.yaml"):
            assert (out / name).is_file()
        assert set(first.results["encoder"]) == {"bcl", "random", FEATURES}
        # Same labels for every row of the comparison.
        used = first.results.group_by("budget", "draw", "cohort").agg(pl.col("n_positive").n_unique())
        assert used["n_positive"].max() == 1

        monkeypatch.setattr("heartprint.evaluation.study_report.write_report", lambda *_, **__: None)  # seconds each
        again = engine.run_study(load_config(out / "study.yaml", [], StudyConfig), out, progress=False)
        assert again.n_computed == 0
        assert again.results.equals(first.results)

        more = validate_config(tiny_values(tmp_path, draws=3), StudyConfig)
        assert engine.run_study(more, out, progress=False, overwrite=True).n_computed == 3

    def test_pretraining_leaves_the_test_patients_out(self, tmp_path: Path) -> None:
        config = validate_config(tiny_values(tmp_path, protocol={"cross_validation": 2}, external=[]), StudyConfig)
        plan = make_plan(config, engine._open_cohorts(config, tmp_path / "cohorts", False))
        encoders = Encoders(plan, tmp_path / "work", progress=False)
        entry = config.encoder("bcl")
        assert encoders.folds_of(entry) == [0, 1]
        for fold in range(2):
            learned = set(encoders.pretraining_cohort(entry, fold).patient_ids.tolist())
            tested = set(plan.views["internal"].patient_ids[plan.folds == fold].tolist())
            assert learned and not learned & tested
            loaded = encoders.load(entry, fold)
            assert not loaded.seen.overlap(plan.test_cohorts(fold)[0]).any()

    def test_a_resumed_study_fine_tunes_on_the_device(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Embeddings come from disk then; the network is moved all the same."""
        import torch

        config = validate_config(tiny_values(tmp_path, external=[]), StudyConfig)
        plan = make_plan(config, engine._open_cohorts(config, tmp_path / "cohorts", False))
        asked: list[str] = []

        def chosen(device: str = "auto") -> torch.device:
            asked.append(device)
            return torch.device("cpu")

        monkeypatch.setattr("heartprint.training.device.choose_device", chosen)
        for entry in config.encoders[1:]:
            first = Encoders(plan, tmp_path / "work", progress=False)
            first.embedding(entry, 0, "internal")
            first.load(entry, 0)
            assert asked == ["auto"], "once for each encoder that is loaded"
            asked.clear()
            resumed = Encoders(plan, tmp_path / "work", progress=False)
            resumed.load(entry, 0)
            assert asked == ["auto"]
            asked.clear()

    def test_an_encoder_that_knows_the_test_patients_is_refused_unless_said(self, tmp_path: Path) -> None:
        values = tiny_values(tmp_path, external=[])
        values["encoders"][0]["transductive"] = True
        config = validate_config(values, StudyConfig)
        result = engine.run_study(config, tmp_path / "one", progress=False)
        assert result.encoders[0]["transductive"]
        assert "transductive" in (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
        run = next((tmp_path / "one" / "work" / "pretraining").iterdir())
        values["encoders"][0] = {"name": "bcl", "group": "small", "init": str(run)}
        values["cohorts"]["internal"] = {"path": str(tmp_path / "one" / "work" / "cohorts" / "internal")}
        config = validate_config(values, StudyConfig)
        with pytest.raises(HeartprintError) as error:
            engine.run_study(config, tmp_path / "two", progress=False)
        assert error.value.code == "patients-seen"
        assert not (tmp_path / "two" / "report.html").exists()

    def test_the_shipped_encoder_is_a_row_like_any_other(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from heartprint.encoders import EncoderConfig, build_encoder, save_encoder
        from heartprint.encoders.bundle import shipped as shipped_encoder

        shipped = save_encoder(
            tmp_path / "shipped", build_encoder("small", seed=5), EncoderConfig.new("small", image_size=32), half=True
        )
        monkeypatch.setattr(shipped_encoder, "location", lambda _: shipped)
        monkeypatch.setattr("heartprint.evaluation.study_report.write_report", lambda *_, **__: None)  # seconds each
        row = {"name": "heartprint", "title": "Shipped", "group": "small", "init": "heartprint"}
        random = {"name": "random", "group": "small", "init": "random"}
        values = tiny_values(tmp_path, encoders=[row, random], reference="heartprint", draws=1)
        result = engine.run_study(validate_config(values, StudyConfig), tmp_path / "study", progress=False)
        assert result.encoders[0]["init"] == "heartprint"
        assert {"heartprint", "random"} <= set(result.results["encoder"])

        for wrong in ({"backbone": "efficientnet_lite0"}, {"image_size": 64}):
            groups = {"small": {**values["groups"]["small"], **wrong}}
            config = validate_config({**values, "groups": groups}, StudyConfig)
            with pytest.raises(HeartprintError) as error:
                engine.run_study(config, tmp_path / "other", progress=False)
            assert error.value.code == "encoder-mismatch"
            for words in ("'heartprint' (heartprint) is a small that reads 32 px", "group 'small'", "image_size: 32"):
                assert words in error.value.message

    def test_mistakes_in_pretraining_are_told_before_anything_long(self, tmp_path: Path) -> None:
        values = tiny_values(tmp_path)
        values["groups"]["small"]["pretraining"]["stepz"] = 3
        with pytest.raises(HeartprintError, match="'steps'") as error:
            engine.run_study(validate_config(values, StudyConfig), tmp_path / "study", progress=False)
        assert error.value.code == "bad-config"
        assert not (tmp_path / "study" / "work" / "pretraining").exists()

    def test_a_folder_that_is_no_study_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("mine")
        with pytest.raises(HeartprintError) as error:
            engine.run_study(validate_config(tiny_values(tmp_path), StudyConfig), tmp_path, progress=False)
        assert error.value.code == "output-not-a-study"
        assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]

    def test_waveforms_that_changed_are_read_anew(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ids and labels are the same; only the samples differ."""
        monkeypatch.setattr("heartprint.evaluation.study_report.write_report", lambda *_, **__: None)  # seconds each
        random = {"name": "random", "group": "small", "init": "random"}

        def aurocs(rate: int, out: str) -> list[float]:
            cohorts = {"internal": {"simulate": {"patients": 80, "rate": rate}}}
            values = tiny_values(tmp_path, cohorts=cohorts, external=[], encoders=[random], reference="random", draws=1)
            config = validate_config(values, StudyConfig)
            result = engine.run_study(config, tmp_path / out, progress=False, overwrite=True)
            return result.results.sort("encoder", "budget")["auroc"].to_list()

        first = aurocs(100, "one")
        assert aurocs(500, "one") == aurocs(500, "two") != first

    def test_a_study_that_was_refused_can_be_mended(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("heartprint.evaluation.study_report.write_report", lambda *_, **__: None)
        config = validate_config(tiny_values(tmp_path, draws=1), StudyConfig)

        def stopped(*_: Any, **__: Any) -> Any:
            raise KeyboardInterrupt

        with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
            broken.setattr(engine, "_run_encoder", stopped)
            engine.run_study(config, tmp_path / "study", progress=False)
        shutil.rmtree(tmp_path / "study" / "work", ignore_errors=True)
        assert engine.run_study(config, tmp_path / "study", progress=False).n_computed > 0

    def test_a_model_that_learned_labels_is_no_encoder(self, tmp_path: Path) -> None:
        from heartprint.finetuning import FinetuneConfig, finetune
        from heartprint.simulation import simulate

        cohort = simulate(tmp_path / "others", 60, seed=77, progress=False)
        settings = FinetuneConfig(mode="full", epochs=1, batch_size=8)
        model = tmp_path / "model"
        finetune(
            cohort,
            task="female",
            init="random",
            backbone="small",
            image_size=32,
            labels="all",
            out=model,
            config=settings,
            progress=False,
        )
        row = {"name": "tuned", "group": "small", "init": str(model)}
        values = tiny_values(tmp_path, encoders=[row], reference="tuned")
        with pytest.raises(HeartprintError, match="learned from 144 labels") as error:
            engine.run_study(validate_config(values, StudyConfig), tmp_path / "study", progress=False)
        assert error.value.code == "labels-seen"

    def test_equal_seeds_at_another_rate_are_the_same_patients(self, tmp_path: Path) -> None:
        cohorts = {
            "internal": {"simulate": {"patients": 60, "rate": 100}},
            "external": {"simulate": {"patients": 60, "rate": 500}},
        }
        config = validate_config(tiny_values(tmp_path, cohorts=cohorts), StudyConfig)
        with pytest.raises(HeartprintError) as error:
            engine.run_study(config, tmp_path / "study", progress=False)
        assert error.value.code == "patient-on-both-sides"

    def test_a_layout_file_that_changed_is_read_anew(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("heartprint.evaluation.study_report.write_report", lambda *_, **__: None)  # seconds each
        file = tmp_path / "own.yaml"
        random = {"name": "random", "group": "small", "init": "random"}
        values = tiny_values(tmp_path, encoders=[random], reference="random", draws=1, layout=str(file))
        config = validate_config(values, StudyConfig)
        counts = []
        for text in ("rows: 3", "rows: 3", "rows: 6"):
            file.write_text(f"{text}\ncolumns: {12 // int(text[-1])}\n")
            counts.append(engine.run_study(config, tmp_path / "study", progress=False).n_computed)
        assert counts[1] == 0 and counts[2] > 0

    def test_two_processes_do_not_write_one_study(self, tmp_path: Path) -> None:
        config = validate_config(tiny_values(tmp_path), StudyConfig)
        with claimed(tmp_path / "study" / "work"):
            with pytest.raises(HeartprintError) as error:
                engine.run_study(config, tmp_path / "study", progress=False)
            assert error.value.code == "output-busy"
            assert not any((tmp_path / "study" / "work").iterdir())

    def test_another_seed_simulates_again_and_the_users_cohort_is_never_touched(self, tmp_path: Path) -> None:
        config = validate_config(tiny_values(tmp_path), StudyConfig)
        first = engine._open_cohorts(config, tmp_path / "c", False)["internal"].info.content_hash
        assert engine._open_cohorts(config, tmp_path / "c", False)["internal"].info.content_hash == first
        other = config.model_copy(update={"seed": 5})
        assert engine._open_cohorts(other, tmp_path / "c", False)["internal"].info.content_hash != first

    def test_another_simulator_simulates_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = validate_config(tiny_values(tmp_path), StudyConfig)
        engine._open_cohorts(config, tmp_path / "c", False)
        made = (tmp_path / "c" / "internal" / "cohort.json").stat().st_mtime_ns
        engine._open_cohorts(config, tmp_path / "c", False)
        assert (tmp_path / "c" / "internal" / "cohort.json").stat().st_mtime_ns == made
        monkeypatch.setattr("heartprint.simulation.effects.EFFECTS", "other effects")
        engine._open_cohorts(config, tmp_path / "c", False)
        assert (tmp_path / "c" / "internal" / "cohort.json").stat().st_mtime_ns > made
