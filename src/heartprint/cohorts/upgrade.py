"""From the cohort formats of earlier versions to the one of today, in place."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from heartprint.cohorts.cohort import (
    CAUTIONS_FILE,
    COHORT_FILE,
    DATA_FILES,
    FORMAT_VERSION,
    RECORDS_FILE,
    Cohort,
    parse_info,
)
from heartprint.cohorts.integrity import damaged, read_info, read_table, refuse_version
from heartprint.cohorts.schema import REFUSED_COLUMNS, Kind, columns_of
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path, claimed, write_json

_KINDS: dict[int, Kind] = {1: "waveform", 2: "image"}
"""Formats before 3, which had no cautions and said by their number what they hold."""


def upgrade_cohort(folder: str | Path) -> int | None:
    """Bring a cohort of an earlier format up to date.

    Samples, table, content hash and patient key stay what they are, so that models know the patients they have seen.
    ``cohort.json`` is replaced last and at once: a cohort is of the old format or of the new one, whatever happens.

    Args:
        folder: The cohort.

    Returns:
        The format that it had, or None if there was nothing to do.

    Raises:
        HeartprintError: ``cohort-missing``, ``cohort-incomplete``, ``cohort-damaged``, ``cohort-version`` for a
            format that is not known here, ``output-busy`` or ``disk-full``.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise HeartprintError("cohort-missing", f"There is no cohort folder at {folder}. Check the path.")
    if not (folder / COHORT_FILE).is_file():
        raise HeartprintError("cohort-incomplete", f"{folder} is not a whole cohort: {COHORT_FILE} is missing.")
    raw = read_info(folder / COHORT_FILE)
    version = raw["format_version"]
    if type(version) is not int or version not in _KINDS:
        refuse_version(folder, version, FORMAT_VERSION)
        return None
    kind = _KINDS[version]
    if {"kind", "n_cautions"} & raw.keys():
        raise damaged(folder, f"{COHORT_FILE} says more than format {version} knows")
    new = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        **{name: value for name, value in raw.items() if name != "format_version"},
        "n_cautions": 0,
    }
    info = parse_info(folder, new)
    for name in (RECORDS_FILE, DATA_FILES[kind]):
        if not (folder / name).exists():
            raise HeartprintError("cohort-incomplete", f"{folder} is not a whole cohort: {name} is missing.")
    # What would be refused afterwards is refused now, while the folder is still as it was.
    read_table(folder / RECORDS_FILE, columns_of(kind), kind, info.n_ecgs, folder / DATA_FILES[kind])
    with claimed(folder):
        with atomic_path(folder / CAUTIONS_FILE) as path:
            pl.DataFrame(schema=REFUSED_COLUMNS).write_parquet(path)
        write_json(folder / COHORT_FILE, new)
    Cohort.open(folder)
    return version
