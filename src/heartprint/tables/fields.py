"""Cells of tables, read strictly: a value, nothing, or an error that names the cell."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from heartprint.foundation.errors import Caution, HeartprintError
from heartprint.tables import dates
from heartprint.tables.words import SEXES, UNKNOWN_SEXES

_P = ParamSpec("_P")
_T = TypeVar("_T")

_NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", "nat"})
# What a percentage of ejected blood can be; a fraction such as 0.55 lies outside.
LVEF_RANGE = (5.0, 95.0)
"""Per cent that a left ventricle can eject."""
_WHOLE_FLOAT = re.compile(r"\d+\.0+")


class Reading:
    """Reads what is said about one ECG: a field that cannot be understood is missing, and a caution tells its value.

    Nothing that is said about an ECG is worth the ECG itself.
    """

    def __init__(self) -> None:
        self._cautions: list[Caution] = []
        self.facts: dict[str, Any] = {}
        """What the archive as a whole is judged by; see `heartprint.readers.people`."""

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """One for each field that was not understood."""
        return tuple(self._cautions)

    def __call__(self, read: Callable[_P, _T], *args: _P.args, **options: _P.kwargs) -> _T | None:
        """What a function reads, or None if it raises `HeartprintError`."""
        try:
            return read(*args, **options)
        except HeartprintError as error:
            self._cautions.append(Caution(error.code, f"{error.message} Until then it counts as missing."))
            return None

    def sex(self, cell: str | None, codes: Mapping[str, str] = SEXES) -> str | None:
        """As `sex`; the word is kept, for the archive may show that nobody understands its words."""
        word = " ".join((cell or "").lower().split())
        if word and (word in codes or word not in UNKNOWN_SEXES):
            self.facts["sex"] = word[:40]
        return self(sex, word, codes)


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


def moment(cell: str, column: str, order: dates.Order | None = None) -> dt.datetime | None:
    """A date or date and time in any form of `dates.moment`, or None. A time zone is dropped: clocks are local.

    Args:
        cell: The text.
        column: Its column, for a message.
        order: What comes first in ``03/02/2019``.

    Raises:
        HeartprintError: ``bad-date``.
    """
    return None if is_nothing(cell) else dates.moment(cell, f"column '{column}'", order)


def age_in_years(cell: str) -> float | None:
    """An age between 0 and 130, or None.

    Raises:
        HeartprintError: ``bad-age``.
    """
    value = number(cell, "age", "bad-age")
    if value is not None and not 0 <= value <= 130:
        raise HeartprintError("bad-age", f"An age of {value:g} years cannot be right. Correct it or leave it empty.")
    return value


def sex(cell: str, codes: Mapping[str, str] = SEXES) -> str | None:
    """``female``, ``male`` or None: empty, or a word for unknown or another sex.

    Args:
        cell: A word or code, in any case.
        codes: What each means, in lower case.

    Raises:
        HeartprintError: ``unknown-sex``.
    """
    word = " ".join(cell.lower().split())
    if word in codes:
        return codes[word]
    if is_nothing(word) or word in UNKNOWN_SEXES:
        return None
    raise HeartprintError("unknown-sex", f"The sex '{cell[:40]}' is not understood. Correct it or leave it empty.")


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
