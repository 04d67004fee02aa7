"""What is peculiar to one public set; what all share is in test_readers_conformance.py."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import REFUSED_FILE
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import Code15, EchoNext, MimicIvEcg, ingest
from heartprint.readers.mimic_iv_ecg import af_in_report
from heartprint.readers.tracings import Tracings, without_padding
from tests.cohorts.ecgs import twelve
from tests.readers.sources import EXAMPLES, write_tracings


def codes(cohort: Cohort) -> set[str]:
    return set(pl.read_parquet(cohort.path / REFUSED_FILE)["code"])


@pytest.mark.parametrize(
    ("report", "answer"),
    [
        ("", None),
        ("  \n ", None),
        ("Sinus rhythm\nNormal ECG", 0),
        ("Atrial fibrillation", 1),
        ("ATRIAL FIBRILLATION WITH RAPID VENTRICULAR RESPONSE", 1),
        ("Abnormal ECG\nAtrial flutter with 2:1 block", 1),
        ("Atrial fibrillation or flutter", 1),
        ("Atrial fibrillation/flutter", 1),
        ("Afib with PVCs", 1),
        ("A-fib", 1),
        ("Atrial fibrillation with PVCs or aberrant ventricular conduction", 1),
        ("Atrial fibrillation with premature ventricular or aberrantly conducted complexes", 1),
        ("Atrial fibrillation has replaced sinus rhythm", 1),
        ("Atrial fibrillation has been replaced by sinus rhythm", 0),
        ("Atrial fibrillation is now replaced by a paced rhythm", 0),
        ("Atrial fibrillation or sinus rhythm with PACs", None),
        ("Atrial flutter or atrial tachycardia", None),
        ("Sinus tachycardia or atrial fibrillation", None),
        ("Possible atrial fibrillation", None),
        ("Probable atrial flutter", None),
        ("Sinus tachycardia versus atrial flutter", None),
        ("Cannot rule out atrial fibrillation", None),
        ("Atrial fibrillation, possibly", None),
        ("Atrial flutter?", None),
        ("Irregular rhythm, no P-wave found - atrial fibrillation", 1),
        ("Atrial fibrillation with PVCs, old inferior infarct cannot be excluded", 1),
        ("Possible inferior infarct, atrial fibrillation", 1),
        ("Possible atrial flutter\nAtrial fibrillation", 1),
        ("Sinus rhythm has replaced atrial fibrillation", 0),
        ("Atrial fibrillation is no longer present", 0),
        ("No evidence of atrial fibrillation", 0),
        ("History of atrial fibrillation", 0),
        ("Atrial premature complexes", 0),
        ("Ventricular fibrillation", 0),
        ("Possible left atrial abnormality\nSinus rhythm", 0),
    ],
)
def test_af_in_the_reports_of_mimic(report: str, answer: float | None) -> None:
    assert af_in_report(report) == answer


def test_mimic_without_its_further_tables(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    src = EXAMPLES["mimic-iv-ecg"](tmp_path / "src").src
    for name in ("machine_measurements.csv", "patients.csv"):
        (src / name).unlink()
    cohort = ingest(MimicIvEcg(), src, tmp_path / "out")
    assert cohort.records["age"].null_count() == cohort.records["label_af"].null_count() == len(cohort) == 3
    notes = " ".join(cohort.info.settings["notes"])
    assert "machine_measurements.csv" in notes
    assert "patients.csv" in notes


def test_codes_for_missing_samples_are_no_voltages(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    src = EXAMPLES["mimic-iv-ecg"](tmp_path / "src").src
    path = next(src.rglob("41420868.dat"))
    digital = np.fromfile(path, dtype="<i2").reshape(5000, 12)
    digital[1000:1010, 7] = 29999
    digital[2000:2010, 8] = 32767
    digital.tofile(path)
    header = path.with_suffix(".hea")
    lines = header.read_text().splitlines()
    # Zero checksums are not checked.
    lines = [lines[0]] + [" ".join([*line.split()[:6], "0", *line.split()[7:]]) for line in lines[1:]]
    header.write_text("\n".join(lines) + "\n")
    cohort = ingest(MimicIvEcg(), src, tmp_path / "out")
    row = cohort.ecg_ids.tolist().index("41420868")
    assert cohort.records["n_missing"][row] == 20
    assert np.isnan(cohort.signal(row)[3, 1000:1010]).all()


def test_padding_is_only_what_is_zero_in_every_lead() -> None:
    tracing = np.zeros((10, 12))
    tracing[2, 3] = 1
    tracing[7, 0] = 1
    assert without_padding(tracing).shape == (6, 12)
    assert without_padding(np.zeros((10, 12))).shape == (0, 12)


@pytest.mark.parametrize("name", ["code-15", "sami-trop", "echonext", "mimic-iv-ecg"])
def test_tables_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    src = EXAMPLES[name](tmp_path / "src").src
    table = next(p for p in sorted(src.glob("*.csv")) if p.name in ("exams.csv", "record_list.csv") or "100k" in p.name)
    for text, code in ((b"", "bad-table"), (b"a,b\n1,2\n", "bad-table"), (b"\xff\xfe\x00", "bad-table")):
        table.write_bytes(text)
        with pytest.raises(HeartprintError) as caught:
            ingest(name, src, tmp_path / "out")
        assert caught.value.code == code
        assert caught.value.message.endswith(".")


def test_damaged_parts_of_code_15(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    src = EXAMPLES["code-15"](tmp_path / "src").src
    part = src / "exams_part1.hdf5"
    whole = part.read_bytes()
    for content, code in (
        (whole[: len(whole) // 2], "file-truncated"),
        (b"not HDF5 at all", "unreadable-file"),
        (b"", "unreadable-file"),
    ):
        part.write_bytes(content)
        cohort = ingest("code-15", src, tmp_path / "out", overwrite=True)
        assert cohort.ecg_ids.tolist() == ["900", "100"]
        assert code in codes(cohort)
    with h5py.File(part, "w") as file:
        file.create_dataset("tracings", shape=(10, 2**40, 12), chunks=(1, 64, 12), dtype="f4")
        file["exam_id"] = np.arange(10)
    assert "bad-array" in codes(ingest("code-15", src, tmp_path / "out", overwrite=True))
    write_tracings(part, [twelve(rate=400)], [77])
    assert "header-mismatch" in codes(ingest("code-15", src, tmp_path / "out", overwrite=True))


def test_the_unit_of_code_15_is_the_users_to_say(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    example = EXAMPLES["code-15"](tmp_path / "src")
    cohort = ingest(Code15(mv_per_unit=0.5), example.src, tmp_path / "out")
    np.testing.assert_allclose(cohort.signal(0)[0], example.known[0].leads[0] / 2, atol=0.00051)
    assert cohort.info.settings["mv_per_unit"] == 0.5
    assert any("0.5 mV" in note for note in cohort.info.settings["notes"])
    with pytest.raises(HeartprintError, match="positive"):
        ingest(Code15(mv_per_unit=0), example.src, tmp_path / "out")


def test_mutants_of_tracings(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    write_tracings(tmp_path / "good", [twelve(rate=400)], [77])
    good = (tmp_path / "good").read_bytes()
    for i in range(300):
        data = bytearray(good)
        for _ in range(3):
            at = int(rng.integers(4096 if i % 2 else len(data)))
            data[at : at + 2] = rng.bytes(2)
        (tmp_path / "bad").write_bytes(data)
        try:
            tracings = Tracings(tmp_path / "bad")
            tracings.recording((tracings.row_of or {}).get(77, 0))
        except HeartprintError as error:
            assert error.message.endswith(".")


def test_sami_trop_with_a_table_of_another_length(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    src = EXAMPLES["sami-trop"](tmp_path / "src").src
    table = (src / "exams.csv").read_text()
    (src / "exams.csv").write_text(table + "99,50,True,False,False,1\n")
    with pytest.raises(HeartprintError) as caught:
        ingest("sami-trop", src, tmp_path / "out")
    assert caught.value.code == "header-mismatch"


def test_sex_codes_of_echonext_are_never_guessed(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    src = EXAMPLES["echonext"](tmp_path / "src").src
    table = src / "echonext_metadata_100k.csv"
    table.write_text(table.read_text().replace("Female", "0").replace("Male", "1"))
    with pytest.raises(HeartprintError) as caught:
        ingest("echonext", src, tmp_path / "out")
    assert caught.value.code == "unknown-sex"
    cohort = ingest(EchoNext(female=("0",), male=("1",)), src, tmp_path / "out")
    assert cohort.records["sex"].to_list() == ["female", "male", None]


def test_a_split_of_echonext_of_another_length(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    src = EXAMPLES["echonext"](tmp_path / "src").src
    shutil.copy(src / "EchoNext_val_waveforms.npy", src / "EchoNext_train_waveforms.npy")
    cohort = ingest("echonext", src, tmp_path / "out")
    assert cohort.ecg_ids.tolist() == ["12"]
    assert "header-mismatch" in codes(cohort)


def test_a_million_rows_cost_little_memory(tmp_path: Path) -> None:
    # What is held is the table's text, not a Python object per cell.
    n = 200_000
    ids = np.arange(n)
    pl.DataFrame(
        {
            "subject_id": ids // 3,
            "study_id": ids,
            "file_name": ids,
            "ecg_time": "2110-07-23 08:44:00",
            "path": "files/p1000/p10001725/s41420867/41420867",
        }
    ).write_csv(tmp_path / "record_list.csv")
    import tracemalloc

    tracemalloc.start()
    source = MimicIvEcg().open(tmp_path)
    assert len(source.rows) == n
    assert source.rows[n - 1].ecg_id == str(n - 1)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
