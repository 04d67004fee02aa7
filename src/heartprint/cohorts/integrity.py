"""Is a cohort's table one that Heartprint wrote? Looked at whenever a cohort is opened; no waveform is read."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pydantic

from heartprint.foundation.bounded import BadFile, plain_size, read_json
from heartprint.foundation.errors import HeartprintError

MAX_INFO_BYTES = 16 * 2**20
"""Of ``cohort.json``; the largest of ours has some kilobytes."""
MAX_FILE_BYTES = 2**45
"""Of a table or of samples: more is a mistake on any machine of today."""

RATES_HZ = (10.0, 100_000.0)
STEPS_UV = (1e-4, 1e4)
"""Sampling rates and steps that samples of an ECG may have. Readers ask for more; these only keep nonsense out."""
AGES = (0.0, 130.0)
YEARS = (1800, 2999)
"""Public archives move their dates, up to the year 2200 and beyond."""
LONGEST_ID = 1000

_MOMENTS = (dt.datetime(YEARS[0], 1, 1), dt.datetime(YEARS[1] + 1, 1, 1))

_LEAST_BYTES = {"waveform": 16, "image": 1}  # eight samples; a pixel
_NEEDED = ("ecg_id", "patient_id", "kind", "offset")
_TABLE_ERRORS = (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException, MemoryError)


def damaged(folder: Path, what: str) -> HeartprintError:
    """The error for a cohort whose files are there but wrong."""
    return HeartprintError(
        "cohort-damaged", f"The cohort {folder} is damaged: {what}. Copy it again from its source, or ingest it again."
    )


def read_info(path: Path) -> dict[str, Any]:
    """Read ``cohort.json`` as it stands: some JSON object with a format version.

    Raises:
        HeartprintError: ``cohort-damaged``.
    """
    try:
        raw = read_json(path, MAX_INFO_BYTES)
    except BadFile as error:
        raise damaged(path.parent, f"{path.name} {error}") from error
    if not isinstance(raw, dict) or "format_version" not in raw:
        raise damaged(path.parent, f"{path.name} does not describe a cohort")
    return raw


def refuse_version(folder: Path, version: Any, known: int) -> None:
    """Refuse another format of cohorts than this one, with what to do about it.

    Raises:
        HeartprintError: ``cohort-version``.
    """
    if type(version) is int and version == known:
        return
    told = repr(version)[:40]
    if type(version) is int and 1 <= version < known:
        remedy = f"Bring it up to date with 'heartprint check {folder} --upgrade'."
    elif type(version) is int and version > known:
        remedy = "Install a newer version of Heartprint."
    else:
        remedy = "No version of Heartprint wrote this; ingest the cohort again."
    raise HeartprintError(
        "cohort-version", f"{folder} has cohort format {told}; this Heartprint reads format {known}. {remedy}"
    )


def validated(folder: Path, name: str, raw: Mapping[str, Any], adapter: pydantic.TypeAdapter[Any]) -> Any:
    """Make an object of what a file says, strictly.

    Raises:
        HeartprintError: ``cohort-damaged``.
    """
    try:
        # As JSON, whose arrays and objects may become tuples and classes while numbers stay what they are.
        return adapter.validate_json(json.dumps(raw))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise damaged(folder, f"'{where[:60]}' in {name} is wrong ({first['msg']})") from error


def read_table(path: Path, columns: Mapping[str, pl.DataType], kind: str, n_ecgs: int, data: Path) -> pl.DataFrame:
    """Read ``records.parquet`` and hold every row against what can be.

    Args:
        path: The table.
        columns: Columns that it must have; ``label_...`` columns of numbers may follow.
        kind: ``waveform`` or ``image``.
        n_ecgs: Rows that it must have.
        data: File that its offsets point into.

    Raises:
        HeartprintError: ``cohort-damaged``, or ``cohort-incomplete`` if the data end before the table says.
    """
    folder = path.parent
    try:
        plain_size(path, MAX_FILE_BYTES)
        size = plain_size(data, MAX_FILE_BYTES)
    except BadFile as error:
        raise damaged(folder, f"a file of it {error}: {path.name} and {data.name} must be files themselves") from error
    try:
        height = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
        # Before the table is read: a few bytes can announce any number of equal rows.
        if height != n_ecgs or height * _LEAST_BYTES[kind] > size:
            _refuse_height(folder, height, n_ecgs, data, size)
        _check_schema(folder, pl.read_parquet_schema(path), columns)
        records = pl.read_parquet(path, glob=False)
    except _TABLE_ERRORS as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise damaged(folder, f"{path.name} cannot be read ({reason})") from error
    _check_values(folder, records, kind)
    _check_places(folder, records, kind, data, size)
    return records


def read_notes(path: Path, columns: Mapping[str, pl.DataType], expected: int) -> pl.DataFrame:
    """Read the table of refused records, or that of cautions.

    Raises:
        HeartprintError: ``cohort-incomplete`` or ``cohort-damaged``.
    """
    try:
        plain_size(path, MAX_FILE_BYTES)
        table = pl.read_parquet(path, glob=False)
    except FileNotFoundError as error:
        raise HeartprintError(
            "cohort-incomplete",
            f"{path} is missing, though the cohort counts {expected:,} rows of it. Copy or ingest the cohort again.",
        ) from error
    except (BadFile, *_TABLE_ERRORS) as error:
        raise damaged(path.parent, f"{path.name} cannot be read ({str(error)[:200]})") from error
    if table.schema != pl.Schema(columns) or table.height != expected:
        found = f"{table.height:,} rows of {', '.join(table.columns)[:200]}"
        raise damaged(path.parent, f"{path.name} has {found}, not {expected:,} of {', '.join(columns)}")
    return table


def _refuse_height(folder: Path, height: int, n_ecgs: int, data: Path, size: int) -> None:
    if height != n_ecgs:
        raise damaged(folder, f"its table has {height:,} rows, and its description says {n_ecgs:,}")
    raise HeartprintError(
        "cohort-incomplete",
        f"{data} holds {size:,} bytes, too few for {height:,} ECGs: it was cut short. Copy or ingest the cohort again.",
    )


def _check_schema(folder: Path, schema: Mapping[str, Any], columns: Mapping[str, pl.DataType]) -> None:
    absent = [name for name in columns if name not in schema]
    if absent:
        raise damaged(folder, f"its table lacks {', '.join(absent)}")
    for name, dtype in schema.items():
        if name in columns:
            if dtype != columns[name]:
                raise damaged(folder, f"column '{name}' of its table holds {dtype} and not {columns[name]}")
        elif not name.startswith("label_") or len(name) > LONGEST_ID:
            raise damaged(folder, f"its table has a column '{name[:60]}', which is neither known nor a label")
        elif not dtype.is_numeric():
            raise damaged(folder, f"the label '{name[6:]}' of its table holds {dtype} and not numbers")


def _rules(records: pl.DataFrame, kind: str) -> dict[str, pl.Expr]:
    """What must not be: a sentence, and where it is so."""
    text = {name: pl.col(name) for name in ("ecg_id", "patient_id")}
    rules = {f"{name} is null": pl.col(name).is_null() for name in _NEEDED}
    rules |= {f"{name} is empty": column == "" for name, column in text.items()}
    rules |= {f"{name} is longer than {LONGEST_ID} bytes": c.str.len_bytes() > LONGEST_ID for name, c in text.items()}
    rules |= {
        f"kind is not {kind}": pl.col("kind") != kind,
        "sex is neither female, male nor null": ~pl.col("sex").is_in(["female", "male"]),
        f"age lies outside {AGES[0]:g} to {AGES[1]:g}": ~pl.col("age").is_between(*AGES) & ~pl.col("age").is_nan(),
        f"recorded_at lies outside the years {YEARS[0]} to {YEARS[1]}": _outside("recorded_at", _MOMENTS),
        "offset is negative": pl.col("offset") < 0,
    }
    if kind == "image":
        sides = ("height", "width", "original_height", "original_width")
        rules |= {f"{name} is not positive": pl.col(name).is_null() | (pl.col(name) < 1) for name in sides}
        rules["image_hash is null"] = pl.col("image_hash").is_null()
    else:
        size = pl.col("n_samples").cast(pl.Int64) * pl.col("n_leads")
        known = ("n_samples", "sampling_rate", "uv_per_bit", "n_leads", "unit", "n_missing", "n_clipped")
        rules |= {f"{name} is null": pl.col(name).is_null() for name in (*known, "waveform_hash")}
        rules |= {
            "n_samples is not positive": pl.col("n_samples") < 1,
            "n_leads is neither 8 nor 12": ~pl.col("n_leads").is_in([8, 12]),
            f"sampling_rate lies outside {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz": _outside("sampling_rate", RATES_HZ),
            f"uv_per_bit lies outside {STEPS_UV[0]:g} to {STEPS_UV[1]:g}": _outside("uv_per_bit", STEPS_UV),
            "unit is neither uV nor z": ~pl.col("unit").is_in(["uV", "z"]),
            "n_missing is negative or more than all samples": _outside("n_missing", (0, size)),
            "n_clipped is negative or more than all samples": _outside("n_clipped", (0, size)),
        }
    for name, dtype in records.schema.items():
        if name.startswith("label_") and dtype.is_float():
            rules[f"{name} is infinite"] = pl.col(name).is_infinite()
    return rules


def _outside(name: str, limits: tuple[Any, Any]) -> pl.Expr:
    return ~pl.col(name).is_between(*limits)


def _check_values(folder: Path, records: pl.DataFrame, kind: str) -> None:
    rules = _rules(records, kind)
    found = records.select(bad.sum().alias(what) for what, bad in rules.items()).row(0, named=True)
    for what, n in found.items():
        if n:
            row = int(records.select(rules[what].fill_null(False).arg_max()).item())
            more = f" and {n - 1:,} more" if n > 1 else ""
            raise damaged(folder, f"{what} in row {row + 1:,}{more} of its table")
    if records["ecg_id"].n_unique() != records.height:
        twice = records["ecg_id"].filter(records["ecg_id"].is_duplicated())[0]
        raise damaged(folder, f"the ecg_id '{twice[:60]}' stands more than once in its table")


def _check_places(folder: Path, records: pl.DataFrame, kind: str, data: Path, size: int) -> None:
    """Every ECG lies inside the file, and no two share a sample."""
    high, wide, each = ("height", "width", 1) if kind == "image" else ("n_samples", "n_leads", 2)
    starts = records["offset"].to_numpy()
    sizes = records[high].to_numpy().astype(np.int64) * records[wide].to_numpy()
    # Subtracted and not added: an offset near 2^63 would come round to a small number.
    beyond = starts > size // each - sizes
    if beyond.any():
        row = int(np.argmax(beyond))
        raise HeartprintError(
            "cohort-incomplete",
            f"{data} holds {size:,} bytes, and ECG '{records['ecg_id'][row][:60]}' lies beyond them: the file was cut "
            "short, or the table was changed. Copy the cohort again from its source, or ingest it again.",
        )
    if size % each:
        raise damaged(folder, f"{data.name} ends in the middle of a sample")
    ends = starts + sizes
    if not (starts[1:] >= ends[:-1]).all():
        order = np.argsort(starts, kind="stable")
        if not (starts[order][1:] >= ends[order][:-1]).all():
            raise damaged(folder, f"two ECGs share samples of {data.name}")
