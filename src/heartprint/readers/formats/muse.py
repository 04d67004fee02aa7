"""GE MUSE XML (``RestingECG``), as the MUSE system exports it."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.common import (
    Given,
    from_base64,
    ids_below,
    moment_of,
    mv_per,
    number,
    only_id,
    positive,
    read_xml,
    stacked,
    stated_age,
    text_at,
    truncated,
    xml_root_name,
)
from heartprint.readers.formats.several import choose
from heartprint.readers.source import Details, Recording, check_length
from heartprint.signals.lead_names import lead_called
from heartprint.tables.dates import Order
from heartprint.tables.fields import Reading

_UNITS = {"MICROVOLTS": "uV", "MILLIVOLTS": "mV", "VOLTS": "V", "NANOVOLTS": "nV"}
_INVALID = -32768


def looks_like(head: bytes) -> bool:
    """Whether a file begins as MUSE XML does."""
    return xml_root_name(head) == "RestingECG"


def read(path: Path, given: Given) -> Recording:
    """Read a MUSE export.

    Returns:
        The leads of the rhythm (not the median beat) in mV; patient id, age, sex, date, device and site.

    Raises:
        HeartprintError: What `read_xml` raises; ``no-waveform``, ``bad-header``, ``bad-unit``, ``file-truncated``,
            ``unreadable-file``, ``header-mismatch``.
    """
    name, root = path.name, read_xml(path)
    waves = [w for w in root.findall("Waveform") if text_at(w, "WaveformType").lower() == "rhythm"]
    if not waves:
        raise HeartprintError(
            "no-waveform", f"{name} holds no waveform of the type Rhythm. Export it from MUSE with its waveforms."
        )
    # A rhythm strip of one lead may stand before the recording.
    taken, cautions = choose([(len(_leads(w)), _seconds(w)) for w in waves], name)
    wave = waves[taken]
    exponent = number(text_at(wave, "SampleExponent") or "0", name, "exponent of the sampling rate")
    if abs(exponent) > 6:
        raise HeartprintError(
            "bad-sampling-rate", f"{name} gives its sampling rate as a multiple of 10^{exponent:g} Hz. Export it again."
        )
    rate = positive(text_at(wave, "SampleBase") or text_at(wave, "SampleRate") or None, name, "sampling rate")
    leads = wave.findall("LeadData")
    patient, test = root.find("PatientDemographics"), root.find("TestDemographics")
    return Recording(
        stacked([_lead(lead, name) for lead in leads], name),
        tuple(text_at(lead, "LeadID") for lead in leads),
        rate * 10.0**exponent,
        patient_id=text_at(patient, "PatientID") or only_id(ids_below(root)),
        details=_details(patient, test, given.dates),
        cautions=cautions,
    )


def _details(patient: Element | None, test: Element | None, order: Order | None) -> Details:
    said = Reading()
    day, birthday = text_at(test, "AcquisitionDate"), text_at(patient, "DateofBirth")
    if order is None:
        said.facts["dates"] = [text for text in (day, birthday) if text]
    # MUSE writes the month first; some hospitals have it write the day first, and no file says so.
    order = order or "month-first"
    return Details(
        recorded_at=said(moment_of, f"{day} {text_at(test, 'AcquisitionTime')}" if day else "", order),
        age=said(stated_age, text_at(patient, "PatientAge"), text_at(patient, "AgeUnits") or "years"),
        sex=said.sex(text_at(patient, "Gender")),
        site=text_at(test, "SiteName") or text_at(test, "Site") or None,
        device=text_at(test, "AcquisitionDevice") or None,
        born=said(moment_of, birthday, order),
        cautions=said.cautions,
        facts=said.facts,
    )


def _leads(wave: Element) -> set[str]:
    """Which of the twelve leads a waveform holds."""
    return {lead for e in wave.findall("LeadData") if (lead := lead_called(text_at(e, "LeadID")))}


def _seconds(wave: Element) -> float:
    """How long a waveform is by its header; nothing is checked yet, for it may not be the one that is taken."""
    try:
        rate = float(text_at(wave, "SampleBase") or text_at(wave, "SampleRate"))
        rate *= math.pow(10.0, float(text_at(wave, "SampleExponent") or "0"))
        return max(float(text_at(e, "LeadSampleCountTotal")) for e in wave.findall("LeadData")) / rate
    except (ArithmeticError, ValueError):
        return 0.0


def _lead(lead: Element, name: str) -> npt.NDArray[np.float64]:
    unit = text_at(lead, "LeadAmplitudeUnits")
    gain = positive(text_at(lead, "LeadAmplitudeUnitsPerBit") or None, name, "amplitude of a bit")
    data = from_base64(text_at(lead, "WaveFormData"), name)
    count = number(text_at(lead, "LeadSampleCountTotal") or str(len(data) // 2), name, "number of samples")
    check_length(name, round(count))
    if len(data) < 2 * count:
        raise truncated(name)
    digital = np.frombuffer(data, dtype="<i2", count=max(0, int(count)))
    samples = digital * (gain * mv_per(_UNITS.get(unit.upper(), unit), name))
    samples[digital == _INVALID] = np.nan
    return samples
