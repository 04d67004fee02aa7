"""What a close look tells, of networks that tell the truth, and of some that do not quite."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.foundation.randomness import generator
from heartprint.reading.close_look import CloseLook, Lines, _lines, look_closely, straightened, understood_closely
from heartprint.reading.learning.layouts import random_layout
from heartprint.reading.learning.strip_truth import StripTruth, strip_truth
from heartprint.reading.learning.truth import Seen, ecg_box, name_places
from heartprint.reading.network import CELL
from heartprint.reading.plane import homography, mapped
from heartprint.reading.strip_network import PX_PER_MM, StripNet
from heartprint.sheets.camera.snapshot import Snapshot, snapshot
from tests.reading.fakes import strip_answer

ROOM_MM = 12.0


def taken_of(layout: object, number: int) -> Snapshot:
    rng = np.random.default_rng(number)
    leads = 0.02 * rng.normal(size=(8, 1000))
    return snapshot(
        leads,
        100.0,
        layout,  # type: ignore[arg-type]
        severity=1.0,
        rng=generator(6, "close look", number),
        longest_side=700,
    )


def true_look(
    taken: Snapshot,
    shear: float = 0.0,
    noise: float = 0.0,
    px_per_mm: float = PX_PER_MM,
    bent: np.ndarray | None = None,
) -> tuple[CloseLook, StripTruth]:
    """A truthful look at the flat sheet, from the corner of what its rows fill; ``noise`` in cells."""
    assert taken.layout is not None and taken.style is not None
    box = ecg_box(taken.layout, taken.style)
    corners = np.array([(box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])])
    to_mm = homography(taken.mapping.picture_from_sheet(corners), corners - corners[0])
    middle = (corners[2] - corners[0]) / 2
    leaning = np.array([[1.0, -shear, shear * middle[1]], [shear, 1.0, -shear * middle[0]], [0.0, 0.0, 1.0]])
    if bent is not None:
        leaning = bent
    view = np.array([[px_per_mm, 0.0, px_per_mm * ROOM_MM], [0.0, px_per_mm, px_per_mm * ROOM_MM], [0.0, 0.0, 1.0]])
    height, width = (int((side + 2 * ROOM_MM) * px_per_mm) for side in (box[3] - box[1], box[2] - box[0]))
    size = (height + -height % 32, width + -width % 32)
    seen = Seen(taken.mapping, view @ leaning @ to_mm, (height, width))
    truth = strip_truth(seen, taken.layout, taken.style, size, 3.0)
    answer = strip_answer(truth, 0)
    for maps in (answer.row, answer.border_at, answer.name_at):
        maps += noise * torch.randn(maps.shape, generator=torch.Generator().manual_seed(1))
    if px_per_mm != PX_PER_MM:
        answer.row.mul_(px_per_mm / PX_PER_MM)  # it does not know that it looks at another scale
    return understood_closely(answer, (height, width), (-ROOM_MM, -ROOM_MM), px_per_mm), truth


@pytest.mark.parametrize("layout", ["3x4_ii", "6x2", "12x1", "4x3", "standard", *range(12)])
def test_rows_borders_and_names_come_back(layout: str | int) -> None:
    number = layout if isinstance(layout, int) else 3
    taken = taken_of(random_layout(generator(8, "layout", number)) if isinstance(layout, int) else layout, number)
    assert taken.layout is not None and taken.style is not None
    left, top, right, _ = ecg_box(taken.layout, taken.style)
    look, _ = true_look(taken, noise=0.15)
    baselines = sorted({strip.baseline_mm - top for strip in taken.layout.strips})
    assert look.rows.at == pytest.approx(baselines, abs=1.3)
    assert look.left.at == pytest.approx([0.0], abs=1.3)
    assert look.right.at == pytest.approx([right - left], abs=1.3)
    begins = sorted({strip.left_mm - left for strip in taken.layout.strips if strip.left_mm > left + 1.0})
    assert look.columns.at == pytest.approx(begins, abs=1.3)
    told = {(name.lead, round(name.at[0], -1), round(name.at[1], -1)) for name in look.names}
    places = name_places(taken.layout)
    for lead, x, y, _ in places:
        near = [one for one in look.names if one.lead == lead.removeprefix("-")]
        assert any(np.hypot(one.at[0] - x + left, one.at[1] - y + top) < 1.5 for one in near), (lead, told)
    assert len(look.names) == len(places)
    assert look.turns[0] > 0.99


@pytest.mark.parametrize("shear", [-0.03, -0.01, 0.0, 0.012, 0.028])
def test_what_leans_is_set_straight(shear: float) -> None:
    taken = taken_of("3x4_ii", 3)
    assert taken.layout is not None and taken.style is not None
    look, _ = true_look(taken, shear)
    left, top, right, bottom = ecg_box(taken.layout, taken.style)
    straight = straightened(look, (right - left, bottom - top))
    middle = np.array([(right - left) / 2, (bottom - top) / 2])
    assert mapped(straight, middle[None])[0] == pytest.approx(middle, abs=0.1)
    leaning = np.array([[1.0, -shear], [shear, 1.0]])
    assert straight[:2, :2] @ leaning == pytest.approx(np.eye(2), abs=0.003)
    assert look.rows.at == pytest.approx(sorted({s.baseline_mm - top for s in taken.layout.strips}), abs=0.8)


@pytest.mark.parametrize("lean", [(2e-4, 0.0), (0.0, -3e-4), (1.5e-4, 2e-4)])
@pytest.mark.parametrize("layout", ["3x4_ii", "12x1", "6x2"])
def test_perspective_is_undone(lean: tuple[float, float], layout: str) -> None:
    taken = taken_of(layout, 3)
    assert taken.layout is not None and taken.style is not None
    left, top, right, bottom = ecg_box(taken.layout, taken.style)
    size = (right - left, bottom - top)
    middle = np.array(size) / 2
    bent = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [*lean, 1.0 - lean[0] * middle[0] - lean[1] * middle[1]]])
    corners = np.array([(0.0, 0.0), (size[0], 0.0), size, (0.0, size[1])])

    def error(matrix: np.ndarray) -> float:
        """Of corners, less what is only another scale of an axis: lines do not tell that."""
        there = mapped(matrix, corners)
        off = [there[:, k] - np.polyval(np.polyfit(corners[:, k], there[:, k], 1), corners[:, k]) for k in (0, 1)]
        return float(np.abs(off).max())

    total = bent
    for _ in range(3):
        look, _ = true_look(taken, bent=total)
        total = straightened(look, size) @ total
    assert error(bent) > 1.0
    assert error(total) < error(bent) / 2.5


def test_another_scale_of_the_view_gives_the_same_millimetres() -> None:
    taken = taken_of("6x2", 4)
    (a, _), (b, _) = true_look(taken), true_look(taken, px_per_mm=2.4)
    for lines in ("rows", "left", "right", "columns"):
        assert getattr(a, lines).at == pytest.approx(getattr(b, lines).at, abs=0.5)


def test_moved_and_stretched_looks_are_told_alike() -> None:
    look, _ = true_look(taken_of("3x4_ii", 3))
    there = look.shifted(5.0, -3.0).stretched((2.0, 0.5))
    assert there.rows.at == pytest.approx((look.rows.at + 3.0) * 0.5)
    assert there.columns.at == pytest.approx((look.columns.at - 5.0) * 2.0)
    (x, y), (u, v) = look.names[0].at, there.names[0].at
    assert (u, v) == pytest.approx(((x - 5.0) * 2.0, (y + 3.0) * 0.5))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 24), min_size=1, max_size=8, unique=True),
    st.floats(-0.03, 0.03),
    st.integers(0, 1000),
)
def test_lines_are_found_among_votes(places: list[int], slope: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = 12.0 * np.array(sorted(places))
    along = rng.uniform(0, 250, (len(true), 60))
    across = true[:, None] + slope * (along - 125) + rng.normal(0, 0.4, along.shape)
    stray = rng.uniform(0, 300, 20)
    lines = _lines(
        np.append(along.ravel(), rng.uniform(0, 250, 20)),
        np.append(across.ravel(), stray),
        np.append(np.ones(along.size), np.full(20, 0.3)),
        125.0,
    )
    assert lines.at == pytest.approx(true, abs=0.8)
    assert (np.diff(lines.at) > 0).all() and (lines.spread > 0).all()


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 60), st.integers(0, 10_000), st.floats(0.1, 400), st.floats(0.1, 400))
def test_any_votes_give_lines_or_none(n: int, seed: int, long: float, high: float) -> None:
    """Scattered, single, or all on one end: whatever a poor picture makes a network say."""
    rng = np.random.default_rng(seed)
    along, across = rng.uniform(0, long, n), rng.uniform(0, high, n)
    if seed % 3 == 0:
        along[:] = long * (seed % 2)
    lines = _lines(along, across, rng.uniform(1e-3, 2, n), long / 2, most=3)
    assert 1 <= len(lines) <= 3 and np.isfinite(lines.at).all()
    assert (lines.line < len(lines)).all() and len(lines.along) == len(lines.line)
    # A line lies among the votes for it, levelled by at most the largest slope.
    assert lines.at.min() >= across.min() - 0.04 * long - 2 and lines.at.max() <= across.max() + 0.04 * long + 2


def test_nothing_seen_is_no_lines() -> None:
    none = _lines(np.zeros(0), np.zeros(0), np.zeros(0), 0.0)
    assert isinstance(none, Lines) and len(none) == 0
    torch.manual_seed(0)
    look = look_closely(StripNet().eval(), np.full((90, 130), 200, dtype=np.uint8), (0.0, 0.0), 3.0)
    assert look.turns.sum() == pytest.approx(1.0)
    assert straightened(look, (250.0, 90.0)).shape == (3, 3)


def test_what_is_true_of_strips_is_what_layouts_say() -> None:
    """A literal twin: cell by cell, from the layout's own numbers."""
    taken = taken_of("3x4_ii", 5)
    assert taken.layout is not None and taken.style is not None
    _, truth = true_look(taken)
    left, top, _, _ = ecg_box(taken.layout, taken.style)
    rng = np.random.default_rng(0)
    h, w = truth.strip.shape
    baselines = sorted({strip.baseline_mm for strip in taken.layout.strips})
    gap = baselines[1] - baselines[0]
    for _ in range(400):
        r, c = int(rng.integers(h)), int(rng.integers(w))
        x = (c + 0.5) * CELL / PX_PER_MM - ROOM_MM + left
        y = (r + 0.5) * CELL / PX_PER_MM - ROOM_MM + top
        strips = [
            s
            for s in taken.layout.strips
            if s.left_mm <= x <= s.right_mm and abs(y - s.baseline_mm) <= min(gap / 2, 21.0)
        ]
        near_edge = any(
            abs(v) < 0.8
            for s in taken.layout.strips
            for v in (x - s.left_mm, x - s.right_mm, abs(y - s.baseline_mm) - gap / 2)
        )
        if near_edge:
            continue
        assert truth.strip[r, c] == bool(strips), (x, y)
        if strips:
            assert 10 * truth.row[0, r, c] == pytest.approx(strips[0].baseline_mm - y, abs=1.3)
