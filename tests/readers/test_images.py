"""Cohorts of images: what goes in comes out, and what a cohort of waveforms can do beyond that is refused in words."""

from __future__ import annotations

import datetime as dt
import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from heartprint.cohorts import Cohort
from heartprint.cohorts.cohort import FORMAT_VERSION, IMAGES_FILE, REFUSED_FILE
from heartprint.cohorts.measure import measure_cohort
from heartprint.cohorts.schema import IMAGE_COLUMNS
from heartprint.cohorts.summary import render_summary, summarise
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import Images, ingest
from tests.cohorts.ecgs import small_cohort
from tests.foundation.bad_pictures import BAD, ECG_PDF, noise, pdf
from tests.readers.pictures import write_table


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("images")
    rows: list[dict[str, object]] = []
    for k, (height, width) in enumerate([(60, 80), (300, 600), (90, 70)]):
        Image.fromarray(noise(height, width)).save(folder / f"{k}.png")
        rows.append(
            {"path": f"{k}.png", "page": "", "patient_id": f"p{k // 2}", "date": f"2020-01-0{k + 1}", "af": k % 2}
        )
    (folder / "two.pdf").write_bytes(pdf(ECG_PDF, pages=2))
    rows.append({"path": "two.pdf", "page": 2, "patient_id": "p9", "date": "", "af": ""})
    for name, (_, write) in BAD.items():
        write(folder / name)
        rows.append({"path": name, "page": "", "patient_id": "q", "date": "", "af": ""})
    return ingest(Images(longest_side=300), write_table(folder / "table.csv", rows), folder / "cohort")


def test_what_goes_in_comes_out(cohort: Cohort) -> None:
    assert (cohort.kind, cohort.info.format_version) == ("image", FORMAT_VERSION)
    assert list(cohort.records.columns) == [*IMAGE_COLUMNS, "label_af"]
    assert cohort.ecg_ids.tolist() == ["0", "1", "2", "two_2"]
    assert cohort.records["recorded_at"][1] == dt.datetime(2020, 1, 2)
    shapes = [cohort.image(row).shape for row in range(4)]
    assert shapes == [(60, 80), (150, 300), (90, 70), (200, 300)]
    assert cohort.records["original_width"].to_list()[:3] == [80, 600, 70]
    np.testing.assert_array_equal(cohort.image(0), noise(60, 80))
    np.testing.assert_array_equal(cohort.image(2), noise(90, 70))
    blocks = noise(300, 600).reshape(150, 2, 300, 2).mean(axis=(1, 3))
    assert np.abs(cohort.image(1) - blocks).max() <= 0.51
    assert not cohort.image(0).flags.writeable
    assert (cohort.path / IMAGES_FILE).stat().st_size == sum(h * w for h, w in shapes)
    np.testing.assert_array_equal(cohort.take([2]).image(0), noise(90, 70))
    again = pickle.loads(pickle.dumps(cohort))
    np.testing.assert_array_equal(again.image(2), noise(90, 70))


def test_each_bad_image_is_one_refused_row(cohort: Cohort) -> None:
    refused = pl.read_parquet(cohort.path / REFUSED_FILE)
    assert dict(zip(refused["path"], refused["code"], strict=True)) == {name: code for name, (code, _) in BAD.items()}
    assert cohort.info.n_refused == len(BAD)


def test_a_summary_says_what_images_there_are(cohort: Cohort) -> None:
    from rich.console import Console

    summary = summarise(cohort)
    assert summary["kind"] == "image" and "sampling_rates" not in summary
    assert summary["widths"]["highest"] == 300 and summary["shrunk"] == 2
    console = Console(record=True, width=200)
    console.print(render_summary(summary))
    assert "70-300 x 60-200 px" in console.export_text()


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.signal(0),
        lambda c: c.sampling_rate(0),
        lambda c: measure_cohort(c, progress=False),
    ],
)
def test_waveforms_are_refused_in_words(cohort: Cohort, ask: object) -> None:
    cohort.image(0)
    with pytest.raises(HeartprintError) as caught:
        ask(cohort)  # type: ignore[operator]
    assert caught.value.code == "needs-waveforms"
    assert cohort.info.name in caught.value.message


def test_waveforms_have_no_image(tmp_path: Path) -> None:
    cohort = small_cohort(tmp_path / "c", ["p"])
    assert (cohort.kind, cohort.info.format_version) == ("waveform", FORMAT_VERSION)
    with pytest.raises(HeartprintError, match="holds waveforms"):
        cohort.image(0)


def test_a_file_cut_short_is_noticed(cohort: Cohort, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(cohort.path, tmp_path / "c")
    with (tmp_path / "c" / IMAGES_FILE).open("r+b") as handle:
        handle.truncate(1000)
    with pytest.raises(HeartprintError) as caught:
        Cohort.open(tmp_path / "c")
    assert caught.value.code == "cohort-incomplete"
    (tmp_path / "c" / IMAGES_FILE).unlink()
    with pytest.raises(HeartprintError) as caught:
        Cohort.open(tmp_path / "c")
    assert caught.value.code in ("cohort-incomplete", "cohort-version")


def test_bad_tables_and_options(tmp_path: Path) -> None:
    Image.fromarray(noise(50, 60)).save(tmp_path / "a.png")
    table = write_table(
        tmp_path / "t.csv",
        [
            {"path": "a.png", "patient_id": "p", "page": "first"},
            {"path": "a.png", "patient_id": "", "page": ""},
            {"path": "", "patient_id": "p", "page": ""},
        ],
    )
    with pytest.raises(HeartprintError) as caught:
        ingest(Images(), table, tmp_path / "c")
    assert caught.value.code == "empty-cohort"
    for code in ("no-such-page", "missing-patient-id", "missing-ecg-id"):
        assert code in caught.value.message
    with pytest.raises(HeartprintError) as caught:
        ingest(Images(longest_side=10), table, tmp_path / "c")
    assert caught.value.code == "bad-size"


def test_photographs_of_real_ecgs_go_in(shared_data: Path, tmp_path: Path) -> None:
    photos = sorted((shared_data / "photos").iterdir()) if (shared_data / "photos").is_dir() else []
    if not photos:
        pytest.skip(f"no photographs here: {shared_data / 'photos'} is absent")
    rows: list[dict[str, object]] = [{"path": str(path), "patient_id": path.stem} for path in photos]
    cohort = ingest("images", write_table(tmp_path / "photos.csv", rows), tmp_path / "cohort")
    assert len(cohort) == len(photos) and cohort.info.n_refused == 0
    for row, path in enumerate(photos):
        with Image.open(path) as opened:
            expected = np.asarray(opened.convert("L"), dtype=np.float64)
        image = cohort.image(row)
        assert max(image.shape) == min(1200, max(expected.shape))
        assert image.shape[1] / image.shape[0] == pytest.approx(expected.shape[1] / expected.shape[0], rel=0.003)
        # The means of quarters do not change when areas are averaged.
        for part in (np.s_[: len(image) // 2], np.s_[len(image) // 2 :]):
            whole = np.s_[: len(expected) // 2] if part.start is None else np.s_[len(expected) // 2 :]
            assert image[part].mean() == pytest.approx(expected[whole].mean(), abs=1.0)
