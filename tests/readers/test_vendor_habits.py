"""What vendors do otherwise than the documents say: one rule each, tried over every format that can express it."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heartprint.cohorts.checks import examine
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import Given, Recording, read_recording
from heartprint.signals.leads import LEADS_8, LEADS_12
from tests.cohorts.ecgs import twelve, write_record
from tests.readers.hospital_files import (
    SCP_NUMBERS,
    Leads,
    write_dicom,
    write_edf,
    write_hl7,
    write_muse,
    write_philips,
    write_samples_csv,
    write_scp,
)

RATE = 100
ECG = twelve(rate=RATE, seed=3).astype(np.float64)
GIVEN = Given(RATE, "uV")
# One folder for all examples of a test: every example writes the same file anew.
SOME = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def code_of(path: Path) -> str:
    with pytest.raises(HeartprintError) as caught:
        read_recording(path, GIVEN)
    assert caught.value.message.endswith(".") and "\n" not in caught.value.message
    return caught.value.code


def place(folder: Path, name: str) -> Path:
    return folder / ("a.csv" if name == "csv" else "a")


def taken(path: Path) -> Recording:
    """What is read, after the checks that every ingestion makes."""
    found = read_recording(path, GIVEN)
    examine(found.signal, found.lead_names, found.sampling_rate)
    return found


# Files with leads of any name


def named_dicom(path: Path, names: Sequence[str]) -> Leads:
    import pydicom

    stored = write_dicom(path, ECG, RATE)
    dataset = pydicom.dcmread(path)
    del dataset.WaveformSequence[0]
    for channel, name in zip(dataset.WaveformSequence[0].ChannelDefinitionSequence, names, strict=True):
        channel.ChannelSourceSequence[0].CodeValue = "PRIVATE"
        channel.ChannelSourceSequence[0].CodeMeaning = name
    dataset.save_as(path)
    return stored


def named_edf(path: Path, names: Sequence[str]) -> Leads:
    stored = write_edf(path, ECG, RATE)
    data = path.read_bytes()
    for lead, name in zip(LEADS_12, names, strict=True):
        data = data.replace(f"ECG {lead}".ljust(16).encode(), name.ljust(16).encode("latin-1")[:16], 1)
    path.write_bytes(data)
    return stored


def replaced(path: Path, old: str, names: Sequence[str], encoding: str = "utf-8") -> None:
    text = path.read_text(encoding=encoding)
    for lead, name in zip(LEADS_12, names, strict=True):
        text = re.sub(re.escape(old.format(lead)), lambda _, name=name: old.format(name), text, flags=re.IGNORECASE)
    path.write_text(text, encoding=encoding)


def named_hl7(path: Path, names: Sequence[str]) -> Leads:
    stored = write_hl7(path, ECG, RATE)
    replaced(path, 'code="MDC_ECG_LEAD_{}"', [f"~{name}" for name in names])
    path.write_text(path.read_text().replace("~", ""))
    return stored


def named_muse(path: Path, names: Sequence[str]) -> Leads:
    stored = write_muse(path, ECG, RATE)
    replaced(path, "<LeadID>{}</LeadID>", names, "iso-8859-1")
    return stored


def named_philips(path: Path, names: Sequence[str]) -> Leads:
    stored = write_philips(path, ECG, RATE, encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(f'leadlabels="{" ".join(LEADS_12)}"', f'leadlabels="{" ".join(names)}"'))
    return stored


def named_csv(path: Path, names: Sequence[str]) -> Leads:
    return write_samples_csv(path, ECG, tuple(names))


def named_wfdb(path: Path, names: Sequence[str]) -> Leads:
    digital = write_record(path.parent, path.name, ECG, RATE, tuple(names))
    return digital / 1000.0


NAMED: dict[str, Callable[[Path, Sequence[str]], Leads]] = {
    "csv": named_csv,
    "dicom": named_dicom,
    "edf": named_edf,
    "hl7": named_hl7,
    "muse": named_muse,
    "philips": named_philips,
    "wfdb": named_wfdb,
}
"""Formats that name their leads in words."""
# Without blanks, for SierraECG lists its leads between blanks.
SPELLINGS = ("{}", "lead_{}", "ECG_{}", "EKG-{}", "MDC_ECG_LEAD_{}", "Lead{}", "ch:{}", "{}(somewhere)")


@given(st.sampled_from(sorted(NAMED)), st.sampled_from(SPELLINGS), st.sampled_from([str, str.upper, str.lower]))
@SOME
def test_leads_are_found_however_they_are_spelled(
    tmp_path_factory: pytest.TempPathFactory, name: str, spelling: str, case: Callable[[str], str]
) -> None:
    path = place(tmp_path_factory.mktemp("named"), name)
    spelled = [spelling.format(case(lead)) for lead in LEADS_12]
    if name == "edf" and max(map(len, spelled)) > 16:
        spelled = [case(lead) for lead in LEADS_12]
    stored = NAMED[name](path, spelled)
    found = taken(path)
    assert set(found.lead_names) == set(LEADS_8 if name == "muse" else LEADS_12)
    for lead, row in zip(found.lead_names, found.signal, strict=True):
        np.testing.assert_allclose(row, stored[LEADS_12.index(lead)], atol=1e-9)


@given(
    st.sampled_from(sorted(NAMED)),
    st.sampled_from(list(pairwise(LEADS_8))),
    st.sampled_from(["{}", "lead_{}", "ECG_{}"]),
)
@SOME
def test_a_lead_that_is_there_twice_is_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, pair: tuple[str, str], spelling: str
) -> None:
    """In every format, under the same name and under another."""
    path = place(tmp_path_factory.mktemp("twice"), name)
    first, second = pair
    NAMED[name](path, [spelling.format(first) if lead == second else lead for lead in LEADS_12])
    assert code_of(path) == "duplicate-lead"


def test_a_lead_that_is_there_twice_is_refused_by_number_too(tmp_path: Path) -> None:
    numbers = list(SCP_NUMBERS)
    try:
        SCP_NUMBERS[7] = SCP_NUMBERS[6]
        write_scp(tmp_path / "a", ECG, RATE)
    finally:
        SCP_NUMBERS[:] = numbers
    assert code_of(tmp_path / "a") == "duplicate-lead"


@pytest.mark.parametrize("sign", ["-{}", "ECG_-{}", "\u2212{}", "{}(inverted)"])
@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_lead_upside_down_is_never_taken_for_the_lead(name: str, sign: str, tmp_path: Path) -> None:
    if name in ("edf", "dicom", "muse") and not sign.isascii():
        pytest.skip("these files are written in ASCII or Latin-1")
    path = place(tmp_path, name)
    NAMED[name](path, [sign.format(lead) if lead == "V3" else lead for lead in LEADS_12])
    with pytest.raises(HeartprintError) as caught:
        taken(path)
    message = caught.value.message
    # A table of text is told by its leads.
    assert caught.value.code == ("unknown-format" if name == "csv" else "missing-lead") and "--column" in message
    if name not in ("dicom", "edf"):
        assert sign.format("V3") in message
    # -aVR, which Cabrera's order has, is not held against I and II as if it were aVR.
    NAMED[name](path, [sign.format(lead) if lead == "aVR" else lead for lead in LEADS_12])
    assert "aVR" not in taken(path).lead_names


# Several recordings, and one recording in several parts


def parts_of(name: str, path: Path, n_leads: int, seconds: float) -> object:
    """A recording of the first of I, II, V1-V6, III... as it stands in a file of the format."""
    order = [LEADS_12.index(lead) for lead in (*LEADS_8, "III", "aVR", "aVL", "aVF")][:n_leads]
    leads = twelve(seconds, RATE, seed=round(10 * seconds) + n_leads)
    if name == "dicom":
        return cut_dicom(path, leads, order)
    (write_muse if name == "muse" else write_hl7)(path, leads, RATE)
    text = path.read_bytes().decode("latin-1")
    if name == "muse":
        wave = next(w for w in re.findall(r"<Waveform>.*?</Waveform>", text, re.DOTALL) if ">Rhythm<" in w)
        kept = [LEADS_12[i] for i in order]
        return re.sub(
            r"<LeadData>.*?</LeadData>",
            lambda m: m[0] if re.search("<LeadID>(.*?)<", m[0])[1] in kept else "",  # type: ignore[index]
            wave,
            flags=re.DOTALL,
        )
    series = re.search(r"<component>\s*<series>.*?</sequenceSet>", text, re.DOTALL)
    assert series is not None
    kept = [LEADS_12[i].upper() for i in order]
    return (
        re.sub(
            r'<component><sequence>\s*<code code="MDC_ECG_LEAD_(\w+)".*?</sequence></component>',
            lambda m: m[0] if m[1] in kept else "",
            series[0],
            flags=re.DOTALL,
        )
        + "</component></series></component>"
    )


def cut_dicom(path: Path, leads: Leads, order: Sequence[int]) -> object:
    import pydicom

    write_dicom(path, leads, RATE)
    group = pydicom.dcmread(path).WaveformSequence[1]
    samples = np.frombuffer(group.WaveformData, "<i2").reshape(-1, 12)
    group.NumberOfWaveformChannels = len(order)
    group.ChannelDefinitionSequence = [group.ChannelDefinitionSequence[i] for i in order]
    group.WaveformData = np.ascontiguousarray(samples[:, list(order)]).tobytes()
    return group


def write_parts(name: str, path: Path, parts: Sequence[object]) -> None:
    if name == "dicom":
        import pydicom

        write_dicom(path, ECG, RATE)
        dataset = pydicom.dcmread(path)
        dataset.WaveformSequence = copy.deepcopy(list(parts))
        dataset.save_as(path)
        return
    (write_muse if name == "muse" else write_hl7)(path, ECG, RATE)
    text = path.read_bytes().decode("latin-1")
    own = r"<Waveform>.*</Waveform>" if name == "muse" else r"<component>\s*<series>.*</series>\s*</component>"
    path.write_bytes(re.sub(own, lambda _: "".join(map(str, parts)), text, flags=re.DOTALL).encode("latin-1"))


RECORDINGS = st.lists(
    st.tuples(st.sampled_from([1, 3, 8, 12]), st.sampled_from([2.0, 10.0, 12.0])), min_size=1, max_size=4
)


@given(st.sampled_from(["dicom", "hl7", "muse"]), RECORDINGS)
@SOME
def test_of_several_recordings_the_fullest_is_taken_and_the_others_are_counted(
    tmp_path_factory: pytest.TempPathFactory, name: str, recordings: list[tuple[int, float]]
) -> None:
    """A rhythm before a beat, then most leads, then the longest; a strip of few leads is no recording of its own."""
    if name == "muse":
        recordings = [(min(n, 8), seconds) for n, seconds in recordings]
    folder = tmp_path_factory.mktemp("several")
    write_parts(name, folder / "a", [parts_of(name, folder / "p", n, s) for n, s in recordings])
    rhythms = [(n, s) for n, s in recordings if n >= 8 and s > 3]
    if not rhythms:
        return
    found = taken(folder / "a")
    n, seconds = max(rhythms)
    assert (len(found.lead_names), found.signal.shape[1]) == (n, round(seconds * RATE))
    truth = twelve(seconds, RATE, seed=round(10 * seconds) + n)
    np.testing.assert_allclose(found.signal[0], truth[0], atol=0.003)
    told = [c.message for c in found.cautions if c.code == "further-rhythms"]
    assert len(told) == (len(rhythms) > 1)
    if len(rhythms) > 1:
        assert ("another recording" if len(rhythms) == 2 else f"{len(rhythms) - 1} other recordings") in told[0]


@given(st.sampled_from(["dicom", "hl7"]), st.permutations(range(12)), st.sets(st.integers(1, 11)))
@SOME
def test_leads_in_groups_of_one_rate_length_and_start_are_one_recording(
    tmp_path_factory: pytest.TempPathFactory, name: str, order: list[int], cuts: set[int]
) -> None:
    """Whatever the groups: three of four leads, twelve of one, in any order."""
    folder = tmp_path_factory.mktemp("groups")
    groups = [order[a:b] for a, b in pairwise([0, *sorted(cuts), 12])]
    if name == "dicom":
        write_parts(name, folder / "a", [cut_dicom(folder / "p", ECG, group) for group in groups])
    else:
        write_hl7(folder / "p", ECG, RATE)
        text = re.search(r"<component>\s*<series>.*?</sequenceSet>", (folder / "p").read_text(), re.DOTALL)
        assert text is not None
        head, sequences = text[0].split("<sequenceSet>")
        each = re.findall(r"<component><sequence>.*?</sequence></component>", sequences, re.DOTALL)
        sets = "</component><component>".join(
            f"<sequenceSet>{each[0]}{''.join(each[1 + i] for i in group)}</sequenceSet>" for group in groups
        )
        write_parts(name, folder / "a", [f"{head}{sets}</component></series></component>"])
    found = taken(folder / "a")
    assert sorted(found.lead_names) == sorted(LEADS_12) and not found.cautions
    for lead, row in zip(found.lead_names, found.signal, strict=True):
        np.testing.assert_allclose(row, ECG[LEADS_12.index(lead)], atol=0.0013)


def test_groups_that_did_not_start_together_are_not_joined(tmp_path: Path) -> None:
    """The columns of a printed page: leads of different moments are no recording of twelve."""
    groups = [cut_dicom(tmp_path / "p", ECG, range(first, first + 4)) for first in (0, 4, 8)]
    for group, start in zip(groups, ("0", "10000.0", "20000.0"), strict=True):
        group.MultiplexGroupTimeOffset = start  # type: ignore[attr-defined]
    write_parts("dicom", tmp_path / "a", groups)
    assert code_of(tmp_path / "a") == "no-waveform"
    for group in groups[1:]:
        group.MultiplexGroupTimeOffset = "0.0"  # type: ignore[attr-defined]
    write_parts("dicom", tmp_path / "b", groups)
    assert taken(tmp_path / "b").signal.shape == ECG.shape


def test_twenty_thousand_groups_of_leads_take_no_time(tmp_path: Path) -> None:
    write_hl7(tmp_path / "a", ECG, RATE)
    text = (tmp_path / "a").read_text()
    lead = '<component><sequence><code code="MDC_ECG_LEAD_I"/></sequence></component>'
    tiny = f"<component><sequenceSet>{lead}</sequenceSet>"
    at = text.index("<component><sequenceSet>")
    (tmp_path / "b").write_text(text[:at] + f"{tiny}</component>" * 15_000 + text[at:])
    start = time.process_time()
    assert code_of(tmp_path / "b") == "file-too-large"
    assert time.process_time() - start < 5


# Padding


@given(
    st.sampled_from([0, 7, -32768, 32767]), st.integers(0, 100), st.integers(0, 100), st.integers(0, 2**32 - 1)
)  # fmt: skip
@SOME
def test_padding_stands_at_the_ends_and_zeros_are_voltages(
    tmp_path_factory: pytest.TempPathFactory, value: int, before: int, after: int, seed: int
) -> None:
    """What is in between is a voltage, unless the number is one that no voltage has."""
    import pydicom

    path = tmp_path_factory.mktemp("padding") / "a"
    write_dicom(path, ECG, RATE)
    dataset = pydicom.dcmread(path)
    rhythm = dataset.WaveformSequence[1]
    samples = np.frombuffer(rhythm.WaveformData, "<i2").reshape(-1, 12).copy()
    samples[[0, -1]] = 1  # no run at the ends of its own
    marker = abs(value) > 30000
    rng = np.random.default_rng(seed)
    inner = rng.random(samples.shape) < 0.01
    inner[[0, -1]] = False
    samples[inner] = value
    whole = np.concatenate([np.full((before, 12), value), samples, np.full((after, 12), value)]).astype("<i2")
    rhythm.WaveformData, rhythm.NumberOfWaveformSamples = whole.tobytes(), len(whole)
    rhythm.add_new(0x5400100A, "OW", np.array([value], "<i2").tobytes())
    dataset.save_as(path)
    found = read_recording(path)
    missing = np.isnan(found.signal).T
    truth = np.zeros(whole.shape, dtype=bool)
    truth[:before] = truth[len(whole) - after :] = True
    if marker:
        truth[before : len(whole) - after] = inner
    np.testing.assert_array_equal(missing, truth)
    theirs = pydicom.dcmread(path).waveform_array(1) / 1000
    np.testing.assert_allclose(found.signal.T[~truth], theirs[~truth], atol=1e-9)
