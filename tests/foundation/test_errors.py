from __future__ import annotations

import ast
import pickle
import re
import subprocess
import sys
from pathlib import Path

from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.reading.gate import MESSAGES


def test_names_the_nearest() -> None:
    error = unknown_name("layout", "two-rythm", ["standard", "two_rhythm", "shuffled"])
    assert error.code == "unknown-layout"
    assert "Did you mean 'two_rhythm'?" in error.message
    assert "shuffled, standard, two_rhythm" in error.message


def test_guesses_nothing_where_nothing_is_near() -> None:
    error = unknown_name("label column", "qqqq", ["standard"])
    assert error.code == "unknown-label-column"
    assert "Did you mean" not in error.message
    assert "standard" in error.message


def test_survives_the_way_from_a_worker() -> None:
    error = pickle.loads(pickle.dumps(HeartprintError("flat-lead", "Lead I is flat.")))
    assert (type(error), error.code, error.message, str(error)) == (
        HeartprintError,
        "flat-lead",
        "Lead I is flat.",
        "Lead I is flat.",
    )


def test_a_message_is_one_line_whatever_a_damaged_file_calls_things() -> None:
    error = HeartprintError("bad-table", "t.csv has 'a\r\nb\x1b[31mc\u2028d'. Save it again.")
    assert error.message == str(error) == "t.csv has 'a b [31mc d'. Save it again."


def test_every_reason_code_is_in_the_reference() -> None:
    root = Path(__file__).resolve().parents[2]
    raised = set()
    for file in (root / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Output"):
                raised.update(k.value.value for k in node.keywords if k.arg == "code")  # what `claim_output` raises
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                code = getattr(node.args[0], "value", None)
                # The process that opens pictures knows no HeartprintError; what it refuses becomes one.
                if node.func.id in ("HeartprintError", "Refused", "Caution", "Reason") and isinstance(code, str):
                    raised.add(code)
                if node.func.id == "unknown_name" and isinstance(code, str):
                    raised.add(f"unknown-{code.replace(' ', '-')}")
    raised |= MESSAGES.keys()
    page = (root / "docs" / "reference" / "reason-codes.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", page))
    assert len(raised) > 90
    words = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", page))  # a code of one word looks like any other word
    assert raised - words == set(), "raised, but not in the reference"
    assert listed - raised == set(), "in the reference, but never raised"


def test_what_the_system_refuses_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    shown = subprocess.run(
        [
            sys.executable,
            "-m",
            "heartprint",
            "simulate",
            str(tmp_path / "file" / "cohort"),
            "--patients",
            "2",
            "--seed",
            "1",
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 2
    assert shown.stderr.count("\n") == 1 and "Traceback" not in shown.stderr
