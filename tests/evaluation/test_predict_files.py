"""Files as they come to a table of answers: a row for each page, whatever a file does, and the same after a kill."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from heartprint.cohorts import get_task
from heartprint.encoders import LoadedModel, resolve_encoder
from heartprint.evaluation import predict_files as module
from heartprint.evaluation.predict import predict
from heartprint.evaluation.predict_files import FilePredictions, cohort_named, file_columns, predict_files
from heartprint.finetuning import train_probe
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.readers import Given, Table, ingest
from heartprint.reading.inputs import find_inputs
from heartprint.sheets.stored import fitted
from tests.finetuning.tiny import RATE, beats, make_cohort
from tests.foundation.bad_pictures import BAD, endless_pdf
from tests.readers.pictures import drawing, write_table
from tests.reading.fake_reader import KILLS, FakeReader
from tests.reading.fakes import inbox, level_picture, save


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    torch.set_num_threads(1)
    cohort = make_cohort(tmp_path_factory.mktemp("cohort") / "tiny", 15, 2)
    encoder = resolve_encoder("random", backbone="small", image_size=64)
    return train_probe(encoder, cohort, cohort.labels("tall"), task=get_task("tall", cohort.records), progress=False)


def run(model: LoadedModel, names: list[Path] | Path, out: Path, **options: object) -> FilePredictions:
    named = [str(name) for name in (names if isinstance(names, list) else [names])]
    options = {"workers": 1, "make": FakeReader, "progress": False, **options}
    return predict_files(model, find_inputs(named), out, **options)  # type: ignore[arg-type]


def ecg(seed: int) -> np.ndarray:
    """``(8, 1000)`` float32 mV, such as every check lets pass."""
    rng = generator(seed, "noise")
    return beats(generator(seed, "file"), False) + rng.normal(0, 0.01, (8, 1000)).astype(np.float32)


def test_every_page_is_a_row(model: LoadedModel, tmp_path: Path) -> None:
    told = run(model, inbox(tmp_path / "in"), tmp_path / "p.csv")
    table = pl.read_csv(tmp_path / "p.csv")
    assert table.columns == list(file_columns(model.heads))
    names = [Path(file).name for file in table["file"]]
    assert names == ["good0.png", "good1.png", "good2.png", "letter.txt", "tall.png", "two.pdf", "two.pdf", "dark.png"]
    by = dict(zip(names, table.iter_rows(named=True), strict=True))
    assert [by[name]["read_status"] for name in ("good0.png", "tall.png", "dark.png", "letter.txt")] == [
        "ok",
        "warned",
        "refused",
        "failed",
    ]
    assert by["dark.png"]["status"] == "refused" and by["dark.png"]["probability"] is None
    assert by["dark.png"]["reason"].startswith("too-dark: ")
    assert by["letter.txt"]["status"] == "failed" and by["letter.txt"]["read_reasons"] == "unknown-format"
    assert by["tall.png"]["turn_deg"] == 90 and by["tall.png"]["read_reasons"] == "low-agreement"
    # This model cannot tell what it knows, and says so beside what the reader warns of.
    assert by["tall.png"]["reason"].count(" | no-distance: ") == 1
    assert by["good0.png"]["status"] == "warned" and by["good0.png"]["distance"] is None
    assert dict(told.statuses) == {"warned": 6, "refused": 1, "failed": 1}
    assert told.pages == 8 and told.files == 7 and not told.nothing_done
    logits, probabilities = model.score(fitted(drawing(1, size=(91, 120)), 64)[None])
    assert by["good1.png"]["logit"] == pytest.approx(logits[0], rel=1e-4)
    assert by["good1.png"]["probability"] == pytest.approx(probabilities[0], abs=1e-5)
    assert by["good1.png"]["above_threshold"] == bool(probabilities[0] >= model.threshold)


def test_a_waveform_is_drawn_as_from_a_cohort(model: LoadedModel, tmp_path: Path) -> None:
    for k in range(3):
        np.save(tmp_path / f"{k}.npy", ecg(k))
    np.save(tmp_path / "short.npy", ecg(0)[:, :300])
    given = Given(RATE, "mV")
    told = run(model, [tmp_path / f"{k}.npy" for k in ("0", "1", "2", "short")], tmp_path / "p.csv", given=given)
    table = pl.read_csv(tmp_path / "p.csv")
    assert table["read_status"].to_list() == ["drawn"] * 3 + ["failed"]
    assert table["read_reasons"].to_list()[3] == "too-short" and told.statuses["failed"] == 1
    rows: list[dict[str, object]] = [{"path": f"{k}.npy", "patient_id": f"p{k}"} for k in range(3)]
    cohort = ingest(Table(sampling_rate=RATE), write_table(tmp_path / "t.csv", rows), tmp_path / "cohort")
    expected = predict(model, cohort, tmp_path / "c.csv", progress=False)
    assert table["probability"].to_list()[:3] == pytest.approx(expected["probability"].to_list(), abs=1e-6)


@pytest.mark.parametrize("name", [*BAD, "endless.pdf"])
def test_hostile_pictures_are_one_row_each_in_time(name: str, model: LoadedModel, tmp_path: Path) -> None:
    code, write = BAD.get(name, ("", lambda path: path.write_bytes(endless_pdf())))
    write(tmp_path / name)
    run(model, save(tmp_path / "good.png", drawing(0)), tmp_path / "0.csv")
    began = time.perf_counter()
    run(model, tmp_path / name, tmp_path / "1.csv")
    assert time.perf_counter() - began < 5
    told = run(model, [tmp_path / name, tmp_path / "good.png"], tmp_path / "p.csv")
    table = pl.read_csv(tmp_path / "p.csv")
    assert table["read_status"].to_list()[-1] == "ok"
    if code == "several-pages":
        assert told.pages in (3, 4) and set(table["read_status"]) == {"ok"}
        return
    assert table.height == 2 and table["status"].to_list()[0] == "failed"
    assert table["read_reasons"].to_list()[0] in (
        ("no-files",) if name == "folder.png" else (code,) if code else ("unreadable-file", "too-slow")
    )
    assert table["probability"].to_list()[0] is None


def test_nothing_that_can_be_opened(model: LoadedModel, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    told = run(model, [tmp_path / "empty", tmp_path / "absent.jpg", tmp_path / "*.tif"], tmp_path / "p.csv")
    assert told.nothing_done
    table = pl.read_csv(tmp_path / "p.csv")
    assert table["read_reasons"].to_list() == ["no-files", "file-missing", "no-files"]
    with pytest.raises(HeartprintError) as caught:
        run(model, [], tmp_path / "q.csv")
    assert caught.value.code == "no-files" and not (tmp_path / "q.csv").exists()


def test_a_file_that_kills_its_process(model: LoadedModel, tmp_path: Path) -> None:
    folder = inbox(tmp_path / "in")
    save(folder / "kills.png", level_picture(KILLS))
    run(model, folder, tmp_path / "two.csv", workers=2)
    two = pl.read_csv(tmp_path / "two.csv")
    assert two.filter(pl.col("file").str.ends_with("kills.png"))["read_reasons"].to_list() == ["worker-died"]
    (folder / "kills.png").unlink()
    run(model, folder, tmp_path / "one.csv")
    one = pl.read_csv(tmp_path / "one.csv")
    assert (
        two.filter(~pl.col("file").str.ends_with("kills.png"))
        .drop("logit", "probability")
        .equals(one.drop("logit", "probability"))
    )
    assert not list(tmp_path.glob(".*"))


def test_what_was_stopped_goes_on_and_gives_the_same_bytes(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    folder = inbox(tmp_path / "in", good=12)
    reads = tmp_path / "reads.txt"
    monkeypatch.setenv("HEARTPRINT_TEST_READS", str(reads))
    run(model, folder, tmp_path / "whole.csv")
    n = len(reads.read_text().splitlines())
    reads.write_text("")

    class Stops(FakeReader):
        def read(self, *given: object) -> object:  # type: ignore[override]
            if len(reads.read_text().splitlines()) == 9:
                raise KeyboardInterrupt
            return super().read(*given)  # type: ignore[arg-type]

    with pytest.raises(KeyboardInterrupt):
        run(model, folder, tmp_path / "p.csv", make=Stops)
    assert not (tmp_path / "p.csv").exists() and (tmp_path / ".p.csv.predict" / "journal").exists()
    with (tmp_path / ".p.csv.predict" / "journal").open("ab") as journal:
        journal.write(b"0123 half a li")
    told = run(model, folder, tmp_path / "p.csv")
    assert told.kept == 8 and told.files == 16
    assert len(reads.read_text().splitlines()) == 9 + n - 8
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_a_changed_file_or_model_is_done_again(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 1)
    files = [save(tmp_path / f"{k}.png", drawing(k)) for k in range(3)]
    monkeypatch.setattr(module.shutil, "rmtree", lambda *_, **__: None)  # as if it had been killed at the very end
    run(model, files, tmp_path / "p.csv")
    assert run(model, files, tmp_path / "p.csv").kept == 3
    save(files[1], drawing(7, size=(60, 90)))
    assert run(model, files, tmp_path / "p.csv").kept == 2
    assert run(model, files, tmp_path / "p.csv", layout="alternate").kept == 0

    class Newer(FakeReader):
        version = "fake-2"

    assert run(model, files, tmp_path / "p.csv", make=Newer).kept == 0


def test_a_cohort_is_known_and_stands_alone(tmp_path: Path) -> None:
    make_cohort(tmp_path / "c", 1, 1)
    assert cohort_named([str(tmp_path / "c")]) == tmp_path / "c"
    assert cohort_named([str(tmp_path), "a.png"]) is None
    (tmp_path / "c" / "cohort.json").unlink()
    assert cohort_named([str(tmp_path / "c")]) == tmp_path / "c", "a damaged one is told of as a cohort"
    with pytest.raises(HeartprintError) as caught:
        cohort_named([str(tmp_path / "c"), "a.png"])
    assert caught.value.code == "bad-options"
