"""HL7 annotated ECG (aECG, HL7 v3 PORT_MT020001; the FDA's format for trials)."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.common import (
    Given,
    bad_header,
    birth_of,
    compact_moment,
    ids_below,
    mv_per,
    number,
    numbers,
    only_id,
    positive,
    read_xml,
    stacked,
    stated_age,
    text_at,
    xml_root_name,
)
from heartprint.readers.formats.several import choose, joined
from heartprint.readers.people import age_at
from heartprint.readers.source import Details, Recording, check_length
from heartprint.signals.lead_names import lead_called
from heartprint.tables.fields import Reading

_LEAD = "MDC_ECG_LEAD_"
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_AGE_UNITS = {"a": "years", "mo": "months", "wk": "weeks", "d": "days", "h": "hours"}
_REPORTED_AGE = "21612-7"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def looks_like(head: bytes) -> bool:
    """Whether a file begins as aECG XML does."""
    return xml_root_name(head) == "AnnotatedECG"


def read(path: Path, given: Given) -> Recording:
    """Read an annotated ECG.

    Of all sequence sets recorded directly (not derived, such as representative beats) the one with most of the twelve
    leads is taken, and of equals the longest. Sets of one rate, length and start with leads of their own are one.

    Returns:
        Its leads in mV; subject id, age (from the date of birth, else as reported), sex, start, model and site.

    Raises:
        HeartprintError: What `read_xml` raises; ``no-waveform``, ``bad-header``, ``bad-unit``, ``header-mismatch``,
            ``unreadable-file``, ``file-too-large``.
    """
    name, root = path.name, read_xml(path)
    sets = [
        _Set(series, sequences)
        for series in root.findall("component/series")
        for sequences in series.findall("component/sequenceSet")
    ]
    recordings = joined([s for s in sets if s.leads], lambda s: (s.timing, s.known), name)
    if not recordings:
        raise HeartprintError(
            "no-waveform", f"{name} holds annotations, but no lead of a rhythm. Export it with its waveforms."
        )
    taken, cautions = choose([(sum(len(s.known) for s in r), r[0].seconds) for r in recordings], name)
    parts = recordings[taken]
    leads = [lead for part in parts for lead in part.leads]
    subject = root.find(".//trialSubject")
    person = None if subject is None else subject.find("subjectDemographicPerson")
    identity = None if subject is None else subject.find("id")
    return Recording(
        stacked([_lead(lead, name) for lead in leads], name),
        tuple(_code(lead).removeprefix(_LEAD) for lead in leads),
        _sampling_rate(parts[0].time, name),
        patient_id=_identity(identity) or _elsewhere(subject, person),
        cautions=cautions,
        details=_details(root, parts[0].series, person),
    )


class _Set:
    """A sequence set: leads that were recorded together.

    Args:
        series: What it belongs to.
        element: The sequence set itself.
    """

    def __init__(self, series: Element, element: Element) -> None:
        sequences = element.findall("component/sequence")
        self.series = series
        self.leads = [s for s in sequences if _code(s).startswith(_LEAD)]
        self.known = {lead for s in self.leads if (lead := lead_called(_code(s)))}
        self.time = next((s for s in reversed(sequences) if _code(s).startswith("TIME_")), None)
        value = None if self.time is None else self.time.find("value")
        step = _value(value, "increment"), _value(value, "increment", "unit")
        n = max((len((s.findtext("value/digits") or "").split()) for s in self.leads), default=0)
        self.timing = (step, n, _value(value, "head"), _value(series, "effectiveTime/low"))
        try:
            self.seconds = n * float(step[0]) * _SECONDS[step[1]]
        except (KeyError, ValueError):  # said if it is the one that is taken
            self.seconds = 0.0


def _elsewhere(subject: Element | None, person: Element | None) -> str:
    """The patient's id where vendors put it who leave out the subject's: below the person, as an id or in words."""
    own = "" if person is None else _identity(person.find("id"))
    return only_id([own, *ids_below(subject)])


def _details(root: Element, series: Element, person: Element | None) -> Details:
    said = Reading()
    times = (_value(element, f"effectiveTime/{end}") for element in (series, root) for end in ("low", "center"))
    recorded_at = said(compact_moment, next((time for time in times if time), ""))
    born = said(birth_of, _value(person, "birthTime"))
    return Details(
        recorded_at=recorded_at,
        age=said(_reported_age, root) if age_at(recorded_at, born) is None else None,
        sex=said.sex(_value(person, "administrativeGenderCode", "code")),
        site=text_at(root, ".//testingSite/location/name") or text_at(root, ".//trialSite/location/name") or None,
        device=text_at(series, "author/seriesAuthor/manufacturedSeriesDevice/manufacturerModelName") or None,
        born=born,
        cautions=said.cautions,
        facts=said.facts,
    )


def _identity(element: Element | None) -> str:
    """Who it is; empty if the file does not say. A root alone is the whole trial's, unless it is a UUID."""
    if element is None or element.get("nullFlavor"):
        return ""
    root = (element.get("root") or "").strip()
    return (element.get("extension") or "").strip() or (root if _UUID.fullmatch(root) else "")


def _code(sequence: Element) -> str:
    code = sequence.find("code")
    return "" if code is None else code.get("code") or ""


def _value(element: Element | None, path: str, attribute: str = "value") -> str:
    found = None if element is None else element.find(path)
    return "" if found is None else found.get(attribute) or ""


def _lead(sequence: Element, name: str) -> npt.NDArray[np.float64]:
    value = sequence.find("value")
    scale = number(_value(value, "scale") or None, name, "scale of a lead")
    origin = number(_value(value, "origin") or "0", name, "origin of a lead")
    scale_mv = scale * mv_per(_value(value, "scale", "unit"), name)
    origin_mv = origin * (mv_per(_value(value, "origin", "unit"), name) if origin else 1.0)
    digits = numbers(sequence.findtext("value/digits") or "", name)
    check_length(name, len(digits))
    return np.asarray(origin_mv + scale_mv * digits, dtype=np.float64)


def _sampling_rate(time: Element | None, name: str) -> float:
    value = None if time is None else time.find("value")
    unit = _value(value, "increment", "unit")
    if unit not in _SECONDS:
        raise bad_header(name, f"gives the time between two samples in '{unit[:20]}', not in s, ms or us")
    step = positive(_value(value, "increment") or None, name, "time between two samples")
    return float(round(1 / (step * _SECONDS[unit]), 6))


def _reported_age(root: Element) -> float | None:
    for said in root.iterfind(".//relatedObservation"):
        if _code(said) == _REPORTED_AGE and _value(said, "value"):
            unit = _value(said, "value", "unit")
            return stated_age(_value(said, "value"), _AGE_UNITS.get(unit, unit))
    return None
