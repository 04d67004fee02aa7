"""Is this tree as fast as another one? Drawing, pretraining and a small study, old and new in turn.

Each repetition starts a process of the old tree and one of the new, in alternating order, so that what else the machine
does meets both. Nothing is imported from either tree here.

    python benchmarks/interleaved.py OLD_SRC NEW_SRC [--repetitions 7] [--folder F] [--only drawing] [--json]

Prints the median of old time / new time of the pairs (1 = as fast, more = the new tree is faster) with its range. Seven
repetitions take about ten minutes on two quiet cores; on a busy machine the range says more about the others.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BAR = 0.95
"""Least median ratio."""

# Compiled code is cached and warm before the clock starts; medians, so that a stolen moment does not count.
DRAWING = """
import itertools, json, time
import numpy as np
from heartprint.foundation.randomness import generator
from heartprint.sheets import Pose, render
from heartprint.sheets.camera import photograph
leads = np.random.default_rng(0).normal(0, 0.2, (8, 5000)).astype(np.float32).cumsum(axis=1) / 30
seeds = itertools.count()
ways = {
    "clean": lambda: render(leads, 500, "standard"),
    "turned": lambda: render(leads, 500, "two_rhythm", pose=Pose(7.3)),
    "phone": lambda: photograph(leads, 500, "standard", rng=generator(next(seeds), "interleaved")),
}
told = {}
for name, draw in ways.items():
    times = []
    for i in range(330):
        start = time.perf_counter()
        draw()
        times.append(time.perf_counter() - start)
    told["drawing, " + name] = float(np.median(times[30:]))
print(json.dumps(told))
"""

STUDY = """
title: Small
question: Is it as fast as it was?
cohorts:
  home: {path: COHORT}
home: home
protocol: {cross_validation: 3}
tasks: [af, female]
budgets: [30, 100]
draws: 3
resamples: 200
groups:
  small: {backbone: small, image_size: 96, pretraining: {batch_size: 32, steps: 10, workers: 0}}
encoders:
  - {name: bcl, group: small, transductive: true, pretrain: {cohort: home, method: bcl}}
  - {name: random, group: small, init: random}
reference: bcl
seed: 0
"""


def python(src: Path, folder: Path, *words: str) -> str:
    """Run this interpreter on a tree; what it printed."""
    environment = {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"} | os.environ | {"PYTHONPATH": str(src)}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{src}: {' '.join(words)[:200]}\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout


def draw(src: Path, folder: Path) -> dict[str, float]:
    """Seconds of one sheet by kind."""
    told: dict[str, float] = json.loads(python(src, folder, "-c", DRAWING))
    return told


def verb(src: Path, folder: Path, name: str, *words: str) -> dict[str, float]:
    """Seconds of one command that writes ``folder/made``, its start included."""
    shutil.rmtree(folder / "made", ignore_errors=True)
    start = time.perf_counter()
    python(src, folder, "-m", "heartprint", *words, "--out", "made")
    return {name: time.perf_counter() - start}


def pretrain(src: Path, folder: Path) -> dict[str, float]:
    """Seconds of a short pretraining, its start included."""
    settings = ("steps=30", "batch_size=64", "image_size=128", "workers=0")
    options = [word for setting in settings for word in ("-o", setting)]
    return verb(src, folder, "pretraining", "pretrain", "cohort", *options)


def study(src: Path, folder: Path) -> dict[str, float]:
    """Seconds of a small study, its start included."""
    return verb(src, folder, "study", "study", "study.yaml")


KINDS: dict[str, Callable[[Path, Path], dict[str, float]]] = {"drawing": draw, "pretraining": pretrain, "study": study}


def main() -> int:
    """Time both trees; exit with 1 if a median ratio is below the bar."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("old", type=Path, metavar="OLD_SRC")
    options.add_argument("new", type=Path, metavar="NEW_SRC")
    options.add_argument("--repetitions", type=int, default=7)
    options.add_argument("--folder", type=Path, help="Where to work; a temporary folder if not given.")
    options.add_argument("--only", choices=list(KINDS), action="append")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    trees = {"old": chosen.old.absolute(), "new": chosen.new.absolute()}
    times: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folders = {}
        for name, src in trees.items():
            # Each tree reads a cohort of its own: formats may differ. The patients are the same.
            folders[name] = (chosen.folder or Path(temporary)).absolute() / name
            folders[name].mkdir(parents=True, exist_ok=True)
            if not (folders[name] / "cohort").exists():
                python(src, folders[name], "-m", "heartprint", "simulate", "cohort", "--patients", "200")
            (folders[name] / "study.yaml").write_text(STUDY.replace("COHORT", "cohort"))
        for kind in chosen.only or KINDS:
            for repetition in range(chosen.repetitions):
                for name in ("old", "new") if repetition % 2 == 0 else ("new", "old"):
                    for what, seconds in KINDS[kind](trees[name], folders[name]).items():
                        times.setdefault(what, {}).setdefault(name, []).append(seconds)
    ratios = {
        what: [old / new for old, new in zip(both["old"], both["new"], strict=True)] for what, both in times.items()
    }
    if chosen.json:
        print(json.dumps({"seconds": times, "ratios": ratios}, indent=2))
    else:
        print("| what | old, median s | new, median s | old / new, median | range |\n|---|---|---|---|---|")
        for what, found in ratios.items():
            old, new = (statistics.median(times[what][name]) for name in ("old", "new"))
            middle = statistics.median(found)
            print(f"| {what} | {old:.4g} | {new:.4g} | {middle:.3f} | {min(found):.3f}-{max(found):.3f} |")
    return int(any(statistics.median(found) < BAR for found in ratios.values()))


if __name__ == "__main__":
    sys.exit(main())
