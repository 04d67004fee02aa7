"""``heartprint label``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def label(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder; the label is added to it.", show_default=False)],
    events: Annotated[
        Path,
        typer.Option(help="Measurements: MEDS parquet (a file or a folder), or CSV.", show_default=False),
    ],
    name: Annotated[str, typer.Option("--as", help="Name of the label, e.g. lvef.", show_default=False)],
    code: Annotated[
        list[str] | None, typer.Option(help="Which events count; repeat for more. None: the file holds nothing else.")
    ] = None,
    within: Annotated[str, typer.Option(help="Farthest from the ECG: 15d, 12h, 2w.")] = "15d",
    side: Annotated[str, typer.Option(help="before the ECG, after it, or either.")] = "either",
    preset: Annotated[str, typer.Option(help="Names of the columns: meds or mimic-iv-echo.")] = "meds",
    columns: Annotated[
        str | None, typer.Option(help="Columns of other names: patient=id,time=date,code=name,value=result.")
    ] = None,
    dates: Annotated[
        Literal["day-first", "month-first"] | None,
        typer.Option(help="What comes first in times such as 12/31/2019.", show_default=False),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a label of that name.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Label ECGs by measurements: each gets the value measured nearest to it, if that is near enough.

    Two different values equally near give no label. What was linked, ambiguous and out of the window is counted.

    Example: heartprint label cohorts/mine --events echo.csv --code LVEF --within 15d --as lvef
    """
    from typing import cast

    from heartprint.cohorts.events import COLUMNS, PRESETS
    from heartprint.cohorts.labelling import Side, label_cohort
    from heartprint.foundation.errors import unknown_name
    from heartprint.tables.column_names import parse_columns

    if preset not in PRESETS:
        raise unknown_name("preset", preset, list(PRESETS))
    named = PRESETS[preset] | parse_columns(columns, COLUMNS)
    counts = label_cohort(
        cohort,
        events,
        name=name,
        codes=code or (),
        within=within,
        side=cast(Side, side),
        columns=named,
        dates=dates,
        replace=replace,
    )
    if json:
        from json import dumps

        print(dumps(counts.to_json(), indent=2))
        return
    print(f"{'events':<22}{counts.events:>12,}")
    print(f"{'  without a number':<22}{counts.events_without_value:>12,}")
    print(f"{'  not possible':<22}{counts.events_out_of_range:>12,}")
    such = f"   for example '{counts.unreadable_time}'" if counts.unreadable_time else ""
    print(f"{'  without a time':<22}{counts.events_without_time:>12,}{such}")
    print(f"{'  of other people':<22}{counts.events_of_others:>12,}")
    print(f"{'ECGs':<22}{counts.ecgs:>12,}")
    rows = (
        ("  linked", counts.linked, f"median {counts.median_gap_days:.1f} days from the ECG"),
        ("  ambiguous", counts.ambiguous, "two nearest values that differ: no label"),
        ("  out of the window", counts.out_of_window, f"no event within {within}, {side} the ECG"),
        ("  no event", counts.no_event, "the patient has none"),
        ("  no date", counts.no_date, "the ECG has none"),
    )
    for what, n, why in rows:
        print(f"{what:<22}{n:>12,}   {why}")
    for note in counts.notes:
        print(note)
    print(f"{cohort}: label '{name}' added")
