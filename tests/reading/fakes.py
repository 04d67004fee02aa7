"""Pictures and processes for tests of what stands around the reader."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from heartprint.reading.learning.strip_truth import StripTruth
from heartprint.reading.network import NAMES, TURNS
from heartprint.reading.strip_network import BORDERS, StripAnswer
from tests.foundation.bad_pictures import ECG_PDF, pdf
from tests.readers.pictures import drawing
from tests.reading.fake_reader import FakeReader


def level_picture(level: int, size: tuple[int, int] = (120, 160)) -> npt.NDArray[np.uint8]:
    """A picture whose median is a level, with lines so that it is not blank."""
    picture = np.full(size, level, dtype=np.uint8)
    picture[:, ::12] = 250
    return picture


def save(path: Path, pixels: npt.NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def inbox(folder: Path, *, good: int = 3) -> Path:
    """A folder of pictures such as people keep: some good, a PDF of two pages, a dark one, one that is none."""
    for k in range(good):
        save(folder / f"good{k}.png", drawing(k, size=(90 + k, 120)))
    save(folder / "tall.png", drawing(9, size=(160, 120)))
    save(folder / "deep" / "dark.png", level_picture(40))
    (folder / "two.pdf").write_bytes(pdf(ECG_PDF, pages=2))
    (folder / "letter.txt").write_text("Dear colleague, this is no picture.")
    return folder


@contextmanager
def reader_in_place() -> Iterator[None]:
    """Put the fake where the reader that comes with Heartprint stands."""
    from heartprint.reading import page_reader

    name = "heartprint.reading.reader"
    before = sys.modules.get(name)
    module = types.ModuleType(name)
    module.Reader = FakeReader  # type: ignore[attr-defined]
    sys.modules[name] = module
    page_reader.made.cache_clear()
    try:
        yield
    finally:
        page_reader.made.cache_clear()
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


def strip_answer(truth: StripTruth, turn: int) -> StripAnswer:
    """What a network says of strips that tells the truth: of a view that is turned, nothing but that."""
    h, w = truth.name.shape

    def logits(index: npt.NDArray[np.int64], count: int) -> torch.Tensor:
        said = np.maximum(index, 0) if turn == 0 else np.zeros_like(index)
        return 40.0 * torch.nn.functional.one_hot(torch.from_numpy(said), count).permute(2, 0, 1)[None].float()

    turns = torch.zeros(1, len(TURNS), h, w)
    turns[:, turn] = 20
    return StripAnswer(
        logits(truth.name, len(NAMES)),
        torch.from_numpy(truth.name_at)[None].float(),
        turns,
        40.0 * torch.from_numpy(truth.strip == 1)[None, None].float() - 20,
        torch.from_numpy(truth.row)[None].float(),
        torch.full((1, 1, h, w), -5.0),
        logits(truth.border, len(BORDERS)),
        torch.from_numpy(truth.border_at)[None].float(),
    )
