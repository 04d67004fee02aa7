"""``heartprint read``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from heartprint.reading.read_files import ReadSummary


def read(
    files: Annotated[
        list[str],
        typer.Argument(help="Pictures, folders, patterns in quotes, or - for a list of paths.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; pages that were read there before stay.")],
    turn: Annotated[
        int | None, typer.Option(help="By hand: degrees clockwise until the picture stands upright (0, 90, 180, 270).")
    ] = None,
    mirrored: Annotated[
        bool | None, typer.Option("--mirrored/--not-mirrored", help="By hand: whether it is a mirror image.")
    ] = None,
    corners: Annotated[
        str | None,
        typer.Option(
            metavar="'X,Y X,Y X,Y X,Y'",
            help="By hand: the sheet's upper left, upper right, lower right, lower left corner, px of the picture.",
        ),
    ] = None,
    crop: Annotated[
        str | None,
        typer.Option(
            metavar="L,T,R,B", help="By hand: mm to add to the sheet at its left, top, right, bottom; -5 takes away."
        ),
    ] = None,
    layout: Annotated[str | None, typer.Option(help="By hand: the layout, a name or a file.")] = None,
    keep_text: Annotated[
        bool,
        typer.Option("--keep-text", help="Leave names, numbers and dates on the sheet; else they are painted over."),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Processes that read; all cores, where that is worth it, if not given.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Read again what was read before by the same reader.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Read photographs, scans and PDFs of ECGs: an upright sheet of each page, or why there is none.

    Writes of each page NAME.json (what was found), NAME.png (the sheet), NAME.check.jpg (what was found, drawn on the
    picture: look at it) and one table, pages.csv. A page is ok, warned, refused or failed, with reasons. What was read
    before is not read again, so that a command that was stopped goes on. What is said by hand holds for one file.

    Example: heartprint read photos "scans/**/*.pdf" --out read
    """
    import sys

    from heartprint.reading.by_hand import hints_of
    from heartprint.reading.inputs import find_inputs
    from heartprint.reading.read_files import read_files

    hints = hints_of(turn=turn, mirrored=mirrored, corners=corners, crop=crop, layout=layout, keep_text=keep_text)
    inputs = find_inputs(files, listing=sys.stdin.buffer, leave_out=out)
    summary = read_files(inputs, out, hints=hints, workers=workers, again=overwrite)
    if json:
        from json import dumps

        print(dumps(summary.to_json(), indent=2, ensure_ascii=False))
    else:
        _show(summary)
    if summary.nothing_done:
        raise typer.Exit(2)


def counts(n: int, what: str) -> str:
    """How many there are, in words."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _show(summary: ReadSummary) -> None:
    statuses = ", ".join(f"{summary.statuses.get(name, 0):,} {name}" for name in ("ok", "warned", "refused", "failed"))
    kept = f" ({summary.kept:,} read before)" if summary.kept else ""
    counted = f"{counts(summary.pages, 'page')} of {counts(summary.files, 'file')}"
    print(f"{summary.out / 'pages.csv'}: {counted}{kept}: {statuses}")
    for code, n in summary.reasons.items():
        print(f"  {n:,} {code}")
    print("Research software; not a medical device.")
