"""Millivolts, normalised leads, machine counts, offsets and flat leads: what is stored, and what is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.cohorts.checks import Limits, examine
from heartprint.cohorts.cohort import MISSING
from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.npy import mv_per_unit
from heartprint.signals.leads import LEADS_8, LEADS_12, TWELVE_FROM_EIGHT, twelve_leads
from heartprint.signals.scale import count_step, normalisation
from tests.signals.hearts import lifelike

SETTINGS = settings(derandomize=True, deadline=None, max_examples=12)
CHEST = LEADS_8[2:]


def twelve(seed: int = 0, rate: float = 100) -> np.ndarray:
    return twelve_leads(lifelike(rate=rate, seed=seed).astype(np.float32)).astype(np.float64)


def refusal(signal: np.ndarray, names: tuple[str, ...] = LEADS_12, **options) -> HeartprintError:
    with pytest.raises(HeartprintError) as caught:
        examine(signal, names, 100.0, **options)
    assert caught.value.message.endswith(".")
    return caught.value


WAYS = {
    "z": lambda x: (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True),
    "one SD": lambda x: x / x.std(),
    "z of all": lambda x: (x - x.mean()) / x.std(),
    "root mean square": lambda x: x / np.sqrt((x**2).mean(axis=1, keepdims=True)),
    "0 to 1 per lead": lambda x: (x - x.min(axis=1, keepdims=True)) / np.ptp(x, axis=1, keepdims=True),
    "-1 to 1 per lead": lambda x: 2 * (x - x.min(axis=1, keepdims=True)) / np.ptp(x, axis=1, keepdims=True) - 1,
    "0 to 1": lambda x: (x - x.min()) / np.ptp(x),
    "-1 to 1": lambda x: 2 * (x - x.min()) / np.ptp(x) - 1,
    "largest 1 per lead": lambda x: x / np.abs(x).max(axis=1, keepdims=True),
    "largest 1": lambda x: x / np.abs(x).max(),
}


@SETTINGS
@given(
    st.sampled_from(sorted(WAYS)),
    st.sampled_from([LEADS_8, LEADS_12]),
    st.integers(0, 20),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
)
def test_normalised_leads_never_pass_as_mv(way: str, names: tuple[str, ...], seed: int, kind: type, gap: bool) -> None:
    x = twelve(seed)[[LEADS_12.index(name) for name in names]]
    if gap:
        x = np.hstack([x[:, :600], x[:, 700:], x[:, :100]])
    made = WAYS[way](x).astype(kind)
    if gap:
        made[1, 40:60] = np.nan
    # What is missing was there when the leads were normalised: exact values may have gone with it.
    codes = {"normalised-leads"} | ({"implausible-amplitude", "wrong-lead-order"} if gap else set())
    assert refusal(made, names).code in codes


@SETTINGS
@given(st.integers(0, 200), st.floats(0.5, 3), st.booleans())
def test_millivolts_are_never_called_normalised(seed: int, factor: float, wander: bool) -> None:
    x = factor * twelve(seed)
    if wander:
        x = x + 3 * np.sin(np.arange(1000) / 150)
    assert normalisation(x) is None
    assert normalisation(np.rint(x * 1000) / 1000) is None


@SETTINGS
@given(st.sampled_from([1.0, 1.25, 2.5, 4.88, 5.0]), st.integers(0, 20))
def test_counts_are_told_and_their_step_makes_them_right(uv: float, seed: int) -> None:
    x = twelve(seed)
    made = np.rint(x * 1000 / uv)
    error = refusal(made)
    assert error.code == "implausible-amplitude"
    assert "machine counts" in error.message
    assert "in steps of 1" in error.message
    assert "'4.88uV'" in error.message
    stored = examine(made * mv_per_unit(f"{uv}uV"), LEADS_12, 100.0).samples
    np.testing.assert_allclose(stored / 1000, x[[LEADS_12.index(n) for n in LEADS_8]], atol=0.0031)


def test_counts_read_as_microvolts_are_told() -> None:
    made = np.rint(twelve() * 1000 / 4.88)
    got = examine(made / 1000, LEADS_12, 100.0)
    assert [c.code for c in got.cautions] == ["unusual-amplitude"]
    assert "steps of 1" in got.cautions[0].message
    assert [c.code for c in examine(twelve() * 5, LEADS_12, 100.0).cautions] == ["unusual-amplitude"]


def test_steps_of_counts() -> None:
    assert count_step(np.array([[0.0, 5.0, np.nan, -10.0]])) == 5
    assert count_step(np.array([[7.0, 7.0]])) == 1
    assert count_step(np.array([[0.5, 1.0]])) is None
    assert count_step(np.array([[np.nan]])) is None
    assert count_step(np.array([[1e300]])) is None


@pytest.mark.parametrize(
    ("unit", "mv"),
    [
        ("mV", 1.0),
        ("UV", 1e-3),
        ("4.88uV", 4.88e-3),
        ("2.5 uV", 2.5e-3),
        ("1e-3mV", 1e-3),
        ("305nV", 3.05e-4),
        ("z", 1),
    ],
)
def test_units(unit: str, mv: float) -> None:
    assert mv_per_unit(unit) == pytest.approx(mv)


@pytest.mark.parametrize("unit", ["", "4.88", "uV4.88", "0uV", "-1uV", "4,88uV", "2z", "nanuV", "volts", "1e999uV"])
def test_units_that_are_none(unit: str) -> None:
    with pytest.raises(HeartprintError) as caught:
        mv_per_unit(unit)
    assert caught.value.code == "unknown-unit"
    assert "4.88uV" in caught.value.message


@SETTINGS
@given(
    st.dictionaries(st.sampled_from(LEADS_8), st.sampled_from([-300.0, -40.0, 33.5, 60.0, 2e4]), min_size=1),
    st.booleans(),
    st.booleans(),
)
def test_only_what_would_clip_is_moved(offsets: dict[str, float], standardised: bool, gap: bool) -> None:
    x = twelve()
    if standardised:
        x = x / x.std(axis=1, keepdims=True)
    moved = x.copy()
    for name, offset in offsets.items():
        moved[LEADS_12.index(name)] += offset
    # Derived leads follow the moved ones, as a machine would give them.
    if not standardised:
        moved = TWELVE_FROM_EIGHT @ moved[[LEADS_12.index(n) for n in LEADS_8]]
    if gap:
        x[7, 300:350] = moved[7, 300:350] = np.nan
    stored_names = LEADS_12 if standardised else LEADS_8
    plain = examine(x, LEADS_12, 100.0, standardised=standardised).samples
    got = examine(moved, LEADS_12, 100.0, standardised=standardised)
    assert got.n_clipped == 0
    assert got.n_missing == (50 if gap else 0)
    (caution,) = got.cautions
    assert caution.code == "offset-removed"
    for row, name in enumerate(stored_names):
        there = plain[row] != MISSING
        if name not in offsets:
            np.testing.assert_array_equal(got.samples[row], plain[row])
            continue
        assert f"{name}: " in caution.message
        # The shape is kept, whatever its level, but for a rounding by half a step on either side.
        level = got.samples[row][there].astype(int) - plain[row][there]
        assert np.abs(level - np.median(level)).max() <= 1
        assert abs(np.median(got.samples[row][there])) <= 0.5


@SETTINGS
@given(st.sampled_from(LEADS_8), st.integers(1, 60))
def test_more_than_one_per_cent_clipped_is_refused(name: str, n: int) -> None:
    x = twelve()[[LEADS_12.index(lead) for lead in LEADS_8]]
    x[LEADS_8.index(name), 10 : 10 + n] = 50.0
    if n > 10:
        error = refusal(x, LEADS_8)
        assert error.code == "clipped-lead"
        assert name in error.message
    else:
        got = examine(x, LEADS_8, 100.0)
        assert got.n_clipped == n
        assert [c.code for c in got.cautions] == ["clipped-lead"]


@SETTINGS
@given(st.lists(st.floats(-2, 2), min_size=12, max_size=12))
def test_a_zero_shift_of_each_lead_is_no_wrong_order(shifts: list[float]) -> None:
    x = twelve()
    got = examine(x + np.array(shifts)[:, None], LEADS_12, 100.0)
    assert got.cautions == ()
    x[[3, 4]] = x[[4, 3]]
    assert refusal(x + np.array(shifts)[:, None]).code == "wrong-lead-order"


@SETTINGS
@given(st.sets(st.sampled_from(CHEST), min_size=1, max_size=4), st.sampled_from([0.0, 0.3, 45.0]))
def test_flat_chest_leads_are_refused_or_stored_as_missing(flat: set[str], level: float) -> None:
    x = twelve()
    for name in flat:
        x[LEADS_12.index(name)] = level
    error = refusal(x)
    assert error.code == "flat-lead"
    assert "--flat-leads missing" in error.message
    got = examine(x, LEADS_12, 100.0, limits=Limits(flat_leads="missing"))
    assert [c.code for c in got.cautions] == ["flat-lead"]
    assert got.n_missing == 1000 * len(flat)
    plain = examine(twelve(), LEADS_12, 100.0).samples
    for row, name in enumerate(LEADS_8):
        np.testing.assert_array_equal(got.samples[row], np.full(1000, MISSING) if name in flat else plain[row])


@pytest.mark.parametrize("name", ["I", "II"])
def test_i_and_ii_must_be_there(name: str) -> None:
    x = twelve()
    x[LEADS_12.index(name)] = 0.0
    error = refusal(x, limits=Limits(flat_leads="missing"))
    assert error.code == "flat-lead"
    assert "--flat-leads" not in error.message


def test_five_flat_chest_leads_are_too_many() -> None:
    x = twelve()
    x[6:11] = 0.0
    assert refusal(x, limits=Limits(flat_leads="missing")).code == "flat-lead"


def test_derived_leads_written_as_zeros_are_not_needed() -> None:
    x = twelve()
    x[2:6] = 0.0
    assert refusal(x).code == "flat-lead"
    got = examine(x, LEADS_12, 100.0, limits=Limits(flat_leads="missing"))
    np.testing.assert_array_equal(got.samples, examine(twelve(), LEADS_12, 100.0).samples)
