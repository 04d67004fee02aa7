from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer.testing

from heartprint.cli.ingest import app
from heartprint.cohorts import Cohort
from heartprint.readers import READERS
from tests.cohorts.ecgs import twelve
from tests.readers.hospital_files import write_samples_csv
from tests.readers.sources import EXAMPLES

RUNNER = typer.testing.CliRunner()


@pytest.mark.parametrize("name", sorted(READERS))
def test_every_reader_has_a_command_with_an_example(name: str, tmp_path: Path) -> None:
    text = " ".join(RUNNER.invoke(app, [name, "--help"], env={"COLUMNS": "200"}).output.split())
    assert f"Example: heartprint ingest {name} " in text
    (tmp_path / "src").mkdir()
    example = EXAMPLES[name](tmp_path / "src")
    options = ["--sampling-rate", "100"] if name == "table" else []
    done = RUNNER.invoke(app, [name, str(example.src), str(tmp_path / "out"), *options])
    assert done.exit_code == 0, done.output
    assert Cohort.open(tmp_path / "out").ecg_ids.tolist() == [k.ecg_id for k in example.known]
    done = RUNNER.invoke(app, [name, str(example.src), str(tmp_path / "out"), *options, "--json", "--overwrite"])
    told = json.loads(done.stdout)
    assert (told["cohort"], told["ecgs"]) == (str(tmp_path / "out"), len(example.known))
    assert told["refused"]["total"] == len(example.refused)


def test_columns_of_csv_files(tmp_path: Path) -> None:
    names = tuple(f"ch{i}" for i in range(12))
    write_samples_csv(tmp_path / "a.csv", twelve(), names)
    (tmp_path / "ecgs.csv").write_text("path,patient_id\na.csv,p\n")
    leads = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    columns = [word for lead, name in zip(leads, names, strict=True) for word in ("--column", f"{lead}={name}")]
    call = ["table", str(tmp_path / "ecgs.csv"), str(tmp_path / "out"), "--sampling-rate", "100", "--unit", "uV"]
    assert RUNNER.invoke(app, [*call, *columns]).exit_code == 0
    for wrong, code in (("I", "bad-options"), ("I=", "bad-options"), ("IV=ch1", "unknown-lead")):
        done = RUNNER.invoke(app, [*call, "--column", wrong])
        assert done.exit_code != 0
        assert done.exception.code == code
