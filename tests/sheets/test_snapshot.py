"""Whole photographs: the mapping is exact, the geometry is what it says, and the same stream gives the same bytes."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from heartprint.foundation.randomness import generator
from heartprint.sheets.camera import Snapshot, circumstances, snapshot_of_image
from heartprint.sheets.camera.circumstances import Source

camera = importlib.import_module("heartprint.sheets.camera.snapshot")  # its name is also that of a function

BENT = Source("bent", 1.0, False, {"curl": (1.0, 1.0, 5.0), "folds": (1.0, 1.0, 5.0)})
"""All that moves paper, and nothing that hides a mark."""
MARKS_MM = np.stack(np.meshgrid(np.linspace(15, 235, 9), np.linspace(12, 108, 5)), axis=-1).reshape(-1, 2)


def marked_page(px_per_mm: int = 8, half_mm: float = 3.0) -> np.ndarray:
    page = np.full((120 * px_per_mm, 250 * px_per_mm), 255, dtype=np.uint8)
    for x, y in MARKS_MM:
        rows = slice(round((y - half_mm) * px_per_mm), round((y + half_mm) * px_per_mm))
        page[rows, round((x - half_mm) * px_per_mm) : round((x + half_mm) * px_per_mm)] = 0
    return page


def centre_of_ink(picture: np.ndarray, x: float, y: float, reach: int) -> np.ndarray | None:
    """Centre of gravity of what is dark about a place, px; None where the picture does not show all of it."""
    left, top = int(x) - reach, int(y) - reach
    if left < 0 or top < 0 or left + 2 * reach > picture.shape[1] or top + 2 * reach > picture.shape[0]:
        return None
    ink = np.maximum(150.0 - picture[top : top + 2 * reach, left : left + 2 * reach], 0.0)  # creases are no marks
    at = np.arange(2 * reach) + 0.5
    return np.array([left + ink.sum(0) @ at / ink.sum(), top + ink.sum(1) @ at / ink.sum()])


@pytest.mark.parametrize("severity", [1.0, 3.0, 5.0])
def test_marks_lie_where_the_mapping_says(severity: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "draw_source", lambda rng: BENT)
    monkeypatch.setattr(circumstances, "vignette", lambda *given: 1.0)
    monkeypatch.setattr(circumstances, "saved_before", lambda *given: None)
    page = marked_page()
    points = np.stack(np.meshgrid(*(np.linspace(-2.8, 2.8, 8),) * 2), axis=-1).reshape(-1, 2)
    misses = []
    for k in range(24):
        shot = snapshot_of_image(
            page, 8.0, severity=severity, rng=generator(0, "marks", k), mirrored=k % 3 == 0, turn=15.0 * k
        )
        for mark in MARKS_MM:
            # Where the mark's middle is seen is not the middle of where its points are seen, under perspective.
            spread = shot.mapping.picture_from_sheet(mark + points)
            area = np.abs(weights_of(shot, mark + points))
            reach = int(np.abs(spread - spread.mean(0)).max() + 3)
            told = (spread * area[:, None]).sum(0) / area.sum()
            found = centre_of_ink(shot.picture, *told, reach)
            if found is not None:
                misses.append(np.hypot(*(found - told)))
    print(severity, len(misses), np.percentile(misses, [50, 95, 99, 100]))
    assert len(misses) > 200
    assert np.max(misses) < 0.3


def weights_of(shot: Snapshot, points: np.ndarray) -> np.ndarray:
    """Area of the picture per area of the sheet at each point."""
    step = 0.01
    places = shot.mapping.picture_from_sheet(points[:, None] + np.array([[0, 0], [step, 0], [0, step]]))
    dx, dy = places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]
    return np.asarray(dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0])
