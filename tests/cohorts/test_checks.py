from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.cohorts.checks import Limits, examine
from heartprint.cohorts.cohort import MISSING
from heartprint.foundation.errors import HeartprintError
from heartprint.signals.leads import LEADS_8, LEADS_12
from tests.cohorts.ecgs import eight_leads, twelve


def refusal(signal: np.ndarray, names: tuple[str, ...] = LEADS_12, rate: float = 100.0, **options) -> HeartprintError:
    with pytest.raises(HeartprintError) as caught:
        examine(signal, names, rate, **options)
    assert caught.value.message.endswith(".")
    return caught.value


def test_stores_eight_leads_in_microvolts() -> None:
    signal = twelve()
    got = examine(signal, LEADS_12, 100.0)
    keep = [LEADS_12.index(name) for name in LEADS_8]
    assert got.samples.dtype == np.int16
    np.testing.assert_array_equal(got.samples, np.rint(signal[keep].astype(np.float64) * 1000))
    assert (got.unit, got.uv_per_bit, got.n_missing, got.n_clipped) == ("uV", 1.0, 0, 0)


def test_does_not_change_its_input() -> None:
    signal = twelve().astype(np.float64)
    signal[3, 5] = np.inf
    before = signal.copy()
    examine(signal, LEADS_12, 100.0)
    np.testing.assert_array_equal(signal, before)


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(13)), st.randoms())
def test_any_order_any_case_extra_leads(order: list[int], random) -> None:
    # VX stands for a lead that a machine adds (Frank) and nobody needs.
    names = [*LEADS_12, "vx"]
    signal = np.vstack([twelve(), np.full((1, 1000), 50.0, dtype=np.float32)])
    shuffled = tuple(random.choice([str.upper, str.lower, str.title, lambda s: f" {s} "])(names[i]) for i in order)
    got = examine(signal[order], shuffled, 100.0)
    np.testing.assert_array_equal(got.samples, examine(twelve(), LEADS_12, 100.0).samples)


def test_eight_leads_are_enough() -> None:
    got = examine(eight_leads(), LEADS_8, 100.0)
    np.testing.assert_array_equal(got.samples, examine(twelve(), LEADS_12, 100.0).samples)


@pytest.mark.parametrize(("one", "two"), list(itertools.combinations(range(6), 2)))
def test_swapped_limb_leads_are_refused(one: int, two: int) -> None:
    signal = twelve(seed=3)
    signal[[one, two]] = signal[[two, one]]
    assert refusal(signal).code == "wrong-lead-order"


def test_limb_and_chest_swapped_is_refused() -> None:
    signal = twelve()
    assert refusal(np.roll(signal, 6, axis=0)).code == "wrong-lead-order"


def test_einthoven_limit_is_the_larger_of_both() -> None:
    signal = twelve().astype(np.float64)
    rms = np.sqrt((signal[2] ** 2).mean())
    allowed = max(0.020, 0.05 * rms)
    wave = np.sin(np.arange(1000))
    wave /= np.sqrt((wave**2).mean())
    for factor, passes in ((0.95, True), (1.1, False)):
        off = signal.copy()
        off[2] += factor * allowed * wave
        if passes:
            examine(off, LEADS_12, 100.0)
        else:
            error = refusal(off)
            assert error.code == "wrong-lead-order"
            assert "III" in error.message


def test_rounding_of_machines_passes() -> None:
    # A machine with 5 uV steps rounds each of the twelve leads by itself.
    examine(np.rint(twelve() * 200) / 200, LEADS_12, 100.0)


@pytest.mark.parametrize(
    ("factor", "word"), [(1000, "uV"), (0.001, "mV"), (1e6, "nV"), (40, "raw machine steps"), (0.05, "raw machine")]
)
def test_wrong_unit_names_the_likely_one(factor: float, word: str) -> None:
    error = refusal(twelve() * factor)
    assert error.code == "implausible-amplitude"
    assert word in error.message


@pytest.mark.parametrize("factor", [0.12, 1.0, 5.0])
def test_small_and_large_hearts_pass(factor: float) -> None:
    examine(twelve() * factor, LEADS_12, 100.0)


def test_baseline_wander_is_no_amplitude() -> None:
    wander = 3.0 * np.sin(2 * np.pi * 0.1 * np.arange(1000) / 100)
    eight = eight_leads() + wander.astype(np.float32)
    examine(eight, LEADS_8, 100.0)


@pytest.mark.parametrize("lead", LEADS_12)
def test_flat_lead_is_named(lead: str) -> None:
    signal = twelve()
    signal[LEADS_12.index(lead)] = 0.3
    error = refusal(signal)
    assert error.code == "flat-lead"
    assert lead in error.message


def test_lead_flat_most_of_the_time() -> None:
    signal = twelve()
    signal[8, 350:] = 0.0
    assert refusal(signal).code == "flat-lead"
    signal = twelve()
    signal[8, :350] = 0.0
    examine(signal, LEADS_12, 100.0)


def test_all_flat() -> None:
    assert refusal(np.zeros((12, 1000))).code == "flat-lead"


@pytest.mark.parametrize("lead", LEADS_8)
def test_missing_lead_is_named(lead: str) -> None:
    keep = [i for i, name in enumerate(LEADS_12) if name != lead]
    error = refusal(twelve()[keep], tuple(LEADS_12[i] for i in keep))
    assert error.code == "missing-lead"
    assert f"Lead {lead} " in error.message


def test_lead_without_a_sample_is_missing() -> None:
    signal = twelve()
    signal[3] = np.nan
    error = refusal(signal)
    assert error.code == "missing-lead"
    assert "aVR" in error.message


def test_lead_named_twice() -> None:
    assert refusal(twelve(), (*LEADS_12[:-1], "v5")).code == "duplicate-lead"


def test_names_do_not_fit() -> None:
    assert refusal(twelve(), LEADS_8).code == "header-mismatch"
    assert refusal(twelve()[0], LEADS_8).code == "header-mismatch"


@pytest.mark.parametrize(("seconds", "passes"), [(9.5, True), (9.49, False), (0.0, False), (1.0, False), (60, True)])
def test_duration(seconds: float, passes: bool) -> None:
    signal = twelve(seconds)
    if passes:
        assert examine(signal, LEADS_12, 100.0).samples.shape == (8, round(seconds * 100))
    else:
        assert refusal(signal).code == "too-short"


def test_duration_limit_can_be_set() -> None:
    examine(twelve(5.0), LEADS_12, 100.0, limits=Limits(min_seconds=5))


@pytest.mark.parametrize("rate", [0, -100, float("nan"), float("inf"), 10])
def test_bad_sampling_rate(rate: float) -> None:
    assert refusal(twelve(), rate=rate).code == "bad-sampling-rate"


def test_missing_spans_are_kept_up_to_the_limit() -> None:
    signal = twelve()
    signal[:, 100:250] = np.nan
    signal[11, 300] = np.inf
    got = examine(signal, LEADS_12, 100.0)
    assert got.n_missing == 8 * 150 + 1
    assert (got.samples == MISSING).sum() == got.n_missing
    assert (got.samples[:, 100:250] == MISSING).all()
    signal[11, 400:460] = np.nan
    error = refusal(signal)
    assert error.code == "too-many-missing"
    assert "V6" in error.message
    examine(signal, LEADS_12, 100.0, limits=Limits(max_missing=0.5))


def test_missing_window_at_the_start() -> None:
    signal = twelve()
    signal[:, :200] = np.nan  # the whole first window
    assert examine(signal, LEADS_12, 100.0).n_missing == 1600


def test_clipped_is_counted_and_never_wraps() -> None:
    signal = eight_leads()
    signal[2, 10], signal[3, 20] = 40.0, -1e9
    got = examine(signal, LEADS_8, 100.0)
    assert got.n_clipped == 2
    assert (got.samples[2, 10], got.samples[3, 20]) == (32767, -32767)
    assert not (got.samples == MISSING).any()


def test_finer_steps() -> None:
    got = examine(eight_leads(), LEADS_8, 100.0, uv_per_bit=0.25)
    np.testing.assert_allclose(got.samples * 0.25e-3, eight_leads(), atol=0.126e-3)


def test_standardised_leads_keep_twelve() -> None:
    signal = twelve()
    z = (signal - signal.mean(axis=1, keepdims=True)) / signal.std(axis=1, keepdims=True)
    got = examine(z[::-1], LEADS_12[::-1], 100.0, standardised=True)
    assert (got.samples.shape, got.unit) == ((12, 1000), "z")
    np.testing.assert_allclose(got.samples / 1000, z, atol=0.00051)
    assert refusal(z[:8], LEADS_12[:8], standardised=True).code == "missing-lead"
    z[4] = 0
    assert refusal(z, standardised=True).code == "flat-lead"


def test_derived_lead_missing_where_the_others_are_there() -> None:
    # III has samples only where I has none: nothing can be compared, and III is not stored.
    signal = twelve()
    signal[0, :150] = np.nan
    signal[2, 150:] = np.nan
    got = examine(signal, LEADS_12, 100.0)
    assert got.n_missing == 150
    signal[4] *= -1
    assert "aVL" in refusal(signal).message
