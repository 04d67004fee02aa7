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

from heartprint.cohorts.leads import LEADS_12
from heartprint.cohorts.readers.dates import is_dummy
from heartprint.cohorts.readers.fields import Reading
from heartprint.cohorts.readers.formats.common import (
    ENOUGH_LEADS,
    LEAD_NUMBERS,
    UNKNOWN_WORDS,
    Given,
    age_of,
    bad_header,
    birth_of,
    compact_moment,
    further_rhythms,
    mv_per,
    read_bytes,
    truncated,
)
from heartprint.cohorts.readers.people import settled
from heartprint.cohorts.readers.source import Details, Recording, check_length
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.picture_documents import begins_like_dicom

# Uncompressed; a deflated data set could unpack to any size, and waveforms have no other encapsulation.
_TRANSFER_SYNTAXES = {"1.2.840.10008.1.2": "<", "1.2.840.10008.1.2.1": "<", "1.2.840.10008.1.2.2": ">"}
_SAMPLE_TYPES = {"SB": "i1", "UB": "u1", "SS": "i2", "US": "u2", "SL": "i4", "UL": "u4"}
# As SCP-ECG's (5.6.3-9-61), as MDC's part and code (2:61), or as MDC's two in one number (2 * 65536 + 61).
_CODED = re.compile(r"(?:5\.6\.3-9-|2:)(\d{1,3})|(131\d{3})")
_MDC_ECG = 2 * 65536
_NAMED = re.compile(
    r"(?:.*\b(?:lead|derivation)\s+|MDC_ECG_LEAD_)?(III|II|I|aVR|aVL|aVF|V[1-6])(?:\s*\(.*)?", re.IGNORECASE
)
# Media Storage SOP Class UID, and what it is of images, of encapsulated documents and of waveforms (PS3.4, B.5).
_STORED_AS = b"\2\0\2\0UI"
_PICTURES = tuple(f"1.2.840.10008.5.1.4.1.1.{kind}" for kind in ("1", "2", "3", "4", "6", "7", "12", "77", "104."))
_WAVEFORMS = "1.2.840.10008.5.1.4.1.1.9."
_AGE = re.compile(r"(\d{1,3})\s*([YMWD]?)", re.IGNORECASE)
_AGE_UNITS = {"": "years", "Y": "years", "M": "months", "W": "weeks", "D": "days"}
_IMPLICIT = "1.2.840.10008.1.2"
_LONGEST_BEAT_S = 3.0
"""What is shorter is a median beat."""


def looks_like(head: bytes) -> bool:
    """Whether a file begins as a DICOM file does, with or without its preamble."""
    return begins_like_dicom(head)


def read(path: Path, given: Given) -> Recording:
    """Read a DICOM ECG.

    Of several multiplex groups the longest that holds at least eight of the twelve leads is taken: the rhythm, not
    the median beat.

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
    dataset = pydicom.dcmread(BytesIO(data), force=True, stop_before_pixels=True)
    # Without meta information it is the default of the standard (PS3.5, 10.1).
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "") or _IMPLICIT)
    if syntax not in _TRANSFER_SYNTAXES:
        raise HeartprintError(
            "unsupported-format", f"{name} has the compressed transfer syntax {syntax}. Export it uncompressed."
        )
    every = list(dataset.get("WaveformSequence", None) or [])
    groups = [g for g in _joined(every) if len(_leads_of(g)) >= ENOUGH_LEADS]
    if not groups:
        some = [len(_lead_names(g)) for g in every]
        raise HeartprintError(
            "no-waveform",
            f"{name} holds no waveform. If it holds a picture or a PDF, use 'heartprint ingest images'; else export it "
            "with its waveforms."
            if not any(some)
            else f"No group of waveforms in {name} holds {ENOUGH_LEADS} of the twelve leads (they hold "
            f"{', '.join(map(str, some[:12]))}). Export all leads in one group.",
        )
    # The rhythm, not the median beat.
    group = max(groups, key=lambda g: (round(_seconds(g[0])), len(_leads_of(g)), _seconds(g[0])))
    parts = [_signal(part, _TRANSFER_SYNTAXES[syntax], name) for part in group]
    others = sum(_seconds(g[0]) > _LONGEST_BEAT_S for g in groups) - 1
    return Recording(
        np.concatenate([signal for signal, _ in parts]),
        tuple(lead for _, names in parts for lead in names),
        float(group[0].SamplingFrequency),
        cautions=further_rhythms(others, name),
        patient_id=_text(dataset, "PatientID"),
        details=details_of(dataset),
    )


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


def _joined(groups: list[Any]) -> list[list[Any]]:
    """Groups of channels that are one recording: of one rate, length and start, each with leads of its own."""
    together: list[list[Any]] = []
    for group in groups:
        names = set(_lead_names(group).values())
        same = next(
            (t for t in together if names and _timing(t[0]) == _timing(group) and not names & _leads_of(t)), None
        )
        if same is None:
            together.append([group])
        else:
            same.append(group)
    return together


def _timing(group: Any) -> tuple[float, int, str]:
    return float(group.SamplingFrequency), int(group.NumberOfWaveformSamples), _text(group, "MultiplexGroupTimeOffset")


def _seconds(group: Any) -> float:
    return int(group.NumberOfWaveformSamples) / float(group.SamplingFrequency)


def _leads_of(groups: list[Any]) -> set[str]:
    return {lead for group in groups for lead in _lead_names(group).values()}


def _lead_names(group: Any) -> dict[int, str]:
    """Channel number to lead name, for the channels that are one of the twelve leads."""
    names = {}
    for i, channel in enumerate(group.ChannelDefinitionSequence):
        source = (channel.get("ChannelSourceSequence", None) or [{}])[0]
        coded = _CODED.fullmatch(_text(source, "CodeValue"))
        words = (_text(source, "CodeValue"), _text(source, "CodeMeaning"), _text(channel, "ChannelLabel"))
        named = next((m for m in map(_NAMED.fullmatch, words) if m), None)
        number = 0 if not coded else int(coded[1]) if coded[1] else int(coded[2]) - _MDC_ECG
        if number in LEAD_NUMBERS:
            names[i] = LEAD_NUMBERS[number]
        elif named:
            names[i] = next(lead for lead in LEADS_12 if lead.lower() == named[1].lower())
    return names


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
    names = _lead_names(group)
    if len(set(names.values())) < len(names):
        raise HeartprintError("duplicate-lead", f"{name} holds a lead twice in one group. Export the recording again.")
    digital = np.frombuffer(raw, dtype, count=k * n).reshape(n, k).T[list(names)]
    channels = [group.ChannelDefinitionSequence[i] for i in names]
    signal = np.stack([_calibrated(row, channel, name) for row, channel in zip(digital, channels, strict=True)])
    padding = group.get("WaveformPaddingValue", None)
    if padding is not None:
        value = np.frombuffer(padding, dtype)[0] if isinstance(padding, bytes) else padding
        # Padding fills up what was not recorded (PS3.3, C.10.9.1.5): in all channels, before the start or after the
        # end. In between the same number is a voltage, often that of 0 mV.
        padded = (digital == value).all(axis=0)
        recorded = np.flatnonzero(~padded)
        first, last = (recorded[0], recorded[-1]) if len(recorded) else (n, n)
        signal[:, :first] = signal[:, last + 1 :] = np.nan
    return signal, tuple(names.values())


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
