"""Writers of hospitals' file formats, as literal as the documents, for made-up ECGs.

Each takes (12, n) mV in the order I, II, III, aVR, aVL, aVF, V1-V6 and gives back what it could store of them.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import itertools
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.signals.leads import LEADS_12

Leads = npt.NDArray[np.floating]
Digital = npt.NDArray[np.int64]

SCP_NUMBERS = [1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8]


@dataclass(frozen=True)
class Person:
    """Who was recorded, when and by what."""

    patient_id: str = "p1"
    sex: str = "F"
    born: dt.date = dt.date(1955, 6, 30)
    recorded_at: dt.datetime = dt.datetime(2019, 5, 31, 14, 7, 9)
    device: str = "MAC 55"

    @property
    def age(self) -> int:
        """In whole years: the birthday of the default person comes a month after the recording."""
        r, b = self.recorded_at, self.born
        return r.year - b.year - ((r.month, r.day) < (b.month, b.day))


PERSON = Person()


def digitise(leads_mv: Leads, uv_per_bit: float) -> tuple[Digital, Leads]:
    digital = np.rint(leads_mv * (1000 / uv_per_bit)).astype(np.int64)
    return digital, digital * (uv_per_bit / 1000)


# DICOM


def write_dicom(path: Path, leads_mv: Leads, rate: int, person: Person = PERSON, *, mdc: bool = False) -> Leads:
    """A rhythm group and, before it, a median beat, as carts write them; half the gain in the correction factor."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage, generate_uid

    digital, stored = digitise(leads_mv, 2.5)

    def code(value: str, scheme: str, meaning: str) -> Dataset:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
        return item

    def group(label: str, samples: Digital) -> Dataset:
        g = Dataset()
        g.WaveformOriginality = "ORIGINAL" if label == "RHYTHM" else "DERIVED"
        g.NumberOfWaveformChannels, g.NumberOfWaveformSamples = samples.shape
        g.SamplingFrequency = str(rate)
        g.MultiplexGroupLabel = label
        channels = []
        for number, lead in zip(SCP_NUMBERS, LEADS_12, strict=True):
            c = Dataset()
            source = code(f"2:{number}", "MDC", f"Lead {lead}") if mdc else code(f"5.6.3-9-{number}", "SCPECG", lead)
            c.ChannelSourceSequence = [source]
            c.ChannelSensitivity, c.ChannelSensitivityCorrectionFactor, c.ChannelBaseline = "5", "0.5", "0"
            c.ChannelSensitivityUnitsSequence = [code("uV", "UCUM", "microvolt")]
            c.WaveformBitsStored = 16
            channels.append(c)
        g.ChannelDefinitionSequence = channels
        g.WaveformBitsAllocated, g.WaveformSampleInterpretation = 16, "SS"
        g.WaveformData = samples.T.astype("<i2").tobytes()
        return g

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = TwelveLeadECGWaveformStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    ds.PatientID, ds.PatientSex, ds.PatientBirthDate = person.patient_id, person.sex, f"{person.born:%Y%m%d}"
    ds.PatientName = "Doe^Jane"
    ds.AcquisitionDateTime = f"{person.recorded_at:%Y%m%d%H%M%S}"
    ds.ManufacturerModelName, ds.Modality = person.device, "ECG"
    ds.WaveformSequence = [group("MEDIAN BEAT", digital[:, : rate // 2]), group("RHYTHM", digital)]
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return stored


# Philips SierraECG


def lzw(data: bytes) -> bytes:
    """Welch 1984 with codes of 10 bits, most significant first, and 1023 as the end."""
    table = {bytes([i]): i for i in range(256)}
    codes, held = [], b""
    for i in range(len(data)):
        longer = held + data[i : i + 1]
        if longer in table:
            held = longer
            continue
        codes.append(table[held])
        if len(table) <= 1022:
            table[longer] = len(table)
        held = data[i : i + 1]
    codes += [table[held], 1023]
    bits = "".join(f"{c:010b}" for c in codes)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def xli(lead: Digital) -> bytes:
    """One chunk: size, 1, the first second difference, and the rest in codes of which 64 stands for 0."""
    second = [int(2 * lead[i - 1] - lead[i - 2] - lead[i]) for i in range(2, len(lead))]
    words = [int(lead[0]), int(lead[1])] + [d + 64 for d in second[1:]] + [64]
    packed = struct.pack(f">{len(words)}h", *words)
    body = lzw(packed[0::2] + packed[1::2])
    return struct.pack("<iHh", len(body), 1, second[0]) + body


def write_philips(
    path: Path, leads_mv: Leads, rate: int, person: Person = PERSON, *, version: str = "1.04", encoding: str = "utf-16"
) -> Leads:
    """Derived leads as differences, and half a second of calibration at the end."""
    digital, stored = digitise(leads_mv, 5.0)
    one, two, three, avr, avl, avf = digital[:6]
    kept = digital.copy()
    kept[2] = two - one - three
    kept[3] = -((one + two) // 2) - avr
    kept[4] = (one - three) // 2 - avl
    kept[5] = (two + three) // 2 - avf
    pulse = np.zeros(rate // 2, dtype=np.int64)
    pulse[rate // 10 : rate // 5] = 200
    tail = np.tile(pulse, (12, 1))
    # On the pulse all leads show 200, and the differences are what gives 200 again.
    tail[2], tail[3], tail[4], tail[5] = -pulse, -2 * pulse, -pulse, (2 * pulse) // 2 - pulse
    kept = np.concatenate([kept, tail], axis=1)
    data = base64.encodebytes(b"".join(xli(lead) for lead in kept)).decode()
    # The two versions name the same things in other places (schemas of 2003 and 2010 in C. A. Watford's tools).
    if version == "1.04":
        attributes = (
            f'compression="XLI" numberofleads="12" leadlabels="{" ".join(LEADS_12)}" samplespersecond="{rate}" '
            'resolution="5" signaloffset="0" signalsigned="True" bitspersample="16"'
        )
        characteristics = "<resolution>5</resolution><hipass>0.05</hipass><lowpass>150</lowpass>"
        last, kind = "<electrodeplacement>STD</electrodeplacement>", "PhilipsECG"
    else:
        attributes = 'compressflag="True" compressmethod="XLI" filterflag="False" nbitspersample="16"'
        characteristics = "<signalresolution>5</signalresolution><signalbandwidth>0.05-150</signalbandwidth>"
        last, kind = "<leadset>STD-12</leadset>", "SierraECG"
    when, sex = person.recorded_at, {"F": "Female", "M": "Male"}.get(person.sex, "Unknown")
    text = f"""<?xml version="1.0" encoding="{encoding}"?>
<restingecgdata xmlns="http://www3.medical.philips.com">
  <documentinfo><documenttype>{kind}</documenttype><documentversion>{version}</documentversion></documentinfo>
  <dataacquisition date="{when:%Y-%m-%d}" time="{when:%H:%M:%S}" statflag="False">
    <machine machineid="EKG1">{person.device}</machine>
    <signalcharacteristics>
      <samplingrate>{rate}</samplingrate>{characteristics}
      <acquisitiontype>{"10-WIRE" if version == "1.04" else "STD-12"}</acquisitiontype><bitspersample>16</bitspersample>
      <signaloffset>0</signaloffset><signalsigned>True</signalsigned>
      <numberchannelsallocated>12</numberchannelsallocated><numberchannelsvalid>12</numberchannelsvalid>
      {last}
    </signalcharacteristics>
  </dataacquisition>
  <patient><generalpatientdata>
    <patientid>{person.patient_id}</patientid><name><lastname>Doe</lastname></name>
    <age defaultage="50"><dateofbirth>{person.born}</dateofbirth></age><sex>{sex}</sex>
  </generalpatientdata></patient>
  <waveforms>
    <parsedwaveforms dataencoding="Base64" durationperchannel="{kept.shape[1] * 1000 // rate}" {attributes}>{data}\
</parsedwaveforms>
  </waveforms>
</restingecgdata>
"""
    path.write_bytes(text.encode(encoding))
    return stored


# HL7 aECG


def write_hl7(path: Path, leads_mv: Leads, rate: int, person: Person = PERSON) -> Leads:
    """A rhythm series and, derived from it, a shorter one of representative beats."""
    digital, stored = digitise(leads_mv, 2.5)

    def series(kind: str, samples: Digital) -> str:
        sequences = "".join(
            f"""<component><sequence>
  <code code="MDC_ECG_LEAD_{lead.upper()}" codeSystem="2.16.840.1.113883.6.24" codeSystemName="MDC"/>
  <value xsi:type="SLIST_PQ"><origin value="0" unit="uV"/><scale value="2.5" unit="uV"/>
    <digits>{" ".join(map(str, row))}</digits></value>
</sequence></component>"""
            for lead, row in zip(LEADS_12, samples, strict=True)
        )
        return f"""<series><code code="{kind}" codeSystem="2.16.840.1.113883.5.4"/>
<effectiveTime><low value="{person.recorded_at:%Y%m%d%H%M%S}.000" inclusive="true"/></effectiveTime>
<author><seriesAuthor><manufacturedSeriesDevice>
  <manufacturerModelName>{person.device}</manufacturerModelName>
</manufacturedSeriesDevice></seriesAuthor></author>
<component><sequenceSet><component><sequence>
  <code code="TIME_ABSOLUTE" codeSystem="2.16.840.1.113883.5.4"/>
  <value xsi:type="GLIST_TS"><head value="{person.recorded_at:%Y%m%d%H%M%S}.000"/>
    <increment value="{1 / rate}" unit="s"/></value>
</sequence></component>{sequences}</sequenceSet></component>
"""

    path.write_text(
        f"""<?xml version="1.0" encoding="UTF-8"?>
<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<id root="61d1a24f-b47e-41aa-ae95-f8ac302f4eeb"/>
<effectiveTime><center value="{person.recorded_at:%Y%m%d%H%M}"/></effectiveTime>
<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>
  <id root="2.16.840.1.113883.3.400" extension="{person.patient_id}"/>
  <subjectDemographicPerson><name>Doe</name>
    <administrativeGenderCode code="{person.sex}" codeSystem="2.16.840.1.113883.5.1"/>
    <birthTime value="{person.born:%Y%m%d}"/></subjectDemographicPerson>
</trialSubject></subject></subjectAssignment></componentOf></timepointEvent></componentOf>
<component>{series("RHYTHM", digital)}
<derivation><derivedSeries>
{series("REPRESENTATIVE_BEAT", digital[:, : rate // 2])}</series>
</derivedSeries></derivation>
</series></component>
</AnnotatedECG>
""",
        encoding="utf-8",
    )
    return stored


# SCP-ECG


def scp_default_code(value: int) -> str:
    """The bits of a value in the standard's Huffman table (EN 1064, table C.1)."""
    if value == 0:
        return "0"
    if abs(value) <= 8:
        return "1" * abs(value) + "0" + ("1" if value < 0 else "0")
    if -128 <= value <= 127:
        return "1111111110" + f"{value & 0xFF:08b}"
    return "1111111111" + f"{value & 0xFFFF:016b}"


def second_differences(lead: Digital, order: int) -> list[int]:
    values = [int(v) for v in lead]
    if order == 0:
        return values
    if order == 1:
        return values[:1] + [b - a for a, b in itertools.pairwise(values)]
    return values[:2] + [values[i] - 2 * values[i - 1] + values[i - 2] for i in range(2, len(values))]


def scp_section(number: int, content: bytes) -> bytes:
    content += b"\0" * (len(content) % 2)
    reserved = b"SCPECG" if number == 0 else b"\0" * 6
    body = struct.pack("<HIBB", number, 16 + len(content), 20, 20) + reserved + content
    return struct.pack("<H", binascii.crc_hqx(body, 0xFFFF)) + body


def scp_coded(leads: Digital, order: int, *, huffman: bool) -> list[bytes]:
    coded = []
    for lead in leads:
        values = second_differences(lead, order)
        if huffman:
            bits = "".join(map(scp_default_code, values))
            bits += "0" * (-len(bits) % 16)
            coded.append(int(bits, 2).to_bytes(len(bits) // 8, "big"))
        else:
            coded.append(struct.pack(f"<{len(values)}h", *values))
    return coded


def write_scp(
    path: Path,
    leads_mv: Leads,
    rate: int,
    person: Person = PERSON,
    *,
    order: int = 2,
    huffman: bool = True,
    beat_every: int = 0,
    own_table: bytes | None = None,
) -> Leads:
    """Sections 0, 1, 2, 3, 6; with ``beat_every`` samples between beats also 4 and 5, a beat subtracted from each."""
    digital, stored = digitise(leads_mv, 2.5)
    r, b = person.recorded_at, person.born
    sex = {"M": 1, "F": 2}.get(person.sex, 0)
    machine = struct.pack("<HHHBB", 0, 11, 51, 1, 255) + person.device.encode().ljust(6, b"\0")[:6] + b"\0" * 22
    facts = [
        (0, b"Doe\0"),
        (2, person.patient_id.encode() + b"\0"),
        (5, struct.pack("<HBB", b.year, b.month, b.day)),
        (8, bytes([sex])),
        (14, machine),
        (25, struct.pack("<HBB", r.year, r.month, r.day)),
        (26, bytes([r.hour, r.minute, r.second])),
        (255, b""),
    ]
    k, n = digital.shape
    sections = {
        1: b"".join(struct.pack("<BH", tag, len(value)) + value for tag, value in facts),
        3: bytes([k, (1 if beat_every else 0) | 4 | k << 3])
        + b"".join(struct.pack("<IIB", 1, n, number) for number in SCP_NUMBERS),
    }
    if huffman:
        sections[2] = own_table or struct.pack("<H", 19999)
    rest = digital.copy()
    if beat_every:
        # The reference beat has half the distance between beats and its fiducial point on sample 40 (from 1).
        length, fiducial = beat_every // 2, 40
        beats = digital[:, 100 : 100 + length]
        starts = list(range(100, n - length, beat_every))
        table = b""
        for i, start in enumerate(starts):
            kind = 1 if i == 1 else 0
            table += struct.pack("<HIII", kind, start + 1, start + fiducial, start + length)
            if kind == 0:
                rest[:, start : start + length] -= beats
        sections[4] = struct.pack("<HHH", length * 1000 // rate, fiducial, len(starts)) + table
        coded = scp_coded(beats, order, huffman=huffman)
        sections[5] = struct.pack("<HHBB", 2500, 1_000_000 // rate, order, 0)
        sections[5] += struct.pack(f"<{k}H", *map(len, coded)) + b"".join(coded)
    coded = scp_coded(rest, order, huffman=huffman)
    sections[6] = struct.pack("<HHBB", 2500, 1_000_000 // rate, order, 0)
    sections[6] += struct.pack(f"<{k}H", *map(len, coded)) + b"".join(coded)
    packed = {number: scp_section(number, content) for number, content in sorted(sections.items())}
    zero_length = 16 + 10 * 12
    pointers, at = struct.pack("<HII", 0, zero_length, 7), 7 + zero_length
    for number in range(1, 12):
        size = len(packed.get(number, b""))
        pointers += struct.pack("<HII", number, size, at if size else 0)
        at += size
    body = scp_section(0, pointers) + b"".join(packed.values())
    whole = struct.pack("<I", 6 + len(body)) + body
    path.write_bytes(struct.pack("<H", binascii.crc_hqx(whole, 0xFFFF)) + whole)
    return stored


# GE MUSE


def write_muse(path: Path, leads_mv: Leads, rate: int, person: Person = PERSON) -> Leads:
    """Eight leads of a median beat and of the rhythm, 4.88 uV a bit; the other four are computed by whoever reads."""
    digital, stored = digitise(leads_mv, 4.88)
    eight = [0, 1, 6, 7, 8, 9, 10, 11]

    def waveform(kind: str, samples: Digital) -> str:
        leads = "".join(
            f"""<LeadData>
<LeadByteCountTotal>{2 * samples.shape[1]}</LeadByteCountTotal><LeadTimeOffset>0</LeadTimeOffset>
<LeadSampleCountTotal>{samples.shape[1]}</LeadSampleCountTotal>
<LeadAmplitudeUnitsPerBit>4.88</LeadAmplitudeUnitsPerBit><LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>
<LeadHighLimit>32767</LeadHighLimit><LeadLowLimit>-32768</LeadLowLimit><LeadID>{LEADS_12[i]}</LeadID>
<LeadOffsetFirstSample>0</LeadOffsetFirstSample><FirstSampleBaseline>0</FirstSampleBaseline>
<LeadSampleSize>2</LeadSampleSize><LeadOff>FALSE</LeadOff><BaselineSway>FALSE</BaselineSway>
<WaveFormData>{base64.encodebytes(samples[i].astype("<i2").tobytes()).decode()}</WaveFormData>
</LeadData>"""
            for i in eight
        )
        return f"""<Waveform><WaveformType>{kind}</WaveformType><NumberofLeads>8</NumberofLeads>
<SampleType>CONTINUOUS_SAMPLES</SampleType><SampleBase>{rate}</SampleBase><SampleExponent>0</SampleExponent>
{leads}</Waveform>"""

    when, sex = person.recorded_at, {"F": "FEMALE", "M": "MALE"}.get(person.sex, "UNKNOWN")
    path.write_text(
        f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE RestingECG SYSTEM "restecg.dtd">
<RestingECG>
<MuseInfo><MuseVersion>9.0.9.18167</MuseVersion></MuseInfo>
<PatientDemographics><PatientID>{person.patient_id}</PatientID><PatientAge>{person.age}</PatientAge>
<AgeUnits>YEARS</AgeUnits><DateofBirth>{person.born:%m-%d-%Y}</DateofBirth><Gender>{sex}</Gender>
<PatientLastName>Döe</PatientLastName></PatientDemographics>
<TestDemographics><DataType>RESTING</DataType><Site>1</Site>
<AcquisitionDevice>{person.device}</AcquisitionDevice>
<AcquisitionTime>{when:%H:%M:%S}</AcquisitionTime><AcquisitionDate>{when:%m-%d-%Y}</AcquisitionDate>
</TestDemographics>
{waveform("Median", digital[:, :rate])}
{waveform("Rhythm", digital)}
</RestingECG>
""",
        encoding="iso-8859-1",
    )
    return stored


# EDF


def write_edf(path: Path, leads_mv: Leads, rate: int, person: Person = PERSON) -> Leads:
    """EDF+C with data records of a second, an annotations signal among the leads."""
    low, high = -8.192, 8.192
    digital = np.rint((leads_mv - low) / (high - low) * 65535 - 32768).astype(np.int64)
    stored = (digital + 32768) * (high - low) / 65535 + low
    labels = [f"ECG {lead}" for lead in LEADS_12]
    labels.insert(3, "EDF Annotations")
    seconds = digital.shape[1] // rate
    widths = [rate] * 13
    widths[3] = 16
    born = f"{person.born:%d-%b-%Y}".upper()
    start = f"{person.recorded_at:%d-%b-%Y}".upper()
    device = person.device.replace(" ", "_")

    def column(values: list[str], width: int) -> str:
        return "".join(v.ljust(width)[:width] for v in values)

    header = "0".ljust(8)
    header += f"{person.patient_id} {person.sex or 'X'} {born} Doe".ljust(80)
    header += f"Startdate {start} X X {device}".ljust(80)
    header += f"{person.recorded_at:%d.%m.%y}{person.recorded_at:%H.%M.%S}"
    header += str(256 * 14).ljust(8) + "EDF+C".ljust(44) + str(seconds).ljust(8) + "1".ljust(8) + "13".ljust(4)
    header += column(labels, 16) + column(["electrode"] * 13, 80) + column(["mV"] * 3 + [""] + ["mV"] * 9, 8)
    header += column([str(low)] * 13, 8) + column([str(high)] * 13, 8)
    header += column(["-32768"] * 13, 8) + column(["32767"] * 13, 8)
    header += column([""] * 13, 80) + column(list(map(str, widths)), 8) + column([""] * 13, 32)
    body = b""
    for second in range(seconds):
        for i in range(13):
            if i == 3:
                body += f"+{second}\x14\x14".encode().ljust(32, b"\0")
            else:
                row = digital[i - (i > 3), second * rate : (second + 1) * rate]
                body += row.astype("<i2").tobytes()
    path.write_bytes(header.encode("latin-1") + body)
    return stored


# CSV


def write_samples_csv(path: Path, leads_mv: Leads, names: tuple[str, ...] = LEADS_12, delimiter: str = ",") -> Leads:
    microvolts = np.rint(leads_mv * 1000)
    lines = [delimiter.join(["t", *names])]
    lines += [delimiter.join([str(i), *(f"{v:.0f}" for v in column)]) for i, column in enumerate(microvolts.T)]
    path.write_text("\n".join(lines) + "\n")
    return microvolts / 1000


WRITERS = {
    "dicom": (write_dicom, ".dcm"),
    "edf": (write_edf, ".edf"),
    "hl7": (write_hl7, ".xml"),
    "muse": (write_muse, ".xml"),
    "philips": (write_philips, ".xml"),
    "scp": (write_scp, ".scp"),
}
"""Formats that name their patient: writer and usual suffix, by the name in FORMATS."""
