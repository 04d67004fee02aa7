"""DICOM waveforms (PS3.3 A.34 and C.10.9): 12-lead, general and ambulatory ECG storage."""

from __future__ import annotations

import datetime as dt
import re
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.picture_documents import begins_like_dicom
from heartprint.readers.formats.common import (
    LEAD_NUMBERS,
    UNKNOWN_WORDS,
    Given,
    age_of,
    bad_header,
    birth_of,
    compact_moment,
    mv_per,
    only_id,
    read_bytes,
    truncated,
)
from heartprint.readers.formats.several import ENOUGH_LEADS, choose, joined
from heartprint.readers.people import settled
from heartprint.readers.source import Details, Recording, check_length
from heartprint.signals.lead_names import lead_name
from heartprint.tables.dates import is_dummy
from heartprint.tables.fields import Reading

# Uncompressed; a deflated data set could unpack to any size, and waveforms have no other encapsulation.
_TRANSFER_SYNTAXES = {"1.2.840.10008.1.2": "<", "1.2.840.10008.1.2.1": "<", "1.2.840.10008.1.2.2": ">"}
_SAMPLE_TYPES = {"SB": "i1", "UB": "u1", "SS": "i2", "US": "u2", "SL": "i4", "UL": "u4"}
# As SCP-ECG's (5.6.3-9-61), as MDC's part and code (2:61), or as MDC's two in one number (2 * 65536 + 61).
_CODED = re.compile(r"(?:5\.6\.3-9-|2:)(\d{1,3})|(131\d{3})")
_MDC_ECG = 2 * 65536
_AGE = re.compile(r"(\d{1,3})\s*([YMWD]?)", re.IGNORECASE)
_AGE_UNITS = {"": "years", "Y": "years", "M": "months", "W": "weeks", "D": "days"}
_IMPLICIT = "1.2.840.10008.1.2"
# Media Storage SOP Class UID, and what it is of images, of encapsulated documents and of waveforms (PS3.4, B.5).
_STORED_AS = b"\2\0\2\0UI"
_PICTURES = tuple(f"1.2.840.10008.5.1.4.1.1.{kind}" for kind in ("1", "2", "3", "4", "6", "7", "12", "77", "104."))
_WAVEFORMS = "1.2.840.10008.5.1.4.1.1.9."


def looks_like(head: bytes) -> bool:
    """Whether a file begins as a DICOM file does, with or without its preamble."""
    return begins_like_dicom(head)


def read(path: Path, given: Given) -> Recording:
    """Read a DICOM ECG.

    Multiplex groups of one rate, length and start with leads of their own are one recording. Of several recordings
    with at least eight of the twelve leads the rhythm is taken, not the median beat; see `choose`.

    Returns:
        Its leads in mV after sensitivity, correction factor and baseline, padding as NaN; patient id, age, sex,
        date, model and institution where they are given.

    Raises:
        HeartprintError: ``file-missing``, ``file-too-large``, ``unreadable-file``, ``unsupported-format``,
            ``no-waveform``, ``bad-header``, ``bad-unit``, ``duplicate-lead`` or ``file-truncated``.
    """
    data, name = read_bytes(path), path.name
    try:
        with warnings.catch_warnings():
            # pydicom warns of values that break the standard; what matters of them is checked here.
            warnings.simplefilter("ignore")
            _send_pictures_on(data, name)
            return _read(path, data)
    except (HeartprintError, MemoryError):
        raise
    except Exception as error:
        # pydicom meets a damaged file with many kinds of error; none of them is ours to tell apart.
        raise HeartprintError(
            "unreadable-file",
            f"{name} is not a whole DICOM file ({type(error).__name__}: {str(error)[:200]}). Export it again.",
        ) from error


def _read(path: Path, data: bytes) -> Recording:
    import pydicom

    name = path.name
    # Before anything is read: pydicom unpacks a deflated data set whole.
    syntax = _transfer_syntax(data)
    if syntax not in _TRANSFER_SYNTAXES:
        raise HeartprintError(
            "unsupported-format", f"{name} has the compressed transfer syntax {syntax}. Export it uncompressed."
        )
    dataset = pydicom.dcmread(BytesIO(data), force=True, stop_before_pixels=True)
    every = list(dataset.get("WaveformSequence", None) or [])
    together = joined(every, lambda g: (_timing(g), _leads_of([g])), name)
    recordings = [r for r in together if _n_channels(r) >= ENOUGH_LEADS]
    if not recordings:
        some = [len(_lead_names(g, name)) for g in every]
        raise HeartprintError(
            "no-waveform",
            f"{name} holds no waveform. If it holds a picture or a PDF, use 'heartprint ingest images'; else export it "
            "with its waveforms."
            if not any(some)
            else f"No group of waveforms in {name} holds {ENOUGH_LEADS} of the twelve leads (they hold "
            f"{', '.join(map(str, some[:12]))}). Export all leads in one group.",
        )
    taken, cautions = choose([(len(_leads_of(r)), _seconds(r[0])) for r in recordings], name)
    groups = recordings[taken]
    parts = [_signal(group, _TRANSFER_SYNTAXES[syntax], name) for group in groups]
    return Recording(
        np.concatenate([signal for signal, _ in parts]),
        tuple(lead for _, names in parts for lead in names),
        float(groups[0].SamplingFrequency),
        cautions=cautions,
        patient_id=_text(dataset, "PatientID") or _other_id(dataset),
        details=details_of(dataset),
    )


def _transfer_syntax(data: bytes) -> str:
    """What the meta information says, with or without preamble; without it, the default (PS3.5, 10.1)."""
    from pydicom.filereader import data_element_generator

    start = 132 if data[128:132] == b"DICM" else 0
    if data[start : start + 2] != b"\2\0":
        return _IMPLICIT
    meta = data_element_generator(BytesIO(data[start:]), False, True, lambda tag, vr, length: tag >> 16 != 2)
    found = next((element for element in meta if element.tag == 0x00020010), None)
    return _IMPLICIT if found is None else bytes(found.value or b"").decode("ascii", "replace").strip("\0 ")


def _other_id(dataset: Any) -> str:
    """The patient's id where it stands among the others only."""
    others = dataset.get("OtherPatientIDsSequence", None) or []
    listed = str(dataset.get("OtherPatientIDs", None) or "").split("\\")
    return only_id([*(_text(item, "PatientID") for item in others), *listed])


def details_of(dataset: Any) -> Details:
    """What a data set, or a dictionary with its texts by keyword, says of patient and recording."""
    said = Reading()
    details = Details(
        recorded_at=said(_recorded_at, dataset),
        age=said(_age, dataset),
        sex=said.sex(_text(dataset, "PatientSex")),
        site=_text(dataset, "InstitutionName") or None,
        device=_text(dataset, "ManufacturerModelName") or _text(dataset, "Manufacturer") or None,
        born=said(birth_of, _text(dataset, "PatientBirthDate").replace(".", "")),
        cautions=said.cautions,
        facts=said.facts,
    )
    return settled(details, shifted_dates=False)


def _timing(group: Any) -> tuple[float, int, float]:
    """What all groups of one recording have in common: rate, length and start."""
    start = float(group.get("MultiplexGroupTimeOffset", None) or 0)
    return float(group.SamplingFrequency), int(group.NumberOfWaveformSamples), start


def _seconds(group: Any) -> float:
    rate = float(group.SamplingFrequency)
    return int(group.NumberOfWaveformSamples) / rate if rate > 0 else 0.0


def _leads_of(groups: list[Any]) -> set[str]:
    return {lead for group in groups for lead in _lead_names(group).values()}


def _n_channels(groups: list[Any]) -> int:
    return sum(len(_lead_names(group)) for group in groups)


def _lead_names(group: Any, name: str = "The file") -> dict[int, str]:
    """Channel number to lead name, for the channels that are one of the twelve leads.

    Raises:
        HeartprintError: ``bad-header`` where code and words of a channel say different leads.
    """
    leads = ((i, _lead_of(channel, name)) for i, channel in enumerate(group.ChannelDefinitionSequence))
    return {i: lead for i, lead in leads if lead is not None}


def _lead_of(channel: Any, name: str) -> str | None:
    source = (channel.get("ChannelSourceSequence", None) or [{}])[0]
    code = _text(source, "CodeValue")
    words = [code, _text(source, "CodeMeaning"), _text(channel, "ChannelLabel")]
    named = next((known for known in map(lead_name, words) if known), None)
    spelled = None if named is None or named.negated else named.lead
    coded = _CODED.fullmatch(code)
    number = 0 if coded is None else int(coded[1]) if coded[1] else int(coded[2]) - _MDC_ECG
    if number == 0:  # no code, or the code of a lead that is not specified
        return spelled
    lead = LEAD_NUMBERS.get(number)
    if named is not None and spelled != lead:
        raise bad_header(name, f"has a channel with the code of {lead or 'another lead'} ({code}) called '{words[1]}'")
    return lead


def _signal(group: Any, order: str, name: str) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    k, n = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    kind = _SAMPLE_TYPES.get(str(group.WaveformSampleInterpretation))
    if kind is None or int(group.WaveformBitsAllocated) != 8 * int(kind[1]):
        raise bad_header(name, "describes samples that are no whole numbers of 8, 16 or 32 bits")
    if not 0 < k <= 1000 or n <= 0 or len(group.ChannelDefinitionSequence) != k:
        raise bad_header(name, f"promises {k} channels and describes {len(group.ChannelDefinitionSequence)}")
    check_length(name, n)
    raw = bytes(group.WaveformData)
    dtype = np.dtype(order + kind)
    if len(raw) < k * n * dtype.itemsize:
        raise truncated(name)
    names = _lead_names(group, name)
    if len(set(names.values())) < len(names):
        raise HeartprintError("duplicate-lead", f"{name} holds a lead twice in one group. Export the recording again.")
    digital = np.frombuffer(raw, dtype, count=k * n).reshape(n, k).T[list(names)]
    channels = [group.ChannelDefinitionSequence[i] for i in names]
    signal = np.stack([_calibrated(row, channel, name) for row, channel in zip(digital, channels, strict=True)])
    padding = group.get("WaveformPaddingValue", None)
    if padding is not None:
        value = np.frombuffer(padding, dtype)[0] if isinstance(padding, bytes) else padding
        signal[_padded(digital, int(value))] = np.nan
    return signal, tuple(names.values())


def _padded(digital: npt.NDArray[Any], value: int) -> npt.NDArray[np.bool_]:
    """``(k, n)``: samples that were not recorded (PS3.3, C.10.9.1.5).

    Padding stands in all channels before the start or after the end; in between the same number is a voltage, often
    that of 0 mV. The lowest or highest number of a wide type is no voltage anywhere.
    """
    same = digital == value
    limits = np.iinfo(digital.dtype)
    if limits.bits > 8 and limits.min < 0 and value in (limits.min, limits.max):
        return np.asarray(same)
    recorded = np.flatnonzero(~same.all(axis=0))
    first, last = (recorded[0], recorded[-1]) if len(recorded) else (same.shape[1], same.shape[1])
    ends = np.zeros(same.shape, dtype=np.bool_)
    ends[:, :first] = ends[:, last + 1 :] = True
    return ends


def _calibrated(row: npt.NDArray[Any], channel: Any, name: str) -> npt.NDArray[np.float64]:
    if channel.get("ChannelSensitivity", None) is None:
        raise bad_header(name, "gives no sensitivity for its channels: the amplitude is unknown")
    unit = _text((channel.get("ChannelSensitivityUnitsSequence", None) or [{}])[0], "CodeValue")
    gain = float(channel.ChannelSensitivity) * float(channel.get("ChannelSensitivityCorrectionFactor", None) or 1)
    baseline = float(channel.get("ChannelBaseline", None) or 0)
    return np.asarray((row * gain + baseline) * mv_per(unit, name), dtype=np.float64)


def _text(item: Any, keyword: str) -> str:
    value = item.get(keyword, None)
    return "" if value is None else " ".join(str(value).split())


def _recorded_at(dataset: Any) -> dt.datetime | None:
    texts = [_text(dataset, "AcquisitionDateTime")]
    for kind in ("Acquisition", "Content", "Study"):
        date = _text(dataset, f"{kind}Date").replace(".", "")
        texts.append(date + _text(dataset, f"{kind}Time").replace(":", "") if date else "")
    first: dt.datetime | None = None
    for text in filter(None, texts):
        when = compact_moment(text)
        if when is None or not is_dummy(when):
            return first if when is None and first else when
        # De-identified in one place, and perhaps not in another.
        first = first or when
    return first


def _age(dataset: Any) -> float | None:
    text = _text(dataset, "PatientAge")
    found = _AGE.fullmatch(text)
    if found:
        return age_of(float(found[1]), _AGE_UNITS[found[2].upper()])
    if text.lower() in UNKNOWN_WORDS:
        return None
    raise HeartprintError("bad-age", f"The file gives the age '{text[:20]}', not one like 064Y. Correct the file.")


def _send_pictures_on(data: bytes, name: str) -> None:
    """Name the command that reads pictures, before fault is found with how a picture is compressed."""
    at = data.find(_STORED_AS, 0, 1024)
    if at < 0:
        return
    length = int.from_bytes(data[at + 6 : at + 8], "little")
    kind = data[at + 8 : at + 8 + length].decode("ascii", "replace").strip("\0 ")
    if kind.startswith(_PICTURES) and not kind.startswith(_WAVEFORMS):
        raise HeartprintError(
            "no-waveform",
            f"{name} holds a picture or a PDF and no waveform. List it in a table and take it in with 'heartprint "
            "ingest images', or export it with its waveforms.",
        )
