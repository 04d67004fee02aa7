"""A small made-up source for every reader, in the layout of the real one, with what must come out of it.

Each source holds three good ECGs of two patients where the source knows patients, and one broken record in the middle.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from heartprint.readers import (
    Challenge,
    Code15,
    EchoNext,
    Files,
    Images,
    Ludb,
    MimicIvEcg,
    Ptb,
    PtbXl,
    Reader,
    SamiTrop,
    Table,
)
from heartprint.signals.leads import LEADS_12
from tests.cohorts.ecgs import twelve, write_record
from tests.foundation.bad_pictures import dicom, encoded, noise
from tests.readers.hospital_files import WRITERS, Person, write_scp

Leads = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Known:
    """What must come out of one good record; ``leads`` (12, n) in mV, or in standard deviations, or an image."""

    ecg_id: str
    patient_id: str
    leads: Leads
    rate: float
    age: float | None = None
    sex: str | None = None
    recorded_at: dt.datetime | None = None
    device: str | None = None
    labels: Mapping[str, float | None] | None = None


@dataclass(frozen=True)
class Example:
    """A source on disk."""

    reader: Reader
    src: Path
    known: tuple[Known, ...]
    refused: Mapping[str, str]


def write_csv(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_challenge_record(folder: Path, name: str, leads_mv: Leads, rate: int, comments: list[str]) -> None:
    """Header and MATLAB v4 file as the Challenges have them: 24 bytes of MATLAB header, then the int16 matrix."""
    folder.mkdir(parents=True, exist_ok=True)
    digital = np.rint(leads_mv * 1000).astype("<i2")
    head = np.array([30, *digital.shape, 0, 4], dtype="<i4").tobytes() + b"val\0"
    (folder / f"{name}.mat").write_bytes(head + digital.T.tobytes())
    lines = [f"{name} 12 {rate} {digital.shape[1]}"]
    for row, lead in zip(digital, LEADS_12, strict=True):
        checksum = np.int64(row.sum(dtype=np.int64)).astype(np.int16)
        lines.append(f"{name}.mat 16x1+24 1000.0(0)/mV 16 0 {row[0]} {checksum} 0 {lead}")
    (folder / f"{name}.hea").write_text("\n".join([*lines, *comments]) + "\n")


def challenge(folder: Path) -> Example:
    leads = [twelve(rate=500, seed=i) for i in range(3)]
    write_challenge_record(
        folder / "georgia" / "g1", "E00001", leads[0], 500, ["#Age: 65", "#Sex: Male", "#Dx: 426783006"]
    )
    write_challenge_record(
        folder / "ningbo", "JS00002", leads[1], 500, ["# Age: 44", "# Sex: Female", "# Dx: 164889003"]
    )
    write_challenge_record(
        folder / "ningbo", "JS00003", leads[1], 500, ["# Age: 44", "# Sex: Female", "# Dx: 164889003"]
    )
    write_challenge_record(
        folder / "ptb-xl", "HR00004", leads[2], 500, ["# Age: 300", "# Sex: Unknown", "# Dx: 164890007,426783006"]
    )
    cut = folder / "ningbo" / "JS00003.mat"
    cut.write_bytes(cut.read_bytes()[:5000])
    return Example(
        Challenge(),
        folder,
        (
            Known("E00001", "E00001", leads[0], 500, 65, "male", labels={"af": 0}),
            Known("JS00002", "JS00002", leads[1], 500, 44, "female", labels={"af": 1}),
            Known("HR00004", "HR00004", leads[2], 500, 90, None, labels={"af": 1}),
        ),
        {"JS00003": "file-truncated"},
    )


def ptb_xl(folder: Path) -> Example:
    leads = [twelve(seed=i) for i in range(3)]
    rows: list[dict[str, object]] = []
    for i, (patient, age, sex, codes) in enumerate(
        [
            ("17.0", "300.0", "1", "{'AFIB': 0.0}"),
            ("17.0", "300.0", "1", "{'SR': 0.0}"),
            ("18.0", "61.0", "0", "{'SR': 0.0}"),
            ("18.0", "61.0", "0", "{'SR': 0.0}"),
        ],
        start=1,
    ):
        rows.append(
            {
                "ecg_id": i,
                "patient_id": patient,
                "age": age,
                "sex": sex,
                "device": "CS-12",
                "recording_date": f"1990-01-0{i} 03:04:05",
                "scp_codes": codes,
                "filename_lr": f"records100/{i:05d}_lr",
            }
        )
        names = tuple(name.upper() for name in LEADS_12)
        write_record(folder / "records100", f"{i:05d}_lr", leads[min(i - 1, 2)], 100, names)
    (folder / "records100" / "00003_lr.dat").unlink()
    write_csv(folder / "ptbxl_database.csv", rows)
    date = [dt.datetime(1990, 1, day, 3, 4, 5) for day in (1, 2, 4)]
    return Example(
        PtbXl(),
        folder,
        (
            Known("1", "17", leads[0], 100, 90, "female", date[0], "CS-12", {"af": 1}),
            Known("2", "17", leads[1], 100, 90, "female", date[1], "CS-12", {"af": 0}),
            Known("4", "18", leads[2], 100, 61, "male", date[2], "CS-12", {"af": 0}),
        ),
        {"3": "file-missing"},
    )


def table(folder: Path) -> Example:
    leads = [twelve(seed=i) for i in range(3)]
    np.save(folder / "a.npy", leads[0])
    np.save(folder / "b.npy", (1000 * leads[1]).T)
    np.save(folder / "bad.npy", leads[1][::-1])
    write_record(folder, "c", leads[2])
    common = {"patient_id": "p1", "date": "2019-05-31", "age": 64, "sex": "f", "unit": "", "device": "MAC 55", "af": 1}
    write_csv(
        folder / "ecgs.csv",
        [
            {"path": "a.npy", **common},
            {"path": "b.npy", **common, "unit": "uV", "date": "2020-01-02 10:11:12"},
            {"path": "bad.npy", **common},
            {"path": "c.hea", **common, "patient_id": "p2", "sex": "m", "age": "", "af": ""},
        ],
    )
    date = [dt.datetime(2019, 5, 31), dt.datetime(2020, 1, 2, 10, 11, 12)]
    return Example(
        Table(sampling_rate=100),
        folder / "ecgs.csv",
        (
            Known("a", "p1", leads[0], 100, 64, "female", date[0], "MAC 55", {"af": 1}),
            Known("b", "p1", leads[1], 100, 64, "female", date[1], "MAC 55", {"af": 1}),
            Known("c", "p2", leads[2], 100, None, "male", date[0], "MAC 55", {"af": None}),
        ),
        {"bad": "wrong-lead-order"},
    )


def images(folder: Path) -> Example:
    pixels = [noise(40 + 10 * i, 90) for i in range(3)]
    Image.fromarray(pixels[0]).save(folder / "a.png")
    first = Image.fromarray(pixels[2])
    first.save(folder / "b.tif", save_all=True, append_images=[Image.fromarray(pixels[1])])
    (folder / "bad.jpg").write_bytes(encoded(pixels[2], "JPEG")[:700])
    dicom(folder / "c.dcm", pixels[2], patient_id="p2")
    common = {"patient_id": "p1", "page": "", "recorded_at": "2019-05-31", "age": 64, "sex": "f", "af": 1}
    write_csv(
        folder / "scans.csv",
        [
            {"path": "a.png", **common},
            {"path": "b.tif", **common, "page": 2, "recorded_at": "2020-01-02 10:11:12"},
            {"path": "bad.jpg", **common},
            {"path": "c.dcm", **dict.fromkeys(common, "")},
        ],
    )
    date = [dt.datetime(2019, 5, 31), dt.datetime(2020, 1, 2, 10, 11, 12), dt.datetime(2019, 5, 31, 14, 7, 9)]
    return Example(
        Images(),
        folder / "scans.csv",
        (
            Known("a", "p1", pixels[0], 0, 64, "female", date[0], None, {"af": 1}),
            Known("b_2", "p1", pixels[1], 0, 64, "female", date[1], None, {"af": 1}),
            Known("c", "p2", pixels[2], 0, 64, "female", date[2], "ACME", {"af": None}),
        ),
        {"bad": "file-truncated"},
    )


def files(folder: Path) -> Example:
    known = []
    for i, (name, (write, _)) in enumerate(sorted(WRITERS.items())):
        # The suffix says nothing: the content decides.
        path = folder / f"ward {i % 2}" / f"{name}.ecg"
        path.parent.mkdir(exist_ok=True)
        person = Person(f"p{i // 2}", "FM"[i // 2 % 2], recorded_at=dt.datetime(2019, 5, 29 + i % 2, 14, 7, 9))
        stored = write(path, twelve(rate=500, seed=i), 500, person)
        sex = {"F": "female", "M": "male"}[person.sex]
        where = path.relative_to(folder).as_posix()
        known.append(Known(where, f"p{i // 2}", stored, 500, 63, sex, person.recorded_at, "MAC 55"))
    write_scp(folder / "cut.scp", twelve(rate=500), 500)
    (folder / "cut.scp").write_bytes((folder / "cut.scp").read_bytes()[:-999])
    (folder / "letter.pdf").write_bytes(b"%PDF-1.7\n...")
    (folder / ".DS_Store").write_bytes(b"hidden")
    refused = {"cut.scp": "file-truncated", "letter.pdf": "unknown-format"}
    return Example(Files(), folder, tuple(sorted(known, key=lambda k: k.ecg_id)), refused)


def mimic_iv_ecg(folder: Path) -> Example:
    leads = [twelve(rate=500, seed=i).astype(np.float64) for i in range(3)]
    leads[2][8, 100:200] = np.nan  # V3, stored as -32768
    # MIMIC's order: aVF before aVL.
    order = [0, 1, 2, 3, 5, 4, *range(6, 12)]
    names = tuple(LEADS_12[i] for i in order)
    records: list[dict[str, object]] = []
    measured: list[dict[str, object]] = []
    reports = [
        ["Atrial fibrillation with rapid ventricular response", "Abnormal ECG"],
        ["Sinus rhythm", "Normal ECG"],
        ["Sinus rhythm", ""],
        ["Possible atrial flutter", "Abnormal ECG"],
    ]
    for i, (patient, seed) in enumerate([(10001725, 0), (10001725, 1), (10002221, 1), (10002221, 2)]):
        study = 41420867 + i
        path = f"files/p1000/p{patient}/s{study}/{study}"
        kept = np.where(np.isnan(leads[seed]), -163.84, np.rint(leads[seed] * 200) / 200)
        write_record((folder / path).parent, str(study), kept[order], 500, names, gain=200.0)
        common = {"subject_id": patient, "study_id": study}
        when = f"2110-07-2{i} 08:44:00"
        records.append({**common, "file_name": study, "ecg_time": when, "path": path})
        row: dict[str, object] = {**common, "cart_id": 6848296, "ecg_time": when}
        row |= {f"report_{k}": reports[i][k] if k < 2 else "" for k in range(18)}
        measured.append(row | {"rr_interval": 29999})
    samples = folder / f"{records[2]['path']}.dat"
    samples.write_bytes(samples.read_bytes()[:777])
    write_csv(folder / "record_list.csv", records)
    write_csv(folder / "machine_measurements.csv", measured[::-1])
    write_csv(
        folder / "patients.csv",
        [
            {"subject_id": 10002221, "gender": "M", "anchor_age": 60, "anchor_year": 2105},
            {"subject_id": 10001725, "gender": "F", "anchor_age": 46, "anchor_year": 2110},
        ],
    )
    stored = [np.rint(lead * 200) / 200 for lead in leads]
    dates = [dt.datetime(2110, 7, 20 + i, 8, 44) for i in range(4)]
    return Example(
        MimicIvEcg(),
        folder,
        (
            Known("41420867", "10001725", stored[0], 500, 46, "female", dates[0], "6848296", {"af": 1}),
            Known("41420868", "10001725", stored[1], 500, 46, "female", dates[1], "6848296", {"af": 0}),
            Known("41420870", "10002221", stored[2], 500, 65, "male", dates[3], "6848296", {"af": None}),
        ),
        {"41420869": "file-truncated"},
    )


def write_tracings(path: Path, leads: list[Leads], exam_ids: list[int] | None) -> None:
    """(N, 4096, 12), zeros on both sides; as in CODE-15% with a last row of exam id 0."""
    import h5py

    block = np.zeros((len(leads) + (exam_ids is not None), 4096, 12), dtype=np.float32)
    for row, lead in zip(block, leads, strict=False):
        start = (4096 - lead.shape[1]) // 2
        row[start : start + lead.shape[1]] = lead.T
    with h5py.File(path, "w") as file:
        file["tracings"] = block
        if exam_ids is not None:
            file["exam_id"] = np.array([*exam_ids, 0], dtype=np.int64)


def code_15(folder: Path) -> Example:
    leads = [twelve(rate=400, seed=i) for i in range(3)]
    short = twelve(7.0, rate=400)
    write_tracings(folder / "exams_part0.hdf5", [leads[1], leads[0]], [900, 100])
    write_tracings(folder / "exams_part1.hdf5", [short, leads[2]], [300, 200])
    rows = [
        # In no order, as in the real table.
        {"exam_id": 200, "age": 77, "is_male": True, "AF": True, "patient_id": 5, "trace_file": "exams_part1.hdf5"},
        {"exam_id": 100, "age": 38, "is_male": False, "AF": False, "patient_id": 4, "trace_file": "exams_part0.hdf5"},
        {"exam_id": 300, "age": 38, "is_male": False, "AF": False, "patient_id": 4, "trace_file": "exams_part1.hdf5"},
        {"exam_id": 400, "age": 38, "is_male": False, "AF": False, "patient_id": 4, "trace_file": "exams_part7.hdf5"},
        {"exam_id": 900, "age": 38, "is_male": False, "AF": True, "patient_id": 4, "trace_file": "exams_part0.hdf5"},
    ]
    write_csv(folder / "exams.csv", [{**row, "nn_predicted_age": 40.1, "death": "", "normal_ecg": ""} for row in rows])
    return Example(
        Code15(),
        folder,
        (
            Known("900", "4", leads[1], 400, 38, "female", labels={"af": 1}),
            Known("100", "4", leads[0], 400, 38, "female", labels={"af": 0}),
            Known("200", "5", leads[2], 400, 77, "male", labels={"af": 1}),
        ),
        {"300": "too-short", "400": "file-missing"},
    )


def sami_trop(folder: Path) -> Example:
    leads = [twelve(rate=400, seed=i) for i in range(3)]
    write_tracings(folder / "exams.hdf5", [leads[0], twelve(7.0, rate=400), leads[1], leads[2]], None)
    rows = [
        {"exam_id": 14, "age": 68, "is_male": False, "death": True},
        {"exam_id": 15, "age": 68, "is_male": False, "death": True},
        {"exam_id": 13, "age": 59, "is_male": True, "death": False},
        {"exam_id": 12, "age": "", "is_male": True, "death": ""},
    ]
    write_csv(folder / "exams.csv", [{**row, "normal_ecg": False, "timey": 2.1} for row in rows])
    return Example(
        SamiTrop(),
        folder,
        (
            Known("14", "14", leads[0], 400, 68, "female", labels={"death": 1}),
            Known("13", "13", leads[1], 400, 59, "male", labels={"death": 0}),
            Known("12", "12", leads[2], 400, None, "male", labels={"death": None}),
        ),
        {"15": "too-short"},
    )


def echonext(folder: Path) -> Example:
    leads = [twelve(rate=250, seed=i) for i in range(4)]
    z = [lead / lead.std(axis=1, keepdims=True) for lead in leads]
    z[3] = z[3].copy()
    z[3][4] = 0.0
    np.save(folder / "EchoNext_train_waveforms.npy", np.stack([z[0].T, z[3].T, z[1].T])[:, None])
    np.save(folder / "EchoNext_val_waveforms.npy", z[2].T[None, None].astype(np.float64))
    rows = [
        {"ecg_key": 11, "patient_key": 1, "split": "train", "sex": "Female", "age_at_ecg": 64, "lvef_value": 35},
        {"ecg_key": 12, "patient_key": 2, "split": "val", "sex": "Male", "age_at_ecg": 90, "lvef_value": 60.0},
        {"ecg_key": 13, "patient_key": 3, "split": "train", "sex": "Male", "age_at_ecg": 50, "lvef_value": 55},
        {"ecg_key": 14, "patient_key": 1, "split": "train", "sex": "", "age_at_ecg": "", "lvef_value": ""},
        {"ecg_key": 15, "patient_key": 1, "split": "test", "sex": "", "age_at_ecg": "", "lvef_value": ""},
    ]
    write_csv(folder / "echonext_metadata_100k.csv", [{**row, "acquisition_year": 2015} for row in rows])
    return Example(
        EchoNext(),
        folder,
        (
            Known("11", "1", z[0], 250, 64, "female", labels={"lvef": 35}),
            Known("12", "2", z[2], 250, 90, "male", labels={"lvef": 60}),
            Known("14", "1", z[1], 250, labels={"lvef": None}),
        ),
        {"13": "flat-lead", "15": "file-missing"},
    )


def ptb(folder: Path) -> Example:
    leads = [twelve(12.0, rate=1000, seed=i) for i in range(3)]
    comments = [
        ("patient001", "s0010_re", leads[0], "81", "female", "01/10/1990", "Myocardial infarction"),
        ("patient001", "s0014lre", leads[1], "81", "female", "17/10/1990", "Myocardial infarction"),
        ("patient002", "s0015lre", leads[1], "58", "male", "28/02/1991", "Healthy control"),
        ("patient002", "s0016lre", leads[2], "n/a", "male", "n/a", "n/a"),
    ]
    names = [name.lower() for name in LEADS_12] + ["vx", "vy", "vz"]
    for patient, name, lead, age, sex, date, reason in comments:
        (folder / patient).mkdir(exist_ok=True)
        digital = np.rint(np.concatenate([lead, lead[6:9]]) * 2000).astype("<i2")
        (folder / patient / f"{name}.dat").write_bytes(digital[:12].T.tobytes())
        (folder / patient / f"{name}.xyz").write_bytes(digital[12:].T.tobytes())
        lines = [f"{name} 15 1000 {digital.shape[1]}"]
        for i, (row, label) in enumerate(zip(digital, names, strict=True)):
            checksum = np.int64(row.sum(dtype=np.int64)).astype(np.int16)
            suffix = "dat" if i < 12 else "xyz"
            lines.append(f"{name}.{suffix} 16 2000 16 0 {row[0]} {checksum} 0 {label}")
        lines += [f"# age: {age}", f"# sex: {sex}", f"# ECG date: {date}", "# Diagnose:"]
        lines += [f"# Reason for admission: {reason}", "# Acute infarction (localization): infero-latera"]
        (folder / patient / f"{name}.hea").write_text("\n".join(lines) + "\n")
    (folder / "patient002" / "s0015lre.dat").unlink()
    dates = [dt.datetime(1990, 10, 1), dt.datetime(1990, 10, 17)]
    return Example(
        Ptb(),
        folder,
        (
            Known("s0010_re", "patient001", leads[0], 1000, 81, "female", dates[0], labels={"infarction": 1}),
            Known("s0014lre", "patient001", leads[1], 1000, 81, "female", dates[1], labels={"infarction": 1}),
            Known("s0016lre", "patient002", leads[2], 1000, None, "male", labels={"infarction": None}),
        ),
        {"s0015lre": "file-missing"},
    )


def ludb(folder: Path) -> Example:
    leads = [twelve(rate=500, seed=i) for i in range(3)]
    (folder / "data").mkdir()
    people = [("9", leads[0], "51", "F", "Atrial flutter, typical"), ("10", leads[1], "64", "M", "Sinus rhythm")]
    people += [("11", leads[1], "64", "M", "Sinus rhythm"), ("100", leads[2], "19", "M", "")]
    for name, lead, age, sex, rhythm in people:
        digital = np.rint(lead * 1000).astype("<i2")  # 1 uV, whatever the gains say
        (folder / "data" / f"{name}.dat").write_bytes(digital.T.tobytes())
        lines = [f"{name} 12 500 {digital.shape[1]}"]
        for i, (row, label) in enumerate(zip(digital, LEADS_12, strict=True)):
            checksum = np.int64(row.sum(dtype=np.int64)).astype(np.int16)
            lines.append(f"{name}.dat 16 {700 + 100 * i}({i - 5})/mV 0 0 {row[0]} {checksum} 0 {label.lower()}")
        lines += [f"#<age>: {age}", f"#<sex>: {sex}", "#<diagnoses>:", *([f"#Rhythm: {rhythm}."] if rhythm else [])]
        (folder / "data" / f"{name}.hea").write_text("\n".join(lines) + "\n")
    (folder / "data" / "11.dat").unlink()
    machine = "Schiller Cardiovit AT-101"
    return Example(
        Ludb(),
        folder,
        (
            Known("9", "9", leads[0], 500, 51, "female", None, machine, {"af": 1}),
            Known("10", "10", leads[1], 500, 64, "male", None, machine, {"af": 0}),
            Known("100", "100", leads[2], 500, 19, "male", None, machine, {"af": None}),
        ),
        {"11": "file-missing"},
    )


EXAMPLES: dict[str, Callable[[Path], Example]] = {
    "challenge": challenge,
    "code-15": code_15,
    "echonext": echonext,
    "files": files,
    "images": images,
    "ludb": ludb,
    "mimic-iv-ecg": mimic_iv_ecg,
    "ptb": ptb,
    "ptb-xl": ptb_xl,
    "sami-trop": sami_trop,
    "table": table,
}
"""By the name of the reader."""
