from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from heartprint.training.clock import Clock


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A time that passes only when a test says so."""
    times = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: times[0])
    return times


def test_time_waiting_and_speed(now: list[float]) -> None:
    def batches() -> Iterator[int]:
        for k in range(3):
            now[0] += 1  # drawing
            yield k

    clock, seen = Clock(50.0), []
    for batch in clock.timing(batches()):
        seen.append(batch)
        now[0] += 3  # learning
    assert seen == [0, 1, 2]
    assert clock.seconds == 50 + 12
    assert clock.lap(24) == (2.0, 0.25)
    now[0] += 5
    assert clock.lap(10) == (2.0, 0.0), "a lap starts anew"
