"""``watch.csv``: one line for each look."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from heartprint.foundation.files import atomic_path
from heartprint.pretraining.watch.look import Look

WATCH_FILE = "watch.csv"
Row = dict[str, float]


class WatchTable:
    """The looks of a run: ``step``, and for every number ``name``, ``name_low`` and ``name_high``, empty for none.

    Args:
        folder: The run's folder.
        names: What is measured.
        step: Steps done; later lines, of a run that went on after its last checkpoint, are dropped.
    """

    def __init__(self, folder: Path, names: tuple[str, ...], step: int) -> None:
        self.path = folder / WATCH_FILE
        self.columns = ("step", *(f"{name}{end}" for name in names for end in ("", "_low", "_high")))
        self.rows = [row for row in _read(self.path, self.columns) if row["step"] <= step]
        with atomic_path(self.path) as new, new.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle)
            writer.writerow(self.columns)
            writer.writerows(self._written(row) for row in self.rows)

    def add(self, look: Look) -> None:
        """Append a look; what is kept is what is written, so that a resumed run knows the very same numbers."""
        row: Row = {"step": look.step}
        for name, estimate in look.estimates.items():
            ends = tuple(estimate.interval) if estimate.interval else (math.nan,) * 3
            for end, value in zip(("", "_low", "_high"), ends, strict=True):
                row[f"{name}{end}"] = float(f"{value:.9g}")
        self.rows.append(row)
        with self.path.open("a", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerow(self._written(row))

    def _written(self, row: Row) -> list[str]:
        return [f"{row[c]:.0f}" if c == "step" else "" if math.isnan(row[c]) else f"{row[c]:.9g}" for c in self.columns]


def _read(path: Path, columns: tuple[str, ...]) -> list[Row]:
    if not path.is_file():
        return []
    # A run that was killed while it wrote leaves half a line.
    lines = path.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
    rows = []
    for line in csv.DictReader(lines):
        try:
            rows.append({c: float(line[c]) if c == "step" or line[c] else math.nan for c in columns})
        except (KeyError, TypeError, ValueError):
            break
    return rows
