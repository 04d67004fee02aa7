"""European Data Format, EDF and EDF+ (Kemp et al. 1992; Kemp & Olivan 2003)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.common import (
    Given,
    bad_header,
    moment_of,
    mv_per,
    number,
    positive,
    read_bytes,
    stacked,
    truncated,
)
from heartprint.readers.source import Details, Recording, check_length
from heartprint.signals.lead_names import lead_name, listed, require_unit
from heartprint.tables.fields import Reading

_VERSION = b"0       "
_FIXED = 256
# Width of each field of a signal's header; the header holds a field of all signals, then the next field.
_FIELDS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "filter": 80,
    "samples": 8,
    "reserved": 32,
}
_PER_SIGNAL = sum(_FIELDS.values())

# EDF+: code, sex, date of birth, name. A text in another form, as plain EDF has it, may be a name and is not taken.
_PATIENT = re.compile(r"(\S+) ([MFX]) (\d\d-[A-Za-z]{3}-\d{4}|X)(?: .*)?", re.ASCII)


def looks_like(head: bytes) -> bool:
    """Whether a file begins as an EDF file does: version 0, then readable text."""
    return head.startswith(_VERSION) and len(head) >= _FIXED and head[168:184].replace(b".", b"").strip().isdigit()


def read(path: Path, given: Given) -> Recording:
    """Read an EDF or EDF+ file.

    Signals whose label is not one of the twelve leads ('V1', 'ECG V1', 'Lead V1'; see `lead_name`) are left out.

    Returns:
        Its leads in mV; in EDF+ also patient code, sex, age and equipment, where they are given.

    Raises:
        HeartprintError: ``file-missing``, ``file-too-large``, ``file-truncated``, ``bad-header``, ``bad-unit``,
            ``no-waveform``, ``header-mismatch``, ``unsupported-format``.
    """
    data, name = read_bytes(path), path.name
    if len(data) < _FIXED:
        raise truncated(name)
    reserved = _text(data, 192, 44)
    if reserved.startswith("EDF+D"):
        raise HeartprintError(
            "unsupported-format", f"{name} has gaps between its data records (EDF+D). Export it without (EDF+C)."
        )
    n_signals = _count(_text(data, 252, 4), name, "number of signals")
    n_records = _count(_text(data, 236, 8), name, "number of data records")
    seconds = positive(_text(data, 244, 8), name, "duration of a data record")
    if len(data) < _FIXED + n_signals * _PER_SIGNAL:
        raise truncated(name)
    signals = _signal_headers(data, n_signals)
    widths = [_count(s["samples"], name, "number of samples per record") for s in signals]
    need = 2 * n_records * sum(widths)
    start = _FIXED + n_signals * _PER_SIGNAL
    if len(data) < start + need:
        raise truncated(name)
    records = np.frombuffer(data, dtype="<i2", count=need // 2, offset=start).reshape(n_records, sum(widths))
    ends = np.cumsum(widths)
    names, leads, rates = [], [], set()
    for header, width, end in zip(signals, widths, ends, strict=True):
        known = lead_name(header["label"])
        if known is None or known.negated:
            continue
        require_unit(header["label"], header["unit"], name)
        names.append(known.lead)
        check_length(name, n_records * width)
        rates.add(width / seconds)
        leads.append(_physical(records[:, end - width : end].reshape(-1), header, name))
    if not leads:
        raise HeartprintError(
            "no-waveform",
            f"{name} holds no signal named like a lead (I, ECG V1, Lead aVF), only "
            f"{listed([header['label'] for header in signals])}. Rename its signals.",
        )
    if len(rates) > 1:
        raise HeartprintError(
            "header-mismatch", f"The leads of {name} have different sampling rates. Export them at one rate."
        )
    plus = reserved.startswith("EDF+")
    said = Reading()
    patient = _PATIENT.fullmatch(_text(data, 8, 80)) if plus else None
    machine = _text(data, 88, 80).split() if plus else []
    return Recording(
        stacked(leads, name),
        tuple(names),
        rates.pop(),
        patient_id=_part(patient[1]) if patient else "",
        details=Details(
            recorded_at=said(_recorded_at, data, plus),
            sex=said.sex(_part(patient[2])) if patient else None,
            device=_part(machine[4]) if len(machine) > 4 and machine[0] == "Startdate" else None,
            born=said(moment_of, _part(patient[3])) if patient else None,
            cautions=said.cautions,
            facts=said.facts,
        ),
    )


def _text(data: bytes, start: int, width: int) -> str:
    return data[start : start + width].decode("latin-1").strip(" \0")


def _count(text: str, name: str, what: str) -> int:
    if not re.fullmatch(r"\d{1,8}", text, re.ASCII) or int(text) == 0:
        raise bad_header(name, f"gives '{text}' as the {what}")
    return int(text)


def _signal_headers(data: bytes, n_signals: int) -> list[dict[str, str]]:
    headers: list[dict[str, str]] = [{} for _ in range(n_signals)]
    position = _FIXED
    for field, width in _FIELDS.items():
        for header in headers:
            header[field] = _text(data, position, width)
            position += width
    return headers


def _physical(digital: npt.NDArray[np.int16], header: Mapping[str, str], name: str) -> npt.NDArray[np.float64]:
    low, high = (number(header[f"digital_{end}"] or None, name, f"digital {end}imum") for end in ("min", "max"))
    bottom, top = (number(header[f"physical_{end}"] or None, name, f"physical {end}imum") for end in ("min", "max"))
    if low == high or bottom == top:
        raise bad_header(name, f"gives lead {header['label']} no range, so its amplitude is unknown")
    gain = (top - bottom) / (high - low)
    return np.asarray(((digital - low) * gain + bottom) * mv_per(header["unit"], name), dtype=np.float64)


def _part(word: str) -> str:
    """A sub-field of EDF+, where X means unknown and _ stands for a blank."""
    return "" if word == "X" else word.replace("_", " ")


def _recorded_at(data: bytes, plus: bool) -> dt.datetime | None:
    date, time = _text(data, 168, 8), _text(data, 176, 8)
    if plus:
        # The long form has the century; an X in its place says that the short form is made up.
        words = _text(data, 88, 80).split()
        if words[:1] == ["Startdate"] and len(words) > 1:
            if words[1] == "X":
                return None
            return moment_of(f"{words[1]} {time.replace('.', ':')}")
    if date in ("", "00.00.00"):  # taken out
        return None
    # EDF's two digits mean 1985 to 2084.
    century = "19" if date[-2:] >= "85" else "20"
    return moment_of(f"{date[:-2]}{century}{date[-2:]} {time.replace('.', ':')}")
