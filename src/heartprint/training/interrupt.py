"""Interrupting a training so that it can be resumed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any


@contextlib.contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """Let the first Ctrl-C, or the SIGTERM of a cluster, ask for a clean stop; the second one stops at once.

    Yields:
        Set as soon as a stop is asked for.
    """
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested  # Python gives signals to the main thread only.
        return

    def request(number: int, frame: FrameType | None) -> None:
        requested.set()
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, request)
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
