"""Frames of cells, told by numbers that do not know which way a grid is turned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartprint.reading.frames import described, frames, stretches
from heartprint.reading.network import TURNS
from heartprint.reading.turns import turned

EIGHT = np.stack([turned(turn, (1, 1))[0][:2, :2] for turn in range(len(TURNS))])


def some_frames(seed: int, n: int = 50) -> np.ndarray:
    """``(n, 2, 2)`` mm per px: any turn, half of them mirrored, foreshortened to a half at most."""
    rng = np.random.default_rng(seed)
    turn, slant = rng.uniform(0, 2 * np.pi, (2, n))
    size, short, mirror = rng.uniform(0.05, 2, n), rng.uniform(0.5, 1, n), rng.choice([-1.0, 1.0], n)

    def spin(angle: np.ndarray) -> np.ndarray:
        return np.moveaxis(np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), -1, 0)

    stretch = spin(slant) @ (np.stack([size, size * short], -1)[:, :, None] * np.swapaxes(spin(slant), 1, 2))
    hand = np.stack([mirror, np.ones(n)], -1)[:, :, None]
    return np.asarray(hand * (spin(turn) @ stretch))


def test_the_same_numbers_for_a_grid_turned_and_mirrored() -> None:
    some = some_frames(1)
    scale, quarter = described(some)
    for way in EIGHT:
        again = described(way @ some)
        np.testing.assert_allclose(again[0], scale, atol=1e-12)
        np.testing.assert_allclose(again[1], quarter, atol=1e-9)


def test_stretches_against_the_singular_values() -> None:
    some = some_frames(2)
    u, s, vt = np.linalg.svd(some)
    literal = np.swapaxes(vt, 1, 2) @ (s[:, :, None] * vt)
    np.testing.assert_allclose(stretches(described(some)[0]), literal, rtol=1e-9)
    np.testing.assert_allclose(described(some)[0][:, 0], -np.log(s).mean(1), atol=1e-12)
    turn = u @ vt
    turn[np.linalg.det(turn) < 0] = np.diag([-1.0, 1.0]) @ turn[np.linalg.det(turn) < 0]
    angle = np.arctan2(turn[:, 1, 0], turn[:, 0, 0])
    np.testing.assert_allclose(described(some)[1], np.stack([np.cos(4 * angle), np.sin(4 * angle)], -1), atol=1e-9)


@given(st.integers(0, 2**31))
def test_frames_come_back_up_to_the_eight_ways(seed: int) -> None:
    some = some_frames(seed, 1)
    back = frames(*described(some), np.ones(1))
    away = np.abs(EIGHT @ back - some).max((1, 2)).min()
    assert away < 1e-9 * np.abs(some).max()
    # Of the eight, the one whose first axis runs from left to right.
    along = np.linalg.inv(back)[0, :, 0]
    assert along[0] > 0


@pytest.mark.parametrize("turn_deg", [-44.0, -10.0, 0.0, 30.0, 44.9])
def test_cells_of_one_picture_are_named_alike_across_45_degrees(turn_deg: float) -> None:
    """Perspective turns cells against each other; one of them may lie beyond 45 degrees and is not called the other."""
    angles = np.radians(turn_deg + np.linspace(-8, 8, 17))
    cells = np.stack([[[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]] for a in angles])
    back = frames(*described(cells), np.ones(len(cells)))
    told = np.degrees(np.unwrap(np.arctan2(back[:, 0, 1], back[:, 0, 0])))
    np.testing.assert_allclose(np.diff(told), 1.0, atol=1e-6)


def test_numbers_do_not_jump() -> None:
    before = described(np.array([[1.0, 0.3], [-0.3, 1.0]]))
    angles = np.linspace(0, 2 * np.pi, 2000)
    for a in angles:
        spin = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        now = described(spin @ np.array([[1.0, 0.3], [-0.3, 0.8]]))
        if a > 0:
            assert max(np.abs(now[0] - before[0]).max(), np.abs(now[1] - before[1]).max()) < 0.02
        before = now


def test_a_frame_without_area_is_finite() -> None:
    for flat in (np.zeros((2, 2)), np.array([[1.0, 0.0], [0.0, 0.0]])):
        assert all(np.isfinite(part).all() for part in described(flat))
