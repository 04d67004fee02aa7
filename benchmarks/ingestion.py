"""How long do a whole public set and a table of a million rows take? Prints figures; exits 1 if a bar is missed.

    python benchmarks/ingestion.py [--data ../shared/data] [--workers 2] [--wfdb-records 1423]

PTB-XL: its 21,799 records at 100 Hz. Here are 1,423 of them, repeated under new numbers, so that the disk's cache holds
the files; a first ingestion of the real set also waits for the disk. Beside it, in the same run, a loop that does
nothing but `wfdb.rdrecord`. Table: a million ECGs of 200,000 patients are opened, filtered and split by patient.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).parent))

import datetime as dt  # noqa: E402

import polars as pl  # noqa: E402
from large_cohort import ECGS, write_archive  # noqa: E402

from heartprint.cohorts import Cohort, split_by_patient  # noqa: E402

PTB_XL_RECORDS, INGESTION_BAR_S, TABLE_BAR_S = 21_799, 60.0, 3.0
INGEST = "import sys; from heartprint.readers import PtbXl, ingest; "
INGEST += "ingest(PtbXl(), sys.argv[1], sys.argv[2], workers=int(sys.argv[3]))"


def repeated(source: Path, target: Path, records: int) -> list[Path]:
    """PTB-XL's folder with as many rows as asked for; gives the paths of the real records."""
    with (source / "ptbxl_database.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    target.mkdir()
    (target / "records100").symlink_to(source.resolve() / "records100")
    with (target / "ptbxl_database.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        for i in range(records):
            turn, row = divmod(i, len(rows))
            patient = float(rows[row]["patient_id"])
            writer.writerow({**rows[row], "ecg_id": i + 1, "patient_id": f"{patient + 100_000 * turn}"})
    return [source / row["filename_lr"] for row in rows]


def memory_mb(pid: int) -> float:
    """Resident memory of a process and its descendants, mapped files left out, MB."""
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            fields = Path(f"/proc/{one}/statm").read_text().split()
            total += (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGESIZE") / 1e6
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, ValueError):
            continue
    return total


def ingest_whole(source: Path, out: Path, workers: int) -> tuple[float, float, list[float]]:
    """Ingest in a fresh process: wall seconds, processor seconds, memory over time in MB."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", INGEST, source, out, str(workers)], stderr=subprocess.DEVNULL)
    marks: list[float] = []

    def watch() -> None:
        while process.poll() is None:
            marks.append(memory_mb(process.pid))
            time.sleep(0.2)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    wall = time.perf_counter() - began
    watcher.join()
    if code:
        sys.exit(f"the ingestion ended with {code}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, marks


def plain_loop(paths: list[Path]) -> tuple[float, float]:
    """Wall and processor seconds of a loop over `wfdb.rdrecord`."""
    import wfdb

    wfdb.rdrecord(str(paths[0]))
    began, busy = time.perf_counter(), time.process_time()
    for path in paths:
        wfdb.rdrecord(str(path))
    return time.perf_counter() - began, time.process_time() - busy


def public_set(data: Path, workers: int, wfdb_records: int) -> bool:
    """Ingest PTB-XL's number of records; True if that is fast enough and the memory stays flat."""
    with tempfile.TemporaryDirectory() as folder:
        paths = repeated(data / "ptb-xl", Path(folder) / "ptb-xl", PTB_XL_RECORDS)[:wfdb_records]
        half = repeated(data / "ptb-xl", Path(folder) / "half", PTB_XL_RECORDS // 2)
        del half
        loop_wall, loop_busy = plain_loop(paths)
        _, _, half_marks = ingest_whole(Path(folder) / "half", Path(folder) / "half-cohort", workers)
        wall, busy, marks = ingest_whole(Path(folder) / "ptb-xl", Path(folder) / "cohort", workers)
        cohort = Cohort.open(Path(folder) / "cohort")
        taken, refused = len(cohort), cohort.info.n_refused
    scale = PTB_XL_RECORDS / len(paths)
    print(f"PTB-XL, {PTB_XL_RECORDS:,} records at 100 Hz, {workers} workers: {taken:,} taken, {refused:,} refused")
    print(
        f"  heartprint ingest      {wall:7.1f} s wall  {busy:7.1f} s of processor   (bar: {INGESTION_BAR_S:g} s wall)"
    )
    print(
        f"  loop of wfdb.rdrecord  {loop_wall * scale:7.1f} s wall  {loop_busy * scale:7.1f} s of processor   "
        f"({len(paths):,} records in {loop_wall:.1f} s, scaled)"
    )
    print(f"  ratio                  {loop_wall * scale / wall:7.1f}         {loop_busy * scale / busy:7.1f}")
    peak, half_peak = max(marks), max(half_marks)
    print(f"  memory, all processes, at most {peak:.0f} MB; for half of the records {half_peak:.0f} MB")
    # What grows is the table that is being made: a kilobyte a row at most.
    flat = peak - half_peak < 1e-3 * PTB_XL_RECORDS / 2 + 30
    return wall <= INGESTION_BAR_S and flat


def million_rows() -> bool:
    """Open, filter and split a table of a million rows; True if that is fast enough."""
    with tempfile.TemporaryDirectory() as folder:
        write_archive(Path(folder) / "archive")
        began, busy = time.perf_counter(), time.process_time()
        cohort = Cohort.open(Path(folder) / "archive")
        opened = time.perf_counter()
        some = cohort.filter(since=dt.date(2002, 1, 1), until=dt.date(2018, 12, 31), sites=["A"])
        filtered = time.perf_counter()
        parts = split_by_patient(some, {"train": 0.8, "validation": 0.1, "test": 0.1})
        done, processor = time.perf_counter(), time.process_time() - busy
    print(f"\nTable of {ECGS:,} ECGs ({pl.thread_pool_size()} threads of polars)")
    print(f"  open {opened - began:.2f} s, filter {filtered - opened:.2f} s, split by patient {done - filtered:.2f} s")
    print(f"  together {done - began:.2f} s wall, {processor:.2f} s of processor   (bar: {TABLE_BAR_S:g} s wall)")
    print("  " + ", ".join(f"{name} {len(part):,} ECGs" for name, part in parts.items()))
    return done - began <= TABLE_BAR_S


def main() -> int:
    """Measure both."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--wfdb-records", type=int, default=1423)
    chosen = options.parse_args()
    met = [million_rows()]
    if (chosen.data / "ptb-xl").is_dir():
        print()
        met.append(public_set(chosen.data, chosen.workers, chosen.wfdb_records))
    else:
        print(f"No PTB-XL at {chosen.data}: the ingestion was not measured.")
    print("\n" + ("All bars are met." if all(met) else "A bar was missed."))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
