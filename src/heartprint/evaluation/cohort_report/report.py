"""``cohort.html``: who is in a cohort, who is not and why, how good the signals are, what the ECGs look like."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.cohorts.cohort import Cohort
from heartprint.cohorts.duplicates import find_duplicates
from heartprint.cohorts.splits import split_by_patient
from heartprint.cohorts.summary import GAPS, UNKNOWN_GAP, gap_days, summarise, tasks_in
from heartprint.evaluation.cohort_report.figures import gap_figure, quality_figure, to_png
from heartprint.evaluation.cohort_report.pictures import measure_pictures
from heartprint.evaluation.cohort_report.quality import NOISE_HZ, WANDER_HZ, measure_quality
from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import write_text
from heartprint.foundation.randomness import generator
from heartprint.metrics import wilson_interval
from heartprint.pages.kit import fill_template, to_svg
from heartprint.sheets import get_layout, render

CARD_FILE = "cohort.html"
SPLIT: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
MEASURED = 1000
"""ECGs whose signals or pictures are measured, at most."""

_LAYOUT = "standard"
_PX_PER_MM = 4.0
_MOST_VALUES = 6


def write_card(
    cohort: Cohort,
    out: Path | None = None,
    *,
    split: Mapping[str, float] | None = None,
    seed: int = 0,
    sheets: int = 6,
    layout: str = _LAYOUT,
    duplicates: bool = False,
) -> Path:
    """Write a cohort's card, whole or not at all.

    Args:
        cohort: What it is about.
        out: HTML file; ``cohort.html`` in the cohort's folder if None.
        split: Part name to share, by patient, for the table by split; see `split_by_patient`.
        seed: Seed of the split and of the ECGs that are drawn and measured.
        sheets: Examples to draw; 0 leaves them out, and with them all that shows a single patient.
        layout: Layout of the examples; images are shown as they are.
        duplicates: Whether to look for ECGs that stand in it twice, which takes minutes for 100,000 ECGs.

    Returns:
        The file.

    Raises:
        HeartprintError: ``bad-split``, ``unknown-layout``, ``bad-options``, or what reading the cohort raises.
    """
    if sheets < 0:
        raise HeartprintError("bad-options", f"{sheets} sheets cannot be drawn. Give 0 or more.")
    get_layout(layout)
    split = dict(split or SPLIT)
    parts = {name: part for name, part in split_by_patient(cohort, split, seed=seed).items() if len(part)}
    summary = summarise(cohort)
    days = gap_days(cohort.records).to_numpy().astype(np.float64)
    measured = _pictures(cohort, summary, seed) if cohort.kind == "image" else _signals(cohort, summary, seed)
    context = {
        "title": f"{'Simulated cohort' if summary['simulated'] else 'Cohort'}: {summary['name']}",
        "simulated": summary["simulated"],
        "facts": _facts(summary),
        "notes": summary["notes"],
        "flow": _flow(summary),
        "refused": _refused(summary["refused"]),
        "table": _table_1(cohort, parts, summary),
        "split": ", ".join(f"{name} {share:.0%}" for name, share in split.items()),
        "seed": seed,
        "gaps": _gaps(summary["gaps"]),
        "gap_image": to_svg(gap_figure(days)) if len(days) else None,
        "quality": measured,
        "labels": _labels(cohort, summary),
        "numbers": {n: s for n, s in summary["labels"].items() if n not in summary["tasks"] and s["known"]},
        "sheets": _sheets(cohort, sheets, layout, seed),
        "layout": layout if cohort.kind == "waveform" else None,
        "duplicates": _duplicates(cohort) if duplicates else None,
        "same": _same(cohort),
        "duplicate_kinds": "re-saved, resized, dimmed"
        if cohort.kind == "image"
        else "re-sampled, shifted, filtered, scaled",
    }
    path = out or cohort.path / CARD_FILE
    write_text(path, fill_template("heartprint.evaluation.cohort_report", "card.html.j2", context))
    return path


def _facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    dates, ages = summary["dates"], summary["ages"]
    return [
        ("Source", summary["source"]),
        ("ECGs", f"{summary['ecgs']:,} of {summary['patients']:,} patients"),
        (
            "Pairs",
            f"{summary['pairs']:,} of {summary['patients_with_pairs']:,} patients with two or more ECGs",
        ),
        (
            "Recorded",
            f"{dates['first']} to {dates['last']}; {dates['missing']:,} without a date"
            if dates["known"]
            else "no dates: all gaps are unknown",
        ),
        ("Age", f"{ages['lowest']:.0f} to {ages['highest']:.0f} years" if ages["known"] else "unknown"),
        ("Content hash", summary["content_hash"][:16]),
        ("Made with", f"Heartprint {summary['heartprint_version']}"),
    ]


def _flow(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Boxes of the flow chart, from the top: what is left, and what left before it."""
    refused = summary["refused"]["total"]
    single = summary["ecgs"] - summary["ecgs_of_patients_with_pairs"]
    reasons = ", ".join(f"{code} {n:,}" for code, n in summary["refused"]["by_reason"].items())
    return [
        {"left": f"{summary['ecgs'] + refused:,} records in the source", "gone": ""},
        {
            "gone": f"{refused:,} refused" + (f": {reasons}" if reasons else ""),
            "left": f"{summary['ecgs']:,} ECGs of {summary['patients']:,} patients",
        },
        {
            "gone": f"{single:,} ECGs of patients with one ECG",
            "left": f"{summary['ecgs_of_patients_with_pairs']:,} ECGs of {summary['patients_with_pairs']:,} patients "
            f"with two or more: {summary['pairs']:,} pairs",
        },
    ]


def _refused(refused: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "code": code,
            "n": f"{n:,}",
            "share": f"{n / refused['total']:.1%}",
            "message": refused["examples"][code]["message"],
        }
        for code, n in refused["by_reason"].items()
    ]


def _table_1(cohort: Cohort, parts: Mapping[str, Cohort], summary: Mapping[str, Any]) -> dict[str, Any]:
    columns = {"all": cohort, **parts}
    top = {column: list(summary[f"{column}s"])[:_MOST_VALUES] for column in ("site", "device")}
    cells = {name: _describe(part.records, summary["labels"], top) for name, part in columns.items()}
    return {
        "columns": list(columns),
        "rows": [(name, [cells[column].get(name, "") for column in columns]) for name in cells["all"]],
    }


def _describe(records: pl.DataFrame, labels: Mapping[str, Any], top: Mapping[str, list[str]]) -> dict[str, str]:
    n = records.height
    counts = records.group_by("patient_id").len()["len"]
    several = int((counts >= 2).sum())
    rows = {
        "ECGs": f"{n:,}",
        "Patients": f"{counts.len():,}",
        "Patients with two or more ECGs": _share(several, counts.len()),
        "ECGs a patient": _quartiles(counts, "{:g}"),
        "Age, years": _quartiles(records["age"], "{:.0f}"),
        "Age missing": _share(records["age"].null_count(), n),
    }
    for sex in ("female", "male"):
        rows[f"Sex: {sex}"] = _share(int((records["sex"] == sex).sum()), n)
    rows["Sex missing"] = _share(records["sex"].null_count(), n)
    for column, values in top.items():
        for value in values:
            if value != "missing":
                known = records[column].fill_null("")
                rows[f"{column.capitalize()}: {value}"] = _share(int((known == value).sum()), n)
        if values and values != ["missing"]:
            rows[f"{column.capitalize()} missing"] = _share(records[column].null_count(), n)
    if "sampling_rate" in records.columns:
        rows["Seconds"] = _quartiles(records["n_samples"] / records["sampling_rate"], "{:.1f}")
    else:
        rows |= {f"{side.capitalize()}, px": _quartiles(records[side], "{:.0f}") for side in ("width", "height")}
    tasks = {task.name: task for task in tasks_in(records)}
    for name, task in tasks.items():
        if name != "female":
            answer = task.labels(records)
            rows[f"{task.title}, of those labelled"] = _share(int((answer == 1).sum()), int(np.isfinite(answer).sum()))
            rows[f"{task.title}: no label"] = _share(int(np.isnan(answer).sum()), n)
    for name in labels:
        if name not in tasks:
            rows[f"{name}"] = _quartiles(records[f"label_{name}"], "{:g}")
    return rows


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.1%})" if whole else "0"


def _quartiles(values: pl.Series, form: str) -> str:
    known = values.drop_nulls()
    if not known.len():
        return "–"
    low, middle, high = (form.format(known.quantile(q)) for q in (0.25, 0.5, 0.75))
    return f"{middle} ({low} to {high})"


def _gaps(gaps: Mapping[str, Any]) -> dict[str, Any]:
    total = sum(gaps["counts"].values())
    titles = {name: title for name, (title, _) in GAPS.items()} | {UNKNOWN_GAP: "unknown: a date is missing"}
    return {
        "total": total,
        "median": gaps["median_days"],
        "rows": [(titles[name], f"{n:,}", f"{n / total:.1%}") for name, n in gaps["counts"].items()] if total else [],
    }


def _signals(cohort: Cohort, summary: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What the page says about the quality of waveforms."""
    quality = measure_quality(cohort, MEASURED, seed)
    units = sorted(set(cohort.records["unit"].unique().to_list()))
    unit = {"uV": "mV", "z": "SD"}[units[0]] if len(units) == 1 else "mV or SD"
    # Wander and noise are a thousandth of a QRS.
    small, factor = ("uV", 1000.0) if unit == "mV" else (unit, 1.0)
    n = len(quality.rows)
    return {
        "title": "Signal quality",
        "first": "Median over the leads of an ECG",
        **_shown(
            ("Height in 2 s, " + unit, f"Height within 2 s, {unit}", quality.height),
            (
                f"Below {WANDER_HZ:g} Hz, RMS, {small}",
                f"Baseline wander (below {WANDER_HZ:g} Hz), RMS, {small}",
                quality.wander * factor,
            ),
            (
                f"Above {NOISE_HZ:g} Hz, RMS, {small}",
                f"Noise (above {NOISE_HZ:g} Hz), RMS, {small}",
                quality.noise * factor,
            ),
        ),
        "facts": [
            _how_many(n, summary),
            ("Without any QRS found", f"{int((quality.beats == 0).sum()):,} of {n:,}"),
            ("With missing samples", f"{summary['ecgs_with_missing_samples']:,} of {summary['ecgs']:,}"),
            ("With clipped samples", f"{summary['ecgs_with_clipped_samples']:,} of {summary['ecgs']:,}"),
            ("Sampling rate", ", ".join(f"{n:,} at {rate} Hz" for rate, n in summary["sampling_rates"].items())),
        ],
    }


def _pictures(cohort: Cohort, summary: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What the page says about the quality of pictures."""
    quality = measure_pictures(cohort, MEASURED, seed)
    wide, high = summary["widths"], summary["heights"]
    return {
        "title": "Picture quality",
        "first": "Grey of a picture, 100 % = white",
        **_shown(
            ("Paper, %", "Paper (90th percentile), %", 100 * quality.paper),
            ("Contrast, %", "Contrast (paper to the darkest hundredth), %", 100 * quality.contrast),
            (
                "Unevenness, %",
                "Uneven light (lightest to darkest part of the paper), %",
                100 * quality.uneven,
            ),
            (
                "Sharpness, %",
                "Sharpness (steepest step between two px, of the contrast), %",
                100 * quality.sharpness,
            ),
        ),
        "facts": [
            _how_many(len(quality.rows), summary),
            (
                "Size",
                f"{wide['lowest']:g}-{wide['highest']:g} x {high['lowest']:g}-{high['highest']:g} px, median "
                f"{wide['median']:g} x {high['median']:g}",
            ),
            ("Shrunk when taken in", f"{summary['shrunk']:,} of {summary['ecgs']:,}"),
        ],
    }


def _how_many(n: int, summary: Mapping[str, Any]) -> tuple[str, str]:
    return "Measured", f"{n:,} of {summary['ecgs']:,} ECGs" + ("" if n == summary["ecgs"] else ", drawn at random")


def _shown(*measured: tuple[str, str, npt.NDArray[np.float64]]) -> dict[str, Any]:
    """Figure and table of what was measured: each with a short title, a longer one, and values."""
    return {
        "image": to_svg(quality_figure([(short, values) for short, _, values in measured])),
        "shorts": [short.split(",")[0].lower() for short, _, _ in measured],
        "rows": [
            (title, [f"{v:.3g}" for v in np.quantile(values, (0.05, 0.5, 0.95))]) for _, title, values in measured
        ],
    }


def _labels(cohort: Cohort, summary: Mapping[str, Any]) -> list[dict[str, str]]:
    rows = []
    for name, task in summary["tasks"].items():
        known = task["positive"] + task["negative"]
        prevalence = "–"
        if task["patients_labelled"]:
            # Of patients, since the ECGs of one patient are not independent.
            between = wilson_interval(task["patients_positive"], task["patients_labelled"])
            share = task["patients_positive"] / task["patients_labelled"]
            prevalence = f"{share:.1%} ({between.low:.1%} to {between.high:.1%})"
        rows.append(
            {
                "name": name,
                "title": task["title"],
                "positive": f"{task['positive']:,}",
                "negative": f"{task['negative']:,}",
                "missing": _share(task["missing"], len(cohort)),
                "share": f"{task['positive'] / known:.1%}" if known else "–",
                "patients": f"{task['patients_positive']:,} of {task['patients_labelled']:,}",
                "prevalence": prevalence,
            }
        )
    return rows


def _sheets(cohort: Cohort, n: int, layout: str, seed: int) -> list[dict[str, str]]:
    """Examples of different patients, drawn at random."""
    order = generator(seed, "example sheets").permutation(len(cohort))
    _, first = np.unique(cohort.patient_codes[order], return_index=True)
    tasks = tasks_in(cohort.records)
    out = []
    for row in order[np.sort(first)][:n].tolist():
        record = cohort.records.row(row, named=True)
        known = [f"{record['age']:.0f} years"] if record["age"] is not None else []
        known += [record["sex"]] if record["sex"] else []
        known += [
            task.title for task in tasks if task.name != "female" and task.labels(cohort.records[row : row + 1])[0] == 1
        ]
        out.append(
            {
                "image": to_png(_page(cohort, row, layout)),
                "caption": ", ".join(known) or "nothing is known about the patient",
            }
        )
    return out


def _page(cohort: Cohort, row: int, layout: str) -> Image:
    """An ECG for the eye: its sheet in colour, or the picture that it is."""
    if cohort.kind == "image":
        return cohort.image(row)
    sheet = get_layout(layout)
    size = (round(_PX_PER_MM * sheet.height_mm), round(_PX_PER_MM * sheet.width_mm))
    return render(cohort.signal(row), cohort.sampling_rate(row), layout, size, colour=True)


def _duplicates(cohort: Cohort) -> dict[str, str]:
    table = find_duplicates(cohort, progress=True)
    apart = table.filter(pl.col("patient_id") != pl.col("other_patient_id"))
    return {
        "pairs": f"{table.height:,}",
        "exact": f"{(table['kind'] == 'exact').sum():,}",
        "apart": f"{apart.height:,}",
        "any_apart": "yes" if apart.height else "",
    }


def _same(cohort: Cohort) -> str:
    """How many ECGs stand in the cohort twice to the last sample or pixel."""
    by, what = (
        (("image_hash", "height", "width"), "pixels")
        if cohort.kind == "image"
        else (("waveform_hash", "n_samples", "sampling_rate"), "samples")
    )
    hashes = cohort.records.select(by)
    return f"{hashes.height - hashes.n_unique():,} ECGs have the very {what} of another one."
