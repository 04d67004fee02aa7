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
from heartprint.readers import Files, Ludb, PtbXl, Table, ingest
from heartprint.readers.pulses import without_pulses
from heartprint.signals.leads import LEADS_8, LEADS_12, twelve_leads
from heartprint.simulation import simulate
from tests.cohorts.ecgs import eight_leads, twelve
from tests.readers.hospital_files import WRITERS

SHARED = Path(__file__).parents[3] / "shared" / "data"


def pulse(rate: int, k: int, *, height: float = 1.0, width: float = 0.2, flat: float = 0.4) -> npt.NDArray[np.float64]:
    """(k, n): flat, up, flat."""
    up = np.concatenate(
        [np.zeros(round(flat * rate)), np.full(round(width * rate), height), np.zeros(round(flat * rate))]
    )
    return np.tile(up, (k, 1))


def measured(k: int) -> list[int]:
    """Rows of I, II and V1-V6."""
    return list(range(8)) if k == 8 else [LEADS_12.index(lead) for lead in LEADS_8]


@given(
    st.sampled_from([100, 250, 500, 1000]), st.sampled_from([8, 12]), st.booleans(), st.booleans(),
    st.floats(0.5, 2.0), st.floats(0.1, 0.4), st.floats(0.1, 1.6), st.floats(0, 0.008), st.integers(0, 10**6),
)  # fmt: skip
@settings(max_examples=120, derandomize=True, deadline=None)
def test_a_pulse_at_either_end_is_cut_off_and_nothing_else(
    rate: int, k: int, first: bool, derived: bool, height: float, width: float, flat: float, noise: float, seed: int
) -> None:
    """Where the leads part at once, to the sample; noise and a quiet diastole may hide a few samples of the ECG."""
    eight = eight_leads(10.0, rate, seed).astype(np.float64)
    eight[:, : rate // 10] += 0.3 * (1 + np.arange(8))[:, None]
    eight[:, -rate // 10 :] += 0.3 * (1 + np.arange(8))[:, None]
    ecg = eight if k == 8 else twelve_leads(eight.astype(np.float32)).astype(np.float64)
    added = pulse(rate, 8, height=height, width=width, flat=flat)
    added = added + noise * np.random.default_rng(seed).uniform(-1, 1, added.shape)
    if k == 12:
        # As machines differ: III to aVF computed from the pulse in I and II, or with the same pulse as all others.
        computed = twelve_leads(added.astype(np.float32)).astype(np.float64)
        if not derived:
            computed[2:6] = added[:1]
        added = computed
    whole = np.concatenate([added, ecg] if first else [ecg, added], axis=1)
    kept, cautions = without_pulses(whole, rate, measured(k))
    assert [c.code for c in cautions] == ["calibration-pulse"] and ("first" if first else "last") in cautions[0].message
    np.testing.assert_array_equal(kept, ecg)


def test_a_quiet_diastole_behind_a_pulse_stays() -> None:
    """The leads of a heart at rest are alike, too: what is cut off ends where the pulse does."""
    rng = np.random.default_rng(0)
    ecg = eight_leads(10.0, 500).astype(np.float64)
    ecg[:, :200] = 0.01 * rng.standard_normal((8, 200))  # 0.4 s within some 0.03 mV
    whole = np.concatenate([pulse(500, 8), ecg], axis=1)
    kept, _ = without_pulses(whole, 500, range(8))
    assert 5000 - kept.shape[1] <= 1
    noisy = whole.copy()
    noisy[:, :500] += 0.002 * rng.standard_normal((8, 500))
    kept, _ = without_pulses(noisy, 500, range(8))
    assert 5000 - kept.shape[1] <= 25


@pytest.mark.parametrize(
    ("what", "added"),
    [
        ("flat", np.zeros((8, 500))),
        ("half the leads", np.concatenate([pulse(500, 4), np.zeros((4, 500))])),
        ("one beat in all leads", np.tile(np.exp(-(((np.arange(500) - 250) / 10.0) ** 2)), (8, 1))),
        ("far too high", pulse(500, 8, height=5.0)),
        ("a spike", pulse(500, 8, width=0.004)),
    ],
)
def test_what_is_no_pulse_stays(what: str, added: npt.NDArray[np.float64]) -> None:
    whole = np.concatenate([added, eight_leads(10.0, 500).astype(np.float64)], axis=1)
    for signal in (whole, whole[:, ::-1]):
        kept, cautions = without_pulses(signal, 500, range(8))
        assert kept.shape == whole.shape and not cautions, what


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_pulse_is_cut_off_in_every_format(name: str, first: bool, tmp_path: Path) -> None:
    write, _ = WRITERS[name]
    ecg = twelve(10.0, 500, 1).astype(np.float64)
    eight = ecg[[0, 1, *range(6, 12)]]
    eight[:, :20] += 0.1 * (1 + np.arange(8))[:, None]
    eight[:, -20:] += 0.1 * (1 + np.arange(8))[:, None]
    ecg = twelve_leads(eight.astype(np.float32)).astype(np.float64)
    whole = [pulse(500, 12), ecg]
    stored = write(tmp_path / "a.ecg", np.concatenate(whole if first else whole[::-1], axis=1), 500)
    (tmp_path / "t.csv").write_text("path,patient_id\na.ecg,1\n")
    cohort = ingest(Table(sampling_rate=500), tmp_path / "t.csv", tmp_path / "c", workers=1)
    told = pl.read_parquet(cohort.path / CAUTIONS_FILE)
    # SierraECG is written with a pulse of its own at the end.
    assert told["code"].to_list() == ["calibration-pulse"] * (2 if name == "philips" and first else 1)
    kept = stored[:, 500:] if first else stored[:, :5000]
    assert cohort.records["n_samples"].to_list() == [5000]
    np.testing.assert_allclose(cohort.signal(0), kept[measured(12)], atol=0.00051)


@pytest.mark.parametrize("hospital", ["internal", "external", "lifelike", "cardiology"])
def test_no_simulated_heart_is_cut(hospital: str, tmp_path: Path) -> None:
    untouched(simulate(tmp_path / "c", 60, hospital=hospital, progress=False))


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "ptb-xl").is_dir(), reason="the real ECGs are not beside the checkout")
def test_no_real_heart_is_cut(tmp_path: Path) -> None:
    untouched(ingest(PtbXl(), SHARED / "ptb-xl", tmp_path / "p"))
    untouched(ingest(Ludb(), SHARED / "ludb", tmp_path / "l"))
    vendor = ingest(Files(), SHARED / "vendor", tmp_path / "v", workers=1)
    told = pl.read_parquet(vendor.path / CAUTIONS_FILE).filter(pl.col("code") == "calibration-pulse")
    assert told["ecg_id"].to_list() == ["philips_sierra_1.04.xml"]  # whose pulse it is
    assert vendor.records["n_samples"].to_list()[vendor.ecg_ids.tolist().index("philips_sierra_1.04.xml")] == 5300


def untouched(cohort: Cohort) -> None:
    assert len(cohort) > 0
    assert "calibration-pulse" not in pl.read_parquet(cohort.path / CAUTIONS_FILE)["code"].to_list()
    for row in range(len(cohort)):
        signal = cohort.signal(row).astype(np.float64)
        assert without_pulses(signal[: len(LEADS_8)], cohort.sampling_rate(row), range(8))[0].shape == signal.shape
