"""Single files in every format that is read: one file per format, told apart by content, not by extension."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats import csv_file, dicom, edf, hl7, muse, npy, philips, scp
from heartprint.readers.formats.common import Given
from heartprint.readers.formats.wfdb import looks_like_header, on_disk, read_wfdb
from heartprint.readers.named import as_named
from heartprint.readers.people import settled
from heartprint.readers.source import Recording
from heartprint.signals.lead_names import listed

__all__ = ["FORMATS", "Format", "Given", "detect", "read_recording"]

# Comments and a DOCTYPE may stand before the root element that tells one XML format from another.
_HEAD_BYTES = 16_384
_OF_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM", b"RIFF", b"%PDF-")
_OF_WFDB = (".hea", ".dat", ".mat")
_OF_TEXT = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Format:
    """A file format.

    Args:
        title: For people.
        looks_like: Whether a file begins like one of this format, from its first bytes and what the user gave.
        read: Reads a file.
    """

    title: str
    looks_like: Callable[[bytes, Given], bool]
    read: Callable[[Path, Given], Recording]


FORMATS: Mapping[str, Format] = {
    "dicom": Format("DICOM waveform", lambda head, _: dicom.looks_like(head), dicom.read),
    "edf": Format("EDF or EDF+", lambda head, _: edf.looks_like(head), edf.read),
    "hl7": Format("HL7 annotated ECG", lambda head, _: hl7.looks_like(head), hl7.read),
    "muse": Format("GE MUSE XML", lambda head, _: muse.looks_like(head), muse.read),
    "npy": Format("NumPy array", lambda head, _: npy.looks_like(head), npy.read),
    "philips": Format("Philips SierraECG XML", lambda head, _: philips.looks_like(head), philips.read),
    "scp": Format("SCP-ECG", lambda head, _: scp.looks_like(head), scp.read),
    "wfdb": Format("WFDB", lambda head, _: looks_like_header(head), lambda path, _: read_wfdb(path)),
    "csv": Format("CSV of samples", lambda head, given: csv_file.looks_like(head, given.columns), csv_file.read),
}
"""By short name; asked in this order."""


def detect(path: Path, given: Given | None = None) -> str | None:
    """The name of a file's format, or None if it is none of `FORMATS`.

    Raises:
        HeartprintError: ``unreadable-file``.
    """
    head = _head(path)
    return next((name for name, form in FORMATS.items() if form.looks_like(head, given or Given())), None)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as handle:
            return handle.read(_HEAD_BYTES)
    except OSError as error:
        raise HeartprintError(
            "unreadable-file", f"{path.name} cannot be opened ({error.strerror}). Check that you may read it."
        ) from error


def read_recording(path: Path, given: Given | None = None) -> Recording:
    """Read one ECG from a file of any format.

    Args:
        path: The file; of a WFDB record the header, a file of samples, or the name without extension.
        given: What ``.npy`` and CSV files cannot say themselves.

    Returns:
        The leads in mV under their usual names and without calibration pulses, and what the file says about patient
        and recording.

    Raises:
        HeartprintError: ``file-missing``, ``unknown-format``, ``duplicate-lead``, or what the format's parser raises.
    """
    given = given or Given()
    suffix = path.suffix.lower()
    header = on_disk(path.with_suffix(".hea") if suffix in _OF_WFDB else path.with_name(path.name + ".hea"))
    if not path.is_file() and not header.is_file():
        raise HeartprintError("file-missing", f"The file {path.name} is missing. Restore it or correct the path.")
    if header.is_file():
        return as_named(read_wfdb(header))
    name = detect(path, given)
    if name is not None:
        recording = as_named(FORMATS[name].read(path, given))
        return replace(recording, details=settled(recording.details, shifted_dates=False))
    _send_pictures_on(path)
    # The suffix does not decide what a file is, but it knows what to say of one that is nothing.
    if suffix == ".npy":
        return as_named(npy.read(path, given))
    if suffix in _OF_WFDB:
        return as_named(read_wfdb(path))
    columns = csv_file.header_of(_head(path)) if suffix in _OF_TEXT else []
    raise HeartprintError(
        "unknown-format",
        f"{path.name} is a table with the columns {listed(columns)}, which are not named like leads. If they are, say "
        "which column is which (--column I=ch1 --column II=ch2 ...); else leave it out."
        if len(columns) > 1
        else f"{path.name} is no ECG file of a known format ({', '.join(f.title for f in FORMATS.values())}). "
        "Export it in one of these, or leave it out.",
    )


def _send_pictures_on(path: Path) -> None:
    with path.open("rb") as handle:
        if handle.read(_HEAD_BYTES).lstrip().startswith(_OF_PICTURES):
            raise HeartprintError(
                "unknown-format",
                f"{path.name} is a picture or a PDF and holds no samples. List it in a table and take it in with "
                "'heartprint ingest images'.",
            )
