"""The layouts that have a name, and `get_layout`."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

from heartprint.foundation.errors import unknown_name
from heartprint.sheets.layout import Layout, Names, columns_layout
from heartprint.sheets.lead_order import CABRERA, dealt

ABOVE = Names(x_mm=1.0, y_mm=-8.0, size_mm=3.0, bold=True)
CLOSE = Names(x_mm=1.0, y_mm=-4.5, size_mm=2.6)
"""For rows that lie close together."""


def _paper_layouts() -> tuple[Layout, ...]:
    """The four layouts of the paper's laboratory, and two that need only 5 s of an ECG."""
    four, two = dealt(4), dealt(2)
    return (
        columns_layout("standard", "3 rows x 4 columns of 2.5 s, rhythm strip I", four, ("I",), cut_rhythm=True),
        columns_layout(
            "two_rhythm", "3 rows x 4 columns of 2.5 s, rhythm strips I and II", four, ("I", "II"), cut_rhythm=True
        ),
        columns_layout("alternate", "6 rows x 2 columns of 5 s, limb leads left, precordial leads right", two),
        columns_layout(
            "shuffled",
            "3 rows x 4 columns of 2.5 s, precordial columns first, rhythm strip I",
            four[2:] + four[:2],
            ("I",),
            cut_rhythm=True,
        ),
        columns_layout(
            "short_six_rows",
            "6 rows x 2 columns of the same 5 s, limb leads left, precordial leads right",
            two,
            starts_s=(0.0, 0.0),
        ),
        columns_layout(
            "short_three_rows",
            "3 rows x 4 columns of 2.5 s, limb leads and precordial leads showing the same 5 s",
            four,
            starts_s=(0.0, 2.5, 0.0, 2.5),
        ),
    )


def _three_rows() -> tuple[Layout, ...]:
    four, cabrera, same = dealt(4), dealt(4, CABRERA), (0.0,) * 4
    return (
        columns_layout("3x4", "3 rows x 4 columns of 2.5 s, no rhythm strip", four, pulse="left", separator="tick"),
        columns_layout(
            "3x4_ii",
            "3 rows x 4 columns of 2.5 s, rhythm strip II",
            four,
            ("II",),
            pulse="left",
            separator="tick",
            names=ABOVE,
        ),
        columns_layout(
            "3x4_v1", "3 rows x 4 columns of 2.5 s, rhythm strip V1", four, ("V1",), separator="line", names=ABOVE
        ),
        columns_layout(
            "3x4_ii_v1", "3 rows x 4 columns of 2.5 s, rhythm strips II and V1", four, ("II", "V1"), pulse="right"
        ),
        columns_layout(
            "3x4_v1_ii_v5",
            "3 rows x 4 columns of 2.5 s, rhythm strips V1, II and V5",
            four,
            ("V1", "II", "V5"),
            pulse="left",
            separator="tick",
            names=ABOVE,
        ),
        columns_layout(
            "3x4_same_time",
            "3 rows x 4 columns of the same 2.5 s, rhythm strip II of 10 s",
            four,
            ("II",),
            starts_s=same,
            separator="line",
            names=ABOVE,
        ),
        columns_layout(
            "3x4_cabrera",
            "3 rows x 4 columns of 2.5 s in Cabrera's order with -aVR, rhythm strip II",
            cabrera,
            ("II",),
            pulse="left",
            separator="tick",
            names=ABOVE,
        ),
        columns_layout(
            "3x4_half_chest",
            "3 rows x 4 columns of 2.5 s, precordial leads at 5 mm/mV, rhythm strip II",
            four,
            ("II",),
            chest_gain_mm_per_mv=5.0,
            pulse="left",
            separator="tick",
            names=ABOVE,
        ),
        columns_layout(
            "3x4_5mm",
            "3 rows x 4 columns of 2.5 s at 5 mm/mV, rhythm strip II",
            four,
            ("II",),
            gain_mm_per_mv=5.0,
            row_mm=20.0,
            pulse="left",
            separator="tick",
            names=CLOSE,
        ),
        columns_layout(
            "3x4_20mm",
            "3 rows x 4 columns of 2.5 s at 20 mm/mV, rhythm strip II",
            four,
            ("II",),
            gain_mm_per_mv=20.0,
            row_mm=45.0,
            pulse="left",
            separator="tick",
            names=ABOVE,
        ),
        columns_layout(
            "3x4_50",
            "3 rows x 4 columns of 1.25 s at 50 mm/s, rhythm strip II of 5 s",
            four,
            ("II",),
            seconds=5.0,
            speed_mm_per_s=50.0,
            separator="tick",
            names=ABOVE,
        ),
        columns_layout(
            "3x4_50_rhythm_25",
            "3 rows x 4 columns of 1.25 s at 50 mm/s, rhythm strip II of 10 s at 25 mm/s",
            four,
            ("II",),
            seconds=5.0,
            speed_mm_per_s=50.0,
            rhythm_speed_mm_per_s=25.0,
            pulse="left",
            separator="tick",
            names=ABOVE,
        ),
    )


def _other_grids() -> tuple[Layout, ...]:
    two, two_cabrera = dealt(2), dealt(2, CABRERA)
    return (
        columns_layout(
            "6x2", "6 rows x 2 columns of 5 s", two, row_mm=25.0, pulse="left", separator="tick", names=CLOSE
        ),
        columns_layout(
            "6x2_ii", "6 rows x 2 columns of 5 s, rhythm strip II", two, ("II",), row_mm=25.0, separator="line"
        ),
        columns_layout(
            "6x2_same_time",
            "6 rows x 2 columns of the same 5 s, rhythm strip II of 10 s",
            two,
            ("II",),
            starts_s=(0.0, 0.0),
            row_mm=25.0,
            separator="line",
            names=CLOSE,
        ),
        columns_layout(
            "6x2_cabrera",
            "6 rows x 2 columns of the same 5 s in Cabrera's order with -aVR",
            two_cabrera,
            starts_s=(0.0, 0.0),
            pulse="right",
            separator="line",
            names=ABOVE,
        ),
        columns_layout(
            "6x2_half_chest",
            "6 rows x 2 columns of 5 s, precordial leads at 5 mm/mV",
            two,
            chest_gain_mm_per_mv=5.0,
            row_mm=25.0,
            pulse="left",
            separator="tick",
            names=CLOSE,
        ),
        columns_layout(
            "6x2_50",
            "6 rows x 2 columns of the same 2.5 s at 50 mm/s",
            two,
            starts_s=(0.0, 0.0),
            seconds=5.0,
            speed_mm_per_s=50.0,
            pulse="left",
            separator="line",
            names=ABOVE,
        ),
        columns_layout(
            "6x2_50_rhythm_25",
            "6 rows x 2 columns of the same 2.5 s at 50 mm/s, rhythm strip II of 10 s at 25 mm/s",
            two,
            ("II",),
            starts_s=(0.0, 0.0),
            seconds=5.0,
            speed_mm_per_s=50.0,
            rhythm_speed_mm_per_s=25.0,
            row_mm=25.0,
            separator="line",
            names=CLOSE,
        ),
        *_twelve_rows(),
        columns_layout(
            "2x6",
            "2 rows x 6 columns of the same 1.6 s",
            dealt(6),
            starts_s=(0.0,) * 6,
            seconds=9.6,
            pulse="left",
            separator="line",
            names=ABOVE,
        ),
        columns_layout("4x3", "4 rows x 3 columns of 3.2 s", dealt(3), seconds=9.6, separator="tick", names=ABOVE),
        columns_layout(
            "4x3_ii",
            "4 rows x 3 columns of the same 3.2 s, rhythm strip II",
            dealt(3),
            ("II",),
            starts_s=(0.0,) * 3,
            seconds=9.6,
            pulse="left",
            separator="line",
        ),
    )


def _twelve_rows() -> tuple[Layout, ...]:
    # Close together, and yet a pulse of 10 mm in the first row stays on the sheet.
    close: _Close = {"row_mm": 14.0, "edge_mm": (7.0, 5.0), "names": CLOSE}
    one, cabrera = dealt(1), dealt(1, CABRERA)
    return (
        columns_layout("12x1", "12 rows of 10 s", one, pulse="left", **close),
        columns_layout("12x1_cabrera", "12 rows of 10 s in Cabrera's order with -aVR", cabrera, **close),
        columns_layout("12x1_50", "12 rows of 5 s at 50 mm/s", one, seconds=5.0, speed_mm_per_s=50.0, **close),
        columns_layout("12x1_5mm", "12 rows of 10 s at 5 mm/mV", one, gain_mm_per_mv=5.0, pulse="right", **close),
        columns_layout(
            "single_column", "12 rows of 2.5 s in one narrow column", one, seconds=2.5, pulse="left", **close
        ),
    )


class _Close(TypedDict):
    row_mm: float
    edge_mm: tuple[float, float]
    names: Names


LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (*_paper_layouts(), *_three_rows(), *_other_grids())}
"""All layouts that have a name."""

PAPER_LAYOUTS = ("standard", "two_rhythm", "alternate", "shuffled")
"""Those of the paper's laboratory (see ``docs/results/drawing.md``)."""


def get_layout(name: str | Layout) -> Layout:
    """Look a layout up by name, or read it from a file; a `Layout` is passed through.

    Args:
        name: One of `LAYOUTS`, the path of a ``.yaml`` file (see ``docs/how-to/layouts.md``), or a layout.

    Raises:
        HeartprintError: ``unknown-layout``, naming the nearest known one, or what reading the file raises.
    """
    if isinstance(name, Layout):
        return name
    found = LAYOUTS.get(name)
    if found is not None:
        return found
    if str(name).endswith((".yaml", ".yml")):
        path = Path(name)
        return _from_file(path, path.stat().st_mtime_ns if path.is_file() else 0)
    raise unknown_name("layout", str(name), LAYOUTS)


def layout_file_digests(names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of what each layout that is given by file defines, by path.

    A path says nothing of what stands in the file: whoever keeps what was drawn by it must remember this as well.
    """
    files = [name for name in dict.fromkeys(names) if name not in LAYOUTS]
    return {name: hashlib.sha256(repr(get_layout(name)).encode()).hexdigest() for name in files}


@functools.lru_cache(maxsize=64)
def _from_file(path: Path, changed_ns: int) -> Layout:
    """Read a file once for each time it is changed: a sheet is drawn in less time than YAML is parsed in."""
    from heartprint.sheets.layout_file import read_layout

    return read_layout(path)
