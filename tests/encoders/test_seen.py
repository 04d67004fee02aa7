from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heartprint.cohorts import Cohort, write_cohort
from heartprint.encoders import Seen
from tests.encoders.conftest import write_tiny


def test_overlap_is_by_patient(cohort: Cohort) -> None:
    # One ECG of patient 1 was used; the other ECG of the same patient is seen as well.
    used = cohort.take(np.flatnonzero(cohort.ecg_ids == "ecg-1-0"))
    mask = Seen.of(used).overlap(cohort)
    np.testing.assert_array_equal(mask, cohort.patient_ids == "patient-1")


def test_overlap_follows_the_cohorts_order(cohort: Cohort) -> None:
    shuffled = cohort.take(np.random.default_rng(0).permutation(len(cohort)))
    seen = Seen.of(cohort.filter(patients=["patient-0", "patient-4"]))
    np.testing.assert_array_equal(seen.overlap(shuffled), np.isin(shuffled.patient_ids, ["patient-0", "patient-4"]))


def test_nobody_and_strangers(cohort: Cohort, tmp_path: Path) -> None:
    assert not Seen()
    assert not Seen().overlap(cohort).any()
    stranger = write_tiny(tmp_path / "other", seed=77)
    # Same patient ids in another hospital are other patients.
    assert not Seen.of(stranger).overlap(cohort).any()
    assert Seen.of(stranger).overlap(stranger).all()


def test_a_renamed_copy_is_recognised_by_its_waveforms(cohort: Cohort, tmp_path: Path) -> None:
    with write_cohort(tmp_path / "copy", source="a copy with new names", simulated=True) as writer:
        for row in range(len(cohort)):
            samples = cohort.samples(row)
            if row % 2:  # of each patient one ECG is the same, the other new
                samples = samples[:, ::-1]
            writer.add(samples, ecg_id=f"c{row}", patient_id=f"someone {row // 2}", sampling_rate=250.0)
    copy = Cohort.open(tmp_path / "copy")
    assert Seen.of(cohort).overlap(copy).all()
    only = Seen(patients=Seen.of(cohort).patients)
    assert not only.overlap(copy).any()


def test_union(cohort: Cohort) -> None:
    one = Seen.of(cohort.filter(patients=["patient-0"]))
    two = Seen.of(cohort.filter(patients=["patient-0", "patient-3"]))
    both = one | two
    assert both
    np.testing.assert_array_equal(both.patients, two.patients)
    np.testing.assert_array_equal((one | Seen()).ecgs, one.ecgs)
    assert both.patients.dtype == both.ecgs.dtype == np.uint64


def test_no_patient_id_can_be_read(cohort: Cohort) -> None:
    from heartprint.cohorts.cohort import seen_hashes

    seen = Seen.of(cohort)
    # Whoever holds the list but not the cohort's key cannot test a guess.
    for key in ("00" * 32, cohort.info.content_hash):
        assert not np.isin(seen_hashes(key, cohort.patient_ids.tolist()), seen.patients).any()


@pytest.mark.parametrize("n", [0, 1])
def test_small_cohorts(cohort: Cohort, n: int) -> None:
    part = cohort.take(np.arange(n))
    assert Seen.of(cohort).overlap(part).shape == (n,)
    assert len(Seen.of(part).ecgs) == n
