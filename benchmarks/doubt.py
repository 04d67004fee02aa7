"""Does a model say when a picture is unlike what it knows? Prints tables; exits 1 where a bar is missed.

For both shipped encoders under a linear probe for atrial fibrillation, the share of answers that `heartprint predict`
marks ``warned``: among sheets of simulated and real ECGs, among sheets that lie wrongly or come from the camera, and
among pictures that are no ECG at all. A cat is a piece of `skimage.data.chelsea`, a desk a piece of what the camera's
effect `desk` lays sheets on.

    python benchmarks/doubt.py [--data ../shared/data]

Without the folder of real ECGs the rows of real ECGs and photographs are left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Pages = npt.NDArray[np.uint8]

SHEETS = 400
OTHER_SEED = 424_242
FAINT = 0.1
HEADS = ("3x4_ii", "12x1", "single_column")
CLEAN_BAR, STRANGE_BAR, TURNED_BAR = 0.01, 0.95, 0.90
PHOTOGRAPHS = (
    *("astronaut", "brick", "camera", "cell", "clock_motion", "coffee", "coins", "color", "grass", "gravel"),
    *("horse", "hubble_deep_field", "ihc", "logo", "microaneurysms", "moon", "motorcycle_left", "phantom"),
    *("retina", "rocket", "chessboard_GRAY"),
)
"""Pictures inside the package of scikit-image; two more are inside scikit-learn's."""


def pieces(picture: Picture, n: int, rng: np.random.Generator, least: float = 0.4) -> list[Picture]:
    """Square pieces of a picture, some mirrored, brighter or darker."""
    height, width = picture.shape
    out = []
    for _ in range(n):
        side = int(min(height, width) * rng.uniform(least, 1))
        y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
        piece = picture[y : y + side, x : x + side].astype(np.float64)
        piece = piece[:, ::-1] if rng.random() < 0.5 else piece
        out.append(np.clip(piece * rng.uniform(0.7, 1.3) + rng.uniform(-20, 20), 0, 255).astype(np.uint8))
    return out


def noise(n: int, rng: np.random.Generator) -> list[Picture]:
    """Even, normal, cloudy, black-and-white and coarse noise in turn."""
    out = []
    for k in range(n):
        fine = rng.normal(0, 1, (256, 256))
        if k % 5 == 0:
            made = rng.uniform(0, 256, (256, 256))
        elif k % 5 == 1:
            made = rng.uniform(30, 225) + rng.uniform(20, 80) * fine
        elif k % 5 == 2:
            cloudy = cv2.GaussianBlur(fine, (0, 0), rng.uniform(1.4, 12))
            made = 128 + cloudy / cloudy.std() * rng.uniform(20, 60)
        elif k % 5 == 3:
            made = np.where(fine > rng.uniform(-1.6, 0.5), 255, 0)
        else:
            made = np.kron(rng.uniform(0, 256, (8, 8)), np.ones((32, 32)))
        out.append(np.clip(made, 0, 255).astype(np.uint8))
    return out


def drawings(n: int, rng: np.random.Generator) -> list[Picture]:
    """Chessboards, rectangles, circles, bar charts and line charts in turn."""
    out = []
    for k in range(n):
        page = np.full((256, 256), 255, dtype=np.uint8)
        if k % 5 == 0:
            side = int(rng.integers(4, 24))
            page = (np.indices((256, 256)) // side).sum(axis=0).astype(np.uint8) % 2 * np.uint8(255)
        elif k % 5 in (1, 2):
            for _ in range(int(rng.integers(3, 20))):
                (x, y, a, b), grey = (int(v) for v in rng.integers(0, 256, 4)), int(rng.integers(0, 255))
                if k % 5 == 1:
                    cv2.rectangle(page, (x, y), (a, b), grey, -1)
                else:
                    cv2.circle(page, (x, y), 4 + a // 4, grey, -1 if b < 128 else 2)
        else:
            cv2.line(page, (16, 8), (16, 244), 0, 2)
            cv2.line(page, (16, 244), (248, 244), 0, 2)
            if k % 5 == 3:
                for left in range(24, 230, int(rng.integers(24, 70))):
                    cv2.rectangle(page, (left, 240 - int(rng.integers(10, 210))), (left + 18, 242), 80, -1)
            else:
                line = np.clip(128 + np.cumsum(rng.normal(0, 5, 224)), 8, 240)
                points = np.stack([np.arange(18, 242), line], axis=1).astype(np.int32)
                cv2.polylines(page, [points], False, 60, 2)
        out.append(page)
    return out


def blank(n: int, rng: np.random.Generator) -> list[Picture]:
    """Pages of one grey, and pages in uneven light."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    even = [np.full((256, 256), grey, dtype=np.uint8) for grey in range(0, 256, 5)]
    lit = (rng.uniform(60, 255) + rng.uniform(-30, 30) * x + rng.uniform(-30, 30) * y for _ in range(n))
    return [*even, *(np.clip(page, 0, 255).astype(np.uint8) for page in lit)]


def strange() -> dict[str, list[Picture]]:
    """Pictures that are no ECG, by kind."""
    import skimage
    import sklearn.datasets

    from heartprint.sheets.camera import tiles

    rng = np.random.default_rng(5)
    inside, beside = Path(skimage.__file__).parent / "data", Path(sklearn.datasets.__file__).parent / "images"

    def read(file: Path) -> Picture:
        return np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)

    files = [next(inside.glob(f"{name}.*")) for name in PHOTOGRAPHS] + sorted(beside.glob("*.jpg"))
    return {
        "cats": pieces(read(inside / "chelsea.png"), 200, rng),
        "desks": [piece for desk in tiles.desks_grey() for piece in pieces(desk, 60, rng, 0.3)],
        "noise": noise(200, rng),
        "blank": blank(50, rng),
        "photographs of other things": [piece for file in files for piece in pieces(read(file), 20, rng)],
        "drawings and charts": drawings(150, rng),
        "printed text": [piece for name in ("page", "text") for piece in pieces(read(inside / f"{name}.png"), 50, rng)],
    }


class Judge:
    """Shares of pictures that a model warns of, row by row, and the bars that they miss."""

    def __init__(self, encoder: Any) -> None:
        self.encoder, self.distance = encoder, encoder.distance
        self.size = self.encoder.config.image_size
        self.missed: list[str] = []

    def row(self, what: str, pages: Pages, *, least: float | None = None, most: float | None = None) -> None:
        from heartprint.encoders import embed_images

        found = self.distance(embed_images(self.encoder, pages))
        share = float((found > self.distance.limit).mean())
        low, middle, high = np.quantile(found, [0.05, 0.5, 0.95])
        bar = f">= {100 * least:g} %" if least is not None else f"<= {100 * most:g} %" if most is not None else "-"
        wrong = (least is not None and share < least) or (most is not None and share > most)
        if wrong:
            self.missed.append(f"{self.encoder.name}: {what}")
        spread = f"{low:.0f}, {middle:.0f}, {high:.0f}"
        print(f"| {what} | {len(pages):,} | {100 * share:.1f} % | {bar}{' MISSED' if wrong else ''} | {spread} |")

    def pictures(self, what: str, pictures: list[Picture], **bar: float) -> None:
        self.row(what, self.fitted(pictures), **bar)

    def fitted(self, pictures: list[Picture]) -> Pages:
        from heartprint.sheets.stored import fitted

        return np.array([fitted(picture, self.size) for picture in pictures])

    def sheets(self, cohort: Any, n: int, **drawing: Any) -> Pages:
        from heartprint.foundation.randomness import generator

        images = replace(self.encoder.config.images, **drawing)
        rngs = (generator(0, "benchmark of doubt", row) for row in range(n))
        return np.array([images.random(cohort, k, rng) for k, rng in enumerate(rngs)])


def faint_traces(judged: Judge, cohort: Any) -> str:
    """How many of the warned sheets in random styles show the network next to no trace."""
    from heartprint.encoders import embed_images
    from heartprint.foundation.randomness import generator
    from heartprint.sheets import PAPER_LAYOUTS, SheetSampler

    images = SheetSampler(PAPER_LAYOUTS, ("random",), size=judged.size)
    pages: list[list[Picture]] = [[], []]
    for row in range(SHEETS):
        leads = cohort.signal(row)
        for shown, drawn in zip((leads, np.full_like(leads, np.nan)), pages, strict=True):
            rng, rate = generator(1, "benchmark of doubt", row), cohort.sampling_rate(row)
            drawn.append(images.draw(shown, rate, rng))
    with_trace, without = (np.array(drawn) for drawn in pages)
    warned = judged.distance(embed_images(judged.encoder, with_trace)) > judged.distance.limit
    seen, empty = (judged.encoder.page_to_tensor(drawn).numpy() for drawn in (with_trace, without))
    faint = np.sqrt(((seen - empty) ** 2).mean(axis=(1, 2, 3))) < FAINT
    return (
        f"In random styles {100 * faint[warned].mean():.0f} % of the {warned.sum()} warned sheets and "
        f"{100 * faint[~warned].mean():.0f} % of the others show next to no trace: with and without the ECG the "
        f"network's input differs by less than {FAINT:g} (root mean square)."
    )


def real(data: Path | None, folder: Path) -> Iterator[tuple[str, Any]]:
    """Real ECGs, where there are any."""
    from heartprint.cohorts import Cohort
    from heartprint.readers import Challenge, PtbXl, ingest

    for name, reader, kept in (("PTB-XL", PtbXl(), "ptb-xl"), ("Challenge 2021", Challenge(), "challenge2021")):
        if data is not None and (data / kept).is_dir():
            ingest(reader, data / kept, folder / kept)
            yield name, Cohort.open(folder / kept)


def judge(
    name: str, simulated: Any, hospitals: dict[str, Any], known: list[tuple[str, Any]], data: Path | None
) -> Judge:
    """Make a probe of an encoder and print its rows."""
    from heartprint.encoders import load_model
    from heartprint.finetuning import finetune
    from heartprint.sheets import LAYOUTS, PAPER_LAYOUTS

    with tempfile.TemporaryDirectory() as folder:
        finetune(simulated, task="af", init=name, labels="all", out=Path(folder) / "model", progress=False)
        model = load_model(Path(folder) / "model")
    judged = Judge(model.encoder)
    distance = model.encoder.distance
    print(f"\n## `{name}`\n\nLimit {distance.limit:.1f}.\n")
    print("| pictures | number | warned | bar | 5th, 50th, 95th percentile of the distance |\n|---|---|---|---|---|")
    for layout in PAPER_LAYOUTS:
        judged.row(f"simulated, `{layout}`", judged.sheets(simulated, SHEETS, layouts=(layout,)), most=CLEAN_BAR)
    for place, cohort in hospitals.items():
        judged.row(f"simulated, hospital `{place}`", judged.sheets(cohort, len(cohort), layouts=PAPER_LAYOUTS))
    for source, cohort in known:
        for layout in PAPER_LAYOUTS:
            many = {"most": CLEAN_BAR} if len(cohort) >= 100 else {}
            judged.row(f"{source}, `{layout}`", judged.sheets(cohort, len(cohort), layouts=(layout,)), **many)
    upright = judged.sheets(simulated, SHEETS, layouts=PAPER_LAYOUTS)
    for angle in (90, 270, 180):
        bar = {} if angle == 180 else {"least": TURNED_BAR}
        judged.row(f"turned by {angle} degrees", np.rot90(upright, angle // 90, axes=(1, 2)).copy(), **bar)
    judged.row("mirrored", upright[:, :, ::-1].copy())
    for kind, pictures in strange().items():
        judged.pictures(kind, pictures, **({} if kind == "printed text" else {"least": STRANGE_BAR}))
    flat = np.zeros((8, 1000), dtype=np.float32)
    for what, value in (("paper without a trace", np.nan), ("flat lines in all leads", 0.0)):
        paper = [model.encoder.draw(flat + np.float32(value), 100, layout=layout) for layout in PAPER_LAYOUTS]
        judged.row(what, np.array(paper))
    if data is not None and (data / "photos").is_dir():
        files = sorted((data / "photos").iterdir())
        judged.pictures("real photographs and scans", [cv2.imread(str(f), cv2.IMREAD_GRAYSCALE) for f in files])
    for recipe in ("phone", "scan", "fax", "screen"):
        judged.row(f"recipe `{recipe}`", judged.sheets(simulated, SHEETS, layouts=PAPER_LAYOUTS, recipes=(recipe,)))
    judged.row("style `random`", judged.sheets(simulated, SHEETS, layouts=PAPER_LAYOUTS, styles=("random",)))
    for layout in model.encoder.config.layouts:
        if layout not in PAPER_LAYOUTS and layout in LAYOUTS:
            judged.row(f"its layout `{layout}`", judged.sheets(simulated, 100, layouts=(layout,)))
    print(f"\n{faint_traces(judged, simulated)}")
    return judged


def whole_mixture(name: str, shown: Any, asked: Any) -> None:
    """What would become of it if an encoder were shown all that it was trained on, camera and all."""
    import dataclasses

    from heartprint.encoders import embed_images, load_encoder
    from heartprint.encoders.bundle.distance import describe
    from heartprint.encoders.bundle.known_sheets import FITTED, HELD_OUT

    encoder = load_encoder(name)
    told = encoder.config.pretraining.settings
    drawing = {key: tuple(told[key]) for key in ("layouts", "styles", "recipes") if key in told}
    drawing["max_rotation_deg"] = told["max_rotation_deg"]
    judged = Judge(encoder)
    embedded = embed_images(encoder, judged.sheets(shown, FITTED + HELD_OUT, **drawing))
    judged.distance = describe(
        embedded[:FITTED], embedded[FITTED:], layouts=(), baseline=encoder.config.baseline, encoder=""
    )
    judged.encoder = dataclasses.replace(encoder, name=f"{name}, shown all")
    print(f"\n### `{name}`, if it were shown all that it was trained on\n\nLimit {judged.distance.limit:.1f}.\n")
    print("| pictures | number | warned | bar | 5th, 50th, 95th percentile of the distance |\n|---|---|---|---|---|")
    upright = judged.sheets(asked, SHEETS, layouts=("standard", "two_rhythm", "alternate", "shuffled"))
    judged.row("simulated, clean", upright)
    for angle in (90, 270):
        judged.row(f"turned by {angle} degrees", np.rot90(upright, angle // 90, axes=(1, 2)).copy())
    for kind, pictures in strange().items():
        judged.pictures(kind, pictures)


def other_heads(simulated: Any) -> None:
    """What becomes of it where a model's head learned from sheets in another layout."""
    from heartprint.encoders import embed_images, load_encoder
    from heartprint.encoders.bundle.known_sheets import distance_for
    from heartprint.encoders.bundle.shipped import SHIPPED_NAMES

    columns = ("its sheets", "`standard`", "turned by 90", "turned by 270", "cats", "desks", "noise")
    print("\n## Where the head learned from another layout\n")
    print(f"| encoder | layout | {' | '.join(columns)} |\n|---|---|{'---|' * len(columns)}")
    pictures = strange()
    for name in SHIPPED_NAMES:
        encoder = load_encoder(name)
        judged = Judge(encoder)
        for layout in HEADS:
            distance = distance_for(encoder, (layout,), progress=False)
            assert distance is not None
            standard = judged.sheets(simulated, SHEETS, layouts=("standard",))
            asked = [judged.sheets(simulated, SHEETS, layouts=(layout,)), standard]
            asked += [np.rot90(standard, turn, axes=(1, 2)).copy() for turn in (1, 3)]
            asked += [judged.fitted(pictures[kind]) for kind in columns[4:]]
            shares = [(distance(embed_images(encoder, pages)) > distance.limit).mean() for pages in asked]
            print(f"| `{name}` | `{layout}` | {' | '.join(f'{100 * share:.1f} %' for share in shares)} |")


def main() -> int:
    """Measure; 0 if the bars are met."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path("../shared/data"))
    chosen = options.parse_args()
    data = chosen.data if chosen.data.is_dir() else None

    from heartprint.encoders import load_encoder
    from heartprint.encoders.bundle.known_sheets import fit_distance
    from heartprint.encoders.bundle.shipped import SHIPPED_NAMES
    from heartprint.simulation import simulate

    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        simulated = simulate(at / "asked", 400, seed=OTHER_SEED, hospital="cardiology", progress=False)
        hospitals = {
            name: simulate(at / name, 100, seed=OTHER_SEED, hospital=name, progress=False)
            for name in ("internal", "external", "lifelike", "passing-lvef")
        }
        known = list(real(data, at))
        for name in SHIPPED_NAMES:
            missed += judge(name, simulated, hospitals, known, data).missed
        shown = simulate(at / "shown", 1000, seed=OTHER_SEED + 1, hospital="cardiology", progress=False)
        whole_mixture("heartprint-photo", shown, simulated)
        other_heads(simulated)
        began, used = time.perf_counter(), time.process_time()
        fit_distance(load_encoder(), progress=False)
        clock, processor = time.perf_counter() - began, time.process_time() - used
        print(f"\nA distance for `heartprint`: {clock:.1f} s by the clock, {processor:.1f} s of processor.")
    print("\nMissed: " + ("; ".join(missed) or "none"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
