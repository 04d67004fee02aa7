"""Who is who: one rule for the ids, sexes, ages and dates of all readers."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import CAUTIONS_FILE, REFUSED_FILE
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import READERS, ingest
from heartprint.readers.people import People, Rules, settled
from heartprint.readers.source import Details
from heartprint.tables.words import is_placeholder, is_rounded, stand_for_no_one
from tests.readers.people_sources import SOURCES, Said

FEW = settings(max_examples=60, deadline=None, derandomize=True)
# No dates, so that a birth cannot be told; nor a table of ids, where each ECG is a patient of its own.
DATELESS = ("code-15", "echonext")


def test_every_reader_that_names_patients_has_a_source() -> None:
    anonymous = {"challenge", "ludb", "sami-trop", "ptb"}  # each ECG, or each folder, is a patient
    assert {name.partition(":")[0] for name in SOURCES} == set(READERS) - anonymous


def codes(cohort: Cohort, file: str = REFUSED_FILE) -> list[str]:
    # The leads of these made-up ECGs have random signs; what is tried here is what is known of people.
    found = pl.read_parquet(cohort.path / file)["code"].to_list()
    return sorted(code for code in found if code != "inverted-leads")


def refusal(made: tuple[Any, Path], out: Path, **options: Any) -> HeartprintError:
    with pytest.raises(HeartprintError) as caught:
        ingest(*made, out, workers=1, **options)
    assert not out.exists()
    return caught.value


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_strangers_are_never_one_patient(name: str, tmp_path: Path) -> None:
    no_ones = ["Unknown", "Unknown", "^", "000000", "-1", "1.23457E+11", "99999999", "99999999"]
    ecgs = [Said(i) for i in [*no_ones, "1071", "1071", "1111", "x17"]]
    (tmp_path / "src").mkdir()
    made = SOURCES[name](tmp_path / "src", ecgs)
    cohort = ingest(*made, tmp_path / "refused", workers=1)
    assert sorted(cohort.patient_ids.tolist()) == ["1071", "1071", "1111", "x17"]
    assert codes(cohort) == ["placeholder-patient-id"] * 7 + ["rounded-patient-id"]
    apart = ingest(*made, tmp_path / "apart", workers=1, unknown_patients="separate")
    assert (len(apart), apart.n_patients) == (11, 10)
    assert codes(apart) == ["rounded-patient-id"]
    assert codes(apart, CAUTIONS_FILE).count("placeholder-patient-id") == 7


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_an_id_of_a_woman_and_a_man_is_refused_whole(name: str, tmp_path: Path) -> None:
    ecgs = [Said("a1"), Said("b2", "M"), Said("a1"), Said("a1", "M"), Said("c3", "M"), Said("c3", "M")]
    (tmp_path / "src").mkdir()
    if name == "mimic-iv-ecg":
        pytest.skip("its table has one sex for each patient")
    cohort = ingest(*SOURCES[name](tmp_path / "src", ecgs), tmp_path / "out", workers=1)
    assert sorted(cohort.patient_ids.tolist()) == ["b2", "c3", "c3"]
    assert codes(cohort) == ["conflicting-patient"] * 3


@pytest.mark.parametrize("name", ["table", "images", "ptb-xl"])
def test_an_id_of_people_born_years_apart_is_refused_whole(name: str, tmp_path: Path) -> None:
    ecgs = [
        Said("a1", age="40", date="2001-03-04"),
        Said("a1", age="59", date="2020-03-03"),
        Said("b2", age="40", date="2001-03-04"),
        Said("b2", age="63", date="2020-03-03"),
        Said("c3", age="90", date="2001-03-04"),
        Said("c3", age="90", date="2020-03-03"),
        Said("d4", age="90", date="2001-03-04"),
        Said("d4", age="50", date="2020-03-03"),
    ]
    (tmp_path / "src").mkdir()
    cohort = ingest(*SOURCES[name](tmp_path / "src", ecgs), tmp_path / "out", workers=1)
    # 90 may be a publisher's word for all above 89, but nobody of 90 is 50 years old later.
    assert sorted(set(cohort.patient_ids.tolist())) == ["a1", "c3"]
    assert codes(cohort) == ["conflicting-patient"] * 4


@pytest.mark.parametrize("name", ["table", "images", "ptb-xl", "code-15", "mimic-iv-ecg", "echonext"])
def test_an_odd_field_costs_the_field(name: str, tmp_path: Path) -> None:
    dated = name not in DATELESS
    odd = [Said("p0"), Said("p1", sex="?!"), Said("p2", age="-1"), Said("p3", age="999")]
    odd += [Said("p4", date="2019-02-30"), Said("p5", date="yesterday")] if dated else []
    (tmp_path / "src").mkdir()
    cohort = ingest(*SOURCES[name](tmp_path / "src", odd), tmp_path / "out", workers=1)
    assert (len(cohort), cohort.info.n_refused) == (len(odd), 0)
    r = cohort.records
    assert r["sex"].to_list()[:4] == ["female", None, "female", "female"]
    assert r["age"].to_list()[2:4] == [None, None]
    assert codes(cohort, CAUTIONS_FILE)[-3 - 2 * dated :] == (
        ["bad-age"] * 2 + ["bad-date"] * 2 * dated + ["unknown-sex"]
    )
    if dated:
        assert r["recorded_at"].is_null().to_list() == [False] * 4 + [True] * 2


@pytest.mark.parametrize("name", ["table", "images", "ptb-xl", "code-15", "mimic-iv-ecg", "echonext"])
def test_words_for_sexes_that_nobody_knows_stop_the_whole(name: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    ecgs = [Said(f"p{i}", sex="quu" if i % 2 else "F") for i in range(6)]
    error = refusal(SOURCES[name](tmp_path / "src", ecgs), tmp_path / "out")
    assert error.code == "unknown-sex" and "'quu' (3)" in error.message and "--female" in error.message


def ecg(patient_id: str, **known: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    values = {"patient_id": patient_id, "sex": None, "age": None, "recorded_at": None, "labels": {}}
    return values | known, {}


def judged(ecgs: list[tuple[dict[str, Any], dict[str, Any]]], rules: Rules | None = None) -> People:
    people = People(rules or Rules())
    for values, facts in ecgs:
        people.add(values, facts)
    return people


DAYS = st.datetimes(dt.datetime(1960, 1, 1), dt.datetime(2024, 12, 31))


@FEW
@given(born=st.datetimes(dt.datetime(1900, 1, 2), dt.datetime(1959, 12, 31)), days=st.lists(DAYS, min_size=1))
def test_one_person_is_never_taken_for_two(born: dt.datetime, days: list[dt.datetime]) -> None:
    """Whole years, and 90 for all above 89, as publishers write them."""
    ages = [day.year - born.year - ((day.month, day.day) < (born.month, born.day)) for day in days]
    ecgs = [ecg("p", sex="male", age=float(min(age, 90)), recorded_at=day) for age, day in zip(ages, days, strict=True)]
    assert not judged(ecgs).corrections().refused


@FEW
@given(
    days=st.lists(DAYS, min_size=2, max_size=6),
    first=st.floats(3.1, 20),
    birth=st.datetimes(dt.datetime(1945, 1, 1), dt.datetime(1959, 12, 31)),
    data=st.data(),
)
def test_two_people_are_never_taken_for_one(
    days: list[dt.datetime], first: float, birth: dt.datetime, data: st.DataObject
) -> None:
    births = [birth, birth - dt.timedelta(days=first * 365.25)]
    who = [0, 1, *(data.draw(st.sampled_from([0, 1])) for _ in days[2:])]
    ecgs = [
        ecg("p", age=float(int((day - births[i]).days / 365.25)), recorded_at=day)
        for i, day in zip(who, days, strict=True)
    ]
    assert "p" in judged(data.draw(st.permutations(ecgs))).corrections().refused


SPELT = """
    unknown Anonymous N/A none unbekannt inconnu desconocido sconosciuto onbekend okänd nieznany neznámý неизвестно 不明
    TEST anon patient_unknown no_name not_available null
"""
WORDS = SPELT.split()


@FEW
@given(word=st.sampled_from(WORDS), around=st.text("^-_ .?*#/()", max_size=3), how=st.sampled_from("lut"))
def test_placeholders_in_any_spelling(word: str, around: str, how: str) -> None:
    spelt = {"l": word.lower(), "u": word.upper(), "t": word.title()}[how]
    assert is_placeholder(around + spelt + around)
    assert is_placeholder(f"{around}^")


@FEW
@given(numbers=st.sets(st.integers(1, 9999), min_size=30, max_size=60), start=st.integers(0, 5000))
def test_running_numbers_are_ids(numbers: set[int], start: int) -> None:
    """As PTB-XL numbers its patients: 7, 11, 100 and 1111 are people."""
    counts = {str(n): 3 for n in range(start, start + 200)}
    assert not [i for i in counts if is_placeholder(i) or is_rounded(i)]
    assert stand_for_no_one(counts) <= ({"0"} if start else set())
    # Sparse numbers: only those that repeat one digit three times and more can be doubted.
    assert all(len(i) > 2 and len(set(i)) == 1 for i in stand_for_no_one({str(n): 3 for n in numbers}))


@pytest.mark.parametrize("value", [1.23457e11, 1e10, 9.87654e12])
@pytest.mark.parametrize("form", ["{:E}", "{:e}", "{:.5E}", "{:.0E}"])
def test_rounded_ids_in_any_spelling(value: float, form: str) -> None:
    text = form.format(value)
    assert is_rounded(text) and is_rounded(text.replace(".", ","))
    assert not any(map(is_rounded, ("12E5", "E11", "1E", "123457000000", "p1.2", "1.2", "A1E+11")))


def test_a_crowd_under_one_id_is_shown_and_taken() -> None:
    ecgs = [ecg(f"p{i}") for i in range(150)] + [ecg("phantom")] * 51
    people = judged(ecgs)
    cautions = people.judge()
    assert [c.code for c in cautions] == ["crowded-patient-id"] and "'phantom' (51)" in cautions[0].message
    assert not people.corrections()
    assert not judged([*ecgs, *[ecg(f"p{i}") for i in range(150)] * 2]).judge()


@FEW
@given(
    recorded=st.none() | st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)),
    born=st.none() | st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)),
    age=st.none() | st.floats(0, 130),
)
def test_what_is_left_of_details_agrees(
    recorded: dt.datetime | None, born: dt.datetime | None, age: float | None
) -> None:
    got = settled(Details(recorded, age, born=born), shifted_dates=False)
    if got.recorded_at is not None:
        assert got.recorded_at.year >= 1940 and got.recorded_at <= dt.datetime.now() + dt.timedelta(days=1)
    lost = (recorded is not None and got.recorded_at is None) or (age is not None and got.age is None)
    assert not lost or got.cautions
    if got.recorded_at is not None and got.born is not None and got.age is not None:
        assert abs((got.recorded_at - got.born).days / 365.25 - got.age) < 4 or min(got.age, 89) == 89
    again = settled(got, shifted_dates=False)
    assert (again.recorded_at, again.age, again.born, again.cautions) == (
        got.recorded_at,
        got.age,
        got.born,
        got.cautions,
    )


@pytest.mark.parametrize("year", [1900, 1901, 1970, 1, 9999])
def test_first_days_of_calendars_are_no_dates(year: int) -> None:
    day = dt.datetime(year, 1, 1) if year < 9999 else dt.datetime(9999, 12, 31)
    got = settled(Details(day, born=day), shifted_dates=False)
    assert (got.recorded_at, got.born, got.age) == (None, None, None)
    assert [c.code for c in got.cautions] == ["dummy-date"] * 2
    kept = settled(Details(day), shifted_dates=True)
    assert kept.recorded_at == day and not kept.cautions


def test_a_new_year_that_stands_for_no_date_leaves_no_gap_of_a_day(tmp_path: Path) -> None:
    days = ["2000-01-01", "2000-01-01", "2014-05-06", "2016-07-08"]
    (tmp_path / "src").mkdir()
    made = SOURCES["table"](tmp_path / "src", [Said("p1", age="", date=day) for day in days])
    cohort = ingest(*made, tmp_path / "out", workers=1)
    assert cohort.records["recorded_at"].is_null().to_list() == [True, True, False, False]
    assert codes(cohort, CAUTIONS_FILE) == ["dummy-date"] * 2
    (tmp_path / "then").mkdir()
    then = [Said("p1", age="", date=day) for day in [*days[:2], "2000-01-03", "2014-05-06"]]
    cohort = ingest(*SOURCES["table"](tmp_path / "then", then), tmp_path / "real", workers=1)
    assert cohort.records["recorded_at"].null_count() == 0
