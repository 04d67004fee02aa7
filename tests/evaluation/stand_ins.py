"""Simulated patients written in the layouts of MIMIC-IV-ECG (with MIMIC-IV's patients and echoes) and of PTB-XL.

They stand in for sets that only their holders have: the commands that read them are those for the real ones.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from pathlib import Path

import numpy as np

from heartprint.cohorts import Cohort
from heartprint.signals.leads import LEADS_12, twelve_leads
from tests.cohorts.ecgs import write_record
from tests.readers.sources import write_csv

# MIMIC's order: aVF before aVL.
_MIMIC_ORDER = [0, 1, 2, 3, 5, 4, *range(6, 12)]
_FIRST_YEAR, _GROUP = 2008, 3


def write_mimic(folder: Path, cohort: Cohort) -> Path:
    """MIMIC-IV-ECG with ``patients.csv.gz`` of MIMIC-IV, and beside it ``mimic-iv-echo`` with an LVEF the day after.

    The visits of the simulated patients are squeezed into 2008 to 2019; then each patient's dates are shifted by a
    number of years of its own, as MIMIC's are.
    """
    rng = np.random.default_rng(0)
    patients: dict[str, dict[str, object]] = {}
    shift: dict[str, int] = {}
    records, measured, echoes = [], [], []
    squeezed = _squeezed(cohort)
    for row, record in enumerate(cohort.records.iter_rows(named=True)):
        person = record["patient_id"]
        when = squeezed[row]
        if person not in patients:
            subject, years = 10_000_000 + 13 * len(patients), int(rng.integers(100, 190))
            shift[person] = years
            first = _FIRST_YEAR + (when.year - _FIRST_YEAR) // _GROUP * _GROUP
            patients[person] = {
                "subject_id": subject,
                "gender": record["sex"][0].upper(),
                "anchor_age": round(record["age"]),
                "anchor_year": when.year + years,
                "anchor_year_group": f"{first} - {first + _GROUP - 1}",
                "dod": "",
            }
        subject, study = patients[person]["subject_id"], 40_000_000 + row
        shown = when + dt.timedelta(days=round(365.2425 * shift[person]))
        path = f"files/p{str(subject)[:4]}/p{subject}/s{study}/{study}"
        leads = twelve_leads(cohort.signal(row))[_MIMIC_ORDER]
        names = tuple(LEADS_12[i] for i in _MIMIC_ORDER)
        write_record((folder / path).parent, str(study), leads, int(cohort.sampling_rate(row)), names)
        common = {"subject_id": subject, "study_id": study}
        records.append({**common, "file_name": study, "ecg_time": f"{shown:%Y-%m-%d %H:%M:%S}", "path": path})
        rhythm = "Atrial fibrillation" if record["label_af"] else "Sinus rhythm"
        measured.append({**common, "cart_id": 7, "report_0": rhythm, "report_1": "Abnormal ECG"})
        if row % 7:
            echo = {"subject_id": subject, "measurement_datetime": f"{shown + dt.timedelta(days=1):%Y-%m-%d %H:%M:%S}"}
            echoes.append({**echo, "measurement": "lvef", "result": f"{record['label_lvef']:.0f}"})
            echoes.append({**echo, "measurement": "lv_edd", "result": "47"})
    write_csv(folder / "record_list.csv", records)
    write_csv(folder / "machine_measurements.csv", measured)
    (folder.parent / "mimic-iv-echo").mkdir()
    write_csv(folder.parent / "mimic-iv-echo" / "structured_measurement.csv", echoes)
    with gzip.open(folder / "patients.csv.gz", "wt", newline="") as handle:
        writer = csv.DictWriter(handle, list(next(iter(patients.values()))))
        writer.writeheader()
        writer.writerows(patients.values())
    return folder


def _squeezed(cohort: Cohort) -> list[dt.datetime]:
    """When each ECG was recorded, brought into 2008 to 2019."""
    times = cohort.records["recorded_at"].to_list()
    first, last = min(times), max(times)
    begin = dt.datetime(_FIRST_YEAR, 1, 1)
    share = dt.timedelta(days=12 * 365 - 1) / (last - first)
    return [begin + share * (t - first) for t in times]


def write_ptb_xl(folder: Path, cohort: Cohort) -> Path:
    """PTB-XL at 500 Hz (the 100 Hz files are named, and not there)."""
    names = tuple(name.upper() for name in LEADS_12)
    codes = {person: i for i, person in enumerate(sorted(set(cohort.patient_ids.tolist())), start=1)}
    rows = []
    for row, record in enumerate(cohort.records.iter_rows(named=True)):
        name = f"{row + 1:05d}"
        write_record(folder / "records500/00000", f"{name}_hr", twelve_leads(cohort.signal(row)), 500, names)
        rows.append(
            {
                "ecg_id": row + 1,
                "patient_id": f"{codes[record['patient_id']]}.0",
                "age": f"{record['age']:.0f}",
                "sex": int(record["sex"] == "female"),
                "device": "CS-12",
                "recording_date": f"{record['recorded_at']:%Y-%m-%d %H:%M:%S}",
                "scp_codes": "{'AFIB': 0.0}" if record["label_af"] else "{'NORM': 100.0, 'SR': 0.0}",
                "filename_lr": f"records100/00000/{name}_lr",
                "filename_hr": f"records500/00000/{name}_hr",
            }
        )
    write_csv(folder / "ptbxl_database.csv", rows)
    return folder
