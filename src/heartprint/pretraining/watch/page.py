"""``run.html``: how a run goes, in one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heartprint.foundation.files import write_text
from heartprint.metrics.retrieval import MIN_PATIENTS, Estimate
from heartprint.pages.kit import fill_template, to_svg
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.curves import curves
from heartprint.pretraining.methods import get_method
from heartprint.pretraining.outcome import outcome_of
from heartprint.pretraining.run_folder import LogRow, RunFolder
from heartprint.pretraining.watch.figures import hardest_figure, watched_figure
from heartprint.pretraining.watch.look import GAP_CLASSES, GAP_RATES, RATES, SAME_LAYOUT, Look, Subjects, gap_name
from heartprint.pretraining.watch.table import Row

PAGE_FILE = "run.html"
TITLES = {
    "rank_1": "Identification rate, rank 1",
    "rank_5": "Identification rate, rank 5",
    "equal_error_rate": "Equal error rate",
    "tar_far_1pct": "True-accept rate at 1 % false accepts",
    "tar_far_0_1pct": "True-accept rate at 0.1 % false accepts",
    "effective_rank": "Effective rank",
    "mean_cosine": "Mean cosine of two ECGs",
}
_RECENT = 200


def write_page(
    folder: RunFolder, log: Sequence[LogRow], watched: Sequence[Row], subjects: Subjects, look: Look | None, total: int
) -> Path:
    """Write ``run.html``, whole or not at all.

    Args:
        folder: The run's folder.
        log: Lines of ``log.csv``.
        watched: Lines of ``watch.csv``.
        subjects: The watched patients; maybe none.
        look: The last look, if it was taken since the run was started or resumed.
        total: Steps of the whole run.
    """
    note, config = folder.note, folder.config
    done = log[-1].step if log else 0
    title = f"Pretraining: {config.method.name}, {config.backbone}, {note['cohort']['name']}"
    images = {"curves": to_svg(curves(log, ""))} if log else {}
    if watched and (figure := watched_figure(watched, subjects)) is not None:
        images["watched"] = to_svg(figure)
    if look is not None and (figure := hardest_figure(look, subjects)) is not None:
        images["hardest"] = to_svg(figure)
    context = {
        "title": title,
        "simulated": note["cohort"]["simulated"],
        "not_learned": _not_learned(config, log) if done >= total else None,
        "pictures": subjects.cohort.kind == "image",
        "facts": _facts(folder, log, total),
        "images": images,
        "subjects": _who(subjects) if len(subjects.cohort) else None,
        "step": int(watched[-1]["step"]) if watched else None,
        "look": _tables(look, subjects) if look is not None else None,
        "min_patients": MIN_PATIENTS,
    }
    path = folder.path / PAGE_FILE
    write_text(path, fill_template("heartprint.pretraining.watch", "run.html.j2", context))
    return path


def _not_learned(config: PretrainConfig, log: Sequence[LogRow]) -> str | None:
    outcome = outcome_of(log, get_method(config.method.name).contrasts, config.batch_size)
    return outcome.warning() if outcome is not None and not outcome.learned else None


def _facts(folder: RunFolder, log: Sequence[LogRow], total: int) -> list[tuple[str, str]]:
    note, config = folder.note, folder.config
    cohort, done = note["cohort"], log[-1].step if log else 0
    facts = [
        ("Status", str(note["status"])),
        ("Steps", f"{done:,} of {total:,}"),
        ("Method", config.method.name),
        ("Backbone", f"{config.backbone}, {config.image_size} px, started from {config.init}"),
        ("Learns from", f"{cohort['n_ecgs']:,} ECGs of {cohort['n_patients']:,} patients of {cohort['name']}"),
        ("Batch", f"{config.batch_size:,} {note.get('items', 'items')}"),
    ]
    outcome = outcome_of(log, get_method(config.method.name).contrasts, config.batch_size)
    if outcome is not None:
        facts.append(("Partner found", outcome.text().removeprefix("partner found ")))
    if log:
        recent = log[-_RECENT:]
        speed = float(np.median([row.images_per_s for row in recent]))
        waiting = float(np.mean([row.waiting_share for row in recent]))
        facts.append(("Speed", f"{speed:,.0f} images/s; {waiting:.0%} of the time waits for sheets to be drawn"))
    return [*facts, ("Made with", f"Heartprint {note['heartprint']}, on {note.get('device', 'unknown')}")]


def _who(subjects: Subjects) -> dict[str, Any]:
    counts = np.bincount(subjects.patients)
    return {
        "patients": len(counts),
        "ecgs": len(subjects.cohort),
        "with_pairs": int((counts >= 2).sum()),
        "layouts": subjects.layouts,
        "size": subjects.config.image_size,
    }


def _tables(look: Look, subjects: Subjects) -> dict[str, Any]:
    """The last look as rows of text."""
    seen = look.estimates
    sides = [("two layouts", ""), ("one layout", SAME_LAYOUT)]
    if len(subjects.layouts) == 1:
        sides = [("one layout", "")]
    labels = []
    for name, task in subjects.tasks.items():
        labels.append(
            {"title": task.title, "cells": [_cell(seen[f"{kind}_auroc_{name}"]) for kind in ("probe", "knn")]}
        )
    return {
        "step": look.step,
        "sides": [title for title, _ in sides],
        "recognition": [
            {"title": TITLES[name], "cells": [_cell(seen[prefix + name]) for _, prefix in sides]} for name in RATES
        ],
        "several_layouts": len(subjects.layouts) > 1,
        "gaps": [
            {"title": title, "pairs": look.gap_pairs[gap], "cells": [_cell(seen[gap_name(r, gap)]) for r in GAP_RATES]}
            for gap, title in GAP_CLASSES.items()
            if look.gap_pairs.get(gap)
        ],
        "labels": labels,
        "effective_rank": f"{seen['effective_rank'].value:.1f}",
        "mean_cosine": f"{seen['mean_cosine'].value:.4f}",
    }


def _cell(estimate: Estimate) -> dict[str, str]:
    if estimate.interval is None:
        return {"estimate": "–", "below": estimate.reason}
    value, low, high = estimate.interval
    return {"estimate": f"{value:.3f}", "below": f"{low:.3f} to {high:.3f}"}
