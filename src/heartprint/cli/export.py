"""``heartprint export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heartprint.cli.overwrite import Overwrite


def export(
    run: Annotated[str, typer.Argument(help="Run folder or encoder folder.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Encoder folder to write.", show_default=False)],
    half: Annotated[bool, typer.Option("--half", help="Store the weights as float16: half the space.")] = False,
    card: Annotated[
        Path | None,
        typer.Option(help="Markdown file to put into the card: what it is for, not for, how it compares."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the encoder of a run as a folder to pass on, and check that it still reads its sample sheet.

    Simulated patients are named by their source (hospital, seed, number) and not one by one.

    Example: heartprint export runs/bcl encoders/mine --half --card about.md
    """
    from heartprint.encoders.bundle.export import export_encoder

    loaded = export_encoder(run, out, half=half, card=card, overwrite=overwrite)
    size = sum(file.stat().st_size for file in out.iterdir()) / 1e6
    how = loaded.config.pretraining
    origin = f"pretrained by {how.method} on '{how.cohort.name}'" if how else "not pretrained on ECGs"
    print(
        f"{out}: {loaded.config.backbone} at {loaded.config.image_size} px, {origin}"
        f"{' (simulated patients)' if loaded.config.simulated else ''}, {size:.2f} MB"
    )
