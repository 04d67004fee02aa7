"""What every reader keeps, whatever it reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import REFUSED_FILE
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import READERS, ImageRecording, ingest
from heartprint.signals.leads import LEADS_8, LEADS_12
from tests.readers.sources import EXAMPLES, Example

Make = Callable[[], tuple[Example, Cohort]]
EIGHT = [LEADS_12.index(name) for name in LEADS_8]


def test_every_reader_has_an_example() -> None:
    assert set(EXAMPLES) == set(READERS)


@pytest.fixture(scope="module", params=sorted(READERS))
def ingested(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Example, Cohort]:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "src").mkdir()
    example = EXAMPLES[request.param](folder / "src")
    return example, ingest(example.reader, example.src, folder / "cohort")


def test_what_is_good_goes_in_and_what_is_broken_is_one_refused_row(ingested: tuple[Example, Cohort]) -> None:
    example, cohort = ingested
    refused = pl.read_parquet(cohort.path / REFUSED_FILE)
    assert cohort.ecg_ids.tolist() == [k.ecg_id for k in example.known]
    assert dict(zip(refused["ecg_id"], refused["code"], strict=True)) == dict(example.refused)
    assert all(m.endswith(".") and "\n" not in m for m in refused["message"])
    assert not any(str(path).startswith("/") for path in refused["path"])


def test_amplitudes_within_1_uv_in_the_right_leads_and_every_pixel(ingested: tuple[Example, Cohort]) -> None:
    example, cohort = ingested
    for row, known in enumerate(example.known):
        if cohort.kind == "image":
            np.testing.assert_array_equal(cohort.image(row), known.leads)
            continue
        assert cohort.sampling_rate(row) == pytest.approx(known.rate)
        signal = cohort.signal(row)
        truth = known.leads if cohort.records["unit"][row] == "z" else known.leads[EIGHT]
        assert signal.shape == truth.shape
        assert np.nanmax(np.abs(signal - truth)) < 0.001
        np.testing.assert_array_equal(np.isnan(signal), np.isnan(truth))


def test_patients_dates_ages_sexes_devices_and_labels(ingested: tuple[Example, Cohort]) -> None:
    example, cohort = ingested
    for key in ("patient_id", "age", "sex", "recorded_at", "device"):
        assert cohort.records[key].to_list() == [getattr(k, key) for k in example.known], key
    for row, known in enumerate(example.known):
        for name, value in (known.labels or {}).items():
            assert cohort.records[f"label_{name}"][row] == value, (known.ecg_id, name)


def test_same_source_gives_same_bytes_wherever_it_lies(ingested: tuple[Example, Cohort], tmp_path: Path) -> None:
    example, cohort = ingested
    root = cohort.path.parent / "src"
    shutil.copytree(root, tmp_path / "elsewhere")
    again = ingest(example.reader, tmp_path / "elsewhere" / example.src.relative_to(root), tmp_path / "x" / "cohort")
    for file in sorted(cohort.path.iterdir()):
        assert file.read_bytes() == (again.path / file.name).read_bytes(), file.name


def test_rows_are_made_one_by_one(ingested: tuple[Example, Cohort]) -> None:
    example, _ = ingested
    rows = example.reader.open(example.src).rows
    assert len(rows) == len(example.known) + len(example.refused)
    ids = [row.ecg_id for row in rows]
    at = ids.index(example.known[0].ecg_id)
    first, again = rows[at], rows[at]
    one, other = first.recording(), again.recording()
    what = "pixels" if isinstance(one, ImageRecording) else "signal"
    np.testing.assert_array_equal(getattr(one, what), getattr(other, what))


@pytest.mark.parametrize("name", sorted(READERS))
def test_what_is_not_there_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(HeartprintError) as caught:
        ingest(name, tmp_path / "nowhere", tmp_path / "out")
    assert caught.value.code in ("source-missing", "file-missing")
    assert caught.value.message.endswith(".")
    assert list(tmp_path.iterdir()) == []
