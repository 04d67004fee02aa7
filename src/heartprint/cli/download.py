"""``heartprint download``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def download(
    name: Annotated[
        str,
        typer.Argument(
            help="ptb-xl, challenge-2020, challenge-2021, ptb, mimic-iv-ecg, code-15, sami-trop or ludb.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the set; the same folder goes on.", show_default=False)],
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Fetch these files instead, e.g. 'training/georgia/*'; repeat."),
    ] = None,
    connections: Annotated[int, typer.Option(help="Files that are fetched at a time.")] = 4,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Fetch a public set of ECGs from its publisher: verified, and resumed when the command is given again.

    Size and free disk are told before anything is fetched. What is not open (echonext, mimic-iv) is said, with what to
    do.

    Example: heartprint download ptb-xl downloads/ptb-xl
    """
    from heartprint.download import SETS
    from heartprint.download import download as fetch

    done = fetch(name, out, only=only or (), connections=connections, say=lambda line: print(line, file=sys.stderr))
    which = SETS[name]
    if json:
        from json import dumps

        print(dumps({"folder": str(done.folder), "files": done.files, "fetched": done.fetched, "bytes": done.n_bytes}))
        return
    print(f"{which.title}: {done.files:,} files in {done.folder}, {done.fetched:,} of them fetched now.")
    if which.note:
        print(which.note)
    print(f"Next: heartprint ingest {which.reader} {done.folder} cohorts/{name}")
