"""The parsers of single files: what they give for made-up and real files, and that nothing breaks them."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from heartprint.cohorts.checks import examine
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import FORMATS, Given, Recording, read_recording
from heartprint.readers.formats import detect
from heartprint.readers.formats.dicom import details_of
from heartprint.signals.leads import LEADS_8, LEADS_12
from tests.cohorts.ecgs import eight_leads, twelve, write_record
from tests.readers.hospital_files import (
    PERSON,
    SCP_NUMBERS,
    WRITERS,
    Person,
    scp_default_code,
    write_dicom,
    write_edf,
    write_hl7,
    write_muse,
    write_philips,
    write_samples_csv,
    write_scp,
)

RATE = 500
LEADS = twelve(rate=RATE, seed=3)


def equal(got: Recording, stored: np.ndarray) -> None:
    assert got.sampling_rate == pytest.approx(RATE)
    for name, row in zip(got.lead_names, got.signal, strict=True):
        truth = stored[[n.lower() for n in LEADS_12].index(name.lower())]
        np.testing.assert_allclose(row, truth, atol=1e-9, err_msg=name)
    assert {n.lower() for n in LEADS_8} <= {n.lower() for n in got.lead_names}


def code_of(path: Path, given: Given | None = None) -> str:
    with pytest.raises(HeartprintError) as caught:
        read_recording(path, given)
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message
    return caught.value.code


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_every_format_gives_back_what_was_written(name: str, tmp_path: Path) -> None:
    write, _ = WRITERS[name]
    person = Person("id-7", "M", dt.date(1948, 2, 29), dt.datetime(2020, 2, 29, 0, 0, 1), "PAGE 1")
    stored = write(tmp_path / "file", LEADS, RATE, person)
    assert detect(tmp_path / "file") == name
    got = read_recording(tmp_path / "file")
    equal(got, stored)
    assert got.patient_id == "id-7"
    d = got.details
    assert (d.recorded_at, d.age, d.sex, d.device) == (person.recorded_at, 72, "male", "PAGE 1")


def test_details_that_are_not_there_stay_empty(tmp_path: Path) -> None:
    for name, (write, _) in WRITERS.items():
        write(tmp_path / name, LEADS, RATE, Person(sex=""))
        assert read_recording(tmp_path / name).details.sex is None, name


def test_variants_of_philips(tmp_path: Path) -> None:
    for i, options in enumerate([{"version": "1.03"}, {"encoding": "utf-8"}, {"version": "1.03", "encoding": "utf-8"}]):
        stored = write_philips(tmp_path / f"{i}", LEADS, RATE, **options)
        equal(read_recording(tmp_path / f"{i}"), stored)
    text = (tmp_path / "2").read_text(encoding="utf-8")
    (tmp_path / "3").write_text(text.replace(' compressmethod="XLI"', ""), encoding="utf-8")
    equal(read_recording(tmp_path / "3"), stored)
    write_philips(tmp_path / "old", LEADS, RATE, version="1.02", encoding="utf-8")
    assert code_of(tmp_path / "old") == "unsupported-format"
    text = (tmp_path / "1").read_text(encoding="utf-8")
    for at, (old, new, code) in enumerate(
        [
            ("XLI", "ZIP", "unsupported-format"),
            ('resolution="5"', 'resolution="0"', "bad-header"),
            ('samplespersecond="500"', 'samplespersecond="fast"', "bad-header"),
            ('durationperchannel="10500"', 'durationperchannel="60000"', "file-truncated"),
            ('durationperchannel="10500"', 'durationperchannel="1e300"', "file-too-large"),
            ("</restingecgdata>", "", "bad-xml"),
        ]
    ):
        assert old in text
        (tmp_path / f"bad{at}").write_text(text.replace(old, new), encoding="utf-8")
        assert code_of(tmp_path / f"bad{at}") == code, new


def test_leads_of_dicom_are_found_by_code_or_by_name(tmp_path: Path) -> None:
    import pydicom

    stored = write_dicom(tmp_path / "mdc", LEADS, RATE, mdc=True)
    equal(read_recording(tmp_path / "mdc"), stored)
    stored = write_dicom(tmp_path / "a", LEADS, RATE)
    dataset = pydicom.dcmread(tmp_path / "a")
    for channel in dataset.WaveformSequence[1].ChannelDefinitionSequence:
        source = channel.ChannelSourceSequence[0]
        source.CodeValue, source.CodeMeaning = "X", f"Lead {source.CodeMeaning} (somewhere)"
    dataset.save_as(tmp_path / "named")
    equal(read_recording(tmp_path / "named"), stored)
    for channel in dataset.WaveformSequence[1].ChannelDefinitionSequence:
        source = channel.ChannelSourceSequence[0]
        number = SCP_NUMBERS[[n.lower() for n in LEADS_12].index(source.CodeMeaning.split()[1].lower())]
        source.CodeValue, source.CodeMeaning = str(2 * 65536 + number), "?"
    dataset.save_as(tmp_path / "number")
    equal(read_recording(tmp_path / "number"), stored)
    for i, (change, code) in enumerate(
        [
            (lambda g: delattr(g.ChannelDefinitionSequence[0], "ChannelSensitivity"), "bad-header"),
            (lambda g: setattr(g, "NumberOfWaveformSamples", 5001), "file-truncated"),
            (lambda g: setattr(g, "NumberOfWaveformSamples", 2**31), "file-too-large"),
            (lambda g: setattr(g, "NumberOfWaveformChannels", 11), "bad-header"),
            (lambda g: setattr(g, "WaveformBitsAllocated", 8), "bad-header"),
            (
                lambda g: setattr(
                    g.ChannelDefinitionSequence[3].ChannelSensitivityUnitsSequence[0], "CodeValue", "mm[Hg]"
                ),
                "bad-unit",
            ),
        ]
    ):
        dataset = pydicom.dcmread(tmp_path / "a")
        change(dataset.WaveformSequence[1])
        dataset.save_as(tmp_path / f"bad{i}")
        assert code_of(tmp_path / f"bad{i}") == code
    dataset = pydicom.dcmread(tmp_path / "a")
    del dataset.WaveformSequence
    dataset.save_as(tmp_path / "none")
    assert code_of(tmp_path / "none") == "no-waveform"


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("huffman", [True, False])
@pytest.mark.parametrize("beat_every", [0, 500])
def test_every_compression_of_scp(order: int, huffman: bool, beat_every: int, tmp_path: Path) -> None:
    stored = write_scp(tmp_path / "a", LEADS, RATE, order=order, huffman=huffman, beat_every=beat_every)
    equal(read_recording(tmp_path / "a"), stored)


def test_own_huffman_tables_of_scp(tmp_path: Path) -> None:
    # The standard's table, written out as a file may: prefix and whole bits, mode, value, prefix from its first bit on.
    rows = []
    for value in range(-8, 9):
        bits = scp_default_code(value)
        rows.append((len(bits), len(bits), 1, value, int(bits[::-1], 2)))
    rows += [(10, 18, 1, 0, int("1111111110"[::-1], 2)), (10, 26, 1, 0, int("1111111111"[::-1], 2))]
    table = struct.pack("<HH", 1, len(rows)) + b"".join(struct.pack("<BBBhI", *row) for row in rows)
    stored = write_scp(tmp_path / "a", LEADS, RATE, own_table=table)
    equal(read_recording(tmp_path / "a"), stored)
    wrong = table.replace(struct.pack("<BBBh", 10, 18, 1, 0), struct.pack("<BBBh", 99, 18, 1, 0))
    write_scp(tmp_path / "b", LEADS, RATE, own_table=wrong)
    assert code_of(tmp_path / "b") == "bad-header"


def test_damaged_scp(tmp_path: Path) -> None:
    write_scp(tmp_path / "a", LEADS, RATE)
    whole = bytearray((tmp_path / "a").read_bytes())
    damaged = bytearray(whole)
    damaged[-500] ^= 1
    (tmp_path / "b").write_bytes(damaged)
    assert code_of(tmp_path / "b") == "bad-checksum"
    at = whole.index(struct.pack("<HHBB", 2500, 2000, 2, 0))
    start = at - 16
    (length,) = struct.unpack_from("<I", whole, start + 4)
    for value, code in (
        (struct.pack("<HHBB", 2500, 2000, 2, 1), "unsupported-format"),
        (struct.pack("<HHBB", 0, 2000, 2, 0), "bad-header"),
        (struct.pack("<HHBB", 2500, 2000, 9, 0), "bad-header"),
    ):
        changed = bytearray(whole)
        changed[at : at + 6] = value
        section = bytes(changed[start + 2 : start + length])
        changed[start : start + 2] = struct.pack("<H", binascii.crc_hqx(section, 0xFFFF))
        (tmp_path / "c").write_bytes(changed)
        assert code_of(tmp_path / "c") == code


def test_hl7_patients_are_told_apart_or_not_named(tmp_path: Path) -> None:
    """A trial's own number is nobody's: people without one must not become one patient."""
    write_hl7(tmp_path / "a", LEADS, RATE)
    text = (tmp_path / "a").read_text()
    root, extension = 'root="2.16.840.1.113883.3.400"', f' extension="{PERSON.patient_id}"'
    assert root + extension in text
    uuid = "0e1d4a4e-37a1-4b4f-8e6a-1c0f9a3f0b5d"
    for i, (new, patient) in enumerate(
        [
            (root, ""),
            (f'{root} extension=" "', ""),
            (f'{root} nullFlavor="MSK"', ""),
            (f'nullFlavor="MSK" {root}{extension}', ""),
            (f'root="{uuid}"', uuid),
            (f'root="{uuid}" extension="7"', "7"),
        ]
    ):
        (tmp_path / str(i)).write_text(text.replace(root + extension, new))
        assert read_recording(tmp_path / str(i)).patient_id == patient, new


@pytest.mark.parametrize(
    ("born", "age"),
    [("1955", 63), ("195506", 63), ("19550000", 63), ("19550600", 63), ("19550601", 63), ("", None), ("1956", 62)],
)
def test_a_year_of_birth_is_enough_for_an_age(born: str, age: int | None, tmp_path: Path) -> None:
    write_hl7(tmp_path / "a", LEADS, RATE)
    text = (tmp_path / "a").read_text().replace('<birthTime value="19550630"/>', f'<birthTime value="{born}"/>')
    (tmp_path / "a").write_text(text)
    got = read_recording(tmp_path / "a").details
    assert got.recorded_at is not None and got.recorded_at.year == PERSON.recorded_at.year
    assert got.age == age


@pytest.mark.parametrize("word", ["UNK", "UN", "U", "unknown", "Unspecified", "O", "X", "N"])
def test_words_for_unknown_cost_no_ecg(word: str, tmp_path: Path) -> None:
    write_hl7(tmp_path / "a", LEADS, RATE, Person(sex=word))
    write_muse(tmp_path / "b", LEADS, RATE, Person(sex=word))
    for name in "ab":
        assert read_recording(tmp_path / name).details.sex is None
    write_muse(tmp_path / "c", LEADS, RATE)
    text = re.sub(
        r"<PatientAge>.*?</PatientAge>", "<PatientAge>UNKNOWN</PatientAge>", (tmp_path / "c").read_text("latin-1")
    )
    assert "UNKNOWN" in text
    (tmp_path / "c").write_text(text, "latin-1")
    read_recording(tmp_path / "c")


@pytest.mark.parametrize(
    ("facts", "age", "year"),
    [
        ({"PatientAge": "64"}, 64, 2019),
        ({"PatientAge": "064y"}, 64, 2019),
        ({"PatientAge": "018M"}, 1.5, 2019),
        ({"PatientAge": "UNKNOWN", "PatientBirthDate": "19550000"}, 64, 2019),
        ({"PatientBirthDate": "1955", "PatientSex": "UNKNOWN"}, 64, 2019),
        ({"AcquisitionDateTime": "2019", "PatientAge": "064Y"}, 64, None),
    ],
)
def test_facts_of_dicom_as_they_are_found(facts: dict[str, str], age: float, year: int | None) -> None:
    got = details_of({"AcquisitionDateTime": "20191231", **facts})
    assert got.age == pytest.approx(age) and got.sex is None
    assert (got.recorded_at and got.recorded_at.year) == year


def test_units_and_choices_of_hl7(tmp_path: Path) -> None:
    stored = write_hl7(tmp_path / "a", LEADS, RATE)
    text = (tmp_path / "a").read_text()
    (tmp_path / "mv").write_text(text.replace('<scale value="2.5" unit="uV"/>', '<scale value="0.0025" unit="mV"/>'))
    equal(read_recording(tmp_path / "mv"), stored)
    (tmp_path / "ms").write_text(text.replace('value="0.002" unit="s"', 'value="2" unit="ms"'))
    equal(read_recording(tmp_path / "ms"), stored)
    aged = text.replace('<birthTime value="19550630"/>', "").replace(
        "<componentOf><timepointEvent>",
        '<controlVariable><relatedObservation><code code="21612-7"/><value value="18" unit="mo"/></relatedObservation>'
        "</controlVariable><componentOf><timepointEvent>",
    )
    (tmp_path / "age").write_text(aged)
    assert read_recording(tmp_path / "age").details.age == pytest.approx(1.5)
    for i, (pattern, new, code) in enumerate(
        [
            (r'unit="uV"/>\s*<digits>', 'unit="mm"/><digits>', "bad-unit"),
            (r"<digits>", "<digits>1 x ", "unreadable-file"),
            (r"<digits>", "<digits>1 ", "header-mismatch"),
            (r'value="0.002" unit="s"', 'value="0" unit="s"', "bad-header"),
            (r'value="0.002" unit="s"', 'value="0.002" unit="a"', "bad-header"),
            (r"MDC_ECG_LEAD", "MDC_PRESS", "no-waveform"),
        ]
    ):
        changed, n = re.subn(pattern, new, text, count=0 if "LEAD" in pattern else 1)
        assert n
        (tmp_path / f"bad{i}").write_text(changed)
        assert code_of(tmp_path / f"bad{i}") == code, new


def test_damaged_muse(tmp_path: Path) -> None:
    stored = write_muse(tmp_path / "a", LEADS, RATE)
    text = (tmp_path / "a").read_text(encoding="iso-8859-1")
    (tmp_path / "born").write_text(text.replace("<PatientAge>63</PatientAge>", ""), encoding="iso-8859-1")
    assert read_recording(tmp_path / "born").details.age == 63
    rhythm = text.index("Rhythm")
    for i, (old, new, code) in enumerate(
        [
            ("<WaveformType>Rhythm", "<WaveformType>Other", "no-waveform"),
            ("MICROVOLTS", "FURLONGS", "bad-unit"),
            ("UnitsPerBit>4.88", "UnitsPerBit>0", "bad-header"),
            ("SampleCountTotal>5000", "SampleCountTotal>5001", "file-truncated"),
            ("SampleCountTotal>5000", "SampleCountTotal>4000", "header-mismatch"),
            ("SampleCountTotal>5000", "SampleCountTotal>9999999", "file-too-large"),
            ("<WaveFormData>", "<WaveFormData>%", "unreadable-file"),
            ("SampleExponent>0", "SampleExponent>99", "bad-sampling-rate"),
        ]
    ):
        changed = text[: rhythm - 20] + text[rhythm - 20 :].replace(old, new, 1)
        assert changed != text
        (tmp_path / f"bad{i}").write_text(changed, encoding="iso-8859-1")
        assert code_of(tmp_path / f"bad{i}") == code, new
    gap = stored.copy()
    data = np.rint(gap[0] / 0.00488).astype("<i2")
    data[100:110] = -32768
    old = base64.encodebytes(np.rint(gap[0] / 0.00488).astype("<i2").tobytes()).decode()
    (tmp_path / "gap").write_text(text.replace(old, base64.encodebytes(data.tobytes()).decode()), encoding="iso-8859-1")
    assert np.flatnonzero(np.isnan(read_recording(tmp_path / "gap").signal[0])).tolist() == list(range(100, 110))


def test_damaged_edf(tmp_path: Path) -> None:
    write_edf(tmp_path / "a", LEADS, RATE)
    whole = (tmp_path / "a").read_bytes()

    def changed(at: int, text: str, width: int) -> Path:
        (tmp_path / "b").write_bytes(whole[:at] + text.ljust(width).encode() + whole[at + width :])
        return tmp_path / "b"

    assert read_recording(changed(88, "Startdate X X X X", 80)).details.recorded_at is None
    assert read_recording(changed(192, "", 44)).patient_id == ""
    assert read_recording(changed(192, "", 44)).details.recorded_at == dt.datetime(2019, 5, 31, 14, 7, 9)
    assert code_of(changed(192, "EDF+D", 44)) == "unsupported-format"
    assert code_of(changed(236, "11", 8)) == "file-truncated"
    assert code_of(changed(236, "-1", 8)) == "bad-header"
    assert code_of(changed(236, "99999999", 8)) == "file-truncated"
    assert code_of(changed(252, "9999", 4)) == "file-truncated"
    assert code_of(changed(244, "0", 8)) == "bad-header"
    units = 256 + 13 * (16 + 80)
    assert code_of(changed(units, "mmHg", 8)) == "bad-unit"
    assert code_of(changed(units + 13 * 8, "8.192", 8)) == "bad-header"


def test_csv_of_samples(tmp_path: Path) -> None:
    given = Given(RATE, "uV")
    stored = write_samples_csv(tmp_path / "a.csv", LEADS)
    assert detect(tmp_path / "a.csv") == "csv"
    equal(read_recording(tmp_path / "a.csv", given), stored)
    names = tuple(f"ch{i}" for i in range(12))
    write_samples_csv(tmp_path / "b.csv", LEADS, names, ";")
    with pytest.raises(HeartprintError, match=r"'ch0', 'ch1'.*--column I=ch1") as caught:
        read_recording(tmp_path / "b.csv", given)
    assert caught.value.code == "unknown-format"
    columns = dict(zip(LEADS_12, names, strict=True))
    equal(read_recording(tmp_path / "b.csv", Given(RATE, "uV", columns)), stored)
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "gap.csv").write_text(text.replace("\n7,", "\n7,,", 1).replace("\n8,", "\n8,NaN,", 1))
    assert code_of(tmp_path / "gap.csv", given) == "bad-array"
    (tmp_path / "word.csv").write_text(re.sub(r"\n9,[^,]*", "\n9,high", text))
    assert code_of(tmp_path / "word.csv", given) == "bad-array"
    (tmp_path / "gap.csv").write_text(re.sub(r"\n9,[^,]*", "\n9,", text))
    assert np.isnan(read_recording(tmp_path / "gap.csv", given).signal[0, 9])
    assert code_of(tmp_path / "a.csv") == "missing-sampling-rate"


def test_wfdb_and_arrays_are_files_too(tmp_path: Path) -> None:
    stored = write_record(tmp_path, "r.1", LEADS, RATE) / 1000
    np.save(tmp_path / "a", eight_leads(rate=RATE))
    for name in ("r.1", "r.1.hea", "r.1.dat"):
        equal(read_recording(tmp_path / name), stored)
    assert detect(tmp_path / "r.1.hea") == "wfdb"
    assert read_recording(tmp_path / "a.npy", Given(RATE)).lead_names == LEADS_8
    assert code_of(tmp_path / "no.dcm") == "file-missing"
    (tmp_path / "letter.docx").write_bytes(b"PK\3\4" + bytes(1000))
    assert code_of(tmp_path / "letter.docx") == "unknown-format"
    (tmp_path / "empty").write_bytes(b"")
    assert code_of(tmp_path / "empty") == "unknown-format"


# Real files


def real(shared_data: Path, name: str) -> Path:
    path = shared_data / "vendor" / name
    if not path.is_file():
        pytest.skip(f"no real file here: {path} is absent")
    return path


def test_real_dicom_equals_pydicom(shared_data: Path) -> None:
    import pydicom

    path = real(shared_data, "dicom_waveform.dcm")
    got = read_recording(path)
    rhythm, median = pydicom.dcmread(path).WaveformSequence
    assert (rhythm.NumberOfWaveformSamples, median.NumberOfWaveformSamples) == (10000, 1200)
    np.testing.assert_allclose(got.signal, pydicom.dcmread(path).waveform_array(0).T / 1000, atol=1e-12)
    assert got.lead_names == LEADS_12
    assert (got.sampling_rate, got.details.age, got.details.sex) == (1000, 42, "female")
    assert got.details.recorded_at == dt.datetime(2013, 1, 25, 10, 59, 19)


def literal_hl7(path: Path) -> dict[str, np.ndarray]:
    text = path.read_text(encoding="utf-8")
    form = (
        r'code="MDC_ECG_LEAD_(\w+)".*?<origin value="0" unit="uV"/>\s*<scale value="2.5" unit="uV"/>.*?<digits>(.*?)<'
    )
    # The last twelve are representative beats.
    found = re.findall(form, text, re.DOTALL)[:12]
    return {name: np.array(digits.split(), dtype=float) * 0.0025 for name, digits in found}


def test_real_hl7_equals_its_digits_and_the_same_ecg_in_scp(shared_data: Path) -> None:
    truth = literal_hl7(real(shared_data, "hl7_aecg.xml"))
    assert len(truth) == 12
    for name in ("hl7_aecg.xml", "scp_ecg.scp"):
        # The SCP file is the same recording, converted and compressed by another program.
        got = read_recording(real(shared_data, name))
        assert (got.sampling_rate, got.patient_id) == (500, "SBJ-123")
        assert got.details.recorded_at == dt.datetime(2002, 11, 22, 9, 10)
        assert (got.details.age, got.details.sex, got.details.device) == (49, "male", "ELI250")
        for lead, row in zip(got.lead_names, got.signal, strict=True):
            np.testing.assert_allclose(row, truth[lead.upper()], atol=1e-12)


def literal_xli(data: bytes) -> list[list[int]]:
    """As the format is described: codes of 10 bits from a string of bits, a dictionary, one difference at a time."""
    leads, at = [], 0
    while at < len(data):
        size, _, last = struct.unpack_from("<ihh", data, at)
        bits = "".join(f"{b:08b}" for b in data[at + 8 : at + 8 + size])
        at += 8 + size
        table = {i: bytes([i]) for i in range(256)}
        out, before = b"", b""
        for code in (int(bits[i : i + 10], 2) for i in range(0, len(bits) - 9, 10)):
            if code == 1023:
                break
            string = table.get(code, before + before[:1])
            out += string
            if before and len(table) < 1023:
                table[len(table)] = before + string[:1]
            before = string
        half = len(out) // 2
        words = [struct.unpack(">h", bytes(pair))[0] for pair in zip(out[:half], out[half:], strict=True)]
        samples = words[:2]
        for word in words[2:]:
            samples.append(2 * samples[-1] - samples[-2] - last)
            last = word - 64
        leads.append(samples)
    return leads


def test_real_philips_equals_a_literal_decoder_and_einthoven(shared_data: Path) -> None:
    path = real(shared_data, "philips_sierra_1.04.xml")
    got = read_recording(path)
    text = path.read_text(encoding="utf-16")
    data = re.search(r"<parsedwaveforms[^>]*>(.*?)<", text, re.DOTALL)
    leads = literal_xli(base64.b64decode(data[1]))
    n = got.signal.shape[1]
    assert n == 5300
    for i in (0, 1, *range(6, 12)):
        np.testing.assert_allclose(got.signal[i], np.array(leads[i][:n]) * 0.005, atol=1e-12)
        # What was cut off: silence and a pulse of 1 mV.
        assert set(leads[i][n:]) == {0, 200}
    one, two, three, avr, avl, avf = got.signal[:6]
    assert np.abs(three - (two - one)).max() <= 0.005
    assert np.abs(avr + (one + two) / 2).max() <= 0.0101
    assert np.abs(avl - (one - two / 2)).max() <= 0.0101
    assert np.abs(avf - (two - one / 2)).max() <= 0.0101
    assert (got.details.age, got.details.sex, got.details.device) == (60, "male", "PageWriter Touch")


def test_every_real_file_passes_the_checks(shared_data: Path) -> None:
    for path in sorted(real(shared_data, "scp_ecg.scp").parent.iterdir()):
        got = read_recording(path)
        examined = examine(got.signal, got.lead_names, got.sampling_rate)
        assert (examined.unit, examined.n_clipped, examined.n_missing) == ("uV", 0, 0)


# Fuzzing


def mutant(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with a few of the things that happen to files."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        if not out:
            break
        at = int(rng.integers(len(out)))
        kind = rng.integers(6)
        if kind == 0:
            del out[at:]
        elif kind == 1:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            out[at : at + 4] = rng.bytes(4)
        elif kind == 3:
            out[at : at + 4] = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"9999"][rng.integers(4)]
        elif kind == 4:
            span = int(rng.integers(1, 200))
            del out[at : at + span]
        else:
            span = int(rng.integers(1, 200))
            out[at:at] = out[at : at + span]
    return bytes(out)


def seed_files(name: str, folder: Path) -> list[bytes]:
    """Small files to start from; headers are a large part of them, so that mutants hit headers too."""
    short = twelve(0.4, RATE)
    if name == "csv":
        write_samples_csv(folder / "f", short)
    elif name == "npy":
        np.save(folder / "f.npy", short)
        (folder / "f.npy").rename(folder / "f")
    elif name == "wfdb":
        write_record(folder, "f", short, RATE)
        (folder / "f.hea").rename(folder / "f")
    else:
        WRITERS[name][0](folder / "f", twelve(1, RATE) if name == "edf" else short, RATE)
    files = [(folder / "f").read_bytes()]
    if name == "scp":
        write_scp(folder / "f", twelve(2, RATE), RATE, beat_every=200)
        files.append((folder / "f").read_bytes())
    return files


def with_right_checksums(data: bytes) -> bytes:
    """SCP sections with their checksums corrected, so that mutants come past them."""
    out = bytearray(data)
    for at in range(22, min(142, len(out) - 9), 10):
        number, length, index = struct.unpack_from("<HII", out, at)
        if 1 <= number <= 6 and 16 < length <= len(out) and 0 < index <= len(out) - length + 1:
            section = bytes(out[index + 1 : index - 1 + length])
            out[index - 1 : index + 1] = struct.pack("<H", binascii.crc_hqx(section, 0xFFFF))
    return bytes(out)


def fuzz(name: str, folder: Path, n: int) -> None:
    rng = np.random.default_rng(sum(name.encode()))
    seeds = seed_files(name, folder)
    path = folder / ("m.hea" if name == "wfdb" else "m")
    given = Given(RATE, "uV")
    slowest = 0.0
    for i in range(n):
        data = mutant(seeds[i % len(seeds)], rng)
        if name == "scp" and i % 4:
            data = with_right_checksums(data)
        path.write_bytes(data)
        start = time.monotonic()
        detect(path, given)
        try:
            got = FORMATS[name].read(path, given)
            assert got.signal.ndim == 2
            assert got.signal.dtype == np.float64
        except HeartprintError as error:
            assert error.message.endswith("."), error.message
        slowest = max(slowest, time.monotonic() - start)
    assert slowest < 5


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_mutants(name: str, tmp_path: Path) -> None:
    fuzz(name, tmp_path, 300)


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_many_mutants(name: str, tmp_path: Path) -> None:
    fuzz(name, tmp_path, 20_000)


def text_of(path: Path) -> str:
    return path.read_bytes().decode("latin-1")


def test_of_several_recordings_the_one_with_most_leads_is_taken_and_the_rest_is_said(tmp_path: Path) -> None:
    """MUSE: a strip of one lead first, then the recording, then another; aECG and DICOM: two recordings."""
    write_muse(tmp_path / "a.xml", LEADS, RATE)
    text = text_of(tmp_path / "a.xml")
    rhythm = next(w for w in re.findall(r"<Waveform>.*?</Waveform>", text, re.S) if ">Rhythm<" in w)
    strip = re.sub(r"(<LeadData>.*?</LeadData>).*(</Waveform>)", r"\1\2", rhythm, flags=re.S)
    (tmp_path / "a.xml").write_bytes((text.replace(rhythm, strip + rhythm + rhythm)).encode("latin-1"))
    found = read_recording(tmp_path / "a.xml")
    assert found.signal.shape == (8, LEADS.shape[1])
    assert [c.code for c in found.cautions] == ["further-rhythms"] and "another recording" in found.cautions[0].message
    write_hl7(tmp_path / "b.xml", LEADS, RATE)
    text = text_of(tmp_path / "b.xml")
    series = re.search(r"<component>\s*<series>.*?</series>\s*</component>", text, re.S)
    assert series is not None
    (tmp_path / "b.xml").write_bytes((text.replace(series[0], series[0] * 3)).encode("latin-1"))
    assert ["2 other recordings" in c.message for c in read_recording(tmp_path / "b.xml").cautions] == [True]


def test_dicom_groups_of_one_recording_are_joined(tmp_path: Path) -> None:
    """Three groups of four leads, as some carts write them; two rhythms of all leads are not."""
    import copy

    import pydicom

    stored = write_dicom(tmp_path / "a.dcm", LEADS, RATE)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    *beats, rhythm = dataset.WaveformSequence
    samples = np.frombuffer(rhythm.WaveformData, "<i2").reshape(-1, 12)
    parts = []
    for first in (0, 4, 8):
        part = copy.deepcopy(rhythm)
        part.NumberOfWaveformChannels = 4
        part.ChannelDefinitionSequence = rhythm.ChannelDefinitionSequence[first : first + 4]
        part.WaveformData = np.ascontiguousarray(samples[:, first : first + 4]).tobytes()
        parts.append(part)
    dataset.WaveformSequence = [*beats, *parts]
    dataset.save_as(tmp_path / "b.dcm")
    found = read_recording(tmp_path / "b.dcm")
    equal(found, stored)
    assert found.signal.shape[0] == 12 and not found.cautions
    dataset.WaveformSequence = [*beats, rhythm, copy.deepcopy(rhythm)]
    dataset.save_as(tmp_path / "c.dcm")
    found = read_recording(tmp_path / "c.dcm")
    equal(found, stored)
    assert [c.code for c in found.cautions] == ["further-rhythms"]


def test_dicom_padding_stands_at_the_ends_alone(tmp_path: Path) -> None:
    """A padding value of 0 does not make the zeros of an ECG missing."""
    import pydicom

    stored = write_dicom(tmp_path / "a.dcm", LEADS, RATE)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    rhythm = dataset.WaveformSequence[-1]
    samples = np.frombuffer(rhythm.WaveformData, "<i2").reshape(-1, 12).copy()
    samples[:100] = samples[-40:] = 0
    samples[500, 3] = 0
    rhythm.WaveformData = samples.tobytes()
    rhythm.add_new(0x5400100A, "OW", b"\0\0")
    dataset.save_as(tmp_path / "b.dcm")
    found = read_recording(tmp_path / "b.dcm")
    missing = np.isnan(found.signal)
    assert missing[:, :100].all() and missing[:, -40:].all() and not missing[:, 100:-40].any()
    assert np.allclose(found.signal[:, 600:700], stored[:, 600:700])


def test_dicom_without_preamble_or_meta_information(tmp_path: Path) -> None:
    import pydicom

    stored = write_dicom(tmp_path / "a.dcm", LEADS, RATE)
    (tmp_path / "b.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[132:])
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    del dataset.file_meta
    dataset.preamble = None
    dataset.save_as(tmp_path / "c.dcm", implicit_vr=True, little_endian=True, enforce_file_format=False)
    for name in ("b.dcm", "c.dcm"):
        equal(read_recording(tmp_path / name), stored)


def test_sierra_1_03_without_compression_or_resolution(tmp_path: Path) -> None:
    """As converters write it: all twelve leads as they are, one after the other."""
    stored = write_philips(tmp_path / "a.xml", LEADS, RATE, version="1.03", encoding="utf-8")
    text = (tmp_path / "a.xml").read_text(encoding="utf-8")
    assert "<signalresolution>5</signalresolution>" in text and "resolution=" not in text
    whole = base64.b64encode(np.rint(stored * 200).astype("<i2").tobytes()).decode()
    text = re.sub(
        r'compressflag="True" compressmethod="XLI"', 'compressflag="False" compressmethod="Uncompressed"', text
    )
    text = re.sub(r'durationperchannel="\d+"', 'durationperchannel="10000"', text)
    text = re.sub(r"(<parsedwaveforms[^>]*>).*?(</parsedwaveforms>)", rf"\g<1>{whole}\g<2>", text, flags=re.DOTALL)
    (tmp_path / "b.xml").write_text(text, encoding="utf-8")
    equal(read_recording(tmp_path / "b.xml"), stored)
    (tmp_path / "c.xml").write_text(text.replace("<signalresolution>5</signalresolution>", ""), encoding="utf-8")
    assert code_of(tmp_path / "c.xml") == "bad-header"


@pytest.mark.parametrize(
    ("said", "patient"),
    [
        ("<PatientID>BS1</PatientID>", "BS1"),
        ("<patientId> BS1 </patientId><MRN>BS1</MRN>", "BS1"),
        ('<id root="1.2.3" extension="BS1"/>', "BS1"),
        ("<PatientID>BS1</PatientID><MRN>BS2</MRN>", ""),
        ("<PatientID/>", ""),
        ("<name>BS1</name>", ""),
    ],
)
def test_an_id_is_found_where_vendors_of_hl7_put_it(said: str, patient: str, tmp_path: Path) -> None:
    """Below the person; two that differ are none."""
    write_hl7(tmp_path / "a.xml", LEADS, RATE)
    text = re.sub(r"(<trialSubject>\s*)<id [^>]*/>", r"\1", text_of(tmp_path / "a.xml"))
    text = text.replace("<subjectDemographicPerson>", f"<subjectDemographicPerson>{said}")
    (tmp_path / "a.xml").write_text(text)
    assert read_recording(tmp_path / "a.xml").patient_id == patient


def test_an_id_is_found_where_other_vendors_put_it(tmp_path: Path) -> None:
    import pydicom

    write_muse(tmp_path / "a.xml", LEADS, RATE)
    text = text_of(tmp_path / "a.xml").replace(f"<PatientID>{PERSON.patient_id}</PatientID>", "")
    for said, patient in (
        ("<Order><PatientID>7</PatientID></Order>", "7"),
        ("<Order><MRN>7</MRN></Order>", "7"),
        ("", ""),
    ):
        (tmp_path / "b.xml").write_text(text.replace("</MuseInfo>", f"</MuseInfo>{said}"), encoding="iso-8859-1")
        assert read_recording(tmp_path / "b.xml").patient_id == patient
    write_philips(tmp_path / "c.xml", LEADS, RATE, encoding="utf-8")
    text = text_of(tmp_path / "c.xml").replace(
        f"<patientid>{PERSON.patient_id}</patientid>", "<patientid/><MRN>7</MRN>"
    )
    (tmp_path / "c.xml").write_text(text, encoding="utf-8")
    assert read_recording(tmp_path / "c.xml").patient_id == "7"
    write_dicom(tmp_path / "d", LEADS, RATE)
    dataset = pydicom.dcmread(tmp_path / "d")
    dataset.PatientID, dataset.OtherPatientIDs = "", "7"
    dataset.save_as(tmp_path / "d")
    assert read_recording(tmp_path / "d").patient_id == "7"
    other = pydicom.Dataset()
    other.PatientID = "8"
    dataset.OtherPatientIDsSequence = [other]
    dataset.save_as(tmp_path / "d")
    assert read_recording(tmp_path / "d").patient_id == ""


def test_wfdb_with_skew_is_not_called_damaged(tmp_path: Path) -> None:
    """Against wfdb, which shifts the lead; the checksum is of what is stored."""
    import wfdb

    write_record(tmp_path, "a", LEADS, RATE)
    lines = (tmp_path / "a.hea").read_text().splitlines()
    lines[7] = lines[7].replace(" 16 ", " 16:3 ", 1)
    (tmp_path / "a.hea").write_text("\n".join(lines) + "\n")
    found = read_recording(tmp_path / "a.hea")
    theirs = wfdb.rdrecord(str(tmp_path / "a")).p_signal.T
    np.testing.assert_allclose(found.signal, theirs, atol=1e-9)
    lines[7] = lines[7].replace(lines[7].split()[6], "12345")
    (tmp_path / "a.hea").write_text("\n".join(lines) + "\n")
    assert code_of(tmp_path / "a.hea") == "header-mismatch"


def test_wfdb_in_capitals_and_with_the_line_ends_of_windows(tmp_path: Path) -> None:
    write_record(tmp_path, "a", LEADS, RATE)
    header = (tmp_path / "a.hea").read_text().replace("\n", "\r\n")
    (tmp_path / "A.HEA").write_bytes(header.encode())
    (tmp_path / "a.dat").rename(tmp_path / "A.DAT")
    (tmp_path / "a.hea").unlink()
    for path in ("A.HEA", "A.hea", "A"):
        found = read_recording(tmp_path / path)
        assert np.allclose(found.signal, LEADS, atol=6e-4)


@pytest.mark.parametrize("spelling", ["Lead {}", "{} (mV)", "ECG {}", "{}_mV", "lead_{}"])
def test_csv_columns_are_found_however_they_are_spelled(spelling: str, tmp_path: Path) -> None:
    names = tuple(spelling.format(lead) for lead in LEADS_12)
    stored = write_samples_csv(tmp_path / "a.csv", LEADS, names)
    unit = "mV" if "mV" in spelling else "uV"
    found = read_recording(tmp_path / "a.csv", Given(RATE, unit))
    assert found.lead_names == LEADS_12
    np.testing.assert_allclose(found.signal, stored * (1000 if unit == "mV" else 1), atol=1e-6)
    if unit == "mV":
        assert code_of(tmp_path / "a.csv", Given(RATE, "uV")) == "bad-unit"


def test_a_lead_that_is_there_twice_is_refused_in_csv(tmp_path: Path) -> None:
    write_samples_csv(tmp_path / "a.csv", np.concatenate([LEADS, -LEADS[6:7]]), (*LEADS_12, "Lead V1"))
    assert code_of(tmp_path / "a.csv", Given(RATE, "uV")) == "duplicate-lead"
    found = read_recording(tmp_path / "a.csv", Given(RATE, "uV", {"V1": "V1"}))
    np.testing.assert_allclose(found.signal[6], LEADS[6], atol=6e-4)


def test_units_in_the_names_of_columns(tmp_path: Path) -> None:
    """They are taken where they agree with each other and with what was given; one lead with a unit counts, too."""
    millivolts = LEADS / 1.0
    for names, given, code in (
        ([f"{lead} (mV)" for lead in LEADS_12], "mV", ""),
        ([f"{lead} [millivolt]" for lead in LEADS_12], "mV", ""),
        ([f"{lead}/mV" for lead in LEADS_12], "uV", "bad-unit"),
        ([f"{lead} (mV)" if lead == "V1" else lead for lead in LEADS_12], "uV", "bad-unit"),
        ([f"{lead} (uV)" if lead == "V1" else lead for lead in LEADS_12], "mV", "bad-unit"),
    ):
        rows = "\n".join(",".join(f"{v:.3f}" for v in column) for column in millivolts.T)
        (tmp_path / "a.csv").write_text(f"{','.join(names)}\n{rows}\n")
        if code:
            assert code_of(tmp_path / "a.csv", Given(RATE, given)) == code
        else:
            found = read_recording(tmp_path / "a.csv", Given(RATE, given))
            np.testing.assert_allclose(found.signal, LEADS, atol=6e-4)
    for write, old, new in (
        (write_edf, b"ECG V1          ", b"ECG V1 (uV)     "),
        (lambda path, leads, rate: write_record(path.parent, path.name, leads, rate), b"0 V1\n", b"0 V1 (uV)\n"),
    ):
        write(tmp_path / "b", LEADS, RATE)
        file = tmp_path / "b.hea" if (tmp_path / "b.hea").exists() else tmp_path / "b"
        data = file.read_bytes()
        assert old in data
        file.write_bytes(data.replace(old, new))
        assert code_of(tmp_path / "b") == "bad-unit"


def test_the_user_s_word_for_a_column_is_the_only_one(tmp_path: Path) -> None:
    stored = write_samples_csv(tmp_path / "a.csv", np.concatenate([LEADS, -LEADS[6:7]]), (*LEADS_12, "better"))
    found = read_recording(tmp_path / "a.csv", Given(RATE, "uV", {"V1": "better"}))
    np.testing.assert_allclose(found.signal[6], stored[12], atol=1e-9)
    # Another file of the archive, where that column is not.
    write_samples_csv(tmp_path / "b.csv", LEADS)
    with pytest.raises(HeartprintError, match="'V1'"):
        read_recording(tmp_path / "b.csv", Given(RATE, "uV", {"V1": "better"}))
    assert code_of(tmp_path / "a.csv", Given(RATE, "uV", {"V1": "better", "V2": "better"})) == "duplicate-lead"


def test_dicom_code_and_words_must_say_the_same_lead(tmp_path: Path) -> None:
    import pydicom

    write_dicom(tmp_path / "a", LEADS, RATE)
    for code, words, expected in (
        ("5.6.3-9-3", "Lead V1 (Wilson)", ""),
        ("5.6.3-9-3", "Lead V2", "bad-header"),
        ("5.6.3-9-3", "-V1", "bad-header"),
        ("5.6.3-9-65", "aVR", "bad-header"),
        ("2:0", "Lead V1", ""),
        ("PRIVATE", "ECG V1", ""),
    ):
        dataset = pydicom.dcmread(tmp_path / "a")
        source = dataset.WaveformSequence[1].ChannelDefinitionSequence[6].ChannelSourceSequence[0]
        source.CodeValue, source.CodeMeaning = code, words
        dataset.save_as(tmp_path / "b")
        if expected:
            assert code_of(tmp_path / "b") == expected
        else:
            assert "V1" in read_recording(tmp_path / "b").lead_names
