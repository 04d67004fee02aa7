"""``heartprint demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the report and everything behind it.")] = Path("demo"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of the patients and of everything drawn.", min=0)] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Go on with another seed in --out; its report is replaced.")
    ] = False,
) -> None:
    """Show on simulated patients what biometric contrastive learning is and what it saves; takes minutes.

    Simulates two hospitals, pretrains, compares with few labels, and writes OUT/report.html. Run again, it goes on.

    Example: heartprint demo --out demo
    """
    from heartprint.evaluation.demo import run_demo

    print(f"Report: {run_demo(out, seed=seed, overwrite=overwrite)}")
