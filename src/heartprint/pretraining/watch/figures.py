"""Figures of ``run.html``: the watched numbers over the steps, and the pairs found hardest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from heartprint.pages.kit import INK, MUTED, sheet_figure
from heartprint.pretraining.curves import COLOUR
from heartprint.pretraining.watch.look import GAP_CLASSES, SAME_LAYOUT, Look, Subjects
from heartprint.pretraining.watch.table import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that the colour-blind tell apart (Okabe & Ito 2008).
_COLOURS = (COLOUR, "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333")
_Lines = dict[str, str]


def watched_figure(rows: Sequence[Row], subjects: Subjects) -> Figure | None:
    """Draw the watched numbers with their intervals; None if there is nothing to draw.

    Args:
        rows: Lines of ``watch.csv``.
        subjects: Whose they are.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    panels = [
        (title, lines, chance)
        for title, named, chance in _panels(subjects)
        if (lines := {n: label for n, label in named.items() if any(math.isfinite(row[n]) for row in rows)})
    ]
    if not panels:
        return None
    n_rows = math.ceil(len(panels) / 2)
    figure = Figure(figsize=(9.4, 3.0 * n_rows), layout=ConstrainedLayoutEngine(hspace=0.06, wspace=0.04))
    axes = figure.subplots(n_rows, 2, squeeze=False).ravel()
    for axis, (title, lines, chance) in zip(axes, panels, strict=False):
        _panel(axis, rows, title, lines, chance)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    return figure


def hardest_figure(look: Look, subjects: Subjects) -> Figure | None:
    """Draw the hardest pairs: probe, mate, and the ECG of somebody else that was preferred; None without any."""
    if not look.hardest:
        return None
    numbers: dict[int, int] = {}
    layouts = subjects.layouts[0], subjects.layouts[-1]

    def who(row: int) -> str:
        return f"patient {numbers.setdefault(int(subjects.patients[row]), len(numbers) + 1)}"

    pages = []
    for pair in look.hardest:
        probe = who(pair.probe)
        gap = GAP_CLASSES[subjects.gap(pair.probe, pair.mate)]
        captions = (
            (pair.probe, layouts[0], f"{probe}, searched for"),
            (pair.mate, layouts[1], f"{probe} again, gap: {gap}; cosine {pair.similarity:.3f}"),
            (pair.impostor, layouts[1], f"preferred: {who(pair.impostor)}; cosine {pair.impostor_similarity:.3f}"),
        )
        pages.append([(subjects.draw(row, layout), caption) for row, layout, caption in captions])
    return sheet_figure(pages)


def _panels(subjects: Subjects) -> list[tuple[str, _Lines, float | None]]:
    """Title, columns with their labels, and where chance lies."""
    recognition: list[tuple[str, _Lines, float | None]] = [
        ("Identification rate", {"rank_1": "rank 1", "rank_5": "rank 5"}, None),
        ("Equal error rate", {"equal_error_rate": "equal error rate"}, 0.5),
        ("True-accept rate", {"tar_far_1pct": "at 1 % false accepts", "tar_far_0_1pct": "at 0.1 %"}, None),
    ]
    if len(subjects.layouts) > 1:
        recognition[0][1][f"{SAME_LAYOUT}rank_1"] = "rank 1, one layout"
        recognition[1][1].clear()
        recognition[1][1].update({"equal_error_rate": "two layouts", f"{SAME_LAYOUT}equal_error_rate": "one layout"})
    gaps = {f"equal_error_rate_gap_{gap}": title for gap, title in GAP_CLASSES.items()}
    probes = {f"probe_auroc_{name}": task.title for name, task in subjects.tasks.items()}
    neighbours = {f"knn_auroc_{name}": task.title for name, task in subjects.tasks.items()}
    return [
        *recognition,
        ("Equal error rate by gap", gaps, 0.5),
        ("AUROC of a linear probe", probes, 0.5),
        ("AUROC of nearest neighbours", neighbours, 0.5),
        ("Effective rank", {"effective_rank": "effective rank"}, None),
        ("Mean cosine", {"mean_cosine": "mean cosine"}, None),
    ]


def _panel(axis: Axes, rows: Sequence[Row], title: str, lines: _Lines, chance: float | None) -> None:
    axis.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=INK)
    if chance is not None:
        axis.axhline(chance, color="#b6bec8", linewidth=0.9, linestyle=(0, (2, 3)))
    steps = [row["step"] for row in rows]
    for colour, (name, label) in zip(_COLOURS, lines.items(), strict=False):
        axis.plot(
            steps, [row[name] for row in rows], color=colour, marker="o", markersize=3, linewidth=1.5, label=label
        )
        low, high = ([row[f"{name}{end}"] for row in rows] for end in ("_low", "_high"))
        axis.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    axis.grid(axis="y", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(colors=MUTED, labelsize=8.5)
    axis.set_xlabel("step", fontsize=8.5, color=MUTED)
    if len(lines) > 1:
        # Below the panel: inside, it would lie on a curve sooner or later.
        axis.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=min(3, len(lines)))
