from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from heartprint.cohorts.cohort import CAUTIONS_FILE
from heartprint.readers import Challenge, ingest
from heartprint.signals.leads import LEADS_8, LEADS_12
from tests.cohorts.ecgs import twelve
from tests.readers.sources import write_challenge_record


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


@pytest.mark.parametrize(
    ("dx", "af"),
    [
        ("AF", 1),
        ("AF,RBBB", 1),
        ("RBBB", 0),
        ("Normal", 0),
        ("I-AVB, STD", 0),
        ("164889003 59118001", 1),
        ("[426783006; 59118001]", 0),
        ("Unknown", None),
        ("AF?", None),
    ],
)
def test_headers_of_the_first_challenge(dx: str, af: int | None, tmp_path: Path) -> None:
    """As they came in February 2020: classes for codes, no blank behind #, ``16+24``, a date in the first line."""
    write_challenge_record(
        tmp_path / "src", "A0001", twelve(), 100, ["#Age: 74", "#Sex: Male", f"#Dx: {dx}", "#Rx: Unknown"]
    )
    header = tmp_path / "src" / "A0001.hea"
    text = header.read_text().replace("16x1+24 1000.0(0)/mV", "16+24 1000/mV")
    first, rest = text.split("\n", 1)
    header.write_bytes(f"{first} 05-Feb-2020 11:39:16\n{rest}".replace("\n", "\r\n").encode())
    cohort = ingest(Challenge(), tmp_path / "src", tmp_path / "out", workers=1)
    r = cohort.records
    assert (r["age"].to_list(), r["sex"].to_list(), r["label_af"].to_list()) == ([74], ["male"], [af])
    assert pl.read_parquet(cohort.path / CAUTIONS_FILE)["code"].to_list() == (["bad-label"] if dx == "AF?" else [])
    np.testing.assert_allclose(cohort.signal(0)[0], twelve()[0], atol=0.0006)


def test_headers_in_capitals_and_without_checksums(tmp_path: Path) -> None:
    write_challenge_record(tmp_path / "src", "A1", twelve(), 100, ["#Dx: AF"])
    header = tmp_path / "src" / "A1.hea"
    (tmp_path / "src" / "A1.HEA").write_text(header.read_text())
    header.unlink()
    (tmp_path / "src" / "A1.mat").rename(tmp_path / "src" / "A1.MAT")
    write_challenge_record(tmp_path / "src", "A2", twelve(), 100, ["#Dx: AF"])
    second = tmp_path / "src" / "A2.hea"
    second.write_text(re.sub(r"(/mV 16 0) -?\d+ -?\d+ 0 (\w+)", r"\1 0 0 0 \2", second.read_text()))
    cohort = ingest(Challenge(), tmp_path / "src", tmp_path / "out", workers=1)
    assert cohort.ecg_ids.tolist() == ["A1", "A2"] and cohort.info.n_refused == 0
    np.testing.assert_array_equal(cohort.signal(0), cohort.signal(1))


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
