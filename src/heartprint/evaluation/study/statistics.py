"""From cells to estimates: mean over label draws, intervals over draws and test patients, paired differences."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.evaluation.study.config import FEATURES, Mode, StudyConfig, budget_name
from heartprint.evaluation.study.plan import EVERY_FOLD
from heartprint.foundation.progress import Progress
from heartprint.metrics.auroc import Interval
from heartprint.metrics.bootstrap import Resamples, study_resamples

_Row = tuple[str, Mode]


@dataclass(frozen=True)
class Estimate:
    """How well one row does one task with one budget on one test cohort.

    Attributes:
        n_draws: Label draws behind it.
        n_labels: Labels used, mean over draws and folds.
        n_positive: Positive labels among them, mean.
        percent: Their share of all labels there were to learn from, mean.
        auroc: Mean over draws with its interval.
        auprc: Average precision, mean over draws and folds.
    """

    encoder: str
    mode: Mode
    task: str
    budget: str
    cohort: str
    n_draws: int
    n_labels: float
    n_positive: float
    percent: float
    auroc: Interval
    auprc: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "auroc": self.auroc.to_json()}


@dataclass(frozen=True)
class Difference:
    """AUROC of one row minus AUROC of another, on the same label draws and test patients."""

    encoder: str
    mode: Mode
    other: str
    other_mode: Mode
    task: str
    budget: str
    cohort: str
    n_draws: int
    auroc: Interval

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "auroc": self.auroc.to_json()}


@dataclass(frozen=True)
class Statistics:
    """All estimates and differences of a study.

    Attributes:
        estimates: One per row, task, budget and cohort.
        differences: The reference minus each other row.
        full_minus_probe: Full fine-tuning minus the linear probe of the same encoder and draws.
        full_differences: The reference minus each other row where both were fully fine-tuned beside the probe.
    """

    estimates: list[Estimate]
    differences: list[Difference]
    full_minus_probe: list[Difference]
    full_differences: list[Difference]


@dataclass(frozen=True, eq=False)
class _Scored:
    """Scores of one row, task, budget and cohort: ``(draws, n)``; ``draws`` names each row of them."""

    scores: npt.NDArray[np.float32]
    draws: list[tuple[int, int]]
    cells: pl.DataFrame


@dataclass(frozen=True, eq=False)
class _Tested:
    labels: npt.NDArray[np.float64]
    patients: npt.NDArray[Any]
    folds: npt.NDArray[np.int64] | None


def compute_statistics(
    config: StudyConfig, results: pl.DataFrame, test_sets: pl.DataFrame, *, threads: int = 2, progress: bool = True
) -> Statistics:
    """Estimate everything the report shows.

    In cross-validation the AUROC of the home cohort is taken within each fold and averaged, because scores of
    different folds come from different models; on an external cohort each fold's models count as label draws.

    Args:
        config: The study.
        results: Result table (`RESULT_COLUMNS`).
        test_sets: Test sets (`TEST_SET_COLUMNS`).
        threads: Intervals computed at a time.
        progress: Whether to show progress.
    """
    rows = [e.name for e in config.encoders] + [FEATURES]
    modes: tuple[Mode, ...] = ("probe", "full")
    jobs: list[Callable[[], tuple[list[Estimate], list[Difference]]]] = []
    for task in config.tasks:
        for cohort in [config.home, *config.external]:
            here = results.filter((pl.col("task") == task) & (pl.col("cohort") == cohort))
            if here.height == 0:
                continue
            tested = _tested(test_sets, task, cohort)
            for budget in (budget_name(b) for b in config.budgets):
                part = here.filter(pl.col("budget") == budget)
                scored: dict[_Row, _Scored] = {}
                for row in rows:
                    for mode in modes:
                        cells = part.filter((pl.col("encoder") == row) & (pl.col("mode") == mode))
                        if cells.height:
                            scored[row, mode] = _assemble(cells, tested)
                jobs.append(partial(_compare, config, (task, budget, cohort), scored, tested))
    estimates: list[Estimate] = []
    differences: list[Difference] = []
    bar: Any = Progress("Intervals", len(jobs)) if progress else contextlib.nullcontext()
    with ThreadPoolExecutor(threads) as pool, bar:
        for one, two in pool.map(lambda job: job(), jobs):
            estimates += one
            differences += two
            if progress:
                bar.advance()
    return Statistics(
        estimates=estimates,
        differences=[d for d in differences if d.encoder != d.other and d.mode == config.mode],
        full_minus_probe=[d for d in differences if d.encoder == d.other],
        full_differences=[d for d in differences if d.encoder != d.other and d.mode != config.mode],
    )


def _tested(test_sets: pl.DataFrame, task: str, cohort: str) -> _Tested:
    part = test_sets.filter((pl.col("task") == task) & (pl.col("cohort") == cohort)).sort("fold", maintain_order=True)
    folds = part["fold"].to_numpy().astype(np.int64)
    return _Tested(
        part["label"].to_numpy().astype(np.float64),
        part["patient_id"].rank("dense").to_numpy(),
        folds if folds[0] != EVERY_FOLD and len(np.unique(folds)) > 1 else None,
    )


def _assemble(cells: pl.DataFrame, tested: _Tested) -> _Scored:
    """Put the scores of the folds side by side, or, where every fold is tested on the same ECGs, below each other."""
    cells = cells.sort("draw", "fold")
    each = [np.asarray(s, dtype=np.float32) for s in cells["scores"].to_list()]
    draws = cells["draw"].to_list()
    folds = cells["fold"].to_list()
    if tested.folds is None:
        return _Scored(np.stack(each), list(zip(draws, folds, strict=True)), cells)
    n_folds = len(np.unique(tested.folds))
    whole = [d for d in sorted(set(draws)) if draws.count(d) == n_folds]
    by_draw = {d: np.concatenate([s for s, owner in zip(each, draws, strict=True) if owner == d]) for d in whole}
    return _Scored(np.stack([by_draw[d] for d in whole]), [(d, EVERY_FOLD) for d in whole], cells)


def _compare(
    config: StudyConfig, key: tuple[str, str, str], scored: dict[_Row, _Scored], tested: _Tested
) -> tuple[list[Estimate], list[Difference]]:
    """Everything about one task, budget and cohort: each row is resampled once, alike for all rows."""
    by_draws: dict[tuple[tuple[int, int], ...], list[_Row]] = {}
    for name, one in scored.items():
        by_draws.setdefault(tuple(one.draws), []).append(name)
    values: dict[_Row, Resamples] = {}
    for names in by_draws.values():
        values |= zip(names, _resample(config, [scored[n].scores for n in names], tested), strict=True)
    task, budget, cohort = key
    estimates = [
        Estimate(
            encoder=name[0],
            mode=name[1],
            task=task,
            budget=budget,
            cohort=cohort,
            n_draws=len({draw for draw, _ in one.draws}),
            n_labels=_mean(one.cells, "n_labels"),
            n_positive=_mean(one.cells, "n_positive"),
            percent=_mean(one.cells, "percent"),
            auroc=values[name].interval(config.level),
            auprc=_mean(one.cells, "auprc"),
        )
        for name, one in scored.items()
    ]
    differences = []
    for one_name, two_name in _pairs(config, list(scored)):
        a, b = scored[one_name], scored[two_name]
        common = [d for d in a.draws if d in set(b.draws)]
        if a.draws == b.draws:
            first, second = values[one_name], values[two_name]
        else:
            subsets = [s.scores[[s.draws.index(d) for d in common]] for s in (a, b)]
            first, second = _resample(config, subsets, tested)
        n_draws = len({draw for draw, _ in common})
        interval = (first - second).interval(config.level)
        differences.append(Difference(*one_name, *two_name, task, budget, cohort, n_draws, interval))
    return estimates, differences


def _pairs(config: StudyConfig, names: list[_Row]) -> list[tuple[_Row, _Row]]:
    reference: _Row = (config.reference, config.mode)
    out = []
    for name in names:
        main_mode = "probe" if name[0] == FEATURES else config.mode
        if reference in names and name[0] != config.reference and name[1] == main_mode:
            out.append((reference, name))
        fully: _Row = (config.reference, "full")
        if config.mode == "probe" and name[1] == "full" and name != fully and fully in names:
            out.append((fully, name))
        probe: _Row = (name[0], "probe")
        if name[1] == "full" and probe in names:
            out.append((name, probe))
    return out


def _resample(config: StudyConfig, methods: list[npt.NDArray[np.float32]], tested: _Tested) -> list[Resamples]:
    return study_resamples(
        methods,
        tested.labels,
        tested.patients,
        tested.folds,
        n=config.resamples,
        seed=config.seed,
    )


def _mean(cells: pl.DataFrame, column: str) -> float:
    return float(cells[column].to_numpy().mean())
