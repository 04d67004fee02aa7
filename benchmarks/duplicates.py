"""How many planted copies are found, how many pairs are found that are none, and how long it takes.

    python benchmarks/duplicates.py [--ecgs 20000] [--copies 600]

Simulated patients with several ECGs each; copies are re-sampled to 250 or 500 Hz, shifted by up to a second either way
(what moves in is a mirror image, or nothing), filtered from 0.5 to 40 Hz (forwards, or both ways) and scaled by 0.98.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import signal

from heartprint.cohorts import Cohort, write_cohort
from heartprint.cohorts.duplicates import MIN_COHERENCE, find_duplicates
from heartprint.cohorts.simulation import simulate


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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ecgs", type=int, default=20_000)
    options.add_argument("--copies", type=int, default=600)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"Simulating {chosen.ecgs:,} ECGs ...", flush=True)
        base = simulate(Path(folder) / "base", chosen.ecgs // 2, hospital="lifelike", seed=99, progress=False)
        cohort = plant(base, Path(folder) / "planted", chosen.copies, min(chosen.ecgs, len(base)))
        began = time.perf_counter()
        table = find_duplicates(cohort, min_coherence=0.9)
        seconds = time.perf_counter() - began
    ours, theirs = table["ecg_id"].to_list(), table["other_ecg_id"].to_list()
    copy = np.array([b == f"copy of {a}" or a == f"copy of {b}" for a, b in zip(ours, theirs, strict=True)], dtype=bool)
    coherence = table["coherence"].to_numpy()
    found = coherence >= MIN_COHERENCE
    right, wrong = int((found & copy).sum()), int((found & ~copy).sum())
    n = len(cohort)
    print(f"{n:,} ECGs, {chosen.copies} of them copies: {right} found ({right / chosen.copies:.1%})")
    share = wrong / (n * (n - 1) / 2)
    print(f"pairs found that are none: {wrong} ({wrong / n:.4%} of the ECGs, {share:.1e} of the pairs)")
    least, most = coherence[copy].min(), coherence[~copy].max(initial=0)
    print(f"coherence: of copies at least {least:.3f}, of others at most {most:.3f}")
    print(f"{seconds:.1f} s on all cores")


if __name__ == "__main__":
    main()
