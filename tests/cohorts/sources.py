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

from heartprint.cohorts.leads import LEADS_12
from heartprint.cohorts.readers import Challenge, Files, PtbXl, Reader, Table

from .ecgs import twelve, write_record
from .hospital_files import WRITERS, Person, write_scp

Leads = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Known:
    """What must come out of one good record; ``leads`` (12, n) in mV, or in standard deviations."""

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
            ("17.0", "61.0", "1", "{'SR': 0.0}"),
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
            Known("2", "17", leads[1], 100, 61, "female", date[1], "CS-12", {"af": 0}),
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


def files(folder: Path) -> Example:
    known = []
    for i, (name, (write, _)) in enumerate(sorted(WRITERS.items())):
        # The suffix says nothing: the content decides.
        path = folder / f"ward {i % 2}" / f"{name}.ecg"
        path.parent.mkdir(exist_ok=True)
        person = Person(f"p{i // 2}", "FM"[i % 2], recorded_at=dt.datetime(2019, 5, 29 + i % 2, 14, 7, 9))
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


EXAMPLES: dict[str, Callable[[Path], Example]] = {
    "challenge": challenge,
    "files": files,
    "ptb-xl": ptb_xl,
    "table": table,
}
"""By the name of the reader."""
