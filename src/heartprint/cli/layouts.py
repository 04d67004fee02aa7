"""``heartprint layouts``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from heartprint.cli.overwrite import PICTURE, Overwrite, claim_file


def layouts(
    out: Annotated[
        Path | None,
        typer.Option("--out", help="PNG file: all of them, drawn with a simulated ECG.", show_default=False),
    ] = None,
    styles: Annotated[bool, typer.Option("--styles", help="The styles instead of the layouts.")] = False,
    effects: Annotated[bool, typer.Option("--effects", help="The camera's effects instead of the layouts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """List the layouts that sheets can be drawn in, or the styles, or the camera's effects, and draw them all.

    Example: heartprint layouts --out layouts.png
    """
    from heartprint.foundation.errors import HeartprintError
    from heartprint.sheets import LAYOUTS, STYLES
    from heartprint.sheets.camera import EFFECTS

    if styles and effects:
        raise HeartprintError("bad-options", "--styles and --effects are two lists. Ask for one of them at a time.")
    if out is not None:
        claim_file(out, PICTURE, overwrite)
        from heartprint.sheets.gallery import save_effects, save_gallery

        if effects:
            save_effects(out)
        elif styles:
            save_gallery(out, [LAYOUTS["3x4_ii"]], list(STYLES.values()))
        else:
            save_gallery(out, list(LAYOUTS.values()))
    rows: list[dict[str, Any]]
    if effects:
        rows = [
            {"name": e.name, "description": e.description, "levels": e.levels, "unit": e.unit} for e in EFFECTS.values()
        ]
    elif styles:
        rows = [{"name": style.name, "description": style.description} for style in STYLES.values()]
    else:
        rows = [
            {
                "name": layout.name,
                "description": layout.description,
                "needs_s": layout.needs_s,
                "width_mm": layout.width_mm,
                "height_mm": layout.height_mm,
                "speeds_mm_per_s": layout.speeds_mm_per_s,
                "gains_mm_per_mv": layout.gains_mm_per_mv,
            }
            for layout in LAYOUTS.values()
        ]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        needs = f"{row['needs_s']:>5g} s  " if "needs_s" in row else ""
        print(f"{row['name']:<18}{needs}{row['description']}")
