from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from heartprint.cohorts import Cohort, write_cohort
from heartprint.cohorts.cohort import COHORT_FILE, MISSING, REFUSED_FILE, WAVEFORMS_FILE
from heartprint.cohorts.schema import RECORD_COLUMNS
from heartprint.foundation.errors import HeartprintError

SAMPLES = np.arange(80, dtype=np.int16).reshape(8, 10)


def write(target: Path, n: int = 3, **options) -> Cohort:
    with write_cohort(target, source="test", **options) as writer:
        for i in range(n):
            writer.add(SAMPLES + i, ecg_id=f"e{i}", patient_id=f"p{i // 2}", sampling_rate=500.0, labels={"af": i % 2})
    return Cohort.open(target)


def test_round_trip(tmp_path: Path) -> None:
    cohort = write(tmp_path / "c", label_names=("lvef",), settings={"a": 1}, simulated=True)
    assert list(cohort.records.columns) == [*RECORD_COLUMNS, "label_af", "label_lvef"]
    assert cohort.records["offset"].to_list() == [0, 80, 160]
    assert cohort.records["label_lvef"].null_count() == 3
    for i in range(3):
        np.testing.assert_array_equal(cohort.samples(i), SAMPLES + i)
    info = cohort.info
    assert (info.name, info.source, info.simulated, info.n_ecgs, info.n_patients) == ("c", "test", True, 3, 2)
    assert info.settings == {"a": 1}


def test_eight_and_twelve_leads_lie_side_by_side(tmp_path: Path) -> None:
    twelve = np.arange(12 * 7, dtype=np.int16).reshape(12, 7)
    with write_cohort(tmp_path / "c", source="test") as writer:
        writer.add(SAMPLES, ecg_id="8", patient_id="p", sampling_rate=100.0)
        writer.add(twelve[:, ::-1], ecg_id="12", patient_id="p", sampling_rate=100.0, unit="z")
        writer.add(SAMPLES.T[:8].T.copy(order="F"), ecg_id="F", patient_id="p", sampling_rate=100.0)
    cohort = Cohort.open(tmp_path / "c")
    np.testing.assert_array_equal(cohort.samples(1), twelve[:, ::-1])
    np.testing.assert_array_equal(cohort.samples(2), SAMPLES[:, :8])


def test_missing_and_hash(tmp_path: Path) -> None:
    holed = SAMPLES.copy()
    holed[2, 3:6] = MISSING
    with write_cohort(tmp_path / "c", source="test") as writer:
        for i, samples in enumerate([SAMPLES, holed, SAMPLES]):
            writer.add(samples, ecg_id=str(i), patient_id="p", sampling_rate=100.0, n_clipped=i)
    r = Cohort.open(tmp_path / "c").records
    assert r["n_missing"].to_list() == [0, 3, 0]
    assert r["n_clipped"].to_list() == [0, 1, 2]
    expected = int.from_bytes(hashlib.blake2b(SAMPLES.astype("<i2").tobytes(), digest_size=8).digest(), "little")
    assert r["waveform_hash"][0] == r["waveform_hash"][2] == expected != r["waveform_hash"][1]


def test_same_calls_same_bytes_other_calls_another_hash(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a" / "c"), write(tmp_path / "b" / "c")
    for file in a.path.iterdir():
        assert file.read_bytes() == (b.path / file.name).read_bytes()
    other = write(tmp_path / "d" / "c", n=4)
    assert other.info.content_hash != a.info.content_hash
    assert other.info.patient_key != a.info.patient_key


def test_public_hash_does_not_give_the_key_away(tmp_path: Path) -> None:
    info = write(tmp_path / "c").info
    assert info.patient_key not in info.content_hash
    assert hashlib.sha256(info.content_hash.encode()).hexdigest() != info.patient_key


def test_identity(tmp_path: Path) -> None:
    with write_cohort(tmp_path / "c", source="test") as writer:
        writer.add(SAMPLES, ecg_id="e", patient_id="p", sampling_rate=100.0)
        with pytest.raises(HeartprintError) as caught:
            writer.add(SAMPLES, ecg_id="e", patient_id="q", sampling_rate=100.0)
        assert caught.value.code == "duplicate-ecg-id"
        with pytest.raises(HeartprintError) as caught:
            writer.add(SAMPLES, ecg_id="f", patient_id="", sampling_rate=100.0)
        assert caught.value.code == "missing-patient-id"
    cohort = Cohort.open(tmp_path / "c")
    assert len(cohort) == 1
    assert (cohort.path / WAVEFORMS_FILE).stat().st_size == SAMPLES.nbytes


def test_refused_are_kept(tmp_path: Path) -> None:
    with write_cohort(tmp_path / "c", source="test") as writer:
        writer.add(SAMPLES, ecg_id="e", patient_id="p", sampling_rate=100.0)
        writer.refuse("bad", "a/b.dat", HeartprintError("flat-lead", "Lead I is flat."))
        writer.refuse(None, None, HeartprintError("missing-ecg-id", "No id."))
    table = pl.read_parquet(tmp_path / "c" / REFUSED_FILE)
    assert table.rows() == [
        ("bad", "a/b.dat", "flat-lead", "Lead I is flat."),
        (None, None, "missing-ecg-id", "No id."),
    ]
    assert Cohort.open(tmp_path / "c").info.n_refused == 2


def test_nothing_added_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(HeartprintError) as caught, write_cohort(tmp_path / "c", source="test") as writer:
        writer.refuse("x", None, HeartprintError("too-short", "It lasts 2 s."))
    assert caught.value.code == "empty-cohort"
    assert "too-short" in caught.value.message
    assert "It lasts 2 s." in caught.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_broken_off_leaves_the_old_cohort(tmp_path: Path, error: type[BaseException]) -> None:
    old = write(tmp_path / "c")
    before = {f.name: f.read_bytes() for f in old.path.iterdir()}
    with pytest.raises(error), write_cohort(tmp_path / "c", source="test") as writer:
        writer.add(SAMPLES, ecg_id="e", patient_id="p", sampling_rate=100.0)
        raise error
    assert {f.name: f.read_bytes() for f in old.path.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_old_cohort_is_replaced_and_foreign_folders_are_not(tmp_path: Path) -> None:
    write(tmp_path / "c")
    assert len(write(tmp_path / "c", n=5)) == 5
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    for target in ("mine", "file"):
        with pytest.raises(HeartprintError) as caught:
            write(tmp_path / target)
        assert caught.value.code == "output-not-a-cohort"
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_cohort_json_is_plain(tmp_path: Path) -> None:
    raw = json.loads((write(tmp_path / "c").path / COHORT_FILE).read_text())
    assert (raw["format_version"], raw["kind"]) == (3, "waveform")
    assert raw["simulated"] is False
    assert str(tmp_path) not in json.dumps(raw)
