"""How faithful and how fast are Heartprint's sheets? Prints two tables; exits 1 if a bar is missed.

Reference: ecg_plot 0.2.8, the package whose look the paper's laboratory used. Faithful: against its drawing at 600 dpi,
area-averaged to 300 x 300. Fast: against its drawing at 100 dpi, saved to a file, and against reading such a file that
is there already (Pillow) and shrinking it (scikit-image). One process, one thread.

    python benchmarks/drawing.py [--records 8] [--data ../shared/data]
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
from tests.sheets.reference import (  # noqa: E402
    plot_reference,
    real_ecgs,
    reference_sheet,
    similarity,
    synthetic_ecg,
)

from heartprint.foundation.randomness import generator  # noqa: E402
from heartprint.sheets import PAPER_LAYOUTS, Pose, draw_style, render  # noqa: E402
from heartprint.sheets.camera import photograph  # noqa: E402

SSIM_BAR, PSNR_BAR, POSED_SSIM_BAR = 0.995, 38.0, 0.95
CLEAN_BAR, POSED_BAR, PHONE_BAR = 3500.0, 700.0, 300.0
"""How many times as fast as ecg_plot: upright sheets, turned ones, photographs."""
ROTATION_DEG = 10.0
REPEATS = 500


def median_ms(draw: Callable[[], object], repeats: int) -> float:
    """Median time of a call after warm-up, ms."""
    for _ in range(10):
        draw()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        draw()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


def reference_ms(leads: npt.NDArray[np.float32], fs: float, layout: str) -> tuple[float, float]:
    """Time that ecg_plot takes for one picture at 100 dpi in a file, and that of reading the file into 300 x 300, ms.

    Medians of seven and of fifty.
    """
    import ecg_plot
    from PIL import Image
    from skimage.transform import resize

    times = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(8):
            start = time.perf_counter()
            plot_reference(leads, fs, layout)
            ecg_plot.save_as_png("picture", f"{folder}/", dpi=100)
            times.append(time.perf_counter() - start)

        def read() -> object:
            with Image.open(f"{folder}/picture.png") as picture:
                return resize(np.asarray(picture.convert("L")), (300, 300), anti_aliasing=True)

        reading = median_ms(read, 50)
    return float(np.median(times[1:])) * 1e3, reading


def main() -> int:
    """Run both comparisons."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=8)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    chosen = options.parse_args()
    if (chosen.data / "ptb-xl").is_dir():
        ecgs, kind = real_ecgs(chosen.data, chosen.records), "real ECGs (PTB-XL, 500 Hz)"
    else:
        ecgs, kind = [synthetic_ecg(seed) for seed in range(chosen.records)], "made-up ECGs: no PTB-XL here"
    missed: list[str] = []

    print(f"Faithful: worst of {len(ecgs)} {kind}, 300 x 300, against ecg_plot at 600 dpi")
    print(f"{'layout':<12}{'SSIM':>8}{'PSNR dB':>9}   turned by {ROTATION_DEG:g} degrees (first ECG): SSIM, PSNR dB")
    for layout in PAPER_LAYOUTS:
        figures = [similarity(reference_sheet(e, 500, layout), render(e, 500, layout)) for e in ecgs]
        ssim, psnr = (min(f[k] for f in figures) for k in (0, 1))
        turned = similarity(
            reference_sheet(ecgs[0], 500, layout, rotation_deg=ROTATION_DEG),
            render(ecgs[0], 500, layout, pose=Pose(ROTATION_DEG)),
        )
        print(f"{layout:<12}{ssim:>8.4f}{psnr:>9.2f}   {turned[0]:.4f} {turned[1]:.2f}", flush=True)
        if ssim < SSIM_BAR or psnr < PSNR_BAR or turned[0] < POSED_SSIM_BAR:
            missed.append(f"{layout}: not faithful enough")

    print(
        f"\nFast, 300 x 300 from 500 Hz: medians of {REPEATS} (ecg_plot 7, reading 50), ms, and times ecg_plot's speed"
    )
    print(
        f"{'layout':<12}{'ecg_plot':>9}{'reading':>9}" + "".join(f"{kind:>16}" for kind in ("clean", "turned", "phone"))
    )
    eight = np.ascontiguousarray(ecgs[0][[0, 1, 6, 7, 8, 9, 10, 11]])
    for layout in PAPER_LAYOUTS:
        theirs, reading = reference_ms(ecgs[0], 500, layout)
        seeds = itertools.count()
        ways: dict[str, tuple[Callable[[], object], float]] = {
            "clean": (lambda layout=layout: render(eight, 500, layout), CLEAN_BAR),  # type: ignore[misc]
            "turned": (lambda layout=layout: render(eight, 500, layout, pose=Pose(7.0)), POSED_BAR),  # type: ignore[misc]
            "phone": (
                lambda layout=layout, seeds=seeds: photograph(  # type: ignore[misc]
                    eight, 500, layout, recipe="phone", rng=generator(0, "benchmark", next(seeds))
                ),
                PHONE_BAR,
            ),
        }
        row = f"{layout:<12}{theirs:>9.0f}{reading:>9.1f}"
        for kind, (draw, bar) in ways.items():
            ours = median_ms(draw, REPEATS)
            row += f"{ours:>8.3f} {theirs / ours:>7,.0f}"
            if theirs / ours < bar:
                missed.append(f"{layout}, {kind}: not fast enough")
        print(row, flush=True)

    print(f"\nOther sheets ('standard'), medians of {REPEATS}, ms")
    layout = "standard"
    random_styles = [draw_style(generator(0, "benchmark style", k)) for k in range(REPEATS)]
    styles = itertools.cycle(random_styles)
    rows = {
        "turned, 128 px": lambda: render(eight, 500, layout, 128, pose=Pose(7.0)),
        "turned, 96 px": lambda: render(eight, 500, layout, 96, pose=Pose(7.0)),
        "style at random, clean": lambda: render(eight, 500, layout, style=next(styles)),
        "style at random, turned": lambda: render(eight, 500, layout, pose=Pose(7.0), style=next(styles)),
    }
    for recipe in ("scan", "fax", "screen"):
        count = itertools.count()
        rows[f"recipe '{recipe}'"] = lambda recipe=recipe, count=count: photograph(  # type: ignore[misc]
            eight, 500, layout, recipe=recipe, rng=generator(0, "benchmark", next(count))
        )
    for name, draw in rows.items():
        for _ in range(REPEATS if "random" in name else 0):
            draw()  # styles are drawn from short lists: all of them have been seen soon
        print(f"{name:<26}{median_ms(draw, REPEATS):>8.3f}", flush=True)
    print("\n" + ("Missed: " + "; ".join(missed) if missed else "All bars are met."))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
