"""Speed and difficulty of the simulated patients.

python benchmarks/simulation.py [--patients 2000] [--seed 1]

Prints ECGs per second of processor time of one core (10 s, 8 leads, 100 Hz; drawing, synthesis and files, after
warm-up), then how well classifiers trained with all labels tell AF, sex and LVEF < 40 % from measurements and median
beats: the difficulty that is set beforehand (AF 0.95-0.99, sex 0.85-0.92, LVEF 0.85-0.93 for an image network, which
sees a little less than these waveform features).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort
from heartprint.cohorts.measure import measure_cohort
from heartprint.simulation import simulate

TASKS = ("af", "female", "lvef_below_40")


def speed(folder: Path, patients: int, seed: int, rate: int) -> Cohort:
    simulate(folder / "warm-up", 3, seed=seed, rate=rate, progress=False)
    processor, wall = time.process_time(), time.perf_counter()
    cohort = simulate(folder / f"internal-{rate}", patients, seed=seed, rate=rate, progress=False)
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    print(
        f"{rate} Hz: {len(cohort):,} ECGs, {len(cohort) / processor:,.0f} ECGs/s of processor time, "
        f"{len(cohort) / wall:,.0f} ECGs/s by the clock"
    )
    return cohort


def median_beat(signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Median beat of the eight leads at 100 Hz, -250 .. 500 ms around the steepest point, thinned to 280 numbers."""
    energy = np.convolve(np.abs(np.diff(signal, axis=1)).sum(axis=0), np.ones(5), "same")
    floor, beats, at = 0.5 * np.percentile(energy, 98.5), [], 25
    while at < signal.shape[1] - 60:
        if energy[at] > floor and energy[at] == energy[at - 15 : at + 16].max():
            beats.append(signal[:, at - 25 : at + 50])
            at += 25
        else:
            at += 1
    beat = np.median(beats, axis=0) if beats else np.zeros((8, 75), dtype=np.float32)
    beat = beat - beat[:, 12:17].mean(axis=1, keepdims=True)
    return np.concatenate([beat[:, :20:3], beat[:, 20:36], beat[:, 36::3]], axis=1).ravel()


def difficulty(internal: Cohort, external: Cohort) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def features(c: Cohort) -> npt.NDArray[np.float32]:
        beats = np.stack([median_beat(c.signal(i)) for i in range(len(c))])
        return np.nan_to_num(np.hstack([measure_cohort(c), beats]))

    inside, outside = features(internal), features(external)
    train = internal.patient_codes < 0.75 * internal.n_patients
    for task in TASKS:
        y, z = internal.labels(task), external.labels(task)
        scores = {}
        for name, model in (
            ("boosted trees", HistGradientBoostingClassifier(max_iter=150, learning_rate=0.06, random_state=0)),
            ("logistic", make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=500))),
        ):
            model.fit(inside[train], y[train])
            scores[name] = (
                roc_auc_score(y[~train], model.predict_proba(inside[~train])[:, 1]),
                roc_auc_score(z, model.predict_proba(outside)[:, 1]),
            )
        text = "; ".join(f"{name} {a:.3f} internal, {b:.3f} external" for name, (a, b) in scores.items())
        print(f"{task}: {y.mean():.1%} / {z.mean():.1%} positive; AUROC with all labels: {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        internal = speed(Path(folder), options.patients, options.seed, 100)
        speed(Path(folder), max(options.patients // 10, 1), options.seed, 500)
        external = simulate(
            Path(folder) / "external", options.patients // 2, seed=options.seed, hospital="external", progress=False
        )
        difficulty(internal, external)


if __name__ == "__main__":
    main()
