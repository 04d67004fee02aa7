"""Work that is done a little ahead of whoever needs it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(items: Iterable[Item], draw: Callable[[Item], Result], *, workers: int = 1) -> Iterator[Result]:
    """Yield ``draw(item)`` of each item in order, drawn in threads ahead of the caller.

    Threads suffice where the interpreter's lock is let go, as it is while a sheet is drawn, and what they draw need not
    be sent anywhere. One is enough to draw for a network that reads: drawing is far quicker.

    Args:
        items: What is to be drawn; asked for one at a time, in the caller's thread.
        draw: Draws an item. What it raises is raised where its result would have been yielded.
        workers: Threads. At most ``2 * workers - 1`` results are drawn or being drawn beyond the one yielded.
    """
    with ThreadPoolExecutor(max_workers=workers) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(draw, item))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
