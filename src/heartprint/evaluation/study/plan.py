"""Who is learned from and who is tested: settled before any network runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

import heartprint
from heartprint.cohorts import Cohort, half_of_patients
from heartprint.cohorts.splits import draw_budgets, patient_folds, patient_uniforms
from heartprint.cohorts.tasks import Task, get_classes
from heartprint.cohorts.writer import COHORT_OUTPUT
from heartprint.evaluation.study.config import Budget, CohortEntry, SimulateEntry, StudyConfig, budget_name
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import remove_whole, write_text
from heartprint.foundation.outputs import refuse_foreign
from heartprint.foundation.randomness import stable_hash

ENGINE = 1
"""Goes into the key of everything a study keeps on disk; raise it when the same key would mean other values."""

EVERY_FOLD = -1
"""Fold of a test set that every fold's models are tested on (an external cohort in cross-validation)."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TestSet:
    """ECGs that one task is tested on.

    Attributes:
        cohort: Name of the cohort.
        fold: Fold whose models are tested on it, or `EVERY_FOLD`.
        rows: ``(n,)`` rows of the cohort's view.
        labels: ``(n,)`` 0 or 1.
        ecg_ids: ``(n,)``.
        patient_ids: ``(n,)``.
    """

    cohort: str
    fold: int
    rows: Rows
    labels: npt.NDArray[np.float32]
    ecg_ids: npt.NDArray[np.str_] = field(repr=False)
    patient_ids: npt.NDArray[np.str_] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Plan:
    """Cohorts, folds, test sets and label draws of a study.

    Attributes:
        cohorts: Every cohort of the study, between its dates, with all ECGs; what pretraining sees.
        views: Home and external cohorts with the ECGs that are learned from and tested on.
        folds: ``(n,)`` for each ECG of the home view: the fold that tests it, -1 = never tested.
        n_folds: Number of folds.
        tasks: The tasks, in order.
        tests: ``(task, fold)`` to test sets, home first.
        labels: Task to the labels of the home view.
        absent: ``(cohort, task)`` pairs that cannot be tested, with the reason.
    """

    config: StudyConfig
    cohorts: dict[str, Cohort]
    views: dict[str, Cohort]
    folds: Rows
    n_folds: int
    tasks: dict[str, Task]
    tests: dict[tuple[str, int], list[TestSet]]
    labels: dict[str, npt.NDArray[np.float32]]
    absent: dict[tuple[str, str], str]
    _drawn: dict[tuple[str, int, int], dict[str, tuple[Budget, Rows]]] = field(default_factory=dict)

    def train_rows(self, fold: int) -> Rows:
        """Rows of the home view that this fold may learn from."""
        return np.flatnonzero(self.folds != fold)

    def test_cohorts(self, fold: int) -> list[Cohort]:
        """Everything this fold is tested on, with or without label, all ECGs of each test patient."""
        home = self.cohorts[self.config.home]
        tested = np.unique(self.views[self.config.home].patient_ids[self.folds == fold])
        return [home.filter(patients=tested.tolist()), *(self.cohorts[name] for name in self.config.external)]

    def draw(self, task: str, fold: int, draw: int) -> dict[str, tuple[Budget, Rows]]:
        """Label draws of one task and fold: budget name to the budget and rows of the home view.

        The same for every encoder; ``all`` belongs to draw 0 alone because every draw of it would be the same.
        """
        if (task, fold, draw) not in self._drawn:
            self._drawn[task, fold, draw] = self._draw(task, fold, draw)
        return self._drawn[task, fold, draw]

    def _draw(self, task: str, fold: int, draw: int) -> dict[str, tuple[Budget, Rows]]:
        train = self.train_rows(fold)
        budgets = [b for b in self.config.budgets if draw == 0 or budget_name(b) != "all"]
        view = self.views[self.config.home]
        try:
            drawn = draw_budgets(
                view.patient_ids[train],
                self.labels[task][train],
                budgets,
                seed=self.config.seed,
                draw=draw,
                purpose=f"{task}\x1f{fold}",
            )
        except HeartprintError as error:
            where = f"task '{task}'" + (f", fold {fold}" if self.n_folds > 1 else "")
            raise HeartprintError(error.code, f"{where}: {error.message}") from error
        return {budget_name(b): (b, train[rows]) for b, rows in drawn.items()}


def make_plan(config: StudyConfig, cohorts: dict[str, Cohort]) -> Plan:
    """Divide the patients.

    Args:
        config: The study.
        cohorts: Name to opened cohort, between its dates.

    Raises:
        HeartprintError: ``patient-on-both-sides``, ``one-class-only``, ``budget-too-small``,
            ``budget-too-large``, ``label-missing``, ``unknown-task``, ``needs-classes`` for a regression.
    """
    views = {
        name: _view(cohorts[name], config.ecgs_per_patient, config.seed) for name in [config.home, *config.external]
    }
    home = views[config.home]
    if config.protocol.cross_validation is not None:
        folds = patient_folds(home.patient_ids, config.protocol.cross_validation, seed=config.seed)
    else:
        assert config.protocol.split is not None
        folds = np.where(patient_uniforms(home.patient_ids, config.seed) < config.protocol.split, 0, -1)
    _no_shared_patients(config, cohorts)
    n_folds = config.protocol.n_folds
    why = "A study compares encoders by AUROC"
    tasks = {name: get_classes(name, home.records, config.define, why=why) for name in config.tasks}
    labels = {name: task.labels(home.records) for name, task in tasks.items()}
    tests: dict[tuple[str, int], list[TestSet]] = {}
    absent: dict[tuple[str, str], str] = {}
    for name, task in tasks.items():
        for fold in range(n_folds):
            rows = np.flatnonzero((folds == fold) & ~np.isnan(labels[name]))
            where = f"task '{name}': the test part of '{config.home}'"
            _two_classes(labels[name][rows], where if n_folds == 1 else f"{where} in fold {fold}")
            tests[name, fold] = [_test_set(config.home, fold, home, rows, labels[name])]
        for external in config.external:
            view = views[external]
            try:
                answers = task.labels(view.records)
                rows = np.flatnonzero(~np.isnan(answers))
                _two_classes(answers[rows], f"'{external}'")
            except HeartprintError as error:
                absent[external, name] = error.message
                continue
            fold_of = 0 if n_folds == 1 else EVERY_FOLD
            for fold in range(n_folds):
                tests[name, fold].append(_test_set(external, fold_of, view, rows, answers))
    plan = Plan(config, cohorts, views, folds.astype(np.int64), n_folds, tasks, tests, labels, absent)
    for name in tasks:
        for fold in range(n_folds):
            plan.draw(name, fold, 0)  # an impossible budget is better reported now than in an hour
    return plan


def open_cohort(name: str, entry: CohortEntry, folder: Path, seed: int) -> Cohort:
    """Open one cohort of a study, or simulate it first.

    Args:
        name: Its name in the study.
        entry: Where it is.
        folder: Where a simulated cohort without a path is kept.
        seed: The study's seed.

    Raises:
        HeartprintError: ``cohort-missing`` and its kin, ``no-ecgs-in-period``.
    """
    path = entry.path or folder / name
    if entry.simulate is not None:
        wanted = entry.simulate.model_copy(
            update={"seed": seed if entry.simulate.seed is None else entry.simulate.seed}
        )
        # A cohort the user named is taken as it is; the study's own is made again when its settings change.
        if not path.exists() or (entry.path is None and not _made_with(path, wanted)):
            _make(path, wanted)
    cohort = Cohort.open(path)
    if entry.since is not None or entry.until is not None or entry.between:
        cohort = cohort.filter(since=entry.since, until=entry.until, between=entry.between)
        if len(cohort) == 0:
            limits = "".join(
                f", and none whose {what} lies in {low} .. {high}" for what, (low, high) in entry.between.items()
            )
            raise HeartprintError(
                "no-ecgs-in-period",
                f"Cohort '{name}' has no ECG between {entry.since or 'the beginning'} and {entry.until or 'the end'}"
                f"{limits}. Change since, until or between, or check that the ECGs have dates.",
            )
    return cohort if entry.half is None else half_of_patients(cohort, entry.half)


def digest(*parts: object) -> str:
    """Short name of a content, equal for equal contents: 24 hex digits."""
    state = hashlib.blake2b(digest_size=12)
    for part in parts:
        data = part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()
        state.update(len(data).to_bytes(8, "little") + data)
    return state.hexdigest()


def cohort_digest(cohort: Cohort) -> str:
    """Name of a cohort's content and of the rows taken from it, in their order."""
    return digest(cohort.info.content_hash, cohort.records["ecg_id"].to_list())


def _view(cohort: Cohort, ecgs_per_patient: str, seed: int) -> Cohort:
    if ecgs_per_patient == "all":
        return cohort
    order = np.argsort([stable_hash(f"{seed}\x1fone ECG\x1f{e}") for e in cohort.ecg_ids.tolist()], kind="stable")
    _, first = np.unique(cohort.patient_ids[order], return_index=True)
    return cohort.take(np.sort(order[first]))


def _test_set(name: str, fold: int, view: Cohort, rows: Rows, labels: npt.NDArray[np.float32]) -> TestSet:
    return TestSet(name, fold, rows, labels[rows], view.ecg_ids[rows], view.patient_ids[rows])


def _two_classes(labels: npt.NDArray[np.float32], where: str) -> None:
    positive, negative = int((labels == 1).sum()), int((labels == 0).sum())
    if positive == 0 or negative == 0:
        raise HeartprintError(
            "one-class-only",
            f"{where} has {positive} positives and {negative} negatives, so no AUROC can be computed. "
            "Use more patients or another task.",
        )


def _no_shared_patients(config: StudyConfig, cohorts: dict[str, Cohort]) -> None:
    home = cohorts[config.home]
    for name in config.external:
        other = cohorts[name]
        shared = np.isin(other.hashes, home.hashes)
        if other.info.patient_key == home.info.patient_key:
            shared |= np.isin(other.patient_ids, home.patient_ids)
        n = len(np.unique(other.patient_ids[shared]))
        if n:
            raise HeartprintError(
                "patient-on-both-sides",
                f"{n} patients of the external cohort '{name}' are also in '{config.home}'. "
                "An external cohort must hold other patients; take it out or filter it.",
            )


def _make(path: Path, wanted: SimulateEntry) -> None:
    from heartprint.simulation import simulate

    assert wanted.seed is not None
    if path.exists():
        refuse_foreign(path, COHORT_OUTPUT)
        remove_whole(path)
    simulate(path, n_patients=wanted.patients, seed=wanted.seed, hospital=wanted.hospital, rate=wanted.rate)
    write_text(_note(path), _recipe(wanted))


def _made_with(path: Path, wanted: SimulateEntry) -> bool:
    return _note(path).is_file() and _note(path).read_text(encoding="utf-8") == _recipe(wanted)


def _recipe(wanted: SimulateEntry) -> str:
    """What a simulated cohort follows from: the request, and the simulator it was put to."""
    from heartprint.simulation.effects import EFFECTS, HOSPITALS

    # Before cohort keys followed from hospital and seed, equal patients were not known again: make those cohorts anew.
    return f"{wanted.model_dump_json()}\n{digest(heartprint.__version__, EFFECTS, HOSPITALS, 'keys by source')}\n"


def _note(path: Path) -> Path:
    return path.parent / f"{path.name}.simulated.json"


def all_tests(plan: Plan) -> Iterable[tuple[str, TestSet]]:
    """Each ``(task, test set)`` once: an external cohort that every fold is tested on comes once."""
    done: set[tuple[str, str, int]] = set()
    for (task, _), tests in plan.tests.items():
        for test in tests:
            if (task, test.cohort, test.fold) not in done:
                done.add((task, test.cohort, test.fold))
                yield task, test
