"""How many planted copies are found, how many pairs are found that are none, and how long it takes.

    python benchmarks/duplicates.py [--ecgs 20000] [--copies 600] [--images]

Simulated patients with several ECGs each; copies are re-sampled to 250 or 500 Hz, shifted by up to a second either way
(what moves in is a mirror image, or nothing), filtered from 0.5 to 40 Hz (forwards, or both ways) and scaled by 0.98.

With --images their sheets, with grids and in four layouts, are a cohort of images; copies are shrunk to between a half
and all of their size, dimmed, made paler, and saved as JPEG of quality 30 to 90.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import signal

from heartprint.cohorts import Cohort, write_cohort
from heartprint.cohorts.duplicates import find_duplicates
from heartprint.cohorts.duplicates.pictures import MIN_CORRELATION
from heartprint.cohorts.duplicates.waveforms import MIN_COHERENCE
from heartprint.sheets import render
from heartprint.simulation import simulate

LAYOUTS = ("standard", "3x4_ii", "6x2_ii", "12x1")


def changed(leads: npt.NDArray[np.float32], rate: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], int]:
    """A copy of an ECG ``(8, n)`` mV at another sampling rate."""
    new_rate = int(rng.choice([rate, 250, 500]))
    x = signal.resample_poly(np.nan_to_num(leads).astype(np.float64), new_rate, rate, axis=1)
    band = signal.butter(2, [0.5, 40.0], "band", fs=new_rate, output="sos")
    x = 0.98 * (signal.sosfilt if rng.random() < 0.5 else signal.sosfiltfilt)(band, x, axis=1)
    by = int(rng.integers(-new_rate, new_rate + 1))
    n = x.shape[1]
    mirrored = np.pad(x, ((0, 0), (new_rate, new_rate)), mode="reflect" if rng.random() < 0.5 else "constant")
    return mirrored[:, new_rate - by : new_rate - by + n], new_rate


def plant(cohort: Cohort, out: Path, copies: int, ecgs: int, seed: int = 0) -> Cohort:
    """A cohort of the first ECGs of another and of copies of some of them."""
    rng = np.random.default_rng(seed)
    copied = rng.choice(ecgs - copies, copies, replace=False)
    with write_cohort(out, source="planted copies", simulated=True) as writer:
        for row in range(ecgs - copies):
            record = cohort.records.row(row, named=True)
            writer.add(
                cohort.samples(row),
                ecg_id=record["ecg_id"],
                patient_id=record["patient_id"],
                sampling_rate=record["sampling_rate"],
                uv_per_bit=record["uv_per_bit"],
            )
        for row in copied:
            leads, rate = changed(cohort.signal(int(row)), round(cohort.sampling_rate(int(row))), rng)
            writer.add(
                np.clip(np.rint(leads * 1000), -32767, 32767).astype(np.int16),
                ecg_id=f"copy of {cohort.ecg_ids[row]}",
                patient_id=f"copy {row}",
                sampling_rate=float(rate),
                uv_per_bit=1.0,
            )
    return Cohort.open(out)


def changed_picture(page: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A copy of a picture that someone has saved anew."""
    share = rng.uniform(0.5, 1.0)
    page = page.resize((round(share * page.width), round(share * page.height)), Image.Resampling.BILINEAR)
    least, most = rng.uniform(0, 60), rng.uniform(170, 255)
    page = page.point([round(least + (most - least) * grey / 255) for grey in range(256)])
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=int(rng.integers(30, 91)))
    return Image.open(buffer)


def plant_pictures(cohort: Cohort, out: Path, copies: int, ecgs: int, seed: int = 0) -> Cohort:
    """The same as `plant` for the sheets of ECGs."""
    rng = np.random.default_rng(seed)
    copied = set(rng.choice(ecgs - copies, copies, replace=False).tolist())
    with write_cohort(out, source="planted copies", simulated=True, kind="image") as writer:

        def add(image: Image.Image, ecg_id: str, patient_id: str) -> None:
            original = (image.height, image.width)
            writer.add_image(np.array(image), ecg_id=ecg_id, patient_id=patient_id, original=original)

        for row in range(ecgs - copies):
            drawn = render(
                cohort.signal(row), cohort.sampling_rate(row), LAYOUTS[row % len(LAYOUTS)], (600, 780), colour=True
            )
            page = Image.fromarray(drawn).convert("L")
            ecg_id = str(cohort.ecg_ids[row])
            add(page, ecg_id, str(cohort.patient_ids[row]))
            if row in copied:
                add(changed_picture(page, rng), f"copy of {ecg_id}", f"copy {row}")
    return Cohort.open(out)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ecgs", type=int, default=20_000)
    options.add_argument("--copies", type=int, default=600)
    options.add_argument("--images", action="store_true")
    chosen = options.parse_args()
    plant_in, measured, least_likeness = (
        (plant_pictures, "correlation", MIN_CORRELATION) if chosen.images else (plant, "coherence", MIN_COHERENCE)
    )
    with tempfile.TemporaryDirectory() as folder:
        print(f"Simulating {chosen.ecgs:,} ECGs ...", flush=True)
        base = simulate(Path(folder) / "base", chosen.ecgs // 2, hospital="lifelike", seed=99, progress=False)
        cohort = plant_in(base, Path(folder) / "planted", chosen.copies, min(chosen.ecgs, len(base)))
        began = time.perf_counter()
        table = find_duplicates(cohort, min_likeness=0.5 if chosen.images else 0.9)
        seconds = time.perf_counter() - began
    ours, theirs = table["ecg_id"].to_list(), table["other_ecg_id"].to_list()
    copy = np.array([b == f"copy of {a}" or a == f"copy of {b}" for a, b in zip(ours, theirs, strict=True)], dtype=bool)
    likeness = table[measured].to_numpy()
    found = likeness >= least_likeness
    right, wrong = int((found & copy).sum()), int((found & ~copy).sum())
    n = len(cohort)
    print(f"{n:,} ECGs, {chosen.copies} of them copies: {right} found ({right / chosen.copies:.1%})")
    share = wrong / (n * (n - 1) / 2)
    print(f"pairs found that are none: {wrong} ({wrong / n:.4%} of the ECGs, {share:.1e} of the pairs)")
    least, most = likeness[copy].min(), likeness[~copy].max(initial=0)
    print(f"{measured}: of copies at least {least:.3f}, of others at most {most:.3f}")
    print(f"{seconds:.1f} s on all cores")


if __name__ == "__main__":
    main()
