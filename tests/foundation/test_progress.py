from __future__ import annotations

import sys

import pytest

from heartprint.foundation import progress
from heartprint.foundation.progress import Progress, track


def test_log_file_gets_one_line_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track([1, 2, 3], "Reading")) == [1, 2, 3]
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err.startswith("Reading: 3/3 in ")
    assert out.err.count("\n") == 1


def test_line_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", -1.0)
    with Progress("Training") as bar:
        bar.advance(2, note="loss 1.5")
        bar.advance()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" in ")[0] for line in lines] == ["Training: 2", "Training: 3", "Training: 3"]
    assert lines[-1].endswith("loss 1.5")


def test_generator_without_a_length(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track((i for i in range(2)), "Counting", total=2)) == [0, 1]
    assert "2/2" in capsys.readouterr().err


def test_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Progress("Drawing", 2) as bar:
        bar.advance(note="x")
        bar.advance()
    assert bar.done == 2


def test_error_passes_through(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), Progress("Reading", 3) as bar:
        bar.advance()
        raise ZeroDivisionError
    assert "Reading: 1/3" in capsys.readouterr().err
