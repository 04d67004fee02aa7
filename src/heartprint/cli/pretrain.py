"""``heartprint pretrain``."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer


def pretrain(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder of the run; new or empty.", show_default=False)],
    method: Annotated[
        str | None,
        typer.Option(
            help="bcl (the default), bcl_several, bcl_measured, bcl_state, vicreg, byol, segments, measured, simclr, "
            "layouts or simulation_supervised."
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="YAML file with settings.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("-o", metavar="KEY=VALUE", help="A setting, on top of the file; repeat.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="First day to learn from, e.g. 2000-01-01.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Last day to learn from, inclusive.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what time, memory and disk it takes.")] = False,
) -> None:
    """Pretrain an encoder without labels; the result is OUT/encoder.

    Settings and their defaults are those of PretrainConfig: backbone, image_size, epochs or steps, batch_size, seed,
    device, learning_rate...; those of a method stand under method, as -o method.temperature=0.2. Ctrl-C stops cleanly;
    --resume goes on, in the middle of an epoch if need be.

    Example: heartprint pretrain cohorts/mine --method bcl --out runs/bcl -o backbone=small -o epochs=3 -o batch_size=32
    """
    began = time.perf_counter()
    from heartprint.cohorts import Cohort
    from heartprint.foundation.config import load_config
    from heartprint.pretraining import PretrainConfig
    from heartprint.pretraining import pretrain as learn

    named = {"method.name": method, "since": since, "until": until}
    settings = [*(option or []), *(f"{key}={value}" for key, value in named.items() if value is not None)]
    kept = out / "config.yaml"
    if resume and config is None and kept.is_file():
        config = kept
    chosen = load_config(config, settings, PretrainConfig)
    ecgs = Cohort.open(cohort)
    if estimate:
        from heartprint.pretraining.estimate import estimate_for

        print(estimate_for(ecgs, chosen, started=time.perf_counter() - began).text())
        return
    simulated = " (simulated patients)" if ecgs.info.simulated else ""
    try:
        learn(ecgs, chosen, out, resume=resume)
    except KeyboardInterrupt as stop:
        print(f"{stop} Go on with: heartprint pretrain {cohort} --out {out} --resume", file=sys.stderr)
        raise typer.Exit(130) from None
    if os.environ.get("RANK", "0") == "0":  # One of the processes that torchrun started speaks for all.
        learned_from = f"{chosen.method.name} on '{ecgs.info.name}'{simulated}"
        print(f"{out / 'encoder'}: encoder pretrained by {learned_from}{_found(out)}")


def _found(out: Path) -> str:
    """How the run ended, beside chance."""
    from heartprint.pretraining.outcome import percent

    note = json.loads((out / "run.json").read_text(encoding="utf-8"))
    if "chance" not in note:
        return ""
    learned = "" if note.get("learned", True) else "; NOT LEARNED"
    return f"; partner found {percent(note['partner_found'])}, chance {percent(note['chance'])}{learned}"
