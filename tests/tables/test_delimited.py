"""Tables of text in every dialect: the same cells whoever wrote them, or a refusal with a remedy."""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heartprint.cohorts.events import read_events
from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats import Given, read_recording
from heartprint.tables.delimited import read_csv, read_frame
from heartprint.tables.dialect import MOST_COLUMNS, read_lines
from tests.cohorts.ecgs import LEADS_12, twelve

# No digits: "1,5" in a column of words is a matter of its own.
WORDS = st.text("abcXYZ äöüéñß'’;,|\t\"\n-", max_size=8).map(str.strip)
NUMBERS = st.integers(-9999, 9999).map(lambda n: f"{n / 100:.2f}")
ENCODINGS = {
    "utf-8": ("utf-8", b""),
    "utf-8-sig": ("utf-8", b"\xef\xbb\xbf"),
    "cp1252": ("cp1252", b""),
    "utf-16": ("utf-16-le", b"\xff\xfe"),
    "utf-16-be": ("utf-16-be", b"\xfe\xff"),
    "utf-16 without a mark": ("utf-16-le", b""),
}


@dataclass(frozen=True)
class Writing:
    """How a program writes a table."""

    encoding: str = "utf-8"
    separator: str = ","
    end: str = "\r\n"
    decimal: str = "."
    index: bool = False
    empty_columns: int = 0
    blank_lines: int = 0
    says_separator: bool = False
    packed: bool = False

    def write(self, path: Path, columns: list[str], rows: list[list[str]], numbers: set[int]) -> None:
        text = io.StringIO(newline="")
        text.write(f"sep={self.separator}{self.end}" if self.says_separator else self.end * self.blank_lines)
        writer = csv.writer(text, delimiter=self.separator, lineterminator=self.end)
        empty = [""] * self.empty_columns
        writer.writerow([*([""] if self.index else []), *columns, *empty])
        for number, row in enumerate(rows):
            cells = [c.replace(".", self.decimal) if i in numbers else c for i, c in enumerate(row)]
            writer.writerow([*([str(number)] if self.index else []), *cells, *empty])
        encoding, mark = ENCODINGS[self.encoding]
        data = mark + text.getvalue().encode(encoding)
        path.write_bytes(gzip.compress(data) if self.packed else data)


@st.composite
def writings(draw: st.DrawFn) -> Writing:
    separator = draw(st.sampled_from(",;\t|"))
    return Writing(
        encoding=draw(st.sampled_from(sorted(ENCODINGS))),
        separator=separator,
        end=draw(st.sampled_from(["\n", "\r\n"])),
        decimal=draw(st.sampled_from(".,")) if separator != "," else ".",
        index=draw(st.booleans()),
        empty_columns=draw(st.integers(0, 2)),
        blank_lines=draw(st.integers(0, 2)),
        says_separator=draw(st.booleans()),
        packed=draw(st.booleans()),
    )


@settings(max_examples=200, deadline=None, derandomize=True)
@given(writings(), st.lists(st.tuples(WORDS, WORDS, NUMBERS), max_size=6))
@example(Writing("cp1252", ";", decimal=","), [("München", "a;b", "72.50"), ("", "", "-0.05")])
@example(Writing("utf-16", "\t", decimal=","), [("é", 'say "no"', "0.00")])
@example(Writing(index=True, empty_columns=2, packed=True), [("a\nb", "x,y", "1.00")])
def test_any_dialect_reads_to_the_same_cells_everywhere(how: Writing, body: list[tuple[str, str, str]]) -> None:
    columns = ["path", "Größe (cm)", "subject_id", "numeric_value", "time"]
    rows = [[f"e{i}.npy", a, b, number, f"2019-03-{i + 1:02d}"] for i, (a, b, number) in enumerate(body)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("t.csv.gz" if how.packed else "t.csv")
        how.write(path, columns, rows, {3})
        read = read_csv(path)
        frame = read_frame(path, columns)
        events = read_events(path, ()) if rows else None
    assert read.columns == columns
    assert [list(line.values()) for line in read.lines] == rows
    assert [list(row) for row in frame.rows()] == rows
    if events is not None:
        kept = [(row[2], float(row[3])) for row in rows if row[2]]
        assert events.table.select("patient_id", "value").rows() == kept
    said = " ".join(read.notes)
    assert ("Windows-1252" in said) == (read.dialect.encoding == "cp1252")
    assert ("UTF-16" in said) == how.encoding.startswith("utf-16")
    assert ("between its columns" in said) == (how.separator != ",")
    assert ("decimal commas in numeric_value" in said) == (how.decimal == "," and bool(rows))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(writings())
def test_samples_are_read_like_tables(how: Writing) -> None:
    """CSV files of samples tell their dialect as tables do."""
    if how.packed or how.index or how.empty_columns:
        return
    leads = np.round(twelve(1.0)[:, :50], 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        rows = [[f"{v:.3f}" for v in sample] for sample in leads.T]
        how.write(path, list(LEADS_12), rows, set(range(12)))
        found = read_recording(path, Given(sampling_rate=100))
    assert found.lead_names == LEADS_12
    np.testing.assert_allclose(found.signal, leads, atol=1e-6)


def refusal(folder: Path, data: bytes) -> str:
    """What all places that read tables say of one that they refuse."""
    path = folder / "t.csv"
    path.write_bytes(data)
    said = []
    for read in (read_csv, lambda p: read_frame(p, ["path"]), lambda p: read_events(p, ())):
        with pytest.raises(HeartprintError) as caught:
            read(path)
        assert caught.value.code == "bad-table"
        assert caught.value.message.endswith(".")
        said.append(caught.value.message)
    return said[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"my path;subject,x\na;b,c\nd;e,f\n", "separated by commas or by semicolons"),
        ("path,site\nMünchen,ä\n".encode() + "b,Köln\n".encode("cp1252"), "mixes UTF-8"),
        ("path,site\na,Müller\n".encode("mac-roman"), "neither UTF-8 nor Windows-1252"),
        ("path,site\na,Müller\n".encode("cp850"), "neither UTF-8 nor Windows-1252"),
        ("path,site\na,b\n".encode("utf-32"), "UTF-32"),
        ("path,site\na,b\n".encode("utf-16")[:-1], "damaged"),
        (b"path,site\na,b\0\n", "NUL"),
        (b"PK\x03\x04rest", "Excel"),
        (b"\xd0\xcf\x11\xe0rest", "Excel"),
        (b"PAR1rest", "parquet"),
        (b"\x1f\x8b\x08\x00cut", "unpacked"),
        (b"path,site,site\na,b,c\n", "'site' twice"),
        (b'path,site\n"a,b\nc,d\n', "quote is opened"),
    ],
)
def test_what_cannot_be_told_is_refused_with_a_remedy(data: bytes, words: str, tmp_path: Path) -> None:
    assert words in refusal(tmp_path, data)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1,234", "2,345"], "between thousands"),
        (["72,5", "72.5"], "commas and points"),
        (["1.234,5", "72,5"], "commas and points"),
        (["1,234,567", "72,5"], "commas and points"),
    ],
)
def test_commas_that_may_mean_two_things_are_refused(cells: list[str], words: str, tmp_path: Path) -> None:
    text = "path;time;subject_id;numeric_value\n" + "".join(f"a;2019-01-01;p;{c}\n" for c in cells)
    path = tmp_path / "t.csv"
    path.write_text(text)
    reads = (read_csv, lambda p: read_frame(p, ["path", "numeric_value"]), lambda p: read_events(p, ()))
    for read in reads:
        with pytest.raises(HeartprintError, match=words):
            read(path)
    # Another column may make it certain; words with commas are no numbers.
    lines = text.replace("numeric_value", "lvef").splitlines()
    path.write_text("\n".join([lines[0] + ";age;note", *(f"{line};0,5;1, 2 or 3" for line in lines[1:])]))
    if words == "between thousands":
        read = read_csv(path)
        assert [line["lvef"] for line in read.lines] == ["1.234", "2.345"]
        assert read.lines[0]["note"] == "1, 2 or 3"


def test_columns_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"

    def told(text: str) -> str:
        path.write_text(text)
        with pytest.raises(HeartprintError) as caught:
            read_csv(path)
        return caught.value.message

    for name in ("", "Unnamed: 0"):
        path.write_text(f"{name},path,,Unnamed: 3\n7,a,,\n9,b,,\n,,,\n12,c,,\n".replace(",,,\n", ""))
        read = read_csv(path)
        assert read.columns == ["path"]
        assert [line["path"] for line in read.lines] == ["a", "b", "c"]
        assert "counts the rows" in read.notes[0]
    # Empty cells beyond the header are a spreadsheet's; what holds something has to have a name.
    path.write_text("path,site\na,x,,\n,,,\nb\n")
    assert [tuple(line.values()) for line in read_csv(path).lines] == [("a", "x"), ("b", "")]
    assert "Column 2" in told("path,,site\na,0,x\nb,1,y\n")
    assert "'7'" in told(",path\n7,a\n7,b\n")
    assert "'north'" in told("path,\na,north\n")
    assert "Row 2" in told("path,site\na,x\na,x,y\n")


def test_names_of_columns_are_compared_as_they_look(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(unicodedata.normalize("NFD", 'path,"Größe\n(cm)"\na,1\n'), encoding="utf-8")
    assert read_csv(path).columns == ["path", "Größe (cm)"]


def test_lists_of_files_tell_their_encoding(tmp_path: Path) -> None:
    names = ["Müller.dcm", "a b.dcm"]
    for encoding, said in (("utf-8-sig", ()), ("cp1252", "Windows-1252"), ("utf-16", "UTF-16")):
        (tmp_path / "list.txt").write_text("\r\n".join([names[0], "", names[1], ""]), encoding=encoding)
        lines, notes = read_lines(tmp_path / "list.txt")
        assert lines == names
        assert (said in notes[0]) if said else notes == ()


def numbered(n: int) -> bytes:
    return b"".join(b",c%d" % i for i in range(n))


HEAD, LEADS = b"path,patient_id", b"I,II,V1,V2,V3,V4,V5,V6"
HOSTILE: dict[str, Callable[[], bytes]] = {
    "columns": lambda: HEAD + numbered(100_000) + b"\n" + b"1," * 100_001 + b"1\n",
    "most columns": lambda: HEAD + numbered(MOST_COLUMNS - 2) + b"\n" + (b"1," * (MOST_COLUMNS - 1) + b"1\n") * 100,
    "line": lambda: HEAD + b"x" * 100_000_000,
    "commas": lambda: HEAD + b"\n" + b"1," * 50_000_000,
    "nul": lambda: HEAD + b"\n" + b"e,p\n" * 500_000 + b"e\0,p\n",
    "quote": lambda: HEAD + b'\n"e,p\n' + b"e,p\n" * 3_000_000,
    "row": lambda: HEAD + b"\n" + b'"\n",' * 10_000_000,
    "bomb": lambda: gzip.compress(HEAD + b"\n" + b"e,p\n" * 75_000_000, 1),
    "lead columns": lambda: LEADS + numbered(100_000) + b"\n" + b"1," * 100_007 + b"1\n",
    "lead quote": lambda: LEADS + b'\n"' + b"1\n" * 1_000_000,
}
TAKEN = {"most columns"}

MEASURED = """
import resource, sys, time
from pathlib import Path
from heartprint.cohorts.events import read_events
from heartprint.tables.delimited import read_csv, read_frame
from heartprint.readers.formats import Given, read_recording
from heartprint.readers.table import Table
from heartprint.foundation.errors import HeartprintError

columns = {"patient": "patient_id", "time": "path", "value": "patient_id"}
reads = {
    "table": lambda p: len(Table().open(p).rows),
    "frame": lambda p: read_frame(p, ["path", "patient_id"]),
    "label": lambda p: read_events(p, (), columns),
    "samples": lambda p: read_recording(p, Given(sampling_rate=100)),
}
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
read_csv(Path(sys.argv[1]))
base = peak()
for path in map(Path, sys.argv[2:]):
    for what, read in reads.items():
        began = time.process_time()
        try:
            read(path)
            code = "read"
        except HeartprintError as error:
            code = error.code
        print(path.name, what, time.process_time() - began, peak() - base, code, sep="\\t")
"""


def test_hostile_tables_cost_little(tmp_path: Path) -> None:
    """At most 5 s of processor and 512 MB each, whichever place reads them."""
    (tmp_path / "good").write_text("path,patient_id\na,b\n")
    for name, make in HOSTILE.items():
        (tmp_path / name).write_bytes(make())
    call = [sys.executable, "-c", MEASURED, *(str(tmp_path / name) for name in ("good", *HOSTILE))]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    told = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(told) == 4 * len(HOSTILE)
    for name, what, seconds, megabytes, code in told:
        assert float(seconds) <= 5, (name, what)
        assert float(megabytes) <= 512, (name, what)
        assert (code == "read") == (name in TAKEN and what in ("table", "frame")), (name, what)
