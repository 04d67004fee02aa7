from __future__ import annotations

import csv
import datetime as dt
import errno
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import CAUTIONS_FILE, RECORDS_FILE, REFUSED_FILE, WAVEFORMS_FILE
from heartprint.cohorts.writer import CohortWriter
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import PtbXl, ingest
from heartprint.readers.formats.wfdb import read_wfdb
from heartprint.signals.leads import LEADS_12, twelve_leads
from tests.cohorts.ecgs import twelve, write_record

COLUMNS = ["ecg_id", "patient_id", "age", "sex", "site", "device", "recording_date", "report", "scp_codes"]
COLUMNS += ["filename_lr", "filename_hr"]
PTB_XL_NAMES = tuple(name.upper() for name in LEADS_12)


def make_source(folder: Path, rows: list[dict[str, str]]) -> Path:
    """A folder in PTB-XL's form; each row may overwrite the plain cells; one good file per row."""
    folder.mkdir(parents=True)
    with (folder / "ptbxl_database.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        for i, row in enumerate(rows, start=1):
            plain = {
                "ecg_id": str(i),
                "patient_id": f"{100 + i}.0",
                "age": "50.0",
                "sex": str(i % 2),
                "site": "2.0",
                "device": "CS-12   E",
                "recording_date": "1990-01-02 03:04:05",
                "report": 'sinus, "normal"\nsecond line',
                "scp_codes": "{'NORM': 100.0, 'SR': 0.0}",
                "filename_lr": f"records100/{i:05d}_lr",
                "filename_hr": f"records500/{i:05d}_hr",
            }
            writer.writerow(plain | row)
            write_record(folder / "records100", f"{i:05d}_lr", twelve(seed=i), 100, PTB_XL_NAMES)
    return folder


def refused(cohort: Cohort) -> dict[str, str]:
    table = pl.read_parquet(cohort.path / REFUSED_FILE)
    assert all(m.endswith(".") and "\n" not in m for m in table["message"])
    return dict(zip(table["ecg_id"].to_list(), table["code"].to_list(), strict=True))


def test_columns(tmp_path: Path) -> None:
    rows = [
        {"scp_codes": "{'AFIB': 0.0}", "age": "300.0"},
        {"scp_codes": "{'AFLT': 100.0, 'NORM': 0.0}", "age": "", "sex": "", "site": "", "recording_date": ""},
        {"scp_codes": "{}"},
        {"scp_codes": "", "age": "89"},
        {"scp_codes": "{'NOAFIB': 1}"},
    ]
    cohort = ingest(PtbXl(), make_source(tmp_path / "src", rows), tmp_path / "out")
    r = cohort.records
    assert r["ecg_id"].to_list() == ["1", "2", "3", "4", "5"]
    assert r["patient_id"].to_list() == ["101", "102", "103", "104", "105"]
    assert r["label_af"].to_list() == [1, 1, 0, None, 0]
    assert r["age"].to_list() == [90, None, 50, 89, 50]
    assert r["sex"].to_list() == ["female", None, "female", "male", "female"]
    assert r["site"].to_list() == ["2", None, "2", "2", "2"]
    assert set(r["device"]) == {"CS-12 E"}
    assert r["recorded_at"].to_list()[:2] == [dt.datetime(1990, 1, 2, 3, 4, 5), None]
    assert np.isnan(cohort.labels("af")).tolist() == [False, False, False, True, False]
    assert any("300" in note and " 1 ECGs" in note for note in cohort.info.settings["notes"])
    assert not cohort.info.simulated
    assert refused(cohort) == {}


def test_bad_records_are_refused_and_the_rest_goes_in(tmp_path: Path) -> None:
    src = make_source(
        tmp_path / "src",
        [
            {},
            {},  # 2: .dat missing
            {},  # 3: .dat truncated
            {},  # 4: header missing
            {},  # 5: header says more leads than it describes
            {},  # 6: header says fewer samples than there are
            {},  # 7: one bit changed
            {},  # 8: swapped leads
            {},  # 9: microvolts called millivolts
            {},  # 10: flat lead
            {},  # 11: no V6
            {},  # 12: 5 s
            {},  # 13: half of V1 missing
            {"ecg_id": "1"},  # duplicated
            {"patient_id": ""},  # 15
            {"sex": "2"},  # 16
            {"sex": "x"},  # 17
            {"age": "-3"},  # 18
            {"recording_date": "yesterday"},  # 19
            {"scp_codes": "__import__('os').system('true')"},  # 20
            {},  # 21: header of no known form
            {"filename_lr": ""},  # 22
            {},  # 23: empty header
            {},  # 24: unit that is no voltage
            {},  # 25: .dat is a folder
            {},  # 26: two spans missing, within the limit
        ],
    )
    folder = src / "records100"

    def replace(i: int, leads: np.ndarray, names: tuple[str, ...] = PTB_XL_NAMES, **options) -> None:
        write_record(folder, f"{i:05d}_lr", leads, 100, names, **options)

    def header(i: int, pattern: str, to: str) -> None:
        file = folder / f"{i:05d}_lr.hea"
        text, n = re.subn(pattern, to, file.read_text(), count=1)
        assert n == 1
        file.write_text(text)

    (folder / "00002_lr.dat").unlink()
    dat = folder / "00003_lr.dat"
    dat.write_bytes(dat.read_bytes()[:-100])
    (folder / "00004_lr.hea").unlink()
    header(5, "_lr 12 ", "_lr 13 ")
    header(6, " 1000\n", " 990\n")
    dat = folder / "00007_lr.dat"
    dat.write_bytes(dat.read_bytes()[:5000] + bytes([dat.read_bytes()[5000] ^ 1]) + dat.read_bytes()[5001:])
    header(8, " I\n", " X\n")
    header(8, " II\n", " I\n")
    header(8, " X\n", " II\n")
    replace(9, 1000 * twelve(), gain=1.0)
    flat = twelve()
    flat[7] = 0
    replace(10, flat)
    replace(11, twelve()[:11], PTB_XL_NAMES[:11])
    replace(12, twelve(5.0))
    gap = twelve().astype(np.float64)
    gap[6, :500] = -32.768
    replace(13, gap)
    (folder / "00021_lr.hea").write_text("<html>not found</html>\n")
    (folder / "00023_lr.hea").write_text("# nothing\n")
    replace(24, twelve(), unit="mmHg")
    (folder / "00025_lr.dat").unlink()
    (folder / "00025_lr.dat").mkdir()
    gap = twelve().astype(np.float64)
    gap[:, 40:50] = gap[:, 400:450] = -32.768
    replace(26, gap)

    cohort = ingest(PtbXl(), src, tmp_path / "out")
    assert cohort.ecg_ids.tolist() == ["1", "16", "17", "18", "19", "20", "26"]
    assert cohort.records["n_missing"].to_list() == [0, 0, 0, 0, 0, 0, 480]
    assert np.isnan(cohort.signal(6)[:, 400:450]).all()
    # The leads of these made-up ECGs have random signs, and some look upside down; here it is the fields that count.
    cautions = pl.read_parquet(cohort.path / CAUTIONS_FILE).filter(pl.col("code") != "inverted-leads")
    odd = {"16": "unknown-sex", "18": "bad-age", "19": "bad-date", "20": "bad-label"}
    assert dict(zip(cautions["ecg_id"], cautions["code"], strict=True)) == odd
    for i, column in enumerate(("sex", "sex", "age", "recorded_at", "label_af"), start=1):
        assert cohort.records[column][i] is None, column
    table = pl.read_parquet(cohort.path / REFUSED_FILE)
    assert table.filter(pl.col("code") == "duplicate-ecg-id")["ecg_id"].to_list() == ["1"]
    assert table.height == cohort.info.n_refused == 19
    codes = refused(cohort)
    codes.pop("1")
    assert codes == {
        "2": "file-missing",
        "3": "file-truncated",
        "4": "file-missing",
        "5": "header-mismatch",
        "6": "header-mismatch",
        "7": "header-mismatch",
        "8": "wrong-lead-order",
        "9": "implausible-amplitude",
        "10": "flat-lead",
        "11": "missing-lead",
        "12": "too-short",
        "13": "too-many-missing",
        "15": "missing-patient-id",
        "21": "bad-header",
        "22": "file-missing",
        "23": "bad-header",
        "24": "bad-unit",
        "25": "file-missing",
    }


def test_unforeseen_error_in_one_file_costs_one_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from heartprint.readers import ptb_xl

    def explode(path: Path):
        if path.name.startswith("00002"):
            raise RuntimeError("cosmic ray")
        return read_wfdb(path)

    monkeypatch.setattr(ptb_xl, "read_wfdb", explode)
    cohort = ingest(PtbXl(), make_source(tmp_path / "src", [{}, {}, {}]), tmp_path / "out")
    assert refused(cohort) == {"2": "unreadable-file"}
    assert len(cohort) == 2


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        (lambda src: (src / "ptbxl_database.csv").unlink(), "source-missing"),
        (lambda src: (src / "ptbxl_database.csv").write_text("ecg_id,patient_id\n1,2\n"), "bad-table"),
        (lambda src: (src / "ptbxl_database.csv").write_text(""), "bad-table"),
        (lambda src: (src / "ptbxl_database.csv").write_bytes(b"ecg_id\n\xff\xfe\n"), "bad-table"),
        (lambda src: shutil.rmtree(src / "records100"), "empty-cohort"),
    ],
)
def test_unusable_source(tmp_path: Path, break_it, code: str) -> None:
    src = make_source(tmp_path / "src", [{}])
    break_it(src)
    with pytest.raises(HeartprintError) as caught:
        ingest("ptb-xl", src, tmp_path / "out")
    assert caught.value.code == code
    assert sorted(p.name for p in tmp_path.iterdir()) == ["src"]


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(HeartprintError) as caught:
        ingest("ptbxl", tmp_path, tmp_path / "out")
    assert caught.value.code == "unknown-reader"
    assert "'ptb-xl'" in caught.value.message
    with pytest.raises(HeartprintError) as caught:
        ingest(PtbXl(rate=250), tmp_path, tmp_path / "out")
    assert caught.value.code == "unknown-rate"


def test_same_source_gives_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    one = make_source(tmp_path / "one", [{}, {}, {"sex": "7"}])
    shutil.copytree(one, tmp_path / "elsewhere" / "two")
    a = ingest(PtbXl(), one, tmp_path / "a" / "cohort")
    b = ingest(PtbXl(), tmp_path / "elsewhere" / "two", tmp_path / "b" / "cohort")
    for file in a.path.iterdir():
        assert file.read_bytes() == (b.path / file.name).read_bytes(), file.name


def test_full_disk_leaves_the_old_cohort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    old = ingest(PtbXl(), make_source(tmp_path / "old", [{}]), out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    src = make_source(tmp_path / "new", [{}] * 4)
    add = CohortWriter.add

    def full(self: CohortWriter, *args, **options) -> None:
        if len(self) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        add(self, *args, **options)

    monkeypatch.setattr(CohortWriter, "add", full)
    with pytest.raises(HeartprintError) as caught:
        ingest(PtbXl(), src, out, overwrite=True)
    assert caught.value.code == "disk-full"
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "old", "out"]
    np.testing.assert_array_equal(Cohort.open(out).signal(0), old.signal(0))


def test_full_disk_while_writing_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    src = make_source(tmp_path / "src", [{}])
    ingest(PtbXl(), src, out)
    before = (out / RECORDS_FILE).read_bytes()

    def full(*args, **options) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(HeartprintError, match="full"):
        ingest(PtbXl(), src, out, overwrite=True)
    assert (out / RECORDS_FILE).read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "src"]


def test_fast_path_scales_like_the_document(tmp_path: Path) -> None:
    leads = twelve().astype(np.float64)
    digital = write_record(tmp_path, "r", leads, unit="uV", gain=204.8, baseline=-7)
    got = read_wfdb(tmp_path / "r.hea")
    np.testing.assert_allclose(got.signal, (digital + 7) / 204.8 / 1000, rtol=1e-12)
    assert got.lead_names == LEADS_12


@pytest.mark.parametrize("fmt", ["16", "212", "24", "32", "80"])
def test_every_format_equals_wfdb(tmp_path: Path, fmt: str) -> None:
    wfdb = pytest.importorskip("wfdb")
    gain = 40.0 if fmt == "80" else 500.0
    wfdb.wrsamp(
        "r",
        fs=100,
        units=["mV"] * 12,
        sig_name=list(LEADS_12),
        p_signal=twelve().astype(np.float64).T,
        fmt=[fmt] * 12,
        adc_gain=[gain] * 12,
        baseline=[0] * 12,
        write_dir=str(tmp_path),
    )
    got = read_wfdb(tmp_path / "r")
    truth = wfdb.rdrecord(str(tmp_path / "r"))
    np.testing.assert_array_equal(got.signal, truth.p_signal.T)
    assert (list(got.lead_names), got.sampling_rate) == (truth.sig_name, 100.0)
    dat = tmp_path / "r.dat"
    whole = dat.read_bytes()
    dat.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(HeartprintError) as caught:
        read_wfdb(tmp_path / "r")
    assert caught.value.code == "file-truncated"
    dat.unlink()
    with pytest.raises(HeartprintError) as caught:
        read_wfdb(tmp_path / "r")
    assert caught.value.code == "file-missing"


@pytest.fixture(scope="session")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return ingest(PtbXl(), shared_data / "ptb-xl", tmp_path_factory.mktemp("real") / "ptb-xl")


def test_all_real_ecgs_go_in(real: Cohort) -> None:
    assert (len(real), real.n_patients, real.info.n_refused) == (1423, 1325, 0)
    of_people = {"bad-age", "bad-date", "dummy-date", "unknown-sex", "crowded-patient-id", "placeholder-patient-id"}
    assert of_people.isdisjoint(pl.read_parquet(real.path / CAUTIONS_FILE)["code"])
    assert np.nansum(real.labels("af")) == 74
    assert np.nansum(real.labels("female")) == 752
    assert real.records["n_clipped"].sum() == real.records["n_missing"].sum() == 0
    assert real.records["age"].max() < 100
    assert (real.path / WAVEFORMS_FILE).stat().st_size == 1423 * 8 * 1000 * 2


def test_real_amplitudes_equal_wfdb_within_1_uv(real: Cohort, shared_data: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    for row in range(0, len(real), 97):
        number = int(real.ecg_ids[row])
        folder = shared_data / "ptb-xl" / "records100" / f"{number // 1000 * 1000:05d}"
        truth = wfdb.rdrecord(str(folder / f"{number:05d}_lr"))
        assert [n.lower() for n in truth.sig_name] == [n.lower() for n in LEADS_12]
        difference_uv = 1000 * (twelve_leads(real.signal(row)) - truth.p_signal.T)
        stored = [LEADS_12.index(n) for n in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")]
        assert np.abs(difference_uv[stored]).max() < 0.01
        # III, aVR, aVL, aVF were rounded by the publisher each by itself, in steps of 1 uV.
        assert np.abs(difference_uv).max() < 3


def test_500_hz_takes_what_there_is(shared_data: Path, tmp_path: Path) -> None:
    cohort = ingest(PtbXl(rate=500), shared_data / "ptb-xl", tmp_path / "out")
    assert len(cohort) == 60
    assert cohort.signal(59).shape == (8, 5000)
    assert set(refused(cohort).values()) == {"file-missing"}
    assert cohort.info.n_refused == 1363


@pytest.mark.slow
def test_fast_path_equals_wfdb_on_every_real_file(shared_data: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    headers = sorted((shared_data / "ptb-xl").rglob("*.hea")) + sorted((shared_data / "challenge2021").glob("*.hea"))
    assert len(headers) >= 1423 + 60 + 20
    for header in headers:
        truth = wfdb.rdrecord(str(header.with_suffix("")))
        got = read_wfdb(header)
        np.testing.assert_array_equal(got.signal, truth.p_signal.T, err_msg=header.name)
        assert list(got.lead_names) == truth.sig_name
        assert got.sampling_rate == truth.fs
