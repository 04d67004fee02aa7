from __future__ import annotations

import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from heartprint.cli.pretrain import pretrain
from heartprint.cohorts import Cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.pretraining.batches import Batch
from heartprint.pretraining.learner import Learner

SMALL = [
    part
    for setting in ("image_size=32", "batch_size=4", "epochs=1", "method.head_hidden=16", "workers=0", "device=cpu")
    for part in ("-o", setting)
]

app = typer.Typer()
app.command()(pretrain)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, HeartprintError):
        raise result.exception
    return result.exit_code, result.output


def test_runs_and_names_the_encoder(cohort: Cohort, tmp_path: Path) -> None:
    code, output = run(str(cohort.path), "--method", "layouts", "--out", str(tmp_path / "run"), *SMALL)
    assert code == 0 and str(tmp_path / "run" / "encoder") in output and "simulated" in output
    assert "name: layouts" in (tmp_path / "run" / "config.yaml").read_text()


def test_dates_and_file(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("seed: 5\nsteps: 1\n")
    arguments = [str(cohort.path), "--out", str(tmp_path / "run"), "--config", str(tmp_path / "own.yaml"), *SMALL]
    assert run(*arguments, "--until", "2001-12-31")[0] == 0
    text = (tmp_path / "run" / "config.yaml").read_text()
    assert "seed: 5" in text and "until: '2001-12-31'" in text and "name: bcl" in text


def test_stop_and_resume_without_repeating_the_settings(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    step = Learner.step

    def interrupt(self: Learner, batch: Batch) -> object:
        if batch.key.step == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch)

    out = str(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", interrupt)
        code, output = run(str(cohort.path), "--out", out, *SMALL)
    assert code == 130 and f"heartprint pretrain {cohort.path} --out {out} --resume" in output
    assert run(str(cohort.path), "--out", out, "--resume")[0] == 0
    assert (tmp_path / "run" / "encoder" / "model.safetensors").is_file()
    with pytest.raises(HeartprintError, match="seed was 0, is 1"):
        run(str(cohort.path), "--out", out, "--resume", "-o", "seed=1")


def test_estimate_runs_nothing(cohort: Cohort, tmp_path: Path) -> None:
    code, output = run(str(cohort.path), "--out", str(tmp_path / "run"), "--estimate", *SMALL)
    assert code == 0 and "memory" in output and not (tmp_path / "run").exists()


def test_unknown_setting(cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(HeartprintError, match="Did you mean 'batch_size'"):
        run(str(cohort.path), "--out", str(tmp_path / "run"), "-o", "batchsize=3")
