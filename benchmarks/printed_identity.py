"""Does a network that learns patients read the printed name? Scans whose header tells who it is, and ECGs that do not.

    python benchmarks/printed_identity.py PATIENTS [--folder out/printed-identity] [--patients 600] [--json]

PATIENTS is a cohort of simulated waveforms. Every patient gets two scans with the same invented name, numbers and dates
above and speed and gain below, and two ECGs of other patients, dealt at random: nothing but print makes the two a pair.
The scans are learned from by `bcl` three times: whole, cut to what the rows fill as the reader cuts them, and cut with
room for the header but with the words painted over. Of test patients it is then told how often the nearest of all other
scans is the patient's own, against chance. All is simulated.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

import heartprint
from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.progress import track
from heartprint.foundation.randomness import generator
from heartprint.reading.layouts import traced_box
from heartprint.reading.printed_text import without_text
from heartprint.sheets import render
from heartprint.sheets.registry import get_layout
from heartprint.sheets.style import get_style, placed

PX_PER_MM = 3.0
WAYS = ("whole", "cut", "painted over")
LAYOUT = "standard"


def scans(leads: np.ndarray, rate: float, patient: int) -> dict[str, np.ndarray]:
    """One ECG under a patient's name, in the three ways."""
    style = dataclasses.replace(
        get_style("red"), margin_mm=(5.0, 20.0, 5.0, 8.0), patient=patient, footer=True, name="scan"
    )
    layout = placed(get_layout(LAYOUT), style)
    size = (round(layout.height_mm * PX_PER_MM), round(layout.width_mm * PX_PER_MM))
    page = render(leads, rate, LAYOUT, size, style=style)
    _, top, _, bottom = (round(side * PX_PER_MM) for side in traced_box(layout))
    painted, _ = without_text(page, PX_PER_MM, [strip.baseline_mm * PX_PER_MM for strip in layout.strips])
    return {"whole": page, "cut": page[top:bottom], "painted over": painted}


def draw(cohort: Cohort, folder: Path, n_patients: int) -> None:
    """Write the scans of all patients and their tables."""
    rng = generator(20261129, "printed identity")
    rows = rng.permutation(len(cohort))[: 2 * n_patients]
    written: dict[str, list[dict[str, str]]] = {way: [] for way in WAYS}
    for patient in track(range(n_patients), "Printing scans", n_patients):
        for which in range(2):
            row = int(rows[2 * patient + which])
            for way, page in scans(cohort.signal(row), cohort.sampling_rate(row), patient).items():
                path = folder / "scans" / way.replace(" ", "-") / f"{patient:05d}-{which}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), page)
                day = f"20{20 + which}-01-{1 + patient % 28:02d}T08:00:00"
                written[way].append({"path": str(path.resolve()), "patient_id": str(patient), "recorded_at": day})
    for way, table in written.items():
        name = way.replace(" ", "-")
        for part, chosen in (("learn", lambda p: p % 4), ("test", lambda p: not p % 4)):
            with (folder / f"{name}-{part}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, ["path", "patient_id", "recorded_at"])
                writer.writeheader()
                writer.writerows(one for one in table if chosen(int(one["patient_id"])))


def run(*words: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(heartprint.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-m", "heartprint", *words], env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"heartprint {' '.join(words)}: {done.stderr[-2000:]}")


def partners_found(path: Path) -> tuple[float, int]:
    """How often the nearest of all other scans is of the same patient, and how many scans there are."""
    with np.load(path) as file:
        vectors, patients = file["embedding"], file["patient_id"]
    vectors = vectors - vectors.mean(0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -9)
    return float((patients[alike.argmax(1)] == patients).mean()), len(patients)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patients", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("out/printed-identity"))
    parser.add_argument("--patients", dest="count", type=int, default=600)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = options.folder
    if not (folder / "whole-learn.csv").exists():
        folder.mkdir(parents=True, exist_ok=True)
        draw(Cohort.open(options.patients), folder, options.count)
    told = {}
    for way in WAYS:
        name = way.replace(" ", "-")
        for part in ("learn", "test"):
            if not (folder / f"{name}-{part}" / "cohort.json").exists():
                run("ingest", "images", str(folder / f"{name}-{part}.csv"), str(folder / f"{name}-{part}"))
        out = folder / f"{name}-run"
        settings = ("method=bcl", "backbone=small", f"image_size={options.image_size}", f"steps={options.steps}")
        settings += ("batch_size=64", "workers=0")
        if not (out / "encoder").exists():
            run("pretrain", str(folder / f"{name}-learn"), "--out", str(out), "--resume", *_set(settings))
        run("embed", str(out), str(folder / f"{name}-test"), "--out", str(folder / f"{name}.npz"), "--overwrite")
        share, n = partners_found(folder / f"{name}.npz")
        told[way] = {"partners_found": share, "chance": 1 / (n - 1), "scans": n}
    if options.json:
        print(json.dumps(told, indent=1))
        return
    print("| scans | nearest of all others is the patient's own | chance |\n|---|---|---|")
    for way, one in told.items():
        print(f"| {way} | {100 * one['partners_found']:.1f} % of {one['scans']} | {100 * one['chance']:.1f} % |")


def _set(settings: tuple[str, ...]) -> list[str]:
    return [word for setting in settings for word in ("-o", setting)]


if __name__ == "__main__":
    main()
