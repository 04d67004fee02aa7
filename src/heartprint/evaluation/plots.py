"""Plots of an evaluation: ROC, precision-recall, reliability, scores by class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from heartprint.foundation.arrays import Float64Array

PLOT_FILES = ("roc.png", "precision_recall.png", "reliability.png", "scores.png")
AGREEMENT_FILE = "agreement.png"

_MAIN, _CASE, _CONTROL, _WARN = "#0b5a8f", "#c2452d", "#5b7f95", "#b00020"
_PRETRAINED = "Encoder pretrained on simulated patients"
_OTHERS = ("#7a9e5f", "#c9973a", "#9a7bb0", "#8a8a8a")
_DPI = 130


def draw_plots(
    folder: Path,
    *,
    labels: Float64Array,
    probabilities: Mapping[str, Float64Array],
    logits: Mapping[str, Float64Array],
    result: Mapping[str, Any],
    prefix: str = "",
) -> None:
    """Write `PLOT_FILES`.

    Args:
        folder: Where to.
        labels: ``(n,)`` 0 or 1.
        probabilities: Layout to ``(n,)`` probabilities.
        logits: Layout to ``(n,)`` logits; they rank as the probabilities do, without their ties.
        result: What ``metrics.json`` says of a task of classes.
        prefix: Beginning of the file names.
    """
    primary = result["primary_layout"]
    for name, draw, values in (
        ("roc.png", _roc, logits),
        ("precision_recall.png", _precision_recall, logits),
        ("reliability.png", _reliability, probabilities),
        ("scores.png", _histogram, probabilities),
    ):
        figure, axes = _page(result)
        draw(axes, labels, values, primary, result)
        figure.savefig(folder / f"{prefix}{name}", dpi=_DPI)


def draw_agreement(path: Path, targets: Float64Array, values: Float64Array, result: Mapping[str, Any]) -> None:
    """Draw predicted against measured numbers, and their differences over their means (Bland & Altman 1986).

    Args:
        path: PNG file to write.
        targets: ``(n,)`` measured.
        values: ``(n,)`` predicted, in the first layout.
        result: What there is to say of the task: see `heartprint.evaluation.heads.result_of`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.4, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    counts, warning = result["counts"], _warning(result)
    figure.suptitle(
        f"{f'{warning} - ' if warning else ''}{result['task']['title']} - {result['cohort']['name']}\n"
        f"{counts['evaluated_ecgs']:,} ECGs of {counts['evaluated_patients']:,} patients"
        + (", transductive" if result["transductive"] else ""),
        fontsize=9,
        color=_WARN if warning else "black",
    )
    measured, task = result["layouts"][result["primary_layout"]], result["task"]
    unit = f" ({task['unit']})" if task["unit"] else ""
    ends = [float(min(targets.min(), values.min())), float(max(targets.max(), values.max()))]
    left.plot(ends, ends, color="0.8", linewidth=1)
    left.plot(targets, values, "o", color=_MAIN, markersize=3, alpha=0.4)
    left.set(xlabel=f"Measured{unit}", ylabel=f"Predicted{unit}", aspect="equal")
    r = f"Pearson r {_interval(measured['pearson_r'])}\n" if measured["pearson_r"]["estimate"] is not None else ""
    left.text(0.03, 0.97, f"{r}MAE {_interval(measured['mae'])}", transform=left.transAxes, va="top", fontsize=8)
    right.plot((targets + values) / 2, values - targets, "o", color=_MAIN, markersize=3, alpha=0.4)
    for name, style in (("bias", "-"), ("limit_low", "--"), ("limit_high", "--")):
        label = f"{name.replace('limit_', 'limit of agreement, ')} {_interval(measured[name])}"
        right.axhline(measured[name]["estimate"], color=_CASE, linestyle=style, linewidth=1, label=label)
    right.set(xlabel=f"Mean of predicted and measured{unit}", ylabel=f"Predicted minus measured{unit}")
    # Below the picture: inside it would lie on points.
    title = f"{result['level']:.0%} intervals"
    right.legend(frameon=False, fontsize=8, title=title, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=_DPI)


def _warning(result: Mapping[str, Any]) -> str | None:
    if result["simulated"]:
        return "SIMULATED PATIENTS"
    if result["model"]["labels_simulated"]:
        return "SIMULATED LABELS"
    return _PRETRAINED if result["model"]["pretrained_on_simulated"] else None


def _page(result: Mapping[str, Any]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    # Figure without pyplot: no global state, no display, and it is freed with its name.
    figure = Figure(figsize=(5.2, 5.2), layout="constrained")
    axes = figure.add_subplot()
    counts = result["counts"]
    axes.set_title(
        f"{result['task']['title']} - {result['cohort']['name']}\n"
        f"{counts['evaluated_ecgs']:,} ECGs of {counts['evaluated_patients']:,} patients, "
        f"{counts['positive']:,} positive" + (", transductive" if result["transductive"] else ""),
        fontsize=9,
    )
    if result["simulated"]:
        figure.suptitle("SIMULATED PATIENTS", color=_WARN, fontsize=11, fontweight="bold")
    elif result["model"]["labels_simulated"]:
        figure.suptitle("SIMULATED LABELS", color=_WARN, fontsize=11, fontweight="bold")
    elif result["model"]["pretrained_on_simulated"]:
        figure.suptitle(_PRETRAINED, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def battery_title(result: Mapping[str, Any]) -> str:
    """Title of the battery's heat map, which says where simulated patients took part."""
    tried = result["battery"]
    simulated = "SIMULATED PATIENTS - " if result["simulated"] else ""
    made = ""
    if not simulated and result["model"]["labels_simulated"]:
        made = "\nSIMULATED LABELS"
    elif not simulated and result["model"]["pretrained_on_simulated"]:
        made = f"\n{_PRETRAINED}"
    return (
        f"{simulated}{result['task']['title']} - {result['cohort']['name']}: "
        f"{tried['ecgs']:,} ECGs, {tried['positive']:,} positive{made}"
    )


def _interval(value: Mapping[str, Any]) -> str:
    if value["low"] is None:
        return f"{value['estimate']:.3f}"
    between = "-" if value["low"] >= 0 else " to "
    return f"{value['estimate']:.3f} ({value['low']:.3f}{between}{value['high']:.3f})"


def _roc(
    axes: Any, labels: Float64Array, scores: Mapping[str, Float64Array], primary: str, result: Mapping[str, Any]
) -> None:
    from sklearn.metrics import roc_curve

    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
    for layout in _primary_last(scores, primary):
        false_positive, true_positive, _ = roc_curve(labels, scores[layout])
        axes.plot(false_positive, true_positive, **_line(layout, primary, result, "auroc"))
    at = result["layouts"][primary]["at_threshold"]
    axes.plot(
        1 - at["specificity"]["estimate"], at["sensitivity"]["estimate"], "o", color=_CASE, label="stored threshold"
    )
    axes.set(xlabel="1 - specificity", ylabel="Sensitivity", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(frameon=False, fontsize=8, loc="lower right", title=f"AUROC ({result['level']:.0%} interval)")


def _precision_recall(
    axes: Any, labels: Float64Array, scores: Mapping[str, Float64Array], primary: str, result: Mapping[str, Any]
) -> None:
    from sklearn.metrics import precision_recall_curve

    axes.axhline(float(labels.mean()), color="0.8", linewidth=1, label=f"prevalence {labels.mean():.3f}")
    for layout in _primary_last(scores, primary):
        precision, recall, _ = precision_recall_curve(labels, scores[layout])
        axes.step(recall, precision, where="post", **_line(layout, primary, result, "auprc"))
    axes.set(xlabel="Recall (sensitivity)", ylabel="Precision (PPV)", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(frameon=False, fontsize=8, loc="best", title=f"AUPRC ({result['level']:.0%} interval)")


def _reliability(
    axes: Any, labels: Float64Array, scores: Mapping[str, Float64Array], primary: str, result: Mapping[str, Any]
) -> None:
    measured = result["layouts"][primary]
    bins = measured["reliability"]
    x = np.array([b["mean_probability"] for b in bins])
    y = np.array([b["observed"]["estimate"] for b in bins])
    low = np.array([b["observed"]["low"] for b in bins])
    high = np.array([b["observed"]["high"] for b in bins])
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
    error = np.maximum(0.0, np.stack([y - low, high - y]))
    axes.errorbar(x, y, yerr=error, fmt="o-", color=_MAIN, capsize=2, markersize=4, linewidth=1.2)
    axes.text(
        0.03,
        0.97,
        f"Brier {measured['brier']:.3f}\nexpected calibration error {measured['expected_calibration_error']:.3f}",
        transform=axes.transAxes,
        va="top",
        fontsize=8,
    )
    axes.set(
        xlabel="Predicted probability (mean of each tenth)",
        ylabel="Observed share",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
    )


def _histogram(
    axes: Any, labels: Float64Array, scores: Mapping[str, Float64Array], primary: str, result: Mapping[str, Any]
) -> None:
    edges = np.linspace(0, 1, 31)
    for answer, colour, name in ((0.0, _CONTROL, "negative"), (1.0, _CASE, "positive")):
        values = scores[primary][labels == answer]
        # Shares within each class: a rare class would vanish beside a common one.
        axes.hist(
            values,
            edges,
            weights=np.full(len(values), 1 / len(values)),
            color=colour,
            alpha=0.55,
            label=f"{name} ({len(values):,})",
        )
    axes.axvline(result["model"]["threshold"], color="0.2", linestyle="--", linewidth=1, label="stored threshold")
    axes.set(xlabel="Predicted probability", ylabel="Share of the class", xlim=(0, 1))
    axes.legend(frameon=False, fontsize=8)


def _primary_last(scores: Mapping[str, Float64Array], primary: str) -> list[str]:
    return [*(name for name in scores if name != primary), primary]


def _line(layout: str, primary: str, result: Mapping[str, Any], metric: str) -> dict[str, Any]:
    main = layout == primary
    place = list(result["layouts"]).index(layout)
    return {
        "color": _MAIN if main else _OTHERS[(place - 1) % len(_OTHERS)],
        "linewidth": 1.8 if main else 0.9,
        "label": f"{layout} {_interval(result['layouts'][layout][metric])}",
    }
