"""The time of a training, and how much of it is waiting for data."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """Measures a training: all its time, and how much of it passes in waiting for batches.

    Args:
        seconds_before: Time of the training before it was resumed, s.
    """

    def __init__(self, seconds_before: float = 0.0) -> None:
        self._before = seconds_before
        self._started = self._lap_started = time.perf_counter()
        self._waited = 0.0

    @property
    def seconds(self) -> float:
        """Time of the training so far, earlier parts included, s."""
        return self._before + time.perf_counter() - self._started

    def timing(self, batches: Iterable[T]) -> Iterator[T]:
        """Iterate, counting the time until each batch is there."""
        iterator = iter(batches)
        while True:
            began = time.perf_counter()
            batch = next(iterator, None)
            self._waited += time.perf_counter() - began
            if batch is None:
                return
            yield batch

    def lap(self, images: int = 0) -> tuple[float, float]:
        """Images per second and share of waiting since the last lap."""
        now = time.perf_counter()
        spent, waited = now - self._lap_started, self._waited
        self._lap_started, self._waited = now, 0.0
        return images / spent, waited / spent
