"""The house: no import runs in a circle, and no room is the whole house."""

from __future__ import annotations

import ast
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import heartprint

ROOT = Path(heartprint.__file__).parent
LARGEST_SHARE = 0.2


def modules() -> dict[str, Path]:
    """Name to file of every module."""
    found = {".".join(file.relative_to(ROOT.parent).with_suffix("").parts): file for file in ROOT.rglob("*.py")}
    return {name.removesuffix(".__init__"): file for name, file in found.items()}


def imported(file: Path, known: dict[str, Path]) -> set[str]:
    """Modules that a file imports anywhere, in functions too; what only type checkers read does not count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            wanted = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {name if name in known else node.module for name in wanted}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & set(known)


def test_no_import_runs_in_a_circle() -> None:
    known = modules()
    graph = {name: imported(file, known) - {name} for name, file in known.items()}
    assert len(graph) > 200 and sum(map(len, graph.values())) > 500
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


def test_no_room_holds_more_than_a_fifth() -> None:
    lines: Counter[str] = Counter()
    for name, file in modules().items():
        lines[name.split(".")[1] if "." in name else ""] += len(file.read_text(encoding="utf-8").splitlines())
    room, most = lines.most_common(1)[0]
    assert most <= LARGEST_SHARE * lines.total(), room
