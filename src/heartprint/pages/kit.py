"""Pages for a browser: one look, one way to fill a template, figures that travel inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from heartprint.pages.markdown import code_span, in_markdown

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

INK = "#1f2933"
MUTED = "#66717d"


def fill_template(package: str, template: str, context: Mapping[str, Any]) -> str:
    """Fill a Jinja template; whatever it is given is text: no HTML, in Markdown no markup (see `in_markdown`).

    Args:
        package: Package whose folder holds the template.
        template: File name; ``.html.j2`` is HTML, ``.md.j2`` Markdown, where the filter ``code`` shows code. It may
            include ``style.css``, the look of all pages.
        context: What it says; a name that is missing is an error.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    markdown = template.endswith(".md.j2")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader("heartprint.pages", ".")]),
        autoescape=template.endswith(".html.j2"),
        finalize=(lambda value: in_markdown(value) if isinstance(value, str) else value) if markdown else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = code_span
    environment.globals["patients_shown"] = patients_shown
    return environment.get_template(template).render(context)


def patients_shown(*, printed: bool = False) -> Markup:
    """The warning under ECGs of real patients, the same on every page; templates call it by this name.

    Args:
        printed: Whether pictures of paper are shown, on which names may stand.
    """
    from markupsafe import Markup

    names = "What is printed on the paper, names too, is shown. " if printed else ""
    return Markup(
        f'<p class="small"><b>These are ECGs of patients.</b> {names}This page may go where the ECGs may go, and '
        "nowhere else.</p>"
    )


def to_svg(figure: Figure) -> str:
    """Data address of a figure as SVG, letters as outlines, so that it looks the same everywhere."""
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "heartprint"}):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def laid_out(figure: Figure) -> Figure:
    """Find the places of a figure's parts once; finding them takes longer than drawing, and it may be drawn twice."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def sheet_figure(pages: Sequence[Sequence[tuple[npt.NDArray[np.uint8], str]]]) -> Figure:
    """Sheets as a network sees them, side by side.

    Args:
        pages: For each row, the sheets as ``(S, S)`` uint8 page and caption.
    """
    from matplotlib.figure import Figure

    n_rows, n_columns = len(pages), max(len(p) for p in pages)
    figure = Figure(figsize=(3.1 * n_columns, 3.35 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    for r, views in enumerate(pages):
        for c in range(n_columns):
            ax = axes[r][c]
            ax.set_xticks([])
            ax.set_yticks([])
            for spine in ax.spines.values():
                spine.set_color("#c5cbd3")
            if c >= len(views):
                ax.set_visible(False)
                continue
            page, caption = views[c]
            ax.imshow(page, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            ax.set_title(caption, fontsize=9, color=INK, loc="left", pad=5)
    return figure
