"""Where public sets lie, and what must be done for those that are not open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class OpenSet:
    """A set that anyone may fetch.

    Attributes:
        title: For people.
        publisher: How its files are listed: PhysioNet's ``SHA256SUMS.txt``, or Zenodo's record with MD5 sums.
        address: Folder of the version (PhysioNet), or the record's address in the API (Zenodo).
        licence: As its publisher names it.
        doi: What to cite.
        reader: Name of the reader that ingests it.
        wanted: Patterns of the files that are fetched unless others are asked for.
        always: Patterns of the files without which nothing can be read.
        note: What one should know before or after.
    """

    title: str
    publisher: Literal["physionet", "zenodo"]
    address: str
    licence: str
    doi: str
    reader: str
    wanted: tuple[str, ...] = ("*",)
    always: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ClosedSet:
    """A set that its publisher gives only to those who have agreed to something.

    Attributes:
        title: For people.
        what_to_do: One or two sentences.
    """

    title: str
    what_to_do: str


_PHYSIONET = "https://physionet.org/files"
_ZENODO = "https://zenodo.org/api/records"

SETS: Mapping[str, OpenSet] = {
    "ptb-xl": OpenSet(
        "PTB-XL 1.0.3",
        "physionet",
        f"{_PHYSIONET}/ptb-xl/1.0.3/",
        "CC BY 4.0",
        "10.13026/kfzx-aw45",
        "ptb-xl",
        wanted=("records100/*",),
        always=("ptbxl_database.csv", "scp_statements.csv", "LICENSE.txt"),
        note="This is the 100 Hz version; for 500 Hz add --only 'records500/*' and ingest with --rate 500.",
    ),
    "challenge-2021": OpenSet(
        "PhysioNet Challenge 2021 1.0.3",
        "physionet",
        f"{_PHYSIONET}/challenge-2021/1.0.3/",
        "CC BY 4.0",
        "10.13026/34va-7q14",
        "challenge",
        wanted=("training/*",),
        always=("LICENSE.txt",),
        note="It holds PTB-XL and PTB too; to fetch one collection, e.g. Georgia: --only 'training/georgia/*'.",
    ),
    "challenge-2020": OpenSet(
        "PhysioNet Challenge 2020 1.0.2",
        "physionet",
        f"{_PHYSIONET}/challenge-2020/1.0.2/",
        "CC BY 4.0",
        "10.13026/f4ab-0814",
        "challenge",
        wanted=("training/*",),
        always=("LICENSE.txt",),
        note="The Challenge of 2021 holds all of it and more.",
    ),
    "ptb": OpenSet(
        "PTB Diagnostic ECG Database 1.0.0",
        "physionet",
        f"{_PHYSIONET}/ptbdb/1.0.0/",
        "ODC-By 1.0",
        "10.13026/C28C71",
        "ptb",
        # The headers name the Frank leads' files too.
        wanted=("patient*/*.hea", "patient*/*.dat", "patient*/*.xyz"),
    ),
    "ludb": OpenSet(
        "LUDB 1.0.1",
        "physionet",
        f"{_PHYSIONET}/ludb/1.0.1/",
        "ODC-By 1.0",
        "10.13026/eegm-h675",
        "ludb",
    ),
    "mimic-iv-ecg": OpenSet(
        "MIMIC-IV-ECG 1.0",
        "physionet",
        f"{_PHYSIONET}/mimic-iv-ecg/1.0/",
        "ODbL 1.0",
        "10.13026/4nqg-sb35",
        "mimic-iv-ecg",
        wanted=("files/*",),
        always=("record_list.csv", "machine_measurements.csv", "LICENSE.txt"),
        note="Age and sex are in MIMIC-IV's hosp/patients.csv.gz, LVEF in its echo reports: both need PhysioNet's "
        "credentialed access (physionet.org/content/mimiciv). Put patients.csv.gz beside record_list.csv.",
    ),
    "code-15": OpenSet(
        "CODE-15%",
        "zenodo",
        f"{_ZENODO}/4916206",
        "CC BY 4.0",
        "10.5281/zenodo.4916206",
        "code-15",
        wanted=("exams_part*.zip",),
        always=("exams.csv",),
        note="Parts that you leave out (--only exams_part0.zip) are refused row by row when the set is ingested.",
    ),
    "sami-trop": OpenSet(
        "SaMi-Trop",
        "zenodo",
        f"{_ZENODO}/4905618",
        "CC BY 4.0",
        "10.5281/zenodo.4905618",
        "sami-trop",
        wanted=("exams.zip",),
        always=("exams.csv",),
    ),
}
"""Open sets by name."""

CLOSED: Mapping[str, ClosedSet] = {
    "echonext": ClosedSet(
        "EchoNext",
        "Sign in at physionet.org/content/echonext, sign its data use agreement, fetch the files listed there, "
        "then run 'heartprint ingest echonext FOLDER OUT'.",
    ),
    "mimic-iv": ClosedSet(
        "MIMIC-IV (patients, echo reports)",
        "Become a credentialed user at physionet.org (a course and a signed agreement), then fetch "
        "hosp/patients.csv.gz from physionet.org/content/mimiciv. The ECGs themselves are open: "
        "'heartprint download mimic-iv-ecg OUT'.",
    ),
}
"""Sets that cannot be fetched without an agreement, by name."""
