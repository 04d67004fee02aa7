"""Samples as text: a CSV file with one column per lead and one row per sample."""

from __future__ import annotations

import codecs
import csv
import io
import re
from array import array
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from heartprint.cohorts.leads import LEADS_8, LEADS_12
from heartprint.cohorts.readers import fields
from heartprint.cohorts.readers.dialect import MOST_COLUMNS, chunks_of, encoding_of, separated
from heartprint.cohorts.readers.formats.common import Given, read_bytes
from heartprint.cohorts.readers.formats.npy import STANDARDISED, check_unit
from heartprint.cohorts.readers.source import Recording
from heartprint.cohorts.readers.wfdb_file import MV_PER_UNIT
from heartprint.foundation.errors import HeartprintError

# Python reads about a million cells a second.
_MOST_ROWS = 100_000
_HEAD = 2**20  # characters that the separator is told by


def looks_like(head: bytes, columns: Mapping[str, str]) -> bool:
    """Whether a file begins with a line of column names, among them those of the eight leads that are needed."""
    try:
        text = codecs.getincrementaldecoder(encoding_of(iter([head]), "", whole=False))(errors="replace").decode(head)
        return set(LEADS_8) <= set(_columns(_header(text, "", whole=False)[1], columns))
    except HeartprintError:
        return False


def read(path: Path, given: Given) -> Recording:
    """Read a CSV file of samples.

    The first line names the columns; a lead's column is found by the lead's name in any case or by ``given.columns``.
    Encoding and separator are told as those of tables are; an empty cell, NA or NaN is a missing sample.

    Raises:
        HeartprintError: ``file-missing``, ``file-too-large``, ``missing-sampling-rate``, ``unknown-unit``,
            ``bad-array``.
    """
    sampling_rate = given.need_sampling_rate(path)
    check_unit(given.unit)
    data = read_bytes(path)
    text = data.decode(encoding_of(chunks_of(data), path.name, "bad-array"), errors="replace")
    delimiter, header, before = _header(text, path.name, whole=True)
    places = _columns(header, given.columns)
    if not places:
        raise HeartprintError("bad-array", f"{path.name} names no lead in its first line. Add the leads' names.")
    text = _with_points(text, delimiter, path.name)
    values = array("d")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        for i, cells in enumerate(reader, start=1):
            if i <= before or not cells:
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
    factor = 1.0 if standardised else MV_PER_UNIT[given.unit.lower()]
    return Recording(signal.reshape(-1, len(places)).T * factor, tuple(places), sampling_rate, standardised)


def _header(text: str, name: str, *, whole: bool) -> tuple[str, list[str], int]:
    """The separator, the columns' names, and the number of rows up to and with them."""
    leads = [lead.lower() for lead in LEADS_12]
    delimiter, header, before = separated(
        text[:_HEAD], name, leads, whole=whole and len(text) <= _HEAD, code="bad-array"
    )
    if len(header) > MOST_COLUMNS:
        raise HeartprintError(
            "bad-array", f"{name} has {len(header):,} columns; up to {MOST_COLUMNS:,} are read. Export the leads alone."
        )
    return delimiter, header, before


def _with_points(text: str, delimiter: str, name: str) -> str:
    """The samples with decimal points, where commas do not separate them."""
    if delimiter == "," or "," not in text:
        return text
    if re.search(rf"(?:^|[{delimiter}\n])[+-]?\d+\.\d+(?=[{delimiter}\r\n]|$)", text):
        raise HeartprintError(
            "bad-array", f"{name} has points and commas in its numbers. Save it with one decimal sign."
        )
    if not re.search(r"(?<![\d,])0,\d|\d,(?:\d{1,2}|\d{4,})(?![\d,])", text):
        raise HeartprintError(
            "bad-array",
            f"The commas in the numbers of {name} may be decimal signs or stand between thousands. Save it with "
            "decimal points and nothing between thousands.",
        )
    return text.replace(",", ".")


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
