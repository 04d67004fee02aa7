"""Figures of a cohort's card."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Image
from heartprint.pages.kit import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE = "#0072B2"
_MARKS = {0.5: "same\nday", 1: "1 day", 7: "1 week", 30: "1 month", 365: "1 year", 3650: "10 years"}


def gap_figure(days: npt.NDArray[np.float64]) -> Figure:
    """Histogram of the gaps between a patient's consecutive ECGs.

    Args:
        days: ``(n,)`` calendar days, 0 = the same day; at least one.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.4, 2.9), layout="constrained")
    axis = figure.subplots()
    # The same day is a bar of its own, left of 1 day on a logarithmic axis.
    edges = np.concatenate([[0.43, 0.58], np.geomspace(0.85, max(4000.0, float(days.max()) * 1.05), 48)])
    axis.hist(np.maximum(days, 0.5), bins=edges.tolist(), color=_BLUE, linewidth=0)
    axis.set_xscale("log")
    axis.set_xticks(list(_MARKS), list(_MARKS.values()))
    axis.minorticks_off()
    axis.set_ylabel("gaps", fontsize=9, color=MUTED)
    _plain(axis)
    return figure


def quality_figure(panels: Sequence[tuple[str, npt.NDArray[np.float64]]]) -> Figure:
    """A histogram of each quality that was measured.

    Args:
        panels: Title and values, one per ECG; at least one of each.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.4, 2.6), layout="constrained")
    for axis, (title, values) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        most = float(np.quantile(values, 0.99)) or 1.0
        # What lies beyond is counted in the last bar: one bad ECG must not squeeze the others.
        axis.hist(np.minimum(values, most), bins=np.linspace(0, most * 1.0001, 31).tolist(), color=_BLUE, linewidth=0)
        axis.set_title(title, loc="left", fontsize=10, fontweight="bold", color=INK)
        _plain(axis)
    return figure


def to_png(page: Image, longest_px: int = 1188) -> str:
    """Data address of a sheet or a picture as PNG, shrunk until no side is longer."""
    from PIL import Image

    image = Image.fromarray(page)
    image.thumbnail((longest_px, longest_px), Image.Resampling.BOX, reducing_gap=None)
    buffer = io.BytesIO()
    image.quantize(128).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(colors=MUTED, labelsize=8.5)
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
