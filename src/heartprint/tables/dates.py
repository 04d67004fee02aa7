"""Dates as texts: the forms of tables and machines, which of two numbers is the day, and dates that are none."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from heartprint.foundation.errors import HeartprintError

Order = Literal["day-first", "month-first"]
ORDERS: tuple[Order, ...] = ("day-first", "month-first")
"""What comes first in a date such as 03/02/2019."""


def check_order(order: str | None) -> None:
    """Raise ``bad-options`` if a word for an order is none of `ORDERS`."""
    if order is not None and order not in ORDERS:
        raise HeartprintError("bad-options", f"'{order}' is not an order of dates. Give one of {', '.join(ORDERS)}.")


EARLIEST_YEAR = 1940
"""No ECG in digital form is older: the first were recorded around 1960."""

OLDEST = 120
"""Years; nobody of whom a birth date is known was older when an ECG was recorded."""

_TIME = (
    r"(?:(?:T|,?\s+|:)(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,6})\d*)?)?(?:\s*([AaPp])\.?[Mm]\.?)?"
    r"(?:\s*(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?)?"
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _TIME, re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4})" + _TIME, re.ASCII)
_NAMED = re.compile(r"(\d{1,2})([-/. ]?)([A-Za-z]{3})[a-z]*\.?[-/., ]*(\d{4})" + _TIME, re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SERIAL = re.compile(r"[1-9]\d{4}(?:[.,]\d+)?", re.ASCII)
_SHORT = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{1,2}(?!\d)", re.ASCII)
_DAY_ZERO = dt.datetime(1899, 12, 30)


def moment(text: str, where: str, order: Order | None = None) -> dt.datetime:
    """A date, or date and time, from a text.

    Year first (ISO 8601 and ``2019/05/31``), day first with dots (``31.12.2019``), with a month by its English name
    (``31-Dec-2019``), or two numbers and a year between ``/`` or ``-``, where the order must be known. A time zone is
    dropped: clocks of ECG machines are local.

    Args:
        text: Not empty.
        where: What holds it, for a message: ``column 'date'``.
        order: What comes first in ``03/02/2019``; without it such a date is an error.

    Raises:
        HeartprintError: ``bad-date``.
    """
    text = text.strip()
    found = _YEAR_FIRST.fullmatch(text)
    if found:
        return _built(text, where, (found[1], found[3], found[4]), found.groups()[4:])
    found = _YEAR_LAST.fullmatch(text)
    if found:
        day_first = found[2] == "." or order == "day-first"
        if not day_first and order is None:
            raise _bad(text, where, "may have the day or the month first; say which with --dates")
        day, month = (found[1], found[3]) if day_first else (found[3], found[1])
        return _built(text, where, (found[4], month, day), found.groups()[4:])
    found = _NAMED.fullmatch(text)
    if found and found[3].lower() in _MONTHS:
        month = str(_MONTHS.index(found[3].lower()) + 1)
        return _built(text, where, (found[4], month, found[1]), found.groups()[4:])
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise _bad(text, where, _guess(text)) from None


def _built(text: str, where: str, date: tuple[str, str, str], time: tuple[str | None, ...]) -> dt.datetime:
    hour, minute, second, fraction, half = time
    hours = int(hour or 0)
    if half:
        hours = hours % 12 + (12 if half in "pP" else 0)
    try:
        # A leap second is written as 60.
        seconds = min(int(second or 0), 59)
        year, month, day = map(int, date)
        return dt.datetime(year, month, day, hours, int(minute or 0), seconds, int((fraction or "").ljust(6, "0")))
    except ValueError:
        raise _bad(text, where, "is not a day of the calendar") from None


def _guess(text: str) -> str:
    if _SERIAL.fullmatch(text):
        day = _DAY_ZERO + dt.timedelta(days=float(text.replace(",", ".")))
        return f"looks like a spreadsheet's number for {day:%Y-%m-%d}; format its column as a date"
    if _SHORT.match(text):
        return "may have a year of two digits, and nobody knows which of its numbers that is; write it with four"
    return "is not a date like 2019-05-31 or 2019-05-31 14:07:00"


def _bad(text: str, where: str, what: str) -> HeartprintError:
    return HeartprintError("bad-date", f"The date '{text[:40]}' in {where} {what}. Correct it or leave it empty.")


def order_of(text: str) -> Order | Literal["either"] | None:
    """What a date such as ``03/02/2019`` says about its order; None if it leaves no doubt about which day it is."""
    found = _YEAR_LAST.fullmatch(text.strip())
    if not found or found[2] == ".":
        return None
    one, two = int(found[1]), int(found[3])
    if one == two or not (0 < min(one, two) <= 12 and max(one, two) <= 31):
        return None
    return "day-first" if one > 12 else "month-first" if two > 12 else "either"


@dataclass
class Evidence:
    """What the dates of an archive say together about their order: how many say what, and the first that does."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Take note of one date."""
        said = order_of(text)
        if said is not None:
            self.counts[said] = self.counts.get(said, 0) + 1
            self.examples.setdefault(said, text.strip()[:40])

    @property
    def n(self) -> int:
        """Dates whose order matters."""
        return sum(self.counts.values())


def order_of_column(cells: Iterable[str], where: str, given: Order | None) -> Order | None:
    """The order of a table's dates, which no convention fixes; None if it does not matter.

    Args:
        cells: The column.
        where: What to call it in a message.
        given: What the user says; it goes before all else.

    Raises:
        HeartprintError: ``ambiguous-dates`` if they contradict each other, or if none of them tells.
    """
    if given is not None:
        return given
    seen = Evidence()
    for cell in cells:
        seen.add(cell)
    told = [order for order in ORDERS if order in seen.counts]
    if not seen.n or len(told) == 1:
        return told[0] if told else None
    if told:
        shown = " and ".join(f"'{seen.examples[order]}' ({order})" for order in told)
        what = f"are written in two ways: {shown}"
    else:
        what = f"such as '{seen.examples['either']}' may have the day or the month first, and not one of them tells"
    raise HeartprintError(
        "ambiguous-dates",
        f"The dates in {where} {what}. Say it with --dates day-first or --dates month-first, or write them as "
        "2019-05-31.",
    )


def is_dummy(when: dt.datetime) -> bool:
    """Whether software writes this date where there is none: the first day of a calendar or a clock, equal digits."""
    if when.year <= 1 or when.year == 9999 or (when.year, when.month, when.day) == (1111, 11, 11):
        return True
    if (when.year, when.month, when.day) in {(1899, 12, 30), (1899, 12, 31), (1900, 1, 1), (1901, 1, 1)}:
        return True
    # Zero of Unix, which in local time is some other whole hour.
    return (when.year, when.month, when.day) == (1970, 1, 1) and when.minute == when.second == 0


def sound_recording(when: dt.datetime) -> dt.datetime:
    """The same time, or ``dummy-date`` or ``bad-date`` if nothing can have been recorded at it."""
    if is_dummy(when):
        raise HeartprintError(
            "dummy-date", f"The recording has the date {when:%Y-%m-%d}, which software writes for none. Correct it."
        )
    if when.year < EARLIEST_YEAR:
        raise HeartprintError(
            "bad-date", f"The recording has the date {when:%Y-%m-%d}, before there were digital ECGs. Correct it."
        )
    if when > dt.datetime.now() + dt.timedelta(days=1):
        raise HeartprintError(
            "bad-date", f"The recording has the date {when:%Y-%m-%d}, which lies in the future. Correct it."
        )
    return when


def sound_birth(born: dt.datetime) -> dt.datetime:
    """The same date, or ``dummy-date`` or ``bad-date`` if nobody whose ECG was recorded can have been born then."""
    if is_dummy(born):
        raise HeartprintError(
            "dummy-date", f"The patient has the birth date {born:%Y-%m-%d}, which software writes for none. Correct it."
        )
    if born.year < EARLIEST_YEAR - OLDEST or born > dt.datetime.now() + dt.timedelta(days=1):
        raise HeartprintError(
            "bad-date", f"The patient has the birth date {born:%Y-%m-%d}, which cannot be right. Correct it."
        )
    return born
