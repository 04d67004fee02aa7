"""``heartprint duplicates``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heartprint.cli.overwrite import DUPLICATES, Overwrite, claim_file


def duplicates(
    cohort: Annotated[Path, typer.Argument(help="A cohort folder.", show_default=False)],
    other: Annotated[
        Path | None,
        typer.Argument(help="Another cohort, whose ECGs it is compared with; alone it is compared with itself."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file for the pairs; without it they are printed.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes; -1 = all cores.")] = -1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Find ECGs that stand twice in a cohort, or in two: copies, re-sampled, shifted, filtered or scaled ones too.

    Copies under two patients leak from training into testing. Two ECGs of one patient that are no copies are not named.

    Example: heartprint duplicates cohorts/ptb-xl cohorts/own --out duplicates.csv
    """
    from heartprint.cohorts import Cohort
    from heartprint.cohorts.duplicates import find_duplicates
    from heartprint.foundation.files import atomic_path

    if out is not None:
        claim_file(out, DUPLICATES, overwrite)
    first, second = Cohort.open(cohort), Cohort.open(other) if other else None
    table = find_duplicates(first, second, n_jobs=jobs, progress=True)
    if out is not None:
        with atomic_path(out) as path:
            table.write_csv(path)
    exact = int((table["kind"] == "exact").sum())
    apart = int((table["patient_id"] != table["other_patient_id"]).sum())
    where = f"in {first.info.name}" if second is None else f"between {first.info.name} and {second.info.name}"
    if json:
        from json import dumps

        counts = {"pairs": len(table), "exact": exact, "of_different_patient_ids": apart}
        print(dumps(counts | {"duplicates": table.to_dicts()}, indent=2, ensure_ascii=False))
        return
    if not len(table):
        print(f"No duplicates {where}.")
        return
    print(f"{len(table):,} pairs of duplicates {where}: {exact:,} exact, {apart:,} under different patient ids.")
    print(f"Written to {out}" if out else table.write_csv(), end="" if not out else "\n")
