"""What does the usual way of drawing ECGs do to a model? Drawn at 100 dpi into a PNG and resized, against exact sheets.

The usual way: ecg_plot 0.2.8 at 100 dpi, then 300 x 300 by Pillow (bilinear, over all pixels that shrink to one) or by
OpenCV (bilinear, over the nearest four; what torchvision does with tensors unless told otherwise). Against Heartprint's
sheets of the same ECGs: SSIM, and the AUROC of probes on the shipped encoder that learned from one and read the other,
five folds over patients, with 95 % intervals from resampled patients.

    python benchmarks/usual_path.py COHORT [--ecgs 500] [--folder out/usual-path] [--json]

Drawing takes 0.7 s an ECG; what is drawn is kept in the folder, and another run goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
from PIL import Image  # noqa: E402
from tests.sheets.reference import plot_reference, similarity  # noqa: E402

from heartprint.cohorts import Cohort  # noqa: E402
from heartprint.cohorts.tasks import TASKS  # noqa: E402
from heartprint.encoders import embed_images, resolve_encoder  # noqa: E402
from heartprint.evaluation.robustness import choose_ecgs  # noqa: E402
from heartprint.foundation.errors import HeartprintError  # noqa: E402
from heartprint.foundation.progress import Progress  # noqa: E402
from heartprint.metrics.bootstrap import study_resamples  # noqa: E402
from heartprint.metrics.probe import fit_probe, grouped_folds  # noqa: E402
from heartprint.sheets import render  # noqa: E402

SIZE, LAYOUT = 300, "standard"
WAYS = ("Pillow", "OpenCV")
Pages = npt.NDArray[np.uint8]


def usual(leads: npt.NDArray[np.float32], rate: float, folder: str) -> Pages:
    """``(2, 300, 300)``: one ECG as each of `WAYS` has it."""
    import ecg_plot

    plot_reference(leads, rate, LAYOUT)
    # Without the labels of the axes, as the laboratory's published images are.
    ecg_plot.save_as_png("picture", f"{folder}/", dpi=100, layout=None)
    with Image.open(f"{folder}/picture.png") as opened:
        grey = opened.convert("RGB").convert("L")
    smooth = np.asarray(grey.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    return np.stack([smooth, cv2.resize(np.asarray(grey), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)])


def drawn(cohort: Cohort, folder: Path) -> Pages:
    """``(n, 2, 300, 300)`` of the ECGs; those that an earlier run drew are read."""
    folder.mkdir(parents=True, exist_ok=True)
    file, done_file = folder / f"pages-{cohort.info.content_hash[:12]}-{len(cohort)}.npy", folder / "done.txt"
    shape = (len(cohort), len(WAYS), SIZE, SIZE)
    fresh = not file.is_file()
    pages = np.lib.format.open_memmap(
        file, mode="w+" if fresh else "r+", dtype=np.uint8, shape=shape if fresh else None
    )
    done = 0 if fresh or not done_file.is_file() else int(done_file.read_text())
    with Progress("ecg_plot", len(cohort)) as bar, tempfile.TemporaryDirectory() as scratch:
        bar.advance(done)
        for row in range(done, len(cohort)):
            pages[row] = usual(cohort.signal(row), cohort.sampling_rate(row), scratch)
            done_file.write_text(str(row + 1))
            bar.advance()
    return pages


def main() -> int:
    """Draw, embed, probe, compare."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("cohort", type=Path)
    options.add_argument("--folder", type=Path, default=Path("out/usual-path"))
    options.add_argument("--ecgs", type=int, default=500, help="how many: all with AF there are, up to half")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    try:
        cohort, encoder = Cohort.open(chosen.cohort), resolve_encoder("heartprint")
    except HeartprintError as error:
        print(error.message, file=sys.stderr)
        return 1
    cohort = cohort.take(choose_ecgs(cohort, cohort.labels("af"), chosen.ecgs))
    pages = drawn(cohort, chosen.folder)
    ours = np.stack([render(cohort.signal(r), cohort.sampling_rate(r), LAYOUT, SIZE) for r in range(len(cohort))])
    sample = range(0, len(cohort), max(1, len(cohort) // 100))
    out: dict[str, object] = {"ecgs": len(cohort), "ssim": {}, "auroc": []}
    for k, way in enumerate(WAYS):
        figures = [similarity(pages[r, k], ours[r])[0] for r in sample]
        out["ssim"][way] = {"median": float(np.median(figures)), "low": min(figures), "high": max(figures)}  # type: ignore[index]
    features = {"Heartprint": embed_images(encoder, ours)}
    features |= {way: embed_images(encoder, np.ascontiguousarray(pages[:, k])) for k, way in enumerate(WAYS)}
    patients = cohort.patient_codes
    for name, task in TASKS.items():
        if task.column not in cohort.records.columns:
            continue
        labels = task.labels(cohort.records)
        known = np.flatnonzero(np.isfinite(labels))
        folds = grouped_folds(labels[known] == 1, patients[known], max_folds=5)
        pairs = [(a, b) for a in features for b in features]
        scores = np.empty((len(pairs), 1, len(known)))
        for fold in np.unique(folds):
            train, test = known[folds != fold], folds == fold
            probes = {a: fit_probe(x[train], labels[train], patients[train]) for a, x in features.items()}
            for row, (a, b) in enumerate(pairs):
                scores[row, 0, test] = probes[a].decision(features[b][known[test]])
        values = study_resamples(list(scores), labels[known], patients[known], folds, n=1000)
        base = dict(zip(pairs, values, strict=True))
        for a, b in pairs:
            own, drop = base[a, b].interval(), (base[a, a] - base[a, b]).interval()
            out["auroc"].append(  # type: ignore[attr-defined]
                {"task": name, "learned": a, "read": b, **own.to_json(), "drop": drop.to_json()}
            )
    if chosen.json:
        print(json.dumps(out, indent=1))
        return 0
    for way, found in out["ssim"].items():  # type: ignore[attr-defined]
        print(f"SSIM, {way} against Heartprint: {found['median']:.3f} ({found['low']:.3f}-{found['high']:.3f})")
    for row in out["auroc"]:  # type: ignore[attr-defined]
        own, drop = _with_interval(row), _with_interval(row["drop"])
        print(f"{row['task']:<14} learned from {row['learned']:<11} read {row['read']:<11} {own}, lost {drop}")
    return 0


def _with_interval(value: dict[str, float]) -> str:
    return f"{value['estimate']:.3f} ({value['low']:.3f} to {value['high']:.3f})"


if __name__ == "__main__":
    sys.exit(main())
