"""Files to a folder of pages: a row for each, nothing twice, nothing lost, whatever a file does."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heartprint.foundation.errors import HeartprintError
from heartprint.reading.answer import Hints
from heartprint.reading.inputs import find_inputs
from heartprint.reading.read_files import ReadSummary, read_files
from tests.foundation.bad_pictures import BAD, ECG_PDF, endless_pdf, noise, pdf, swelling_dicom
from tests.reading.fake_reader import BREAKS, KILLS, FakeReader
from tests.reading.fakes import inbox, level_picture, save


def run(names: list[Path] | Path, out: Path, **options: object) -> ReadSummary:
    named = [str(name) for name in (names if isinstance(names, list) else [names])]
    options = {"workers": 1, "make": FakeReader, "progress": False, **options}
    return read_files(find_inputs(named, leave_out=out), out, **options)  # type: ignore[arg-type]


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "pages.csv").open(newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def contents(out: Path) -> dict[str, bytes]:
    """All files, but for the seconds that a reading took."""
    found = {}
    for path in sorted(out.iterdir()):
        data = path.read_bytes()
        if path.suffix == ".json":
            data = json.dumps({**json.loads(data), "seconds": 0}).encode()
        found[path.name] = data
    return found


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for each picture that the reader was shown."""
    place = tmp_path / "reads.txt"
    place.touch()
    monkeypatch.setenv("HEARTPRINT_TEST_READS", str(place))
    return place


def test_every_page_has_its_files_and_a_row(tmp_path: Path) -> None:
    folder, out = inbox(tmp_path / "in"), tmp_path / "out"
    summary = run(folder, out)
    assert (summary.files, summary.pages, summary.kept) == (7, 8, 0)
    assert summary.statuses == {"failed": 1, "ok": 5, "refused": 1, "warned": 1}
    assert summary.reasons == {"low-agreement": 1, "too-dark": 1, "unknown-format": 1}
    table = rows(out)
    assert [row["name"] for row in table] == ["dark", "good0", "good1", "good2", "letter", "tall", "two.p1", "two.p2"]
    assert [row["status"] for row in table] == ["refused", "ok", "ok", "ok", "failed", "warned", "ok", "ok"]
    by_name = {row["name"]: row for row in table}
    assert by_name["two.p2"]["page"] == "2" and by_name["two.p2"]["n_pages"] == "2"
    assert by_name["dark"]["reasons"] == "too-dark" and "more light" in by_name["dark"]["message"]
    assert by_name["tall"]["turn_deg"] == "90" and by_name["good0"]["layout"] == "standard"
    for name, row in by_name.items():
        record = json.loads((out / f"{name}.json").read_text())
        assert record["file"] == row["file"] and record["status"] == row["status"]
        assert (out / f"{name}.png").exists() == (row["status"] in ("ok", "warned"))
        assert (out / f"{name}.check.jpg").exists() == (row["status"] != "failed")
    with Image.open(out / "good1.png") as sheet, Image.open(folder / "good1.png") as picture:
        np.testing.assert_array_equal(np.asarray(sheet), np.asarray(picture))
    with Image.open(out / "tall.png") as sheet:
        assert sheet.size == (160, 120)


def test_places_are_those_of_the_file(tmp_path: Path) -> None:
    """Read at 2,400 px, told in px of the file: its corners and its way to the sheet."""
    save(tmp_path / "large.png", np.kron(noise(30, 60), np.ones((60, 60), np.uint8)))
    run(tmp_path / "large.png", tmp_path / "out")
    record = json.loads((tmp_path / "out" / "large.json").read_text())
    assert record["size"] == [1800, 3600] and record["sheet_size"] == [1200, 2400]
    np.testing.assert_allclose(record["corners"], [(0, 0), (3600, 0), (3600, 1800), (0, 1800)], atol=1e-6)
    matrix = np.array(record["homography"])
    x, y, w = matrix @ (3600, 1800, 1)
    np.testing.assert_allclose((x / w, y / w), (2400, 1200), atol=1e-3)
    assert record["px_per_mm"][0] == pytest.approx(3600 / 250, rel=1e-3)


def test_hints_are_in_px_of_the_file_and_for_one_file(tmp_path: Path) -> None:
    save(tmp_path / "large.png", np.kron(noise(30, 60), np.ones((60, 60), np.uint8)))
    corners = np.array([(600, 300), (3000, 300), (3000, 1500), (600, 1500)], dtype=np.float64)
    run(tmp_path / "large.png", tmp_path / "out", hints=Hints(corners=corners, turn_deg=0, layout="alternate"))
    record = json.loads((tmp_path / "out" / "large.json").read_text())
    np.testing.assert_allclose(record["corners"], corners, atol=1e-6)
    assert record["sheet_size"] == [800, 1600] and record["layout"]["name"] == "alternate"
    assert record["by_hand"] == {"turn_deg": 0, "corners": corners.tolist(), "layout": "alternate"}
    save(tmp_path / "other.png", noise(60, 80))
    with pytest.raises(HeartprintError) as caught:
        run([tmp_path / "large.png", tmp_path / "other.png"], tmp_path / "out", hints=Hints(turn_deg=90))
    assert caught.value.code == "bad-options"


def test_nothing_is_read_twice(tmp_path: Path, reads: Path) -> None:
    folder, out = inbox(tmp_path / "in"), tmp_path / "out"
    run(folder, out)
    before, table = contents(out), rows(out)
    n = len(reads.read_text().splitlines())
    assert n == 7
    summary = run(folder, out)
    assert len(reads.read_text().splitlines()) == n
    assert summary.kept == 7 and rows(out) == table and contents(out) == before
    save(folder / "good1.png", noise(90, 120))
    save(folder / "new.png", noise(90, 120))
    assert run(folder, out).kept == 6
    assert len(reads.read_text().splitlines()) == n + 2
    run(folder, out, again=True)
    assert len(reads.read_text().splitlines()) == n + 2 + 8

    class Newer(FakeReader):
        version = "fake-2"

    assert run(folder, out, make=Newer).kept == 0
    assert {row["reader"] for row in rows(out)} == {"fake-2"}


def test_what_somebody_has_seen_to_stays(tmp_path: Path) -> None:
    folder, out = inbox(tmp_path / "in"), tmp_path / "out"
    run(folder, out)
    run(folder / "good0.png", out, hints=Hints(turn_deg=180))
    run(folder, out)
    by_name = {row["name"]: row for row in rows(out)}
    assert by_name["good0"]["turn_deg"] == "180" and by_name["good0"]["by_hand"] == "turn_deg"
    assert len(by_name) == 8


def test_names_that_collide_get_their_folder_or_a_number(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a" / "IMG.png", noise(60, 80))
    save(tmp_path / "in" / "b" / "img.jpg", noise(60, 80))
    save(tmp_path / "in" / "c" / "b" / "IMG.bmp", noise(60, 80))
    save(tmp_path / "in" / "x.p2.png", noise(60, 80))
    (tmp_path / "in" / "x.pdf").write_bytes(pdf(ECG_PDF, pages=2))
    run(tmp_path / "in", tmp_path / "out")
    names = {Path(row["file"]).relative_to(tmp_path / "in").as_posix(): row["name"] for row in rows(tmp_path / "out")}
    assert names == {
        "a/IMG.png": "a_IMG",
        "b/img.jpg": "b_img",
        "c/b/IMG.bmp": "b_IMG_2",
        "x.p2.png": "x_p2",
        "x.pdf": "x.p2",
    }
    # A file that comes later takes no name away.
    save(tmp_path / "in" / "0" / "b" / "IMG.png", noise(70, 80))
    summary = run(tmp_path / "in", tmp_path / "out")
    assert summary.kept == summary.pages - 1
    later = {Path(row["file"]).relative_to(tmp_path / "in").as_posix(): row["name"] for row in rows(tmp_path / "out")}
    assert later == {**names, "0/b/IMG.png": "b_IMG_3"}


def test_another_working_directory_finds_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox(tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    run(Path("in"), tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    summary = run(Path("../in"), tmp_path / "out")
    assert summary.kept == 7 and len(rows(tmp_path / "out")) == 8


def test_a_file_with_other_pages_than_before(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for n in (3, 1, 2):
        (tmp_path / "a.pdf").write_bytes(pdf(ECG_PDF, pages=n))
        run(tmp_path / "a.pdf", out)
        assert [row["n_pages"] for row in rows(out)] == [str(n)] * n
        assert len(list(out.iterdir())) == 1 + 3 * n


def test_a_reader_that_breaks_costs_one_page_and_workers_change_nothing(tmp_path: Path) -> None:
    folder = inbox(tmp_path / "in")
    save(folder / "breaks.png", level_picture(BREAKS))
    run(folder, tmp_path / "one")
    by_name = {row["name"]: row for row in rows(tmp_path / "one")}
    assert by_name["breaks"]["status"] == "failed" and by_name["breaks"]["reasons"] == "reading-failed"
    assert "nobody thought of this" in by_name["breaks"]["message"] and len(by_name) == 9
    save(folder / "kills.png", level_picture(KILLS))
    summary = run(folder, tmp_path / "two", workers=2)
    killed = [row for row in rows(tmp_path / "two") if row["name"] == "kills"]
    assert [row["reasons"] for row in killed] == ["worker-died"]
    assert summary.statuses == {"failed": 3, "ok": 5, "refused": 1, "warned": 1}
    (folder / "kills.png").unlink()
    found = contents(tmp_path / "two")
    assert rows(tmp_path / "one") == [row for row in rows(tmp_path / "two") if row not in killed]
    assert {name: found[name] for name in contents(tmp_path / "one") if name != "pages.csv"} == {
        name: data for name, data in contents(tmp_path / "one").items() if name != "pages.csv"
    }


@pytest.mark.parametrize("name", [*BAD, "endless.pdf", pytest.param("bomb.dcm", marks=pytest.mark.slow)])
def test_hostile_pictures_are_one_row_each_in_time(name: str, tmp_path: Path) -> None:
    code, write = BAD.get(name, ("", None))
    if name == "endless.pdf":
        (tmp_path / name).write_bytes(endless_pdf())
    elif name == "bomb.dcm":
        swelling_dicom(tmp_path / name)
    elif write is not None:
        write(tmp_path / name)
    save(tmp_path / "good.png", noise(90, 120))
    run(tmp_path / "good.png", tmp_path / "out")  # the process that opens pictures has started
    began = time.perf_counter()
    summary = run(tmp_path / name, tmp_path / "out")
    assert time.perf_counter() - began < 5
    table = [row for row in rows(tmp_path / "out") if row["name"] != "good"]
    if code == "several-pages":
        assert summary.statuses == {"ok": summary.pages} and summary.pages in (2, 3)
        return
    assert len(table) == 1 and table[0]["status"] == "failed" and summary.nothing_done
    if name == "folder.png":
        assert table[0]["reasons"] == "no-files"
    elif code:
        assert table[0]["reasons"] == code
    else:
        assert table[0]["reasons"] in ("unreadable-file", "too-slow", "too-much-memory")
    assert str(tmp_path) not in table[0]["message"] and table[0]["message"].endswith(".")


def test_a_document_that_costs_all_time_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from heartprint.reading import pictures_in

    def slow(path: Path, *, page: int | None = None, longest_side: int = 0) -> object:
        raise HeartprintError("several-pages" if page is None else "too-slow", "It could not be opened.")

    (tmp_path / "a.pdf").write_bytes(pdf(ECG_PDF, pages=9))
    monkeypatch.setattr(pictures_in, "read_picture", slow)
    summary = run(tmp_path / "a.pdf", tmp_path / "out")
    assert summary.statuses == {"failed": 9}
    told = [row["message"] for row in rows(tmp_path / "out")]
    assert sum("not tried" in message for message in told) == 6


def test_too_many_pages_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf(ECG_PDF, pages=1200))
    run(tmp_path / "a.pdf", tmp_path / "out")
    assert [row["reasons"] for row in rows(tmp_path / "out")] == ["too-many-pages"]


def test_a_waveform_is_sent_where_it_belongs(tmp_path: Path) -> None:
    np.save(tmp_path / "ecg.npy", np.zeros((8, 5000), np.float32))
    run(tmp_path / "ecg.npy", tmp_path / "out")
    (row,) = rows(tmp_path / "out")
    assert row["status"] == "failed" and row["reasons"] == "holds-waveform"
    assert "heartprint predict" in row["message"]


def test_the_folder_must_be_ours(tmp_path: Path) -> None:
    folder = inbox(tmp_path / "in")
    with pytest.raises(HeartprintError) as caught:
        run(folder / "good0.png", folder)
    assert caught.value.code == "output-not-a-reading"
    assert not (folder / "pages.csv").exists()


def test_results_within_the_folder_are_not_read(tmp_path: Path) -> None:
    folder = inbox(tmp_path / "in")
    first = run(folder, folder / "read")
    assert run(folder, folder / "read").pages == first.pages


def test_names_of_any_bytes(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \n.png")
    try:
        Image.fromarray(noise(60, 80)).save(tmp_path / "a.png")
        (tmp_path / "a.png").rename(tmp_path / name)
        (tmp_path / (name + ".txt")).write_text("no picture")
    except OSError:
        pytest.skip("this file system takes no such name")
    assert run(tmp_path, tmp_path / "out").statuses == {"failed": 1, "ok": 1}
    assert {row["status"] for row in rows(tmp_path / "out")} == {"ok", "failed"}


_KILLED = """
import sys
from pathlib import Path
from heartprint.reading.inputs import find_inputs
from heartprint.reading.read_files import read_files
from tests.reading.fake_reader import FakeReader
out = Path(sys.argv[2])
read_files(find_inputs([sys.argv[1]]), out, workers=int(sys.argv[3]), make=FakeReader, progress=False)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_resumed_it_gives_the_same(tmp_path: Path, workers: int) -> None:
    folder = inbox(tmp_path / "in", good=25)
    run(folder, tmp_path / "whole")
    root = Path(__file__).resolve().parents[2]
    places = os.pathsep.join([str(root), *(place for place in sys.path if place)])
    out = tmp_path / "out"
    command = [sys.executable, "-c", _KILLED, str(folder), str(out), str(workers)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": places}) as process:
        end = time.monotonic() + 60
        while len(list(out.glob("*.json"))) < 12 and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = len(list(out.glob("*.json")))
    assert 12 <= done < 30
    (out / ".good3.png.999999999.tmp").write_bytes(b"half")  # what a process killed while writing leaves
    deadline = time.monotonic() + 10
    summary = None
    while summary is None:
        try:
            summary = run(folder, out, workers=workers)
        except HeartprintError as error:  # workers of the one that was killed leave within a second
            assert error.code == "output-busy" and time.monotonic() < deadline
            time.sleep(0.1)
    assert summary.kept >= 10
    assert rows(out) == rows(tmp_path / "whole")
    found = {name: data for name, data in contents(out).items() if not name.startswith(".")}
    assert found == contents(tmp_path / "whole")
