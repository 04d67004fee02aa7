"""Running a study: plan, encoders, cells, statistics, report."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint._threads import small_matrices
from heartprint.cohorts import Cohort
from heartprint.evaluation.study.cells import (
    RESULT_COLUMNS,
    Cell,
    CellStore,
    cell_rows,
    cells_of,
    table_of_tests,
)
from heartprint.evaluation.study.config import FEATURES, EncoderEntry, Mode, StudyConfig
from heartprint.evaluation.study.encoders import Encoders, announce, feature_table, pretrain_config, summary, unequal
from heartprint.evaluation.study.plan import Plan, all_tests, cohort_digest, digest, make_plan, open_cohort
from heartprint.evaluation.study.statistics import Statistics, compute_statistics
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path, claimed, write_text
from heartprint.foundation.outputs import Output, claim_output
from heartprint.foundation.progress import Progress
from heartprint.foundation.yaml_text import dump_yaml
from heartprint.metrics.probe import fit_logistic, fit_probe

RESULTS_FILE = "results.parquet"
TEST_SETS_FILE = "test_sets.parquet"
CONFIG_FILE = "study.yaml"
_SAVE_EVERY_S = 20.0
_LONG_IMAGES = 500_000

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class StudyResult:
    """A finished study.

    Attributes:
        folder: Where everything is.
        config: What was asked.
        plan: Who was learned from and tested.
        results: One row per cell and test cohort.
        test_sets: The ECGs behind the scores.
        encoders: What each encoder is (see ``summary``).
        unequal: Encoder name to what makes its comparison within its group unequal.
        statistics: Estimates and differences.
        notes: Cells that could not be done, in words.
        n_computed: Cells done in this run; the others were there already.
        seconds: Time of this run.
    """

    folder: Path
    config: StudyConfig
    plan: Plan
    results: pl.DataFrame
    test_sets: pl.DataFrame
    encoders: list[dict[str, Any]]
    unequal: dict[str, list[str]]
    statistics: Statistics
    notes: list[str]
    n_computed: int
    seconds: float


def run_study(
    config: StudyConfig, out: str | Path, *, progress: bool = True, command: str | None = None, overwrite: bool = False
) -> StudyResult:
    """Run a study, or go on with one that was stopped, and write its report.

    Cells that are on disk with the same key (encoder weights, labels used, test ECGs, settings) are not run again.

    Args:
        config: What to compare.
        out: Folder for ``report.html``, ``report.json``, ``report.md``, ``results.parquet``, ``test_sets.parquet``,
            ``figures/`` and ``work/`` (pretraining runs, embeddings, finished cells).
        progress: Whether to show progress.
        command: Command line that reproduces the study, for the report.
        overwrite: Whether the report of a study with other settings may be replaced; its finished work is kept, and
            used where it is the same.

    Raises:
        HeartprintError: Whatever is wrong with configuration, cohorts or encoders, before anything long has begun
            where that can be known; ``patients-seen`` for an encoder that knows the test patients; ``output-busy``
            if another process runs a study there; ``output-not-a-study`` or ``output-differs`` if something else, or
            another study, is there.
    """
    folder = Path(out)
    recipe = config.model_dump(mode="json", exclude_none=True)
    claim_output(folder, STUDY_OUTPUT, recipe=recipe, recipe_of=_recipe_in, overwrite=overwrite, resumes=True)
    with claimed(folder / "work"):
        return _run(config, folder, progress=progress, command=command)


def _run(config: StudyConfig, folder: Path, *, progress: bool, command: str | None) -> StudyResult:
    from heartprint.evaluation.study_report import write_report

    started = time.monotonic()
    work = folder / "work"
    plan = make_plan(config, _open_cohorts(config, work / "cohorts", progress))
    encoders = Encoders(plan, work, progress=progress)
    check(config, encoders)
    _announce_long_pretraining(encoders, progress)
    write_text(folder / CONFIG_FILE, to_yaml(config))

    store = CellStore(work / "cells")
    tables: list[pl.DataFrame] = []
    summaries: list[dict[str, Any]] = []
    n_computed = 0
    for entry in config.encoders:
        rows, done = _run_encoder(plan, encoders, store, entry, progress)
        tables += rows
        n_computed += done
        summaries.append(
            summary(entry, config, encoders.load(entry, plan.n_folds - 1), per_fold=encoders.per_fold(entry))
        )
        _write_table(folder / RESULTS_FILE, pl.concat(tables))  # what there is so far can be looked at
    rows, done = _run_features(plan, work, store, progress)
    tables += rows
    n_computed += done

    results = pl.concat(tables)
    test_sets = table_of_tests(iter(all_tests(plan)))
    _write_table(folder / RESULTS_FILE, results)
    _write_table(folder / TEST_SETS_FILE, test_sets)
    statistics = compute_statistics(config, results, test_sets, progress=progress)
    differing: dict[str, list[str]] = {}
    for group in config.groups:
        members = [s for s in summaries if s["group"] == group]
        if members:
            differing |= unequal(members, config.reference)
    result = StudyResult(
        folder=folder,
        config=config,
        plan=plan,
        results=results,
        test_sets=test_sets,
        encoders=summaries,
        unequal=differing,
        statistics=statistics,
        notes=[
            *(f"{config.cohort_title(c)}, {plan.tasks[t].title}: {why}" for (c, t), why in plan.absent.items()),
            *_without_features(plan),
        ],
        n_computed=n_computed,
        seconds=time.monotonic() - started,
    )
    announce("Writing the report", progress)
    write_report(result, command=command)
    return result


def estimate_study(config: StudyConfig, out: str | Path) -> str:
    """Say what the pretraining of a study takes on this machine; nothing is trained.

    Args:
        config: The study.
        out: Its folder; simulated cohorts that are not there yet are made in it.

    Returns:
        One paragraph per pretrained encoder (time, memory, disk, from measured steps), for people.
    """
    work = Path(out) / "work"
    plan = make_plan(config, _open_cohorts(config, work / "cohorts", progress=False))
    encoders = Encoders(plan, work)
    check(config, encoders)
    return _estimates(encoders, config.encoders)


def estimate_for_patients(config: StudyConfig, patients: int) -> str:
    """Say what the pretraining of a study would take with a cohort that is not at hand.

    Args:
        config: The study; its cohorts are not opened.
        patients: Number of patients with pairs, each taken to have two ECGs of 10 s at 500 Hz.

    Returns:
        Like `estimate_study`.
    """
    from heartprint.pretraining.estimate import StepCost, estimate, measure_step
    from heartprint.pretraining.methods import get_method
    from heartprint.pretraining.methods.patients import PatientMethod

    parts = []
    costs: dict[str, StepCost] = {}
    for entry in config.encoders:
        if entry.pretrain is not None:
            settings = pretrain_config(config, entry)
            if entry.group not in costs:
                costs[entry.group] = measure_step(settings)
            n_items = patients if issubclass(get_method(settings.method.name), PatientMethod) else 2 * patients
            told = estimate(settings, n_items=n_items, n_ecgs=2 * patients, cost=costs[entry.group]).text()
            parts.append(f"{config.title_of(entry.name)}:\n{told}")
    return "\n\n".join(parts) or "This study pretrains nothing."


def _estimates(encoders: Encoders, entries: Sequence[EncoderEntry]) -> str:
    from heartprint.pretraining.estimate import estimate_for

    parts = []
    for entry in entries:
        if entry.pretrain is not None:
            runs = len(encoders.folds_of(entry))
            times = f", {runs} runs, one per fold; each:" if runs > 1 else ":"
            told = estimate_for(encoders.pretraining_cohort(entry, 0), encoders.pretrain_config(entry)).text()
            parts.append(f"{encoders.plan.config.title_of(entry.name)}{times}\n{told}")
    return "\n\n".join(parts) or "This study pretrains nothing."


def _announce_long_pretraining(encoders: Encoders, progress: bool) -> None:
    """Tell what pretraining that will take long takes, before it starts."""
    for entry in encoders.plan.config.encoders:
        if progress and entry.pretrain is not None:
            settings = encoders.pretrain_config(entry)
            if 2 * settings.batch_size * settings.steps >= _LONG_IMAGES:
                print(_estimates(encoders, [entry]), file=sys.stderr, flush=True)


def check(config: StudyConfig, encoders: Encoders) -> None:
    """Find mistakes that would otherwise show after an hour: pretraining settings, layouts, model folders."""
    from heartprint.encoders import get_backbone, resolve_encoder
    from heartprint.sheets import check_drawing, layouts_of

    for view in encoders.plan.views.values():
        layouts_of(view, [config.layout])
    for group in config.groups.values():
        get_backbone(group.backbone)
    for entry in config.encoders:
        if entry.pretrain is not None:
            encoders.pretrain_config(entry)
        elif entry.init == "imagenet":
            group = config.groups[entry.group]
            resolve_encoder("imagenet", backbone=group.backbone, image_size=group.image_size)
        elif entry.init != "random":
            group = config.groups[entry.group]
            found = resolve_encoder(str(entry.init), unlabelled=True).config
            if (found.backbone, found.image_size) != (group.backbone, group.image_size):
                raise HeartprintError(
                    "encoder-mismatch",
                    f"Encoder '{entry.name}' ({entry.init}) is a {found.backbone} that reads {found.image_size} px, "
                    f"but its group '{entry.group}' compares {group.backbone} at {group.image_size} px. Put it into a "
                    f"group with backbone: {found.backbone} and image_size: {found.image_size}.",
                )
    if config.full or config.mode == "full":
        check_drawing(encoders.plan.views[config.home], _full_config(config, 0))


def to_yaml(config: StudyConfig) -> str:
    """The study as a YAML file that runs it again."""
    return dump_yaml(config.model_dump(mode="json", exclude_none=True))


def _open_cohorts(config: StudyConfig, folder: Path, progress: bool) -> dict[str, Cohort]:
    cohorts = {}
    for name, entry in config.cohorts.items():
        if entry.simulate is not None and not (entry.path or folder / name).exists():
            announce(f"Simulating '{name}'", progress)
        cohorts[name] = open_cohort(name, entry, folder, config.seed)
    return cohorts


def _run_encoder(
    plan: Plan, encoders: Encoders, store: CellStore, entry: EncoderEntry, progress: bool
) -> tuple[list[pl.DataFrame], int]:
    tables: list[pl.DataFrame] = []
    n_computed = 0
    for fold in range(plan.n_folds):
        embeddings = {name: encoders.embedding(entry, fold, name) for name in plan.views}
        read = (part for name in sorted(plan.views) for part in (name, cohort_digest(plan.views[name])))
        origin = digest(encoders.origin(entry, fold), *read)
        for task in plan.tasks:

            def probe(cell: Cell, task: str = task, embeddings: dict[str, Any] = embeddings) -> list[Floats]:
                home = embeddings[plan.config.home]
                fitted = fit_probe(
                    home[cell.train],
                    plan.labels[task][cell.train],
                    plan.views[plan.config.home].patient_codes[cell.train],
                    seed=plan.config.seed,
                )
                return [fitted.decision(embeddings[t.cohort][t.rows]) for t in plan.tests[task, cell.fold]]

            def full(cell: Cell, fold: int = fold) -> list[Floats]:
                return _full_scores(plan, encoders, entry, cell, fold, progress)

            cells = list(cells_of(plan, entry.name, entry.group, task, fold, origin))
            label = f"{plan.config.title_of(entry.name)}, {task}" + (f", fold {fold + 1}" if plan.n_folds > 1 else "")
            for mode, compute in (("probe", probe), ("full", full)):
                chosen = [c for c in cells if c.mode == mode]
                if chosen:
                    shown = f"{'Probes' if mode == 'probe' else 'Full fine-tuning'}: {label}"
                    with small_matrices() if mode == "probe" else contextlib.nullcontext():
                        table, done = run_cells(plan, store, chosen, compute, shown if progress else None)
                    tables.append(table)
                    n_computed += done
    return tables, n_computed


def _run_features(plan: Plan, work: Path, store: CellStore, progress: bool) -> tuple[list[pl.DataFrame], int]:
    with_waveforms = [name for name, view in plan.views.items() if view.kind == "waveform"]
    if plan.config.home not in with_waveforms:
        return [], 0
    features = {name: feature_table(plan, name, work, progress=progress) for name in with_waveforms}
    tests = {key: [t for t in tests if t.cohort in features] for key, tests in plan.tests.items()}
    plan = dataclasses.replace(plan, tests=tests)
    origin = digest(*(part for name in sorted(features) for part in (name, features[name])))
    tables, n_computed = [], 0
    for task in plan.tasks:
        for fold in range(plan.n_folds):

            def logistic(cell: Cell, task: str = task) -> list[Floats]:
                fitted = fit_logistic(
                    features[plan.config.home][cell.train],
                    plan.labels[task][cell.train],
                    plan.views[plan.config.home].patient_codes[cell.train],
                    seed=plan.config.seed,
                )
                return [fitted.decision(features[t.cohort][t.rows]) for t in plan.tests[task, cell.fold]]

            cells = list(cells_of(plan, FEATURES, FEATURES, task, fold, origin))
            label = f"Waveform features: {task}" + (f", fold {fold + 1}" if plan.n_folds > 1 else "")
            with small_matrices():
                table, done = run_cells(plan, store, cells, logistic, label if progress else None)
            tables.append(table)
            n_computed += done
    return tables, n_computed


def _without_features(plan: Plan) -> list[str]:
    """Sentences about cohorts whose waveforms cannot be measured."""
    home = plan.config.home
    names = (
        list(plan.views)
        if plan.views[home].kind == "image"
        else [n for n, v in plan.views.items() if v.kind == "image"]
    )
    return [
        f"{plan.config.cohort_title(name)}: no row of waveform features, because "
        f"{'it' if plan.views[name].kind == 'image' else 'the home cohort'} holds images."
        for name in names
    ]


def run_cells(
    plan: Plan, store: CellStore, cells: Sequence[Cell], compute: Any, description: str | None
) -> tuple[pl.DataFrame, int]:
    """Run the cells of one encoder, task, fold and mode that are not on disk yet.

    Finished cells are saved at least every 20 s and when the work is interrupted.

    Args:
        plan: The study's plan.
        store: Where finished cells are.
        cells: All cells of one encoder, task, fold and mode.
        compute: Gives the scores of a cell, one array per test set.
        description: Shown with the progress; None shows none.

    Returns:
        The rows of all cells, and how many cells were run.
    """
    first = cells[0]
    where: tuple[str, str, int, Mode] = (first.encoder, first.task, first.fold, first.mode)
    known = store.load(*where).filter(pl.col("key").is_in([c.key for c in cells]))
    have = set(known["key"].to_list())
    todo = [c for c in cells if c.key not in have]
    table, fresh = known, []
    if todo:
        last_saved = time.monotonic()
        bar: Any = Progress(description, len(todo)) if description else contextlib.nullcontext()
        try:
            with bar:
                for cell in todo:
                    fresh += cell_rows(plan, cell, compute(cell))
                    if description:
                        bar.advance()
                    if time.monotonic() - last_saved > _SAVE_EVERY_S:
                        table, fresh = _kept(store, where, table, fresh)
                        last_saved = time.monotonic()
        finally:
            table, fresh = _kept(store, where, table, fresh)
    return table.sort("draw", "budget", "cohort"), len(todo)


def _kept(
    store: CellStore, where: tuple[str, str, int, Mode], table: pl.DataFrame, fresh: list[dict[str, Any]]
) -> tuple[pl.DataFrame, list[Any]]:
    if fresh:
        table = pl.concat([table, pl.DataFrame(fresh, schema=RESULT_COLUMNS)])
        store.save(*where, table)
    return table, []


def _full_config(config: StudyConfig, draw: int) -> Any:
    from heartprint.finetuning.config import FinetuneConfig
    from heartprint.foundation.config import validate_config

    values = {"layout": config.layout, "seed": config.seed, **config.full_settings, "mode": "full", "draw": draw}
    return validate_config(values, FinetuneConfig, where="full_settings")


def _full_scores(
    plan: Plan, encoders: Encoders, entry: EncoderEntry, cell: Cell, fold: int, progress: bool
) -> list[Floats]:
    from heartprint.encoders import embed_cohort
    from heartprint.finetuning import train_to_rank

    view = plan.views[plan.config.home]
    encoder, weights, bias = train_to_rank(
        encoders.load(entry, fold),
        view.take(cell.train),
        plan.labels[cell.task][cell.train],
        config=_full_config(plan.config, cell.draw),
        progress=progress,
    )
    out: list[Floats] = []
    for test in plan.tests[cell.task, cell.fold]:
        tested = plan.views[test.cohort].take(test.rows)
        embedding = embed_cohort(encoder, tested, layout=plan.config.layout, progress=progress)
        out.append(embedding.astype(np.float64) @ weights + bias)
    return out


class _StudyOutput(Output):
    def is_here(self, out: Path) -> bool:
        """A study that was stopped early has a folder of work and no settings yet."""
        return super().is_here(out) or (out / "work").is_dir()


STUDY_OUTPUT = _StudyOutput(what="a study", code="output-not-a-study", marker=CONFIG_FILE)


def _recipe_in(folder: Path) -> dict[str, Any] | None:
    """The settings of a study that is there; none yet if it was stopped before they were written."""
    import yaml

    if not (folder / CONFIG_FILE).is_file():
        return {}
    try:
        said = yaml.safe_load((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return said if isinstance(said, dict) else None


def _write_table(path: Path, table: pl.DataFrame) -> None:
    with atomic_path(path) as temporary:
        table.write_parquet(temporary)
