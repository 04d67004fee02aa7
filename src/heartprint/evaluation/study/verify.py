"""Is the folder of a study sound, with the cohorts and runs that are inside?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from heartprint.cohorts.cohort import COHORT_FILE
from heartprint.cohorts.verify import verify_cohort
from heartprint.evaluation.study.cells import RESULT_COLUMNS, TEST_SET_COLUMNS
from heartprint.evaluation.study.config import StudyConfig
from heartprint.evaluation.study.run import CONFIG_FILE, RESULTS_FILE, TEST_SETS_FILE
from heartprint.foundation.bounded import MAX_TEXT_BYTES, BadFile, plain_size, read_npz
from heartprint.foundation.checks import Check
from heartprint.foundation.config import load_config
from heartprint.foundation.errors import HeartprintError
from heartprint.pretraining.run_folder import CONFIG_FILE as RUN_FILE
from heartprint.pretraining.verify import verify_run

_MAX_BYTES = 2**36


def verify_study(folder: str | Path, *, progress: bool = True) -> Iterator[Check]:
    """Check a study's folder: settings, tables, kept embeddings, and the runs and simulated cohorts inside.

    Args:
        folder: The study.
        progress: Whether to show progress.

    Yields:
        One check after the other.
    """
    folder = Path(folder)
    try:
        plain_size(folder / CONFIG_FILE, MAX_TEXT_BYTES)
        config = load_config(folder / CONFIG_FILE, [], StudyConfig)
        yield Check("settings", True, f"{len(config.encoders)} encoders, {len(config.cohorts)} cohorts")
    except (BadFile, FileNotFoundError) as error:
        yield Check.failed("settings", _damaged(folder / CONFIG_FILE, error))
    except HeartprintError as error:
        yield Check.failed("settings", error)
    for name, columns in ((RESULTS_FILE, RESULT_COLUMNS), (TEST_SETS_FILE, TEST_SET_COLUMNS)):
        if (folder / name).exists():
            yield _table(folder / name, columns, name)
    work = folder / "work"
    for path in sorted(work.glob("cells/*/*.parquet")):
        yield _table(path, RESULT_COLUMNS, str(path.relative_to(folder)))
    for path in sorted(work.glob("embeddings/*.npz")):
        yield _embedding(path, str(path.relative_to(folder)))
    for run in sorted(path.parent for path in work.glob(f"pretraining/*/{RUN_FILE}")):
        for check in verify_run(run):
            yield check._replace(name=f"{run.relative_to(folder)} {check.name}")
    for cohort in sorted(path.parent for path in work.glob(f"cohorts/*/{COHORT_FILE}")):
        for check in verify_cohort(cohort, progress=progress):
            yield check._replace(name=f"{cohort.relative_to(folder)} {check.name}")


def _table(path: Path, columns: dict[str, pl.DataType], name: str) -> Check:
    try:
        plain_size(path, _MAX_BYTES)
        table = pl.read_parquet(path, glob=False)
    except (BadFile, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        return Check.failed(name, _damaged(path, error))
    if table.schema != pl.Schema(columns):
        return Check.failed(name, _damaged(path, "it has other columns"))
    return Check(name, True, f"{table.height:,} rows")


def _embedding(path: Path, name: str) -> Check:
    try:
        (values,) = read_npz(path, "values", limit=_MAX_BYTES)
    except (BadFile, OSError) as error:
        return Check.failed(name, _damaged(path, error))
    if values.dtype != "float32" or values.ndim != 2:
        return Check.failed(name, _damaged(path, f"it holds {values.dtype} {values.shape}"))
    return Check(name, True, f"{values.shape[0]:,} ECGs, {values.shape[1]:,} numbers each")


def _damaged(path: Path, what: object) -> HeartprintError:
    return HeartprintError(
        "study-damaged",
        f"{path} cannot be read ({what}). Delete it, and run the study again: it makes what is missing.",
    )
