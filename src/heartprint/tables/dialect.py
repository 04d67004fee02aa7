"""How a table of text was written: its encoding and separator, and the names of its columns.

Every table of text is read by what this module finds out. What cannot be told for certain is refused: a table read in
another encoding or cut at another sign looks whole and is wrong.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO, cast

from heartprint.foundation.errors import HeartprintError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""What may stand between cells, in the order in which they are asked, and what it is called."""
MOST_COLUMNS = 16_384
"""As many as a sheet of Excel has."""

_ENCODINGS = {"cp1252": "Windows-1252", "utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
_CHUNK = 2**20  # also the length from which a line is not one of a table
_SAMPLED_ROWS = 100
# More text than that, packed this tightly, is not a table of measurements.
_MOST_UNPACKED, _TIGHTEST = 2**28, 100
_SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook or another archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"PAR1": "a parquet file",
    b"%PDF": "a PDF file",
}
_BYTE_ORDERS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Windows-1252 has no character for these; of the other bytes below 0xA0 only a few are letters or an apostrophe, so
# that one between small letters is a letter of DOS or of an old Macintosh.
_NOT_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]|[A-Za-z][\x80\x82-\x91\x93-\x99\x9b\x9f][a-z]")
_UTF8_LETTER = re.compile(rb"\xc3[\x80-\xbf]")
_SAID = re.compile(r'"?sep=(.)"?[;,]*', re.IGNORECASE)
_NAMELESS = re.compile(r"(Unnamed: \d+(\.\d+)?)?")
_SAVE = "Save it as CSV UTF-8."


@dataclass(frozen=True)
class Dialect:
    """How a table was written.

    Attributes:
        encoding: Python's name of it.
        separator: One of `SEPARATORS`.
        columns: Names, NFC, with single blanks; those of columns without a name begin with NUL.
        before: Rows up to the first row of cells, the header included.
        old_mac: Whether lines end with a carriage return alone.
    """

    encoding: str = "utf-8"
    separator: str = ","
    columns: tuple[str, ...] = ()
    before: int = 1
    old_mac: bool = False

    @property
    def names(self) -> list[str]:
        """The columns that have a name."""
        return [c for c in self.columns if not is_nameless(c)]

    def open(self, path: Path) -> TextIO:
        """The text of a table, line ends as they are."""
        return io.TextIOWrapper(_opened(path), encoding=self.encoding, newline="")

    def told(self, name: str, decimal_commas: Sequence[str] = ()) -> tuple[str, ...]:
        """What was taken that whoever uses the table should know, as a sentence; none for a plain CSV file in UTF-8.

        Args:
            name: Of the table.
            decimal_commas: Columns whose numbers have them.
        """
        said = []
        if self.encoding in _ENCODINGS:
            said.append(f"as {_ENCODINGS[self.encoding]} text")
        if self.separator != ",":
            said.append(f"with {SEPARATORS[self.separator]} between its columns")
        if decimal_commas:
            more = f" and {len(decimal_commas) - 5} more" if len(decimal_commas) > 5 else ""
            said.append(f"with decimal commas in {', '.join(decimal_commas[:5])}{more}")
        return (f"{name} was read {', '.join(said)}.",) if said else ()


def is_nameless(column: str) -> bool:
    """Whether a column of a `Dialect` has no name."""
    return column.startswith("\0")


def sniff(path: Path, expected: Sequence[str] = ()) -> Dialect:
    """Find out how a table of text was written; all of it is looked at, none of it is kept.

    Encodings are UTF-8, UTF-16 and Windows-1252, separators comma, semicolon, tab and vertical bar; a first line such
    as ``sep=;`` is obeyed. Lines before the header may be blank.

    Args:
        path: The table, plain or gzipped.
        expected: Names of columns, in small letters, that decide between two separators that are both possible.

    Raises:
        HeartprintError: ``file-missing`` or ``bad-table``.
    """
    encoding, first = _encoding(path)
    head = codecs.getincrementaldecoder(encoding)().decode(first)
    separator, header, before = separated(head, path.name, expected, whole=len(first) < _CHUNK)
    old_mac = "\r" in head and "\n" not in head
    return Dialect(encoding, separator, _named(header, path), before, old_mac)


def read_lines(path: Path) -> tuple[list[str], tuple[str, ...]]:
    """The lines of a list, stripped, without blank ones; and what was taken, as `Dialect.told` says it.

    Raises:
        HeartprintError: ``file-missing`` or ``bad-table``.
    """
    dialect = Dialect(_encoding(path)[0])
    with dialect.open(path) as handle:
        lines = [line.strip() for line in handle.read().splitlines()]
    return [line for line in lines if line], dialect.told(path.name)


def _encoding(path: Path) -> tuple[str, bytes]:
    """The encoding of a file, and its first bytes."""
    try:
        with _opened(path) as handle:
            first = _filled(handle)
            packed = isinstance(handle, gzip.GzipFile)
            return encoding_of(_and_then(first, handle, path, packed), path.name), first
    except (FileNotFoundError, IsADirectoryError) as error:
        raise HeartprintError("file-missing", f"There is no table {path}. Check the path.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise HeartprintError("bad-table", f"{path} is damaged: it cannot be unpacked ({error}).") from error


def chunks_of(data: bytes) -> Iterator[bytes]:
    """Bytes in chunks as `encoding_of` takes them."""
    return (data[i : i + _CHUNK] for i in range(0, len(data), _CHUNK))


def encoding_of(chunks: Iterator[bytes], name: str, code: str = "bad-table", *, whole: bool = True) -> str:
    """Tell the encoding of a text by all of its bytes.

    Args:
        chunks: Of a megabyte each but for the last; none of them need be kept.
        name: Of the file.
        code: What is raised where it is not text.
        whole: Whether the text ends with the chunks, and not perhaps within a letter.

    Raises:
        HeartprintError: ``code``.
    """
    first = next(chunks, b"")
    for signature, what in _SIGNATURES.items():
        if first.startswith(signature):
            raise HeartprintError(code, f"{name} is {what}, not text. Save its table as CSV UTF-8 and give that file.")
    if first.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise HeartprintError(code, f"{name} is text in UTF-32, which is not read. {_SAVE}")
    encoding = next((e for mark, e in _BYTE_ORDERS.items() if first.startswith(mark)), _without_mark(first))
    decoder = codecs.getincrementaldecoder(encoding)()
    # Windows-1252 is what is left where it is not UTF-8: each chunk is then looked at with both in mind.
    letters, odd, is_utf8 = 0, False, True
    for chunk in itertools.chain([first], chunks):
        if is_utf8:
            try:
                text = decoder.decode(chunk, final=whole and len(chunk) < _CHUNK)
            except UnicodeDecodeError as error:
                if encoding != "utf-8":
                    raise HeartprintError(
                        code, f"{name} begins like {encoding.upper()}, but is damaged further on. {_SAVE}"
                    ) from error
                is_utf8 = False
        if not is_utf8:
            text = chunk.decode("latin-1")
        letters += len(_UTF8_LETTER.findall(chunk)) if encoding == "utf-8" and not chunk.isascii() else 0
        odd = odd or (encoding == "utf-8" and not chunk.isascii() and _NOT_CP1252.search(chunk) is not None)
        if "\0" in text:
            raise HeartprintError(code, f"{name} holds NUL bytes: it is damaged, or not a table of text. {_SAVE}")
        if len(chunk) == _CHUNK and "\n" not in text and "\r" not in text:
            raise HeartprintError(
                code, f"{name} has a line of more than {_CHUNK:,} bytes: it is not a table with a row in each line."
            )
    if is_utf8:
        return encoding
    if letters or odd:
        what = "mixes UTF-8 with another encoding" if letters else "is in neither UTF-8 nor Windows-1252"
        raise HeartprintError(code, f"{name} {what}: its letters cannot be told for certain. {_SAVE}")
    return "cp1252"


def separated(
    head: str, name: str, expected: Sequence[str] = (), *, whole: bool = True, code: str = "bad-table"
) -> tuple[str, list[str], int]:
    """Tell a table's separator by its first rows: the one that cuts them as often as the header.

    Args:
        head: The text's beginning.
        name: Of the file.
        expected: See `sniff`.
        whole: Whether the head is all of the text.
        code: What is raised where several are possible.

    Returns:
        The separator, the header's cells, and the number of rows up to and with the header.

    Raises:
        HeartprintError: ``code``.
    """
    head = head.removeprefix("\ufeff")
    skipped = 0
    lines = head.splitlines()
    first = next((line for line in lines if line.strip()), "")
    blank = lines.index(first) if first else 0
    said = _SAID.fullmatch(first.strip(" \r\n"))
    if said is not None:
        skipped = blank + 1
    found: dict[str, tuple[int, list[list[str]]]] = {}
    for separator in said[1] if said and said[1] in SEPARATORS else SEPARATORS:
        rows = _cut(head, separator, skipped, whole=whole)
        if rows is not None and len(rows[1][0]) > 1:
            found[separator] = rows
    if not found:
        rows = _cut(head, ",", skipped, whole=whole)
        if rows is None:
            return ",", [], skipped
        return ",", [cell.strip() for cell in rows[1][0]], rows[0]
    share = {separator: _alike(rows) for separator, (_, rows) in found.items()}
    most = max(share.values())
    likely = [separator for separator in found if share[separator] >= (0.9 if most >= 0.9 else most)]
    if len(likely) > 1:
        known = {s: len({c.strip().lower() for c in found[s][1][0]}.intersection(expected)) for s in likely}
        best = [s for s in likely if known[s] == max(known.values())]
        if len(best) > 1:
            one, two = (SEPARATORS[s] for s in best[:2])
            raise HeartprintError(
                code, f"The columns of {name} may be separated by {one} or by {two}. Save it as a CSV file with commas."
            )
        likely = best
    before, rows_found = found[likely[0]]
    return likely[0], [cell.strip() for cell in rows_found[0]], before


def _cut(head: str, separator: str, skipped: int, *, whole: bool) -> tuple[int, list[list[str]]] | None:
    """Rows up to the header, and the header and some rows below it, if this separator gives any."""
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=separator)
    before = 0
    rows: list[list[str]] = []
    try:
        for row in reader:
            before += not rows
            if before > skipped and any(cell.strip() for cell in row):
                rows.append(row)
            if len(rows) > _SAMPLED_ROWS:
                break
    except csv.Error:
        pass
    else:
        if not whole and 1 < len(rows) <= _SAMPLED_ROWS:
            rows.pop()  # it may be cut off
    return (before, rows) if rows else None


def _alike(rows: Sequence[Sequence[str]]) -> float:
    """Share of the rows with as many cells as the header; empty ones at their ends do not count."""
    if len(rows) == 1:
        return 1.0
    n = _filled_cells(rows[0])
    return sum(n <= len(row) and _filled_cells(row) <= len(rows[0]) for row in rows[1:]) / (len(rows) - 1)


def _filled_cells(row: Sequence[str]) -> int:
    return next((i for i in range(len(row), 0, -1) if row[i - 1].strip()), 0)


def _named(header: Sequence[str], path: Path) -> tuple[str, ...]:
    if len(header) > MOST_COLUMNS:
        raise HeartprintError(
            "bad-table",
            f"{path} has {len(header):,} columns; up to {MOST_COLUMNS:,} are read. Omit those that are not needed.",
        )
    names = []
    for i, cell in enumerate(header):
        name = " ".join(unicodedata.normalize("NFC", cell).split())
        names.append(f"\0{i}" if _NAMELESS.fullmatch(name) else name)
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise HeartprintError("bad-table", f"{path} has the column '{min(twice)}' twice. Rename or remove one of them.")
    return tuple(names)


def _without_mark(first: bytes) -> str:
    """UTF-16 shows by its NULs, for most of a table is ASCII: all at even places, or all at odd ones."""
    even, odd = first[:4096:2], first[1:4096:2]
    if odd and odd.count(0) > len(odd) / 2 and not even.count(0):
        return "utf-16-le"
    if even and even.count(0) > len(even) / 2 and not odd.count(0):
        return "utf-16-be"
    return "utf-8"


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


def _filled(handle: IO[bytes]) -> bytes:
    """A whole chunk, or the rest of the file."""
    parts, n = [], 0
    while n < _CHUNK and (part := handle.read(_CHUNK - n)):
        parts.append(part)
        n += len(part)
    return b"".join(parts)


def _and_then(first: bytes, handle: IO[bytes], path: Path, packed: bool) -> Iterator[bytes]:
    yield first
    n = len(first)
    while chunk := _filled(handle):
        n += len(chunk)
        if packed and n > _MOST_UNPACKED and n > _TIGHTEST * path.stat().st_size:
            raise HeartprintError("bad-table", f"{path} unpacks to far more than a table holds. Unpack and check it.")
        yield chunk
