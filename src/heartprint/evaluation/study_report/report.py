"""Putting the report together."""

from __future__ import annotations

import datetime as dt
import platform
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import heartprint
from heartprint.cohorts.summary import summarise
from heartprint.evaluation.study.config import FEATURES, EncoderEntry, StudyConfig
from heartprint.evaluation.study_report.notes import (
    Reader,
    constancy,
    key_findings,
    labels_saved,
    losses,
    number,
    saved_sentence,
    side_of,
)
from heartprint.foundation.arrays import Image
from heartprint.foundation.files import atomic_path, write_json, write_text
from heartprint.foundation.randomness import generator
from heartprint.metrics.auroc import Interval
from heartprint.pages.kit import fill_template, laid_out, sheet_figure, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from heartprint.evaluation.study.run import StudyResult

REPORT_FILE = "report.html"
JSON_FILE = "report.json"
TABLES_FILE = "report.md"
"""The tables in Markdown, to be pasted."""
SIMULATION_SENTENCE = (
    "Simulated patients show a mechanism, in patients whose make-up is known because it was made up. "
    "They prove nothing about hospitals."
)
_PACKAGE = "heartprint.evaluation.study_report"
_EXAMPLE_PATIENTS = 3
_LIBRARIES = ("numpy", "torch", "timm", "polars", "scikit-learn", "numba")


def write_report(result: StudyResult, *, command: str | None = None) -> Path:
    """Write ``report.html`` (self-contained), ``report.json``, ``report.md`` (the tables) and ``figures/*.png``.

    Args:
        result: A finished study.
        command: Command line that reproduces it; a plain one if None.

    Returns:
        Path of the HTML page.
    """
    from heartprint.evaluation.study_report import figures as draw

    config, statistics = result.config, result.statistics
    titles = {name: task.title for name, task in result.plan.tasks.items()}
    # Where labels or tests are simulated nothing is proved; an encoder may well learn from simulated patients first.
    answered = {config.home, *config.external}
    simulated = {name for name in answered if result.plan.cohorts[name].info.simulated}
    reader = Reader(config, statistics)

    made: dict[str, Figure] = {}
    shown: list[dict[str, Any]] = []
    for group, rows in draw.figure_groups(config):
        suffix = f"-{group}" if group else ""
        made[f"curves{suffix}"] = draw.curves(config, statistics, rows, titles, simulated)
        title = _group_title(config, group) if group else ""
        shown.append({"title": title, "curves": f"curves{suffix}", "differences": None})
        if any(d.other in rows for d in statistics.differences):
            made[f"differences{suffix}"] = draw.differences(config, statistics, rows, titles, simulated)
            shown[-1]["differences"] = f"differences{suffix}"
    example = example_pairs(result)
    if example is not None:
        made["pairs"] = laid_out(sheet_figure(example["pages"]))

    context: dict[str, Any] = {
        "config": config,
        "title": config.title,
        "question": config.question,
        "simulated": [config.cohort_title(n) for n in sorted(simulated)],
        "simulated_pretraining": [e["title"] for e in result.encoders if e["simulated"]],
        "simulation_sentence": SIMULATION_SENTENCE,
        "reference": config.title_of(config.reference),
        "findings": key_findings(reader, titles),
        "losses": losses(reader, titles),
        "constancy": constancy(result.plan, titles),
        "rows": _comparison(result),
        "protocol": _protocol(result),
        "cohorts": _cohorts(result),
        "example": example,
        "figure_groups": shown,
        "auroc": [_auroc_table(result, reader, t, c) for t in titles for c in reader.cohorts if _has(reader, t, c)],
        "differences": [
            _difference_table(result, reader, t, c) for t in titles for c in reader.cohorts if _has(reader, t, c)
        ],
        "saved": [_saved(reader, t, titles[t], c) for t in titles for c in reader.cohorts if _has(reader, t, c)],
        "full": _full(result, titles),
        "full_differences": _full_differences(result, titles),
        "notes": result.notes,
        "reproduce": _reproduce(result, command),
        "level": f"{config.level * 100:g} %",
        "images": {name: to_svg(figure) for name, figure in made.items()},
        "number": number,
    }
    for name, figure in made.items():
        with atomic_path(result.folder / "figures" / f"{name}.png") as path:
            path.write_bytes(draw.to_png(figure))
    page = result.folder / REPORT_FILE
    write_text(page, fill_template(_PACKAGE, "template.html.j2", context))
    write_text(result.folder / TABLES_FILE, fill_template(_PACKAGE, "template.md.j2", context))
    write_json(result.folder / JSON_FILE, _as_json(result, context))
    return page


def example_pairs(result: StudyResult) -> dict[str, Any] | None:
    """Draw a few patients as the reference sees them in pretraining: two ECGs, two layouts, two poses.

    Returns:
        ``pages`` (per patient two ``(page, caption)``) and what they are; None where no patient has two ECGs.
    """
    from heartprint.sheets import LAYOUTS, SheetSampler, draw_pose
    from heartprint.sheets.sampler import IMAGE

    config, plan = result.config, result.plan
    entry: EncoderEntry = config.encoder(config.reference)
    name = entry.pretrain.cohort if entry.pretrain else config.home
    cohort = plan.cohorts[name]
    if name == config.home:  # show nobody who is tested; in cross-validation everybody is, in one fold or another
        tested = np.unique(plan.views[name].patient_ids[plan.folds == 0])
        cohort = cohort.filter(without_patients=tested.tolist())
    codes = cohort.patient_codes
    several = np.flatnonzero(np.bincount(codes) >= 2) if len(codes) else np.array([], dtype=np.int64)
    if len(several) == 0:
        return None
    reference = next(e for e in result.encoders if e["name"] == config.reference)
    recipe = reference["recipe"]
    # The file of a layout that an encoder once learned from need not be on this machine.
    here = [name for name in reference["layouts"] if name in LAYOUTS or Path(name).is_file()]
    layouts = (here or [config.layout]) if cohort.kind == "waveform" else [IMAGE]
    images = SheetSampler(baseline=recipe["baseline"], size=recipe["image_size"])
    rng = generator(config.seed, "example pairs")
    pages: list[list[tuple[Image, str]]] = []
    for patient in rng.choice(several, size=min(_EXAMPLE_PATIENTS, len(several)), replace=False):
        rows = rng.permutation(np.flatnonzero(codes == patient))[:2]
        drawn = rng.permutation(len(layouts))[:2]
        views = []
        for position, row in enumerate(rows):
            layout = layouts[drawn[position % len(drawn)]]
            turn = recipe.get("max_rotation_deg")
            pose = draw_pose(rng, 10.0 if turn is None else float(turn))
            page = images.sheet(cohort, int(row), layout=layout, pose=pose)
            turn = f"{pose.rotation_deg:+.0f}°" if abs(pose.rotation_deg) >= 0.5 else "upright"
            caption = f"patient {len(pages) + 1}, ECG {position + 1}: {layout}, {turn}"
            views.append((page, caption))
        pages.append(views)
    return {
        "pages": pages,
        "cohort": config.cohort_title(name),
        "simulated": cohort.info.simulated,
        "printed": cohort.kind == "image",
        "size": recipe["image_size"],
    }


def _comparison(result: StudyResult) -> list[dict[str, Any]]:
    """Rows of the table of what was compared, group by group."""
    config = result.config
    out = []
    for group in config.groups:
        members = []
        for e in result.encoders:
            if e["group"] != group:
                continue
            on = e["pretrained_on"]
            data = "–"
            if on:
                kind = "simulated ECGs" if on["simulated"] else "ECGs"
                data = f"{on['n_ecgs']:,} {kind} of {on['n_patients']:,} patients"
                if e["per_fold"]:
                    data += ", each fold without its test patients"
            marks = [f"unequal: {m}" for m in result.unequal.get(e["name"], [])]
            if e["transductive"]:
                marks.append("transductive: pretraining saw the test patients, without labels")
            start = "ImageNet" if e["initial_weights"] == "imagenet" else "random"
            members.append(
                {
                    "title": e["title"],
                    "reference": e["name"] == config.reference,
                    "pretraining": e["method"] or (f"none ({start} weights)" if e["init"] else "none"),
                    "data": data,
                    "steps": e["recipe"].get("steps"),
                    "batch": e["recipe"].get("batch_size"),
                    "temperature": e["recipe"].get("temperature"),
                    "rotation": e["recipe"].get("max_rotation_deg"),
                    "dim": e["embedding_dim"],
                    "start": start,
                    "marks": marks,
                }
            )
        if members:
            entry = config.groups[group]
            out.append(
                {
                    "title": _group_title(config, group),
                    "backbone": entry.backbone,
                    "image_size": entry.image_size,
                    "other": _other_than_reference(config, group),
                    "members": members,
                }
            )
    return out


def _group_title(config: StudyConfig, group: str) -> str:
    entry = config.groups[group]
    return entry.title or f"{entry.backbone}, {entry.image_size} px"


def _protocol(result: StudyResult) -> list[str]:
    config, plan = result.config, result.plan
    view = plan.views[config.home]
    one = config.ecgs_per_patient == "one"
    lines = []
    if config.protocol.cross_validation:
        lines.append(
            f"{plan.n_folds}-fold cross-validation over the {view.n_patients:,} patients of "
            f"{config.cohort_title(config.home)}, folds by hash of the patient: labels come from the other folds, "
            "AUROC is taken within each fold and averaged."
        )
    else:
        n_test = len(np.unique(view.patient_ids[plan.folds == 0]))
        lines.append(
            f"{config.cohort_title(config.home)} is split by hash of the patient: {view.n_patients - n_test:,} "
            f"patients to learn from, {n_test:,} held out for testing."
        )
    if config.external:
        names = ", ".join(config.cohort_title(n) for n in config.external)
        lines.append(f"Tested only: {names}. Nothing is learned or chosen there.")
    lines.append(
        "One ECG per patient is labelled and tested, chosen by hash; pretraining had all."
        if one
        else "Every labelled ECG of a test patient is tested; a budget of N labels is N patients with one labelled ECG "
        "each, 'all' is every labelled ECG."
    )
    lines.append(
        f"Labels are drawn {config.draws} times per budget, stratified and nested, the same for every row; they count "
        "everything a label is used for. "
        + (
            "A class-balanced ridge classifier reads the frozen embeddings; its penalty is chosen by cross-validation "
            "inside the budget, by one rule for every encoder."
            if config.mode == "probe"
            else "Every cell is full fine-tuning."
        )
    )
    lines.append(
        "Waveform features is a logistic regression on rate, RR irregularity, PR, QRS, QT, axis and R and T amplitudes "
        f"measured from the waveform, with the same labels. Intervals ({config.level * 100:g} %) resample label draws "
        f"and test patients together, {config.resamples:,} times; differences are paired."
    )
    return lines


def _cohorts(result: StudyResult) -> list[dict[str, Any]]:
    config, plan = result.config, result.plan
    roles: dict[str, list[str]] = {name: [] for name in plan.cohorts}
    roles[config.home].append("home: labels and internal test")
    for name in config.external:
        roles[name].append("external test")
    for entry in config.encoders:
        if entry.pretrain and "pretraining" not in roles[entry.pretrain.cohort]:
            roles[entry.pretrain.cohort].append("pretraining")
    out = []
    for name, cohort in plan.cohorts.items():
        s = summarise(cohort)
        tests = []
        for task in plan.tasks:
            sets = {id(t): t for f in range(plan.n_folds) for t in plan.tests[task, f] if t.cohort == name}
            unique = {t.fold: t for t in sets.values()}
            if unique:
                labels = np.concatenate([t.labels for t in unique.values()])
                patients = np.unique(np.concatenate([t.patient_ids for t in unique.values()]))
                tests.append(
                    {
                        "title": plan.tasks[task].title,
                        "ecgs": len(labels),
                        "patients": len(patients),
                        "positive": int(labels.sum()),
                        "share": float(labels.mean()),
                    }
                )
        out.append(
            {"name": name, "title": config.cohort_title(name), "roles": roles[name], "summary": s, "tests": tests}
        )
    return out


def _auroc_table(result: StudyResult, reader: Reader, task: str, cohort: str) -> dict[str, Any]:
    config = result.config
    budgets = reader.ordered_budgets(task, cohort)
    heads = [reader.estimate(config.reference, task, b, cohort) for b in budgets]
    best = {
        b: max(e.auroc.estimate for r in reader.rows if (e := reader.estimate(r, task, b, cohort))) for b in budgets
    }
    rows = []
    for row in reader.rows:
        cells = []
        for b in budgets:
            e = reader.estimate(row, task, b, cohort)
            cells.append(
                None
                if e is None
                else {
                    "estimate": number(e.auroc.estimate, 3),
                    "interval": f"{number(e.auroc.low)} to {number(e.auroc.high)}",
                    "auprc": number(e.auprc),
                    "best": e.auroc.estimate == best[b],
                }
            )
        rows.append(
            {
                "title": config.title_of(row),
                "mark": _mark(result, row),
                "reference": row == config.reference,
                "cells": cells,
            }
        )
    return {
        **_where(result, task, cohort),
        "heads": [_head(e) for e in heads if e],
        "rows": rows,
    }


def _difference_table(result: StudyResult, reader: Reader, task: str, cohort: str) -> dict[str, Any]:
    config = result.config
    budgets = reader.ordered_budgets(task, cohort)
    rows = []
    for other in reader.rows:
        cells: list[dict[str, str] | None] = []
        for b in budgets:
            d = reader.difference(other, task, b, cohort)
            if d is None:
                cells.append(None)
                continue
            cells.append(
                {
                    "estimate": number(d.auroc.estimate, 3, sign=True),
                    "interval": f"{number(d.auroc.low, 2, sign=True)} to {number(d.auroc.high, 2, sign=True)}",
                    "side": side_of(d.auroc),
                }
            )
        if any(cells):
            rows.append({"title": config.title_of(other), "mark": _mark(result, other), "cells": cells})
    heads = [reader.estimate(config.reference, task, b, cohort) for b in budgets]
    return {**_where(result, task, cohort), "heads": [_head(e) for e in heads if e], "rows": rows}


def _head(estimate: Any) -> dict[str, str]:
    percent = estimate.percent
    return {
        "labels": f"{estimate.n_labels:,.0f}",
        "percent": f"{percent:.0f} %" if percent >= 9.95 else f"{percent:.2g} %",
        "positive": f"{estimate.n_positive:,.0f}",
        "draws": str(estimate.n_draws),
    }


def _where(result: StudyResult, task: str, cohort: str) -> dict[str, Any]:
    return {
        "task": result.plan.tasks[task].title,
        "cohort": result.config.cohort_title(cohort),
        "simulated": result.plan.cohorts[cohort].info.simulated,
    }


def _mark(result: StudyResult, row: str) -> str:
    """Why a row is no equal comparison with the reference; empty if it is."""
    config = result.config
    if row in (FEATURES, config.reference):
        return ""
    entry = config.encoder(row)
    marks = []
    if other := _other_than_reference(config, entry.group):
        marks.append(other)
    if result.unequal.get(row):
        marks.append("unequal")
    if entry.transductive:
        marks.append("transductive")
    return ", ".join(marks)


def _other_than_reference(config: StudyConfig, group: str) -> str:
    """In what a group differs from that of the reference; empty if it is the same group."""
    own = config.encoder(config.reference).group
    if group == own:
        return ""
    one, other = config.groups[own], config.groups[group]
    return "other group" if (one.backbone, one.image_size) == (other.backbone, other.image_size) else "other backbone"


def _has(reader: Reader, task: str, cohort: str) -> bool:
    return bool(reader.ordered_budgets(task, cohort))


def _saved(reader: Reader, task: str, title: str, cohort: str) -> dict[str, Any]:
    rows = labels_saved(reader, task, cohort)
    return {
        "task": title,
        "cohort": reader.config.cohort_title(cohort),
        "rows": [{**r, "title": reader.config.title_of(r["row"])} for r in rows],
        "sentences": [s for r in rows if (s := saved_sentence(reader, task, cohort, r))],
    }


def _full(result: StudyResult, titles: dict[str, str]) -> list[dict[str, Any]]:
    config = result.config
    by_name = {(e.encoder, e.mode, e.task, e.budget, e.cohort): e for e in result.statistics.estimates}
    out = []
    for d in result.statistics.full_minus_probe:
        e = by_name[d.encoder, "full", d.task, d.budget, d.cohort]
        out.append(
            {
                "title": config.title_of(d.encoder),
                "task": titles[d.task],
                "cohort": config.cohort_title(d.cohort),
                "labels": f"{e.n_labels:,.0f}",
                "draws": d.n_draws,
                "full": _precisely(e.auroc),
                "probe": number(e.auroc.estimate - d.auroc.estimate, 3),
                "difference": _precisely(d.auroc, sign=True),
            }
        )
    return out


def _precisely(value: Interval, sign: bool = False) -> str:
    """The estimate with three digits, as in the other tables: ``0.812 (0.77 to 0.85)``."""
    low, high = number(value.low, sign=sign), number(value.high, sign=sign)
    return f"{number(value.estimate, 3, sign)} ({low} to {high})"


def _full_differences(result: StudyResult, titles: dict[str, str]) -> list[dict[str, Any]]:
    config = result.config
    labels = {(e.task, e.budget, e.cohort): e.n_labels for e in result.statistics.estimates if e.mode == "full"}
    return [
        {
            "title": config.title_of(d.other),
            "task": titles[d.task],
            "cohort": config.cohort_title(d.cohort),
            "labels": f"{labels[d.task, d.budget, d.cohort]:,.0f}",
            "draws": d.n_draws,
            "difference": _precisely(d.auroc, sign=True),
            "side": side_of(d.auroc),
        }
        for d in result.statistics.full_differences
    ]


def _reproduce(result: StudyResult, command: str | None) -> dict[str, Any]:
    libraries = {}
    for library in _LIBRARIES:
        try:
            libraries[library] = version(library)
        except PackageNotFoundError:
            continue
    return {
        "command": command or shlex.join(["heartprint", "study", "study.yaml", "--out", result.folder.name]),
        "heartprint": heartprint.__version__,
        "python": platform.python_version(),
        "libraries": libraries,
        "seed": result.config.seed,
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": result.seconds,
        "cells": len(result.results.select("key").unique()),
        "computed": result.n_computed,
    }


def _as_json(result: StudyResult, context: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": context["title"],
        "simulated_cohorts": context["simulated"],
        "simulated_pretraining": context["simulated_pretraining"],
        "warning": SIMULATION_SENTENCE if context["simulated"] else None,
        "config": result.config.model_dump(mode="json"),
        "encoders": [{**e, "unequal": result.unequal.get(e["name"], [])} for e in result.encoders],
        "cohorts": [{k: v for k, v in c.items() if k != "summary"} | _public(c["summary"]) for c in context["cohorts"]],
        "estimates": [e.to_json() for e in result.statistics.estimates],
        "differences": [d.to_json() for d in result.statistics.differences],
        "full_minus_probe": [d.to_json() for d in result.statistics.full_minus_probe],
        "full_differences": [d.to_json() for d in result.statistics.full_differences],
        "findings": [{"task": f.task, "lines": f.lines} for f in context["findings"]],
        "losses": context["losses"],
        "labels_saved": context["saved"],
        "constancy": context["constancy"],
        "notes": result.notes,
        "reproduce": context["reproduce"],
    }


def _public(summary: dict[str, Any]) -> dict[str, Any]:
    keep = ("simulated", "content_hash", "ecgs", "patients", "patients_with_pairs", "pairs", "gaps", "sexes", "ages")
    return {k: summary[k] for k in keep}
