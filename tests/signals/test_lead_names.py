"""One understanding of what leads are called, for every format."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.foundation.errors import HeartprintError
from heartprint.signals.lead_names import canonical, lead_called, lead_name, require_once, require_unit
from heartprint.signals.leads import LEADS_12

SPELLINGS = (
    "{}", "Lead {}", "lead_{}", "LEAD {}", "ECG {}", "EKG {}", "ECG Lead {}", "MDC_ECG_LEAD_{}", "Ableitung {}",
    "dérivation {}", "ch {}", "{} (mV)", "{} [uV]", "{}_mV", "{} mV", "{} (µV)", '"{}"', " {} ", "Lead {} (Einthoven)",
    "Lead: {}",
)  # fmt: skip


@given(st.sampled_from(LEADS_12), st.sampled_from(SPELLINGS), st.sampled_from([str, str.lower, str.upper]))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_every_spelling_of_every_lead(lead: str, spelling: str, case: object) -> None:
    known = lead_name(spelling.format(case(lead)))  # type: ignore[operator]
    assert known is not None and known.lead == lead and not known.negated
    assert known.unit == ("mv" if "mV" in spelling else "uv" if "V]" in spelling or "µV" in spelling else "")
    assert canonical([spelling.format(lead)]) == (lead,)


@pytest.mark.parametrize(
    ("text", "lead"),
    [
        ("DI", "I"),
        ("D1", "I"),
        ("DII", "II"),
        ("D3", "III"),
        ("C1", "V1"),
        ("c6", "V6"),
        ("V 1", "V1"),
        ("a_VR", "aVR"),
    ],
)
def test_other_names(text: str, lead: str) -> None:
    assert lead_name(text) is not None and canonical([text]) == (lead,)


@pytest.mark.parametrize(
    "text",
    [
        "", "V", "V7", "V10", "vx", "MLII", "aV", "IIII", "time", "I-V1", "I+II", "lead", "ECG", "1", "VI1", "resp",
        "PVC", "Index", "II/III", "V1V2", "avl2", "C", "D4", "mV", "I (s)x", "patient I d", "Vital",
    ],
)  # fmt: skip
def test_what_is_none_of_the_twelve_is_not_guessed(text: str) -> None:
    assert lead_name(text) is None and canonical([text]) == (text,)


@pytest.mark.parametrize(
    "text", ["-aVR", "Lead -aVR", "ECG_-aVR", "\u2212aVR", "- aVR", "aVR (inverted)", "aVR (negative)"]
)
def test_a_lead_upside_down_is_another_signal(text: str) -> None:
    known = lead_name(text)
    assert known is not None and known.negated and canonical([text]) == (text,)
    assert canonical(["-aVR", "aVL"]) == ("-aVR", "aVL")
    require_once(["aVR", "-aVR"], "The file")


@pytest.mark.parametrize(
    ("text", "lead"),
    [
        ("ECG-aVR", "aVR"),
        ("Lead - aVR", "aVR"),
        ("LeadV1", "V1"),
        ("Standard Lead I", "I"),
        ("12-lead I", "I"),
        ("V1 (C1)", "V1"),
        ("aVR (right arm)", "aVR"),
        ("V3 (V3R)", None),
        ("V4 (right)", None),
        ("V6 (posterior)", None),
        ("aVR-", None),
        ("neg aVR", None),
        ("I-Ref", None),
    ],
)
def test_hyphens_and_notes(text: str, lead: str | None) -> None:
    assert lead_called(text) == lead


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("V1/mV", "mv"),
        ("I, uV", "uv"),
        ("I (microvolts)", "uv"),
        ("I [millivolt]", "mv"),
        ("I (z)", "z"),
        ("I (raw)", ""),
    ],
)
def test_units_in_names(text: str, unit: str) -> None:
    known = lead_name(text)
    assert known is not None and known.unit == unit
    require_unit(text, unit or "mV", "The file")
    if unit:
        with pytest.raises(HeartprintError, match="not what the name says"):
            require_unit(text, "V", "The file")


def test_a_name_of_a_megabyte_takes_no_time() -> None:
    start = time.process_time()
    for text in ("lead : " * 10**5 + "x", "lead - " * 11 + "x", "ch_" * 26 + "x", "I (" * 10**5, "a" * 10**6):
        assert lead_name(text) is None
    assert time.process_time() - start < 1


@pytest.mark.parametrize("names", [("V1", "V1"), ("V1", "Lead V1"), ("C1", "v1 (mV)"), ("I", "DI")])
def test_a_lead_under_two_names_is_there_twice(names: tuple[str, str]) -> None:
    with pytest.raises(HeartprintError, match="twice") as caught:
        require_once(["II", *names], "The file")
    assert caught.value.code == "duplicate-lead"
