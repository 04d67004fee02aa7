"""The PhysioNet/Computing in Cardiology Challenges 2020 and 2021: a header and a ``.mat`` file per ECG.

Perez Alday EA et al., Classification of 12-lead ECGs: the PhysioNet/Computing in Cardiology Challenge 2020, Physiol
Meas 41:124003 (2020); Reyna MA et al., Will two do? Varying dimensions in electrocardiography, CinC 48 (2021).
Chapman-Shaoxing-Ningbo, Georgia and CPSC 2018 are published in this form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.wfdb import header_text, read_wfdb
from heartprint.readers.source import Details, Source, rows_of_files
from heartprint.tables import fields

# Atrial fibrillation, atrial flutter, either; chronic, paroxysmal and rapid atrial fibrillation.
AF_CODES = frozenset({"164889003", "164890007", "195080001", "426749004", "282825002", "314208002"})
"""SNOMED CT codes that say atrial fibrillation or flutter."""
# What the first headers of the Challenge of 2020 have in place of codes: the nine classes of CPSC 2018 (Liu et al.,
# J Med Imaging Health Inform 8:1368, 2018).
_AF_WORDS = frozenset({"af"})
_OTHER_WORDS = frozenset({"normal", "i-avb", "iavb", "lbbb", "rbbb", "pac", "pvc", "std", "ste"})
OVER_89 = 300.0
"""Code for an age over 89 in the part that comes from PTB-XL."""
STORED_OVER_89 = 90.0

_SITES = {
    "A": "CPSC",
    "Q": "CPSC-Extra",
    "I": "St Petersburg",
    "S": "PTB",
    "HR": "PTB-XL",
    "E": "Georgia",
    "JS": "Chapman-Shaoxing-Ningbo",
}
_COMMENT = re.compile(r"#\s*(Age|Sex|Dx)\s*:\s*(.*?)\s*", re.IGNORECASE)
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Challenge:
    """Reader of a folder in the Challenges' form, sub-folders included.

    The label ``af`` is 1 where ``Dx`` holds one of `AF_CODES`, 0 where it holds other codes only, and missing where it
    is empty or unknown. The Challenges give no patients: every ECG is taken for a patient of its own.
    """

    def open(self, src: Path) -> Source:
        """List the headers of the folder; nothing is read yet.

        Raises:
            HeartprintError: ``source-missing``.
        """
        headers = sorted(p for p in src.rglob("*") if p.suffix.lower() == ".hea") if src.is_dir() else []
        if not headers:
            raise HeartprintError(
                "source-missing", f"{src} holds no header (.hea). Give the folder that holds the .hea and .mat files."
            )

        rows = rows_of_files(src, headers, _details, read_wfdb)
        notes = (
            "The Challenges give no patient ids: each ECG counts as a patient of its own, so there are no pairs and "
            "two ECGs of one person may lie on both sides of a split.",
            "ECGs named HR... are PTB-XL's and S... are PTB's: do not test on them what was trained on those.",
        )
        return Source("PhysioNet Challenge", rows, ("af",), {"reader": "challenge"}, notes)


def _details(header: Path) -> Details:
    lines = header_text(header).splitlines()
    said = {m[1].lower(): m[2] for line in lines if (m := _COMMENT.fullmatch(line.strip()))}
    said = {name: "" if value.lower() == _UNKNOWN else value for name, value in said.items()}
    prefix = re.match("[A-Z]*", header.stem)
    read = fields.Reading()
    return Details(
        age=read(_age, said.get("age", "")),
        sex=read.sex(said.get("sex", "")),
        site=_SITES.get(prefix[0] if prefix else ""),
        labels=read(_labels, said.get("dx", "")) or {},
        cautions=read.cautions,
        facts=read.facts,
    )


def _age(cell: str) -> float | None:
    value = fields.number(cell, "Age", "bad-age")
    return STORED_OVER_89 if value == OVER_89 else fields.age_in_years(cell)


def _labels(cell: str) -> dict[str, float]:
    if fields.is_nothing(cell):
        return {}
    codes = [code for code in re.split(r"[\s,;|\[\]'\"]+", cell.lower()) if code]
    odd = next((c for c in codes if not c.isdecimal() and c not in _AF_WORDS | _OTHER_WORDS), None)
    if odd is not None:
        raise HeartprintError(
            "bad-label",
            f"Dx holds '{odd[:40]}', which is neither a SNOMED CT code nor a class of the first Challenge headers. "
            "Correct the header or empty its Dx.",
        )
    return {"af": float(not (AF_CODES | _AF_WORDS).isdisjoint(codes))} if codes else {}
