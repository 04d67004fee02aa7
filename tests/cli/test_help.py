"""What every command says of itself."""

from __future__ import annotations

import inspect
import shlex
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from heartprint.cli import main

main._register()
ROOT = typer.main.get_command(main.app)


def commands(command: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    if not hasattr(command, "commands"):
        return {" ".join(path): command}
    return {name: c for word, sub in command.commands.items() for name, c in commands(sub, (*path, word)).items()}


COMMANDS = commands(ROOT)


def example(name: str) -> str:
    text = inspect.getdoc(COMMANDS[name].callback) or ""
    found = [line.removeprefix("Example: ") for line in text.splitlines() if line.startswith("Example: ")]
    assert len(found) == 1, f"heartprint {name} gives {len(found)} examples"
    return found[0].replace("\\[", "[")  # Rich takes a bare bracket for markup


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 25


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_shows_an_example_that_the_command_understands(name: str) -> None:
    told = CliRunner().invoke(main.app, [*name.split(), "--help"], env={"COLUMNS": "250"})
    assert told.exit_code == 0
    assert " ".join(f"Example: {example(name)}".split()) in " ".join(told.output.split())
    words = shlex.split(example(name), comments=True)
    assert words[: 1 + len(name.split())] == ["heartprint", *name.split()]
    # Parsing alone: nothing is run, and paths need not be there.
    COMMANDS[name].make_context(name, words[1 + len(name.split()) :], resilient_parsing=False)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_says_what_it_does(name: str) -> None:
    for parameter in COMMANDS[name].params:
        assert getattr(parameter, "help", None), f"heartprint {name}: {parameter.name}"
