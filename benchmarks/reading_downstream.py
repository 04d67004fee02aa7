"""What reading costs a model: AUROC on sheets as they were read against the same photographs rectified by the truth.

    python benchmarks/reading_downstream.py COHORT --out OUT [--encoder heartprint-photo] [--severity 1 2 3]

COHORT is one of waveforms with labels, such as PTB-XL's. Every ECG is drawn and photographed by simulation, read, and
rectified by its true corners; a linear probe learns from the truly rectified ones of four folds and scores both of the
fifth. Differences are paired, resampled over patients. Pages that are refused are left out, and then counted as
what they are for a model: no answer, the mean score of the others. OUT/pages.npz is gone on with where it was left.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from heartprint.cohorts import Cohort
from heartprint.cohorts.tasks import TASKS
from heartprint.encoders import embed_images, resolve_encoder
from heartprint.foundation.files import atomic_path
from heartprint.foundation.progress import track
from heartprint.foundation.randomness import generator
from heartprint.metrics.auroc import auroc
from heartprint.metrics.bootstrap import study_resamples
from heartprint.metrics.probe import fit_probe, grouped_folds
from heartprint.reading.answer import Hints
from heartprint.reading.reader import Reader, load_networks
from heartprint.sheets.camera.snapshot import snapshot
from heartprint.sheets.stored import fitted
from reading import truth

SIDES = (1000, 1600)
LAYOUT = "standard"
STATUSES = ("ok", "warned", "refused")


@functools.cache
def _reader(networks: Path | None) -> Reader:
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return Reader(load_networks(networks) if networks else None)


def both(row: int, path: Path, networks: Path | None, severities: tuple[float, ...], size: int) -> dict[str, Any]:
    """One ECG, photographed: rectified by the truth and as it was read."""
    cohort = Cohort.open(path)
    rng = generator(20261129, "reading downstream", row)
    taken = snapshot(
        cohort.signal(row),
        cohort.sampling_rate(row),
        LAYOUT,
        severity=severities[row % len(severities)],
        rng=rng,
        longest_side=SIDES[int(rng.integers(len(SIDES)))],
    )
    corners, _ = truth(taken, whole=True)
    reader = _reader(networks)
    true = reader.read(taken.picture, Hints(corners=corners, layout=LAYOUT)).sheet
    page = reader.read(taken.picture)
    assert true is not None
    read = np.zeros((size, size), dtype=np.uint8) if page.sheet is None else fitted(page.sheet, size)
    right = page.layout == LAYOUT
    return {"true": fitted(true, size), "read": read, "status": STATUSES.index(page.status), "layout": right}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--encoder", default="heartprint-photo")
    parser.add_argument("--networks", type=Path)
    parser.add_argument("--severity", type=float, nargs="+", default=[1.0, 2.0, 3.0])
    parser.add_argument("--ecgs", type=int, help="only so many of them, every so-manieth")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    cohort, loaded = Cohort.open(options.cohort), resolve_encoder(options.encoder)
    size = loaded.config.image_size
    store = options.out / "pages.npz"
    done: list[dict[str, Any]] = []
    if store.exists():
        kept = np.load(store)
        done = [{name: kept[name][k] for name in kept.files} for k in range(len(kept["status"]))]
    work = functools.partial(
        both, path=options.cohort, networks=options.networks, severities=tuple(options.severity), size=size
    )
    chosen_rows = np.arange(len(cohort))
    if options.ecgs is not None:
        chosen_rows = np.unique(np.linspace(0, len(cohort) - 1, options.ecgs).astype(int))
    left = chosen_rows[len(done) :].tolist()
    # Forked after torch has computed, a process may wait for ever.
    with ProcessPoolExecutor(options.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for one in track(pool.map(work, left, chunksize=2), "Reading photographs", len(left)):
            done.append(one)
            if len(done) % 200 == 0 or len(done) == len(chosen_rows):
                with atomic_path(store) as new, new.open("wb") as file:
                    np.savez(file, **{name: np.stack([row[name] for row in done]) for name in done[0]})
    status = np.array([one["status"] for one in done])
    print(", ".join(f"{name} {100 * np.mean(status == k):.1f} %" for k, name in enumerate(STATUSES)))
    true, read = (
        embed_images(loaded, np.stack([one[name] for one in done]), batch_size=64) for name in ("true", "read")
    )
    patients = cohort.records["patient_id"].to_numpy()[chosen_rows]
    print("| task | pages | true | read | difference |")
    print("|---|---|---|---|---|")
    for name in ("af", "female"):
        labels = TASKS[name].labels(cohort.records)[chosen_rows]
        known = ~np.isnan(labels)
        folds = np.full(len(labels), -1)
        folds[known] = grouped_folds(labels[known] > 0, patients[known], max_folds=5)
        scores = np.full((2, len(labels)), np.nan)
        for fold in range(folds.max() + 1):
            learn, test = known & (folds != fold), folds == fold
            probe = fit_probe(true[learn], labels[learn], patients[learn])
            for k, embedding in enumerate((true, read)):
                scores[k, test] = probe.decision(embedding[test])
            unread = test & (status == STATUSES.index("refused"))
            scores[1, unread] = probe.decision(true[learn]).mean()
        for told, chosen in (
            ("ok", known & (status == 0)),
            ("read", known & (status < 2)),
            ("all, refused without an answer", known),
        ):
            a, b = study_resamples(
                [scores[k, chosen][None] for k in (0, 1)], labels[chosen], patients[chosen], folds[chosen]
            )
            gap = (b - a).interval()
            print(
                f"| {name} | {told}: {chosen.sum()} | {auroc(labels[chosen], scores[0, chosen]):.3f} "
                f"| {auroc(labels[chosen], scores[1, chosen]):.3f} "
                f"| {gap.estimate:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}) |"
            )


if __name__ == "__main__":
    main()
