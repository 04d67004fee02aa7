"""``heartprint contact``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heartprint.cli.overwrite import PICTURE, Overwrite, claim_file


def contact(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="PNG file.", show_default=False)],
    method: Annotated[str | None, typer.Option(help="Pretraining method whose views are shown; default bcl.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="YAML file with settings of pretraining.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("-o", metavar="KEY=VALUE", help="A setting, on top of the file; repeat.")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="Sheets, and pairs, to show.", min=1, max=200)] = 8,
    beside: Annotated[
        Path | None, typer.Option(help="Folder with photographs, to lay the camera's pictures beside them.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="Recipe of the camera for --beside.")] = "phone",
    overwrite: Overwrite = False,
) -> None:
    r"""Draw a page of sheets and pairs as pretraining would draw them, to look at before training.

    Takes the settings of heartprint pretrain. The page shows ECGs of your cohort: treat it as you treat them.

    Example: heartprint contact cohorts/mine --out contact.png -o styles=\[random] -o recipes=\[clean,phone]
    """
    from heartprint.cohorts import Cohort
    from heartprint.foundation.config import load_config
    from heartprint.pretraining import PretrainConfig
    from heartprint.pretraining.contact import save_contact

    claim_file(out, PICTURE, overwrite)
    settings = [*(option or []), *([f"method.name={method}"] if method else [])]
    chosen = load_config(config, settings, PretrainConfig)
    print(save_contact(Cohort.open(cohort), chosen, out, n=n, beside=beside, recipe=recipe))
