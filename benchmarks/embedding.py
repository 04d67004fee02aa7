"""How fast does the encoder that comes with Heartprint embed? Prints sheets/s, the median of five runs.

A simulated cohort is drawn and embedded as `heartprint embed heartprint COHORT` does, from waveforms on disk to
embeddings, after warm-up. Exits 1 below the bar of 20 sheets/s.

    python benchmarks/embedding.py [--patients 200] [--threads 2] [--encoder heartprint]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SPEED_BAR = 20.0
REPEATS = 5


def main() -> int:
    """Measure; 0 if the bar is met."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--patients", type=int, default=200)
    options.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    options.add_argument("--encoder", default="heartprint", help="name or folder of the encoder")
    chosen = options.parse_args()

    import torch

    from heartprint import HeartprintError
    from heartprint.encoders import embed_cohort, resolve_encoder
    from heartprint.simulation import simulate

    torch.set_num_threads(chosen.threads)
    try:
        loaded = resolve_encoder(chosen.encoder)
    except HeartprintError as error:
        if error.code != "shipped-encoder-missing":
            raise
        print("The encoder is not shipped yet: measuring untrained weights of the same kind ('small') instead.")
        loaded = resolve_encoder("random", backbone="small")
    with tempfile.TemporaryDirectory() as folder:
        cohort = simulate(Path(folder) / "cohort", chosen.patients, seed=123, progress=False)
        embed_cohort(loaded, cohort.take(np.arange(min(64, len(cohort)))), progress=False)
        speeds = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            embed_cohort(loaded, cohort, progress=False)
            speeds.append(len(cohort) / (time.perf_counter() - start))
    median = float(np.median(speeds))
    print(
        f"{loaded.name}: {loaded.config.backbone} at {loaded.config.image_size} px, {len(cohort):,} sheets, "
        f"{chosen.threads} threads: {median:,.0f} sheets/s with drawing, the median of {REPEATS} "
        f"({min(speeds):,.0f}-{max(speeds):,.0f})"
    )
    if median < SPEED_BAR:
        print(f"Missed: the bar is {SPEED_BAR:g} sheets/s.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
