"""The Lobachevsky University Database: 200 people, with wave boundaries marked by cardiologists.

Kalyakulina AI et al., LUDB: a new open-access validation tool for electrocardiogram delineation algorithms, IEEE Access
8:186181 (2020).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.wfdb import header_text, read_wfdb
from heartprint.readers.source import Details, Recording, Source, rows_of_files
from heartprint.tables import fields

UV_PER_UNIT = 1.0
"""What a stored integer is worth. The gain in a header is the range of its lead, so that read as mV every lead spans
exactly 1 mV and the limb leads break Einthoven's rule; the integers themselves keep it to half a unit."""

_COMMENT = re.compile(r"#\s*(?:<(age|sex)>|(Rhythm))\s*:\s*(.*?)[\s.]*", re.IGNORECASE)
_AF = ("atrial fibrillation", "atrial flutter")


@dataclass(frozen=True)
class Ludb:
    """Reader of LUDB.

    The label ``af`` is 1 where the rhythm is atrial fibrillation or flutter, 0 where it is another, and missing where
    none is given. One ECG of each patient, no dates. The boundaries of waves are not kept;
    ``benchmarks/wave_boundaries.py`` compares them with `heartprint.signals.measurements`.
    """

    def open(self, src: Path) -> Source:
        """List the headers.

        Args:
            src: The folder that holds ``data`` with ``1.hea`` and so on, or that folder.

        Raises:
            HeartprintError: ``source-missing``.
        """
        folder = src / "data" if (src / "data").is_dir() else src
        headers = sorted(folder.glob("*.hea"), key=lambda p: (len(p.stem), p.stem)) if folder.is_dir() else []
        if not headers:
            raise HeartprintError(
                "source-missing", f"{src} contains no data/1.hea. Give the folder that LUDB was unpacked to."
            )

        rows = rows_of_files(src, headers, _details, _recording)
        notes = (
            "The gains in LUDB's headers are wrong (its leads then break Einthoven's rule); its integers are taken "
            "for microvolts.",
        )
        settings = {"reader": "ludb", "uv_per_unit": UV_PER_UNIT}
        return Source("LUDB", rows, ("af",), settings, notes)


def _recording(header: Path) -> Recording:
    return read_wfdb(header, uv_per_unit=UV_PER_UNIT)


def _details(header: Path) -> Details:
    lines = header_text(header).splitlines()
    said = {(m[1] or m[2]).lower(): m[3] for line in lines if (m := _COMMENT.fullmatch(line.strip()))}
    rhythm = said.get("rhythm", "").lower()
    return Details(
        age=fields.age_in_years(said.get("age", "")),
        sex=fields.sex(said.get("sex", "")),
        device="Schiller Cardiovit AT-101",
        labels={"af": float(rhythm.startswith(_AF))} if rhythm else {},
    )
