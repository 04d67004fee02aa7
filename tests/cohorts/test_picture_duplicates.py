"""Pictures that stand twice, in a cohort of images or in two."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from heartprint.cli.duplicates import duplicates
from heartprint.cohorts import Cohort, write_cohort
from heartprint.cohorts.duplicates import find_duplicates, pictures
from heartprint.foundation.errors import HeartprintError
from heartprint.sheets import render
from heartprint.simulation import simulate

Page = npt.NDArray[np.uint8]


def jpeg(page: Page, quality: int) -> Page:
    buffer = io.BytesIO()
    Image.fromarray(page).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer))


def resized(page: Page, factor: float, how: int = cv2.INTER_AREA) -> Page:
    return np.asarray(cv2.resize(page, None, fx=factor, fy=factor, interpolation=how), dtype=np.uint8)


CHANGES: dict[str, Callable[[Page], Page]] = {
    "none": lambda page: page,
    "re-saved": lambda page: jpeg(page, 30),
    "resized": lambda page: resized(page, 0.6),
    "dimmed": lambda page: (0.7 * page).astype(np.uint8),
    "all": lambda page: jpeg(resized((40 + 0.6 * page).astype(np.uint8), 0.7, cv2.INTER_LINEAR), 50),
}


def write(folder: Path, pages: list[tuple[str, Page]]) -> Cohort:
    with write_cohort(folder, source="drawn", kind="image") as writer:
        for name, page in pages:
            page = np.ascontiguousarray(page)
            writer.add_image(page, ecg_id=name, patient_id=f"patient {name}", original=(page.shape[0], page.shape[1]))
    return Cohort.open(folder)


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> list[Page]:
    """Sheets of patients with several ECGs each, in two layouts, with their grids."""
    ecgs = simulate(tmp_path_factory.mktemp("ecgs") / "c", 40, hospital="lifelike", seed=5, progress=False)
    return [
        np.asarray(
            Image.fromarray(
                render(ecgs.signal(i), ecgs.sampling_rate(i), ("standard", "3x4_ii")[i % 2], (560, 720), colour=True)
            ).convert("L")
        )
        for i in range(80)
    ]


@pytest.fixture(scope="module")
def archive(sheets: list[Page], tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write(tmp_path_factory.mktemp("archive") / "c", [(str(i), page) for i, page in enumerate(sheets)])


@pytest.fixture(scope="module")
def copies(sheets: list[Page], tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    changed = [
        (str(8 * k + i), change(sheets[8 * k + i])) for k, change in enumerate(CHANGES.values()) for i in range(8)
    ]
    return write(tmp_path_factory.mktemp("copies") / "c", changed)


def test_every_kind_of_copy_is_found_and_nothing_else(archive: Cohort, copies: Cohort) -> None:
    for one, other in ((archive, copies), (copies, archive)):
        table = find_duplicates(one, other, n_jobs=1)
        assert sorted(table["ecg_id"]) == sorted(copies.ecg_ids.tolist())
        assert (table["ecg_id"] == table["other_ecg_id"]).all()
        kinds = {row["ecg_id"]: row["kind"] for row in table.to_dicts()}
        for k, name in enumerate(CHANGES):
            assert {kinds[str(8 * k + i)] for i in range(8)} == {"exact" if name == "none" else "near"}, name
        assert table["correlation"].is_sorted(descending=True)
    assert find_duplicates(archive, n_jobs=1).is_empty(), "two ECGs of one patient are no copies"


def test_without_what_pages_have_in_common_they_would_all_be_alike(sheets: list[Page]) -> None:
    """Why the template is taken away: as they are, two sheets of one layout correlate like copies."""
    first, second = (pictures._ink(sheets[i]).ravel() for i in (0, 2))
    assert np.corrcoef(first, second)[0, 1] > pictures.MIN_CORRELATION - 0.15


def test_the_number_of_processes_changes_nothing(archive: Cohort, copies: Cohort) -> None:
    assert find_duplicates(copies, archive, n_jobs=2).equals(find_duplicates(copies, archive, n_jobs=1))


def test_within_a_cohort_each_pair_is_named_once(sheets: list[Page], tmp_path: Path) -> None:
    pages = [(str(i), page) for i, page in enumerate(sheets[:30])] + [
        ("same", sheets[3]),
        ("paler", CHANGES["all"](sheets[8])),
    ]
    table = find_duplicates(write(tmp_path / "c", pages), n_jobs=1)
    assert {(a, b, k) for a, b, k in table.select("ecg_id", "other_ecg_id", "kind").iter_rows()} == {
        ("3", "same", "exact"),
        ("8", "paler", "near"),
    }


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_few_pictures_say_little_about_what_they_share(n: int, sheets: list[Page], tmp_path: Path) -> None:
    """Then only the most alike are named, and no two ECGs are taken for one."""
    pages = [(str(i), sheets[2 * i]) for i in range(n)]
    assert find_duplicates(write(tmp_path / "c", pages), n_jobs=1).is_empty()
    table = find_duplicates(write(tmp_path / "d", [*pages, ("copy", jpeg(sheets[0], 60))]), n_jobs=1)
    assert table.select("ecg_id", "other_ecg_id").rows() == [("0", "copy")]


def test_many_copies_of_one_picture_do_not_hide_each_other(sheets: list[Page], tmp_path: Path) -> None:
    pages = [(str(i), page) for i, page in enumerate(sheets[:40])]
    pages += [(f"copy {quality}", jpeg(sheets[3], quality)) for quality in range(30, 90, 5)]
    table = find_duplicates(write(tmp_path / "c", pages), n_jobs=1)
    found = set(table["ecg_id"]) | set(table["other_ecg_id"])
    assert found == {"3", *(name for name, _ in pages if name.startswith("copy"))}


@pytest.mark.parametrize("n", [1, 2, 12])
def test_one_picture_is_found_in_any_number(n: int, sheets: list[Page], tmp_path: Path) -> None:
    few = write(tmp_path / "few", [(str(i), sheets[i]) for i in range(n)])
    one = write(tmp_path / "one", [("one", sheets[0])])
    for first, second in ((few, one), (one, few)):
        table = find_duplicates(first, second, n_jobs=1)
        assert table["kind"].to_list() == ["exact"] and table["correlation"][0] == 1.0


def test_blank_pages_are_no_accident_waiting(tmp_path: Path) -> None:
    white = np.full((50, 60), 255, np.uint8)
    table = find_duplicates(write(tmp_path / "c", [(str(i), white) for i in range(12)]), n_jobs=1)
    assert set(table["kind"]) <= {"exact"}
    tiny = write(tmp_path / "d", [("a", white[:1, :1]), ("b", 255 - white[:1, :1])])
    assert find_duplicates(tiny, n_jobs=1).is_empty()


def test_images_and_waveforms_are_not_compared(archive: Cohort, tmp_path: Path) -> None:
    waves = simulate(tmp_path / "c", 3, progress=False)
    for one, other in ((archive, waves), (waves, archive)):
        with pytest.raises(HeartprintError, match="holds images and the other cohort waveforms") as caught:
            find_duplicates(one, other, n_jobs=1)
        assert caught.value.code == "needs-waveforms"


def test_the_command(archive: Cohort, copies: Cohort, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(duplicates)
    runner = CliRunner()
    arguments = [str(archive.path), str(copies.path), "--jobs", "1"]
    told = runner.invoke(app, [*arguments, "--out", str(tmp_path / "d.csv")])
    assert told.exit_code == 0 and "40 pairs of duplicates" in told.stdout and "8 exact" in told.stdout
    assert (tmp_path / "d.csv").read_text().splitlines()[0].endswith("kind,correlation")
    found = json.loads(runner.invoke(app, [*arguments, "--json"]).stdout)
    assert found["pairs"] == 40 and found["duplicates"][0]["correlation"] > 0.99
