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

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.common import Given, read_bytes
from heartprint.readers.formats.npy import STANDARDISED, check_unit, mv_per_unit
from heartprint.readers.source import Recording
from heartprint.signals.lead_names import lead_called, lead_name, listed, require_once
from heartprint.signals.leads import LEADS_8, LEADS_12
from heartprint.tables import fields
from heartprint.tables.dialect import MOST_COLUMNS, chunks_of, encoding_of, separated

# Python reads about a million cells a second.
_MOST_ROWS = 100_000
_HEAD = 2**20  # characters that the separator is told by


def looks_like(head: bytes, columns: Mapping[str, str]) -> bool:
    """Whether a file begins with a line of column names, among them those of the eight leads that are needed."""
    try:
        return set(LEADS_8) <= set(_columns(header_of(head), columns))
    except HeartprintError:  # a lead that is there twice: said when it is read
        return True


def header_of(head: bytes) -> list[str]:
    """The columns that a file names, from its first bytes; none if it is no table of text."""
    try:
        text = codecs.getincrementaldecoder(encoding_of(iter([head]), "", whole=False))(errors="replace").decode(head)
        return _header(text, "", whole=False)[1]
    except HeartprintError:
        return []


def read(path: Path, given: Given) -> Recording:
    """Read a CSV file of samples.

    The first line names the columns; a lead's column is found by the lead's name in any case or by ``given.columns``.
    Encoding and separator are told as those of tables are; an empty cell, NA or NaN is a missing sample.

    Raises:
        HeartprintError: ``file-missing``, ``file-too-large``, ``missing-sampling-rate``, ``unknown-unit``,
            ``bad-array``, ``missing-lead``, ``duplicate-lead``, ``bad-unit``.
    """
    sampling_rate = given.need_sampling_rate(path)
    check_unit(given.unit)
    data = read_bytes(path)
    text = data.decode(encoding_of(chunks_of(data), path.name, "bad-array"), errors="replace")
    delimiter, header, before = _header(text, path.name, whole=True)
    places = _columns(header, given.columns)
    if not set(LEADS_8) <= set(places):
        raise HeartprintError(
            "missing-lead",
            f"The columns of {path.name} are {listed(header)}; among them {_not_found(places)}. I, II and V1-V6 are "
            "needed: say which columns they are (--column I=ch1 --column II=ch2 ...).",
        )
    unit = _unit_of(header, places, given, path.name)
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
    standardised = unit == STANDARDISED
    signal = np.frombuffer(values, dtype=np.float64) if values else np.empty(0)
    factor = mv_per_unit(unit)
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
    """Lead name to place in a row; where the user names a lead's column, no other is taken for it.

    Raises:
        HeartprintError: ``duplicate-lead``.
    """
    places: dict[str, int] = {}
    for lead, column in given.items():
        at = [i for i, name in enumerate(header) if name == column]
        at = at or [i for i, name in enumerate(header) if name.lower() == column.lower()]
        if len(at) > 1:
            raise HeartprintError("duplicate-lead", f"The column '{column}' is there twice. Rename one of them.")
        if at:
            places[lead] = at[0]
    if len(set(places.values())) < len(places):
        raise HeartprintError("duplicate-lead", "One column was given for two leads. Correct --column.")
    others = [(i, name) for i, name in enumerate(header) if i not in places.values()]
    named = [(i, name, known) for i, name in others if (known := lead_called(name)) and known not in given]
    require_once([name for _, name, _ in named], "The file")
    places |= {lead: i for i, _, lead in named}
    return {lead: places[lead] for lead in LEADS_12 if lead in places}


def _unit_of(header: list[str], places: Mapping[str, int], given: Given, name: str) -> str:
    """The unit that the columns' names say, else the one given.

    Raises:
        HeartprintError: ``bad-unit`` if they disagree.
    """
    said = [known.unit if (known := lead_name(header[i])) else "" for i in places.values()]
    if not any(said):
        return given.unit
    units = sorted({unit or given.unit.lower() for unit in said})
    if len(units) > 1:
        raise HeartprintError(
            "bad-unit", f"The columns of {name} are in {' and '.join(units)}. Save all leads in one unit."
        )
    # mV is what is taken where nobody says anything.
    if given.unit.lower() not in (units[0], "mv"):
        raise HeartprintError(
            "bad-unit",
            f"The columns of {name} say {units[0]}, but the unit was given as {given.unit}. Correct one of them.",
        )
    return units[0]


def _not_found(places: Mapping[str, int]) -> str:
    absent = [lead for lead in LEADS_8 if lead not in places]
    return f"no column is named like {', '.join(absent)}"


def _value(cell: str, name: str, line: int) -> float:
    cell = cell.strip()
    try:
        return float("nan") if fields.is_nothing(cell) else float(cell)
    except ValueError as error:
        raise HeartprintError(
            "bad-array", f"'{cell[:20]}' in line {line} of {name} is not a number. Correct it or leave it empty."
        ) from error
