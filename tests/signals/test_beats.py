"""Filters, medians and the beat detector against scipy, NumPy and drawn beats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import sosfiltfilt

from heartprint.signals.beats import RATE, _peaks, _sections, clean, find_beats, median_beat, smooth, windows
from tests.signals.hearts import ecg


@pytest.mark.parametrize("band", [(0.5, None), (5.0, 25.0)])
@pytest.mark.parametrize("n", [600, 2500])
def test_zero_phase_equals_scipy(band: tuple[float, float | None], n: int) -> None:
    from heartprint.signals.beats import zero_phase

    signal = np.random.default_rng(0).normal(size=(8, n)).cumsum(axis=1)
    sos, state = _sections(*band)
    expected = sosfiltfilt(sos, signal, axis=1, padtype="odd", padlen=250)
    np.testing.assert_allclose(zero_phase(signal, sos, state), expected, atol=1e-10)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(0, 50))
def test_median_beat_equals_numpy(n_beats: int, seed: int) -> None:
    stretches = np.round(np.random.default_rng(seed).normal(size=(n_beats, 2, 11)), 1)
    np.testing.assert_allclose(median_beat(stretches), np.median(stretches, axis=0), atol=1e-12)


def test_windows_hold_the_edge_beyond_the_ends() -> None:
    signal = np.arange(10.0)[None]
    assert windows(signal, np.array([1, 8]), 3, 3)[:, 0].tolist() == [[0, 0, 0, 1, 2, 3], [5, 6, 7, 8, 9, 9]]


def test_smooth_is_a_moving_average() -> None:
    signal = np.random.default_rng(0).normal(size=(2, 30))
    expected = [[row[max(0, i - 2) : i + 3].mean() for i in range(30)] for row in signal]
    np.testing.assert_allclose(smooth(signal, 5), expected, atol=1e-12)


def test_of_two_close_peaks_the_higher_stays() -> None:
    envelope = np.zeros(100)
    envelope[[10, 15, 40, 44, 80]] = [1.0, 2.0, 3.0, 2.0, 0.1]
    assert _peaks(envelope, 0.5, 10).tolist() == [15, 40]


@pytest.mark.parametrize("rate", [100, 250, 500, 257])
@pytest.mark.parametrize("bpm", [35, 60, 100, 180])
def test_beats_are_found_where_they_were_drawn(rate: int, bpm: int) -> None:
    times = np.arange(0.5, 9.5, 60 / bpm)
    found = find_beats(clean(ecg(times, rate), rate))
    assert len(found.positions) == len(times)
    offsets = found.positions / RATE - times
    # A constant offset is the choice of the point in QRS; what varies is the error of an RR interval.
    assert np.ptp(offsets) < 0.003
    assert abs(offsets.mean()) < 0.02
    assert found.likeness.min() > 0.9


def test_noise_and_wander_cost_no_beat() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.5, 1.3, 9))
    leads = ecg(times, 100)
    t = np.arange(leads.shape[1]) / 100
    leads += 0.05 * rng.normal(size=leads.shape) + 0.8 * np.sin(2 * np.pi * 0.2 * t) + 0.05 * np.sin(2 * np.pi * 50 * t)
    inside = times[times < 9.9]
    found = find_beats(clean(leads, 100)).positions / RATE
    assert len(found) == len(inside)
    assert np.abs(found - inside).max() < 0.03


def test_one_bad_lead_does_not_decide() -> None:
    times = np.arange(0.5, 9.5, 0.8)
    leads = ecg(times, 100)
    leads[4] = np.random.default_rng(0).normal(size=leads.shape[1]) * 20
    leads[6, ::37] += 10
    assert len(find_beats(clean(leads, 100)).positions) == len(times)


def test_extrasystoles_look_unlike_the_rest() -> None:
    times = np.arange(0.5, 9.5, 0.8)
    kinds = np.zeros(len(times), dtype=bool)
    kinds[[3, 7]] = True
    found = find_beats(clean(ecg(times, 100, ventricular=kinds), 100))
    assert len(found.positions) == len(times)
    assert np.array_equal(found.likeness < 0.6, kinds)


def test_low_beats_in_long_gaps_are_found() -> None:
    times = np.arange(0.5, 9.5, 0.8)
    heights = np.ones(len(times))
    heights[[4, 8]] = 0.5  # a quarter of the slope energy
    assert len(find_beats(clean(ecg(times, 100, heights=heights), 100)).positions) == len(times)


def test_nothing_to_measure_is_none() -> None:
    good = ecg(np.arange(0.5, 9.5, 0.8), 100)
    assert clean(np.zeros((8, 1000)), 100) is None
    assert clean(np.full((8, 1000), np.nan), 100) is None
    assert clean(good[:, :150], 100) is None
    assert clean(good[:5], 100) is None
    assert clean(good, 0) is None
    assert clean(good, float("nan")) is None
