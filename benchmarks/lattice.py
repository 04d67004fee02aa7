"""Does the grid of the paper make a rough homography right, and only where there is a grid? Prints Markdown tables.

    python benchmarks/lattice.py [--data ../shared/data] [--sheets 100] [--controls 40]

1. Simulated sheets, photographed by simulation at severities 1 to 5 in random layouts and styles. The true homography
   (least squares on the exact mapping) is made wrong: scale by up to 6 %, turn by up to 3 degrees, perspective by up
   to 5 % of scale from the middle to an end. Corner errors are the largest of the sheet's four corners, in % of its
   width, after the free origin is taken away. *Floor* is what the true homography itself leaves: curls and folds.
2. Real photographs: found without help, then refined from the result made wrong in ten ways: all must come back to one
   homography.
3. Pictures without a grid of ECG paper: nothing may be found, by either function; `refine` is even told the pitch of
   what repeats in them.
4. Time of `refine` for a sheet of 300 mm x 200 mm.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.foundation.pictures import read_picture
from heartprint.foundation.randomness import generator
from heartprint.reading.lattice import refine
from heartprint.reading.lattice_fit import applied
from heartprint.reading.lattice_search import find_lattice
from heartprint.sheets import LAYOUTS, Style, draw_style, get_layout
from heartprint.sheets.camera import Ingredient, Recipe, take_photo
from heartprint.sheets.gallery import example_ecg
from heartprint.sheets.style import placed

ROOT = Path(__file__).resolve().parents[1]
GEOMETRY = (("rotation", 1.0), ("perspective", 1.0), ("curl", 0.6), ("folds", 0.4), ("crop", 0.4), ("margins", 0.4))
LIGHT = (
    ("faint_print", 0.3),
    ("paper_texture", 0.6),
    ("uneven_light", 0.7),
    ("shadow", 0.5),
    ("blur", 0.5),
    ("motion_blur", 0.1),
    ("sharpening", 0.2),
    ("fade", 0.3),
    ("noise", 0.7),
    ("jpeg", 0.6),
)
REAL_SHIFTS = 10


def wrong(rng: np.random.Generator, middle: Float64Array, half_mm: float) -> Float64Array:
    """``(3, 3)`` by which a homography to mm is made wrong about a point of the sheet."""
    scale = 1 + rng.uniform(-0.06, 0.06)
    turn = math.radians(rng.uniform(-3, 3))
    tilt = rng.uniform(-0.05, 0.05, 2) / half_mm
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = -middle, middle
    return np.asarray(back @ np.array([[c, -s, 0], [s, c, 0], [*tilt, 1.0]]) @ there)


def homography_of(picture_px: Float64Array, mm: Float64Array) -> Float64Array:
    """Least squares from points ``(n, 2)`` to points."""
    found, _ = cv2.findHomography(picture_px, mm, 0)
    return np.asarray(found)


def corner_error(homography: Float64Array, corners_px: Float64Array, corners_mm: Float64Array) -> float:
    """Largest error of a corner in % of the width; where the origin is, is free."""
    off = applied(homography, corners_px) - corners_mm
    off -= off.mean(axis=0)
    return float(np.hypot(off[:, 0], off[:, 1]).max() / (corners_mm[:, 0].max() - corners_mm[:, 0].min()) * 100)


def recipe_of(severity: int) -> Recipe:
    low, high = max(1.0, severity - 0.5), min(5.0, severity + 0.5)
    parts = tuple(Ingredient(name, chance, (low, high)) for name, chance in (*GEOMETRY, *LIGHT))
    return Recipe("benchmark", "", parts, grid_runs_on=0.5)


def grid_kind(style: Style) -> str:
    if style.major is None:
        return "none"
    return "5 mm only" if style.minor is None else "dots" if style.dots else "both"


def simulated(count: int, worst: bool) -> None:
    """Table 1."""
    leads = example_ecg(3)
    names = sorted(name for name in LAYOUTS)
    print("| severity | grid | sheets | found | corner before | after, median | 95 % | floor, 95 % | made worse | ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for severity in range(1, 6):
        rows: list[tuple[str, bool, float, float, float, float]] = []
        for k in range(count):
            rng = generator(16, "lattice benchmark", severity, k)
            style, layout = draw_style(rng), get_layout(names[int(rng.integers(len(names)))])
            paper = placed(layout, style)
            px_per_mm = rng.uniform(2.0, 6.5)
            px_per_mm = min(px_per_mm, 2400 / max(paper.width_mm, paper.height_mm))
            size = round(paper.height_mm * px_per_mm), round(paper.width_mm * px_per_mm)
            photo = take_photo(leads, 500, layout, size, recipe=recipe_of(severity), rng=rng, style=style)
            x, y = np.meshgrid(np.linspace(0, paper.width_mm, 13), np.linspace(0, paper.height_mm, 9))
            mm = np.stack([x.ravel(), y.ravel()], axis=1)
            px = photo.mapping.picture_from_sheet(mm)
            true = homography_of(px, mm)
            corners_mm = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [paper.width_mm, paper.height_mm]
            corners_px = photo.mapping.picture_from_sheet(corners_mm)
            given = wrong(rng, corners_mm.mean(axis=0), paper.width_mm / 2) @ true
            region = corners_px + rng.normal(0, 0.01 * size[1], (4, 2))
            started = time.perf_counter()
            found = refine(photo.picture, given, region)
            ms = (time.perf_counter() - started) * 1000
            before, after = (corner_error(h, corners_px, corners_mm) for h in (given, found.mm_from_picture))
            floor = corner_error(true, corners_px, corners_mm)
            rows.append((grid_kind(style), found.found, before, after, floor, ms))
            if worst and (not found.found or after > max(before, 1.0)) and grid_kind(style) != "none":
                print(
                    f"    {severity} {k} {grid_kind(style)} {px_per_mm:.1f} px/mm {found.reason} "
                    f"cov {found.coverage:.2f} fifths {found.fifths:.2f} lines {found.lines_mm} "
                    f"res {found.residual_mm:.2f} {before:.2f} -> "
                    f"{after:.2f} floor {floor:.2f} {[(e, round(s, 1)) for e, s in photo.effects]}"
                )
        for kind in ("both", "dots", "5 mm only", "none"):
            these = [row for row in rows if row[0] == kind]
            if not these:
                continue
            hits = [row for row in these if row[1]]
            share = len(hits) / len(these)
            b, a, f = (np.array([row[i] for row in hits] or [math.nan]) for i in (2, 3, 4))
            print(
                f"| {severity} | {kind} | {len(these)} | {share:.0%} | {np.median(b):.2f} | {np.median(a):.3f} | "
                f"{np.percentile(a, 95):.2f} | {np.percentile(f, 95):.2f} | {int((a > b).sum())} | "
                f"{np.median([row[5] for row in these]):.0f} |"
            )


def real(folder: Path) -> None:
    """Table 2."""
    print(
        "| photograph | found | coverage | px per mm | angle | fifths | residual, mm | came back | spread, % of width |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for file in sorted(folder.iterdir()):
        picture = read_picture(file, longest_side=1600).pixels
        found = find_lattice(picture)
        if found.lattice is None:
            print(f"| {file.name} | no | | | | | | | |")
            continue
        lattice = found.lattice
        height, width = picture.shape
        corners = np.array([[0.0, 0.0], [width, 0], [width, height], [0, height]])
        again, off = 0, []
        start = refine(picture, lattice.mm_from_picture)
        for k in range(REAL_SHIFTS):
            rng = generator(16, "lattice benchmark, real", k)
            ends = applied(start.mm_from_picture, corners)
            given = wrong(rng, ends.mean(axis=0), float(np.ptp(ends[:, 0]) / 2)) @ start.mm_from_picture
            back = refine(picture, given)
            again += back.found
            if back.found:
                off.append(corner_error(back.mm_from_picture, corners, ends))
        print(
            f"| {file.name} | {'yes' if found.found else 'no'} | {found.coverage:.2f} | {found.pitch_px:.2f} | "
            f"{found.angle_deg:.2f} | {lattice.fifths:.2f} | {lattice.residual_mm:.3f} | {again}/{REAL_SHIFTS} | "
            f"{max(off, default=math.nan):.3f} |"
        )


def controls(count: int) -> Iterator[tuple[str, Image, float]]:
    """Pictures without a grid of ECG paper: kind, picture, and the pitch of what repeats, px (or any)."""
    height, width = 500, 1000
    y, x = np.mgrid[:height, :width].astype(np.float64)

    def grey(values: Float64Array) -> Image:
        return np.asarray(np.clip(values, 0, 255), dtype=np.uint8)

    def turned(degrees: float) -> tuple[Float64Array, Float64Array]:
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        return c * x + s * y, -s * x + c * y

    for k in range(count):
        rng = generator(16, "lattice benchmark, controls", k)
        pitch = float(rng.uniform(2.4, 8.0))
        yield "white noise", grey(rng.normal(128, 40, (height, width))), pitch
        smooth = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), float(rng.uniform(0.6, 3)))
        yield "smooth noise", grey(128 + 40 * smooth / smooth.std()), pitch
        blank = grey(230 - 60 * ((x - rng.uniform(0, width)) / width) ** 2 + rng.normal(0, 1.5, x.shape))
        yield "blank", cv2.imdecode(cv2.imencode(".jpg", blank, [1, int(rng.integers(40, 95))])[1], 0), pitch
        text, size = np.full((height, width), 255, np.uint8), float(rng.uniform(0.3, 0.9))
        line_px = int(size * 30)
        for row in range(line_px, height, line_px):
            letters = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz   .,"), 120))
            cv2.putText(text, letters, (5, row), int(rng.choice([0, 2, 3])), size, 0, 1, cv2.LINE_AA)
        yield "text", text, line_px / float(rng.choice([1, 2, 4, 5]))
        table = np.full((height, width), 255, np.uint8)
        rows, columns = int(rng.integers(12, 40)), int(rng.integers(30, 150))
        table[rows // 2 :: rows] = 60
        table[:, columns // 2 :: columns] = 60
        for top in range(rows // 2, height, rows):
            for left in range(columns // 2, width, columns):
                cv2.putText(table, f"{rng.uniform(0, 99):.1f}", (left + 3, top + rows - 4), 0, 0.35, 0, 1, cv2.LINE_AA)
        yield "table", table, rows / 5
        for name, degrees in (("halftone upright", 0.0), ("halftone turned", float(rng.choice([15, 30, 45, 75])))):
            u, v = turned(degrees)
            tone = 110 + 80 * cv2.resize(rng.normal(0, 1, (4, 6)), (width, height), interpolation=cv2.INTER_CUBIC)
            screen = np.cos(2 * np.pi * u / pitch) + np.cos(2 * np.pi * v / pitch)
            yield name, grey(255 / (1 + np.exp(-(tone - 128) / 40 - 2 * screen))), pitch
        u, v = turned(float(rng.uniform(0, 90)))
        a, _ = turned(float(rng.uniform(0, 6)))
        moire = np.sign(np.sin(2 * np.pi * x / pitch)) * np.sign(
            np.sin(2 * np.pi * a / (pitch * rng.uniform(0.9, 1.1)))
        )
        yield "moire", grey(150 + 40 * moire + 20 * np.sin(2 * np.pi * u / 40) + rng.normal(0, 5, x.shape)), pitch
        yield "stripes", grey(180 + 50 * np.cos(2 * np.pi * y / pitch) + rng.normal(0, 5, x.shape)), pitch
        weave = np.cos(2 * np.pi * x / pitch) * np.cos(2 * np.pi * y / (pitch * rng.uniform(0.7, 1.4)))
        yield "weave", grey(150 + 50 * weave + 20 * smooth), pitch
        chart = np.full((height, width), 255, np.uint8)
        for at in np.linspace(60, width - 20, int(rng.integers(5, 12))):
            chart[20 : height - 40, int(at)] = 200
        for at in np.linspace(20, height - 40, int(rng.integers(4, 9))):
            chart[int(at), 60 : width - 20] = 200
        steps = np.cumsum(rng.normal(0, 6, 120)) + height / 2
        points = np.stack([np.linspace(60, width - 20, 120), steps], axis=1).round().astype(np.int32)
        cv2.polylines(chart, [points], False, 40, 2, cv2.LINE_AA)
        yield "chart", chart, float(rng.uniform(3, 8))


def without_grid(count: int) -> None:
    """Table 3."""
    seen: dict[str, list[tuple[bool, bool, float]]] = {}
    for kind, picture, pitch in controls(count):
        picture = np.ascontiguousarray(picture)
        as_fine, as_coarse = (
            refine(picture, np.diag([1 / px_per_mm, 1 / px_per_mm, 1.0])) for px_per_mm in (pitch, pitch / 5)
        )
        found = find_lattice(picture)
        fifths = 0.0 if math.isnan(as_fine.fifths) else as_fine.fifths
        seen.setdefault(kind, []).append((as_fine.found or as_coarse.found, found.found, fifths))
    print("| without a grid | pictures | refine found | find_lattice found | largest fifths |")
    print("|---|---|---|---|---|")
    for kind, rows in seen.items():
        told = [sum(row[i] for row in rows) for i in (0, 1)]
        print(f"| {kind} | {len(rows)} | {told[0]} | {told[1]} | {max(row[2] for row in rows):.2f} |")


def speed() -> None:
    """Table 4."""
    print("| px per mm | refine, ms of processor time |")
    print("|---|---|")
    for px_per_mm in (3, 4, 6, 8):
        width, height = 300 * px_per_mm, 200 * px_per_mm
        x, y = (np.arange(n) + 0.5 for n in (width, height))
        lines = [
            np.where((at / px_per_mm) % 5 < 0.25, 0.6, np.where((at / px_per_mm) % 1 < 0.15, 0.25, 0.0))
            for at in (x, y)
        ]
        picture = (255 * (1 - np.maximum(lines[0], lines[1][:, None]))).astype(np.uint8)
        given = np.diag([1.03 / px_per_mm, 1.03 / px_per_mm, 1.0])
        times = []
        for _ in range(9):
            started = time.process_time()
            refine(picture, given)
            times.append(time.process_time() - started)
        print(f"| {px_per_mm} | {np.median(times) * 1000:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--sheets", type=int, default=100, help="simulated sheets of each severity")
    parser.add_argument("--controls", type=int, default=40, help="pictures of each kind without a grid")
    parser.add_argument("--only", choices=("simulated", "real", "controls", "speed"))
    parser.add_argument("--worst", action="store_true", help="tell which sheets were not found or made worse")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    if args.only in (None, "simulated"):
        simulated(args.sheets, args.worst)
    if args.only in (None, "real") and (args.data / "photos").is_dir():
        real(args.data / "photos")
    if args.only in (None, "controls"):
        without_grid(args.controls)
    if args.only in (None, "speed"):
        speed()


if __name__ == "__main__":
    main()
