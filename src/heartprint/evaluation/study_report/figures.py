"""Figures of the report: label-efficiency curves and paired differences."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heartprint.evaluation.study.config import FEATURES, StudyConfig, budget_name
from heartprint.evaluation.study.statistics import Difference, Estimate, Statistics
from heartprint.pages.kit import INK, MUTED, laid_out

_GRID = "#e6e9ed"
_REFERENCE = "#0072B2"
_OTHERS = ("#D55E00", "#CC79A7", "#56B4E9", "#E69F00", "#882255", "#44AA99", "#332288", "#999933", "#AA4499")
_MARKERS = ("s", "^", "D", "v", "P", "X", "<", ">", "h")
MAX_ROWS_IN_ONE_FIGURE = 6
"""With more rows than this, each group of encoders gets figures of its own."""


@dataclass(frozen=True)
class Style:
    """How one row is drawn; the same in every figure."""

    color: str
    marker: str
    dashed: bool = False
    width: float = 1.6


def styles(config: StudyConfig) -> dict[str, Style]:
    """Give every row a colour and a marker, safe for the colour-blind (Okabe & Ito 2008; Tol 2021)."""
    out = {config.reference: Style(_REFERENCE, "o", width=2.6), FEATURES: Style("#009E73", "*", dashed=True)}
    number = 0
    for entry in config.encoders:
        if entry.name in out:
            continue
        if entry.init == "random":
            out[entry.name] = Style("#8a8f98", "x" if "8a8f98" not in str(out) else "+")
        else:
            out[entry.name] = Style(_OTHERS[number % len(_OTHERS)], _MARKERS[number % len(_MARKERS)])
            number += 1
    return out


def figure_groups(config: StudyConfig) -> list[tuple[str | None, list[str]]]:
    """Divide the rows into figures: ``(group or None for all, rows)``; the reference is in each."""
    rows = [e.name for e in config.encoders]
    if len(rows) + 1 <= MAX_ROWS_IN_ONE_FIGURE:
        return [(None, [*rows, FEATURES])]
    used = {e.group for e in config.encoders}
    return [
        (group, [*(e.name for e in config.encoders if e.group == group or e.name == config.reference), FEATURES])
        for group in config.groups
        if group in used
    ]


def curves(
    config: StudyConfig, statistics: Statistics, rows: Sequence[str], titles: dict[str, str], simulated: set[str]
) -> Figure:
    """Label-efficiency curves: AUROC against labels used, one panel per task and test cohort.

    Args:
        config: The study.
        statistics: Its estimates.
        rows: Rows to show.
        titles: Task name to title.
        simulated: Cohorts that are simulated.
    """
    shown = [e for e in statistics.estimates if e.encoder in rows and _main(e.encoder, e.mode, config)]
    panels = _panels(config, shown)
    looks = styles(config)
    figure, grid = _grid(panels, 4.9, 3.35)
    for place in grid:
        values = [v for e in shown if e.task == place.task for v in (e.auroc.low, e.auroc.high) if not np.isnan(v)]
        bottom = min([0.45, *(np.floor(v * 20) / 20 for v in values)])
        here = [e for e in shown if e.task == place.task and e.cohort == place.cohort]
        _panel_title(place.ax, titles[place.task], config.cohort_title(place.cohort), place.cohort in simulated)
        if not here:
            _empty(place.ax, "no labels for this task here")
            continue
        _curve_panel(place.ax, config, here, rows, looks, bottom)
        if place.leftmost:
            place.ax.set_ylabel("AUROC", color=INK)
        if place.lowest:
            place.ax.set_xlabel("labelled ECGs to learn from (share of all labels)", color=INK)
    return laid_out(figure)


def differences(
    config: StudyConfig, statistics: Statistics, rows: Sequence[str], titles: dict[str, str], simulated: set[str]
) -> Figure:
    """Paired differences of the reference to the other rows, one panel per task and test cohort."""
    shown = [d for d in statistics.differences if d.other in rows]
    panels = _panels(config, shown)
    others = [r for r in rows if r != config.reference and any(d.other == r for d in shown)]
    budgets = [b for b in map(budget_name, config.budgets) if any(d.budget == b for d in shown)]
    height = 0.75 + 0.21 * len(budgets) * (len(others) + 0.9)
    figure, grid = _grid(panels, 4.9, height)
    looks = styles(config)
    ends = [v for d in shown for v in (d.auroc.low, d.auroc.high) if not np.isnan(v)]
    reach = 1.05 * max([0.1, *(abs(v) for v in ends)])
    # Both sides of nought are seen, but not more of the empty one than it takes.
    span = 1.05 * min([-0.2 * reach, *ends]), 1.05 * max([0.2 * reach, *ends])
    for place in grid:
        _panel_title(place.ax, titles[place.task], config.cohort_title(place.cohort), place.cohort in simulated)
        here = [d for d in shown if d.task == place.task and d.cohort == place.cohort]
        if not here:
            _empty(place.ax, "no labels for this task here")
            continue
        _difference_panel(place.ax, config, here, others, budgets, looks, span, place.leftmost)
        if place.lowest:
            title = config.title_of(config.reference)
            place.ax.set_xlabel(f"AUROC of {title}\nminus AUROC of the other", color=INK)
    return laid_out(figure)


def to_png(figure: Figure, dpi: int = 160) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


@dataclass(frozen=True)
class _Panels:
    tasks: list[str]
    cohorts: list[str]


@dataclass(frozen=True)
class _Place:
    """A panel and where it stands."""

    task: str
    cohort: str
    ax: Axes
    leftmost: bool
    lowest: bool


def _panels(config: StudyConfig, shown: Sequence[Estimate | Difference]) -> _Panels:
    return _Panels(
        [t for t in config.tasks if any(e.task == t for e in shown)],
        [c for c in [config.home, *config.external] if any(e.cohort == c for e in shown)],
    )


def _grid(panels: _Panels, width: float, height: float) -> tuple[Figure, list[_Place]]:
    """A row for each task and a column for each cohort; with one cohort the tasks stand side by side."""
    names = [[(t, c) for c in panels.cohorts] for t in panels.tasks]
    if len(panels.cohorts) == 1:
        names = [[name for row in names for name in row]]
    n_rows, n_columns = max(1, len(names)), max([1, *map(len, names)])
    figure = Figure(figsize=(width * n_columns, height * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    return figure, [
        _Place(task, cohort, axes[r][c], leftmost=c == 0, lowest=r == n_rows - 1)
        for r, row in enumerate(names)
        for c, (task, cohort) in enumerate(row)
    ]


def _main(encoder: str, mode: str, config: StudyConfig) -> bool:
    return mode == ("probe" if encoder == FEATURES else config.mode)


def _panel_title(ax: Axes, task: str, cohort: str, simulated: bool) -> None:
    ax.set_title(task, loc="left", fontsize=11, fontweight="bold", color=INK, pad=18)
    text = f"{cohort} (SIMULATED)" if simulated and "simulated" not in cohort.lower() else cohort
    ax.annotate(
        text, (0, 1), xycoords="axes fraction", xytext=(0, 5), textcoords="offset points", fontsize=9, color=MUTED
    )
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color("#b6bec8")
    ax.tick_params(colors=MUTED, labelsize=8.5)
    ax.set_axisbelow(True)


def _empty(ax: Axes, text: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, fontsize=9, transform=ax.transAxes)


def _curve_panel(
    ax: Axes,
    config: StudyConfig,
    here: Sequence[Estimate],
    rows: Sequence[str],
    looks: dict[str, Style],
    bottom: float,
) -> None:
    ax.set_xscale("log")
    ax.grid(axis="y", color=_GRID, linewidth=0.8)
    ax.axhline(0.5, color="#b6bec8", linewidth=0.9, linestyle=(0, (2, 3)))
    ordered = [r for r in rows if r != config.reference] + [r for r in rows if r == config.reference]
    x_ticks = {e.budget: (e.n_labels, e.percent) for e in here}
    labels_at = sorted(x_ticks.values())
    low, high = labels_at[0][0], labels_at[-1][0]
    span = np.log(max(high / low, 1.5))
    ends = []
    for number, row in enumerate(ordered):
        points = sorted((e for e in here if e.encoder == row), key=lambda e: e.n_labels)
        if not points:
            continue
        look = looks[row]
        # Intervals stand beside each other, not on top of each other.
        shift = np.exp(span * 0.011 * (number - (len(ordered) - 1) / 2))
        x = np.array([p.n_labels for p in points]) * shift
        y = np.array([p.auroc.estimate for p in points])
        low_ends = np.array([p.auroc.low for p in points])
        high_ends = np.array([p.auroc.high for p in points])
        ax.vlines(x, low_ends, high_ends, color=look.color, alpha=0.4, linewidth=look.width + 0.5)
        ax.plot(
            x,
            y,
            color=look.color,
            marker=look.marker,
            markersize=6 if look.marker == "*" else 4.5,
            linewidth=look.width,
            linestyle="--" if look.dashed else "-",
            zorder=4 if row == config.reference else 3,
        )
        ends.append((float(y[-1]), row))
    ax.set_xlim(low * np.exp(-0.05 * span), high * np.exp(0.52 * span))
    ax.set_ylim(bottom, 1.005)
    ax.set_xticks([n for n, _ in labels_at])
    ax.set_xticklabels([f"{n:,.0f}\n{_percent(p)}" for n, p in labels_at])
    ax.minorticks_off()
    for (y_text, row), (y_end, _) in zip(
        _spread(ends, (1.005 - bottom) * 0.068, bottom, 1.0), sorted(ends), strict=True
    ):
        look = looks[row]
        x_end = high * np.exp(0.045 * span)
        ax.plot([x_end, high * np.exp(0.085 * span)], [y_end, y_text], color=look.color, linewidth=0.7, alpha=0.7)
        ax.text(
            high * np.exp(0.1 * span),
            y_text,
            config.title_of(row),
            color=look.color,
            fontsize=8.5,
            va="center",
            fontweight="bold" if row == config.reference else "normal",
        )


def _spread(ends: Sequence[tuple[float, str]], gap: float, low: float, high: float) -> list[tuple[float, str]]:
    """Move labels apart, as little as possible, keeping their order (by rising height)."""
    ordered = sorted(ends)
    y = np.array([e[0] for e in ordered])
    for _ in range(200):
        moved = False
        for i in range(len(y) - 1):
            overlap = gap - (y[i + 1] - y[i])
            if overlap > 1e-6:
                y[i] -= overlap / 2
                y[i + 1] += overlap / 2
                moved = True
        if len(y) and y[-1] > high:
            y[-1] = high
            moved = True
        if len(y) and y[0] < low + gap / 2:
            y[0] = low + gap / 2
        if not moved:
            break
    return [(float(v), e[1]) for v, e in zip(y, ordered, strict=True)]


def _difference_panel(
    ax: Axes,
    config: StudyConfig,
    here: Sequence[Difference],
    others: Sequence[str],
    budgets: Sequence[str],
    looks: dict[str, Style],
    span: tuple[float, float],
    names: bool,
) -> None:
    ax.axvline(0, color=INK, linewidth=0.9)
    ax.grid(axis="x", color=_GRID, linewidth=0.8)
    ticks, texts = [], []
    y = 0.0
    for budget in budgets:
        top = y
        for other in others:
            found = [d for d in here if d.budget == budget and d.other == other]
            if found:
                d = found[0].auroc
                look = looks[other]
                ax.plot([d.low, d.high], [y, y], color=look.color, linewidth=2.2, alpha=0.55, solid_capstyle="butt")
                ax.plot(
                    d.estimate,
                    y,
                    marker=look.marker,
                    color=look.color,
                    markersize=6 if look.marker == "*" else 4.8,
                    fillstyle="full" if d.clear_of(0) else "none",
                )
            ticks.append(y)
            texts.append(f"vs {config.title_of(other)}")
            y -= 1
        text = "all labels" if budget == "all" else f"{budget_title(budget)}"
        ax.text(span[1], top + 0.72, text, ha="right", va="center", fontsize=8.5, color=MUTED, fontweight="bold")
        y -= 0.9
    ax.set_yticks(ticks)
    ax.set_yticklabels(texts if names else [])
    for label, other in zip(ax.get_yticklabels(), [o for _ in budgets for o in others], strict=False):
        label.set_color(looks[other].color)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(y + 1.2, 1.4)
    ax.set_xlim(*span)


def budget_title(budget: str) -> str:
    """A budget for people: ``20 labels``, ``10 % of labels``, ``all labels``."""
    if budget == "all":
        return "all labels"
    return f"{float(budget) * 100:g} % of patients" if "." in budget else f"{int(budget):,} labels"


def _percent(value: float) -> str:
    return f"{value:.0f} %" if value >= 9.95 else f"{value:.1f} %" if value >= 0.095 else f"{value:.2g} %"
