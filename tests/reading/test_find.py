"""Where the sheet lies, found with networks that tell the truth: whatever errs then is the geometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from heartprint.foundation.arrays import Image
from heartprint.foundation.randomness import generator
from heartprint.reading import find as find_module
from heartprint.reading.close_look import CloseLook, understood_closely
from heartprint.reading.find import Found, Networks, find
from heartprint.reading.gate import LESS_UPRIGHT
from heartprint.reading.learning.strip_truth import strip_truth
from heartprint.reading.learning.truth import cell_truth, ecg_box
from heartprint.reading.learning.views import Seen, turned_image
from heartprint.reading.looks import Glance, understood
from heartprint.reading.network import CELL, NAMES, PAGES, TURNS, Answer
from heartprint.reading.turns import COMPOSED, turned, upright_copy, voted
from heartprint.reading.warp import shrunk, warped
from heartprint.sheets.camera.snapshot import Snapshot, snapshot
from tests.reading.fakes import strip_answer

NOT_NETWORKS = Networks(None, None, None)  # type: ignore[arg-type]  # nothing asks them


def _leads(seed: int) -> np.ndarray:
    """Eight leads of 10 s at 100 Hz with a spike each second."""
    rng = np.random.default_rng(seed)
    signal = 0.02 * rng.normal(size=(8, 1000))
    signal[:, 50::100] += rng.uniform(0.4, 1.2, (8, 1))
    return signal


def _taken(number: int, layout: str = "3x4_ii", **how: object) -> Snapshot:
    return snapshot(
        _leads(number),
        100.0,
        layout,
        severity=how.pop("severity", 1.5),  # type: ignore[arg-type]
        rng=generator(4, "find", number),
        longest_side=900,
        style="red",
        **how,  # type: ignore[arg-type]
    )


def _truthful(monkeypatch: pytest.MonkeyPatch, taken: Snapshot, lie: Callable[[Answer], None] | None = None) -> None:
    """Let every look be answered with the truth about the view that is looked at."""
    assert taken.layout is not None and taken.style is not None
    at: list[np.ndarray] = []

    def remembered(picture: Image, to_view: np.ndarray, size: tuple[int, int], **options: int) -> Image:
        at.append(to_view)
        return warped(picture, to_view, size, **options)

    def first(picture: Image, longest: int) -> tuple[Image, float]:
        small, scale = shrunk(picture, longest)
        at.append(np.diag([small.shape[1] / picture.shape[1], small.shape[0] / picture.shape[0], 1.0]))
        return small, scale

    def told(_: object, picture: Image) -> Glance:
        height, width = picture.shape
        size = (height + -height % 32, width + -width % 32)
        seen = Seen(taken.mapping, at[-1], (height, width))
        truth = cell_truth(seen, taken.layout, taken.style, taken.page_mm, size)  # type: ignore[arg-type]
        answer = _answer(truth, _turn_of(taken, at[-1]))
        if lie is not None:
            lie(answer)
        return understood(answer, picture.shape)

    def told_closely(_: object, view: Image, origin_mm: tuple[float, float], px_per_mm: float) -> CloseLook:
        size = (view.shape[0] + -view.shape[0] % 32, view.shape[1] + -view.shape[1] % 32)
        seen = Seen(taken.mapping, at[-1], (view.shape[0], view.shape[1]))
        truth = strip_truth(seen, taken.layout, taken.style, size, 3.0)  # type: ignore[arg-type]
        turn = _turn_of(taken, at[-1])
        return understood_closely(strip_answer(truth, turn), view.shape, origin_mm, px_per_mm)

    monkeypatch.setattr(find_module, "look_closely", told_closely)
    monkeypatch.setattr(find_module, "warped", remembered)
    monkeypatch.setattr(find_module, "shrunk", first)
    monkeypatch.setattr(find_module, "glance", told)


def _turn_of(taken: Snapshot, to_view: np.ndarray) -> int:
    """In which of the eight ways the sheet lies in a view."""
    assert taken.layout is not None
    middle = np.array([taken.layout.width_mm, taken.layout.height_mm]) / 2
    seen = Seen(taken.mapping, to_view, (1, 1)).picture_from_sheet(middle + np.array([(0, 0), (1, 0), (0, 1)]))
    frame = np.stack([seen[1] - seen[0], seen[2] - seen[0]], axis=1)
    frame /= np.linalg.norm(frame, axis=0)
    best = [np.sum(frame * turned(k, (1, 1))[0][:2, :2]) for k in range(8)]
    return int(np.argmax(best))


def _answer(truth: object, turn: int) -> Answer:
    def tensor(value: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(value)).float()[None]

    surface = torch.nn.functional.one_hot(torch.from_numpy(np.maximum(truth.surface, 0)), 4)  # type: ignore[attr-defined]
    name = torch.nn.functional.one_hot(torch.from_numpy(np.maximum(truth.name, 0)), len(NAMES))  # type: ignore[attr-defined]
    h, w = truth.surface.shape  # type: ignore[attr-defined]
    turns = torch.zeros(1, 8, h, w)
    turns[:, turn] = 20
    page = torch.zeros(1, len(PAGES))
    page[0, 0] = 20
    small = torch.full((1, 4, h, w), -5.0)
    return Answer(
        40.0 * surface.permute(2, 0, 1)[None],
        tensor(truth.scale),  # type: ignore[attr-defined]
        tensor(truth.quarter),  # type: ignore[attr-defined]
        small[:, :2],
        page,
        turns,
        tensor(truth.edges),  # type: ignore[attr-defined]
        small,
        40.0 * name.permute(2, 0, 1)[None],
        tensor(truth.name_at),  # type: ignore[attr-defined]
    )


def _corner_error(taken: Snapshot, found: Found) -> float:
    assert taken.layout is not None and taken.style is not None
    left, top, right, bottom = ecg_box(taken.layout, taken.style)
    true = taken.mapping.picture_from_sheet([(left, top), (right, top), (right, bottom), (left, bottom)])
    return float(np.linalg.norm(found.sheet.corners - true, axis=1).max() / np.linalg.norm(true[1] - true[0]))


@pytest.mark.parametrize("turn", [0.0, 3.0, 44.0, 90.0, 135.0, 181.0, 270.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_any_turn(monkeypatch: pytest.MonkeyPatch, turn: float, mirrored: bool) -> None:
    taken = _taken(3, turn=turn, mirrored=mirrored)
    _truthful(monkeypatch, taken)
    found = find(NOT_NETWORKS, taken.picture)
    assert isinstance(found, Found)
    assert _corner_error(taken, found) < 0.006
    assert found.upright > 0.99


@pytest.mark.parametrize("number", range(8))
def test_without_the_grid_too(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    taken = _taken(number, severity=1 + number / 4)
    _truthful(monkeypatch, taken)
    found = find(NOT_NETWORKS, taken.picture, use_lattice=False)
    assert isinstance(found, Found)
    assert _corner_error(taken, found) < 0.012  # paper bends, a homography does not


def test_names_lie_where_they_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = _taken(5, turn=90.0, mirrored=False)
    _truthful(monkeypatch, taken)
    found = find(NOT_NETWORKS, taken.picture)
    assert isinstance(found, Found)
    places = {name.lead: name.at for name in found.names}
    assert len(places) >= 9
    assert places["V1"][1] < places["V2"][1] < places["V3"][1]
    assert places["I"][0] < places["aVR"][0] < places["V1"][0] < places["V4"][0]


def test_a_network_that_never_finds_an_upright_side_is_a_reason_for_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = _taken(6, turn=0.0, mirrored=False)

    def lie(answer: Answer) -> None:
        assert answer.turn is not None
        answer.turn[:] = 0
        answer.turn[:, 2] = 20

    _truthful(monkeypatch, taken, lie)
    found = find(NOT_NETWORKS, taken.picture)
    assert not isinstance(found, Found) or found.upright < LESS_UPRIGHT - 0.1


@pytest.mark.parametrize("turn", range(8))
def test_turned_images_and_their_matrices_agree(turn: int) -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (24, 40), dtype=np.uint8)
    matrix, size = turned(turn, (24, 40))
    view = turned_image(image, turn)
    assert view.shape == size
    for row, column in ((0, 0), (3, 31), (23, 39)):
        x, y, _ = matrix @ (column + 0.5, row + 0.5, 1.0)
        assert view[int(y), int(x)] == image[row, column]
    assert len(TURNS) == 8 and CELL == 8


def test_copies_vote_for_one_turn() -> None:
    for true in range(8):
        told = np.full((8, 8), 0.1 / 7)
        for copy in range(8):
            told[copy, COMPOSED[copy, true]] = 0.9
        told[3] = 1 / 8  # one of them does not know
        assert voted(dict(enumerate(told)), {}).argmax() == true
        upright = upright_copy(true)
        # Two of them suffice for a turn; that a picture is mirrored is believed only if more say so.
        two = voted({0: told[0], upright: told[upright]}, {})
        assert (two.argmax() == true) == (not TURNS[true][1])


def test_lead_names_outvote_a_network_that_does_not_know() -> None:
    for true in range(8):
        names = 8.0 if TURNS[true][1] else 1.0
        assert voted(dict(enumerate(np.full((8, 8), 1 / 8))), {upright_copy(true): names}).argmax() == true
