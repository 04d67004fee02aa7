"""What the parsers of single files share: files opened with a limit, XML without traps, and the facts in a header."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.wfdb import MV_PER_UNIT
from heartprint.tables import dates, fields
from heartprint.tables.dates import Order

MAX_BYTES = 32 * 2**20
"""Largest file that is opened; a resting ECG has a hundredth of it."""
LEAD_NUMBERS = {
    **dict(enumerate(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"), start=1)),
    **{61: "III", 62: "aVR", 63: "aVL", 64: "aVF"},
}
"""Leads by their number in SCP-ECG, which ISO 11073-10101 (MDC) and so DICOM took over."""

_MAX_XML_BYTES = 8 * 2**20
_MAX_XML_DEPTH = 100
_MAX_XML_ELEMENTS = 100_000
_MAX_XML_ATTRIBUTES = 200_000
_DAYS_PER_YEAR = 365.25
_YEARS_PER_UNIT = {
    "years": 1.0,
    "months": 1 / 12,
    "weeks": 7 / _DAYS_PER_YEAR,
    "days": 1 / _DAYS_PER_YEAR,
    "hours": 1 / 24 / _DAYS_PER_YEAR,
}
# What formats and machines write for an age that is unknown or was not asked.
UNKNOWN_WORDS = frozenset(
    {
        "",
        "?",
        "-",
        "a",
        "n",
        "na",
        "n/a",
        "nasked",
        "not asked",
        "not specified",
        "none",
        "o",
        "other",
        "u",
        "un",
        "unk",
    }
    | {"undetermined", "undifferentiated", "unknown", "unspecified", "x"}
)


@dataclass(frozen=True)
class Given:
    """What the user says of files that cannot say it themselves.

    Args:
        sampling_rate: Hz of ``.npy`` and CSV files; never guessed.
        unit: ``mV``, ``uV``, ``V``, ``nV`` or ``z`` of ``.npy`` and CSV files.
        columns: Lead name to column name of CSV files, for leads whose column is not named like the lead.
        dates: What comes first in a date such as 03-02-2019 in MUSE files; the month, as MUSE writes it, if None.
    """

    sampling_rate: float | None = None
    unit: str = "mV"
    columns: Mapping[str, str] = field(default_factory=dict)
    dates: Order | None = None

    def need_sampling_rate(self, path: Path) -> float:
        """The sampling rate in Hz, or ``missing-sampling-rate``."""
        if self.sampling_rate is None:
            raise HeartprintError(
                "missing-sampling-rate",
                f"{path.name} needs a sampling rate. Add a column 'sampling_rate' or give --sampling-rate.",
            )
        return self.sampling_rate


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """The whole file.

    Raises:
        HeartprintError: ``file-missing`` or ``file-too-large``.
    """
    if not path.is_file():
        raise HeartprintError("file-missing", f"The file {path.name} is missing. Restore it or correct the path.")
    size = path.stat().st_size
    if size > limit:
        raise HeartprintError(
            "file-too-large",
            f"{path.name} has {size:,} bytes; up to {limit:,} are read. Export the resting ECG by itself.",
        )
    return path.read_bytes()


def truncated(name: str) -> HeartprintError:
    """The error for a file that ends before its content does."""
    return HeartprintError("file-truncated", f"{name} ends before its samples do: it was cut short. Fetch it again.")


def bad_header(name: str, what: str) -> HeartprintError:
    """The error for a header that cannot be understood; ``what`` completes 'The header of NAME ...'."""
    return HeartprintError("bad-header", f"The header of {name} {what}. Export the recording again.")


def mv_per(unit: str, name: str) -> float:
    """Millivolts per unit, or ``bad-unit``."""
    factor = MV_PER_UNIT.get(unit.strip().lower())
    if factor is None:
        raise HeartprintError(
            "bad-unit", f"{name} gives samples in '{unit[:40]}', which is no voltage. Export it in mV, uV or V."
        )
    return factor


def number(text: str | None, name: str, what: str) -> float:
    """A finite number from a header, or ``bad-header``."""
    value = None if text is None else fields.number(text.strip()[:40], what, "bad-header")
    if value is None:
        raise bad_header(name, f"does not give the {what}")
    return value


def positive(text: str | None, name: str, what: str) -> float:
    """A number above 0 from a header, or ``bad-header``."""
    value = number(text, name, what)
    if value <= 0:
        raise bad_header(name, f"gives {value:g} as the {what}")
    return value


# Facts about the patient and the recording


def age_of(value: float | None, unit: str = "years") -> float | None:
    """An age in years, or None.

    Raises:
        HeartprintError: ``bad-age``.
    """
    if value is None:
        return None
    if unit.strip().lower() not in _YEARS_PER_UNIT:
        raise HeartprintError("bad-age", f"The file gives an age in '{unit[:40]}'. Correct its unit to years.")
    return fields.age_in_years(str(value * _YEARS_PER_UNIT[unit.strip().lower()]))


def stated_age(text: str, unit: str = "years") -> float | None:
    """An age in years from its text; None where it is empty or a word for unknown.

    Raises:
        HeartprintError: ``bad-age``.
    """
    return None if text.strip().lower() in UNKNOWN_WORDS else age_of(fields.number(text, "age", "bad-age"), unit)


def moment_of(text: str | None, order: Order | None = None) -> dt.datetime | None:
    """A date and time as `dates.moment` reads it, or None where the text is empty.

    Raises:
        HeartprintError: ``bad-date``.
    """
    return dates.moment(text, "the file", order) if text and text.strip() else None


_YEAR_OR_MONTH = re.compile(r"([12]\d{3})(\d\d)?(?:00)?", re.ASCII)
_COMPACT = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6})\d*)?)?)?)?\s*([+-]\d{4})?", re.ASCII
)


def compact_moment(text: str | None) -> dt.datetime | None:
    """A date and time as HL7 and DICOM write them (``20190531140700.000+0200``), or None where the text is empty.

    A year or a month alone, which both allow, is no date: None. The time zone is dropped: clocks of ECG machines, and
    all dates in other formats, are local.

    Raises:
        HeartprintError: ``bad-date``.
    """
    text = (text or "").strip()
    if not text:
        return None
    if _YEAR_OR_MONTH.fullmatch(text):
        return None
    found = _COMPACT.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second = (int(found[i] or 0) for i in range(1, 7))
        # A leap second is written as 60.
        return dt.datetime(year, month, day, hour, minute, min(second, 59), int((found[7] or "").ljust(6, "0")))
    except ValueError as error:
        raise HeartprintError(
            "bad-date", f"The file gives the date '{text[:40]}', which is not in the calendar. Correct the file."
        ) from error


def birth_of(text: str | None) -> dt.datetime | None:
    """A date of birth as HL7 and DICOM write it, or None where the text is empty.

    Of a year alone (``1955``, ``19550000``) it is the middle, of a month (``195506``) likewise: an age is then right to
    a year.

    Raises:
        HeartprintError: ``bad-date``.
    """
    text = (text or "").strip()
    rough = _YEAR_OR_MONTH.fullmatch(text)
    if rough is None:
        return compact_moment(text)
    month = int(rough[2] or 0)
    return dt.datetime(int(rough[1]), month, 15) if 1 <= month <= 12 else dt.datetime(int(rough[1]), 7, 1)


_ID_TAGS = frozenset({"patientid", "patient_id", "mrn"})


def ids_below(element: Element | None) -> list[str]:
    """Texts of all elements that vendors call a patient's id, wherever they stand."""
    return [] if element is None else [e.text or "" for e in element.iter() if e.tag.lower() in _ID_TAGS]


def only_id(found: Iterable[str]) -> str:
    """The one patient id among what a file has in several places; empty where there is none, or two that differ."""
    different = {text for one in found if (text := " ".join(one.split()))}
    return different.pop() if len(different) == 1 else ""


# XML


class _Guarded(TreeBuilder):
    """Builds a tree without namespaces; a tree that is too deep or too large is an error."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._count = 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self._depth += 1
        self._count += 1
        if self._depth > _MAX_XML_DEPTH or self._count > _MAX_XML_ELEMENTS:
            raise _TooMuch
        return super().start(_local(tag), {_local(name): value for name, value in attrs.items()})

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(_local(tag))


class _TooMuch(Exception):
    pass


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def read_xml(path: Path) -> Element:
    """The root element of an XML file; tags and attributes without their namespaces.

    Entities of the file's own, external references and trees of more than 100 levels, 100,000 elements or 200,000
    attributes are refused.

    Raises:
        HeartprintError: ``file-missing``, ``file-too-large``, ``unsafe-xml`` or ``bad-xml``.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser

    data = read_bytes(path, _MAX_XML_BYTES)
    parser = DefusedXMLParser(target=_Guarded())
    try:
        # An element's attributes come all at once, too late to be counted.
        if data.count(b"=") > _MAX_XML_ATTRIBUTES:
            raise _TooMuch
        parser.feed(data)
        root = parser.close()
    except (DefusedXmlException, _TooMuch) as error:
        raise HeartprintError(
            "unsafe-xml",
            f"{path.name} declares entities, refers to other files, or is nested or split beyond reason; no ECG "
            "machine writes such XML. Export the recording again.",
        ) from error
    except (ParseError, ValueError, LookupError, AssertionError) as error:
        raise HeartprintError(
            "bad-xml", f"{path.name} is not whole, well-formed XML ({error}). Export the recording again."
        ) from error
    if not isinstance(root, Element):
        raise HeartprintError("bad-xml", f"{path.name} holds no XML element. Export the recording again.")
    return root


_ROOT = re.compile(r"<(?![?!])(?:[\w.-]+:)?([\w.-]+)")


def xml_root_name(head: bytes) -> str:
    """The root element's name from the first bytes of a file, in UTF-8, UTF-16 or a one-byte encoding; else empty."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = head.decode("utf-16", errors="replace")
    elif head[:4] in (b"<\0?\0", b"\0<\0?"):
        text = head.decode("utf-16-le" if head[0] else "utf-16-be", errors="replace")
    else:
        text = head.decode("latin-1").removeprefix("ï»¿")
    if not text.lstrip().startswith("<"):
        return ""
    found = _ROOT.search(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL))
    return found[1] if found else ""


def text_at(element: Element | None, path: str) -> str:
    """The stripped text of the first element at a path; empty if there is none."""
    return "" if element is None else (element.findtext(path) or "").strip()


def from_base64(text: str, name: str) -> bytes:
    """Bytes from base64 with any white space, or ``bad-header``."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise HeartprintError(
            "unreadable-file", f"The samples of {name} are not base64 ({error}). Export the recording again."
        ) from error


def numbers(text: str, name: str) -> npt.NDArray[np.float64]:
    """``(n,)`` numbers between white space, or ``unreadable-file``."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(text, dtype=np.float64, sep=" ")
        except (ValueError, DeprecationWarning) as error:
            raise HeartprintError(
                "unreadable-file", f"The samples of {name} are not all numbers. Export the recording again."
            ) from error


def stacked(leads: list[npt.NDArray[np.float64]], name: str) -> npt.NDArray[np.float64]:
    """``(k, n)`` from k leads of equal length, or ``header-mismatch``."""
    if len({len(lead) for lead in leads}) != 1:
        raise HeartprintError(
            "header-mismatch",
            f"{name} has leads of different lengths ({', '.join(str(len(lead)) for lead in leads[:12]) or 'none'}). "
            "Export the recording again.",
        )
    return np.stack(leads)
