from __future__ import annotations

import datetime as dt
import json
import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from heartprint.cohorts import Cohort, write_cohort
from heartprint.cohorts.cohort import COHORT_FILE, MISSING, RECORDS_FILE, WAVEFORMS_FILE, seen_hashes
from heartprint.foundation.errors import HeartprintError
from tests.cohorts.ecgs import small_cohort


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return small_cohort(
        tmp_path / "c",
        ["b", "a", "b", "c"],
        label_af=[1, None, 0, 1],
        recorded_at=[dt.datetime(2010, 1, 1), None, dt.datetime(2015, 12, 31, 23, 59), dt.datetime(2016, 1, 1)],
        site=["x", "y", None, "x"],
    )


def error_of(path: Path) -> HeartprintError:
    with pytest.raises(HeartprintError) as caught:
        Cohort.open(path)
    return caught.value


def test_ids_and_codes(cohort: Cohort) -> None:
    assert cohort.ecg_ids.tolist() == ["e0", "e1", "e2", "e3"]
    assert cohort.patient_ids.tolist() == ["b", "a", "b", "c"]
    assert cohort.patient_codes.tolist() == [1, 0, 1, 2]
    assert (len(cohort), cohort.n_patients) == (4, 3)


@pytest.mark.parametrize("bits", [1.0, 0.25, 4.88])
def test_signal_is_mv_with_nan_where_missing(tmp_path: Path, bits: float) -> None:
    samples = np.arange(-40, 40, dtype=np.int16).reshape(8, 10) * 100
    samples[3, 4] = MISSING
    with write_cohort(tmp_path / "c", source="test") as writer:
        writer.add(samples, ecg_id="e", patient_id="p", sampling_rate=250.0, uv_per_bit=bits)
    signal = Cohort.open(tmp_path / "c").signal(0)
    assert signal.dtype == np.float32
    expected = samples * bits / 1000.0
    expected[3, 4] = np.nan
    np.testing.assert_allclose(signal, expected, rtol=1e-6)


def test_samples_are_a_read_only_view(cohort: Cohort) -> None:
    with pytest.raises(ValueError, match="read-only"):
        cohort.samples(0)[0, 0] = 1


def test_take_keeps_order_and_repeats(cohort: Cohort) -> None:
    part = cohort.take([3, 0, 0])
    assert part.ecg_ids.tolist() == ["e3", "e0", "e0"]
    assert [int(part.samples(i)[0, 0]) for i in range(3)] == [3, 0, 0]
    assert len(cohort.take(np.array([], dtype=np.int64))) == 0


@pytest.mark.parametrize(
    ("conditions", "kept"),
    [
        ({}, ["e0", "e1", "e2", "e3"]),
        ({"until": dt.date(2015, 12, 31)}, ["e0", "e2"]),
        ({"since": dt.date(2015, 12, 31)}, ["e2", "e3"]),
        ({"since": dt.date(2015, 1, 1), "until": dt.date(2015, 12, 31)}, ["e2"]),
        ({"labelled": "af"}, ["e0", "e2", "e3"]),
        ({"patients": ["a", "c", "nobody"]}, ["e1", "e3"]),
        ({"without_patients": ["b"]}, ["e1", "e3"]),
        ({"without_patients": []}, ["e0", "e1", "e2", "e3"]),
        ({"patients": []}, []),
        ({"sites": ["x"]}, ["e0", "e3"]),
        ({"sites": ["x"], "labelled": "af", "patients": ["b"]}, ["e0"]),
    ],
)
def test_filter(cohort: Cohort, conditions: dict, kept: list[str]) -> None:
    part = cohort.filter(**conditions)
    assert part.ecg_ids.tolist() == kept
    assert part.filter(**conditions).ecg_ids.tolist() == kept


def test_filter_of_nothing(cohort: Cohort) -> None:
    nothing = cohort.take([])
    assert len(nothing.filter()) == len(nothing.filter(labelled="af", sites=["x"])) == 0


def test_labels(cohort: Cohort) -> None:
    np.testing.assert_array_equal(cohort.labels("af"), [1, np.nan, 0, 1])
    with pytest.raises(HeartprintError) as caught:
        cohort.filter(labelled="lvef_below_40")
    assert caught.value.code == "label-missing"


def test_pickle_does_not_carry_the_waveforms(cohort: Cohort) -> None:
    cohort.signal(0)
    blob = pickle.dumps(cohort)
    assert len(blob) < 50_000
    np.testing.assert_array_equal(pickle.loads(blob).samples(2), cohort.samples(2))


def test_opening_reads_no_waveform(cohort: Cohort) -> None:
    file = cohort.path / WAVEFORMS_FILE
    size = file.stat().st_size
    file.unlink()
    with file.open("wb") as handle:
        handle.truncate(size)
    again = Cohort.open(cohort.path)
    assert again.filter(labelled="af").take([0])._data is None


@pytest.mark.parametrize("name", [COHORT_FILE, RECORDS_FILE, WAVEFORMS_FILE])
def test_incomplete(cohort: Cohort, name: str) -> None:
    (cohort.path / name).unlink()
    error = error_of(cohort.path)
    assert error.code == "cohort-incomplete"
    assert name in error.message


def test_missing_folder(tmp_path: Path) -> None:
    assert error_of(tmp_path / "nothing").code == "cohort-missing"


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_other_version(cohort: Cohort, version) -> None:
    file = cohort.path / COHORT_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format_version": version}))
    assert error_of(cohort.path).code == "cohort-version"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3", '{"format_version": 3}'])
def test_damaged_json(cohort: Cohort, text: str) -> None:
    (cohort.path / COHORT_FILE).write_text(text)
    assert error_of(cohort.path).code == "cohort-damaged"


def test_damaged_table(cohort: Cohort) -> None:
    file = cohort.path / RECORDS_FILE
    whole = pl.read_parquet(file)
    whole.drop("sex").write_parquet(file)
    assert "sex" in error_of(cohort.path).message
    whole.head(2).write_parquet(file)
    assert error_of(cohort.path).code == "cohort-damaged"
    file.write_bytes(b"PAR1 but not really")
    assert error_of(cohort.path).code == "cohort-damaged"


def test_cut_waveforms(cohort: Cohort) -> None:
    file = cohort.path / WAVEFORMS_FILE
    file.write_bytes(file.read_bytes()[:-2])
    assert error_of(cohort.path).code == "cohort-incomplete"


def test_seen_hashes_depend_on_the_key() -> None:
    one, two = "11" * 32, "22" * 32
    hashes = seen_hashes(one, ["b", "a", "a"])
    assert hashes.dtype == np.uint64
    assert len(hashes) == 2
    assert (np.diff(hashes.astype(object)) > 0).all()
    np.testing.assert_array_equal(hashes, seen_hashes(one, ["a", "b"]))
    assert not np.isin(hashes, seen_hashes(two, ["a", "b"])).any()
    assert seen_hashes(one, []).shape == (0,)
