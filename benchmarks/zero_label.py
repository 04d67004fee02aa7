"""What does an encoder know of a task before it has seen a single label of it?

For a pretraining run whose method reads measurements or simulated labels off the sheet (``measured``, ``bcl_measured``,
``simulation_supervised``): the AUROC of what it reads, on a cohort it has not seen, with DeLong's 95 % interval.

    python benchmarks/zero_label.py RUN COHORT [--layout standard] [--json]

Atrial fibrillation is scored by the irregularity of RR (more is more likely), by the likeness of the stretches before
QRS (less is more likely), and by the sum of both in standard deviations; a run of ``simulation_supervised`` is also
scored by the simulated labels that it has learned.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort
from heartprint.cohorts.tasks import TASKS
from heartprint.encoders import embed_cohort, resolve_encoder
from heartprint.foundation.errors import HeartprintError
from heartprint.metrics.auroc import delong_interval
from heartprint.pretraining.readout import READOUT_FILE, Readout

LEARNED = {"af": ("label_af", 1.0), "female": ("label_female", 1.0), "lvef_below_40": ("label_lvef", -1.0)}
"""Task to the simulated label that stands for it, and its sign."""


def scores_of(read: dict[str, npt.NDArray[np.float32]], task: str) -> dict[str, npt.NDArray[np.float32]]:
    """Name to score ``(n,)``, higher = more likely, of all that was read and bears on a task."""
    out = {}
    if task == "af":
        out["RR irregularity read off the sheet"] = read["rr_irregularity"]
        out["P consistency read off the sheet"] = -read["p_consistency"]
        out["both"] = read["rr_irregularity"] - read["p_consistency"]
    label, sign = LEARNED[task]
    if label in read:
        out["simulated label"] = sign * read[label]
    return out


def main() -> int:
    """Score every task that the cohort has labels of."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path)
    options.add_argument("cohort", type=Path)
    options.add_argument("--layout", default="standard")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    try:
        loaded, cohort = resolve_encoder(chosen.run), Cohort.open(chosen.cohort)
        read = Readout.load(chosen.run / READOUT_FILE).read(embed_cohort(loaded, cohort, layout=chosen.layout))
    except HeartprintError as error:
        print(error.message, file=sys.stderr)
        return 1
    if loaded.seen.overlap(cohort).any():
        print("The run has seen patients of this cohort; give another one.", file=sys.stderr)
        return 1
    rows = []
    for name, task in TASKS.items():
        if task.column not in cohort.records.columns:
            continue
        labels = task.labels(cohort.records)
        for score, values in scores_of(read, name).items():
            found = delong_interval(labels, values)
            rows.append({"task": name, "score": score, "auroc": found.estimate, "low": found.low, "high": found.high})
    if chosen.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        print(f"{row['task']:<14} {row['score']:<36} {row['auroc']:.3f} ({row['low']:.3f}-{row['high']:.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
