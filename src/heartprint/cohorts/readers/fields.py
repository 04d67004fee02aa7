"""Cells of tables, read strictly: a value, nothing, or an error that names the cell."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from typing import Literal

from heartprint.foundation.errors import HeartprintError

_NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", "nat"})
_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}
# What a percentage of ejected blood can be; a fraction such as 0.55 lies outside.
LVEF_RANGE = (5.0, 95.0)
"""Per cent that a left ventricle can eject."""
_WHOLE_FLOAT = re.compile(r"\d+\.0+")
Dates = Literal["day-first", "month-first"]
"""What comes first in a date such as 03/02/2019."""
_PARTED = re.compile(
    r"(?P<first>\d{1,2})(?P<sign>[./-])(?P<second>\d{1,2})(?P=sign)(?P<year>\d{4})"
    r"(?:[ T,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<s>\d{2})(?:[.,]\d+)?)?(?:\s*(?P<half>[aApP])\.?[mM]\.?)?"
    r"(?: ?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?))?)?"
)


def is_nothing(cell: str) -> bool:
    """Whether a cell says that the value is missing (empty, NA, NaN, null)."""
    return cell.lower() in _NOTHING


def text(cell: str) -> str | None:
    """A text with single spaces, or None."""
    return None if is_nothing(cell) else " ".join(cell.split())


def identifier(cell: str) -> str:
    """An id as text, empty if missing. Tables that once held a blank often write 17 as 17.0."""
    if is_nothing(cell):
        return ""
    return cell.split(".")[0] if _WHOLE_FLOAT.fullmatch(cell) else cell


def number(cell: str, column: str, code: str) -> float | None:
    """A finite number (or true/false as 1/0), or None; anything else raises ``code``."""
    if is_nothing(cell):
        return None
    if cell.lower() in ("true", "false"):
        return float(cell.lower() == "true")
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in cell:
        raise HeartprintError(code, f"'{cell}' in column '{column}' is not a number. Correct it or leave it empty.")
    return value


def moment(cell: str, column: str, dates: Dates | None = None) -> dt.datetime | None:
    """A date or date and time, or None. A time zone is dropped: clocks are local.

    Args:
        cell: ISO form, ``31.12.2019`` (always day first), or ``12/31/2019`` where ``dates`` says what comes first.
        column: Its column, for messages.
        dates: What comes first in a date such as 03/02/2019; without it such a date is not read.

    Raises:
        HeartprintError: ``bad-date``.
    """
    if is_nothing(cell):
        return None
    try:
        return dt.datetime.fromisoformat(cell).replace(tzinfo=None)
    except ValueError:
        found = _PARTED.fullmatch(cell)
    value = None if found is None else _parted(found, "day-first" if found["sign"] == "." else dates)
    if value is None:
        order = " If its day or its month stands first, say so: --dates day-first or --dates month-first."
        raise HeartprintError(
            "bad-date",
            f"'{cell[:40]}' in column '{column}' is not a date like 2019-05-31 or 2019-05-31 14:07:00. "
            f"Correct it or leave it empty.{order if found is not None and found['sign'] != '.' else ''}",
        )
    return value


def _parted(found: re.Match[str], dates: str | None) -> dt.datetime | None:
    """A date of three numbers, perhaps with a time."""
    if dates is None:
        return None
    first, second, hour = int(found["first"]), int(found["second"]), int(found["hour"] or 0)
    day, month = (first, second) if dates == "day-first" else (second, first)
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (found["half"].lower() == "p")
    try:
        return dt.datetime(int(found["year"]), month, day, hour, int(found["minute"] or 0), int(found["s"] or 0))
    except ValueError:
        return None


def age_in_years(cell: str) -> float | None:
    """An age between 0 and 130, or None.

    Raises:
        HeartprintError: ``bad-age``.
    """
    value = number(cell, "age", "bad-age")
    if value is not None and not 0 <= value <= 130:
        raise HeartprintError("bad-age", f"An age of {value:g} years cannot be right. Correct it or leave it empty.")
    return value


def sex(cell: str, codes: Mapping[str, str] = _SEXES) -> str | None:
    """``female``, ``male`` or None.

    Args:
        cell: A word or code, in any case.
        codes: What each means, in lower case.

    Raises:
        HeartprintError: ``unknown-sex``.
    """
    if is_nothing(cell):
        return None
    if cell.lower() not in codes:
        raise HeartprintError(
            "unknown-sex",
            f"The sex code '{cell[:40]}' is unknown; known are {', '.join(codes)}. Correct it or empty it.",
        )
    return codes[cell.lower()]


def lvef(cell: str, column: str) -> float | None:
    """A left ventricular ejection fraction in per cent, or None.

    Raises:
        HeartprintError: ``bad-label``.
    """
    value = number(cell, column, "bad-label")
    if value is not None and not LVEF_RANGE[0] <= value <= LVEF_RANGE[1]:
        raise HeartprintError(
            "bad-label",
            f"An LVEF of {value:g} is no percentage a heart can have. Give it in per cent or leave it empty.",
        )
    return value


def truth(cell: str, column: str) -> float | None:
    """1 or 0 (also true or false), or None.

    Raises:
        HeartprintError: ``bad-label``.
    """
    value = number(cell, column, "bad-label")
    if value not in (None, 0.0, 1.0):
        raise HeartprintError(
            "bad-label", f"'{cell}' in column '{column}' is neither 0 nor 1. Correct it or leave it empty."
        )
    return value
