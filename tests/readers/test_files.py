"""Hospital files as a source of their own, and named in a table."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import REFUSED_FILE
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import Files, Table, ingest, read_recording
from tests.cohorts.ecgs import twelve, write_record
from tests.readers.hospital_files import PERSON, write_dicom, write_edf, write_hl7, write_samples_csv, write_scp

LEADS = twelve(rate=500)


def refused(cohort: Cohort) -> dict[str, str]:
    table = pl.read_parquet(cohort.path / REFUSED_FILE)
    return dict(zip(table["path"], table["code"], strict=True))


def test_a_table_names_hospital_files_and_its_word_goes_first(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", LEADS, 500)
    write_hl7(tmp_path / "b.xml", LEADS, 500)
    write_scp(tmp_path / "c", LEADS, 500)
    write_samples_csv(tmp_path / "d.csv", LEADS)
    (tmp_path / "ecgs.csv").write_text(
        "path,patient_id,date,age,sex,site,device,sampling_rate,unit,af\n"
        "a.dcm,,,,,,,,,1\n"
        "b.xml,q7,2001-02-03,40,m,north,ELI,,,0\n"
        "c,q8,,,,,,,,\n"
        "d.csv,q9,,,,,,500,uV,\n"
        "d.csv,,,,,,,500,uV,\n"
    )
    cohort = ingest(Table(), tmp_path / "ecgs.csv", tmp_path / "out")
    r = cohort.records
    assert r["ecg_id"].to_list() == ["a", "b", "c", "d"]
    assert r["patient_id"].to_list() == [PERSON.patient_id, "q7", "q8", "q9"]
    assert r["recorded_at"].to_list() == [PERSON.recorded_at, dt.datetime(2001, 2, 3), PERSON.recorded_at, None]
    assert r["age"].to_list() == [PERSON.age, 40, PERSON.age, None]
    assert r["sex"].to_list() == ["female", "male", "female", None]
    assert r["site"].to_list() == [None, "north", None, None]
    assert r["device"].to_list() == [PERSON.device, "ELI", PERSON.device, None]
    assert r["label_af"].to_list() == [1, 0, None, None]
    assert list(refused(cohort).values()) == ["duplicate-ecg-id"]
    for row in range(4):
        np.testing.assert_allclose(cohort.signal(row)[0], LEADS[0], atol=0.0019)


def test_a_list_of_paths_and_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    write_scp(tmp_path / "ward" / "a.scp", LEADS, 500)
    write_edf(tmp_path / "b.edf", LEADS, 500)
    (tmp_path / "list.txt").write_text("ward/a.scp\n\nb.edf\nnowhere.dcm\n")
    cohort = ingest(Files(), tmp_path / "list.txt", tmp_path / "out")
    assert cohort.ecg_ids.tolist() == ["ward/a.scp", "b.edf"]
    assert refused(cohort) == {"nowhere.dcm": "file-missing"}
    assert ingest(Files(), tmp_path / "b.edf", tmp_path / "one").ecg_ids.tolist() == ["b.edf"]


def test_sources_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7\n\xff\xfe\x00")
    for reader, src, code in (
        (Files(), tmp_path / "letter.pdf", "bad-table"),
        (Files(), tmp_path / "nowhere", "source-missing"),
        (Files(unit="furlong"), tmp_path, "unknown-unit"),
        (Files(columns={"V7": "x"}), tmp_path, "unknown-lead"),
        (Table(columns={"V7": "x"}), tmp_path, "unknown-lead"),
    ):
        with pytest.raises(HeartprintError) as caught:
            ingest(reader, src, tmp_path / "out")
        assert caught.value.code == code


def test_who_is_not_named_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    write_scp(tmp_path / "src" / "a.scp", LEADS, 500)
    write_samples_csv(tmp_path / "src" / "b.csv", LEADS)
    cohort = ingest(Files(sampling_rate=500, unit="uV"), tmp_path / "src", tmp_path / "out")
    assert refused(cohort) == {"b.csv": "missing-patient-id"}
    assert "heartprint ingest table" in pl.read_parquet(cohort.path / REFUSED_FILE)["message"][0]


def test_header_and_samples_of_wfdb_in_capitals_are_one_ecg(tmp_path: Path) -> None:
    """However Windows wrote their names."""
    (tmp_path / "src").mkdir()
    for i, (header, samples) in enumerate([("HEA", "DAT"), ("hea", "DAT"), ("HEA", "dat")]):
        write_record(tmp_path / "src", f"r{i}", LEADS, 500)
        (tmp_path / "src" / f"r{i}.hea").rename(tmp_path / "src" / f"r{i}.{header}")
        (tmp_path / "src" / f"r{i}.dat").rename(tmp_path / "src" / f"r{i}.{samples}")
    rows = Files().open(tmp_path / "src").rows
    assert [row.path for row in rows] == ["r0.HEA", "r1.hea", "r2.HEA"]
    (tmp_path / "t.csv").write_text("path,patient_id\n" + "".join(f"src/r{i}.hea,p{i}\n" for i in range(3)))
    table = ingest(Table(), tmp_path / "t.csv", tmp_path / "table", workers=1)
    assert (len(table), table.info.n_refused) == (3, 0)
    np.testing.assert_allclose(table.signal(2)[0], LEADS[0], atol=0.0006)


def test_a_large_folder_is_not_listed_for_each_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header beside a file is asked for by name: 100,000 listings of 100,000 names would take hours."""
    write_dicom(tmp_path / "a.dcm", LEADS, 500)

    def never(path: Path) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(Path, "iterdir", never)
    assert read_recording(tmp_path / "a.dcm").lead_names


def test_the_real_files_go_in(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "vendor"
    if not folder.is_dir():
        pytest.skip(f"no real hospital files here: {folder} is absent")
    cohort = ingest("files", folder, tmp_path / "files")
    assert (len(cohort), cohort.info.n_refused, cohort.n_patients) == (4, 0, 3)
    assert cohort.records["age"].to_list() == [42, 49, 60, 49]
    assert cohort.records["sex"].to_list() == ["female", "male", "male", "male"]
    # HL7 and SCP-ECG hold the same recording.
    assert cohort.records["waveform_hash"].n_unique() <= 4
    np.testing.assert_allclose(cohort.signal(1), cohort.signal(3), atol=0.0011)
    rows = "".join(f"{folder / name},p{i}\n" for i, name in enumerate(cohort.ecg_ids))
    (tmp_path / "t.csv").write_text("path,patient_id\n" + rows)
    table = ingest("table", tmp_path / "t.csv", tmp_path / "table")
    assert table.records["waveform_hash"].to_list() == cohort.records["waveform_hash"].to_list()
