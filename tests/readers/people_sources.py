"""Sources of every reader that names patients, with any ids, sexes, ages and dates written into them as texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from heartprint.readers import Code15, EchoNext, Files, Images, MimicIvEcg, PtbXl, Reader, Table
from tests.cohorts.ecgs import twelve, write_record
from tests.foundation.bad_pictures import noise
from tests.readers.hospital_files import WRITERS, Person
from tests.readers.sources import write_csv, write_tracings


@dataclass(frozen=True)
class Said:
    """What a source says of one ECG; texts as they are written. Sex and age where the reader has a code of its own."""

    patient_id: str
    sex: str = "F"
    age: str = "64"
    date: str = "2019-05-31 14:07:09"


Made = tuple[Reader, Path]


def table(folder: Path, ecgs: Sequence[Said]) -> Made:
    rows: list[dict[str, object]] = []
    for i, said in enumerate(ecgs):
        np.save(folder / f"{i}.npy", twelve(seed=i))
        rows.append({"path": f"{i}.npy", **vars(said)})
    write_csv(folder / "t.csv", rows)
    return Table(sampling_rate=100), folder / "t.csv"


def images(folder: Path, ecgs: Sequence[Said]) -> Made:
    rows: list[dict[str, object]] = []
    for i, said in enumerate(ecgs):
        Image.fromarray(noise(40 + i, 90)).save(folder / f"{i}.png")
        rows.append({"path": f"{i}.png", **vars(said)})
    write_csv(folder / "t.csv", rows)
    return Images(), folder / "t.csv"


def ptb_xl(folder: Path, ecgs: Sequence[Said]) -> Made:
    rows: list[dict[str, object]] = []
    for i, said in enumerate(ecgs):
        write_record(folder, f"r{i}", twelve(seed=i))
        about = {"ecg_id": 1000 + i, "patient_id": said.patient_id, "age": said.age, "recording_date": said.date}
        sex = {"F": "1", "M": "0"}.get(said.sex, said.sex)
        rows.append({**about, "sex": sex, "scp_codes": "{}", "filename_lr": f"r{i}"})
    write_csv(folder / "ptbxl_database.csv", rows)
    return PtbXl(), folder


def code_15(folder: Path, ecgs: Sequence[Said]) -> Made:
    write_tracings(folder / "p.hdf5", [twelve(rate=400, seed=i) for i in range(len(ecgs))], [*range(1, len(ecgs) + 1)])
    rows: list[dict[str, object]] = []
    for i, said in enumerate(ecgs):
        about = {"exam_id": i + 1, "patient_id": said.patient_id, "age": said.age, "AF": 0, "trace_file": "p.hdf5"}
        rows.append({**about, "is_male": {"F": "False", "M": "True"}.get(said.sex, said.sex)})
    write_csv(folder / "exams.csv", rows)
    return Code15(), folder


def mimic(folder: Path, ecgs: Sequence[Said]) -> Made:
    records: list[dict[str, object]] = []
    patients: list[dict[str, object]] = []
    for i, said in enumerate(ecgs):
        write_record(folder / "files", f"r{i}", twelve(seed=i))
        about = {"study_id": 1000 + i, "file_name": i, "path": f"files/r{i}", "ecg_time": said.date}
        records.append({"subject_id": said.patient_id, **about})
        known = {"gender": said.sex, "anchor_age": said.age, "anchor_year": said.date[:4]}
        patients.append({"subject_id": said.patient_id, **known})
    write_csv(folder / "record_list.csv", records)
    write_csv(folder / "patients.csv", patients)
    return MimicIvEcg(), folder


def echonext(folder: Path, ecgs: Sequence[Said]) -> Made:
    leads = np.stack([twelve(rate=250, seed=i) for i in range(len(ecgs))])
    z = leads / leads.std(axis=2, keepdims=True)
    np.save(folder / "EchoNext_test_waveforms.npy", z.transpose(0, 2, 1)[:, None])
    rows: list[dict[str, object]] = []
    for i, said in enumerate(ecgs):
        about = {"ecg_key": 1000 + i, "patient_key": said.patient_id, "split": "test", "sex": said.sex}
        rows.append({**about, "age_at_ecg": said.age})
    write_csv(folder / "echonext_metadata_100k.csv", rows)
    return EchoNext(), folder


def files_of(form: str) -> Callable[[Path, Sequence[Said]], Made]:
    def make(folder: Path, ecgs: Sequence[Said]) -> Made:
        write = WRITERS[form][0]
        for i, said in enumerate(ecgs):
            person = replace(Person(), patient_id=said.patient_id, sex=said.sex)
            write(folder / f"{i}.ecg", twelve(rate=250, seed=i), 250, person)
        return Files(), folder

    return make


NAMED_IN_FILES = tuple(sorted(set(WRITERS) - {"csv", "npy", "wfdb"}))
SOURCES: dict[str, Callable[[Path, Sequence[Said]], Made]] = {
    "code-15": code_15,
    "echonext": echonext,
    "images": images,
    "mimic-iv-ecg": mimic,
    "ptb-xl": ptb_xl,
    "table": table,
    **{f"files: {form}": files_of(form) for form in NAMED_IN_FILES},
}
"""By reader, and of files by format."""


def rewritten(path: Path, pattern: str, new: str) -> None:
    """Change a text in an XML file, whatever its encoding."""
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "iso-8859-1"
    text, n = re.subn(pattern, new, data.decode(encoding))
    assert n, (path, pattern)
    path.write_bytes(text.encode(encoding))
