"""Dates and sexes as the world writes them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import CAUTIONS_FILE
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import Files, Images, Table, ingest, read_recording
from heartprint.tables import dates
from heartprint.tables.words import SEXES, UNKNOWN_SEXES, codes_of_column
from tests.cohorts.ecgs import twelve
from tests.readers.hospital_files import WRITERS, Person
from tests.readers.people_sources import NAMED_IN_FILES, SOURCES, Said, rewritten

FEW = settings(max_examples=80, deadline=None, derandomize=True)
WHEN = st.datetimes(dt.datetime(1941, 1, 1), dt.datetime(2024, 12, 31)).map(lambda d: d.replace(microsecond=0))
LEADS = twelve(rate=250)

FORMS: dict[str, dates.Order | None] = {
    "%Y-%m-%d %H:%M:%S": None,
    "%Y-%m-%dT%H:%M:%SZ": None,
    "%Y-%m-%d %H:%M:%S+00": None,
    "%Y/%m/%d %H:%M:%S": None,
    "%d.%m.%Y %H:%M:%S": None,
    "%d-%b-%Y %H:%M:%S": None,
    "%d%b%Y:%H:%M:%S": None,
    "%d/%m/%Y %H:%M:%S": "day-first",
    "%d-%m-%Y, %H:%M:%S": "day-first",
    "%m/%d/%Y %I:%M:%S %p": "month-first",
    "%m-%d-%Y %H:%M:%S": "month-first",
}


@FEW
@given(when=WHEN, form=st.sampled_from(sorted(FORMS)))
def test_every_form_of_a_date_is_read(when: dt.datetime, form: str) -> None:
    assert dates.moment(when.strftime(form), "x", FORMS[form]) == when
    day = form.replace(",", "").partition(" " if " " in form else "T" if "T" in form else ":")[0]
    assert dates.moment(when.strftime(day), "x", FORMS[form]) == dt.datetime(when.year, when.month, when.day)


@FEW
@given(text=st.text(max_size=24))
def test_any_other_text_is_told(text: str) -> None:
    try:
        assert isinstance(dates.moment(text, "x", "day-first"), dt.datetime)
    except HeartprintError as error:
        assert error.code == "bad-date"


@pytest.mark.parametrize(
    ("text", "said"), [("43831", "2020-01-01"), ("43831.5", "2020-01-01"), ("31.12.19", "two digits")]
)
def test_what_is_not_taken_is_named(text: str, said: str) -> None:
    with pytest.raises(HeartprintError, match=said):
        dates.moment(text, "column 'date'", "day-first")


@FEW
@given(days=st.lists(WHEN, min_size=1, max_size=20), sign=st.sampled_from("/-"), day_first=st.booleans())
def test_dates_of_a_column_are_right_or_asked_for(days: list[dt.datetime], sign: str, day_first: bool) -> None:
    form = f"%d{sign}%m{sign}%Y" if day_first else f"%m{sign}%d{sign}%Y"
    texts = [day.strftime(form) for day in days]
    try:
        order = dates.order_of_column(texts, "x", None)
    except HeartprintError as error:
        # Not one day above the twelfth.
        assert error.code == "ambiguous-dates" and "--dates" in error.message and all(d.day <= 12 for d in days)
        order = "day-first" if day_first else "month-first"
    # Of dates like 05/05 the order does not matter.
    assert [dates.moment(text, "x", order or "day-first").date() for text in texts] == [day.date() for day in days]


def test_a_column_written_in_two_ways_is_asked_for() -> None:
    with pytest.raises(HeartprintError) as caught:
        dates.order_of_column(["31/12/2019", "12/31/2019"], "x", None)
    assert caught.value.code == "ambiguous-dates" and "two ways" in caught.value.message


@pytest.mark.parametrize("name", ["table", "images"])
@pytest.mark.parametrize("form", ["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"])
def test_german_french_and_american_tables(name: str, form: str, tmp_path: Path) -> None:
    days = [dt.datetime(2019, 2, 1), dt.datetime(2019, 3, 25)]
    (tmp_path / "src").mkdir()
    made = SOURCES[name](tmp_path / "src", [Said(f"p{i}", date=d.strftime(form)) for i, d in enumerate(days)])
    cohort = ingest(*made, tmp_path / "out", workers=1)
    assert cohort.records["recorded_at"].to_list() == days
    (tmp_path / "src" / "t.csv").write_text((tmp_path / "src" / "t.csv").read_text().replace("25", "03"))
    if "." in form:
        assert ingest(*made, tmp_path / "again", workers=1).records["recorded_at"][1] == dt.datetime(2019, 3, 3)
        return
    with pytest.raises(HeartprintError) as caught:
        ingest(*made, tmp_path / "again", workers=1)
    assert caught.value.code == "ambiguous-dates"
    order: dates.Order = "day-first" if form.startswith("%d") else "month-first"
    reader = Table(sampling_rate=100, dates=order) if name == "table" else Images(dates=order)
    told = ingest(reader, made[1], tmp_path / "again", workers=1)
    assert told.records["recorded_at"].to_list() == [days[0], dt.datetime(2019, 3, 3)]


def muse(folder: Path, texts: list[str], born: str = "06-30-1955") -> Path:
    folder.mkdir()
    for i, text in enumerate(texts):
        WRITERS["muse"][0](folder / f"{i}.xml", LEADS, 250, Person(f"p{i}"))
        rewritten(folder / f"{i}.xml", "<AcquisitionDate>[^<]*", f"<AcquisitionDate>{text}")
        rewritten(folder / f"{i}.xml", "<DateofBirth>[^<]*", f"<DateofBirth>{born}")
        rewritten(folder / f"{i}.xml", "<PatientAge>[^<]*", "<PatientAge>")
    return folder


def days_of(cohort: Cohort) -> list[str]:
    return [str(when)[:10] for when in cohort.records["recorded_at"]]


def test_one_impossible_month_stops_an_archive(tmp_path: Path) -> None:
    src = muse(tmp_path / "src", ["02-03-2019", "13-03-2019", "12-31-2018"], born="")
    with pytest.raises(HeartprintError) as caught:
        ingest("files", src, tmp_path / "out", workers=1)
    assert caught.value.code == "ambiguous-dates"
    assert all(word in caught.value.message for word in ("'13-03-2019'", "'02-03-2019'", "'12-31-2018'", "day-first"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["src"]
    told = ingest(Files(dates="day-first"), src, tmp_path / "day", workers=1)
    assert days_of(told) == ["2019-03-02", "2019-03-13", "None"]
    told = ingest(Files(dates="month-first"), src, tmp_path / "month", workers=1)
    assert days_of(told) == ["2019-02-03", "None", "2018-12-31"]
    assert pl.read_parquet(told.path / CAUTIONS_FILE)["code"].to_list() == ["bad-date"]


def test_a_birth_date_can_tell_the_order_too(tmp_path: Path) -> None:
    src = muse(tmp_path / "src", ["02-03-2019"], born="30-06-1955")
    with pytest.raises(HeartprintError, match="30-06-1955"):
        ingest("files", src, tmp_path / "out", workers=1)
    told = ingest(Files(dates="day-first"), src, tmp_path / "out", workers=1)
    assert (days_of(told), told.records["age"][0]) == (["2019-03-02"], 63)


def test_an_archive_of_ambiguous_dates_is_told(tmp_path: Path) -> None:
    src = muse(tmp_path / "src", ["02-03-2019", "05-05-2019"], born="")
    cohort = ingest("files", src, tmp_path / "out", workers=1)
    cautions = pl.read_parquet(cohort.path / CAUTIONS_FILE)
    assert cautions.select("ecg_id", "code").rows() == [(None, "ambiguous-dates")]
    told = ingest(Files(dates="month-first"), src, tmp_path / "told", workers=1)
    assert (days_of(told), told.info.n_cautions) == (days_of(cohort), 0)


def test_another_word_for_an_order_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,patient_id\n")
    muse(tmp_path / "src", [])
    files, table, images = Files(dates="years"), Table(dates="years"), Images(dates="years")  # type: ignore[arg-type]
    for reader, src in ((files, "src"), (table, "t.csv"), (images, "t.csv")):
        with pytest.raises(HeartprintError) as caught:
            ingest(reader, tmp_path / src, tmp_path / "out")
        assert caught.value.code == "bad-options" and "day-first" in caught.value.message


# Files of hospitals


def dicom(keyword: str, value: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        import pydicom

        dataset = pydicom.dcmread(path)
        setattr(dataset, keyword, value)
        dataset.save_as(path)

    return change


def text(pattern: str, new: str) -> Callable[[Path], None]:
    return lambda path: rewritten(path, pattern, new)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("form", "change", "code"),
    [
        ("dicom", dicom("PatientAge", "999Y"), "bad-age"),
        ("dicom", dicom("PatientAge", "old"), "bad-age"),
        ("dicom", dicom("PatientSex", "QUU"), "unknown-sex"),
        ("dicom", dicom("PatientBirthDate", "19000101"), "dummy-date"),
        ("dicom", dicom("PatientBirthDate", "17000101"), "bad-date"),
        ("dicom", dicom("AcquisitionDateTime", "19000101000000"), "dummy-date"),
        ("dicom", dicom("AcquisitionDateTime", "20191301"), "bad-date"),
        ("dicom", dicom("AcquisitionDateTime", "19450101"), "bad-date"),
        ("muse", text("<PatientAge>[^<]*", "<PatientAge>-1"), "bad-age"),
        ("muse", text("<AgeUnits>[^<]*", "<AgeUnits>MOONS"), "bad-age"),
        ("muse", text("<Gender>[^<]*", "<Gender>CAT"), "unknown-sex"),
        ("muse", text("<AcquisitionDate>[^<]*", "<AcquisitionDate>01-01-1900"), "dummy-date"),
        ("hl7", text('birthTime value="[^"]*', 'birthTime value="19000101'), "dummy-date"),
        ("hl7", text('birthTime value="[^"]*', 'birthTime value="19551330'), "bad-date"),
        ("hl7", text('GenderCode code="[^"]*', 'GenderCode code="QUU'), "unknown-sex"),
        ("hl7", text('(low|center) value="2019[^"]*', r'\1 value="20193131'), "bad-date"),
        ("philips", text("<sex>[^<]*", "<sex>Cat"), "unknown-sex"),
        ("philips", text("1955-06-30", "1900-01-01"), "dummy-date"),
        ("philips", text("1955-06-30", "1755-06-30"), "bad-date"),
        ("philips", text("1955-06-30", "noon"), "bad-date"),
        ("philips", text("2019-05-31", "2091-05-31"), "bad-date"),
    ],
)
def test_an_odd_field_of_a_file_costs_the_field(
    form: str, change: Callable[[Path], None], code: str, tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    WRITERS[form][0](tmp_path / "src" / "a.ecg", LEADS, 250, Person())
    change(tmp_path / "src" / "a.ecg")
    cohort = ingest("files", tmp_path / "src", tmp_path / "out", workers=1)
    assert (len(cohort), cohort.info.n_refused) == (1, 0)
    # The Philips file ends with a pulse, as its machine writes one.
    assert set(pl.read_parquet(cohort.path / CAUTIONS_FILE)["code"]) - {"calibration-pulse"} == {code}
    lost = {name for name in ("age", "sex", "recorded_at") if cohort.records[name][0] is None}
    assert lost == ({"sex"} if code == "unknown-sex" else lost - {"sex"})
    if code != "unknown-sex" and not lost:
        # A birth date may make good an odd age.
        assert cohort.records["age"][0] == Person().age


@pytest.mark.parametrize("form", NAMED_IN_FILES)
@pytest.mark.parametrize("born", [dt.date(1900, 1, 1), dt.date(1901, 1, 1), dt.date(1890, 3, 4)])
def test_no_age_comes_from_a_birth_date_that_is_none(form: str, born: dt.date, tmp_path: Path) -> None:
    WRITERS[form][0](tmp_path / "a", LEADS, 250, Person(born=born))
    if form == "muse":
        rewritten(tmp_path / "a", "<PatientAge>[^<]*", "<PatientAge>")
    details = read_recording(tmp_path / "a").details
    assert details.age is None and details.recorded_at == Person().recorded_at
    assert [c.code for c in details.cautions] == ["bad-age" if born.year == 1890 else "dummy-date"]


def test_a_dicom_date_that_is_kept_in_one_place_only(tmp_path: Path) -> None:
    from heartprint.readers.formats.dicom import details_of

    facts = {"AcquisitionDateTime": "19000101000000", "StudyDate": "20190531", "StudyTime": "140709"}
    assert details_of(facts).recorded_at == Person().recorded_at
    assert details_of({"AcquisitionDateTime": "19000101", "StudyDate": "2019"}).recorded_at is None
    assert details_of({"AcquisitionDateTime": "20180102", "StudyDate": "20190531"}).recorded_at == dt.datetime(
        2018, 1, 2
    )


# Sexes


@FEW
@given(word=st.sampled_from(sorted(SEXES)), change=st.sampled_from(["lower", "upper", "title"]))
def test_words_of_ten_languages(word: str, change: str) -> None:
    spelt = getattr(word, change)()
    assert codes_of_column([f" {spelt} "] * 3, "x")[spelt.lower()] == SEXES[word]


@pytest.mark.parametrize(
    ("cells", "female", "male"),
    [
        ("w m w m", "w", "m"),
        ("F H F H", "f", "h"),
        ("F V", "f", "v"),
        ("K M", "k", "m"),
        ("ж м", "ж", "м"),
        ("女 男", "女", "男"),
        ("Frau Mann", "frau", "mann"),
        ("donna uomo", "donna", "uomo"),
        ("mujer hombre", "mujer", "hombre"),
    ],
)
def test_columns_that_are_understood(cells: str, female: str, male: str) -> None:
    codes = codes_of_column(cells.split(), "x")
    assert (codes[female], codes[male]) == ("female", "male")


@pytest.mark.parametrize("cells", ["h m h m", "v m m m", "h v", "0 1", "1 2", "a b", "d u d u", "n m n m", "f f f q q"])
def test_columns_that_must_be_explained(cells: str) -> None:
    """Hombre and mujer, or homme; varón and mujer, or vrouw and man: nobody can tell."""
    with pytest.raises(HeartprintError) as caught:
        codes_of_column(cells.split(), "column 'sex'")
    assert caught.value.code == "unknown-sex" and "--female WORD" in caught.value.message


def test_empty_cells_do_not_hide_what_must_be_explained() -> None:
    with pytest.raises(HeartprintError, match="'m'"):
        codes_of_column(["h", "m"] * 5 + [""] * 200, "x", male=["h"])


def test_explaining_one_of_two_letters_is_not_enough() -> None:
    with pytest.raises(HeartprintError, match="'m'"):
        codes_of_column(["h", "m", "h", "m"], "x", male=["h"])
    codes = codes_of_column(["h", "m", "h", "m"], "x", female=["M"], male=["H"])
    assert (codes["m"], codes["h"]) == ("female", "male")


def test_slips_and_words_for_unknown_stop_nothing() -> None:
    assert codes_of_column(["f", "m"] * 40 + ["h", "q"], "x")["m"] == "male"
    assert codes_of_column([*sorted(UNKNOWN_SEXES), "f"], "x")["f"] == "female"


def test_sexes_of_a_table_in_another_language(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", twelve())
    rows = "".join(f"x.npy,{i},p{i},{'weiblich' if i % 2 else 'Männlich'}\n" for i in range(6))
    (tmp_path / "t.csv").write_text("path,ecg_id,patient_id,sex\n" + rows + "x.npy,7,p7,unbekannt\n", "utf-8")
    cohort = ingest(Table(sampling_rate=100), tmp_path / "t.csv", tmp_path / "out", workers=1)
    assert cohort.records["sex"].to_list() == ["male", "female"] * 3 + [None]
    assert not re.search("unknown-sex", str(pl.read_parquet(cohort.path / CAUTIONS_FILE)))
