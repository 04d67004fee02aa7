"""How pretraining begins on a very large archive: a million ECGs of 200,000 patients.

    python benchmarks/large_cohort.py

The table is real in form and size, the waveform file is sparse (80 GB of nothing, which take no room).
Measured: from opening the cohort to the first batch, the memory that this takes beyond the imports, and the memory over
1,000 batches.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

import heartprint
from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import COHORT_FILE, FORMAT_VERSION, RECORDS_FILE, WAVEFORMS_FILE, content_hash
from heartprint.cohorts.schema import RECORD_COLUMNS
from heartprint.pretraining import PretrainConfig
from heartprint.pretraining.batches import Schedule, draw_batch, drawn_batches
from heartprint.pretraining.methods import get_method
from heartprint.pretraining.run_folder import describe

ECGS, PATIENTS, LEADS, SAMPLES = 1_000_000, 200_000, 8, 5000


def write_archive(folder: Path) -> None:
    """A cohort folder whose table is whole and whose waveforms are a hole in a file."""
    rng = np.random.default_rng(0)
    patient = rng.integers(0, PATIENTS, ECGS)
    day = rng.integers(0, 365 * 20, ECGS)
    table = pl.DataFrame({"ecg": np.arange(ECGS), "patient": patient, "day": day}).select(
        ecg_id=pl.format("E{}", pl.col("ecg").cast(pl.String).str.zfill(8)),
        patient_id=pl.format("P{}", pl.col("patient").cast(pl.String).str.zfill(7)),
        recorded_at=pl.datetime(2000, 1, 1) + pl.duration(days=pl.col("day")),
        age=pl.lit(60.0),
        sex=pl.lit("female"),
        site=pl.lit("A"),
        device=pl.lit("B"),
        kind=pl.lit("waveform"),
        offset=pl.col("ecg") * (LEADS * SAMPLES),
        n_samples=pl.lit(SAMPLES),
        sampling_rate=pl.lit(500.0),
        uv_per_bit=pl.lit(1.0),
        n_leads=pl.lit(LEADS),
        unit=pl.lit("uV"),
        n_missing=pl.lit(0),
        n_clipped=pl.lit(0),
        waveform_hash=pl.lit(content_hash(bytes(2 * LEADS * SAMPLES)), dtype=pl.UInt64),
    )
    table = table.with_columns(pl.col(name).cast(kind) for name, kind in RECORD_COLUMNS.items())
    folder.mkdir(parents=True)
    table.write_parquet(folder / RECORDS_FILE)
    with (folder / WAVEFORMS_FILE).open("wb") as handle:
        handle.truncate(2 * ECGS * LEADS * SAMPLES)
    about = {
        "name": "archive", "source": "benchmark", "simulated": True, "kind": "waveform", "n_ecgs": ECGS,
        "n_patients": int(table["patient_id"].n_unique()), "n_refused": 0, "n_cautions": 0,
        "content_hash": "0" * 64, "patient_key": "0" * 64, "heartprint_version": heartprint.__version__,
        "format_version": FORMAT_VERSION,
    }  # fmt: skip
    (folder / COHORT_FILE).write_text(json.dumps(about))


def resident_mb() -> float:
    """Memory of this process that is its own (mapped files left out), MB."""
    fields = Path("/proc/self/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGESIZE") / 1e6


def main() -> None:
    """Print the figures."""
    config = PretrainConfig(image_size=128, batch_size=16, workers=0, max_rotation_deg=2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive"
        write_archive(path)
        # What is compiled once and kept, and what the making of the table left behind, are not counted.
        warm = Cohort.open(path).take(np.arange(100_000))
        method = get_method("bcl")(warm, config)
        draw_batch(method, Schedule(method.n_items, config)[0])
        del warm, method
        before = resident_mb()
        began = time.perf_counter()
        cohort = Cohort.open(path)
        opened, table = time.perf_counter() - began, resident_mb() - before
        method = get_method("bcl")(cohort, config)
        schedule = Schedule(method.n_items, config)
        batches = drawn_batches(method, schedule, 0, 1000, 0)
        next(batches)
        first = time.perf_counter() - began
        index = resident_mb() - before - table
        print(f"open the cohort                     {opened:6.2f} s")
        print(f"first batch, opening included       {first:6.2f} s")
        print(f"memory of the table                 {table:6.0f} MB")
        print(f"memory of the index beyond it       {index:6.0f} MB")
        marks = []
        for number, _ in enumerate(batches, start=2):
            if number % 250 == 0:
                marks.append(resident_mb() - before)
        print(f"both after 250, 500, 750, 1,000 steps {', '.join(f'{m:.0f}' for m in marks)} MB")
        began = time.perf_counter()
        describe(cohort.take(method.rows))
        print(f"fingerprint of the records (once)   {time.perf_counter() - began:6.2f} s")


if __name__ == "__main__":
    main()
