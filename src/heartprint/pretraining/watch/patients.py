"""Which patients are watched: by their ids alone, so that every run on a cohort watches the same ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort
from heartprint.cohorts.splits import prove_disjoint
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import stable_hash
from heartprint.pretraining.config import WatchConfig

ECGS_PER_PATIENT = 4
"""Most ECGs of a patient that are looked at: one who was monitored for weeks must not rule the numbers."""


def hold_out(cohort: Cohort, watch: WatchConfig) -> tuple[Cohort, Cohort]:
    """Part a cohort into those who are learned from and those who are watched.

    A patient's place depends on the id alone, and on no seed: runs with other seeds watch the same patients. Beyond
    ``max_patients`` those with two or more ECGs stay first, because only they can be recognised.

    Args:
        cohort: ECGs of the period that is learned from.
        watch: ``share`` and ``max_patients``.

    Returns:
        ECGs to learn from, and the watched ones: at most `ECGS_PER_PATIENT` of each watched patient. The first is the
        cohort itself if ``share`` is 0.

    Raises:
        HeartprintError: ``no-ecgs`` if nobody is left on one of the two sides.
    """
    if not watch.share:
        return cohort, cohort.take([])
    codes = cohort.patient_codes
    ids = np.unique(cohort.patient_ids)  # in the order of the codes
    place = np.array([_uniform("patient", i) for i in ids.tolist()])
    counts = np.bincount(codes)
    drawn = np.flatnonzero(place < watch.share)
    order = drawn[np.lexsort((place[drawn], counts[drawn] < 2))]
    chosen = np.zeros(len(ids), dtype=np.bool_)
    chosen[order[: watch.max_patients]] = True
    inside = chosen[codes]
    if inside.all() or not inside.any():
        side = "watches none" if not inside.any() else "watches all"
        raise HeartprintError(
            "no-ecgs",
            f"watch.share={watch.share:g} {side} of the {len(ids):,} patients of '{cohort.info.name}'. Add patients, "
            "change the share, or set it to 0.",
        )
    learned = cohort.take(np.flatnonzero(~inside))
    watched = cohort.take(_few_of_each(cohort, np.flatnonzero(inside)))
    prove_disjoint({"learned from": learned, "watched": watched})
    return learned, watched


def _few_of_each(cohort: Cohort, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """At most `ECGS_PER_PATIENT` rows of each patient, by hash of the ECG; ordered by ids, not by the table."""
    codes, ids = cohort.patient_codes[rows], cohort.ecg_ids[rows]
    place = np.array([_uniform("ecg", i) for i in ids.tolist()])
    order = np.lexsort((place, codes))
    first = np.searchsorted(codes[order], codes[order], side="left")
    return rows[order[np.arange(len(rows)) - first < ECGS_PER_PATIENT]]


def _uniform(what: str, name: str) -> float:
    # Not the hash that studies deal their folds by: the watched patients would all be of one fold.
    return stable_hash(f"watched {what}\x1f{name}") / 2.0**64
