"""Progress on standard error: a bar for people, an occasional line for log files."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")

_LINE_EVERY_S = 15.0


class Progress:
    """One stage of work with a known or unknown number of steps; use as a context manager.

    On a terminal it is a bar with time left; elsewhere a line at most every 15 s and one at the end.

    Args:
        description: What is being done, e.g. ``"Pretraining"``.
        total: Number of steps, or None if unknown.
    """

    def __init__(self, description: str, total: int | None = None) -> None:
        self.description = description
        self.total = total
        self.done = 0
        self._note = ""
        self._tty = sys.stderr.isatty()
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> Progress:
        if self._tty:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task(self.description, total=self.total, note="")
        return self

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count finished steps; ``note`` is shown beside the bar (e.g. the current loss)."""
        self.done += steps
        self._note = note or self._note
        if self._tty:
            self._bar.update(self._task, advance=steps, note=self._note)
        elif time.monotonic() - self._last_line > _LINE_EVERY_S:
            self._last_line = time.monotonic()
            self._print()

    def say(self, line: str) -> None:
        """Print a line that stays."""
        if self._tty:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self._tty:
            self._bar.stop()
        else:
            self._print()

    def _print(self) -> None:
        of = f"/{self.total}" if self.total is not None else ""
        seconds = time.monotonic() - self._started
        tail = f"  {self._note}" if self._note else ""
        left = ""
        if self.total is not None and 0 < self.done < self.total:
            left = f", about {in_words(seconds / self.done * (self.total - self.done))} left"
        print(f"{self.description}: {self.done}{of} in {seconds:.0f} s{left}{tail}", file=sys.stderr, flush=True)


def in_words(seconds: float) -> str:
    """A duration as people say it: ``40 seconds``, ``3.5 minutes``, ``2.0 days``."""
    for unit, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{math.ceil(seconds)} seconds"


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Iterate with a progress display."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(description, total) as progress:
        for item in items:
            yield item
            progress.advance()
