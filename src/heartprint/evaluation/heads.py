"""What is measured of one head on a cohort, and the scores behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.cohorts import Cohort
from heartprint.encoders.bundle.heads import ClassHead, NumberHead
from heartprint.evaluation.predict import Scores, answers
from heartprint.foundation.arrays import Float64Array
from heartprint.foundation.errors import HeartprintError
from heartprint.metrics.auroc import delong_interval, require_both_classes
from heartprint.metrics.bootstrap import cluster_bootstrap
from heartprint.metrics.calibration import (
    brier_score,
    calibration_line,
    confusion,
    expected_calibration_error,
    reliability_bins,
)
from heartprint.metrics.regression import agreement

_LABEL: dict[str, pl.DataType] = {"label": pl.Int8()}
_CLASS_COLUMNS: dict[str, pl.DataType] = {
    "logit": pl.Float64(),
    "probability": pl.Float64(),
    "above_threshold": pl.Boolean(),
}
_NUMBER_COLUMNS: dict[str, pl.DataType] = {name: pl.Float64() for name in ("label", "value", "low", "high")}
_WHOSE: dict[str, pl.DataType] = {"ecg_id": pl.String(), "patient_id": pl.String()}
_LAYOUT: dict[str, pl.DataType] = {"layout": pl.String()}
_HOW: dict[str, pl.DataType] = {"distance": pl.Float64(), "status": pl.String(), "reason": pl.String()}

SCORE_COLUMNS: dict[str, pl.DataType] = {**_WHOSE, **_LABEL, **_LAYOUT, **_CLASS_COLUMNS, **_HOW}
"""Columns of the score file of one task of classes: one row per ECG and layout for those scored, one for each other.

``status`` is ``scored``, ``warned`` (scored, and counted, but in doubt; see `heartprint.evaluation.predict`),
``no-label``, ``seen-patient`` (left out) or ``refused`` (with a ``reason``).
"""


@dataclass(frozen=True, eq=False)
class Measured:
    """One head on the ECGs that have its label and could be scored.

    Attributes:
        kept: ``(n,)`` which of the ECGs given they are.
        labels: ``(m,)`` their labels.
        outputs: ``(n_layouts, m)`` what the head gave.
        values: ``(n_layouts, m)`` probabilities, or numbers.
        counts: How many they are, for ``metrics.json``.
        by_layout: Layout to figures.
    """

    kept: npt.NDArray[np.bool_]
    labels: Float64Array
    outputs: Float64Array
    values: Float64Array
    counts: dict[str, int]
    by_layout: dict[str, dict[str, Any]]


def require_answers(
    head: ClassHead | NumberHead, labels: npt.NDArray[np.floating], heads: Sequence[ClassHead | NumberHead]
) -> None:
    """Refuse ECGs of which nothing can be measured.

    Args:
        head: The head.
        labels: ``(n,)`` NaN where there is none.
        heads: All heads that are evaluated; where there are others, it is said that they may be taken alone.

    Raises:
        HeartprintError: ``no-labels`` or ``one-class-only``.
    """
    name = head.task.name
    rest = " Or evaluate the other tasks alone (--task NAME)." if len(heads) > 1 else ""
    known = ~np.isnan(labels)
    if isinstance(head, ClassHead):
        try:
            require_both_classes(labels[known] == 1)
        except HeartprintError as error:
            if not rest:
                raise
            raise HeartprintError(error.code, f"'{name}': {error.message}{rest}") from error
    elif not known.any():
        raise HeartprintError(
            "no-labels", f"No ECG that could be evaluated has a number for '{name}'. Use another cohort.{rest}"
        )


def measure_head(
    head: ClassHead | NumberHead,
    labels: Float64Array,
    part: Cohort,
    outputs: Float64Array,
    scores: Scores,
    layouts: Sequence[str],
    *,
    level: float,
    resamples: int,
    seed: int,
) -> Measured:
    """Measure a head in all layouts.

    Args:
        head: The head.
        labels: ``(n,)`` NaN where an ECG has none.
        part: The ECGs that were scored.
        outputs: ``(n_layouts, n)`` what the head gave.
        scores: What else came of scoring.
        layouts: Their names.
        level: Level of all intervals.
        resamples: Bootstrap resamples of patients.
        seed: Seed of the bootstrap.

    Raises:
        HeartprintError: ``no-labels`` or ``one-class-only`` where too few ECGs could be scored.
    """
    kept = ~np.isnan(labels) & ~np.isnan(outputs[0])
    require_answers(head, np.where(kept, labels, np.nan), [head])
    known, found, patients = labels[kept], outputs[:, kept], part.patient_codes[kept]
    how: dict[str, Any] = {"level": level, "resamples": resamples, "seed": seed}
    counts = {"evaluated_ecgs": int(kept.sum()), "evaluated_patients": len(np.unique(patients))}
    by_layout: dict[str, dict[str, Any]]
    if isinstance(head, NumberHead):
        values = np.stack([head.values(one)[0] for one in found])
        by_layout = {
            name: _measure_numbers(head, known, one, patients, **how) for name, one in zip(layouts, found, strict=True)
        }
    else:
        values = head.platt(found)
        counts |= {"positive": int((known == 1).sum()), "negative": int((known == 0).sum())}
        by_layout = {
            name: _measure_classes(known, one, p, patients, threshold=head.threshold, **how)
            for name, one, p in zip(layouts, found, values, strict=True)
        }
    for name, warned in zip(layouts, scores.warned, strict=True):
        by_layout[name]["warned"] = int(warned[kept].sum())
    return Measured(kept, known, found, values, counts, by_layout)


def result_of(
    shared: Mapping[str, Any],
    head: ClassHead | NumberHead,
    counts: Mapping[str, int],
    by_layout: Mapping[str, dict[str, Any]],
) -> dict[str, Any]:
    """What there is to say of one head, with all that it shares with others; ``metrics.json`` of one of classes."""
    model = dict(shared["model"])
    if isinstance(head, ClassHead):
        model["threshold"] = head.threshold
    own = {"task": head.task.to_json(), "model": model, "counts": dict(counts), "layouts": dict(by_layout)}
    order = ("heartprint_version", "simulated", "notice", "task", "model", "cohort", "counts", "transductive", "level")
    both = {**shared, **own}
    return {name: both[name] for name in (*order, "resamples", "primary_layout", "layouts")}


def together(
    shared: Mapping[str, Any], heads: Sequence[ClassHead | NumberHead], results: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """``metrics.json`` of several heads, or of a number: what they share, and below ``tasks`` what is of each."""
    tasks = {}
    for head, result in zip(heads, results, strict=True):
        made: dict[str, Any] = {"kind": head.kind, "n_labels": head.n_labels}
        if isinstance(head, ClassHead):
            made |= {"n_positive": head.n_positive, "threshold": head.threshold}
        else:
            made |= {"calibration": head.calibration.to_json()}
        tasks[head.task.name] = {**made, **{name: result[name] for name in ("task", "counts", "layouts")}}
    return {**shared, "tasks": tasks}


def _measure_classes(
    labels: npt.NDArray[np.float64],
    logits: npt.NDArray[np.float64],
    probabilities: npt.NDArray[np.float64],
    patients: npt.NDArray[np.int64],
    *,
    threshold: float,
    level: float,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    one_each = len(np.unique(patients)) == len(patients)
    slope, intercept = calibration_line(labels, probabilities)
    return {
        "auroc": cluster_bootstrap(labels, logits, patients, "auroc", resamples, seed, level).to_json(),
        # DeLong takes ECGs as independent; with several ECGs of a patient it would be too sure.
        "auroc_delong": delong_interval(labels, logits, level).to_json() if one_each else None,
        "auprc": cluster_bootstrap(labels, logits, patients, "auprc", resamples, seed, level).to_json(),
        "prevalence": float(labels.mean()),
        "brier": brier_score(labels, probabilities),
        "expected_calibration_error": expected_calibration_error(labels, probabilities),
        "calibration_slope": _or_none(slope),
        "calibration_intercept": _or_none(intercept),
        "reliability": [
            {"n": b.n, "mean_probability": b.mean_probability, "observed": b.observed.to_json()}
            for b in reliability_bins(labels, probabilities)
        ],
        "at_threshold": {
            **confusion(labels, probabilities, threshold, level).to_json(),
            "intervals": "Wilson" if one_each else "Wilson, ECGs taken as independent: somewhat too narrow",
        },
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _measure_numbers(
    head: NumberHead,
    targets: Float64Array,
    outputs: Float64Array,
    patients: npt.NDArray[np.int64],
    *,
    level: float,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    values, low, high = head.values(outputs)
    inside = (targets >= low) & (targets <= high)
    figures = agreement(targets, values, patients, inside=inside, n=resamples, seed=seed, level=level)
    return {
        **{name: figure.to_json() for name, figure in figures.items()},
        "mean": float(targets.mean()),
        "sd": float(targets.std()),
    }


def score_columns(heads: Sequence[ClassHead | NumberHead]) -> dict[str, pl.DataType]:
    """Columns of the score file of any heads: with several, or numbers, each begins with the task."""
    if len(heads) == 1 and isinstance(heads[0], ClassHead):
        return SCORE_COLUMNS
    told: dict[str, pl.DataType] = {}
    for head in heads:
        own = {**_LABEL, **_CLASS_COLUMNS} if isinstance(head, ClassHead) else _NUMBER_COLUMNS
        told |= {f"{head.task.name}_{name}": kind for name, kind in own.items()}
    return {**_WHOSE, **_LAYOUT, **told, **_HOW}


def score_table(
    heads: Sequence[ClassHead | NumberHead],
    cohort: Cohort,
    labels: npt.NDArray[np.float32],
    left_out: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.int64],
    layouts: Sequence[str],
    scores: Scores,
) -> pl.DataFrame:
    """Every ECG with labels, scores and what became of it.

    Args:
        heads: The heads.
        cohort: All ECGs.
        labels: ``(H, n)`` of them, NaN where there is none.
        left_out: ``(n,)`` ECGs of seen patients that were not scored.
        rows: Those that were scored.
        layouts: In which layouts.
        scores: Of ``rows``.
    """
    columns = score_columns(heads)
    prefixes = [""] if columns is SCORE_COLUMNS else [f"{head.task.name}_" for head in heads]
    base = cohort.records.select("ecg_id", "patient_id").with_columns(
        *(pl.Series(f"{at}label", own).fill_nan(None) for at, own in zip(prefixes, labels, strict=True)),
        pl.Series("row", np.arange(len(cohort))),
    )
    status = np.where(left_out, "seen-patient", "no-label").astype(object)
    reason: list[str | None] = [None] * len(cohort)
    status[rows] = "scored"
    for k, (code, message) in scores.failures.items():
        status[rows[k]], reason[rows[k]] = "refused", f"{code}: {message}"
    base = base.with_columns(pl.Series("status", status.tolist()), pl.Series("reason", reason, dtype=pl.String))
    parts = []
    for k, name in enumerate(layouts):
        told = {
            f"{at}{column}": values
            for at, head, outputs in zip(prefixes, heads, scores.outputs, strict=True)
            for column, values in answers(head, outputs[k]).items()
        }
        known = {"distance": pl.Series(scores.distances[k]).fill_nan(None), "warned": scores.warned[k]}
        parts.append(pl.DataFrame({"row": rows, "layout": [name] * len(rows), **told, **known}))
    refused = pl.Series(list(scores.failures), dtype=pl.Int64).to_numpy()
    scored = pl.concat(parts).filter(~pl.col("row").is_in(rows[refused].tolist()))
    table = base.join(scored, on="row", how="left", maintain_order="left_right")
    table = table.with_columns(pl.when("warned").then(pl.lit("warned")).otherwise("status").alias("status"))
    return table.select(pl.col(name).cast(kind) for name, kind in columns.items())
