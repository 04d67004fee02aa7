"""The one rule of what a verb may replace, over every verb that writes a folder or a file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from heartprint.cli import main
from heartprint.foundation.errors import HeartprintError
from tests.cli.killed import tree
from tests.finetuning.tiny import make_cohort

main._register()
MODEL = ["--init", "random", "--backbone", "small", "--image-size", "32", "--labels", "8"]


@dataclass(frozen=True)
class Verb:
    """Words that write ``out``, and words of another recipe; none where the file does not say its recipe."""

    words: str
    other: str = ""
    folder: bool = True


VERBS = {
    "simulate": Verb("simulate OUT --patients 2 --seed 1", "simulate OUT --patients 2 --seed 2"),
    "ingest table": Verb(
        "ingest table ecgs.csv OUT --sampling-rate 100", "ingest table ecgs.csv OUT --sampling-rate 100 --label x"
    ),
    "finetune": Verb("finetune c --task tall --out OUT", "finetune c --task female --out OUT"),
    "export": Verb("export model-encoder OUT", "export heartprint OUT"),
    "evaluate": Verb(
        "evaluate m c --exclude-seen --layout standard --resamples 100 --out OUT",
        "evaluate m c --exclude-seen --layout alternate --resamples 100 --out OUT",
    ),
    "predict": Verb("predict m c --out OUT.csv", folder=False),
    "embed": Verb("embed m c --out OUT.npz", folder=False),
    "card": Verb("card c --sheets 0 --out OUT.html", folder=False),
    "contact": Verb("contact c -n 1 -o image_size=32 --out OUT.png", folder=False),
    "render": Verb("render c --ecg p000-0 --dpi 50 --out OUT.png", folder=False),
    "duplicates": Verb("duplicates c --jobs 1 --out OUT.csv", folder=False),
    "layouts": Verb("layouts --out OUT.png", folder=False),
}
ELSEWHERE = {"pretrain", "study", "demo", "download", "read"}
"""They take up what is there and remove nothing; their own tests show what they refuse."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the verbs read, and the folders they have written once."""
    import torch

    torch.set_num_threads(1)
    work = tmp_path_factory.mktemp("verbs")
    cohort = make_cohort(work / "c", 16, 2)
    rng = np.random.default_rng(0)
    women = cohort.records.with_columns(sex=np.where(np.arange(len(cohort)) % 4 < 2, "female", "male"))
    women.write_parquet(work / "c" / "records.parquet")
    np.save(work / "a.npy", cohort.signal(0) + rng.normal(0, 0.01, (8, 1000)).astype(np.float32))
    (work / "ecgs.csv").write_text("path,patient_id,x\na.npy,p,1\n")
    before = Path.cwd()
    os.chdir(work)
    assert run("finetune c --task tall --out m") == (0, "")
    from heartprint.encoders import resolve_encoder, save_encoder

    loaded = resolve_encoder("random", backbone="small", image_size=32)
    save_encoder(work / "model-encoder", loaded.encoder, loaded.config)
    for name, verb in VERBS.items():
        assert run(placed(verb, name)) == (0, ""), name
    yield work
    os.chdir(before)


def placed(verb: Verb, name: str, words: str = "") -> str:
    return (words or verb.words).replace("OUT", f"out-{name.replace(' ', '-')}")


def run(words: str, *more: str) -> tuple[int, str]:
    """Exit status and reason code."""
    arguments = [*words.split(), *more, *(MODEL if words.startswith("finetune") else ())]
    done = CliRunner().invoke(main.app, arguments)
    if isinstance(done.exception, HeartprintError):
        return 2, done.exception.code
    assert done.exit_code == 0, (words, done.output, done.exception)
    return 0, ""


def out_of(verb: Verb, name: str) -> Path:
    return next(Path(word) for word in placed(verb, name).split() if word.startswith("out-"))


def test_every_verb_that_writes_is_tried() -> None:
    def writing(command: Any, path: tuple[str, ...] = ()) -> list[str]:
        if hasattr(command, "commands"):
            return [name for word, sub in command.commands.items() for name in writing(sub, (*path, word))]
        return [" ".join(path)] if any(p.name == "out" for p in command.params) else []

    found = set(writing(typer.main.get_command(main.app)))
    readers = {name for name in found if name.startswith("ingest ")}
    assert len(readers) >= 10 and found - readers == {*VERBS, *ELSEWHERE} - {"ingest table"}
    root = typer.main.get_command(main.app)
    for name in {*VERBS, *readers, "study", "demo"}:
        command: Any = root
        for word in name.split():
            command = command.commands[word]
        assert any(p.name == "overwrite" for p in command.params), name


@pytest.mark.parametrize("name", VERBS)
def test_what_is_there_is_replaced_only_when_asked(name: str, made: Path) -> None:
    verb, out = VERBS[name], made / out_of(VERBS[name], name)
    before = tree(out)
    assert before
    assert run(placed(verb, name)) == (2, "output-exists")
    assert tree(out) == before
    inode = out.stat().st_ino
    assert run(placed(verb, name), "--overwrite") == (0, "")
    assert out.stat().st_ino != inode, "nothing was written anew"
    assert tree(out) == before, "the same recipe gives the same bytes"
    assert not [p for p in made.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if verb.other])
def test_another_recipe_replaces_nothing(name: str, made: Path) -> None:
    out = made / out_of(VERBS[name], name)
    before = tree(out)
    for more in ((), ("--overwrite",)):
        assert run(placed(VERBS[name], name, VERBS[name].other), *more) == (2, "output-differs")
    assert tree(out) == before


@pytest.mark.parametrize("name", VERBS)
def test_what_is_not_ours_is_never_touched(name: str, made: Path) -> None:
    verb, out = VERBS[name], made / out_of(VERBS[name], name)
    kept = out.with_name(f"kept-{out.name}")
    out.rename(kept)
    try:
        if verb.folder:
            out.mkdir()
            (out / "thesis.txt").write_text("years of work")
            (out / "deep").mkdir()
        else:
            out.write_text("years of work")
        before = tree(out)
        for more in ((), ("--overwrite",)):
            status, code = run(placed(verb, name), *more)
            assert status == 2 and code.startswith(("output-not-a", "output-is-another-file")), code
        assert tree(out) == before
        if verb.folder:
            shutil.rmtree(out)
            out.write_text("a file")
            status, code = run(placed(verb, name), "--overwrite")
            assert status == 2 and code.startswith("output-not-a"), code
            assert out.read_text() == "a file"
    finally:
        shutil.rmtree(out) if out.is_dir() else out.unlink()
        kept.rename(out)


@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if verb.folder])
@pytest.mark.parametrize("foreign", ["notes.txt", "figures/", "records.parquet.bak", ".git/"])
def test_a_folder_with_other_files_is_not_replaced(name: str, foreign: str, made: Path) -> None:
    out = made / out_of(VERBS[name], name)
    mine = out / foreign.rstrip("/")
    if foreign.endswith("/"):
        mine.mkdir()
        (mine / "x").write_text("mine")
    else:
        mine.write_text("mine")
    before = tree(out)
    try:
        for more in ((), ("--overwrite",)):
            assert run(placed(VERBS[name], name), *more) == (2, "output-has-other-files")
        assert tree(out) == before and mine.exists()
    finally:
        shutil.rmtree(mine) if mine.is_dir() else mine.unlink()
