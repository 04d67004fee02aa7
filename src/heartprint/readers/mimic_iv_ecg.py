"""MIMIC-IV-ECG: Diagnostic Electrocardiogram Matched Subset, in its own folder form.

Gow B et al., MIMIC-IV-ECG (version 1.0), PhysioNet (2023).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from heartprint.readers.formats.wfdb import read_wfdb
from heartprint.readers.source import Details, LazyRows, Recording, Row, Source
from heartprint.tables import fields
from heartprint.tables.delimited import read_frame

RECORDS = "record_list.csv"
MEASUREMENTS = "machine_measurements.csv"
PATIENTS = ("patients.csv", "patients.csv.gz")
"""MIMIC-IV's own table of patients, the only source of sex and age (91 stands for all above 89)."""

_REPORTS = [f"report_{i}" for i in range(18)]
# The machine's codes for 'missing' lie far above any voltage at the skin.
_LARGEST_MV = 100.0
_SEXES = {"f": "female", "m": "male"}
_YEARS = re.compile(r"(\d{4})\s*-\s*(\d{4})")

_AF = re.compile(r"\batrial\s+(?:fibrillation|flutter|fib|flut)\b|\ba[- ]?fib\b|\ba[- ]?flutter\b", re.IGNORECASE)
_EITHER = re.compile(r"(fib(?:rillation)?)\s*(?:/|or|and)\s*(?:atrial\s+)?flut(?:ter)?\b", re.IGNORECASE)
# 'Sinus rhythm has replaced atrial fibrillation' and the like speak of an earlier ECG.
_DENIED = re.compile(
    r"\b(?:no|not|without|absen\w+|replac\w+|resolved|previous\w*|prior|history|compared|former\w*)\b", re.IGNORECASE
)
_UNSURE = re.compile(
    r"\b(?:possib\w+|probab\w+|consider|cannot|can't|rule\s+out|exclude|suggest\w*|suspect\w*|versus|vs|likely|may|"
    r"might|undetermined|questionable|uncertain)\b|\?",
    re.IGNORECASE,
)
# 'AF or sinus rhythm' is unsure of the rhythm; 'AF with PVCs or aberrant conduction' is not.
_OR_RHYTHM = re.compile(
    r"\bor\b(?=.*\b(?:sinus|rhythm|tachycardia|bradycardia|flut\w*|fib\w*|junctional|ectopic|multifocal|mat|svt)\b)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;:()]|\s-+\s")
# 'AF has replaced sinus rhythm' states it; 'AF is replaced by sinus rhythm' speaks of an earlier ECG.
_LATER_DENIED = re.compile(
    r"\b(?:(?:been|was|were|is|are|now)\s+replaced|replaced\s+(?:by|with)|resolved|no\s+longer|not|absent|ruled\s+out|excluded)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class MimicIvEcg:
    """Reader of MIMIC-IV-ECG.

    The label ``af`` comes from the machine's report, statement by statement: 1 if one states atrial fibrillation or
    flutter; missing if they are only thought possible or probable; 0 if there is a report without them, or if it
    says that they are gone; missing where there is no report. No cardiologist has confirmed it. Dates are shifted by
    the publisher; the number ``calendar_year`` is when an ECG was recorded, right to one year, from the group of three
    years that ``patients.csv`` names.
    """

    def open(self, src: Path) -> Source:
        """Read the tables.

        Args:
            src: The folder that holds ``record_list.csv`` and ``files``. ``machine_measurements.csv`` gives the AF
                label, MIMIC-IV's ``patients.csv`` (or ``.gz``) sex and age; without them these are missing.

        Raises:
            HeartprintError: ``source-missing`` or ``bad-table``.
        """
        notes: list[str] = []
        records = read_frame(src / RECORDS, ["subject_id", "study_id", "ecg_time", "path"], notes=notes)
        labels = ["af"]
        notes += ["MIMIC-IV shifts dates per patient: only gaps within a patient mean anything."]
        if (src / MEASUREMENTS).is_file():
            measured = read_frame(src / MEASUREMENTS, ["study_id", "report_0"], [*_REPORTS[1:], "cart_id"], notes)
            reports = [c for c in _REPORTS if c in measured.columns]
            joined = pl.concat_str(reports, separator="\n").str.strip_chars().alias("report")
            cart = pl.col("cart_id") if "cart_id" in measured.columns else pl.lit("").alias("cart_id")
            measured = measured.select("study_id", joined, cart).unique("study_id", keep="first")
            records = records.join(measured, on="study_id", how="left", maintain_order="left")
            notes.append("AF is what the machine's report states; no cardiologist has confirmed it.")
        else:
            notes.append(f"There was no {MEASUREMENTS}: AF is missing.")
        patients = next((src / name for name in PATIENTS if (src / name).is_file()), None)
        if patients is not None:
            known = read_frame(
                patients, ["subject_id", "gender", "anchor_age", "anchor_year"], ["anchor_year_group"], notes
            )
            known = known.unique("subject_id", keep="first")
            records = records.join(known, on="subject_id", how="left", maintain_order="left")
            if "anchor_year_group" in known.columns:
                labels.append("calendar_year")
                notes.append("calendar_year is the year of an ECG, right to one year more or less.")
        else:
            notes.append(f"There was no {PATIENTS[0]} of MIMIC-IV: age and sex are missing.")

        def row(i: int) -> Row:
            line = {name: cell or "" for name, cell in records.row(i, named=True).items()}
            return Row(
                ecg_id=fields.identifier(line["study_id"]),
                patient_id=fields.identifier(line["subject_id"]),
                path=line["path"],
                details=partial(_details, line),
                recording=partial(_recording, src / line["path"]),
                patient_column="subject_id",
            )

        read = [src / RECORDS, src / MEASUREMENTS, *([patients] if patients else [])]
        return Source(
            "MIMIC-IV-ECG",
            LazyRows(records.height, row),
            tuple(labels),
            {"reader": "mimic-iv-ecg"},
            tuple(notes),
            tuple(table for table in read if table.is_file()),
            shifted_dates=True,
        )


def _recording(path: Path) -> Recording:
    # The leads come as I, II, III, aVR, aVF, aVL: names decide, not places.
    found = read_wfdb(path)
    found.signal[np.abs(found.signal) > _LARGEST_MV] = np.nan
    return found


def _details(line: Mapping[str, str]) -> Details:
    said = fields.Reading()
    recorded_at = said(fields.moment, line["ecg_time"], "ecg_time")
    age = None
    anchor_age = said(fields.number, line.get("anchor_age", ""), "anchor_age", "bad-age")
    anchor_year = said(fields.number, line.get("anchor_year", ""), "anchor_year", "bad-age")
    if recorded_at is not None and anchor_age is not None and anchor_year is not None:
        age = said(fields.age_in_years, str(anchor_age + recorded_at.year - anchor_year))
    af = af_in_report(line.get("report", ""))
    labels = {} if af is None else {"af": af}
    group = _YEARS.fullmatch(line.get("anchor_year_group", ""))
    if group is not None and recorded_at is not None and anchor_year is not None:
        # The middle of the three years in one of which the anchor year lies.
        labels["calendar_year"] = (int(group[1]) + int(group[2])) / 2 + recorded_at.year - anchor_year
    return Details(
        recorded_at=recorded_at,
        age=age,
        sex=said.sex(line.get("gender", ""), _SEXES),
        device=fields.text(line.get("cart_id", "")),
        labels=labels,
        cautions=said.cautions,
        facts=said.facts,
    )


def af_in_report(report: str) -> float | None:
    """Whether a machine's report says atrial fibrillation or flutter.

    Args:
        report: Statements, one a line.

    Returns:
        1 stated, 0 not mentioned or gone, None only possible or no report.
    """
    if not report.strip():
        return None
    unsure = False
    for statement in report.splitlines():
        statement = _EITHER.sub(r"\1", statement)
        found = _AF.search(statement)
        if not found:
            continue
        # 'No P waves found - atrial fibrillation' denies the waves, not the fibrillation: only the clause counts.
        before = _CLAUSE.split(statement[: found.start()])[-1]
        after = _CLAUSE.split(statement[found.end() :].lstrip(" ,"))[0]
        if _DENIED.search(before) or _LATER_DENIED.search(after):
            continue
        if (
            _UNSURE.search(before)
            or _UNSURE.search(after)
            or _OR_RHYTHM.search(after)
            or re.search(r"\bor\s*$", before)
        ):
            unsure = True
            continue
        return 1.0
    return None if unsure else 0.0
