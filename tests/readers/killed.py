"""Ingest in a process that is killed (SIGKILL) at a named moment: ``SRC OUT WORKERS MOMENT COUNT``.

The moment is reached inside the real code: functions are wrapped, and the process kills itself when one is called for
the COUNT-th time, before it does anything or half-way through.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from heartprint.cohorts.writer import CohortWriter
from heartprint.foundation.files import put_in_place
from heartprint.readers import PtbXl, ingest, ingestion

PART = 8


def inside(owner: Any, name: str, count: int, first: Callable[..., object] = lambda *_, **__: None) -> None:
    """Wrap a function so that the process dies at its COUNT-th call, after having done ``first``."""
    plain, calls = getattr(owner, name), 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count:
            first(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(*args, **kwargs)

    setattr(owner, name, wrapped)


def half_a_line(journal: Any, entry: dict[str, Any]) -> None:
    journal._lines.write(b"0123456789abcdef" + repr(entry).encode()[:100])
    journal._lines.flush()


def unwritten_samples(writer: CohortWriter, *_: Any, **__: Any) -> None:
    writer._data.write(b"\1" * 5000)
    writer._data.flush()


def old_moved(folder: Path, target: Path, old: Path) -> None:
    if target.exists():
        target.rename(old)


MOMENTS: dict[str, Callable[[int], None]] = {
    "never": lambda _: None,
    "in an ECG": lambda n: inside(CohortWriter, "add", n, unwritten_samples),
    "before the note": lambda n: inside(ingestion._Journal, "_note", n),
    "half a note": lambda n: inside(ingestion._Journal, "_note", n, half_a_line),
    "while taking up": lambda n: inside(ingestion._Journal, "_take_again", n),
    "while writing again": lambda n: inside(ingestion._Journal, "_write_again", n),
    "before the tables": lambda n: inside(CohortWriter, "finish", n),
    "before cohort.json": lambda n: inside(sys.modules["heartprint.cohorts.writer"], "write_json", n),
    "before it is in place": lambda n: inside(ingestion, "put_in_place", n),
    "when the old one is away": lambda n: inside(ingestion, "put_in_place", n, old_moved),
    "before the work is removed": lambda n: inside(ingestion, "put_in_place", n, put_in_place),
}


def main(src: str, out: str, workers: str, moment: str, count: str) -> None:
    ingestion.PART = PART
    MOMENTS[moment](int(count))
    ingest(PtbXl(), src, out, workers=int(workers), overwrite=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
