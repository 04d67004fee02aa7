"""How well pages are read: simulated photographs in layouts and on backgrounds that the reader was not trained with.

    python benchmarks/reading.py PATIENTS --networks FOLDER --backgrounds FOLDER --pages 2000 --out OUT

PATIENTS is a cohort of simulated waveforms of another seed than the reader's. Every page is a pure function of the seed
and its number; OUT/pages.csv has a row for each, and is gone on with where it was left.
"""

from __future__ import annotations

import argparse
import csv
import functools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.progress import track
from heartprint.foundation.randomness import generator
from heartprint.reading.answer import ReadPage
from heartprint.reading.learning.layouts import HELD_OUT, random_layout
from heartprint.reading.learning.truth import ecg_box
from heartprint.reading.plane import mapped
from heartprint.reading.reader import Reader, load_networks
from heartprint.sheets.camera.snapshot import Snapshot, snapshot
from heartprint.sheets.registry import LAYOUTS

SIDES = (1000, 1600, 2400)
"""Longest sides of the pictures, px."""


def truth(taken: Snapshot, *, whole: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the ECG in the picture, px, and ``(2, 2)``: px per mm along time and amplitude at its middle.

    The ECG is what its rows fill, or the whole of its layout, which is what is cut out where the layout is known.
    """
    assert taken.layout is not None and taken.style is not None
    left, top, right, bottom = ecg_box(taken.layout, taken.style)
    if whole:
        left, top = taken.style.margin_mm[:2]
        right, bottom = (
            taken.layout.width_mm - taken.style.margin_mm[2],
            taken.layout.height_mm - taken.style.margin_mm[3],
        )
    corners = taken.mapping.picture_from_sheet([(left, top), (right, top), (right, bottom), (left, bottom)])
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    around = taken.mapping.picture_from_sheet(middle + np.array([(0, 0), (10, 0), (0, 10)]))
    return corners, np.stack([around[1] - around[0], around[2] - around[0]], axis=1) / 10


def compared(taken: Snapshot, page: ReadPage) -> dict[str, Any]:
    """What is right and wrong about a page that was read."""
    corners, frame = truth(taken, whole=page.layout is not None)
    width = float(np.linalg.norm(corners[1] - corners[0]) + np.linalg.norm(corners[2] - corners[3])) / 2
    height, wide = taken.picture.shape
    inside = mapped_share(taken, corners, (height, wide))
    row: dict[str, Any] = {
        "status": page.status,
        "reasons": " ".join(reason.code for reason in page.reasons),
        "inside": round(inside, 4),
        "sheet_px": round(width, 1),
        "grid": taken.grid_mm is not None,
        "source": taken.source,
        "mirrored": taken.mirrored,
        "effects": " ".join(f"{name}:{level:.2f}" for name, level in taken.effects),
        "seconds": round(page.seconds, 4),
        "layout_read": page.layout or "",
    }
    if page.corners is None or page.px_per_mm is None or page.homography is None:
        return row
    row["corner_error"] = round(float(np.linalg.norm(page.corners - corners, axis=1).max()) / width, 6)
    sides = [np.linalg.norm(np.roll(c, -1, axis=0) - c, axis=1)[0] for c in (page.corners, corners)]
    row["width_ratio"] = round(float(sides[0] / sides[1]), 5)
    back = np.linalg.inv(page.homography)
    assert page.sheet_mm is not None
    centre = mapped(page.homography, taken.mapping.picture_from_sheet([_middle(taken)]))
    ahead = mapped(back, centre + np.array([[1.0, 0.0]])) - mapped(back, centre)
    down = mapped(back, centre + np.array([[0.0, 1.0]])) - mapped(back, centre)
    cosine = float(ahead[0] @ frame[:, 0] / np.linalg.norm(ahead) / np.linalg.norm(frame[:, 0]))
    hand = np.sign(np.linalg.det(np.column_stack([ahead[0], down[0]]))) == np.sign(np.linalg.det(frame))
    row["right_way_up"] = bool(cosine > np.cos(np.radians(45)) and hand)
    row["turn_error_deg"] = round(float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))), 3)
    for axis, name in enumerate(("time", "amplitude")):
        row[f"px_per_mm_{name}"] = round(page.px_per_mm[axis] / float(np.linalg.norm(frame[:, axis])), 5)
    row["layout_alike"] = " ".join(page.layout_alike)
    row.update(_told_of_strips(taken, page))
    row.update({name: round(value, 5) for name, value in page.checks.items()})
    return row


def _told_of_strips(taken: Snapshot, page: ReadPage) -> dict[str, Any]:
    """Whether speed and gain that were told are wrong, and how well boxes of leads lie: intersection over union."""
    assert taken.layout is not None and page.homography is not None
    strips = taken.layout.strips
    speeds, gains = ({getattr(one, name) for one in strips} for name in ("speed_mm_per_s", "gain_mm_per_mv"))
    told: dict[str, Any] = {"speed_told": page.speed_mm_per_s is not None, "gain_told": page.gain_mm_per_mv is not None}
    told["speed_wrong"] = told["speed_told"] and speeds != {page.speed_mm_per_s}
    told["gain_wrong"] = told["gain_told"] and gains != {page.gain_mm_per_mv}
    if not page.leads:
        return told
    rows = sorted({one.baseline_mm for one in strips})
    gap = float(min(np.diff(rows), default=taken.layout.height_mm))
    back = np.linalg.inv(page.homography)
    best: list[float] = []
    for strip in strips:
        true = (strip.left_mm, strip.baseline_mm - gap / 2, strip.right_mm, strip.baseline_mm + gap / 2)
        shares = [0.0]
        for lead in page.leads:
            if lead.name == strip.label:
                left, top, right, bottom = lead.box
                corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
                at = taken.mapping.sheet_from_picture(mapped(back, corners))
                shares.append(_overlap(true, (*at.min(axis=0), *at.max(axis=0))))
        best.append(max(shares))
    return {**told, "lead_iou": round(float(np.mean(best)), 4), "lead_iou_least": round(min(best), 4)}


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width, height = (max(min(a[k + 2], b[k + 2]) - max(a[k], b[k]), 0.0) for k in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / max(sum(areas) - width * height, 1e-9)


def _middle(taken: Snapshot) -> tuple[float, float]:
    assert taken.layout is not None and taken.style is not None
    left, top, right, bottom = ecg_box(taken.layout, taken.style)
    return (left + right) / 2, (top + bottom) / 2


def mapped_share(taken: Snapshot, corners: np.ndarray, size: tuple[int, int]) -> float:
    """Share of the ECG that is in the picture."""
    assert taken.layout is not None and taken.style is not None
    left, top, right, bottom = ecg_box(taken.layout, taken.style)
    x, y = np.meshgrid(np.linspace(left, right, 40), np.linspace(top, bottom, 40))
    at = taken.mapping.picture_from_sheet(np.stack([x, y], axis=-1))
    return float(((at >= 0) & (at <= (size[1], size[0]))).all(-1).mean())


def page_of(
    index: int, cohort: Cohort, backgrounds: tuple[np.ndarray, ...], known: bool
) -> tuple[Snapshot, str, float]:
    """The simulated photograph of a number, the name of its layout ('' if it has none) and its severity."""
    rng = generator(20261129, "reading benchmark", index)
    severity = 1 + index % 5
    row = int(rng.integers(len(cohort)))
    side = SIDES[int(rng.integers(len(SIDES)))]
    names = [name for name in LAYOUTS if known != (name in HELD_OUT)]
    name = names[int(rng.integers(len(names)))]
    layout: Any = name
    if rng.random() < 0.3:
        layout, name = random_layout(rng), ""
    taken = snapshot(
        cohort.signal(row),
        cohort.sampling_rate(row),
        layout,
        severity=severity,
        rng=rng,
        longest_side=side,
        backgrounds=backgrounds or None,
    )
    return taken, name, severity


@functools.cache
def _tools(
    patients: Path, networks: Path | None, backgrounds: Path | None, use_lattice: bool = True, place: bool = True
) -> Any:
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pictures = sorted(backgrounds.rglob("*")) if backgrounds else []
    desks = tuple(cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in pictures if p.suffix in (".jpg", ".png"))
    reader = Reader(load_networks(networks) if networks else None, use_lattice=use_lattice, place=place)
    return Cohort.open(patients), desks, reader


def read_one(index: int, tools: tuple[Any, ...], known: bool) -> dict[str, Any]:
    cohort, desks, reader = _tools(*tools)
    taken, name, severity = page_of(index, cohort, desks, known)
    began = time.process_time()
    page = reader.read(taken.picture)
    row = {"index": index, "severity": severity, "layout": name, "height": taken.picture.shape[0]}
    return {**row, **compared(taken, page), "cpu_s": round(time.process_time() - began, 4)}


def rows_of(indices: list[int], tools: tuple[Any, ...], known: bool, workers: int) -> Iterator[dict[str, Any]]:
    work = functools.partial(read_one, tools=tools, known=known)
    if workers <= 1:
        yield from map(work, indices)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(work, indices, chunksize=4)


def table(rows: list[dict[str, Any]]) -> str:
    """The table of the bars, by severity."""

    def share(values: list[bool]) -> str:
        return f"{100 * float(np.mean(values)):.1f}" if values else "-"

    lines = [
        "| severity | pages | ok | warned | refused | corner <= 1 % | <= 2 % | median % | upright "
        "| px/mm <= 1 % (grid) | ok but wrong | wrong told |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for label, group in (
        *((str(s), [row for row in rows if float(row["severity"]) == s]) for s in range(1, 6)),
        ("1-3", [row for row in rows if float(row["severity"]) <= 3]),
        ("all", rows),
    ):
        if not group:
            continue
        errors = [float(row["corner_error"]) if row.get("corner_error") not in (None, "") else 9.0 for row in group]
        upright = [str(row.get("right_way_up")) == "True" for row in group]
        wrong = [e > 0.03 or not up for e, up in zip(errors, upright, strict=True)]
        ok = [row["status"] == "ok" for row in group]
        scaled = [
            max(abs(float(row[f"px_per_mm_{axis}"]) - 1) for axis in ("time", "amplitude")) <= 0.01
            for row in group
            if str(row["grid"]) == "True" and row.get("px_per_mm_time") not in (None, "")
        ]
        told = [not o for w, o in zip(wrong, ok, strict=True) if w]
        silent = [w and o for w, o in zip(wrong, ok, strict=True)]
        lines.append(
            f"| {label} | {len(group)} | {share(ok)} | {share([r['status'] == 'warned' for r in group])} "
            f"| {share([r['status'] == 'refused' for r in group])} | {share([e <= 0.01 for e in errors])} "
            f"| {share([e <= 0.02 for e in errors])} | {100 * float(np.median(errors)):.2f} | {share(upright)} "
            f"| {share(scaled)} | {share(silent)} | {share(told)} |"
        )
    return "\n".join(lines)


def strips_table(rows: list[dict[str, Any]]) -> str:
    """What is told of layouts, speed, gain and leads, of pages of severity 1-3 that were read."""
    read = [row for row in rows if float(row["severity"]) <= 3 and row["status"] != "refused"]
    named, other = [row for row in read if row["layout"]], [row for row in read if not row["layout"]]
    told = [row for row in named if row["layout_read"]]

    def share(pages: list[dict[str, Any]], true: Callable[[dict[str, Any]], bool]) -> str:
        return f"{100 * float(np.mean([true(row) for row in pages])):.1f} % of {len(pages)}" if pages else "-"

    def yes(name: str) -> Callable[[dict[str, Any]], bool]:
        return lambda row: str(row.get(name)) == "True"

    def among(row: dict[str, Any]) -> bool:
        return row["layout"] in (row["layout_read"], *str(row.get("layout_alike") or "").split())

    ious = [row for row in read if row.get("lead_iou") not in (None, "")]
    return "\n".join(
        [
            "| severity 1-3, not refused | |",
            "|---|---|",
            f"| layouts that have a name: told | {share(named, lambda row: bool(row['layout_read']))} |",
            f"| of those: the right one | {share(told, lambda row: row['layout_read'] == row['layout'])} |",
            f"| of those: it, or among those that fit as well | {share(told, among)} |",
            f"| layouts that have none: called unknown | {share(other, lambda row: not row['layout_read'])} |",
            f"| speed told, wrongly | {share([r for r in read if yes('speed_told')(r)], yes('speed_wrong'))} |",
            f"| gain told, wrongly | {share([r for r in read if yes('gain_told')(r)], yes('gain_wrong'))} |",
            f"| boxes of leads told: mean IoU >= 0.8 | {share(ious, lambda row: float(row['lead_iou']) >= 0.8)} |",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patients", type=Path)
    parser.add_argument("--networks", type=Path)
    parser.add_argument("--backgrounds", type=Path)
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--known", action="store_true", help="layouts that the reader was trained with")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--without-lattice", action="store_true")
    parser.add_argument("--edges-from-afar", action="store_true", help="close looks do not place the sheet")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "pages.csv"
    done: list[dict[str, Any]] = []
    if path.exists():
        with path.open(newline="") as file:
            done = list(csv.DictReader(file))
    seen = {int(row["index"]) for row in done}
    tools = (
        options.patients,
        options.networks,
        options.backgrounds,
        not options.without_lattice,
        not options.edges_from_afar,
    )
    left = [index for index in range(options.pages) if index not in seen]
    rows = list(track(rows_of(left, tools, options.known, options.workers), "Reading pages", len(left)))
    rows = done + rows
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    print(table(rows))
    print()
    print(strips_table(rows))


if __name__ == "__main__":
    main()
