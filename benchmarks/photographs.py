"""Are real photographs read upright? Held against marks set by hand, turned four ways, and warped in known ways.

    python benchmarks/photographs.py FOLDER [--networks FOLDER] [--warps 20] [--out OUT] [--json]

FOLDER holds the photographs that tests/reading/photographs.csv marks: separators of columns, which are vertical on
paper and stand at equal distances, and a line that is level. Every photograph is read in four turns, and as pictures
taken of it from elsewhere (tilt, turn, nearness, all known), whose sheets are carried back. OUT gets a check picture of
each.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from heartprint.foundation.pictures import read_picture
from heartprint.foundation.progress import track
from heartprint.foundation.randomness import generator
from heartprint.reading.answer import ReadPage
from heartprint.reading.plane import homography, mapped
from heartprint.reading.reader import Reader, load_networks

MARKS = Path(__file__).parents[1] / "tests" / "reading" / "photographs.csv"
LONGEST_PX = 2000

Marks = dict[tuple[str, int], np.ndarray]


def marks(path: Path = MARKS) -> dict[str, Marks]:
    """File to name and number of a mark to its place, fractions of width and height."""
    found: dict[str, Marks] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["file"]][row["mark"], int(row["number"])] = np.array([float(row["x"]), float(row["y"])])
    return found


def lines(page: ReadPage, seen: Marks, size: tuple[int, int]) -> dict[str, float]:
    """How the marks lie on the sheet: degrees that separators and the level line lean, unevenness of spacing."""
    assert page.homography is not None
    scale = np.array([size[1], size[0]])

    def at(mark: str, number: int) -> np.ndarray:
        return mapped(page.homography, (seen[mark, number] * scale)[None])[0]

    tops, bottoms = ([at(f"separator_{end}", n) for n in (1, 2, 3)] for end in ("top", "bottom"))
    leans = [math.degrees(math.atan2(b[0] - t[0], b[1] - t[1])) for t, b in zip(tops, bottoms, strict=True)]
    which = "rhythm" if ("rhythm_left", 1) in seen else "row"
    left, right = at(f"{which}_left", 1), at(f"{which}_right", 1)
    middles = [(t[0] + b[0]) / 2 for t, b in zip(tops, bottoms, strict=True)]
    steps = np.diff(middles)
    return {
        "lean_deg": max(map(abs, leans)),
        "median_lean_deg": float(np.median(np.abs(leans))),
        "level_deg": abs(math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))),
        "uneven": abs(float(steps[1] / steps[0]) - 1) if steps.min() > 0 else 9.0,
    }


def turned(pixels: np.ndarray, seen: Marks, quarters: int) -> tuple[np.ndarray, Marks]:
    """A picture turned counter-clockwise by quarters, and its marks."""
    moved = seen
    for _ in range(quarters):
        moved = {key: np.array([y, 1 - x]) for key, (x, y) in moved.items()}
    return np.ascontiguousarray(np.rot90(pixels, quarters)), moved


def warp(pixels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The picture as a photograph of it from elsewhere shows it, and the homography that did it."""
    height, width = pixels.shape
    square = np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])
    angle = math.radians(rng.uniform(-12, 12))
    spin = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = (square - square.mean(0)) @ spin.T * rng.uniform(0.75, 1.0)
    moved *= 1 + rng.uniform(-0.06, 0.06, (4, 1))
    moved += rng.uniform(-0.04, 0.04, 2) * max(width, height)
    low, high = moved.min(0), moved.max(0)
    size = (math.ceil(high[0] - low[0]), math.ceil(high[1] - low[1]))
    matrix = homography(square, moved - low)
    level = int(np.median(pixels))
    return cv2.warpPerspective(pixels, matrix, size, flags=cv2.INTER_AREA, borderValue=level), matrix


def upright(page: ReadPage, seen: Marks, size: tuple[int, int]) -> bool:
    """Whether columns go from left to right and their separators downwards."""
    if page.homography is None:
        return False
    scale = np.array([size[1], size[0]])
    tops, bottoms = (
        mapped(page.homography, np.array([seen[f"separator_{end}", n] for n in (1, 2, 3)]) * scale)
        for end in ("top", "bottom")
    )
    ordered = bool((np.diff(tops[:, 0]) > np.abs(np.diff(tops[:, 1]))).all())
    return ordered and bool((bottoms[:, 1] - tops[:, 1] > np.abs(bottoms[:, 0] - tops[:, 0])).all())


def read_all(reader: Reader, folder: Path, warps: int, out: Path | None) -> list[dict[str, Any]]:
    """A row for each photograph."""
    rows = []
    for name, seen in track(sorted(marks().items()), "Reading photographs", len(marks())):
        pixels = read_picture(folder / name, longest_side=LONGEST_PX).pixels
        row: dict[str, Any] = {"file": name}
        plain: ReadPage | None = None
        for quarters in range(4):
            picture, moved = turned(pixels, seen, quarters)
            page = reader.read(picture)
            if quarters == 0:
                plain = page
                row |= {"status": page.status, "reasons": " ".join(reason.code for reason in page.reasons)}
                row |= {"layout": page.layout, "seconds": page.seconds}
                if page.homography is not None:
                    row |= lines(page, seen, picture.shape)
                if out is not None:
                    from heartprint.reading.check_picture import check_picture

                    out.mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(out / f"{Path(name).stem}.png"), check_picture(picture, page, name))
            row[f"status_{quarters}"] = page.status
            row[f"upright_{quarters}"] = upright(page, moved, picture.shape)
        assert plain is not None
        shares = []
        for k in range(warps):
            picture, matrix = warp(pixels, generator(20261129, f"photograph warp {name}", k))
            page = reader.read(picture)
            if page.corners is None or plain.corners is None:
                shares.append(9.0)
                continue
            back = mapped(np.linalg.inv(matrix), page.corners)
            width = np.linalg.norm(plain.corners[1] - plain.corners[0])
            shares.append(float(np.linalg.norm(back - plain.corners, axis=1).max() / width))
        row["warped"] = shares
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--networks", type=Path)
    parser.add_argument("--warps", type=int, default=20)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    reader = Reader(load_networks(options.networks) if options.networks else None)
    rows = read_all(reader, options.folder, options.warps, options.out)
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    read = [row for row in rows if "lean_deg" in row]
    turns = [row[f"upright_{quarters}"] for row in rows for quarters in range(4)]
    shares = [share for row in rows for share in row["warped"]]
    print(f"| status | {dict(Counter(row['status'] for row in rows))} |\n|---|---|")
    print(f"| upright, of {len(turns)} turned pictures | {sum(turns)} |")
    for title, key, bar in (
        ("separators lean, largest <= 1.5 degrees", "lean_deg", 1.5),
        ("separators lean, median <= 0.7 degrees", "median_lean_deg", 0.7),
        ("level line <= 1.0 degree", "level_deg", 1.0),
        ("spacing of separators even within 4 %", "uneven", 0.04),
    ):
        values = [row[key] for row in read]
        print(f"| {title} | {sum(v <= bar for v in values)} of {len(rows)}; median {np.median(values):.3g} |")
    if shares:
        print(f"| carried back through known warps: <= 1 % of the width | {np.mean(np.array(shares) <= 0.01):.1%} |")
    print("\n| file | status | reasons | upright | lean | level | uneven | layout |\n|---|---|---|---|---|---|---|---|")
    for row in rows:
        told = [f"{row[key]:.2f}" if key in row else "-" for key in ("lean_deg", "level_deg", "uneven")]
        ways = sum(row[f"upright_{quarters}"] for quarters in range(4))
        print(
            f"| {row['file']} | {row['status']} | {row['reasons']} | {ways}/4 | {' | '.join(told)} | {row['layout']} |"
        )


if __name__ == "__main__":
    main()
