"""Words of tables and files that mean something in several languages: sexes, and ids that are no one's."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from heartprint.foundation.errors import HeartprintError

# English, German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Polish, Czech, Russian, Chinese.
_FEMALE = """
    f fem female w woman weiblich frau femme feminin féminin féminine femenino femenina mujer hembra donna femmina
    femminile feminino feminina mulher vrouw vrouwelijk k kvinna kvinnlig kobieta żeńska żeński ž žena žen ženské ženský
    zena ж жен женский женщина 女 女性 女子
"""
_MALE = """
    m male man mann männlich maennlich herr homme masculin masculino masculina hombre varón varon macho uomo maschio
    maschile homem mannelijk manlig mężczyzna mezczyzna męska męski muž mužské mužský muz м муж мужской мужчина 男 男性
    男子
"""
SEXES: Mapping[str, str] = dict.fromkeys(_FEMALE.split(), "female") | dict.fromkeys(_MALE.split(), "male")
"""What a word for a sex means, in lower case. ``0``, ``1`` and ``2`` are in no list: every hospital has its own order.

``m`` is male, for so it is in all of these languages but for Spanish and Portuguese tables that set ``h`` (hombre,
homem) against ``m`` (mujer, mulher), and ``v`` (varón) against the same; those are stopped, see `codes_of_column`."""

UNKNOWN_SEXES = frozenset(
    {"", "?", "-", "na", "n/a", "nan", "null", "none", "o", "other", "u", "un", "unk", "unknown", "x"}
    | {"nasked", "not asked", "not specified", "unspecified", "undetermined", "undifferentiated", "indeterminate"}
    | {"unbekannt", "divers", "inconnu", "desconocido", "sconosciuto", "desconhecido", "onbekend", "okänd", "nieznana"}
    | {"neznámé", "неизвестно", "未知", "不明"}
)
"""Words, in lower case, that say that a sex is unknown or another one (DICOM ``O``, HL7 ``UN`` and their like)."""

UNKNOWN_SHARE = 0.05
"""Share of sexes that may be words nobody knows; with more, they are a code that has to be explained."""

# 'h' stands for hombre and homme, but a table that has 'm' as well may mean mujer by it; 'v' for varón, and for vrouw.
_MALE_WITHOUT_M = ("h", "v")
_MOST_SHOWN = 6


def codes_of_column(
    cells: Iterable[str], where: str, female: Sequence[str] = (), male: Sequence[str] = ()
) -> dict[str, str]:
    """What the words of a column of sexes mean, given all of them.

    A letter that means different sexes in different languages is taken only where the others decide: ``h`` and ``v``
    are male beside ``f`` where there is no ``m``; where they stand beside ``m``, that is not understood either.

    Args:
        cells: The column.
        where: What to call it in a message.
        female: Further words for female; they go before everything else.
        male: Further words for male.

    Returns:
        Word in lower case to ``female`` or ``male``.

    Raises:
        HeartprintError: ``unknown-sex`` if more than `UNKNOWN_SHARE` of the words are not known.
    """
    seen = Counter(" ".join(cell.lower().split()) for cell in cells)
    codes = dict(SEXES)
    if "f" in seen and "m" not in seen and not all(letter in seen for letter in _MALE_WITHOUT_M):
        codes |= dict.fromkeys(_MALE_WITHOUT_M, "male")
    n_told = sum(n for word, n in seen.items() if word not in UNKNOWN_SEXES)
    if "m" in seen and sum(seen[letter] for letter in _MALE_WITHOUT_M) > UNKNOWN_SHARE * n_told:
        # Varones and mujeres, perhaps: whoever explains one of the letters has to explain the other.
        del codes["m"]
    codes |= {word.lower(): "female" for word in female} | {word.lower(): "male" for word in male}
    told = {word: n for word, n in seen.items() if word not in UNKNOWN_SEXES or word in codes}
    strange = {word: n for word, n in told.items() if word not in codes}
    check_sexes(strange, sum(told.values()), where)
    return codes


def check_sexes(strange: Mapping[str, int], n_told: int, where: str) -> None:
    """Raise ``unknown-sex`` if too many sexes are words that nobody knows.

    One alone never stops anything: it is a slip, not a code.

    Args:
        strange: How often each unknown word occurs.
        n_told: How many sexes are given at all, the words for unknown ones apart.
        where: What holds them.
    """
    n = sum(strange.values())
    if n < 2 or n <= UNKNOWN_SHARE * n_told:
        return
    words = sorted(strange.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"'{word[:20]}' ({count:,})" for word, count in words[:_MOST_SHOWN])
    more = f" and {len(words) - _MOST_SHOWN:,} more" if len(words) > _MOST_SHOWN else ""
    raise HeartprintError(
        "unknown-sex",
        f"{n:,} of {n_told:,} sexes in {where} are words that are not understood: {shown}{more}. Say what they mean "
        "with --female WORD and --male WORD of 'heartprint ingest table', or empty them.",
    )


_NO_ONES = """
    unknown unk unkn unidentified unnamed noname nn noid noidentifier nopid notknown notavailable notapplicable notgiven
    notset notspecified unspecified undefined undisclosed missing none null nil nan na void blank empty default dummy
    placeholder tbd todo test tester testing testtest demo sample example patient patientid pid id mrn name anonymous
    anonym anonyme anonymized anonymised anonymisiert anonymis anonimo anonimizado anonimizzato anonimowy anonymni
    anoniem anonymt anonymiserad anonymizovano anon deidentified removed redacted withheld masked hidden confidential xx
    johndoe janedoe doejohn doejane doe mustermann maxmustermann erikamustermann unbekannt unbek keineangabe ohne leer
    inconnu inconnue desconocido desconocida sconosciuto sconosciuta ignoto desconhecido desconhecida onbekend okand
    ukjent ukendt tuntematon nieznany nieznana brak neznamy neznama neizvestno неизвестно неизвестный неизвестен нет
    аноним 不明 未知 匿名 無名 无名 なし 알수없음 ref value num div0 01234567 12345678 123456789 0123456789 1234567890
"""
_PLACEHOLDERS = frozenset(_NO_ONES.split())
_ONE_SIGN_AGAIN = re.compile(r"(\w)\1*")
_LONG = 6  # digits; a number as long as this is no running one of a small archive
_MISSING_CODE = re.compile(r"-(?:0|1|9+)(?:[.,]0+)?")
_ROUNDED = re.compile(r"[+-]?(?:\d+[.,]\d+[eE][+-]?\d+|\d+[eE][+-]\d+)")


def is_rounded(patient_id: str) -> bool:
    """Whether an id is a number in scientific notation (``1.23457E+11``), of which the last digits are lost."""
    return _ROUNDED.fullmatch(patient_id) is not None


def is_placeholder(patient_id: str) -> bool:
    """Whether an id stands for no one wherever it occurs: ``unknown``, ``anonymous``, ``^``, ``-1`` and their like."""
    if _MISSING_CODE.fullmatch(patient_id):
        return True
    bare = unicodedata.normalize("NFKD", patient_id.casefold())
    bare = "".join(c for c in bare if c.isalnum())
    whole = "".join(c for c in patient_id.casefold() if c.isalnum())
    return any(
        not word or word in _PLACEHOLDERS or word.removeprefix("patient").removesuffix("patient") in _PLACEHOLDERS
        for word in (bare, whole)
    )


def may_be_placeholder(patient_id: str) -> bool:
    """Whether the archive has to decide if an id is one: ``0``, ``000``, ``99999999``, ``xxx``, ``aa``.

    One or two equal digits, but for zeros, are a number like any other.
    """
    if not _ONE_SIGN_AGAIN.fullmatch(patient_id.casefold()):
        return False
    sign = patient_id[0].casefold()
    return len(patient_id) > 2 or sign in "0x" or (len(patient_id) == 2 and not sign.isdecimal())


def stand_for_no_one(counts: Mapping[str, int]) -> set[str]:
    """Those ids of an archive that are placeholders in the light of all the others.

    * Equal digits (``1111``) are an id where the archive numbers its patients: another one lies within 100 of it. Up
      to five of them with a single ECG are one as well: they merge nobody, and machines are delivered with ``9999``.
    * Zeros are an id where ``1`` (``0001``) is there too, or, with a single ECG, another one within 100.
    * Equal letters (``aaa``) are an id where another one of letters is as long.

    Args:
        counts: Number of ECGs of each id.
    """
    wordy = Counter(len(i) for i in counts if i.isalpha() and not _ONE_SIGN_AGAIN.fullmatch(i.casefold()))
    short = Counter(len(i) for i in counts if i.isalpha() and len(i) <= 2)
    return {
        i
        for i, n in counts.items()
        if may_be_placeholder(i) and not (_in_a_series(i, n, counts) or _among_words(i, wordy, short))
    }


def _in_a_series(patient_id: str, n_ecgs: int, counts: Mapping[str, int]) -> bool:
    if not (patient_id.isascii() and patient_id.isdecimal()):
        return False
    value, width = int(patient_id), len(patient_id) if patient_id[0] == "0" else 0
    if value and n_ecgs == 1 and len(patient_id) < _LONG:
        return True
    reach = 1 if value == 0 and n_ecgs > 1 else 100
    near = (n for n in range(value - reach, value + reach + 1) if n >= 0 and n != value)
    return any(str(n).zfill(width) in counts for n in near)


def _among_words(patient_id: str, wordy: Mapping[int, int], short: Mapping[int, int]) -> bool:
    length = len(patient_id)
    return patient_id.isalpha() and (wordy.get(length, 0) > 0 or short.get(length, 0) > 1)


YES = frozenset(
    ("true", "yes", "ja", "oui", "si", "sí", "positive", "positiv", "positif", "positivo", "wahr", "vrai", "verdadero")
)
"""What a label's cell may say for 1, in any case."""
NO = frozenset(
    ("false", "no", "nein", "non", "negative", "negativ", "négatif", "negatif", "negativo", "falsch", "faux", "falso")
)
"""What it may say for 0."""
