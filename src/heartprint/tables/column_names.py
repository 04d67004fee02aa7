"""Names of columns: what a table lacks, what it may have called it, and what the user says of it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from heartprint.foundation.errors import HeartprintError

_MOST_NAMES, _LONGEST_NAME = 20, 40  # of columns, in a message


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LIKELY: Mapping[str, frozenset[str]] = {
    "path": _words(
        "file filename filepath datei dateiname dateipfad pfad bild fichier nomfichier chemin image "
        "archivo fichero ruta nombrearchivo imagen"
    ),
    "ecg_id": _words("ecg ecgid ekg ekgid ekgnr ekgnummer recordid studyid idecg numecg numeroecg"),
    "patient_id": _words(
        "patient patid patientid patientno patientnumber subject subjectid personid mrn pid patientennr patnr "
        "patientennummer patientenid idpatient numpatient numeropatient ipp paciente pacienteid idpaciente nhc"
    ),
    "date": _words(
        "datetime recordedat ecgdate datum aufnahmedatum ekgdatum zeitpunkt datumzeit dateheure dateecg fecha "
        "fechahora fechaecg"
    ),
    "age": _words("alter patientenalter agepatient edad"),
    "sex": _words("gender geschlecht sexe genre sexo genero"),
    "site": _words("hospital centre center clinic klinik standort hopital centro sede"),
    "device": _words("machine model geraet gerat appareil dispositivo equipo"),
    "page": _words("seite pagina"),
    "sampling_rate": _words(
        "samplingrate samplerate fs frequency abtastrate frequence frequenceechantillonnage frecuencia"
    ),
    "unit": _words("units einheit unite unidad"),
}
"""What tables in English, German, French and Spanish call a column, in `_plain` letters. Proposed, never assumed."""

_UMLAUTS = str.maketrans("äöüàâçéèêëîïôûùáíóúñ", "aouaaceeeeiiouuaioun")


def need_columns(
    path: Path, columns: Sequence[str], needed: Sequence[str], proposal: str = " Add or rename it."
) -> None:
    """Raise ``bad-table`` if a needed column is absent, naming those that are there.

    Args:
        path: The table.
        columns: What it has.
        needed: What it has to have.
        proposal: The remedy.
    """
    there = frozenset(columns)
    absent = [c for c in needed if c not in there]
    if not absent:
        return
    raise HeartprintError(
        "bad-table",
        f"{path} lacks the column{'s' if len(absent) > 1 else ''} {', '.join(absent)}; it has {listed(columns)}."
        f"{proposal}",
    )


def listed(columns: Sequence[str]) -> str:
    """Names of columns for a message, however many and long they are."""
    known = [f"{c[:_LONGEST_NAME]}..." if len(c) > _LONGEST_NAME else c for c in columns[:_MOST_NAMES]]
    more = f" and {len(columns) - _MOST_NAMES:,} more" if len(columns) > _MOST_NAMES else ""
    return f"{', '.join(known) or 'none'}{more}"


def likely(columns: Sequence[str], wanted: Collection[str], *, exact: bool = False) -> dict[str, str]:
    """Wanted name to the column that most likely is it.

    Args:
        columns: What a table has.
        wanted: Names of `LIKELY`, or others.
        exact: Whether only the words of `LIKELY` count, not names that are spelled nearly so.
    """
    found: dict[str, str] = {}
    for name in wanted:
        if name in LIKELY and (column := next((c for c in columns if _plain(c) in LIKELY[name]), None)) is not None:
            found[name] = column
    if exact:
        return found
    left = {c.lower(): c for c in columns[:1000] if c not in found.values()}
    for name in wanted:
        near = difflib.get_close_matches(name, left, n=1, cutoff=0.7) if name not in found else []
        if near:
            found[name] = left.pop(near[0])
    return found


def option(pairs: Mapping[str, str]) -> str:
    """``--columns`` as it is to be typed."""
    text = ",".join(f"{name}={column}" for name, column in pairs.items())
    return f'--columns "{text}"' if re.search(r"[^\w=,.-]", text) else f"--columns {text}"


def parse_columns(text: str | None, known: Collection[str]) -> dict[str, str]:
    """Read ``path=Datei,patient_id=PatID``; a column's name may hold commas that no name and ``=`` follow.

    Args:
        text: What the user wrote, if anything.
        known: Names that may stand before a ``=``.

    Raises:
        HeartprintError: ``bad-options``.
    """
    named: dict[str, str] = {}
    names = "|".join([r"\w+", *map(re.escape, known)])
    for pair in re.split(rf",(?=\s*(?:{names})\s*=)", text) if text else ():
        name, given, column = (part.strip() for part in pair.partition("="))
        if name not in known or not given or not column or name in named:
            twice = f"; '{name}' stands there twice" if name in named else f", not '{pair.strip()}'"
            raise HeartprintError(
                "bad-options", f"--columns takes {', '.join(f'{w}=NAME' for w in known)}, separated by commas{twice}."
            )
        named[name] = column
    return named


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]", "", column.lower().translate(_UMLAUTS).replace("ß", "ss"))
