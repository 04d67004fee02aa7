"""``heartprint check``: every kind of folder that Heartprint writes, whole and damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from heartprint import HeartprintError
from heartprint.cli import main
from heartprint.cohorts import Cohort
from heartprint.encoders import EncoderConfig, build_encoder, save_encoder
from heartprint.pretraining import PretrainConfig, pretrain
from tests.encoders.conftest import write_tiny

if "check" not in {command.name for command in main.app.registered_commands}:
    main._register()


def check(folder: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(main.app, ["check", str(folder), *options])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def failing(folder: Path) -> list[str]:
    status, said = check(folder, "--json")
    told = json.loads(said)
    failed = [one["name"] for one in told["checks"] if one["passed"] is False]
    assert (status, told["passed"]) == ((2, False) if failed else (0, True))
    assert all(one["code"] for one in told["checks"] if one["passed"] is False)
    return failed


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny(tmp_path_factory.mktemp("check") / "tiny")


@pytest.fixture(scope="module")
def finished(cohort: Cohort) -> Path:
    config = PretrainConfig(
        method="measured", image_size=32, batch_size=4, steps=2, workers=0, device="cpu",
        checkpoint_every=1,
    )  # fmt: skip
    return pretrain(cohort, config, cohort.path.parent / "run", progress=False)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_cohort(cohort: Cohort, tmp_path: Path) -> None:
    status, said = check(cohort.path)
    assert status == 0
    assert "ok      samples: all 10 ECGs agree" in said and said.endswith("cohort, sound\n")
    folder = Path(shutil.copytree(cohort.path, tmp_path / "c"))
    flip(folder / "waveforms.i16")
    assert failing(folder) == ["samples", "content"]
    status, said = check(folder)
    assert status == 2
    assert "FAILED  samples: " in said and "[cohort-damaged]" in said and "2 of 5 checks failed" in said


def test_an_encoder(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "e", build_encoder("small", seed=3), EncoderConfig.new("small", image_size=64))
    assert failing(folder) == []
    flip(folder / "README.md")
    assert failing(folder) == ["files"]


def test_a_run(run: Path) -> None:
    assert failing(run) == []
    _, said = check(run)
    for name in ("settings", "notes", "step-00000002", "targets", "readout", "encoder sample"):
        assert f"ok      {name}: " in said


@pytest.mark.parametrize(
    ("name", "failed"),
    [
        ("run.json", ["notes"]),
        ("config.yaml", ["settings"]),
        ("targets.npz", ["targets"]),
        ("readout.safetensors", ["readout"]),
        ("checkpoints/step-00000002/state.safetensors", ["step-00000002"]),
        ("checkpoints/step-00000001/checkpoint.json", ["step-00000001"]),
        ("encoder/model.safetensors", ["encoder files"]),
    ],
)
def test_each_file_of_a_run(run: Path, name: str, failed: list[str]) -> None:
    (run / name).write_bytes((run / name).read_bytes()[:-40] or b"x")
    assert failing(run) == failed
    (run / name).unlink()
    (run / name).symlink_to("/dev/zero")
    assert failing(run) == failed


def test_targets_of_other_ecgs_are_not_learned(run: Path, cohort: Cohort) -> None:
    from heartprint.pretraining.targets import Targets

    targets = Targets.load(run / "targets.npz", len(cohort))
    for values, parts in (
        (targets.values[:-1], targets.parts),
        (targets.values[:, :-1], targets.parts),
        (targets.values, (1,)),
        (np.full_like(targets.values, np.inf), targets.parts),
    ):
        Targets(targets.names, values, parts).save(run / "targets.npz")
        with pytest.raises(HeartprintError) as error:
            Targets.load(run / "targets.npz", len(cohort))
        assert error.value.code == "targets-damaged"


def test_a_study(cohort: Cohort, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(cohort.path, study / "work" / "cohorts" / "home")
    (study / "study.yaml").write_text("cohorts: 5\n")
    (study / "work" / "embeddings").mkdir()
    (study / "work" / "embeddings" / "a.npz").write_bytes(b"not an archive")
    (study / "results.parquet").write_bytes(b"PAR1")
    assert failing(study) == ["settings", "results.parquet", "work/embeddings/a.npz"]


def test_other_folders_are_not_checked(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    for name in ("holiday", "nothing"):
        with pytest.raises(HeartprintError) as error:
            check(tmp_path / name)
        assert error.value.code == "unknown-folder"


def test_earlier_formats_are_brought_up_to_date(cohort: Cohort, run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(cohort.path, tmp_path / "c"))
    raw = json.loads((folder / "cohort.json").read_text())
    del raw["kind"], raw["n_cautions"]
    (folder / "cohort.json").write_text(json.dumps(raw | {"format_version": 1}))
    assert failing(folder) == ["table"]
    status, said = check(folder, "--upgrade")
    assert status == 0 and f"{folder}: was format 1, brought up to date" in said
    assert failing(folder) == []
    assert Cohort.open(folder).info == cohort.info
    status, said = check(run, "--upgrade", "--json")
    assert status == 0 and json.loads(said)["upgraded"] == {}
