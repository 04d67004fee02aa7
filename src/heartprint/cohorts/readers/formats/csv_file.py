"""Samples as text: a CSV file with one column per lead and one row per sample."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from heartprint.cohorts.leads import LEADS_8, LEADS_12
from heartprint.cohorts.readers import fields
from heartprint.cohorts.readers.formats.common import Given, read_bytes
from heartprint.cohorts.readers.formats.npy import STANDARDISED, mv_per_unit
from heartprint.cohorts.readers.source import Recording
from heartprint.foundation.errors import HeartprintError

# Python reads about a million cells a second.
_MOST_ROWS = 100_000
_DELIMITERS = ",;\t"


def looks_like(head: bytes, columns: Mapping[str, str]) -> bool:
    """Whether a file begins with a line of column names, among them those of the eight leads that are needed."""
    if b"\0" in head:
        return False
    line = head.decode("utf-8-sig", errors="replace").partition("\n")[0]
    return set(LEADS_8) <= set(_columns(_cells(line), columns))


def read(path: Path, given: Given) -> Recording:
    """Read a CSV file of samples.

    The first line names the columns; a lead's column is found by the lead's name in any case or by ``given.columns``.
    Cells are separated by comma, semicolon or tab; an empty cell, NA or NaN is a missing sample.

    Raises:
        HeartprintError: ``file-missing``, ``file-too-large``, ``missing-sampling-rate``, ``unknown-unit``,
            ``bad-array``.
    """
    sampling_rate = given.need_sampling_rate(path)
    factor = mv_per_unit(given.unit)
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HeartprintError("bad-array", f"{path.name} is not UTF-8 text. Save it as CSV in UTF-8.") from error
    first, _, rest = text.partition("\n")
    header = _cells(first)
    places = _columns(header, given.columns)
    if not places:
        raise HeartprintError("bad-array", f"{path.name} names no lead in its first line. Add the leads' names.")
    delimiter = _delimiter(first)
    values = array("d")
    try:
        for i, cells in enumerate(csv.reader(io.StringIO(rest, newline=""), delimiter=delimiter, strict=True), start=2):
            if not cells:
                continue
            if len(cells) != len(header):
                raise HeartprintError(
                    "bad-array", f"Line {i} of {path.name} has {len(cells)} cells, not {len(header)}. Save it again."
                )
            values.extend(_value(cells[place], path.name, i) for place in places.values())
            if len(values) > _MOST_ROWS * len(places):
                raise HeartprintError(
                    "file-too-large",
                    f"{path.name} has more than {_MOST_ROWS:,} samples a lead. Export the resting ECG by itself.",
                )
    except csv.Error as error:
        raise HeartprintError("bad-array", f"{path.name} is not a CSV table ({error}). Save it again.") from error
    standardised = given.unit == STANDARDISED
    signal = np.frombuffer(values, dtype=np.float64) if values else np.empty(0)
    return Recording(signal.reshape(-1, len(places)).T * factor, tuple(places), sampling_rate, standardised)


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.strip().split(_delimiter(line))]


def _columns(header: list[str], given: Mapping[str, str]) -> dict[str, int]:
    """Lead name to place in a row."""
    known = {column.lower(): i for i, column in enumerate(header)}
    wanted = {lead: given.get(lead, lead).lower() for lead in LEADS_12}
    return {lead: known[column] for lead, column in wanted.items() if column in known}


def _value(cell: str, name: str, line: int) -> float:
    cell = cell.strip()
    try:
        return float("nan") if fields.is_nothing(cell) else float(cell)
    except ValueError as error:
        raise HeartprintError(
            "bad-array", f"'{cell[:20]}' in line {line} of {name} is not a number. Correct it or leave it empty."
        ) from error
