"""``heartprint read``, ``predict`` on files and ``ingest images --read`` from the command line, with a plain reader."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from heartprint.cli import main
from heartprint.cohorts import Cohort
from heartprint.foundation.errors import HeartprintError
from tests.finetuning.tiny import make_cohort
from tests.readers.pictures import drawing, write_table
from tests.reading.fakes import inbox, reader_in_place, save

main._register()


@pytest.fixture(autouse=True)
def plain_reader() -> Iterator[None]:
    with reader_in_place():
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    torch.set_num_threads(1)
    work = tmp_path_factory.mktemp("model")
    make_cohort(work / "c", 16, 2)
    words = ["--task", "tall", "--init", "random", "--backbone", "small", "--image-size", "32", "--labels", "8"]
    done = CliRunner().invoke(main.app, ["finetune", str(work / "c"), *words, "--out", str(work / "m")])
    assert done.exit_code == 0, done.output
    return work / "m"


def run(*words: str | Path, given: str | bytes = b"") -> Result:
    return CliRunner().invoke(main.app, [str(word) for word in words], input=given)


def code_of(done: Result) -> str:
    assert isinstance(done.exception, HeartprintError), done.output
    return done.exception.code


def test_read_says_what_became_of_the_files(tmp_path: Path) -> None:
    folder = inbox(tmp_path / "in")
    done = run("read", folder, "--out", tmp_path / "out", "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "8 pages of 7 files: 5 ok, 1 warned, 1 refused, 1 failed" in done.output
    assert "1 too-dark" in done.output and "not a medical device" in done.output
    told = json.loads(run("read", folder, "--out", tmp_path / "out", "--json").stdout)
    assert told["kept"] == 7 and told["statuses"] == {"failed": 1, "ok": 5, "refused": 1, "warned": 1}
    listed = "\n".join(str(folder / name) for name in ("good0.png", "tall.png"))
    done = run("read", "-", "--out", tmp_path / "two", "--json", given=listed)
    assert json.loads(done.stdout)["files"] == 2


def test_read_obeys_what_is_said_by_hand(tmp_path: Path) -> None:
    picture = save(tmp_path / "a.png", drawing(0, size=(200, 300)))
    words = ["--turn", "180", "--corners", "20,10 280,12 281,190 19,188", "--layout", "alternate", "--mirrored"]
    assert run("read", picture, "--out", tmp_path / "out", *words).exit_code == 0
    record = json.loads((tmp_path / "out" / "a.json").read_text())
    assert (record["turn_deg"], record["mirrored"], record["layout"]["name"]) == (180, True, "alternate")
    assert record["corners"][2] == [281, 190] and set(record["by_hand"]) == {
        "turn_deg",
        "mirrored",
        "corners",
        "layout",
    }
    assert code_of(run("read", picture, "--out", tmp_path / "out", "--corners", "1,2")) == "bad-hint"
    other = save(tmp_path / "b.png", drawing(1))
    assert code_of(run("read", picture, other, "--out", tmp_path / "out", "--turn", "90")) == "bad-options"


def test_nothing_to_read_is_an_error_and_a_row(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("read", tmp_path / "empty", "absent.jpg", "--out", tmp_path / "out")
    assert done.exit_code == 2 and "2 failed" in done.output
    table = pl.read_csv(tmp_path / "out" / "pages.csv")
    assert sorted(table["reasons"].to_list()) == ["file-missing", "no-files"]
    assert code_of(run("read", "-", "--out", tmp_path / "none")) == "no-files"
    assert not (tmp_path / "none").exists()


def test_predict_takes_files_and_cohorts(model: Path, tmp_path: Path) -> None:
    folder = inbox(tmp_path / "in")
    done = run("predict", model, folder, folder / "*.png", "--out", tmp_path / "p.csv")
    assert done.exit_code == 0, done.output
    assert "8 pages of 7 files" in done.output and "1 failed" in done.output
    assert code_of(run("predict", model, folder, "--out", tmp_path / "p.csv")) == "output-exists"
    again = run("predict", model, folder, "--out", tmp_path / "p.csv", "--overwrite", "--json")
    statuses = json.loads(again.stdout)["statuses"]
    assert (statuses["refused"], statuses["failed"]) == (1, 1) and statuses["scored"] + statuses["warned"] == 6
    cohort = make_cohort(tmp_path / "c", 3, 1)
    told = json.loads(run("predict", model, cohort.path, "--out", tmp_path / "c.csv", "--json").stdout)
    assert told["ecgs"] == 3 and pl.read_csv(tmp_path / "c.csv").columns[:2] == ["ecg_id", "patient_id"]
    assert code_of(run("predict", tmp_path / "none", folder, "--out", tmp_path / "q.csv")) == "model-missing"
    done = run("predict", model, tmp_path / "absent.jpg", "--out", tmp_path / "r.csv")
    assert done.exit_code == 2 and (tmp_path / "r.csv").exists()


def test_ingest_stores_sheets_that_were_read(model: Path, tmp_path: Path) -> None:
    folder = inbox(tmp_path / "in")
    rows: list[dict[str, object]] = [
        {"path": name, "page": page, "patient_id": f"p{k}", "tall": k % 2}
        for k, (name, page) in enumerate(
            [("good0.png", ""), ("tall.png", ""), ("two.pdf", 2), ("deep/dark.png", ""), ("letter.txt", "")]
        )
    ]
    table = write_table(folder / "t.csv", rows)
    done = run("ingest", "images", table, tmp_path / "c", "--read")
    assert done.exit_code == 0, done.output
    cohort = Cohort.open(tmp_path / "c")
    assert cohort.ecg_ids.tolist() == ["good0", "tall", "two_2"]
    assert [cohort.image(k).shape for k in range(3)] == [(90, 120), (120, 160), (800, 1200)]
    assert cohort.records["original_height"].to_list()[:2] == [90, 160]
    refused = pl.read_parquet(cohort.path / "refused.parquet")
    assert dict(zip(refused["path"], refused["code"], strict=True)) == {
        "deep/dark.png": "too-dark",
        "letter.txt": "unknown-format",
    }
    cautions = pl.read_parquet(cohort.path / "cautions.parquet")
    assert cautions.filter(pl.col("ecg_id") == "tall")["code"].to_list() == ["low-agreement", "text-painted-over"]
    how = pl.read_parquet(cohort.path / "reading.parquet")
    assert how["ecg_id"].to_list() == ["good0", "tall", "two_2"]
    assert how["status"].to_list() == ["ok", "warned", "ok"] and how["turn_deg"].to_list() == [0, 90, 0]
    assert how["n_text_boxes"].to_list() == [1, 1, 1] and set(how["reader"]) == {"fake-1"}
    assert cohort.info.settings["read"] == "fake-1"
    checked = run("check", cohort.path, "--json")
    assert checked.exit_code == 0 and "reading" in [one["name"] for one in json.loads(checked.stdout)["checks"]]
    (cohort.path / "reading.parquet").write_bytes(b"PAR1")
    assert run("check", cohort.path).exit_code == 2
    # Replaced as a whole, with its own files alone.
    assert code_of(run("ingest", "images", table, tmp_path / "c")) in ("output-differs", "output-exists")
    assert run("ingest", "images", table, tmp_path / "c", "--read", "--overwrite").exit_code == 0


def test_ingest_takes_a_folder(tmp_path: Path) -> None:
    folder = inbox(tmp_path / "in")
    words = ["ingest", "images", folder, tmp_path / "c", "--unknown-patients", "separate"]
    done = run(*words, "--read")
    assert done.exit_code == 0, done.output
    cohort = Cohort.open(tmp_path / "c")
    assert cohort.ecg_ids.tolist() == ["good0.png", "good1.png", "good2.png", "tall.png", "two.pdf_1", "two.pdf_2"]
    assert cohort.info.n_patients == 6 and cohort.info.n_refused == 2
    shutil.rmtree(tmp_path / "c")
    assert run(*words).exit_code == 0, "and as they are, without reading"
    assert len(Cohort.open(tmp_path / "c")) == 7 and not (tmp_path / "c" / "reading.parquet").exists()
    assert code_of(run("ingest", "images", folder, tmp_path / "d", "--read")) == "empty-cohort"
    (tmp_path / "empty").mkdir()
    assert code_of(run("ingest", "images", tmp_path / "empty", tmp_path / "d", "--read")) == "source-missing"
