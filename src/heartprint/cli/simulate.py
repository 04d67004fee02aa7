"""``heartprint simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heartprint.cli.overwrite import Overwrite


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder of the cohort to write.", show_default=False)],
    patients: Annotated[int, typer.Option("--patients", help="How many patients; each has 1 to 6 ECGs.")] = 500,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal cohorts.")] = 0,
    hospital: Annotated[
        str,
        typer.Option(
            "--hospital",
            help="internal, or external: another machine, noise, anatomy and case mix (both with strong effects, "
            "for teaching); lifelike: life-size effects, many diseases and machines; cardiology: the same, more of "
            "them sick; passing-lvef: low LVEF comes and goes; passing-state: AF too.",
        ),
    ] = "internal",
    rate: Annotated[int, typer.Option("--rate", help="Sampling rate in Hz: 100 or 500.")] = 100,
    overwrite: Overwrite = False,
) -> None:
    """Simulate patients with a stable electrical signature and write their ECGs as a cohort.

    Example: heartprint simulate cohorts/simulated --patients 2000 --seed 1
    """
    from heartprint.simulation import simulate as run

    cohort = run(out, patients, seed=seed, hospital=hospital, rate=rate, overwrite=overwrite)
    print(f"Simulated {len(cohort):,} ECGs of {cohort.n_patients:,} patients ({hospital}, {rate} Hz): {out}")
