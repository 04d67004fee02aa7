"""Bringing parts of pictures upright."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.reading.warp import outside_share_map, shrunk, warped


def outside_one_by_one(picture: tuple[int, int], back: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A literal twin: the middle of every px, mapped by itself."""
    out = np.ones(size, dtype=bool)
    for row in range(size[0]):
        for column in range(size[1]):
            x, y, w = back @ (column + 0.5, row + 0.5, 1.0)
            out[row, column] = not (w > 0 and 0 <= x / w <= picture[1] and 0 <= y / w <= picture[0])
    return out


@settings(max_examples=150, deadline=None)
@given(
    st.floats(0.2, 3.0),
    st.floats(-3.2, 3.2),
    st.floats(-30, 60),
    st.floats(-30, 60),
    st.floats(-0.02, 0.02),
    st.floats(-0.02, 0.02),
)
def test_what_lies_outside_is_told_of_every_px(
    scale: float, angle: float, x: float, y: float, lean_x: float, lean_y: float
) -> None:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    back = np.array([[c, -s, x], [s, c, y], [lean_x, lean_y, 1.0]])
    found = outside_share_map((40, 50), back, (17, 23))
    assert (found == outside_one_by_one((40, 50), back, (17, 23))).all()


def test_nothing_moves_where_nothing_is_to_be_moved() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    assert (warped(picture, np.eye(3), (40, 60)) == picture).all()
    assert shrunk(picture, 60)[0] is picture


def test_a_smaller_view_averages_over_areas() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (80, 120), dtype=np.uint8)
    view = warped(picture, np.diag([0.25, 0.25, 1.0]), (20, 30))
    means = picture.reshape(20, 4, 30, 4).mean((1, 3))
    assert np.abs(view[1:-1, 1:-1] - means[1:-1, 1:-1]).max() <= 1.0
    assert shrunk(picture, 30)[0] == pytest.approx(means, abs=1.0)


def test_what_the_picture_does_not_show_is_paper() -> None:
    picture = np.full((40, 40), 200, dtype=np.uint8)
    picture[:, :10] = 30
    view = warped(picture, np.array([[1.0, 0.0, 20.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), (40, 60))
    assert (view[:, :20] == 200).all() and (view[:, 20:30] == 30).all()
    assert (warped(picture, np.eye(3), (60, 40), fill=7)[40:] == 7).all()
