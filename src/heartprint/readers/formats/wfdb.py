"""WFDB recordings: a fast way for the common form, the `wfdb` package for every other."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import read_small
from heartprint.readers.source import Recording, check_length
from heartprint.signals.lead_names import require_unit

MV_PER_UNIT = {"v": 1000.0, "mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6}
_SUFFIXES = (".hea", ".dat", ".mat")
_DEFAULT_GAIN = 200.0
_INVALID_16 = -32768
_MOST_OF_A_HEADER = 2**20  # bytes: comments of some pages; those of real sets have one or two thousand
_MOST_SEGMENTS = 1000
_SEGMENTS = re.compile(r"\A(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*[^\s/#]+/(\d{1,9})\s", re.ASCII)
_BYTES_PER_SAMPLE = {"80": 1.0, "212": 1.5, "16": 2.0, "61": 2.0, "160": 2.0, "24": 3.0, "32": 4.0}

_RECORD_LINE = re.compile(r"([^\s/]+)[ \t]+(\d+)[ \t]+(\d+(?:\.\d+)?)(?:/\S+)?[ \t]+(\d+)(?:[ \t].*)?")
_SIGNAL_LINE = re.compile(
    r"(?P<file>[^\s/\\]+)[ \t]+16(?:x1)?(?:\+(?P<skip>\d+))?[ \t]+"
    r"(?P<gain>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?:\((?P<baseline>-?\d+)\))?(?:/(?P<unit>\S+))?"
    r"[ \t]+\d+[ \t]+(?P<zero>-?\d+)[ \t]+-?\d+[ \t]+(?P<checksum>-?\d+)[ \t]+\d+[ \t]+(?P<name>\S.*?)[ \t]*"
)


@dataclass(frozen=True)
class _Header:
    """A header of the common form: one segment, one file, format 16."""

    sampling_rate: float
    n_samples: int
    file: str
    skip: int
    names: tuple[str, ...]
    gains: npt.NDArray[np.float64]
    baselines: npt.NDArray[np.float64]
    units: tuple[str, ...]
    checksums: tuple[int, ...]


def looks_like_header(head: bytes) -> bool:
    """Whether a file begins as a WFDB header does."""
    if b"\0" in head:
        return False
    lines = (line.strip() for line in head.decode("utf-8", errors="replace").splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return re.fullmatch(r"[^\s/]+(?:/\d+)?[ \t]+\d+[ \t]+\d+(?:\.\d+)?.*", first) is not None


def read_wfdb(path: Path, *, uv_per_unit: float | None = None) -> Recording:
    """Read a WFDB recording.

    Args:
        path: The record, with or without ``.hea``, ``.dat`` or ``.mat``.
        uv_per_unit: Microvolts that a stored integer is worth, for sets whose headers have wrong gains; None = what
            the header says.

    Returns:
        Its signals in mV, float64, equal to those of `wfdb.rdrecord` unless ``uv_per_unit`` is given.

    Raises:
        HeartprintError: ``file-missing``, ``file-truncated``, ``header-mismatch``, ``bad-header`` or ``bad-unit``.
    """
    stem = path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path
    file = on_disk(stem.with_name(stem.name + ".hea"))
    text = header_text(file)
    many = _SEGMENTS.search(text)
    if many is not None and int(many[1]) > _MOST_SEGMENTS:
        raise HeartprintError(
            "unsupported-format",
            f"{stem.name} is made of {int(many[1]):,} segments; up to {_MOST_SEGMENTS} are read. Export the resting "
            "ECG by itself.",
        )
    header = _parse(file.name, text)
    if header is not None and uv_per_unit is not None:
        k = len(header.names)
        header = replace(header, gains=np.full(k, 1.0 / uv_per_unit), baselines=np.zeros(k), units=("uV",) * k)
    elif uv_per_unit is not None:
        raise HeartprintError(
            "bad-header", f"The header {file.name} is not of the form that this set is published in. Fetch it again."
        )
    if header is not None:
        return _read_common(stem.parent, header)
    if file.suffix != ".hea":
        raise HeartprintError(
            "unsupported-format", f"{file.name} is read only if its extension is in small letters. Rename it to .hea."
        )
    return _read_other(stem)


def on_disk(path: Path) -> Path:
    """The file, or the one whose name differs only in capitals: discs from Windows come with ``.HEA`` and ``.DAT``."""
    if _exists(path):
        return path
    stem, suffix = path.stem, path.suffix
    # Asked for one by one: a listing for each file of a large folder would take hours.
    names = [f"{s}{e}" for s in (stem, stem.upper(), stem.lower()) for e in (suffix.upper(), suffix.lower())]
    found = {place for name in names if _exists(place := path.with_name(name))} if stem else set()
    return found.pop() if len(found) == 1 else path


def _exists(path: Path) -> bool:
    """Whether something of that name is there; a damaged header can name what no file can be called."""
    try:
        return path.exists()
    except OSError:
        return False


def header_text(file: Path) -> str:
    """The text of a header; a damaged letter becomes a mark.

    Raises:
        HeartprintError: ``file-missing``, ``unreadable-file`` or ``file-too-large``.
    """
    try:
        return read_small(file, _MOST_OF_A_HEADER).decode("utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        # ValueError: a damaged table can name what no file can be called.
        raise HeartprintError(
            "file-missing", f"The header {file.name[:80]} is missing. Restore it or fetch it again."
        ) from error
    except OSError as error:
        raise HeartprintError(
            "unreadable-file",
            f"The header {file.name[:80]} cannot be opened ({error.strerror}). Check that you may read it.",
        ) from error


def _parse(name: str, text: str) -> _Header | None:
    """Understand a header of the common form; None if it has another form and `wfdb` must look at it."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise HeartprintError("bad-header", f"The header {name} is empty. Fetch it again.")
    record = _RECORD_LINE.fullmatch(lines[0])
    if record is None:
        return None
    n_signals = int(record[2])
    if len(lines) - 1 != n_signals:
        raise HeartprintError(
            "header-mismatch",
            f"The header {name} promises {n_signals} signals and describes {len(lines) - 1}. Fetch it again.",
        )
    signals = [_SIGNAL_LINE.fullmatch(line) for line in lines[1:]]
    found = [s for s in signals if s is not None]
    if not found or len(found) != n_signals or len({(s["file"], s["skip"]) for s in found}) != 1:
        return None
    return _Header(
        sampling_rate=float(record[3]),
        n_samples=int(record[4]),
        file=found[0]["file"],
        skip=int(found[0]["skip"] or 0),
        names=tuple(s["name"] for s in found),
        # A gain of 0 means "not calibrated"; the format then prescribes its default.
        gains=np.array([float(s["gain"]) or _DEFAULT_GAIN for s in found]),
        baselines=np.array([float(s["zero"] if s["baseline"] is None else s["baseline"]) for s in found]),
        units=tuple(s["unit"] or "mV" for s in found),
        checksums=tuple(int(s["checksum"]) for s in found),
    )


def _read_common(folder: Path, header: _Header) -> Recording:
    k, n = len(header.names), header.n_samples
    check_length(header.file, n)
    file = on_disk(folder / header.file)
    _check_size(file, header.skip + 2 * k * n)
    # Lead after lead: all that follows goes along the leads.
    digital = np.ascontiguousarray(np.fromfile(file, dtype="<i2", offset=header.skip, count=k * n).reshape(n, k).T)
    _check_sums(file.name, digital, header.checksums)
    signal = (digital - header.baselines[:, None]) / header.gains[:, None]
    invalid = digital == _INVALID_16
    if invalid.any():
        signal[invalid] = np.nan
    return Recording(_to_mv(signal, header.names, header.units), header.names, header.sampling_rate)


def _read_other(stem: Path) -> Recording:
    import wfdb

    try:
        header = wfdb.rdheader(str(stem))
        files = list(dict.fromkeys(getattr(header, "file_name", None) or []))
    except Exception as error:
        raise HeartprintError(
            "bad-header", f"The header {stem.name}.hea is not in WFDB form ({_shown(error, stem)}). Fetch it again."
        ) from error
    segments = getattr(header, "seg_name", None)
    if segments and "~" in segments:
        raise HeartprintError(
            "unsupported-format",
            f"{stem.name} has a gap between its segments. Export its segments as recordings of their own.",
        )
    try:
        parts = [header, *(wfdb.rdheader(str(stem.parent / name)) for name in dict.fromkeys(segments or []) if name)]
    except Exception as error:
        raise HeartprintError(
            "bad-header",
            f"A segment of {stem.name} has no WFDB header ({_shown(error, stem)}). Fetch it again.",
        ) from error
    for part in parts:
        check_length(stem.name, _room(part))
    for file in files:
        own = [i for i, f in enumerate(header.file_name) if f == file]
        size = _BYTES_PER_SAMPLE.get(header.fmt[own[0]])
        if size is None or not header.sig_len or any(header.samps_per_frame[i] != 1 for i in own):
            need = None
        else:
            need = int(header.byte_offset[own[0]] or 0) + int(size * len(own) * header.sig_len)
        _check_size(stem.parent / file, need)
    if segments:
        _check_segments(stem, set(zip(segments, header.seg_len, strict=True)))
    try:
        # Each segment has gains of its own: joined as whole numbers they would all get those of the first.
        record: Any = wfdb.rdrecord(str(stem), physical=bool(segments))
        signal = (record.p_signal if segments else record.dac()).T
    except Exception as error:
        raise HeartprintError(
            "header-mismatch",
            f"The samples of {stem.name} do not fit its header ({_shown(error, stem)}). Fetch the recording again.",
        ) from error
    if not segments and all(c is not None for c in record.checksum or [None]):
        # The checksums are those of what is stored; a lead with skew has been shifted by now.
        stored = wfdb.rdrecord(str(stem), physical=False, ignore_skew=True) if any(header.skew or ()) else record
        _check_sums(stem.name, stored.d_signal.T, tuple(int(c) for c in record.checksum))
    names = tuple(str(n) for n in record.sig_name)
    return Recording(_to_mv(signal, names, tuple(record.units)), names, float(record.fs))


def _room(header: Any) -> int:
    """Samples that wfdb makes room for in each lead: those of a frame, and those that a skew shifts a lead by."""
    per_frame = max(getattr(header, "samps_per_frame", None) or [], default=1) or 1
    skew = max((abs(skew or 0) for skew in getattr(header, "skew", None) or []), default=0)
    return int(header.sig_len or 0) * int(per_frame) + int(skew)


def _check_size(file: Path, need: int | None) -> None:
    if not _exists(file) or not file.is_file():
        raise HeartprintError("file-missing", f"The file {file.name[:80]} is missing. Restore it or fetch it again.")
    size = file.stat().st_size
    if need is None:
        return
    if size < need:
        raise HeartprintError(
            "file-truncated",
            f"{file.name} has {size:,} bytes, its header needs {need:,}: it was cut short. Fetch it again.",
        )
    # Three bytes of slack: format 212 packs two samples into three bytes.
    if size > need + 3:
        raise HeartprintError(
            "header-mismatch",
            f"{file.name} has {size:,} bytes, its header describes {need:,}. Header and samples do not belong "
            "together; fetch both again.",
        )


def _shown(error: Exception, stem: Path) -> str:
    """What wfdb says, without the folder: the same data give the same refusals everywhere."""
    return str(error).replace(f"{stem.parent}{os.sep}", "").partition("\n")[0][:200]


def _check_segments(stem: Path, parts: set[tuple[str, int]]) -> None:
    """See that each segment is a recording by itself, and as long as the header of the whole says."""
    for name, length in sorted(parts):
        text = header_text(stem.with_name(f"{name}.hea"))
        first = next((line.split() for line in text.splitlines() if line.strip() and line.lstrip()[:1] != "#"), [""])
        if "/" in first[0] or (len(first) > 3 and first[3].isdecimal() and first[3].lstrip("0") != f"{length or ''}"):
            raise HeartprintError(
                "header-mismatch",
                f"The header of {stem.name} says that its segment {name[:40]} has {length:,} samples; the segment's "
                "own header disagrees. Fetch the recording again.",
            )


def _check_sums(name: str, digital: npt.NDArray[Any], checksums: tuple[int, ...]) -> None:
    # Programs that do not compute checksums write zeros.
    if not any(checksums):
        return
    sums = digital.sum(axis=1, dtype=np.int64)
    wrong = sum(int(a) % 65536 != b % 65536 for a, b in zip(sums, checksums, strict=True))
    if wrong:
        raise HeartprintError(
            "header-mismatch",
            f"{wrong} of {len(checksums)} signals in {name} do not have the checksum of their header: samples or "
            "header were changed. Fetch the recording again.",
        )


def _to_mv(signal: npt.NDArray[np.float64], names: tuple[str, ...], units: tuple[str, ...]) -> npt.NDArray[np.float64]:
    for name, unit in zip(names, units, strict=True):
        require_unit(name, unit, "The header")
        if unit.lower() not in MV_PER_UNIT:
            raise HeartprintError(
                "bad-unit", f"The header gives samples in '{unit}', which is no voltage. Correct it to mV, uV or V."
            )
    factors = np.array([MV_PER_UNIT[unit.lower()] for unit in units])
    return signal if (factors == 1.0).all() else signal * factors[:, None]
