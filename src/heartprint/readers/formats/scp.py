"""SCP-ECG (EN 1064:2005, ISO 11073-91064:2009): sections 0 to 6.

Read: the default and own Huffman tables (section 2), none, first and second differences, and reference-beat
subtraction (sections 4 and 5). Not read: bimodal compression, where all but the QRS is thinned out by four; such a
recording is refused. Every section's checksum is verified.
"""

from __future__ import annotations

import binascii
import datetime as dt
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.common import (
    LEAD_NUMBERS,
    Given,
    age_of,
    bad_header,
    read_bytes,
    truncated,
)
from heartprint.readers.people import age_at
from heartprint.readers.source import Details, Recording
from heartprint.tables.fields import Reading

_RECORD_HEADER = 6
_SECTION_HEADER = 16
_DEFAULT_TABLE = 19999
_AGE_UNITS = {1: "years", 2: "months", 3: "weeks", 4: "days", 5: "hours"}
_SEXES = {1: "male", 2: "female"}
_PATIENT, _AGE, _BORN, _SEX, _MACHINE, _DATE, _TIME, _END = 2, 4, 5, 8, 14, 25, 26, 255
# Longest prefix that is looked up in one step; real tables end at 10 bits.
_MAX_PREFIX = 16
# Python unpacks about a million samples a second; a resting ECG is far from these.
_MOST_LEADS, _MOST_SAMPLES, _MOST_BEATS, _MOST_CODES = 16, 100_000, 1000, 1000


def looks_like(head: bytes) -> bool:
    """Whether a file begins as an SCP-ECG record does: a section 0 that names the format or at least its own length."""
    if len(head) < _RECORD_HEADER + _SECTION_HEADER:
        return False
    section_id, length = struct.unpack_from("<HI", head, _RECORD_HEADER + 2)
    return head[16:22] == b"SCPECG" or (
        section_id == 0 and 136 <= length <= 4096 and length % 10 == 6 and head[6:8] != b"\0\0"
    )


def read(path: Path, given: Given) -> Recording:
    """Read an SCP-ECG record.

    Returns:
        Its rhythm in mV; patient id, age (from the date of birth, else as given), sex, date and machine.

    Raises:
        HeartprintError: ``file-missing``, ``file-too-large``, ``file-truncated``, ``bad-checksum``, ``bad-header``,
            ``no-waveform``, ``unsupported-format``, ``unreadable-file``.
    """
    data, name = read_bytes(path), path.name
    try:
        sections = _sections(data, name)
        facts = _facts(sections.get(1, b""))
        signal, names, rate = _rhythm(sections, name)
    except (struct.error, IndexError) as error:
        raise truncated(name) from error
    return Recording(
        signal,
        names,
        rate,
        patient_id=_text(facts.get(_PATIENT, b"")),
        details=_details(facts),
    )


def _details(facts: Mapping[int, bytes]) -> Details:
    said = Reading()
    recorded_at = said(_date, facts.get(_DATE, b""), facts.get(_TIME, b""))
    born = said(_date, facts.get(_BORN, b""))
    return Details(
        recorded_at=recorded_at,
        age=said(_stated_age, facts) if age_at(recorded_at, born) is None else None,
        sex=_SEXES.get(facts.get(_SEX, b"\0")[0] if facts.get(_SEX) else 0),
        device=_text(facts.get(_MACHINE, b"")[8:14]) or None,
        born=born,
        cautions=said.cautions,
    )


def _sections(data: bytes, name: str) -> dict[int, bytes]:
    """Section number to content, without the sections' headers."""
    _, length = struct.unpack_from("<HI", data)
    if length > len(data):
        raise truncated(name)
    sections = {}
    _, zero_id, zero_length = struct.unpack_from("<HHI", data, _RECORD_HEADER)
    if zero_id != 0 or zero_length > len(data):
        raise bad_header(name, "does not begin with the pointers to its sections")
    for position in range(_RECORD_HEADER + _SECTION_HEADER, _RECORD_HEADER + zero_length - 9, 10):
        section_id, length, index = struct.unpack_from("<HII", data, position)
        if length <= _SECTION_HEADER or not 1 <= section_id <= 6:
            continue
        section = data[index - 1 : index - 1 + length] if index else b""
        if len(section) != length:
            raise truncated(name)
        checksum, own_id, own_length = struct.unpack_from("<HHI", section)
        if own_id != section_id or own_length != length:
            raise bad_header(name, f"points to section {section_id} where section {own_id} lies")
        if binascii.crc_hqx(section[2:], 0xFFFF) != checksum:
            raise HeartprintError(
                "bad-checksum",
                f"Section {section_id} of {name} does not have its checksum: the file was changed. Fetch it again.",
            )
        sections[section_id] = section[_SECTION_HEADER:]
    return sections


def _facts(section: bytes) -> dict[int, bytes]:
    """Tag to value of section 1; of repeated tags the first."""
    facts: dict[int, bytes] = {}
    position = 0
    while position + 3 <= len(section) and section[position] != _END:
        tag, length = struct.unpack_from("<BH", section, position)
        facts.setdefault(tag, section[position + 3 : position + 3 + length])
        position += 3 + length
    return facts


def _text(value: bytes) -> str:
    value = value.partition(b"\0")[0]
    try:
        return " ".join(value.decode("utf-8").split())
    except UnicodeDecodeError:
        return " ".join(value.decode("latin-1").split())


def _date(value: bytes, time: bytes = b"") -> dt.datetime | None:
    if len(value) < 4:
        return None
    year, month, day = struct.unpack_from("<HBB", value)
    if (year, month, day) == (0, 0, 0):
        return None
    hour, minute, second = time[:3] if len(time) >= 3 else (0, 0, 0)
    try:
        return dt.datetime(year, month, day, hour, minute, second)
    except ValueError as error:
        raise HeartprintError(
            "bad-date", f"The file gives the date {year}-{month}-{day} {hour}:{minute}:{second}. Correct the file."
        ) from error


def _stated_age(facts: Mapping[int, bytes]) -> float | None:
    value = facts.get(_AGE, b"")
    if len(value) >= 3 and value[2] in _AGE_UNITS:
        return age_of(float(struct.unpack_from("<H", value)[0]), _AGE_UNITS[value[2]])
    return None


@dataclass(frozen=True)
class _Span:
    """One lead of section 3: its name and its first and last sample, counted from 1."""

    name: str
    start: int
    end: int

    @property
    def n_samples(self) -> int:
        return self.end - self.start + 1


def _rhythm(sections: Mapping[int, bytes], name: str) -> tuple[npt.NDArray[np.float64], tuple[str, ...], float]:
    if 3 not in sections or 6 not in sections:
        raise HeartprintError("no-waveform", f"{name} has no rhythm (sections 3 and 6). Export it with its rhythm.")
    spans, subtracted = _spans(sections[3], name)
    tables = _tables(sections[2], name) if 2 in sections else None
    nv, step_us, differences, bimodal = struct.unpack_from("<HHBB", sections[6])
    if nv == 0 or step_us == 0:
        raise bad_header(name, f"gives {nv} nV as a step and {step_us} us between samples")
    if bimodal:
        raise HeartprintError(
            "unsupported-format",
            f"{name} is compressed bimodally: outside the QRS only every fourth sample is there. Export it otherwise.",
        )
    first, last = min(s.start for s in spans), max(s.end for s in spans)
    lengths = [s.n_samples for s in spans]
    leads = _leads(sections[6], differences, lengths, tables, name)
    microvolts = [lead * (nv / 1000) for lead in leads]
    if subtracted:
        _add_reference_beat(microvolts, spans, sections, tables, step_us, name)
    signal = np.full((len(spans), last - first + 1), np.nan)
    for row, span, lead in zip(signal, spans, microvolts, strict=True):
        row[span.start - first : span.end - first + 1] = lead / 1000
    return signal, tuple(s.name for s in spans), 1e6 / step_us


def _spans(section: bytes, name: str) -> tuple[list[_Span], bool]:
    count, flags = struct.unpack_from("<BB", section)
    spans = []
    for i in range(count):
        start, end, lead = struct.unpack_from("<IIB", section, 2 + 9 * i)
        if not 0 < start <= end:
            raise bad_header(name, f"lets a lead run from sample {start} to sample {end}")
        spans.append(_Span(LEAD_NUMBERS.get(lead, f"lead {lead}"), start, end))
    if not spans:
        raise bad_header(name, "names no leads")
    last = max(s.end for s in spans)
    if len(spans) > _MOST_LEADS or last - min(s.start for s in spans) >= _MOST_SAMPLES:
        raise HeartprintError(
            "file-too-large",
            f"{name} says that it has {len(spans)} leads up to sample {last:,}; up to {_MOST_LEADS} of "
            f"{_MOST_SAMPLES:,} samples are read. Export the resting ECG by itself.",
        )
    return spans, bool(flags & 1)


def _leads(
    section: bytes, differences: int, lengths: list[int], tables: list[_Table] | None, name: str
) -> list[npt.NDArray[np.float64]]:
    """The leads of section 5 or 6 in steps: sizes in bytes after 6 bytes of header, then the data one by one."""
    if differences > 2:
        raise bad_header(name, f"gives {differences} as the order of differences")
    sizes = struct.unpack_from(f"<{len(lengths)}H", section, 6)
    position = 6 + 2 * len(lengths)
    leads = []
    for size, n in zip(sizes, lengths, strict=True):
        data = section[position : position + size]
        if len(data) != size:
            raise truncated(name)
        position += size
        if tables is not None:
            values = _huffman(data, n, tables, name)
        elif size >= 2 * n:
            values = np.frombuffer(data, dtype="<i2", count=n).astype(np.int64)
        else:
            raise truncated(name)
        if differences == 2 and n > 1:
            # The first two samples are stored as they are, not as differences.
            values[1] -= values[0]
            values[1:] = np.cumsum(values[1:])
        if differences:
            values = np.cumsum(values)
        leads.append(values.astype(np.float64))
    return leads


def _add_reference_beat(
    microvolts: list[npt.NDArray[np.float64]],
    spans: list[_Span],
    sections: Mapping[int, bytes],
    tables: list[_Table] | None,
    step_us: int,
    name: str,
) -> None:
    """Give back to each beat of type 0 what was taken from it: the reference beat, fiducial point on fiducial point."""
    if 4 not in sections or 5 not in sections:
        raise bad_header(name, "says that a reference beat was subtracted, but sections 4 and 5 are not there")
    milliseconds, fiducial, n_beats = struct.unpack_from("<HHH", sections[4])
    nv, beat_step_us, differences = struct.unpack_from("<HHB", sections[5])
    if beat_step_us != step_us:
        raise HeartprintError(
            "unsupported-format", f"{name} has a reference beat of another sampling rate. Export it without."
        )
    n = milliseconds * 1000 // step_us
    if n_beats > _MOST_BEATS or n > _MOST_SAMPLES:
        raise bad_header(name, f"announces {n_beats} beats of {n} samples")
    beats = _leads(sections[5], differences, [n] * len(spans), tables, name)
    for i in range(n_beats):
        kind, start, own_fiducial, end = struct.unpack_from("<HIII", sections[4], 6 + 14 * i)
        if kind != 0:
            continue
        for lead, span, beat in zip(microvolts, spans, beats, strict=True):
            # Sample numbers count from 1; sample own_fiducial lies on the beat's sample number fiducial.
            low = max(start, span.start, own_fiducial - fiducial + 1)
            high = min(end, span.end, own_fiducial - fiducial + n)
            if low <= high:
                at = low - own_fiducial + fiducial - 1
                lead[low - span.start : high - span.start + 1] += beat[at : at + high - low + 1] * (nv / 1000)


# Huffman codes


@dataclass(frozen=True)
class _Code:
    """A code of a table: after its prefix it stands for a value, for a switch of table, or for the bits that follow."""

    prefix_bits: int
    value: int
    literal_bits: int = 0
    switch_to: int | None = None


_Table = list[_Code | None]
"""Code by the next `_MAX_PREFIX` bits of the data."""


@cache
def _default_table() -> _Table:
    """The standard's table: 0 for 0, then 1...10 for 1, 1...11 for -1 and so on up to 8, then 8 and 16 literal bits."""
    codes = [(1, 0b0, _Code(1, 0))]
    for size in range(1, 9):
        prefix = ((1 << size) - 1) << 2
        bits = size + 2
        codes += [(bits, prefix, _Code(bits, size)), (bits, prefix | 1, _Code(bits, -size))]
    codes += [(10, 0b1111111110, _Code(10, 0, 8)), (10, 0b1111111111, _Code(10, 0, 16))]
    return _by_prefix(codes)


def _by_prefix(codes: list[tuple[int, int, _Code]]) -> _Table:
    table: _Table = [None] * (1 << _MAX_PREFIX)
    for bits, prefix, code in codes:
        low = prefix << (_MAX_PREFIX - bits)
        table[low : low + (1 << (_MAX_PREFIX - bits))] = [code] * (1 << (_MAX_PREFIX - bits))
    return table


def _tables(section: bytes, name: str) -> list[_Table]:
    (count,) = struct.unpack_from("<H", section)
    if count == _DEFAULT_TABLE:
        return [_default_table()]
    tables = []
    position = 2
    if not 0 < count <= 16:
        raise bad_header(name, f"announces {count} Huffman tables")
    for _ in range(count):
        (n_codes,) = struct.unpack_from("<H", section, position)
        position += 2
        if n_codes > _MOST_CODES:
            raise bad_header(name, f"has a Huffman table of {n_codes:,} codes")
        codes = []
        for _ in range(n_codes):
            prefix_bits, all_bits, keep, value, stored = struct.unpack_from("<BBBhI", section, position)
            position += 9
            if not 0 < prefix_bits <= _MAX_PREFIX or not prefix_bits <= all_bits <= prefix_bits + 32:
                raise bad_header(name, f"has a Huffman code of {prefix_bits} and {all_bits} bits")
            # The first bit of a prefix is the lowest bit of the stored number.
            prefix = int(f"{stored & ((1 << prefix_bits) - 1):0{prefix_bits}b}"[::-1], 2)
            code = _Code(prefix_bits, value, all_bits - prefix_bits, None if keep else value)
            codes.append((prefix_bits, prefix, code))
        tables.append(_by_prefix(codes))
    return tables


def _huffman(data: bytes, n: int, tables: list[_Table], name: str) -> npt.NDArray[np.int64]:
    """``(n,)`` values; bits are taken from the highest of each byte on."""
    if n > 8 * len(data):
        raise truncated(name)
    table = tables[0]
    values = np.empty(n, dtype=np.int64)
    held, n_held, position, n_values = 0, 0, 0, 0
    end = len(data)
    while n_values < n:
        while n_held < 2 * _MAX_PREFIX + 16:
            # Behind the end come zeros, so that the last code can be looked up; using them is an error.
            held = held << 8 | (data[position] if position < end else 0)
            position += 1
            n_held += 8
        code = table[held >> (n_held - _MAX_PREFIX)]
        if code is None:
            raise HeartprintError(
                "unreadable-file", f"The compressed samples of {name} hold an unknown code. Export the recording again."
            )
        n_held -= code.prefix_bits
        held &= (1 << n_held) - 1
        if code.switch_to is not None:
            if not 1 <= code.switch_to <= len(tables):
                raise bad_header(name, f"switches to a Huffman table number {code.switch_to}")
            table = tables[code.switch_to - 1]
        elif code.literal_bits:
            n_held -= code.literal_bits
            literal = held >> n_held
            held &= (1 << n_held) - 1
            values[n_values] = literal - (1 << code.literal_bits if literal >> (code.literal_bits - 1) else 0)
            n_values += 1
        else:
            values[n_values] = code.value
            n_values += 1
        if 8 * position - n_held > 8 * end:
            raise truncated(name)
    return values
