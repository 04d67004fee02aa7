"""CODE-15%: 15 % of the patients of the Telehealth Network of Minas Gerais.

Ribeiro AH et al., CODE-15%: a large scale annotated dataset of 12-lead ECGs, Zenodo, doi:10.5281/zenodo.4916206 (2021).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.source import Details, LazyRows, Recording, Row, Source
from heartprint.readers.tracings import MV_PER_UNIT, UNIT_NOTE, Tracings
from heartprint.tables import fields
from heartprint.tables.delimited import read_frame

TABLE = "exams.csv"

_NEEDED = ("exam_id", "age", "is_male", "AF", "patient_id", "trace_file")
_SEXES = {"true": "male", "1": "male", "1.0": "male", "false": "female", "0": "female", "0.0": "female"}
_LAST = 2**62


@dataclass(frozen=True)
class Code15:
    """Reader of CODE-15%.

    The label ``af`` is the column ``AF``. There are no dates, so gaps between ECGs of a patient are unknown. ECGs of
    parts that were not fetched are refused as ``file-missing``.

    Args:
        mv_per_unit: Millivolts per stored unit, which is not published; see `MV_PER_UNIT`.
    """

    mv_per_unit: float = MV_PER_UNIT

    def open(self, src: Path) -> Source:
        """Read ``exams.csv`` and the exam ids of the parts.

        Args:
            src: The folder that holds the table and the unzipped ``exams_part*.hdf5``.

        Raises:
            HeartprintError: ``source-missing``, ``bad-table`` or ``bad-unit``.
        """
        told: list[str] = []
        exams = read_frame(src / TABLE, _NEEDED, notes=told)
        parts = {
            name: Tracings(src / name, self.mv_per_unit) for name in sorted(set(exams["trace_file"])) if _is_plain(name)
        }
        # File after file and row after row: the table jumps between them, and a disk does not like that.
        places = [_place(parts, part, exam) for part, exam in exams.select("trace_file", "exam_id").iter_rows()]
        order = np.lexsort((np.array(places, dtype=np.int64), exams["trace_file"].rank("dense").to_numpy()))

        def row(i: int) -> Row:
            line = exams.row(int(order[i]), named=True)
            return Row(
                ecg_id=fields.identifier(line["exam_id"]),
                patient_id=fields.identifier(line["patient_id"]),
                path=line["trace_file"],
                details=partial(_details, line),
                recording=partial(_recording, parts.get(line["trace_file"]), line["exam_id"]),
            )

        notes = (
            *told,
            "CODE-15% has no dates: gaps between the ECGs of a patient are unknown.",
            UNIT_NOTE.format(self.mv_per_unit),
        )
        settings = {"reader": "code-15", "mv_per_unit": self.mv_per_unit}
        # Parts that come or go change the order.
        fingerprint = hashlib.sha256(order.tobytes()).hexdigest()
        return Source(
            "CODE-15%", LazyRows(exams.height, row), ("af",), settings, notes, (src / TABLE,), fingerprint=fingerprint
        )


def _is_plain(name: str) -> bool:
    return bool(name) and Path(name).name == name


def _place(parts: Mapping[str, Tracings], part: str, exam: str) -> int:
    try:
        rows = parts[part].row_of if part in parts else None
    except HeartprintError:
        # Said again, row by row, when they are read.
        return _LAST
    return (rows or {}).get(_number(exam), _LAST)


def _number(exam: str) -> int:
    text = fields.identifier(exam)
    return int(text) if text.isdecimal() and len(text) < 18 else 0


def _recording(part: Tracings | None, exam: str) -> Recording:
    if part is None:
        raise HeartprintError("file-missing", f"{TABLE} names no file for exam {exam}. Fetch the table again.")
    rows = part.row_of
    if rows is None or _number(exam) not in rows:
        raise HeartprintError(
            "header-mismatch",
            f"{part.path.name} holds no exam {exam}. Table and file do not belong together. Fetch both again.",
        )
    return part.recording(rows[_number(exam)])


def _details(line: Mapping[str, str]) -> Details:
    said = fields.Reading()
    af = said(fields.truth, line["AF"], "AF")
    return Details(
        age=said(fields.age_in_years, line["age"]),
        sex=said.sex(line["is_male"], _SEXES),
        labels={} if af is None else {"af": af},
        cautions=said.cautions,
        facts=said.facts,
    )
