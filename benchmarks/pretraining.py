"""Does pretraining ever wait for sheets? The same loop, once with drawn sheets and once with one batch again and again.

    python benchmarks/pretraining.py [--backbone small] [--image-size 128] [--batch-size 64] [--workers 1] [--steps 30]

Prints images per second both ways, their ratio, the time to draw a posed view on one core, and on a GPU the share of
its peak that constant tensors reach. Sheets are drawn from 500 Hz ECGs of simulated patients, on four layouts, turned
by up to 10 degrees.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from heartprint.pretraining import PretrainConfig
from heartprint.pretraining.batches import Batch, Schedule, drawn_batches
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.methods import Method, get_method
from heartprint.simulation import simulate
from heartprint.training.device import choose_device
from heartprint.training.distributed import Distributed

WARM_UP = 3
VIEWS = 200


def view_ms(method: Method) -> float:
    """Median time to draw a posed view on one core, ms."""
    times = []
    for k in range(VIEWS + 20):
        began = time.thread_time()  # of this core, whatever else the machine does
        method.draw(0, k % method.n_items)
        times.append((time.thread_time() - began) / method.n_views)
    return 1000 * float(np.median(times[20:]))


def images_per_s(
    learner: Learner, batches: list[Batch] | None, method: Method, schedule: Schedule, steps: int
) -> float:
    """Images per second over some steps, after a few to warm up; drawn ahead if no batches are given."""
    config = learner.config
    source = (
        itertools.islice(itertools.cycle(batches), WARM_UP + steps)
        if batches
        else drawn_batches(method, schedule, 0, WARM_UP + steps, config.workers)
    )
    began = 0.0
    for number, batch in enumerate(source):
        if number == WARM_UP:
            _wait(learner.device)
            began = time.perf_counter()
        learner.step(batch)
    _wait(learner.device)
    return steps * method.n_views * config.batch_size / (time.perf_counter() - began)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--backbone", default="small")
    options.add_argument("--image-size", type=int, default=128)
    options.add_argument("--batch-size", type=int, default=64)
    options.add_argument("--workers", type=int, default=1)
    options.add_argument("--steps", type=int, default=30)
    chosen = options.parse_args()
    config = PretrainConfig(
        backbone=chosen.backbone, image_size=chosen.image_size, batch_size=chosen.batch_size, workers=chosen.workers
    )
    device = choose_device(config.device)
    with tempfile.TemporaryDirectory() as folder:
        cohort = simulate(Path(folder) / "c", max(300, 2 * chosen.batch_size), rate=500, seed=5, progress=False)
        method = get_method("bcl")(cohort, config)
        schedule = Schedule(method.n_items, config)
        print(f"{device}, {config.backbone} at {config.image_size} px, batches of {config.batch_size} pairs")
        print(f"a posed view: {view_ms(method):.2f} ms of one core (median of {VIEWS})")
        learner = Learner(config, 1000, Distributed(device=device))
        constant = list(drawn_batches(method, schedule, 0, 1, 0))
        speeds: dict[str, list[float]] = {"constant": [], "drawn": []}
        for _ in range(3):
            for name, batches in (("constant", constant), ("drawn", None)):
                speeds[name].append(images_per_s(learner, batches, method, schedule, chosen.steps))
        fixed, drawn = (float(np.median(speeds[name])) for name in ("constant", "drawn"))
        print(f"constant tensors: {fixed:,.0f} images/s; drawn sheets, {config.workers} workers: {drawn:,.0f} images/s")
        print(f"drawn / constant = {drawn / fixed:.2f} (medians of three, in turn)")


if __name__ == "__main__":
    main()
