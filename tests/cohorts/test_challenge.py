from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from heartprint.cohorts.cohort import CAUTIONS_FILE
from heartprint.cohorts.leads import LEADS_8, LEADS_12
from heartprint.cohorts.readers import Challenge, ingest

from .ecgs import twelve
from .sources import write_challenge_record


def test_header_comments(tmp_path: Path) -> None:
    comments = {
        "E1": ["# Age: 65", "# Sex: Male", "# Dx: 164889003,1"],
        "E2": ["#Age: NaN", "#Sex: F", "#Dx: 426783006"],
        "E3": ["# Age: Unknown", "# Sex: Unknown", "# Dx: Unknown"],
        "E4": ["#Age:40", "#Sex:female", "#Dx:195080001"],
        "E5": [],
        "E6": ["# Age: -4"],
        "E7": ["# Sex: 1"],
        "E8": ["# Dx: AFIB"],
        "1": ["# Hx: 164889003"],
    }
    for name, lines in comments.items():
        write_challenge_record(tmp_path / "src", name, twelve(), 100, lines)
    cohort = ingest(Challenge(), tmp_path / "src", tmp_path / "out")
    r = cohort.records
    assert r["ecg_id"].to_list() == ["1", "E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8"]
    assert r["label_af"].to_list() == [None, 1, 0, None, 1, None, None, None, None]
    assert r["age"].to_list() == [None, 65, None, None, 40, None, None, None, None]
    assert r["sex"].to_list() == [None, "male", "female", None, "female", None, None, None, None]
    assert r["site"].to_list() == [None] + ["Georgia"] * 8
    cautions = pl.read_parquet(cohort.path / CAUTIONS_FILE)
    assert cautions["ecg_id"].to_list() == ["E6", "E7", "E8"]
    assert cautions["code"].to_list() == ["bad-age", "unknown-sex", "bad-label"]
    assert any("patient" in note for note in cohort.info.settings["notes"])


def test_all_real_ecgs_go_in_and_equal_wfdb_within_1_uv(shared_data: Path, tmp_path: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    cohort = ingest("challenge", shared_data / "challenge2021", tmp_path / "out")
    assert (len(cohort), cohort.info.n_refused) == (20, 0)
    assert cohort.records["sex"].value_counts(sort=True)["count"].to_list() == [12, 8]
    assert sorted(set(cohort.records["site"])) == ["Chapman-Shaoxing-Ningbo", "Georgia"]
    eight = [LEADS_12.index(name) for name in LEADS_8]
    for row, name in enumerate(cohort.ecg_ids):
        truth = wfdb.rdrecord(str(shared_data / "challenge2021" / name))
        assert tuple(truth.sig_name) == LEADS_12
        assert np.abs(cohort.signal(row) - truth.p_signal.T[eight]).max() < 0.001
