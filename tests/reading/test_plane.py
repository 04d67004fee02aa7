"""A plane from frames: exact where cells are right, unmoved by those that are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.reading.plane import Looks, find_sheet, fit_plane, jacobian, mapped

SHEET = (250.0, 120.0)


def _view(turn_deg: float, tilt: tuple[float, float], mirrored: bool, scale: float = 1.8) -> np.ndarray:
    """A homography from mm of the sheet to px of a picture of 512 x 384."""
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centred = np.array([[1, 0, -SHEET[0] / 2], [0, 1, -SHEET[1] / 2], [0, 0, 1.0]])
    flip = np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0])
    linear = np.eye(3)
    linear[:2, :2] = scale * turn
    perspective = np.eye(3)
    perspective[2, :2] = np.array(tilt) / 300
    place = np.array([[1, 0, 256], [0, 1, 192], [0, 0, 1.0]])
    return place @ perspective @ linear @ flip @ centred


def _looks(picture_from_sheet: np.ndarray, rng: np.random.Generator | None = None, wrong: float = 0.0) -> Looks:
    at = np.stack(np.meshgrid(np.arange(4, 512, 8.0), np.arange(4, 384, 8.0)), axis=-1).reshape(-1, 2)
    back = np.linalg.inv(picture_from_sheet)
    mm = mapped(back, at)
    inside = (mm > 0).all(1) & (mm < SHEET).all(1)
    at, mm = at[inside], mm[inside]
    frames = np.linalg.inv(jacobian(back, at))
    time, amplitude = frames[:, :, 0].copy(), frames[:, :, 1].copy()
    if rng is not None:
        for vectors in (time, amplitude):
            vectors *= np.exp(rng.laplace(0, 0.02, (len(at), 1)))
        lost = rng.random(len(at)) < wrong
        time[lost] = rng.normal(size=(int(lost.sum()), 2))
        amplitude[lost] = rng.normal(size=(int(lost.sum()), 2))
    n = len(at)
    return Looks(at, time, amplitude, np.full((n, 4), 0.02), np.ones(n))


def _corner_error(looks: Looks, picture_from_sheet: np.ndarray) -> float:
    plane = fit_plane(looks)
    assert plane is not None
    mm = mapped(np.linalg.inv(picture_from_sheet), looks.at)
    edges, ones = np.column_stack([mm, SHEET - mm]), np.ones(len(looks))
    sheet = find_sheet(plane.mm_from_picture, looks.at, edges, np.full((len(looks), 4), 2.0), ones)
    assert sheet is not None
    true = mapped(picture_from_sheet, np.array([(0, 0), (SHEET[0], 0), SHEET, (0, SHEET[1])], dtype=float))
    width = float(np.linalg.norm(true[1] - true[0]))
    return float(np.linalg.norm(sheet.corners - true, axis=1).max()) / width


@settings(max_examples=40, deadline=None)
@given(
    turn=st.floats(-180, 180),
    tilt=st.tuples(st.floats(-0.25, 0.25), st.floats(-0.25, 0.25)),
    mirrored=st.booleans(),
)
def test_exact_looks_give_the_exact_plane(turn: float, tilt: tuple[float, float], mirrored: bool) -> None:
    view = _view(turn, tilt, mirrored, scale=1.2)
    looks = _looks(view)
    plane = fit_plane(looks)
    assert plane is not None
    assert (np.linalg.det(plane.mm_from_picture) < 0) == mirrored
    assert plane.agreeing > 0.999
    assert _corner_error(looks, view) < 1e-4


@pytest.mark.parametrize("wrong", [0.0, 0.2, 0.4])
def test_a_minority_that_is_wrong_changes_little(wrong: float) -> None:
    view = _view(37.0, (0.15, -0.1), False)
    looks = _looks(view, np.random.default_rng(3), wrong)
    plane = fit_plane(looks)
    assert plane is not None
    assert _corner_error(looks, view) < 0.01
    assert abs(plane.agreeing - (1 - wrong)) < 0.25


def test_cells_that_point_everywhere_agree_with_nothing() -> None:
    rng = np.random.default_rng(5)
    looks = _looks(_view(0.0, (0.0, 0.0), False), rng, wrong=1.0)
    plane = fit_plane(looks)
    assert plane is None or plane.agreeing < 0.1


def test_few_cells_are_no_plane() -> None:
    looks = _looks(_view(0.0, (0.0, 0.0), False))
    few = Looks(*(getattr(looks, name)[:4] for name in Looks.__dataclass_fields__))
    assert fit_plane(few) is None


def test_derivative_of_a_homography() -> None:
    matrix = np.linalg.inv(_view(20.0, (0.2, 0.1), False))
    at = np.array([(100.0, 150.0), (300.0, 200.0)])
    step = 1e-4
    for axis in (0, 1):
        moved = np.zeros(2)
        moved[axis] = step
        slow = (mapped(matrix, at + moved) - mapped(matrix, at - moved)) / (2 * step)
        np.testing.assert_allclose(jacobian(matrix, at)[:, :, axis], slow, rtol=1e-6)
