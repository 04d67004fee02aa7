"""LUDB: the real set where it is at hand; what is peculiar to its headers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heartprint.foundation.errors import HeartprintError
from heartprint.readers import Ludb, ingest
from heartprint.readers.formats.wfdb import read_wfdb
from heartprint.signals.leads import LEADS_12

LUDB = Path(__file__).parents[3] / "shared" / "data" / "ludb"


@pytest.mark.skipif(not LUDB.is_dir(), reason="LUDB is not beside the checkout")
def test_all_of_ludb_goes_in_with_its_integers_as_microvolts(tmp_path: Path) -> None:
    cohort = ingest(Ludb(), LUDB, tmp_path / "ludb")
    assert (len(cohort), cohort.n_patients, cohort.info.n_refused) == (200, 200, 0)
    assert (cohort.records["sex"] == "female").sum() == 85
    assert np.nansum(cohort.labels("af")) == 18
    assert cohort.ecg_ids[:3].tolist() == ["1", "2", "3"]
    units = np.fromfile(LUDB / "data" / "7.dat", dtype="<i2").reshape(-1, 12).T
    assert np.array_equal(cohort.samples(6)[0], units[0])
    assert np.array_equal(cohort.samples(6)[2], units[LEADS_12.index("V1")])


@pytest.mark.skipif(not LUDB.is_dir(), reason="LUDB is not beside the checkout")
def test_the_gains_of_the_headers_are_still_wrong() -> None:
    """Should a later version correct them, the reader's exception can go."""
    signal = read_wfdb(LUDB / "data" / "7.hea").signal
    assert np.allclose(np.ptp(signal, axis=1), 1.0, atol=0.01)
    assert np.abs(signal[2] - (signal[1] - signal[0])).max() > 0.05


def test_a_header_of_another_form_is_refused_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "1.hea").write_text("1/2 12 500 5000\n1a 2500\n1b 2500\n")
    with pytest.raises(HeartprintError) as error:
        read_wfdb(tmp_path / "1.hea", uv_per_unit=1.0)
    assert error.value.code == "bad-header"
