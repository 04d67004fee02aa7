"""Measuring every ECG of a cohort (see `heartprint.signals.measurements`)."""

from __future__ import annotations

import contextlib

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.parallel import tied_workers
from heartprint.foundation.progress import Progress
from heartprint.signals.leads import LEADS_8
from heartprint.signals.measurements import BEAT_SAMPLES, FEATURE_NAMES, measure


def measure_cohort(cohort: Cohort, n_jobs: int = 1, *, progress: bool = False) -> npt.NDArray[np.float32]:
    """Measure every ECG of a cohort.

    Args:
        cohort: ECGs; of those whose unit is ``z`` amplitudes and axis mean nothing and are NaN.
        n_jobs: Processes; 1 = this one.
        progress: Show a progress bar.

    Returns:
        ``(n, k)`` float32, columns `FEATURE_NAMES`, NaN = not measurable.
    """
    return measure_cohort_with_beats(cohort, n_jobs, progress=progress)[0]


def measure_cohort_with_beats(
    cohort: Cohort, n_jobs: int = 1, *, progress: bool = False
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Measure every ECG of a cohort and keep its median beat; see `measure_cohort`.

    Returns:
        ``(n, k)`` features and ``(n, 8, BEAT_SAMPLES)`` beats in mV, float32, NaN = not measurable.
    """
    n = len(cohort)
    # Small parts, so that the bar moves and no process waits long for the last one.
    parts = np.array_split(np.arange(n), max(1, min(n, max(8 * n_jobs, n // 200))))
    if n_jobs == 1:
        done = (_features_and_beats(cohort, part) for part in parts)
    else:
        from joblib import Parallel, delayed

        done = Parallel(n_jobs=n_jobs, return_as="generator", **tied_workers())(
            delayed(_features_and_beats)(cohort, part) for part in parts
        )
    tables, beats = [], []
    with Progress("Measuring", n) if progress else contextlib.nullcontext() as shown:
        for table, beat in done:
            tables.append(table)
            beats.append(beat)
            if shown is not None:
                shown.advance(len(table))
    return np.concatenate(tables), np.concatenate(beats)


_UNITLESS = FEATURE_NAMES.index("axis_cos")


def _features_and_beats(
    cohort: Cohort, rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    table = np.empty((len(rows), len(FEATURE_NAMES)), dtype=np.float32)
    beats = np.empty((len(rows), len(LEADS_8), BEAT_SAMPLES), dtype=np.float32)
    for place, row in enumerate(rows.tolist()):
        measured = measure(cohort.signal(row), cohort.sampling_rate(row))
        table[place], beats[place] = measured.features(), measured.beat
        if cohort.records["unit"][row] == "z":
            table[place, _UNITLESS:] = beats[place] = np.nan
    return table, beats
