"""Sampling rate and polarity of made-up hearts that beat, widen and turn as real ones do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.cohorts.checks import Examined, Limits, examine
from heartprint.foundation.errors import HeartprintError
from heartprint.readers.archive import Archive
from heartprint.readers.people import Rules
from heartprint.signals.leads import LEADS_8, LEADS_12, twelve_leads
from heartprint.signals.plausibility import judge, screen, usual_rate
from tests.signals.hearts import lifelike

SETTINGS = settings(derandomize=True, deadline=None, max_examples=15)
# A wrong rate also makes an ECG short; here the length must not decide.
ANY_LENGTH = Limits(min_seconds=1.0)


def told(leads: np.ndarray, rate: float, **options) -> tuple[str | None, list[str]]:
    """The code of a refusal, or the codes of cautions."""
    try:
        got = examine(leads, LEADS_8, rate, limits=Limits(min_seconds=1.0, **options))
    except HeartprintError as error:
        assert error.message.endswith(".")
        return error.code, []
    return None, [caution.code for caution in got.cautions]


adults = st.fixed_dictionaries(
    {"bpm": st.integers(50, 95), "qrs": st.sampled_from([0.08, 0.09, 0.1]), "seed": st.integers(0, 99)}
)


@SETTINGS
@given(adults, st.sampled_from([100, 250, 500, 1000]), st.sampled_from([0.1, 0.2, 0.5, 2.0, 5.0]))
def test_a_wrong_sampling_rate_is_refused_or_told(heart: dict, rate: int, factor: float) -> None:
    leads = lifelike(rate=rate, **heart)
    assert told(leads, float(rate)) == (None, [])
    code, cautions = told(leads, rate * factor)
    if rate * factor < Limits().min_sampling_rate:
        assert code == "bad-sampling-rate"
    else:
        assert code == "implausible-rate" or "implausible-rate" in cautions
        assert "implausible-rate" not in told(leads, rate * factor, trust_rate=True)[1]


def test_the_message_names_the_likely_rate_and_the_way_out() -> None:
    with pytest.raises(HeartprintError) as caught:
        examine(lifelike(rate=500), LEADS_8, 250.0)
    assert caught.value.code == "implausible-rate"
    assert "at 500 Hz, which fits better" in caught.value.message
    assert "--trust-rate" in caught.value.message


@pytest.mark.parametrize(
    "heart",
    [
        {"bpm": 35, "qt": 0.48},
        {"bpm": 30, "qrs": 0.2, "qt": 0.56, "p_mv": 0.0},
        {"bpm": 60, "qrs": 0.18, "qt": 0.48, "p_mv": 0.0},
        {"bpm": 180, "qrs": 0.08, "qt": 0.25, "p_mv": 0.0},
        {"bpm": 180, "qrs": 0.16, "qt": 0.3, "p_mv": 0.0},
        {"bpm": 110, "qt": 0.34, "p_mv": 0.0, "jitter": 0.2},
        {"bpm": 150, "qrs": 0.055, "qt": 0.25, "pr": 0.1},
        {"bpm": 190, "qrs": 0.045, "qt": 0.2, "pr": 0.09},
    ],
    ids=["bradycardia", "escape", "paced", "tachycardia", "ventricular", "af", "infant", "newborn"],
)
def test_sick_and_young_hearts_are_never_refused(heart: dict) -> None:
    for seed in range(5):
        assert told(lifelike(seed=seed, **heart), 500.0)[0] is None


def test_dextrocardia_is_no_refusal() -> None:
    # Mirrored: I is inverted, II becomes III, and the chest leads lose their R wave.
    x = lifelike()
    mirrored = np.vstack([-x[0], x[1] - x[0], x[2], 0.7 * x[2], 0.5 * x[2], 0.4 * x[2], 0.3 * x[2], 0.3 * x[2]])
    code, cautions = told(mirrored, 500.0)
    assert code is None
    assert "inverted-leads" in cautions


@SETTINGS
@given(adults, st.sampled_from([100, 500]), st.booleans())
def test_upside_down_is_refused_in_mv_and_standardised(heart: dict, rate: int, standardised: bool) -> None:
    leads = twelve_leads(lifelike(rate=rate, **heart).astype(np.float32))
    if standardised:
        leads = leads / leads.std(axis=1, keepdims=True)
    examine(leads, LEADS_12, rate, standardised=standardised)
    with pytest.raises(HeartprintError) as caught:
        examine(-leads, LEADS_12, rate, standardised=standardised)
    assert caught.value.code == "inverted-leads"
    assert "aVR" in caught.value.message


def test_what_is_looked_at_does_not_depend_on_the_scale_or_on_gaps() -> None:
    leads = lifelike()
    one, other = screen(leads, 500.0), screen(leads * 7.0 + 2.0, 500.0)
    assert one.rate_bpm == pytest.approx(other.rate_bpm)
    np.testing.assert_allclose(one.skewness, other.skewness, rtol=1e-6)
    leads[:, 1000:1400] = np.nan
    leads[5] = np.nan
    gap = screen(leads, 500.0)
    assert gap.rate_bpm == pytest.approx(one.rate_bpm, rel=0.1)
    assert gap.skewness[5] == 0
    assert judge(leads, 500.0)[0] == ()


@pytest.mark.parametrize("leads", [np.zeros((8, 5000)), np.full((8, 5000), np.nan), np.ones((8, 3))])
def test_nothing_to_see_is_no_doubt(leads: np.ndarray) -> None:
    assert judge(leads, 500.0)[1]["rate_doubt"] == 0


def test_usual_rates() -> None:
    assert [usual_rate(hz) for hz in (499.0, 255.9, 777.0)] == [500.0, 256.0, 777.0]


def archive(*groups: tuple[int, float, dict, float | None]) -> Archive:
    """So many ECGs each at a declared rate, with these facts and this age."""
    out = Archive(Rules())
    for n, rate, facts, age in groups:
        for i in range(n):
            name = f"{rate}-{i}"
            values = {"patient_id": name, "sampling_rate": rate, "age": age, "sex": None, "recorded_at": None}
            out.add(name, values, FINE | facts)
    return out


FINE = {"rate_doubt": 0.0, "likely_hz": 500.0, "upright": 6.0, "height_mv": 1.4}
DOUBTFUL = {"rate_doubt": 6.0, "likely_hz": 500.0}


@pytest.mark.parametrize(
    ("facts", "code", "word"),
    [
        (DOUBTFUL, "implausible-rate", "500 Hz"),
        ({"upright": -6.0}, "inverted-leads", "upside down"),
        ({"height_mv": 0.3}, "implausible-amplitude", "4.88uV"),
        ({"height_mv": 6.0}, "implausible-amplitude", "unit"),
    ],
)
def test_an_archive_is_refused_by_its_median(facts: dict, code: str, word: str) -> None:
    with pytest.raises(HeartprintError) as caught:
        archive((40, 250.0, {}, 60.0), (60, 250.0, facts, 60.0)).judge()
    assert caught.value.code == code
    assert word in caught.value.message
    assert archive((60, 250.0, {}, None), (6, 250.0, facts, None)).judge() == []
    # Four are no archive.
    assert archive((4, 250.0, facts, None)).judge() == []


def test_one_machine_of_an_archive_is_told_by_its_rate() -> None:
    mixed = archive((500, 500.0, {}, None), (20, 250.0, DOUBTFUL, None))
    with pytest.raises(HeartprintError, match="20 of the 20 ECGs at 250 Hz"):
        mixed.judge()
    (caution,) = archive((40, 250.0, {}, None), (10, 250.0, DOUBTFUL, None)).judge()
    assert caution.code == "implausible-rate"


@pytest.mark.parametrize("code", ["implausible-rate", "implausible-amplitude", "normalised-leads", "inverted-leads"])
def test_the_few_that_pass_where_most_are_refused_do_not_go_in(code: str) -> None:
    mostly = archive((9, 250.0, {}, None))
    for _ in range(9):
        mostly.refuse(HeartprintError(code, "Wrong."))
    assert mostly.judge() == []
    mostly.refuse(HeartprintError(code, "Wrong."))
    with pytest.raises(HeartprintError) as caught:
        mostly.judge()
    assert caught.value.code == code
    assert caught.value.message.startswith("10 ECGs were refused, and only 9 not")


def test_an_archive_of_unusual_heights_is_told() -> None:
    (caution,) = archive((10, 500.0, {"height_mv": 0.56}, None)).judge()
    assert caution.code == "unusual-amplitude"
    assert "2.5uV" in caution.message
    assert archive((9, 500.0, {"height_mv": 0.56}, None)).judge() == []


def test_children_do_not_decide_about_an_archive() -> None:
    assert archive((50, 500.0, DOUBTFUL | {"likely_hz": 250.0}, 0.5)).judge() == []


def test_the_examination_gives_the_facts() -> None:
    got = examine(lifelike(), LEADS_8, 500.0)
    assert isinstance(got, Examined)
    assert set(got.facts) == set(FINE)
    assert got.facts["height_mv"] > 0.5
