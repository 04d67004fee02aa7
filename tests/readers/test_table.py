from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import CAUTIONS_FILE, REFUSED_FILE
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import READERS, Table, ingest
from heartprint.tables import delimited
from heartprint.tables.delimited import read_csv
from tests.cohorts.ecgs import eight_leads, twelve, write_record


def table(folder: Path, text: str) -> Path:
    path = folder / "ecgs.csv"
    path.write_text(text, encoding="utf-8")
    return path


def refused(cohort: Cohort) -> dict[str, str]:
    rows = pl.read_parquet(cohort.path / REFUSED_FILE)
    assert all(m.endswith(".") for m in rows["message"])
    return dict(zip(rows["ecg_id"].to_list(), rows["code"].to_list(), strict=True))


def cautions(cohort: Cohort) -> dict[str, str]:
    table = pl.read_parquet(cohort.path / CAUTIONS_FILE)
    return dict(zip(table["ecg_id"], table["code"], strict=True))


def error_of(*args, **options) -> HeartprintError:
    with pytest.raises(HeartprintError) as caught:
        ingest(*args, **options)
    return caught.value


def test_wfdb_and_arrays_of_every_shape_and_unit(tmp_path: Path) -> None:
    sub = tmp_path / "sub"
    write_record(sub, "w.1", twelve())
    np.save(sub / "a.npy", twelve())
    np.save(sub / "b.npy", twelve().T)
    np.save(sub / "c.npy", eight_leads().astype(np.float64) * 1000)
    np.save(sub / "d.npy", np.rint(eight_leads().T * 1e3).astype(np.int16))
    np.save(sub / "e.npy", twelve() / 1000)
    src = table(
        tmp_path,
        "path,patient_id,unit,sampling_rate\n"
        "sub/w.1,p1,,\nsub/w.1.hea,p1,,\nsub/w.1.dat,p1,,\n"
        "sub/a.npy,p2,,\nsub/b.npy,p2,mV,100\nsub/c.npy,p3,uV,100\nsub/d.npy,p4,µV,100.0\nsub/e.npy,p4,V,\n"
        f"{sub / 'a.npy'},p5,,\n",
    )
    cohort = ingest(Table(sampling_rate=100), src, tmp_path / "out")
    assert refused(cohort) == {"w.1": "duplicate-ecg-id", "a": "duplicate-ecg-id"}
    assert cohort.ecg_ids.tolist() == ["w.1", "a", "b", "c", "d", "e"]
    for row in range(len(cohort)):
        np.testing.assert_allclose(cohort.signal(row), eight_leads(), atol=0.00051)
        assert cohort.sampling_rate(row) == 100


def test_details_and_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", twelve())
    src = table(
        tmp_path,
        "\ufeffPath,ECG_ID,Patient_ID,Date,Age,Sex,Site,Device,AF,label_LVEF,Killip class,remark\n"
        "x.npy,1,7.0,2019-05-31,54.5,Female,north,  MAC   55,1,35,2,\n"
        "x.npy,2,7,2019-05-31T14:07:00+02:00,,F,,,0,,,ok\n"
        "x.npy,3,8,,NA,m,,,,55.5,nan,\n"
        "\n"
        "x.npy,4,9\n",
    )
    cohort = ingest(Table(sampling_rate=100), src, tmp_path / "out")
    r = cohort.records
    assert r["patient_id"].to_list() == ["7", "7", "8", "9"]
    assert r["recorded_at"].to_list() == [dt.datetime(2019, 5, 31), dt.datetime(2019, 5, 31, 14, 7), None, None]
    assert r["age"].to_list() == [54.5, None, None, None]
    assert r["sex"].to_list() == ["female", "female", "male", None]
    assert r["site"].to_list() == ["north", None, None, None]
    assert r["device"].to_list() == ["MAC 55", None, None, None]
    assert r["label_af"].to_list() == [1, 0, None, None]
    assert r["label_lvef"].to_list() == [35, None, 55.5, None]
    assert r["label_killip_class"].to_list() == [2, None, None, None]
    assert [c for c in r.columns if c.startswith("label_")] == ["label_af", "label_killip_class", "label_lvef"]
    np.testing.assert_array_equal(cohort.labels("lvef_below_40"), [1, np.nan, 0, np.nan])
    assert [n for n in cohort.info.settings["notes"] if "remark" in n and "'ok'" in n]
    assert cohort.info.source == "table ecgs.csv"


def test_named_labels_count_as_missing_where_they_are_no_number(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", twelve())
    src = table(
        tmp_path, "path,ecg_id,patient_id,ami,height\nx.npy,1,p,true,180\nx.npy,2,p,probably,170\nx.npy,3,p,,1\n"
    )
    plain = ingest(Table(sampling_rate=100), src, tmp_path / "plain")
    assert "label_ami" not in plain.records.columns
    assert "label_height" in plain.records.columns
    named = ingest(Table(sampling_rate=100, labels=("ami",)), src, tmp_path / "named")
    assert (refused(named), cautions(named)) == ({}, {"2": "bad-label"})
    assert named.records["label_ami"].to_list() == [1, None, None]
    assert "label_height" not in named.records.columns
    error = error_of(Table(labels=("amy",)), src, tmp_path / "out")
    assert error.code == "unknown-label-column"
    assert "'ami'" in error.message


def test_bad_rows_are_refused_and_the_rest_goes_in(tmp_path: Path) -> None:
    good = twelve()
    np.save(tmp_path / "good.npy", good)
    np.save(tmp_path / "microvolts.npy", good * 1000)
    np.save(tmp_path / "order.npy", good[::-1])
    np.save(tmp_path / "shape.npy", good[:5])
    np.save(tmp_path / "cube.npy", good[None])
    np.save(tmp_path / "words.npy", np.array([["a"] * 12]))
    np.save(tmp_path / "pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "short.npy", good[:, :300])
    holes = good.copy()
    holes[8, :400] = np.nan
    np.save(tmp_path / "holes.npy", holes)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:-8])
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.npy").write_text("not an array")
    rows = {
        "good": ("good.npy,p,,,,,,,", None),
        "absent": ("absent.npy,p,,,,,,,", "file-missing"),
        "absent_wfdb": ("absent,p,,,,,,,", "file-missing"),
        "no_path": (",p,,,,,,,", "file-missing"),
        "uv": ("microvolts.npy,p,,,,,,,", "implausible-amplitude"),
        "uv_said": ("microvolts.npy,p,,,,uV,,,", None),
        "order": ("order.npy,p,,,,,,,", "wrong-lead-order"),
        "shape": ("shape.npy,p,,,,,,,", "bad-array"),
        "cube": ("cube.npy,p,,,,,,,", "bad-array"),
        "words": ("words.npy,p,,,,,,,", "bad-array"),
        "pickle": ("pickle.npy,p,,,,,,,", "bad-array"),
        "short": ("short.npy,p,,,,,,,", "too-short"),
        "holes": ("holes.npy,p,,,,,,,", "too-many-missing"),
        "cut": ("cut.npy,p,,,,,,,", "file-truncated"),
        "empty": ("empty.npy,p,,,,,,,", "file-truncated"),
        "text": ("text.npy,p,,,,,,,", "bad-array"),
        "no_patient": ("good.npy,,,,,,,,", "missing-patient-id"),
        "unit": ("good.npy,p,,,,furlong,,,", "unknown-unit"),
        "rate": ("good.npy,p,,,,,fast,,", "bad-sampling-rate"),
        "slow": ("good.npy,p,,,,,1,,", "bad-sampling-rate"),
    }
    odd = {
        "sex": ("good.npy,p,1,,,,,,", "unknown-sex"),
        "age": ("good.npy,p,,300,,,,,", "bad-age"),
        "minus": ("good.npy,p,,-1,,,,,", "bad-age"),
        "old": ("good.npy,p,,old,,,,,", "bad-age"),
        "date": ("good.npy,p,,,31.02.2019,,,,", "bad-date"),
        "serial": ("good.npy,p,,,43831,,,,", "bad-date"),
        "af": ("good.npy,p,,,,,,2,", "bad-label"),
        "fraction": ("good.npy,p,,,,,,,0.35", "bad-label"),
    }
    lines = [f"{name},{cells}" for name, (cells, _) in (rows | odd).items()]
    src = table(tmp_path, "ecg_id,path,patient_id,sex,age,date,unit,sampling_rate,af,lvef\n" + "\n".join(lines))
    cohort = ingest(Table(sampling_rate=100), src, tmp_path / "out")
    assert refused(cohort) == {name: code for name, (_, code) in rows.items() if code}
    assert cautions(cohort) == {name: code for name, (_, code) in odd.items()}
    assert cohort.ecg_ids.tolist() == ["good", "uv_said", *odd]
    assert all(cohort.records[c].null_count() == len(cohort) for c in ("sex", "age", "recorded_at", "label_af"))


def test_sampling_rate_is_never_guessed(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", twelve())
    src = table(tmp_path, "path,patient_id\nx.npy,p\n")
    error = error_of("table", src, tmp_path / "out")
    assert error.code == "empty-cohort"
    assert "missing-sampling-rate" in error.message
    assert "--sampling-rate" in error.message
    assert not (tmp_path / "out").exists()


def test_sex_codes_are_never_guessed(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", twelve())
    src = table(tmp_path, "path,ecg_id,patient_id,sex\nx.npy,a,p,1\nx.npy,b,q,0\nx.npy,c,r,W\n")
    cohort = ingest(Table(sampling_rate=100, female=("1",), male=("0",)), src, tmp_path / "out")
    assert cohort.records["sex"].to_list() == ["female", "male", "female"]
    error = error_of(Table(sampling_rate=100), src, tmp_path / "guessed")
    assert error.code == "unknown-sex"
    assert all(word in error.message for word in ("'0'", "'1'", "2 of 3", "--female"))


def test_standardised_leads(tmp_path: Path) -> None:
    z = twelve() / twelve().std(axis=1, keepdims=True)
    np.save(tmp_path / "z.npy", z)
    np.save(tmp_path / "eight.npy", z[:8])
    src = table(tmp_path, "path,patient_id\nz.npy,p\neight.npy,p\n")
    cohort = ingest(Table(sampling_rate=100, unit="z"), src, tmp_path / "out")
    assert refused(cohort) == {"eight": "missing-lead"}
    assert cohort.records["unit"].to_list() == ["z"]
    assert cohort.signal(0).shape == (12, 1000)
    np.testing.assert_allclose(cohort.signal(0), z, atol=0.00051)


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("", "bad-table", "path, patient_id"),
        ("path,ecg_id\nx.npy,1\n", "bad-table", "patient_id"),
        ("path,patient_id,site,site\nx.npy,1,,\n", "bad-table", "twice"),
        ("path,patient_id\nx.npy,1,2\n", "bad-table", "Row 1"),
        ('path,patient_id\n"x.npy,1\n', "bad-table", "CSV"),
        ("path,patient_id,AF,label_af\nx.npy,1,0,1\n", "bad-table", "'af'"),
        ("path,patient_id,female\nx.npy,1,0\n", "reserved-label", "sex"),
        ("path,patient_id,lvef_below_40\nx.npy,1,0\n", "reserved-label", "lvef"),
        ("path,patient_id\n", "empty-cohort", "none found"),
    ],
)
def test_unusable_tables(tmp_path: Path, text: str, code: str, word: str) -> None:
    np.save(tmp_path / "x.npy", twelve())
    error = error_of(Table(sampling_rate=100), table(tmp_path, text), tmp_path / "out")
    assert error.code == code
    assert word in error.message
    assert not (tmp_path / "out").exists()


def test_missing_table_and_unit(tmp_path: Path) -> None:
    assert error_of("table", tmp_path / "no.csv", tmp_path / "out").code == "file-missing"
    assert error_of("table", tmp_path, tmp_path / "out").code == "file-missing"
    error = error_of(Table(unit="milivolt"), tmp_path / "no.csv", tmp_path / "out")
    assert error.code == "unknown-unit"


def test_output_that_is_no_cohort_is_left_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", twelve())
    src = table(tmp_path, "path,patient_id\nx.npy,p\n")
    assert error_of(Table(sampling_rate=100), src, tmp_path).code == "output-not-a-cohort"
    assert error_of(Table(sampling_rate=100), src, src).code == "output-not-a-cohort"
    assert src.read_text().startswith("path")


def test_challenge_files_go_in(shared_data: Path, tmp_path: Path) -> None:
    stems = [p.with_suffix("") for p in sorted((shared_data / "challenge2021").glob("*.hea"))]
    src = table(tmp_path, "path,patient_id\n" + "".join(f"{p},{p.name}\n" for p in stems))
    cohort = ingest("table", src, tmp_path / "out")
    assert len(cohort) + cohort.info.n_refused == 20
    # Georgia's E-files break Einthoven's rule nowhere; whatever is refused must be said.
    assert len(cohort) >= 18, refused(cohort)


@pytest.mark.parametrize("name", sorted(READERS))
def test_every_reader_has_defaults_and_refuses_an_empty_folder(name: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert error_of(name, empty, tmp_path / "out").code in ("source-missing", "file-missing")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty"]


def test_long_tables_are_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [["path", " patient_id"], *([f"{i}.npy", f" p{i} "] for i in range(7)), ["7.npy"]]
    src = table(tmp_path, "\n\n".join(",".join(line) for line in cells))
    whole = read_csv(src).lines
    monkeypatch.setattr(delimited, "_ROWS_AT_ONCE", 3)
    read = read_csv(src)
    columns, lines = read.columns, read.lines
    assert columns == ["path", "patient_id"]
    assert list(lines) == list(whole) == [lines[i] for i in range(8)]
    assert (
        list(lines)[5:]
        == list(lines[5:])
        == [{"path": f"{i}.npy", "patient_id": p} for i, p in ((5, "p5"), (6, "p6"), (7, ""))]
    )
    assert list(lines.cells("patient_id")) == [line["patient_id"] for line in lines]
    with src.open("a") as file:
        file.write("\n8.npy,p8,1\n")
    with pytest.raises(HeartprintError, match=r"Row 9 of .* has 3 cells, its header 2"):
        read_csv(src)
    (tmp_path / "none.csv").write_text("path,patient_id\n")
    assert list(read_csv(tmp_path / "none.csv").lines) == []
