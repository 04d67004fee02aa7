"""What is in a cohort, from its table alone: never a waveform is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from heartprint.cohorts.cohort import CAUTIONS_FILE, REFUSED_FILE, Cohort
from heartprint.cohorts.integrity import read_notes
from heartprint.cohorts.pairs import ALL_PAIRS, PairPolicy, policy_flow
from heartprint.cohorts.schema import REFUSED_COLUMNS
from heartprint.cohorts.tasks import REGRESSIONS, TASKS, Task, get_classes

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table as RichTable

GAPS: dict[str, tuple[str, float]] = {
    "same_day": ("same day", 0),
    "up_to_1_week": ("<= 1 week", 7),
    "up_to_1_month": ("<= 1 month", 30),
    "up_to_1_year": ("<= 1 year", 365),
    "over_1_year": ("> 1 year", float("inf")),
}
"""Classes of the gap between two consecutive ECGs: name to title and largest number of calendar days."""
UNKNOWN_GAP = "unknown"
SIMULATED_WARNING = "SIMULATED ECGs: made by a computer model, of no real patient."


def summarise(cohort: Cohort, policy: PairPolicy | None = None) -> dict[str, Any]:
    """Count what a cohort holds.

    Args:
        cohort: Any cohort, or part of one; refused records are those of the whole folder.
        policy: Which pairs pretraining would be allowed to draw.

    Returns:
        Plain values, ready for JSON: ``ecgs``, ``patients``, ``patients_with_pairs`` (two or more ECGs), ``pairs``
        (any two ECGs of one patient), ``pair_policy`` and ``pair_flow`` (what each of its rules leaves of these; see
        `policy_flow`), ``gaps`` (consecutive ECGs of a patient by `GAPS`, ``unknown`` where a date is
        missing) and their median in days, ``tasks`` (positive, negative, missing; ECGs and patients), ``labels``
        (per column: known, missing, lowest, median, highest), ``sexes``, ``ages``, ``sampling_rates``, ``refused``
        and ``cautions`` by reason, ``simulated``. Of images, instead of ``sampling_rates``, ``seconds`` and the like:
        ``widths`` and ``heights`` in px, how many were ``shrunk``, and their ``bytes``.
    """
    records = cohort.records
    policy = policy or PairPolicy()
    counts = records.group_by("patient_id").len()["len"].cast(pl.Int64)
    info = cohort.info
    return {
        "name": info.name,
        "source": info.source,
        "simulated": info.simulated,
        "kind": cohort.kind,
        "content_hash": info.content_hash,
        "heartprint_version": info.heartprint_version,
        "notes": [str(n) for n in info.settings.get("notes", [])],
        "ecgs": records.height,
        "patients": counts.len(),
        "patients_with_pairs": int((counts >= 2).sum()),
        "ecgs_of_patients_with_pairs": int(counts.filter(counts >= 2).sum()),
        "pairs": int((counts * (counts - 1) // 2).sum()),
        "pair_policy": policy.model_dump(mode="json"),
        "pair_flow": [row.to_json() for row in policy_flow(cohort, policy)],
        "dates": _dates(records["recorded_at"]),
        "gaps": _gaps(records),
        "tasks": {task.name: _answers(task, records) for task in tasks_in(records)},
        "labels": {c.removeprefix("label_"): _spread(records[c]) for c in records.columns if c.startswith("label_")},
        "sexes": {
            "female": int((records["sex"] == "female").sum()),
            "male": int((records["sex"] == "male").sum()),
            "missing": records["sex"].null_count(),
        },
        "ages": _spread(records["age"]),
        "sites": _values(records["site"]),
        "devices": _values(records["device"]),
        **(_of_images(records) if cohort.kind == "image" else _of_waveforms(records)),
        "refused": _reasons(cohort, REFUSED_FILE, cohort.info.n_refused),
        "cautions": _reasons(cohort, CAUTIONS_FILE, cohort.info.n_cautions),
    }


def _of_waveforms(records: pl.DataFrame) -> dict[str, Any]:
    return {
        "sampling_rates": _values(records["sampling_rate"]),
        "seconds": _spread(records["n_samples"] / records["sampling_rate"]),
        "ecgs_with_missing_samples": int((records["n_missing"] > 0).sum()),
        "ecgs_with_clipped_samples": int((records["n_clipped"] > 0).sum()),
    }


def _of_images(records: pl.DataFrame) -> dict[str, Any]:
    return {
        "widths": _spread(records["width"]),
        "heights": _spread(records["height"]),
        "shrunk": int((records["original_width"] > records["width"]).sum()),
        "bytes": int((records["width"].cast(pl.Int64) * records["height"]).sum()),
    }


def tasks_in(records: pl.DataFrame) -> list[Task]:
    """Tasks of classes that a table can answer: the built-in ones whose column it has, and its columns of 0 and 1."""
    tasks = [task for task in TASKS.values() if task.column in records.columns]
    for column in records.columns:
        name = column.removeprefix("label_")
        own = column.startswith("label_") and name not in TASKS and name not in REGRESSIONS
        if own and records[column].drop_nulls().is_in([0.0, 1.0]).all():
            tasks.append(get_classes(name, records, why="A count of positives needs classes"))
    return tasks


def _answers(task: Task, records: pl.DataFrame) -> dict[str, Any]:
    answer = pl.Series("answer", task.labels(records))
    patients = records["patient_id"]
    return {
        "title": task.title,
        "positive": int((answer == 1).sum()),
        "negative": int((answer == 0).sum()),
        "missing": int(answer.is_nan().sum()),
        "patients_positive": patients.filter(answer == 1).n_unique(),
        "patients_labelled": patients.filter(answer.is_not_nan()).n_unique(),
    }


def _spread(column: pl.Series) -> dict[str, float | int | None]:
    known = column.cast(pl.Float64).fill_nan(None).drop_nulls()
    values = [known.min(), known.median(), known.max()]
    low, median, high = (round(float(v), 3) if isinstance(v, float) else None for v in values)
    return {
        "known": known.len(),
        "missing": column.len() - known.len(),
        "lowest": low,
        "median": median,
        "highest": high,
    }


def _values(column: pl.Series) -> dict[str, int]:
    """How often each value occurs, most frequent first; ``missing`` counts the blanks."""
    table = column.drop_nulls().alias("value").value_counts().sort(["count", "value"], descending=[True, False])
    out = {f"{v:g}" if isinstance(v, float) else str(v): int(n) for v, n in table.iter_rows()}
    return out | ({"missing": column.null_count()} if column.null_count() else {})


def _dates(recorded_at: pl.Series) -> dict[str, Any]:
    known = recorded_at.drop_nulls()
    first, last = known.min(), known.max()
    return {
        "known": known.len(),
        "missing": recorded_at.null_count(),
        "first": str(first)[:10] if known.len() else None,
        "last": str(last)[:10] if known.len() else None,
    }


def gap_days(records: pl.DataFrame) -> pl.Series:
    """Calendar days between consecutive dated ECGs of a patient; 0 = the same day."""
    return (
        records.filter(pl.col("recorded_at").is_not_null())
        .sort("patient_id", "recorded_at")
        .select(pl.col("recorded_at").dt.date().diff().over("patient_id").dt.total_days().alias("days"))["days"]
        .drop_nulls()
    )


def _gaps(records: pl.DataFrame) -> dict[str, Any]:
    consecutive = records.height - records["patient_id"].n_unique()
    days = gap_days(records)
    counts: dict[str, int] = {}
    below = -1.0
    for name, (_, most) in GAPS.items():
        counts[name] = int(((days > below) & (days <= most)).sum())
        below = most
    # n ECGs of a patient make n - 1 gaps; those that no two dates bound are unknown.
    counts[UNKNOWN_GAP] = consecutive - days.len()
    median = days.median()
    return {"counts": counts, "median_days": float(median) if isinstance(median, int | float) else None}


def _reasons(cohort: Cohort, name: str, expected: int) -> dict[str, Any]:
    if not expected and not (cohort.path / name).exists():
        return {"total": 0, "by_reason": {}, "examples": {}}
    table = read_notes(cohort.path / name, REFUSED_COLUMNS, expected)
    examples = table.group_by("code", maintain_order=True).first()
    return {
        "total": table.height,
        "by_reason": _values(table["code"]),
        "examples": {
            r["code"]: {"ecg_id": r["ecg_id"], "path": r["path"], "message": r["message"]}
            for r in examples.iter_rows(named=True)
        },
    }


def render_summary(summary: dict[str, Any]) -> Group:
    """Lay a summary out as tables for a terminal.

    Args:
        summary: What `summarise` gave.

    Returns:
        Something that `rich.console.Console.print` shows.
    """
    from rich.console import Group
    from rich.markup import escape
    from rich.text import Text

    ages, gaps, dates = summary["ages"], summary["gaps"], summary["dates"]
    facts = _table("", "")
    facts.show_header = False
    facts.add_row("ECGs", f"{summary['ecgs']:,}")
    facts.add_row("patients", f"{summary['patients']:,}")
    facts.add_row(
        "patients with >= 2 ECGs",
        f"{summary['patients_with_pairs']:,} "
        f"({summary['ecgs_of_patients_with_pairs']:,} ECGs, {summary['pairs']:,} pairs)",
    )
    facts.add_row("sex", ", ".join(f"{n:,} {name}" for name, n in summary["sexes"].items()))
    facts.add_row(
        "age",
        f"{ages['lowest']:g} to {ages['highest']:g} years, median {ages['median']:g}; {ages['missing']:,} missing"
        if ages["known"]
        else "unknown",
    )
    facts.add_row(
        "recorded",
        f"{dates['first']} to {dates['last']}; {dates['missing']:,} without a date" if dates["known"] else "no dates",
    )
    if summary["kind"] == "image":
        wide, high = summary["widths"], summary["heights"]
        facts.add_row(
            "images",
            f"{wide['lowest']:g}-{wide['highest']:g} x {high['lowest']:g}-{high['highest']:g} px, median "
            f"{wide['median']:g} x {high['median']:g}; {summary['shrunk']:,} shrunk; {summary['bytes'] / 1e6:,.1f} MB",
        )
    else:
        rates = summary["sampling_rates"].items()
        facts.add_row("sampling rate", ", ".join(f"{n:,} at {rate} Hz" for rate, n in rates))
    for what in ("missing", "clipped") if summary["kind"] == "waveform" else ():
        if summary[f"ecgs_with_{what}_samples"]:
            facts.add_row(f"with {what} samples", f"{summary[f'ecgs_with_{what}_samples']:,} ECGs")

    gap_table = _table("gap between a patient's ECGs", "gaps")
    for name, n in gaps["counts"].items():
        gap_table.add_row(GAPS[name][0] if name in GAPS else name, f"{n:,}")
    if gaps["median_days"] is not None:
        gap_table.add_row("median of the known", f"{gaps['median_days']:g} days")

    task_table = _table("task", "positive", "negative", "missing", "patients positive")
    for name, t in summary["tasks"].items():
        share = f"{t['patients_positive']:,} of {t['patients_labelled']:,}"
        task_table.add_row(escape(name), f"{t['positive']:,}", f"{t['negative']:,}", f"{t['missing']:,}", share)

    parts: list[Any] = [Text(f"{summary['name']} ({summary['source']})", style="bold")]
    if summary["simulated"]:
        parts.append(Text(SIMULATED_WARNING, style="bold yellow"))
    parts += [facts, *_pair_flow(summary), gap_table, task_table]
    numbers = {n: s for n, s in summary["labels"].items() if n not in summary["tasks"]}
    if numbers:
        label_table = _table("number", "known", "missing", "lowest", "median", "highest")
        for name, s in numbers.items():
            values = ["" if s[k] is None else f"{s[k]:g}" for k in ("lowest", "median", "highest")]
            label_table.add_row(escape(name), f"{s['known']:,}", f"{s['missing']:,}", *values)
        parts.append(label_table)
    parts += [
        *_refusals(summary["refused"]),
        *_cautions(summary["cautions"]),
        *(Text(f"Note: {note}") for note in summary["notes"]),
    ]
    return Group(*parts)


def _pair_flow(summary: dict[str, Any]) -> list[Any]:
    """What the rules of a pair policy leave; without rules the facts say it all."""
    if len(summary["pair_flow"]) == 1:
        return []
    table = _table("pair policy", "pairs", "patients", "ECGs")
    policy = PairPolicy(**summary["pair_policy"])
    for row in summary["pair_flow"]:
        rule = "any two ECGs of a patient" if row["rule"] == ALL_PAIRS else policy.written(row["rule"])
        table.add_row(rule, f"{row['pairs']:,}", f"{row['patients']:,}", f"{row['ecgs']:,}")
    return [table]


def _refusals(refused: dict[str, Any]) -> list[Any]:
    from rich.text import Text

    if not refused["total"]:
        return [Text("No record was refused.")]
    return [_reasons_table(f"refused ({refused['total']:,})", refused)]


def _cautions(cautions: dict[str, Any]) -> list[Any]:
    return [_reasons_table(f"taken with caution ({cautions['total']:,})", cautions)] if cautions["total"] else []


def _reasons_table(title: str, reasons: dict[str, Any]) -> RichTable:
    from rich.markup import escape

    table = _table(title, "records", "first of them")
    table.columns[2].justify = "left"
    for code, n in reasons["by_reason"].items():
        first = reasons["examples"][code]
        table.add_row(code, f"{n:,}", escape(f"{first['ecg_id'] or 'all'}: {first['message']}"))
    return table


def _table(first: str, *others: str) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable

    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right" if name else "left")
    return table
