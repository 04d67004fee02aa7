"""The page of an evaluation of several tasks, or of a number: every task with its figures and plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heartprint.evaluation.plots import AGREEMENT_FILE, PLOT_FILES
from heartprint.foundation.files import write_text
from heartprint.pages.kit import fill_template

REPORT_FILE = "report.html"

FIGURES: dict[str, tuple[tuple[str, str, int], ...]] = {
    "classes": (("auroc", "AUROC", 3), ("auprc", "AUPRC", 3)),
    "regression": (
        ("mae", "Mean absolute error", 2),
        ("rmse", "RMSE", 2),
        ("bias", "Bias (predicted minus measured)", 2),
        ("limit_low", "Lower limit of agreement", 2),
        ("limit_high", "Upper limit of agreement", 2),
        ("pearson_r", "Pearson r", 3),
        ("r2", "R\N{SUPERSCRIPT TWO}", 3),
        ("coverage", "Share inside the predicted interval (95 % expected)", 3),
    ),
}
"""Figures with intervals of each kind of task: key in ``metrics.json``, words, decimals."""


def shown_interval(value: Mapping[str, Any], decimals: int = 3) -> str:
    """An estimate and its interval, for people; a dash where there is none."""
    if value["estimate"] is None:
        return "-"
    if value["low"] is None:
        return f"{value['estimate']:.{decimals}f}"
    return f"{value['estimate']:.{decimals}f} ({value['low']:.{decimals}f} to {value['high']:.{decimals}f})"


def write_report(path: Path, result: Mapping[str, Any]) -> None:
    """Write the page.

    Args:
        path: Where to; the plots lie beside it.
        result: What ``metrics.json`` says.
    """
    tasks = []
    for name, one in result["tasks"].items():
        files = [AGREEMENT_FILE] if one["kind"] == "regression" else PLOT_FILES
        tasks.append(
            {
                "name": name,
                "title": one["task"]["title"],
                "unit": one["task"].get("unit", ""),
                "counts": [(_words(key), f"{value:,}") for key, value in one["counts"].items() if value],
                "layouts": list(one["layouts"]),
                "figures": [
                    (words, [shown_interval(figures[key], decimals) for figures in one["layouts"].values()])
                    for key, words, decimals in FIGURES[one["kind"]]
                ],
                "plots": [f"{name}_{file}" for file in files],
            }
        )
    page = fill_template("heartprint.evaluation", "report.html.j2", {"result": result, "tasks": tasks})
    write_text(path, page)


def _words(key: str) -> str:
    return key.replace("_", " ").replace("ecgs", "ECGs")
