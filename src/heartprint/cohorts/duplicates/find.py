"""ECGs that stand twice, in a cohort or in two.

An ECG that stands in two cohorts, or under two patients, leaks from training into testing whatever the patients are
called.
"""

from __future__ import annotations

import polars as pl

from heartprint.cohorts.cohort import Cohort
from heartprint.cohorts.duplicates import pictures, waveforms
from heartprint.cohorts.duplicates.search import same_content
from heartprint.foundation.errors import HeartprintError

ID_COLUMNS: dict[str, pl.DataType] = {
    "ecg_id": pl.String(),
    "patient_id": pl.String(),
    "other_ecg_id": pl.String(),
    "other_patient_id": pl.String(),
    "kind": pl.String(),
}
"""First columns of a table of duplicates: ``kind`` is ``exact`` (the very samples or pixels) or ``near``. Then comes
what was measured: ``coherence`` and ``shift_s`` (by how much later a wave stands in the other ECG) of waveforms,
``correlation`` of images."""


def find_duplicates(
    cohort: Cohort,
    other: Cohort | None = None,
    *,
    min_likeness: float | None = None,
    n_jobs: int = -1,
    progress: bool = False,
) -> pl.DataFrame:
    """Find ECGs that are copies of each other, within a cohort or across two.

    The very same samples or pixels are found by their hash, whatever else there is. Another copy of a waveform may be
    re-sampled, shifted by up to a second, filtered (0.5-40 Hz and the like) and scaled; one of an image re-saved,
    resized or dimmed, but not cropped, turned or photographed again. Of an ECG with more than four copies in a large
    archive the four nearest are named; the others are found from those.

    Args:
        cohort: ECGs, or images of ECGs.
        other: Others of the same kind to compare each of them with; None = those of the same cohort among themselves.
        min_likeness: From what on two are one: coherence over 1-15 Hz (`waveforms.MIN_COHERENCE` if None), or
            correlation of pictures (`pictures.MIN_CORRELATION`).
        n_jobs: Processes; -1 = all cores.
        progress: Whether to show progress.

    Returns:
        A table with `ID_COLUMNS` and those of what was measured, the most alike first.

    Raises:
        HeartprintError: ``too-short`` if an ECG is too short to be compared, ``needs-waveforms`` if one cohort holds
            waveforms and the other images.
    """
    theirs = other or cohort
    if cohort.kind == theirs.kind == "image":
        columns, least, find = pictures.COLUMNS, pictures.MIN_CORRELATION, pictures.find
    elif cohort.kind == theirs.kind:
        columns, least, find = waveforms.COLUMNS, waveforms.MIN_COHERENCE, waveforms.find
    else:
        images = cohort if cohort.kind == "image" else theirs
        raise HeartprintError(
            "needs-waveforms",
            f"'{images.info.name}' holds images and the other cohort waveforms. Copies are sought among one kind.",
        )
    exact = same_content(cohort, other)
    near = find(cohort, other, least if min_likeness is None else min_likeness, n_jobs, progress=progress)
    likeness = (1.0, 0.0)[: len(columns)]
    known = set(exact)
    found = [(*pair, "exact", *likeness) for pair in exact] + [row for row in near if row[:2] not in known]
    rows = [
        (*(c.records[name][row] for c, row in ((cohort, a), (theirs, b)) for name in ("ecg_id", "patient_id")), *rest)
        for a, b, *rest in found
    ]
    table = pl.DataFrame(rows, schema={**ID_COLUMNS, **columns}, orient="row")
    return table.sort(next(iter(columns)), descending=True, maintain_order=True)
