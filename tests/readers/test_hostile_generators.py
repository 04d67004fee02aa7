"""The generators of hostile files beside this repository: each file costs at most 5 s and 512 MB, and is told."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HOSTILE = Path(__file__).resolve().parents[3] / "shared" / "cases" / "hostile"
REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS, MEGABYTES = 5.0, 512.0
KINDS = ("good", "external-link", "external-storage", "virtual", "soft-loop", "compound", "str", "chunk-bomb")

# Each row in a process of its own, forked from one that has its libraries: its time and memory are its own.
ROWS = """
    import json, os, resource, signal, sys, time
    from pathlib import Path
    import h5py, polars, pydicom, wfdb, defusedxml.ElementTree, scipy.signal
    from heartprint.cohorts.checks import Limits
    from heartprint.readers import Code15, Table
    from heartprint.readers.ingestion import read_part
    from heartprint.readers.people import Rules

    rows = (Table() if sys.argv[1] == "table" else Code15()).open(Path(sys.argv[2])).rows
    for i in range(min(len(rows), 400)):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            row, began = rows[i], time.process_time()
            outcome = read_part([row], Limits(), Rules())[0]
            said = ["taken", ""] if outcome.error is None else [outcome.error.code, outcome.error.message]
            used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            os.write(writing, json.dumps([row.ecg_id, *said, time.process_time() - began, used]).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            print((answer.read() or json.dumps([rows[i].ecg_id, "died", "", 60, 0]).encode()).decode(), flush=True)
        os.waitpid(child, 0)
"""


IMAGES = """
    import csv, json, resource, sys, time
    from pathlib import Path
    from heartprint.foundation import pictures
    from heartprint.foundation.errors import HeartprintError

    found = []
    folder = Path(sys.argv[1])
    for row in csv.DictReader((folder / "table.csv").open()):
        if not row["path"]:
            continue
        pictures._decoder()._running()  # its start is not the picture's time
        began = time.perf_counter()
        try:
            pictures.read_picture(folder / row["path"], page=int(float(row["page"])) if row["page"] else None)
            said = ["taken", ""]
        except HeartprintError as error:
            said = [error.code, error.message]
        found.append([row["path"], row["page"], *said, time.perf_counter() - began])
    pictures._decoder().close()
    # Of processes that have ended, killed ones too: the largest of all.
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"pictures": found, "megabytes": largest}))
"""


def made(script: str, folder: Path, *more: str) -> None:
    if not (HOSTILE / script).is_file():
        pytest.skip(f"no generator here: {HOSTILE / script} is absent")
    command = [sys.executable, str(REPOSITORY / "tests" / "old_names.py"), str(HOSTILE / script), str(folder), *more]
    subprocess.run(command, check=True, capture_output=True)


def ran(program: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def outcomes(kind: str, src: Path) -> dict[str, str]:
    """Id to code of each row, each of which is told in a sentence, in time and in memory."""
    found = {}
    for line in ran(ROWS, kind, str(src)):
        name, code, message, seconds, megabytes = json.loads(line)
        assert code != "died" and seconds <= SECONDS and megabytes <= MEGABYTES, line[:300]
        assert not message or (message.endswith(".") and "\n" not in message and len(message) < 700), line[:300]
        assert str(src.parent) not in message and "MemoryError" not in message, line[:300]
        found[name] = code
    return found


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_hostile_files(tmp_path: Path) -> None:
    made("hostile_files.py", tmp_path / "made", str(REPOSITORY))
    found = outcomes("table", tmp_path / "made" / "table.csv")
    assert len(found) > 200
    for name in ("dicom", "edf", "hl7", "muse", "philips", "scp", "npy", "hea"):
        assert found[f"e_good.{name}"] == "taken"
    for name in ("giant.hea", "segmany.hea", "skew.hea", "unary.npy", "obj.npy", "npz.npy", "lau0.hea", "laughs.xml"):
        assert found[f"e_{name}"] != "taken"
    assert not (REPOSITORY / "PWNED").exists() and not (tmp_path / "made" / "PWNED").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_hdf5(kind: str, tmp_path: Path) -> None:
    made("hostile_hdf5.py", tmp_path / "made", kind, str(REPOSITORY))
    found = outcomes("code-15", tmp_path / "made")
    assert len(found) == 3 and {code == "taken" for code in found.values()} == {kind == "good"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_hostile_images(tmp_path: Path) -> None:
    made("hostile_images.py", tmp_path / "made")
    said = json.loads(ran(IMAGES, str(tmp_path / "made"))[-1])
    assert said["megabytes"] <= MEGABYTES
    found = {}
    for name, page, code, message, seconds in said["pictures"]:
        assert seconds <= SECONDS, name
        assert not message or (message.endswith(".") and "\n" not in message and str(tmp_path) not in message), message
        found[name, page] = code
    for name in ("apng3000.png", "webp900.webp", "tiff_20000_pages.tif"):
        assert found[name, ""] == "several-pages"
    for name in ("jpeg7200.jpg", "jpeg7200prog.jpg"):
        assert found[name, ""] == "file-truncated"
    taken = {name for (name, _), code in found.items() if code == "taken"}
    assert {"good1.png", "good_exif6.jpg", "good.pdf", "good.dcm"} <= taken
    bombs = {name for name, _ in found if "bomb" in name or "lie" in name or "short" in name}
    # Its EXIF note promises gigabytes; the picture is whole.
    assert taken & bombs == {"jpeg_exif_bomb.jpg"}
