"""Who is who in an archive: ids that are no one's, ids that two people share, dates and sexes that cannot be right.

One place for all readers. What a single ECG shows is decided when it is read (`patient_of`, `settled`); what only all
of them together show, when they have been read (`People`). Then some are taken back, or lose a field (`Corrections`).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from heartprint.foundation.errors import Caution, HeartprintError
from heartprint.readers.source import Details
from heartprint.tables import dates
from heartprint.tables.fields import Reading
from heartprint.tables.words import check_sexes, is_placeholder, is_rounded, stand_for_no_one

UNKNOWN_PATIENTS = ("refuse", "separate")
"""What becomes of an ECG of which nobody knows whose it is: it is refused, or counts as a patient of its own."""

BIRTHS_APART = 2.0
"""Years between the births that the ECGs of one person may imply: ages are whole years, and typed by hand."""
CAPPED_AGE = 89.0
"""Publishers give one age to all who are older (HIPAA's rule says 89): such an age only says 'born before'."""
CROWD, CROWD_RATIO = 50, 20
"""ECGs of one id, alone and as a multiple of the 99th percentile over ids, from which on it is shown."""

_DAYS_PER_YEAR = 365.2425
_MOST_SHOWN = 5


@dataclass(frozen=True)
class Rules:
    """How ids and dates are judged.

    Args:
        unknown_patients: One of `UNKNOWN_PATIENTS`.
        shifted_dates: Whether the publisher moved the dates: any year is then possible.
    """

    unknown_patients: Literal["refuse", "separate"] = "refuse"
    shifted_dates: bool = False

    def __post_init__(self) -> None:
        if self.unknown_patients not in UNKNOWN_PATIENTS:
            raise HeartprintError(
                "bad-options",
                f"Unknown patients can be refused or kept separate, not '{self.unknown_patients}'. Give one of "
                f"{', '.join(UNKNOWN_PATIENTS)}.",
            )


# One ECG


def patient_of(ecg_id: str, in_table: str, in_file: str, column: str, rules: Rules) -> tuple[str, tuple[Caution, ...]]:
    """Whose ECG it is: what the table says, or else the file, if that names anyone.

    Args:
        ecg_id: The ECG. Where a source gives each ECG a patient of its own, both have one name, whatever that is.
        in_table: The table's id; empty if there is none.
        in_file: The file's.
        column: The table's column, for messages.
        rules: What becomes of ECGs that are no one's.

    Returns:
        The patient's id, and what to know of it.

    Raises:
        HeartprintError: ``rounded-patient-id``, ``placeholder-patient-id`` or ``missing-patient-id``.
    """
    placeholder = ""
    for said, where in ((in_table, f"column '{column}'"), (in_file, "the file")):
        if not said:
            continue
        if is_rounded(said):
            raise HeartprintError(
                "rounded-patient-id",
                f"The patient id '{said[:40]}' in {where} is in scientific notation: a spreadsheet rounded it, and "
                "different patients may share it. Format the column as text in the spreadsheet and export it again.",
            )
        if said == ecg_id or not is_placeholder(said):
            return said, ()
        placeholder = placeholder or said
    if rules.unknown_patients == "separate":
        return apart(ecg_id), (_set_apart(placeholder),)
    if placeholder:
        raise _no_one(placeholder)
    fill = "List it with its patient_id in a table ('heartprint ingest table')"
    where = f"Fill the column '{column}'" if column else fill
    raise HeartprintError(
        "missing-patient-id",
        f"ECG '{ecg_id}' does not say whose it is; without a patient_id patients cannot be kept apart. {where}, or "
        "let each such ECG be a patient of its own (--unknown-patients separate).",
    )


def apart(ecg_id: str) -> str:
    """The id of the patient of an ECG of which nobody knows whose it is."""
    return f"unknown:{ecg_id}"


def _set_apart(placeholder: str) -> Caution:
    what = f"The patient id '{placeholder[:40]}' stands for no one" if placeholder else "There is no patient id"
    code = "placeholder-patient-id" if placeholder else "missing-patient-id"
    return Caution(code, f"{what}: the ECG counts as one of a patient of its own, whoever else's it may be.")


def _no_one(patient_id: str) -> HeartprintError:
    return HeartprintError(
        "placeholder-patient-id",
        f"The patient id '{patient_id[:40]}' stands for no one: strangers would be taken for one patient. Give the "
        "real id, or let each such ECG be a patient of its own (--unknown-patients separate).",
    )


def age_at(recorded_at: dt.datetime | None, born: dt.datetime | None) -> float | None:
    """Whole years between birth and recording, as people count them; None if either is unknown or they cannot be right.

    Of a birth date that is right to a year only, the recording may lie before it.
    """
    if recorded_at is None or born is None or dates.is_dummy(born) or dates.is_dummy(recorded_at):
        return None
    years = recorded_at.year - born.year - ((recorded_at.month, recorded_at.day) < (born.month, born.day))
    if recorded_at.year == born.year:
        years = 0
    return float(years) if 0 <= years <= dates.OLDEST else None


def settled(details: Details, *, shifted_dates: bool) -> Details:
    """Details of which each field can be right, and all of them together; a caution says what was not taken.

    Args:
        details: What table and file say.
        shifted_dates: Whether the publisher moved the dates.
    """
    said = Reading()
    recorded_at, born, age = details.recorded_at, details.born, details.age
    facts = {name: fact for name, fact in details.facts.items() if name != "born"}
    if age is not None and facts.pop("age_from_birth", None) == age:
        age = None  # reckoned before the table's date was known
    if recorded_at is not None and not shifted_dates:
        recorded_at = said(dates.sound_recording, recorded_at)
    if born is not None:
        born = said(dates.sound_birth, born)
    if recorded_at is not None and born is not None:
        if recorded_at.year < born.year:
            said(_disagree, "bad-date", "The recording is dated before the patient's birth. Correct both dates.")
            recorded_at = born = None
        elif (from_birth := age_at(recorded_at, born)) is None:
            said(_disagree, "bad-age", f"By the birth date the patient was over {dates.OLDEST} years old. Correct it.")
            born = None
        elif age is None:
            age = from_birth
            facts["age_from_birth"] = from_birth
        elif abs(age - from_birth) > BIRTHS_APART and min(age, from_birth) < CAPPED_AGE:
            said(
                _disagree,
                "bad-age",
                f"The age is given as {age:g} years, but by the birth date it is {from_birth:g}. Correct either.",
            )
            age = born = None
    if born is not None:
        facts["born"] = born.isoformat()
    return dataclasses.replace(
        details, recorded_at=recorded_at, born=born, age=age, cautions=details.cautions + said.cautions, facts=facts
    )


def _disagree(code: str, message: str) -> None:
    raise HeartprintError(code, message)


# All of them


@dataclass(frozen=True)
class Corrections:
    """What an archive as a whole takes back of its single ECGs.

    Args:
        refused: Why the ECGs of a patient id are refused.
        separate: Patient ids that stand for no one, whose ECGs each become a patient of their own.
        dummies: Recording times that stand for none.
    """

    refused: Mapping[str, HeartprintError] = field(default_factory=dict)
    separate: frozenset[str] = frozenset()
    dummies: frozenset[dt.datetime] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.refused or self.separate or self.dummies)

    def apply(
        self, ecg_id: str, values: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[Caution]]:
        """What is stored of one ECG after all, and what to know of it.

        Raises:
            HeartprintError: It is refused after all.
        """
        patient_id = values["patient_id"]
        if patient_id in self.refused:
            raise self.refused[patient_id]
        changed, said = dict(values), Reading()
        cautions = []
        if patient_id in self.separate:
            changed["patient_id"] = apart(ecg_id)
            cautions.append(_set_apart(patient_id))
        when = values["recorded_at"]
        if when in self.dummies:
            said(
                _disagree,
                "dummy-date",
                f"The recording has the date {when:%Y-%m-%d}, as others have whose date is unknown. Correct it.",
            )
            changed["recorded_at"] = None
            if "age_from_birth" in facts:
                changed["age"] = None
        return changed, [*cautions, *said.cautions]


@dataclass(slots=True)
class _Person:
    """What the ECGs of one id say together: how many, which sexes, between which births."""

    n: int = 0
    sexes: int = 0
    latest_birth: float = -math.inf
    earliest_birth: float = math.inf


_BIT = {"female": 1, "male": 2}


class People:
    """Collects what the ECGs of an archive say about their patients, and judges it.

    Args:
        rules: What becomes of ids that are no one's.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._people: dict[str, _Person] = {}
        self._strange_sexes: Counter[str] = Counter()
        self._n_sexes = 0
        self._dates = dates.Evidence()
        self._new_years: Counter[dt.datetime] = Counter()
        self._months: Counter[tuple[int, int]] = Counter()

    def add(self, values: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Take note of one ECG; see `heartprint.readers.archive.Archive.add`."""
        person = self._people.setdefault(values["patient_id"], _Person())
        person.n += 1
        person.sexes |= _BIT.get(values["sex"] or "", 0)
        latest, earliest = _births(values, facts)
        person.latest_birth = max(person.latest_birth, latest)
        person.earliest_birth = min(person.earliest_birth, earliest)
        if "sex" in facts:
            self._n_sexes += 1
            if values["sex"] is None:
                self._strange_sexes[facts["sex"]] += 1
        for text in facts.get("dates", ()):
            self._dates.add(text)
        when = values["recorded_at"]
        if when is not None:
            self._months[when.year, when.month] += 1
            if when == dt.datetime(when.year, 1, 1):
                self._new_years[when] += 1

    def judge(self) -> list[Caution]:
        """What to know of the archive.

        Raises:
            HeartprintError: ``unknown-sex`` if its words for sexes are not understood; ``ambiguous-dates`` if some of
                its dates cannot be read in the usual order.
        """
        check_sexes(self._strange_sexes, self._n_sexes, "the archive")
        return [*self._judge_dates(), *self._judge_crowds()]

    def _judge_dates(self) -> list[Caution]:
        # Files tell their dates only where the user did not say the order: they were read month-first, as MUSE writes.
        if not self._dates.n:
            return []
        counts, examples = self._dates.counts, self._dates.examples
        if "day-first" in counts:
            other = examples.get("month-first")
            also = f"; others, such as '{other}', cannot have the day first" if other else ""
            raise HeartprintError(
                "ambiguous-dates",
                f"{counts['day-first']:,} of {self._dates.n:,} dates, such as '{examples['day-first']}', cannot have "
                f"the month first{also}: read like that, those such as "
                f"'{examples.get('either', examples['day-first'])}' would become other days. Give --dates day-first "
                "if the archive writes the day first, or --dates month-first to count the impossible ones as missing.",
            )
        if "month-first" in counts:
            return []
        return [
            Caution(
                "ambiguous-dates",
                f"No date tells whether the day or the month comes first: {self._dates.n:,} such as "
                f"'{examples['either']}' were read month-first, as the format has it. If the archive writes the day "
                "first, ingest it again with --dates day-first.",
            )
        ]

    def _judge_crowds(self) -> list[Caution]:
        counts = np.array([person.n for person in self._people.values()], dtype=np.int64)
        if not len(counts):
            return []
        usual = float(np.percentile(counts, 99, method="lower"))
        crowds = [(p.n, i) for i, p in self._people.items() if p.n > CROWD and p.n > CROWD_RATIO * usual]
        if not crowds:
            return []
        crowds.sort(key=lambda c: (-c[0], c[1]))
        shown = ", ".join(f"'{i[:40]}' ({n:,})" for n, i in crowds[:_MOST_SHOWN])
        more = f" and {len(crowds) - _MOST_SHOWN:,} more" if len(crowds) > _MOST_SHOWN else ""
        return [
            Caution(
                "crowded-patient-id",
                f"Far more ECGs than any other patient has bear the id {shown}{more}; 99 % of ids have up to "
                f"{usual:g}. Check whether it is a person: a test patient or a phantom should be left out.",
            )
        ]

    def corrections(self) -> Corrections:
        """What is taken back of single ECGs."""
        refused = {i: error for i, p in self._people.items() if (error := _conflict(i, p)) is not None}
        no_ones = stand_for_no_one({i: p.n for i, p in self._people.items()})
        separate = self._rules.unknown_patients == "separate"
        if not separate:
            refused |= {i: _no_one(i) for i in no_ones}
        else:
            refused = {i: error for i, error in refused.items() if i not in no_ones}
        return Corrections(refused, frozenset(no_ones if separate else ()), self._dummies())

    def _dummies(self) -> frozenset[dt.datetime]:
        """First days of a year, at midnight, that hold several ECGs while no other lies near them."""
        if self._rules.shifted_dates:
            return frozenset()
        return frozenset(
            when
            for when, n in self._new_years.items()
            if n >= (2 if when.year == 2000 else 10)
            and len(self._months) > 1
            and self._months[when.year, 1] == n
            and not self._months[when.year - 1, 12]
        )


def _births(values: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[float, float]:
    """The latest and the earliest birth, in years, that an ECG leaves possible; infinite where it says nothing."""
    if "born" in facts:
        born = dt.datetime.fromisoformat(facts["born"]).toordinal() / _DAYS_PER_YEAR
        return born, born
    if values["recorded_at"] is None or values["age"] is None:
        return -math.inf, math.inf
    recorded = values["recorded_at"].toordinal() / _DAYS_PER_YEAR
    if values["age"] >= CAPPED_AGE:
        return -math.inf, recorded - CAPPED_AGE
    return recorded - values["age"], recorded - values["age"]


def _conflict(patient_id: str, person: _Person) -> HeartprintError | None:
    if person.sexes == sum(_BIT.values()):
        what = "are of a woman and of a man"
    elif (years := person.latest_birth - person.earliest_birth) > BIRTHS_APART:
        what = f"are, by their ages and dates, of people born {years:.0f} years apart"
    else:
        return None
    return HeartprintError(
        "conflicting-patient",
        f"ECGs under the patient id '{patient_id[:40]}' {what}: either people share the id, or a field is wrong. None "
        "of them is taken. Correct the ids, sexes, ages or dates.",
    )
