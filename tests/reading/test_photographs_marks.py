"""Marks set by hand on the real photographs: whole, in order, on what is vertical or level on paper."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path

import pytest

from heartprint.foundation.pictures import read_picture

HERE = Path(__file__).parent
N_PHOTOGRAPHS = 25
LARGEST_SIDE = 4000
# What is vertical on paper leans up to 6 degrees at the marks, what is level up to 5.
MOST_DEGREES = 7.0
LEADS = {"I", "II", "III", "aVR", "aVL", "aVF", *(f"V{n}" for n in range(1, 7))}

Point = tuple[float, float]
Marks = dict[str, dict[tuple[str, int], Point]]


def rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def marks() -> Marks:
    """File, then name and number of a mark, to its place in fractions of width and height."""
    found: Marks = defaultdict(dict)
    for row in rows("photographs.csv"):
        key = row["mark"], int(row["number"])
        assert key not in found[row["file"]], f"{row['file']} has two marks {key}"
        found[row["file"]][key] = float(row["x"]), float(row["y"])
    return found


def level(found: dict[tuple[str, int], Point]) -> tuple[Point, Point]:
    """Both ends of the line that is level on paper: at the rhythm strip, else at the lowest row."""
    name = "rhythm" if ("rhythm_left", 1) in found else "row"
    return found[f"{name}_left", 1], found[f"{name}_right", 1]


def test_every_photograph_has_whole_marks_inside_the_picture() -> None:
    found = marks()
    assert len(found) == N_PHOTOGRAPHS
    known = {f"separator_{end}" for end in ("top", "bottom")} | {f"corner_{c}" for c in ("ul", "ur", "lr", "ll")}
    known |= {f"{line}_{end}" for line in ("rhythm", "row") for end in ("left", "right")}
    for file, points in found.items():
        assert {mark for mark, _ in points} <= known, file
        assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in points.values()), file
        assert all((f"separator_{end}", n) in points for end in ("top", "bottom") for n in (1, 2, 3)), file
        left, right = level(points)
        assert right[0] - left[0] > 0.85, file


def test_separators_go_from_left_to_right_in_even_steps() -> None:
    for file, points in marks().items():
        for end in ("top", "bottom"):
            first, second, third = (points[f"separator_{end}", n][0] for n in (1, 2, 3))
            assert second - first > 0.15 and third - second > 0.15, file
            assert abs((third - second) / (second - first) - 1) <= 0.15, file
        for n in (1, 2, 3):
            top, bottom = points["separator_top", n], points["separator_bottom", n]
            assert bottom[1] - top[1] > 0.2, f"{file}: separator {n} is too short a line"


def test_facts_fit_the_marks() -> None:
    found, facts = marks(), rows("photographs_facts.csv")
    assert [row["file"] for row in facts] == sorted(found)
    for row in facts:
        columns = [row[f"column_{n}"].split() for n in range(1, int(row["columns"]) + 1)]
        assert all(len(column) == int(row["rows"]) for column in columns), row["file"]
        assert ({lead for column in columns for lead in column} == LEADS) == (row["all_12_leads"] == "yes"), row["file"]
        assert set(row["rhythm_strips"].split()) <= LEADS
        assert bool(row["rhythm_strips"]) == (("rhythm_left", 1) in found[row["file"]]), row["file"]
        assert row["kind"] in {"photo", "scan", "screen"}
        assert bool(row["pulse_side"]) == (row["pulse"] == "yes"), row["file"]
        assert {row["pulse"], row["all_12_leads"], row["header_text"]} <= {"yes", "no"}


def test_marked_lines_lean_as_photographs_do(shared_data: Path) -> None:
    folder = shared_data / "photos"
    if not folder.is_dir():
        pytest.skip(f"no photographs here: {folder} is absent")
    found = marks()
    assert sorted(path.name for path in folder.iterdir()) == sorted(found)
    for file, points in found.items():
        height, width = read_picture(folder / file, longest_side=LARGEST_SIDE).pixels.shape
        lines = [(points["separator_top", n], points["separator_bottom", n]) for n in (1, 2, 3)]
        for (x0, y0), (x1, y1) in lines:
            assert abs(math.degrees(math.atan2((x1 - x0) * width, (y1 - y0) * height))) <= MOST_DEGREES, file
        (x0, y0), (x1, y1) = level(points)
        assert abs(math.degrees(math.atan2((y1 - y0) * height, (x1 - x0) * width))) <= MOST_DEGREES, file
