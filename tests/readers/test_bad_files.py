"""Files that are damaged, that lie, or that are made to do harm: one refused row each, in time, in memory."""

from __future__ import annotations

import base64
import binascii
import json
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.cohorts.ecgs import twelve, write_record
from tests.readers.hospital_files import write_dicom, write_edf, write_hl7, write_muse, write_philips, write_scp

RATE = 500
LEADS = twelve(rate=RATE)
MEGABYTE = 2**20


def entity_bomb() -> bytes:
    levels = "".join(f'<!ENTITY {b} "{f"&{a};" * 20}">' for a, b in zip("abcdefghij", "bcdefghijk", strict=True))
    return f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">{levels}]><RestingECG>&k;</RestingECG>'.encode()


def outside() -> bytes:
    return b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><AnnotatedECG>&a;</AnnotatedECG>'


def written(write: Callable[..., object], path: Path, old: bytes = b"", new: bytes = b"", keep: float = 1.0) -> bytes:
    """A good file with one thing replaced everywhere, or cut short."""
    write(path, LEADS, RATE)
    data = path.read_bytes()
    assert old in data
    data = data.replace(old, new) if old else data
    return data[: int(len(data) * keep)]


def deflated_dicom(path: Path) -> bytes:
    """A data set of 64 MB in a file of 64 kB."""
    import zlib

    write_dicom(path, LEADS, RATE)
    plain, deflated = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"
    head = path.read_bytes()[:400].replace(plain, deflated).replace(b"UI\x14\0" + deflated, b"UI\x16\0" + deflated)
    packer = zlib.compressobj(wbits=-15)
    return head + b"".join(packer.compress(bytes(MEGABYTE)) for _ in range(64)) + packer.flush()


def deep_dicom(path: Path) -> bytes:
    """200,000 sequences in one another."""
    write_dicom(path, LEADS, RATE)
    whole = path.read_bytes()
    end = 132 + 12 + struct.unpack_from("<I", whole, 140)[0]
    nested = struct.pack("<HH2sHI", 0x5400, 0x0100, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    return whole[:end] + nested * 200_000


def scp_with(path: Path, number: int, change: Callable[[bytearray], None]) -> bytes:
    """A good SCP-ECG record with a section's content changed and its checksum right again."""
    write_scp(path, LEADS, RATE, beat_every=500)
    whole = bytearray(path.read_bytes())
    _, length, index = struct.unpack_from("<HII", whole, 22 + 10 * number)
    content = whole[index + 15 : index - 1 + length]
    change(content)
    whole[index + 15 : index - 1 + length] = content
    section = bytes(whole[index + 1 : index - 1 + length])
    whole[index - 1 : index + 1] = struct.pack("<H", binascii.crc_hqx(section, 0xFFFF))
    return bytes(whole)


def long_leads(content: bytearray) -> None:
    for i in range(12):
        struct.pack_into("<II", content, 2 + 9 * i, 1, 2**32 - 1)


def lzw_bomb(path: Path) -> bytes:
    """Codes of 10 bits of which each stands for hundreds of bytes, in all twelve leads."""
    write_philips(path, LEADS, RATE, encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    codes = np.array([0, *range(256, 1023), *([1022] * 300_000)])
    bits = ((codes[:, None] >> np.arange(9, -1, -1)) & 1).astype(np.uint8).reshape(-1)
    body = np.packbits(bits).tobytes()
    chunk = struct.pack("<iHh", len(body), 1, 0) + body
    start = text.index(">", text.index("<parsedwaveforms")) + 1
    end = text.index("</parsedwaveforms>")
    text = text.replace('durationperchannel="10500"', 'durationperchannel="1200000"', 1)
    start += len('durationperchannel="1200000"') - len('durationperchannel="10500"')
    end += len('durationperchannel="1200000"') - len('durationperchannel="10500"')
    return (text[:start] + base64.b64encode(chunk * 12).decode() + text[end:]).encode()


def npy_header(shape: str) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


def bad_files(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Name to content and reason."""
    t = folder / "t"
    edf = written(write_edf, t)
    named = b"I,II,V1,V2,V3,V4,V5,V6\n"
    return {
        "bomb.xml": (entity_bomb(), "unsafe-xml"),
        "outside.xml": (outside(), "unsafe-xml"),
        "deep.xml": (b"<restingecgdata>" + b"<a>" * 200_000, "unsafe-xml"),
        "wide.xml": (b"<RestingECG>" + b"<a/>" * 500_000 + b"</RestingECG>", "unsafe-xml"),
        "lines.xml": (b"<RestingECG>" + b"\n" * (7 * MEGABYTE) + b"</RestingECG>", "no-waveform"),
        "attributes.xml": (b"<RestingECG " + b"".join(b'a%x="" ' % i for i in range(6 * 10**5)) + b"/>", "unsafe-xml"),
        "large.xml": (b"<RestingECG>" + b" " * (9 * MEGABYTE), "file-too-large"),
        "encoding.xml": (b'<?xml version="1.0" encoding="klingon"?><RestingECG/>', "bad-xml"),
        "utf-16 as utf-8.xml": (written(write_hl7, t).decode().encode("utf-16-le"), "bad-xml"),
        "bytes.xml": (b"<RestingECG>\xff\xfe</RestingECG>", "bad-xml"),
        "cut hl7.xml": (written(write_hl7, t, keep=0.5), "bad-xml"),
        "cut muse.xml": (written(write_muse, t, keep=0.9), "bad-xml"),
        "cut philips.xml": (written(write_philips, t, keep=0.9), "bad-xml"),
        "digits.xml": (written(write_hl7, t, b"<digits>", b"<digits>" + b"0 " * 700_000), "file-too-large"),
        "unit.xml": (written(write_muse, t, b"MICROVOLTS", b"MILLIVOLTS"), "implausible-amplitude"),
        "rate.xml": (written(write_muse, t, b"<SampleBase>500", b"<SampleBase>5"), "bad-sampling-rate"),
        "lzw.xml": (lzw_bomb(t), "flat-lead"),
        "cut.dcm": (written(write_dicom, t, keep=0.9), "file-truncated"),
        "head.dcm": (written(write_dicom, t, keep=0.01), "no-waveform"),
        "deflated.dcm": (deflated_dicom(t), "unsupported-format"),
        "deep.dcm": (deep_dicom(t), "unreadable-file"),
        "unit.dcm": (written(write_dicom, t, b"uV", b"kV"), "bad-unit"),
        "large.dcm": (bytes(128) + b"DICM" + bytes(33 * MEGABYTE), "file-too-large"),
        "cut.scp": (written(write_scp, t, keep=0.9), "file-truncated"),
        "sum.scp": (written(write_scp, t)[:-5] + b"12345", "bad-checksum"),
        "long.scp": (scp_with(t, 3, long_leads), "file-too-large"),
        "beats.scp": (scp_with(t, 4, lambda c: struct.pack_into("<HHH", c, 0, 65535, 1, 65535)), "bad-header"),
        "empty.scp": (scp_with(t, 6, lambda c: c.__setitem__(slice(6, 30), bytes(24))), "file-truncated"),
        "cut.edf": (edf[: len(edf) // 2], "file-truncated"),
        "long.edf": (edf[:236] + b"99999999" + edf[244:], "file-truncated"),
        "many.edf": (edf[:252] + b"9999" + edf[256:], "file-truncated"),
        "unit.edf": (edf.replace(b"mV      ", b"V       "), "implausible-amplitude"),
        "huge.npy": (npy_header("(12, 1099511627776)"), "file-truncated"),
        "list.npy": (npy_header("(" * 50_000), "bad-array"),
        "words.csv": (named + b"a,b,c,d,e,f,g,h\n", "bad-array"),
        "long.csv": (named + b"0,0,0,0,0,0,0,0\n" * 200_000, "file-too-large"),
        "ragged.csv": (named + b"0,0,0\n", "bad-array"),
        "latin.csv": (named + b"\xe9,0,0,0,0,0,0,0\n", "bad-array"),
        "long.hea": (b"long 12 500 99999999999\n" + b"long.dat 16 200 16 0 0 0 0 I\n" * 12, "file-too-large"),
        "skew.hea": (b"skew 12 500 5000\n" + b"t.dat 16:999999999 200 16 0 0 0 0 I\n" * 12, "file-too-large"),
        "frame.hea": (b"frame 12 500 5000\n" + b"t.dat 16x999999999 200 16 0 0 0 0 I\n" * 12, "file-too-large"),
        "part.hea": (b"part/1 12 500 5000\nskew 5000\n", "file-too-large"),
        "name.hea": (b"name 12 500 5000\n" + b"x" * 999 + b".dat 16 200 16 0 0 0 0 I\n" * 12, "file-missing"),
        "empty.hea": (b"", "bad-header"),
        "letter.pdf": (b"%PDF-1.7\n" + bytes(1000), "unknown-format"),
    }


SCRIPT = """
    import json, resource, sys, time
    from pathlib import Path
    import pydicom
    import polars as pl
    import defusedxml.ElementTree
    from heartprint.readers import Files, files, ingest

    slowest = {}  # in seconds of this process, whatever else the machine does
    read = files.read_recording
    def timed(path, given):
        start = time.process_time()
        try:
            return read(path, given)
        finally:
            slowest[path.name] = time.process_time() - start
    files.read_recording = timed
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cohort = ingest(Files(sampling_rate=500), sys.argv[1], sys.argv[2])
    refused = pl.read_parquet(cohort.path / "refused.parquet")
    print(json.dumps({
        "good": cohort.ecg_ids.tolist(),
        "codes": dict(zip(refused["path"], refused["code"])),
        "messages": refused["message"].to_list(),
        "slow": {name: t for name, t in slowest.items() if t > 5},
        "megabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }))
"""


def test_each_bad_file_is_one_refused_row_and_the_rest_goes_in(tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    bad = bad_files(tmp_path)
    for name, (data, _) in bad.items():
        (src / name).write_bytes(data)
    write_record(src, "nobody", LEADS, RATE)
    for i, write in enumerate((write_dicom, write_edf, write_hl7, write_muse, write_philips, write_scp)):
        write(src / f"good{i}", LEADS, RATE)
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(src), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    said = json.loads(run.stdout.splitlines()[-1])
    assert said["codes"] == {name: code for name, (_, code) in bad.items()} | {"nobody.hea": "missing-patient-id"}
    assert said["good"] == [f"good{i}" for i in range(6)]
    assert said["slow"] == {}
    assert said["megabytes"] < 512
    assert all(m.endswith(".") and "\n" not in m and len(m) < 600 for m in said["messages"])
