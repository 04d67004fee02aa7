"""The outline of a sheet from the shares of its cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.reading.network import CELL
from heartprint.reading.outline import outline, with_outline
from heartprint.reading.plane import Sheet

CELLS = (40, 60)


def covered(box: tuple[float, float, float, float]) -> np.ndarray:
    """``(h, w)``: how much of each cell a rectangle (px) covers."""
    left, top, right, bottom = (side / CELL for side in box)
    x, y = np.arange(CELLS[1]), np.arange(CELLS[0])
    across = np.clip(np.minimum(x + 1, right) - np.maximum(x, left), 0, 1)
    down = np.clip(np.minimum(y + 1, bottom) - np.maximum(y, top), 0, 1)
    return np.asarray(down[:, None] * across)


boxes = st.tuples(st.floats(20, 150), st.floats(20, 90), st.floats(260, 460), st.floats(180, 300))


@settings(deadline=None)
@given(boxes)
def test_shares_of_cells_tell_edges_within_a_cell(box: tuple[float, float, float, float]) -> None:
    found = outline(covered(box))
    assert found is not None
    np.testing.assert_allclose(found, box, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(boxes, st.integers(0, 1000))
def test_a_few_wrong_cells_move_nothing_far(box: tuple[float, float, float, float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    share = covered(box)
    share[rng.random(CELLS) < 0.02] = rng.random()
    found = outline(share)
    assert found is not None and np.abs(found - box).max() < 2 * CELL


def test_nothing_has_no_outline() -> None:
    assert outline(np.zeros(CELLS)) is None


@pytest.mark.parametrize("cut", [False, True])
def test_an_edge_that_is_seen_is_set_right_and_one_that_is_cut_off_is_not(cut: bool) -> None:
    """A view at 2 px per mm whose picture ends where the sheet does on the right, or goes on."""
    k, box = 2.0, (40.0, 40.0, 400.0, 240.0)
    picture = (320, 396 if cut else 480)
    # From afar the right edge was thought to be 20 mm farther than it is, and the others right.
    shift = np.array([[1 / k, 0.0, -box[0] / k], [0.0, 1 / k, -box[1] / k], [0.0, 0.0, 1.0]])
    sheet = Sheet(shift, (200.0, 100.0), (1.0, 1.0, 15.0, 1.0))
    better = with_outline(sheet, covered(box), np.eye(3), picture)
    assert better.size_mm[1] == pytest.approx(100.0, abs=1e-6)
    if cut:
        assert better.size_mm[0] == pytest.approx(200.0, abs=1e-6) and better.spread_mm[2] == 15.0
    else:
        assert better.size_mm[0] == pytest.approx(180.0, abs=1.0)
        assert better.spread_mm[2] == pytest.approx(0.3 * 20, abs=0.01), "two ways that disagree leave a doubt"
