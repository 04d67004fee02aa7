"""Spreadsheets as people export them, from the file to the cohort; and what a table calls its files and labels."""

from __future__ import annotations

import csv
import datetime as dt
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from heartprint.cli.ingest import app as ingest_app
from heartprint.cli.label import label
from heartprint.cohorts import Cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import READERS, Files, Images, Table, ingest
from heartprint.readers.label_columns import NO, YES
from heartprint.readers.paths import locate
from heartprint.tables.column_names import parse_columns
from tests.cohorts.ecgs import small_cohort, twelve
from tests.foundation.bad_pictures import noise
from tests.readers.hospital_files import write_hl7

RUNNER = CliRunner()
N, PATIENTS = 300, 180


@dataclass(frozen=True)
class Truth:
    """What 300 ECGs are, whoever exports them."""

    recorded_at: tuple[dt.datetime, ...]
    female: tuple[bool, ...]
    age: tuple[float, ...]
    af: tuple[bool | None, ...]
    lvef: tuple[float | None, ...]

    @property
    def patient(self) -> list[int]:
        return [17 + i % PATIENTS for i in range(N)]


def truth() -> Truth:
    rng = np.random.default_rng(0)
    day = dt.datetime(2019, 1, 1, 15, 7)
    # A patient keeps sex; ages go by the date.
    women = np.isin(np.arange(N) % PATIENTS, rng.permutation(PATIENTS)[:90])
    born = rng.integers(1930, 1999, PATIENTS)
    dates = tuple(day + dt.timedelta(days=int(d)) for d in rng.integers(0, 365, N))
    return Truth(
        dates,
        tuple(women.tolist()),
        tuple(2019.5 - float(born[i % PATIENTS]) for i in range(N)),
        tuple(None if i % 7 == 0 else bool(i % 3 == 0) for i in range(N)),
        tuple(None if i % 5 == 0 else 20.0 + (i % 90) / 2 for i in range(N)),
    )


TRUTH = truth()


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    (folder / "ekgs").mkdir()
    for i in range(N):
        np.save(folder / "ekgs" / f"e{i}.npy", np.rint(twelve(seed=i) * 1000).astype(np.int16))
    return folder


def german(path: Path) -> list[str]:
    lines = ["Datei;PatID;Geschlecht;Alter;Datum;Rhythmus;EF in %;Größe"]
    for i, at in enumerate(TRUTH.recorded_at):
        sex = "w" if TRUTH.female[i] else "m"
        rhythm = {None: "unklar", True: "VHF", False: ("SR", "SVES")[i % 2]}[TRUTH.af[i]]
        lvef = "" if TRUTH.lvef[i] is None else f"{TRUTH.lvef[i]}".replace(".", ",")
        age = f"{TRUTH.age[i]}".replace(".", ",")
        lines.append(f"ekgs\\e{i}.npy;{TRUTH.patient[i]};{sex};{age};{at:%d.%m.%Y};{rhythm};{lvef};1,{50 + i % 49}")
    path.write_bytes("\r\n".join([*lines, ""]).encode("cp1252"))
    names = "path=Datei,patient_id=PatID,sex=Geschlecht,age=Alter,date=Datum,af=Rhythmus,lvef=EF in %"
    return ["--columns", names, "--label", "af=VHF", "--label", "lvef", "--female", "w"]


def french(path: Path) -> list[str]:
    lines = ["fichier;patient;sexe;âge;date ECG;fibrillation;FEVG;;"]
    for i, at in enumerate(TRUTH.recorded_at):
        sex = "F" if TRUTH.female[i] else "H"
        af = {None: "", True: "oui", False: "non"}[TRUTH.af[i]]
        lvef = "" if TRUTH.lvef[i] is None else f"{TRUTH.lvef[i]}".replace(".", ",")
        age = f"{TRUTH.age[i]}".replace(".", ",")
        lines.append(f"ekgs/e{i}.npy;{TRUTH.patient[i]};{sex};{age};{at:%d/%m/%Y};{af};{lvef};;")
    path.write_text("\r\n".join([*lines, ""]), encoding="utf-16", newline="")
    names = "path=fichier,patient_id=patient,sex=sexe,age=âge,date=date ECG,af=fibrillation,lvef=FEVG"
    labels = ["--label", "af", "--label", "lvef"]
    return ["--columns", names, *labels, "--dates", "day-first", "--male", "h"]


def american(path: Path) -> list[str]:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", "File Name", "Patient ID", "Sex", "Age", "Date", "AF", "LVEF", "Unnamed: 8"])
        for i, at in enumerate(TRUTH.recorded_at):
            sex = "Female" if TRUTH.female[i] else "Male"
            af = {None: -1, True: 1, False: 0}[TRUTH.af[i]]
            written = f"{at.month}/{at.day}/{at.year} {at.hour - 12}:{at:%M} PM"
            lvef = "" if TRUTH.lvef[i] is None else TRUTH.lvef[i]
            row = [i, f"ekgs/e{i}.NPY", f"{TRUTH.patient[i]}.0", sex, TRUTH.age[i], written, af, lvef, ""]
            writer.writerow(row)
    return ["--columns", "path=File Name,patient_id=Patient ID", "--dates", "month-first"]


def checked(folder: Path) -> Cohort:
    cohort = Cohort.open(folder)
    records = cohort.records
    assert records.height == N
    assert records["sex"].to_list() == ["female" if f else "male" for f in TRUTH.female]
    assert records["patient_id"].to_list() == [str(p) for p in TRUTH.patient]
    assert [at.date() for at in records["recorded_at"]] == [at.date() for at in TRUTH.recorded_at]
    np.testing.assert_allclose(records["age"], TRUTH.age)
    assert records["label_af"].to_list() == list(TRUTH.af)
    assert records["label_lvef"].to_list() == list(TRUTH.lvef)
    assert (cohort.labels("female") == 1).sum() == sum(TRUTH.female)
    for i in (0, 150, 299):
        np.testing.assert_allclose(cohort.signal(i), twelve(seed=i)[[0, 1, *range(6, 12)]], atol=0.00051)
    return cohort


@pytest.mark.parametrize("country", [german, french, american])
def test_exports_of_300_ecgs_become_cohorts_in_two_commands(country, export: Path, tmp_path: Path) -> None:
    """The first command says what the second is to be."""
    table = export / f"{country.__name__}.csv"
    options = country(table)
    call = ["table", str(table), str(tmp_path / "out"), "--sampling-rate", "100", "--unit", "uV"]
    first = RUNNER.invoke(ingest_app, call)
    assert isinstance(first.exception, HeartprintError)
    assert first.exception.code == "bad-table"
    proposal = first.exception.message.partition("--columns ")[2]
    for pair in options[1].split(",")[:2]:
        assert pair in proposal
    second = RUNNER.invoke(ingest_app, [*call, *options], catch_exceptions=False)
    assert second.exit_code == 0, second.output
    cohort = checked(tmp_path / "out")
    said = " ".join(cohort.info.settings["notes"])
    shown = " ".join(second.output.split())
    for note in cohort.info.settings["notes"]:
        assert " ".join(note.split()) in shown
    assert ("decimal commas" in said) == (country is not american)
    if country is german:
        yes, no, nobody_knows = (TRUTH.af.count(value) for value in (True, False, None))
        assert f"1 is 'VHF' ({yes}); 0 is 'SR' ({no // 2}), 'SVES' ({no // 2})" in said
        assert f"missing is 'unklar' ({nobody_knows})" in said
    if country is american:
        assert f"missing is '-1' ({TRUTH.af.count(None)})" in said
        assert cohort.records["recorded_at"].to_list() == list(TRUTH.recorded_at)


def events(path: Path, times: str, ids: str = "{}", values: str = "{}") -> Path:
    lines = ["subject_id,time,numeric_value"]
    for i, at in enumerate(TRUTH.recorded_at[:12]):
        hour = f"{at.hour - 12 if '%p' in times else at.hour}"
        lines.append(f"{ids.format(i)},{at.strftime(times).replace('HH', hour)},{values.format(30 + i)}")
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("times", "options"),
    [
        ("%Y-%m-%d %H:%M:%S+00", []),
        ("%Y-%m-%d %H:%M:%S.123456+00", []),
        ("%Y-%m-%dT%H:%M:%SZ", []),
        ("%d.%m.%Y %H:%M", []),
        ("%d.%m.%Y", []),
        ("%m/%d/%Y %H:%M", ["--dates", "month-first"]),
        ("%m/%d/%Y HH:%M %p", ["--dates", "month-first"]),
        ("%d/%m/%Y", ["--dates", "day-first"]),
    ],
)
@pytest.mark.parametrize("ids", ["{}", "{}.0"])
def test_measurements_are_linked_however_times_and_ids_are_written(
    times: str, options: list[str], ids: str, tmp_path: Path
) -> None:
    stored = [f"{i}.0" if i % 2 else f"{i}" for i in range(12)]
    small_cohort(tmp_path / "c", stored, recorded_at=list(TRUTH.recorded_at[:12]))
    app = typer.Typer()
    app.command()(label)
    file = events(tmp_path / "e.csv", times, ids)
    call = [str(tmp_path / "c"), "--events", str(file), "--as", "lvef", "--within", "1d"]
    done = RUNNER.invoke(app, [*call, *options], catch_exceptions=False)
    assert done.exit_code == 0
    assert Cohort.open(tmp_path / "c").records["label_lvef"].to_list() == [30.0 + i for i in range(12)]
    if not options:
        return
    for wrong in ([], ["--dates", "day-first" if "month-first" in options else "month-first"]):
        with pytest.raises(HeartprintError) as caught:
            RUNNER.invoke(app, [*call, "--replace", *wrong], catch_exceptions=False)
        assert caught.value.code == "bad-date"
        assert "--dates" in caught.value.message
        assert wrong or "12 of 12 measurements" in caught.value.message


def test_some_unreadable_times_are_counted_and_shown(tmp_path: Path) -> None:
    small_cohort(tmp_path / "c", [str(i) for i in range(12)], recorded_at=list(TRUTH.recorded_at[:12]))
    file = events(tmp_path / "e.csv", "%Y-%m-%d %H:%M")
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:-1], "11,soon,41"]))
    app = typer.Typer()
    app.command()(label)
    call = [str(tmp_path / "c"), "--events", str(file), "--as", "lvef"]
    shown = " ".join(RUNNER.invoke(app, call, catch_exceptions=False).output.split())
    assert "without a time 1 for example 'soon'" in shown
    assert Cohort.open(tmp_path / "c").info.settings["labels"]["lvef"]["counts"]["unreadable_time"] == "soon"


def labelled(folder: Path, cells: Sequence[str], *words: str, column: str = "af", **how: object) -> Cohort:
    np.save(folder / "x.npy", twelve())
    rows = "".join(f'x.npy,{i},p{i},"{cell}"\n' for i, cell in enumerate(cells))
    (folder / "t.csv").write_text(f"path,ecg_id,patient_id,{column}\n{rows}", encoding="utf-8")
    reader = Table(sampling_rate=100, labels=words, **how)  # type: ignore[arg-type]
    return ingest(reader, folder / "t.csv", folder / "out")


@pytest.mark.parametrize(
    ("cells", "words", "expected", "note"),
    [
        (["VHF", "SR", " vhf ", ""], "af=VHF", [1, 0, 1, None], "1 is 'VHF' (1), 'vhf' (1); 0 is 'SR' (1)"),
        (["VHF", "SR", "AFL", "?"], "af=VHF|AFL", [1, 0, 1, None], "missing is '?' (1)"),
        (["VHF", "kein VHF", "VHF?", "SR"], "af=VHF:SR|kein VHF", [1, 0, None, 0], "missing is 'VHF?' (1)"),
        (["1", "-1", "-1.0", "1"], "af=1:-1", [1, 0, 0, 1], "0 is '-1' (1), '-1.0' (1)"),
        (["1", "-1", "", "1"], "af=1:0", [1, None, None, 1], "missing is '-1' (1)"),
        (["1", "0", "-1", "1.0"], "", [1, 0, None, 1], "missing is '-1' (1)"),
        (["ja", "Nein", "JA", "unbekannt"], "", [1, 0, 1, None], "1 is 'JA' (1), 'ja' (1)"),
        (["sí", "no", "NA", "no"], "af", [1, 0, None, 0], "0 is 'no' (2)"),
    ],
)
def test_words_are_labels(
    cells: list[str], words: str, expected: list[float | None], note: str, tmp_path: Path
) -> None:
    cohort = labelled(tmp_path, cells, *([words] if words else []))
    assert cohort.records["label_af"].to_list() == expected
    assert note in " ".join(cohort.info.settings["notes"])
    named = tmp_path / "named"
    named.mkdir()
    if words:
        cohort = labelled(named, cells, words, column="Rhythmus", names={"af": "Rhythmus"})
        assert cohort.records["label_af"].to_list() == expected
        assert cohort.info.settings["labels"] == {"af": "Rhythmus"}


@pytest.mark.parametrize(
    ("cells", "words", "code", "say"),
    [
        (["VHF", "VHF?", "SR"], "af=VHF", "bad-label", "'VHF?'"),
        (["VHF", "kein VHF", "SR"], "af=VHF", "bad-label", "'kein VHF'"),
        (["AF", "SR", "SR"], "af=VHF", "bad-label", "it says 'SR' (2), 'AF' (1)"),
        (["VHF", "SR"], "af=VHF:VHF", "bad-label", "--label af=VHF:SR"),
        (["VHF", "SR"], "af=", "bad-options", "which words"),
        (["VHF", "SR"], "rhythm=VHF", "unknown-label-column", "Known: af"),
        (["1", "-1"], "", "bad-label", "--label af=1:-1"),
    ],
)
def test_words_that_may_mean_two_things_are_refused(
    cells: list[str], words: str, code: str, say: str, tmp_path: Path
) -> None:
    with pytest.raises(HeartprintError) as caught:
        labelled(tmp_path, cells, *([words] if words else []))
    assert caught.value.code == code
    assert say in caught.value.message
    assert not (tmp_path / "out").exists()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([*sorted(YES | NO), "1", "0", "", "-1", "NaN"]), min_size=1, max_size=8), st.randoms())
def test_yes_and_no_in_any_language_and_case(words: list[str], random) -> None:
    cells = ["".join(random.choice((c.lower(), c.upper())) for c in word) for word in [*words, "ja", "0"]]
    expected = [None if w in ("", "-1", "NaN") else float(w in YES or w == "1") for w in words]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text("path,patient_id,Killip\n" + "".join(f"x,p,{c}\n" for c in cells), encoding="utf-8")
        rows = Table().open(path).rows
        found = [row.details().labels.get("killip") for row in rows]
    assert found == [*expected, 1.0, 0.0]


def test_columns_that_people_mean_otherwise_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", twelve())

    def opened(text: str, **how: object):
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        return Table(sampling_rate=100, **how).open(tmp_path / "t.csv")  # type: ignore[arg-type]

    def message(text: str, **how: object) -> str:
        with pytest.raises(HeartprintError) as caught:
            opened(text, **how)
        return caught.value.message

    lacking = message("Datei,Patienten-ID,Geschlecht,Alter\nx.npy,p,w,7\n")
    assert '--columns "path=Datei,patient_id=Patienten-ID,' in lacking or (
        "--columns path=Datei,patient_id=Patienten-ID," in lacking
    )
    assert "sex=Geschlecht" in lacking and "age=Alter" in lacking
    # Commas cut this header as evenly, but into no names that anybody would look for.
    assert "path=Datei" in message("Datei;PatID;Gewicht, kg\nx.npy;p;72,5\n")
    assert "patient_id=patientid" in message("path,patientid\nx.npy,p\n")
    assert "patient_id=NAME" in message("path,whose\nx.npy,p\n")
    # Neither silently assumed nor silently made a label.
    notes = " ".join(opened("path,patient_id,Alter,Geschlecht\nx.npy,p,7,w\n").notes)
    assert "--columns age=Alter" in notes and "--columns sex=Geschlecht" in notes
    assert "both 'date' and 'recorded_at'" in message("path,patient_id,date,recorded_at\nx.npy,p,,\n")
    assert "'Path' and 'path'" in message("Path,path,patient_id\nx.npy,x.npy,p\n")
    opened("Path,path,patient_id\nx.npy,y.npy,p\n", names={"path": "Path"})
    assert "Did you mean 'Datei'" in message("Datei,patient_id\nx.npy,p\n", names={"path": "Datai"})
    known = ["path", "patient_id", "EF in %"]
    assert parse_columns("path=File, name,EF in %=EF = x, patient_id = Who", known) == {
        "path": "File, name", "EF in %": "EF = x", "patient_id": "Who"
    }  # fmt: skip
    for wrong in ("path", "file=Datei", "path=", "path=Datei,path=Pfad"):
        done = RUNNER.invoke(ingest_app, ["table", str(tmp_path / "t.csv"), str(tmp_path / "out"), "--columns", wrong])
        assert isinstance(done.exception, HeartprintError) and done.exception.code == "bad-options", wrong


NAMES = st.text("aÄé n0ß.", min_size=1, max_size=6).map(lambda s: unicodedata.normalize("NFC", f"x{s}x"))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(NAMES, min_size=1, max_size=3), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_a_file_is_found_however_its_path_is_written(
    parts: list[str], stored_nfd: bool, written_nfd: bool, backslashes: bool, capitals: bool
) -> None:
    def form(text: str, nfd: bool) -> str:
        return unicodedata.normalize("NFD" if nfd else "NFC", text)

    *folders, name = parts
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        file = folder.joinpath(*(form(part, stored_nfd) for part in folders), form(f"{name}.npy", stored_nfd))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        written = form("/".join([*folders, f"{name}.{'NPY' if capitals else 'npy'}"]), written_nfd)
        found = locate(folder, written.replace("/", "\\") if backslashes else written)
        assert found.samefile(file)
        header = file.with_name(form(f"{name}.hea", stored_nfd))
        header.touch()
        assert locate(folder, form("/".join(parts), written_nfd)).name == header.name.removesuffix(".hea")


def test_paths_that_mean_no_file_or_several(tmp_path: Path) -> None:
    for name in ("a.NPY", "a.Npy", "b.npy", "B.npy"):
        (tmp_path / name).touch()
    with pytest.raises(HeartprintError, match=r"a\.NPY and a\.Npy"):
        locate(tmp_path, "a.npy")
    # Capitals in a name are another name; what is there as it is written is taken.
    assert not locate(tmp_path, "C.npy").exists()
    assert locate(tmp_path, "B.npy").name == "B.npy"
    assert locate(tmp_path, "sub\\..\\b.npy") == tmp_path / "sub" / ".." / "b.npy"
    for drive in ("C:\\ecgs\\b.npy", "d:/ecgs/b.npy", "\\\\server\\ecgs\\b.npy"):
        with pytest.raises(HeartprintError, match="relative to it") as caught:
            locate(tmp_path, drive)
        assert caught.value.code == "file-missing"
    assert locate(tmp_path, str(tmp_path / "b.npy")) == tmp_path / "b.npy"


def test_every_reader_that_lists_files_finds_them_by_windows_paths(tmp_path: Path) -> None:
    folder = tmp_path / unicodedata.normalize("NFD", "prüfung")
    folder.mkdir()
    np.save(folder / "x.npy", twelve())
    Image.fromarray(noise(80, 90)).save(folder / "y.png")
    write_hl7(folder / "z.xml", twelve(10.0, 500), 500)
    listed: Mapping[str, tuple[object, str]] = {
        "table": (Table(sampling_rate=100), "path;patient_id\nprüfung\\x.NPY;p\n"),
        "images": (Images(), "path;patient_id\nprüfung\\y.PNG;p\n"),
        "files": (Files(), "prüfung\\z.XML\n"),
    }
    # The others read sets as they are published, or folders.
    assert listed.keys() == READERS.keys() - {
        "challenge", "code-15", "echonext", "mimic-iv-ecg", "ptb", "ptb-xl", "sami-trop", "ludb"
    }  # fmt: skip
    for name, (reader, text) in listed.items():
        (tmp_path / "t.csv").write_text(text, encoding="cp1252")
        cohort = ingest(reader, tmp_path / "t.csv", tmp_path / name)  # type: ignore[arg-type]
        assert len(cohort) == 1, pl.read_parquet(tmp_path / name / "refused.parquet")
        assert "Windows-1252" in " ".join(cohort.info.settings["notes"])
        assert name == "files" or cohort.ecg_ids.tolist() == [{"table": "x", "images": "y"}[name]]
