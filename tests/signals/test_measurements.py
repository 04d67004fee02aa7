"""Measurements on drawn beats of known shape, on real ECGs, and on whatever comes."""

from __future__ import annotations

import ast
import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.cohorts.measure import measure_cohort
from heartprint.cohorts.writer import write_cohort
from heartprint.metrics import auroc
from heartprint.signals.leads import LEADS_12, twelve_leads
from heartprint.signals.measurements import FEATURE_NAMES, Measurements, measure
from tests.signals.hearts import DIRECTIONS, ecg

TIMES = np.arange(0.6, 9.4, 0.8)


def numbers(m: Measurements) -> dict[str, float]:
    return {k: v for k, v in m.__dict__.items() if np.isscalar(v)}


@pytest.mark.parametrize("rate", [100, 250, 500])
@pytest.mark.parametrize(("pr", "qrs", "qt"), [(0.14, 0.08, 0.36), (0.165, 0.1, 0.385), (0.21, 0.14, 0.44)])
def test_intervals_are_those_that_were_drawn(rate: int, pr: float, qrs: float, qt: float) -> None:
    m = measure(ecg(TIMES, rate, pr=pr, qrs=qrs, qt=qt), rate)
    assert m.n_beats == len(TIMES)
    assert m.rate_bpm == pytest.approx(75, abs=0.2)
    assert m.rr_irregularity < 0.005
    assert m.qrs_ms == pytest.approx(1000 * qrs, abs=16)
    assert m.pr_ms == pytest.approx(1000 * pr, abs=24)
    # The tangent meets the base line before a wave that fades out gently has quite ended.
    assert 1000 * qt - 40 <= m.qt_ms <= 1000 * qt + 12
    assert m.qtc_ms == pytest.approx(m.qt_ms / 0.8 ** (1 / 3), rel=1e-3)
    assert m.p_consistency > 0.9


def test_longer_intervals_measure_longer() -> None:
    for name, values, attribute in (
        ("qrs", (0.07, 0.09, 0.12, 0.16), "qrs_ms"),
        ("pr", (0.12, 0.15, 0.18, 0.22), "pr_ms"),
        ("qt", (0.34, 0.38, 0.42, 0.46), "qt_ms"),
    ):
        measured = [getattr(measure(ecg(TIMES, 100, **{name: v}), 100), attribute) for v in values]
        gained = np.diff(measured) - 1000 * np.diff(values)
        assert np.abs(gained).max() <= 16, (name, measured)


def test_amplitudes_and_axis_are_those_that_were_drawn() -> None:
    leads = ecg(TIMES, 500)
    m = measure(leads, 500)
    at = round(TIMES[3] * 500)
    beat = twelve_leads(leads.astype(np.float32))[:, at - 23 : at + 23]
    np.testing.assert_allclose(m.r_mv, beat.max(axis=1), atol=0.06)
    t_direction = twelve_leads(DIRECTIONS["t"][:, None].astype(np.float32))[:, 0]
    np.testing.assert_allclose(m.t_mv, 0.3 * t_direction, atol=0.06)
    foot = beat[LEADS_12.index("aVF")].sum()
    assert m.axis_deg == pytest.approx(np.rad2deg(np.arctan2(2 / np.sqrt(3) * foot, beat[0].sum())), abs=3)


@pytest.mark.parametrize("angle", [-150, -60, 0, 45, 88, 170])
def test_axis_in_every_quadrant(angle: float) -> None:
    leads = ecg(TIMES, 250)
    plain = ecg(TIMES, 250, p_mv=0, t_mv=0)[5]
    leads[0] = plain * np.cos(np.deg2rad(angle))
    leads[1] = plain * np.cos(np.deg2rad(angle - 60))  # lead II looks from 60 degrees
    difference = (measure(leads, 250).axis_deg - angle + 180) % 360 - 180
    assert abs(difference) < 2


def test_irregular_rhythm_without_p_waves() -> None:
    rng = np.random.default_rng(0)
    rr = rng.uniform(0.45, 1.1, 20)
    times = 0.5 + np.cumsum(rr)
    times = times[times < 9.5]
    m = measure(ecg(times, 100, p_mv=0) + 0.01 * rng.normal(size=(8, 1000)), 100)
    rr = np.diff(times)
    assert m.rr_irregularity == pytest.approx(np.median(np.abs(np.diff(rr))) / rr.mean(), abs=0.01)
    assert m.rr_variation == pytest.approx(rr.std(ddof=1) / rr.mean(), abs=0.01)
    assert m.p_consistency < 0.25
    assert np.isnan(m.pr_ms)


def test_extrasystoles_do_not_make_a_regular_rhythm_irregular() -> None:
    kinds = np.zeros(len(TIMES), dtype=bool)
    kinds[[3, 7]] = True
    times = TIMES - 0.25 * kinds
    m = measure(ecg(times, 100, ventricular=kinds), 100)
    assert m.n_beats == len(TIMES)
    assert m.rr_irregularity < 0.01
    regular = measure(ecg(TIMES, 100), 100)
    assert m.qrs_ms == pytest.approx(regular.qrs_ms, abs=8)


def test_an_interval_over_a_gap_is_no_interval() -> None:
    leads = ecg(TIMES, 100)
    leads[:, 400:580] = np.nan
    m = measure(leads, 100)
    assert m.n_beats < len(TIMES)
    assert m.rate_bpm == pytest.approx(75, abs=2)
    assert m.rr_irregularity < 0.02


def test_twelve_leads_measure_like_eight() -> None:
    leads = (ecg(TIMES, 100) + 0.01 * np.random.default_rng(0).normal(size=(8, 1000))).astype(np.float32)
    eight, twelve = measure(leads, 100).features(), measure(twelve_leads(leads), 100).features()
    np.testing.assert_array_equal(eight, twelve)
    assert eight.shape == (len(FEATURE_NAMES),) and eight.dtype == np.float32
    assert np.isfinite(eight).all()


def test_a_missing_lead_costs_only_what_needs_it() -> None:
    leads = ecg(TIMES, 100)
    whole = measure(leads, 100)
    broken = leads.copy()
    broken[1] = np.nan  # lead II, and with it III, aVR, aVL and aVF
    m = measure(broken, 100)
    missing = [name in ("II", "III", "aVR", "aVL", "aVF") for name in LEADS_12]
    assert np.isnan(m.r_mv).tolist() == missing and np.isnan(m.t_mv).tolist() == missing
    assert np.isnan(m.axis_deg)
    assert m.qrs_ms == pytest.approx(whole.qrs_ms, abs=8)
    assert m.rate_bpm == pytest.approx(whole.rate_bpm, abs=0.5)


def test_size_and_sign_of_the_signal_do_not_change_times() -> None:
    leads = ecg(TIMES, 250)
    first = measure(leads, 250)
    other = measure(-2.0 * leads, 250)
    for name in ("rate_bpm", "qrs_ms", "qt_ms", "pr_ms"):
        assert getattr(other, name) == pytest.approx(getattr(first, name), abs=1e-6)
    np.testing.assert_allclose(other.t_mv, -2 * first.t_mv, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([8, 12]),
    st.integers(0, 1500),
    st.sampled_from([25.0, 100.0, 257.0, 500.0]),
    st.sampled_from(["noise", "flat", "nan", "inf", "huge", "spikes", "steps", "square"]),
    st.floats(0, 1),
    st.integers(0, 2**31),
)
def test_whatever_comes_is_measured_or_nan(
    n_leads: int, n: int, rate: float, kind: str, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    leads = rng.normal(size=(n_leads, n))
    affected = rng.random((n_leads, n)) < share
    if kind == "flat":
        leads[affected.any(axis=1)] = 1.0
    elif kind in ("nan", "inf", "huge"):
        leads[affected] = {"nan": np.nan, "inf": np.inf, "huge": 1e30}[kind]
    elif kind == "spikes":
        leads = 10.0 * (rng.random((n_leads, n)) < 0.02)
    elif kind == "steps":
        leads = np.cumsum(rng.random((n_leads, n)) < 0.01, axis=1).astype(float)
    elif kind == "square":
        leads = np.sign(np.sin(np.arange(n) * share)) * np.ones((n_leads, 1))
    m = measure(leads, rate)
    assert not np.isinf(m.features()).any()
    for name, low, high in (("rate_bpm", 0, 300), ("qrs_ms", 0, 300), ("qt_ms", 0, 900), ("pr_ms", 0, 400)):
        value = getattr(m, name)
        assert np.isnan(value) or low <= value <= high, (name, value)


@pytest.mark.parametrize("shape", [(0, 1000), (3, 1000), (8, 0), (8,), (8, 1000, 2)])
def test_other_shapes_are_not_measured(shape: tuple[int, ...]) -> None:
    assert np.isnan(list(numbers(measure(np.ones(shape), 100)).values())[1:]).all()


def test_a_cohort_is_measured_in_its_order(tmp_path: Path) -> None:
    rates = [60, 75, 100, 120, 60]
    with write_cohort(tmp_path / "c", source="drawn") as writer:
        for i, bpm in enumerate(rates):
            leads = ecg(np.arange(0.5, 9.5, 60 / bpm), 250)
            unit = "z" if i == 4 else "uV"
            writer.add(
                np.rint(1000 * leads).astype(np.int16),
                ecg_id=f"e{i}",
                patient_id=f"p{i}",
                sampling_rate=250,
                unit=unit,
            )
    from heartprint.cohorts.cohort import Cohort

    cohort = Cohort.open(tmp_path / "c")
    table = measure_cohort(cohort)
    assert table.shape == (5, len(FEATURE_NAMES)) and table.dtype == np.float32
    np.testing.assert_allclose(table[:, FEATURE_NAMES.index("rate_bpm")], rates, rtol=0.005)
    amplitude = [i for i, name in enumerate(FEATURE_NAMES) if name.startswith(("axis", "r_mv", "t_mv"))]
    assert np.isfinite(table[:4]).all()
    assert np.isnan(table[4, amplitude]).all()  # leads normalised one by one have no millivolts
    assert np.isfinite(np.delete(table[4], amplitude)).all()
    np.testing.assert_array_equal(measure_cohort(cohort, n_jobs=2), table)
    np.testing.assert_array_equal(measure_cohort(cohort.take([2, 0])), table[[2, 0]])
    assert measure_cohort(cohort.take([])).shape == (0, len(FEATURE_NAMES))


def read_ptb_xl(folder: Path, part: slice, rate: int = 100) -> tuple[list[dict[str, str]], list[np.ndarray]]:
    import wfdb

    with (folder / "ptbxl_database.csv").open() as handle:
        rows = list(csv.DictReader(handle))[part]
    names = [r["filename_lr" if rate == 100 else "filename_hr"].removesuffix(".dat") for r in rows]
    return rows, [wfdb.rdrecord(str(folder / name)).p_signal.T for name in names]


def test_normal_real_ecgs_measure_normal(shared_data: Path) -> None:
    rows, signals = read_ptb_xl(shared_data / "ptb-xl", slice(0, 250))
    normal = [measure(s, 100) for r, s in zip(rows, signals, strict=True) if "'NORM'" in r["scp_codes"]]
    assert len(normal) > 80
    median = {name: np.nanmedian([getattr(m, name) for m in normal]) for name in ("qrs_ms", "pr_ms", "qt_ms", "qtc_ms")}
    assert 80 <= median["qrs_ms"] <= 110
    assert 140 <= median["pr_ms"] <= 180
    assert 360 <= median["qt_ms"] <= 420
    assert 375 <= median["qtc_ms"] <= 425
    assert np.mean([np.isnan(m.pr_ms) for m in normal]) < 0.1
    assert not any(np.isnan(m.qt_ms) or np.isnan(m.qrs_ms) for m in normal)


def test_real_ecgs_measure_alike_at_both_rates(shared_data: Path) -> None:
    folder = shared_data / "ptb-xl"
    low, high = ([measure(s, rate) for s in read_ptb_xl(folder, slice(0, 40), rate)[1]] for rate in (100, 500))
    for name, within in (("rate_bpm", 0.2), ("qrs_ms", 12), ("pr_ms", 12), ("qt_ms", 12), ("axis_deg", 4)):
        differences = np.array([getattr(a, name) - getattr(b, name) for a, b in zip(low, high, strict=True)])
        assert np.nanquantile(np.abs(differences), 0.8) <= within, name


@pytest.mark.slow
def test_irregularity_alone_tells_af_in_real_ecgs(shared_data: Path) -> None:
    rows, signals = read_ptb_xl(shared_data / "ptb-xl", slice(None))
    af = np.array([bool({"AFIB", "AFLT"} & set(ast.literal_eval(r["scp_codes"]))) for r in rows])
    measured = [measure(s, 100) for s in signals]
    assert auroc(af, [m.rr_irregularity for m in measured]) >= 0.90
    assert auroc(af, [-np.nan_to_num(m.p_consistency, nan=0.5) for m in measured]) >= 0.93
