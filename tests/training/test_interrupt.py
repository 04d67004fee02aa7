from __future__ import annotations

import signal
import threading

import pytest

from heartprint.training.interrupt import stop_requested


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_stops(number: signal.Signals) -> None:
    def handler(*_: object) -> None:
        raise InterruptedError

    before = {n: signal.signal(n, handler) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        with stop_requested() as requested:
            assert not requested.is_set()
            signal.raise_signal(number)
            assert requested.is_set()
            with pytest.raises(InterruptedError):
                signal.raise_signal(number)
        assert all(signal.getsignal(n) is handler for n in before)
    finally:
        for n, was in before.items():
            signal.signal(n, was)


def test_outside_the_main_thread_nothing_is_handled() -> None:
    found: list[bool] = []

    def work() -> None:
        before = signal.getsignal(signal.SIGTERM)
        with stop_requested() as requested:
            found.append(not requested.is_set() and signal.getsignal(signal.SIGTERM) is before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]
