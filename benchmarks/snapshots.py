"""What do whole photographs look like, and how fast are they? Draws 24 for each severity, and prints ms per picture.

Simulated ECGs only; other people's photographs stay where they are, and are drawn beside them on request.

    python benchmarks/snapshots.py --out out/ [--beside FOLDER] [--seed 0] [--grey] [--outlines]
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from tests.sheets.reference import synthetic_ecg  # noqa: E402

from heartprint.foundation.arrays import Image  # noqa: E402
from heartprint.foundation.randomness import generator  # noqa: E402
from heartprint.sheets.camera import Snapshot, snapshot  # noqa: E402
from heartprint.sheets.registry import LAYOUTS  # noqa: E402

HIGH, WIDE, COLUMNS, PICTURES = 400, 480, 6, 24
BAR_MS = 25.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--grey", action="store_true")
    parser.add_argument("--outlines", action="store_true", help="draw the sheet's outline by the mapping")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for severity in (1, 2, 3, 4, 5):
        shots = [taken(given.seed, severity, k, colour=not given.grey) for k in range(PICTURES)]
        pictures = [outlined(shot) if given.outlines else shot.picture for shot in shots]
        save(given.out / f"severity-{severity}.png", pictures)
    if given.beside is not None:
        found = [cv2.imread(str(file)) for file in sorted(given.beside.iterdir()) if file.is_file()]
        save(given.out / "photographs.png", [np.ascontiguousarray(one[..., ::-1]) for one in found if one is not None])
    for k in range(300):
        taken(given.seed, 1 + k % 5, 1000 + k, colour=False)  # fills the caches
    start = time.process_time()
    for k in range(300):
        taken(given.seed, 1 + k % 5, 2000 + k, colour=False)
    each = (time.process_time() - start) / 300 * 1000
    print(f"{each:.1f} ms of one core for a grey picture of 512 px (bar: {BAR_MS:g})")
    return int(each > BAR_MS)


def taken(seed: int, severity: float, k: int, *, colour: bool) -> Snapshot:
    rng = generator(seed, "benchmark snapshots", k)
    names = sorted(LAYOUTS)
    layout = names[int(rng.integers(len(names)))]
    return snapshot(ECGS[k % len(ECGS)], 500, layout, severity=severity, rng=rng, colour=colour)


def outlined(shot: Snapshot) -> Image:
    wide, high = shot.mapping.sheet_mm
    along = np.linspace(0, 1, 40)[:, None]
    corners = np.array([(0, 0), (wide, 0), (wide, high), (0, high), (0, 0)])
    edge = np.concatenate([(1 - along) * a + along * b for a, b in itertools.pairwise(corners)])
    line = np.rint(shot.mapping.picture_from_sheet(edge).clip(-5000, 5000)).astype(np.int32)
    picture = shot.picture if shot.picture.ndim == 3 else np.repeat(shot.picture[..., None], 3, axis=2)
    return np.asarray(cv2.polylines(picture.copy(), [line], True, (0, 150, 0), 1, cv2.LINE_AA), dtype=np.uint8)


def save(file: Path, pictures: list[Image]) -> None:
    tiles = []
    for picture in pictures:
        scale = min(HIGH / picture.shape[0], WIDE / picture.shape[1])
        size = (max(int(picture.shape[1] * scale), 1), max(int(picture.shape[0] * scale), 1))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        tile = np.full((HIGH, WIDE, 3), 60, dtype=np.uint8)
        tile[: small.shape[0], : small.shape[1]] = small if small.ndim == 3 else small[..., None]
        tiles.append(tile)
    tiles += [np.full((HIGH, WIDE, 3), 60, dtype=np.uint8)] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(file), np.ascontiguousarray(np.vstack(rows)[..., ::-1]))
    print(file)


ECGS = [synthetic_ecg(k) for k in range(20)]

if __name__ == "__main__":
    sys.exit(main())
