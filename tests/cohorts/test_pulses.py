"""Calibration pulses are cut off, in every format at once, and no heart is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import CAUTIONS_FILE
from heartprint.cohorts.leads import LEADS_8, twelve_leads
from heartprint.cohorts.readers import Files, Ludb, PtbXl, Table, ingest
from heartprint.cohorts.readers.pulses import without_pulses
from heartprint.cohorts.simulation import simulate

from .ecgs import eight_leads, twelve
from .hospital_files import WRITERS

SHARED = Path(__file__).parents[3] / "shared" / "data"


def pulse(rate: int, k: int, *, height: float = 1.0, width: float = 0.2, flat: float = 0.4) -> npt.NDArray[np.float64]:
    """(k, n): flat, up, flat."""
    up = np.concatenate(
        [np.zeros(round(flat * rate)), np.full(round(width * rate), height), np.zeros(round(flat * rate))]
    )
    return np.tile(up, (k, 1))


@given(
    st.sampled_from([100, 250, 500, 1000]), st.sampled_from([8, 12]), st.booleans(),
    st.floats(0.5, 2.0), st.floats(0.1, 0.4), st.floats(0.1, 0.6), st.floats(0, 0.008),
)  # fmt: skip
@settings(max_examples=80, derandomize=True, deadline=None)
def test_a_pulse_at_either_end_is_cut_off_and_nothing_else(
    rate: int, k: int, first: bool, height: float, width: float, flat: float, noise: float
) -> None:
    ecg = eight_leads(10.0, rate).astype(np.float64) if k == 8 else twelve(10.0, rate).astype(np.float64)
    ecg[:, : rate // 10] += 0.3 * np.arange(k)[:, None]  # the ECG is not flat where it meets the pulse
    ecg[:, -rate // 10 :] += 0.3 * np.arange(k)[:, None]
    added = pulse(rate, k, height=height, width=width, flat=flat)
    added = added + noise * np.random.default_rng(0).uniform(-1, 1, added.shape)
    whole = np.concatenate([added, ecg] if first else [ecg, added], axis=1)
    kept, cautions = without_pulses(whole, rate)
    assert [c.code for c in cautions] == ["calibration-pulse"]
    assert abs(kept.shape[1] - ecg.shape[1]) <= 1
    same = min(kept.shape[1], ecg.shape[1])
    assert np.array_equal(kept[:, -same:] if first else kept[:, :same], ecg[:, -same:] if first else ecg[:, :same])


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_pulse_is_cut_off_in_every_format(name: str, tmp_path: Path) -> None:
    write, _ = WRITERS[name]
    ecg = twelve(10.0, 500).astype(np.float64)
    ecg[:, -50:] += 0.2 * np.arange(12)[:, None] * np.array([1, 1, 0, -1, 0.5, 0.5, 1, 1, 1, 1, 1, 1])[:, None]
    ecg = twelve_leads(ecg[[0, 1, *range(6, 12)]].astype(np.float32)).astype(np.float64)
    write(tmp_path / "a.ecg", np.concatenate([ecg, pulse(500, 12)], axis=1), 500)
    (tmp_path / "t.csv").write_text("path,patient_id\na.ecg,1\n")
    cohort = ingest(Table(sampling_rate=500), tmp_path / "t.csv", tmp_path / "c", workers=1)
    assert abs(int(cohort.records["n_samples"][0]) - 5000) <= 1
    # SierraECG's own end is known to be its pulse; elsewhere it is said.
    told = pl.read_parquet(cohort.path / CAUTIONS_FILE)["code"].to_list()
    assert "calibration-pulse" in told or name == "philips"


@pytest.mark.parametrize("hospital", ["internal", "external", "lifelike", "cardiology"])
def test_no_simulated_heart_is_cut(hospital: str, tmp_path: Path) -> None:
    untouched(simulate(tmp_path / "c", 60, hospital=hospital, progress=False))


@pytest.mark.skipif(not (SHARED / "ptb-xl").is_dir(), reason="the real ECGs are not beside the checkout")
def test_no_real_heart_is_cut(tmp_path: Path) -> None:
    untouched(ingest(PtbXl(), SHARED / "ptb-xl", tmp_path / "p"))
    untouched(ingest(Ludb(), SHARED / "ludb", tmp_path / "l"))
    vendor = ingest(Files(), SHARED / "vendor", tmp_path / "v", workers=1)
    assert "calibration-pulse" not in pl.read_parquet(vendor.path / CAUTIONS_FILE)["code"].to_list()


def untouched(cohort: Cohort) -> None:
    assert len(cohort) > 0 and cohort.info.n_cautions == 0
    for row in range(len(cohort)):
        signal = cohort.signal(row).astype(np.float64)
        assert without_pulses(signal[: len(LEADS_8)], cohort.sampling_rate(row))[0].shape == signal.shape
