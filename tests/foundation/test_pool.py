"""Jobs in order in processes; the death of one costs that one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.pool import in_order, n_workers


def square(n: int) -> int:
    if n < 0:
        os._exit(1)
    if n == 1000:
        raise HeartprintError("disk-full", "The disk is full.")
    time.sleep(0.02 * (n % 3))
    return n * n


def dead(n: int, error: HeartprintError) -> int:
    assert error.code == "worker-died"
    return n


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers: int) -> None:
    assert list(in_order(square, range(20), workers, after=dead)) == [n * n for n in range(20)]
    assert list(in_order(square, [], workers, after=dead)) == []


def test_a_death_costs_one_job() -> None:
    jobs = [3, 2, -7, 5, 4, -8, -9, 6, *range(30, 40), -1]
    assert list(in_order(square, jobs, 2, after=dead)) == [n if n < 0 else n * n for n in jobs]


def test_few_jobs_are_asked_for_ahead() -> None:
    asked = 0

    def jobs() -> Iterator[int]:
        nonlocal asked
        for n in range(1000):
            asked += 1
            yield n

    results = in_order(square, jobs(), 2, after=dead)
    assert [next(results) for _ in range(4)] == [0, 1, 4, 9]
    assert asked <= 12
    results.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_raised_is_raised_here(workers: int) -> None:
    with pytest.raises(HeartprintError) as caught:
        list(in_order(square, [1, 2, 1000, 3], workers, after=dead))
    assert caught.value.code == "disk-full"


def test_few_jobs_are_not_worth_processes() -> None:
    assert n_workers(None, 3) == 1 and n_workers(3, 1) == 3
    assert 1 <= n_workers(None, 10_000) <= (os.cpu_count() or 1)
    with pytest.raises(HeartprintError):
        n_workers(0, 5)
