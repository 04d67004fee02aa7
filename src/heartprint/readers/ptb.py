"""The PTB Diagnostic ECG Database: a folder per patient.

Bousseljot R et al., Nutzung der EKG-Signaldatenbank CARDIODAT der PTB über das Internet, Biomed Tech 40:317 (1995).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.wfdb import header_text, read_wfdb
from heartprint.readers.source import Details, Source, rows_of_files
from heartprint.tables import fields

_PATIENT = re.compile(r"patient\d+")
_COMMENT = re.compile(r"#\s*(age|sex|ECG date|Reason for admission)\s*:\s*(.*?)\s*", re.IGNORECASE)
_SHORT_YEAR = re.compile(r"(\d{1,2}-[A-Za-z]{3}-)(\d\d)")


@dataclass(frozen=True)
class Ptb:
    """Reader of the PTB Diagnostic ECG Database.

    The label ``infarction`` is 1 where the reason for admission is a myocardial infarction, 0 where it is another
    (healthy controls included), and missing where none is given. The Frank leads vx, vy, vz are left out.
    """

    def open(self, src: Path) -> Source:
        """List the headers.

        Args:
            src: The folder that holds ``patient001`` and so on.

        Raises:
            HeartprintError: ``source-missing``.
        """
        headers = [p for p in sorted(src.glob("patient*/*.hea")) if _PATIENT.fullmatch(p.parent.name)]
        if not headers:
            raise HeartprintError(
                "source-missing", f"{src} holds no patient001/*.hea. Give the folder of the PTB database."
            )

        rows = rows_of_files(src, headers, _details, read_wfdb, lambda header: header.parent.name)
        notes = ("Most patients of PTB were recorded within weeks of an infarction.",)
        return Source("PTB Diagnostic ECG", rows, ("infarction",), {"reader": "ptb"}, notes)


def _details(header: Path) -> Details:
    lines = header_text(header).splitlines()
    said = {m[1].lower(): m[2] for line in lines if (m := _COMMENT.fullmatch(line.strip()))}
    reason = said.get("reason for admission", "")
    read = fields.Reading()
    return Details(
        recorded_at=read(_date, said.get("ecg date", "")),
        age=read(fields.age_in_years, said.get("age", "")),
        sex=read.sex(said.get("sex", "")),
        labels={} if fields.is_nothing(reason) else {"infarction": float("myocardial infarction" in reason.lower())},
        cautions=read.cautions,
        facts=read.facts,
    )


def _date(cell: str) -> dt.datetime | None:
    # Two digits, as in 17-Oct-90, are years of the 20th century: the database is older than the next.
    short = _SHORT_YEAR.fullmatch(cell)
    return fields.moment(f"{short[1]}19{short[2]}" if short else cell, "ECG date", "day-first")
