"""What a study file may say."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from heartprint.cohorts.tasks import TASK_SUFFIXES, TaskDefinition

Budget = int | float | Literal["all"]
Mode = Literal["probe", "full"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SimulateEntry(_Strict):
    """How a simulated cohort is made if it is not there yet.

    Attributes:
        patients: Number of simulated patients.
        hospital: Which simulated hospital.
        rate: Sampling rate in Hz.
        seed: Seed of the patients; the study's seed if not given.
    """

    patients: Annotated[int, Field(ge=1)]
    hospital: Literal["internal", "external", "lifelike", "cardiology", "passing-lvef", "passing-state"] = "internal"
    rate: Literal[100, 500] = 100
    seed: int | None = None


class CohortEntry(_Strict):
    """Where a cohort is.

    Attributes:
        path: Cohort folder. May be left out with ``simulate``: the study then keeps it in its own folder.
        simulate: How to make the cohort if there is none at ``path``.
        title: What people read.
        since: First day used, inclusive.
        until: Last day used, inclusive.
        between: ``age`` or a label's name to its lowest and highest value, inclusive, null = no limit: for sets whose
            dates are shifted, but that tell about when an ECG was recorded (``calendar_year`` of MIMIC-IV-ECG).
        half: ``even`` or ``odd`` keeps that half of the patients (see `half_of_patients`), to develop on the one and
            report on the other.
    """

    path: Path | None = None
    simulate: SimulateEntry | None = None
    title: str | None = None
    since: dt.date | None = None
    until: dt.date | None = None
    between: dict[str, tuple[float | None, float | None]] = {}
    half: Literal["even", "odd"] | None = None

    @model_validator(mode="after")
    def _has_source(self) -> CohortEntry:
        if self.path is None and self.simulate is None:
            raise ValueError("a cohort needs a path, or simulate with a number of patients")
        return self


class Protocol(_Strict):
    """How labelled and test patients of the home cohort are kept apart; exactly one of the two.

    Attributes:
        split: Share of the home patients that are held out for testing, by hash of the patient.
        cross_validation: Number of patient-grouped folds; each patient is tested once.
    """

    split: Annotated[float, Field(gt=0, lt=1)] | None = None
    cross_validation: Annotated[int, Field(ge=2, le=20)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Protocol:
        if (self.split is None) == (self.cross_validation is None):
            raise ValueError("give exactly one of split (a share) and cross_validation (a number of folds)")
        return self

    @property
    def n_folds(self) -> int:
        """Number of times the study is developed: 1 for a split."""
        return self.cross_validation or 1


class GroupEntry(_Strict):
    """Encoders that may be compared with each other: one backbone, one image size, one way of pretraining.

    Attributes:
        title: What people read.
        backbone: Backbone name.
        image_size: Side of the square network input in pixels.
        pretraining: Settings that every pretrained encoder of the group shares (see ``PretrainConfig``).
    """

    title: str | None = None
    backbone: str
    image_size: Annotated[int, Field(ge=16, le=2048)]
    pretraining: dict[str, Any] = {}


class PretrainEntry(_Strict):
    """Pretraining that the study runs itself.

    Attributes:
        cohort: Name of one of the study's cohorts. If it holds test patients, they are left out (in
            cross-validation: once per fold) unless the encoder says ``transductive: true``.
        method: Name of a pretraining method, or its name and settings of its own (``{name: bcl, temperature: 0.2}``).
        settings: Other settings of this encoder alone. Whatever differs from its group is marked in the report.
    """

    cohort: str
    method: str | dict[str, Any]
    settings: dict[str, Any] = {}


class EncoderEntry(_Strict):
    """One row of the comparison.

    Attributes:
        name: Short name.
        title: What people read.
        group: Group it belongs to.
        init: ``random``, ``imagenet``, ``heartprint`` or ``heartprint-photo`` (shipped encoders), or the path of a run,
            encoder or model folder. Exactly one of init and pretrain.
        pretrain: Pretraining that the study runs.
        transductive: The encoder may have seen test patients (without their labels); the report says so.
    """

    name: str
    title: str | None = None
    group: str
    init: str | None = None
    pretrain: PretrainEntry | None = None
    transductive: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> EncoderEntry:
        if (self.init is None) == (self.pretrain is None):
            raise ValueError(f"encoder '{self.name}' needs exactly one of init and pretrain")
        return self


class FullEntry(_Strict):
    """Cells that are also done by full fine-tuning.

    Attributes:
        encoder: Name of the encoder.
        task: Name of the task.
        budget: One of the study's budgets.
        draws: Number of label draws, from draw 0 on.
    """

    encoder: str
    task: str
    budget: Budget
    draws: Annotated[int, Field(ge=1)] = 1


class StudyConfig(_Strict):
    """A study: encoders x tasks x label budgets x label draws x test cohorts.

    Attributes:
        title: Title of the report.
        question: One or two sentences for the top of the report: what the study asks.
        cohorts: Name to cohort.
        home: Cohort whose labels are learned from and of which a part is tested on.
        external: Cohorts that are only tested on.
        protocol: How labelled and test patients of home are kept apart.
        ecgs_per_patient: ``one`` learns from and tests on one ECG of each patient (the choice depends on the
            patient and the seed alone); ``all`` uses every ECG. Pretraining always has them all.
        tasks: Names of tasks, built-in or of ``define``, or of 0/1 label columns of the home cohort.
        define: Tasks of the study's own, by name.
        budgets: Label budgets: numbers of patients, shares in (0, 1), or ``all``.
        draws: Number of label draws per budget (``all`` has one).
        mode: ``probe`` (linear probe on embeddings) or ``full`` (full fine-tuning) for every cell.
        full: Cells that are done by full fine-tuning beside the probe.
        full_settings: Settings of full fine-tuning (see ``FinetuneConfig``).
        layout: Layout of the sheets that are embedded.
        groups: Name to group of comparable encoders; the first one comes first in the report.
        encoders: The rows. The row ``features`` (waveform measurements) is always added.
        reference: The row that all others are compared with.
        level: Level of all intervals.
        resamples: Number of bootstrap resamples.
        seed: Seed of everything the study draws.
    """

    title: str
    question: str = ""
    cohorts: dict[str, CohortEntry]
    home: str
    external: list[str] = []
    protocol: Protocol
    ecgs_per_patient: Literal["one", "all"] = "all"
    tasks: Annotated[list[str], Field(min_length=1)]
    define: dict[str, TaskDefinition] = {}
    budgets: Annotated[list[Budget], Field(min_length=1)]
    draws: Annotated[int, Field(ge=1, le=1000)] = 20
    mode: Mode = "probe"
    full: list[FullEntry] = []
    full_settings: dict[str, Any] = {}
    layout: str = "standard"
    groups: dict[str, GroupEntry]
    encoders: Annotated[list[EncoderEntry], Field(min_length=1)]
    reference: str
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    seed: int = 0

    @field_validator("budgets")
    @classmethod
    def _budgets(cls, budgets: list[Budget]) -> list[Budget]:
        for budget in budgets:
            if isinstance(budget, float) and not 0 < budget <= 1:
                raise ValueError(f"budget {budget} is neither a number of patients nor a share in (0, 1]")
            if isinstance(budget, int) and budget < 1:
                raise ValueError(f"budget {budget} is not a number of patients")
        names = [budget_name(b) for b in budgets]
        if len(set(names)) < len(names):
            raise ValueError("a budget is listed twice")
        return budgets

    @model_validator(mode="after")
    def _names(self) -> StudyConfig:
        for kind, names in (
            ("cohort", list(self.cohorts)),
            ("group", list(self.groups)),
            ("encoder", [e.name for e in self.encoders]),
        ):
            for name in names:
                if not _NAME.fullmatch(name):
                    raise ValueError(f"{kind} name '{name}' may hold small letters, digits, _ and - only")
                if names.count(name) > 1:
                    raise ValueError(f"{kind} '{name}' is listed twice")
        encoders = {e.name for e in self.encoders}
        if FEATURES in encoders:
            raise ValueError(f"'{FEATURES}' is the row that every study adds; name the encoder otherwise")
        _known("cohort", [self.home, *self.external], self.cohorts)
        if self.home in self.external or len(set(self.external)) < len(self.external):
            raise ValueError("external lists cohorts other than home, each once")
        _known("group", [e.group for e in self.encoders], self.groups)
        _known("cohort", [e.pretrain.cohort for e in self.encoders if e.pretrain], self.cohorts)
        _known("encoder", [self.reference, *(f.encoder for f in self.full)], encoders)
        _known("task", [f.task for f in self.full], self.tasks)
        _known("budget", [budget_name(f.budget) for f in self.full], [budget_name(b) for b in self.budgets])
        if any(f.draws > self.draws for f in self.full):
            raise ValueError("full asks for more draws than the study has")
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError("a task is listed twice")
        for name in self.tasks:
            if Path(name).suffix in TASK_SUFFIXES:
                raise ValueError(f"tasks are named: write what {name} says below 'define', and its name in 'tasks'")
        for name, definition in self.define.items():
            definition.task(name)
        return self

    def encoder(self, name: str) -> EncoderEntry:
        """The encoder entry of this name."""
        return next(e for e in self.encoders if e.name == name)

    def title_of(self, row: str) -> str:
        """What people read for a row of the comparison."""
        if row == FEATURES:
            return "Waveform features"
        return self.encoder(row).title or row

    def cohort_title(self, name: str) -> str:
        """What people read for a cohort."""
        return self.cohorts[name].title or name


FEATURES = "features"
"""Name of the row that every study adds: logistic regression on waveform measurements."""


def budget_name(budget: Budget) -> str:
    """Name of a budget in tables: ``"20"``, ``"0.1"``, ``"all"``."""
    return "all" if isinstance(budget, float) and budget == 1.0 else str(budget)


def _known(kind: str, names: list[str], known: Any) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"there is no {kind} '{name}'; the study has: {', '.join(known)}")
