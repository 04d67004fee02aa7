"""What the numbers say, in sentences: every figure in them is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from heartprint.evaluation.study.config import FEATURES, StudyConfig, budget_name
from heartprint.evaluation.study.plan import Plan
from heartprint.evaluation.study.statistics import Difference, Estimate, Statistics
from heartprint.evaluation.study_report.figures import budget_title
from heartprint.metrics.auroc import Interval


def number(value: float | None, digits: int = 2, sign: bool = False) -> str:
    """A number for people; an en dash where there is none."""
    if value is None or np.isnan(value):
        return "–"
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("−" if value < 0 else "+" if sign else "") + text


def interval(value: Interval, digits: int = 2, sign: bool = False) -> str:
    """``0.81 (0.77 to 0.85)``."""
    return (
        f"{number(value.estimate, digits, sign)} "
        f"({number(value.low, digits, sign)} to {number(value.high, digits, sign)})"
    )


@dataclass(frozen=True)
class Finding:
    """One computed statement, for one task.

    Attributes:
        task: Task title.
        lines: Sentences.
    """

    task: str
    lines: list[str]


class Reader:
    """Reads statistics for sentences and tables.

    Args:
        config: The study.
        statistics: Its estimates and differences.
    """

    def __init__(self, config: StudyConfig, statistics: Statistics) -> None:
        self.config = config
        self.statistics = statistics
        self._estimates = {(e.encoder, e.mode, e.task, e.budget, e.cohort): e for e in statistics.estimates}
        self._differences = {(d.other, d.task, d.budget, d.cohort): d for d in statistics.differences}
        measured = any(e.encoder == FEATURES for e in statistics.estimates)
        self.rows = [*(e.name for e in config.encoders), *([FEATURES] if measured else [])]
        self.budgets = [budget_name(b) for b in config.budgets]
        self.cohorts = [config.home, *config.external]

    def estimate(self, row: str, task: str, budget: str, cohort: str) -> Estimate | None:
        """Estimate of a row in the study's main mode."""
        mode = "probe" if row == FEATURES else self.config.mode
        return self._estimates.get((row, mode, task, budget, cohort))

    def difference(self, other: str, task: str, budget: str, cohort: str) -> Difference | None:
        """Reference minus another row."""
        return self._differences.get((other, task, budget, cohort))

    def ordered_budgets(self, task: str, cohort: str) -> list[str]:
        """Budgets by the labels they use."""
        have = [(e.n_labels, b) for b in self.budgets if (e := self.estimate(self.config.reference, task, b, cohort))]
        return [b for _, b in sorted(have)]


def key_findings(reader: Reader, titles: dict[str, str]) -> list[Finding]:
    """For each task: the reference at the smallest budget, and whom it is ahead of or behind."""
    config = reader.config
    name = config.title_of(config.reference)
    out = []
    for task, title in titles.items():
        lines = []
        for cohort in reader.cohorts:
            budgets = reader.ordered_budgets(task, cohort)
            own = reader.estimate(config.reference, task, budgets[0], cohort) if budgets else None
            if own is None:
                continue
            groups: dict[str, list[str]] = {"ahead": [], "behind": [], "even": []}
            for other in reader.rows:
                d = reader.difference(other, task, budgets[0], cohort)
                if d is None:
                    continue
                side = side_of(d.auroc)
                groups[side].append(f"{config.title_of(other)} {_by(d.auroc, side)}")
            parts = [
                f"{word} {_list(groups[side])}"
                for side, word in (
                    ("ahead", "ahead of"),
                    ("behind", "behind"),
                    ("even", "not clearly different from"),
                )
                if groups[side]
            ]
            beside = f"; it is {'; '.join(parts)}" if parts else ""
            lines.append(
                f"{config.cohort_title(cohort)}, {budget_title(budgets[0])}: {name} reaches AUROC "
                f"{interval(own.auroc)}{beside}."
            )
        if lines:
            out.append(Finding(title, lines))
    return out


def losses(reader: Reader, titles: dict[str, str]) -> list[str]:
    """Where the reference is behind another row, interval clear of zero; by task and row."""
    config = reader.config
    out = []
    for task, title in titles.items():
        for other in reader.rows:
            behind = [
                d
                for cohort in reader.cohorts
                for b in reader.ordered_budgets(task, cohort)
                if (d := reader.difference(other, task, b, cohort)) and d.auroc.high < 0
            ]
            if not behind:
                continue
            total = sum(
                reader.difference(other, task, b, cohort) is not None
                for cohort in reader.cohorts
                for b in reader.ordered_budgets(task, cohort)
            )
            worst = min(behind, key=lambda d: d.auroc.estimate)
            out.append(
                f"{title}: {config.title_of(config.reference)} is behind {config.title_of(other)} in {len(behind)} of "
                f"{total} comparisons (budgets and test cohorts), most with {budget_title(worst.budget)} on "
                f"{config.cohort_title(worst.cohort)}: {_by(worst.auroc, 'behind')}."
            )
    return out


def constancy(plan: Plan, titles: dict[str, str]) -> list[dict[str, Any]]:
    """How constant each task's answer is within a patient of the home cohort.

    Returns:
        Per task: patients with several labelled ECGs of which at least one is positive, and how many of them also
        have a negative one. Tasks without such patients are left out.
    """
    home = plan.cohorts[plan.config.home]
    out = []
    for task, title in titles.items():
        labels = plan.tasks[task].labels(home.records)
        by_patient = (
            pl.DataFrame({"patient": home.records["patient_id"], "y": pl.Series(labels).fill_nan(None)})
            .drop_nulls()
            .group_by("patient")
            .agg(pl.len().alias("n"), pl.col("y").max().alias("most"), pl.col("y").min().alias("least"))
            .filter((pl.col("n") >= 2) & (pl.col("most") == 1))
        )
        if by_patient.height:
            mixed = int((by_patient["least"] == 0).sum())
            out.append(
                {
                    "task": task,
                    "title": title,
                    "patients": by_patient.height,
                    "changing": mixed,
                    "share": mixed / by_patient.height,
                }
            )
    return out


def labels_saved(reader: Reader, task: str, cohort: str) -> list[dict[str, Any]]:
    """How many labels each other row needs to reach what the reference reaches with each budget.

    Compares mean AUROCs on the budgets that were run; nothing is interpolated.

    Returns:
        One entry per other row: ``row`` and ``cells``; a cell has ``budget``, ``own`` (AUROC of the reference),
        ``own_labels``, and ``needs`` (labels of the smallest budget that reaches it) with ``reached`` (its AUROC),
        both None if no budget does; ``most`` is the largest number of labels tried.
    """
    budgets = reader.ordered_budgets(task, cohort)
    out = []
    for other in reader.rows:
        if other == reader.config.reference:
            continue
        tried = [e for b in budgets if (e := reader.estimate(other, task, b, cohort))]
        if not tried:
            continue
        cells = []
        for b in budgets:
            own = reader.estimate(reader.config.reference, task, b, cohort)
            assert own is not None
            enough = next((e for e in tried if e.auroc.estimate >= own.auroc.estimate), None)
            cells.append(
                {
                    "budget": b,
                    "own": own.auroc.estimate,
                    "own_labels": own.n_labels,
                    "needs": enough.n_labels if enough else None,
                    "reached": enough.auroc.estimate if enough else None,
                    "most": tried[-1].n_labels,
                }
            )
        out.append({"row": other, "cells": cells})
    return out


def saved_sentence(reader: Reader, task: str, cohort: str, row: dict[str, Any]) -> str | None:
    """The reading of one row of `labels_saved` at the smallest budget; None if it needs no more labels."""
    cell = row["cells"][0]
    config = reader.config
    start = (
        f"What {config.title_of(config.reference)} reaches with {cell['own_labels']:,.0f} labels "
        f"(AUROC {number(cell['own'])}), {config.title_of(row['row'])}"
    )
    if cell["needs"] is None:
        return f"{start} does not reach with all {cell['most']:,.0f}."
    if cell["needs"] <= cell["own_labels"]:
        return None
    return f"{start} reaches with {cell['needs']:,.0f} ({number(cell['reached'])})."


def side_of(difference: Interval) -> str:
    """``ahead``, ``behind``, or ``even`` where the interval holds 0."""
    return "even" if not difference.clear_of(0) else "ahead" if difference.estimate > 0 else "behind"


def _by(difference: Interval, side: str) -> str:
    if side == "even":
        return f"({number(difference.estimate, sign=True)}; {number(difference.low)} to {number(difference.high)})"
    low, high = sorted((abs(difference.low), abs(difference.high)))
    return f"by {number(abs(difference.estimate))} ({number(low)} to {number(high)})"


def _list(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
