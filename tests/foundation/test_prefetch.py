"""What is drawn ahead comes in order, is no more than was said, and fails where it would have come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from heartprint.foundation.prefetch import prefetch


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("n", [0, 1, 4, 20])
def test_results_come_in_the_order_of_the_items(workers: int, n: int) -> None:
    def draw(k: int) -> int:
        time.sleep(0.001 * (k % 3))
        return k * k

    assert list(prefetch(range(n), draw, workers=workers)) == [k * k for k in range(n)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_more_is_drawn_than_was_said(workers: int) -> None:
    most, asked = 0, 0
    at_work = threading.Semaphore(workers)

    def items() -> Iterator[int]:
        nonlocal asked
        while asked < 30:
            asked += 1
            yield asked

    def draw(k: int) -> int:
        assert at_work.acquire(blocking=False), "more threads than workers"
        time.sleep(0.001)
        at_work.release()
        return k

    for result in prefetch(items(), draw, workers=workers):
        most = max(most, asked - result)
        if result <= 10:
            assert asked == result + 2 * workers - 1, "nothing lies idle while the caller works"
    assert most == 2 * workers - 1 and result == 30


def test_an_error_is_raised_in_its_place_and_nothing_is_drawn_after_it() -> None:
    drawn: list[int] = []

    def draw(k: int) -> int:
        drawn.append(k)
        if k == 3:
            raise ValueError("three")
        return k

    came = []
    with pytest.raises(ValueError, match="three"):
        for result in prefetch(range(100), draw, workers=2):
            came.append(result)
    assert came == [0, 1, 2] and max(drawn) < 8


def test_who_stops_asking_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    results = prefetch(range(1000), lambda k: k, workers=3)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
