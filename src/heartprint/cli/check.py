"""``heartprint check``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from heartprint.foundation.checks import Check


def check(
    folder: Annotated[Path, typer.Argument(help="A cohort, run, encoder, model or study folder.", show_default=False)],
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="First bring a folder of an earlier format up to date, in place.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Check a folder: formats, ranges and hashes of all its files; an encoder or model also reads its sample again.

    Prints one line per check. The exit status is 2 if one failed. Every sample of a cohort is read.

    Example: heartprint check cohorts/ptb-xl
    """
    from heartprint.evaluation.check_folder import kind_of, upgraded, verified

    kind = kind_of(folder)
    before = upgraded(folder, kind) if upgrade else {}
    checks = list(_shown(verified(folder, kind, progress=not json), json))
    failed = sum(c.passed is False for c in checks)
    if json:
        from json import dumps

        told = {
            "folder": str(folder),
            "kind": kind,
            "upgraded": before,
            "passed": not failed,
            "checks": [c._asdict() for c in checks],
        }
        print(dumps(told, indent=2, ensure_ascii=False))
    else:
        for path, version in before.items():
            print(f"{path}: was format {version}, brought up to date")
        print(f"{folder}: {kind}, {f'{failed} of {len(checks)} checks failed' if failed else 'sound'}")
    if failed:
        raise typer.Exit(2)


def _shown(checks: Iterator[Check], json: bool) -> Iterator[Check]:
    """Print each check as soon as it is done: a large cohort takes minutes."""
    words = {True: "ok", False: "FAILED", None: "unknown"}
    for one in checks:
        if not json:
            code = f" [{one.code}]" if one.code else ""
            print(f"{words[one.passed]:8}{one.name}: {one.message}{code}", flush=True)
        yield one
