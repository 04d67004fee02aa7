"""The curves of a run: how the loss, what the objective names beside it, and the learning rate went."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from heartprint.foundation.arrays import Float64Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from heartprint.pretraining.run_folder import LogRow


COLOUR = "#0072B2"
_WINDOW_SHARE = 0.04
_MIN_WINDOW = 9
_MAX_POINTS = 1500


def curves(rows: Sequence[LogRow], title: str) -> Figure:
    """Draw the curves over the steps; noisy ones thin, with a running mean over 4 % of the steps on top.

    Args:
        rows: Lines of ``log.csv``; of many, every so many are drawn.
        title: Stands above.
    """
    from matplotlib.figure import Figure

    columns = {"loss": [row.loss for row in rows]}
    columns |= {name: [row.measures[name] for row in rows] for name in (rows[0].measures if rows else ())}
    columns["learning_rate"] = [row.learning_rate for row in rows]
    drawn = {name: values for name, values in columns.items() if any(map(math.isfinite, values))}
    figure = Figure(figsize=(7, 1 + 2 * max(1, len(drawn))), layout="constrained")
    axes = figure.subplots(max(1, len(drawn)), 1, sharex=True, squeeze=False)[:, 0]
    some = slice(None, None, max(1, len(rows) // _MAX_POINTS))
    steps = np.array([row.step for row in rows])
    for axis, (name, column) in zip(axes, drawn.items(), strict=False):
        values = np.array(column, dtype=np.float64)
        smooth = None if name == "learning_rate" else running_mean(values)
        if smooth is None:
            axis.plot(steps[some], values[some], linewidth=1.2, color=COLOUR)
        else:
            axis.plot(steps[some], values[some], linewidth=0.6, color=COLOUR, alpha=0.45)
            axis.plot(steps[some], smooth[some], linewidth=1.6, color=COLOUR)
        axis.set_ylabel(name.replace("_", "\n" if len(name) > len("learning_rate") else " "))
        axis.grid(alpha=0.3)
        if name.endswith("_accuracy"):
            axis.set_ylim(0, 1)
    figure.align_ylabels(list(axes))
    axes[-1].set_xlabel("step")
    axes[0].set_title(title, fontsize=11)
    return figure


def running_mean(values: Float64Array) -> Float64Array | None:
    """Centred running mean of ``(n,)`` values, the window cut off at the ends; None where it would hide the curve."""
    half = max(_MIN_WINDOW, round(_WINDOW_SHARE * len(values))) // 2
    if len(values) < 4 * half:
        return None
    known = np.isfinite(values)
    totals = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    low = np.maximum(np.arange(len(values)) - half, 0)
    high = np.minimum(np.arange(len(values)) + half + 1, len(values))
    n = counts[high] - counts[low]
    return np.asarray(np.where(n > 0, (totals[high] - totals[low]) / np.maximum(n, 1), np.nan))
