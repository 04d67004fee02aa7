"""The slow, independent drawings that Heartprint's sheets are measured against: the package ecg_plot 0.2.8.

Shared by the tests and by ``benchmarks/drawing.py``.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.signals.leads import LEADS_12, twelve_leads

REFERENCE_DPI = 600
LIMB = [["I", "II", "III"], ["aVR", "aVL", "aVF"]]
CHEST = [["V1", "V2", "V3"], ["V4", "V5", "V6"]]

COLUMNS: dict[str, tuple[list[list[str]], list[str]]] = {
    "standard": (LIMB + CHEST, ["I"]),
    "two_rhythm": (LIMB + CHEST, ["I", "II"]),
    "alternate": ([LIMB[0] + LIMB[1], CHEST[0] + CHEST[1]], []),
    "shuffled": (CHEST + LIMB, ["I"]),
}
"""Leads of each column from top to bottom, and the rhythm strips below, as the laboratory arranged them."""


def rows_for_ecg_plot(
    leads: npt.NDArray[np.float32], fs: float, layout: str
) -> tuple[npt.NDArray[np.float32], list[str], int]:
    """Cut an ECG into the pseudo-leads that ecg_plot is given: signals, names, number of columns."""
    twelve = dict(zip(LEADS_12, twelve_leads(leads), strict=True))
    columns, strips = COLUMNS[layout]
    n = round(10 * fs) // len(columns)
    rows, names = [], []
    for k, column in enumerate(columns):
        for lead in column:
            rows.append(twelve[lead][k * n : (k + 1) * n])
            names.append(lead)
        for lead in strips:
            rows.append(twelve[lead][k * n : (k + 1) * n])
            names.append(lead if k == 0 else "")
    return np.stack(rows), names, len(columns)


def plot_reference(leads: npt.NDArray[np.float32], fs: float, layout: str) -> None:
    """Draw with ecg_plot into matplotlib's current figure."""
    import matplotlib

    matplotlib.use("Agg")
    import ecg_plot

    rows, names, columns = rows_for_ecg_plot(leads, fs, layout)
    ecg_plot.plot(rows, sample_rate=fs, title="", lead_index=names, columns=columns, row_height=6)


def reference_fine(leads: npt.NDArray[np.float32], fs: float, layout: str) -> npt.NDArray[np.float32]:
    """The axes box at 600 dpi in grey (ITU-R BT.601 luma), float32."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plot_reference(leads, fs, layout)
    figure = plt.gcf()
    figure.set_dpi(REFERENCE_DPI)
    figure.canvas.draw()
    rgba = np.asarray(figure.canvas.buffer_rgba(), dtype=np.float32)  # type: ignore[attr-defined]
    plt.close(figure)
    return np.ascontiguousarray(rgba[..., :3] @ np.array([0.299, 0.587, 0.114], dtype=np.float32))


def reference_sheet(
    leads: npt.NDArray[np.float32], fs: float, layout: str, size: int = 300, rotation_deg: float = 0.0
) -> npt.NDArray[np.uint8]:
    """The reference: 600 dpi, turned counter-clockwise with white fill if asked to, area-averaged."""
    import cv2

    fine = reference_fine(leads, fs, layout)
    if rotation_deg:
        # Turning happens in the square picture, as if the finished sheet were turned, but 16 times finer.
        side = 16 * size
        fy, fx = fine.shape
        angle = np.deg2rad(rotation_deg)
        c, s = np.cos(angle), np.sin(angle)
        inverse = np.array([[c, -s], [s, c]])
        centre = np.array([side / 2, side / 2])
        scale = np.diag([fx / side, fy / side])
        linear = scale @ inverse
        # OpenCV's coordinates are those of pixel centres, ours of pixel edges.
        shift = scale @ (centre - inverse @ centre) + linear @ np.array([0.5, 0.5]) - 0.5
        fine = cv2.warpAffine(
            fine,
            np.column_stack([linear, shift]),
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(255.0,),
        )
    return np.clip(np.rint(area_average(fine, size)), 0, 255).astype(np.uint8)


def area_average(image: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Exact area average to ``size`` x ``size``, the aspect ratio given up."""
    for axis in (0, 1):
        n = image.shape[axis]
        total = np.concatenate([np.zeros_like(image.take([0], axis)), np.cumsum(image, axis, dtype=np.float64)], axis)
        edges = np.linspace(0, n, size + 1)
        low = np.minimum(edges.astype(int), n - 1)
        part = (edges - low).reshape((-1, 1) if axis == 0 else (1, -1))
        at_edge = total.take(low, axis) * (1 - part) + total.take(low + 1, axis) * part
        image = np.diff(at_edge, axis=axis) / (n / size)
    return image.astype(np.float32)


def similarity(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """SSIM (Wang 2004, 7x7 windows) and PSNR in dB."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    return float(structural_similarity(a, b)), float(peak_signal_noise_ratio(a, b))


def real_ecgs(data: Path, count: int, rate: int = 500) -> list[npt.NDArray[np.float32]]:
    """The first real ECGs of PTB-XL as (12, n) mV."""
    import wfdb

    ecgs = []
    with (data / "ptb-xl" / "ptbxl_database.csv").open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            path = data / "ptb-xl" / row["filename_hr" if rate == 500 else "filename_lr"]
            if path.with_suffix(".hea").exists():
                ecgs.append(wfdb.rdrecord(str(path)).p_signal.T.astype(np.float32))
            if len(ecgs) == count:
                break
    return ecgs


def synthetic_ecg(seed: int, fs: float = 500.0, seconds: float = 10.0) -> npt.NDArray[np.float32]:
    """A made-up ECG, (12, n) mV: beats of five Gaussian waves whose heights differ from lead to lead."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * fs)) / fs
    eight = np.zeros((8, t.size))
    beats = np.arange(rng.uniform(0, 0.6), seconds, rng.uniform(0.6, 1.1))
    for delay, width, height in (
        (-0.16, 0.025, 0.15),
        (-0.03, 0.01, -0.15),
        (0.0, 0.012, 1.1),
        (0.03, 0.01, -0.3),
        (0.25, 0.05, 0.3),
    ):
        heights = height * rng.uniform(-0.4, 1.2, (8, 1))
        eight += heights * np.exp(-(((t[None, :] - beats[:, None] - delay) / width) ** 2) / 2).sum(axis=0)
    eight += 0.01 * rng.standard_normal(eight.shape) + 0.1 * np.sin(2 * np.pi * 0.2 * t + rng.uniform(0, 6, (8, 1)))
    return twelve_leads(eight.astype(np.float32))
