"""Ingestion on many processes and through kills: the same cohort, byte for byte."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import REFUSED_FILE, WAVEFORMS_FILE
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import claimed
from heartprint.readers import Code15, PtbXl, Table, ingest, ingestion
from heartprint.readers.source import Row
from heartprint.signals.leads import LEADS_12
from tests.cohorts.ecgs import twelve, write_record
from tests.readers.killed import MOMENTS
from tests.readers.sources import EXAMPLES, write_csv, write_tracings

ROOT = Path(__file__).parents[2]
TWO_PEOPLE = 20


def make_source(folder: Path, n: int) -> Path:
    """PTB-XL's form: n rows, of which some have no file, too few samples, or a number that was there before.

    Those of one patient are of a woman and a man, which shows only when all have been read.
    """
    names = tuple(name.upper() for name in LEADS_12)
    rows: list[dict[str, object]] = []
    for i in range(n):
        kind = {7: "missing", 11: "short", 13: "twice"}.get(i % 17, "good")
        if kind != "missing":
            write_record(folder / "records100", f"{i:05d}_lr", twelve(4 if kind == "short" else 10, seed=i), 100, names)
        rows.append(
            {
                "ecg_id": i - 3 if kind == "twice" else i,
                "patient_id": 10 + i // 3,
                # Three ECGs within as many years are of one person.
                "age": 20 + i // 3 % 60,
                "sex": (i if i // 3 == TWO_PEOPLE else i // 3) % 2,
                "scp_codes": "{'AFIB': 0.0}" if i % 5 == 0 else "{'SR': 0.0}",
                "recording_date": f"19{80 + i // 3 % 20}-0{1 + i % 3}-02 03:04:{i % 60:02d}" if i % 4 else "",
                "device": "CS-12",
                "filename_lr": f"records100/{i:05d}_lr",
            }
        )
    write_csv(folder / "ptbxl_database.csv", rows)
    return folder


def contents(cohort: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in cohort.iterdir()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(tmp_path_factory.mktemp("source"), 100)


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest(PtbXl(), source, tmp_path_factory.mktemp("whole") / "cohort", workers=1).path


def run(source: Path, out: Path, moment: str, count: int, workers: int = 1) -> int:
    # Not through a pipe: the workers of a killed process hold its end for some seconds.
    said = out.parent.with_suffix(".log")
    with said.open("w") as log:
        command = [sys.executable, "-m", "tests.readers.killed", source, out, str(workers), moment, str(count)]
        done = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, timeout=120)
    assert done.returncode in (0, -signal.SIGKILL), said.read_text()
    return done.returncode


def test_what_is_refused_does_not_depend_on_the_parts(whole: Path) -> None:
    refused = pl.read_parquet(whole / REFUSED_FILE)
    rest = {7: "file-missing", 11: "too-short", 13: "duplicate-ecg-id"}
    of_two = {i: "conflicting-patient" for i in range(100) if i // 3 == TWO_PEOPLE}
    expected = [rest.get(i % 17) or of_two.get(i) for i in range(100)]
    assert refused["code"].to_list() == [code for code in expected if code] and "conflicting-patient" in expected
    cohort = Cohort.open(whole)
    assert len(cohort) == 100 - len(refused)
    # Nothing of those who were taken back is left in the folder.
    assert (whole / WAVEFORMS_FILE).stat().st_size == 2 * 8 * 1000 * len(cohort)


@pytest.mark.parametrize(("workers", "part"), [(1, 1), (1, 1000), (2, 9), (3, 4)])
def test_any_number_of_workers_gives_the_same_bytes(
    workers: int, part: int, source: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion, "PART", part)
    monkeypatch.setattr(ingestion, "_AHEAD", 2)
    ingest(PtbXl(), source, tmp_path / "cohort", workers=workers)
    assert contents(tmp_path / "cohort") == contents(whole)
    assert [p.name for p in tmp_path.iterdir()] == ["cohort"]


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_reader_can_be_read_by_workers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src").mkdir()
    example = EXAMPLES[name](tmp_path / "src")
    # What the reader has opened while it listed its rows must not hinder their journey.
    ingest(example.reader, example.src, tmp_path / "a" / "cohort", workers=1)
    monkeypatch.setattr(ingestion, "PART", 2)
    ingest(example.reader, example.src, tmp_path / "b" / "cohort", workers=2)
    assert contents(tmp_path / "a" / "cohort") == contents(tmp_path / "b" / "cohort")


def test_workers_are_started_only_where_they_are_worth_it(
    source: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion, "PART", 8)
    started = []
    import joblib

    class Watched(joblib.Parallel):
        def __init__(self, *args: object, **options: object) -> None:
            started.append(options)
            super().__init__(*args, **options)

    monkeypatch.setattr(joblib, "Parallel", Watched)
    monkeypatch.setattr(ingestion, "_WORTHWHILE_S", 1e9)  # what a busy machine takes is no matter of this test
    ingest(PtbXl(), source, tmp_path / "quick")
    assert not started
    monkeypatch.setattr(ingestion, "_WORTHWHILE_S", 0.0)
    ingest(PtbXl(), source, tmp_path / "cohort")
    assert bool(started) == (joblib.effective_n_jobs(-1) > 1)
    assert contents(tmp_path / "cohort") == contents(whole)


def test_killed_and_gone_on_with(source: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    assert run(source, out, "in an ECG", 50) == -signal.SIGKILL
    assert not out.exists()
    assert run(source, out, "half a note", 5) == -signal.SIGKILL
    ingest(PtbXl(), source, out, workers=1)
    assert [p.name for p in tmp_path.iterdir()] == ["cohort"]
    assert contents(out) == contents(whole)


@pytest.mark.slow
@pytest.mark.parametrize("moment", sorted(set(MOMENTS) - {"never"}))
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_every_kind_of_moment(moment: str, workers: int, source: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    ingest(PtbXl(), make_source(tmp_path / "older", 3), out)  # Replaced only when the new one is whole.
    older = contents(out)
    last = moment.startswith(("before the tables", "before cohort", "before it", "when", "before the work"))
    if moment == "while taking up":
        assert run(source, out, "before the note", 9, workers) == -signal.SIGKILL
    assert run(source, out, moment, 1 if last else 4, workers) == -signal.SIGKILL
    if moment == "before the work is removed":
        assert contents(out) == contents(whole)
    elif moment == "when the old one is away":
        assert not out.exists()
    else:
        assert contents(out) == older
    assert run(source, out, "never", 1, workers) == 0
    assert contents(out) == contents(whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cohort", "older"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_ten_random_moments(workers: int, tmp_path: Path) -> None:
    """Killed from outside, whenever the journal has grown by a random number of bytes."""
    source = make_source(tmp_path / "source", 3000)
    ingest(PtbXl(), source, tmp_path / "whole" / "cohort", workers=1)
    out, rng, places = tmp_path / "killed" / "cohort", random.Random(workers), []
    journal = out.with_name(".cohort.ingest") / ingestion.JOURNAL
    command = [sys.executable, "-m", "tests.readers.killed", source, out, str(workers), "never", "1"]
    size = 0
    for _ in range(10):
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        goal = size + rng.randint(1, 60_000)
        while process.poll() is None and (not journal.is_file() or journal.stat().st_size < goal):
            time.sleep(0.001)
        time.sleep(rng.random() * 0.01)
        assert process.poll() is None, "it was done before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        size = journal.stat().st_size
        places.append(size)
    assert len(set(places)) == 10, places
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    assert contents(out) == contents(tmp_path / "whole" / "cohort")
    assert [p.name for p in out.parent.iterdir()] == ["cohort"]


def broken_off(source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, rows: int = 40) -> Path:
    """Stop after some rows as Ctrl-C does; gives the folder of what is done."""
    with monkeypatch.context() as patch:
        patch.setattr(ingestion, "PART", 8)
        take = ingestion._Journal.take

        def stop(self: ingestion._Journal, part: list[ingestion.Outcome]) -> None:
            if len(self._writer) > rows:
                raise KeyboardInterrupt
            take(self, part)

        patch.setattr(ingestion._Journal, "take", stop)
        with pytest.raises(KeyboardInterrupt):
            ingest(PtbXl(), source, out, workers=1)
    return out.with_name(f".{out.name}.ingest")


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read, seen = ingestion._outcome, []

    def counted(row, *how):
        seen.append(row.path)
        return read(row, *how)

    monkeypatch.setattr(ingestion, "_outcome", counted)
    monkeypatch.setattr(ingestion, "PART", 8)
    return seen


def test_what_is_done_is_not_read_again(
    source: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_off(source, tmp_path / "cohort", monkeypatch)
    seen = count_reads(monkeypatch)
    ingest(PtbXl(), source, tmp_path / "cohort", workers=1)
    assert 0 < len(seen) < 60
    assert "Going on where it was broken off: 56 rows are done already." in capsys.readouterr().err
    assert contents(tmp_path / "cohort") == contents(whole)


@pytest.mark.parametrize("change", ["table", "option", "damaged samples", "damaged journal", "no samples"])
def test_what_cannot_be_vouched_for_is_read_again(
    change: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = make_source(tmp_path / "source", 100)
    out = tmp_path / "cohort"
    work = broken_off(own, out, monkeypatch)
    limits = None
    expected = 100
    if change == "table":
        table = own / "ptbxl_database.csv"
        table.write_text(table.read_text().replace("CS-12", "AT-6"))
    elif change == "option":
        limits = ingestion.Limits(min_seconds=3)
    elif change == "damaged samples":
        with (work / "cohort" / WAVEFORMS_FILE).open("r+b") as handle:
            handle.seek(16000 * 20)
            handle.write(b"harm")
        expected = 84  # The first two parts are whole.
    elif change == "damaged journal":
        lines = (work / "journal").read_bytes().splitlines(keepends=True)
        lines[3] = lines[3].replace(b"CS-12", b"CS-13", 1)
        (work / "journal").write_bytes(b"".join(lines))
        expected = 84
    else:
        (work / "cohort" / WAVEFORMS_FILE).unlink()
    seen = count_reads(monkeypatch)
    ingest(PtbXl(), own, out, limits=limits, workers=1)
    assert len(seen) == expected
    monkeypatch.undo()
    ingest(PtbXl(), own, tmp_path / "anew" / "cohort", limits=limits, workers=1)
    assert contents(out) == contents(tmp_path / "anew" / "cohort")


def test_two_at_once_are_kept_apart(source: Path, tmp_path: Path) -> None:
    with claimed(tmp_path / ".cohort.ingest"), pytest.raises(HeartprintError) as caught:
        ingest(PtbXl(), source, tmp_path / "cohort")
    assert caught.value.code == "output-busy"


def test_nothing_usable_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "ecgs.csv").write_text("path,patient_id\nno.npy,p\n")
    with pytest.raises(HeartprintError) as caught:
        ingest(Table(), tmp_path / "ecgs.csv", tmp_path / "cohort")
    assert caught.value.code == "empty-cohort"
    assert [p.name for p in tmp_path.iterdir()] == ["ecgs.csv"]


def test_workers_and_schedulers_that_cannot_be(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HeartprintError) as caught:
        ingest(PtbXl(), source, tmp_path / "cohort", workers=0)
    assert caught.value.code == "bad-options"
    monkeypatch.setattr("heartprint.foundation.parallel._CONNECT_S", 1)
    with pytest.raises(HeartprintError) as caught:
        ingest(PtbXl(), source, tmp_path / "cohort", scheduler="tcp://127.0.0.1:9")
    assert caught.value.code == "cluster-unreachable"
    assert not list(tmp_path.iterdir())


def test_a_killed_worker_costs_nothing_that_is_done(
    source: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion, "PART", 8)
    monkeypatch.setattr(ingestion, "_AHEAD", 1)
    parent, calls = os.getpid(), []

    def deadly(rows, *how):
        if os.getpid() != parent and rows[0].ecg_id == "48":
            os.kill(os.getpid(), signal.SIGKILL)
        return [ingestion._outcome(row, *how) for row in rows]

    with monkeypatch.context() as patch:
        patch.setattr(ingestion, "read_part", deadly)
        with pytest.raises(HeartprintError) as caught:
            ingest(PtbXl(), source, tmp_path / "cohort", workers=2)
    assert caught.value.code == "worker-died", calls
    seen = count_reads(monkeypatch)
    ingest(PtbXl(), source, tmp_path / "cohort", workers=1)
    assert len(seen) < 100
    assert contents(tmp_path / "cohort") == contents(whole)


def test_a_dask_cluster_gives_the_same_bytes(
    source: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    monkeypatch.setattr(ingestion, "PART", 8)
    monkeypatch.setattr(ingestion, "_AHEAD", 2)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.chdir(source.parent)
        relative = source.relative_to(source.parent)
        ingest(PtbXl(), relative, tmp_path / "cohort", scheduler=cluster.scheduler_address)
        assert contents(tmp_path / "cohort") == contents(whole)
        # As a cluster's job scripts pass it on.
        (tmp_path / "scheduler.json").write_text(json.dumps({"address": cluster.scheduler_address}))
        ingest(PtbXl(), source, tmp_path / "again" / "cohort", scheduler=str(tmp_path / "scheduler.json"))
        assert contents(tmp_path / "again" / "cohort") == contents(whole)


def test_a_part_that_comes_between_two_attempts_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of CODE-15% depends on which of its parts are there: what was begun without one is begun anew."""
    monkeypatch.setattr(ingestion, "PART", 2)
    leads = [twelve(rate=400, seed=i) for i in range(6)]
    src = tmp_path / "src"
    src.mkdir()
    write_tracings(src / "exams_part1.hdf5", leads[:3], [30, 20, 10])
    rows = [
        {
            "exam_id": exam,
            "age": 50,
            "is_male": True,
            "AF": False,
            "patient_id": exam,
            "trace_file": f"exams_part{part}.hdf5",
        }
        for part, exams in ((0, (1, 2, 3)), (1, (10, 20, 30)))
        for exam in exams
    ]
    write_csv(src / "exams.csv", rows)
    real, seen = ingestion.read_part, []

    def stops(part: Sequence[Row], *how: object) -> list[ingestion.Outcome]:
        seen.append(part)
        if len(seen) > 2:
            raise KeyboardInterrupt
        return real(part, *how)

    monkeypatch.setattr(ingestion, "read_part", stops)
    with pytest.raises(KeyboardInterrupt):
        ingest(Code15(), src, tmp_path / "out", workers=1)
    monkeypatch.setattr(ingestion, "read_part", real)
    write_tracings(src / "exams_part0.hdf5", leads[3:], [3, 1, 2])
    cohort = ingest(Code15(), src, tmp_path / "out", workers=1)
    assert sorted(cohort.ecg_ids, key=int) == ["1", "2", "3", "10", "20", "30"]
    assert cohort.info.n_refused == 0
