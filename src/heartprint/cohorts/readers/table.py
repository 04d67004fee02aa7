"""Own data: a CSV table with one row per ECG and a path to its samples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from heartprint.cohorts.leads import LEADS_8, LEADS_12
from heartprint.cohorts.readers import fields
from heartprint.cohorts.readers.source import Details, Recording, Row, Source
from heartprint.cohorts.readers.wfdb_file import MV_PER_UNIT, read_wfdb
from heartprint.cohorts.tasks import TASKS
from heartprint.foundation.errors import HeartprintError, unknown_name

KNOWN_COLUMNS = ("path", "ecg_id", "patient_id", "date", "age", "sex", "site", "device", "sampling_rate", "unit")
"""Columns with a meaning of their own; names are matched in any case. ``recorded_at`` is ``date`` as well."""
STANDARDISED = "z"
"""Unit of leads that were normalised one by one; all twelve are then needed."""

_ALIASES = {"recorded_at": "date"}
_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}
_LEADS = {len(LEADS_8): LEADS_8, len(LEADS_12): LEADS_12}
_UNITS = ("mV", "uV", "V", "nV", STANDARDISED)
# What a percentage of ejected blood can be; a fraction such as 0.55 lies outside.
_LVEF_RANGE = (5.0, 95.0)


@dataclass(frozen=True)
class Table:
    """Reader of a CSV table.

    Columns: ``path`` (WFDB record or ``.npy``, relative to the table) and ``patient_id`` are needed; ``ecg_id``
    (else the file's stem), ``date`` (ISO), ``age``, ``sex`` (female, male, f, m), ``site``, ``device``,
    ``sampling_rate`` and ``unit`` (both for ``.npy``) may be there. An ``.npy`` file holds ``(8 or 12, n)`` or
    ``(n, 8 or 12)`` numbers, leads in the order I, II, V1-V6 or I, II, III, aVR, aVL, aVF, V1-V6.

    Labels: each other column whose cells are all numbers, true/false or empty; or, if ``labels`` names some, just
    these, and then a row with anything else in them is refused. An empty cell is a missing label. Names are
    stored in lower case, without a leading ``label_``, other characters than letters and digits as ``_``.

    Args:
        labels: Columns that are labels.
        sampling_rate: Hz of ``.npy`` files where the table has no such cell.
        unit: ``mV``, ``uV``, ``V``, ``nV`` or ``z`` of ``.npy`` files where the table has no such cell.
        female: Further codes for female, e.g. ``("1",)``.
        male: Further codes for male.
    """

    labels: Sequence[str] = ()
    sampling_rate: float | None = None
    unit: str = "mV"
    female: Sequence[str] = ()
    male: Sequence[str] = ()

    def open(self, src: Path) -> Source:
        """Read the table.

        Raises:
            HeartprintError: ``file-missing``, ``bad-table``, ``unknown-unit``, ``unknown-label-column`` or
                ``reserved-label``.
        """
        if self.unit not in _UNITS:
            raise unknown_name("unit", self.unit, _UNITS)
        columns, lines = fields.read_csv(src)
        known = {_known(c): c for c in columns if _known(c)}
        fields.need_columns(src, [_known(c) or c for c in columns], ["path", "patient_id"])
        labels, ignored = self._label_columns(src, [c for c in columns if not _known(c)], lines)
        sexes = _SEXES | {c.lower(): "female" for c in self.female} | {c.lower(): "male" for c in self.male}
        rows = []
        for line in lines:
            cells = {name: line[column] for name, column in known.items()}
            path = cells["path"]
            rows.append(
                Row(
                    ecg_id=fields.identifier(cells.get("ecg_id", "")) or _stem(path),
                    patient_id=fields.identifier(cells["patient_id"]),
                    path=path,
                    details=partial(_details, cells, {name: line[column] for name, column in labels.items()}, sexes),
                    recording=partial(self._recording, src.parent, cells),
                )
            )
        notes = tuple(
            f"Column '{c}' was left out: '{cell}' is not a number. Name it with --label to use it all the same."
            for c, cell in ignored.items()
        )
        settings = {"reader": "table", "labels": labels, "sampling_rate": self.sampling_rate, "unit": self.unit}
        return Source(f"table {src.name}", rows, tuple(labels), settings, notes)

    def _label_columns(
        self, src: Path, others: Sequence[str], lines: Sequence[Mapping[str, str]]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Label name to column, and left-out column to its first cell that is no number."""
        for name in self.labels:
            if name not in others:
                raise unknown_name("label column", name, others)
        labels: dict[str, str] = {}
        ignored: dict[str, str] = {}
        for column in self.labels or others:
            if not self.labels:
                odd = next((line[column] for line in lines if not _is_number(line[column])), None)
                if odd is not None:
                    ignored[column] = odd[:40]
                    continue
            name = re.sub(r"[^0-9a-z]+", "_", column.lower().removeprefix("label_")).strip("_")
            if not name or name in labels:
                raise HeartprintError(
                    "bad-table", f"The columns of {src} give the label name '{name}' twice or empty. Rename '{column}'."
                )
            if name in TASKS and TASKS[name].column != f"label_{name}":
                raise HeartprintError(
                    "reserved-label",
                    f"The column '{column}' has the name of a built-in task that is answered from "
                    f"'{TASKS[name].column.removeprefix('label_')}'. Rename it, or give that column instead.",
                )
            labels[name] = column
        return labels, ignored

    def _recording(self, folder: Path, cells: Mapping[str, str]) -> Recording:
        path = cells["path"]
        if not path:
            raise HeartprintError("file-missing", "The row names no file. Fill its column 'path'.")
        if Path(path).suffix.lower() != ".npy":
            return read_wfdb(folder / path)
        rate = fields.number(cells.get("sampling_rate", ""), "sampling_rate", "bad-sampling-rate")
        rate = self.sampling_rate if rate is None else rate
        if rate is None:
            raise HeartprintError(
                "missing-sampling-rate",
                f"{path} needs a sampling rate. Add a column 'sampling_rate' or give --sampling-rate.",
            )
        unit = fields.text(cells.get("unit", "")) or self.unit
        if unit != STANDARDISED and unit.lower() not in MV_PER_UNIT:
            raise unknown_name("unit", unit, _UNITS)
        return read_npy(folder / path, rate, unit)


def read_npy(path: Path, sampling_rate: float, unit: str = "mV") -> Recording:
    """Read an array of leads.

    Args:
        path: ``.npy`` file, ``(8 or 12, n)`` or ``(n, 8 or 12)`` numbers in `LEADS_8` or `LEADS_12` order.
        sampling_rate: Hz.
        unit: ``mV``, ``uV``, ``V``, ``nV`` or ``z``.

    Raises:
        HeartprintError: ``file-missing``, ``file-truncated`` or ``bad-array``.
    """
    if not path.is_file():
        raise HeartprintError("file-missing", f"The file {path.name} is missing. Restore it or correct the table.")
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except (ValueError, EOFError, OSError) as error:
        code = "file-truncated" if "mmap length" in str(error) or isinstance(error, EOFError) else "bad-array"
        raise HeartprintError(
            code, f"{path.name} is not a whole .npy array of numbers ({error}). Save it again."
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise HeartprintError("bad-array", f"{path.name} does not hold real numbers. Save it as float32.")
    if array.ndim != 2 or not {8, 12} & set(array.shape):
        raise HeartprintError(
            "bad-array",
            f"{path.name} has the shape {array.shape}; (8 or 12, n) or (n, 8 or 12) is needed. Save it again.",
        )
    leads = array if array.shape[0] in _LEADS else array.T
    standardised = unit == STANDARDISED
    factor = 1.0 if standardised else MV_PER_UNIT[unit.lower()]
    signal = np.array(leads, dtype=np.float64)
    if factor != 1.0:
        signal *= factor
    return Recording(signal, _LEADS[leads.shape[0]], sampling_rate, standardised)


def _known(column: str) -> str:
    name = _ALIASES.get(column.lower(), column.lower())
    return name if name in KNOWN_COLUMNS else ""


def _stem(path: str) -> str:
    name = Path(path).name
    return Path(name).stem if Path(name).suffix.lower() in (".npy", ".hea", ".dat", ".mat") else name


def _is_number(cell: str) -> bool:
    try:
        fields.number(cell, "", "bad-label")
    except HeartprintError:
        return False
    return True


def _details(cells: Mapping[str, str], labels: Mapping[str, str], sexes: Mapping[str, str]) -> Details:
    sex = fields.text(cells.get("sex", ""))
    if sex is not None and sex.lower() not in sexes:
        raise HeartprintError(
            "unknown-sex",
            f"The sex code '{sex}' is unknown; known are {', '.join(sexes)}. Correct it, empty it, or say what it "
            "means with --female or --male.",
        )
    return Details(
        recorded_at=fields.moment(cells.get("date", ""), "date"),
        age=fields.age_in_years(cells.get("age", "")),
        sex=None if sex is None else sexes[sex.lower()],
        site=fields.identifier(cells.get("site", "")) or None,
        device=fields.text(cells.get("device", "")),
        labels={name: value for name, cell in labels.items() if (value := _label(name, cell)) is not None},
    )


def _label(name: str, cell: str) -> float | None:
    value = fields.number(cell, name, "bad-label")
    if value is None:
        return None
    if name == "lvef" and not _LVEF_RANGE[0] <= value <= _LVEF_RANGE[1]:
        raise HeartprintError(
            "bad-label",
            f"An LVEF of {value:g} is no percentage a heart can have. Give it in per cent or leave it empty.",
        )
    if name in TASKS and value not in (0.0, 1.0):
        raise HeartprintError(
            "bad-label", f"The label '{name}' is 0 or 1, not {value:g}. Correct it or leave it empty."
        )
    return value
