"""Is what shows no ECG refused, what is nearly one told for what it is, and a plain page let in?

    python benchmarks/refusals.py PATIENTS [--pictures FOLDER] [--networks FOLDER] [--each 60] [--out OUT] [--json]

Lookalikes are of the test family, which no reader was trained with; FOLDER is what benchmarks/gather_pictures.py made,
of which the part ``test`` is shown. Half of the drawn ones are shown flat, as scans, half as photographs of severity 1
to 3.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.progress import track
from heartprint.foundation.randomness import generator
from heartprint.lookalikes import LOOKALIKES, NEARLY, draw_lookalike, draw_nearly
from heartprint.reading.learning.layouts import HELD_OUT
from heartprint.reading.reader import Reader, load_networks
from heartprint.sheets.camera.snapshot import snapshot, snapshot_of_image
from heartprint.sheets.registry import LAYOUTS

SIDE = 1400


def lookalike(kind: str, index: int) -> np.ndarray:
    """A picture of a kind that is no ECG."""
    rng = generator(20261129, f"refusals {kind}", index)
    page = draw_lookalike(kind, rng, float(rng.uniform(3, 6)), variant="test", colour=False)
    return _shown(page.image, page.px_per_mm, index, rng)


def nearly(kind: str, index: int, cohort: Cohort) -> np.ndarray:
    """A picture of what is nearly a 12-lead ECG."""
    rng = generator(20261129, f"refusals {kind}", index)
    rows = rng.integers(len(cohort), size=2)
    leads = [cohort.signal(int(row)) for row in rows]
    page = draw_nearly(kind, leads, cohort.sampling_rate(int(rows[0])), rng, 4.0, colour=False)
    return _shown(page.image, page.px_per_mm, index, rng)


def _shown(image: np.ndarray, px_per_mm: float, index: int, rng: np.random.Generator) -> np.ndarray:
    if index % 2 == 0:
        return np.ascontiguousarray(image)
    severity = float(rng.uniform(1, 3))
    return snapshot_of_image(image, px_per_mm, severity=severity, rng=rng, longest_side=SIDE).picture


def ecg(kind: str, index: int, cohort: Cohort) -> np.ndarray:
    """A page that is to be read: mirrored, upside down, or as it is at a severity."""
    rng = generator(20261129, f"refusals {kind}", index)
    row = int(rng.integers(len(cohort)))
    names = [name for name in LAYOUTS if name in HELD_OUT]
    severity = float(kind.split()[-1]) if kind.startswith("severity") else 1.0
    return snapshot(
        cohort.signal(row),
        cohort.sampling_rate(row),
        names[int(rng.integers(len(names)))],
        severity=severity,
        rng=rng,
        longest_side=SIDE,
        mirrored=kind == "mirrored",
        turn={"upside down": 180.0, "mirrored": 0.0}.get(kind),
    ).picture


def pictures(folder: Path) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    for kind in ("photographs", "charts"):
        for path in sorted((folder / "test" / kind).rglob("*")):
            if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
                yield kind, partial(cv2.imread, str(path), cv2.IMREAD_GRAYSCALE)


def right(group: str, kind: str, status: str, codes: list[str]) -> bool:
    """Whether the answer is the one to be given."""
    if group == "not an ECG":
        return status == "refused"
    if group == "nearly":
        return status == "refused" and codes[0] == "not-twelve-leads"
    if kind == "mirrored":
        return status == "warned" and "mirrored" in codes
    return status in ("ok", "warned")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patients", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--networks", type=Path)
    parser.add_argument("--each", type=int, default=60)
    parser.add_argument("--out", type=Path, help="pictures on which the answer was wrong")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    cohort = Cohort.open(options.patients)
    reader = Reader(load_networks(options.networks) if options.networks else None)
    shown: list[tuple[str, str, Callable[[], np.ndarray]]] = []
    for index in range(options.each):
        shown += [("not an ECG", kind, partial(lookalike, kind, index)) for kind in LOOKALIKES]
        shown += [("nearly", kind, partial(nearly, kind, index, cohort)) for kind in NEARLY]
        kinds = ("mirrored", "upside down", "severity 1", "severity 2", "severity 3")
        shown += [("ECG", kind, partial(ecg, kind, index, cohort)) for kind in kinds]
    if options.pictures:
        shown += [("not an ECG", kind, picture) for kind, picture in pictures(options.pictures)]
    rows: list[dict[str, Any]] = []
    for group, kind, picture in track(shown, "Reading pictures", len(shown)):
        pixels = picture()
        page = reader.read(pixels)
        codes = [reason.code for reason in page.reasons]
        good = right(group, kind, page.status, codes)
        rows.append({"group": group, "kind": kind, "status": page.status, "reasons": codes, "right": good})
        if options.out and not good:
            options.out.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(options.out / f"{kind}-{len(rows)}-{page.status}.png"), pixels)
    if options.json:
        print(json.dumps(rows))
        return
    print("| pictures | n | right % | ok % | warned % | refused % | reasons |\n|---|---|---|---|---|---|---|")
    groups = list(dict.fromkeys((row["group"], "") for row in rows))
    groups += list(dict.fromkeys((row["group"], row["kind"]) for row in rows))
    for group, kind in groups:
        some = [row for row in rows if row["group"] == group and kind in ("", row["kind"])]
        shares = [np.mean([row["right"] for row in some])]
        shares += [np.mean([row["status"] == status for row in some]) for status in ("ok", "warned", "refused")]
        codes = Counter(row["reasons"][0] if row["reasons"] else "none" for row in some).most_common(3)
        told = " | ".join(f"{100 * share:.1f}" for share in shares)
        print(f"| {group}{': ' + kind if kind else ', all'} | {len(some)} | {told} | {dict(codes)} |")


if __name__ == "__main__":
    main()
