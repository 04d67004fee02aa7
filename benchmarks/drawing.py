"""How faithful and how fast are Heartprint's sheets? Prints two tables; exits 1 if a bar is missed.

Reference: ecg_plot 0.2.8, the package whose look the paper's laboratory used. Faithful: against its drawing at 600 dpi,
area-averaged to 300 x 300. Fast: against its drawing at 100 dpi, saved to a file. One process, one thread.

    python benchmarks/drawing.py [--records 8] [--data ../shared/data]
"""

from __future__ import annotations

import argparse
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

from heartprint.sheets import PAPER_LAYOUTS, Pose, render  # noqa: E402

SSIM_BAR, PSNR_BAR, SPEED_BAR, POSED_SSIM_BAR = 0.995, 38.0, 3000.0, 0.929
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


def ecg_plot_ms(leads: npt.NDArray[np.float32], fs: float, layout: str) -> float:
    """Time that ecg_plot takes for one picture at 100 dpi in a file, ms: the median of seven."""
    import ecg_plot

    times = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(8):
            start = time.perf_counter()
            plot_reference(leads, fs, layout)
            ecg_plot.save_as_png("picture", f"{folder}/", dpi=100)
            times.append(time.perf_counter() - start)
    return float(np.median(times[1:])) * 1e3


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

    print(f"\nFast: ecg_plot at 100 dpi to a file, ours the median of {REPEATS}; one thread")
    print(f"{'layout':<12}{'ecg_plot ms':>12}{'ours ms':>9}{'times':>8}   turned ms: 300 px, 128 px, 96 px")
    eight = np.ascontiguousarray(ecgs[0][[0, 1, 6, 7, 8, 9, 10, 11]])
    for layout in PAPER_LAYOUTS:
        theirs = ecg_plot_ms(ecgs[0], 500, layout)
        ours = median_ms(lambda layout=layout: render(eight, 500, layout), REPEATS)  # type: ignore[misc]
        posed = [
            median_ms(lambda layout=layout, s=s: render(eight, 500, layout, s, pose=Pose(7.0)), 100)  # type: ignore[misc]
            for s in (300, 128, 96)
        ]
        row = "  ".join(f"{p:.3f}" for p in posed)
        print(f"{layout:<12}{theirs:>12.0f}{ours:>9.3f}{theirs / ours:>8.0f}   {row}", flush=True)
        if theirs / ours < SPEED_BAR:
            missed.append(f"{layout}: not fast enough")
    print("\n" + ("Missed: " + "; ".join(missed) if missed else "All bars are met."))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
