from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heartprint.signals.leads import LEADS_8, LEADS_12, TWELVE_FROM_EIGHT, twelve_leads

MV = st.floats(-5, 5, width=32)


@given(arrays(np.float32, (3,), elements=MV), arrays(np.float32, (6,), elements=MV))
def test_matrix_equals_differences_of_potentials(limbs: np.ndarray, chest: np.ndarray) -> None:
    # Einthoven 1912, Goldberger 1942, from the potentials of right arm, left arm and left leg.
    ra, la, ll = limbs.astype(float)
    expected = {
        "I": la - ra,
        "II": ll - ra,
        "III": ll - la,
        "aVR": ra - (la + ll) / 2,
        "aVL": la - (ra + ll) / 2,
        "aVF": ll - (ra + la) / 2,
        **{f"V{i + 1}": float(v) for i, v in enumerate(chest)},
    }
    eight = np.array([expected[name] for name in LEADS_8])
    got = dict(zip(LEADS_12, TWELVE_FROM_EIGHT @ eight, strict=True))
    assert got == pytest.approx(expected, abs=1e-5)


@given(arrays(np.float32, (8, 7), elements=MV))
def test_twelve_leads_equals_matrix(eight: np.ndarray) -> None:
    np.testing.assert_allclose(twelve_leads(eight), TWELVE_FROM_EIGHT @ eight, atol=2e-6)


def test_limb_leads_sum_to_zero() -> None:
    rows = {name: TWELVE_FROM_EIGHT[i] for i, name in enumerate(LEADS_12)}
    np.testing.assert_array_equal(rows["aVR"] + rows["aVL"] + rows["aVF"], 0)
    np.testing.assert_array_equal(rows["I"] + rows["III"] - rows["II"], 0)


def test_missing_sample_stays_with_the_leads_that_need_it() -> None:
    eight = np.ones((8, 3), dtype=np.float32)
    eight[1, 1] = np.nan  # II
    missing = np.isnan(twelve_leads(eight))
    assert missing[:, [0, 2]].sum() == 0
    assert [n for n, m in zip(LEADS_12, missing[:, 1], strict=True) if m] == ["II", "III", "aVR", "aVL", "aVF"]


def test_twelve_pass_through_and_others_fail() -> None:
    given_twelve = np.arange(24, dtype=np.float32).reshape(12, 2)
    np.testing.assert_array_equal(twelve_leads(given_twelve), given_twelve)
    with pytest.raises(ValueError, match="8 or 12"):
        twelve_leads(np.zeros((3, 2), dtype=np.float32))


def test_matrix_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        TWELVE_FROM_EIGHT[0, 0] = 5
