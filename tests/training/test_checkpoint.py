from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from heartprint.foundation.errors import HeartprintError
from heartprint.training.checkpoint import Checkpoint, load_latest, save_checkpoint


def make(step: int) -> Checkpoint:
    return Checkpoint(step, {"a": torch.full((3,), float(step)), "n": torch.tensor(step)}, seconds=step / 2)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_round_trip_keeps_the_last_two(tmp_path: Path) -> None:
    assert load_latest(tmp_path) is None
    for step in (5, 10, 100):
        save_checkpoint(tmp_path, make(step))
    assert names(tmp_path) == ["step-00000010", "step-00000100"]
    found = load_latest(tmp_path)
    assert found is not None and (found.step, found.seconds) == (100, 50.0)
    assert torch.equal(found.tensors["a"], torch.full((3,), 100.0)) and found.tensors["n"].item() == 100


@pytest.mark.parametrize("damage", ["cut weights", "flipped byte", "no note", "half a note", "empty"])
def test_a_damaged_one_is_passed_over(tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    save_checkpoint(tmp_path, make(1))
    last = save_checkpoint(tmp_path, make(2))
    weights, note = last / "state.safetensors", last / "checkpoint.json"
    if damage == "cut weights":
        weights.write_bytes(weights.read_bytes()[:-3])
    elif damage == "flipped byte":
        raw = bytearray(weights.read_bytes())
        raw[-1] ^= 1
        weights.write_bytes(raw)
    elif damage == "no note":
        note.unlink()
    elif damage == "half a note":
        note.write_text(note.read_text()[:20])
    else:
        weights.unlink()
        note.unlink()
    found = load_latest(tmp_path)
    assert found is not None and found.step == 1
    assert "is damaged" in capsys.readouterr().err


def test_none_whole(tmp_path: Path) -> None:
    last = save_checkpoint(tmp_path, make(1))
    note = json.loads((last / "checkpoint.json").read_text())
    (last / "checkpoint.json").write_text(json.dumps(note | {"format_version": 99}))
    with pytest.raises(HeartprintError) as caught:
        load_latest(tmp_path)
    assert caught.value.code == "checkpoint-damaged"


def test_a_failed_save_leaves_the_older_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, make(1))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("heartprint.training.checkpoint.safetensors.torch.save_file", full)
    with pytest.raises(HeartprintError) as caught:
        save_checkpoint(tmp_path, make(2))
    assert caught.value.code == "disk-full"
    assert names(tmp_path) == ["step-00000001"]


def test_what_a_killed_save_left_is_removed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, make(1))
    (tmp_path / ".step-00000002.123.tmp").mkdir()
    assert load_latest(tmp_path) is not None
    assert names(tmp_path) == ["step-00000001"]
