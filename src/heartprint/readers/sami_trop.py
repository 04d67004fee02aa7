"""SaMi-Trop: ECGs of patients with chronic Chagas cardiomyopathy, one of each patient.

Ribeiro ALP et al., Sami-Trop: 12-lead ECG traces with age and mortality annotations, Zenodo,
doi:10.5281/zenodo.4905618 (2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.source import Details, LazyRows, Recording, Row, Source
from heartprint.readers.tracings import MV_PER_UNIT, UNIT_NOTE, Tracings
from heartprint.tables import fields
from heartprint.tables.delimited import read_frame

TABLE = "exams.csv"
FILE = "exams.hdf5"

_SEXES = {"true": "male", "1": "male", "1.0": "male", "false": "female", "0": "female", "0.0": "female"}


@dataclass(frozen=True)
class SamiTrop:
    """Reader of SaMi-Trop.

    Row i of the table is tracing i of the file, unless the file names its rows. The label ``death`` is 1 if the
    patient died during follow-up. There are no dates and no patient ids: every exam is another patient's.

    Args:
        mv_per_unit: Millivolts per stored unit, which is not published; see `MV_PER_UNIT`.
    """

    mv_per_unit: float = MV_PER_UNIT

    def open(self, src: Path) -> Source:
        """Read ``exams.csv``.

        Args:
            src: The folder that holds the table and the unzipped ``exams.hdf5``.

        Raises:
            HeartprintError: ``source-missing``, ``bad-table``, ``bad-unit``; ``header-mismatch`` if table and file
                differ in length.
        """
        told: list[str] = []
        exams = read_frame(src / TABLE, ["exam_id", "age", "is_male"], ["death"], told)
        tracings = Tracings(src / FILE, self.mv_per_unit)
        if not tracings.path.is_file():
            raise HeartprintError("source-missing", f"{src} holds no {FILE}. Fetch and unzip it.")
        if tracings.row_of is None and len(tracings) != exams.height:
            raise HeartprintError(
                "header-mismatch",
                f"{TABLE} has {exams.height} rows, {FILE} {len(tracings)} ECGs. They do not belong together; "
                "fetch both again.",
            )

        def row(i: int) -> Row:
            line = exams.row(i, named=True)
            exam = fields.identifier(line["exam_id"])
            return Row(
                ecg_id=exam,
                patient_id=exam,
                path=FILE,
                details=partial(_details, line),
                recording=partial(_recording, tracings, exam, i),
            )

        notes = (
            *told,
            "SaMi-Trop gives neither dates nor patient ids: each ECG counts as a patient of its own.",
            UNIT_NOTE.format(self.mv_per_unit),
        )
        settings = {"reader": "sami-trop", "mv_per_unit": self.mv_per_unit}
        return Source("SaMi-Trop", LazyRows(exams.height, row), ("death",), settings, notes, (src / TABLE,))


def _recording(tracings: Tracings, exam: str, i: int) -> Recording:
    rows = tracings.row_of
    if rows is None:
        return tracings.recording(i)
    if not exam.isdecimal() or int(exam) not in rows:
        raise HeartprintError("header-mismatch", f"{FILE} holds no exam {exam}. Fetch table and file again.")
    return tracings.recording(rows[int(exam)])


def _details(line: Mapping[str, str]) -> Details:
    said = fields.Reading()
    death = said(fields.truth, line.get("death", ""), "death")
    return Details(
        age=said(fields.age_in_years, line["age"]),
        sex=said.sex(line["is_male"], _SEXES),
        labels={} if death is None else {"death": death},
        cautions=said.cautions,
        facts=said.facts,
    )
