"""Philips SierraECG XML (PageWriter, TraceMasterVue), versions 1.03 and 1.04.

The samples are base64 of "XLI" chunks, one per lead: 8 bytes of header, then 10-bit LZW codes of the second
differences, high bytes before low bytes. III, aVR, aVL and aVF are stored as differences from what the leads before
them say. There is no public document; the layout is known from C. A. Watford's sierra-ecg-tools (2011, MIT).
"""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.common import (
    Given,
    bad_header,
    from_base64,
    ids_below,
    moment_of,
    number,
    numbers,
    only_id,
    positive,
    read_xml,
    stacked,
    stated_age,
    text_at,
    truncated,
    xml_root_name,
)
from heartprint.readers.source import Details, Recording, check_length
from heartprint.signals.lead_names import lead_called
from heartprint.signals.leads import LEADS_12
from heartprint.tables.fields import Reading

_VERSIONS = ("1.03", "1.04")
_CODE_BITS = 10
_FIRST_FREE_CODE = 256
_LAST_CODE = 2**_CODE_BITS - 2
# A stored difference of 0 is the code 64.
_BIAS = 64


def looks_like(head: bytes) -> bool:
    """Whether a file begins as SierraECG XML does."""
    return xml_root_name(head) == "restingecgdata"


def read(path: Path, given: Given) -> Recording:
    """Read a SierraECG file.

    Returns:
        Its leads in mV; the patient's id, age and sex, the date, the machine and the institution where they are given.

    Raises:
        HeartprintError: What `read_xml` raises; ``unsupported-format``, ``bad-header``, ``file-truncated``,
            ``unreadable-file``, ``header-mismatch``.
    """
    name, root = path.name, read_xml(path)
    version = text_at(root, "documentinfo/documentversion")
    if not version.startswith(_VERSIONS):
        raise HeartprintError(
            "unsupported-format",
            f"{name} is SierraECG of version '{version[:20]}'; {' and '.join(_VERSIONS)} are read. Export it as 1.04.",
        )
    waves = root.find(".//parsedwaveforms")
    if waves is None:
        raise bad_header(name, "has no waveforms")
    signal = root.find("dataacquisition/signalcharacteristics")
    rate = positive(waves.get("samplespersecond") or text_at(signal, "samplingrate"), name, "sampling rate")
    uv = positive(
        waves.get("resolution") or text_at(signal, "resolution") or text_at(signal, "signalresolution"),
        name,
        "resolution in uV",
    )
    offset = number(waves.get("signaloffset") or text_at(signal, "signaloffset") or "0", name, "signal offset")
    bits = waves.get("bitspersample") or waves.get("nbitspersample") or text_at(signal, "bitspersample") or "16"
    if number(bits, name, "bits per sample") != 16:
        raise bad_header(name, f"gives {bits[:10]} bits per sample, not 16")
    seconds = positive(waves.get("durationperchannel"), name, "duration in ms") / 1000
    names = _lead_names(waves, signal)
    n_samples = round(min(seconds * rate, 1e12))
    check_length(name, n_samples)
    digital = _samples(waves, names, n_samples, name)
    patient = root.find("patient/generalpatientdata")
    return Recording(
        (digital - offset) * (uv / 1000),
        names,
        rate,
        patient_id=text_at(patient, "patientid") or only_id(ids_below(patient)),
        details=_details(root, patient),
    )


def _details(root: Element, patient: Element | None) -> Details:
    said = Reading()
    return Details(
        recorded_at=said(_recorded_at, root),
        age=said(stated_age, text_at(patient, "age/years")),
        sex=said.sex(text_at(patient, "sex")),
        site=text_at(root, "dataacquisition/acquirer/institutionname") or None,
        device=text_at(root, "dataacquisition/machine") or None,
        born=said(moment_of, text_at(patient, "age/dateofbirth")),
        cautions=said.cautions,
        facts=said.facts,
    )


def _lead_names(waves: Element, signal: Element | None) -> tuple[str, ...]:
    labels = (waves.get("leadlabels") or "").split()
    if labels:
        count = waves.get("numberofleads") or ""
        return tuple(labels[: int(count)] if count.isdecimal() and len(count) < 4 else labels)
    # Version 1.03 does not name the leads; these two words mean the usual twelve in the usual order.
    if text_at(signal, "acquisitiontype") in ("STD-12", "10-WIRE"):
        return LEADS_12
    return ()


def _samples(waves: Element, names: tuple[str, ...], n_samples: int, name: str) -> npt.NDArray[np.float64]:
    if not names:
        raise HeartprintError("missing-lead", f"{name} does not name its leads. Export it as SierraECG 1.04.")
    encoding = (waves.get("dataencoding") or "").lower()
    method = (waves.get("compressmethod") or waves.get("compression") or "").lower()
    # Version 1.03 says whether, and mostly how.
    flag = (waves.get("compressflag") or "").lower()
    method = "" if flag == "false" else "xli" if flag == "true" and not method else method
    if encoding == "plain":
        flat = numbers(waves.text or "", name)
        return _in_rows(flat, len(names), n_samples, name)
    if encoding != "base64":
        raise HeartprintError(
            "unsupported-format", f"{name} has samples in the encoding '{encoding[:20]}'. Export it as base64."
        )
    data = from_base64(waves.text or "", name)
    if method in ("", "uncompressed", "none"):
        whole = np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.float64)
        return _in_rows(whole, len(names), n_samples, name)
    if method != "xli":
        raise HeartprintError(
            "unsupported-format", f"{name} is compressed by '{method[:20]}'; only XLI is read. Export it as XLI."
        )
    leads = _xli(data, len(names), n_samples, name)
    return stacked([lead.astype(np.float64) for lead in _undo_derived(names, leads)], name)


def _in_rows(flat: npt.NDArray[np.float64], n_leads: int, n_samples: int, name: str) -> npt.NDArray[np.float64]:
    if len(flat) < n_leads * n_samples:
        raise truncated(name)
    return flat[: n_leads * n_samples].reshape(n_leads, n_samples)


def _xli(data: bytes, n_leads: int, n_samples: int, name: str) -> list[npt.NDArray[np.int64]]:
    leads = []
    position = 0
    for _ in range(n_leads):
        if position + 8 > len(data):
            raise truncated(name)
        size, _, start = struct.unpack_from("<iHh", data, position)
        position += 8
        if size < 0 or position + size > len(data):
            raise truncated(name)
        unpacked = _lzw(data[position : position + size], 2 * n_samples + 2, name)
        position += size
        leads.append(_integrate(unpacked, start, n_samples, name))
    return leads


def _lzw(data: bytes, limit: int, name: str) -> bytes:
    """Decompress Lempel-Ziv-Welch codes of 10 bits, most significant bit first (Welch 1984).

    Args:
        data: The codes.
        limit: Bytes that are wanted at most; a lead may carry a few of padding.
        name: Of the file, for errors.
    """
    strings: list[bytes] = [bytes([i]) for i in range(_FIRST_FREE_CODE)]
    out: list[bytes] = []
    size, previous = 0, b""
    held, n_held = 0, 0
    for byte in data:
        held, n_held = held << 8 | byte, n_held + 8
        if n_held < _CODE_BITS:
            continue
        n_held -= _CODE_BITS
        code = held >> n_held
        held &= (1 << n_held) - 1
        if code > _LAST_CODE:
            break
        if code < len(strings):
            string = strings[code]
        elif code == len(strings) and previous:
            string = previous + previous[:1]
        else:
            raise HeartprintError(
                "unreadable-file", f"The compressed samples of {name} hold an impossible code. Export it again."
            )
        if previous and len(strings) <= _LAST_CODE:
            strings.append(previous + string[:1])
        out.append(string)
        size += len(string)
        if size > limit:
            break
        previous = string
    return b"".join(out)


def _integrate(unpacked: bytes, start: int, n_samples: int, name: str) -> npt.NDArray[np.int64]:
    """``(n,)`` samples: the first two as they are, then each the straight continuation less the difference before."""
    half = (len(unpacked) + 1) // 2
    if half < n_samples or half < 2:
        raise truncated(name)
    pairs = np.zeros((half, 2), dtype=np.uint8)
    pairs[:, 0] = np.frombuffer(unpacked, np.uint8, half)
    low = np.frombuffer(unpacked, np.uint8, offset=half)
    pairs[: len(low), 1] = low
    stored = pairs.view(">i2")[:, 0].astype(np.int64)
    second = np.empty(half - 2, dtype=np.int64)
    second[:1] = start
    second[1:] = stored[2:-1] - _BIAS
    slope = stored[1] - stored[0] - np.cumsum(second)
    samples = np.concatenate([stored[:2], stored[1] + np.cumsum(slope)])[:n_samples]
    # The machine reckons in 16 bits and lets the sums run over.
    return samples.astype(np.int16).astype(np.int64)


def _undo_derived(names: tuple[str, ...], leads: list[npt.NDArray[np.int64]]) -> list[npt.NDArray[np.int64]]:
    by_name = {(lead_called(label) or label).lower(): i for i, label in enumerate(names)}
    if not {"i", "ii"} <= set(by_name) or len({len(lead) for lead in leads}) != 1:
        return leads
    out = list(leads)
    one, two = leads[by_name["i"]], leads[by_name["ii"]]
    three = two - one
    if "iii" in by_name:
        three = three - leads[by_name["iii"]]
        out[by_name["iii"]] = three
    for label, said in (("avr", -((one + two) // 2)), ("avl", (one - three) // 2), ("avf", (two + three) // 2)):
        if label in by_name:
            out[by_name[label]] = said - leads[by_name[label]]
    return out


def _recorded_at(root: Element) -> datetime | None:
    acquisition = root.find("dataacquisition")
    if acquisition is None:
        return None
    return moment_of(f"{acquisition.get('date') or ''} {acquisition.get('time') or ''}")
